"""Where the cluster is and who asks, from the same places as kubectl.

Not the official client: importing it costs half a second of CPU and 75 MB on disk, ten times all the rest of a
`kubectl scoring get`. Not lightkube either: it reads neither a list in KUBECONFIG nor credential plugins of
`client.authentication.k8s.io/v1`. What kubectl itself reads is read here; what it has dropped (auth-provider) is
not.
"""

import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import yaml
from urllib3 import HTTPHeaderDict

from playerscore.errors import PlayerscoreError
from playerscore.listening import authority

Json = dict[str, Any]

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
EXEC_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
HEADER_MARKS: Final = "!#$&'*+.^_`|~-"
"""What a header's name may hold besides letters and digits (RFC 9110); the rest is percent-encoded, as kubectl does."""
LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Access(NamedTuple):
    """One cluster as one person reaches it."""

    server: str
    namespace: str
    """The context's."""
    tls: ssl.SSLContext | None
    server_name: str | None
    """What the certificate must say, where that is not the address."""
    headers: HTTPHeaderDict
    """Who asks, and as whom."""
    proxy: str | None

    @property
    def bearer(self) -> str | None:
        """The bearer token, if that is how this person is known."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if scheme == "Bearer" else None


def read(file: Path | None, context: str | None, account: Path = ACCOUNT) -> Access:
    """The named context, else the current one, else the pod's own account. Raises PlayerscoreError."""
    config = _merged([file] if file else _default_files(), required=file is not None)
    if config is None:
        if context is None and (account / "token").exists():
            return _in_cluster(account)
        raise _unusable("there is none; set KUBECONFIG or --kubeconfig")
    chosen = context or config["current-context"]
    if not chosen:
        raise _unusable("it has no current context; name one with --context")
    return _access(config, _named(config["contexts"], chosen, "context"))


def contexts(file: Path | None) -> list[str]:
    """The names of all contexts; for completion."""
    config = _merged([file] if file else _default_files(), required=False)
    return sorted(config["contexts"]) if config else []


def _default_files() -> list[Path]:
    listed = os.environ.get("KUBECONFIG")
    names = listed.split(os.pathsep) if listed else ["~/.kube/config"]
    return [Path(name).expanduser() for name in names if name]


def _merged(files: Iterable[Path], *, required: bool) -> Json | None:
    """All files as one, the first that says something wins; None when no file is there.

    File names inside become absolute, because each is relative to the kubeconfig that holds it.
    """
    merged: Json = {"current-context": None, "contexts": {}, "clusters": {}, "users": {}}
    found = [file for file in files if required or file.is_file()]
    for file in found:
        content = _content(file)
        merged["current-context"] = merged["current-context"] or content.get("current-context")
        for group, key in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
            for item in content.get(group) or []:
                merged[group].setdefault(item["name"], _absolute(item.get(key) or {}, file.parent))
    return merged if found else None


