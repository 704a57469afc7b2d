"""What child Jobs and their pods say: running, waiting and why, ended and how. Pure."""

import contextlib
import re
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import ValidationError

from playerscore import lenient, names
from playerscore.names import Reason
from playerscore.resources import Result
from playerscore.tasks import EXIT_BAD_INPUT, EXIT_OUT_OF_MEMORY, Failure
from playerscore_operator import troubles
from playerscore_operator.observe import Observed
from playerscore_operator.troubles import Place, Row, Verdict

Json = dict[str, Any]
MAIN_CONTAINER = "analyze"
REPORTER = "report"
LAST_WORDS = 1000
OWN_CODES = (EXIT_BAD_INPUT, EXIT_OUT_OF_MEMORY)
"""Exit codes that only the worker gives itself."""
CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""What a pod may name as its failure's code: it becomes a condition's reason."""
STARTS = (None, "PodInitializing", "ContainerCreating")
"""What a container waits for that needs nobody's help."""
NOT_CREATED = "FailedCreate"
"""The Job controller's event when the API server did not take a pod."""


class JobState(StrEnum):
    """Where a child Job stands."""

    ABSENT = "absent"
    DELETING = "deleting"
    ACTIVE = "active"
    COMPLETE = "complete"
    FAILED = "failed"


class Blame(StrEnum):
    """Whose failure it was, which decides whether it is worth another try."""

    INPUT = "input"
    MEMORY = "memory"
    DEADLINE = "deadline"
    MACHINE = "machine"
    PLATFORM = "platform"
    """What the job was to run with: no try helps."""
    CLUSTER = "cluster"
    """The worker never had its chance: no try is counted."""


BLAMES = {
    Verdict.FATAL: Blame.PLATFORM,
    Verdict.RETRY: Blame.CLUSTER,
    Verdict.COUNTED: Blame.MACHINE,
}


class Ending(NamedTuple):
    """How an attempt failed."""

    blame: Blame
    code: str
    message: str


class Cause(NamedTuple):
    """Why a pod does not run yet."""

    words: str
    """In the cluster's own words where it has any."""
    telling: bool = True
    """Whether a person should read it at once; False for the ordinary course of a start."""
    row: Row | None = None
    """What the table says of it."""


def child(observed: Observed, name: str) -> tuple[Json | None, list[Json]]:
    """The child Job of that name and its pods, oldest first."""
    return observed.jobs.get(name), observed.pods_of(name)


def current(observed: Observed) -> tuple[Json | None, list[Json]]:
    """The child that is to run now, and its pods: the attempt's, else the preview's."""
    if observed.attempt:
        return child(observed, names.analysis_job_name(observed.uid, observed.attempt))
    return child(observed, names.preview_job_name(observed.uid, observed.preview_attempt))


def live_analyses(observed: Observed, *, deleting: bool = False) -> list[str]:
    """The analysis Jobs that still work; with `deleting` also those that are being deleted."""
    return [name for name in _live(observed, deleting=deleting) if not _is_preview(observed, name)]


def live_previews(observed: Observed, *, deleting: bool = False) -> list[str]:
    """The preview Jobs that still work; with `deleting` also those that are being deleted."""
    return [name for name in _live(observed, deleting=deleting) if _is_preview(observed, name)]


def live_analysis_pods(observed: Observed) -> list[Json]:
    """The analysis pods that may still work, whether or not their Job is still there."""
    return [
        pod for pod in _live_pods(observed) if pod["metadata"]["labels"].get(names.ATTEMPT_LABEL) != "preview"
    ]


def live_preview_pods(observed: Observed) -> list[Json]:
    """The preview's pods that may still work, likewise."""
    return [
        pod for pod in _live_pods(observed) if pod["metadata"]["labels"].get(names.ATTEMPT_LABEL) == "preview"
    ]


def _live_pods(observed: Observed) -> list[Json]:
    return [
        pod
        for pod in observed.pods
        if may_work(pod) and not _is_ended(observed.jobs.get(pod["metadata"]["labels"].get("job-name", "")))
    ]


