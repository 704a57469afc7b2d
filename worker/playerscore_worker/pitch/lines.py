"""The pitch's painted lines: where they are on the pitch, and where bright ridges on green are in a picture."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from playerscore.landmarks import Markings
from playerscore_worker import grass
from playerscore_worker.frames import Image
from playerscore_worker.pitch import view

Floats = NDArray[np.float64]

SPACING_M: Final = 0.5
WIDTH_PX: Final = 960
"""Pictures are looked at in this width at most: a line is two or three pixels wide there."""
BLUR_PX: Final = 1.4
MIN_RIDGE: Final = 3.0
"""Curvature, grey levels a pixel squared, below which a ridge is grass."""
MOST_POINTS: Final = 500
NORMALS_AGREE: Final = 0.94
"""Cosine of 20 degrees: a ridge that runs otherwise belongs to something else."""


@dataclass(frozen=True)
class Ridges:
    """Where a picture has bright ridges on green."""

    pixels: NDArray[np.float32]
    """(n, 2), pixels of the whole video's size from its middle."""
    normals: NDArray[np.float32]
    """(n, 2), unit vectors across the ridges."""


@dataclass(frozen=True)
class Model:
    """Points along the lines of a pitch, (n, 2) metres from its middle, and the lines' directions there."""

    points: Floats
    along: Floats


def model(marks: Markings) -> Model:
    """All painted lines of a pitch, a point each half metre."""
    parts = [_straight(*line) for line in _segments(marks)] + [_round(*arc) for arc in _arcs(marks)]
    points, along = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Model(points, along)


def _segments(m: Markings) -> list[tuple[float, float, float, float]]:
    x, y = m.length / 2, m.width / 2
    found = [(-x, -y, x, -y), (-x, y, x, y), (0.0, -y, 0.0, y)]
    for side in (-1, 1):
        found.append((side * x, -y, side * x, y))
        for depth, half in [(m.penalty_depth, m.penalty_half), *([m.goal_area] if m.goal_area else [])]:
            inner = side * (x - depth)
            found += [(side * x, q * half, inner, q * half) for q in (-1, 1)]
            found.append((inner, -half, inner, half))
    return found


def _arcs(m: Markings) -> list[tuple[float, float, float, float]]:
    """Centre x, radius, and from where to where, radians; all are centred on the pitch's long axis."""
    found = [(0.0, m.circle, 0.0, 2 * np.pi)]
    if m.arc:
        half = float(np.arccos((m.penalty_depth - m.spot) / m.arc))
        left = -m.length / 2 + m.spot
        found += [(left, m.arc, -half, half), (-left, m.arc, np.pi - half, np.pi + half)]
    return found


def _straight(x0: float, y0: float, x1: float, y1: float) -> tuple[Floats, Floats]:
    way = np.array([x1 - x0, y1 - y0])
    length = float(np.hypot(*way))
    share = np.linspace(0, 1, max(2, round(length / SPACING_M)))[:, None]
    return np.array([x0, y0]) + share * way, np.tile(way / length, (len(share), 1))


def _round(x: float, radius: float, start: float, stop: float) -> tuple[Floats, Floats]:
    angle = np.linspace(start, stop, max(8, round(radius * (stop - start) / SPACING_M)))
    outward = np.column_stack([np.cos(angle), np.sin(angle)])
    return np.array([x, 0.0]) + radius * outward, outward[:, ::-1] * [-1.0, 1.0]


