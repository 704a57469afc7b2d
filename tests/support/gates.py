"""Every gate that a change of a ScoringJob can pass, each in a namespace of its own on one real API server.

    webhook, policy, both   what the chart renders with that admission.mode, bound to that namespace

The webhook is the project's own process. What the chart renders is changed in two places only: each object
sees its own namespace, and the webhook is called by address, because there is no Service here.
"""

import asyncio
import base64
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import httpx
import yaml

from admissioncases import Case
from controlplane import ROOT, ControlPlane, ensure_tools, free_ports
from playerscore import names

Json = dict[str, Any]

MODES: Final = ("webhook", "policy", "both")
GATE_LABEL: Final = "playerscore.test/gate"
JOBS: Final = f"/apis/{names.API_VERSION}/namespaces/{{}}/{names.JOB_PLURAL}"
IN_FLIGHT: Final = 24
PATIENCE_SECONDS: Final = 30.0
MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    status: int
    body: Json
    warnings: list[str] = field(default_factory=list)


class Client:
    """A raw client of the API server: what is sent is what the case says."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def send(
        self, method: str, path: str, body: Json | None = None, kind: str = "application/json"
    ) -> Answer:
        async with self._http.request(
            method, self._url + path, data=io.BytesIO(json.dumps(body).encode()) if body is not None else None,
            headers={"Content-Type": kind},
        ) as response:  # fmt: skip
            warnings = [_warning(text) for text in response.headers.getall("Warning", [])]
            return Answer(response.status, await response.json(content_type=None), warnings)

    async def store(self, namespace: str, case: Case) -> Json:
        """Put the object as it is before, however it may have come to be so."""
        assert case.before is not None
        by = "gitops" if case.by == "gitops" else "kubectl"
        made = await self.create(namespace, case.slug, {"spec": case.before["spec"]}, by)
        assert made.status == 201, (case.name, made.body)
        if not case.before["status"]:
            return made.body
        path = f"{JOBS.format(namespace)}/{case.slug}/status"
        done = await self.send("PATCH", path, {"status": case.before["status"]}, MERGE)
        assert done.status == 200, (case.name, done.body)
        return done.body

    async def ask(self, namespace: str, case: Case, before: Json | None) -> Answer:
        """Send the case's change through its door."""
        if before is None:
            return await self.create(namespace, case.slug, case.sent, case.by)
        path = f"{JOBS.format(namespace)}/{case.slug}"
        if case.by == "kubectl":
            return await self.send("PATCH", path, case.sent, MERGE)
        if case.by == "gitops":
            return await self.create(namespace, case.slug, case.sent, "gitops")
        return await self.send(
            "PUT", path, manifest(case.slug, case.sent, before["metadata"]["resourceVersion"])
        )

    async def create(self, namespace: str, name: str, sent: Json, by: str) -> Answer:
        path = JOBS.format(namespace)
        if by != "gitops":
            return await self.send("POST", path, manifest(name, sent))
        return await self.send(
            "PATCH", f"{path}/{name}?fieldManager=gitops&force=true", manifest(name, sent), APPLY
        )

    async def jobs(self, namespace: str) -> dict[str, Json]:
        """All stored jobs by name."""
        found = (await self.send("GET", JOBS.format(namespace))).body["items"]
        return {item["metadata"]["name"]: item for item in found}


def manifest(name: str, sent: Json, version: str | None = None) -> Json:
    """A whole ScoringJob."""
    metadata = {"name": name} | ({"resourceVersion": version} if version else {})
    return {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": metadata, **sent}


def _warning(header: str) -> str:
    """The text of `299 - "text"`."""
    found = re.fullmatch(r'299 \S+ "(.*)"', header)
    assert found, header
    return re.sub(r"\\(.)", r"\1", found[1])


@asynccontextmanager
async def connected(plane: ControlPlane, url: str | None = None) -> AsyncIterator[Client]:
    """A client with admin's token, of the API server or of the REST API at `url`."""
    context = ssl.create_default_context(cafile=str(plane.ca))
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT, ssl=context)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, headers=plane.headers(), timeout=timeout) as http:
        yield Client(http, url or plane.url)


