"""A drawn person, shrunk to the size at which a picture shows him, and how he is put into it."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from playerscore_clips.dice import Field, Image
from playerscore_clips.figures import CANVAS_PX, FOOT_X, FOOT_Y

SOLID = 90
"""From this alpha on a pixel counts as body, for boxes and visible shares."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Sprite:
    """A premultiplied BGRA picture (n, m, 4), 0..255, and where its upper left corner goes."""

    picture: Field
    left: int
    top: int
    foot: tuple[float, float]
    """Where he stands in the picture that he is put into."""
    body_px: float
    lies: bool = False
    """He lies, falls or dives: his outline does not stand on the ground."""

    @property
    def solid(self) -> npt.NDArray[np.bool_]:
        return self.picture[:, :, 3] > SOLID

    def box(self) -> Box | None:
        """Return the tight box around his solid pixels; None when there are none."""
        solid = self.solid
        rows, columns = np.nonzero(solid.any(1))[0], np.nonzero(solid.any(0))[0]
        if not len(rows):
            return None
        return (
            float(self.left + columns[0]),
            float(self.top + rows[0]),
            float(self.left + columns[-1] + 1),
            float(self.top + rows[-1] + 1),
        )


class Layer:
    """Remembers which sprite is in front at each pixel of a picture."""

    def __init__(self, height: int, width: int) -> None:
        self._owner = np.full((height, width), -1, np.int16)

    def clear(self) -> None:
        self._owner.fill(-1)

    def paste(self, picture: Field | Image, sprite: Sprite, owner: int) -> None:
        """Put a sprite into ``picture`` (h, w, 3), float or uint8, in place."""
        height, width = self._owner.shape
        n, m = sprite.picture.shape[:2]
        x0, y0 = max(0, sprite.left), max(0, sprite.top)
        x1, y1 = min(width, sprite.left + m), min(height, sprite.top + n)
        if x1 <= x0 or y1 <= y0:
            return
        part = sprite.picture[y0 - sprite.top : y1 - sprite.top, x0 - sprite.left : x1 - sprite.left]
        under = picture[y0:y1, x0:x1]
        under[:] = under * (1 - part[:, :, 3:] / 255.0) + part[:, :, :3]
        self._owner[y0:y1, x0:x1][part[:, :, 3] > SOLID] = owner

    def cover(self, mask: npt.NDArray[np.bool_], left: int, top: int) -> None:
        """Let something that is nobody hide everybody where ``mask`` (h, w) says."""
        part = self._owner[top : top + mask.shape[0], left : left + mask.shape[1]]
        part[mask[: part.shape[0], : part.shape[1]]] = -1

    def visible_px(self, owners: int) -> npt.NDArray[np.int64]:
        """Return how many pixels of each owner 0..owners-1 are in front."""
        return np.bincount(self._owner[self._owner >= 0].ravel(), minlength=owners)


def place_whole_pixel(figure: npt.NDArray[np.uint8], foot: tuple[float, float], scale: float, body_px: float) -> Sprite:  # fmt: skip
    """Return a figure resized by ``scale`` with its foot at the nearest whole pixel."""
    side = max(4, round(CANVAS_PX * scale))
    small = cv2.resize(figure, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    left, top = round(foot[0] - FOOT_X * scale), round(foot[1] - FOOT_Y * scale)
    return Sprite(small, left, top, foot, body_px)
