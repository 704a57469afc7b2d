"""Waiting for a job by watching it: reconnecting, and ending as the job ends.

A watch says what changes from a version on. Whenever it ends, for whatever reason, the job is read again and
watched from there, so that nothing between is missed.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import click

from playerscore import further, steps
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.names import FINISHED, ConditionType, Reason, Step
from playerscore_cli import console, output
from playerscore_cli.cluster import PASSING, WATCH_SECONDS, Cluster
from playerscore_cli.exits import JobFailedError, TimedOutError
from playerscore_cli.jobs import parsed, step_of

Json = dict[str, Any]
RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between attempts to reach the server again; the last one from then on."""


class Goal(NamedTuple):
    """What is waited for."""

    words: str
    """Behind "to ": what the job is to do."""
    reached: Callable[[Json], bool]
    fails: bool = True
    """Whether a job that FAILED before it is an error."""


def preview_is_there(job: Json) -> bool:
    """Whether there is something to pick from, or none is wanted."""
    return step_of(job) not in (Step.EXTRACTING_PREVIEW, Step.FAILED)


def has_stopped(job: Json) -> bool:
    """Whether a suspended job is seen as such by the operator, and no attempt of it runs; or has completed first."""
    running = steps.condition(parsed(job).status, ConditionType.RUNNING)
    rests = running is None or running.reason == Reason.SUSPENDED or step_of(job) is Step.COMPLETED
    return _is_seen(job) and rests


def has_condition(kind: str, wanted: str) -> Callable[[Json], bool]:
    """Whether the condition of that type has that status for the present spec, as `kubectl wait` has it."""

    def reached(job: Json) -> bool:
        conditions = (job.get("status") or {}).get("conditions") or []
        present = job["metadata"].get("generation", 0)
        found = (
            item["status"]
            for item in conditions
            if item["type"].lower() == kind.lower() and item.get("observedGeneration", present) >= present
        )
        return next(found, "").lower() == wanted.lower()

    return reached


PREVIEW: Final = Goal("have its preview", preview_is_there)
END: Final = Goal("end", lambda job: step_of(job) is Step.COMPLETED)
STOPPED: Final = Goal("stop", has_stopped)


def goal_of(text: str) -> Goal:
    """The goal that `--for` names. Raises click.BadParameter."""
    known = {"preview": PREVIEW, "end": END, "stop": STOPPED}
    kind, _, value = text.partition("=")
    if text in known:
        return known[text]
    if text == "delete":
        return Goal("go", lambda job: False, fails=False)
    if kind == "step" and value.upper() in Step.__members__:
        wanted = Step[value.upper()]
        return Goal(f"reach {wanted}", lambda job: step_of(job) is wanted, fails=wanted is not Step.FAILED)
    if kind == "condition" and value:
        name, _, status = value.partition("=")
        fails = (name.lower(), status.lower()) != ("succeeded", "false")
        return Goal(f"have {value}", has_condition(name, status or "true"), fails=fails)
    raise click.BadParameter(f"{text!r} is nothing to wait for", param_hint="--for")


def wait_for(cluster: Cluster, name: str, what: str, timeout: float) -> Json:
    """Wait for a job with a bar that tells its step. Raises PlayerscoreError."""
    with console.progress(name) as tell:
        return until(cluster, name, goal_of(what), timeout, lambda job: _tell(tell, job))


def wait_for_frames(cluster: Cluster, name: str, at_sec: list[float], timeout: float) -> Json:
    """Wait until the preview has frames for these times. Raises PlayerscoreError, also for what keeps them away."""
    return until(cluster, name, Goal("have its further frames", lambda job: _shows(job, at_sec)), timeout)


def _shows(job: Json, at_sec: list[float]) -> bool:
    known = parsed(job)
    preview = known.status.preview if known.status else None
    if known.status is None or preview is None:
        return False
    if all(further.is_answered(preview, time_sec) for time_sec in at_sec):
        return True
    if _is_seen(job) and (why := further.failure(known.spec, known.status)):
        raise FlowError(why.reason, why.message, field=why.field)
    return False


