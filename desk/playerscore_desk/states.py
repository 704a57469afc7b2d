"""What a job needs next, and what is said of it: pure functions of its spec and status, in the operator's words."""

from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from playerscore import coherence, further, readiness, steps
from playerscore.names import FINISHED, ConditionType, Reason, Step
from playerscore.resources import (
    Artifact,
    Condition,
    Frame,
    PreviewStatus,
    Progress,
    Result,
    Run,
    ScoringJobSpec,
    ScoringJobStatus,
)
from playerscore.tasks import AnalysisTask, Failure, FurtherTask, PreviewTask
from playerscore_desk.objects import Document, status_of

Task = PreviewTask | FurtherTask | AnalysisTask
Claim = tuple[ConditionType, Literal["True", "False"], str, str]
"""A condition: its type, status, reason and message."""


class Due(NamedTuple):
    """What is to be done for a job, as it was when that was found."""

    name: str
    uid: str
    generation: int
    spec: ScoringJobSpec
    status: ScoringJobStatus
    kind: type[Task]


def due_of(job: Document) -> Due | None:
    """What is to be done for a job now; None when a person is to act, or all is done."""
    spec, status = ScoringJobSpec.model_validate(job["spec"]), status_of(job)
    metadata = job["metadata"]

    def due(kind: type[Task]) -> Due:
        return Due(metadata["name"], metadata["uid"], metadata["generation"], spec, status, kind)

    if steps.step(spec, status) in FINISHED:
        return None
    disabled = spec.preview is not None and spec.preview.disabled
    if status.preview is None and not disabled:
        return due(PreviewTask)
    wanted = further.unanswered(spec, status.preview) if status.preview else []
    if wanted and not attempts(status) and further.failure(spec, status) is None:
        return due(FurtherTask)
    verdict = coherence.judge(spec.player_ref, spec.target, status.preview)
    ready = not readiness.missing(spec) and verdict.accepted
    return due(AnalysisTask) if ready and not spec.suspend else None


def attempts(status: ScoringJobStatus) -> int:
    """How many attempts were launched."""
    return (status.run.attempt if status.run else None) or 0


def said(status: ScoringJobStatus, *claims: Claim, **fields: Any) -> ScoringJobStatus:
    """The status with those conditions and fields."""
    kept = {one.type: one for one in status.conditions or []}
    for kind, value, reason, message in claims:
        old = kept.get(kind)
        since = old.last_transition_time if old and old.status == value else datetime.now(UTC)
        kept[kind] = Condition(
            type=kind, status=value, reason=reason, message=message, last_transition_time=since
        )
    return status.model_copy(update={"conditions": list(kept.values()), **fields})


def settled(spec: ScoringJobSpec, status: ScoringJobStatus) -> ScoringJobStatus:
    """What follows from the spec alone: whether player and target agree, and that a pause holds."""
    step = steps.step(spec, status)
    if step in FINISHED:
        return status
    claims: list[Claim] = []
    if spec.player_ref is not None:
        verdict = coherence.judge(spec.player_ref, spec.target, status.preview)
        value: Literal["True", "False"] = "True" if verdict.accepted else "False"
        claims.append((ConditionType.TARGET_COHERENT, value, verdict.reason.value, verdict.message))
    if spec.suspend:
        words = "The job is not enqueued" if not attempts(status) else "The job is paused"
        claims.append((ConditionType.ADMITTED, "False", Reason.SUSPENDED, words))
        if attempts(status):
            claims.append((ConditionType.RUNNING, "False", Reason.SUSPENDED, words))
    elif step is Step.QUEUED:
        claims.append((ConditionType.ADMITTED, "False", Reason.QUEUED, "Waits for the work before it"))
    kept = status.progress if step in (Step.ANALYZING, Step.EXTRACTING_PREVIEW) else None
    return said(status, *claims, progress=(kept or Progress()).model_copy(update={"step": step}))


def begun(due: Due, status: ScoringJobStatus) -> ScoringJobStatus:
    """Its task runs."""
    now = datetime.now(UTC)
    if due.kind is PreviewTask:
        return said(
            status, (ConditionType.PREVIEW_READY, "False", Reason.PREVIEW_RUNNING, "The preview is made")
        )
    if due.kind is FurtherTask and status.preview:
        text = f"{_frames(status.preview)}. More are made"
        asked = further.unanswered(due.spec, status.preview)
        run = (status.run or Run()).model_copy(update={"preview_asked": asked, "preview_failed": None})
        return said(status, (ConditionType.PREVIEW_READY, "True", Reason.PREVIEW_EXTENDING, text), run=run)
    run = (status.run or Run()).model_copy(
        update={"attempt": attempts(status) + 1, "generation": due.generation, "start_time": now}
    )
    return said(
        status,
        (ConditionType.ADMITTED, "True", Reason.LAUNCHED, "Runs on this machine"),
        (ConditionType.RUNNING, "True", Reason.POD_RUNNING, "The analysis runs"),
        run=run,
        progress=Progress(step=Step.ANALYZING, percent=0),
    )


def previewed(due: Due, status: ScoringJobStatus, preview: PreviewStatus) -> ScoringJobStatus:
    """Its preview is there."""
    ready: Claim = (ConditionType.PREVIEW_READY, "True", Reason.PREVIEW_READY, _frames(preview))
    return settled(due.spec, said(status, ready, preview=preview, progress=None))


def extended(status: ScoringJobStatus, frames: list[Frame]) -> ScoringJobStatus:
    """Further frames are there."""
    if status.preview is None:
        return status
    asked = [*(status.preview.asked_sec or []), *((status.run and status.run.preview_asked) or [])]
    preview = status.preview.model_copy(
        update={"frames": [*status.preview.frames, *frames], "asked_sec": list(dict.fromkeys(asked))}
    )
    run = status.run.model_copy(update={"preview_asked": None}) if status.run else None
    ready: Claim = (ConditionType.PREVIEW_READY, "True", Reason.PREVIEW_READY, _frames(preview))
    return said(status, ready, preview=preview, run=run)


def completed(status: ScoringJobStatus, result: Result, artifacts: list[Artifact]) -> ScoringJobStatus:
    """It has its score."""
    return said(
        status,
        (ConditionType.RUNNING, "False", Reason.COMPLETED, ""),
        (ConditionType.SUCCEEDED, "True", Reason.COMPLETED, "The result is there"),
        result=result,
        artifacts=artifacts,
        progress=Progress(step=Step.COMPLETED, percent=100),
    )


def failed(due: Due, status: ScoringJobStatus, failure: Failure) -> ScoringJobStatus:
    """What went wrong: with further frames the job goes on without them, else it has ended."""
    if due.kind is FurtherTask and status.preview:
        text = f"{_frames(status.preview)}. {failure.message}"
        run = (status.run or Run()).model_copy(update={"preview_failed": 1})
        return said(status, (ConditionType.PREVIEW_READY, "True", failure.code, text), run=run)
    claims: list[Claim] = [
        (ConditionType.SUCCEEDED, "False", failure.code, failure.message),
        (ConditionType.STALLED, "True", failure.code, failure.message),
    ]
    if due.kind is PreviewTask:
        claims.append((ConditionType.PREVIEW_READY, "False", failure.code, failure.message))
    return said(status, *claims, progress=Progress(step=Step.FAILED))


def _frames(preview: PreviewStatus) -> str:
    return f"{len(preview.frames)} frames to pick from"
