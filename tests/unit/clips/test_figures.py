"""Drawn people: whole, inside their canvas, in motion, and placed to a fraction of a pixel."""

import math

import numpy as np
import pytest

from playerscore_clips.dice import Dice
from playerscore_clips.figures import (
    BODY_PX,
    CANVAS_PX,
    FOOT_Y,
    View,
    draw_figure,
    gait_pose,
    random_kit,
    random_look,
    random_pose,
)
from playerscore_clips.film import place_exactly
from playerscore_clips.sprites import SOLID


def _someone(seed: int, pose_speed: float | None = None) -> np.ndarray:
    dice = Dice(seed)
    pose = random_pose(dice) if pose_speed is None else gait_pose(0.3, pose_speed)
    view = View(dice.uniform(0, 2 * math.pi), 0.2)
    return draw_figure(random_kit(dice), random_look(dice), pose, view)


@pytest.mark.parametrize("seed", range(8))
def test_colours_are_multiplied_with_the_transparency(seed: int) -> None:
    figure = _someone(seed)

    assert figure[:, :, 3].max() == 255
    assert (figure[:, :, :3] <= figure[:, :, 3:]).all()


@pytest.mark.parametrize("seed", range(8))
def test_nobody_is_cut_by_his_canvas(seed: int) -> None:
    alpha = _someone(seed)[:, :, 3]

    assert not alpha[0].any()
    assert not alpha[-1].any()
    assert not alpha[:, 0].any()
    assert not alpha[:, -1].any()


@pytest.mark.parametrize(
    ("speed", "least"), [(0.0, 0.93), (1.5, 0.88), (7.0, 0.75)], ids=["stands", "walks", "sprints"]
)
def test_a_figure_is_about_a_body_height_high(speed: float, least: float) -> None:
    rows = np.nonzero(_someone(3, speed)[:, :, 3].any(1))[0]
    height = rows[-1] - rows[0] + 1

    assert least * BODY_PX < height < 1.15 * BODY_PX
    assert abs(rows[-1] - FOOT_Y) < 0.2 * BODY_PX


def test_the_walk_goes_round_without_a_jump() -> None:
    start, end = gait_pose(0.0, 1.5), gait_pose(1.0, 1.5)

    assert [leg.swing for leg in start.legs] == pytest.approx([leg.swing for leg in end.legs], abs=1e-9)
    assert gait_pose(0.0, 1.5).legs[0].swing == pytest.approx(gait_pose(0.5, 1.5).legs[1].swing, abs=1e-9)


@pytest.mark.parametrize("scale", [0.15, 0.3, 0.5, 0.8])
def test_a_placed_figures_box_is_tight(scale: float) -> None:
    sprite = place_exactly(_someone(5, 1.5), (100.3, 80.7), scale)
    left, top, right, bottom = sprite.box() or (0, 0, 0, 0)
    rows = slice(int(top) - sprite.top, int(bottom) - sprite.top)
    columns = slice(int(left) - sprite.left, int(right) - sprite.left)
    inside = sprite.picture[rows, columns, 3] > SOLID

    assert inside.sum() == sprite.solid.sum()
    for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
        assert edge.any()
    assert abs(bottom - 80.7) < 0.25 * BODY_PX * scale + 1


def test_a_placed_figure_moves_by_fractions_of_a_pixel() -> None:
    figure = _someone(5, 1.5)
    centres = []
    for shift in (0.0, 0.25, 0.5, 0.75):
        sprite = place_exactly(figure, (50 + shift, 60.0), 0.3)
        weight = sprite.picture[:, :, 3].sum(0)
        centres.append(float((weight * (np.arange(len(weight)) + sprite.left)).sum() / weight.sum()))

    assert np.diff(centres) == pytest.approx([0.25] * 3, abs=0.03)
    assert CANVAS_PX > BODY_PX
