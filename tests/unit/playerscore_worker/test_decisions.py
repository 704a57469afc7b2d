"""The log of decisions of paths that are known by construction."""

from dataclasses import replace

import numpy as np
import pytest

from playerscore.decisions import Decision, DecisionLog, Kind
from playerscore.geometry import Box
from playerscore_worker import contact_sheet
from playerscore_worker.camera import CameraStep
from playerscore_worker.decisions import log_of
from playerscore_worker.follower import FollowedPath, PathDecision, PathSample, Start, State
from playerscore_worker.following import segment

FPS = 10.0
BOX, OTHER = Box(0.4, 0.4, 0.05, 0.2), Box(0.5, 0.4, 0.05, 0.2)


def _sample(k: int, certainty: float = 1.0) -> PathSample:
    camera = CameraStep(np.eye(2, 3), 1.0)
    return PathSample(k, k / FPS, State.SUPPORTED, BOX, 0.9, 0.9, True, (), certainty, None, camera)


def _path(confirmed_sec: float = 0.0, **lost: tuple[int, int]) -> FollowedPath:
    """Ten seconds, lost in the given samples for the reason that names them."""
    samples = [_sample(k) for k in range(100)]
    for reason, (first, last) in lost.items():
        for k in range(first, last):
            told = reason.replace("_", "-")
            samples[k] = replace(samples[k], state=State.LOST, box_xywh=None, certainty=0.0, reason=told)
    return FollowedPath(samples, [], Start(confirmed_sec, BOX), FPS, 1000, 500)


def _kinds(log: DecisionLog) -> list[tuple[Kind, float, float]]:
    return [(decision.kind, decision.begin_sec, decision.end_sec) for decision in log.decisions]


def test_a_loss_and_its_end_are_told_with_the_reason() -> None:
    log = log_of(_path(not_seen=(30, 40)))

    assert _kinds(log) == [(Kind.LOST, 3.0, 3.9), (Kind.FOUND_AGAIN, 3.9, 4.0)]
    assert (log.decisions[0].reason, log.decisions[0].certainty_before) == ("not-seen", 1.0)
    assert log.decisions[0].certainty_after == 1.0
    assert (log.decisions[1].certainty_before, log.decisions[1].certainty_after) == (None, 1.0)


def test_before_the_confirmed_frame_everything_is_met_backwards() -> None:
    log = log_of(_path(9.0, not_seen=(30, 35), left_picture=(35, 40)))

    lost = log.decisions[1]
    assert _kinds(log)[0] == (Kind.FOUND_AGAIN, 2.9, 3.0), "going back, he is found where the loss begins"
    assert (lost.backwards, lost.reason, lost.settled_sec) == (True, "left-picture, not-seen", 3.0)


def test_who_stays_lost_is_not_found() -> None:
    assert _kinds(log_of(_path(cut=(50, 100)))) == [(Kind.LOST, 5.0, 9.9)]


def test_the_followers_own_account_of_a_finding_is_told_once_and_with_its_margin() -> None:
    path = _path(occluded=(30, 40))
    found = PathDecision(segment.Kind.FOUND_AGAIN, 2.9, 4.0, 1.5, BOX, OTHER)
    crossing = PathDecision(segment.Kind.CROSSING, 1.0, 1.5, 3.0, BOX, OTHER)

    log = log_of(replace(path, decisions=[crossing, found]))

    assert [d.kind for d in log.decisions] == [Kind.CROSSING, Kind.LOST, Kind.FOUND_AGAIN]
    assert [d.number for d in log.decisions] == [1, 2, 3]
    assert log.decisions[2].margin == 1.5
    assert log.decisions[2].likelihood == pytest.approx(0.8176, abs=1e-3)
    assert log.decisions[2].rival is not None
    assert log.decisions[2].rival.box == OTHER


def test_an_encounter_tells_what_it_did_to_his_certainty() -> None:
    path = _path()
    samples = [replace(s, certainty=1.0 if s.time_sec < 1.5 else 0.8) for s in path.samples]
    crossing = PathDecision(segment.Kind.CROSSING, 1.0, 1.5, 1.4, BOX, None)

    told = log_of(replace(path, samples=samples, decisions=[crossing])).decisions[0]

    assert (told.certainty_before, told.certainty_after) == (1.0, 0.8)


def test_the_log_can_be_read_again() -> None:
    log = log_of(_path(cut=(50, 60)))

    assert DecisionLog.model_validate_json(log.model_dump_json(exclude_none=True)) == log


def test_the_most_doubtful_decisions_are_pictured() -> None:
    margins = np.linspace(0.1, 9, 60)
    told = [PathDecision(segment.Kind.CROSSING, k / 10, k / 10, m, BOX, None) for k, m in enumerate(margins)]

    marked = contact_sheet.marked(log_of(replace(_path(), decisions=told))).decisions

    assert sum(d.pictured for d in marked) == contact_sheet.MAX_ROWS
    assert all(d.pictured for d in marked[: contact_sheet.MAX_ROWS])


def test_a_moment_is_described_by_its_state() -> None:
    sample = _sample(0, certainty=0.9)

    assert contact_sheet.state_text(sample) == "supported 0.90"
    assert contact_sheet.state_text(replace(sample, state=State.COASTING)) == "guessed 0.90"
    lost = replace(sample, state=State.LOST, box_xywh=None, reason="cut")
    assert contact_sheet.state_text(lost) == "lost: cut"


def test_a_title_is_plain_ascii() -> None:
    decision = Decision(number=3, kind=Kind.CROSSING, begin_sec=1, end_sec=2, backwards=False, margin=2.0)

    assert contact_sheet.title_of(decision) == "#3  1.00-2.00 s  crossing, 88% sure"
