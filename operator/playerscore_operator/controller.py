"""One reconciliation: observe, decide, act; and the loops that feed and drain the queue."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime

import structlog
from pydantic import ValidationError

from playerscore_operator import logs, metrics
from playerscore_operator.act import act
from playerscore_operator.cluster import ApiError, Cluster
from playerscore_operator.decide import Decision, decide
from playerscore_operator.observe import Observed, observe
from playerscore_operator.queue import KeyQueue, work
from playerscore_operator.settings import Settings

Key = tuple[str, str]
"""Namespace and name of a ScoringJob."""

log = structlog.get_logger("playerscore.operator")


class Controller:
    """Keeps nothing that a restart needs."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.cluster = cluster
        self.settings = settings
        self.queue: KeyQueue[Key] = KeyQueue()
        self.last_event = time.monotonic()
        """When an event or a listing last came; for the liveness of the watch."""
        self._seen: dict[Key, str] = {}
        metrics.QUEUE_DEPTH.set_function(lambda: len(self.queue))
        metrics.QUEUE_AGE.set_function(self.queue.oldest_seconds)
        metrics.EVENT_AGE.set_function(lambda: time.monotonic() - self.last_event)

    def heard_of(self, namespace: str, name: str) -> None:
        """An event came; the key is enough."""
        self.last_event = time.monotonic()
        self.queue.add((namespace, name))

    async def run(self) -> None:
        """Work until cancelled."""
        # Silence is counted from here: a replica that stood by for hours has heard nothing before.
        self.last_event = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self.settings.workers):
                group.create_task(work(self.queue, self.reconcile, self._failed))
            group.create_task(self._resync())

    async def reconcile(self, key: Key) -> None:
        """Bring one job forward. Raises ApiError, which the queue answers with a later try."""
        namespace, name = key
        logs.begin(namespace, name)
        with metrics.RECONCILE_SECONDS.time():
            try:
                observed = await observe(self.cluster, namespace, name)
            except ValidationError as error:
                log.error("unreadable object", error=str(error)[:500])
                metrics.RECONCILES.labels("unreadable").inc()
                return
            if observed is None:
                metrics.CENSUS.note(key, None)
            else:
                logs.add(uid=observed.uid, attempt=observed.attempt)
                await self._advance(key, observed)

    async def _advance(self, key: Key, observed: Observed) -> None:
        now = datetime.now(UTC)
        decision = decide(observed, now, self.settings.api_url)
        try:
            await act(self.cluster, observed, decision)
        except ApiError as error:
            if error.status == 409 and decision.guarded:
                # Somebody changed the job between judging and starting: judge again.
                metrics.RECONCILES.labels("conflict").inc()
                self.queue.add(key)
                return
            if error.status == 404 or "being terminated" in error.message:
                metrics.RECONCILES.labels("gone").inc()
                return
            raise
        metrics.RECONCILES.labels("changed" if decision.status else "unchanged").inc()
        metrics.record(observed, decision, now)
        _tell(decision)
        if decision.requeue_seconds is not None:
            self.queue.add_after(key, decision.requeue_seconds)

    async def _resync(self) -> None:
        """List metadata now and then: finds what events missed, and stands in for them at the start."""
        while True:
            await asyncio.sleep(self.settings.resync_seconds)
            with contextlib.suppress(ApiError, OSError, TimeoutError):
                found = await self.cluster.keys(self.settings.namespaces)
                self.last_event = time.monotonic()
                self._changed(found)

    def _changed(self, found: list[tuple[str, str, str]]) -> None:
        newest = {(namespace, name): version for namespace, name, version in found}
        for key, version in newest.items():
            if self._seen.get(key) != version:
                self.queue.add(key)
        self._seen = newest
        metrics.CENSUS.keep(newest)

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
