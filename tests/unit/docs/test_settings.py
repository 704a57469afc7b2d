"""Every setting is explained: of the chart, of its schema, of the programs; and what explains nothing is found."""

import json
import sys
from typing import Any

import generate_settings
import pytest
import yaml
from generate_settings import PROGRAMS, VALUES, chart_values, variables
from pydantic_settings import BaseSettings

from chart import CHART

Json = dict[str, Any]
HELMS = {"global"}
"""Helm's own, allowed in every chart."""


def in_schema(schema: Json, whole: Json, prefix: str = "") -> set[str]:
    """The path of every value that the schema knows, as far as `values.yaml` spells them out."""
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rsplit("/", 1)[1]] | {
            key: value for key, value in schema.items() if key != "$ref"
        }
    found = set()
    for name, part in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        if name in HELMS or name in schema.get("not", {}).get("required", []):
            continue
        if name in generate_settings.WHOLE:
            found.add(path)
        else:
            found |= in_schema(part, whole, f"{path}.") or {path}
    return found


def test_the_page_names_every_value_that_the_schema_knows() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    named = {path for path, _, _ in chart_values(VALUES.read_text().splitlines())}
    known = {path for path in in_schema(schema, schema) if not path.startswith("runtimes")}

    assert known - named == set()


def test_the_schema_knows_every_value_that_has_a_default() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    assert set(yaml.safe_load(VALUES.read_text())) == set(schema["properties"]) - HELMS


def test_every_value_is_explained() -> None:
    for path, _, text in chart_values(VALUES.read_text().splitlines()):
        assert len(text) > 5, path


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_variable_of_a_program_is_explained(program: str) -> None:
    settings, _ = PROGRAMS[program]

    for name, _, text in variables(settings):
        assert len(text) > 5, name
    assert len(list(variables(settings))) == len(settings.model_fields)


def test_no_program_has_settings_that_the_page_does_not_know() -> None:
    known = {base for settings, _ in PROGRAMS.values() for base in settings.__mro__}
    found = {
        item
        for name, module in list(sys.modules.items())
        if name.startswith("playerscore_") and name.endswith(".settings")
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, BaseSettings) and item is not BaseSettings
    }

    assert found - known == set()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["colour: red # of the shirt"], [("colour", "red", "Of the shirt.")], id="beside"),
        pytest.param(["# -- Of the shirt.", "colour: red"], [("colour", "red", "Of the shirt.")], id="above"),
        pytest.param(
            ["# -- Shirts.", "shirts:", "  enabled: true"],
            [("shirts.enabled", "true", "Shirts.")],
            id="of a part",
        ),
        pytest.param(
            ["affinity: {}"], [("affinity", "{}", "Kubernetes' own field of the pod.")], id="common"
        ),
    ],
)
def test_where_a_text_comes_from(lines: list[str], expected: list[tuple[str, str, str]]) -> None:
    assert list(chart_values(lines)) == expected


def test_a_value_without_a_comment_ends_it() -> None:
    with pytest.raises(SystemExit, match="no comment says what colour does"):
        list(chart_values(["colour: red"]))


def test_a_variable_without_a_docstring_ends_it() -> None:
    class Silent(BaseSettings):
        colour: str = "red"

    with pytest.raises(SystemExit, match="no docstring says what colour does"):
        list(variables(Silent))
