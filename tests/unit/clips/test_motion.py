"""Movement on the pitch: as people can move, with crossings, and leaving when asked to."""

import numpy as np
import pytest

from playerscore_clips import motion
from playerscore_clips.camera import Camera, follow_ball
from playerscore_clips.dice import Dice

FPS = 25
FRAMES = 250


@pytest.fixture(scope="module")
def game() -> motion.Motion:
    dice = Dice(42)
    return motion.play(dice, motion.ball_path(dice, FRAMES, FPS), FPS)


def test_two_teams_two_goalkeepers_and_a_referee_play(game: motion.Motion) -> None:
    roles = [(person.team, person.role) for person in game.people]

    assert roles.count((0, "player")) == roles.count((1, "player")) == 10
    assert roles.count((0, "goalkeeper")) == roles.count((1, "goalkeeper")) == 1
    assert roles.count((None, "referee")) == 1


def test_nobody_runs_or_accelerates_as_people_cannot(game: motion.Motion) -> None:
    velocity = np.diff(game.place, axis=0) * FPS
    speed = np.linalg.norm(velocity, axis=2)
    acceleration = np.linalg.norm(np.diff(velocity, axis=0), axis=2) * FPS

    assert speed.max() < 9.5
    assert acceleration.max() < 1.05 * motion.ACCELERATION
    assert (speed > 4).any()
    assert (speed < 1).any()


def test_people_come_close_to_each_other(game: motion.Motion) -> None:
    players = game.place[:, :20]
    gaps = np.linalg.norm(players[:, :, None] - players[:, None], axis=3)
    gaps[:, range(20), range(20)] = np.inf

    assert (gaps.min(0) < 1.5).any(1).sum() >= 6
    assert gaps.min() > 0.1


def test_the_same_seed_moves_everybody_alike() -> None:
    def places() -> np.ndarray:
        dice = Dice(5)
        return motion.play(dice, motion.ball_path(dice, 50, FPS), FPS).place

    assert np.array_equal(places(), places())


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_who_is_to_leave_leaves_and_stays_away(seed: int) -> None:
    dice = Dice(seed)
    ball = motion.ball_path(dice, FRAMES, FPS)
    game = motion.play(dice, ball, FPS, motion.Departure(second=5.0, edge_y=-34.0))
    (leaver,) = [person for person in game.people if person.leaves]
    y = game.place[:, leaver.id, 1]

    assert (y[: 3 * FPS] > -34).all()
    assert (y[int(7.5 * FPS) :] < -34).all()


def test_the_camera_keeps_the_ball_in_the_picture() -> None:
    dice = Dice(8)
    ball = motion.ball_path(dice, FRAMES, FPS)
    cameras = follow_ball(dice, ball, FPS, (1280, 720), 36.0)
    inside = [_sees(camera, place) for camera, place in zip(cameras, ball, strict=True)]

    assert np.mean(inside) > 0.95


def _sees(camera: Camera, place: np.ndarray) -> bool:
    u, v, depth = camera.pixels(np.array([[*place, 0.0]]))[0]
    return bool(depth > 0 and 0 <= u < camera.width and 0 <= v < camera.height)


def test_the_ground_homography_agrees_with_the_projection() -> None:
    camera = Camera(pan=0.2, tilt=0.3, focal_px=1300, width=1280, height=720)
    u, v, _ = camera.pixels(np.array([[12.0, -7.0, 0.0]]))[0]

    assert camera.ground_at(u, v) == pytest.approx([12.0, -7.0])
