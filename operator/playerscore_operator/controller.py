"""One reconciliation: observe, decide, act; and the loops that feed and drain the queue."""

import asyncio
import time
from datetime import timedelta

import structlog
from pydantic import ValidationError

from playerscore import names
from playerscore_operator import logs, metrics
from playerscore_operator.act import RefusedError, act, tell, write
from playerscore_operator.cluster import ApiError, Cluster
from playerscore_operator.decide import decide, refused
from playerscore_operator.observe import Json, Observed, rests
from playerscore_operator.outcome import Decision
from playerscore_operator.queue import KeyQueue, work
from playerscore_operator.runtimes import Runtimes
from playerscore_operator.settings import Settings
from playerscore_operator.spent import spent
from playerscore_operator.watched import Key, Watched
from playerscore_operator.world import World

KINDS = (names.JOB_PLURAL, "jobs", "pods")

ENDING_SECONDS = 10.0
"""For so long nothing is done in a namespace that is known to end: each of its jobs would be refused anew."""

log = structlog.get_logger("playerscore.operator")


class Controller:
    """Keeps nothing that a restart needs."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.cluster = cluster
        self.settings = settings
        self.queue: KeyQueue[Key] = KeyQueue()
        self.watched = Watched()
        self.world = World(cluster, self.watched)
        self.runtimes = Runtimes(cluster, settings.runtimes_file, settings.resync_seconds)
        self.last_event = time.monotonic()
        """When an event or a listing last came; for the liveness of the watch."""
        self._waiting: set[Key] = set()
        """Jobs that a change of a runtime may free."""
        self._ending: dict[str, float] = {}
        """Namespaces that end, and until when (monotonic seconds) that is believed: its name may come again."""
        metrics.QUEUE_DEPTH.set_function(lambda: len(self.queue))
        metrics.QUEUE_AGE.set_function(self.queue.oldest_seconds)
        metrics.EVENT_AGE.set_function(lambda: time.monotonic() - self.last_event)

    def job_event(self, body: Json, *, deleted: bool) -> None:
        """A ScoringJob came, changed or went."""
        self.last_event = time.monotonic()
        if self.watched.job_event(body, deleted=deleted):
            key = (body["metadata"]["namespace"], body["metadata"]["name"])
            self.queue.add(key, yields=rests(body))

    def child_event(self, kind: str, body: Json, *, deleted: bool) -> None:
        """A child Job (`jobs`) or pod (`pods`) came, changed or went."""
        self.last_event = time.monotonic()
        if key := self.watched.child_event(kind, body, deleted=deleted):
            self.queue.add(key)

    def runtime_event(self, body: Json, *, deleted: bool) -> None:
        """A ScoringRuntime came, changed or went: what waits for one is looked at again."""
        self.last_event = time.monotonic()
        self.world.runtime_event(body, deleted=deleted)
        self.runtimes.changed()
        while self._waiting:
            self.queue.add(self._waiting.pop())

    async def run(self) -> None:
        """Work until cancelled."""
        # Silence is counted from here: a replica that stood by for hours has heard nothing before.
        self.last_event = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self.settings.workers):
                group.create_task(work(self.queue, self._turn, self._failed))
            group.create_task(self._resync())
            group.create_task(self._tidy())
            group.create_task(self.runtimes.keep())

    async def _turn(self, key: Key) -> None:
        """A key waits while nothing may be written: failing, it would be tried ever later."""
        await self.cluster.term.runs()
        left = self._ending.get(key[0], 0.0) - time.monotonic()
        if left > 0:
            self.queue.add_after(key, left)
            return
        self._ending.pop(key[0], None)
        await self.reconcile(key)

    async def reconcile(self, key: Key) -> None:
        """Bring one job forward. Raises what the queue answers with a later try: ApiError, RefusedError."""
        logs.begin(*key)
        with metrics.RECONCILE_SECONDS.time():
            try:
                await self._advance(key)
            except ValidationError as error:
                log.error("unreadable object", error=str(error)[:500])
                metrics.RECONCILES.labels("unreadable").inc()
            except ApiError as error:
                if error.status != 404 and not error.namespace_ends:
                    raise
                metrics.RECONCILES.labels("gone").inc()
                if error.namespace_ends:
                    self._ending[key[0]] = time.monotonic() + ENDING_SECONDS
                    self.queue.add_after(key, ENDING_SECONDS)

    async def _advance(self, key: Key) -> None:
        observed = await self.world.known(key)
        decision = self._decide(observed)
        if decision.unproven:
            observed = await self.world.live(key)
            decision = self._decide(observed)
        self._waiting.discard(key)
        if observed is None:
            metrics.CENSUS.note(key, None)
            return
        logs.add(uid=observed.uid, attempt=observed.attempt)
        if decision.waits_for_platform:
            self._waiting.add(key)
        try:
            stored = await act(self.cluster, observed, decision)
        except ApiError as error:
            if error.status != 409:
                raise
            # Somebody changed the job between judging and writing: judge again, on a live read.
            metrics.RECONCILES.labels("conflict").inc()
            self.watched.let_go(key)
            self.queue.add(key)
            return
        except RefusedError as error:
            self._waiting.add(key)
            await self._refused(key, error)
            raise
        self._done(key, observed, decision, stored)

    def _decide(self, observed: Observed | None) -> Decision:
        if observed is None:
            return Decision()
        return decide(observed, self.cluster.now(), self.settings.api_url)

    async def _refused(self, key: Key, error: RefusedError) -> None:
        """Tell on the job why it has no child. The queue brings it back, later each time."""
        metrics.RECONCILES.labels("refused").inc()
        observed = await self.world.live(key)
        if observed is None or observed.finished:
            return
        decision = refused(observed, error.body, error.words, self.cluster.now())
        self.watched.let_go(key)
        await write(self.cluster, observed, decision)
        await tell(self.cluster, observed, decision)

    def _done(self, key: Key, observed: Observed, decision: Decision, stored: Json | None) -> None:
        metrics.RECONCILES.labels("changed" if decision.status else "unchanged").inc()
        active = bool(observed.jobs or decision.creates) and not observed.finished
        if stored is not None:
            self.watched.written(stored, decision.status or {}, keep=active)
        elif not active:
            self.watched.let_go(key)
        if observed.finished:
            self.watched.release(observed.uid)
        metrics.record(observed, decision, self.cluster.now())
        _tell(decision)
        if decision.requeue_seconds is not None:
            self.queue.add_after(key, decision.requeue_seconds)

    async def _resync(self) -> None:
        """List metadata now and then: finds what events missed, of jobs and of their children."""
        while True:
            await asyncio.sleep(self.settings.resync_seconds)
            try:
                await self.resync()
            except ApiError as error:
                metrics.RESYNC_ERRORS.labels(error.status).inc()
                log.warning("resync failed", error=str(error))

    async def resync(self) -> int:
        """One resync; how many jobs are looked at again. Raises ApiError."""
        with metrics.RESYNC_SECONDS.time():
            await self.world.refresh()
            found: set[Key] = set()
            for kind in KINDS:
                listed = await self.cluster.versions(kind, self.settings.namespaces)
                self.last_event = time.monotonic()
                found |= self.watched.missed(kind, listed)
                if kind == names.JOB_PLURAL:
                    metrics.CENSUS.keep(key for _, _, key in listed)
        for key in found | self._waiting:
            self.queue.add(key)
        return len(found)

    async def _tidy(self) -> None:
        """Delete ended children now and then; what fails is tried again the next time."""
        while True:
            await asyncio.sleep(self.settings.tidy_seconds)
            try:
                await self.tidy()
            except (ApiError, ValidationError) as error:
                log.warning("tidying failed", error=str(error)[:500])

    async def tidy(self) -> list[str]:
        """Delete the child Jobs that nobody needs any more; their names. Raises ApiError, ValidationError."""
        now, complete = self.cluster.now(), self.settings.complete_child_seconds
        least = min(complete, self.settings.failed_child_seconds)
        deleted: list[str] = []
        for key in await self.cluster.aged(self.settings.namespaces, now - timedelta(seconds=least)):
            await self.cluster.term.runs()
            observed = await self.world.live(key)
            if observed is None:
                continue
            for name in spent(observed, now, complete, self.settings.failed_child_seconds):
                await self.cluster.delete_job(key[0], name)
                deleted.append(name)
            if observed.finished:
                self.watched.let_go(key)
        return deleted

    def _failed(self, _: Key, error: Exception, delay: float) -> None:
        metrics.RECONCILE_ERRORS.labels(getattr(error, "status", 0)).inc()
        log.warning(
            "reconcile failed",
            error=f"{type(error).__name__}: {error}",
            retry_in_seconds=round(delay, 1),
        )


def _tell(decision: Decision) -> None:
    if not (decision.status or decision.creates or decision.deletes):
        return
    log.info(
        "reconciled",
        step=(decision.status or {}).get("progress", {}).get("step"),
        created=[body["metadata"]["name"] for body in decision.creates],
        deleted=decision.deletes,
    )
