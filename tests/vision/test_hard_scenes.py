"""What once failed on real footage, on rendered scenes that are hard in the same ways.

Each test is about one kind of failure: a box that leaves a duel on an opponent, somebody who is lost beside himself,
boxes of half a man, anybody taken after a cut, a goal that is offered. Close-ups are in `test_preview`.
`make bench-following` measures more of each; the scenes here are of the set that constants are chosen by.
"""

from pathlib import Path
from typing import Any

import pytest
from followeval import cases, judge, previews
from followeval.cases import Case
from followeval.judge import Judged

from playerscore.geometry import Box
from playerscore_clips.scenes import render_scene
from playerscore_worker.detectors import Detector
from playerscore_worker.follower import FollowedPath, Start, follow
from playerscore_worker.preview import PreviewSettings, make_preview

SEED = 2000


def _case(name: str, folder: Path) -> Case:
    return cases.rendered_case(name, SEED, render_scene(name, SEED, folder), 3)


def _followed(case: Case, target: str, detector: Detector) -> tuple[FollowedPath, Judged, dict[str, Any]]:
    """The path of one of the case's picks, judged frame by frame and in sums."""
    (pick,) = (pick for pick in case.picks if pick.target == target)
    truth = case.reference
    box = Box(*truth.boxes_xywh[truth.index(target), pick.start].tolist())
    path = follow(case.video, Start(pick.start / truth.fps, box), detector)
    samples = [{"t": sample.time_sec, "box": sample.box_xywh} for sample in path.samples]
    judged = judge.judge(truth, target, judge.path_array(samples, truth.fps, truth.frames))
    return path, judged, judge.summary(truth, judged, pick.start)


@pytest.fixture(scope="module")
def duel(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A man meets opponents twice, and runs before one of them for a second."""
    return _case("duel-opponents", tmp_path_factory.mktemp("duel"))


@pytest.fixture(scope="module")
def through_duels(duel: Case, detector: Detector) -> tuple[FollowedPath, Judged, dict[str, Any]]:
    return _followed(duel, "3", detector)


def test_he_leaves_a_duel_as_himself(through_duels: tuple[FollowedPath, Judged, dict[str, Any]]) -> None:
    _, judged, sums = through_duels

    # Where one hides the other, one box is both.
    assert sums["wrong_kit"] <= 0.1 * sums["seen"], sums["wrong_spans"]
    assert judged.on[-40:].mean() > 0.9, "long after the last duel"
    assert sums["coverage"] > 0.85


def test_nobody_is_lost_beside_himself(through_duels: tuple[FollowedPath, Judged, dict[str, Any]]) -> None:
    _, judged, _ = through_duels
    alone = judged.lost & ~judged.lost_rightly

    assert max((end - begin for begin, end in judge.spans(alone)), default=0) <= 13, "half a second"


def test_boxes_hold_a_whole_man(through_duels: tuple[FollowedPath, Judged, dict[str, Any]]) -> None:
    _, judged, _ = through_duels
    half = judged.near & ~judged.on & ~judged.wrong

    assert max((end - begin for begin, end in judge.spans(half)), default=0) <= 5


def test_nobody_is_taken_for_him_after_a_cut(detector: Detector, tmp_path: Path) -> None:
    case = _case("cuts", tmp_path)

    path, judged, sums = _followed(case, "8", detector)

    assert judge.answers_after_cuts(case.reference, judged, 190)["wrong"] == 0
    assert sums["wrong"] == sums["wrong_kit"] == 0
    assert {sample.reason for sample in path.samples if sample.box_xywh is None} <= {"cut", "left-picture"}
    assert sums["coverage_after"] > 0.95, "the shot in which he was confirmed"


def test_a_goal_is_no_pick(detector: Detector, tmp_path: Path) -> None:
    case = _case("goalmouth", tmp_path)
    made = make_preview(case.video, PreviewSettings(), detector, tmp_path, lambda share, message: None)

    frames = [
        {"t": f.time_sec, "tracks": [[*track.bbox, track.score] for track in f.tracks]} for f in made.frames
    ]
    counts = previews.count(case.reference, frames)

    assert counts.best_is_player >= counts.with_best - 1
    assert counts.matched > 0.8 * counts.people
