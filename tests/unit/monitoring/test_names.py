"""Alerts and dashboard ask only for series, and labels, that the programs really have."""

import json
import re
from typing import Any

import pytest
import yaml
from generate_metrics import Declared, declared
from prometheus_client import REGISTRY

from chart import CHART, one, render
from playerscore_api.metrics import REQUESTS
from playerscore_operator import metrics
from playerscore_webhook.app import Metrics as WebhookMetrics

Json = dict[str, Any]
FOREIGN = {
    # The API server's own count of webhooks that it could not ask; tests/apiserver/test_events.py asks it.
    "apiserver_admission_webhook_rejection_count": {
        "name",
        "error_type",
        "operation",
        "rejection_code",
        "type",
    },
    # The kubelet's, and kube-state-metrics'.
    "kubelet_volume_stats_available_bytes": {"namespace", "persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"namespace", "persistentvolumeclaim"},
    "kube_cronjob_status_last_successful_time": {"namespace", "cronjob"},
    "up": {"job"},
}
TARGET_LABELS = {"pod", "job", "instance", "le"}
WORDS = {"and", "or", "unless", "by", "on", "bool", "offset"}
CLOSED = {
    "step", "result", "reason", "outcome", "code", "kind", "source", "operation", "verdict", "method", "route", "status", "state",
}  # fmt: skip
BOUNDED = CLOSED | {"namespace"}


def series() -> dict[str, set[str]]:
    """Labels by the name of a stored series."""
    found = {name: set(metric.labels) for metric in declared() for name in metric.series()}
    found["scoringjob_build_info"] |= {"version", "kopf", "python"}
    return found | FOREIGN


def asked(expression: str) -> dict[str, set[str]]:
    """Labels that an expression asks for, by series. Understands what our expressions use of PromQL."""
    found: dict[str, set[str]] = {}
    bare = re.sub(r'"[^"]*"', '""', expression)
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\b(?:by|on|without) \(([^)]*)\)", bare))))
    bare = re.sub(r"\b(?:by|on|without) \([^)]*\)", " ", bare)
    for name, matchers, call in re.findall(
        r"\b([a-zA-Z_]\w*)\b(?:\{([^}]*)\})?(\s*\()?", re.sub(r"\[[^]]*\]", "", bare)
    ):
        if not call and name not in WORDS:
            found[name] = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) | grouped
    return found


def unknown(expression: str) -> list[str]:
    """What an expression asks for that no program has."""
    known = series()
    troubles = []
    for name, labels in asked(expression).items():
        if name not in known:
            troubles.append(name)
        else:
            troubles += [f"{name}{{{label}}}" for label in labels - known[name] - TARGET_LABELS]
    return troubles


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("sum(scoringjob_operator_leader) > 1", [], id="a gauge"),
        pytest.param("sum by (code) (rate(scoringjob_launch_failures_total[5m]))", [], id="a counter"),
        pytest.param("rate(scoringjob_launch_failures[5m])", ["scoringjob_launch_failures"], id="no _total"),
        pytest.param(
            'scoringjob_jobs{phase="x"}', ["scoringjob_jobs{phase}"], id="a label that is not there"
        ),
        pytest.param(
            "sum by (job_name) (scoringjob_jobs)", ["scoringjob_jobs{job_name}"], id="grouped by one"
        ),
        pytest.param("max(kube_pod_info)", ["kube_pod_info"], id="somebody else's"),
    ],
)
def test_this_test_finds_what_is_not_there(expression: str, expected: list[str]) -> None:
    assert unknown(expression) == expected


def alerts() -> list[Json]:
    groups = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_alerts_ask_for_what_is_there(rule: Json) -> None:
    assert unknown(rule["expr"]) == []


def panels() -> list[Json]:
    """The panels of the dashboard as Grafana gets it."""
    config = one(render("monitoring.enabled=true"), "ConfigMap", "playerscore-dashboard")
    board = json.loads(config["data"]["playerscore.json"])
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_panels_ask_for_what_is_there() -> None:
    troubles = {
        panel["title"]: found
        for panel in panels()
        for target in panel["targets"]
        if (found := unknown(target["expr"]))
    }

    assert troubles == {}


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    used = {name for text in [*expressions, *(rule["expr"] for rule in alerts())] for name in asked(text)}

    assert [metric.name for metric in declared() if not used.intersection(metric.series())] == []


def test_panels_do_not_overlap_and_say_what_they_show() -> None:
    places: set[tuple[int, int]] = set()
    for panel in panels():
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not places & cells, panel["title"]
        assert grid["x"] + grid["w"] <= 24
        assert panel["description"], panel["title"]
        places |= cells


@pytest.mark.parametrize("metric", declared(), ids=lambda metric: metric.name)
def test_labels_have_closed_sets_of_values(metric: Declared) -> None:
    assert set(metric.labels) <= BOUNDED


def test_each_program_declares_its_metrics_in_one_place() -> None:
    places = {(metric.program, metric.module) for metric in declared()}

    assert sorted(program for program, _ in places) == ["api", "operator", "webhook"]


def test_the_page_names_what_is_served() -> None:
    served = {family.name for family in [*REGISTRY.collect(), *WebhookMetrics().registry.collect()]}
    assert REQUESTS in REGISTRY._collector_to_names, "the API's metrics are in the same registry here"
    ours = {name for name in served if name.startswith(("scoringjob_", "playerscore_"))}

    assert {metric.name for metric in declared()} == ours


def test_what_a_pod_makes_up_is_no_series() -> None:
    assert {metrics.known(f"MADE_UP_{number}") for number in range(1000)} == {"OTHER"}
    assert metrics.known("VIDEO_TRUNCATED") == "VIDEO_TRUNCATED"
    assert metrics.known("Completed") == "Completed"
