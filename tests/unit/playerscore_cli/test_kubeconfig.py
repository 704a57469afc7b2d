"""A kubeconfig is read as kubectl reads it."""

import base64
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane import write_credentials
from playerscore.errors import PlayerscoreError
from playerscore_cli import kubeconfig

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "KUBECONFIG",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "NO_PROXY",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.crt, apiserver.crt and apiserver.key."""
    folder = tmp_path_factory.mktemp("credentials")
    write_credentials(folder, "admin")
    return folder


def config(user: Json | None = None, cluster: Json | None = None, **more: Any) -> Json:
    return {
        "clusters": [{"name": "c", "cluster": {"server": "http://c:1", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "scoring"}}],
        "current-context": "x",
        **more,
    }


def written(path: Path, content: Json) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("user", "headers"),
    [
        ({"token": "t"}, {"Authorization": "Bearer t"}),
        ({"tokenFile": "token"}, {"Authorization": "Bearer of-a-file"}),
        (
            {"username": "eve", "password": "p"},
            {"Authorization": "Basic " + base64.b64encode(b"eve:p").decode()},
        ),
        ({"token": "t", "as": "bob"}, {"Authorization": "Bearer t", "Impersonate-User": "bob"}),
        ({}, {}),
    ],
    ids=["token", "file", "basic", "impersonation", "nobody"],
)
def test_who_asks(tmp_path: Path, user: Json, headers: dict[str, str]) -> None:
    (tmp_path / "token").write_text("of-a-file\n")

    access = kubeconfig.read(written(tmp_path / "config", config(user)), None)

    assert (access.server, access.namespace, access.headers) == ("http://c:1", "scoring", headers)


def test_as_whom_is_said_in_a_header_for_each_group_and_each_value(tmp_path: Path) -> None:
    """The API server takes a header's whole line for one group."""
    extra = {"scopes": ["view", "edit"], "example.com/team": ["a"]}
    user = {"as": "bob", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": extra}
    headers = kubeconfig.read(written(tmp_path / "config", config(user)), None).headers

    assert sorted(headers.iteritems()) == [
        ("Impersonate-Extra-example.com%2Fteam", "a"),
        ("Impersonate-Extra-scopes", "edit"),
        ("Impersonate-Extra-scopes", "view"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-User", "bob"),
    ]


def test_a_token_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlayerscoreError, match="its token cannot be read") as refused:
        kubeconfig.read(written(tmp_path / "config", config({"tokenFile": "gone"})), None)

    assert refused.value.code == "CLUSTER_UNAVAILABLE"


def test_the_first_file_that_says_something_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in KUBECONFIG=a:b of kubectl; a file that is not there is passed over."""
    a = written(
        tmp_path / "a" / "config", {"current-context": "y", "users": [{"name": "u", "user": {"token": "a"}}]}
    )
    b = config({"token": "b"})
    b["contexts"].append({"name": "y", "context": {"cluster": "c", "user": "u"}})
    listed = [str(a), str(tmp_path / "none"), str(written(tmp_path / "b" / "config", b))]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(listed))

    chosen, named = kubeconfig.read(None, None), kubeconfig.read(None, "x")

    assert (chosen.bearer, chosen.namespace) == ("a", "default")
    assert (named.bearer, named.namespace) == ("a", "scoring")
    assert kubeconfig.contexts(None) == ["x", "y"]


def test_certificates_from_files_and_from_the_config_itself(credentials: Path, tmp_path: Path) -> None:
    encoded = {
        key: base64.b64encode((credentials / file).read_bytes()).decode()
        for key, file in (("ca", "ca.crt"), ("crt", "apiserver.crt"), ("key", "apiserver.key"))
    }
    inside = config(
        {"client-certificate-data": encoded["crt"], "client-key-data": encoded["key"]},
        {"server": "https://c", "certificate-authority-data": encoded["ca"], "tls-server-name": "other"},
    )
    beside = config(
        {"client-certificate": "apiserver.crt", "client-key": "apiserver.key"},
        {"server": "https://c", "certificate-authority": "ca.crt"},
    )

    data = kubeconfig.read(written(tmp_path / "config", inside), None)
    files = kubeconfig.read(written(credentials / "config", beside), None)

    assert data.server_name == "other"
    for access in (data, files):
        assert access.tls
        assert [item["subject"] for item in access.tls.get_ca_certs()] == [((("commonName", "bare-ca"),),)]
    assert list(Path("/tmp").glob("playerscore-*/client-key")) == [], "no key is left behind"


PLUGIN = """#!{python}
import json, os, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
status = {{"token": f"{{sys.argv[1]}}-{{os.environ['MORE']}}-{{info['spec'].get('cluster', {{}}).get('server')}}"}}
print(json.dumps({{"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": status}}))
"""


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_credential_plugin_is_asked(tmp_path: Path, version: str) -> None:
    program = tmp_path / "bin" / "plugin"
    program.parent.mkdir()
    program.write_text(PLUGIN.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    plugin = {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "command": "./bin/plugin",
        "args": ["one"],
        "env": [{"name": "MORE", "value": "two"}],
        "provideClusterInfo": True,
    }

    access = kubeconfig.read(written(tmp_path / "config", config({"exec": plugin})), None)

    assert access.bearer == "one-two-http://c:1"


@pytest.mark.parametrize(
    ("content", "context", "code", "said"),
    [
        (config(), "nowhere", "CLUSTER_UNAVAILABLE", 'context "nowhere" does not exist'),
        (config(clusters=[]), None, "CLUSTER_UNAVAILABLE", 'cluster "c" does not exist'),
        (config(users=[]), None, "CLUSTER_UNAVAILABLE", 'user "u" does not exist'),
        (config(**{"current-context": ""}), None, "CLUSTER_UNAVAILABLE", "no current context"),
        (config({"exec": {"apiVersion": "v0", "command": "x"}}), None, "CLUSTER_UNAVAILABLE", "speaks v0"),
        (
            config({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/none", "installHint": "Get it."}}),
            None,
            "UNAUTHENTICATED",
            "Get it.",
        ),
        (
            config(cluster={"server": "https://c", "certificate-authority-data": "AAAA"}),
            None,
            "CLUSTER_UNAVAILABLE",
            "certificates cannot be read",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said(
    tmp_path: Path, content: Json, context: str | None, code: str, said: str
) -> None:
    with pytest.raises(PlayerscoreError) as refused:
        kubeconfig.read(written(tmp_path / "config", content), context)

    assert refused.value.code == code
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("cluster", "environment", "proxy"),
    [
        ({}, {}, None),
        ({"proxy-url": "http://p:1"}, {"HTTP_PROXY": "http://q:1"}, "http://p:1"),
        ({}, {"HTTP_PROXY": "http://q:1"}, "http://q:1"),
        ({}, {"HTTP_PROXY": "http://q:1", "NO_PROXY": "c"}, None),
        ({}, {"HTTPS_PROXY": "http://q:1"}, None),
    ],
)
def test_the_way_to_the_server(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cluster: Json,
    environment: dict[str, str],
    proxy: str | None,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name.lower(), value)

    assert kubeconfig.read(written(tmp_path / "config", config(cluster=cluster)), None).proxy == proxy


def test_in_a_pod_its_own_account_is_used(
    credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = tmp_path / "serviceaccount"
    account.mkdir()
    for name, content in (
        ("token", "pods\n"),
        ("namespace", "scoring"),
        ("ca.crt", (credentials / "ca.crt").read_text()),
    ):
        (account / name).write_text(content)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")

    access = kubeconfig.read(None, None, account)

    assert (access.server, access.namespace, access.bearer) == ("https://[fd00::1]:6443", "scoring", "pods")


def test_json_is_yaml_too(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(json.dumps(config({"token": "t"})))

    assert kubeconfig.read(file, None).bearer == "t"
