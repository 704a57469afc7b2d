"""The chart's PodMonitors, PrometheusRule and dashboard are what the Prometheus Operator's own definitions take."""

import json
from collections.abc import Iterator

import pytest

import gomodule
from chart import NAMESPACE, of_kind, one, render
from controlplane import ControlPlane

KINDS = ("PodMonitor", "PrometheusRule", "ConfigMap")
VALUES = {
    "enabled": True,
    "prometheusOperator": "always",
    "labels": {"release": "prometheus"},
    "rules": {"labels": {"team": "video"}},
}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    module = gomodule.folder("prometheus-operator", "github.com/prometheus-operator/prometheus-operator")
    with ControlPlane() as found:
        for plural in ("podmonitors", "prometheusrules"):
            definition = (
                module / "example" / "prometheus-operator-crd" / f"monitoring.coreos.com_{plural}.yaml"
            )
            found.kubectl("apply", "--server-side", "-f", str(definition))
        found.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
        found.kubectl("create", "namespace", NAMESPACE)
        yield found


def test_the_objects_are_taken_strictly(plane: ControlPlane) -> None:
    found = of_kind(render(values={"monitoring": VALUES}), *KINDS)
    objects = [item for item in found if item["metadata"]["name"] != "playerscore-runtimes"]
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})

    created = plane.kubectl("create", "--validate=strict", "-f", "-", stdin=items)

    assert len(created.splitlines()) == 5, created


def test_a_misspelt_field_would_have_been_refused(plane: ControlPlane) -> None:
    monitor = one(render(values={"monitoring": VALUES}), "PodMonitor", "playerscore-operator")
    monitor["metadata"]["name"] = "misspelt"
    monitor["spec"]["podMetricsEndpoints"][0]["honourLabels"] = True

    said = plane.kubectl("create", "--validate=strict", "-f", "-", stdin=json.dumps(monitor), check=False)

    assert "honourLabels" in said


@pytest.mark.parametrize(("part", "port"), [("operator", "health"), ("webhook", "metrics"), ("api", "http")])
def test_monitors_find_the_pods_and_their_port(part: str, port: str) -> None:
    objects = render(values={"monitoring": VALUES})
    spec = one(objects, "PodMonitor", f"playerscore-{part}")["spec"]
    template = one(objects, "Deployment", f"playerscore-{part}")["spec"]["template"]
    named = {item["name"] for container in template["spec"]["containers"] for item in container["ports"]}

    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert spec["podMetricsEndpoints"][0]["port"] == port
    assert port in named
