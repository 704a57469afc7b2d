"""How well each person could be followed from where he is picked: what the rank of a pick says."""

from typing import Final

import cv2
import numpy as np

from playerscore_worker import boxes
from playerscore_worker.boxes import Floats
from playerscore_worker.frames import Image

# From this height on more pixels tell no more about who he is.
GOOD_HEIGHT_PX: Final = 60.0
# Evidence that leaves no doubt; more is luck of the zooms.
SURE_EVIDENCE: Final = 0.8
# Others this close, as a share of his height, will be in his box soon.
NEAR_SHARE: Final = 0.15
# Whoever the picture's edge cuts is about to leave it.
EDGE_SHARE: Final = 0.005
CUT_FACTOR: Final = 0.5


def followable(boxes_xyxy: Floats, evidence: Floats, size_px: tuple[int, int]) -> Floats:
    """How well people can be followed, as far as their boxes tell, (n,), range [0, 1].

    The evidence that there is a person, times what can be seen of him: height, nobody in front of him or close
    by, and all of him in the picture. size_px: the picture's width and height.
    """
    if not len(boxes_xyxy):
        return np.zeros(0)
    sure = np.clip(evidence / SURE_EVIDENCE, 0, 1)
    high = np.clip((boxes_xyxy[:, 3] - boxes_xyxy[:, 1]) / GOOD_HEIGHT_PX, 0, 1)
    whole = np.where(_cut(boxes_xyxy, size_px), CUT_FACTOR, 1)
    return np.asarray(sure * whole * (0.5 * high + 0.5 * _alone(boxes_xyxy)), np.float64)


def _alone(boxes_xyxy: Floats) -> Floats:
    """How far nobody is in front of or beside each, (n,), range [0, 1]."""
    reach = NEAR_SHARE * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1])[:, None] / 2
    wider = boxes_xyxy + reach * np.array([-1, -1, 1, 1])
    covered = boxes.cover_matrix(wider, wider)
    np.fill_diagonal(covered, 0)
    return np.asarray(1 - np.clip(2 * covered.max(axis=1), 0, 1), np.float64)


def _cut(boxes_xyxy: Floats, size_px: tuple[int, int]) -> Floats:
    margin = EDGE_SHARE * size_px[1]
    low = (boxes_xyxy[:, :2] < margin).any(axis=1)
    high = (boxes_xyxy[:, 2:] > np.array(size_px) - margin).any(axis=1)
    return np.asarray(low | high)


def sharpness(image: Image, boxes_xyxy: Floats) -> Floats:
    """Fine detail over contrast within each box, (n,), from 0 (blurred) to about 1; 0 outside the picture."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.array([_detail(grey, box) for box in boxes_xyxy])


def _detail(grey: Image, box_xyxy: Floats) -> float:
    left, top = np.maximum(np.floor(box_xyxy[:2]), 0).astype(int)
    right, bottom = np.ceil(box_xyxy[2:]).astype(int)
    part = grey[top:bottom, left:right]
    if part.size == 0:
        return 0.0
    return float(cv2.Laplacian(part, cv2.CV_32F).std() / (part.std() + 8))
