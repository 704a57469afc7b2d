"""From a branch's outcome to one status write, and none when the stored status says it already. Pure."""

from datetime import datetime

from playerscore import steps
from playerscore.names import ConditionType, Step
from playerscore.resources import Run, ScoringJobStatus
from playerscore_operator import children, conditions
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import Decision, Json, Outcome, stamp

OURS = {"observed_generation", "progress", "conditions", "run"}
"""What the operator writes of every status; the worker's large fields are not even looked at."""


def compare(observed: Observed, outcome: Outcome, now: datetime) -> Decision:
    """The write that the outcome needs, if the stored status differs from it, and what goes with it."""
    stored = observed.status.model_dump(mode="json", exclude_none=True, include=OURS)
    wanted = _wanted(observed, outcome, now)
    patch = _difference(stored, wanted) | _worker_fields(observed, outcome)
    decision = Decision(
        status=patch or None,
        creates=outcome.creates,
        deletes=outcome.deletes,
        requeue_seconds=outcome.requeue_seconds,
        waits_for_platform=conditions.waits_for_platform(outcome.claims),
    )
    if patch:
        # A default does not come back once something was written, so it is always sent.
        patch["observedGeneration"] = observed.generation
        decision.events = _events(observed, outcome, wanted["conditions"])
    if outcome.ended is Step.FAILED:
        decision.deletes = children.live_analyses(observed) + children.live_previews(observed)
    if outcome.ended and observed.spec.ttl_seconds_after_finished is not None:
        # The event of our own write says nothing new, so nobody else would look at the job again.
        decision.requeue_seconds = float(observed.spec.ttl_seconds_after_finished)
    weighty = decision.creates or decision.deletes or outcome.ended
    overlooked = bool(patch) and children.seems_missing(observed)
    decision.unproven = not outcome.first and bool(weighty or overlooked)
    return decision


def _wanted(observed: Observed, outcome: Outcome, now: datetime) -> Json:
    """The operator's own fields of the status as they should be; None clears."""
    run = dict(outcome.run)
    if outcome.ended:
        run["completionTime"] = stamp(now)
    merged = conditions.merged(observed, outcome.claims, now)
    step = outcome.ended or _step(observed, outcome, merged)
    progress: Json = {"step": step.value}
    if outcome.cleared:
        progress |= {"percent": None, "message": None}
    if outcome.ended is Step.COMPLETED:
        progress |= {"percent": 100, "message": None}
    return {
        "observedGeneration": observed.generation,
        "progress": progress,
        "conditions": merged,
        "run": run,
    }


def _worker_fields(observed: Observed, outcome: Outcome) -> Json:
    """The fields that a worker writes: cleared at a start, and filled in where its own write was lost."""
    status = observed.status
    if outcome.result is not None and status.result != outcome.result:
        return {"result": outcome.result.model_dump(mode="json", exclude_none=True)}
    if not outcome.cleared:
        return {}
    return {name: None for name in ("result", "artifacts") if getattr(status, name) is not None}


def _step(observed: Observed, outcome: Outcome, merged: list[Json]) -> Step:
    """The flow's step, of the status as it will be."""
    run = (observed.status.run or Run()).model_dump(mode="json", exclude_none=True) | outcome.run
    known = {"conditions": merged, "run": {key: value for key, value in run.items() if value is not None}}
    status = ScoringJobStatus.model_validate(known)
    return steps.step(observed.spec, status.model_copy(update={"preview": observed.status.preview}))


def _difference(stored: Json, wanted: Json) -> Json:
    """The merge patch that brings `wanted` about; keys that `wanted` does not name are left alone."""
    patch: Json = {}
    for key, value in wanted.items():
        before = stored.get(key)
        if isinstance(value, dict):
            inner = _difference(before if isinstance(before, dict) else {}, value)
            patch |= {key: inner} if inner else {}
        elif before != value:
            patch[key] = value
    return patch


def _events(observed: Observed, outcome: Outcome, merged: list[Json]) -> list[tuple[str, str, str]]:
    """Kubernetes Events, once, on transitions that a person waits for."""
    told = []
    for kind in (ConditionType.PREVIEW_READY, ConditionType.RUNNING, ConditionType.SUCCEEDED):
        claim, old = outcome.claims.get(kind), steps.condition(observed.status, kind)
        if claim and (old is None or old.status != claim[0]) and claim[0] == "True":
            told.append(("Normal", str(claim[1]), claim[2]))
    for item in merged:
        told += _trouble(observed, item)
    return told


def _trouble(observed: Observed, item: Json) -> list[tuple[str, str, str]]:
    """A warning when the job begins to stall or to be refused, and when the reason for it changes."""
    kind, reason = item["type"], item["reason"]
    stalls = kind == ConditionType.STALLED
    waits = kind == ConditionType.RECONCILING and reason in conditions.REFUSED
    old = steps.condition(observed.status, kind)
    if item["status"] != "True" or not (stalls or waits) or (old and old.reason == reason):
        return []
    return [("Warning", reason, item["message"])]
