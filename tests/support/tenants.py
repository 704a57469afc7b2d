"""Two tenants of one release: the chart's own accounts and roles on a real API server, the real store and API.

The API runs with the rights of the account that the chart gives it, the store with the arguments of the chart's
container. There is no kubelet: a test makes a worker's pod itself and asks for its token, as the kubelet does.
"""

import contextlib
import json
import os
import re
import secrets
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import botocore.session
import httpx
from botocore.config import Config

from apilab import running_api
from builders import make_artifacts, make_preview, make_runtime, manifest
from chart import NAMESPACE as SYSTEM
from chart import one, render
from controlplane import ControlPlane, ensure_tools, free_ports
from playerscore import names

Json = dict[str, Any]
BUCKET = "playerscore"
KEYS = ("key", "secret-of-the-test")
NAMESPACES = ("tenant-a", "tenant-b")
JPEG = b"\xff\xd8 a picture of "


class PodToken(NamedTuple):
    """A worker's pod and its token."""

    pod: str
    token: str


class Release:
    """An installed release without nodes."""

    def __init__(self, plane: ControlPlane, folder: Path, store_port: int) -> None:
        self.plane = plane
        self.folder = folder
        self.store_port = store_port
        self.kube = httpx.Client(
            base_url=plane.url,
            headers=plane.headers(),
            verify=ssl.create_default_context(cafile=str(plane.ca)),
            timeout=20,
        )
        self.store = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.store_url,
            region_name="us-east-1",
            aws_access_key_id=KEYS[0],
            aws_secret_access_key=KEYS[1],
            config=Config(s3={"addressing_style": "path"}),
        )
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[httpx.Client] = []

    @property
    def store_url(self) -> str:
        return f"http://127.0.0.1:{self.store_port}"

    @property
    def public_url(self) -> str:
        """The same store by another name, as people reach it."""
        return f"http://localhost:{self.store_port}"

    # --- Kubernetes -------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        """One request as admin. Raises AssertionError."""
        content = None if body is None else json.dumps(body)
        answer = self.kube.request(
            method, path, content=content, headers={"Content-Type": "application/json", **headers}
        )
        assert answer.is_success, f"{method} {path}: {answer.text}"
        found: Json = answer.json()
        return found

    def account(self, namespace: str, name: str, **bound: Any) -> str:
        """A token of an account; `audiences` and `boundObjectRef` as in a TokenRequest."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": bound}
        return str(self.ask("POST", path, body)["status"]["token"])

    def person(self, namespace: str, name: str, rules: list[Json] | None = None) -> str:
        """A token of a new account in that namespace: an editor, or who may do just that."""
        plane = self.plane
        plane.kubectl("-n", namespace, "create", "serviceaccount", name)
        role = ["--clusterrole=playerscore-editor"]
        if rules is not None:
            body = {"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "rules": rules}
            self.ask(
                "POST",
                f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
                body | {"metadata": {"name": name}},
            )
            role = [f"--role={name}"]
        subject = f"--serviceaccount={namespace}:{name}"
        plane.kubectl("-n", namespace, "create", "rolebinding", name, *role, subject)
        return self.account(namespace, name)

    def jobs_path(self, namespace: str) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.JOB_PLURAL}"

    def create_job(self, namespace: str, name: str, uri: str | None = None, **spec: Any) -> str:
        """Create a ScoringJob; its uid."""
        video = {"uri": uri or f"s3://{BUCKET}/{namespace}/uploads/match.mp4"}
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.JOB_KIND,
            "metadata": {"name": name},
            "spec": {"video": video, **spec},
        }
        return str(self.ask("POST", self.jobs_path(namespace), body)["metadata"]["uid"])

    def delete_job(self, namespace: str, name: str) -> None:
        self.ask("DELETE", f"{self.jobs_path(namespace)}/{name}")

    def status(self, namespace: str, name: str, status: Json) -> None:
        """Write a status, as operator and worker do."""
        path = f"{self.jobs_path(namespace)}/{name}/status"
        self.ask("PATCH", path, {"status": status}, **{"Content-Type": "application/merge-patch+json"})

    def attempt(
        self, namespace: str, name: str, preview: int | None = None, analysis: int | None = None
    ) -> None:
        """What the operator writes before it starts one."""
        self.status(namespace, name, {"run": {"previewAttempt": preview, "attempt": analysis}})

    def pod(self, namespace: str, name: str, account: str = names.WORKER_ACCOUNT, **request: Any) -> PodToken:
        """Make a pod, and the token that is bound to it."""
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "serviceAccountName": account,
                "automountServiceAccountToken": False,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "c",
                        "image": "none",
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        }
        made = self.ask("POST", f"/api/v1/namespaces/{namespace}/pods", body)
        bound = {"kind": "Pod", "apiVersion": "v1", "name": name, "uid": made["metadata"]["uid"]}
        asked = {"audiences": [names.API_AUDIENCE], "boundObjectRef": bound} | request
        return PodToken(name, self.account(namespace, account, **asked))

    def delete_pod(self, namespace: str, name: str, **options: Any) -> None:
        self.ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", options or None)

    # --- the API ----------------------------------------------------------------------------------------

    def client(self, token: str | None, url: str | None = None) -> httpx.Client:
        """A client of the API with that token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.Client(base_url=url or self.url, headers=headers, timeout=30)
        self._clients.append(made)
        return made

    @contextlib.contextmanager
    def running_api(self, **settings: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        """A replica's address and process, with the chart's account and other settings."""
        with running_api(self.plane, self.folder, self.store_port, **settings) as running:
            yield running

    def keys(self, prefix: str = "") -> list[str]:
        """Every object below that prefix."""
        pages = self.store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def unfinished(self, prefix: str = "") -> list[str]:
        """Uploads in parts that are not completed."""
        found = self.store.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for item in found.get("Uploads", [])]

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.kube.close()
        self.store.close()


