"""The measures of following, on worlds of a few frames whose figures can be counted by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from followeval import cases, figures, identity, judge, previews, product, rows
from followeval.reference import Reference, from_annotation, from_truth, iou_xywh
from numpy.typing import NDArray

from playerscore_clips.truth import Person, Truth

FRAMES = 20
HIM = np.array([0.1, 0.2, 0.05, 0.2])
MATE = np.array([0.4, 0.2, 0.05, 0.2])
FOE = np.array([0.7, 0.2, 0.05, 0.2])
NOBODY = np.array([0.2, 0.7, 0.05, 0.2])


def world(**changes: object) -> Reference:
    """Him, a mate and a foe, who stand still for 20 frames at 10 frames a second."""
    boxes = np.repeat(np.array([HIM, MATE, FOE])[:, None], FRAMES, axis=1)
    reference = Reference(
        name="still",
        fps=10.0,
        ids=["him", "mate", "foe"],
        kits=["red", "red", "blue"],
        named=np.ones(3, bool),
        on_pitch=np.ones((3, FRAMES), bool),
        boxes_xywh=boxes,
        visible=np.ones((3, FRAMES)),
        judged=np.ones((3, FRAMES), bool),
    )
    return replace(reference, **changes)


def away(begin: int, end: int, **changes: object) -> Reference:
    """The world, with him out of the picture from `begin` until `end`."""
    reference = world(**changes)
    reference.boxes_xywh[0, begin:end] = np.nan
    reference.visible[0, begin:end] = 0
    return reference


def path(*parts: tuple[int, NDArray[np.float64] | None]) -> NDArray[np.float64]:
    """A path of so many frames at each place; None is lost."""
    rows = [np.full(4, np.nan) if box is None else box for count, box in parts for _ in range(count)]
    return np.array(rows)


def counts(reference: Reference, followed: NDArray[np.float64]) -> dict[str, int]:
    verdict = judge.judge(reference, "him", followed)
    return {name: int(getattr(verdict, name).sum()) for name in ("on", *judge.COUNTED)}


@pytest.mark.parametrize(
    ("followed", "expected"),
    [
        pytest.param(path((20, HIM)), {"on": 20}, id="his own box"),
        pytest.param(path((20, np.add(HIM, [0, 0, 0, 0.08]))), {"on": 20}, id="a box that is somewhat long"),
        pytest.param(path((12, HIM), (8, MATE)), {"on": 12, "wrong": 8}, id="a mate's box"),
        pytest.param(path((12, HIM), (8, FOE)), {"on": 12, "wrong": 8, "wrong_kit": 8}, id="a foe's box"),
        pytest.param(path((15, HIM), (5, NOBODY)), {"on": 15, "off": 5}, id="a box on nobody"),
        pytest.param(
            path((15, HIM), (5, np.add(HIM, [0, 0, 0, 0.24]))), {"on": 15}, id="a wrong size is not off him"
        ),
        pytest.param(path((15, HIM), (5, None)), {"on": 15, "lost": 5}, id="lost beside him"),
    ],
)
def test_every_frame_of_a_path_is_counted_as_what_its_box_is_on(
    followed: NDArray[np.float64], expected: dict[str, int]
) -> None:
    found = counts(world(), followed)

    assert {name: count for name, count in found.items() if count} == {"seen": 20, **expected}


def test_a_box_on_nobody_while_he_is_away_is_a_ghost_and_one_on_another_is_wrong() -> None:
    found = counts(away(10, 20), path((10, HIM), (4, NOBODY), (4, FOE), (2, None)))

    assert (found["ghost"], found["wrong"], found["wrong_kit"], found["off"]) == (4, 4, 4, 0)
    assert (found["seen"], found["lost"], found["lost_rightly"]) == (10, 2, 2)


def test_frames_of_unknown_truth_are_not_judged_but_boxes_on_somebody_known_are_counted() -> None:
    reference = world()
    reference.judged[0, 10:] = False

    found = counts(reference, path((10, HIM), (5, FOE), (5, NOBODY)))

    assert (found["seen"], found["on"], found["wrong"], found["off"]) == (10, 10, 0, 0)
    assert (found["beyond"], found["beyond_other"]) == (10, 5)


def test_of_people_without_an_identity_no_kit_is_known_and_beyond_the_truth_they_prove_nothing() -> None:
    reference = world(kits=["red", None, None], named=np.array([True, False, False]))
    reference.judged[0, 10:] = False

    found = counts(reference, path((5, HIM), (10, FOE), (5, None)))

    assert (found["wrong"], found["wrong_kit"], found["beyond_other"]) == (5, 0, 0)


def test_who_is_hidden_is_neither_missed_nor_followed_wrongly_at_his_own_place() -> None:
    reference = world()
    reference.boxes_xywh[2, 10:] = np.add(HIM, [0.01, 0, 0, 0])
    reference.visible[0, 10:] = 0.2

    found = counts(reference, path((15, HIM), (5, None)))

    assert (found["seen"], found["on"], found["wrong"]) == (10, 10, 0)
    assert (found["lost"], found["lost_rightly"]) == (5, 5)


def test_nobody_is_followed_wrongly_who_is_hidden_behind_him() -> None:
    reference = world()
    reference.boxes_xywh[2] = np.add(HIM, [0.02, 0, 0, 0])
    reference.visible[2] = 0.2

    found = counts(reference, path((20, np.add(HIM, [0.02, 0, 0, 0]))))

    assert (found["on"], found["wrong"]) == (0, 0)


def test_to_be_lost_where_two_share_one_place_is_right() -> None:
    reference = world()
    reference.boxes_xywh[2, 10:] = np.add(HIM, [0.01, 0, 0, 0])

    found = counts(reference, path((5, None), (15, None)))

    assert (found["lost"], found["lost_rightly"]) == (20, 10)


@pytest.mark.parametrize(
    ("followed", "start", "expected"),
    [
        pytest.param(path((20, HIM)), 0, [(6, 12, 0.0)], id="found at once"),
        pytest.param(path((15, None), (5, HIM)), 0, [(6, 12, 0.3)], id="found after three frames"),
        pytest.param(path((6, HIM), (14, FOE)), 0, [(6, 12, None)], id="never found"),
        pytest.param(path((4, HIM), (16, None)), 15, [(6, 12, 0.2)], id="walking back from a later start"),
    ],
)
def test_the_time_to_find_him_again_runs_from_the_end_of_his_absence_away_from_the_start(
    followed: NDArray[np.float64], start: int, expected: list[tuple[int, int, float | None]]
) -> None:
    reference = away(6, 12)

    assert judge.absences(reference, judge.judge(reference, "him", followed), start) == expected


def test_flicker_of_the_annotation_is_no_absence_and_a_cut_without_one_is() -> None:
    reference = away(6, 9, cuts=(14,))
    verdict = judge.judge(reference, "him", path((16, HIM), (1, FOE), (3, HIM)))

    assert judge.absences(reference, verdict, 0) == [(14, 14, 0.0)]


@pytest.mark.parametrize(
    ("followed", "expected"),
    [
        pytest.param(path((20, HIM)), {"right": 1, "wrong": 0, "none": 0}, id="right"),
        pytest.param(path((10, HIM), (10, FOE)), {"right": 0, "wrong": 1, "none": 0}, id="wrong"),
        pytest.param(path((10, HIM), (10, None)), {"right": 0, "wrong": 0, "none": 1}, id="none"),
        pytest.param(path((10, HIM), (9, None), (1, FOE)), {"right": 0, "wrong": 0, "none": 1}, id="a flash"),
    ],
)
def test_each_shot_but_the_confirmed_one_has_one_answer(
    followed: NDArray[np.float64], expected: dict[str, int]
) -> None:
    reference = world(cuts=(10,))

    assert judge.answers_after_cuts(reference, judge.judge(reference, "him", followed), 3) == expected


def test_hota_and_idf1_of_a_single_track_are_those_of_the_shared_frames() -> None:
    reference = world()
    followed = path((10, HIM), (10, None))

    hota, idf1 = identity.hota_and_idf1(reference, "him", followed, judge.judge(reference, "him", followed))

    assert idf1 == pytest.approx(2 * 10 / (20 + 10), abs=1e-4)
    assert hota == pytest.approx(0.5, abs=1e-4)  # DetA = AssA = 10 / 20


def test_a_preview_is_judged_by_its_boxes_on_people_of_the_pitch_each_once() -> None:
    on_pitch = np.ones((3, FRAMES), bool)
    on_pitch[2] = False
    frame = {"t": 0.5, "tracks": [[*FOE, 0.9], [*HIM, 0.8], [*HIM, 0.7], [*NOBODY, 0.1]]}

    found = previews.count(world(on_pitch=on_pitch), [frame, {"t": 0.6, "tracks": [[*MATE, 0.5]]}])

    assert found == previews.PreviewCount(
        2, offered=5, people=4, matched=2, matched_loosely=2, with_best=2, best_is_player=1
    )


def test_picks_go_through_something_hard_but_the_last_and_start_where_they_are_seen() -> None:
    reference = world()
    reference.boxes_xywh[2, 10:] = np.add(HIM, [0.01, 0, 0, 0])
    reference.visible[0, 10:] = 0.2

    picks = cases.chosen_picks(reference, seed=1, count=2)

    assert picks == cases.chosen_picks(reference, seed=1, count=2)
    assert picks[0].target in ("him", "foe")
    assert picks[1].target == "mate"
    assert all(reference.visible[reference.index(pick.target), pick.start] > 0.9 for pick in picks)


def test_an_annotation_is_read_with_its_spans_its_gaps_and_its_kits(tmp_path: Path) -> None:
    table = tmp_path / "clip.csv"
    table.write_text(
        "frame,id,x,y,w,h,cls,team,src\n"
        "0,A,0.1,0.2,0.05,0.2,player,stripes #2,det\n"
        "1,A,0.1,0.2,0.05,0.2,player,stripes #2,det\n"
        "1,o7,0.4,0.2,0.05,0.2,ignore,auto,auto\n"
    )
    about = {"fps": 25, "frames": 4, "span": {"A": [0, 2]}, "skip": {"A": [[1, 1]]}}

    reference = from_annotation("clip", table, about)

    assert reference.kits == ["stripes", None]
    assert reference.named.tolist() == [True, False]
    assert reference.judged[0].tolist() == [True, False, True, False]
    assert reference.visible.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0]]


def test_the_figures_of_a_kind_that_was_not_measured_are_null() -> None:
    told = figures.figures([], {})

    assert told["coverage_real"] is None
    assert told["preview_precision_real"] is None
    assert told["wrong_kit_frames_real"] is None


def test_iou_of_a_missing_box_is_nothing() -> None:
    assert iou_xywh(HIM, np.full(4, np.nan)) == 0


def row(commit: str, clips: str, detector: str) -> dict[str, object]:
    return {"commit": commit, "clips": clips.split(), "detectors": {detector: {"figures": {}}}}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(row("b", "x", "embedded"), ["a x embedded", "b x embedded"], id="another commit"),
        pytest.param(row("a", "x", "ultralytics"), ["a x embedded ultralytics"], id="another detector"),
        pytest.param(row("a", "x y", "embedded"), ["a x y embedded"], id="more clips"),
        pytest.param(row("a", "y", "embedded"), ["a x embedded", "a y embedded"], id="other clips"),
    ],
)
def test_a_run_becomes_a_row_of_its_own_or_completes_one_of_the_same_commit(
    new: dict[str, object], expected: list[str]
) -> None:
    found = rows.added([row("a", "x", "embedded")], new)

    assert [" ".join([one["commit"], *one["clips"], *one["detectors"]]) for one in found] == expected


def test_rows_are_written_with_a_line_for_each_pick() -> None:
    told = {
        "figures": {"coverage": 0.9},
        "picks": [["x", "A", 0, [0.1, None]], ["x", "B", 5, []]],
        "sets": ["real"],
    }

    text = rows.pretty(told)

    assert json.loads(text) == told
    assert '  ["x", "A", 0, [0.1, null]],\n' in text


def test_on_the_pitch_are_those_who_play_while_they_are_on_it() -> None:
    people = (Person(0, 0, "player", 0), Person(1, None, "ballboy", 5))
    pitch = {0: np.array([[0.0, 0.0], [0.0, 40.0]]), 1: np.array([[0.0, 34.0], [0.0, 34.0]])}
    truth = Truth(
        fps=25.0,
        width=960,
        height=540,
        seed=1,
        people=people,
        ground_to_image=np.zeros((2, 3, 3)),
        cuts=(1,),
        _boxes={0: np.array([HIM, HIM]), 1: np.array([FOE, FOE])},
        _visible={0: np.ones(2), 1: np.ones(2)},
        _pitch=pitch,
    )

    reference = from_truth("scene", truth)

    assert reference.on_pitch.tolist() == [[True, False], [False, False]]
    assert (reference.kits, reference.cuts, reference.frames) == (["0", "5"], (1,), 2)


class Timed(product.Product):
    """A product that takes the times that its detector's name lists, one after the other."""

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        return {"picks": [{"cpu_sec": float(order["times"][self.detector].pop(0))}]}


def test_time_is_compared_by_the_quickest_round_of_each_pick() -> None:
    now, before = (Timed(Path(), name, None, Path()) for name in ("now", "before"))
    orders = [
        {"picks": [], "times": {"now": [3, 2], "before": [1, 9]}},
        {"picks": [], "times": {"now": [4, 5], "before": [3, 2]}},
    ]

    assert product.time_ratio(now, before, orders) == pytest.approx((2 + 4) / (1 + 2))
