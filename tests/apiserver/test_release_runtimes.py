"""The runtimes of a release, kept by the operator with the rights that the chart gives it: always there, never drifting."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chart import NAMESPACE, of_kind, one, render
from controlplane import ControlPlane
from operatorlab import Lab

Json = dict[str, Any]
DEFAULT = "playerscore.dev/is-default-runtime"
GPU = {
    "enabled": True,
    "spec": {"detector": {"weights": {"uri": "https://models.example/yolo.pt", "sha256": "a" * 64}}},
}
HOOKED = {
    "helm.sh/hook": "post-install,post-upgrade",
    "helm.sh/hook-delete-policy": "before-hook-creation",
    "playerscore.dev/definition": "0123456789abcdef",
    "playerscore.dev/release": f"{NAMESPACE}/playerscore",
    DEFAULT: "true",
}


class Release(Lab):
    """A release's operator; the test is Helm."""

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(plane)
        self.file = plane.folder / "runtimes.json"
        self.port = 0

    def until(self, what: Callable[[], Any], seconds: float = 120) -> Any:
        """An operator's process may begin slowly."""
        return super().until(what, seconds)

    def values(self, **runtimes: Json) -> None:
        """What an upgrade with these values leaves in the operator's volume."""
        found = one(render(values={"runtimes": runtimes}), "ConfigMap", "playerscore-runtimes")
        # As the kubelet does it: at once.
        beside = self.file.with_suffix(".new")
        beside.write_text(found["data"]["runtimes.json"])
        beside.rename(self.file)

    def begin(self) -> None:
        token = self.plane.token(NAMESPACE, "playerscore-operator")
        self.port = self.start_operator(
            KUBECONFIG=str(self.plane.kubeconfig_for(token, "operator")),
            PLAYERSCORE_NAMESPACE=NAMESPACE,
            PLAYERSCORE_RUNTIMES_FILE=str(self.file),
            PLAYERSCORE_RESYNC_SECONDS="3",
        )

    def upgrade(self, **runtimes: Json) -> None:
        """Another operator with other values."""
        self.stop_operator()
        self.values(**runtimes)
        self.begin()
        self.until(self.is_ready)

    def is_ready(self) -> bool:
        return self.readiness() == (200, "leader")

    def readiness(self) -> tuple[int, str]:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/readyz")
        except httpx.HTTPError as error:
            return 0, str(error)
        return answer.status_code, answer.text

    def unapplied(self) -> bool:
        """Whether the metric of the alert says so."""
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics").text
        return "\nscoringjob_operator_runtimes_unapplied 1.0" in text

    def runtimes(self) -> dict[str, Json]:
        found = json.loads(self.plane.kubectl("get", "scoringruntimes", "-o", "json"))["items"]
        return {item["metadata"]["name"]: item for item in found}

    def edit(self, name: str, **spec: Any) -> None:
        self.plane.kubectl("patch", "srt", name, "--type=merge", "-p", json.dumps({"spec": spec}))


@pytest.fixture(scope="module")
def release() -> Iterator[Release]:
    with ControlPlane() as plane:
        found = Release(plane)
        plane.kubectl("create", "namespace", NAMESPACE)
        rights = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
        listed = {"apiVersion": "v1", "kind": "List", "items": of_kind(render(), *rights)}
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(listed))
        yield found
        found.stop()


def test_the_operator_is_ready_when_the_runtimes_are_there(release: Release) -> None:
    """It may come before the definitions, and before the webhook."""
    release.values()
    release.begin()
    release.until(lambda: release.readiness()[0] == 503)
    release.until(lambda: "not applied yet" in release.readiness()[1])
    assert release.unapplied()
    release.plane.install_crds()
    release.until(release.is_ready)
    assert not release.unapplied()

    cpu = release.runtimes()["cpu"]
    assert set(release.runtimes()) == {"cpu"}
    assert cpu["metadata"]["annotations"] == {DEFAULT: "true"}
    assert cpu["spec"]["image"] == "playerscore/worker:0.1.0"
    assert cpu["spec"]["sources"] == ["s3://playerscore/{namespace}/uploads/"]


def test_what_the_values_say_is_put_back_and_what_they_leave_out_stays(release: Release) -> None:
    before = release.runtimes()["cpu"]["metadata"]["uid"]
    release.edit("cpu", image="someone/else:1", allowedNamespaces=["scoring"])
    release.plane.kubectl("annotate", "srt", "cpu", f"{DEFAULT}-", "note=mine")
    release.until(lambda: release.runtimes()["cpu"]["spec"]["image"] == "playerscore/worker:0.1.0")
    release.until(lambda: DEFAULT in annotations(release))

    assert annotations(release)["note"] == "mine"
    assert release.runtimes()["cpu"]["spec"]["allowedNamespaces"] == ["scoring"]
    assert release.runtimes()["cpu"]["metadata"]["uid"] == before


