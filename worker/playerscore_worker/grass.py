"""Where the pitch is: people beyond it (stands, benches, trees taken for people) are not to be picked."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from playerscore_worker.frames import Image

# Green in OpenCV's hue (0..180), generous for dry, shaded and artificial grass.
HUE_RANGE = (25, 95)
MIN_SATURATION = 35
MIN_VALUE = 25
# With less green than this the picture shows no pitch that could be masked.
MIN_SHARE = 0.12
MASK_WIDTH_PX = 240


def pitch_mask(image: Image) -> NDArray[np.uint8] | None:
    """A small mask, 255 on the pitch, or None when no pitch is recognised.

    The pitch is the largest green region, closed over the people and lines on it and filled down each column.
    """
    scale = MASK_WIDTH_PX / image.shape[1]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_BGR2HSV)
    green = cv2.inRange(hsv, (HUE_RANGE[0], MIN_SATURATION, MIN_VALUE), (HUE_RANGE[1], 255, 255))
    green = cv2.morphologyEx(green, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    green = cv2.morphologyEx(green, cv2.MORPH_CLOSE, np.ones((13, 13), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(green)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < MIN_SHARE * green.size:
        return None
    contours, _ = cv2.findContours(
        (labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    filled = np.zeros(green.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 255, cv2.FILLED)
    return filled


def top_row(mask: NDArray[np.uint8] | None, height: int, headroom_share: float) -> int:
    """The picture's row above which nobody on the pitch reaches; 0 without a mask.

    headroom_share: how far people at the far edge reach above the pitch, as a share of the picture's height.
    """
    if mask is None:
        return 0
    first = int(np.flatnonzero(mask.any(axis=1))[0]) / mask.shape[0]
    return int(max(0.0, first - headroom_share) * height)


def standing_on(
    mask: NDArray[np.uint8] | None, boxes_xyxy: NDArray[np.floating[Any]], width: int, height: int
) -> NDArray[np.bool_]:
    """For each box, whether its feet are on the pitch; all true without a mask. Shape (n,)."""
    if mask is None or not len(boxes_xyxy):
        return np.ones(len(boxes_xyxy), np.bool_)
    feet_x = (boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2 * mask.shape[1] / width
    feet_y = boxes_xyxy[:, 3] * mask.shape[0] / height
    columns = np.clip(feet_x.astype(int), 0, mask.shape[1] - 1)
    rows = np.clip(feet_y.astype(int), 0, mask.shape[0] - 1)
    return np.asarray(mask[rows, columns] > 0)
