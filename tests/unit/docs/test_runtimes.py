"""The page on runtimes shows a manifest and values that are taken as they stand, and says every field."""

import json
import re
from pathlib import Path

import yaml

from chart import one, render
from playerscore.podtemplate import PodTemplate
from playerscore.resources import ScoringRuntime

PAGE = (Path(__file__).parents[3] / "docs" / "runtimes.md").read_text()
MANIFEST, VALUES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_the_manifest_on_the_page_is_valid() -> None:
    spec = ScoringRuntime.model_validate(MANIFEST).spec

    assert spec.template
    assert spec.preview
    assert spec.accelerator


def test_the_values_on_the_page_make_a_gpu_runtime() -> None:
    listed = json.loads(
        one(render(values=VALUES), "ConfigMap", "playerscore-runtimes")["data"]["runtimes.json"]
    )

    assert [item["metadata"]["name"] for item in listed] == ["cpu", "gpu"]
    assert all(ScoringRuntime.model_validate(item) for item in listed)


def test_the_page_says_every_field_of_a_template() -> None:
    fields = [info.alias for info in PodTemplate.model_fields.values()]

    assert [field for field in fields if f"| `template.{field}` |" not in PAGE] == []
