"""The REST API's own process on a real API server and a real S3 server, with real ServiceAccount tokens."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from builders import make_preview, manifest
from controlplane import ControlPlane, ensure_tools, free_ports
from playerscore import names
from playerscore.listening import authority

Json = dict[str, Any]
SPEC = {"video": {"uri": "s3://playerscore/default/uploads/match.mp4"}}
EDITOR = ["get", "list", "watch", "create", "patch", "delete"]
READY_SECONDS = 90


class Lab:
    """API server, S3 server and API; a person who may edit, and one who may not."""

    def __init__(self, plane: ControlPlane, folder: Path, s3: int, url: str) -> None:
        self.plane = plane
        self.folder = folder
        self.url = url
        self.token_file = folder / "token"
        self.s3 = s3
        self.clients: list[httpx.Client] = []
        self.editor_token = self.person("editor", EDITOR)
        self.editor = self.client(self.editor_token)
        self.stranger = self.client(self.person("stranger", []))

    def person(self, name: str, verbs: list[str], namespace: str = "default") -> str:
        """A token of a new account that may do this with ScoringJobs."""
        self.plane.kubectl("-n", namespace, "create", "serviceaccount", name)
        if verbs:
            allowed = [f"--verb={','.join(verbs)}", "--resource=scoringjobs.playerscore.dev"]
            bound = [f"--role={name}", f"--serviceaccount={namespace}:{name}"]
            self.plane.kubectl("-n", namespace, "create", "role", name, *allowed)
            self.plane.kubectl("-n", namespace, "create", "rolebinding", name, *bound)
        return self.plane.token(namespace, name)

    def client(self, token: str, url: str | None = None) -> httpx.Client:
        """A client with that token."""
        headers = {"Authorization": f"Bearer {token}"}
        made = httpx.Client(base_url=url or self.url, headers=headers, timeout=20)
        self.clients.append(made)
        return made

    def status(self, name: str, status: Json) -> None:
        """Write a status, as worker and operator do."""
        patch = json.dumps({"status": status})
        self.plane.kubectl("patch", "scoringjob", name, "--subresource=status", "--type=merge", "-p", patch)

    def created(self, name: str, preview: bool = True) -> str:
        """Create a job through the API, give it a preview as a worker does; returns its uid."""
        answer = self.editor.post("/jobs", json={"id": name, **SPEC})
        assert answer.status_code == 201, answer.text
        if preview:
            self.status(name, {"preview": manifest(make_preview(name=name))})
        return self.plane.kubectl("get", "scoringjob", name, "-o", "jsonpath={.metadata.uid}")

    def stored(self, name: str) -> Json:
        """The object as it is stored."""
        found: Json = json.loads(self.plane.kubectl("get", "scoringjob", name, "-o", "json"))
        return found

    def pod_token(self, pod: str) -> str:
        """A token for the broker, bound to a pod of that name."""
        container = {"name": "c", "image": "none"}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod},
            "spec": {"serviceAccountName": "playerscore-worker", "containers": [container]},
        }
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        bound = ["--bound-object-kind=Pod", f"--bound-object-name={pod}", f"--audience={names.API_AUDIENCE}"]
        return self.plane.kubectl("create", "token", "playerscore-worker", *bound).strip()

    @contextlib.contextmanager
    def another(self, **settings: str) -> Iterator[str]:
        """The address of another replica, with other settings."""
        with running_api(self.plane, self.folder, self.s3, **settings) as (url, _):
            yield url

    def close(self) -> None:
        """Close every client."""
        for client in self.clients:
            client.close()


@contextlib.contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Start everything; about 6 s."""
    with ControlPlane() as plane, running_store(folder) as s3:
        plane.install_crds("scoringjobs")
        plane.kubectl("create", "serviceaccount", "playerscore-worker")
        (folder / "token").write_text(plane.admin_token)
        with running_api(plane, folder, s3) as (url, _):
            lab = Lab(plane, folder, s3, url)
            try:
                yield lab
            finally:
                lab.close()


@contextlib.contextmanager
def running_store(folder: Path) -> Iterator[int]:
    """The embedded S3 server; its port."""
    (port,) = free_ports(1)
    program = ensure_tools("versitygw") / "versitygw"
    (folder / "data").mkdir()
    secret = {"ROOT_ACCESS_KEY": "key", "ROOT_SECRET_KEY": "secret-of-the-test", "PATH": os.environ["PATH"]}
    command = [str(program), "--port", f"127.0.0.1:{port}", "posix", str(folder / "data")]
    process = subprocess.Popen(command, env=secret, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(25)


@contextlib.contextmanager
def running_api(
    plane: ControlPlane, folder: Path, s3: int, **settings: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The API's address, once it is ready, and its process."""
    (port,) = free_ports(1)
    own = {
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "KUBE_URL": plane.url,
        "KUBE_CA_FILE": str(plane.ca),
        "KUBE_TOKEN_FILE": str(folder / "token"),
        "STORE_ENDPOINT": f"http://127.0.0.1:{s3}",
        "STORE_ACCESS_KEY": "key",
        "STORE_SECRET_KEY": "secret-of-the-test",
        "LOG_LEVEL": "warning",
        **settings,
    }
    environment = {**os.environ, **{f"PLAYERSCORE_API_{key}": value for key, value in own.items()}}
    process = subprocess.Popen([sys.executable, "-m", "playerscore_api"], env=environment)
    url = f"http://{authority(own['HOST'] or '127.0.0.1', int(own['PORT']))}"
    try:
        until_ready(url)
        yield url, process
    finally:
        process.terminate()
        process.wait(25)


def until_ready(url: str) -> None:
    """Wait for /readyz."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the API did not become ready")


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["error"]["code"]


def box(value: Any) -> Json:
    """A box as JSON."""
    return {"x": value.x, "y": value.y, "w": value.w, "h": value.h}
