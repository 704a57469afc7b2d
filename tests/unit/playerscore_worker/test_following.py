"""The pure parts of the follower: filter, assignment, cuts, and finding again."""

import numpy as np
import pytest

from playerscore_worker.camera import STILL, CameraStep
from playerscore_worker.detectors import Detections
from playerscore_worker.follower import segment_frames
from playerscore_worker.following import assignment, entities, refind, shots
from playerscore_worker.following.appearance import BIN_COUNT, colour_distance
from playerscore_worker.following.scene import Seen

DT = 0.04


def _kit(bin_number: int) -> np.ndarray:
    colours = np.zeros((1, BIN_COUNT), np.float32)
    colours[0, bin_number] = 1
    return colours


RED, BLUE = _kit(3), _kit(200)


def _box(x: float, y: float, height: float = 40.0) -> np.ndarray:
    return np.array([[x - height / 5, y - height / 2, x + height / 5, y + height / 2]])


def _people(*places: tuple[float, float, np.ndarray]) -> entities.Entities:
    found = np.concatenate([_box(x, y) for x, y, _ in places])
    return entities.born(found, np.concatenate([kit for *_, kit in places]), 0)


def _found(*places: tuple[float, float, np.ndarray]) -> Seen:
    found = np.concatenate([_box(x, y) for x, y, _ in places]).astype(np.float32)
    scores = np.full(len(places), 0.9, np.float32)
    return Seen(Detections(found, scores), np.concatenate([kit for *_, kit in places]))


def test_the_filter_learns_a_steady_walk() -> None:
    people = _people((100, 100, RED))
    for k in range(1, 40):
        entities.predict(people, STILL, DT)
        entities.measure(people, np.array([0]), _box(100 + 2.0 * k, 100), np.ones(1))

    assert people.velocity[0] == pytest.approx([50, 0], abs=2)
    assert people.centre[0] == pytest.approx([178, 100], abs=1)


def test_a_panning_camera_carries_everyone_and_is_nobodys_speed() -> None:
    pan = CameraStep(np.array([[1.0, 0, -8.0], [0, 1.0, 0]]), 0.9)
    people = _people((100, 100, RED))
    for k in range(1, 40):
        entities.predict(people, pan, DT)
        entities.measure(people, np.array([0]), _box(100 - 8.0 * k, 100), np.ones(1))

    assert people.velocity[0] == pytest.approx([0, 0], abs=1)


def test_a_zooming_camera_makes_people_taller() -> None:
    people = _people((100, 100, RED))

    entities.predict(people, CameraStep(np.array([[1.1, 0, 0], [0, 1.1, 0]]), 0.9), DT)

    assert people.height[0] == pytest.approx(44)


def test_crossing_opponents_keep_their_names_by_their_kits() -> None:
    people = _people((100, 100, RED), (108, 100, BLUE))
    people.apart[:] = True
    seen = _found((107, 100, RED), (101, 100, BLUE))

    pairs = assignment.assign(people, seen.found, seen.colours)

    assert sorted(map(tuple, pairs.tolist())) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("x", "height", "why"),
    [(100 + 90, 40.0, "too far"), (100, 90.0, "too tall")],
    ids=["too far", "too tall"],
)
def test_an_implausible_box_is_nobodys(x: float, height: float, why: str) -> None:
    people = _people((100, 100, RED))
    found = Detections(_box(x, 100, height).astype(np.float32), np.array([0.99], np.float32))

    assert len(assignment.assign(people, found, RED)) == 0, why


def test_the_target_chooses_before_a_neighbour_who_was_born_upon_him() -> None:
    people = _people((100, 100, RED), (101, 100, RED))
    seen = _found((101, 100, RED))

    pairs = assignment.assign(people, seen.found, seen.colours)

    assert pairs.tolist() == [[0, 0]]


def _memory(**changes: object) -> refind.Memory:
    known = {
        "centre": np.array([100.0, 100.0]),
        "height_px": 40.0,
        "colours": RED[0],
        "lost_sec": 1.0,
        "cut": False,
    }
    return refind.Memory(**{**known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("people", "changes", "chosen", "reason"),
    [
        pytest.param([(110, 100, RED)], {}, 0, None, id="one in his kit, near"),
        pytest.param([(110, 100, BLUE)], {}, None, "not-seen", id="only an opponent"),
        pytest.param([(700, 100, RED)], {}, None, "not-seen", id="too far to have run there"),
        pytest.param([(110, 100, RED), (92, 100, RED)], {}, None, "ambiguous", id="two team-mates near"),
        pytest.param([(110, 100, RED), (112, 160, BLUE)], {}, 0, None, id="a team-mate and an opponent"),
        pytest.param([(700, 100, RED)], {"cut": True}, 0, None, id="after a cut, the only one in his kit"),
        pytest.param(
            [(700, 100, RED), (300, 100, RED)],
            {"cut": True},
            None,
            "ambiguous",
            id="after a cut, two of them",
        ),
    ],
)
def test_who_is_he_after_a_loss(
    people: list, changes: dict[str, object], chosen: int | None, reason: str | None
) -> None:
    seen = _found(*people)
    nobody = _people((0, 0, RED)).keep(np.array([False]))

    verdict = refind.judge(_memory(**changes), seen, nobody, np.zeros(len(people), bool))

    assert (verdict.chosen, verdict.reason) == (chosen, reason)


def test_whoever_was_followed_as_somebody_else_is_not_he() -> None:
    seen = _found((110, 100, RED))

    verdict = refind.judge(_memory(), seen, _people((110, 100, RED)), np.array([True]))

    assert verdict.chosen is None


@pytest.mark.parametrize(
    ("neighbour_x", "chosen", "reason"),
    [
        pytest.param(104, None, "ambiguous", id="gone at the same place"),
        pytest.param(900, 0, None, id="gone elsewhere"),
    ],
)
def test_a_team_mate_who_is_out_of_sight_too_may_be_who_appears(
    neighbour_x: float, chosen: int | None, reason: str | None
) -> None:
    mate = _people((neighbour_x, 100, RED))
    mate.misses[:] = 10

    verdict = refind.judge(_memory(), _found((102, 100, RED)), mate, np.array([False]))

    assert (verdict.chosen, verdict.reason) == (chosen, reason)


def test_a_cut_stands_out_from_the_jumps_around_it_and_no_camera_explains_it() -> None:
    jumps = np.full(50, 0.03)
    jumps[20] = jumps[30] = 0.6
    moving = CameraStep(STILL.matrix, 0.8)
    steps = [moving] * 50
    steps[20] = STILL

    assert np.flatnonzero(shots.cuts(jumps, steps)).tolist() == [20]


def test_colour_distance_is_none_for_the_same_and_one_for_strangers() -> None:
    assert colour_distance(RED, np.concatenate([RED, BLUE]))[0] == pytest.approx([0, 1])


@pytest.mark.parametrize(
    ("frame_bytes", "memory_failures", "expected"),
    [
        pytest.param(1 << 20, 0, 150, id="a small picture, the whole length"),
        pytest.param(1 << 20, 1, 75, id="out of memory once, half of it"),
        pytest.param(2 << 20, 0, 96, id="a larger picture, what fits"),
        pytest.param(2 << 20, 1, 48, id="out of memory once, half of what fitted"),
        pytest.param(2 << 20, 9, 24, id="never less than a way back needs"),
        pytest.param(64 << 20, 0, 24, id="a huge picture"),
    ],
)
def test_a_segment_is_halved_for_each_time_that_memory_ran_out(
    frame_bytes: int, memory_failures: int, expected: int
) -> None:
    assert segment_frames(frame_bytes, memory_failures) == expected
