"""The whole control plane of the project on a bare API server, each program with its own account.

Everything that the chart renders is applied, so RBAC, policies and the webhook's configuration are the real
ones; operator, webhook, REST API and S3 server are the real processes. The Job controller makes real pods,
which no kubelet runs: the test plays kubelet (as admin) and worker (with a token bound to the very pod).
"""

import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from builders import make_player, make_preview, make_result, make_target, manifest
from chart import NAMESPACE as SYSTEM
from chart import one, render
from controlplane import ControlPlane, Running, ensure_tools, free_ports
from playerscore import names

Json = dict[str, Any]
NAMESPACE = "scoring"
OPERATOR = f"system:serviceaccount:{SYSTEM}:playerscore-operator"
WORKER = f"system:serviceaccount:{NAMESPACE}:{names.WORKER_ACCOUNT}"
API = f"system:serviceaccount:{SYSTEM}:playerscore-api"
JOBS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.JOB_PLURAL}"
VIDEO = {"uri": f"s3://playerscore/{NAMESPACE}/uploads/match.mp4"}
PATIENCE_SECONDS = 60.0
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Request", "resources": [{"group": names.GROUP}]},
        {"level": "None"},
    ],
}


def apply(plane: ControlPlane, objects: list[Json]) -> None:
    """Apply them all, namespaces and definitions first."""
    first = [item for item in objects if item["kind"] in ("Namespace", "CustomResourceDefinition")]
    if first:
        plane.kubectl("apply", "-f", "-", stdin=_list(first))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
    plane.kubectl("apply", "-f", "-", stdin=_list([item for item in objects if item not in first]))


