"""Does the confirmed box belong to the picked player: one table of verdicts, for every gate.

The confirmed bbox is compared with `player_ref.track_id` on the confirmed frame. A frame that has tracks,
but not that id, is a mismatch, because within one preview a track id never means two people.
"""

from typing import NamedTuple

from playerscore.geometry import iou
from playerscore.names import IOU_THRESHOLD, Reason
from playerscore.resources import Frame, PlayerRef, PreviewStatus, Target, Track


class Coherence(NamedTuple):
    """The verdict on one pair of player_ref and target."""

    accepted: bool
    reason: Reason
    message: str
    iou: float | None = None
    """None where nothing could be compared."""

    @property
    def warns(self) -> bool:
        """Whether a person should be told although it was accepted."""
        return self.accepted and self.reason not in (Reason.COHERENT, Reason.NOT_SELECTED)


def judge(
    player: PlayerRef | None,
    target: Target | None,
    preview: PreviewStatus | None,
    *,
    stale_force: bool = False,
) -> Coherence:
    """The verdict on a pair. Total: every input has one.

    `stale_force`: the target's force was given for another player and does not count.
    """
    if target is None or player is None:
        return Coherence(True, Reason.NOT_SELECTED, "No player and target to compare yet")
    if preview is None and target.force and stale_force and player.track_id is not None:
        return Coherence(
            False,
            Reason.TARGET_MISMATCH,
            "force was not given for this player: drop it, or remove the target and write it again",
        )
    if preview is None:
        return Coherence(
            True, Reason.PREVIEW_PENDING, "The preview is not there yet; the target is judged after it"
        )
    frame = find_frame(preview, target.frame_key)
    if frame is None:
        return Coherence(
            False, Reason.FRAME_NOT_FOUND, f"spec.target.frame_key {target.frame_key} is not in the preview"
        )
    if not frame.tracks or player.track_id is None:
        return Coherence(
            True, Reason.NOT_APPLICABLE, "No picked track to compare with on the confirmed frame"
        )
    return _compare(player.track_id, target, frame, stale_force)


def _compare(track_id: int, target: Target, frame: Frame, stale_force: bool) -> Coherence:
    track = find_track(frame, track_id)
    overlap = iou(target.bbox.box, track.bbox.box) if track else 0.0
    if overlap >= IOU_THRESHOLD:
        return Coherence(True, Reason.COHERENT, f"IoU {said(overlap)} with track {track_id}", overlap)
    where = f"on {target.frame_key}" if track else f"which is not on {target.frame_key}"
    text = f"IoU {said(overlap)} with track {track_id} {where} is below {IOU_THRESHOLD}"
    if target.force and not stale_force:
        return Coherence(True, Reason.FORCED, f"{text}; accepted because the target is forced", overlap)
    if stale_force:
        text += ", and force was given for another player"
    return Coherence(False, Reason.TARGET_MISMATCH, text, overlap)


def said(overlap: float) -> str:
    """Three places, cut and not rounded, so that what is below the threshold never reads as the threshold."""
    return f"{int(overlap * 1000) / 1000:.3f}"


def find_frame(preview: PreviewStatus, key: str) -> Frame | None:
    """The preview frame of that key."""
    return next((frame for frame in preview.frames if frame.frame_key == key), None)


def find_track(frame: Frame, track_id: int) -> Track | None:
    """The track of that id on one frame."""
    return next((track for track in frame.tracks if track.track_id == track_id), None)


def nearest_frame(preview: PreviewStatus, time_sec: float) -> Frame | None:
    """The preview frame nearest to a time, within half the frames' spacing; None when there is none."""
    if not preview.frames:
        return None
    nearest = min(preview.frames, key=lambda frame: abs(frame.time_sec - time_sec))
    return nearest if abs(nearest.time_sec - time_sec) <= _spacing(preview) / 2 else None


def _spacing(preview: PreviewStatus) -> float:
    """Mean seconds between neighbouring preview frames; the whole video when there is only one."""
    times = sorted(frame.time_sec for frame in preview.frames)
    if len(times) < 2:
        return 2 * preview.video.duration_sec
    return (times[-1] - times[0]) / (len(times) - 1)
