"""What stays the same in a video, whenever one looks: captions, logos, and all that a fixed camera sees.

The median of pictures from many moments shows only what is always there. Nobody stays in one place for a whole
match, so a box whose outlines are the median's holds a goal, a bench or a caption.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from playerscore_worker.boxes import Floats
from playerscore_worker.frames import Image

PICTURE_HEIGHT_PX: Final = 240
# Fewer looks, or within a shorter time, and people who happen to stand still would be scenery.
MIN_LOOKS: Final = 5
MIN_SPAN_SEC: Final = 4.0
# Of 255: what differs by less is the same but for noise and compression; outlines are steeper than this.
SAME_LEVEL: Final = 12
OUTLINE_LEVEL: Final = 40
# Shares of a box's outline that the median shows as well: up to the first it is believed, from the second not.
STILL_SHARES: Final = (0.6, 0.85)
# A picture is the same as another when hardly a pixel differs: people who move are more than that.
SAME_PICTURE_SHARE: Final = 0.0005
# Neighbours that differ by no more are one colour; dark bars beside the picture are, and do not count.
FLAT_LEVEL: Final = 2
DARK_LEVEL: Final = 24


@dataclass(frozen=True)
class Scenery:
    """What is always there; None where too little was seen to know."""

    median: Image | None

    @classmethod
    def of(cls, pictures: Sequence[Image], times_sec: Sequence[float]) -> Self:
        """The scenery of reduced pictures of one size from moments of one video."""
        if len(pictures) < MIN_LOOKS or max(times_sec) - min(times_sec) < MIN_SPAN_SEC:
            return cls(None)
        return cls(np.median(np.stack(pictures), axis=0).astype(np.uint8))

    def moving(self, image: Image, boxes_xyxy: Floats) -> Floats:
        """How far each box of a picture is not scenery, (n,), range [0, 1]."""
        if self.median is None:
            return np.ones(len(boxes_xyxy))
        now = picture(image)
        scale = now.shape[0] / image.shape[0]
        steepness = cv2.morphologyEx(now, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        outline = steepness.max(axis=2) > OUTLINE_LEVEL
        same = ~_differs(now, self.median)
        still = np.array([_still(outline, same, box) for box in boxes_xyxy * scale])
        low, high = STILL_SHARES
        return np.asarray(1 - np.clip((still - low) / (high - low), 0, 1), np.float64)


def picture(image: Image) -> Image:
    """The reduced picture that scenery is made of."""
    width = round(image.shape[1] * PICTURE_HEIGHT_PX / image.shape[0])
    return np.asarray(cv2.resize(image, (width, PICTURE_HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)


def flat_share(picture: Image) -> float:
    """Share of a reduced picture that is of one colour with its neighbours, range [0, 1].

    Of footage .01 to .32, however it was compressed; of drawings .8 and more.
    """
    lit = picture.max(axis=2) > DARK_LEVEL
    steepness = cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    return float((steepness[lit] <= FLAT_LEVEL).mean()) if lit.any() else 1.0


def same_picture(first: Image, second: Image) -> bool:
    """Whether nothing moved between two reduced pictures: a still, a frozen end, a stopped player."""
    return bool(_differs(first, second).mean() < SAME_PICTURE_SHARE)


def _differs(first: Image, second: Image) -> NDArray[np.bool_]:
    """Which pixels differ by more than noise, in any colour: a red shirt is as bright as grass."""
    return np.asarray(cv2.absdiff(first, second).max(axis=2) >= SAME_LEVEL)


def _still(outline: NDArray[np.bool_], same: NDArray[np.bool_], box_xyxy: Floats) -> float:
    """Share of the outlines in a box of the reduced picture that are scenery; 0 without outlines."""
    left, top = np.maximum(np.floor(box_xyxy[:2]), 0).astype(int)
    right, bottom = np.ceil(box_xyxy[2:]).astype(int)
    inside = outline[top:bottom, left:right]
    return float(same[top:bottom, left:right][inside].mean()) if inside.any() else 0.0
