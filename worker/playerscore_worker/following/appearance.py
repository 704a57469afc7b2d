"""What a person looks like: the colours of his torso, and a grey template of the target.

Colours tell teams apart, not team-mates. Distances measured on rendered matches, against the mean of a few
sights: the same person .13 to .45 (5th to 95th percentile), a team-mate .15 to .49, an opponent .52 to .97.
So they are evidence, never proof.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from playerscore_worker.frames import Image

Floats = NDArray[np.float64]

# Between shoulders and hips, and away from the edges, where the pitch shines through.
TORSO_ROWS: Final = (0.18, 0.58)
TORSO_COLUMNS: Final = (0.2, 0.8)
PATCH_PX: Final = (10, 14)
BINS: Final = (6, 8, 8)
BIN_COUNT: Final = BINS[0] * BINS[1] * BINS[2]
# Kits stay within this part of OpenCV's a and b axes; finer bins there tell more colours apart.
CHROMA_RANGE: Final = (68.0, 188.0)
# Measured on rendered matches: without it one person at two times is as far from himself (.54) as now from
# half of his opponents; with it .31, and opponents .78.
SPREAD: Final = (0.25, 0.5, 0.25)
SEARCH_H: Final = 0.5
# The ground beside him: strips on both sides of his lower two thirds.
BESIDE_COLUMNS: Final = ((-0.5, -0.1), (1.1, 1.5))
BESIDE_ROWS: Final = (0.4, 1.0)
BESIDE_PX: Final = (4, 8)
# This near to it in a and b, and in L, is ground; and how much a pixel counts that may be somebody else's.
GRASS_CHROMA: Final = 12.0
GRASS_LIGHT: Final = 30.0
MAX_GRASS_SHARE: Final = 0.75
HARDLY: Final = np.float32(0.05)
# With less of his torso outside the others' boxes, all of it counts.
MIN_OWN_SHARE: Final = 0.25


def torso_colours(image: Image, boxes_xyxy: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Roots of the torsos' Lab histograms, (n, BIN_COUNT): their dot product is Bhattacharyya's coefficient.

    Pixels that look like the ground beside him, or that lie in another of the boxes, hardly count: without that, who
    is overlapped takes his rival's colours, and every far player is half grass. A torso outside the picture has the
    even histogram, which resembles nothing much.
    """
    found = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    if not len(found):
        return np.zeros((0, BIN_COUNT), np.float32)
    torsos = _parts(found, TORSO_COLUMNS, TORSO_ROWS)
    patches, inside = _patches(image, torsos, PATCH_PX)
    own = _not_grass(image, found, patches) * _not_covered(torsos, found)
    return _rooted(np.where(inside[:, None], _histograms(patches, own), 1.0))


def _rooted(counts: Floats) -> NDArray[np.float32]:
    """Spread every count over its neighbouring bins, else a shade lighter is another colour; then the roots."""
    grid = counts.reshape(-1, *BINS)
    for axis in (1, 2, 3):
        grid = convolve1d(grid, SPREAD, axis=axis, mode="nearest")
    flat = grid.reshape(len(counts), BIN_COUNT)
    return np.asarray(np.sqrt(flat / flat.sum(axis=1, keepdims=True)), np.float32)


def _parts(boxes_xyxy: Floats, columns: tuple[float, float], rows: tuple[float, float]) -> Floats:
    """(n, 4): the parts of boxes between shares of their widths and heights, which may lie outside 0..1."""
    sizes = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    first, last = (boxes_xyxy[:, :2] + np.array(share) * sizes for share in zip(columns, rows, strict=True))
    return np.concatenate([first, last], axis=1)


