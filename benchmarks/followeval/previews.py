"""Judges preview frames: are people on the pitch offered, all of them, and is the best pick one of them?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from followeval.reference import SEEN_SHARE, Floats, Reference, iou_xywh

MATCH_IOU: Final = 0.5
# Tells boxes that fit badly from boxes on nobody.
LOOSE_IOU: Final = 0.3


@dataclass(frozen=True)
class PreviewCount:
    """Counts over preview frames; they add up over clips."""

    frames: int = 0
    """Frames of which the truth is known."""
    offered: int = 0
    people: int = 0
    matched: int = 0
    """People on the pitch who are offered, each once."""
    matched_loosely: int = 0
    with_best: int = 0
    """Frames that offer anybody."""
    best_is_player: int = 0
    """Of those, frames whose best track is a person on the pitch."""

    def __add__(self, other: "PreviewCount") -> "PreviewCount":
        return PreviewCount(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, ...]:
        return (
            self.frames,
            self.offered,
            self.people,
            self.matched,
            self.matched_loosely,
            self.with_best,
            self.best_is_player,
        )


def count(reference: Reference, preview: Sequence[Mapping[str, Any]]) -> PreviewCount:
    """The counts of one clip's preview; each frame is {"t": seconds, "tracks": [[x, y, w, h, score]...]}."""
    return sum((_frame(reference, frame) for frame in preview), PreviewCount())


def _frame(reference: Reference, frame: Mapping[str, Any]) -> PreviewCount:
    k = min(reference.frames - 1, round(frame["t"] * reference.fps))
    there = (reference.visible[:, k] > SEEN_SHARE) & reference.on_pitch[:, k]
    people = reference.boxes_xywh[there, k]
    tracks = np.array([track[:4] for track in frame["tracks"]], float).reshape(-1, 4)
    overlap = iou_xywh(people[:, None], tracks[None])
    return PreviewCount(
        frames=1,
        offered=len(tracks),
        people=len(people),
        matched=_matched(overlap, MATCH_IOU),
        matched_loosely=_matched(overlap, LOOSE_IOU),
        with_best=int(len(tracks) > 0),
        best_is_player=int(len(tracks) > 0 and bool((overlap[:, 0] >= LOOSE_IOU).any())),
    )


def _matched(overlap: Floats, least: float) -> int:
    """How many pairs overlap at least so much when nobody is in two of them."""
    good = overlap >= least
    rows, columns = linear_sum_assignment(-np.where(good, overlap, 0))
    return int(good[rows, columns].sum())
