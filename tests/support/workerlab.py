"""A worker as its pod is one: a token bound to that pod, the chart's policy before it, the reporter's own process."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from chart import one, render
from controlplane import ControlPlane
from faultlab import FaultLab
from gates import running_webhook
from playerscore import names
from playerscore.tasks import TASK_VARIABLE
from playerscore_worker.pod import Pod

Json = dict[str, Any]
NAMESPACE: Final = "default"
POLICY: Final = "playerscore-worker-confinement"
DIRECT: Final = {"video": {"uri": "https://video.example.com/match.mp4"}}
"""A video whose address needs no broker."""
PATIENCE_SECONDS: Final = 60.0
GATE: Final = "faults-selection"


@contextlib.contextmanager
def confined(lab: FaultLab) -> Iterator[None]:
    """The chart's role and policy for workers in `default`, until the end of the block."""
    objects = render(values={"jobNamespaces": [{"name": NAMESPACE}]})
    worker = [
        item
        for item in objects
        if item["metadata"]["name"] == names.WORKER_ACCOUNT and item["kind"] in ("Role", "RoleBinding")
    ]
    policy = [one(objects, "ValidatingAdmissionPolicy", POLICY)]
    binding = [one(objects, "ValidatingAdmissionPolicyBinding", POLICY)]
    _apply(lab.plane, worker + policy + binding)
    try:
        _until_it_counts(lab)
        yield
    finally:
        lab.plane.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", POLICY)


@contextlib.contextmanager
def gated(lab: FaultLab, folder: Path) -> Iterator[None]:
    """The webhook's own process before every change in `default`, until the end of the block."""
    objects = render(values={"jobNamespaces": [{"name": NAMESPACE}]})
    configuration = one(objects, "ValidatingWebhookConfiguration", "playerscore")
    configuration["metadata"] = {"name": GATE}
    with running_webhook(lab.plane, folder) as client:
        for hook in configuration["webhooks"]:
            hook["clientConfig"] = client
        _apply(lab.plane, [configuration])
        unready = {"metadata": {"name": "probe"}, "spec": DIRECT | {"suspend": False}}
        body = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, **unready}
        try:
            lab.until(lambda: "NOT_READY" in lab.http.post(f"{jobs_path()}?dryRun=All", json=body).text)
            yield
        finally:
            lab.plane.kubectl("delete", "validatingwebhookconfiguration", GATE)


def _apply(plane: ControlPlane, items: list[Json]) -> None:
    plane.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def _until_it_counts(lab: FaultLab) -> None:
    """A policy is compiled a moment after it was created: until then a worker without a pod may write."""
    lab.post_job("policy-probe", {"managedBy": "example.com/nobody"})
    bare = lab.plane.token(NAMESPACE, names.WORKER_ACCOUNT)

    def refused() -> bool:
        answer = write(lab, "policy-probe", bare, {"progress": {"percent": 1}})
        return answer.status_code == 403 and POLICY in answer.text

    lab.until(refused)
    lab.plane.kubectl("delete", "scoringjob", "policy-probe")


def jobs_path() -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.JOB_PLURAL}"


def token(lab: FaultLab, pod: str) -> str:
    """The token that the kubelet gives a worker's pod."""
    return lab.plane.token(NAMESPACE, names.WORKER_ACCOUNT, pod=pod)


def write(lab: FaultLab, name: str, bearer: str, status: Json) -> httpx.Response:
    """A worker's write, as the reporter sends it."""
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/merge-patch+json"}
    content = json.dumps({"status": status})
    return lab.http.patch(f"{jobs_path()}/{name}/status", content=content, headers=headers)


def task_of(lab: FaultLab, job: str) -> str:
    """The task in a child Job, as its containers get it."""
    containers = lab.get("job", job)["spec"]["template"]["spec"]["containers"]
    return str(next(item["value"] for item in containers[0]["env"] if item["name"] == TASK_VARIABLE))


class Reporter:
    """The sidecar's process for one pod, and the folder that it watches; the test plays the other containers."""

    def __init__(
        self,
        plane: ControlPlane,
        task: str,
        bearer: str,
        folder: Path,
        *,
        kube_url: str = "",
        api_url: str = "http://127.0.0.1:9",
        api_bearer: str = "",
    ) -> None:
        self.files = Pod(folder / "work", folder / "termination-log")
        self.files.out.mkdir(parents=True)
        (folder / "kube").write_text(bearer + "\n")
        (folder / "api").write_text((api_bearer or bearer) + "\n")
        settings = {
            TASK_VARIABLE: task,
            "PLAYERSCORE_WORK": str(self.files.folder),
            "PLAYERSCORE_TERMINATION_LOG": str(self.files.termination),
            "PLAYERSCORE_API_URL": api_url,
            "PLAYERSCORE_KUBE_URL": kube_url or plane.url,
            "PLAYERSCORE_KUBE_CA_FILE": str(plane.ca),
            "PLAYERSCORE_KUBE_TOKEN_FILE": str(folder / "kube"),
            "PLAYERSCORE_API_TOKEN_FILE": str(folder / "api"),
        }
        self._log = folder / "report.log"
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "playerscore_worker", "report"]
            self.process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)

    def said(self, word: str) -> bool:
        return word in self._log.read_text()

    def until_said(self, word: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.said(word):
            assert time.monotonic() < end, (
                f"the reporter never said {word!r}: {self._log.read_text()[-2000:]}"
            )
            time.sleep(0.1)

    def stop(self) -> int:
        """What the kubelet does after the last container has ended; the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
