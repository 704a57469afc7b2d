"""Which moments are asked about, on paths that are known by construction; and what an earlier run answers of a plan."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from playerscore.decisions import DecisionLog
from playerscore.geometry import Box
from playerscore.resources import Moment
from playerscore_worker import anchors, reviewing
from playerscore_worker.anchors import Said
from playerscore_worker.camera import STILL, CameraStep
from playerscore_worker.decisions import log_of
from playerscore_worker.following.joint import State
from playerscore_worker.following.segment import Kind
from playerscore_worker.path import FollowedPath, PathDecision, PathSample, Samples, Start

FPS, COUNT = 10.0, 101
HIM, RIVAL = Box(0.4, 0.4, 0.05, 0.2), Box(0.5, 0.4, 0.05, 0.2)
MOVED = CameraStep(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]), 0.9)


def sample(k: int, certainty: float, reason: str | None = None, cut: bool = False) -> PathSample:
    camera = CameraStep(STILL.matrix, 0.0) if cut else MOVED
    if reason:
        return PathSample(k, k / FPS, State.LOST, None, 0.0, None, None, (), 0.0, reason, camera)
    return PathSample(k, k / FPS, State.SUPPORTED, HIM, 0.9, 0.9, True, (), certainty, None, camera)


def path_of(samples: Sequence[PathSample], *met: PathDecision, start: int = 0) -> FollowedPath:
    began = Start(start / FPS, HIM)
    return FollowedPath(Samples.of(samples), list(met), began, FPS, 1280, 720)


def crossing(at: float, margin: float = 1.0) -> PathDecision:
    return PathDecision(Kind.CROSSING, at - 0.2, at, margin, HIM, RIVAL)


class Eye:
    """Sees so many people wherever it is asked to look."""

    def __init__(self, people: int) -> None:
        self.people, self.asked = people, 0

    def candidates(self, moment: object) -> tuple[Box, ...]:
        self.asked += 1
        return tuple(Box(0.1 * k, 0.4, 0.05, 0.2) for k in range(self.people))


def asked(
    monkeypatch: pytest.MonkeyPatch,
    path: FollowedPath,
    people: int = 2,
    fixed_sec: Sequence[float] = (),
    ends: bool = False,
) -> list[Moment]:
    eye, log = Eye(people), log_of(path)
    assert isinstance(log, DecisionLog)
    monkeypatch.setattr(reviewing, "_Eye", lambda *_: eye)
    told = reviewing.moments(path, log, None, None, fixed_sec)  # type: ignore[arg-type]
    return [one for one in told if (one.kind == "end") == ends]


def test_the_doubt_with_most_behind_it_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """An early doubt outweighs a late one of the same size; each is asked once."""
    samples = [sample(k, 1.0 if k < 20 else 0.7 if k < 80 else 0.49) for k in range(COUNT)]
    told = asked(monkeypatch, path_of(samples, crossing(2.0), crossing(8.0)))

    assert [one.time_sec for one in told] == [2.0, 8.0]
    assert told[0].number < told[1].number
    assert told[0].kind == "crossing"
    assert told[0].taken
    assert [one.box for one in told[0].candidates] == [HIM, RIVAL]
    assert told[0].doubt == pytest.approx(0.32, abs=0.01)
    assert told[0].stake_sec == pytest.approx(8.0)


def test_what_was_said_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [sample(k, 1.0 if k < 20 else 0.7) for k in range(COUNT)]
    path = path_of(samples, crossing(2.0))

    assert asked(monkeypatch, path)
    assert not asked(monkeypatch, path, fixed_sec=[2.0])
    (late,) = asked(monkeypatch, path, fixed_sec=[6.0])
    assert late.stake_sec == pytest.approx(4.0), "what lies behind the anchor does not rest on it"


def test_a_path_without_doubt_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not asked(monkeypatch, path_of([sample(k, 1.0) for k in range(COUNT)]))


def test_a_loss_is_asked_in_each_of_its_shots_and_again_where_it_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = [sample(k, 1.0, None if k < 30 else "cut", cut=k in (30, 70)) for k in range(COUNT)]
    told = asked(monkeypatch, path_of(samples))

    assert {one.kind for one in told} == {"cut"}
    assert not any(one.taken for one in told)
    assert [one.time_sec for one in told[:2]] == [3.5, 7.5], (
        "half a second into each shot, the longer one first"
    )
    assert sorted(one.time_sec for one in told) == [3.5, 5.5, 7.5, 9.5]


def test_behind_an_encounter_the_end_of_the_way_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """However sure it was: an exchange that nobody noticed shows there, and half of the way rests on it."""
    sure = [sample(k, 1.0) for k in range(COUNT)]
    (told,) = asked(monkeypatch, path_of(sure, crossing(2.0, 9.0)), people=3, ends=True)

    assert (told.time_sec, told.stake_sec, told.taken) == (10.0, 5.0, True)
    assert told.doubt == pytest.approx(1 - 0.97**2, abs=1e-3)
    assert [one.box for one in told.candidates] == [HIM, *(Box(0.1 * k, 0.4, 0.05, 0.2) for k in range(3))]
    assert not asked(monkeypatch, path_of(sure), ends=True), "there was nobody to be exchanged with"
    assert not asked(monkeypatch, path_of(sure, crossing(2.0, 9.0)), fixed_sec=[10.0], ends=True)


def test_where_nobody_is_seen_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [sample(k, 1.0, None if k < 50 else "not-seen") for k in range(COUNT)]

    assert asked(monkeypatch, path_of(samples), people=1)
    assert not asked(monkeypatch, path_of(samples), people=0)


def test_a_very_long_loss_costs_only_so_many_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [sample(k, 1.0, None if k < 30 else "not-seen", cut=k % 100 == 0) for k in range(20_000)]
    path, eye = path_of(samples), Eye(0)
    monkeypatch.setattr(reviewing, "_Eye", lambda *_: eye)

    assert reviewing.moments(path, log_of(path), None, None) == []  # type: ignore[arg-type]
    assert eye.asked == reviewing.MOST_LOOKS


def test_going_back_in_time_what_lies_before_rests_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [sample(k, 0.7 if k <= 40 else 1.0) for k in range(COUNT)]
    met = PathDecision(Kind.CROSSING, 4.0, 4.2, 1.0, HIM, RIVAL)
    (told,) = asked(monkeypatch, path_of(samples, met, start=90))

    assert (told.time_sec, told.stake_sec) == (4.0, pytest.approx(4.0))


# --- what an earlier run answers ------------------------------------------------------------------------


def kept(
    samples: Sequence[PathSample], start: int, said: Said, fixed_sec: Sequence[float] = ()
) -> tuple[list[anchors.Walk], dict[int, anchors.Piece]]:
    walks = anchors.plan(Start(start / FPS, HIM), said, 0.0, 10.0, 1 / FPS)
    return walks, anchors.kept(
        walks, Samples.of(samples), [crossing(2.0), crossing(8.0)], fixed_sec or [start / FPS], FPS
    )


def test_a_run_that_agrees_is_taken_whole_and_comes_out_as_it_was() -> None:
    """Also the camera's steps, which a way back tells the other way around."""
    samples = [sample(k, 0.9) for k in range(COUNT)]
    said = Said((Start(7.0, HIM),))
    walks, pieces = kept(samples, 30, said)
    whole = anchors.joined(walks, said, list(pieces.values()), FPS)

    assert set(pieces) == set(range(len(walks)))
    assert whole.unreached_sec == []
    assert whole.samples.frame.tolist() == list(range(COUNT))
    np.testing.assert_allclose(whole.samples.matrix[1:], Samples.of(samples).matrix[1:], atol=1e-12)
    assert whole.samples.certainty.min() > 0.95, "he is as sure as what was said"
    assert [decision.end_sec for decision in whole.decisions] == [2.0, 8.0]


