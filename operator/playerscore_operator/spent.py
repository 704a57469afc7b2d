"""Which ended child Jobs nobody needs any more: else a quota on them fills with the dead. Pure."""

from datetime import datetime, timedelta

from playerscore import names
from playerscore_operator import children
from playerscore_operator.children import JobState
from playerscore_operator.observe import Json, Observed


def spent(observed: Observed, now: datetime, complete_seconds: float, failed_seconds: float) -> list[str]:
    """The names of child Jobs to delete; a failed one, whose log tells why, stays longer than a complete one."""
    kept = {JobState.COMPLETE: complete_seconds, JobState.FAILED: failed_seconds}
    return [
        name
        for name, job in observed.jobs.items()
        if children.job_state(job) in kept
        and not _needed(observed, name)
        and _ended(job) + timedelta(seconds=kept[children.job_state(job)]) <= now
    ]


def _needed(observed: Observed, name: str) -> bool:
    """Whether a decision may still read it: the current attempt's until its end is sealed, likewise the preview's."""
    if observed.finished:
        return False
    attempt = names.analysis_job_name(observed.uid, observed.attempt)
    preview = names.preview_job_name(observed.uid, observed.preview_attempt)
    return name == attempt or (name == preview and observed.preview_runs)


def _ended(job: Json) -> datetime:
    told = [
        item.get("lastTransitionTime") for item in job["status"]["conditions"] if item["status"] == "True"
    ]
    return datetime.fromisoformat(
        max((time for time in told if time), default=job["metadata"]["creationTimestamp"])
    )
