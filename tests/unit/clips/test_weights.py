"""The shipped weights are the ones that the card and the evaluation speak of."""

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[3]
DETECTORS = ROOT / "worker" / "playerscore_worker" / "detectors"


def test_card_evaluation_and_weights_belong_together() -> None:
    card = json.loads((DETECTORS / "embedded.json").read_text())
    evaluation = json.loads((ROOT / "benchmarks" / "results" / "detector.json").read_text())
    digest = hashlib.sha256((DETECTORS / card["file"]).read_bytes()).hexdigest()

    assert card["sha256"] == digest
    assert evaluation["weights_sha256"] == digest


def test_the_card_states_the_figures_of_the_evaluation() -> None:
    card = json.loads((DETECTORS / "embedded.json").read_text())["figures"]
    evaluation = json.loads((ROOT / "benchmarks" / "results" / "detector.json").read_text())
    for name, part in (("rendered_windows", "windows"), ("match_clips", "clips")):
        measured = evaluation[part]["all"]["conf_0.3"]
        stated = card[name]

        assert stated == {key: round(value, 3) for key, value in measured.items()}
