"""The table of verdicts on player and target, case by case."""

from typing import Any

import pytest

from builders import (
    ELSEWHERE,
    OTHER,
    PLAYER_BOX,
    make_frame,
    make_player,
    make_preview,
    make_target,
    make_track,
)
from playerscore.coherence import judge, nearest_frame
from playerscore.geometry import Box
from playerscore.names import IOU_THRESHOLD, Reason

# Beside PLAYER_BOX, of the same size: a shift by s widths gives IoU (1 - s) / (1 + s), 0.2 at s = 2/3.
JUST_IN = Box(PLAYER_BOX.x + PLAYER_BOX.w * 0.66, PLAYER_BOX.y, PLAYER_BOX.w, PLAYER_BOX.h)
JUST_OUT = Box(PLAYER_BOX.x + PLAYER_BOX.w * 0.68, PLAYER_BOX.y, PLAYER_BOX.w, PLAYER_BOX.h)
TOUCHING = Box(PLAYER_BOX.x + PLAYER_BOX.w, PLAYER_BOX.y, PLAYER_BOX.w, PLAYER_BOX.h)
EXACTLY = Box(PLAYER_BOX.x, PLAYER_BOX.y, PLAYER_BOX.w, PLAYER_BOX.h / 4)
WITHOUT_PLAYER = make_preview([make_frame(1), make_frame(2, [make_track(OTHER, PLAYER_BOX)])])


@pytest.mark.parametrize(
    ("player", "target", "preview", "accepted", "reason"),
    [
        (make_player(), make_target(), make_preview(), True, Reason.COHERENT),
        (make_player(), make_target(JUST_IN), make_preview(), True, Reason.COHERENT),
        (make_player(), make_target(EXACTLY), make_preview(), True, Reason.COHERENT),  # IoU .25, contained
        (make_player(), make_target(JUST_OUT), make_preview(), False, Reason.TARGET_MISMATCH),
        (make_player(), make_target(TOUCHING), make_preview(), False, Reason.TARGET_MISMATCH),
        (make_player(), make_target(ELSEWHERE), make_preview(), False, Reason.TARGET_MISMATCH),
        (make_player(), make_target(number=2), make_preview(), True, Reason.COHERENT),  # confirmed elsewhere
        (make_player(), make_target(number=2), WITHOUT_PLAYER, False, Reason.TARGET_MISMATCH),  # others only
        (make_player(), make_target(number=3), make_preview(), True, Reason.NOT_APPLICABLE),  # nobody there
        (make_player(None), make_target(ELSEWHERE), make_preview(), True, Reason.NOT_APPLICABLE),
        (make_player(), make_target(number=9), make_preview(), False, Reason.FRAME_NOT_FOUND),
        (make_player(), make_target(number=9, force=True), make_preview(), False, Reason.FRAME_NOT_FOUND),
        (make_player(), make_target(ELSEWHERE, force=True), make_preview(), True, Reason.FORCED),
        (make_player(), make_target(force=True), make_preview(), True, Reason.COHERENT),
        (make_player(), make_target(ELSEWHERE), None, True, Reason.PREVIEW_PENDING),
        (make_player(), None, make_preview(), True, Reason.NOT_SELECTED),
        (None, make_target(), make_preview(), True, Reason.NOT_SELECTED),
    ],
    ids=[
        "his own box", "just above the threshold", "contained", "just below", "touching", "elsewhere",
        "another frame with him", "another frame without him", "a frame without anybody", "no track picked",
        "no such frame", "no such frame, forced", "forced", "forced without need", "no preview", "no target", "no player",
    ],
)  # fmt: skip
def test_the_table(player: Any, target: Any, preview: Any, accepted: bool, reason: Reason) -> None:
    verdict = judge(player, target, preview)

    assert (verdict.accepted, verdict.reason) == (accepted, reason)


def test_a_mismatch_says_the_iou_and_the_threshold() -> None:
    verdict = judge(make_player(), make_target(JUST_OUT), make_preview())

    assert verdict.iou == pytest.approx(0.19, abs=0.001)
    assert str(IOU_THRESHOLD) in verdict.message


@pytest.mark.parametrize(
    ("time_sec", "expected"), [(0.0, 0.0), (0.99, 0.0), (1.01, 2.0), (5.0, 4.0), (5.1, None), (-1.0, 0.0)]
)
def test_a_time_means_the_nearest_frame_within_half_the_spacing(
    time_sec: float, expected: float | None
) -> None:
    frame = nearest_frame(make_preview(), time_sec)

    assert (frame.time_sec if frame else None) == expected


def test_what_is_just_below_the_threshold_does_not_read_as_the_threshold() -> None:
    nearly = Box(PLAYER_BOX.x, PLAYER_BOX.y, PLAYER_BOX.w, PLAYER_BOX.h * 0.19999)

    assert judge(make_player(), make_target(nearly), make_preview()).message.startswith("IoU 0.199 ")


def test_a_stale_force_does_not_count_and_is_named() -> None:
    verdict = judge(make_player(), make_target(ELSEWHERE, force=True), make_preview(), stale_force=True)

    assert (verdict.accepted, verdict.reason) == (False, Reason.TARGET_MISMATCH)
    assert verdict.message.endswith("is below 0.2, and force was given for another player")
