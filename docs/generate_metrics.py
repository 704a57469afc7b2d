"""The page of metrics, read from where the programs declare them; the chart's tests ask it for their names."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    "operator": ("The operator", "`/metrics` on port 8080 of each replica"),
    "webhook": ("The webhook", "`/metrics` on port 8080 of each replica"),
    "api": ("The REST API", "`/metrics` on port 8080 of each replica"),
}
ENDINGS = {
    "Counter": ("_total",),
    "Histogram": ("_bucket", "_sum", "_count"),
    "Gauge": ("",),
    "Info": ("_info",),
    "GaugeMetricFamily": ("",),
    "CounterMetricFamily": ("_total",),
}
HEAD = """\
<!-- Generated from the programs' declarations by docs/generate.py; do not edit. -->
# Metrics

Every program serves Prometheus' text format. A label's values are a closed set, or `namespace`, the namespaces
that hold jobs: never a job's or a player's name. `namespace` is the job's: the chart's PodMonitors keep it
(`honorLabels`). The alerts and the dashboard that use them come with the chart (`monitoring.enabled`);
[runbooks.md](runbooks.md) says what to do when one fires.
"""


class Declared(NamedTuple):
    """One metric as it stands in the code."""

    program: str
    module: str
    kind: str
    name: str
    text: str
    labels: list[str]

    def series(self) -> list[str]:
        """The names under which Prometheus stores it."""
        return [self.name.removesuffix("_total") + ending for ending in ENDINGS[self.kind]]


@cache
def declared() -> list[Declared]:
    """Every metric of every program."""
    return [
        metric
        for program in PROGRAMS
        for path in sorted((ROOT / program).rglob("*.py"))
        for metric in _in(program, path)
    ]


def _in(program: str, path: Path) -> Iterator[Declared]:
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            not isinstance(node, ast.Call)
            or not isinstance(node.func, ast.Name)
            or node.func.id not in ENDINGS
        ):
            continue
        if len(node.args) < 2 or not isinstance(node.args[0], ast.Constant):
            continue  # of the same name, yet no declaration
        labels = node.args[2] if len(node.args) > 2 else _keyword(node, "labels", "labelnames")
        name, text = (str(ast.literal_eval(part)) for part in node.args[:2])
        names = list(ast.literal_eval(labels)) if labels else []
        yield Declared(program, str(path.relative_to(ROOT)), node.func.id, name, text, names)


def _keyword(node: ast.Call, *names: str) -> ast.expr | None:
    return next((keyword.value for keyword in node.keywords if keyword.arg in names), None)


def page() -> str:
    """The page's text."""
    found = declared()
    parts = [HEAD]
    for program, (title, where) in PROGRAMS.items():
        rows = [
            f"| `{_shown(metric)}` | {metric.kind.removesuffix('MetricFamily').lower()} "
            f"| {', '.join(f'`{label}`' for label in metric.labels)} | {metric.text} |"
            for metric in found
            if metric.program == program
        ]
        head = f"## {title}\n\n{where}.\n\n| metric | type | labels | what it tells |\n| --- | --- | --- | --- |\n"
        parts.append(head + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _shown(metric: Declared) -> str:
    return metric.name if metric.kind == "Histogram" else metric.series()[0]
