"""The webhook as its own process, and what surrounds it in a cluster: its Secret, its registration.

Used by tests and benchmarks. Certificates are the operator's own; a mounted Secret is written as a kubelet
writes it; the registration is what the chart renders.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from kubernetes.aio import client, config

from chart import NAMESPACE, one, render
from controlplane import ControlPlane, free_ports
from playerscore_operator import certificates
from playerscore_operator.certificates import Lifetimes, State, plan, read_pair, write_bundle, write_pair
from playerscore_operator.cluster import Cluster
from playerscore_operator.settings import Settings

Json = dict[str, Any]

SECRET = "playerscore-webhook-tls"
HOST = f"playerscore-webhook.{NAMESPACE}.svc"
HOSTS = [HOST, f"{HOST}.cluster.local"]
EMPTY = State((), (), None, None)
LIFETIMES = Lifetimes(dt.timedelta(days=90), dt.timedelta(days=730), dt.timedelta(0), dt.timedelta(0))
READY_SECONDS = 90


def issued(hosts: list[str] | None = None, *, now: dt.datetime | None = None, **lives: dt.timedelta) -> State:
    """Authority, bundle and certificate, as the operator makes them for an empty cluster."""
    return plan(EMPTY, hosts or HOSTS, LIFETIMES._replace(**lives), now or dt.datetime.now(dt.UTC))


def secret_data(state: State) -> dict[str, str]:
    """The data of the webhook's Secret."""
    assert state.leaf is not None
    return write_pair(state.leaf) | {"ca.crt": write_bundle(state.trusted)}


def mount(folder: Path, data: Mapping[str, str]) -> None:
    """Write a Secret's data as a kubelet does: all files change at one moment, behind a link."""
    version = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (version / name).write_bytes(base64.b64decode(data[name]))
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(Path("..data") / name)
    new = folder / "..data_tmp"
    new.symlink_to(version.name)
    new.rename(folder / "..data")


class WebhookProcess:
    """`python -m playerscore_webhook` on loopback, from `__enter__` to `__exit__`."""

    command: tuple[str, ...] = (sys.executable, "-m", "playerscore_webhook")

    def __init__(self, folder: Path, *, log: Path | None = None, **settings: object) -> None:
        self.port, self.metrics_port = free_ports(2)
        self.url = f"https://localhost:{self.port}"
        self.plain = f"http://127.0.0.1:{self.metrics_port}"
        known: Json = {"port": self.port, "metrics_port": self.metrics_port, "host": "127.0.0.1"}
        known |= {"certificate_dir": folder, "server_name": HOST, "leave_seconds": 0.3}
        known |= {"certificate_poll_seconds": 0.2, **settings}
        self._environment = {f"PLAYERSCORE_WEBHOOK_{key.upper()}": str(value) for key, value in known.items()}
        self._log = log

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(self._log.open("ab")) if self._log else None
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self._environment},
                stderr=out,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait(40)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def readiness(self) -> tuple[int, str]:
        """Status and words of /readyz; 0 while nothing listens."""
        try:
            answer = httpx.get(f"{self.plain}/readyz")
        except httpx.HTTPError as error:
            return 0, str(error)
        return answer.status_code, answer.text

    def until_ready(self, status: int = 200) -> str:
        """What /readyz says once it answers that status. Raises AssertionError after half a minute."""
        end = time.monotonic() + READY_SECONDS
        while (seen := self.readiness())[0] != status:
            assert self.process.poll() is None, "the webhook ended"
            assert time.monotonic() < end, f"/readyz says {seen}"
            time.sleep(0.05)
        return seen[1]

    def metrics(self) -> str:
        return httpx.get(f"{self.plain}/metrics").text

    def cpu_seconds(self) -> float:
        """Seconds of CPU that the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident memory of the process, megabytes (10^6)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return round(int(kilobytes) * 1024 / 1e6, 1)


def trusting(bundle: str | bytes) -> ssl.SSLContext:
    """A client's context that trusts a caBundle (base64 PEM, or PEM)."""
    pem = base64.b64decode(bundle) if isinstance(bundle, str) else bundle
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem.decode())
    return context