def _patches(
    image: Image, areas_xyxy: Floats, size_px: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Parts of the picture, (n, high, wide, 3) in Lab of 0..255, and (n,): which of them lie inside; others are 0."""
    corners = np.rint(areas_xyxy).astype(np.int64)
    first = np.maximum(corners[:, :2], 0)
    last = np.minimum(np.maximum(corners[:, 2:], corners[:, :2] + 1), (image.shape[1], image.shape[0]))
    inside = np.asarray((first < last).all(axis=1))
    wide, high = size_px
    small = np.zeros((len(corners), high, wide, 3), np.uint8)
    for row in np.flatnonzero(inside):
        (x1, y1), (x2, y2) = first[row], last[row]
        cv2.resize(image[y1:y2, x1:x2], size_px, small[row], interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.reshape(-1, wide, 3), cv2.COLOR_BGR2LAB)
    return lab.reshape(small.shape).astype(np.float32), inside


def _not_grass(image: Image, boxes_xyxy: Floats, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights of the patches' pixels; all 1 where nearly everything looks like the ground (a green kit)."""
    left, right = (
        _patches(image, _parts(boxes_xyxy, columns, BESIDE_ROWS), BESIDE_PX) for columns in BESIDE_COLUMNS
    )
    # Of a side that is not in the picture, the other one takes the place: that leaves the median as it is.
    sides = [
        np.where(one[1][:, None, None, None], one[0], other[0]).reshape(len(patches), -1, 3)
        for one, other in ((left, right), (right, left))
    ]
    off = patches - np.median(np.concatenate(sides, axis=1), axis=1)[:, None, None]
    alike = (np.hypot(off[..., 1], off[..., 2]) < GRASS_CHROMA) & (np.abs(off[..., 0]) < GRASS_LIGHT)
    all_count = (alike.mean(axis=(1, 2)) > MAX_GRASS_SHARE) | np.logical_not(left[1] | right[1])
    return np.where(alike & np.logical_not(all_count)[:, None, None], HARDLY, np.float32(1))


def _not_covered(torsos_xyxy: Floats, boxes_xyxy: Floats) -> NDArray[np.float32]:
    """Weights of the patches' pixels by the others' boxes; all 1 where those leave too little."""
    wide, high = PATCH_PX
    xs, ys = (
        torsos_xyxy[:, k, None]
        + (np.arange(count) + 0.5) / count * (torsos_xyxy[:, k + 2] - torsos_xyxy[:, k])[:, None]
        for k, count in enumerate((wide, high))
    )
    in_x, in_y = (
        (of[:, None] >= boxes_xyxy[None, :, k, None]) & (of[:, None] < boxes_xyxy[None, :, k + 2, None])
        for k, of in enumerate((xs, ys))
    )
    in_x[np.diag_indices(len(in_x))] = False
    covered = np.einsum("ijy,ijx->iyx", in_y, in_x)
    free = 1 - covered.mean(axis=(1, 2))
    counts = (free > MIN_OWN_SHARE) & (free < 1)
    return np.where(covered & counts[:, None, None], HARDLY, np.float32(1))


def _histograms(lab: NDArray[np.float32], weights: NDArray[np.float32]) -> Floats:
    """(n, BIN_COUNT) of patches (n, high, wide, 3)."""
    low, high = CHROMA_RANGE
    cell = np.empty_like(lab)
    cell[..., 0] = lab[..., 0] * (BINS[0] / 256)
    cell[..., 1:] = (lab[..., 1:] - low) * (BINS[1] / (high - low))
    index = np.clip(cell.astype(np.int64), 0, np.array(BINS) - 1)
    flat = (index[..., 0] * BINS[1] + index[..., 1]) * BINS[2] + index[..., 2]
    flat += BIN_COUNT * np.arange(len(lab))[:, None, None]
    counts = np.bincount(flat.ravel(), weights=weights.ravel(), minlength=BIN_COUNT * len(lab))
    return np.asarray(counts.reshape(len(lab), BIN_COUNT), np.float64)


def mean_colours(
    mean: NDArray[np.float32], colours: NDArray[np.float32], gain: NDArray[np.floating[Any]] | float
) -> NDArray[np.float32]:
    """`mean` moved towards `colours` by `gain` (0..1); both are roots of histograms."""
    return np.asarray(np.sqrt((1 - gain) * mean**2 + gain * colours**2), np.float32)


def colour_distance(colours_a: NDArray[np.float32], colours_b: NDArray[np.float32]) -> Floats:
    """Bhattacharyya distance of every a with every b, (a, b), range [0, 1]."""
    alike = np.clip(colours_a.astype(np.float64) @ colours_b.T.astype(np.float64), 0, 1)
    return np.asarray(np.sqrt(1 - alike))


def cut_template(image: Image, box_xyxy: Floats) -> NDArray[np.uint8] | None:
    """The grey picture inside a box; None when it is too small or leaves the picture."""
    x1, y1, x2, y2 = np.round(box_xyxy).astype(int)
    inside = x1 >= 0 and y1 >= 0 and x2 <= image.shape[1] and y2 <= image.shape[0]
    if not inside or x2 - x1 < 4 or y2 - y1 < 8:
        return None
    return np.asarray(cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY), np.uint8)


def match_template(
    image: Image, template: NDArray[np.uint8], centre_px: Floats, height_px: float
) -> tuple[Floats, float] | None:
    """Where the template fits best near a place: (middle in pixels, correlation in -1..1), or None."""
    tall, wide = template.shape
    reach = np.array([wide, tall]) / 2 + SEARCH_H * height_px
    left, top = np.floor(centre_px - reach).astype(int)
    right, bottom = np.ceil(centre_px + reach).astype(int)
    left, top = max(0, left), max(0, top)
    part = image[top : max(0, bottom), left : max(0, right)]
    if part.shape[0] < tall or part.shape[1] < wide:
        return None
    scores = cv2.matchTemplate(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), template, cv2.TM_CCOEFF_NORMED)
    _, best, _, place = cv2.minMaxLoc(scores)
    middle = np.array([left + place[0] + wide / 2, top + place[1] + tall / 2])
    return middle, float(best)
