"""What the follower and the preview ask of a detector, and what all detectors share.

The caller knows how tall people are in the picture, so a detector is told: it chooses the zoom, and the number
of pixels that it looks at depends on the player's height and not on the frame's size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from playerscore_worker import boxes
from playerscore_worker.boxes import suppress
from playerscore_worker.frames import Image

# Boxes that overlap more than this are one person; measured best for following (0.6 finds one man twice).
NMS_IOU = 0.45
# Where a scale of the whole picture is too coarse or too fine for a person, it answers with a box around or
# inside the right one; this much of the smaller box covered, and this much in size apart, is that mistake.
SCALE_COVER = 0.75
SCALE_RATIO = 1.4
# A box this close to a window's edge, as a share of its height, may be cut by it.
EDGE_SHARE = 0.05


@dataclass(frozen=True)
class Detections:
    """People found in one picture."""

    boxes_xyxy: NDArray[np.float32]
    """(n, 4) float32, pixels of the whole picture."""
    scores: NDArray[np.float32]
    """(n,) float32, range (0, 1]."""

    def __len__(self) -> int:
        return len(self.scores)

    def pick(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The chosen ones, by mask or by index."""
        return type(self)(self.boxes_xyxy[index], self.scores[index])

    @classmethod
    def none(cls) -> Self:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    @classmethod
    def merge(cls, parts: Sequence["Detections"]) -> Self:
        """All of them, each person once."""
        boxes_xyxy = np.concatenate([part.boxes_xyxy for part in parts] or [cls.none().boxes_xyxy])
        scores = np.concatenate([part.scores for part in parts] or [cls.none().scores])
        kept = suppress(boxes_xyxy, scores, NMS_IOU)
        return cls(boxes_xyxy[kept], scores[kept])


def drop_other_scales(found: Detections) -> Detections:
    """Without the boxes that lie around or inside a better scored one of another size."""
    areas = boxes.areas(found.boxes_xyxy)
    cover = boxes.cover_matrix(found.boxes_xyxy, found.boxes_xyxy)
    ratio = areas[:, None] / np.maximum(areas[None], 1e-9)
    unlike = np.maximum(ratio, 1 / np.maximum(ratio, 1e-9)) > SCALE_RATIO
    beaten = found.scores[:, None] < found.scores[None]
    wrong = (cover > SCALE_COVER) & unlike & beaten
    return found.pick(np.logical_not(wrong.any(axis=1)))


class Detector(Protocol):
    """Finds people."""

    name: str
    weights_sha256: str

    def detect_window(
        self, image: Image, window_xyxy: NDArray[np.float64], body_height_px: float
    ) -> Detections:
        """People in a window of the picture in which people are about `body_height_px` high."""
        ...

    def detect_frame(self, image: Image, expected_heights_px: Sequence[float]) -> Detections:
        """People in the whole picture, looked for at each of the expected heights."""
        ...


def crop(
    image: Image, window_xyxy: NDArray[np.float64], zoom: float
) -> tuple[Image, NDArray[np.float32]] | None:
    """The window of the picture, resized, and the map back: (scale x, scale y, left, top) float32.

    None when the window holds less than 4x4 pixels of the picture.
    """
    height, width = image.shape[:2]
    left, top = np.maximum(np.floor(window_xyxy[:2]), 0).astype(int)
    right, bottom = np.minimum(np.ceil(window_xyxy[2:]), (width, height)).astype(int)
    if right - left < 4 or bottom - top < 4:
        return None
    part = image[top:bottom, left:right]
    size = (max(16, round((right - left) * zoom)), max(16, round((bottom - top) * zoom)))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(part, size, interpolation=method)
    back = np.array([(right - left) / size[0], (bottom - top) / size[1], left, top], np.float32)
    return np.asarray(resized, np.uint8), back


def restore(boxes_xyxy: NDArray[np.float32], back: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes of a resized window in pixels of the picture."""
    return boxes_xyxy * back[[0, 1, 0, 1]] + back[[2, 3, 2, 3]]


def drop_cut(found: Detections, window_xyxy: NDArray[np.float64], width: int, height: int) -> Detections:
    """Without the boxes that end at an edge of the window, unless that is the picture's own edge."""
    if not len(found):
        return found
    found_xyxy = found.boxes_xyxy
    margin = EDGE_SHARE * (found_xyxy[:, 3] - found_xyxy[:, 1])
    low_open, high_open = window_xyxy[:2] > 0, window_xyxy[2:] < (width, height)
    cut_low = (found_xyxy[:, :2] < window_xyxy[:2] + margin[:, None]) & low_open
    cut_high = (found_xyxy[:, 2:] > window_xyxy[2:] - margin[:, None]) & high_open
    kept: NDArray[np.bool_] = np.logical_not((cut_low | cut_high).any(axis=1))
    return found.pick(kept)
