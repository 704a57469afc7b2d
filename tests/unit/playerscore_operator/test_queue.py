"""The key queue: no key twice, none lost, failures later."""

import asyncio

from playerscore_operator.queue import KeyQueue, work


async def test_a_waiting_key_is_not_added_twice() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("a")
    queue.add("a")
    queue.add("b")

    assert [await queue.take(), await queue.take()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_that_yields_lets_others_pass_until_it_has_waited_long_enough() -> None:
    clock = iter([1.0, 2.0, 30.5, 31.5, 32.0])
    queue: KeyQueue[str] = KeyQueue(clock=lambda: next(clock))
    for key, yields in (("draft", True), ("run", False), ("soon", False), ("late", False)):
        queue.add(key, yields=yields)

    assert queue.oldest_seconds() == 31.0
    assert [await queue.take() for _ in range(4)] == ["run", "soon", "draft", "late"]


async def test_a_key_that_yields_no_more_moves_forward_and_is_taken_once() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("other", yields=True)
    queue.add("draft", yields=True)
    queue.add("draft")
    queue.add("draft", yields=True)

    assert len(queue) == 2
    assert [await queue.take(), await queue.take()] == ["draft", "other"]

    queue.add("draft", yields=True)
    queue.done("draft")
    queue.done("other")
    queue.add("new")

    assert [await queue.take(), await queue.take()] == ["new", "draft"]
    assert len(queue) == 0


async def test_a_key_that_changes_while_it_is_worked_on_comes_again_after_it() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add("a")
    key = await queue.take()
    queue.add("a")

    assert len(queue) == 0

    queue.done(key)

    assert await queue.take() == "a"


async def test_the_delay_grows_with_each_failure_and_falls_back_after_success() -> None:
    queue: KeyQueue[str] = KeyQueue(jitter=lambda: 0.5)
    delays = [queue.failed("a") for _ in range(4)]
    queue.done("a")

    assert delays == [0.5, 1.0, 2.0, 4.0]
    assert queue.failed("a") == 0.5


async def test_an_earlier_time_wins() -> None:
    queue: KeyQueue[str] = KeyQueue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.01)
    queue.add_after("a", 30)

    assert await asyncio.wait_for(queue.take(), 1) == "a"


async def test_one_failing_key_stops_neither_the_worker_nor_itself() -> None:
    queue: KeyQueue[str] = KeyQueue(jitter=lambda: -0.48)
    seen: list[str] = []
    finished = asyncio.Event()

    async def handle(key: str) -> None:
        seen.append(key)
        if key == "bad" and seen.count("bad") < 3:
            raise OSError("try again")
        if seen.count("bad") == 3:
            finished.set()

    worker = asyncio.create_task(work(queue, handle, lambda key, error, delay: None))
    for key in ("bad", "good"):
        queue.add(key)
    await asyncio.wait_for(finished.wait(), 5)
    worker.cancel()

    assert seen.count("good") == 1
    assert seen.count("bad") == 3
