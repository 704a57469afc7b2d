"""What a person says about further moments changes whom the worker follows, in a scene in which it alone goes wrong.

A mate comes on where the player walks off: the same kit at the same place. Left to itself, the following goes on with
the mate; one further box on the player, or the word that he is not in the picture, puts it right.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from builders import make_task
from matches import Match
from playerscore.geometry import Box, iou
from playerscore.resources import Analysis, Anchor, BBox
from playerscore.tasks import AnalysisTask
from playerscore_worker.anchors import Said
from playerscore_worker.checkpoints import Checkpoints, key_of
from playerscore_worker.detectors import Detector
from playerscore_worker.follower import FollowedPath, Start, follow
from playerscore_worker.path import COLUMNS, Samples
from playerscore_worker.pod import checkpoint_file
from playerscore_worker.source import Footage
from playerscore_worker.work import run_analysis

PLAYER, CONFIRMED, LATER = 23, 89, 147
FROM_SEC, UNTIL_SEC = 3.5, 7.3
SMALL_SEGMENTS = 3
"""As after three failures for want of memory: 24 frames."""


def start(scene: Match, frame: int) -> Start:
    box = scene.box(PLAYER, frame)
    assert box is not None
    return Start(frame / scene.truth.fps, box)


def followed(scene: Match, detector: Detector, said: Said, **more: Any) -> FollowedPath:
    return follow(scene.video, start(scene, CONFIRMED), detector, FROM_SEC, UNTIL_SEC, said=said, **more)


def overlaps(scene: Match, path: FollowedPath) -> dict[int, float]:
    """IoU with his true box, of each frame with a box."""
    found = {}
    for sample in path.samples:
        his = scene.box(PLAYER, sample.index)
        if sample.box_xywh is not None and his is not None:
            found[sample.index] = iou(sample.box_xywh, his)
    return found


@pytest.fixture(scope="module")
def told(scene: Match, detector: Detector) -> FollowedPath:
    return followed(scene, detector, Said((start(scene, LATER),)))


def test_without_a_further_word_the_mate_is_followed(scene: Match, detector: Detector) -> None:
    on = overlaps(scene, followed(scene, detector, Said()))

    assert sum(overlap < 0.1 for overlap in on.values()) > 40
    assert on[LATER] < 0.1


def test_with_one_further_box_he_is_followed(scene: Match, told: FollowedPath) -> None:
    on = overlaps(scene, told)

    assert min(on.values()) > 0.1, "nobody else is"
    assert sum(overlap >= 0.5 for overlap in on.values()) > 0.8 * len(told.samples)
    assert on[LATER] > 0.5
    assert told.unreached_sec == [pytest.approx(LATER / scene.truth.fps)], "no way leads there: it is said"
    frames = [sample.index for sample in told.samples]
    assert frames == list(range(frames[0], frames[-1] + 1))


def test_who_is_said_to_be_absent_is_lost_there_and_nobody_is_taken_for_him(
    scene: Match, detector: Detector
) -> None:
    path = followed(scene, detector, Said((), (LATER / scene.truth.fps,)))
    on = overlaps(scene, path)
    reasons = {sample.index: sample.reason for sample in path.samples}

    assert min(on.values()) > 0.1
    assert len(on) > 10, "up to the encounter he is believed"
    assert {reasons[frame] for frame in reasons if frame >= LATER} == {"absent"}
    assert path.unreached_sec == [pytest.approx(LATER / scene.truth.fps)], "the mate was seen through it"


def test_a_later_attempt_goes_on_to_the_last_bit(scene: Match, detector: Detector, tmp_path: Path) -> None:
    """From a checkpoint of every walk, those between two words too."""
    said = Said((start(scene, LATER),), (6.5,))
    more: dict[str, Any] = {"memory_failures": SMALL_SEGMENTS, "max_fps": 8.0}
    whole = tmp_path / "whole"
    undisturbed = followed(scene, detector, said, checkpoints=Checkpoints(whole, "key", every_sec=0), **more)
    count = len(list(whole.iterdir()))
    assert count >= 4

    for number in (count // 2, count - 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        for earlier in range(1, number + 1):
            shutil.copy(checkpoint_file(whole, earlier), folder)
        again = followed(scene, detector, said, checkpoints=Checkpoints(folder, "key"), **more)
        assert columns(again) == columns(undisturbed), number


def columns(path: FollowedPath) -> list[Any]:
    assert isinstance(path.samples, Samples)
    return [getattr(path.samples, name).tobytes() for name in COLUMNS] + [path.decisions, path.unreached_sec]


def task(scene: Match, anchors: list[Anchor] | None) -> AnalysisTask:
    analysis = Analysis(start_sec=FROM_SEC, end_sec=4.5, max_fps=12)
    here = start(scene, CONFIRMED)
    return make_task(here.box_xywh, here.time_sec, analysis=analysis, anchors=anchors)


def bbox(box: Box) -> BBox:
    return BBox(x=box.x, y=box.y, w=box.w, h=box.h)


def test_the_result_tells_what_was_heard_and_which_boxes_are_empty(scene: Match) -> None:
    empty = Anchor(time_sec=4.2, bbox=BBox(x=0.01, y=0.01, w=0.02, h=0.06))
    him = Anchor(time_sec=100 / scene.truth.fps, bbox=bbox(start(scene, 100).box_xywh))
    footage = Footage((scene.video,), ("d" * 64,))
    said = run_analysis(task(scene, [empty, him]), footage, lambda share, message: None).result

    assert said.anchors == 2
    (warning,) = (w for w in said.warnings or [] if w.code.startswith("ANCHOR"))
    assert (warning.code, "4.2 s" in warning.message) == ("ANCHOR_EMPTY", True)


def test_other_anchors_are_another_task_to_a_checkpoint(scene: Match) -> None:
    keys = {
        key_of(task(scene, anchors), "d" * 64, None)
        for anchors in (None, [Anchor(time_sec=4, absent=True)], [Anchor(time_sec=4.1, absent=True)])
    }
    assert len(keys) == 3
