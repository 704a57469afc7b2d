"""The real operator process beside a real API server with the real Job controller; the test plays kubelet and worker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from builders import make_player, make_preview, make_result, make_runtime, make_target, manifest
from controlplane import ControlPlane, free_ports

Json = dict[str, Any]
PATIENCE_SECONDS = 90.0
VIDEO = {"video": {"uri": "s3://playerscore/default/uploads/match.mp4"}}


class Lab:
    """An API server with the CRDs, a runtime and a prepared namespace, and an operator beside it."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.operators: list[subprocess.Popen[bytes]] = []
        self.log = plane.folder / "operator.log"

    def prepare(self) -> None:
        """What an installed chart and a prepared namespace hold."""
        self.plane.install_crds()
        self.runtime()
        self.plane.kubectl("create", "serviceaccount", "playerscore-worker", "-n", "default")

    def runtime(self, name: str = "cpu", **changes: Any) -> None:
        """Apply a runtime; `cpu` is the default one."""
        body = manifest(make_runtime(name=name, **changes))
        if name == "cpu":
            body["metadata"]["annotations"] = {"playerscore.dev/is-default-runtime": "true"}
        self.apply(body)

    def start_operator(self, identity: str = "one", **more: str) -> int:
        """Start one more operator process; returns its health port."""
        port = free_ports(1)[0]
        settings = {
            "KUBECONFIG": str(self.plane.kubeconfig),
            "PLAYERSCORE_HEALTH_PORT": str(port),
            "PLAYERSCORE_NAMESPACE": "default",
            "PLAYERSCORE_IDENTITY": identity,
            "PLAYERSCORE_RETRY_SECONDS": "1",
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "playerscore_operator"],
                env={**os.environ, **settings, **more},
                stdout=log,
                stderr=log,
            )
        self.operators.append(process)
        return port

    def stop_operator(self, number: int = signal.SIGTERM) -> int:
        """End the newest operator process; its exit code."""
        process = self.operators.pop()
        process.send_signal(number)
        return process.wait(15)

    def stop(self) -> None:
        """End every operator process that still runs."""
        while self.operators:
            process = self.operators.pop()
            process.kill()
            process.wait()

    def apply(self, body: Json) -> None:
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def get(self, kind: str, name: str) -> Json:
        found = self.plane.kubectl("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(found) if found else {}

    def items(self, kind: str, selector: str = "") -> list[Json]:
        found = self.plane.kubectl("get", kind, "-l", selector, "-o", "json")
        items: list[Json] = json.loads(found)["items"]
        return items

    def create_job(self, name: str, spec: Json | None = None) -> str:
        """Create a ScoringJob and return its uid."""
        body = {
            "apiVersion": "playerscore.dev/v1alpha1",
            "kind": "ScoringJob",
            "metadata": {"name": name},
            "spec": VIDEO | (spec or {}),
        }
        self.apply(body)
        return str(self.get("scoringjob", name)["metadata"]["uid"])

    def patch(self, name: str, spec: Json) -> None:
        self.plane.kubectl("patch", "scoringjob", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def worker_writes(self, name: str, status: Json) -> None:
        self._patch_status("scoringjob", name, status)

    def _patch_status(self, kind: str, name: str, status: Json) -> None:
        patch = json.dumps({"status": status})
        self.plane.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)

    # --- the kubelet's part ------------------------------------------------------------------------------

    def pod_of(self, job: str) -> str:
        """The name of the newest pod that the Job controller made for a child Job."""
        found = self.until(lambda: self.items("pods", f"job-name={job}"))
        return str(max(found, key=lambda pod: pod["metadata"]["creationTimestamp"])["metadata"]["name"])

    def pod_runs(self, job: str, node: str = "node-1") -> str:
        """Bind the pod and let its main container run."""
        name = self.pod_of(job)
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        path = f"/api/v1/namespaces/default/pods/{name}/binding"
        self.plane.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(binding))
        self._patch_status("pod", name, pod_status("Running", {"analyze": {"running": {}}}))
        return name

    def pod_ends(self, job: str, code: int = 0, message: str = "", container: str = "analyze") -> None:
        """End the pod; the Job controller draws the conclusion."""
        state = {"terminated": {"exitCode": code, "message": message}}
        phase = "Failed" if code else "Succeeded"
        self._patch_status("pod", self.pod_of(job), pod_status(phase, {container: state}))

    def pod_waits(self, job: str, reason: str, message: str) -> None:
        """The kubelet cannot start the container."""
        state = {"waiting": {"reason": reason, "message": message}}
        self._patch_status("pod", self.pod_of(job), pod_status("Pending", {"analyze": state}))

    def pod_goes(self, name: str) -> None:
        """A terminating pod is gone, as when its kubelet says so."""
        self.plane.kubectl("delete", "pod", name, "--force", "--grace-period=0", "--ignore-not-found")

    # --- looking -----------------------------------------------------------------------------------------

    def until(self, what: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait until it is true; says what the operator said when it never is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := what():
                return found
            time.sleep(0.1)
        raise AssertionError(f"never happened; the operator: {self.log.read_text()[-3000:]}")

    def step(self, name: str) -> str:
        return str(self.get("scoringjob", name).get("status", {}).get("progress", {}).get("step"))

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        found = self.conditions(name).get(kind, {})
        return found.get("status", ""), found.get("reason", "")

    def conditions(self, name: str) -> dict[str, Json]:
        found = self.get("scoringjob", name).get("status", {}).get("conditions", [])
        return {item["type"]: item for item in found}

    def settle(self) -> None:
        """Time in which a wrong action would show."""
        time.sleep(1.5)

    def preview_done(self, name: str, uid: str) -> None:
        """The preview's pod does its work."""
        self.pod_runs(f"sj-{uid}-p1")
        self.worker_writes(name, {"preview": manifest(make_preview(name=name))})
        self.pod_ends(f"sj-{uid}-p1")
        self.until(lambda: self.condition(name, "PreviewReady")[0] == "True")

    def attempt_done(self, name: str, uid: str, attempt: int = 1) -> None:
        """The attempt's pod reports a result of the generation that it was started for, and ends."""
        generation = self.get("scoringjob", name)["status"]["run"]["generation"]
        self.worker_writes(name, {"result": manifest(make_result(generation=generation))})
        self.pod_ends(f"sj-{uid}-{attempt}")

    def selected(self, name: str, **target: Any) -> Json:
        return {
            "player_ref": manifest(make_player(name=name)),
            "target": manifest(make_target(name=name, **target)),
        }

    def ready(self, name: str) -> Json:
        """A spec that is enqueued and needs no preview."""
        return self.selected(name) | {"suspend": False, "preview": {"disabled": True}}


def pod_status(phase: str, containers: Json) -> Json:
    """The status that a kubelet writes, by the containers' states."""
    statuses = [
        {"name": name, "image": "none", "imageID": "none", "ready": False, "restartCount": 0, "state": state}
        for name, state in containers.items()
        if name != "fetch"
    ]
    fetched = [
        {"name": name, "image": "none", "imageID": "none", "ready": False, "restartCount": 0, "state": state}
        for name, state in containers.items()
        if name == "fetch"
    ]
    return {"phase": phase, "containerStatuses": statuses, "initContainerStatuses": fetched}


def end_of(job: Json, children: list[Json]) -> Json:
    """What an observer finds at a job's end, but for names and times; `children` are its Jobs."""
    status, uid = job["status"], job["metadata"]["uid"]
    return {
        "step": status["progress"]["step"],
        "attempt": status["run"]["attempt"],
        "failures": status["run"].get("failures"),
        "score": status["result"]["overallScore"],
        "conditions": {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]},
        "jobs": sorted(item["metadata"]["name"].removeprefix(f"sj-{uid}") for item in children),
    }
