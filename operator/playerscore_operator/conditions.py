"""The conditions of a job, from what one look at it claims. Pure; docs/conditions.md is its description.

kstatus reads two of them. `Reconciling` is True until the latest spec has been acted on: that waits for a
runtime, for room, for an older attempt to be gone; never for a person, a queue or a long run. `Stalled` is True
when the job has failed, or when its own spec forbids what it asks for.
"""

from datetime import datetime

from playerscore import steps
from playerscore.names import ConditionType, Reason
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import Claim, Claims, Json, stamp

PLATFORM = frozenset({Reason.RUNTIME_NOT_FOUND, Reason.RUNTIME_FORBIDDEN, Reason.NAMESPACE_NOT_PREPARED})
"""What the platform team must provide."""
CONTRADICTION = frozenset(
    {
        *(Reason.NOT_READY, Reason.TARGET_MISMATCH, Reason.FRAME_NOT_FOUND, Reason.TRACK_NOT_FOUND),
        *(Reason.ANCHOR_CONFLICT, Reason.ANCHOR_OUTSIDE, Reason.ANCHOR_MISMATCH),
    }
)
"""An enqueued job whose own spec forbids its start."""
REFUSED = frozenset({Reason.CREATE_REFUSED, Reason.QUOTA_EXCEEDED})
"""The API server did not let a child Job in; tried again and again."""
UNDONE = PLATFORM | REFUSED | {Reason.STOPPING, Reason.JOB_DELETED}
"""The spec has not been acted on yet; the operator goes on by itself as soon as it can."""
MESSAGE_LIMIT = 4096
SETTLED: Claim = ("False", Reason.SETTLED, "The latest spec has been acted on")
UNBLOCKED: Claim = ("False", Reason.SETTLED, "Nothing blocks the job")


def merged(observed: Observed, claims: Claims, now: datetime) -> list[Json]:
    """All conditions, in the order of their types; a time changes only with a status."""
    whole: Claims = {
        kind: ("Unknown", Reason.WORKING, "Not known yet")
        for kind in ConditionType
        if kind not in (ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.PITCH_CALIBRATED)
    }
    for item in observed.status.conditions or []:
        if item.type in whole or item.type == ConditionType.PITCH_CALIBRATED:
            whole[ConditionType(item.type)] = (item.status, item.reason, item.message)
    whole |= claims
    blocking = _blocking(whole)
    acting = blocking is not None and blocking[1] in UNDONE
    whole[ConditionType.RECONCILING] = _true(blocking) if blocking and acting else SETTLED
    whole[ConditionType.STALLED] = _true(blocking) if blocking and not acting else UNBLOCKED
    return [_condition(observed, kind, whole[kind], now) for kind in ConditionType if kind in whole]


def acknowledged(observed: Observed) -> list[Json]:
    """The stored conditions, said of the present spec."""
    stored = observed.status.conditions or []
    known = [item.model_dump(mode="json", by_alias=True, exclude_none=True) for item in stored]
    return [item | {"observedGeneration": observed.generation} for item in known]


def waits_for_platform(claims: Claims) -> bool:
    """Whether a runtime or an account is what the job lacks."""
    return any(claim[1] in PLATFORM for claim in claims.values())


def _blocking(claims: Claims) -> Claim | None:
    """What keeps the job from going on, if anything does."""
    if claims[ConditionType.SUCCEEDED][0] == "False":
        return claims[ConditionType.SUCCEEDED]
    if claims[ConditionType.SUCCEEDED][0] == "True":
        return None
    for kind in (ConditionType.PREVIEW_READY, ConditionType.ADMITTED, ConditionType.RUNNING):
        claim = claims[kind]
        known = UNDONE | CONTRADICTION if kind is ConditionType.ADMITTED else UNDONE
        if claim[0] == "False" and claim[1] in known:
            return claim
    return None


def _true(claim: Claim) -> Claim:
    return ("True", claim[1], claim[2])


def _condition(observed: Observed, kind: ConditionType, claim: Claim, now: datetime) -> Json:
    status, reason, message = claim
    old = steps.condition(observed.status, kind)
    since = old.last_transition_time if old and old.status == status else now
    return {
        "type": kind.value,
        "status": status,
        "reason": str(reason),
        "message": message[:MESSAGE_LIMIT],
        "lastTransitionTime": stamp(since),
        "observedGeneration": observed.generation,
    }
