"""One ScoringJob in every state that a tool may meet, made by the real operator, and what the tools must say.

docs/conditions.md is this table for people. Run as a program it writes Argo CD's test cases
(gitops/argocd/health_test.yaml and testdata) from a real API server.
"""

import copy
import json
import re
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import yaml

from builders import ELSEWHERE, make_runtime, manifest
from controlplane import ROOT, ensure_tools
from flowlab import JOBS, NAMESPACE, FlowLab
from playerscore import names
from playerscore.names import Reason

Json = dict[str, Any]
HEALTH = ROOT / "gitops" / "argocd" / "health.lua"
CONFIG_MAP = ROOT / "gitops" / "argocd" / "argocd-cm.yaml"
HEALTH_KEY = "resource.customizations.health.playerscore.dev_ScoringJob"
CASES = ROOT / "gitops" / "argocd" / "health_test.yaml"
HOLD = "playerscore.dev/held-by-a-test"
UNREADY = "enqueued-not-ready"


@dataclass(frozen=True)
class State:
    """A named state: how a job gets there, and the verdicts."""

    name: str
    make: Callable[[FlowLab, str], Json]
    kstatus: str
    argo: str
    waits: tuple[str, ...] = ()
    """What `kubectl wait --for=` must find true at once."""
    prepare: Callable[[FlowLab, str], Json] | None = None
    """For a state that the operator must not look at: what comes before it is frozen."""


def drafted(lab: FlowLab, name: str, **target: Any) -> None:
    """A job with a preview, a player and a confirmed target, not enqueued."""
    lab.create(name, lab.selected(name, **target))
    lab.preview_done(name)


def enqueued(lab: FlowLab, name: str, **spec: Any) -> None:
    """A job whose first attempt has a pod."""
    lab.create(name, {**lab.selected(name), "suspend": False, **spec})
    lab.preview_done(name)
    lab.pod(name, "1")


def settled(lab: FlowLab, name: str, kind: str, status: str, reason: str | None = None) -> Json:
    """The job once that condition is so."""

    def found() -> Json | None:
        has = lab.condition(name, kind)
        return lab.job(name) if has[0] == status and reason in (None, has[1]) else None

    return dict(lab.until(found))


def at_step(lab: FlowLab, name: str, step: str) -> Json:
    """The job once it is there, looked at in its latest version."""

    def found() -> Json | None:
        job = lab.job(name)
        current = job["status"].get("observedGeneration") == job["metadata"]["generation"]
        return job if current and job["status"]["progress"]["step"] == step else None

    return dict(lab.until(found))


# --- how a job gets into each state -----------------------------------------------------------------------


def _no_runtime(lab: FlowLab, name: str) -> Json:
    lab.create(name, {"runtimeName": "there-is-none"})
    return settled(lab, name, "PreviewReady", "False", "RUNTIME_NOT_FOUND")


def _forbidden_runtime(lab: FlowLab, name: str) -> Json:
    runtime = manifest(make_runtime(name="closed", allowed_namespaces=["another"]))
    lab.plane.kubectl("apply", "-f", "-", stdin=json.dumps(runtime))
    lab.create(name, {"runtimeName": "closed"})
    return settled(lab, name, "PreviewReady", "False", "RUNTIME_FORBIDDEN")


def _unprepared(lab: FlowLab, name: str) -> Json:
    """In a namespace that the release does not know."""
    lab.plane.kubectl("create", "namespace", "unprepared")
    path = f"/apis/{names.API_VERSION}/namespaces/unprepared/{names.JOB_PLURAL}"
    body: Json = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": {"name": name}}
    body["spec"] = {"video": {"uri": "s3://playerscore/unprepared/uploads/match.mp4"}}
    lab.http.post(path, json=body).raise_for_status()

    def found() -> Json | None:
        job: Json = lab.http.get(f"{path}/{name}").json()
        reasons = [item["reason"] for item in job["status"].get("conditions", [])]
        return job if Reason.NAMESPACE_NOT_PREPARED in reasons else None

    return dict(lab.until(found))


