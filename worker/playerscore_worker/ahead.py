"""Work that goes on in another thread while its last results are used: decoding beside following."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], count: int) -> Generator[T, None, None]:
    """The items, none of them None, in their order, up to `count` of them made ahead of time, one at a time, in one thread.

    An error comes where its item would have come. Closing waits for the item that is being made.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, items, None) for _ in range(count))
        try:
            while (item := waiting.popleft().result()) is not None:
                waiting.append(pool.submit(next, items, None))
                yield item
        finally:
            for one in waiting:
                one.cancel()
