"""The page on one's own weights shows manifests that the model takes, one for each layout but one."""

import re
from pathlib import Path

import pytest
import yaml

from playerscore.resources import Onnx, OnnxInput, OnnxOutputs, ScoringRuntime

PAGE = (Path(__file__).parents[3] / "docs" / "detectors.md").read_text()
SHOWN = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("shown", SHOWN, ids=[runtime["metadata"]["name"] for runtime in SHOWN])
def test_every_runtime_on_the_page_is_valid(shown: dict[str, object]) -> None:
    detector = ScoringRuntime.model_validate(shown).spec.detector

    assert detector.name == "onnx"
    assert detector.weights
    assert detector.onnx


def test_the_page_says_every_field_of_the_manifest() -> None:
    fields = [
        f"{prefix}{info.alias}"
        for model, prefix in ((Onnx, ""), (OnnxInput, "input."), (OnnxOutputs, "outputs."))
        for info in model.model_fields.values()
        if info.alias not in ("input", "outputs")
    ]
    table = PAGE[PAGE.index("## The manifest") :].replace("`.", "`outputs.")

    assert [field for field in fields if f"`{field}`" not in table] == []
