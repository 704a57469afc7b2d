"""Work ahead in another thread: the order, the bound, errors and the end."""

import threading
from collections.abc import Iterator

import pytest

from playerscore_worker.ahead import ahead


def test_items_come_in_order_and_never_more_than_the_bound_ahead() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    for taken, number in enumerate(ahead(numbers(), 3)):
        assert number == taken
        assert len(made) <= taken + 4


def test_they_are_made_in_another_thread_while_nobody_asks() -> None:
    third = threading.Event()

    def steps() -> Iterator[int]:
        yield 1
        yield 2
        third.set()
        yield 3

    coming = ahead(steps(), 2)
    assert next(coming) == 1
    assert third.wait(10)
    assert list(coming) == [2, 3]


def test_an_error_comes_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("the third")

    coming = ahead(broken(), 5)
    assert next(coming) == 1
    with pytest.raises(ValueError, match="the third"):
        next(coming)


def test_closing_ends_the_work() -> None:
    before = threading.active_count()
    coming = ahead(iter(range(1000)), 4)
    next(coming)
    coming.close()
    assert threading.active_count() == before