def seems_missing(observed: Observed) -> bool:
    """Whether a child that the status speaks of is not known: it is gone, or only not seen yet."""
    if observed.attempt:
        name = names.analysis_job_name(observed.uid, observed.attempt)
    elif observed.preview_runs:
        name = names.preview_job_name(observed.uid, observed.preview_attempt)
    else:
        return False
    job, pods = child(observed, name)
    return job is None or not pods


def may_work(pod: Json) -> bool:
    """Whether a pod has not ended."""
    return pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def _live(observed: Observed, *, deleting: bool) -> list[str]:
    states = {JobState.ACTIVE, JobState.DELETING} if deleting else {JobState.ACTIVE}
    return [name for name, job in observed.jobs.items() if job_state(job) in states]


def _is_preview(observed: Observed, name: str) -> bool:
    return name.startswith(names.preview_job_name(observed.uid, 0)[:-1])


def _is_ended(job: Json | None) -> bool:
    return job_state(job) in (JobState.COMPLETE, JobState.FAILED)


def job_state(job: Json | None) -> JobState:
    """The state of a child Job; an ended one stays ended while it is being deleted."""
    if job is None:
        return JobState.ABSENT
    done = {item["type"] for item in _conditions(job) if item["status"] == "True"}
    if "Complete" in done:
        return JobState.COMPLETE
    if "Failed" in done:
        return JobState.FAILED
    return JobState.DELETING if "deletionTimestamp" in job["metadata"] else JobState.ACTIVE


def running_pod(pods: list[Json]) -> Json | None:
    """The pod whose main container runs."""
    for pod in reversed(pods):
        states = pod.get("status", {}).get("containerStatuses", [])
        if any(item["name"] == MAIN_CONTAINER and "running" in item.get("state", {}) for item in states):
            return pod
    return None


def has_ended(pods: list[Json]) -> bool:
    """Whether the work of the newest pod is over by itself: what came of it, its Job tells in a moment."""
    if not pods or disruption(pods[-1]):
        return False
    states = pods[-1].get("status", {}).get("containerStatuses", [])
    return any(item["name"] == MAIN_CONTAINER and "terminated" in item.get("state", {}) for item in states)


def has_begun(pods: list[Json]) -> bool:
    """Whether a pod has come so far that one of its working containers ran; a download counts."""
    states = [
        status.get("state", {}) for pod in pods for status in _containers(pod) if status["name"] != REPORTER
    ]
    return any("running" in state or "terminated" in state for state in states)


def waiting_for(job: Json, pods: list[Json], events: list[Json]) -> Cause:
    """Why no pod of a Job that may have one runs yet."""
    pod = pods[-1] if pods else None
    if pod is None or not may_work(pod):
        return _not_created(job, pod, events) or _refused(pod)
    for item in _conditions(pod):
        if item["type"] == "PodScheduled" and item["status"] == "False":
            return _trouble(Place.SCHEDULER, item.get("reason") or "Unschedulable", item.get("message") or "")
    for status in _containers(pod):
        waiting = status.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in STARTS:
            return _trouble(Place.CONTAINER, waiting["reason"], waiting.get("message") or "")
    if has_begun([pod]):
        return Cause("The video is being fetched", telling=False)
    return _start_told(pod, events) or Cause("The pod is starting", telling=False)


def _not_created(job: Json, pod: Json | None, events: list[Json]) -> Cause | None:
    """Why the Job controller cannot create the pod, or the one that is to follow an ended one."""
    after = pod["metadata"].get("creationTimestamp", "") if pod else ""
    told = [item for item in _told(job, events) if item["reason"] == NOT_CREATED and item["at"] >= after]
    return _trouble(Place.JOB, NOT_CREATED, told[-1]["message"]) if told else None


def _refused(pod: Json | None) -> Cause:
    """A pod that failed: what follows, its Job tells in a moment."""
    if pod is None:
        return Cause("The pod is not there yet", telling=False)
    if taken := disruption(pod):
        return Cause(f"The cluster took the pod away: {taken}; another follows")
    status = pod.get("status", {})
    if "reason" not in status:
        return Cause("The pod ended", telling=False)
    return Cause(troubles.words(status["reason"], status.get("message") or ""))


