"""The OpenAPI document: every answer has an example, and every example is what its schema says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from playerscore.errors import CATALOGUE
from playerscore_api.app import build
from playerscore_api.settings import Settings

Json = dict[str, Any]
SETTINGS = Settings(store_endpoint="http://store", store_access_key="key", store_secret_key="secret")
DOCUMENT: Json = build(SETTINGS).openapi()
OPERATIONS = [
    (f"{method} {path}", operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
CONTENTS = [
    (f"{name} {status} {kind}", content)
    for name, operation in OPERATIONS
    for status, answer in operation["responses"].items()
    for kind, content in answer.get("content", {}).items()
]
JSON_CONTENTS = [(name, content) for name, content in CONTENTS if name.endswith("application/json")]


def shown(content: Json) -> list[Any]:
    named = [example["value"] for example in content.get("examples", {}).values()]
    return named + ([content["example"]] if "example" in content else [])


def nodes(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from nodes(inner)


@pytest.mark.parametrize(("name", "content"), JSON_CONTENTS, ids=[name for name, _ in JSON_CONTENTS])
def test_every_json_answer_has_an_example_that_its_schema_takes(name: str, content: Json) -> None:
    validator = jsonschema_rs.validator_for({**content["schema"], "components": DOCUMENT["components"]})

    assert shown(content)
    assert [error.message for example in shown(content) for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_an_operation_says_what_it_does_and_what_it_needs(name: str, operation: Json) -> None:
    secured = operation["tags"] != ["operations"]

    assert operation["operationId"]
    assert operation["description"].endswith(".")
    assert ("security" in operation) == secured
    assert ({"401", "403", "422", "429", "500", "503"} <= operation["responses"].keys()) == secured


def test_a_form_has_an_example_that_its_schema_takes() -> None:
    forms = [
        (name, operation["requestBody"]["content"]["application/json"])
        for name, operation in OPERATIONS
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    bare = [name for name, content in forms if not shown(content)]

    assert len(forms) >= 6
    assert set(bare) <= {"post /jobs/{job_id}/enqueue", "post /jobs/{job_id}/pause"}  # theirs may be left out
    for _, content in forms:
        validator = jsonschema_rs.validator_for({**content["schema"], "components": DOCUMENT["components"]})
        assert [error.message for example in shown(content) for error in validator.iter_errors(example)] == []


def test_every_error_example_has_a_code_of_the_catalogue_and_its_status() -> None:
    for name, content in JSON_CONTENTS:
        for example in shown(content):
            if isinstance(example, dict) and "error" in example:
                assert str(CATALOGUE[example["error"]["code"]].http_status) == name.split()[2]


def test_every_page_says_so_in_the_guide() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "api.md").read_text()

    assert [path for path in DOCUMENT["paths"] if path.split("{")[0].rstrip("/") not in guide] == []
