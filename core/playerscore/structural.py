"""From a pydantic model to a structural CRD schema.

One recursive function inlines references, settles unions and rewrites the keywords that Kubernetes spells
otherwise. It raises on every keyword outside a short list that an API server knows: a list of what is
allowed is safer than a list of what is removed.
"""

from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

KEPT: Final = frozenset(
    {
        "type",
        "format",
        "description",
        "enum",
        "default",
        "pattern",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minimum",
        "maximum",
        "required",
    }
)
# Known to pydantic, unknown or useless to an API server.
DROPPED: Final = frozenset({"title", "examples", "deprecated", "$defs"})


class UnsupportedSchemaError(ValueError):
    """A model uses something that a CRD cannot say; the message names the field's path."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """The openAPIV3Schema of a model. Raises UnsupportedSchemaError."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _lower(schema, schema.get("$defs", {}), model.__name__)


def _lower(schema: Schema, definitions: Schema, path: str) -> Schema:
    schema = _without_null(_inlined(schema, definitions), definitions, path)
    lowered: Schema = {}
    for keyword, value in schema.items():
        if keyword in DROPPED:
            continue
        lowered |= _keyword(keyword, value, schema, definitions, path)
    if "type" not in lowered and not lowered.get("x-kubernetes-int-or-string"):
        raise UnsupportedSchemaError(f"{path}: has no type")
    return lowered


def _keyword(keyword: str, value: Any, schema: Schema, definitions: Schema, path: str) -> Schema:
    if keyword == "properties":
        return {keyword: {name: _lower(item, definitions, f"{path}.{name}") for name, item in value.items()}}
    if keyword == "items":
        return {keyword: _lower(value, definitions, f"{path}[]")}
    if keyword == "additionalProperties":
        return _additional(value, definitions, path)
    if keyword == "const":
        return {"enum": [value]}
    if keyword in ("exclusiveMinimum", "exclusiveMaximum"):
        return {keyword: True, keyword.replace("exclusiveM", "m"): value}
    if keyword == "default":
        return {} if value is None else {keyword: _without_nulls(value)}
    if keyword in KEPT or keyword.startswith("x-kubernetes-"):
        return {keyword: value}
    raise UnsupportedSchemaError(f"{path}: a CRD cannot say {keyword!r}")


def _without_nulls(default: Any) -> Any:
    """A default as the server takes it: what is absent in the model is absent, never null."""
    if not isinstance(default, dict):
        return default
    return {key: _without_nulls(value) for key, value in default.items() if value is not None}


def _additional(value: Any, definitions: Schema, path: str) -> Schema:
    if value is False:  # the server prunes, or refuses, unknown fields by itself
        return {}
    if value is True:
        return {"x-kubernetes-preserve-unknown-fields": True}
    return {"additionalProperties": _lower(value, definitions, f"{path}{{}}")}


def _inlined(schema: Schema, definitions: Schema) -> Schema:
    """The schema with its reference followed; what stands beside the reference wins, rules add up."""
    if "$ref" not in schema:
        return schema
    target = _inlined(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
    merged = target | beside
    rules = [*target.get("x-kubernetes-validations", []), *beside.get("x-kubernetes-validations", [])]
    return merged | ({"x-kubernetes-validations": rules} if rules else {})


def _without_null(schema: Schema, definitions: Schema, path: str) -> Schema:
    """`X | None` as `X`: absent is absent, null is pruned by the server."""
    if "anyOf" not in schema:
        return schema
    arms = [arm for arm in schema["anyOf"] if arm.get("type") != "null"]
    if len(arms) != 1:
        raise UnsupportedSchemaError(f"{path}: a CRD cannot say a union of {len(arms)} types")
    outer = {keyword: value for keyword, value in schema.items() if keyword != "anyOf"}
    return _inlined(arms[0], definitions) | outer