def _refused_child(lab: FlowLab, name: str) -> Json:
    """The API server takes no Job that requests more than its limit."""
    resources = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
    lab.plane.kubectl(
        "apply", "-f", "-", stdin=json.dumps(manifest(make_runtime(name="wrong", resources=resources)))
    )
    lab.create(name, {"runtimeName": "wrong"})
    return settled(lab, name, "Reconciling", "True", "CREATE_REFUSED")


def _previewing(lab: FlowLab, name: str) -> Json:
    lab.create(name)
    lab.pod(name, "p1")
    return settled(lab, name, "Reconciling", "False")


def _waiting_for_player(lab: FlowLab, name: str) -> Json:
    lab.create(name)
    lab.preview_done(name)
    return at_step(lab, name, "WAITING_FOR_PLAYER")


def _waiting_for_confirmation(lab: FlowLab, name: str) -> Json:
    drafted(lab, name, confirmed=False)
    return at_step(lab, name, "WAITING_FOR_TARGET_CONFIRMATION")


def _incoherent_draft(lab: FlowLab, name: str) -> Json:
    drafted(lab, name, box=ELSEWHERE)
    return settled(lab, name, "TargetCoherent", "False", "TARGET_MISMATCH")


def _ready(lab: FlowLab, name: str) -> Json:
    drafted(lab, name)
    return at_step(lab, name, "READY_TO_ENQUEUE")


def _queued(lab: FlowLab, name: str) -> Json:
    enqueued(lab, name)
    return settled(lab, name, "Running", "False", "PodPending")