def rendered(mode: str) -> list[Json]:
    """The gate's objects that the chart renders with that mode, for a release of the mode's name."""
    helm = ensure_tools("helm") / "helm"
    command = [str(helm), "template", f"playerscore-{mode}", str(ROOT / "charts/playerscore")]
    done = subprocess.run(
        [*command, "-n", "playerscore-system", "--set", f"admission.mode={mode},admission.workerConfinement=false"],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]
    return [item for item in objects if item["apiVersion"].startswith("admissionregistration.k8s.io/")]


def confined(item: Json, mode: str, webhook: Json | None) -> Json:
    """The same object, for its own namespace alone and with the webhook's address."""
    only = {"matchLabels": {GATE_LABEL: mode}}
    if item["kind"] == "ValidatingAdmissionPolicyBinding":
        item["spec"]["matchResources"] = {"namespaceSelector": only}
    if item["kind"] == "ValidatingWebhookConfiguration":
        for hook in item["webhooks"]:
            hook["namespaceSelector"] = only
            hook["clientConfig"] = webhook
    return item


class Gates:
    """The control plane with its gates."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self._folder = folder
        for namespace in MODES:
            plane.kubectl("create", "namespace", namespace)
            plane.kubectl("label", "namespace", namespace, f"{GATE_LABEL}={namespace}")

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Install every gate and wait until it denies; the webhook first, so that `both` is seen to be both."""
        with running_webhook(self.plane, self._folder) as webhook:
            items = [confined(item, mode, webhook) for mode in MODES for item in rendered(mode)]
            for kind in ("ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy"):
                chosen = [item for item in items if item["kind"].startswith(kind)]
                assert chosen, f"the chart renders no {kind}"
                listed = {"apiVersion": "v1", "kind": "List", "items": chosen}
                self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(listed))
                by_webhook = kind == "ValidatingWebhookConfiguration"
                for mode in ("webhook", "both") if by_webhook else ("policy", "both"):
                    self._until(mode, "denied the request: " if by_webhook else "denied request: ")
            yield

    def _until(self, namespace: str, words: str) -> None:
        """The API server learns of a gate a moment after it was installed."""
        body = json.dumps(manifest("probe", {"spec": {"video": {"uri": "s3://a/b"}, "suspend": False}}))
        end = time.monotonic() + PATIENCE_SECONDS
        while words not in (said := self._created(namespace, body)):
            assert time.monotonic() < end, f"{namespace}: {said}"
            time.sleep(0.1)

    def _created(self, namespace: str, body: str) -> str:
        return self.plane.kubectl(
            "-n", namespace, "create", "--dry-run=server", "-f", "-", stdin=body, check=False
        )


@contextmanager
def running_webhook(plane: ControlPlane, folder: Path) -> Iterator[Json]:
    """The webhook's process, with the API server's own certificate; yields the clientConfig that reaches it."""
    for source, name in (("apiserver.crt", "tls.crt"), ("apiserver.key", "tls.key"), ("ca.crt", "ca.crt")):
        shutil.copy(plane.folder / source, folder / name)
    port, metrics = free_ports(2)
    own = {
        "PORT": port,
        "METRICS_PORT": metrics,
        "HOST": "127.0.0.1",
        "CERTIFICATE_DIR": folder,
        "LEAVE_SECONDS": 0,
        "LOG_LEVEL": "warning",
    }
    environment = {f"PLAYERSCORE_WEBHOOK_{key}": str(value) for key, value in own.items()}
    with _process("playerscore_webhook", environment, f"http://127.0.0.1:{metrics}/readyz"):
        yield {
            "url": f"https://localhost:{port}/validate",
            "caBundle": base64.b64encode(plane.ca.read_bytes()).decode(),
        }


@contextmanager
def _process(module: str, environment: dict[str, str], ready: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", module], env=os.environ | environment)
    try:
        _wait(lambda: httpx.get(ready).status_code == 200, process)
        yield
    finally:
        _ended(process)


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, f"{process.args!r} ended"
        try:
            if ready():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{process.args!r} did not become ready")


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(40)


async def gathered(makers: dict[Any, Callable[[], Any]]) -> dict[Any, Any]:
    """The results by key, a bounded number at a time."""
    turn = asyncio.Semaphore(IN_FLIGHT)

    async def one(make: Callable[[], Any]) -> Any:
        async with turn:
            return await make()

    return dict(zip(makers, await asyncio.gather(*(one(make) for make in makers.values())), strict=True))
