"""What a person looks like: the colours of his torso, and a grey template of the target.

Colours tell teams apart (distance .84 on broadcast video), not team-mates (.36, against .28 for one person at
two times): they are evidence, never proof.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

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
SEARCH_H: Final = 0.5


def torso_colours(image: Image, boxes_xyxy: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Roots of the torsos' Lab histograms, (n, BIN_COUNT): their dot product is Bhattacharyya's coefficient.

    A torso outside the picture has the even histogram, which resembles nothing much.
    """
    answer = np.full((len(boxes_xyxy), BIN_COUNT), BIN_COUNT**-0.5, np.float32)
    for row, box in enumerate(np.asarray(boxes_xyxy, np.float64)):
        patch = _torso(image, box)
        if patch is not None:
            answer[row] = _histogram(patch)
    return answer


def _torso(image: Image, box_xyxy: Floats) -> Image | None:
    width, height = box_xyxy[2:] - box_xyxy[:2]
    left, right = (box_xyxy[0] + share * width for share in TORSO_COLUMNS)
    top, bottom = (box_xyxy[1] + share * height for share in TORSO_ROWS)
    x1, x2 = max(0, round(left)), min(image.shape[1], max(round(right), round(left) + 1))
    y1, y2 = max(0, round(top)), min(image.shape[0], max(round(bottom), round(top) + 1))
    return image[y1:y2, x1:x2] if x1 < x2 and y1 < y2 else None


def _histogram(patch: Image) -> NDArray[np.float32]:
    lab = cv2.cvtColor(cv2.resize(patch, PATCH_PX, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2LAB)
    values = lab.reshape(-1, 3).astype(np.float32)
    low, high = CHROMA_RANGE
    cell = np.empty_like(values)
    cell[:, 0] = values[:, 0] * (BINS[0] / 256)
    cell[:, 1:] = (values[:, 1:] - low) * (BINS[1] / (high - low))
    index = np.clip(cell.astype(np.int64), 0, np.array(BINS) - 1)
    flat = (index[:, 0] * BINS[1] + index[:, 1]) * BINS[2] + index[:, 2]
    counts = np.bincount(flat, minlength=BIN_COUNT)
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


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
