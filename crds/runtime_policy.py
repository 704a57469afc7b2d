"""The CEL of the policy on ScoringRuntimes: which fields of pods' templates are on no list, by the CRD's own schema.

Only objects that keep their unknown fields are looked at; of others the API server drops those before any policy.
"""

from typing import Any

from playerscore import crds, names, podtemplate

Schema = dict[str, Any]
KEEPS = "x-kubernetes-preserve-unknown-fields"


def expressions() -> dict[str, str]:
    """For each root of a runtime's spec, CEL for the list of the paths of its unknown fields."""
    version = crds.definitions()[names.RUNTIME_PLURAL]["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return {
        root: _unknown(spec[root], f"dyn(object.spec)[?'{root}'].orValue({{}})", f"'spec.{root}.'", 0)
        for root in podtemplate.ROOTS
    }


def _unknown(schema: Schema, value: str, path: str, depth: int) -> str:
    """CEL for the paths of what is unknown in one object and beneath it."""
    known = ", ".join(f"'{name}'" for name in sorted(schema["properties"]))
    parts = [f"{value}.filter(k, !(k in [{known}])).map(k, {path} + k)"]
    for name, child in schema["properties"].items():
        if child.get("type") == "array" and KEEPS in child["items"]:
            item = f"i{depth}"
            inner = _unknown(child["items"], item, _joined(path, f"{name}[]."), depth + 1)
            parts.append(
                f"{value}[?'{name}'].orValue([]).map({item}, ({inner}).join(', ')).filter(s, s != '')"
            )
        elif KEEPS in child:
            parts.append(
                _unknown(child, f"{value}[?'{name}'].orValue({{}})", _joined(path, f"{name}."), depth)
            )
    return " + ".join(parts)


def _joined(path: str, more: str) -> str:
    return f"{path[:-1]}{more}'"
