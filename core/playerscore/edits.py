"""Who may change what, when: the edit table, by what was launched and what has ended."""

from enum import StrEnum
from typing import NamedTuple

from playerscore.names import FINISHED, Reason
from playerscore.resources import ScoringJobSpec, ScoringJobStatus

NEVER = {Reason.VIDEO_IMMUTABLE: "video", Reason.MANAGED_BY_IMMUTABLE: "managed_by"}
"""Rules of the gates and not of the CRD, whose 422 makes `kubectl apply --force` delete and recreate the job."""
FROZEN = ("player_ref", "target", "anchors", "refines", "analysis", "runtime_name", "pitch")


class State(StrEnum):
    """The rows of the edit table."""

    NEVER_LAUNCHED = "never launched"
    RUNNING = "launched, running"
    PAUSED = "launched, paused"
    FINISHED = "finished"


class Violation(NamedTuple):
    """One reason to refuse a write, with the field it is about."""

    reason: str
    """A code of the catalogue."""
    field: str
    message: str


def state(spec: ScoringJobSpec, status: ScoringJobStatus | None) -> State:
    """The row that a stored job is in."""
    if status is not None and status.progress is not None and status.progress.step in FINISHED:
        return State.FINISHED
    if status is None or status.run is None or not status.run.attempt:
        return State.NEVER_LAUNCHED
    return State.PAUSED if spec.suspend else State.RUNNING


def check(old: ScoringJobSpec, new: ScoringJobSpec, status: ScoringJobStatus | None) -> list[Violation]:
    """Every forbidden change between two specs."""
    found = []
    for reason, name in NEVER.items():
        if getattr(old, name) != getattr(new, name):
            field = _field(name)
            found.append(Violation(reason, field, f"{field} never changes; create a new job instead"))
    row = state(old, status)
    if row is State.RUNNING:
        found += _frozen(old, new, Reason.JOB_RUNNING, "an attempt runs: pause the job first")
    if row is State.FINISHED:
        found += _frozen(old, new, Reason.JOB_FINISHED, "the job has ended: create a new job instead")
        if old.suspend != new.suspend:
            found.append(
                Violation(
                    Reason.JOB_FINISHED,
                    "spec.suspend",
                    "spec.suspend cannot change, the job has ended: create a new job instead",
                )
            )
    return found


def _frozen(old: ScoringJobSpec, new: ScoringJobSpec, reason: Reason, why: str) -> list[Violation]:
    changed = [name for name in FROZEN if getattr(old, name) != getattr(new, name)]
    return [Violation(reason, _field(name), f"{_field(name)} cannot change, {why}") for name in changed]


def _field(name: str) -> str:
    return f"spec.{ScoringJobSpec.model_fields[name].alias or name}"
