"""The real Kueue beside a bare API server: its own chart's definitions and webhooks, its manager as a process.

    with Kueue(plane) as kueue:
        kueue.apply(*queue("gpu", {"nvidia.com/gpu": 1}))

The chart comes with Kueue's Go module, so that definitions and manager are of one version. No Service leads
from a bare API server to the manager: its webhooks are called by address. Its own certificate rotation runs: it
finds a certificate in its Secret that is for that address too, and writes its CA wherever one is needed.
"""

import base64
import datetime as dt
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

import gomodule
from controlplane import ControlPlane, Running, ensure_tools, free_ports

Json = dict[str, Any]
SYSTEM = "kueue-system"
GROUP = "kueue.x-k8s.io"
VERSION = "v1beta2"
API = f"{GROUP}/{VERSION}"
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
KINDS = ("batch", GROUP)
"""The API groups whose webhooks are called here; Kueue's for other people's kinds have nobody to ask about."""
START_SECONDS = 240.0


class Kueue(Running):
    """A running manager, from `__enter__` to `__exit__`."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.folder = plane.folder / "kueue"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        bin_folder = ensure_tools("kueue", "helm")
        self.folder.mkdir()
        self._certificates = certificates(f"kueue-webhook-service.{SYSTEM}.svc", "localhost")
        for name, content in self._certificates.items():
            (self.folder / name).write_bytes(content)
        self._webhook_port, self._health_port, metrics_port = free_ports(3)
        self._install(_chart(bin_folder))
        config = self.folder / "config.yaml"
        config.write_text(yaml.safe_dump(self._configuration(metrics_port)))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(bin_folder / "kueue"), f"--config={config}", f"--kubeconfig={self.plane.kubeconfig}"],
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_admits()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def apply(self, *objects: Json) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(items))

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _install(self, objects: Sequence[Json]) -> None:
        definitions = [item for item in objects if item["kind"] == "CustomResourceDefinition"]
        bundle = base64.b64encode(self._certificates["ca.crt"]).decode()
        address = f"https://localhost:{self._webhook_port}"
        for item in definitions:
            conversion = item["spec"].get("conversion", {}).get("webhook")
            if conversion:
                conversion["clientConfig"] = {"url": f"{address}/convert", "caBundle": bundle}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
        self.apply(namespace)
        data = {name: base64.b64encode(content).decode() for name, content in self._certificates.items()}
        metadata = {"name": "kueue-webhook-server-cert", "namespace": SYSTEM}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        self.apply(*definitions, secret)
        self.plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        self._hooks = [item for item in objects if item["kind"] in WEBHOOKS]
        for item in self._hooks:
            item["webhooks"] = [
                hook for hook in item["webhooks"] if hook["rules"][0]["apiGroups"][0] in KINDS
            ]
            for hook in item["webhooks"]:
                path = hook["clientConfig"]["service"]["path"]
                hook["clientConfig"] = {"url": f"{address}{path}", "caBundle": bundle}

    def _configuration(self, metrics_port: int) -> Json:
        return {
            "apiVersion": f"config.{GROUP}/v1beta2",
            "kind": "Configuration",
            "namespace": SYSTEM,
            "health": {"healthProbeBindAddress": f"127.0.0.1:{self._health_port}"},
            "metrics": {"bindAddress": f"127.0.0.1:{metrics_port}"},
            "webhook": {"port": self._webhook_port, "host": "127.0.0.1", "certDir": str(self.folder)},
            "leaderElection": {"leaderElect": False},
            "featureGates": {"VisibilityOnDemand": False},
            "integrations": {"frameworks": ["batch/job"]},
        }

    def _wait_until_it_admits(self) -> None:
        end = time.monotonic() + START_SECONDS
        self.apply(*self._hooks)
        probe = {"apiVersion": API, "kind": "ResourceFlavor", "metadata": {"name": "probe"}}
        while True:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"Kueue does not serve: {self.said()[-3000:]}")
            try:
                self.apply(probe)
            except AssertionError:
                time.sleep(0.3)
            else:
                return


def _chart(bin_folder: Path) -> list[Json]:
    """What Kueue's own chart renders."""
    chart = gomodule.folder("kueue", "sigs.k8s.io/kueue") / "charts" / "kueue"
    rendered = subprocess.run(
        [str(bin_folder / "helm"), "template", "kueue", str(chart), f"--namespace={SYSTEM}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return [item for item in yaml.safe_load_all(rendered.stdout) if item]


def certificates(*hosts: str) -> dict[str, bytes]:
    """A CA and a certificate for these hosts, as the files that Kueue's rotation keeps in its Secret."""
    ca_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    ca = _certificate(["kueue-ca"], ca_key.public_key(), ca_key, authority=True)
    leaf = _certificate(hosts, key.public_key(), ca_key, authority=False)
    pem = serialization.Encoding.PEM
    plain = (pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return {
        "ca.crt": ca.public_bytes(pem),
        "ca.key": ca_key.private_bytes(*plain),
        "tls.crt": leaf.public_bytes(pem),
        "tls.key": key.private_bytes(*plain),
    }


def _certificate(
    hosts: Sequence[str],
    key: rsa.RSAPublicKey,
    signer: rsa.RSAPrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kueue-ca")])
    return (
        x509.CertificateBuilder()
        .subject_name(issuer if authority else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(signer, hashes.SHA256())
    )


def flavor(name: str, node_labels: Mapping[str, str] | None = None) -> Json:
    """Nodes of one sort."""
    spec = {"nodeLabels": dict(node_labels)} if node_labels else {}
    return {"apiVersion": API, "kind": "ResourceFlavor", "metadata": {"name": name}, "spec": spec}


def cluster_queue(name: str, quotas: Mapping[str, Mapping[str, object]], **spec: Any) -> Json:
    """A quota: resources by flavor, the flavors in the order in which they are tried."""
    covered = sorted({resource for quota in quotas.values() for resource in quota})
    flavors = [
        {
            "name": one,
            "resources": [{"name": resource, "nominalQuota": quota[resource]} for resource in covered],
        }
        for one, quota in quotas.items()
    ]
    groups = [{"coveredResources": covered, "flavors": flavors}]
    known = {"namespaceSelector": {}, "resourceGroups": groups}
    return {"apiVersion": API, "kind": "ClusterQueue", "metadata": {"name": name}, "spec": known | spec}


def local_queue(name: str, namespace: str, queue: str) -> Json:
    """Where a namespace's jobs queue."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API, "kind": "LocalQueue", "metadata": metadata, "spec": {"clusterQueue": queue}}
