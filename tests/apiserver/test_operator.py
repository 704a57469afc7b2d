"""The real operator process against a real API server; the test plays the kubelet and the worker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from builders import ELSEWHERE, make_player, make_preview, make_result, make_runtime, make_target, manifest
from controlplane import ControlPlane, free_ports

Json = dict[str, Any]
PATIENCE_SECONDS = 20.0


class Lab:
    """An API server with the CRDs, a runtime and a prepared namespace, and the operator beside it."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.operator: subprocess.Popen[bytes] | None = None
        self.log = plane.folder / "operator.log"

    def start_operator(self) -> None:
        settings = {
            "KUBECONFIG": str(self.plane.kubeconfig),
            "PLAYERSCORE_HEALTH_PORT": str(free_ports(1)[0]),
            "PLAYERSCORE_NAMESPACE": "default",
            "PLAYERSCORE_RETRY_SECONDS": "1",
        }
        with self.log.open("ab") as log:
            self.operator = subprocess.Popen(
                [sys.executable, "-m", "playerscore_operator"],
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
            )

    def stop_operator(self, number: int = signal.SIGTERM) -> int:
        assert self.operator is not None
        self.operator.send_signal(number)
        return self.operator.wait(15)

    def apply(self, body: Json) -> None:
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def get(self, kind: str, name: str) -> Json:
        found = self.plane.kubectl("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(found) if found else {}

    def create_job(self, name: str, spec: Json | None = None) -> str:
        """Create a ScoringJob and return its uid."""
        video = {"video": {"uri": "s3://playerscore/default/uploads/match.mp4"}}
        body = {
            "apiVersion": "playerscore.dev/v1alpha1",
            "kind": "ScoringJob",
            "metadata": {"name": name},
            "spec": video | (spec or {}),
        }
        self.apply(body)
        return str(self.get("scoringjob", name)["metadata"]["uid"])

    def patch(self, name: str, spec: Json) -> None:
        self.plane.kubectl("patch", "scoringjob", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def worker_writes(self, name: str, status: Json) -> None:
        patch = json.dumps({"status": status})
        self.plane.kubectl("patch", "scoringjob", name, "--subresource=status", "--type=merge", "-p", patch)

    def job_ends(self, name: str, kind: str) -> None:
        """Set a child Job's status as the Job controller does."""
        stamp = "2026-01-01T00:00:00Z"
        status: Json = {"startTime": stamp, "conditions": [{"type": kind, "status": "True"}]}
        if kind == "Complete":
            status |= {"completionTime": stamp, "succeeded": 1}
            status["conditions"].insert(0, {"type": "SuccessCriteriaMet", "status": "True"})
        else:
            status["conditions"].insert(0, {"type": "FailureTarget", "status": "True"})
        self.plane.kubectl(
            "patch", "job", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
        )

    def until(self, what: Callable[[], Any]) -> Any:
        """Wait until it is true; says what the operator said when it never is."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if found := what():
                return found
            time.sleep(0.1)
        raise AssertionError(f"never happened; the operator: {self.log.read_text()[-3000:]}")

    def step(self, name: str) -> str:
        return str(self.get("scoringjob", name).get("status", {}).get("progress", {}).get("step"))

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        found = self.get("scoringjob", name).get("status", {}).get("conditions", [])
        return next(((item["status"], item["reason"]) for item in found if item["type"] == kind), ("", ""))

    def settle(self) -> None:
        """Time in which a wrong action would show."""
        time.sleep(1.5)

    def preview_done(self, name: str, uid: str) -> None:
        """The preview's pod does its work."""
        self.until(lambda: self.get("job", f"sj-{uid}-p1"))
        self.worker_writes(name, {"preview": manifest(make_preview(name=name))})
        self.job_ends(f"sj-{uid}-p1", "Complete")
        self.until(lambda: self.condition(name, "PreviewReady")[0] == "True")

    def selected(self, name: str, **target: Any) -> Json:
        return {
            "player_ref": manifest(make_player(name=name)),
            "target": manifest(make_target(name=name, **target)),
        }


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with ControlPlane() as plane:
        found = Lab(plane)
        plane.install_crds()
        runtime = manifest(make_runtime())
        runtime["metadata"]["annotations"] = {"playerscore.dev/is-default-runtime": "true"}
        found.apply(runtime)
        plane.kubectl("create", "serviceaccount", "playerscore-worker", "-n", "default")
        found.start_operator()
        yield found
        found.stop_operator()


def test_a_whole_job_from_draft_to_sealed_result(lab: Lab) -> None:
    uid = lab.create_job("whole")
    lab.until(lambda: lab.step("whole") == "EXTRACTING_PREVIEW")
    lab.preview_done("whole", uid)

    assert lab.step("whole") == "WAITING_FOR_PLAYER"

    lab.patch("whole", lab.selected("whole"))
    lab.until(lambda: lab.step("whole") == "READY_TO_ENQUEUE")

    assert lab.get("job", f"sj-{uid}-1") == {}

    lab.patch("whole", {"suspend": False})
    lab.until(lambda: lab.get("job", f"sj-{uid}-1"))
    generation = lab.get("scoringjob", "whole")["status"]["run"]["generation"]
    lab.worker_writes("whole", {"result": manifest(make_result(generation=generation))})
    lab.job_ends(f"sj-{uid}-1", "Complete")
    lab.until(lambda: lab.step("whole") == "COMPLETED")

    job = lab.get("scoringjob", "whole")
    assert lab.condition("whole", "Succeeded") == ("True", "Completed")
    assert job["status"]["observedGeneration"] == job["metadata"]["generation"]
    assert job["status"]["progress"]["percent"] == 100


def test_a_finished_job_never_runs_again_even_without_its_child(lab: Lab) -> None:
    uid = lab.get("scoringjob", "whole")["metadata"]["uid"]
    lab.plane.kubectl("delete", "job", f"sj-{uid}-1", "--cascade=background", "--wait=false")
    lab.until(lambda: lab.get("job", f"sj-{uid}-1") == {})
    lab.plane.kubectl("annotate", "scoringjob", "whole", "touched=yes")
    lab.settle()

    assert lab.get("job", f"sj-{uid}-1") == {}
    assert lab.get("job", f"sj-{uid}-2") == {}
    assert lab.step("whole") == "COMPLETED"


def test_an_incoherent_job_gets_no_pod_and_says_why(lab: Lab) -> None:
    uid = lab.create_job("wrong", lab.selected("wrong", box=ELSEWHERE) | {"suspend": False})
    lab.preview_done("wrong", uid)
    lab.until(lambda: lab.condition("wrong", "Admitted") == ("False", "TARGET_MISMATCH"))
    lab.settle()

    assert lab.get("job", f"sj-{uid}-1") == {}
    assert lab.condition("wrong", "Stalled") == ("True", "TARGET_MISMATCH")
    assert lab.step("wrong") == "WAITING_FOR_TARGET_CONFIRMATION"

    lab.patch("wrong", {"target": {"force": True}})

    lab.until(lambda: lab.get("job", f"sj-{uid}-1"))


def test_a_manifest_with_everything_in_it_starts_only_after_its_preview(lab: Lab) -> None:
    uid = lab.create_job("gitops", lab.selected("gitops") | {"suspend": False})
    lab.until(lambda: lab.get("job", f"sj-{uid}-p1"))
    lab.settle()

    assert lab.get("job", f"sj-{uid}-1") == {}

    lab.preview_done("gitops", uid)

    lab.until(lambda: lab.get("job", f"sj-{uid}-1"))


def test_a_pause_stops_the_attempt_and_resuming_starts_another(lab: Lab) -> None:
    uid = lab.get("scoringjob", "gitops")["metadata"]["uid"]
    lab.patch("gitops", {"suspend": True})
    lab.until(lambda: lab.get("job", f"sj-{uid}-1") == {})
    lab.until(lambda: lab.condition("gitops", "Running")[1] == "Suspended")

    assert lab.step("gitops") == "READY_TO_ENQUEUE"

    lab.patch("gitops", {"suspend": False})

    lab.until(lambda: lab.get("job", f"sj-{uid}-2"))


def test_a_restart_of_the_operator_changes_nothing(lab: Lab) -> None:
    uid = lab.get("scoringjob", "gitops")["metadata"]["uid"]
    before = lab.get("scoringjob", "gitops")["status"]
    child = lab.get("job", f"sj-{uid}-2")["metadata"]["uid"]

    assert lab.stop_operator() == 0

    lab.start_operator()
    lab.until(lambda: lab.log.read_text().count('"leading"') >= 2)
    lab.settle()

    assert lab.get("scoringjob", "gitops")["status"] == before
    assert lab.get("job", f"sj-{uid}-2")["metadata"]["uid"] == child
    assert lab.get("job", f"sj-{uid}-3") == {}


def test_bad_input_found_by_the_preview_fails_the_job_with_the_workers_words(lab: Lab) -> None:
    uid = lab.create_job("bad")
    name = f"sj-{uid}-p1"
    lab.until(lambda: lab.get("job", name))
    lab.apply(_failed_pod(uid, name, "bad"))
    terminated = {"exitCode": 42, "message": '{"code": "VIDEO_NOT_A_VIDEO", "message": "no video here"}'}
    status = {"phase": "Failed", "initContainerStatuses": [_ended("fetch", terminated)]}
    lab.plane.kubectl(
        "patch",
        "pod",
        f"{name}-x",
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps({"status": status}),
    )
    lab.job_ends(name, "Failed")
    lab.until(lambda: lab.step("bad") == "FAILED")

    assert lab.condition("bad", "Succeeded") == ("False", "VIDEO_NOT_A_VIDEO")
    assert lab.condition("bad", "Stalled") == ("True", "VIDEO_NOT_A_VIDEO")
    assert lab.get("job", f"sj-{uid}-p2") == {}


def test_an_unprepared_namespace_is_told_on_the_job(lab: Lab) -> None:
    lab.plane.kubectl("create", "namespace", "elsewhere")
    body = {
        "apiVersion": "playerscore.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": "lost", "namespace": "elsewhere"},
        "spec": {"video": {"uri": "s3://playerscore/elsewhere/uploads/match.mp4"}},
    }
    lab.apply(body)

    def reason() -> str:
        path = '{.status.conditions[?(@.type=="PreviewReady")].reason}'
        return lab.plane.kubectl("get", "scoringjob", "lost", "-n", "elsewhere", "-o", f"jsonpath={path}")

    lab.until(lambda: reason() == "NamespaceNotPrepared")


def test_a_deleted_job_needs_no_operator(lab: Lab) -> None:
    lab.stop_operator()
    lab.plane.kubectl("delete", "scoringjob", "wrong", "--timeout=5s")

    assert lab.get("scoringjob", "wrong") == {}

    lab.start_operator()


def _failed_pod(uid: str, job_name: str, owner: str) -> Json:
    labels = {"playerscore.dev/uid": uid, "playerscore.dev/job": owner, "job-name": job_name}
    container = {"name": "analyze", "image": "none"}
    spec = {"containers": [container], "initContainers": [{"name": "fetch", "image": "none"}]}
    metadata = {"name": f"{job_name}-x", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _ended(name: str, terminated: Json) -> Json:
    return {
        "name": name,
        "image": "none",
        "imageID": "none",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": terminated},
    }
