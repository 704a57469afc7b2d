"""Grass and painted lines as a training window shows them: any pitch, any light, any angle.

``body_px`` is always the height of a person in the picture at hand; everything is scaled by it.
"""

import math

import cv2
import numpy as np

from playerscore_clips import colours
from playerscore_clips.blending import Paint, blend_field, blend_mask
from playerscore_clips.dice import Dice, Field, Image


def grass(dice: Dice, height: int, width: int, body_px: float) -> Field:
    """Return a ground (height, width, 3): mostly mown grass, sometimes any other colour."""
    light = _stripes(dice, height, width, body_px) + _unevenness(dice, height, width, body_px)
    if dice.chance(0.15):
        light *= _stand_shadow(dice, height, width, body_px)
    ground: Field = light[:, :, None] * _ground_colour(dice)
    tint = dice.noise(height, width, body_px * dice.uniform(0.3, 2), dice.uniform(0, 5))
    ground += tint[:, :, None] * dice.rng.normal(0, 1, 3).astype(np.float32)
    if dice.chance(0.3):
        ground = _worn(dice, ground, body_px)
    return ground


def _ground_colour(dice: Dice) -> Field:
    if dice.chance(0.9):
        return colours.from_hsv(dice.uniform(30, 58), dice.uniform(60, 215), dice.uniform(50, 200))
    return colours.from_hsv(dice.uniform(0, 180), dice.uniform(0, 160), dice.uniform(60, 210))


def _stripes(dice: Dice, height: int, width: int, body_px: float) -> Field:
    """Return the light of mowing stripes, about 1, of random direction, period and sharpness."""
    light: Field = np.ones((height, width), np.float32)
    if not dice.chance(0.7):
        return light
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = dice.uniform(0, math.pi)
    if not dice.chance(0.6):
        angle = dice.choose([0, math.pi / 2]) + dice.normal(0, 0.1)
    period = body_px * dice.uniform(1.2, 7)
    across = columns * math.cos(angle) + rows * math.sin(angle) * dice.uniform(1, 3)
    wave = np.sin(across / period * math.pi + dice.uniform(0, 9))
    light += np.tanh(wave * dice.uniform(1, 12)) * dice.uniform(0.02, 0.16)
    if dice.chance(0.25):
        along = -columns * math.sin(angle) + rows * math.cos(angle) * 2
        light += np.tanh(np.sin(along / period * math.pi) * 8) * dice.uniform(0.02, 0.1)
    return light


def _unevenness(dice: Dice, height: int, width: int, body_px: float) -> Field:
    rows = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    columns = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
    uneven: Field = dice.noise(height, width, body_px * dice.uniform(0.5, 3), dice.uniform(0, 0.05))
    uneven += dice.noise(height, width, body_px * dice.uniform(0.06, 0.25), dice.uniform(0, 0.06))
    uneven += dice.rng.normal(0, dice.uniform(0, 0.07), (height, width)).astype(np.float32)
    uneven += rows * dice.uniform(-0.2, 0.2) + columns * dice.uniform(-0.2, 0.2)
    return uneven


def _stand_shadow(dice: Dice, height: int, width: int, body_px: float) -> Field:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = dice.uniform(0, 2 * math.pi)
    distance = (columns - dice.uniform(0, width)) * math.cos(angle)
    distance += (rows - dice.uniform(0, height)) * math.sin(angle)
    softness = max(0.5, body_px * dice.uniform(0.02, 0.2))
    dark: Field = 1 - dice.uniform(0.2, 0.6) / (1 + np.exp(np.clip(-distance / softness, -50, 50)))
    return dark


def _worn(dice: Dice, ground: Field, body_px: float) -> Field:
    height, width = ground.shape[:2]
    bumps = dice.noise(height, width, body_px * dice.uniform(0.4, 2), 1) - dice.uniform(0.5, 1.6)
    share = np.clip(bumps, 0, 1) * dice.uniform(0.2, 0.8)
    soil = np.array([90, 130, 150], np.float32) * dice.uniform(0.5, 1.3)
    return blend_field(ground, share, soil)


def lines(dice: Dice, picture: Field, body_px: float) -> None:
    """Paint zero to five lines, corners, arcs and spots."""
    for _ in range(dice.weighted(range(6), (0.22, 0.25, 0.23, 0.15, 0.1, 0.05))):
        mask = np.zeros(picture.shape[:2], np.uint8)
        width = max(1, round(body_px * dice.uniform(0.02, 0.11)))
        kind, white = dice.uniform(0, 1), dice.uniform(170, 255)
        paint: Paint = (white, white, white) if dice.chance(0.9) else colours.random_colour(dice)
        if kind < 0.62:
            _straight(dice, mask, width)
        elif kind < 0.9:
            _arc(dice, mask, width, body_px)
        else:
            _spot(dice, mask, body_px)
        if dice.chance(0.5):
            mask = cv2.GaussianBlur(mask, (3, 3), 0)
        blend_mask(picture, mask, paint, dice.uniform(0.3, 1))


def _somewhere(dice: Dice, mask: Image) -> tuple[int, int]:
    height, width = mask.shape
    return int(dice.uniform(0, width)), int(dice.uniform(0, height))


def _straight(dice: Dice, mask: Image, width: int) -> None:
    x, y = _somewhere(dice, mask)
    angle = dice.uniform(0, math.pi) if dice.chance(0.55) else dice.normal(0, 0.12)
    reach = sum(mask.shape) * (1 if dice.chance(0.6) else dice.uniform(0.05, 0.5))

    def end(direction: float, sign: int = 1) -> tuple[int, int]:
        return int(x + sign * reach * math.cos(direction)), int(y + sign * reach * math.sin(direction))

    cv2.line(mask, end(angle, -1) if dice.chance(0.6) else (x, y), end(angle), 255, width)
    if dice.chance(0.35):  # a corner or a T
        other = max(1, int(width * dice.uniform(0.6, 1.6)))
        cv2.line(mask, (x, y), end(angle + dice.uniform(0.4, 2.6)), 255, other)


def _arc(dice: Dice, mask: Image, width: int, body_px: float) -> None:
    radius = body_px * dice.uniform(1.5, 6)
    axes = (int(radius), int(radius * dice.uniform(0.2, 0.7)))
    turn, start, stop = dice.uniform(-15, 15), dice.uniform(0, 180), dice.uniform(180, 360)
    cv2.ellipse(mask, _somewhere(dice, mask), axes, turn, start, stop, 255, width)


def _spot(dice: Dice, mask: Image, body_px: float) -> None:
    axes = (max(1, int(body_px * 0.08)), max(1, int(body_px * dice.uniform(0.02, 0.06))))
    cv2.ellipse(mask, _somewhere(dice, mask), axes, 0, 0, 360, 255, -1)