def test_one_that_is_deleted_comes_back(release: Release) -> None:
    release.plane.kubectl("delete", "srt", "cpu")

    release.until(lambda: "cpu" in release.runtimes())


def test_at_rest_nothing_is_written(release: Release) -> None:
    release.settle()
    before = release.runtimes()["cpu"]["metadata"]["resourceVersion"]
    release.plane.kubectl("apply", "-f", "-", stdin=json.dumps(copy_of(release.runtimes()["cpu"], "copy")))
    release.settle()

    assert release.runtimes()["cpu"]["metadata"]["resourceVersion"] == before


def test_values_that_change_are_taken_up_and_a_copy_of_ones_own_is_left_alone(release: Release) -> None:
    uid = release.runtimes()["cpu"]["metadata"]["uid"]
    release.upgrade(gpu=GPU, cpu={"spec": {"template": {"nodeSelector": {"pool": "cpu"}}}})
    there = release.runtimes()

    assert set(there) == {"cpu", "gpu", "copy"}
    assert there["cpu"]["spec"]["template"] == {"nodeSelector": {"pool": "cpu"}}
    assert there["gpu"]["spec"]["image"] == "playerscore/worker-gpu:0.1.0"
    assert there["gpu"]["spec"]["detector"]["name"] == "ultralytics"

    release.upgrade()
    there = release.runtimes()

    assert set(there) == {"cpu", "copy"}
    assert "template" not in there["cpu"]["spec"]
    assert there["cpu"]["metadata"]["uid"] == uid


def test_a_changed_volume_needs_no_restart(release: Release) -> None:
    release.values(gpu=GPU)
    release.until(lambda: "gpu" in release.runtimes())
    release.values()
    release.until(lambda: "gpu" not in release.runtimes())


def test_runtimes_that_hooks_made_are_taken_over_without_a_moment_without_them(release: Release) -> None:
    """What charts until 0.1.0 left: the object stays, and later upgrades own all of it."""
    release.stop_operator()
    body = copy_of(release.runtimes()["cpu"], "cpu")
    body["metadata"]["annotations"] = HOOKED
    body["spec"]["image"] = "playerscore/worker:old"
    body["spec"]["template"] = {"schedulerName": "old"}
    release.plane.kubectl("delete", "srt", "cpu")
    release.plane.kubectl("create", "--field-manager=helm", "-f", "-", stdin=json.dumps(body))
    uid = release.runtimes()["cpu"]["metadata"]["uid"]
    release.values(cpu={"spec": {"template": {"schedulerName": "new"}}})
    release.begin()
    release.until(release.is_ready)
    cpu = release.runtimes()["cpu"]

    assert cpu["metadata"]["uid"] == uid
    assert cpu["metadata"]["annotations"] == {DEFAULT: "true"}
    assert (cpu["spec"]["image"], cpu["spec"]["template"]) == (
        "playerscore/worker:0.1.0",
        {"schedulerName": "new"},
    )

    release.upgrade(cpu={"default": False})
    cpu = release.runtimes()["cpu"]
    assert "template" not in cpu["spec"]
    assert not cpu["metadata"].get("annotations")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param({"template": {"labels": {"playerscore.dev/uid": "1"}}}, "TEMPLATE_RESERVED", id="reserved"),
        pytest.param({"retries": {"limit": 1}}, ".spec.retries: field not declared", id="misspelt"),
        pytest.param({"retry": {"limit": -1}}, "spec.retry.limit", id="out of range"),
    ],
)  # fmt: skip
def test_a_runtime_that_is_refused_is_told_and_holds_up_no_other(
    release: Release, spec: Json, words: str
) -> None:
    release.stop_operator()
    release.plane.kubectl("delete", "srt", "cpu")
    release.values(bad={"enabled": True, "default": False, "spec": {"detector": {"name": "embedded"}} | spec})
    release.begin()
    release.until(lambda: words in release.readiness()[1])

    assert release.readiness()[0] == 503
    assert "cpu" in release.runtimes()
    assert "bad" not in release.runtimes()


def annotations(release: Release) -> Json:
    """Those of the default runtime."""
    return dict(release.runtimes()["cpu"]["metadata"].get("annotations") or {})


def copy_of(live: Json, name: str) -> Json:
    """As a person copies it: with its labels, under another name."""
    kept = {key: live[key] for key in ("apiVersion", "kind", "spec")}
    return kept | {"metadata": {"name": name, "labels": live["metadata"]["labels"]}}


def test_the_chart_has_neither_hooks_nor_looks_at_a_cluster_for_its_runtimes() -> None:
    text = (Path(__file__).parents[2] / "charts/playerscore/templates/runtime/runtimes.yaml").read_text()

    assert "lookup" not in text
    assert "helm.sh/hook" not in text
    assert not of_kind(render(), "ScoringRuntime")
