"""What child Jobs and their pods say: running, waiting and why, ended and how. Pure."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import ValidationError

from playerscore import names
from playerscore.names import Reason
from playerscore.resources import Result
from playerscore.tasks import EXIT_BAD_INPUT, EXIT_OUT_OF_MEMORY, Failure
from playerscore_operator.observe import Observed

Json = dict[str, Any]
MAIN_CONTAINER = "analyze"
REPORTER = "report"
LAST_WORDS = 1000
CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""What a pod may name as its failure's code: it becomes a condition's reason."""
STARTS = (None, "PodInitializing", "ContainerCreating")
"""What a container waits for that needs nobody's help."""
PULLS = ("ErrImagePull", "ImagePullBackOff")
NO_SUCH_IMAGE = re.compile(
    r"not found|denied|unauthorized|authorization failed|manifest unknown", re.IGNORECASE
)
"""What a registry says when trying again will not help; anything else may be an outage."""
NAME_TROUBLE = ("InvalidImageName", "ErrImageNeverPull")
CONFIG_TROUBLE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")


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
    permanent: bool = False
    """Whether waiting is in vain."""
    code: str = Reason.POD_PENDING


def child(observed: Observed, name: str) -> tuple[Json | None, list[Json]]:
    """The child Job of that name and its pods, oldest first."""
    return observed.jobs.get(name), observed.pods_of(name)


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
    elif observed.preview_attempt and observed.status.preview is None:
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


def waiting_for(pods: list[Json]) -> Cause:
    """Why no pod of a Job that may have one runs yet."""
    if not pods:
        return Cause("The pod is not there yet", telling=False)
    pod = pods[-1]
    for item in _conditions(pod):
        if item["type"] == "PodScheduled" and item["status"] == "False":
            return Cause(f"{item.get('reason', 'Unschedulable')}: {item.get('message', '')}")
    for status in _containers(pod):
        waiting = status.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in STARTS:
            return _trouble(waiting["reason"], waiting.get("message", ""))
    return Cause("The video is being fetched" if has_begun([pod]) else "The pod is starting", telling=False)


def _trouble(reason: str, message: str) -> Cause:
    """A container that the kubelet cannot start, with the kubelet's words."""
    words = f"{reason}: {message}"
    if reason in NAME_TROUBLE or (reason in PULLS and NO_SUCH_IMAGE.search(message)):
        return Cause(words, permanent=True, code=Reason.IMAGE_PULL)
    return Cause(words, permanent=reason in CONFIG_TROUBLE, code=Reason.POD_CONFIG)


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


def failed_at(job: Json) -> datetime | None:
    """When the Job controller called a child failed."""
    for item in _conditions(job):
        if item["type"] == "Failed" and "lastTransitionTime" in item:
            return datetime.fromisoformat(item["lastTransitionTime"])
    return None


def ending(job: Json, pods: list[Json]) -> Ending:
    """Whose fault a failed Job was, with the last words of its pod."""
    reasons = {item.get("reason") for item in _conditions(job) if item["type"] == "Failed"}
    if "DeadlineExceeded" in reasons:
        return Ending(
            Blame.DEADLINE,
            Reason.ACTIVE_DEADLINE,
            "The attempt ran longer than activeDeadlineSeconds allows",
        )
    terminated = _first_failure(pods)
    if terminated is None:
        return Ending(Blame.MACHINE, Reason.WORKER_FAILED, "The pod is gone and left no word")
    code, message = _words(terminated)
    exit_code = terminated.get("exitCode")
    if exit_code == EXIT_BAD_INPUT:
        return Ending(Blame.INPUT, code or "VIDEO_DECODE_FAILED", message)
    if exit_code == EXIT_OUT_OF_MEMORY or terminated.get("reason") == "OOMKilled":
        return Ending(Blame.MEMORY, Reason.OUT_OF_MEMORY, message or "The worker ran out of memory")
    text = message or f"{terminated.get('reason', 'Error')}, exit code {exit_code}"
    return Ending(Blame.MACHINE, code or Reason.WORKER_FAILED, text)


def result_of(pods: list[Json]) -> Result | None:
    """The result in the main container's termination message: the way that needs no network."""
    for pod in reversed(pods):
        for status in _containers(pod):
            terminated = status.get("state", {}).get("terminated")
            if status["name"] != MAIN_CONTAINER or not terminated:
                continue
            try:
                return Result.model_validate_json(terminated.get("message") or "")
            except ValidationError:
                continue
    return None


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
        failure = Failure.model_validate_json(text)
    except ValidationError:
        return "", text[-LAST_WORDS:]
    # The container that decodes a stranger's video wrote this.
    return (failure.code if CODE.fullmatch(failure.code) else ""), failure.message
