"""The target and the people around him, as arrays: row 0 is the target, always.

Each has a constant-velocity Kalman filter for the middle of his box. Its noise is given in body heights, so
that the same numbers hold for people of every size. Both axes share one covariance, because the noise is the
same in both and the camera's motion is a similarity.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from playerscore_worker import boxes
from playerscore_worker.camera import CameraStep
from playerscore_worker.following.appearance import mean_colours

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

# Body heights per second squared: a hard brake of a footballer, 9 m/s2, is five; jerky filters get a margin.
ACCELERATION_H: Final = 8.0
# Body heights: how far a detector's box sits from the truth.
MEASUREMENT_H: Final = 0.08
# Whoever is half hidden is measured half as well.
OVERLAP_NOISE: Final = 2.0
START_SPEED_H: Final = 2.5
# After this many frames unseen the velocity is a guess, and fades.
COAST_FRAMES: Final = 5
VELOCITY_FADE: Final = 0.8
SIZE_GAIN: Final = 0.2
SIZE_GAIN_OVERLAP: Final = 0.04
COLOUR_GAIN: Final = 0.08


@dataclass
class Entities:
    """People that are followed, one a row."""

    ids: NDArray[np.int64]
    centre: Floats
    """(n, 2) pixels."""
    velocity: Floats
    """(n, 2) pixels per second, camera motion taken out."""
    spread: Floats
    """(n, 3) variances and covariance of place, place x velocity, velocity; pixels, seconds."""
    size: Floats
    """(n, 2) width and height, pixels."""
    misses: NDArray[np.int64]
    """(n,) frames since a detection supported him."""
    hits: NDArray[np.int64]
    apart: NDArray[np.bool_]
    """(n,) whether he was once seen clearly apart from the target."""
    colours: NDArray[np.float32]
    """(n, bins) torso colours, see `appearance`."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def height(self) -> Floats:
        """(n,) pixels; of people who lie, their length."""
        return np.asarray(self.size.max(axis=1), np.float64)

    @property
    def boxes_xyxy(self) -> Floats:
        """(n, 4) pixels."""
        return boxes.around(self.centre, self.size)

    def copy(self) -> Self:
        return replace(self, **{f.name: getattr(self, f.name).copy() for f in fields(self)})

    def keep(self, rows: NDArray[np.bool_]) -> Self:
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def joined(self, other: Self) -> Self:
        return replace(
            self,
            **{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)},
        )


def born(boxes_xyxy: NDArray[np.floating[Any]], colours: NDArray[np.float32], first_id: int) -> Entities:
    """New entities at the given boxes, standing still as far as is known."""
    found = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    count = len(found)
    size = np.maximum(found[:, 2:] - found[:, :2], 1.0)
    place = (MEASUREMENT_H * size[:, 1]) ** 2
    speed = (START_SPEED_H * size[:, 1]) ** 2
    return Entities(
        ids=np.arange(first_id, first_id + count, dtype=np.int64),
        centre=boxes.centres(found),
        velocity=np.zeros((count, 2)),
        spread=np.stack([place, np.zeros(count), speed], axis=1),
        size=size,
        misses=np.zeros(count, np.int64),
        hits=np.ones(count, np.int64),
        apart=np.zeros(count, np.bool_),
        colours=colours.astype(np.float32),
    )


def predict(people: Entities, step: CameraStep, dt_sec: float) -> None:
    """Carry everyone to the next frame: the camera's motion first, then his own."""
    turn = step.matrix[:, :2]
    people.centre = step.move(people.centre)
    people.velocity = people.velocity @ turn.T
    people.size = people.size * step.zoom
    people.spread = people.spread * step.zoom**2
    people.velocity[people.misses > COAST_FRAMES] *= VELOCITY_FADE
    people.centre = people.centre + people.velocity * dt_sec
    push = (ACCELERATION_H * people.height) ** 2
    place, mixed, speed = people.spread.T
    people.spread = np.stack(
        [
            place + 2 * dt_sec * mixed + dt_sec**2 * speed + push * dt_sec**4 / 4,
            mixed + dt_sec * speed + push * dt_sec**3 / 2,
            speed + push * dt_sec**2,
        ],
        axis=1,
    )


def measure(
    people: Entities, rows: Rows, boxes_xyxy: NDArray[np.floating[Any]], noise_factor: Floats
) -> None:
    """Correct the places of `rows` by the boxes that were found for them; noise_factor (rows,) >= 1."""
    noise = (MEASUREMENT_H * people.height[rows] * noise_factor) ** 2
    place, mixed, speed = people.spread[rows].T
    total = place + noise
    gain_place, gain_speed = place / total, mixed / total
    off = boxes.centres(np.asarray(boxes_xyxy, np.float64)) - people.centre[rows]
    people.centre[rows] += gain_place[:, None] * off
    people.velocity[rows] += gain_speed[:, None] * off
    people.spread[rows] = np.stack(
        [place - gain_place * place, mixed - gain_place * mixed, speed - gain_speed * mixed], axis=1
    )


def resize(
    people: Entities, rows: Rows, boxes_xyxy: NDArray[np.floating[Any]], overlapped: NDArray[np.bool_]
) -> None:
    """Let the sizes of `rows` drift towards their boxes, hardly where somebody overlaps."""
    seen = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 1.0)
    gain = np.where(overlapped, SIZE_GAIN_OVERLAP, SIZE_GAIN)[:, None]
    people.size[rows] *= (seen / people.size[rows]) ** gain


def recolour(people: Entities, rows: Rows, colours: NDArray[np.float32]) -> None:
    """Average the colours of `rows` with what was seen, slowly after a while; for people nobody overlaps."""
    gain = np.maximum(COLOUR_GAIN, 1 / (people.hits[rows] + 1.0))[:, None]
    people.colours[rows] = mean_colours(people.colours[rows], colours, gain)
