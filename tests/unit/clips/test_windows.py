"""Training windows: repeatable, and boxes that are where the people are."""

import numpy as np
import pytest

from playerscore_clips.windows import HARDSHIPS, IGNORE, PERSON, render_window

SEEDS = range(12)


@pytest.mark.parametrize("seed", [0, 7, 123_456])
def test_the_same_seed_gives_the_same_window(seed: int) -> None:
    first, first_boxes = render_window(seed, 128)
    second, second_boxes = render_window(seed, 128)

    assert np.array_equal(first, second)
    assert np.array_equal(first_boxes, second_boxes)


def test_another_seed_gives_another_window() -> None:
    assert not np.array_equal(render_window(1, 128)[0], render_window(2, 128)[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_boxes_lie_inside_the_window(seed: int) -> None:
    picture, boxes = render_window(seed, 192)

    assert picture.shape == (192, 192, 3)
    assert picture.dtype == np.uint8
    assert boxes.shape[1] == 5
    assert (boxes[:, :2] - boxes[:, 2:4] / 2 >= -1e-3).all()
    assert (boxes[:, :2] + boxes[:, 2:4] / 2 <= 192 + 1e-3).all()
    assert set(boxes[:, 4].tolist()) <= {PERSON, IGNORE}


def test_people_are_as_high_as_asked_for() -> None:
    whole = np.concatenate([_uncut_heights(seed, body_px=40.0) for seed in range(40)])

    # Bent and lunging bodies are lower than standing ones, nearer ones higher.
    assert len(whole) > 30
    assert 34 < np.median(whole) < 46


def _uncut_heights(seed: int, body_px: float) -> np.ndarray:
    _, boxes = render_window(seed, 256, body_px)
    top, bottom = boxes[:, 1] - boxes[:, 3] / 2, boxes[:, 1] + boxes[:, 3] / 2
    heights: np.ndarray = boxes[(top > 1) & (bottom < 255) & (boxes[:, 4] == PERSON), 3]
    return heights


@pytest.mark.parametrize("hardship", HARDSHIPS)
def test_the_same_seed_gives_the_same_hard_window(hardship: str) -> None:
    first, first_boxes = render_window(3, 96, hardship=hardship)
    second, second_boxes = render_window(3, 96, hardship=hardship)

    assert np.array_equal(first, second)
    assert np.array_equal(first_boxes, second_boxes)
    assert not np.array_equal(first, render_window(3, 96)[0])


def test_a_knot_holds_three_who_overlap() -> None:
    most = [_overlapping(render_window(seed, 160, 40.0, hardship="knot")[1]) for seed in range(8)]

    assert sum(count >= 3 for count in most) >= 4


def _overlapping(boxes: np.ndarray) -> int:
    low, high = boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2
    shared = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    return int(((shared > 0).all(2).sum(1) > 1).sum())


def test_who_lies_is_wider_than_high() -> None:
    boxes = np.concatenate([render_window(seed, 160, 40.0, hardship="lying")[1] for seed in range(12)])

    assert (boxes[:, 2] > boxes[:, 3]).mean() > 0.3


def test_parts_of_people_too_large_to_be_found_are_nobody() -> None:
    assert not any(len(render_window(seed, 96, hardship="giants")[1]) for seed in range(6))


def test_who_is_mostly_under_a_caption_is_not_asked_for() -> None:
    boxes = np.concatenate([render_window(seed, 160, 40.0, hardship="captions")[1] for seed in range(30)])

    assert (boxes[:, 4] == IGNORE).any()
    assert (boxes[:, 4] == PERSON).any()
