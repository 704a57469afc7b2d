"""How the picture moved from one frame to the next because the camera did.

Lucas-Kanade flow of corners, then a similarity (shift, turn, zoom) by RANSAC: with most of the picture being
pitch and stands, the largest consistent motion is the camera's. The players' own motion is what remains.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from playerscore_worker.frames import Image

# Flow is computed at this height: finer costs time and adds no precision that RANSAC does not give.
FLOW_HEIGHT_PX: Final = 270
CORNERS: Final = 200
MIN_INLIERS: Final = 12
RANSAC_PX: Final = 1.0
# Between neighbouring frames a zoom beyond this is an error of the estimate (or a cut).
MAX_ZOOM_STEP: Final = 1.25


@dataclass(frozen=True)
class CameraStep:
    """The camera's motion between two frames."""

    matrix: NDArray[np.float64]
    """(2, 3): maps pixels of the first frame to pixels of the second."""
    inlier_share: float
    """Share of tracked corners that agree, 0..1; 0 when the motion is unknown and `matrix` is identity."""

    @property
    def zoom(self) -> float:
        return float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    def inverse(self) -> "CameraStep":
        """The step from the second frame to the first."""
        return CameraStep(np.asarray(cv2.invertAffineTransform(self.matrix), np.float64), self.inlier_share)

    def move(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Points (n, 2) of the first frame, carried to the second."""
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2], np.float64)


STILL: Final = CameraStep(np.array([[1.0, 0, 0], [0, 1.0, 0]]), 0.0)


def flow_picture(image: Image) -> NDArray[np.uint8]:
    """The grey, reduced picture that `camera_step` compares."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    scale = FLOW_HEIGHT_PX / grey.shape[0]
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def camera_step(first: NDArray[np.uint8], second: NDArray[np.uint8], height_px: int) -> CameraStep:
    """The camera's motion between two flow pictures of frames that are `height_px` high."""
    corners = cv2.goodFeaturesToTrack(first, CORNERS, 0.01, 8)
    if corners is None or len(corners) < MIN_INLIERS:
        return STILL
    moved, found, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, None, winSize=(15, 15), maxLevel=3)
    good = found.ravel() == 1
    if good.sum() < MIN_INLIERS:
        return STILL
    matrix, inliers = cv2.estimateAffinePartial2D(
        corners[good], moved[good], method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX, maxIters=500
    )
    if matrix is None or inliers.sum() < MIN_INLIERS:
        return STILL
    matrix = np.asarray(matrix, np.float64)
    matrix[:, 2] *= height_px / first.shape[0]
    step = CameraStep(matrix, float(inliers.sum()) / len(corners))
    return step if 1 / MAX_ZOOM_STEP < step.zoom < MAX_ZOOM_STEP else STILL
