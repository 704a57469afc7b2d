"""The embedded detector on rendered people whose places are known."""

import numpy as np
import pytest

from matches import Match
from playerscore.errors import WorkerError
from playerscore.geometry import Box, iou
from playerscore_worker import boxes, detectors, grass
from playerscore_worker.detectors import Detections, Detector
from playerscore_worker.frames import Frame, read


@pytest.fixture(scope="module")
def frames(match: Match) -> list[Frame]:
    return list(read(match.video, max_fps=1))


def _hits(found: Detections, frame: Frame, truths: list[Box]) -> int:
    height, width = frame.image.shape[:2]
    seen = [boxes.to_normalised(box, width, height) for box in found.boxes_xyxy]
    return sum(any(iou(truth, box) >= 0.5 for box in seen) for truth in truths)


def test_windows_show_the_players_in_them(match: Match, frames: list[Frame], detector: Detector) -> None:
    """At least nine of ten visible players are found in a window around each."""
    hits = total = 0
    for frame in frames:
        for person_id in match.pickable(frame.index):
            box = match.box(person_id, frame.index)
            assert box is not None
            pixels = boxes.to_pixels(box, 960, 540)
            middle, tall = (pixels[:2] + pixels[2:]) / 2, pixels[3] - pixels[1]
            window = np.concatenate([middle - 4 * tall, middle + 4 * tall])
            hits += _hits(detector.detect_window(frame.image, window, tall), frame, [box])
            total += 1

    assert hits / total >= 0.9


def test_whole_frames_show_most_players_and_few_others(
    match: Match, frames: list[Frame], detector: Detector
) -> None:
    hits = total = found_on_pitch = right = 0
    for frame in frames:
        height, width = frame.image.shape[:2]
        found = detector.detect_frame(frame.image, [height * share for share in (0.045, 0.075, 0.13)])
        on_pitch = grass.standing_on(grass.pitch_mask(frame.image), found.boxes_xyxy, width, height)
        found = found.pick(on_pitch & (found.scores > 0.3))
        truths = [match.box(person_id, frame.index) for person_id in match.pickable(frame.index)]
        hits += _hits(found, frame, [box for box in truths if box])
        total += len(truths)
        everyone = [match.box(person.id, frame.index) for person in match.truth.people]
        right += _hits(found, frame, [box for box in everyone if box])
        found_on_pitch += len(found)

    assert hits / total >= 0.85
    assert right / found_on_pitch >= 0.75


def test_a_window_outside_the_picture_shows_nobody(frames: list[Frame], detector: Detector) -> None:
    assert len(detector.detect_window(frames[0].image, np.array([-500.0, -500, -100, -100]), 40)) == 0


def test_an_unknown_detector_is_refused() -> None:
    with pytest.raises(WorkerError, match="nosuch"):
        detectors.load("nosuch", None, 1)


def test_the_weights_have_a_digest(detector: Detector) -> None:
    assert len(detector.weights_sha256) == 64
