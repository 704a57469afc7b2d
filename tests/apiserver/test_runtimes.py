"""What a ScoringRuntime may say about pods, on a real API server: kept whole, or refused with its field.

Reserved names are the schema's to refuse, so it is tried without any gate. Fields that are on no list are the
webhook's and the policy's, for clients that ask for strict validation and for those that do not.
"""

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders import TEMPLATE, make_runtime, manifest
from celcost import OLDEST_KUBERNETES, costs
from chart import one
from controlplane import ControlPlane
from gates import rendered, running_webhook
from playerscore import names

Json = dict[str, Any]
CLIENTS = {"strict": "--validate=strict", "lenient": "--validate=ignore"}
MODES = ("webhook", "policy")


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as found:
        found.install_crds()
        yield found


@pytest.fixture(scope="module", params=MODES)
def gate(request: pytest.FixtureRequest, plane: ControlPlane, tmp_path_factory: Any) -> Iterator[str]:
    """One of the chart's gates, while its tests run."""
    mode: str = request.param
    folder: Path = tmp_path_factory.mktemp("webhook")
    with running_webhook(plane, folder) as client:
        items = rendered(mode)
        for item in items:
            for hook in item.get("webhooks", []):
                hook["clientConfig"] = client
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        plane.kubectl("apply", "-f", "-", stdin=listed)
        until(plane, closed=True)
        yield mode
        plane.kubectl("delete", "-f", "-", stdin=listed)
        until(plane, closed=False)


def until(plane: ControlPlane, *, closed: bool) -> None:
    """The API server learns of a gate, and of its end, a moment after."""
    end = time.monotonic() + 60
    while (
        names.TEMPLATE_FORBIDDEN in apply(plane, runtime({"weather": 1}), "--dry-run=server")
    ) is not closed:
        assert time.monotonic() < end, "the gate did not turn"
        time.sleep(0.2)


def runtime(template: Json | None = None, **spec: Any) -> Json:
    body = manifest(make_runtime(name="tried"))
    body["spec"] |= ({"template": template} if template is not None else {}) | spec
    return body


def apply(plane: ControlPlane, body: Json, *how: str) -> str:
    return plane.kubectl("apply", *how, "-f", "-", stdin=json.dumps(body), check=False)


def put(path: str, value: Any) -> Json:
    """A whole template with one more field in it; a number in the path is an item of a list."""
    template: Any = copy.deepcopy(TEMPLATE)
    at = template
    *parents, last = path.split(".")
    for part in parents:
        at = at[int(part)] if part.isdigit() else at.setdefault(part, {})
    at[last] = value
    return dict(template)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize("root", ["template", "preview"])
def test_all_that_a_template_may_say_is_kept(plane: ControlPlane, client: str, root: str) -> None:
    spec = {"template": TEMPLATE} if root == "template" else {"preview": {"template": TEMPLATE}}
    said = apply(plane, runtime(**spec), client)
    stored = json.loads(plane.kubectl("get", "srt", "tried", "-o", "json"))["spec"]
    plane.kubectl("delete", "srt", "tried")

    assert "created" in said
    assert "Warning" not in said
    assert stored[root] == spec[root]


