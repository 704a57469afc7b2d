"""Cameras on pitches for tests: what they see of the landmarks, as people click it."""

from typing import Any

import numpy as np

from playerscore.landmarks import MARKINGS, Format, landmarks, markings
from playerscore.resources import Pitch
from playerscore_worker.pitch import view
from playerscore_worker.pitch.view import Floats

WIDTH, HEIGHT = 960, 540
STAND: Floats = np.array([0.1, 0.29, 0.0, np.log(1300.0), 2.0, -66.0, 20.0, 0.0])
"""A camera in the stand that looks at the middle."""


def seen(state: Floats, kind: Format = "11-a-side") -> dict[str, tuple[float, float]]:
    """Which landmarks the camera sees, and where in the picture (0..1)."""
    marks = markings(kind)
    found = {}
    for name, (x, y) in landmarks(marks).items():
        place = np.array([[x - marks.length / 2, marks.width / 2 - y]])
        u, v = view.project(state, place)[0][0] / [WIDTH, HEIGHT] + 0.5
        if 0 < u < 1 and 0 < v < 1:
            found[name] = (float(u), float(v))
    return found


def points(at: dict[str, tuple[float, float]], *names: str) -> list[dict[str, Any]]:
    """Of a moment: those landmarks, or all."""
    return [{"imageX": at[n][0], "imageY": at[n][1], "landmark": n} for n in names or sorted(at)]


def pitch(*moments: tuple[float, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    """A spec's pitch."""
    return more | {"moments": [{"time_sec": at, "points": clicked} for at, clicked in moments]}


def model(*moments: tuple[float, list[dict[str, Any]]], **more: Any) -> Pitch:
    return Pitch.model_validate(pitch(*moments, **more))


MARKS = MARKINGS["11-a-side"]
