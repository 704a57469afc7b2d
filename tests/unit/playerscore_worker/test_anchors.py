"""One way of several walks, whose samples are known by construction: he runs along x = .1 to .9, a rival beside him."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from playerscore.geometry import Box
from playerscore_worker import anchors
from playerscore_worker.anchors import Joined, Said, Walk
from playerscore_worker.camera import STILL
from playerscore_worker.following.joint import State
from playerscore_worker.following.segment import Kind
from playerscore_worker.path import PathDecision, PathSample, Piece, Samples, Start

FPS, COUNT = 10.0, 81
Place = Callable[[int], float | None]


def him(k: int) -> float | None:
    return 0.1 + 0.01 * k


def rival(k: int) -> float | None:
    """He meets him at frame 40, and goes the other way."""
    return 0.9 - 0.01 * k


def nobody(k: int) -> float | None:
    return None


def first(place: Place, until: int, then: Place) -> Place:
    return lambda k: place(k) if k < until else then(k)


def box(x: float) -> Box:
    return Box(x, 0.4, 0.05, 0.2)


def start(k: int) -> Start:
    return Start(k / FPS, box(him(k) or 0.0))


def sample(k: int, place: Place, reason: str) -> PathSample:
    x = place(k)
    if x is None:
        return PathSample(k, k / FPS, State.LOST, None, 0.0, None, None, (), 0.0, reason, STILL)
    return PathSample(k, k / FPS, State.SUPPORTED, box(x), 0.9, 0.9, True, (), 0.95, None, STILL)


def met(at: float, margin: float, backwards: bool = False) -> PathDecision:
    return PathDecision(Kind.CROSSING, at, at, margin, None, None)


def walked(
    walks: Sequence[Walk], places: Sequence[Place], decisions: Sequence[list[PathDecision]], every: int = 1
) -> list[Piece]:
    pieces = []
    for number, (walk, place, told) in enumerate(zip(walks, places, decisions, strict=True)):
        at, end = round(walk.start.time_sec * FPS), round(walk.end_sec * FPS)
        way = range(at, max(-1, end - 3), -every) if walk.backwards else range(at, min(COUNT, end + 3), every)
        pieces.append(Piece(number, Samples.of(sample(k, place, "not-seen") for k in way), told))
    return pieces


def joined(
    said: Said,
    places: Sequence[Place],
    decisions: Sequence[list[PathDecision]] | None = None,
    confirmed: int = 10,
    every: int = 1,
) -> Joined:
    walks = anchors.plan(start(confirmed), said, 0.0, (COUNT - 1) / FPS, 1 / FPS)
    pieces = walked(walks, places, decisions or [[]] * len(places), every)
    return anchors.joined(walks, said, pieces, FPS / every)


def on_him(found: Joined) -> list[bool | None]:
    """For each sample: his place, another, or None where he is lost."""
    return [
        None if s.box_xywh is None else abs(s.box_xywh.x - (him(s.index) or 0)) < 0.02 for s in found.samples
    ]


# The walks of one further box at frame 70: the confirmed one's back and on, then its own back and on.
SEVENTY = Said((start(70),))


def test_every_box_is_walked_from_up_to_its_neighbours_and_the_confirmed_one_first() -> None:
    said = Said((start(70), start(3)), (5.0, 1.5))
    walks = anchors.plan(start(10), said, 0.0, 8.0, 1 / FPS)

    told = [
        (w.start.time_sec, w.backwards, w.end_sec, w.until and w.until.time_sec, w.absent_sec) for w in walks
    ]
    assert told == [
        (1.0, True, 0.3, 0.3, ()),
        (1.0, False, 7.0, 7.0, (1.5, 5.0)),
        (0.3, True, 0.0, None, ()),
        (0.3, False, 1.0, 1.0, ()),
        (7.0, True, 1.0, 1.0, (5.0, 1.5)),
        (7.0, False, 8.0, None, ()),
    ]


def test_an_exchange_between_two_boxes_is_undone_where_they_met() -> None:
    """On, he becomes the rival at frame 40; back, the rival becomes he at the same place."""
    on, back = first(him, 40, rival), first(rival, 40, him)
    doubt = [met(4.0, 1.2)]
    found = joined(SEVENTY, (him, on, back, him), ([], doubt, doubt, []))

    assert on_him(found).count(False) == 0
    assert on_him(found).count(None) <= 2
    assert found.unreached_sec == [7.0]
    assert [s.index for s in found.samples] == list(range(COUNT))


def test_two_ways_that_agree_are_surer_than_each() -> None:
    found = joined(SEVENTY, (him,) * 4)

    assert on_him(found) == [True] * COUNT
    assert found.unreached_sec == []
    assert all(s.agreement and s.certainty > 0.99 for s in found.samples[11:70])


def test_where_one_is_lost_the_other_is_taken() -> None:
    on, back = first(him, 30, nobody), first(nobody, 50, him)
    found = joined(SEVENTY, (him, on, back, him))

    assert on_him(found) == [True] * 30 + [None] * 20 + [True] * 31
    assert found.unreached_sec == [7.0]
    assert {s.reason for s in found.samples if s.box_xywh is None} == {"not-seen"}


def test_ways_that_end_at_one_cut_leave_nothing_open() -> None:
    found = joined(SEVENTY, (him, first(him, 40, nobody), first(nobody, 40, him), him))

    assert on_him(found) == [True] * COUNT
    assert found.unreached_sec == []


def test_who_is_known_to_be_away_between_two_boxes_was_not_to_be_followed_there() -> None:
    said = Said((start(70),), (4.0,))
    found = joined(said, (him, first(him, 30, nobody), first(nobody, 50, him), him))

    assert on_him(found) == [True] * 30 + [None] * 20 + [True] * 31
    assert found.unreached_sec == []


def test_a_way_that_comes_to_the_other_box_is_believed_against_one_that_does_not() -> None:
    back = first(rival, 40, him)
    found = joined(SEVENTY, (him, him, back, him), ([], [met(4.0, 1.2)], [met(4.0, 3.0)], []))

    assert on_him(found) == [True] * COUNT
    assert found.unreached_sec == []


def test_two_ways_that_never_meet_are_each_believed_near_their_own_box_alone() -> None:
    def above(k: int) -> float | None:
        return 0.02

    found = joined(SEVENTY, (him, first(him, 40, above), first(above, 40, him), him))
    told = on_him(found)

    assert all(told[:20])
    assert all(told[60:])
    assert told[40] is None
    assert found.samples[40].reason == "ambiguous"
    assert found.unreached_sec == [7.0]


def test_he_is_lost_where_he_is_absent_and_back_to_the_encounter_that_was_least_sure() -> None:
    said = Said((), (6.0,))
    on = first(him, 61, nobody)
    found = joined(said, (him, on), ([], [met(3.0, 8.0), met(4.0, 1.1)]))
    told = on_him(found)

    assert all(told[:40])
    assert told[41:] == [None] * (COUNT - 41)
    assert found.samples[60].reason == "absent"
    assert found.unreached_sec == [6.0], "it was contradicted by what was seen"


def test_an_absence_that_was_seen_too_changes_nothing() -> None:
    on = first(him, 50, first(nobody, 65, him))
    found = joined(Said((), (6.0,)), (him, on))

    assert on_him(found) == [True] * 50 + [None] * 15 + [True] * 16
    assert found.unreached_sec == []
    assert found.samples[60].reason == "absent"


def test_an_absence_between_two_boxes_holds_for_both_ways() -> None:
    found = joined(Said((start(70),), (4.0,)), (him, him, him, him))
    told = on_him(found)

    assert told[40] is None
    assert all(told[:15])
    assert all(told[65:])
    assert found.unreached_sec == [4.0]


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        (Said((Start(1.0, box(0.6)),)), [1.0]),
        (Said((start(10),)), []),
        (Said((Start(20.0, box(0.6)),)), [20.0]),
        (Said((), (1.0, 20.0)), [1.0, 20.0]),
    ],
    ids=[
        "elsewhere on the confirmed frame",
        "the confirmed box again",
        "behind the end",
        "absences likewise",
    ],
)
def test_what_no_walk_can_hear_of_is_reported(said: Said, left_out: list[float]) -> None:
    found = joined(said, (him, him))

    assert found.unreached_sec == left_out
    assert on_him(found) == [True] * COUNT


def test_decisions_are_of_the_way_that_was_taken_and_know_their_direction() -> None:
    on, back = first(him, 40, rival), first(rival, 40, him)
    there, its = [met(2.0, 5.0), met(4.0, 1.2), met(6.0, 5.0)], [met(6.5, 5.0), met(4.0, 1.2), met(2.5, 5.0)]
    found = joined(SEVENTY, (him, on, back, him), ([], there, its, []))

    assert [(d.begin_sec, d.backwards) for d in found.decisions if d.begin_sec != 4.0] == [
        (2.0, False),
        (6.5, True),
    ]


def test_a_lower_rate_may_follow_other_frames_each_way() -> None:
    """On are frames 10, 12...; back 71, 69...: the nearest ones are compared."""
    found = joined(Said((start(71),)), (him,) * 4, every=2)

    assert all(on_him(found))
    times = [s.time_sec for s in found.samples]
    assert times == sorted(set(times))
    assert found.unreached_sec == []
    assert np.diff(times).max() < 0.4


def test_an_absence_on_the_first_and_on_the_last_frame_is_heard() -> None:
    back, on = anchors.plan(start(40), Said((), (0.0, 8.0, 9.0)), 0.0, 8.0, 1 / FPS)

    assert (back.absent_sec, on.absent_sec) == ((0.0,), (8.0,)), "what lies outside is not"
