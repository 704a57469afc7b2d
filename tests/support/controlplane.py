"""A bare Kubernetes control plane, for tests that need the API and no node.

It is a real etcd and a real kube-apiserver on free loopback ports, with RBAC,
the default admission plugins and a ServiceAccount issuer, so that webhooks,
policies, TokenRequest and TokenReview behave as on a cluster. (Without
controllers nobody makes a namespace's default account, so the one plugin that
asks for it is off.) There is no
kubelet: pods are never run, and a test that binds a token to a pod creates the
pod itself. With ``controllers=True`` a kube-controller-manager runs the Job and
garbage-collection controllers as well.

    with ControlPlane(controllers=True) as plane:
        plane.kubectl("apply", "-f", "crds/")
        client = httpx.Client(base_url=plane.url, headers=plane.headers(), verify=str(plane.ca))

``plane.url``          ``https://127.0.0.1:<port>``
``plane.ca``           path of the PEM that the server's certificate chains to
``plane.admin_token``  bearer token of a member of ``system:masters``
``plane.kubeconfig``   path of a kubeconfig with that token
``plane.kubeconfig_for(token, name)``  a kubeconfig for somebody else's token
``plane.kubectl(*args, stdin=..., check=...)``  runs the pinned kubectl
``plane.install_crds()``  applies the project's CRDs and waits until they are served
``plane.token(namespace, account)``    a ServiceAccount's token, by TokenRequest
``plane.folder``       scratch folder with the logs of each program

Building the binaries takes minutes on the first run of a machine; the cache is
shared by all later ones. Ready in about 3 s.
"""

import contextlib
import datetime as dt
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[2]
ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVICE_RANGE = "10.0.0.0/24"
CONTROLLERS = (
    "job-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "validatingadmissionpolicy-status-controller",
    "ttl-after-finished-controller",
    "clusterrole-aggregation-controller",
    "resourcequota-controller",
)
START_SECONDS = 180.0
STOP_SECONDS = 15.0


class ControlPlaneError(RuntimeError):
    """A program of the control plane ended or did not become ready in time."""


