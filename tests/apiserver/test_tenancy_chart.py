"""What the chart makes for tenants and for the store, on a real API server with the rights that it grants."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chart import NAMESPACE as SYSTEM
from chart import of_kind, one, render
from controlplane import free_ports
from playerscore import names
from tenants import NAMESPACES, Release

Json = dict[str, Any]
SECRET = "playerscore-store-credentials"
PATIENCE_SECONDS = 40.0


def until(what: Callable[[], Any]) -> Any:
    """The first true value of `what`."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
    return found


# --- namespaces -----------------------------------------------------------------------------------------


def test_every_job_namespace_has_its_account_roles_and_policies() -> None:
    objects = render(values={"jobNamespaces": [{"name": name} for name in NAMESPACES]})
    for namespace in NAMESPACES:
        found = {
            (item["kind"], item["metadata"]["name"])
            for item in objects
            if item["metadata"].get("namespace") == namespace
        }
        assert found == {
            ("ServiceAccount", "playerscore-worker"),
            ("Role", "playerscore-worker"),
            ("RoleBinding", "playerscore-worker"),
            ("Role", "playerscore-operator"),
            ("RoleBinding", "playerscore-operator"),
            ("Role", "playerscore-api"),
            ("RoleBinding", "playerscore-api"),
            ("NetworkPolicy", "playerscore-worker"),
        }
    assert of_kind(objects, "Namespace") == [], "only with `create`"


ALLOWED = {
    "the API looks for pods in a prepared namespace": ("playerscore-api", "tenant-a", "get", "pods", True),
    "the API looks for pods elsewhere": ("playerscore-api", "default", "get", "pods", False),
    "the API lists pods": ("playerscore-api", "tenant-a", "list", "pods", False),
    "the API reads a secret": ("playerscore-api", SYSTEM, "get", "secrets", False),
    "the API lists jobs": ("playerscore-api", "tenant-a", "list", names.JOB_PLURAL, False),
    "the operator starts pods in a prepared namespace": ("playerscore-operator", "tenant-a", "create", "jobs", True),
    "the operator starts pods elsewhere": ("playerscore-operator", "default", "create", "jobs", False),
    "the sweep lists jobs": ("playerscore-sweep", "tenant-a", "list", names.JOB_PLURAL, True),
    "the sweep deletes a job": ("playerscore-sweep", "tenant-a", "delete", names.JOB_PLURAL, False),
    "the sweep reads a secret": ("playerscore-sweep", SYSTEM, "get", "secrets", False),
    "the credentials' Job makes a secret": ("playerscore-store-secret", SYSTEM, "create", "secrets", True),
    "the credentials' Job reads a secret": ("playerscore-store-secret", SYSTEM, "get", "secrets", False),
    "the credentials' Job makes a secret elsewhere": ("playerscore-store-secret", "tenant-a", "create", "secrets", False),
}  # fmt: skip


@pytest.mark.parametrize(
    ("account", "namespace", "verb", "resource", "expected"), ALLOWED.values(), ids=ALLOWED
)
def test_the_programs_rights_end_where_they_should(
    release: Release, account: str, namespace: str, verb: str, resource: str, expected: bool
) -> None:
    groups = {"jobs": "batch", names.JOB_PLURAL: names.GROUP}
    attributes = {
        "namespace": namespace,
        "verb": verb,
        "resource": resource,
        "group": groups.get(resource, ""),
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{SYSTEM}:{account}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{SYSTEM}", "system:authenticated"],
            "resourceAttributes": attributes,
        },
    }
    answer = release.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)

    assert answer["status"]["allowed"] is expected


@pytest.fixture(scope="module")
def operator(release: Release) -> Iterator[Path]:
    """The real operator with the chart's account; its log."""
    token = release.account(SYSTEM, "playerscore-operator")
    settings = {
        "KUBECONFIG": str(release.plane.kubeconfig_for(token, "operator")),
        "PLAYERSCORE_HEALTH_PORT": str(free_ports(1)[0]),
        "PLAYERSCORE_NAMESPACE": SYSTEM,
        "PLAYERSCORE_RETRY_SECONDS": "1",
    }
    log = release.folder / "operator.log"
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "playerscore_operator"],
            env={**os.environ, **settings},
            stdout=said,
            stderr=said,
        )
    yield log
    process.terminate()
    process.wait(20)


