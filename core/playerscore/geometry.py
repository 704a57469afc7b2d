"""Boxes and their overlap, in plain Python floats.

The order of operations is part of the contract: the policy in CEL computes the same doubles in the same
order, so that both sides of a boundary agree to the last bit.
"""

from typing import NamedTuple


class Box(NamedTuple):
    """An axis-aligned box, top left corner and size, in 0..1 of the picture's width and height."""

    x: float
    y: float
    w: float
    h: float

    @property
    def area(self) -> float:
        return self.w * self.h


def intersection(a: Box, b: Box) -> float:
    """The area that two boxes share, never more than either's own; 0.0 when they only touch.

    For boxes of the size of a rounding step, x + w - x can be twice w, hence the cap.

    >>> intersection(Box(0, 0, 2, 2), Box(1, 1, 2, 2))
    1
    >>> intersection(Box(0, 0, 1, 1), Box(1, 0, 1, 1))
    0.0
    """
    width = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    height = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return min(width * height, a.area, b.area) if width > 0 and height > 0 else 0.0


def iou(a: Box, b: Box) -> float:
    """Intersection over union (Jaccard index), 0..1; 0.0 for boxes without area.

    >>> iou(Box(0, 0, 1, 1), Box(0, 0, 1, 1))
    1.0
    >>> round(iou(Box(0, 0, 2, 1), Box(1, 0, 2, 1)), 4)
    0.3333
    """
    shared = intersection(a, b)
    if shared <= 0:
        return 0.0
    # Rounding may carry two nearly equal boxes past 1, which no schema takes.
    return min(1.0, shared / (a.area + b.area - shared))
