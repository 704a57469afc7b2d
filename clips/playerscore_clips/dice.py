"""Seeded chance: the few kinds of draw that the renderer needs, so that one seed gives one picture."""

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]
Colour = tuple[int, int, int]
"""Blue, green, red, each 0..255, the order that OpenCV draws in."""

T = TypeVar("T")


class Dice:
    """A random generator with names for what is asked of it."""

    def __init__(self, seed: int | Sequence[int]) -> None:
        self.rng = np.random.default_rng(seed)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def normal(self, mean: float, deviation: float) -> float:
        return float(self.rng.normal(mean, deviation))

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from low up to, but without, high."""
        return int(self.rng.integers(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def choose(self, items: Sequence[T]) -> T:
        return items[int(self.rng.integers(len(items)))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        return items[int(self.rng.choice(len(items), p=weights))]

    def sign(self) -> int:
        return 1 if self.chance(0.5) else -1

    def noise(self, height: int, width: int, cell: float, amplitude: float) -> Field:
        """Return smooth noise (height, width) whose bumps are about ``cell`` pixels wide."""
        shape = (max(2, int(height / cell) + 2), max(2, int(width / cell) + 2))
        coarse = self.rng.normal(0, 1, shape).astype(np.float32)
        field: Field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * amplitude
        return field

    def letters(self, low: int, high: int, alphabet: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ") -> str:
        return "".join(self.choose(alphabet) for _ in range(self.integer(low, high)))