class Running:
    """Something with a `start` and a `stop`, as a context manager; what a failed start began is ended too."""

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class ControlPlane(Running):
    """An etcd and a kube-apiserver of one's own, from ``__enter__`` to ``__exit__``.

    Args:
        controllers: also run a kube-controller-manager (Jobs, garbage
            collection, namespaces, service accounts).
        apiserver_args: further arguments of kube-apiserver, such as
            ``--feature-gates=...``.
        apiserver_env: further variables of kube-apiserver's environment, such as ``GOGC``.
        etcd_args: further arguments of etcd, such as ``--quota-backend-bytes=...``.
    """

    def __init__(
        self,
        *,
        controllers: bool = False,
        apiserver_args: Sequence[str] = (),
        apiserver_env: Mapping[str, str] | None = None,
        etcd_args: Sequence[str] = (),
    ) -> None:
        self.controllers = controllers
        self.apiserver_args = tuple(apiserver_args)
        self.apiserver_env = dict(apiserver_env or {})
        self.etcd_args = tuple(etcd_args)
        self.admin_token = secrets.token_urlsafe(24)
        self.folder = Path(tempfile.mkdtemp(prefix="controlplane-"))
        self.url = ""
        self.etcd_url = ""
        self.ca = self.folder / "ca.crt"
        self.kubeconfig = self.folder / "kubeconfig"
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self) -> None:
        """Build what is missing, start everything and wait until it is ready."""
        names = ["etcd", "kube-apiserver", "kubectl"]
        self._bin = ensure_tools(*names, *(["kube-controller-manager"] if self.controllers else []))
        etcd_port, peer_port, api_port, manager_port = free_ports(4)
        self.url = f"https://127.0.0.1:{api_port}"
        write_credentials(self.folder, self.admin_token)
        self.kubeconfig_for(self.admin_token, "admin").rename(self.kubeconfig)
        self._start_etcd(etcd_port, peer_port)
        self._start_apiserver(api_port, etcd_port)
        self._wait_until_ready("/readyz")
        if self.controllers:
            self._start_controllers(manager_port)
        self._wait_until_ready("/api/v1/namespaces/default")

    def stop(self) -> None:
        """End the programs, last started first, and remove the scratch folder."""
        while self._processes:
            _, process = self._processes.pop()
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def headers(self, token: str | None = None) -> dict[str, str]:
        """Return the request header that authenticates as admin, or with ``token``."""
        return {"Authorization": f"Bearer {token or self.admin_token}"}

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True) -> str:
        """Run the pinned kubectl as admin and return its standard output.

        Raises:
            AssertionError: it failed and ``check`` is set; holds its error text.
        """
        command = [str(self._bin / "kubectl"), f"--kubeconfig={self.kubeconfig}", *args]
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stderr}")
        return done.stdout if check else done.stdout + done.stderr

    def install_crds(self, *plurals: str) -> None:
        """Apply the named CRDs of the project, all by default, as a user does, and wait until they are served."""
        for plural in plurals or ("scoringjobs", "scoringruntimes"):
            self.kubectl("apply", "-f", str(ROOT / "crds" / f"{plural}.yaml"))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")

    def token(self, namespace: str, account: str, *, pod: str | None = None) -> str:
        """Return a fresh token of a ServiceAccount, bound to ``pod`` when one is named."""
        bound = ["--bound-object-kind=Pod", f"--bound-object-name={pod}"] if pod else []
        return self.kubectl("-n", namespace, "create", "token", account, *bound).strip()

    def kubeconfig_for(self, token: str, name: str) -> Path:
        """Write a kubeconfig that uses ``token`` and return its path."""
        server = {"server": self.url, "certificate-authority": str(self.ca)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bare", "cluster": server}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": "bare", "user": name}}],
            "current-context": name,
        }
        path = self.folder / f"kubeconfig-{name}"
        path.write_text(json.dumps(config))
        return path

    def process(self, program: str) -> subprocess.Popen[bytes]:
        """The running ``etcd``, ``kube-apiserver`` or ``kube-controller-manager``: for faults."""
        return next(process for name, process in self._processes if name == program)

    def kill(self, program: str) -> None:
        """End a program as a lost machine does, in mid-sentence."""
        self.process(program).kill()
        self.process(program).wait()

    def revive(self, program: str) -> None:
        """Start a killed program again, where it was, and wait until everything is ready."""
        dead = self.process(program)
        _, *args = dead.args  # type: ignore[misc, union-attr] # always a list here
        place = self._processes.index((program, dead))
        self._run(program, *args)
        self._processes[place] = self._processes.pop()
        self._wait_until_ready("/readyz")

    def compact(self, *, disarm: bool = False) -> None:
        """Let etcd forget every version but the newest; with `disarm`, give a full one its room back."""
        revision = self._etcd("kv/range", key="AA==")["header"]["revision"]
        self._etcd("kv/compaction", revision=revision, physical=True)
        if disarm:
            self._etcd("maintenance/defragment")
            for alarm in self._etcd("maintenance/alarm", action="GET").get("alarms", []):
                self._etcd("maintenance/alarm", action="DEACTIVATE", **alarm)

    def _etcd(self, what: str, **asked: object) -> Any:
        """Ask etcd by its gateway, which speaks JSON."""
        request = urllib.request.Request(f"{self.etcd_url}/v3/{what}", data=json.dumps(asked).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def log(self, program: str) -> str:
        """Return what ``program`` (etcd, kube-apiserver, ...) has printed so far."""
        return (self.folder / f"{program}.log").read_text(errors="replace")

    def _start_etcd(self, port: int, peer_port: int) -> None:
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
        self.etcd_url = client
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # the data lives no longer than the process
            *self.etcd_args,
        )

    def _start_apiserver(self, port: int, etcd_port: int) -> None:
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={self.folder / 'apiserver.crt'}",
            f"--tls-private-key-file={self.folder / 'apiserver.key'}",
            f"--client-ca-file={self.ca}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={self.folder / 'accounts.key'}",
            f"--service-account-signing-key-file={self.folder / 'accounts.key'}",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            # A pod may be created before its account's controller has run, or without one.
            *([] if self.controllers else ["--disable-admission-plugins=ServiceAccount"]),
            *self.apiserver_args,
        )

    def _start_controllers(self, port: int) -> None:
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            f"--controllers={','.join(CONTROLLERS)}",
            f"--root-ca-file={self.ca}",
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--cert-dir={self.folder}",
            "--concurrent-job-syncs=5",
        )

    def _run(self, program: str, *args: str) -> None:
        environment = os.environ | (self.apiserver_env if program == "kube-apiserver" else {})
        with (self.folder / f"{program}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(self._bin / program), *args],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=environment,
            )
        self._processes.append((program, process))

    def _wait_until_ready(self, path: str) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._answers(path):
            for program, process in self._processes:
                if process.poll() is not None:
                    raise ControlPlaneError(f"{program} ended: {self.log(program)[-2000:]}")
            if time.monotonic() > end:
                raise ControlPlaneError(f"no answer: {self.log('kube-apiserver')[-2000:]}")
            time.sleep(0.1)

    def _answers(self, path: str) -> bool:
        request = urllib.request.Request(self.url + path, headers=self.headers())
        context = ssl.create_default_context(cafile=str(self.ca))
        try:
            with urllib.request.urlopen(request, context=context, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def running_control_plane(*, controllers: bool = False) -> Iterator[ControlPlane]:
    """Yield a started control plane: the body of a session-scoped pytest fixture.

    @pytest.fixture(scope="session")
    def plane() -> Iterator[ControlPlane]:
        yield from running_control_plane(controllers=True)
    """
    with ControlPlane(controllers=controllers) as plane:
        yield plane


def ensure_tools(*names: str) -> Path:
    """Build the named tools where they are missing; return the folder they are in."""
    subprocess.run([str(ROOT / "cluster" / "tools.sh"), *names], check=True)
    cache = os.environ.get("PLAYERSCORE_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "playerscore") / "bin"


def free_ports(count: int) -> list[int]:
    """Return ``count`` different loopback ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def write_credentials(folder: Path, admin_token: str) -> None:
    """Write CA, serving certificate, ServiceAccount key and admin token into ``folder``."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("bare-ca", ca_key, ca_key, "bare-ca", authority=True)
    key = ec.generate_private_key(ec.SECP256R1())
    serving = _certificate("kube-apiserver", key, ca_key, "bare-ca", authority=False)
    accounts = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    files: Mapping[str, bytes] = {
        "ca.crt": ca.public_bytes(serialization.Encoding.PEM),
        "apiserver.crt": serving.public_bytes(serialization.Encoding.PEM),
        "apiserver.key": _pem(key),
        "accounts.key": _pem(accounts),
        "tokens.csv": f'{admin_token},admin,admin,"system:masters"\n'.encode(),
    }
    for name, content in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: str,
    *,
    authority: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    hosts = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
    return (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .issuer_name(_common_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=7))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