def _start_told(pod: Json, events: list[Json]) -> Cause | None:
    """What the newest event says of a pod whose containers say nothing; most of them tell no trouble."""
    told = _told(pod, events)
    if not told or not troubles.find(Place.START, told[-1]["reason"], told[-1]["message"]):
        return None
    return _trouble(Place.START, told[-1]["reason"], told[-1]["message"])


def _told(body: Json, events: list[Json]) -> list[Json]:
    return [item for item in events if item["uid"] == body["metadata"].get("uid")]


def _trouble(place: Place, reason: str, message: str) -> Cause:
    """What stands there, in the cluster's own words."""
    return Cause(troubles.words(reason, message), row=troubles.find(place, reason, message))


def node_is_lost(pod: Json) -> bool:
    """Whether the pod's node stopped answering.

    The cluster has no word for it on the pod: its node controller sets `Ready` to False, and nothing else. A
    kubelet would say so of `ContainersReady` too, because there is no other gate.
    """
    told = {item["type"]: item["status"] for item in _conditions(pod)}
    return told.get("Ready") == "False" and told.get("ContainersReady") == "True"


def disruption(pod: Json) -> str:
    """Why the cluster takes the pod away (eviction, preemption, a drained node); empty when it does not."""
    for item in _conditions(pod):
        if item["type"] == "DisruptionTarget" and item["status"] == "True":
            return f"{item.get('reason', 'DisruptionTarget')}: {item.get('message', '')}"
    return ""


def node_of(pod: Json | None) -> str | None:
    return pod["spec"].get("nodeName") if pod else None


def waits_since(job: Json) -> datetime | None:
    """Since when a child could have had a running pod; None while a queue holds it back."""
    if job.get("spec", {}).get("suspend"):
        return None
    began = job.get("status", {}).get("startTime") or job["metadata"]["creationTimestamp"]
    return datetime.fromisoformat(began)


def began_waiting(job: Json, pods: list[Json]) -> datetime | None:
    """Since when the newest pod could have run, or its next container; None while a queue holds it back."""
    began = waits_since(job)
    if began is None or not pods:
        return began
    stamps = [pods[-1]["metadata"].get("creationTimestamp")]
    stamps += [
        item.get("state", {}).get("terminated", {}).get("finishedAt") for item in _containers(pods[-1])
    ]
    return max([began, *(datetime.fromisoformat(stamp) for stamp in stamps if stamp)])


def fetches(pods: list[Json]) -> bool:
    """Whether a working container of the newest pod runs: it has begun, and may take its time."""
    statuses = _containers(pods[-1]) if pods else []
    return any("running" in item.get("state", {}) for item in statuses if item["name"] != REPORTER)


def is_silent(pod: Json) -> bool:
    """Whether a pod that has a node and has not begun says nothing of why: then its events may."""
    states = [item.get("state", {}).get("waiting", {}).get("reason") for item in _containers(pod)]
    return node_of(pod) is not None and not has_begun([pod]) and set(states) <= set(STARTS)


def failed_at(job: Json) -> datetime | None:
    """When the Job controller called a child failed."""
    for item in _conditions(job):
        if item["type"] == "Failed" and "lastTransitionTime" in item:
            return datetime.fromisoformat(item["lastTransitionTime"])
    return None


def ending(job: Json, pods: list[Json], *, stored: bool) -> Ending:
    """Whose fault a failed Job was, with the last words of its pod; `stored` says whose the video's address is."""
    reasons = {item.get("reason") for item in _conditions(job) if item["type"] == "Failed"}
    if "DeadlineExceeded" in reasons:
        return Ending(
            Blame.DEADLINE,
            Reason.ACTIVE_DEADLINE,
            "The attempt ran longer than activeDeadlineSeconds allows",
        )
    terminated = _first_failure(pods)
    if terminated is not None and stored and (end := _store_failed(terminated)):
        return end
    if terminated is not None and terminated.get("exitCode") in OWN_CODES:
        return _told_by_worker(terminated)
    for pod in reversed(pods):
        if whole := pod.get("status", {}).get("reason"):
            return _judged(Place.POD, whole, pod["status"].get("message") or "")
    if terminated is not None:
        return _told_by_worker(terminated)
    return Ending(Blame.CLUSTER, Reason.POD_REFUSED, "The pod is gone and left no word")


