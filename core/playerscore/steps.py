"""The step of the flow, computed from spec and status alone, so that an answer never waits for the operator."""

from playerscore import coherence, readiness
from playerscore.names import FINISHED, ConditionType, Reason, Step
from playerscore.resources import Condition, Run, ScoringJobSpec, ScoringJobStatus


def step(spec: ScoringJobSpec, status: ScoringJobStatus | None) -> Step:
    """Where the job stands. It never moves backwards but by a person's doing."""
    status = status or ScoringJobStatus()
    stored = status.progress.step if status.progress else None
    if stored in FINISHED:
        return stored
    if status.run is not None and status.run.attempt and not spec.suspend:
        return Step.ANALYZING if _has_run(status) else Step.QUEUED
    return _before_launch(spec, status)


def _before_launch(spec: ScoringJobSpec, status: ScoringJobStatus) -> Step:
    if status.preview is None and not (spec.preview and spec.preview.disabled):
        return Step.EXTRACTING_PREVIEW
    if spec.player_ref is None:
        return Step.WAITING_FOR_PLAYER
    coherent = coherence.judge(spec.player_ref, spec.target, status.preview).accepted
    if readiness.missing(spec) or not coherent:
        return Step.WAITING_FOR_TARGET_CONFIRMATION
    return Step.READY_TO_ENQUEUE if spec.suspend else Step.QUEUED


def condition(status: ScoringJobStatus | None, kind: ConditionType) -> Condition | None:
    """The condition of that type, if it was ever set."""
    conditions = (status.conditions if status else None) or []
    return next((item for item in conditions if item.type == kind), None)


def _has_run(status: ScoringJobStatus) -> bool:
    """Whether a pod runs, or ran before a retry or a replacement: those do not move the step back."""
    running, run = condition(status, ConditionType.RUNNING), status.run
    if running is not None and run is not None and _was_stopped(running.reason, run):
        return False
    ran = run is not None and any((run.start_time, run.first_start_time, run.failures, run.memory_failures))
    return ran or (running is not None and running.status == "True")


def _was_stopped(reason: str, run: Run) -> bool:
    """Whether a person's pause ended the attempt: what follows is another run. A failed one is cleared away too."""
    stopping = reason == Reason.STOPPING and run.failed_attempt != run.attempt
    return stopping or reason == Reason.SUSPENDED
