"""Cameras, places and figures from motions that are known by construction: no video, no detector."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kloppy import metrica

from pitches import HEIGHT, MARKS, STAND, WIDTH, model, points, seen
from playerscore import football
from playerscore.geometry import Box
from playerscore.pitch import CONTRADICTION_M
from playerscore_worker.camera import CameraStep
from playerscore_worker.follower import FollowedPath, PathSample, Start
from playerscore_worker.following.joint import State
from playerscore_worker.pitch import calibration, files, lines, metrics, view
from playerscore_worker.pitch.lines import Ridges
from playerscore_worker.pitch.measuring import Measured
from playerscore_worker.pitch.places import Places, places
from playerscore_worker.pitch.view import Floats

FPS = 25.0
SIZE = (WIDTH, HEIGHT)
NONE: dict[int, Ridges] = {}
LENS = STAND + np.array([0, 0, 0.01, 0, 0, 0, 0, -0.2])


@pytest.mark.parametrize("state", [STAND, LENS], ids=["a pinhole", "a lens that bends lines"])
def test_what_is_seen_somewhere_is_there(state: Floats) -> None:
    pixels = np.array([[0.0, 0], [-400, 200], [450, -60], [10, 260]])

    back, depth = view.project(state, view.ground(state, pixels))

    assert np.allclose(back, pixels, atol=0.05)
    assert (depth > 10).all()


def test_above_the_horizon_there_is_no_ground() -> None:
    assert np.isnan(view.ground(STAND, np.array([[0.0, -900.0]]))).all()


@pytest.mark.parametrize(
    "change", [[0.02, 0, 0, 0], [0, -0.01, 0, 0], [0, 0, 0.01, 0], [0.01, 0.003, 0, 0.03]]
)
def test_a_turn_is_found_again_from_the_pictures_motion(change: list[float]) -> None:
    """The follower's similarity is the best one for the whole picture, and so is the turn."""
    new = STAND.copy()
    new[:4] += change

    turned = view.turned(STAND, _similarity(STAND, new), WIDTH, HEIGHT)

    assert np.allclose(turned[:4], new[:4], atol=4e-4)


def _similarity(old: Floats, new: Floats) -> Floats:
    x, y = np.meshgrid(np.linspace(-380, 380, 9), np.linspace(-210, 210, 7))
    grid = np.column_stack([x.ravel(), y.ravel()])
    world = view.rays(old, grid) @ view.rotation(old)
    moved = view.lens(new, world @ view.rotation(new).T)
    matrix, _ = cv2.estimateAffinePartial2D(grid, moved, ransacReprojThreshold=1e3)
    return np.asarray(matrix, np.float64)


@pytest.mark.parametrize("state", [STAND, LENS], ids=["a pinhole", "a lens that bends lines"])
def test_clicked_points_tell_the_camera(state: Floats) -> None:
    given = model((0.0, points(seen(state)))).moments[0]
    moment = calibration.moment_of(given, MARKS, WIDTH, HEIGHT)

    fitted = calibration.fitted(moment, WIDTH)

    assert fitted is not None
    assert calibration.worst(moment, fitted)[1] < 0.3
    assert np.exp(fitted[3]) == pytest.approx(np.exp(state[3]), rel=0.03)


def test_the_worst_point_is_named_with_its_metres() -> None:
    clicked = points(seen(STAND))
    wrong = next(p for p in clicked if p["landmark"] == "centre-circle-left")
    wrong["imageX"] += 0.15
    moment = calibration.moment_of(model((0.0, clicked)).moments[0], MARKS, WIDTH, HEIGHT)
    fitted = calibration.fitted(moment, WIDTH)

    assert fitted is not None
    name, off_m = calibration.worst(moment, fitted)
    assert name == "centre-circle-left"
    assert off_m > CONTRADICTION_M


def _pan(count: int, to_rad: float) -> list[Floats]:
    states = [STAND + np.array([a, 0, 0, 0, 0, 0, 0, 0]) for a in np.linspace(0, to_rad, count)]
    return [np.asarray(state, np.float64) for state in states]


