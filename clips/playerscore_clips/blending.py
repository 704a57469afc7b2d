"""Putting paint, masks and transparent pictures onto a picture in place."""

import cv2
import numpy as np

from playerscore_clips.dice import Field, Image

Paint = tuple[float, float, float]


def blend_mask(picture: Field, mask: Image, paint: Paint, opacity: float = 1.0) -> None:
    """Colour ``picture`` (h, w, 3) where ``mask`` (h, w) is 255, as strongly as ``opacity`` says."""
    share = mask.astype(np.float32)[:, :, None] * (opacity / 255.0)
    picture *= 1 - share
    picture += share * np.array(paint, np.float32)


def blend_field(picture: Field, share: Field, other: Field) -> Field:
    """Return ``picture`` with ``share`` (h, w; 0..1) of it replaced by ``other`` (h, w, 3 or one colour)."""
    weight = share[:, :, None]
    mixed: Field = picture * (1 - weight) + other * weight
    return mixed


def write_text(picture: Field, text: str, at: tuple[int, int], font: int, scale: float, paint: Paint,
               thickness: int) -> None:  # fmt: skip
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(mask, text, at, font, scale, 255, thickness)
    x, y, w, h = cv2.boundingRect(mask)
    if w and h:
        blend_mask(picture[y : y + h, x : x + w], mask[y : y + h, x : x + w], paint)
