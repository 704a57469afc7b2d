"""From model to CRD schema: what is rewritten, and what is refused."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model

from playerscore import crds
from playerscore.structural import UnsupportedSchemaError, structural_schema

CLIENT_SIDE_APPLY_BYTES = 256 * 1024


class Inner(BaseModel):
    """Inside."""

    title: str


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (int | None, {"type": "integer"}),
        (Literal["x"], {"type": "string", "enum": ["x"]}),
        (Annotated[float, Field(gt=0)], {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (dict[str, Any], {"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (
            Inner,
            {
                "type": "object",
                "description": "Inside.",
                "properties": {"title": {"type": "string"}},
                "required": ["title"],
            },
        ),
    ],
)
def test_each_kind_of_field_becomes_what_a_server_takes(field: Any, expected: dict[str, Any]) -> None:
    model = create_model("Model", field=(field, ...))

    assert structural_schema(model)["properties"]["field"] == expected


@pytest.mark.parametrize("field", [int | str, Any, tuple[int, str], set[int]])
def test_what_a_crd_cannot_say_is_refused_with_its_path(field: Any) -> None:
    model = create_model("Model", field=(field, ...))

    with pytest.raises(UnsupportedSchemaError, match=r"Model\.field"):
        structural_schema(model)


def _nodes(schema: dict[str, Any], path: str) -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)]
    for name, child in schema.get("properties", {}).items():
        found += _nodes(child, f"{path}.{name}")
    if isinstance(items := schema.get("items"), dict):
        found += _nodes(items, f"{path}[]")
    return found


@pytest.mark.parametrize("plural", ["scoringjobs", "scoringruntimes"])
def test_every_list_and_string_of_the_api_has_a_maximum(plural: str) -> None:
    version = crds.definitions()[plural]["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    nodes = _nodes(schema, "spec")
    if plural == "scoringjobs":
        nodes += _nodes(version["schema"]["openAPIV3Schema"]["properties"]["status"], "status")
    unbounded = [
        path
        for path, node in nodes
        if (node.get("type") == "array" and "maxItems" not in node)
        or (node.get("type") == "string" and not {"maxLength", "enum", "format"} & set(node))
    ]

    assert unbounded == []
    assert len(str(version)) < CLIENT_SIDE_APPLY_BYTES
