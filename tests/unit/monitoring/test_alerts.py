"""The alerts of the rendered chart, evaluated by real promtool over recorded series; and their runbooks."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import of_kind, render
from controlplane import ROOT, ensure_tools

Json = dict[str, Any]
CASES: list[Json] = yaml.load(
    (Path(__file__).parent / "alerts.yaml").read_text(), Loader=yaml.BaseLoader
)  # 0x20 is twenty noughts here
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()


@pytest.fixture(scope="module")
def groups() -> list[Json]:
    rendered = render("monitoring.enabled=true,monitoring.prometheusOperator=always")
    (rule,) = of_kind(rendered, "PrometheusRule")
    found: list[Json] = rule["spec"]["groups"]
    return found


@pytest.fixture(scope="module")
def alerts(groups: list[Json]) -> dict[str, Json]:
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        [str(ensure_tools("promtool") / "promtool"), *arguments], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def as_promtool_test(case: Json, rule: Json) -> Json:
    """A case in promtool's form; severity and runbook are the rule's own."""
    expected = [
        {
            "exp_labels": rule["labels"] | item.get("labels", {}),
            "exp_annotations": rule["annotations"] | {"summary": item["summary"]},
        }
        for item in case["fires"]
    ]
    return {
        "name": f"{case['alert']}: {case['case']}",
        "interval": "1m",
        "input_series": [{"series": key, "values": str(value)} for key, value in case["series"].items()],
        "alert_rule_test": [
            {"alertname": case["alert"], "eval_time": case["at"], "exp_alerts": expected},
        ],
    }


def test_promtool_accepts_the_rules(groups: list[Json], tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": groups}))

    promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules))


def test_alerts_fire_when_they_should_and_only_then(
    groups: list[Json], alerts: dict[str, Json], tmp_path: Path
) -> None:
    """Each alert's cases meet its own rule alone: with all rules, every case would evaluate all of them."""
    files = []
    for name, rule in alerts.items():
        alone = [
            {**group, "rules": [r for r in group["rules"] if r.get("alert", name) == name]}
            for group in groups
        ]
        (tmp_path / f"{name}.rules.yaml").write_text(
            yaml.safe_dump({"groups": [g for g in alone if g["rules"]]})
        )
        tests = [as_promtool_test(case, rule) for case in CASES if case["alert"] == name]
        file = tmp_path / f"{name}.yaml"
        about = {"rule_files": [f"{name}.rules.yaml"], "evaluation_interval": "1m", "tests": tests}
        file.write_text(yaml.safe_dump(about))
        files.append(str(file))

    promtool("test", "rules", *files)


def test_every_alert_has_a_case_that_fires_and_one_that_does_not(alerts: dict[str, Json]) -> None:
    firing = {case["alert"] for case in CASES if case["fires"]}
    quiet = {case["alert"] for case in CASES if not case["fires"]}

    assert set(alerts) == firing == quiet


def test_every_alert_has_a_runbook_and_every_runbook_an_alert(alerts: dict[str, Json]) -> None:
    assert re.findall(r"^## (Playerscore\w+)$", RUNBOOKS, re.MULTILINE) == list(alerts)
    for name, rule in alerts.items():
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"


def test_every_runbook_says_what_it_means_how_to_see_it_and_what_to_do() -> None:
    sections = re.split(r"^## Playerscore\w+$", RUNBOOKS, flags=re.MULTILINE)[1:]

    for section in sections:
        for part in ("**Means:**", "**Look:**", "**Do:**"):
            assert part in section, section[:200]


def test_the_values_choose_labels_runbooks_and_alerts() -> None:
    values = {
        "enabled": True,
        "prometheusOperator": "always",
        "labels": {"release": "prometheus"},
        "rules": {
            "disabled": ["PlayerscoreLoopLag"],
            "runbookUrl": "https://wiki.example.com/playerscore",
            "labels": {"team": "video"},
        },
    }
    (rule,) = of_kind(render(values={"monitoring": values}), "PrometheusRule")
    rules = {item["alert"]: item for group in rule["spec"]["groups"] for item in group["rules"]}

    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert "PlayerscoreLoopLag" not in rules
    assert rules["PlayerscoreNoLeader"]["labels"] == {"severity": "critical", "team": "video"}
    url = rules["PlayerscoreNoLeader"]["annotations"]["runbook_url"]
    assert url == "https://wiki.example.com/playerscore#playerscorenoleader"


def test_without_a_webhook_there_are_no_alerts_about_it() -> None:
    rendered = render("monitoring.enabled=true,monitoring.prometheusOperator=always,admission.mode=policy")
    (rule,) = of_kind(rendered, "PrometheusRule")

    assert not [
        item["alert"]
        for group in rule["spec"]["groups"]
        for item in group["rules"]
        if "Webhook" in item["alert"]
    ]


MONITORS = {"PodMonitor", "PrometheusRule"}


@pytest.mark.parametrize(
    ("enabled", "wanted", "installed", "expected"),
    [
        pytest.param("false", "always", True, set(), id="off"),
        pytest.param("true", "auto", False, {"ConfigMap"}, id="on, without the Prometheus Operator"),
        pytest.param("true", "auto", True, {"ConfigMap", *MONITORS}, id="on, with it"),
        pytest.param("true", "always", False, {"ConfigMap", *MONITORS}, id="wanted where Helm cannot see it"),
        pytest.param("true", "never", True, {"ConfigMap"}, id="only the dashboard"),
    ],
)
def test_what_is_made_depends_on_what_is_installed(
    enabled: str, wanted: str, installed: bool, expected: set[str]
) -> None:
    capabilities = ["monitoring.coreos.com/v1"] if installed else []
    rendered = render(
        f"monitoring.enabled={enabled},monitoring.prometheusOperator={wanted}", capabilities=capabilities
    )

    found = of_kind(rendered, "ConfigMap", *MONITORS)
    made = {item["kind"] for item in found if item["metadata"]["name"] != "playerscore-runtimes"}
    assert made == expected
