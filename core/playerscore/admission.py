"""The one rule of the three gates: what a create or an update of a spec must satisfy.

The webhook denies with it, the API answers with it before it writes, the command line too; the operator
re-checks `judge` and `missing` before every launch.
"""

from typing import NamedTuple

from playerscore import coherence, edits, readiness
from playerscore.edits import Violation
from playerscore.errors import FlowError, NotReadyError, TargetMismatchError
from playerscore.names import IOU_THRESHOLD, NOT_READY_MESSAGE, Reason
from playerscore.resources import ScoringJobSpec, ScoringJobStatus


class Judgement(NamedTuple):
    """All violations in one answer, and warnings for what is accepted but should be looked at."""

    violations: list[Violation]
    warnings: list[str]
    verdict: coherence.Coherence | None = None
    """The verdict on player and target, where it was asked for."""
    missing: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return not self.violations

    def error(self) -> FlowError:
        """The first violation as the API's error. Only for a judgement that is not allowed."""
        first = self.violations[0]
        if first.reason is Reason.NOT_READY:
            return NotReadyError(list(self.missing), NOT_READY_MESSAGE)
        if first.reason is Reason.TARGET_MISMATCH:
            overlap = self.verdict.iou if self.verdict else None
            return TargetMismatchError(first.message, overlap or 0.0, IOU_THRESHOLD)
        return FlowError(first.reason.value, first.message, field=first.field)


def judge_create(new: ScoringJobSpec) -> Judgement:
    """A create has an empty status: only readiness can be judged."""
    if new.suspend:
        return _collect([], coherence.judge(new.player_ref, new.target, None), [])
    return _collect([], coherence.judge(new.player_ref, new.target, None), readiness.missing(new))


def judge_update(old: ScoringJobSpec, new: ScoringJobSpec, status: ScoringJobStatus | None) -> Judgement:
    """An update of a stored job: the edit table, coherence when asked for, readiness when enqueued."""
    resumed = old.suspend and not new.suspend
    changed = old.player_ref != new.player_ref or old.target != new.target
    verdict = None
    if changed or resumed:
        verdict = coherence.judge(new.player_ref, new.target, status.preview if status else None)
    absent = readiness.missing(new) if resumed else []
    return _collect(edits.check(old, new, status), verdict, absent)


def _collect(found: list[Violation], verdict: coherence.Coherence | None, absent: list[str]) -> Judgement:
    violations = list(found)
    if verdict is not None and not verdict.accepted:
        field = "spec.target.frame_key" if verdict.reason is Reason.FRAME_NOT_FOUND else "spec.target.bbox"
        violations.append(Violation(verdict.reason, field, verdict.message))
    violations += [
        Violation(Reason.NOT_READY, f"spec.{name}", f"{NOT_READY_MESSAGE}: {name}") for name in absent
    ]
    warnings = [f"{verdict.reason.value}: {verdict.message}"] if verdict and verdict.warns else []
    return Judgement(violations, warnings, verdict, tuple(absent))
