"""The words of real clusters (`kubelet/`), and the worlds in which an operator meets them.

A file of `kubelet/` is a place of the table of troubles. Each message has its reason, the row that it belongs to,
what must follow (`then`), and the source that writes it, with values filled in as that source would.
"""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from builders import make_condition, make_ready_spec, make_run, make_spec, make_status
from mergepatch import patched
from playerscore.names import ConditionType
from playerscore.resources import ScoringJobStatus, Video
from playerscore_operator.decide import Decision, decide
from playerscore_operator.manifests import analysis_job, preview_job
from playerscore_operator.observe import Observed
from playerscore_operator.troubles import Place
from worlds import API, LAUNCHED, NOW, world

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "kubelet"
PLACES = {
    "job": Place.JOB,
    "scheduler": Place.SCHEDULER,
    "start": Place.START,
    "container": Place.CONTAINER,
    "pod": Place.POD,
    "taken": Place.TAKEN,
    "stored": Place.STORED,
    "ended": Place.ENDED,
}
CREATED = "2026-01-01T11:59:00Z"
"""A minute before `NOW`: what is quiet for a moment is told by then."""
DEADLINE_SECONDS = 1800
OVER = (Place.STORED, Place.ENDED)
"""Where a container of the worker has ended."""


@dataclass(frozen=True)
class Message:
    """One message of the corpus."""

    place: Place
    reason: str
    message: str
    row: str
    then: str
    source: str
    exit_code: int = 1

    @property
    def told(self) -> tuple[str, str]:
        """(reason, message) as the table is asked: of a worker's own words, its code and its sentence."""
        if self.place in OVER and self.message.startswith("{"):
            words = json.loads(self.message)
            return words["code"], words["message"]
        return self.reason, self.message


def corpus() -> list[Message]:
    """Every message, file by file."""
    return [
        Message(place=place, **item)
        for name, place in PLACES.items()
        for item in yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    ]


def job_world(found: Message) -> Observed:
    """An enqueued job whose first attempt meets that."""
    spec = make_ready_spec(suspend=False, start_deadline_seconds=DEADLINE_SECONDS)
    observed = world(spec, make_status(run=make_run(1, generation=3), conditions=[LAUNCHED]))
    assert observed.runtime is not None
    return _with_child(observed, analysis_job(observed, observed.runtime.spec, 1, API), found)


def preview_world(found: Message) -> Observed:
    """A draft whose first preview run meets that."""
    running = make_condition(ConditionType.PREVIEW_READY, "False", "PreviewRunning")
    status = ScoringJobStatus(run=make_run(None, preview_attempt=1), conditions=[running])
    observed = world(make_spec(start_deadline_seconds=DEADLINE_SECONDS), status)
    assert observed.runtime is not None
    return _with_child(observed, preview_job(observed, observed.runtime.spec, 1, API), found)


def _with_child(observed: Observed, body: Json, found: Message) -> Observed:
    if found.place is Place.ENDED:
        elsewhere = Video(uri="https://video.example/match.mp4")
        observed = replace(observed, spec=observed.spec.model_copy(update={"video": elsewhere}))
    failed = found.place is Place.POD or found.place in OVER
    reason = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    status: Json = {"startTime": CREATED}
    if failed:
        status["conditions"] = [reason | {"lastTransitionTime": NOW.isoformat()}]
    suspended = {"suspend": True} if found.reason == "Suspended" else {}
    body = {
        **body,
        "metadata": {**body["metadata"], "creationTimestamp": CREATED, "uid": "job-uid"},
        "spec": {**body["spec"], **suspended},
        "status": status,
    }
    name = body["metadata"]["name"]
    pods = [] if found.place is Place.JOB else [_pod(body, found)]
    uid = {Place.JOB: "job-uid", Place.START: "pod-uid"}.get(found.place)
    event = {"uid": uid, "reason": found.reason, "message": found.message, "at": CREATED}
    return replace(observed, jobs={name: body}, pods=pods, events=[event] if uid else [])


def _pod(job: Json, found: Message) -> Json:
    labels = {**job["spec"]["template"]["metadata"]["labels"], "job-name": job["metadata"]["name"]}
    scheduled = found.place is not Place.SCHEDULER
    return {
        "metadata": {
            "name": f"{job['metadata']['name']}-x",
            "uid": "pod-uid",
            "labels": labels,
            "creationTimestamp": CREATED,
        },
        "spec": {"nodeName": "gpu-1"} if scheduled else {},
        "status": _status(found),
    }


def _status(found: Message) -> Json:
    told = {"reason": found.reason, "message": found.message}
    creating = {"waiting": {"reason": "PodInitializing"}}
    match found.place:
        case Place.SCHEDULER:
            return {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", **told}]}
        case Place.CONTAINER:
            return {"phase": "Pending", **_states(report={"waiting": told}, analyze=creating)}
        case Place.POD:
            return {"phase": "Failed", **told}
        case Place.TAKEN:
            taken = {"type": "DisruptionTarget", "status": "True", **told}
            return {
                "phase": "Failed",
                "conditions": [taken],
                **_states(analyze=_terminated("Error", "", 137)),
            }
        case Place.STORED | Place.ENDED:
            end = _terminated(found.reason, found.message, found.exit_code)
            return {"phase": "Failed", **_states(report=_terminated("Completed", "", 0), analyze=end)}
    return {"phase": "Pending", **_states(report=creating, analyze=creating)}


def _states(**states: Json) -> Json:
    known = [{"name": name, "state": state} for name, state in states.items()]
    return {
        "initContainerStatuses": [item for item in known if item["name"] != "analyze"],
        "containerStatuses": [item for item in known if item["name"] == "analyze"],
    }


def _terminated(reason: str, message: str, code: int) -> Json:
    return {"terminated": {"reason": reason, "message": message, "exitCode": code}}


def looks(observed: Observed, seconds: float, *, every: float = 10.0) -> tuple[Observed, list[Decision]]:
    """The operator looks again and again at what does not change, for so long, and writes what it decides."""
    decisions, now = [], NOW
    while now <= NOW + timedelta(seconds=seconds):
        decision = decide(observed, now, API)
        decisions.append(decision)
        if decision.status is not None:
            before = observed.status.model_dump(mode="json", exclude_none=True)
            status = ScoringJobStatus.model_validate(patched(before, decision.status))
            observed = replace(observed, status=status)
        if decision.creates or decision.deletes or observed.finished:
            break
        now += timedelta(seconds=every)
    return observed, decisions


def told(observed: Observed, kind: ConditionType) -> tuple[str, str, str]:
    """(status, reason, message) of a condition."""
    found = next(item for item in observed.status.conditions or [] if item.type == kind)
    return found.status, found.reason, found.message