def _list(items: list[Json]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


@dataclass(frozen=True)
class Program:
    """A running process of the project."""

    name: str
    process: subprocess.Popen[bytes]


class FlowLab(Running):
    """An installed release without nodes, from `__enter__` to `__exit__`; `admit` turns the webhook on."""

    def __init__(self, *, with_api: bool = False) -> None:
        self.with_api = with_api
        self.plane = ControlPlane(controllers=True)
        self.audit_log = self.plane.folder / "audit.log"
        policy = self.plane.folder / "audit-policy.json"
        policy.write_text(json.dumps(AUDIT_POLICY))
        self.plane.apiserver_args = (
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
        )
        self.programs: list[Program] = []
        self.api_url = ""

    def start(self) -> None:
        self.plane.start()
        self.http = httpx.Client(
            base_url=self.plane.url, headers=self.plane.headers(), verify=self._trust(), timeout=20
        )
        self._install()
        self._start_webhook()
        self._start_operator()
        if self.with_api:
            self._start_api()

    def stop(self) -> None:
        for program in self.programs:
            # How they leave is another test's matter; a frozen one would not.
            program.process.kill()
            program.process.wait()
        if hasattr(self, "http"):
            self.http.close()
        self.plane.stop()

    def _trust(self) -> Any:
        return ssl.create_default_context(cafile=str(self.plane.ca))

    # --- installing -------------------------------------------------------------------------------------

    def _install(self) -> None:
        objects = render(values={"jobNamespaces": [{"name": NAMESPACE, "create": True}]})
        self._webhook = [item for item in objects if item["kind"] == "ValidatingWebhookConfiguration"]
        self.plane.kubectl("create", "namespace", SYSTEM)
        listed = one(objects, "ConfigMap", "playerscore-runtimes")["data"]["runtimes.json"]
        (self.plane.folder / "runtimes.json").write_text(listed)
        apply(self.plane, [item for item in objects if item not in self._webhook])

    def _program(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        with (self.plane.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
            )
        self.programs.append(Program(name, process))

    def _start_webhook(self) -> None:
        folder = self.plane.folder / "webhook"
        folder.mkdir()
        # The API server's own certificate is for localhost too.
        for own, theirs in (("ca.crt", "ca.crt"), ("apiserver.crt", "tls.crt"), ("apiserver.key", "tls.key")):
            shutil.copy(self.plane.folder / own, folder / theirs)
        port, metrics = free_ports(2)
        settings = {"PORT": port, "METRICS_PORT": metrics, "HOST": "127.0.0.1", "CERTIFICATE_DIR": folder}
        environment = {f"PLAYERSCORE_WEBHOOK_{key}": str(value) for key, value in settings.items()}
        self._program("webhook", [sys.executable, "-m", "playerscore_webhook"], environment)
        bundle = base64.b64encode(self.plane.ca.read_bytes()).decode()
        client = {"url": f"https://localhost:{port}/validate", "caBundle": bundle}
        for configuration in self._webhook:
            for hook in configuration["webhooks"]:
                hook["clientConfig"] = client
        self.ready(f"http://127.0.0.1:{metrics}/readyz")

    def _start_operator(self) -> None:
        token = self.plane.token(SYSTEM, "playerscore-operator")
        port = free_ports(1)[0]
        settings = {
            "KUBECONFIG": str(self.plane.kubeconfig_for(token, "operator")),
            "PLAYERSCORE_HEALTH_PORT": str(port),
            "PLAYERSCORE_NAMESPACE": SYSTEM,
            "PLAYERSCORE_RUNTIMES_FILE": str(self.plane.folder / "runtimes.json"),
        }
        self._program("operator", [sys.executable, "-m", "playerscore_operator"], settings)

    def _start_api(self) -> None:
        store, port = free_ports(2)
        data, token = self.plane.folder / "store", self.plane.folder / "api-token"
        data.mkdir()
        token.write_text(self.plane.token(SYSTEM, "playerscore-api"))
        keys = {"ROOT_ACCESS_KEY": "key", "ROOT_SECRET_KEY": "secret-of-the-test"}
        program = str(ensure_tools("versitygw") / "versitygw")
        self._program("store", [program, "--port", f"127.0.0.1:{store}", "posix", str(data)], keys)
        own = {
            "PORT": str(port),
            "HOST": "127.0.0.1",
            "NAMESPACE": NAMESPACE,
            "KUBE_URL": self.plane.url,
            "KUBE_CA_FILE": str(self.plane.ca),
            "KUBE_TOKEN_FILE": str(token),
            "STORE_ENDPOINT": f"http://127.0.0.1:{store}",
            "STORE_ACCESS_KEY": "key",
            "STORE_SECRET_KEY": "secret-of-the-test",
        }
        settings = {f"PLAYERSCORE_API_{key}": value for key, value in own.items()}
        self._program("api", [sys.executable, "-m", "playerscore_api"], settings)
        self.api_url = f"http://127.0.0.1:{port}"
        self.ready(f"{self.api_url}/readyz")

    def admit(self) -> None:
        """Register the webhook and wait until the API server asks it."""
        apply(self.plane, self._webhook)
        unready = self.body("unready-probe", {"suspend": False})
        self.until(lambda: "NOT_READY" in self.http.post(f"{JOBS}?dryRun=All", json=unready).text)

    def ready(self, url: str) -> None:
        def answers() -> bool:
            try:
                return httpx.get(url).status_code == 200
            except httpx.HTTPError:
                return False

        self.until(answers)

    def signal(self, name: str, number: int) -> None:
        """SIGSTOP freezes a program, SIGCONT thaws it."""
        next(item for item in self.programs if item.name == name).process.send_signal(number)

    # --- a person ---------------------------------------------------------------------------------------

    def body(self, name: str, spec: Json | None = None, namespace: str = NAMESPACE) -> Json:
        """A ScoringJob's manifest."""
        return {
            "apiVersion": names.API_VERSION,
            "kind": names.JOB_KIND,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"video": VIDEO, **(spec or {})},
        }

    def selected(self, name: str, **target: Any) -> Json:
        """A picked player, and a target that was confirmed on him (or where `target` says)."""
        return {
            "player_ref": manifest(make_player(name=name)),
            "target": manifest(make_target(name=name, **target)),
        }

    def create(self, name: str, spec: Json | None = None, **metadata: Any) -> Json:
        body = self.body(name, spec)
        body["metadata"] |= metadata
        return self._ok(self.http.post(JOBS, json=body))

    def patch(self, name: str, spec: Json) -> Json:
        return self.merge(f"{JOBS}/{name}", {"spec": spec})

    def job(self, name: str) -> Json:
        return self._ok(self.http.get(f"{JOBS}/{name}"))

    def merge(self, path: str, patch: Json) -> Json:
        """A JSON merge patch, as admin."""
        content = {"Content-Type": "application/merge-patch+json"}
        return self._ok(self.http.patch(path, content=json.dumps(patch), headers=content))

    def _ok(self, answer: httpx.Response) -> Json:
        assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
        found: Json = answer.json()
        return found

    # --- kubelet and worker -----------------------------------------------------------------------------

    def child(self, name: str, part: str) -> Json | None:
        """The child Job `sj-<uid>-<part>` of a job, if it is there."""
        uid = self.job(name)["metadata"]["uid"]
        answer = self.http.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/sj-{uid}-{part}")
        return answer.json() if answer.is_success else None

    def pod(self, name: str, part: str) -> str:
        """Wait for the pod that the Job controller made of that child; its name."""
        uid = self.job(name)["metadata"]["uid"]
        query = {"labelSelector": f"job-name=sj-{uid}-{part}"}

        def found() -> str:
            items = self._ok(self.http.get(f"/api/v1/namespaces/{NAMESPACE}/pods", params=query))["items"]
            return str(items[-1]["metadata"]["name"]) if items else ""

        return str(self.until(found))

    def pod_is(self, pod: str, phase: str, state: Json) -> None:
        """Set a pod's status as the kubelet does."""
        container = {
            "name": "analyze",
            "image": "none",
            "imageID": "none",
            "ready": "running" in state,
            "restartCount": 0,
            "state": state,
        }
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/status"
        self.merge(path, {"status": {"phase": phase, "containerStatuses": [container]}})

    def pod_runs(self, name: str, part: str) -> None:
        """The pod's main container runs, and the operator has seen it if it is an attempt's."""
        self.pod_is(self.pod(name, part), "Running", {"running": {"startedAt": "2026-01-01T00:00:00Z"}})

    def pod_ends(self, name: str, part: str, exit_code: int = 0, message: str = "") -> None:
        """The pod's main container ended; the Job controller takes it from there."""
        ended = {"terminated": {"exitCode": exit_code, "message": message}}
        self.pod_is(self.pod(name, part), "Failed" if exit_code else "Succeeded", ended)

    def worker_token(self, pod: str, *audiences: str) -> str:
        """A token of the worker's account bound to that pod, as the kubelet asks for it."""
        spec: Json = {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod}}
        if audiences:
            spec["audiences"] = list(audiences)
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{names.WORKER_ACCOUNT}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self._ok(self.http.post(path, json=body))["status"]["token"])

    def worker_writes(self, name: str, part: str, status: Json) -> None:
        """Patch the status with the token of the worker's pod."""
        token = self.worker_token(self.pod(name, part))
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"}
        body = json.dumps({"status": status})
        self._ok(self.http.patch(f"{JOBS}/{name}/status", content=body, headers=headers))

    def preview_done(self, name: str) -> None:
        """The preview's pod does its work, and the operator sees it."""
        self.worker_writes(name, "p1", {"preview": manifest(make_preview(name=name))})
        self.pod_ends(name, "p1")
        self.until(lambda: self.condition(name, "PreviewReady")[0] == "True")

    def analysis_done(self, name: str, attempt: int = 1) -> None:
        """The attempt's pod writes a result and ends, and the operator seals it."""
        generation = self.job(name)["status"]["run"]["generation"]
        self.worker_writes(name, str(attempt), {"result": manifest(make_result(generation=generation))})
        self.pod_ends(name, str(attempt))
        self.until(lambda: self.step(name) == "COMPLETED")

    # --- looking ----------------------------------------------------------------------------------------

    def step(self, name: str) -> str:
        return str(self.job(name).get("status", {}).get("progress", {}).get("step"))

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        """Status and reason of a condition of the generation that is stored; empty otherwise."""
        job = self.job(name)
        for item in job.get("status", {}).get("conditions", []):
            if item["type"] == kind and item.get("observedGeneration") == job["metadata"]["generation"]:
                return item["status"], item["reason"]
        return "", ""

    def until(self, what: Callable[[], Any]) -> Any:
        """Wait until it is true; says what the operator said when it never is."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if found := what():
                return found
            time.sleep(0.1)
        raise AssertionError(f"never happened; the operator: {self.said('operator')[-3000:]}")

    def said(self, program: str) -> str:
        """What a program has printed so far."""
        path: Path = self.plane.folder / f"{program}.log"
        return path.read_text() if path.exists() else ""
