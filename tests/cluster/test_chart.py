"""The chart as text: it renders for every way of installing it, strictly valid, with nothing to spare."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from livecluster import ROOT, SYSTEM_NAMESPACE, Cluster, CommandError, run, tool
from openapi import write_schemas

Json = dict[str, Any]
CHART = str(ROOT / "charts" / "playerscore")
VALUES: dict[str, Json] = {
    "the defaults": {},
    "namespaces for jobs": {"jobNamespaces": [{"name": "a", "create": True}, {"name": "b"}]},
    "an S3 of one's own": {
        "store": {
            "embedded": {"enabled": False},
            "external": {"endpoint": "https://s3.example.com", "existingSecret": "s3"},
        }
    },
    "everything reachable from outside": {
        "api": {"service": {"type": "NodePort", "nodePort": 30080}},
        "store": {
            "publicEndpoint": "http://127.0.0.1:30090",
            "embedded": {"service": {"type": "NodePort", "nodePort": 30090}},
        },
    },
    "replicas, a GPU and images by digest": {
        "operator": {"replicas": 2},
        "webhook": {"replicas": 3},
        "api": {"replicas": 2},
        "runtimes": {
            "gpu": {
                "enabled": True,
                "spec": {
                    "detector": {"weights": {"uri": "https://models.example/yolo.pt", "sha256": "a" * 64}}
                },
            }
        },
        "image": {"digest": "sha256:" + "a" * 64},
        "imagePullSecrets": [{"name": "registry"}],
    },
    "credentials of one's own, and another retention": {
        "store": {
            "embedded": {"existingSecret": "mine", "corsAllowOrigin": "https://console.example.com"},
            "retention": {"deletedJobsDays": 0, "dryRun": True},
        }
    },
    "without policies and definitions": {
        "networkPolicies": {"enabled": False},
        "store": {"retention": {"enabled": False}},
        "crds": {"enabled": False},
        "admission": {"workerConfinement": False},
    },
}
WRONG_VALUES: dict[str, Json] = {
    "a misspelt key": {"operator": {"replica": 2}},
    "a mode that there is not": {"admission": {"mode": "mutating"}},
    "a digest that is none": {"image": {"digest": "latest"}},
    "a namespace with capitals": {"jobNamespaces": [{"name": "Scoring"}]},
    "two default runtimes": {
        "runtimes": {"mine": {"enabled": True, "default": True, "spec": {"image": "worker"}}}
    },
    "a GPU without a detector that uses it": {"runtimes": {"gpu": {"enabled": True}}},
    "no store at all": {"store": {"embedded": {"enabled": False}}},
}


@pytest.fixture(scope="module")
def schemas(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JSON schemas of every kind that the real API server knows, ours included."""
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(json.loads(cluster.kubectl("get", "--raw", "/openapi/v2")), folder)
    run(str(ROOT / "cluster" / "tools.sh"), "kubeconform")
    return folder


def render(tmp_path: Path, values: Json, *more: str) -> str:
    """The manifests. Raises CommandError when the values are refused."""
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    return run(tool("helm"), "template", "playerscore", CHART, "-n", SYSTEM_NAMESPACE, "-f", str(file), *more)


def objects(tmp_path: Path, values: Json, *more: str) -> list[Json]:
    return [item for item in yaml.safe_load_all(render(tmp_path, values, *more)) if item]


def pod_specs(manifests: list[Json]) -> Iterator[tuple[str, Json]]:
    for item in manifests:
        if item["kind"] in ("Deployment", "Job"):
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        if item["kind"] == "CronJob":
            yield item["metadata"]["name"], item["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_it_is_valid_against_the_api_servers_own_schemas(
    cluster: Cluster, schemas: Path, tmp_path: Path, values: Json
) -> None:
    manifests = render(tmp_path, values)
    location = str(schemas / "{{.ResourceKind}}{{.KindSuffix}}.json")

    run(tool("kubeconform"), "-strict", "-schema-location", location, "-", stdin=manifests)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_lint_is_content(cluster: Cluster, tmp_path: Path, values: Json) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))

    run(tool("helm"), "lint", "--strict", CHART, "-f", str(file))


@pytest.mark.parametrize("values", WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_wrong_values_are_refused(cluster: Cluster, tmp_path: Path, values: Json) -> None:
    with pytest.raises(CommandError):
        render(tmp_path, values)


def test_cert_manager_issues_the_certificate_where_it_is_installed(cluster: Cluster, tmp_path: Path) -> None:
    kinds = {item["kind"] for item in objects(tmp_path, {}, "--api-versions", "cert-manager.io/v1")}
    assert {"Certificate", "Issuer"} <= kinds
    assert "Certificate" not in {item["kind"] for item in objects(tmp_path, {})}


def test_no_role_has_a_wildcard_or_reads_all_secrets(cluster: Cluster, tmp_path: Path) -> None:
    manifests = objects(tmp_path, VALUES["namespaces for jobs"])
    rules = [rule for item in manifests if item["kind"] in ("Role", "ClusterRole") for rule in item["rules"]]
    assert rules
    for rule in rules:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        if "secrets" in rule["resources"]:
            assert rule.get("resourceNames") or rule["verbs"] == ["create"]


def test_only_store_api_and_sweep_know_the_stores_credentials(cluster: Cluster, tmp_path: Path) -> None:
    knowing = {name for name, spec in pod_specs(objects(tmp_path, {})) if "secretKey" in json.dumps(spec)}

    assert knowing == {"playerscore-api", "playerscore-store", "playerscore-sweep"}


def test_every_pod_is_restricted(cluster: Cluster, tmp_path: Path) -> None:
    found = list(pod_specs(objects(tmp_path, {})))
    assert len(found) == 6
    for name, spec in found:
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name


def test_an_upgrade_keeps_the_stores_credentials_and_the_runtime(cluster: Cluster) -> None:
    """A second install of the same changes neither."""
    before = _kept(cluster)

    Cluster.up()

    assert _kept(cluster) == before


def _kept(cluster: Cluster) -> tuple[Json, str]:
    secret = cluster.get("secret", "playerscore-store-credentials", SYSTEM_NAMESPACE)
    return secret["data"], cluster.get("scoringruntime", "cpu")["metadata"]["uid"]
