"""The chart as Helm renders it: real Helm, no cluster.

objects = render("monitoring.enabled=true", capabilities=["monitoring.coreos.com/v1"])
one(objects, "Deployment", "playerscore-operator")["spec"]["replicas"]
"""

import json
import subprocess
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import yaml

from controlplane import ROOT, ensure_tools

Json = dict[str, Any]
CHART = ROOT / "charts" / "playerscore"
NAMESPACE = "playerscore-system"


def render(
    *sets: str, values: Json | None = None, capabilities: Sequence[str] = (), show_only: Sequence[str] = ()
) -> list[Json]:
    """Every object of the release `playerscore`, hooks included. Raises AssertionError with Helm's words."""
    arguments = [
        *(f"--show-only={item}" for item in show_only),
        *(f"--set={item}" for item in sets),
        *(f"--api-versions={item}" for item in capabilities),
    ]
    text = _rendered(tuple(arguments), json.dumps(values) if values else None)
    return [item for item in yaml.safe_load_all(text) if item]


@lru_cache
def _rendered(arguments: tuple[str, ...], values: str | None) -> str:
    helm = ensure_tools("helm") / "helm"
    done = subprocess.run(
        [
            *(str(helm), "template", "playerscore", str(CHART), f"--namespace={NAMESPACE}"),
            *arguments,
            *(["--values=-"] if values else []),
        ],
        input=values,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_kind(objects: Iterable[Json], *kinds: str) -> list[Json]:
    return [item for item in objects if item["kind"] in kinds]


def one(objects: Iterable[Json], kind: str, name: str) -> Json:
    """The object of that kind and name. Raises AssertionError when there is none, or more."""
    found = [item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
    return found[0]