REFUSED: dict[str, tuple[Json, str, str]] = {
    "a label of the operator": (
        put("labels", {"playerscore.dev/uid": "1"}),
        "spec.template.labels",
        "TEMPLATE_RESERVED: the label playerscore.dev/uid",
    ),
    "a label of a part of it": (
        put("labels", {"x.playerscore.dev/y": "1"}),
        "spec.template.labels",
        "TEMPLATE_RESERVED",
    ),
    "the label by which the operator's pods are known": (
        put("labels", {"app.kubernetes.io/managed-by": "me"}),
        "spec.template.labels",
        "TEMPLATE_RESERVED",
    ),
    "a label of the Job controller": (
        put("labels", {"batch.kubernetes.io/job-name": "me"}),
        "spec.template.labels",
        "TEMPLATE_RESERVED",
    ),
    "the queue, which the job names": (
        put("labels", {"kueue.x-k8s.io/queue-name": "me"}),
        "spec.template.labels",
        "TEMPLATE_RESERVED",
    ),
    "an annotation of the operator": (
        put("annotations", {"playerscore.dev/spec-hash": "1"}),
        "spec.template.annotations",
        "TEMPLATE_RESERVED: the annotation playerscore.dev/spec-hash",
    ),
    "a profile by annotation": (
        put("annotations", {"container.apparmor.security.beta.kubernetes.io/analyze": "unconfined"}),
        "spec.template.annotations",
        "TEMPLATE_RESERVED",
    ),
    **{
        f"the variable {name}": (
            put("env", [{"name": name, "value": "x"}]),
            "spec.template.env[0].name",
            "TEMPLATE_RESERVED",
        )
        for name in ("PLAYERSCORE_TASK", "PLAYERSCORE_ANY", "HOME", "MPLCONFIGDIR", "PATH", "PYTHONPATH", "LD_PRELOAD")
    },
    "a variable without a value": (put("env", [{"name": "A"}]), "spec.template.env[0].value", "Required"),
    "two variables of a name": (
        put("env", [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        "spec.template.env[1]",
        "Duplicate",
    ),
    "root": (put("securityContext.runAsUser", 0), "spec.template.securityContext.runAsUser", "greater than"),
    "root's group": (put("securityContext.runAsGroup", 0), "spec.template.securityContext.runAsGroup", "greater"),
    "root's files": (put("securityContext.fsGroup", 0), "spec.template.securityContext.fsGroup", "greater"),
    "a storage class of the node's disk": (
        put("workVolume.type", "EmptyDir"),
        "spec.template.workVolume",
        "Ephemeral alone",
    ),
    "a volume of the node": (put("workVolume.type", "HostPath"), "spec.template.workVolume.type", "Unsupported"),
    "an amount that is none": (put("workVolume.sizeLimit", "much"), "spec.template.workVolume.sizeLimit", "match"),
    "a label's value that is none": (put("labels.team", "a b"), "spec.template.labels.team", "match"),
}  # fmt: skip


@pytest.mark.parametrize(("template", "field", "words"), REFUSED.values(), ids=REFUSED)
def test_the_schema_refuses_it_without_any_gate(
    plane: ControlPlane, template: Json, field: str, words: str
) -> None:
    for root, spec in (
        ("template", {"template": template}),
        ("preview.template", {"preview": {"template": template}}),
    ):
        said = apply(plane, runtime(**spec), "--validate=ignore")

        assert "created" not in said
        assert field.replace("spec.template", f"spec.{root}") in said
        assert words in said


def test_what_was_stored_before_a_gate_can_be_labelled_and_mended(plane: ControlPlane) -> None:
    """And is not run with: the operator reads only what is on its lists."""
    body = runtime(put("hostNetwork", True))
    body["metadata"]["name"] = "before"
    assert "created" in apply(plane, body, "--validate=ignore")
    policy = json.dumps({"apiVersion": "v1", "kind": "List", "items": rendered("policy")})
    plane.kubectl("apply", "-f", "-", stdin=policy)
    until(plane, closed=True)
    labelled = plane.kubectl("label", "srt", "before", "team=a")
    edited = plane.kubectl(
        "patch", "srt", "before", "--type=merge", "-p", '{"spec": {"image": "w:2"}}', check=False
    )
    mended = apply(plane, body | {"spec": runtime(TEMPLATE)["spec"]})
    plane.kubectl("delete", "-f", "-", stdin=policy)
    until(plane, closed=False)

    assert "labeled" in labelled
    assert "TEMPLATE_FORBIDDEN: spec.template.hostNetwork" in edited
    assert "configured" in mended


FORBIDDEN: dict[str, tuple[str, Any]] = {
    "privileged": ("privileged", True),
    "a host's path": ("workVolume.hostPath", {"path": "/"}),
    "volumes": ("volumes", [{"name": "root", "hostPath": {"path": "/"}}]),
    "another account": ("serviceAccountName", "admin"),
    "the host's network": ("hostNetwork", True),
    "a command": ("containers.analyze.command", ["sh"]),
    "a command of all": ("command", ["sh"]),
    "another image": ("containers.report.image", "evil"),
    "a privileged container": ("containers.fetch.securityContext", {"privileged": True}),
    "capabilities": ("securityContext.capabilities", {"add": ["SYS_ADMIN"]}),
    "a container more": ("containers.sidecar", {}),
    "a variable from a Secret": ("env.0.valueFrom", {"secretKeyRef": {"name": "s", "key": "k"}}),
    "a whole pod": ("spec", {"containers": []}),
    "claims of devices": ("containers.analyze.resources.claims", [{"name": "gpu"}]),
    "a misspelt toleration": ("tolerations.0.tolerationseconds", 5),
    "a misspelt term": (
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.0.matchLabels",
        {"a": "b"},
    ),
    "a misspelt selector": (
        "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution.0.podAffinityTerm.matchkeys",
        {"a": "b"},
    ),
}


@pytest.mark.parametrize(("path", "value"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_is_on_no_list_is_refused_with_its_path(
    plane: ControlPlane, gate: str, path: str, value: Any
) -> None:
    template = put(path, value)
    named = ".".join("[]" if part.isdigit() and gate == "policy" else part for part in path.split("."))
    for root, spec, how in (
        ("template", {"template": template}, "--validate=strict"),
        ("template", {"template": template}, "--server-side"),
        ("preview.template", {"preview": {"template": template}}, "--validate=ignore"),
    ):
        said = apply(plane, runtime(**spec), how)

        field = f"spec.{root}.{named}".replace(".[]", "[]")
        assert f"TEMPLATE_FORBIDDEN: {field} is not a template's to set" in said
        assert "created" not in said


def test_a_whole_template_passes_the_gate(plane: ControlPlane, gate: str) -> None:
    said = apply(plane, runtime(TEMPLATE, preview={"template": TEMPLATE}), "--dry-run=server")

    assert "created" in said, gate


def test_beside_a_template_too(plane: ControlPlane, gate: str) -> None:
    said = apply(plane, runtime(preview={"runtimeName": "cpu"}), "--validate=ignore")

    assert "TEMPLATE_FORBIDDEN: spec.preview.runtimeName" in said, gate


@pytest.mark.parametrize("kubernetes", [OLDEST_KUBERNETES, "1.36"])
def test_every_supported_kubernetes_takes_the_policy(kubernetes: str) -> None:
    policy = one(rendered("policy"), "ValidatingAdmissionPolicy", "playerscore-policy-runtimes")
    good, bad = runtime(TEMPLATE), runtime(put("env.0.valueFrom", {}))
    found = costs(
        policy, [{"object": good, "oldObject": bad}, {"object": bad, "oldObject": good}], kubernetes
    )

    assert [item["allowed"] for item in found["verdicts"]] == [True, False]
    for item in found["verdicts"]:
        assert item["validation_cost"] + item["message_cost"] < found["per_binding_budget"] / 100
