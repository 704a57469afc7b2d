"""How long a child may wait, and when a failed one is followed by another: from timestamps in the cluster. Pure.

Nothing here lives in memory, so a restart of the operator loses no timer.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from playerscore.names import ConditionType, Reason, Step
from playerscore.resources import ScoringRuntimeSpec
from playerscore_operator import children, queues
from playerscore_operator.children import Blame, Ending
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import Json, Outcome

QUIET_SECONDS = 10.0
"""A pod that starts within this time is not worth a status write of its own."""
FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0


class Wait(NamedTuple):
    """What there is to say about a child whose pod does not run yet."""

    words: str | None
    """The cluster's own words; None while there is nothing to tell."""
    over: Ending | None = None
    """The end, when it has waited too long or waits in vain."""
    next_seconds: float | None = None
    """When to look again, besides on events."""


def look(observed: Observed, runtime: ScoringRuntimeSpec, job: Json, pods: list[Json], now: datetime) -> Wait:
    """The wait of a child that is active and has no running pod."""
    since = children.waits_since(job)
    if since is None:
        said = queues.words(observed.spec.queue_name, observed.workload)
        return Wait(said, next_seconds=queues.recheck_seconds(observed, now))
    cause = children.waiting_for(pods)
    if cause.permanent:
        return Wait(cause.words, Ending(Blame.INPUT, cause.code, cause.words))
    age = (now - since).total_seconds()
    quiet = QUIET_SECONDS - age if not cause.telling else 0.0
    words = None if quiet > 0 else cause.words
    if children.has_begun(pods) or (observed.status.run and observed.status.run.start_time):
        return Wait(words, next_seconds=max(quiet, 1.0) if quiet > 0 else None)
    left = (observed.spec.start_deadline_seconds or runtime.start_deadline_seconds) - age
    if left <= 0:
        return Wait(cause.words, Ending(Blame.DEADLINE, Reason.START_DEADLINE, cause.words))
    return Wait(words, next_seconds=max(1.0, min(left, quiet) if quiet > 0 else left))


def retry_due(job: Json, failures: int) -> datetime | None:
    """When the next try may start: an outage of some minutes must not use up all of them."""
    failed_at = children.failed_at(job)
    return None if failed_at is None else failed_at + pause(failures)


def pause(failures: int) -> timedelta:
    """The pause after that many failures, the newest included."""
    seconds = FIRST_RETRY_SECONDS * 4.0 ** min(max(failures, 1) - 1, 10)
    return timedelta(seconds=min(LONGEST_RETRY_SECONDS, seconds))


def failed(end: Ending) -> Outcome:
    """The end of the whole job."""
    return Outcome(
        claims={
            ConditionType.RUNNING: ("False", end.code, end.message),
            ConditionType.SUCCEEDED: ("False", end.code, end.message),
        },
        ended=Step.FAILED,
    )
