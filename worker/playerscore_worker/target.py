"""Whether there is one whole person in the confirmed box: an extra look at the confirmed frame, and what it means.

A box that holds nobody is not followed: whoever were scored would be somebody else. All else is followed as far
as it can be, and said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore import names
from playerscore.resources import ResultWarning
from playerscore_worker import boxes, grass
from playerscore_worker.detectors import Detections, Detector
from playerscore_worker.detectors.base import drop_other_scales
from playerscore_worker.frames import Decoder, Frame, Limits
from playerscore_worker.path import FollowedPath, Samples, Start

# A person who is missed on one frame is seen on one beside it.
LOOK_FRAMES: Final = 2
# The person may be twice as large as the box, or half as large, where the box is wrong.
SIZES: Final = (0.5, 1.0, 2.0)
REACH_H: Final = 3.0
# A person is in a box when this much of the smaller of the two is in the other.
INSIDE: Final = 0.7
# Who is smaller than this share of the box is somebody far behind.
OF_SIZE: Final = 0.2
# A box with this little of the person in it holds a part of him.
PART: Final = 0.6
SMALL_PX: Final = 12.0
LARGE_SHARE: Final = 0.8

MESSAGES: Final = {
    "TARGET_EMPTY": "No person is in the confirmed box; nobody was followed",
    "TARGET_SHARED": "The confirmed box holds several people; one of them was followed",
    "TARGET_PARTIAL": "The confirmed box holds only a part of a person",
    "TARGET_SMALL": "The confirmed person is less than 12 pixels high",
    "TARGET_LARGE": "The confirmed person fills the picture",
    "PITCH_UNSEEN": "No grass is seen around the confirmed person: it may be another sport",
}


@dataclass(frozen=True)
class Look:
    """The confirmed box and who is around it."""

    box_xyxy: NDArray[np.float64]
    """Pixels, shape (4,)."""
    picture_height_px: int
    confirmed: Detections
    """On the confirmed frame."""
    beside: list[Detections]
    """On frames just before and after."""
    pitch: bool = True
    """Whether a pitch is seen on any of them."""


def look(video: Path, start: Start, detector: Detector, limits: Limits | None = None) -> Look:
    """Find people around the confirmed box. Raises VideoError."""
    return looks(video, [start], detector, limits)[0]


def looks(
    video: Path, starts: Sequence[Start], detector: Detector, limits: Limits | None = None
) -> list[Look]:
    """Find people around each of these boxes. Raises VideoError."""
    with Decoder(video, limits) as decoder:
        return [_look(decoder, start, detector) for start in starts]


def _look(decoder: Decoder, start: Start, detector: Detector) -> Look:
    info = decoder.info
    box = boxes.to_pixels(start.box_xywh, info.width, info.height)
    reach_sec = (LOOK_FRAMES + 0.5) / info.fps
    frames = list(decoder.read(max(0.0, start.time_sec - reach_sec), start.time_sec + reach_sec))
    frames.sort(key=lambda frame: abs(frame.time_sec - start.time_sec))
    frames = [frame for frame in frames if frame.recording == frames[0].recording]
    found = [_around(frame, box, detector) for frame in frames] or [Detections.none()]
    pitch = any(grass.pitch_mask(frame.image) is not None for frame in frames)
    return Look(box, info.height, found[0], found[1:], pitch)


def _around(frame: Frame, box_xyxy: NDArray[np.float64], detector: Detector) -> Detections:
    tall = max(4.0, float(box_xyxy[3] - box_xyxy[1]))
    reach = np.full(2, REACH_H * tall)
    window = np.concatenate([box_xyxy[:2] - reach, box_xyxy[2:] + reach])
    parts = [detector.detect_window(frame.image, window, tall * size) for size in SIZES]
    return drop_other_scales(Detections.merge(parts))


def warnings(seen: Look) -> list[ResultWarning]:
    """What is doubtful about the confirmed box; empty where nothing is."""
    return [ResultWarning(code=code, message=MESSAGES[code]) for code in _codes(seen)]


def _codes(seen: Look) -> Iterator[str]:
    tall = float(seen.box_xyxy[3] - seen.box_xyxy[1])
    if not seen.pitch:
        yield "PITCH_UNSEEN"
    if tall < SMALL_PX:
        # Nobody can say whether there is a person in so few pixels.
        yield "TARGET_SMALL"
        return
    if tall > LARGE_SHARE * seen.picture_height_px:
        yield "TARGET_LARGE"
    if not any(_overlapping(seen.box_xyxy, found).any() for found in (seen.confirmed, *seen.beside)):
        yield "TARGET_EMPTY"
    elif _inside(seen.box_xyxy, seen.confirmed).sum() > 1:
        yield "TARGET_SHARED"
    elif _is_part(seen.box_xyxy, seen.confirmed):
        yield "TARGET_PARTIAL"


def _overlapping(box_xyxy: NDArray[np.float64], found: Detections) -> NDArray[np.bool_]:
    """Which people the box may mean, (n,)."""
    alike = boxes.iou_matrix(box_xyxy[None], found.boxes_xyxy)[0] >= names.IOU_THRESHOLD
    return np.asarray(alike | _inside(box_xyxy, found) | (_covered(box_xyxy, found) >= INSIDE))


def _inside(box_xyxy: NDArray[np.float64], found: Detections) -> NDArray[np.bool_]:
    """Which people are in the box with most of their bodies, and of a size for it, (n,)."""
    area = boxes.areas(box_xyxy[None])[0]
    share = _shared(box_xyxy, found) / np.maximum(boxes.areas(found.boxes_xyxy), 1e-9)
    return np.asarray((share >= INSIDE) & (boxes.areas(found.boxes_xyxy) >= OF_SIZE * area))


def _covered(box_xyxy: NDArray[np.float64], found: Detections) -> NDArray[np.float64]:
    """Share of the box that each person covers, (n,), 0..1."""
    return np.asarray(_shared(box_xyxy, found) / max(1e-9, float(boxes.areas(box_xyxy[None])[0])))


def _shared(box_xyxy: NDArray[np.float64], found: Detections) -> NDArray[np.float64]:
    """Area that each person shares with the box, (n,), square pixels."""
    smaller = np.minimum(boxes.areas(box_xyxy[None]), boxes.areas(found.boxes_xyxy))
    return np.asarray(boxes.cover_matrix(box_xyxy[None], found.boxes_xyxy)[0] * smaller)


def _is_part(box_xyxy: NDArray[np.float64], found: Detections) -> bool:
    """Whether the box lies within a person who is clearly larger."""
    share = _shared(box_xyxy, found) / np.maximum(boxes.areas(found.boxes_xyxy), 1e-9)
    return bool(((_covered(box_xyxy, found) >= INSIDE) & (share < PART)).any())


def nobody_at(seen: Sequence[Look], starts: Sequence[Start]) -> list[Start]:
    """The boxes in which no person is."""
    return [start for look, start in zip(seen, starts, strict=True) if is_empty(warnings(look))]


def of_anchors(empty: Sequence[Start], unreached_sec: Sequence[float]) -> list[ResultWarning]:
    """What is doubtful about a person's further words."""
    told = []
    if empty:
        times = _times([start.time_sec for start in empty])
        told.append(("ANCHOR_EMPTY", f"No person is in the boxes of the anchors at {times}"))
    if unreached_sec:
        text = f"No way leads from their neighbours to the anchors at {_times(unreached_sec)}"
        told.append(("ANCHOR_UNREACHED", text))
    return [ResultWarning(code=code, message=message) for code, message in told]


def _times(seconds: Sequence[float]) -> str:
    return ", ".join(f"{sec:.1f} s" for sec in seconds)


def is_foreign(told: list[ResultWarning]) -> bool:
    """Whether what was filmed may be no football."""
    return any(warning.code == "PITCH_UNSEEN" for warning in told)


def is_empty(told: list[ResultWarning]) -> bool:
    """Whether there is nobody to follow."""
    return any(warning.code == "TARGET_EMPTY" for warning in told)


def disowned(path: FollowedPath) -> FollowedPath:
    """The path of nobody: every sample is lost, because whoever was found is not the one who was confirmed."""
    nobody = (sample.lost("target-empty") for sample in path.samples)
    return replace(path, samples=Samples.of(nobody), decisions=[])
