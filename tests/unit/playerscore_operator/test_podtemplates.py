"""What a runtime's template makes of the pods, and what it cannot make of them."""

import copy
from typing import Any

import pytest

from builders import TEMPLATE, make_ready_spec, make_runtime, make_spec, manifest
from playerscore.resources import ScoringRuntimeSpec
from playerscore.tasks import TASK_VARIABLE, TRUST_VARIABLE
from playerscore_operator.decide import decide
from playerscore_operator.manifests import analysis_job, preview_job
from playerscore_operator.podtemplates import TRUSTED, byte_count
from playerscore_operator.world import _choose
from worlds import API, NOW, world

Json = dict[str, Any]
ACCELERATOR = {
    "resourceName": "nvidia.com/gpu",
    "runtimeClassName": "nvidia",
    "nodeSelector": {"pool": "gpu", "card": "t4"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
}
GIBI = 2**30


def runtime(**spec: Any) -> ScoringRuntimeSpec:
    return ScoringRuntimeSpec.model_validate(manifest(make_runtime())["spec"] | spec)


def templates(found: ScoringRuntimeSpec, **spec: Any) -> tuple[Json, Json]:
    """The pod templates of a preview and of an analysis."""
    observed = world(make_ready_spec(**spec))
    bodies = preview_job(observed, found, 1, API), analysis_job(observed, found, 1, API)
    return bodies[0]["spec"]["template"], bodies[1]["spec"]["template"]


def resources(template: Json, container: str) -> Json:
    spec = template["spec"]
    found: Json = next(
        item for item in [*spec["initContainers"], *spec["containers"]] if item["name"] == container
    )["resources"]
    return found


def test_private_authorities_are_for_the_containers_that_speak_to_the_outside() -> None:
    for template in templates(
        runtime(template={"trustedCa": {"configMap": "authorities", "key": "all.pem"}})
    ):
        spec = template["spec"]
        (volume,) = [item for item in spec["volumes"] if item["name"] == "trusted-ca"]
        mounted = {
            container["name"]
            for container in [*spec["initContainers"], *spec["containers"]]
            if any(mount["name"] == "trusted-ca" and mount["readOnly"] for mount in container["volumeMounts"])
            and {"name": TRUST_VARIABLE, "value": f"{TRUSTED}/ca.crt"} in container["env"]
        }

        assert volume["configMap"] == {"name": "authorities", "items": [{"key": "all.pem", "path": "ca.crt"}]}
        assert mounted == {"report", "fetch"}
        assert TRUST_VARIABLE not in str(spec["containers"])


def test_all_of_a_template_is_in_both_kinds_of_pods() -> None:
    for template in templates(runtime(template=TEMPLATE)):
        spec = template["spec"]
        assert TEMPLATE["labels"].items() <= template["metadata"]["labels"].items()
        assert template["metadata"]["annotations"] == TEMPLATE["annotations"]
        for key in ("nodeSelector", "tolerations", "affinity", "schedulerName", "imagePullSecrets"):
            assert spec[key] == TEMPLATE[key], key
        spread = spec["topologySpreadConstraints"][0]
        assert spread["labelSelector"] == {"matchLabels": {"playerscore.dev/role": "worker"}}
        assert spec["securityContext"] == TEMPLATE["securityContext"] | {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in [*spec["initContainers"], *spec["containers"]]:
            assert container["env"][0] == TEMPLATE["env"][0]
        assert spec["volumes"][0] == {
            "name": "work",
            "ephemeral": {
                "volumeClaimTemplate": {
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "20Gi"}},
                        "storageClassName": "fast",
                    }
                }
            },
        }
        assert resources(template, "analyze")["requests"]["cpu"] == "2"
        assert resources(template, "fetch")["requests"]["cpu"] == "100m"


def test_without_a_template_pods_are_what_they_were_but_for_the_disk() -> None:
    for template in templates(runtime()):
        assert set(template["metadata"]) == {"labels"}
        assert {"nodeSelector", "tolerations", "affinity", "priorityClassName"}.isdisjoint(template["spec"])
        assert template["spec"]["securityContext"]["runAsUser"] == 10001
        assert template["spec"]["volumes"][0]["emptyDir"] == {"sizeLimit": str(9 * GIBI)}