def test_what_an_answer_contradicts_is_followed_again_from_there() -> None:
    """The way to it is known already: it was followed from the confirmed frame."""
    samples = [sample(k, 0.9) for k in range(COUNT)]
    walks, pieces = kept(samples, 30, Said((Start(7.0, RIVAL),)))
    known = {(walks[k].start.time_sec, walks[k].backwards) for k in pieces}
    whole = anchors.joined(walks, Said((Start(7.0, RIVAL),)), [*pieces.values(), *beyond(walks, pieces)], FPS)

    assert known == {(3.0, True), (3.0, False)}
    assert whole.samples[70].box_xywh == RIVAL
    assert whole.samples[5].box_xywh == HIM


def beyond(walks: Sequence[anchors.Walk], pieces: dict[int, anchors.Piece]) -> list[anchors.Piece]:
    """What is followed anew: the rival's way."""
    fresh = []
    for number, walk in enumerate(walks):
        if number not in pieces:
            frames = range(70, -1, -1) if walk.backwards else range(70, COUNT)
            rows = [replace(sample(k, 0.9), box_xywh=RIVAL) for k in frames]
            fresh.append(anchors.Piece(number, Samples.of(rows), []))
    return fresh


def test_the_walk_back_goes_no_farther_than_where_he_was_lost() -> None:
    samples = [sample(k, 0.9, None if k < 50 else "cut") for k in range(COUNT)]
    walks, pieces = kept(samples, 30, Said((Start(7.0, HIM),)))
    ends = {(w.start.time_sec, w.backwards): w.end_sec for w in anchors.shortened(walks, pieces)}

    assert ends == {(3.0, True): 0.0, (3.0, False): 7.0, (7.0, True): 4.9, (7.0, False): 10.0}


