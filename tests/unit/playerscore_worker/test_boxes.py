"""Boxes as arrays agree with the core's geometry, and survive the border between pixels and 0..1."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playerscore.geometry import Box, iou
from playerscore_worker import boxes

UNIT = st.floats(0, 1, allow_nan=False)
BOXES = st.builds(Box, UNIT, UNIT, UNIT, UNIT)


def _xyxy(box: Box) -> np.ndarray:
    return np.array([[box.x, box.y, box.x + box.w, box.y + box.h]])


def _cornered(box: Box) -> Box:
    """The box that its corners describe: x + w - x is w but for rounding, which is all of a box of that size."""
    return Box(box.x, box.y, box.x + box.w - box.x, box.y + box.h - box.y)


# A box so small that its area has lost its precision.
SPECK = Box(2.2250738585e-313, 0.0, 2.2250738585e-313, 1.0)


@example(SPECK, SPECK)
@given(BOXES, BOXES)
def test_the_array_form_of_iou_is_the_cores(a: Box, b: Box) -> None:
    assert boxes.iou_matrix(_xyxy(a), _xyxy(b))[0, 0] == pytest.approx(
        iou(_cornered(a), _cornered(b)), abs=1e-6
    )


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param([0, 0, 2, 2], [0, 0, 1, 1], 1.0, id="one inside the other"),
        pytest.param([0, 0, 2, 2], [1, 0, 3, 2], 0.5, id="half of each"),
        pytest.param([0, 0, 1, 1], [1, 0, 2, 1], 0.0, id="touching"),
        pytest.param([0, 0, 0, 0], [0, 0, 1, 1], 0.0, id="no area"),
    ],
)
def test_cover_is_the_shared_part_of_the_smaller_box(a: list, b: list, expected: float) -> None:
    assert boxes.cover_matrix(np.array([a], float), np.array([b], float))[0, 0] == pytest.approx(expected)


def test_suppression_keeps_the_best_of_each_heap() -> None:
    heap = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], float)

    kept = boxes.suppress(heap, np.array([0.5, 0.9, 0.4]), 0.45)

    assert kept.tolist() == [1, 2]


@given(BOXES)
def test_a_box_inside_the_picture_comes_back_from_pixels(box: Box) -> None:
    inside = Box(box.x * 0.5, box.y * 0.5, box.w * 0.5, box.h * 0.5)

    back = boxes.to_normalised(boxes.to_pixels(inside, 960, 540), 960, 540)

    assert back == pytest.approx(inside, abs=1e-9)


def test_a_box_across_the_edge_is_cut_to_the_picture() -> None:
    assert boxes.to_normalised(np.array([-10.0, 0, 10, 50]), 100, 100) == Box(0, 0, 0.1, 0.5)