def test_a_job_elsewhere_waits_until_its_namespace_is_prepared(release: Release, operator: Path) -> None:
    """`helm upgrade` with one namespace more, and the job that has waited goes on by itself."""
    release.plane.kubectl("create", "namespace", "tenant-late")
    uid = release.create_job("tenant-late", "waiting")
    path = f"{release.jobs_path('tenant-late')}/waiting"

    def reasons() -> set[str]:
        status = release.ask("GET", path).get("status", {})
        return {item["reason"] for item in status.get("conditions", [])}

    until(lambda: names.Reason.NAMESPACE_NOT_PREPARED in reasons())
    assert _children(release, "tenant-late") == []

    more = [{"name": name} for name in (*NAMESPACES, "tenant-late")]
    late = [
        item
        for item in render(values={"jobNamespaces": more})
        if item["metadata"].get("namespace") == "tenant-late"
    ]
    release.plane.kubectl(
        "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": late})
    )

    until(lambda: _children(release, "tenant-late") == [f"sj-{uid}-p1"])
    until(lambda: names.Reason.NAMESPACE_NOT_PREPARED not in reasons())


def _children(release: Release, namespace: str) -> list[str]:
    found = release.ask("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs")["items"]
    return [item["metadata"]["name"] for item in found]


# --- the embedded store's credentials -------------------------------------------------------------------


def _uncached(*sets: str) -> str:
    """What Helm renders, anew each time."""
    render.__globals__["_rendered"].cache_clear()
    return json.dumps(render(*sets))


def test_the_chart_renders_the_same_each_time() -> None:
    """Without a cluster to look into, as Argo CD renders it."""
    assert _uncached() == _uncached()


def test_no_template_holds_credentials_and_all_programs_use_the_same() -> None:
    objects = render()
    text = json.dumps(objects)
    secrets = [item["metadata"]["name"] for item in of_kind(objects, "Secret")]

    assert SECRET not in secrets
    assert text.count(f'"name": "{SECRET}", "key": "secretKey"') == 1, "the store"
    assert text.count(f'"secretName": "{SECRET}"') == 2, "API and sweep, as files"
    assert (
        SECRET
        in one(objects, "Job", "playerscore-store-secret")["spec"]["template"]["spec"]["containers"][0][
            "command"
        ]
    )


@pytest.mark.parametrize(
    "sets",
    [
        ("store.embedded.existingSecret=mine",),
        (
            "store.embedded.enabled=false",
            "store.external.endpoint=https://s3.example.com",
            "store.external.existingSecret=mine",
        ),
    ],
    ids=["a Secret of one's own", "an S3 of one's own"],
)
def test_with_a_secret_of_ones_own_none_is_made(sets: tuple[str, ...]) -> None:
    objects = render(*sets)
    text = json.dumps(objects)

    assert [item["metadata"]["name"] for item in objects if "store-secret" in item["metadata"]["name"]] == []
    assert SECRET not in text
    assert text.count('"secretName": "mine"') == 2


def test_the_credentials_come_before_who_needs_them_and_outlive_the_release() -> None:
    """Helm and Argo CD run these hooks first, and again before each upgrade or sync."""
    hooks = [item for item in render() if item["metadata"]["name"] == "playerscore-store-secret"]
    weights = {item["kind"]: int(item["metadata"]["annotations"]["helm.sh/hook-weight"]) for item in hooks}

    assert {item["metadata"]["annotations"]["helm.sh/hook"] for item in hooks} == {"pre-install,pre-upgrade"}
    assert max(weights.values()) == weights["Job"]
    assert weights["Job"] > weights["ServiceAccount"]
    assert weights["Job"] > weights["RoleBinding"]


def test_the_credentials_are_made_once(release: Release, tmp_path: Path) -> None:
    """The Job's own command with the chart's account, as at an install and at each upgrade."""
    (tmp_path / "token").write_text(release.account(SYSTEM, "playerscore-store-secret"))
    job = one(render(), "Job", "playerscore-store-secret")
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    settings = {
        "PLAYERSCORE_API_KUBE_URL": release.plane.url,
        "PLAYERSCORE_API_KUBE_CA_FILE": str(release.plane.ca),
        "PLAYERSCORE_API_KUBE_TOKEN_FILE": str(tmp_path / "token"),
    }

    def made() -> Json:
        subprocess.run(
            [sys.executable, *command[1:]], env={**os.environ, **settings}, check=True, capture_output=True
        )
        found: Json = release.ask("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/{SECRET}")["data"]
        return found

    first, again = made(), made()

    assert again == first
    assert {name: len(base64.b64decode(value)) for name, value in first.items()} == {
        "accessKey": 20,
        "secretKey": 40,
    }


def test_the_credentials_job_fails_aloud_where_it_may_not_make_them(release: Release, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(release.account(SYSTEM, "playerscore-sweep"))
    settings = {
        "PLAYERSCORE_API_KUBE_URL": release.plane.url,
        "PLAYERSCORE_API_KUBE_CA_FILE": str(release.plane.ca),
        "PLAYERSCORE_API_KUBE_TOKEN_FILE": str(tmp_path / "token"),
    }
    command = [sys.executable, "-m", "playerscore_api.store_secret", SYSTEM, "another"]
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert json.loads(done.stderr.splitlines()[-1])["code"] == "FORBIDDEN"
