"""The one rule of the three gates: what a create or an update of a spec must satisfy.

The webhook denies with it, the API answers with it before it writes, the command line too; the operator
re-checks `judge` and `missing` before every launch. What is wrong with a pitch's points is said where this code runs;
behind the policy in CEL alone the worker finds it, and scores without metres.
"""

from typing import NamedTuple

from playerscore import anchors, coherence, edits, further, pitch, readiness, refusals
from playerscore.anchors import Anchors
from playerscore.edits import Violation
from playerscore.errors import FlowError
from playerscore.names import Reason
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
        return refusals.error(self.violations, self.verdict.iou if self.verdict else None)


def judge_create(new: ScoringJobSpec) -> Judgement:
    """A create has an empty status: only readiness can be judged."""
    absent = [] if new.suspend else readiness.missing(new)
    verdict = coherence.judge(new.player_ref, new.target, None)
    return _collect(pitch.judge(new), anchors.judge(new), absent, verdict)


def judge_update(old: ScoringJobSpec, new: ScoringJobSpec, status: ScoringJobStatus | None) -> Judgement:
    """An update of a stored job: the edit table, readiness when enqueued, coherence when asked for."""
    resumed = old.suspend and not new.suspend
    changed = old.player_ref != new.player_ref or old.target != new.target
    verdict, anchored = None, Anchors([])
    if changed or resumed:
        preview = status.preview if status else None
        verdict = coherence.judge(new.player_ref, new.target, preview, stale_force=_stale_force(old, new))
    if changed or resumed or (old.anchors, old.analysis) != (new.anchors, new.analysis):
        anchored = anchors.judge(new, status)
    absent = readiness.missing(new) if resumed else []
    found = edits.check(old, new, status) + further.judge(old, new, status)
    if new.pitch != old.pitch:
        found += pitch.judge(new, status)
    return _collect(found, anchored, absent, verdict)


def _stale_force(old: ScoringJobSpec, new: ScoringJobSpec) -> bool:
    """Whether `force` was given for another player.

    Whoever writes a box writes its force with it. A new player beside a box that stays is another matter:
    picking again drops force, and since admission never writes spec, it does not count what was not dropped.
    """
    before, after = old.target, new.target
    if before is None or after is None or not (before.force and after.force):
        return False
    stays = (before.frame_key, before.bbox) == (after.frame_key, after.bbox)
    return stays and _track(old) != _track(new)


def _track(spec: ScoringJobSpec) -> int | None:
    return spec.player_ref.track_id if spec.player_ref else None


def _collect(
    found: list[Violation], anchored: Anchors, absent: list[str], verdict: coherence.Coherence | None
) -> Judgement:
    violations = [*found, *anchored.violations]
    violations += [Violation(Reason.NOT_READY, f"spec.{name}", readiness.message(absent)) for name in absent]
    if verdict is not None and not verdict.accepted:
        field = "spec.target.frame_key" if verdict.reason is Reason.FRAME_NOT_FOUND else "spec.target.bbox"
        violations.append(Violation(verdict.reason, field, verdict.message))
    warnings = [f"{verdict.reason.value}: {verdict.message}"] if verdict and verdict.warns else []
    return Judgement(violations, warnings + anchored.warnings, verdict, tuple(absent))