def _is_seen(job: Json) -> bool:
    """Whether the operator has looked at the present spec."""
    seen: int = (job.get("status") or {}).get("observedGeneration", -1)
    return seen >= int(job["metadata"].get("generation", 0))


def _tell(tell: console.Tell, job: Json) -> None:
    progress = (job.get("status") or {}).get("progress") or {}
    step = step_of(job)
    share = 1.0 if step in FINISHED else (progress.get("percent") or 0) / 100
    tell(share, f"{step.value}{_why(job, step)}")


def _why(job: Json, step: Step) -> str:
    """What a queued job waits for, in the words of its condition."""
    if step is not Step.QUEUED:
        return ""
    status = parsed(job).status
    for kind in (ConditionType.RUNNING, ConditionType.ADMITTED):
        found = steps.condition(status, kind)
        if found and found.status != "True" and found.message:
            return f"  {found.reason}: {found.message}"
    return ""


def until(
    cluster: Cluster, name: str, goal: Goal, timeout: float, seen: Callable[[Json], None] = lambda job: None
) -> Json:
    """Wait until the goal is reached and return the job; `seen` gets every state of it.

    Raises JobFailedError, TimedOutError, and PlayerscoreError: JOB_NOT_FOUND when it was deleted, and what the
    server refuses with.
    """
    for job in states(cluster, name, timeout):
        seen(job)
        if goal.reached(job):
            return job
        if goal.fails and step_of(job) is Step.FAILED:
            raise failure(job)
    text = f"scoringjob {name} did not {goal.words} within {timeout:g} s; it goes on"
    raise TimedOutError(text, timeout_seconds=timeout)


def failure(job: Json) -> JobFailedError:
    """Why the job FAILED, by its condition."""
    succeeded = steps.condition(parsed(job).status, ConditionType.SUCCEEDED)
    reason, message = (
        (succeeded.reason, succeeded.message) if succeeded else ("WORKER_FAILED", "no reason was given")
    )
    return JobFailedError(reason, message, step=Step.FAILED.value, job=job["metadata"]["name"])


def states(cluster: Cluster, name: str, timeout: float) -> Iterator[Json]:
    """The job as it is and as it becomes, until the time is over. Raises PlayerscoreError."""
    end = time.monotonic() + timeout
    uid = None
    pauses: Iterator[float] = iter(())
    while True:
        try:
            job = cluster.get(name)
        except PlayerscoreError as error:
            if uid and error.code == "JOB_NOT_FOUND":
                raise _deleted(name) from error
            if uid is None or error.code not in PASSING:
                raise
            pauses = _pause(pauses, end)
            if time.monotonic() >= end:
                return
            continue
        if uid not in (None, job["metadata"]["uid"]):
            raise _deleted(name)
        uid = job["metadata"]["uid"]
        yield job
        for later in _changes(cluster, name, job, end):
            pauses = iter(())
            yield later
        if time.monotonic() >= end:
            return
        pauses = _pause(pauses, end)


def _changes(cluster: Cluster, name: str, job: Json, end: float) -> Iterator[Json]:
    query = {"fieldSelector": f"metadata.name={name}"}
    seconds = min(WATCH_SECONDS, end - time.monotonic())
    if seconds <= 0:
        return
    try:
        for event in cluster.watch(query, job["metadata"]["resourceVersion"], seconds=seconds):
            if event["type"] == "DELETED":
                raise _deleted(name)
            if event["type"] != "BOOKMARK":
                yield event["object"]
            if time.monotonic() >= end:
                return
    except PlayerscoreError as error:
        if error.code not in PASSING:
            raise


def _pause(pauses: Iterator[float], end: float) -> Iterator[float]:
    """Sleep the next of the pauses, or the first; returns those that are left."""
    pause = next(pauses, None)
    if pause is None:
        pauses = itertools.chain(RETRY_SECONDS, itertools.repeat(RETRY_SECONDS[-1]))
        pause = next(pauses)
    elif pause == RETRY_SECONDS[1]:
        output.note("the connection is lost; trying again")
    time.sleep(max(0.0, min(pause, end - time.monotonic())))
    return pauses


def _deleted(name: str) -> PlayerscoreError:
    return PlayerscoreError("JOB_NOT_FOUND", f"scoringjob {name} was deleted while it was waited for")
