"""Who is who after an encounter: nodes are joined into people, all of them at once, by one exact assignment.

A person is in one place at a time, cannot outrun himself, keeps his kit and his size. Each possible succession of
two nodes has a price in nats for that; beginning and ending in the open has a price as well. The cheapest way to
join all nodes is an assignment problem, because the price of a chain is the sum of its links. How much dearer
everything becomes when one of the target's links is forbidden says how sure that link is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from playerscore_worker.following.appearance import colour_distance
from playerscore_worker.following.scene import Scene
from playerscore_worker.following.tracklets import Node

Floats = NDArray[np.float64]

FORBIDDEN: Final = 1e6
# To come from nowhere, or to vanish, in the open; and at the border of the picture, or of what was looked at.
OPEN_COST: Final = 5.0
EDGE_COST: Final = 1.5
# How far he may be from where both ends point to, body heights: at once, and further with every second.
PLACE_H: Final = 0.15
DRIFT_H_PER_SEC: Final = 1.0
MAX_DRIFT_H: Final = 3.0
# Beyond these nobody runs: 8.6 m/s, and the error of the camera's motion.
MAX_SPEED_H: Final = 4.8
MAX_JUMP_H: Final = 0.6
# Velocities at the ends say something for so long.
VELOCITY_SEC: Final = 0.6
# Torso colours: the same person's two means are .06 to .3 apart, opponents .4 to .85; single sights of one person
# .1 to .5. What is beyond the usual costs half its square in units of COLOUR_SIGMA.
COLOUR_USUAL: Final = 0.08
COLOUR_NOISE: Final = 0.1
COLOUR_SIGMA: Final = 0.12
COLOUR_CAP: Final = 10.0
SIZE_SIGMA: Final = 0.15
SIZE_CAP: Final = 4.0
# Every second out of sight is a surprise.
UNSEEN_PER_SEC: Final = 0.8
# A tracker's own continuation, through an overlap that it could not see through, is right more often than not.
SAME_TRACKLET: Final = -0.7
MAX_GAP_SEC: Final = 4.0


@dataclass(frozen=True)
class Link:
    """A step of the target's chain."""

    origin: int
    """Node."""
    to: int | None
    """Node, or None where he ends."""
    cost: float
    margin: float
    """How much dearer the best solution without this step is, nats."""
    rival: int | None
    """The node that would follow instead."""


def link_costs(scene: Scene, nodes: list[Node]) -> Floats:
    """Price of every succession, (n, n), FORBIDDEN where it cannot be."""
    count = len(nodes)
    cost = np.full((count, count), FORBIDDEN)
    if not count:
        return cost
    late = [node.end(late=True) for node in nodes]
    early = [node.end(late=False) for node in nodes]
    colours = np.array([node.colours for node in nodes])
    distance = colour_distance(colours, colours)
    sights = np.array([node.sights for node in nodes])
    usual = COLOUR_USUAL + COLOUR_NOISE / np.sqrt(np.minimum(sights[:, None], sights[None]))
    kit = np.minimum(COLOUR_CAP, (np.maximum(0, distance - usual) / COLOUR_SIGMA) ** 2 / 2)
    for i, before in enumerate(nodes):
        for j, after in enumerate(nodes):
            if before.last < after.first and scene.same_shot(max(0, before.last), after.first):
                gap_sec = abs(float(after.times_sec[0] - before.times_sec[-1]))
                price = _motion(late[i], early[j], gap_sec)
                if before.tracklet == after.tracklet:
                    price += SAME_TRACKLET
                cost[i, j] = min(FORBIDDEN, price + kit[i, j])
    return cost


def _motion(end: tuple[Floats, Floats, float], start: tuple[Floats, Floats, float], gap_sec: float) -> float:
    """Price of getting from an end to a start in that time: place, size, and being unseen."""
    (place, velocity, tall), (next_place, next_velocity, next_tall) = end, start
    height = float(np.sqrt(tall * next_tall))
    away = np.hypot(*(next_place - place)) / height
    if gap_sec > MAX_GAP_SEC or away > MAX_JUMP_H + MAX_SPEED_H * gap_sec:
        return FORBIDDEN
    coasting = (velocity + next_velocity) / 2 * min(gap_sec, VELOCITY_SEC)
    off = np.hypot(*(next_place - place - coasting)) / height
    sigma = min(MAX_DRIFT_H, PLACE_H + DRIFT_H_PER_SEC * gap_sec)
    surprise = (off / sigma) ** 2 / 2 + np.log(sigma / PLACE_H)
    size = min(SIZE_CAP, (np.log(next_tall / tall) / SIZE_SIGMA) ** 2 / 2)
    return float(surprise + size + UNSEEN_PER_SEC * gap_sec)


def solve(nodes: list[Node], cost: Floats, last_position: int, forbidden: set[tuple[int, int]]) -> list[int | None]:
    """The successor of every node in the cheapest joining of all, or None where a person ends."""
    successors, _ = _solve(nodes, cost, last_position, forbidden)
    return successors


def _solve(
    nodes: list[Node], cost: Floats, last_position: int, forbidden: set[tuple[int, int]]
) -> tuple[list[int | None], float]:
    count = len(nodes)
    begin = np.array([0.0 if n.first == 0 else EDGE_COST if n.opens else OPEN_COST for n in nodes])
    end = np.array([0.0 if n.last >= last_position else EDGE_COST if n.closes else OPEN_COST for n in nodes])
    allowed = cost.copy()
    for i, j in forbidden:
        allowed[i, j] = FORBIDDEN
    # Beginning is the price of every node that nobody leads to: who is led to saves it.
    matrix = np.full((count, 2 * count), FORBIDDEN)
    matrix[:, :count] = np.where(allowed >= FORBIDDEN, FORBIDDEN, allowed - begin[None])
    matrix[np.arange(count), count + np.arange(count)] = end
    rows, columns = linear_sum_assignment(matrix)
    total = float(matrix[rows, columns].sum() + begin.sum())
    return [int(c) if c < count else None for c in columns[np.argsort(rows)]], total


def judge(
    nodes: list[Node], cost: Floats, last_position: int, forbidden: set[tuple[int, int]], pair: tuple[int, int]
) -> Link:
    """How sure the step `pair` of the cheapest joining is."""
    origin, to = pair
    _, best = _solve(nodes, cost, last_position, forbidden)
    successors, without = _solve(nodes, cost, last_position, forbidden | {pair})
    return Link(origin, to, float(cost[origin, to]), min(without - best, 50.0), successors[origin])


def chain(successors: list[int | None], start: int) -> list[int]:
    """The nodes of the person who owns `start`, in the order of time."""
    before = {to: origin for origin, to in enumerate(successors) if to is not None}
    found = [start]
    while found[0] in before:
        found.insert(0, before[found[0]])
    while (after := successors[found[-1]]) is not None:
        found.append(after)
    return found