def test_the_accelerator_goes_before_the_template_and_only_where_it_is_asked_for() -> None:
    preview, analysis = templates(runtime(template=TEMPLATE, accelerator=ACCELERATOR))

    assert preview["spec"]["nodeSelector"] == {"pool": "cpu"}
    assert preview["spec"]["tolerations"] == TEMPLATE["tolerations"]
    assert "runtimeClassName" not in preview["spec"]
    assert analysis["spec"]["nodeSelector"] == {"pool": "gpu", "card": "t4"}
    assert analysis["spec"]["tolerations"] == [*TEMPLATE["tolerations"], *ACCELERATOR["tolerations"]]
    assert analysis["spec"]["runtimeClassName"] == "nvidia"
    assert resources(analysis, "analyze")["limits"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in resources(preview, "analyze")["limits"]


@pytest.mark.parametrize(
    ("block", "preview_pool"),
    [
        pytest.param(None, "cpu", id="the same"),
        pytest.param({}, "cpu", id="a block that says nothing"),
        pytest.param({"template": {}}, None, id="none of it"),
        pytest.param({"template": {"nodeSelector": {"pool": "small"}}}, "small", id="its own"),
    ],
)
def test_previews_have_their_own_place(block: Json | None, preview_pool: str | None) -> None:
    found = runtime(template=TEMPLATE, **({"preview": block} if block is not None else {}))
    preview, analysis = templates(found)

    assert preview["spec"].get("nodeSelector", {}).get("pool") == preview_pool
    assert ("affinity" in preview["spec"]) is (preview_pool == "cpu")
    assert analysis["spec"]["nodeSelector"]["pool"] == "cpu"


def test_the_jobs_own_priority_goes_before_the_platforms() -> None:
    found = runtime(template={"priorityClassName": "batch"})

    assert [item["spec"]["priorityClassName"] for item in templates(found)] == ["batch", "batch"]
    preview, analysis = templates(found, priority_class_name="urgent")
    assert (preview["spec"]["priorityClassName"], analysis["spec"]["priorityClassName"]) == (
        "batch",
        "urgent",
    )


@pytest.mark.parametrize(
    ("template", "fetch", "report"),
    [
        pytest.param({}, 9 * GIBI + 2**28, 2**28, id="from videoLimits"),
        pytest.param({"workVolume": {"sizeLimit": "20Gi"}}, 20 * GIBI + 2**28, 2**28, id="from its size"),
        pytest.param({"workVolume": {"type": "Memory"}}, 2**28, 2**28, id="in memory"),
        pytest.param({"workVolume": {"type": "Ephemeral"}}, 2**28, 2**28, id="on a claim"),
        pytest.param(
            {"containers": {"fetch": {"resources": {"requests": {"ephemeral-storage": "0"}}}}},
            0,
            2**28,
            id="as the platform says",
        ),
    ],
)
def test_the_disk_is_asked_for_by_what_the_video_may_be(template: Json, fetch: int, report: int) -> None:
    preview, _ = templates(runtime(template=template))

    def asked(container: str) -> int:
        return byte_count(resources(preview, container)["requests"]["ephemeral-storage"])

    assert (asked("fetch"), asked("report")) == (fetch, report)


def test_a_pods_limit_on_its_disk_is_no_less_than_its_volumes() -> None:
    """The kubelet holds what all volumes of a pod have against the sum of its containers' limits."""
    preview, _ = templates(runtime())
    limits = [resources(preview, name)["limits"]["ephemeral-storage"] for name in ("analyze", "report")]
    volumes = [item["emptyDir"]["sizeLimit"] for item in preview["spec"]["volumes"] if "emptyDir" in item]

    assert sum(map(byte_count, limits)) > sum(map(byte_count, volumes))


def test_a_template_takes_nothing_from_the_operators_part() -> None:
    """Although the schema refuses such names: what an object that was stored without it says counts for nothing."""
    bad = copy.deepcopy(TEMPLATE)
    bad["labels"] |= {"playerscore.dev/uid": "other", "app.kubernetes.io/name": "other"}
    bad["env"] += [{"name": TASK_VARIABLE, "value": "{}"}, {"name": "HOME", "value": "/root"}]
    bad["securityContext"] = {}
    del bad["trustedCa"]  # adds a mount
    plain, _ = templates(runtime())
    preview, _ = templates(runtime(template=bad))

    assert plain["metadata"]["labels"].items() <= preview["metadata"]["labels"].items()
    for before, after in zip(
        [*plain["spec"]["initContainers"], *plain["spec"]["containers"]],
        [*preview["spec"]["initContainers"], *preview["spec"]["containers"]],
        strict=True,
    ):
        assert {item["name"]: item["value"] for item in before["env"]}.items() <= {
            item["name"]: item["value"] for item in after["env"]
        }.items()
        assert before | {"env": 0, "resources": 0} == after | {"env": 0, "resources": 0}
    assert preview["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert preview["spec"]["serviceAccountName"] == "playerscore-worker"


def test_a_runtime_with_a_value_of_a_newer_release_is_told_on_the_job() -> None:
    body = manifest(make_runtime(name="newer")) | {"kind": "ScoringRuntime"}
    body["spec"]["template"] = {"workVolume": {"type": "Striped"}}
    found, trouble = _choose([body], "newer")
    decision = decide(
        world(make_spec(runtime_name="newer"), runtime=found, runtime_trouble=trouble), NOW, API
    )
    ready = next(item for item in decision.status["conditions"] if item["type"] == "PreviewReady")

    assert ready["reason"] == "RUNTIME_NOT_FOUND"
    assert "spec.template.workVolume.type" in ready["message"]
