"""Reads the world around one job: live, or from what the watches said. The platform's part is remembered."""

import time
from dataclasses import replace

from pydantic import ValidationError

from playerscore.resources import ScoringJob, ScoringRuntime
from playerscore.sources import choose_runtime
from playerscore_operator import children, queues, waits
from playerscore_operator.cluster import Cluster
from playerscore_operator.observe import Json, Observed, assemble, lean, read_job
from playerscore_operator.watched import Key, Watched

PREPARED_SECONDS = 60.0
"""For so long a prepared namespace is taken for prepared; an unprepared one is asked again each time."""


class World:
    """Observes jobs."""

    def __init__(self, cluster: Cluster, watched: Watched) -> None:
        self.cluster = cluster
        self.watched = watched
        self._runtimes: dict[str, Json] | None = None
        self._prepared: dict[str, float] = {}

    async def known(self, key: Key) -> Observed | None:
        """From the watches where they brought the job, else its own live read; None when it is gone or going.

        Raises pydantic.ValidationError for an object that the models cannot read, ApiError.
        """
        if self.watched.doubted(key):
            return await self.live(key)
        job = await self._job(key, self.watched.body(key))
        if job is None:
            return None
        jobs, pods = self.watched.children(job.metadata["uid"])
        return await self._whole(job, jobs, pods)

    async def live(self, key: Key) -> Observed | None:
        """From the API server alone: the job first, so that what its children did later is at most unseen."""
        job = await self._job(key, None)
        if job is None:
            return None
        uid = job.metadata["uid"]
        jobs = await self.cluster.children(key[0], uid, "jobs")
        pods = await self.cluster.children(key[0], uid, "pods")
        return await self._whole(job, jobs, pods)

    async def _job(self, key: Key, body: Json | None) -> ScoringJob | None:
        if body is None:
            found = await self.cluster.scoringjob(*key)
            body = self.watched.read(lean(found)) if found else None
        if body is None or "deletionTimestamp" in body["metadata"]:
            return None
        return read_job(body)

    async def _whole(self, job: ScoringJob, jobs: list[Json], pods: list[Json]) -> Observed:
        runtime, trouble = _choose(await self._list_runtimes(), job.spec.runtime_name)
        prepared = await self._is_prepared(job.metadata["namespace"])
        observed = assemble(job, jobs, pods, runtime, prepared=prepared)
        if trouble:
            observed = replace(observed, runtime_trouble=trouble)
        current, _ = children.current(observed)
        if current is not None and queues.held(current):
            workload = await self.cluster.workload(observed.namespace, current["metadata"]["uid"])
            return replace(observed, workload=workload)
        if uid := waits.asks(observed, self.cluster.now()):
            return replace(observed, events=await self.cluster.events(observed.namespace, uid))
        return observed

    async def _list_runtimes(self) -> list[Json]:
        if self._runtimes is None:
            await self.refresh()
        return list((self._runtimes or {}).values())

    async def refresh(self) -> None:
        """List the runtimes; there are few."""
        self._runtimes = {item["metadata"]["name"]: item for item in await self.cluster.runtimes()}

    def runtime_event(self, body: Json, *, deleted: bool) -> None:
        """A runtime changed."""
        if self._runtimes is None:
            return
        self._runtimes.pop(body["metadata"]["name"], None)
        if not deleted:
            self._runtimes[body["metadata"]["name"]] = body

    async def _is_prepared(self, namespace: str) -> bool:
        now = time.monotonic()
        if self._prepared.get(namespace, 0.0) > now:
            return True
        prepared = await self.cluster.prepared(namespace)
        if prepared:
            self._prepared[namespace] = now + PREPARED_SECONDS
        return prepared


def _choose(runtimes: list[Json], name: str | None) -> tuple[ScoringRuntime | None, str | None]:
    """The runtime, or why it cannot be read: a newer release may know values that this one does not."""
    try:
        return choose_runtime(runtimes, name), None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        return None, f"The ScoringRuntime cannot be read by this operator: {path}: {first['msg']}"
