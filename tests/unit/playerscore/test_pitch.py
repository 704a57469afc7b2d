"""Which pitches are refused before a worker looks, in which words, and with the worst point named."""

from typing import Any

import numpy as np
import pytest

from builders import make_ready_spec, make_spec, make_status
from pitches import HEIGHT, STAND, WIDTH, pitch, points, seen
from playerscore import flow
from playerscore.admission import judge_create, judge_update
from playerscore.errors import FlowError
from playerscore.landmarks import LANDMARKS, MARKINGS, landmarks
from playerscore.resources import Pitch, PitchPoint, ScoringJobSpec
from playerscore_worker.pitch import view

AT = seen(STAND)
SMALL = seen(STAND + np.array([0, 0.05, 0, 0.4, 0, 20, -8, 0]), "7-a-side")
LENS = seen(STAND + np.array([0, 0, 0, -0.5, 0, 0, 0, -0.15]))
FIVE = ("centre-spot", "centre-circle-top", "centre-circle-left", "centre-circle-right", "halfway-line-top")
Json = dict[str, Any]


def spec(given: Json, **more: Any) -> ScoringJobSpec:
    return make_spec(pitch=Pitch.model_validate(given), **more)


def found(given: Json, **more: Any) -> list[tuple[str, str]]:
    return [(item.reason, item.message) for item in judge_create(spec(given, **more)).violations]


def moved(name: str, by: float) -> list[Json]:
    return [p | ({"imageX": p["imageX"] + by} if p["landmark"] == name else {}) for p in points(AT)]


GOOD = {
    "every landmark in sight": pitch((1, points(AT))),
    "five about the centre": pitch((1, points(AT, *FIVE))),
    "a lens that bends lines": pitch((1, points(LENS))),
    "seven a side": pitch((1, points(SMALL)), format="7-a-side"),
    "two moments": pitch((1, points(AT)), (2, points(AT))),
    "clicked two pixels off": pitch((1, [p | {"imageX": p["imageX"] + 0.002} for p in points(AT)])),
}


@pytest.mark.parametrize("given", GOOD.values(), ids=GOOD)
def test_what_a_camera_sees_is_let_in(given: Json) -> None:
    assert found(given) == []


MIRRORED = [p | {"imageX": 1 - p["imageX"]} for p in points(AT)]
BAD = {
    "mirrored": (pitch((1, MIRRORED)), "PITCH_INCOHERENT", "the pitch is mirrored"),
    "three of four on a line": (
        pitch((1, points(AT, "centre-circle-left", "centre-spot", "centre-circle-right", "halfway-line-top"))),
        "PITCH_INCOHERENT",
        "centre-circle-left, centre-spot, centre-circle-right are on one line",
    ),
    "one point far off": (pitch((1, moved("centre-circle-right", -0.17))), "PITCH_INCOHERENT", "centre-circle-right most"),
    "a landmark twice": (
        pitch((1, [*points(AT, *FIVE), *points(AT, "centre-spot")])),
        "PITCH_INCOHERENT",
        "centre-spot and centre-spot are the same place",
    ),
    "a goal area on a small pitch": (
        pitch((1, [*points(AT, *FIVE), {"imageX": 0.9, "imageY": 0.9, "landmark": "left-goal-area-top-left"}]), format="7-a-side"),
        "PITCH_LANDMARK",
        "a 7-a-side pitch has no left-goal-area-top-left",
    ),
    "two moments at once": (pitch((1, points(AT)), (1, points(AT))), "PITCH_INCOHERENT", "the same time_sec"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "code", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_a_pitch_is_refused_with_the_reason(given: Json, code: str, words: str) -> None:
    ((reason, message),) = found(given)

    assert (reason, words in message, message.startswith("spec.pitch: ")) == (code, True, True), message


def test_four_points_that_no_camera_sees_so_contradict_each_other() -> None:
    names = ("halfway-line-top", "centre-circle-bottom", "centre-circle-left", "centre-circle-right")
    crossed = {**AT, names[0]: AT[names[1]], names[1]: AT[names[0]]}

    ((reason, _),) = found(pitch((1, points(crossed, *names))))

    assert reason == "PITCH_INCOHERENT"


def test_a_moment_must_lie_in_what_is_analysed_and_in_the_video() -> None:
    late = pitch((7, points(AT)))
    by_range = found(late, analysis={"startSec": 8})
    video = make_status().preview
    assert video is not None
    beyond = pitch((video.video.duration_sec + 1, points(AT)))
    by_video = judge_update(make_spec(), spec(beyond), make_status()).violations

    assert [reason for reason, _ in by_range] == ["PITCH_MOMENT_OUTSIDE"]
    assert [item.reason for item in by_video] == ["PITCH_MOMENT_OUTSIDE"]


def test_a_pitch_that_was_let_in_once_is_not_judged_with_every_write() -> None:
    wrong = spec(pitch((1, MIRRORED)))

    assert judge_update(wrong, wrong.model_copy(update={"display_name": "Number 7"}), None).allowed


def test_the_smaller_formats_have_fewer_landmarks_of_the_same_names() -> None:
    for marks in MARKINGS.values():
        here = landmarks(marks)
        assert set(here) <= set(LANDMARKS)
        assert all(0 <= x <= marks.length and 0 <= y <= marks.width for x, y in here.values())
        assert here["centre-spot"] == (marks.length / 2, marks.width / 2)


def test_moments_are_added_and_replaced_by_their_time() -> None:
    clicked = [PitchPoint.model_validate(p) for p in points(AT)]
    status = make_status()
    one = flow.add_moment(make_ready_spec(), status, None, 1.0, clicked).spec
    two = flow.add_moment(one, status, None, 0.5, clicked).spec
    again = flow.add_moment(two, status, None, 1.0, clicked[:6]).spec

    assert [m.time_sec for m in two.pitch.moments] == [0.5, 1.0]  # type: ignore[union-attr]
    assert [len(m.points) for m in again.pitch.moments] == [len(clicked), 6]  # type: ignore[union-attr]
    assert flow.set_pitch(again, status, None).patch == {"pitch": None}
    with pytest.raises(FlowError) as refused:
        flow.add_moment(make_ready_spec(), status, None, 1.0, clicked[:3])
    assert (refused.value.code, refused.value.details["field"]) == ("INVALID", "points")


def test_the_gate_takes_thirty_two_points_in_a_moment() -> None:
    dice = np.random.default_rng(1)
    metres = dice.uniform([30, 10], [75, 60], (32, 2))
    pixels, _ = view.project(STAND, (metres - [52.5, 34]) * [1, -1])
    clicked = [
        {"imageX": min(1, max(0, u / WIDTH + 0.5)), "imageY": min(1, max(0, v / HEIGHT + 0.5)), "pitchX": x, "pitchY": y}
        for (u, v), (x, y) in zip(pixels, metres, strict=True)
        if abs(u) < WIDTH / 2 and abs(v) < HEIGHT / 2
    ]  # fmt: skip

    assert len(clicked) > 10
    assert found(pitch((1, clicked))) == []