def _judged(place: Place, reason: str, message: str) -> Ending:
    """As the table says, in the cluster's own words."""
    row = troubles.find(place, reason, message)
    text = troubles.words(reason, message)
    return Ending(BLAMES[row.verdict], row.code, text) if row else Ending(Blame.MACHINE, reason, text)


def _store_failed(terminated: Json) -> Ending | None:
    code, message = _words(terminated)
    found = troubles.find(Place.STORED, code, message)
    return _judged(Place.STORED, code, message) if found else None


def _told_by_worker(terminated: Json) -> Ending:
    """By the exit code where that is the worker's own word, else by the table."""
    code, message = _words(terminated)
    exit_code, reason = terminated.get("exitCode"), terminated.get("reason") or "Error"
    if exit_code == EXIT_BAD_INPUT:
        return Ending(Blame.INPUT, code or "VIDEO_DECODE_FAILED", message)
    if exit_code == EXIT_OUT_OF_MEMORY or reason == "OOMKilled":
        return Ending(Blame.MEMORY, Reason.OUT_OF_MEMORY, message or "The worker ran out of memory")
    row = troubles.find(Place.ENDED, code or reason, message)
    if row is None or row.verdict is Verdict.COUNTED:
        text = message or f"{reason}, exit code {exit_code}"
        return Ending(Blame.MACHINE, code or Reason.WORKER_FAILED, text)
    return Ending(BLAMES[row.verdict], row.code, troubles.words(code or reason, message))


def result_of(pods: list[Json]) -> Result | None:
    """The result in the main container's termination message: the way that needs no network."""
    for pod in reversed(pods):
        for status in _containers(pod):
            terminated = status.get("state", {}).get("terminated")
            if status["name"] != MAIN_CONTAINER or not terminated:
                continue
            try:
                return lenient.known_json(Result, terminated.get("message") or "")
            except ValidationError:
                continue
    return None


def lost(pods: list[Json]) -> Failure | None:
    """What the reporter of the newest pod could not carry outside, in its last words."""
    for status in _containers(pods[-1]) if pods else []:
        if status["name"] != REPORTER:
            continue
        with contextlib.suppress(ValidationError):
            said = status.get("state", {}).get("terminated", {}).get("message") or ""
            return lenient.known_json(Failure, said)
    return None


def unreported(pods: list[Json], otherwise: str) -> Ending:
    """The end of a pod that did its work and of which nothing came, by its reporter's last words if it has any."""
    if words := lost(pods):
        return _told_by_worker({"exitCode": 1, "message": words.model_dump_json()})
    return Ending(Blame.MACHINE, Reason.NO_RESULT, otherwise)


def _conditions(body: Json) -> list[Json]:
    found: list[Json] = body.get("status", {}).get("conditions") or []
    return found


def _containers(pod: Json) -> list[Json]:
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _first_failure(pods: list[Json]) -> Json | None:
    """The first container that failed, in the order in which they run, in the newest pod that says so."""
    for pod in reversed(pods):
        for status in _containers(pod):
            terminated: Json | None = status.get("state", {}).get("terminated")
            if terminated and terminated.get("exitCode") and status["name"] != REPORTER:
                return terminated
    return None


def _words(terminated: Json) -> tuple[str, str]:
    text = terminated.get("message") or ""
    try:
        failure = lenient.known_json(Failure, text)
    except ValidationError:
        return "", text[-LAST_WORDS:]
    # The container that decodes a stranger's video wrote this.
    return (failure.code if CODE.fullmatch(failure.code) else ""), failure.message