class Tenant:
    """A namespace with its editor, and one job that has everything: a frame, an artifact, a running attempt."""

    def __init__(self, release: Release, namespace: str) -> None:
        self.release = release
        self.namespace = namespace
        self.account = f"editor-{secrets.token_hex(3)}"
        self.token = release.person(namespace, self.account)
        self.editor = release.client(self.token)
        self.editor.params = {"namespace": namespace}

    def analysed(self, name: str) -> tuple[str, PodToken]:
        """A job whose preview and artifact are stored; its uid and the pod of its running attempt."""
        release, namespace = self.release, self.namespace
        uid = release.create_job(namespace, name)
        release.attempt(namespace, name, preview=1)
        preview = self.worker(name, release.pod(namespace, f"sj-{uid}-p1-abcde"))
        assert preview.put("frames/1", content=JPEG + name.encode() + namespace.encode()).is_success
        release.status(namespace, name, {"preview": manifest(make_preview(name=name))})
        release.attempt(namespace, name, preview=1, analysis=2)
        running = release.pod(namespace, f"sj-{uid}-2-abcde")
        stored = self.worker(name, running).put("artifacts/radar.png", content=f"{namespace} {name}".encode())
        assert stored.is_success, stored.text
        return uid, running

    @contextlib.contextmanager
    def listed(self, name: str) -> Iterator[None]:
        """While its status lists the artifact of a job that `analysed` made, people are given it; pods add none."""
        self.release.status(self.namespace, name, {"artifacts": [manifest(*make_artifacts("radar.png"))]})
        yield
        self.release.status(self.namespace, name, {"artifacts": None})

    def worker(self, name: str, token: PodToken | str, namespace: str | None = None) -> httpx.Client:
        """A client with a pod's token, at the broker's address of that job."""
        chosen = token if isinstance(token, str) else token.token
        where = f"/worker/jobs/{namespace or self.namespace}/{name}/"
        return self.release.client(chosen, self.release.url + where)

    def upload(self, content: bytes, filename: str = "match.mp4", client: httpx.Client | None = None) -> str:
        """Store a video through the API; its uri."""
        sender = client or self.editor
        query = {"namespace": self.namespace}
        asked = {"filename": filename, "bytes": len(content)}
        offer = sender.post("/uploads", params=query, json=asked).json()
        stored = sender.put(offer["upload"]["url"], content=content)
        assert stored.is_success, stored.text
        return str(offer["uri"])


@contextlib.contextmanager
def installed(folder: Path, *, controllers: bool = False) -> Iterator[tuple[Release, list[Json]]]:
    """The release without its programs, and what the chart rendered; about 6 s."""
    objects = render(values={"jobNamespaces": [{"name": name, "create": True} for name in NAMESPACES]})
    # Nobody answers for the webhook here: tests/apiserver/test_webhook.py has it.
    objects = [item for item in objects if item["kind"] != "ValidatingWebhookConfiguration"]
    with ControlPlane(controllers=controllers) as plane, chart_store(folder, objects) as port:
        plane.kubectl("create", "namespace", SYSTEM)
        first = [item for item in objects if item["kind"] in ("Namespace", "CustomResourceDefinition")]
        # As the operator applies them.
        runtimes = json.loads(one(objects, "ConfigMap", "playerscore-runtimes")["data"]["runtimes.json"])
        for items in (first, [item for item in objects if item not in first], runtimes):
            body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
            plane.kubectl("apply", "-f", "-", stdin=body)
            plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
        release = Release(plane, folder, port)
        try:
            yield release, objects
        finally:
            release.close()


@contextlib.contextmanager
def running_release(folder: Path) -> Iterator[Release]:
    """The release with its API; about 9 s."""
    with installed(folder) as (release, _):
        (folder / "token").write_text(release.account(SYSTEM, "playerscore-api"))
        with release.running_api() as (release.url, release.process):
            yield release


@contextlib.contextmanager
def chart_store(folder: Path, objects: list[Json]) -> Iterator[int]:
    """The embedded S3 server as the chart starts it; its port."""
    [container] = one(objects, "Deployment", "playerscore-store")["spec"]["template"]["spec"]["containers"]
    data = folder / "store"
    for part in ("metadata", "objects"):
        (data / part).mkdir(parents=True)
    (port,) = free_ports(1)
    arguments = [re.sub("^/data", str(data), str(one_of)) for one_of in container["args"]]
    # Every address, because the tests ask by more than one name.
    arguments[arguments.index(":7070")] = f":{port}"
    variables = {item["name"] for item in container["env"]}
    assert {"ROOT_ACCESS_KEY_ID", "ROOT_SECRET_ACCESS_KEY"} <= variables
    environment = dict(zip(("ROOT_ACCESS_KEY_ID", "ROOT_SECRET_ACCESS_KEY"), KEYS, strict=True))
    process = subprocess.Popen(
        [str(ensure_tools("versitygw") / "versitygw"), *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(25)


def runtime(release: Release, name: str, **changes: Any) -> None:
    """Create a ScoringRuntime."""
    body = manifest(make_runtime(name=name, **changes))
    release.ask("POST", f"/apis/{names.API_VERSION}/{names.RUNTIME_PLURAL}", body)