def test_no_frame_is_left_out_where_a_walk_was_shortened() -> None:
    """Onwards too: he was confirmed late, and lost where the answer stands, before that."""
    samples = [sample(k, 0.9, None if k > 60 else "cut") for k in range(COUNT)]
    said = Said((Start(3.0, HIM),))
    walks, pieces = kept(samples, 90, said)
    short = anchors.shortened(walks, pieces)
    fresh = []
    for number, walk in enumerate(short):
        if number not in pieces:
            last = round(walk.end_sec * FPS)
            frames = range(30, last - 1, -1) if walk.backwards else range(30, last + 1)
            fresh.append(anchors.Piece(number, Samples.of(sample(k, 0.9) for k in frames), []))
    whole = anchors.joined(short, said, [*pieces.values(), *fresh], FPS)

    assert {w.end_sec for w in short if not w.backwards} == {6.1, 10.0}
    assert whole.samples.frame.tolist() == list(range(COUNT))
    assert whole.samples[40].box_xywh == HIM
    np.testing.assert_allclose(whole.samples.matrix[70], Samples.of(samples).matrix[70], atol=1e-12)


def test_between_two_that_were_certain_before_both_ways_are_followed_again() -> None:
    samples = [sample(k, 0.9) for k in range(COUNT)]
    said = Said((Start(7.0, RIVAL), Start(9.0, HIM)))
    walks, pieces = kept(samples, 30, said, [3.0, 9.0])
    known = {(walks[k].start.time_sec, walks[k].backwards) for k in pieces}

    assert known == {(3.0, True), (9.0, False)}


def test_an_absence_agrees_where_he_is_lost() -> None:
    samples = [sample(k, 0.9, None if k < 60 else "not-seen") for k in range(COUNT)]

    assert set(kept(samples, 30, Said((), (8.0,)))[1]) == {0, 1}
    assert set(kept(samples, 30, Said((), (5.0,)))[1]) == {0}
