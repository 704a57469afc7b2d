"""Colours of kits, skin, hair and things, as found on football pitches (blue, green, red)."""

import cv2
import numpy as np

from playerscore_clips.dice import Colour, Dice

SKIN: tuple[Colour, ...] = (
    (150, 180, 225),
    (120, 155, 205),
    (95, 130, 185),
    (70, 100, 150),
    (50, 75, 115),
    (35, 50, 80),
    (160, 190, 235),
)
HAIR: tuple[Colour, ...] = (
    (20, 20, 25),
    (25, 35, 50),
    (40, 60, 90),
    (80, 130, 180),
    (30, 30, 30),
    (100, 100, 105),
    (15, 15, 15),
)
BOOTS: tuple[Colour, ...] = (
    (20, 20, 20),
    (240, 240, 240),
    (40, 40, 230),
    (60, 240, 220),
    (230, 160, 40),
    (30, 110, 240),
    (30, 30, 35),
)
CLOTH: tuple[Colour, ...] = (
    (235, 235, 235),
    (250, 250, 250),
    (25, 25, 25),
    (15, 15, 20),
    (30, 30, 190),
    (20, 20, 150),
    (160, 60, 20),
    (110, 40, 15),
    (60, 25, 15),
    (220, 160, 60),
    (235, 190, 110),
    (30, 210, 240),
    (20, 170, 235),
    (20, 110, 235),
    (40, 120, 40),
    (60, 160, 50),
    (30, 80, 20),
    (110, 30, 90),
    (60, 20, 110),
    (180, 90, 220),
    (60, 20, 90),
    (130, 130, 130),
    (80, 230, 180),
    (60, 240, 230),
)
WHITE: Colour = (235, 235, 235)


def random_colour(dice: Dice, spread: float = 18.0) -> Colour:
    """Return a colour of cloth or paint: mostly one that teams wear, sometimes any vivid one."""
    if dice.chance(0.72):
        base = np.array(dice.choose(CLOTH), float)
    else:
        base = from_hsv(dice.integer(0, 180), dice.integer(40, 256), dice.integer(40, 256)).astype(float)
    blue, green, red = np.clip(base + dice.rng.normal(0, spread, 3), 0, 255).astype(int).tolist()
    return blue, green, red


def from_hsv(hue: float, saturation: float, value: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return the colour (3,) of OpenCV's hue 0..180, saturation 0..255 and value 0..255."""
    pixel = np.array([[[hue, saturation, value]]], np.uint8)
    colour: np.ndarray[tuple[int], np.dtype[np.float32]] = cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0]
    return colour.astype(np.float32)


def shade(colour: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    """Return the colour made darker (factor < 1) or lighter."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
