"""A keyed, deduplicating work queue with backoff: what Kopf's `on.event` feeds.

A key that waits is not added twice; a key that is being worked on is worked on again afterwards. A failure
brings the key back with an exponential, jittered delay. A key that yields lets those pass that come within half
a minute after it, and none later, so that nothing starves. Everything is in memory only: after a restart the first
listing brings every key again.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)

BASE_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 120.0
YIELD_SECONDS = 30.0


class Place(NamedTuple):
    """Where a waiting key stands."""

    since: float
    """When it came, monotonic seconds."""
    order: float
    """The least is taken first: when it came, or later where it yields."""


class KeyQueue(Generic[Key]):
    """Keys to be worked on, each by one worker at a time."""

    def __init__(
        self, jitter: Callable[[], float] = random.random, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ready: asyncio.PriorityQueue[tuple[float, int, Key]] = asyncio.PriorityQueue()
        """Order, a number that tells equals apart, and the key; a key that has moved forward is twice in it."""
        self._numbers = itertools.count()
        self._waiting: dict[Key, Place] = {}
        """Oldest first."""
        self._active: set[Key] = set()
        self._again: dict[Key, bool] = {}
        """What came while it was worked on, and whether it yields."""
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._jitter = jitter
        self._clock = clock

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_seconds(self) -> float:
        """How long the first of the waiting keys has waited."""
        first = next(iter(self._waiting.values()), None)
        return 0.0 if first is None else self._clock() - first.since

    def add(self, key: Key, *, yields: bool = False) -> None:
        """Work on this key soon; again when it is being worked on. `yields`: nobody waits for what follows."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._active:
            self._again[key] = yields and self._again.get(key, True)
            return
        now, known = self._clock(), self._waiting.get(key)
        order = now + YIELD_SECONDS if yields else now
        if known and known.order <= order:
            return
        self._waiting[key] = Place(known.since if known else now, order)
        self._ready.put_nowait((order, next(self._numbers), key))

    def add_after(self, key: Key, seconds: float) -> None:
        """Work on this key after a while, or earlier when it is added before."""
        due = asyncio.get_running_loop().time() + seconds
        old = self._timers.get(key)
        if old is not None:
            if old.when() <= due:
                return
            old.cancel()
        self._timers[key] = asyncio.get_running_loop().call_at(due, self._due, key)

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def take(self) -> Key:
        """The next key; `done` or `failed` must follow."""
        while True:
            order, _, key = await self._ready.get()
            place = self._waiting.get(key)
            if place and place.order == order:
                del self._waiting[key]
                self._active.add(key)
                return key

    def done(self, key: Key) -> None:
        """The key was worked on without a failure."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: Key) -> float:
        """The key comes back later; returns the delay in seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay = min(MAX_DELAY_SECONDS, BASE_DELAY_SECONDS * 2.0 ** min(count, 10)) * (0.5 + self._jitter())
        self._release(key)
        if key not in self._waiting:
            self.add_after(key, delay)
        return delay

    def _release(self, key: Key) -> None:
        self._active.discard(key)
        if key in self._again:
            self.add(key, yields=self._again.pop(key))


async def work(
    queue: KeyQueue[Key],
    handle: Callable[[Key], Awaitable[None]],
    on_error: Callable[[Key, Exception, float], None],
) -> None:
    """Take keys for ever. Errors are the queue's business: told to `on_error`, tried again with backoff."""
    while True:
        key = await queue.take()
        try:
            await handle(key)
        except Exception as error:  # noqa: BLE001 - one key's trouble must not end the worker; it is retried
            on_error(key, error, queue.failed(key))
        else:
            queue.done(key)
