"""A keyed, deduplicating work queue with backoff: what Kopf's `on.event` feeds.

A key that waits is not added twice; a key that is being worked on is worked on again afterwards. A failure
brings the key back with an exponential, jittered delay. Everything is in memory only: after a restart the
first listing brings every key again.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

BASE_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 120.0


class KeyQueue(Generic[Key]):
    """Keys to be worked on, each by one worker at a time."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: dict[Key, float] = {}
        """Since when each key waits, monotonic seconds, oldest first."""
        self._active: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._jitter = jitter

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_seconds(self) -> float:
        """How long the first of the waiting keys has waited."""
        since = next(iter(self._waiting.values()), None)
        return 0.0 if since is None else time.monotonic() - since

    def add(self, key: Key) -> None:
        """Work on this key soon; at once again when it is being worked on."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = time.monotonic()
            self._ready.put_nowait(key)

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
        key = await self._ready.get()
        self._waiting.pop(key, None)
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
            self._again.discard(key)
            self.add(key)


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