def _content(file: Path) -> Json:
    try:
        content = yaml.load(file.read_text(), LOADER)  # noqa: S506  # it is the safe loader, in C
    except (OSError, yaml.YAMLError) as error:
        raise _unusable(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise _unusable(f"{file} is empty")
    return content


def _absolute(entry: Json, folder: Path) -> Json:
    paths = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    entry = entry | {key: str(folder / entry[key]) for key in paths if entry.get(key)}
    command = (entry.get("exec") or {}).get("command", "")
    if "/" in command:
        entry["exec"] = entry["exec"] | {"command": str(folder / command)}
    return entry


def _named(entries: Json, name: str | None, kind: str) -> Json:
    if name not in entries:
        raise _unusable(f'{kind} "{name}" does not exist')
    found: Json = entries[name]
    return found


def _access(config: Json, context: Json) -> Access:
    cluster = _named(config["clusters"], context.get("cluster"), "cluster")
    user = _named(config["users"], context["user"], "user") if context.get("user") else {}
    server = cluster.get("server") or "http://localhost:8080"
    if user.get("exec"):
        user = user | _plugin(user["exec"], cluster)
    return Access(
        server=server.rstrip("/"),
        namespace=context.get("namespace") or "default",
        tls=_tls(cluster, user) if server.startswith("https:") else None,
        server_name=cluster.get("tls-server-name"),
        headers=_identity(user),
        proxy=cluster.get("proxy-url") or _environment_proxy(server),
    )


def _identity(user: Json) -> HTTPHeaderDict:
    headers = HTTPHeaderDict()
    if token := (_token(Path(user["tokenFile"])) if user.get("tokenFile") else user.get("token")):
        headers["Authorization"] = f"Bearer {token}"
    elif user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    if user.get("as"):
        headers["Impersonate-User"] = user["as"]
    if user.get("as-uid"):
        headers["Impersonate-Uid"] = user["as-uid"]
    for group in user.get("as-groups") or []:
        headers.add("Impersonate-Group", group)
    for key, values in (user.get("as-user-extra") or {}).items():
        for value in values:
            headers.add(f"Impersonate-Extra-{quote(key, safe=HEADER_MARKS)}", value)
    return headers


def _token(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise _unusable(f"its token cannot be read: {error}") from error


def _tls(cluster: Json, user: Json) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data")
    try:
        tls = ssl.create_default_context(
            cafile=cluster.get("certificate-authority"),
            cadata=base64.b64decode(authority).decode() if authority else None,
        )
        # Python 3.13 refuses authorities that kubeadm and others made for years; kubectl takes them.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        _client_certificate(tls, user)
    except (OSError, ValueError) as error:
        raise _unusable(f"its certificates cannot be read: {error}") from error
    return tls


def _client_certificate(tls: ssl.SSLContext, user: Json) -> None:
    """Python loads certificates from files only, so those that stand in the kubeconfig pass through one."""
    with tempfile.TemporaryDirectory(prefix="playerscore-") as folder:
        pair = []
        for key in ("client-certificate", "client-key"):
            if data := user.get(f"{key}-data"):
                path = Path(folder) / key
                path.touch(mode=0o600)
                path.write_bytes(base64.b64decode(data))
                pair.append(str(path))
            elif user.get(key):
                pair.append(user[key])
        if pair:
            tls.load_cert_chain(*pair)


def _plugin(spec: Json, cluster: Json) -> Json:
    """What a credential plugin says, in the words of a kubeconfig's user."""
    version = spec.get("apiVersion")
    if version not in EXEC_VERSIONS:
        raise _unusable(f"its credential plugin speaks {version}, not one of {', '.join(EXEC_VERSIONS)}")
    asked: Json = {"interactive": sys.stdin.isatty() and spec.get("interactiveMode") != "Never"}
    if spec.get("provideClusterInfo"):
        known = ("server", "certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify")
        asked["cluster"] = {key: cluster[key] for key in known if key in cluster}
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": asked}
    more = {item["name"]: item["value"] for item in spec.get("env") or []}
    environment = os.environ | more | {"KUBERNETES_EXEC_INFO": json.dumps(info)}
    command = [spec["command"], *(spec.get("args") or [])]
    try:
        done = subprocess.run(  # noqa: S603  # the user's own kubeconfig names it
            command, env=environment, stdout=subprocess.PIPE, check=True
        )
        status = json.loads(done.stdout)["status"]
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError, TypeError) as error:
        hint = f". {spec['installHint'].strip()}" if spec.get("installHint") else ""
        text = f"The credential plugin {spec['command']} gave no credential: {error}{hint}"
        raise PlayerscoreError("UNAUTHENTICATED", text) from error
    found = {"token": status.get("token")}
    for ours, theirs in (
        ("client-certificate-data", "clientCertificateData"),
        ("client-key-data", "clientKeyData"),
    ):
        if status.get(theirs):
            found[ours] = base64.b64encode(status[theirs].encode()).decode()
    return found


def _environment_proxy(server: str) -> str | None:
    """As Go's programs do: HTTPS_PROXY and HTTP_PROXY, unless NO_PROXY names the server."""
    url = urlsplit(server)
    if urllib.request.proxy_bypass(url.hostname or ""):
        return None
    return urllib.request.getproxies().get(url.scheme)


def _in_cluster(account: Path) -> Access:
    host, port = (
        os.environ.get("KUBERNETES_SERVICE_HOST", ""),
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    return Access(
        server=f"https://{authority(host, port)}",
        namespace=(account / "namespace").read_text().strip(),
        tls=_tls({"certificate-authority": str(account / "ca.crt")}, {}),
        server_name=None,
        headers=_identity({"tokenFile": account / "token"}),
        proxy=None,
    )


def _unusable(why: str) -> PlayerscoreError:
    return PlayerscoreError("CLUSTER_UNAVAILABLE", f"No usable kubeconfig: {why}")
