"""Rendered clips: what is on disk is what was asked for, and the truth fits the pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from playerscore_clips.__main__ import main
from playerscore_clips.match import Clip, ClipSettings, load_truth, render_clip
from playerscore_clips.truth import Truth

SETTINGS = ClipSettings(
    seed=5, seconds=4, fps=25, width=640, height=360, person_px=30, noise=1.0, leaves=True
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return render_clip(SETTINGS, tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def truth(clip: Clip) -> Truth:
    return load_truth(clip.truth)


@pytest.fixture(scope="module")
def frames(clip: Clip) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(clip.video))
    found = []
    while True:
        more, frame = capture.read()
        if not more:
            return found
        found.append(frame)


def test_the_video_has_the_stated_frames_size_and_rate(clip: Clip, frames: list[np.ndarray]) -> None:
    assert len(frames) == SETTINGS.frames == 100
    assert frames[0].shape == (360, 640, 3)
    assert cv2.VideoCapture(str(clip.video)).get(cv2.CAP_PROP_FPS) == pytest.approx(25)


def test_the_index_comes_before_the_pictures(clip: Clip) -> None:
    data = clip.video.read_bytes()

    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_the_truth_covers_every_frame_and_person(truth: Truth) -> None:
    assert truth.frames == 100
    assert len(truth.people) == 23
    for person in truth.people:
        boxes, visible = truth.boxes(person.id), truth.visible(person.id)
        seen = boxes[truth.in_picture(person.id)]
        assert boxes.shape == (100, 4)
        assert ((seen >= 0) & (seen <= 1)).all()
        assert (seen[:, :2] + seen[:, 2:] <= 1 + 1e-6).all()
        assert ((visible >= 0) & (visible <= 1)).all()
        assert not visible[~truth.in_picture(person.id)].any()


def test_some_people_hide_others(truth: Truth) -> None:
    shares = np.concatenate([truth.visible(p.id)[truth.in_picture(p.id)] for p in truth.people])

    assert (shares < 0.6).sum() >= 5
    assert np.mean(shares > 0.9) > 0.7


def test_the_place_on_the_pitch_is_under_the_feet(truth: Truth) -> None:
    for person in truth.people:
        whole = truth.in_picture(person.id) & (truth.visible(person.id) > 0.95)
        for frame in np.nonzero(whole)[0][::20]:
            x, y, w, h = truth.boxes(person.id)[frame] * [640, 360, 640, 360]
            u, v, q = truth.ground_to_image[frame] @ [*truth.pitch(person.id)[frame], 1.0]
            assert x - 0.4 * h <= u / q <= x + w + 0.4 * h
            assert abs(v / q - (y + h)) < 0.25 * h


def test_the_boxes_hold_something_that_is_not_grass(truth: Truth, frames: list[np.ndarray]) -> None:
    """A box differs from its own surroundings; the same box moved aside, onto grass, does not."""
    on, off = [], []
    for person in truth.people:
        whole = truth.in_picture(person.id) & (truth.visible(person.id) > 0.95)
        for frame in np.nonzero(whole)[0][::10]:
            x, y, w, h = (truth.boxes(person.id)[frame] * [640, 360, 640, 360]).round().astype(int)
            if x > 2 * w and x + 4 * w < 640 and y > 80 and y + h < 355:
                on.append(_contrast(frames[frame], x, y, w, h))
                off.append(_contrast(frames[frame], x - 2 * w, y, w, h))

    assert len(on) > 30
    assert np.median(on) > 4 * np.median(off)


def _contrast(frame: np.ndarray, x: int, y: int, w: int, h: int) -> float:
    centre = frame[y + h // 4 : y + h // 2, x + w // 4 : x + 3 * w // 4].astype(float)
    left = frame[y : y + h, max(0, x - 6) : x - 2].astype(float)
    return float(np.abs(centre - np.median(left, (0, 1))).mean())


def test_who_leaves_is_there_first_and_gone_after_the_middle(truth: Truth) -> None:
    assert truth.leaver is not None
    inside = truth.in_picture(truth.leaver.id)

    assert inside[:25].mean() > 0.9
    assert not inside[80:].any()


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    small = ClipSettings(seed=3, seconds=0.4, width=320, height=180, person_px=20)
    first, second = render_clip(small, tmp_path / "a"), render_clip(small, tmp_path / "b")

    assert first.video.read_bytes() == second.video.read_bytes()
    assert first.truth.read_bytes() == second.truth.read_bytes()


@pytest.mark.parametrize(
    "change",
    [{"seconds": 0.0}, {"fps": 0}, {"width": 641}, {"height": 20}],
    ids=["empty", "no rate", "odd", "tiny"],
)
def test_impossible_settings_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="have to be"):
        ClipSettings(**change)


def test_the_command_writes_a_clip_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--seed", "2", "--seconds", "0.2", "--size", "320x180", "--out", str(tmp_path)])

    assert code == 0
    assert (tmp_path / "match-2.mp4").exists()
    assert str(tmp_path / "match-2.truth.json.gz") in capsys.readouterr().out
