"""The world around one ScoringJob, as a plain value for `decide`."""

from dataclasses import dataclass, field
from typing import Any

from playerscore import names
from playerscore.resources import (
    ScoringJob,
    ScoringJobSpec,
    ScoringJobStatus,
    ScoringRuntime,
)
from playerscore_operator.cluster import Cluster, owner_uid

Json = dict[str, Any]


@dataclass(frozen=True)
class Observed:
    """Everything that a decision may depend on, besides the time."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    spec: ScoringJobSpec
    status: ScoringJobStatus
    metadata: Json = field(default_factory=dict)
    runtime: ScoringRuntime | None = None
    jobs: dict[str, Json] = field(default_factory=dict)
    """Child Jobs by name."""
    pods: list[Json] = field(default_factory=list)
    prepared: bool = True
    """Whether the namespace has the worker's account."""

    @property
    def attempt(self) -> int:
        return (self.status.run and self.status.run.attempt) or 0

    @property
    def preview_attempt(self) -> int:
        return (self.status.run and self.status.run.preview_attempt) or 0

    def pods_of(self, job_name: str) -> list[Json]:
        """The pods of one child Job, oldest first."""
        mine = [pod for pod in self.pods if pod["metadata"]["labels"].get("job-name") == job_name]
        return sorted(mine, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))


async def observe(cluster: Cluster, namespace: str, name: str) -> Observed | None:
    """Read one ScoringJob and what belongs to it, live; None when it is gone or going.

    Raises pydantic.ValidationError for an object that the models cannot read, ApiError.
    """
    body = await cluster.scoringjob(namespace, name)
    if body is None or "deletionTimestamp" in body["metadata"]:
        return None
    job = ScoringJob.model_validate(body)
    uid = job.metadata["uid"]
    jobs = [item for item in await cluster.children(namespace, uid, "jobs") if owner_uid(item) == uid]
    return Observed(
        namespace=namespace,
        name=name,
        uid=uid,
        generation=job.metadata["generation"],
        resource_version=job.metadata["resourceVersion"],
        spec=job.spec,
        status=job.status or ScoringJobStatus(),
        metadata=job.metadata,
        runtime=choose_runtime(await cluster.runtimes(), job.spec.runtime_name),
        jobs={item["metadata"]["name"]: item for item in jobs},
        pods=await cluster.children(namespace, uid, "pods") if jobs else [],
        prepared=await cluster.prepared(namespace),
    )


def choose_runtime(runtimes: list[Json], name: str | None) -> ScoringRuntime | None:
    """The named runtime, or the one marked as default; None when there is none."""
    for item in runtimes:
        annotations = item["metadata"].get("annotations") or {}
        default = annotations.get(names.DEFAULT_RUNTIME_ANNOTATION) == "true"
        if item["metadata"]["name"] == name or (name is None and default):
            return ScoringRuntime.model_validate(item)
    return None
