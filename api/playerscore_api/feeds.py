"""Watches of Kubernetes, shared by the event streams of one token.

Kubernetes decides by its token who may watch, so streams of one token share watches and streams of different tokens
share nothing: no reader is shown what he may not see, and no account that may read everything is needed. A burst of
streams is opened a few at a time; a watch that breaks is taken up again where it broke, and its streams only wait.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import structlog

from playerscore.errors import PlayerscoreError
from playerscore_api import metrics, stored
from playerscore_api.cluster import WATCH_SECONDS, Cluster
from playerscore_api.stored import Document

log = structlog.get_logger("playerscore.api")

OWN_WATCHES: Final = 8
"""Jobs of a namespace that are watched each by itself. Whoever follows more gets one watch of all the namespace's
jobs: few streams are not sent what happens to thousands of other jobs, and many streams do not cost a watch each."""
OPENED_AT_ONCE: Final = 16
"""Streams that ask Kubernetes at the same time before they begin."""
LINE_SECONDS: Final = 20.0
"""How long a stream waits for its turn to be opened."""
EVERY: Final = ""
"""The job's name that stands for all of the namespace."""
LONGEST_PAUSE: Final = 5.0
STEADY_SECONDS: Final = 5.0
"""A watch that lasted so long does not make the next one wait."""
FORGOTTEN: Final = frozenset({"EXPIRED", "INVALID"})
"""How Kubernetes refuses to watch from a version."""
PASSING: Final = FORGOTTEN | {"CLUSTER_UNAVAILABLE", "TOO_MANY_REQUESTS"}
"""What may be over in a moment."""


class Told(NamedTuple):
    """One thing that happened to a job.

    Kinds are those of a watch, and GAP: something may have been missed, so the job must be read again.
    """

    kind: str
    version: int
    job: Document | None