def _steps(states: list[Floats], scale: float = 1.0) -> list[CameraStep]:
    """What the follower measures: similarities in pixels from the picture's corner, `scale` times too far."""
    middle = np.array(SIZE) / 2
    steps = [CameraStep(np.array([[1.0, 0, 0], [0, 1.0, 0]]), 0.0)]
    for old, new in pairwise(states):
        matrix = _similarity(old, new)
        matrix[:, 2] = matrix[:, 2] * scale + middle - matrix[:, :2] @ middle
        steps.append(CameraStep(matrix, 0.9))
    return steps


def _tracked(states: list[Floats], steps: list[CameraStep], ridges: dict[int, Ridges], *at: int, broken: int | None = None) -> calibration.Track:  # fmt: skip
    times = np.arange(len(states)) / FPS
    moments = []
    for index in at:
        given = model((times[index], points(seen(states[index])))).moments[0]
        moment = calibration.moment_of(given, MARKS, WIDTH, HEIGHT)
        fitted = calibration.fitted(moment, WIDTH)
        assert fitted is not None
        moments.append((index, moment, fitted))
    cuts = np.zeros(len(states), bool)
    if broken is not None:
        cuts[broken] = True
    return calibration.followed(times, steps, cuts, moments, ridges, MARKS, SIZE)


def _ridges(state: Floats) -> Ridges:
    """What the lines look like, with clutter beside them."""
    model_ = lines.model(MARKS)
    pixels, _ = view.project(state, model_.points)
    ahead, _ = view.project(state, model_.points + 0.1 * model_.along)
    inside = (np.abs(pixels) < np.array(SIZE) / 2).all(1)
    way = (ahead - pixels)[inside]
    way /= np.hypot(*way.T)[:, None]
    normal = way[:, ::-1] * [-1, 1]
    dice = np.random.default_rng(5)
    clutter = dice.uniform(-200, 200, (80, 2))
    angle = dice.uniform(0, np.pi, 80)
    return Ridges(
        np.vstack([pixels[inside] + dice.normal(0, 0.4, (len(way), 2)), clutter]).astype(np.float32),
        np.vstack([normal, np.column_stack([np.cos(angle), np.sin(angle)])]).astype(np.float32),
    )


def _off_m(track: calibration.Track, states: list[Floats], index: int) -> float:
    spots = np.array([[-200.0, 60], [0, 40], [200, 100]])
    return float(
        np.hypot(*(view.ground(track.states[index], spots) - view.ground(states[index], spots)).T).max()
    )


def test_the_camera_is_carried_both_ways_from_a_moment_by_its_motion() -> None:
    states = _pan(61, 0.15)
    track = _tracked(states, _steps(states), NONE, 30)

    assert track.known().all()
    assert max(_off_m(track, states, i) for i in (0, 15, 45, 60)) < 0.6


def test_lines_hold_a_camera_whose_measured_motion_goes_wrong() -> None:
    states = _pan(101, 0.15)
    steps = _steps(states, scale=0.97)
    adrift = _tracked(states, steps, NONE, 0)
    held = _tracked(states, steps, {i: _ridges(states[i]) for i in range(0, 101, 5)}, 0)

    assert _off_m(adrift, states, 100) > 0.3
    assert _off_m(held, states, 100) < 0.15
    assert held.line_points[100] >= calibration.MIN_RIDGES


def test_without_lines_the_told_error_grows_and_a_second_moment_checks_it() -> None:
    states = _pan(101, 0.15)
    track = _tracked(states, _steps(states, scale=0.97), NONE, 0, 100)
    alone = _tracked(states, _steps(states, scale=0.97), NONE, 0)
    spread = np.array([np.trace(c[:2, :2]) for c in alone.covariances])

    assert (np.diff(spread[1:]) > -1e-12).all()
    ((at, carried, off),) = track.checks
    assert (at, carried) == (4.0, 4.0)
    assert off > 0.3
    assert _off_m(track, states, 100) < 0.15
    assert _off_m(track, states, 50) < _off_m(alone, states, 100)


def test_behind_a_cut_there_is_no_camera_without_a_moment() -> None:
    states = _pan(41, 0.05)
    track = _tracked(states, _steps(states), NONE, 5, broken=20)

    assert track.known().tolist() == [True] * 20 + [False] * 21