def ridges(image: Image, scale: float) -> Ridges:
    """The strongest bright ridges on green of a picture, which is `scale` of the video's size.

    A ridge's middle is where the second derivative across it says, to a part of a pixel (Steger 1998).
    """
    height, width = image.shape[:2]
    blue, green, red = cv2.split(image)
    lowest = cv2.min(cv2.min(blue, green), red).astype(np.float32)
    dark = cv2.GaussianBlur(lowest, (0, 0), BLUR_PX)
    dx, dy = (cv2.Sobel(dark, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    dxx = cv2.Sobel(dark, cv2.CV_32F, 2, 0, ksize=3, scale=1 / 4)
    dyy = cv2.Sobel(dark, cv2.CV_32F, 0, 2, ksize=3, scale=1 / 4)
    dxy = cv2.Sobel(dark, cv2.CV_32F, 1, 1, ksize=3, scale=1 / 4)
    # A line at any angle curves down along an axis, by half as much at least.
    maybe = (cv2.min(dxx, dyy) < -MIN_RIDGE / 2) & (dxx + dyy < 0)
    mask = grass.pitch_mask(image)
    if mask is not None:
        maybe &= cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    rows, columns = np.nonzero(maybe)
    a, b, c = dxx[rows, columns], dxy[rows, columns], dyy[rows, columns]
    low = (a + c) / 2 - np.hypot((a - c) / 2, b)
    strong = low < -MIN_RIDGE
    rows, columns, a, b, c, low = (values[strong] for values in (rows, columns, a, b, c, low))
    # The eigenvector of the lowest curvature, by whichever of its two forms is not near zero.
    first = np.abs(low - a) > np.abs(low - c)
    normal = np.where(first[:, None], np.column_stack([b, low - a]), np.column_stack([low - c, b]))
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    slope = normal[:, 0] * dx[rows, columns] + normal[:, 1] * dy[rows, columns]
    shift = -slope / low
    on = (np.abs(shift) <= 0.6) & _between_greens(image, rows, columns, normal)
    best = np.flatnonzero(on)
    if len(best) > MOST_POINTS:
        best = best[:: len(best) // MOST_POINTS + 1]
    middle = np.array([width / 2, height / 2])
    at = np.column_stack([columns, rows])[best] + 0.5 + shift[best, None] * normal[best] - middle
    return Ridges((at / scale).astype(np.float32), normal[best].astype(np.float32))


def _between_greens(image: Image, rows: NDArray[np.int64], columns: NDArray[np.int64], normal: Floats) -> NDArray[np.bool_]:  # fmt: skip
    """Whether both sides of each ridge are grass: green above red and blue."""
    height, width = image.shape[:2]
    on = np.ones(len(rows), np.bool_)
    for side in (-5, 5):
        x = np.clip(np.round(columns + side * normal[:, 0]).astype(int), 0, width - 1)
        y = np.clip(np.round(rows + side * normal[:, 1]).astype(int), 0, height - 1)
        blue, green, red = image[y, x].astype(np.int16).T
        on &= (green > red + 4) & (green > blue + 4)
    return on


def matched(lines: Model, found: Ridges, state: Floats, size: tuple[int, int], gate_px: float) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Which ridges are which lines: pitch points (n, 2), their pixels (n, 2) and normals (n, 2) in the picture.

    The nearest line's point counts, if it is nearer than `gate_px` and runs along the ridge.
    """
    seen, _ = view.project(state, lines.points)
    ahead, _ = view.project(state, lines.points + 0.1 * lines.along)
    inside = (np.abs(seen) < np.array(size) * 0.55).all(1) & np.isfinite(ahead).all(1)
    nothing = np.zeros((0, 2))
    if inside.sum() < 10 or not len(found.pixels):
        return nothing, nothing, nothing
    points, along, seen, ahead = lines.points[inside], lines.along[inside], seen[inside], ahead[inside]
    tangent = ahead - seen
    reach = np.maximum(np.hypot(*tangent.T), 1e-9)
    tangent /= reach[:, None]
    pixels = found.pixels.astype(np.float64)
    _, nearest = cKDTree(seen).query(pixels)
    offset = pixels - seen[nearest]
    normal = tangent[nearest][:, ::-1] * [-1.0, 1.0]
    beyond = (offset * tangent[nearest]).sum(1) / reach[nearest] * 0.1
    near = np.abs((offset * normal).sum(1)) < gate_px
    near &= np.abs(beyond) < SPACING_M
    near &= np.abs((found.normals * normal).sum(1)) > NORMALS_AGREE
    # Slide along the line to the ridge's foot, so that only what is across the line remains.
    at = points[nearest] + beyond[:, None] * along[nearest]
    return at[near], pixels[near], normal[near]
