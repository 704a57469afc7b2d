"""How long a child may wait, and when a failed one is followed by another: from timestamps in the cluster. Pure.

Nothing here lives in memory, so a restart of the operator loses no timer.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from playerscore.names import ConditionType, Reason, Step
from playerscore.resources import ScoringRuntimeSpec
from playerscore_operator import children, queues, troubles
from playerscore_operator.children import BLAMES, Blame, Cause, Ending, JobState
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import Json, Outcome, stamp
from playerscore_operator.troubles import Place, Row, Verdict

QUIET_SECONDS = 10.0
"""A pod that starts within this time is not worth a status write of its own."""
LONGEST_LOOK_SECONDS = 300.0
"""So often at least, what a child waits for is asked again: its events bring nobody here."""
FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0


MOST_DISRUPTIONS = 20
"""So often may the cluster take a job's pod away or refuse it: no try is counted for it, and it must end all the
same. A pod that uses up its node is evicted again and again."""


class Wait(NamedTuple):
    """What there is to say about a child whose pod does not run yet."""

    words: str | None
    """The cluster's own words; None while there is nothing to tell."""
    over: Ending | None = None
    """The end, when it has waited too long or waits in vain."""
    next_seconds: float | None = None
    """When to look again, besides on events."""
    reason: Reason = Reason.POD_PENDING
    run: Json | None = None
    """What is to be remembered of it in `status.run`."""


def look(observed: Observed, runtime: ScoringRuntimeSpec, job: Json, pods: list[Json], now: datetime) -> Wait:
    """The wait of a child that is active and has no running pod."""
    began = children.began_waiting(job, pods)
    if began is None and observed.spec.queue_name is not None:
        said = queues.words(observed.spec.queue_name, observed.workload)
        return Wait(said, next_seconds=queues.recheck_seconds(observed, now), reason=Reason.QUEUED)
    cause = _suspended(observed) if began is None else children.waiting_for(job, pods, observed.events)
    seen = _seen_since(observed, cause.row, now)
    reason = cause.row.code if cause.row and cause.row.place is Place.JOB else Reason.POD_PENDING
    if over := _over(cause, (now - seen).total_seconds()):
        return Wait(cause.words, over, reason=reason)
    began = began or seen
    age = (now - began).total_seconds()
    left = _left(observed, runtime, pods, cause.row, age)
    if left is not None and left <= 0:
        return Wait(cause.words, Ending(Blame.DEADLINE, Reason.START_DEADLINE, cause.words), reason=reason)
    quiet = QUIET_SECONDS - age if not cause.telling else 0.0
    grace = cause.row.grace_sec - (now - seen).total_seconds() if cause.row else 0.0
    looks = [seconds for seconds in (left, quiet, grace, _next_look(observed, job, pods, age)) if seconds]
    return Wait(
        None if quiet > 0 else cause.words,
        next_seconds=max(1.0, min((seconds for seconds in looks if seconds > 0), default=0.0))
        if looks
        else None,
        reason=reason,
        run=_noted(observed, cause.row, seen),
    )


def asks(observed: Observed, now: datetime) -> str | None:
    """The uid of the child whose events may tell why it does not start; None when nothing is asked."""
    job, pods = children.current(observed)
    if job is None or observed.finished or children.job_state(job) is not JobState.ACTIVE:
        return None
    began = children.began_waiting(job, pods)
    if began is None or (now - began).total_seconds() < QUIET_SECONDS:
        return None
    return _asked(job, pods)


def _asked(job: Json, pods: list[Json]) -> str | None:
    whom = pods[-1] if pods and children.may_work(pods[-1]) else job
    if whom is not job and not children.is_silent(whom):
        return None
    uid: str | None = whom["metadata"].get("uid")
    return uid


def _next_look(observed: Observed, job: Json, pods: list[Json], age: float) -> float | None:
    """Later and later while only events could tell something new, else None."""
    if not queues.held(job) and _asked(job, pods) is None:
        return None
    return min(LONGEST_LOOK_SECONDS, max(QUIET_SECONDS, age / 2))


def _suspended(observed: Observed) -> Cause:
    said = queues.words(None, observed.workload)
    return Cause(said, row=troubles.find(Place.JOB, "Suspended", said))


def _seen_since(observed: Observed, row: Row | None, now: datetime) -> datetime:
    """Since when this trouble is known, without a break."""
    since = observed.run.trouble_time
    known = row is not None and since is not None and (row.bare or row.slug == observed.run.trouble)
    return since if known and since is not None else now


def _noted(observed: Observed, row: Row | None, seen: datetime) -> Json:
    """What is remembered: only of a trouble whose age matters."""
    if row is not None and row.bare:
        return {}
    matters = row is not None and (row.grace_sec > 0 or row.code is Reason.SUSPENDED_ELSEWHERE)
    if row is None or not matters:
        return {"trouble": None, "troubleTime": None}
    return {"trouble": row.slug, "troubleTime": stamp(seen)}


def _over(cause: Cause, seen_sec: float) -> Ending | None:
    """What ends a wait that the table does not wait for any longer."""
    row = cause.row
    if row is None or row.verdict is Verdict.WAIT or seen_sec < row.grace_sec:
        return None
    return Ending(BLAMES[row.verdict], row.code, cause.words)


def _left(
    observed: Observed, runtime: ScoringRuntimeSpec, pods: list[Json], row: Row | None, age: float
) -> float | None:
    """Seconds until the start deadline; None when it does not run: the work has begun, or a quota is full."""
    started = observed.status.run is not None and observed.status.run.start_time is not None
    if started or children.fetches(pods) or (row is not None and not row.hurries):
        return None
    return (observed.spec.start_deadline_seconds or runtime.start_deadline_seconds) - age


def retry_due(job: Json, failures: int) -> datetime | None:
    """When the next try may start: an outage of some minutes must not use up all of them."""
    failed_at = children.failed_at(job)
    return None if failed_at is None else failed_at + pause(failures)


def pause(failures: int) -> timedelta:
    """The pause after that many failures, the newest included."""
    seconds = FIRST_RETRY_SECONDS * 4.0 ** min(max(failures, 1) - 1, 10)
    return timedelta(seconds=min(LONGEST_RETRY_SECONDS, seconds))


def too_often(times: int, last: str) -> Ending:
    """The end of what the cluster took away or refused too many times."""
    text = f"The cluster took the pod away or refused it {times} times, at last with: {last}"
    return Ending(Blame.CLUSTER, Reason.DISRUPTED_TOO_OFTEN, text)


def failed(end: Ending) -> Outcome:
    """The end of the whole job."""
    return Outcome(
        claims={
            ConditionType.RUNNING: ("False", end.code, end.message),
            ConditionType.SUCCEEDED: ("False", end.code, end.message),
        },
        ended=Step.FAILED,
    )