def test_a_pictures_ridges_lie_on_its_lines() -> None:
    """A drawn pitch: white lines on green, seen by a camera."""
    image = np.full((HEIGHT, WIDTH, 3), (60, 130, 70), np.uint8)
    pixels, _ = view.project(STAND, lines.model(MARKS).points)
    for x, y in pixels[np.isfinite(pixels).all(1)] + np.array(SIZE) / 2:
        if 0 <= x < WIDTH and 0 <= y < HEIGHT:
            cv2.circle(image, (round(x * 16 - 8), round(y * 16 - 8)), 18, (235, 235, 235), -1, cv2.LINE_AA, 4)
    cv2.rectangle(image, (100, 300), (130, 380), (240, 240, 240), -1)
    found = lines.ridges(image, 1.0)

    matched, at, normal = lines.matched(lines.model(MARKS), found, STAND, SIZE, 8.0)

    across = (view.project(STAND, matched)[0] - at) * normal
    assert len(at) > 100
    assert np.median(np.abs(across.sum(1))) < 0.6


# --- places and figures ---------------------------------------------------------------------------------


def _walk(way: Floats, *, hidden: tuple[int, int] = (0, 0), lost: tuple[int, int] = (0, 0)) -> tuple[FollowedPath, calibration.Track]:  # fmt: skip
    """A player of 1.8 m who goes a way (n, 2), metres from the middle, before a camera that stands still."""
    samples = []
    for k, place in enumerate(way):
        ends, _ = view.project(STAND, np.array([[*place, 0.0], [*place, 1.8]]))
        (x, bottom), (_, top) = ends + np.array(SIZE) / 2
        covered = hidden[0] <= k < hidden[1]
        tall = bottom - top
        high = tall * (0.6 if covered else 1.0)
        away = lost[0] <= k < lost[1]
        box = Box((x - 0.2 * tall) / WIDTH, top / HEIGHT, 0.4 * tall / WIDTH, high / HEIGHT)
        samples.append(
            PathSample(k, k / FPS, State.LOST if away else State.SUPPORTED, None if away else box, 0.9, 0.9, True,
                       (1,) if covered else (), 0.0 if away else 1.0, None, CameraStep(np.eye(2, 3), 0.9))
        )  # fmt: skip
    path = FollowedPath(samples, [], Start(0.0, Box(0, 0, 1, 1)), FPS, WIDTH, HEIGHT)
    count = len(samples)
    spread = np.diag([1e-4, 1e-4, 1e-4, 1e-3, 0.01, 0.01, 0.01, 1e-4]) ** 2
    return path, calibration.Track(
        np.tile(STAND, (count, 1)), np.tile(spread, (count, 1, 1)), np.zeros(count, int)
    )


def _run(speed_mps: float, seconds: float) -> Floats:
    times = np.arange(round(seconds * FPS)) / FPS
    return np.column_stack([-8 + speed_mps * times, np.full(len(times), 2.0)])


def measured(way: Floats, **more: tuple[int, int]) -> Measured:
    path, track = _walk(way, **more)
    here = places(path, track, MARKS)
    return Measured(metrics.measure(here, PITCH), here, track, MARKS, [])


PITCH = model((0.0, points(seen(STAND))))


def test_a_steady_run_has_its_metres_its_speed_and_its_zone() -> None:
    found = measured(_run(3.0, 6.0)).metrics

    assert found is not None
    assert found.distance_m == pytest.approx(18, rel=0.02)
    assert found.distance_m_per_min == pytest.approx(180, rel=0.02)
    assert found.zone_distances_m == [0, pytest.approx(18, rel=0.02), 0, 0, 0]
    assert found.top_speed_kmh == pytest.approx(10.8, abs=0.3)
    assert (found.average_x_m, found.average_y_m) == (
        pytest.approx(53.5, abs=0.2),
        pytest.approx(32, abs=0.2),
    )
    assert (found.calibrated_share, found.sprints, found.accelerations) == (1, 0, 0)
    assert found.best_1_min_m is None


def test_hidden_feet_are_where_his_stature_says() -> None:
    shown = measured(_run(1.0, 8.0), hidden=(60, 90)).places

    assert np.abs(shown.metres[75] - [52.5 - 8 + 3, 32.0]).max() < 0.3
    assert shown.error[75] > shown.error[30]


def test_a_long_gap_adds_nothing() -> None:
    found = measured(_run(2.0, 10.0), lost=(100, 150))

    assert found.metrics is not None
    assert found.metrics.distance_m == pytest.approx(16, rel=0.03)
    assert found.places.stretch[99] != found.places.stretch[150]
    assert np.isnan(found.places.metres[120]).all()


