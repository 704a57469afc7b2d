"""A rendered clip through `playerscore run --pitch`: true metres."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from playerscore.geometry import Box, iou
from playerscore.landmarks import MARKINGS, landmarks
from playerscore.resources import Analysis, Detector, Pitch, PreviewSettings, Result
from playerscore_cli import local
from playerscore_cli.commands import pitching
from playerscore_clips.surveys import SurveySettings, render_survey
from playerscore_clips.truth import Truth, load_truth

SETTINGS = SurveySettings(kind="stand", seed=501, seconds=6, width=640, height=360, person_px=32, lens=-0.15)


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    clip = render_survey(SETTINGS, tmp_path_factory.mktemp("survey"))
    return clip.video, load_truth(clip.truth)


def _pitch(truth: Truth, frame: int) -> Pitch:
    """What a careful person clicks."""
    marks = MARKINGS["11-a-side"]
    size = np.array([truth.width, truth.height])
    points = []
    for name, (x, y) in landmarks(marks).items():
        place = np.array([[x - marks.length / 2, marks.width / 2 - y]])
        u, v = (truth.seen_at(frame, place)[0] + 0.5) / size
        if 0 < u < 1 and 0 < v < 1:
            points.append({"imageX": round(u, 4), "imageY": round(v, 4), "landmark": name})
    return Pitch.model_validate({"moments": [{"time_sec": frame / truth.fps, "points": points}]})


def _analysed(survey: tuple[Path, Truth], out: Path, pitch: Pitch) -> tuple[Result, list[Path]]:
    def tell(share: float, message: str) -> None:
        pass

    video = local.given([survey[0]], out, Detector())
    made = local.preview(video, out, PreviewSettings(frames=2), tell)
    frame, track, _ = local.choose(made, None, None)
    spec, status = local.picked(video, made, frame, track)
    spec = spec.model_copy(update={"analysis": Analysis(max_fps=12)})
    return local.analyse(video, spec, status, out, tell, pitch)


def test_the_players_metres_are_true(survey: tuple[Path, Truth], tmp_path: Path) -> None:
    truth = survey[1]
    (tmp_path / "pitch.yaml").write_text(
        yaml.safe_dump(_pitch(truth, 120).model_dump(by_alias=True, exclude_none=True))
    )
    result, files = _analysed(survey, tmp_path, pitching.read(tmp_path / "pitch.yaml"))

    assert result.method == "football-metrics"
    assert result.metrics is not None
    assert result.metrics.calibrated_share > 0.9
    assert {"metrics.json", "metres.csv", "positions.csv", "football.png"} <= {path.name for path in files}
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert report["figures"]["distance_m"]["value"] == result.metrics.distance_m
    off = _off_m(truth, tmp_path)
    assert np.sqrt(np.mean(off**2)) < 0.6


def _off_m(truth: Truth, folder: Path) -> np.ndarray:
    """How far each told place is from where the followed person truly is, metres."""
    mot = {
        int(row[0]): [float(value) for value in row[2:6]]
        for row in (line.split(",") for line in (folder / "track.txt").read_text().splitlines())
    }
    size = np.array([truth.width, truth.height])
    off = []
    for line in (folder / "metres.csv").read_text().splitlines()[1:]:
        at, x, y, *_ = (float(value) for value in line.split(","))
        number = round(at * truth.fps)
        box = Box(*(np.array(mot[number + 1]) / np.tile(size, 2)))
        him = max(truth.people, key=lambda p: _overlap(box, truth.boxes(p.id)[number]))
        true = truth.pitch(him.id)[number] * [1, -1] + [52.5, 34]
        off.append(float(np.hypot(*(true - [x, y]))))
    return np.array(off)


def _overlap(box: Box, true: np.ndarray) -> float:
    return 0.0 if np.isnan(true[0]) else iou(box, Box(*true))