@contextlib.contextmanager
def reviewer(webhook: WebhookProcess, bundle: str, **options: Any) -> Iterator[httpx.Client]:
    """A client that asks as the API server does: by the Service's name, trusting the bundle."""
    headers = {"Host": HOST, "Content-Type": "application/json"}
    with httpx.Client(
        base_url=f"https://127.0.0.1:{webhook.port}", verify=trusting(bundle), headers=headers, **options
    ) as found:
        found.event_hooks["request"].append(_names_the_service)
        yield found


def _names_the_service(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = HOST


def served(webhook: WebhookProcess, bundle: str) -> bytes:
    """The DER certificate that a new connection gets. Raises ssl.SSLError when the bundle does not trust it."""
    with (
        socket.create_connection(("127.0.0.1", webhook.port), timeout=5) as raw,
        trusting(bundle).wrap_socket(raw, server_hostname=HOST) as connection,
    ):
        found = connection.getpeercert(binary_form=True)
        assert found
        return found


# --- in front of a real API server --------------------------------------------------------------------


def registration(port: int) -> Json:
    """The chart's ValidatingWebhookConfiguration; only the Service's port is another."""
    found = one(render(), "ValidatingWebhookConfiguration", "playerscore")
    for webhook in found["webhooks"]:
        webhook["clientConfig"]["service"]["port"] = port
    return found


def service() -> Json:
    """Stands for the Service: by its name the API server finds the process on this machine."""
    metadata = {"name": "playerscore-webhook", "namespace": NAMESPACE}
    spec = {"type": "ExternalName", "externalName": "localhost"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def register(plane: ControlPlane, port: int) -> None:
    """What the chart brings for the webhook, into a bare control plane."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    for body in (namespace, service(), registration(port)):
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))


class Keeper:
    """The operator's certificate part and a node's kubelet, in a thread of their own.

    `settings` go to the operator; the kubelet looks every `sync_seconds` and mounts what changed.
    """

    def __init__(self, plane: ControlPlane, folder: Path, *, sync_seconds: float, **settings: Any) -> None:
        self._plane = plane
        self._folder = folder
        self._sync_seconds = sync_seconds
        self._settings = Settings(namespace=NAMESPACE, webhook_configuration="playerscore", **settings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.serials: list[int] = []
        """Serial numbers of the certificates that were mounted, in their order."""
        self.bundles: list[str] = []
        """The bundles that were mounted, in their order."""
        self.failed: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(20)
        if self.failed and error is None:
            raise self.failed

    async def _run(self) -> None:
        settings = client.Configuration()
        await config.load_kube_config(str(self._plane.kubeconfig), client_configuration=settings)
        cluster = Cluster(client.ApiClient(configuration=settings))
        keeping = asyncio.create_task(certificates.keep(cluster, self._settings))
        try:
            while not self._stop.is_set() and not keeping.done():
                await self._sync(cluster)
                await asyncio.sleep(self._sync_seconds)
            if keeping.done():
                keeping.result()
        except BaseException as error:
            self.failed = error
            raise
        finally:
            keeping.cancel()
            await cluster.close()

    async def _sync(self, cluster: Cluster) -> None:
        found = await cluster.find(f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}")
        if found is None:
            return
        pair = read_pair(found["data"])
        assert pair is not None
        serial = pair.certificate.serial_number
        bundle = found["data"]["ca.crt"]
        if (self.serials[-1:], self.bundles[-1:]) != ([serial], [bundle]):
            mount(self._folder, found["data"])
        if self.serials[-1:] != [serial]:
            self.serials.append(serial)
        if self.bundles[-1:] != [bundle]:
            self.bundles.append(bundle)