def _waiting_for_quota(lab: FlowLab, name: str) -> Json:
    """Kueue holds a Job back by its own `suspend`."""
    enqueued(lab, name, queueName="gpus")
    uid = lab.job(name)["metadata"]["uid"]
    lab.merge(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/sj-{uid}-1", {"spec": {"suspend": True}})

    def told() -> Json | None:
        job = lab.job(name)
        messages = [item["message"] for item in job["status"]["conditions"] if item["type"] == "Running"]
        return job if "Queue gpus" in "".join(messages) else None

    return dict(lab.until(told))


def _running(lab: FlowLab, name: str) -> Json:
    enqueued(lab, name)
    lab.pod_runs(name, "1")
    lab.worker_writes(name, "1", {"progress": {"percent": 40, "message": "Following"}})
    return settled(lab, name, "Running", "True")


def _between_tries(lab: FlowLab, name: str) -> Json:
    enqueued(lab, name, retry={"limit": 2})
    lab.pod_runs(name, "1")
    settled(lab, name, "Running", "True")
    lab.pod_ends(name, "1", 1, "the node's disk is full")
    return settled(lab, name, "Running", "False", "WORKER_FAILED")


def _held_child(lab: FlowLab, name: str) -> None:
    """The child of a running attempt will take its time to go."""
    enqueued(lab, name)
    lab.pod_runs(name, "1")
    settled(lab, name, "Running", "True")
    uid = lab.job(name)["metadata"]["uid"]
    lab.merge(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/sj-{uid}-1", {"metadata": {"finalizers": [HOLD]}})


def _deleted_child(lab: FlowLab, name: str) -> Json:
    _held_child(lab, name)
    uid = lab.job(name)["metadata"]["uid"]
    lab.http.delete(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/sj-{uid}-1").raise_for_status()
    return settled(lab, name, "Running", "False", "JobDeleted")


def _pausing(lab: FlowLab, name: str) -> Json:
    _held_child(lab, name)
    lab.patch(name, {"suspend": True})
    return settled(lab, name, "Running", "False")


def _restarting(lab: FlowLab, name: str) -> Json:
    _pausing(lab, name)
    lab.patch(name, {"analysis": {"maxFps": 5}})
    lab.patch(name, {"suspend": False})
    return settled(lab, name, "Running", "False", "StoppingOldAttempt")


def _paused(lab: FlowLab, name: str) -> Json:
    enqueued(lab, name)
    lab.pod_runs(name, "1")
    settled(lab, name, "Running", "True")
    lab.patch(name, {"suspend": True})
    lab.until(lambda: lab.child(name, "1") is None)
    return settled(lab, name, "Reconciling", "False")


def _completed(lab: FlowLab, name: str) -> Json:
    enqueued(lab, name)
    lab.analysis_done(name)
    return settled(lab, name, "Succeeded", "True")


def _edited_after_the_end(lab: FlowLab, name: str) -> Json:
    _completed(lab, name)
    lab.patch(name, {"displayName": "Number 9, at last"})
    return at_step(lab, name, "COMPLETED")


def _failed(lab: FlowLab, name: str) -> Json:
    enqueued(lab, name)
    words = {"code": "VIDEO_TRUNCATED", "message": "The video ends in the middle of a frame"}
    lab.pod_ends(name, "1", 42, json.dumps(words))
    return settled(lab, name, "Succeeded", "False")


def _failed_preview(lab: FlowLab, name: str) -> Json:
    lab.create(name)
    words = {"code": "VIDEO_NOT_A_VIDEO", "message": "No video in this file"}
    lab.pod_ends(name, "p1", 42, json.dumps(words))
    return settled(lab, name, "Succeeded", "False")


def _incoherent_enqueued(lab: FlowLab, name: str) -> Json:
    lab.create(name, {**lab.selected(name, box=ELSEWHERE), "suspend": False})
    lab.preview_done(name)
    return settled(lab, name, "Stalled", "True")


def _unknown_frame_enqueued(lab: FlowLab, name: str) -> Json:
    lab.create(name, {**lab.selected(name, number=9), "suspend": False})
    lab.preview_done(name)
    return settled(lab, name, "Stalled", "True")


def _not_ready_enqueued(lab: FlowLab, name: str) -> Json:
    """`collect` created it before there was a webhook."""
    lab.preview_done(name)
    return settled(lab, name, "Admitted", "False", "NOT_READY")


def _new(lab: FlowLab, name: str) -> Json:
    return lab.create(name)


def _edited(lab: FlowLab, name: str) -> Json:
    return lab.patch(name, {"displayName": "An edit that the operator has not seen"})


def _deleted(lab: FlowLab, name: str) -> Json:
    lab.merge(f"{JOBS}/{name}", {"metadata": {"finalizers": [HOLD]}})
    lab.http.delete(f"{JOBS}/{name}")
    return lab.job(name)


WATCHED = (
    State("no-runtime", _no_runtime, "InProgress", "Progressing", ("condition=Reconciling",)),
    State("forbidden-runtime", _forbidden_runtime, "InProgress", "Progressing", ("condition=Reconciling",)),
    State("namespace-not-prepared", _unprepared, "InProgress", "Progressing", ()),
    State("create-refused", _refused_child, "InProgress", "Progressing", ("condition=Reconciling",)),
    State("job-deleted", _deleted_child, "InProgress", "Progressing", ("condition=Reconciling",)),
    State("previewing", _previewing, "Current", "Healthy", ("condition=PreviewReady=False",)),
    State(
        "waiting-for-player",
        _waiting_for_player,
        "Current",
        "Suspended",
        ("condition=PreviewReady", "condition=Succeeded=Unknown"),
    ),
    State("waiting-for-confirmation", _waiting_for_confirmation, "Current", "Suspended"),
    State("incoherent-draft", _incoherent_draft, "Current", "Suspended", ("condition=TargetCoherent=False",)),
    State("ready", _ready, "Current", "Suspended", ("condition=TargetCoherent", "condition=Admitted=False")),
    State("queued", _queued, "Current", "Healthy", ("condition=Admitted", "condition=Running=False")),
    State("waiting-for-quota", _waiting_for_quota, "Current", "Healthy", ("condition=Admitted=False",)),
    State("running", _running, "Current", "Healthy", ("condition=Running", "condition=Reconciling=False")),
    State("between-tries", _between_tries, "Current", "Healthy", ("condition=Admitted",)),
    State("pausing", _pausing, "InProgress", "Progressing", ("condition=Reconciling",)),
    State("restarting", _restarting, "InProgress", "Progressing", ("condition=Reconciling",)),
    State("paused", _paused, "Current", "Suspended", ("condition=Running=False", "condition=Admitted=False")),
    State(
        "completed",
        _completed,
        "Current",
        "Healthy",
        ("condition=Succeeded", "condition=Stalled=False", "jsonpath={.status.result.overallScore}"),
    ),
    State("edited-after-the-end", _edited_after_the_end, "Current", "Healthy", ("condition=Succeeded",)),
    State("failed", _failed, "Failed", "Degraded", ("condition=Succeeded=False", "condition=Stalled")),
    State("failed-preview", _failed_preview, "Failed", "Degraded", ("condition=PreviewReady=False",)),
    State("incoherent-enqueued", _incoherent_enqueued, "Failed", "Degraded", ("condition=Stalled",)),
    State("unknown-frame-enqueued", _unknown_frame_enqueued, "Failed", "Degraded", ("condition=Stalled",)),
    State(UNREADY, _not_ready_enqueued, "Failed", "Degraded", ("condition=Stalled",)),
)
"""States that the operator wrote."""
UNWATCHED = (
    State("new", _new, "InProgress", "Progressing"),
    State("edited", _edited, "InProgress", "Progressing", prepare=_ready),
    State("deleted", _deleted, "Terminating", "Progressing", prepare=_completed),
)
"""States in which the operator has not looked yet: made while it is frozen."""
STATES = (*WATCHED, *UNWATCHED)


def collect(lab: FlowLab) -> dict[str, Json]:
    """Every state's object by its name. The lab is left with a frozen operator."""
    lab.create(UNREADY, {"suspend": False})
    lab.admit()
    with ThreadPoolExecutor(6) as pool:
        begun = {
            item: pool.submit(item.prepare or item.make, lab, item.name)
            for item in STATES
            if item.name != "new"
        }
        found = {item.name: future.result() for item, future in begun.items()}
    lab.signal("operator", signal.SIGSTOP)
    return found | {item.name: item.make(lab, item.name) for item in UNWATCHED}


def answers(tool: str, asked: Any, *arguments: str) -> list[Json]:
    """What one of the Go tools says of each object."""
    command = [str(ensure_tools(tool) / tool), *arguments]
    done = subprocess.run(command, input=json.dumps(asked), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    said: list[Json] = json.loads(done.stdout)
    return said


# --- Argo CD's own form of test cases -------------------------------------------------------------------


def plain(job: Json) -> Json:
    """A copy without what differs from run to run."""
    job = copy.deepcopy(job)
    uid = job["metadata"]["uid"]
    for key in ("managedFields", "resourceVersion"):
        job["metadata"].pop(key, None)
    text = json.dumps(job).replace(uid, "3f0c7a52-6f7e-4a1c-9d3b-6c1f0e7a9b11")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-01T00:00:00Z", text)
    text = re.sub(r"(sj-[0-9a-f-]{36}-p?\d+)-[a-z0-9]{5}\b", r"\1-abcde", text)
    found: Json = json.loads(text)
    return found


class Dumper(yaml.SafeDumper):
    """Quotes `y`, which Argo CD's YAML would read as `true`."""


Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))


def _yaml(data: Any) -> str:
    return str(yaml.dump(data, Dumper=Dumper, sort_keys=False, width=110))


def write_cases(objects: dict[str, Json]) -> None:
    """Write testdata, and the health of each as the script says it now; a person reads the difference."""
    folder = CASES.parent / "testdata"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    jobs = {name: plain(job) for name, job in objects.items()}
    tests = []
    for (name, job), said in zip(
        jobs.items(), answers("argohealth", list(jobs.values()), str(HEALTH)), strict=True
    ):
        (folder / f"{name}.yaml").write_text(_yaml(job))
        tests.append({"healthStatus": said, "inputPath": f"testdata/{name}.yaml"})
    CASES.write_text(_yaml({"tests": tests}))


def config_map() -> str:
    """The customization: everything up to the script is as it stands, the script is `health.lua`."""
    head = CONFIG_MAP.read_text().split(f"  {HEALTH_KEY}:")[0]
    lines = HEALTH.read_text().splitlines()
    return "\n".join([f"{head}  {HEALTH_KEY}: |", *(f"    {line}".rstrip() for line in lines), ""])


def main() -> None:
    """Write Argo CD's test cases from a real API server, and its customization."""
    CONFIG_MAP.write_text(config_map())
    with FlowLab() as lab:
        write_cases(collect(lab))


if __name__ == "__main__":
    main()
