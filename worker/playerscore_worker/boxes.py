"""Boxes as arrays: xyxy in pixels inside the worker, xywh in 0..1 in everything that leaves it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from playerscore.geometry import Box

AnyFloats = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


def iou_matrix(boxes_a_xyxy: AnyFloats, boxes_b_xyxy: AnyFloats) -> Floats:
    """IoU of every a with every b, shape (a, b), range [0, 1]; 0 for boxes without area."""
    shared = _intersections(boxes_a_xyxy, boxes_b_xyxy)
    union = areas(boxes_a_xyxy)[:, None] + areas(boxes_b_xyxy)[None] - shared
    # Where something is shared the union is no less, however small: it needs no floor.
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def iou(a_xyxy: AnyFloats, b_xyxy: AnyFloats) -> float:
    """IoU of two boxes (4,): what `iou_matrix` says, a hundred times as fast."""
    ax1, ay1, ax2, ay2 = a_xyxy.tolist()
    bx1, by1, bx2, by2 = b_xyxy.tolist()
    wide, high = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
    if wide <= 0 or high <= 0:
        return 0.0
    shared: float = wide * high
    union: float = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared
    return shared / union


def cover_matrix(boxes_a_xyxy: AnyFloats, boxes_b_xyxy: AnyFloats) -> Floats:
    """Intersection over the smaller box of each pair, shape (a, b), range [0, 1]."""
    smaller = np.minimum(areas(boxes_a_xyxy)[:, None], areas(boxes_b_xyxy)[None])
    return np.asarray(_intersections(boxes_a_xyxy, boxes_b_xyxy) / np.maximum(smaller, 1e-9), np.float64)


def _intersections(boxes_a_xyxy: AnyFloats, boxes_b_xyxy: AnyFloats) -> Floats:
    low = np.maximum(boxes_a_xyxy[:, None, :2], boxes_b_xyxy[None, :, :2])
    high = np.minimum(boxes_a_xyxy[:, None, 2:], boxes_b_xyxy[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float64)


def areas(boxes_xyxy: AnyFloats) -> Floats:
    """Areas, shape (n,); 0 for reversed boxes."""
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float64)


def centres(boxes_xyxy: AnyFloats) -> Floats:
    """Middles of boxes, shape (n, 2)."""
    return np.asarray((boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2, np.float64)


def statures(boxes_xyxy: AnyFloats) -> Floats:
    """How long the people in boxes are, shape (n,): upright ones are as high as the box, lying ones as wide."""
    return np.asarray((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).max(axis=1), np.float64)


def around(centres_px: AnyFloats, sizes_px: AnyFloats) -> Floats:
    """Boxes xyxy (n, 4) from middles (n, 2) and sizes (n, 2)."""
    return np.asarray(
        np.concatenate([centres_px - sizes_px / 2, centres_px + sizes_px / 2], axis=-1), np.float64
    )


def suppress(boxes_xyxy: AnyFloats, scores: AnyFloats, iou_threshold: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression; indices that stay, best first."""
    order = np.argsort(-scores, kind="stable")
    overlapping = iou_matrix(boxes_xyxy, boxes_xyxy) > iou_threshold
    kept: list[int] = []
    for index in order:
        if not overlapping[index, kept].any():
            kept.append(int(index))
    return np.array(kept, dtype=np.intp)


def to_normalised(box_xyxy: AnyFloats, width: int, height: int) -> Box:
    """The part of a pixel box inside the picture, as xywh in 0..1."""
    x1, x2 = np.clip(box_xyxy[[0, 2]], 0, width) / width
    y1, y2 = np.clip(box_xyxy[[1, 3]], 0, height) / height
    return Box(float(x1), float(y1), float(x2 - x1), float(y2 - y1))


def to_pixels(box: Box, width: int, height: int) -> NDArray[np.float64]:
    """A normalised xywh box as xyxy in pixels, shape (4,)."""
    return np.array([box.x * width, box.y * height, (box.x + box.w) * width, (box.y + box.h) * height])
