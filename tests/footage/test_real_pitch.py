"""The whole flow, without a cluster, on real footage that is not part of the project."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from playerscore.resources import Result

FOOTAGE = Path(__file__).resolve().parents[3] / "shared" / "data" / "real_pitch_people.mp4"


@pytest.fixture(scope="module")
def video() -> Path:
    if not FOOTAGE.exists():
        pytest.fail(
            f"{FOOTAGE.name} is missing: this level runs where the private footage lies beside the checkout"
        )
    return FOOTAGE


def test_a_player_on_a_school_pitch_is_followed_and_rated(video: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "playerscore_cli", "run", str(video), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    result = Result.model_validate(json.loads((tmp_path / "result.json").read_text()))
    assert result.signals.sampled_frames > 100
    assert result.radar.visibility >= 50
    assert (tmp_path / "result.png").stat().st_size > 10_000
    assert list((tmp_path / "frames").glob("frame_*.jpg"))
