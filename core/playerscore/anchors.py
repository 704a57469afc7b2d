"""Whether a person's words about single moments can be true together: anchors against each other, range and preview.

An anchor is compared with the picked track where the preview saw that track at that moment. On other preview frames
the same person has another id, so that nothing can be compared there: it is accepted, and said to be unjudged.
"""

from typing import Final, NamedTuple

from playerscore.coherence import find_track, said
from playerscore.edits import Violation
from playerscore.geometry import iou
from playerscore.names import IOU_THRESHOLD, SAME_TIME_SEC, Reason
from playerscore.resources import Anchor, ScoringJobSpec, ScoringJobStatus, Track

FIELD: Final = "spec.anchors"


class Anchors(NamedTuple):
    """The verdict on a spec's anchors."""

    violations: list[Violation]
    unjudged: int = 0
    """How many could not be compared with anybody."""
    total: int = 0

    @property
    def warnings(self) -> list[str]:
        if not self.unjudged:
            return []
        where = f"{self.unjudged} of {self.total} anchors are at no preview frame with the picked track"
        return [f"{Reason.ANCHORS_UNJUDGED.value}: {where}"]


def judge(spec: ScoringJobSpec, status: ScoringJobStatus | None = None) -> Anchors:
    """What is wrong with a spec's anchors, the first thing of each kind; nothing without anchors. Total."""
    anchors = spec.anchors or []
    seen = [(anchor, track) for anchor in anchors if (track := _track(anchor, spec, status))]
    kinds = (
        (fault for anchor in anchors if (fault := _conflict(anchor, anchors))),
        (fault for anchor in anchors if (fault := _outside(anchor, spec, status))),
        (fault for anchor, track in seen if (fault := _mismatch(anchor, track))),
    )
    found = [next(kind, None) for kind in kinds]
    return Anchors([fault for fault in found if fault], len(anchors) - len(seen), len(anchors))


def is_same_time(first_sec: float, second_sec: float) -> bool:
    """Whether two times are of one frame."""
    return first_sec - second_sec <= SAME_TIME_SEC and second_sec - first_sec <= SAME_TIME_SEC


def _conflict(anchor: Anchor, anchors: list[Anchor]) -> Violation | None:
    same = (other for other in anchors if is_same_time(other.time_sec, anchor.time_sec))
    if all(other.bbox == anchor.bbox for other in same):
        return None
    return _said(Reason.ANCHOR_CONFLICT, anchor, "differs from another one at the same time")


def _outside(anchor: Anchor, spec: ScoringJobSpec, status: ScoringJobStatus | None) -> Violation | None:
    """A moment that is not analysed, as far as the video's length is known."""
    begin = (spec.analysis.start_sec if spec.analysis else None) or 0.0
    video = status.preview.video if status and status.preview else None
    ends = (spec.analysis.end_sec if spec.analysis else None, video.duration_sec if video else None)
    end = min((e for e in ends if e is not None), default=None)
    if begin <= anchor.time_sec and (end is None or anchor.time_sec <= end):
        return None
    until = "" if end is None else f" to {end:.3f} s"
    return _said(Reason.ANCHOR_OUTSIDE, anchor, f"is outside what is analysed, {begin:.3f} s{until}")


def _track(anchor: Anchor, spec: ScoringJobSpec, status: ScoringJobStatus | None) -> Track | None:
    """Where the preview saw the picked player at that moment.

    A forced target says that the picked track is not he, so that nothing is compared with it.
    """
    track_id = spec.player_ref.track_id if spec.player_ref else None
    forced = spec.target.force if spec.target else None
    if not status or not status.preview or track_id is None or forced:
        return None
    frames = [f for f in status.preview.frames if is_same_time(f.time_sec, anchor.time_sec)]
    return next((track for frame in frames if (track := find_track(frame, track_id))), None)


def _mismatch(anchor: Anchor, track: Track) -> Violation | None:
    overlap = iou(anchor.bbox.box, track.bbox.box) if anchor.bbox else 0.0
    if overlap >= IOU_THRESHOLD:
        return None
    what = f"has IoU {said(overlap)} with" if anchor.bbox else "is absent, but the preview shows"
    below = f", below {IOU_THRESHOLD}" if anchor.bbox else ""
    return _said(Reason.ANCHOR_MISMATCH, anchor, f"{what} track {track.track_id} there{below}")


def _said(reason: Reason, anchor: Anchor, text: str) -> Violation:
    return Violation(reason, FIELD, f"{FIELD}: the anchor at {anchor.time_sec:.3f} s {text}")
