"""The world around one ScoringJob, as a plain value for `decide`. Pure; `world` reads it."""

from dataclasses import dataclass, field
from typing import Any

from playerscore import lenient, names, steps
from playerscore.names import ConditionType
from playerscore.resources import (
    Run,
    ScoringJob,
    ScoringJobSpec,
    ScoringJobStatus,
    ScoringRuntime,
)
from playerscore.sources import STORE_SCHEME

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
    runtime_trouble: str | None = None
    """Why the runtime that there is cannot be read."""
    jobs: dict[str, Json] = field(default_factory=dict)
    """Child Jobs by name."""
    pods: list[Json] = field(default_factory=list)
    prepared: bool = True
    """Whether the namespace has the worker's account."""
    workload: Json | None = None
    """What the queue says of the current child Job, while it holds it back."""
    events: list[Json] = field(default_factory=list)
    """Of a child that does not start: what was told of it (`uid`, `reason`, `message`, `at`), the newest last."""

    @property
    def run(self) -> Run:
        return self.status.run or Run()

    @property
    def attempt(self) -> int:
        return self.run.attempt or 0

    @property
    def preview_attempt(self) -> int:
        return self.run.preview_attempt or 0

    @property
    def preview_runs(self) -> bool:
        """Whether the current run of the preview still has something to bring."""
        run = self.run
        first = self.status.preview is None
        more = not self.attempt and run.preview_asked is not None and run.preview_failed is None
        return bool(run.preview_attempt) and (first or more)

    @property
    def finished(self) -> bool:
        return self.status.progress is not None and self.status.progress.step in names.FINISHED

    @property
    def stored(self) -> bool:
        """Whether the video lies in this installation's own store, or a part of it."""
        return any(file.uri.startswith(f"{STORE_SCHEME}://") for file in self.spec.video.files)

    def condition_reason(self, kind: ConditionType) -> str | None:
        """The stored reason of a condition, if it was ever set."""
        found = steps.condition(self.status, kind)
        return found.reason if found else None

    def pods_of(self, job_name: str) -> list[Json]:
        """The pods of one child Job, oldest first."""
        mine = [pod for pod in self.pods if pod["metadata"]["labels"].get("job-name") == job_name]
        return sorted(mine, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))


def lean(body: Json) -> Json:
    """A ScoringJob without what no decision reads: field managers, and of the preview almost all boxes.

    A real preview is nine tenths of the object. Frames stay, so that they can be counted and found; of the
    confirmed frame the picked track stays, or one other that shows that the frame has tracks; and where further ones
    are asked for, the track with the highest id, from which theirs are counted.
    """
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    status = body.get("status") or {}
    if not (status.get("preview") or {}).get("frames"):
        return {**body, "metadata": metadata}
    spec = body["spec"]
    confirmed = (spec.get("target") or {}).get("frame_key")
    picked = (spec.get("player_ref") or {}).get("track_id")
    whole = status["preview"]["frames"]
    asking = bool((spec.get("preview") or {}).get("atSec"))
    ids = (track["track_id"] for frame in whole for track in frame["tracks"])
    last = max(ids, default=None) if asking else None
    frames = [
        {**frame, "tracks": _telling(frame["tracks"], picked, last, frame["frame_key"] == confirmed)}
        for frame in whole
    ]
    preview = {**status["preview"], "frames": frames}
    return {**body, "metadata": metadata, "status": {**status, "preview": preview}}


def _telling(tracks: list[Json], picked: int | None, last: int | None, confirmed: bool) -> list[Json]:
    kept = [track for track in tracks if confirmed and track["track_id"] == picked]
    kept = kept or (tracks[:1] if confirmed else [])
    return kept + [track for track in tracks if track["track_id"] == last and track not in kept]


def rests(body: Json) -> bool:
    """Whether nothing starts, stops or ends by a change of this ScoringJob: an ended one, a draft with its preview."""
    spec, status = body["spec"], body.get("status") or {}
    if (status.get("progress") or {}).get("step") in names.FINISHED:
        return True
    shown = "preview" in status or (spec.get("preview") or {}).get("disabled")
    launched = (status.get("run") or {}).get("attempt")
    return bool(spec.get("suspend", True) and shown and not launched and not _looks_elsewhere(spec, status))


def _looks_elsewhere(spec: Json, status: Json) -> bool:
    """Whether times are asked for that no further frames were added for."""
    answered = (status.get("preview") or {}).get("asked_sec") or []
    return any(time_sec not in answered for time_sec in (spec.get("preview") or {}).get("atSec") or [])


def read_job(body: Json) -> ScoringJob:
    """A ScoringJob from its lean form, without what a newer version has added.

    Raises pydantic.ValidationError for what the models cannot read.
    """
    return lenient.known(ScoringJob, body)


def assemble(
    job: ScoringJob, jobs: list[Json], pods: list[Json], runtime: ScoringRuntime | None, *, prepared: bool
) -> Observed:
    """One job with what belongs to it; what only carries its labels is left out."""
    uid, namespace = job.metadata["uid"], job.metadata["namespace"]
    return Observed(
        namespace=namespace,
        name=job.metadata["name"],
        uid=uid,
        generation=job.metadata["generation"],
        resource_version=job.metadata["resourceVersion"],
        spec=job.spec,
        status=job.status or ScoringJobStatus(),
        metadata=job.metadata,
        runtime=runtime,
        jobs={
            item["metadata"]["name"]: item
            for item in jobs
            if owner_uid(item) == uid and item["metadata"]["namespace"] == namespace
        },
        pods=[pod for pod in pods if is_worker(pod) and pod["metadata"]["namespace"] == namespace],
        prepared=prepared,
    )


def is_worker(pod: Json) -> bool:
    """Whether a pod runs as a worker, which the policy `worker-identity` lets nobody but the Job controller make.

    Neither label nor owner tell: whoever may create pods sets the one, and the Job controller adopts for the other.
    """
    return bool(pod["spec"].get("serviceAccountName") == names.WORKER_ACCOUNT)


def owner_uid(child: Json) -> str | None:
    """The uid of the ScoringJob that controls a child."""
    owners = child["metadata"].get("ownerReferences", [])
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)