def test_what_is_known_too_badly_is_not_told() -> None:
    path, track = _walk(_run(2.0, 6.0))
    track.covariances[:, :2, :2] = np.diag([0.05, 0.05]) ** 2

    here = places(path, track, MARKS)

    assert not here.calibrated.any()
    assert metrics.measure(here, PITCH) is None


def _places(speed: list[float], acceleration: float = 0.0) -> Places:
    """Places of somebody of whom only the speeds matter, m/s."""
    count = len(speed)
    return Places(
        np.arange(count) / FPS, np.ones(count, bool), np.zeros((count, 2)), np.full(count, 0.3),
        np.array(speed, float), np.full(count, acceleration), np.zeros(count, np.int64), 1 / FPS,
    )  # fmt: skip


def test_a_sprint_is_held_for_a_second_and_a_top_speed_for_half() -> None:
    fast = football.SPRINT_KMH / 3.6 + 0.3
    burst, sprint = [5.0] * 50 + [fast] * 20 + [5.0] * 80, [5.0] * 50 + [fast] * 26 + [5.0] * 74

    assert [metrics.measure(_places(s), PITCH).sprints for s in (burst, sprint)] == [0, 1]  # type: ignore[union-attr]
    assert metrics.top_speed_kmh(_places([5.0] * 50 + [9.0] * 8 + [5.0] * 50)) == pytest.approx(18)
    assert metrics.top_speed_kmh(_places([5.0] * 50 + [9.0] * 13 + [5.0] * 50)) == pytest.approx(32.4)


def test_a_speed_that_nobody_has_is_refused_and_not_counted() -> None:
    assert metrics.top_speed_kmh(_places([11.0] * 50)) is None
    assert metrics.top_speed_kmh(_places([8.0] * 50, acceleration=9.5)) is None
    assert metrics.speeds(_places([14.0] * 50)).max() == pytest.approx(10)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 12), min_size=150, max_size=200))
def test_zones_add_up_to_the_distance(speed: list[float]) -> None:
    found = metrics.measure(_places(speed), PITCH)

    assert found is not None
    assert sum(found.zone_distances_m) == pytest.approx(found.distance_m, abs=0.5)
    assert found.sprint_distance_m <= found.high_speed_distance_m <= found.distance_m + 0.1


def test_thresholds_are_the_jobs_and_are_named_in_the_result() -> None:
    slow = model((0.0, points(seen(STAND))), highSpeedKmh=12, sprintKmh=18)
    found = metrics.measure(_places([4.0] * 200), slow)

    assert found is not None
    assert (found.high_speed_kmh, found.sprint_kmh, found.high_speed_distance_m) == (
        12,
        18,
        pytest.approx(32),
    )


def test_the_best_minute_is_one_that_was_calibrated_whole() -> None:
    speed = [1.0] * 1500 + [2.0] * 1500 + [1.0] * 500
    whole = _places(speed)
    torn = replace(whole, stretch=np.where(np.arange(3500) % 10 == 0, -1, 0))

    assert metrics.best_minutes(whole, metrics.steps(whole), 1) == pytest.approx(120, abs=0.2)
    assert metrics.best_minutes(torn, metrics.steps(torn), 1) is None


# Kloppy leaves a temporary file to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_analysts_programs_open_the_files(tmp_path: Path) -> None:
    found = measured(_run(2.0, 8.0), lost=(50, 80))
    written = {path.name for path in files.write(found, tmp_path)}

    assert written == {"metrics.json", "metres.csv", "positions.csv", "positions-away.csv", "football.png"}
    tracking = metrica.load_tracking_csv(
        str(tmp_path / "positions.csv"), str(tmp_path / "positions-away.csv")
    )
    player = tracking.metadata.teams[0].players[0]
    there = tracking.frames[100].players_coordinates[player]
    # Kloppy turns Metrica's y, which grows downwards, round.
    assert (there.x * 105, (1 - there.y) * 68) == pytest.approx(tuple(found.places.metres[100]), abs=0.01)
    assert player not in tracking.frames[60].players_coordinates
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert report["figures"]["sprints"]["confidence"] == "low"
    assert report["figures"]["distance_m"]["unit"] == "m"
    assert all(item["definition"] for item in report["figures"].values())
    heat = files.heatmap(found)
    assert heat is not None
    assert heat.shape[0] == files.HEIGHT_PX
