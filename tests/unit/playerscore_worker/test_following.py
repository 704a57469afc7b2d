"""The pure parts of the follower: filter, assignment, who is who after an encounter, cuts."""

import numpy as np
import pytest

from playerscore_worker.camera import STILL, CameraStep
from playerscore_worker.detectors import Detections
from playerscore_worker.follower import segment_frames
from playerscore_worker.following import assignment, entities, linking, segment, shots, tracklets
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


def _node(begin: int, way: list[tuple[float, float]], kit: np.ndarray, tall: float = 40.0) -> tracklets.Node:
    """Clear sights of one person at consecutive positions."""
    places = np.array(way, np.float64)
    found = np.concatenate([_box(x, y, tall) for x, y in way])
    return tracklets.Node(
        tracklet=begin,
        positions=np.arange(begin, begin + len(way)),
        boxes_xyxy=found,
        scores=np.full(len(way), 0.9),
        ground=places,
        heights=np.full(len(way), tall),
        colours=kit[0],
        sights=len(way),
        times_sec=(begin + np.arange(len(way))) * DT,
        opens=False,
        closes=False,
    )


def _way(
    x: float, y: float, step_x: float, step_y: float = 0.0, count: int = 10
) -> list[tuple[float, float]]:
    return [(x + step_x * k, y + step_y * k) for k in range(count)]


class _OneShot:
    """A scene without cuts, as far as the prices of links ask for it."""

    def same_shot(self, first: int, last: int) -> bool:
        return True


def _puzzle(nodes: list[tracklets.Node], last: int) -> linking.Puzzle:
    kit = linking.kit_costs(nodes)
    return linking.Puzzle(nodes, linking.link_costs(_OneShot(), nodes, kit), last)  # type: ignore[arg-type]


def test_who_crosses_a_team_mate_goes_straight_on() -> None:
    """A third of a second out of sight, both at a run: nobody turns on the spot."""
    nodes = [
        _node(0, _way(100, 100, 4), RED),
        _node(0, _way(204, 102, -4), RED),
        _node(18, _way(172, 100, 4), RED),
        _node(18, _way(132, 102, -4), RED),
    ]

    puzzle = _puzzle(nodes, 27)

    assert puzzle.chain(0) == [0, 2]
    assert puzzle.judge(0, 2).margin > 3


def test_opponents_who_turn_back_keep_their_kits() -> None:
    """The same places and speeds, but each comes out where he went in: the kit outvotes the motion."""
    nodes = [
        _node(0, _way(100, 100, 4), RED),
        _node(0, _way(204, 102, -4), BLUE),
        _node(18, _way(172, 100, 4), BLUE),
        _node(18, _way(132, 102, -4), RED),
    ]

    puzzle = _puzzle(nodes, 27)

    assert puzzle.chain(0) == [0, 3]
    assert puzzle.chain(1) == [1, 2]


def test_team_mates_who_stood_together_for_long_cannot_be_told_apart() -> None:
    nodes = [
        _node(0, _way(100, 100, 0), RED),
        _node(0, _way(104, 100, 0), RED),
        _node(60, _way(100, 120, 0), RED),
        _node(60, _way(104, 80, 0), RED),
    ]
    puzzle = _puzzle(nodes, 69)
    first, second = puzzle.chain(0)

    link = puzzle.judge(first, second)

    assert link.margin < np.log(3)
    assert link.rival == ({2, 3} - {second}).pop()


def test_nobody_outruns_himself() -> None:
    far_h_per_sec = 6.0
    gap_sec = 16 * DT
    nodes = [
        _node(0, _way(100, 100, 0), RED),
        _node(25, _way(100 + far_h_per_sec * gap_sec * 40 + 40, 100, 0), RED),
    ]

    assert _puzzle(nodes, 34).chain(0) == [0]


def test_a_node_that_is_ignored_belongs_to_nobody() -> None:
    nodes = [
        _node(0, _way(100, 100, 2), RED),
        _node(11, _way(122, 100, 2, count=4), RED),
        _node(16, _way(132, 100, 2), RED),
    ]
    puzzle = _puzzle(nodes, 25)
    assert puzzle.chain(0) == [0, 1, 2]

    puzzle.ignore(1)

    assert puzzle.chain(0) == [0, 2]
    assert [1] not in puzzle.chains()


@pytest.mark.parametrize(
    ("worth", "pairs"),
    [
        pytest.param([[0.8, 0.0], [0.0, 0.7]], [(0, 0), (1, 1)], id="each his own"),
        pytest.param([[0.8, 0.7]], [], id="two boxes for one"),
        pytest.param([[0.8], [0.7]], [], id="one box for two"),
        pytest.param([[0.25]], [], id="too far off"),
    ],
)
def test_a_tracklet_goes_on_only_where_that_is_plain(
    worth: list[list[float]], pairs: list[tuple[int, int]]
) -> None:
    assert tracklets._plain_pairs(np.array(worth)) == pairs


def test_a_kit_seen_in_other_company_is_not_averaged_into_his() -> None:
    his = segment.Reference(RED[0], 10)

    assert his.joined(BLUE[0], 30) is his
    assert his.joined(RED[0], 5).sights == 15


def test_a_kit_is_unique_only_among_many_others() -> None:
    assert not segment.Census(people=2, mates=0).unique
    assert segment.Census(people=6, mates=0).unique
    assert not segment.Census(people=6, mates=0).joined(4, 1).unique


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
