"""People at every size: the detector looks at several zooms, and what several zooms agree on is a person.

A detector sees a person best near the height that it was told. A true one is found at two or three
neighbouring zooms by boxes that agree; half a man, a man and his shadow, a knot of a net are found at one. So a
box's evidence is what the zooms say at which it ought to be seen, each weighed by how well it sees that size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from playerscore_worker import boxes
from playerscore_worker.boxes import AnyFloats, Floats
from playerscore_worker.detectors import Detections, Detector
from playerscore_worker.frames import Image

# Each zoom is this much coarser than the one before: a person is well seen by two of them, badly by a third.
STEP: Final = 1.6
# Heights of people to look for, as shares of the picture's height: far across the pitch to close to the lens.
SHARES: Final = tuple(0.0344 * STEP**k for k in range(8))
# How well a zoom sees people who are not as high as it expects, by the logarithm of the ratio of heights:
# .8, .9 and 1.0 of the expected height were compared on rendered and on real development frames together.
SEEN_BEST_AT: Final = 0.8
SEEN_SPREAD: Final = 0.5
SEEN_RANGE: Final = (0.5, 1.8)
# Boxes of two zooms say the same where they overlap by more than the second, nothing where by less than the first.
AGREES_IOU: Final = (0.3, 0.6)
POOLED_IOU: Final = 0.6
# One person's boxes: what overlaps more, or lies inside another at another size.
SAME_IOU: Final = 0.5
INSIDE_SHARE: Final = 0.7
INSIDE_RATIO: Final = 1.3


@dataclass(frozen=True)
class Sightings:
    """Boxes that may be people, of one picture."""

    boxes_xyxy: Floats
    """(n, 4), pixels."""
    evidence: Floats
    """(n,), range [0, 1]: what the zooms say together."""
    fit: Floats
    """(n,), range [0, 1]: how well the zoom that found the box sees its size."""

    def __len__(self) -> int:
        return len(self.evidence)

    @classmethod
    def none(cls) -> Self:
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0))

    def pick(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The chosen ones, by mask or by index."""
        return type(self)(self.boxes_xyxy[index], self.evidence[index], self.fit[index])

    def weighed(self, factors: AnyFloats) -> Self:
        """The same boxes, their evidence times the factors (n,)."""
        return type(self)(self.boxes_xyxy, np.asarray(self.evidence * factors, np.float64), self.fit)

    @property
    def heights_px(self) -> Floats:
        """(n,)."""
        return np.asarray(self.boxes_xyxy[:, 3] - self.boxes_xyxy[:, 1], np.float64)

    @property
    def widths_px(self) -> Floats:
        """(n,)."""
        return np.asarray(self.boxes_xyxy[:, 2] - self.boxes_xyxy[:, 0], np.float64)


def look(detector: Detector, image: Image, top_row: int, heights_px: Sequence[float]) -> Sightings:
    """Everything that the zooms for these heights find below a row, in pixels of the picture."""
    below = image[top_row:]
    levels = [detector.detect_frame(below, [height]) for height in heights_px]
    found = fuse(levels, np.asarray(heights_px, np.float64))
    return Sightings(found.boxes_xyxy + np.array([0, top_row, 0, top_row]), found.evidence, found.fit)


def fuse(levels: Sequence[Detections], heights_px: Floats) -> Sightings:
    """Every box of every zoom with its evidence; overlapping ones are all still there.

    levels: what was found at each zoom; heights_px: the heights that these zooms expect, (zooms,).
    """
    found = np.concatenate([level.boxes_xyxy for level in levels]).astype(np.float64)
    scores = np.concatenate([level.scores for level in levels]).astype(np.float64)
    zoom = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
    if not len(found):
        return Sightings.none()
    overlap = boxes.iou_matrix(found, found)
    seen = _seen((found[:, 3] - found[:, 1])[:, None] / heights_px)
    agreed = np.clip((overlap - AGREES_IOU[0]) / (AGREES_IOU[1] - AGREES_IOU[0]), 0, 1) * scores
    said = np.stack([agreed[:, zoom == k].max(axis=1, initial=0) for k in range(len(levels))], axis=1)
    # Where no zoom would see a person of this size well, little is said and little is believed.
    evidence = (seen * said).sum(axis=1) / np.maximum(seen.sum(axis=1), 0.9)
    fit = seen[np.arange(len(found)), zoom]
    return Sightings(_pooled(found, overlap, scores * fit), evidence, fit)


def _seen(ratios: Floats) -> Floats:
    """How well a zoom sees people this much higher than it expects, range [0, 1]."""
    well = np.exp(-((np.log(np.maximum(ratios, 1e-9) / SEEN_BEST_AT) / SEEN_SPREAD) ** 2) / 2)
    return np.where((ratios > SEEN_RANGE[0]) & (ratios < SEEN_RANGE[1]), well, 0)


def _pooled(found: Floats, overlap: Floats, weights: NDArray[np.floating[Any]]) -> Floats:
    """Each box as the mean of those that agree with it: their errors differ. (n, 4)."""
    shares = np.where(overlap > POOLED_IOU, overlap * weights, 0)
    total = shares.sum(axis=1, keepdims=True)
    return np.where(total > 0, shares @ found / np.maximum(total, 1e-9), found)


def once(found: Sightings) -> Sightings:
    """Each person once, best first: the box with the most evidence wins over those like it or within it."""
    order = np.argsort(-found.evidence * (0.7 + 0.3 * found.fit), kind="stable")
    areas = np.maximum(boxes.areas(found.boxes_xyxy), 1e-9)
    ratio = np.maximum(areas[:, None] / areas, areas / areas[:, None])
    inside = boxes.cover_matrix(found.boxes_xyxy, found.boxes_xyxy) > INSIDE_SHARE
    rivals = boxes.iou_matrix(found.boxes_xyxy, found.boxes_xyxy) > SAME_IOU
    rivals |= inside & (ratio > INSIDE_RATIO)
    kept: list[int] = []
    for index in order:
        if not rivals[index, kept].any():
            kept.append(int(index))
    return found.pick(np.array(kept, np.intp))
