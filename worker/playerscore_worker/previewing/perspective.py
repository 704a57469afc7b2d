"""How high people are where: on a flat pitch height in the picture grows linearly with the row of the feet.

The line through most of the boxes is found by trying the lines through all pairs (there are few hundred), which
is RANSAC without dice. What is half or twice as high as people there is a part of somebody, a goal, a caption.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore_worker.boxes import Floats
from playerscore_worker.previewing.pyramid import Sightings

# Fewer people than this, or fewer on the line, and there is nothing to be compared with.
MIN_PEOPLE: Final = 5
MIN_ON_LINE: Final = 4
MIN_EVIDENCE: Final = 0.4
# Standing people differ by this much around the line, as logarithms; what is further off is not on it.
ON_LINE_SPREAD: Final = 0.15
ON_LINE: Final = 0.3
# Heights per row: people near the lens are higher, and a camera high up sees this little of it, one low down that.
SLOPES: Final = (-0.02, 0.8)
# Deviations of the logarithm of size that are believed: people bend and crouch, but nobody grows.
LARGER_SPREAD: Final = 0.3
SMALLER_SPREAD: Final = 0.35
# People whom the picture's lower edge cuts seem small; they are believed nearly as they are.
CUT_FACTOR: Final = 0.8
EDGE_SHARE: Final = 0.015


@dataclass(frozen=True)
class HeightLine:
    """Heights of people in pixels as `slope` times the row of the feet plus `offset`."""

    slope: float
    offset: float

    def heights_px(self, feet_px: Floats) -> Floats:
        """Heights of people whose feet are at these rows, (n,), at least 4."""
        return np.asarray(np.maximum(self.slope * feet_px + self.offset, 4), np.float64)

    def believed(self, found: Sightings, picture_height: int) -> Floats:
        """How far the boxes have the size of people there, (n,), range [0, 1]."""
        # The longer side, so that whoever lies is as large as whoever stands.
        sizes = np.maximum(found.heights_px, found.widths_px)
        off = np.log(sizes / self.heights_px(found.boxes_xyxy[:, 3]))
        spread = np.where(off > 0, LARGER_SPREAD, SMALLER_SPREAD)
        belief = np.exp(-((off / spread) ** 2) / 2)
        cut = (found.boxes_xyxy[:, 3] > picture_height * (1 - EDGE_SHARE)) & (off < 0)
        return np.where(cut, np.maximum(belief, CUT_FACTOR), belief)


def height_line(found: Sightings, picture_height: int) -> HeightLine | None:
    """The line that most people agree on; None where there are too few."""
    feet, heights, weights = _whole(found, picture_height)
    if len(feet) < MIN_PEOPLE:
        return None
    slopes, offsets = _lines(feet, heights, 0.05 * picture_height)
    expected = np.maximum(slopes[:, None] * feet + offsets[:, None], 4)
    off = np.log(heights / expected)
    support = (weights * np.exp(-((off / ON_LINE_SPREAD) ** 2) / 2)).sum(axis=1)
    best = int(support.argmax())
    if (np.abs(off[best]) < ON_LINE).sum() < MIN_ON_LINE:
        return None
    return HeightLine(float(slopes[best]), float(offsets[best]))


def _whole(found: Sightings, picture_height: int) -> tuple[Floats, Floats, Floats]:
    """Feet, heights and weights of those who are probably people and not cut by the picture's edges."""
    margin = EDGE_SHARE * picture_height
    inside = (found.boxes_xyxy[:, 1] > margin) & (found.boxes_xyxy[:, 3] < picture_height - margin)
    chosen = found.pick(inside & (found.evidence > MIN_EVIDENCE))
    return chosen.boxes_xyxy[:, 3], chosen.heights_px, chosen.evidence


def _lines(feet: Floats, heights: Floats, min_rows: float) -> tuple[Floats, Floats]:
    """Slopes and offsets of the possible lines: level ones, and those through pairs that stand apart."""
    first, second = np.triu_indices(len(feet), 1)
    rows = feet[first] - feet[second]
    apart: NDArray[np.bool_] = np.abs(rows) > min_rows
    slopes = (heights[first] - heights[second])[apart] / rows[apart]
    offsets = heights[first][apart] - slopes * feet[first][apart]
    possible = (slopes > SLOPES[0]) & (slopes < SLOPES[1])
    return (
        np.concatenate([np.zeros(len(heights)), slopes[possible]]),
        np.concatenate([heights, offsets[possible]]),
    )
