"""What is said about a confirmed box, from who was found around it."""

import numpy as np
import pytest

from playerscore_worker import target
from playerscore_worker.detectors import Detections
from playerscore_worker.target import Look

PICTURE_PX = 720
MAN = (100, 100, 120, 150)
NEIGHBOUR = (122, 102, 142, 150)


def _found(*boxes_xyxy: tuple[int, ...]) -> Detections:
    return Detections(
        np.array(boxes_xyxy, np.float32).reshape(-1, 4), np.full(len(boxes_xyxy), 0.9, np.float32)
    )


def _codes(box: tuple[int, ...], *people: tuple[int, ...], beside: Detections | None = None) -> list[str]:
    around = [] if beside is None else [beside]
    look = Look(np.array(box, np.float64), PICTURE_PX, _found(*people), around)
    return [warning.code for warning in target.warnings(look)]


@pytest.mark.parametrize(
    ("box", "people", "codes"),
    [
        pytest.param(MAN, [MAN], [], id="a-man"),
        pytest.param(MAN, [MAN, NEIGHBOUR], [], id="a-man-beside-another"),
        pytest.param((92, 92, 126, 156), [MAN], [], id="a-generous-box"),
        pytest.param(MAN, [], ["TARGET_EMPTY"], id="nobody-at-all"),
        pytest.param(MAN, [NEIGHBOUR], ["TARGET_EMPTY"], id="somebody-beside-the-box"),
        pytest.param((50, 50, 350, 200), [MAN], ["TARGET_EMPTY"], id="a-goal-with-its-keeper"),
        pytest.param((98, 98, 144, 152), [MAN, NEIGHBOUR], ["TARGET_SHARED"], id="two-men"),
        pytest.param(MAN, [MAN, (105, 102, 110, 114)], [], id="a-man-before-a-far-one"),
        pytest.param((100, 100, 120, 124), [MAN], ["TARGET_PARTIAL"], id="his-upper-half"),
        pytest.param((100, 100, 104, 108), [], ["TARGET_SMALL"], id="eight-pixels"),
        pytest.param(
            (100, 10, 400, 710), [(110, 5, 390, 715)], ["TARGET_LARGE"], id="as-high-as-the-picture"
        ),
    ],
)
def test_a_box_is_judged_by_who_is_in_it(
    box: tuple[int, ...], people: list[tuple[int, ...]], codes: list[str]
) -> None:
    assert _codes(box, *people) == codes


def test_where_no_pitch_is_seen_it_may_be_another_sport() -> None:
    look = Look(np.array(MAN, np.float64), PICTURE_PX, _found(MAN), [], pitch=False)

    told = target.warnings(look)

    assert [warning.code for warning in told] == ["PITCH_UNSEEN"]
    assert target.is_foreign(told)


def test_a_person_who_is_missed_on_the_confirmed_frame_is_there_on_the_next() -> None:
    assert _codes(MAN, beside=_found(MAN)) == []
