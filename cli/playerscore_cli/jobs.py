"""A stored ScoringJob as the rules know it, and the one way to change it: read, judge, write what was judged."""

from collections.abc import Callable
from typing import Any, Final

from playerscore import lenient, steps
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.flow import Change
from playerscore.names import Step
from playerscore.resources import PreviewStatus, ScoringJob, ScoringJobStatus
from playerscore_cli.cluster import Cluster
from playerscore_cli.options import DryRun

Json = dict[str, Any]
Judge = Callable[[ScoringJob], Change]
"""One of `flow`'s functions with its arguments filled in."""

ATTEMPTS: Final = 3
"""A write that meets somebody else's change is judged again, this often."""


def parsed(body: Json) -> ScoringJob:
    """A stored object as the models know it; what a newer version added is left out."""
    spec = lenient.read_spec(body.get("spec") or {}).model
    if spec is None:
        raise PlayerscoreError("INVALID", "The job's spec cannot be read by this version", field="spec")
    status = lenient.read(ScoringJobStatus, body.get("status") or {}).model
    return ScoringJob(metadata=body["metadata"], spec=spec, status=status)


def step_of(body: Json) -> Step:
    """Where the job stands, computed, so that it never waits for the operator."""
    job = parsed(body)
    return steps.step(job.spec, job.status)


def preview_of(job: ScoringJob) -> PreviewStatus:
    """Raises FlowError PREVIEW_NOT_READY."""
    if job.status is None or job.status.preview is None:
        raise FlowError("PREVIEW_NOT_READY", "The preview is not there yet")
    return job.status.preview


def change(cluster: Cluster, name: str, judge: Judge, dry_run: DryRun = DryRun.NONE) -> tuple[Json, Change]:
    """Read, judge, write with the resourceVersion that was read; judge again when it changed meanwhile.

    Returns the job after it. Raises PlayerscoreError, of the rule or of the cluster.
    """
    for attempt in range(1, ATTEMPTS + 1):
        body = cluster.get(name)
        job = parsed(body)
        judged = judge(job)
        if not judged.patch:
            return body, judged
        if dry_run is DryRun.CLIENT:
            spec = judged.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
            return body | {"spec": spec}, judged
        try:
            patch = judged.body(job.metadata["resourceVersion"])
            return cluster.patch(name, patch, dry_run.query), judged
        except PlayerscoreError as error:
            if error.code != "CONFLICT" or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")
