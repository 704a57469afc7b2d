"""The ultralytics detector with real weights, in an environment of its own (it brings torch, and the AGPL)."""

from pathlib import Path

import pytest

from playerscore_worker import frames
from playerscore_worker.detectors import load
from playerscore_worker.follower import Start, follow
from playerscore_worker.preview import PreviewSettings, make_preview

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
WEIGHTS = DATA / "yolo11n-coco-recovered.pt"
FOOTAGE = DATA / "real_pitch_people.mp4"


@pytest.fixture(scope="module", autouse=True)
def private_data() -> None:
    for path in (WEIGHTS, FOOTAGE):
        if not path.exists():
            pytest.fail(
                f"{path.name} is missing: this level runs where the private data lies beside the checkout"
            )


def test_people_on_real_footage_are_found_previewed_and_followed(tmp_path: Path) -> None:
    detector = load("ultralytics", WEIGHTS, 2)
    preview = make_preview(
        FOOTAGE, PreviewSettings(frames=2), detector, tmp_path, lambda share, message: None
    )
    frame, track = max(
        ((frame, track) for frame in preview.frames for track in frame.tracks), key=lambda pair: pair[1].score
    )
    path = follow(FOOTAGE, Start(frame.time_sec, track.bbox), detector, max_fps=10.0)
    supported = sum(sample.state.value == "supported" for sample in path.samples)

    assert max(len(frame.tracks) for frame in preview.frames) >= 3
    assert supported / len(path.samples) >= 0.5
    assert frames.probe(FOOTAGE).width == 720
