"""Who is which detection: one assignment problem for the target and his neighbours.

The cost of a pair is a sum of surprises, in nats: how far the box is from the prediction, how its size, its
torso colours and the detector's score fit. Being missed has its own price, so a bad pair loses to none at all.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from playerscore_worker import boxes
from playerscore_worker.detectors import Detections
from playerscore_worker.following.appearance import colour_distance
from playerscore_worker.following.entities import MEASUREMENT_H, Entities

Floats = NDArray[np.float64]
Pairs = NDArray[np.intp]

DISTANCE_CAP: Final = 8.0
SIZE_WEIGHT: Final = 3.0
# The same man costs .7 nats, an opponent 5.6: a square tells them further apart than a line does.
COLOUR_SIGMA: Final = 0.25
MISS_COST: Final = 9.0
FORBIDDEN: Final = 1e6
# Beyond these a pair is not the same person, whatever the rest says.
MAX_SIZE_RATIO: Final = 1.8
MAX_SIGMAS: Final = 5.0
MAX_SHIFT_H: Final = 1.0


def costs(people: Entities, found: Detections, colours: NDArray[np.float32]) -> Floats:
    """The cost of every pair, (people, detections); FORBIDDEN where it cannot be."""
    off = boxes.centres(found.boxes_xyxy.astype(np.float64))[None] - people.centre[:, None]
    squared_px = (off**2).sum(axis=2)
    height = people.height[:, None]
    sigmas_squared = squared_px / (people.spread[:, :1] + (MEASUREMENT_H * height) ** 2)
    tall = boxes.statures(found.boxes_xyxy)[None]
    ratio = np.abs(np.log(np.maximum(tall, 1) / height))
    cost = (
        np.minimum(sigmas_squared / 2, DISTANCE_CAP)
        + SIZE_WEIGHT * ratio
        + (colour_distance(people.colours, colours) / COLOUR_SIGMA) ** 2 / 2
        - np.log(np.clip(found.scores, 1e-3, 1))[None]
    )
    unseen = people.misses[:, None] + 1
    too_far = squared_px > (MAX_SHIFT_H * height * np.sqrt(unseen)) ** 2
    impossible = (sigmas_squared > MAX_SIGMAS**2) | (ratio > np.log(MAX_SIZE_RATIO)) | too_far
    return np.where(impossible, FORBIDDEN, cost)


def assign(people: Entities, found: Detections, colours: NDArray[np.float32]) -> Pairs:
    """Pairs (row, detection), shape (k, 2).

    The target and the neighbours that were seen clearly apart from him choose first: a neighbour who was born
    in a crowd may be the target's own second box.
    """
    if not len(found):
        return np.zeros((0, 2), np.intp)
    cost = costs(people, found, colours)
    known = people.apart.copy()
    known[0] = True
    first = _solve(cost, np.flatnonzero(known), np.arange(len(found)))
    left = np.setdiff1d(np.arange(len(found)), first[:, 1])
    second = _solve(cost, np.flatnonzero(~known), left)
    return np.concatenate([first, second])


def _solve(cost: Floats, rows: Pairs, columns: Pairs) -> Pairs:
    if not len(rows) or not len(columns):
        return np.zeros((0, 2), np.intp)
    part = cost[np.ix_(rows, columns)]
    # A column of its own for each row is the choice of being missed.
    misses = np.full((len(rows), len(rows)), MISS_COST)
    chosen_rows, chosen_columns = linear_sum_assignment(np.concatenate([part, misses], axis=1))
    real = chosen_columns < len(columns)
    return np.stack([rows[chosen_rows[real]], columns[chosen_columns[real]]], axis=1)
