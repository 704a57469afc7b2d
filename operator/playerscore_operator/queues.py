"""What a queue (Kueue) says about a Job that it holds back. Pure.

Kueue holds a Job back by its `spec.suspend`, and says why on a Workload of its own. The operator reads that, and
writes nothing of either.
"""

from datetime import datetime, timedelta

from playerscore import steps
from playerscore.names import ConditionType, Reason
from playerscore_operator.observe import Json, Observed

FIRST_LOOK_SECONDS = 2.0
LONGEST_LOOK_SECONDS = 300.0
MESSAGE = 1000


def held(job: Json | None) -> bool:
    """Whether a child Job waits for a queue's admission."""
    return job is not None and bool(job.get("spec", {}).get("suspend"))


def words(queue: str | None, workload: Json | None) -> str:
    """Why the Job is held back, with the queue's name: for the owner of the ScoringJob to read."""
    if queue is None:
        text = "The Job is suspended, and not by the operator or a queue"
        return text if workload is None else f"{text} that it names. Kueue: {_reason(workload)}"[:MESSAGE]
    return f"Queue {queue}: {_reason(workload)}"[:MESSAGE]


def recheck_seconds(observed: Observed, now: datetime) -> float:
    """When to ask for the reason again: the admission itself comes as an event, a new reason does not."""
    if not observed.attempt:
        preview = steps.condition(observed.status, ConditionType.PREVIEW_READY)
        return _later(now - preview.last_transition_time if preview else timedelta())
    held, launched = steps.condition(observed.status, ConditionType.ADMITTED), observed.run.launch_time
    if held is None or held.reason != Reason.QUEUED or launched is None:
        return FIRST_LOOK_SECONDS
    # A draft was not admitted either: its time does not count.
    return _later(now - max(held.last_transition_time, launched))


def _later(waited: timedelta) -> float:
    return min(LONGEST_LOOK_SECONDS, max(FIRST_LOOK_SECONDS, waited.total_seconds()))


def _reason(workload: Json | None) -> str:
    if workload is None:
        return "the Job is not admitted yet"
    status = workload.get("status", {})
    found = {item["type"]: item for item in status.get("conditions") or []}
    if workload.get("spec", {}).get("active") is False:
        return f"deactivated. {_message(found.get('Evicted'))}".strip()
    evicted = found.get("Evicted", {})
    before = f" Evicted before ({evicted['reason']})." if evicted.get("status") == "True" else ""
    reserved = found.get("QuotaReserved", {})
    if reserved.get("status") == "True":
        checks = [item["name"] for item in status.get("admissionChecks") or [] if item["state"] != "Ready"]
        text = f"quota is reserved; waits for {', '.join(checks) or 'admission'}"
    else:
        text = _message(reserved) or "the Job is not admitted yet"
    return f"{text}.{before}"


def _message(condition: Json | None) -> str:
    return str((condition or {}).get("message") or "").rstrip(".")
