"""The two CustomResourceDefinitions, made from the models."""

from typing import Any

from pydantic import BaseModel

from playerscore import names
from playerscore.resources import ScoringJob, ScoringRuntime
from playerscore.structural import structural_schema

Column = tuple[str, str, str, int]

JOB_COLUMNS: list[Column] = [
    ("Player", "integer", ".spec.player_ref.track_id", 0),
    ("Step", "string", ".status.progress.step", 0),
    ("Score", "integer", ".status.result.overallScore", 0),
    ("Runtime", "string", ".status.run.runtime", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Attempt", "integer", ".status.run.attempt", 1),
    ("Queue", "string", ".spec.queueName", 1),
    ("Reason", "string", ".status.conditions[?(@.type=='Succeeded')].reason", 1),
]
RUNTIME_COLUMNS: list[Column] = [
    ("Detector", "string", ".spec.detector.name", 0),
    ("Accelerator", "string", ".spec.accelerator.resourceName", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Image", "string", ".spec.image", 1),
]
SELECTABLE = [".spec.suspend", ".spec.runtimeName", ".spec.displayName", ".status.progress.step"]


def definitions() -> dict[str, dict[str, Any]]:
    """Both CRDs by their plural name."""
    job = _definition(
        ScoringJob, names.JOB_KIND, names.JOB_PLURAL, ["sj"], ["scoring"], "Namespaced", JOB_COLUMNS
    )
    version = job["spec"]["versions"][0]
    version["subresources"] = {"status": {}}
    version["selectableFields"] = [{"jsonPath": path} for path in SELECTABLE]
    _never_current_unseen(version["schema"]["openAPIV3Schema"])
    runtime = _definition(
        ScoringRuntime, names.RUNTIME_KIND, names.RUNTIME_PLURAL, ["srt"], [], "Cluster", RUNTIME_COLUMNS
    )
    return {names.JOB_PLURAL: job, names.RUNTIME_PLURAL: runtime}


def _never_current_unseen(schema: dict[str, Any]) -> None:
    """A fresh object must not read as current (kstatus) before the operator has seen it."""
    status = schema["properties"]["status"]
    status["properties"]["observedGeneration"]["default"] = -1
    status["default"] = {"observedGeneration": -1}


def _definition(
    model: type[BaseModel],
    kind: str,
    plural: str,
    short: list[str],
    categories: list[str],
    scope: str,
    columns: list[Column],
) -> dict[str, Any]:
    schema = structural_schema(model)
    schema["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    schema["required"] = ["spec"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": short,
                **({"categories": categories} if categories else {}),
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": [_column(column) for column in columns],
                }
            ],
        },
    }


def _column(column: Column) -> dict[str, Any]:
    name, kind, path, priority = column
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": priority} if priority else {})
