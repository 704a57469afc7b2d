"""Signals from paths that are known by construction."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from playerscore.geometry import Box
from playerscore.rating import rate
from playerscore_worker import artifacts, clip, signals
from playerscore_worker.camera import STILL, CameraStep
from playerscore_worker.follower import FollowedPath, PathDecision, PathSample, Start
from playerscore_worker.following.joint import State
from playerscore_worker.following.segment import Kind
from playerscore_worker.path import Samples, in_time_order

FPS, WIDTH, HEIGHT, TALL = 25.0, 1000, 500, 50.0
START = Start(0.0, Box(0.1, 0.5, 0.02, 0.1))


def _sample(k: int, x_px: float, camera_px: float = 0.0) -> PathSample:
    return PathSample(
        index=k,
        time_sec=k / FPS,
        state=State.SUPPORTED,
        box_xywh=Box(x_px / WIDTH, 0.5, 0.02, TALL / HEIGHT),
        confidence=0.9,
        similarity=0.9,
        agreement=True,
        overlapped_by=(),
        certainty=1.0,
        reason=None,
        camera=CameraStep(np.array([[1.0, 0, camera_px], [0, 1.0, 0]]), 0.9),
    )


def _lost(sample: PathSample) -> PathSample:
    return replace(
        sample,
        state=State.LOST,
        box_xywh=None,
        similarity=None,
        agreement=None,
        certainty=0.0,
        reason="left-picture",
    )


def _path(samples: list[PathSample], *decisions: PathDecision) -> FollowedPath:
    return FollowedPath(samples, list(decisions), START, FPS, WIDTH, HEIGHT)


def test_a_runners_speed_is_in_his_own_heights_a_second() -> None:
    measured = signals.measure(_path([_sample(k, 100 + 4.0 * k) for k in range(100)]))

    assert measured.speed_mean_h_per_sec == pytest.approx(4 * FPS / TALL, rel=0.01)
    assert measured.acceleration_p95_h_per_sec2 == pytest.approx(0, abs=0.05)
    assert measured.supported_share == measured.path_agreement == 1


def test_a_panning_camera_is_no_activity() -> None:
    measured = signals.measure(_path([_sample(k, 800 - 4.0 * k, camera_px=-4.0) for k in range(100)]))

    assert measured.speed_mean_h_per_sec == pytest.approx(0, abs=0.01)


def test_a_player_who_leaves_is_less_visible_and_lost_once() -> None:
    samples = [_sample(k, 100 + k) for k in range(100)]
    leaves = samples[:40] + [_lost(sample) for sample in samples[40:]]

    stayed, left = signals.measure(_path(samples)), signals.measure(_path(leaves))

    assert (left.supported_share, left.lost_segments) == (0.4, 1)
    assert left.lost_segments_per_min == pytest.approx(15)
    assert rate(left).radar.visibility < rate(stayed).radar.visibility
    assert rate(left).overall_score < rate(stayed).overall_score


def test_seconds_are_certain_uncertain_or_lost() -> None:
    samples = [_sample(k, 100 + k) for k in range(100)]
    coasting = [replace(s, state=State.COASTING, similarity=None, agreement=None) for s in samples[30:40]]
    doubted = [replace(sample, certainty=0.8) for sample in samples[40:60]]
    unseen = [replace(_lost(sample), reason="ambiguous") for sample in samples[60:75]]
    gone = [_lost(sample) for sample in samples[75:]]

    measured = signals.measure(_path([*samples[:30], *coasting, *doubted, *unseen, *gone]))

    seconds = measured.certain_sec, measured.uncertain_sec, measured.lost_sec, measured.away_sec
    assert seconds == pytest.approx((30 / FPS, 30 / FPS, 40 / FPS, 25 / FPS))
    assert measured.certainty == pytest.approx((40 + 20 * 0.8) / 60, abs=1e-4)


def test_an_encounter_is_doubtful_when_its_answer_is_not_sure() -> None:
    told = [
        PathDecision(kind, 1.0, 1.4, margin, START.box_xywh, None)
        for kind, margin in ((Kind.CROSSING, 8.0), (Kind.FOUND_AGAIN, 1.2), (Kind.DECLINED, 3.0))
    ]

    measured = signals.measure(_path([_sample(k, 100) for k in range(50)], *told))

    assert (measured.encounters, measured.doubtful_encounters) == (3, 2)


def test_an_encounter_leaves_less_certainty_behind_it_seen_from_the_confirmed_frame() -> None:
    samples = [_sample(k, 100) for k in range(50)]
    near, far = (PathDecision(Kind.CROSSING, sec, sec + 0.1, 1.5, START.box_xywh, None) for sec in (0.5, 1.5))
    path = replace(_path(samples, near, far), start=replace(START, time_sec=1.0))

    certainty = signals.certainties(path)

    assert certainty[25] == 1
    assert certainty[0] == certainty[-1] == pytest.approx(signals.chance(near))
    assert signals.measure(path).certain_sec < signals.measure(_path(samples)).certain_sec


def test_a_jump_across_the_pitch_is_implausible_motion() -> None:
    samples = [_sample(k, 100 + (400 if k >= 50 else 0)) for k in range(100)]

    assert signals.measure(_path(samples)).implausible_motion_share == pytest.approx(0.05, abs=0.02)


def test_a_flickering_box_shows_as_jitter_and_not_as_speed() -> None:
    steady = [_sample(k, 100) for k in range(100)]
    tall = Box(0.1, 0.495, 0.02, 0.11)
    flickering = [replace(s, box_xywh=tall) if k % 2 else s for k, s in enumerate(steady)]

    measured = signals.measure(_path(flickering))

    assert measured.height_jitter == pytest.approx(np.log(1.1), abs=1e-3)
    assert measured.speed_mean_h_per_sec < 0.1


def test_a_player_who_was_never_seen_again_still_has_signals() -> None:
    samples = [_sample(0, 100), *(_lost(_sample(k, 100)) for k in range(1, 50))]

    measured = signals.measure(_path(samples))

    assert measured.supported_share == 0.02
    assert rate(measured).overall_score <= 2


def test_joining_both_walks_gives_each_camera_step_to_its_later_frame() -> None:
    pan = CameraStep(np.array([[1.0, 0, 3.0], [0, 1.0, 0]]), 0.9)
    anchor = replace(_sample(5, 0), camera=STILL)
    backwards = [anchor, *(replace(_sample(k, 0), camera=pan.inverse()) for k in (4, 3))]
    forwards = [anchor, replace(_sample(6, 0), camera=pan)]

    joined = in_time_order(Samples.of(backwards), Samples.of(forwards))

    assert [s.index for s in joined] == [3, 4, 5, 6]
    assert [s.camera.matrix[0, 2] for s in joined] == pytest.approx([0, 3, 3, 3])


def test_the_mot_file_has_a_line_for_each_box_counted_from_one() -> None:
    samples = [_sample(0, 100), _lost(_sample(1, 100)), _sample(2, 100)]

    lines = artifacts.mot_lines(_path(samples)).splitlines()

    assert lines == [
        "1,1,100.00,250.00,20.00,50.00,0.900,-1,-1,-1",
        "3,1,100.00,250.00,20.00,50.00,0.900,-1,-1,-1",
    ]


@pytest.mark.parametrize(
    ("length_sec", "start_sec", "expected"),
    [
        pytest.param(10, 3.0, (0.0, 10.0), id="a short path whole"),
        pytest.param(120, 60.0, (50.0, 80.0), id="a long one around the confirmed frame"),
        pytest.param(120, 119.0, (90.0, 120.0), id="at the end"),
    ],
)
def test_the_clip_holds_the_confirmed_frame(
    length_sec: int, start_sec: float, expected: tuple[float, float]
) -> None:
    path = replace(
        _path([_sample(k, 100) for k in range(int(length_sec * FPS))]), start=Start(start_sec, START.box_xywh)
    )

    assert clip.range_of(path, 30.0) == pytest.approx(expected)


def test_the_table_has_a_row_for_each_frame_that_was_followed(tmp_path: Path) -> None:
    samples = [_sample(0, 100), _lost(_sample(1, 100)), _sample(2, 100)]

    lines = artifacts.write_csv(_path(samples), tmp_path / "track.csv").read_text().splitlines()

    assert [line.split(",")[:4] for line in lines] == [
        ["frame", "time_sec", "state", "left_px"],
        ["1", "0.000", "found", "100.00"],
        ["2", "0.040", "lost", ""],
        ["3", "0.080", "found", "100.00"],
    ]


def test_the_spans_are_without_gaps_and_say_why_he_is_lost() -> None:
    samples = [_sample(0, 100), _lost(_sample(1, 100)), _lost(_sample(2, 100)), _sample(3, 100)]

    told = artifacts.spans(_path(samples))

    assert [(s["begin_sec"], s["end_sec"], s["state"]) for s in told] == [
        (0.0, 0.04, "found"),
        (0.04, 0.12, "lost"),
        (0.12, 0.16, "found"),
    ]
