"""JSON schemas for kubeconform, made from what an API server publishes about itself.

kubeconform's own come from a server on the internet, know no kind of ours, and lag behind new versions. The
tests ask the very API server that they install to: built-in kinds and CRDs alike.
"""

import copy
import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
REFERENCE = "#/definitions/"


def write_schemas(published: Json, folder: Path) -> int:
    """One strict schema per kind of an OpenAPI v2 document, as `<kind>-<group>-<version>.json`; how many."""
    definitions = {name: strict(body) for name, body in published["definitions"].items()}
    definitions[QUANTITY] = {"type": ["string", "number"]}
    definitions[INT_OR_STRING] = {"type": ["string", "integer"]}
    written = 0
    for name, body in published["definitions"].items():
        for kind in body.get("x-kubernetes-group-version-kind", []):
            schema = {"$ref": REFERENCE + name, "definitions": reachable(name, definitions)}
            (folder / file_name(kind)).write_text(json.dumps(schema))
            written += 1
    return written


def file_name(kind: Json) -> str:
    """As kubeconform spells it: the group's first word, and none for the core group."""
    parts = [kind["kind"], kind["group"].split(".")[0], kind["version"]]
    return "-".join(filter(None, parts)).lower() + ".json"


def strict(body: Json) -> Json:
    """A copy that refuses fields it does not know, at every level."""
    body = copy.deepcopy(body)
    _close(body)
    return body


def _close(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _close(item)
    if not isinstance(node, dict):
        return
    open_ended = node.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(node.get("properties"), dict) and not open_ended:
        node.setdefault("additionalProperties", False)
    for value in node.values():
        _close(value)


def reachable(name: str, definitions: dict[str, Json]) -> dict[str, Json]:
    """The definitions that `name` refers to, itself included."""
    found: dict[str, Json] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found[current] = definitions[current]
            waiting += references(found[current])
    return found


def references(node: Any) -> list[str]:
    """Names of the definitions that `node` refers to directly."""
    if isinstance(node, list):
        return [name for item in node for name in references(item)]
    if not isinstance(node, dict):
        return []
    own = node.get("$ref")
    direct = [own.removeprefix(REFERENCE)] if isinstance(own, str) else []
    return direct + [name for value in node.values() for name in references(value)]