class Feed:
    """What one stream is told about its job, from when it was opened until it is closed."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._queue: asyncio.Queue[Told | PlayerscoreError] = asyncio.Queue()
        self._watch: Watch | None = None
        self._name = ""

    @property
    def version(self) -> int:
        """How far the watch has come."""
        return (self._watch.version if self._watch else None) or 0

    async def open(self, caller: Cluster, token: str, namespace: str, name: str) -> None:
        """Wait until Kubernetes has granted a watch of that job, or of `EVERY` one. Raises what it refuses with."""
        self._name = name
        watch = self._hub.watch(caller, token, namespace, name)
        try:
            await self._join(watch)
        except PlayerscoreError as error:
            if watch.name or name == EVERY or error.code != "FORBIDDEN":
                raise
            # Who may watch only jobs of certain names has no right to the namespace.
            await self._join(self._hub.watch(caller, token, namespace, name, alone=True))

    async def _join(self, watch: "Watch") -> None:
        self._leave()
        self._watch = watch
        watch.feeds.setdefault(self._name, set()).add(self)
        await watch.ready()

    def tell(self, what: Told | PlayerscoreError) -> None:
        """Hand it to the stream, which may be slow."""
        self._queue.put_nowait(what)

    async def next(self, end: float) -> Told | None:
        """What comes next; None when that time of the event loop's clock has come first.

        Raises PlayerscoreError when the watch is over for good.
        """
        try:
            async with asyncio.timeout_at(end):
                found = await self._queue.get()
        except TimeoutError:
            return None
        if isinstance(found, PlayerscoreError):
            raise found
        return found

    def close(self) -> None:
        """Give the place to another stream."""
        self._leave()
        self._hub.left()

    def _leave(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.leave(self._name, self)


class Watch:
    """One watch with one token, of one job or of all in a namespace, for as long as it has readers."""

    def __init__(
        self, hub: "Hub", caller: Cluster, namespace: str, name: str | None, patience: float
    ) -> None:
        self.name = name
        self.version: int | None = None
        self.feeds: dict[str, set[Feed]] = {}
        self._hub = hub
        self._caller = caller
        self._namespace = namespace
        self._patience = patience
        self._granted = asyncio.Event()
        self._over: PlayerscoreError | None = None
        self._failing_since: float | None = None
        self._gap = False
        self.task = asyncio.create_task(self._run())

    async def ready(self) -> None:
        """Wait until it watches. Raises why it never will."""
        await self._granted.wait()
        if self._over is not None:
            raise self._over

    def leave(self, name: str, feed: Feed) -> None:
        """A stream has ended; the last one ends the watch."""
        self.feeds.get(name, set()).discard(feed)
        if not self.feeds.get(name):
            self.feeds.pop(name, None)
        if not self.feeds:
            self._hub.forget(self)
            self.task.cancel()

    async def _run(self) -> None:
        metrics.WATCHES.inc()
        try:
            await self._keep()
        except PlayerscoreError as error:
            self._end(error)
        except Exception as error:
            log.exception("a watch failed")
            self._end(
                PlayerscoreError("INTERNAL", f"The API failed ({type(error).__name__}); its log says why")
            )
        finally:
            metrics.WATCHES.dec()

    async def _keep(self) -> None:
        """Watch again and again. Raises PlayerscoreError when that is over."""
        clock, tries = asyncio.get_running_loop().time, 0
        while True:
            begin = clock()
            try:
                await self._once()
            except PlayerscoreError as error:
                self._failing_since = self._failing_since or clock()
                lasting = clock() - self._failing_since >= self._patience
                if not self._granted.is_set() or error.code not in PASSING or lasting:
                    raise
                if error.code in FORGOTTEN:
                    self.version = None
            self._gap = self._gap or self.version is None
            tries = 0 if clock() - begin >= STEADY_SECONDS else tries + 1
            pause = min(LONGEST_PAUSE, 0.05 * 2**tries) if tries else 0.0
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # spreads replicas, guards nothing

    async def _once(self) -> None:
        """One watch, until Kubernetes ends it."""
        if self.version is None and self.name is None:
            page = await self._caller.list_jobs(self._namespace, 1)
            self.version = int(page.version)
        watched = self._caller.watch_jobs(self._namespace, self.name, self.version, WATCH_SECONDS)
        async with watched as changes:
            self._failing_since = None
            self._granted.set()
            if self._gap:
                self._gap = False
                self._tell_all(Told("GAP", 0, None))
            async for change in changes:
                self._tell(change)

    def _tell(self, change: stored.Change) -> None:
        self.version = change.version
        if change.kind == "BOOKMARK":
            self._tell_all(Told(change.kind, change.version, None))
        elif feeds := self.feeds.get(change.name, set()) | self.feeds.get(EVERY, set()):
            told = Told(change.kind, change.version, stored.job(change.body))
            for feed in feeds:
                feed.tell(told)

    def _tell_all(self, what: Told | PlayerscoreError) -> None:
        for feeds in self.feeds.values():
            for feed in feeds:
                feed.tell(what)

    def _end(self, error: PlayerscoreError) -> None:
        self._hub.forget(self)
        self._over = error
        if self._granted.is_set():
            self._tell_all(error)
        self._granted.set()


class Hub:
    """All event streams of this replica: their number, their line, and the watches that they share."""

    def __init__(self, most: int, patience_seconds: float, line_seconds: float = LINE_SECONDS) -> None:
        self._most = most
        self._patience = patience_seconds
        self._line_seconds = line_seconds
        self._line = asyncio.Semaphore(OPENED_AT_ONCE)
        self._streams = 0
        self._watches: dict[tuple[str, str, str | None], Watch] = {}

    def admit(self) -> Feed:
        """A place for one more stream, which must be closed. Raises TOO_MANY_REQUESTS."""
        if self._streams >= self._most:
            text = f"This replica has {self._streams} open event streams; try again, or another replica"
            raise PlayerscoreError("TOO_MANY_REQUESTS", text)
        self._streams += 1
        metrics.STREAMS.inc()
        return Feed(self)

    def left(self) -> None:
        """A stream has given its place back."""
        self._streams -= 1
        metrics.STREAMS.dec()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait in line for asking Kubernetes. Raises TOO_MANY_REQUESTS when that takes too long."""
        try:
            async with asyncio.timeout(self._line_seconds):
                await self._line.acquire()
        except TimeoutError:
            text = f"Too many event streams are being opened: no turn within {self._line_seconds:g} s"
            raise PlayerscoreError("TOO_MANY_REQUESTS", text) from None
        try:
            yield
        finally:
            self._line.release()

    def watch(self, caller: Cluster, token: str, namespace: str, name: str, alone: bool = False) -> Watch:
        """The watch that tells of this job, or of `EVERY` one: one that there is, else a new one."""
        own, shared = (token, namespace, name), (token, namespace, None)
        if own in self._watches:
            return self._watches[own]
        if shared in self._watches and not alone:
            return self._watches[shared]
        several = name == EVERY or sum(key[:2] == shared[:2] for key in self._watches) >= OWN_WATCHES
        key = shared if several and not alone else own
        self._watches[key] = Watch(self, caller, namespace, key[2], self._patience)
        return self._watches[key]

    def forget(self, watch: Watch) -> None:
        """Take no more streams for it."""
        self._watches = {key: kept for key, kept in self._watches.items() if kept is not watch}

    async def close(self) -> None:
        """End every watch."""
        tasks = [watch.task for watch in self._watches.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
