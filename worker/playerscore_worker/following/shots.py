"""Where the picture was cut: between two frames of different shots nothing can be followed.

A cut is a jump of the picture's colours that stands out from the jumps around it (median and MAD of the
segment, so that a shaking or flickering video has its own measure), and that no camera motion explains.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from playerscore_worker.camera import CameraStep
from playerscore_worker.frames import Image

SMALL_PX: Final = (64, 36)
DEVIATIONS: Final = 8.0
MIN_JUMP: Final = 0.2
MAX_INLIER_SHARE: Final = 0.3


def signature(image: Image) -> NDArray[np.float32]:
    """Roots of the colour histograms of the picture's four quarters, (4 * 128,)."""
    small = cv2.cvtColor(cv2.resize(image, SMALL_PX, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2HSV)
    half_x, half_y = SMALL_PX[0] // 2, SMALL_PX[1] // 2
    parts = []
    for y in (0, half_y):
        for x in (0, half_x):
            quarter = np.ascontiguousarray(small[y : y + half_y, x : x + half_x])
            counts = cv2.calcHist([quarter], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256])
            parts.append(np.sqrt(counts.ravel() / (4 * half_x * half_y)))
    return np.concatenate(parts).astype(np.float32)


def jump(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Bhattacharyya distance of two signatures, 0..1."""
    return float(np.sqrt(max(0.0, 1 - float(first @ second))))


def cuts(jumps: NDArray[np.floating[Any]], steps: list[CameraStep]) -> NDArray[np.bool_]:
    """Which of the gaps between neighbouring frames are cuts, (n,)."""
    if not len(jumps):
        return np.zeros(0, np.bool_)
    middle = np.median(jumps)
    deviation = np.median(np.abs(jumps - middle)) + 1e-3
    inliers = np.array([step.inlier_share for step in steps])
    stands_out = (jumps > middle + DEVIATIONS * deviation) & (jumps > MIN_JUMP)
    return np.asarray(stands_out & (inliers < MAX_INLIER_SHARE))
