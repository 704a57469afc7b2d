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
from playerscore_worker.following.tracklets import End, Node

Floats = NDArray[np.float64]

# The prices below were set while looking at the real development clips, with rendered scenes of the set `choose`
# beside them: figures on those clips flatter.
FORBIDDEN: Final = 1e6
# To come from nowhere, or to vanish, in the open; and at the border of the picture, or of what was looked at.
OPEN_COST: Final = 7.0
EDGE_COST: Final = 3.5
# A person's motion, in body heights: his speed wanders by this density of white acceleration (a hard turn, 3 h/s2
# kept up for a third of a second), and place and speed at a node's end are known this well.
WANDER_H2_PER_SEC3: Final = 3.75
PLACE_H: Final = 0.1
SPEED_H_PER_SEC: Final = 0.35
UNKNOWN_SPEED_H_PER_SEC: Final = 2.0
# Beyond these nobody runs: 8.6 m/s, and the error of the camera's motion.
MAX_SPEED_H: Final = 4.8
MAX_JUMP_H: Final = 0.6
# The price of being somewhere else than expected counts from a gap of this length.
SHORT_SEC: Final = 0.1
MOTION_CAP: Final = 12.0
# Torso colours: the same person's two means are .06 to .3 apart, opponents .4 to .85; single sights of one person
# .1 to .5. What is beyond the usual costs half its square in units of COLOUR_SIGMA.
COLOUR_USUAL: Final = 0.08
COLOUR_NOISE: Final = 0.1
COLOUR_SIGMA: Final = 0.12
COLOUR_CAP: Final = 10.0
SIZE_SIGMA: Final = 0.15
# Who lies down or is half hidden is not as small as this.
MAX_SIZE_RATIO: Final = 1.9
# Every second out of sight is a surprise.
UNSEEN_PER_SEC: Final = 0.8
# A tracker's own continuation, through an overlap that it could not see through, is right more often than not.
SAME_TRACKLET: Final = -0.7
MAX_GAP_SEC: Final = 4.0
# Who comes in where somebody has just gone out is five times as likely he as any of his mates who are out there;
# less so the later it is, and the farther from there along the border, which is some 40 body heights long.
RETURNS: Final = float(np.log(5.0))
RETURNS_LESS_PER_SEC: Final = 0.15
RETURN_H: Final = 0.8
RETURN_H_PER_SEC: Final = 0.6
BORDER_H: Final = 40.0
MAX_AWAY_SEC: Final = 20.0
# Margins are not told beyond this.
CERTAIN: Final = 50.0


@dataclass(frozen=True)
class Link:
    """A step of the target's chain."""

    origin: int
    """Node."""
    to: int
    """Node."""
    cost: float
    margin: float
    """How much dearer the best solution without this step is, nats."""
    rival: int | None
    """The node that would follow instead."""
    claimant: int | None
    """Whom this node would follow instead."""


def kit_costs(nodes: list[Node]) -> Floats:
    """Price of every pair's being one person, by their kits, (n, n), 0..COLOUR_CAP."""
    colours = np.array([node.colours for node in nodes])
    sights = np.array([node.sights for node in nodes])
    usual = COLOUR_USUAL + COLOUR_NOISE / np.sqrt(np.minimum(sights[:, None], sights[None]))
    off = np.maximum(0, colour_distance(colours, colours) - usual) / COLOUR_SIGMA
    return np.asarray(np.minimum(COLOUR_CAP, off**2 / 2), np.float64)


def link_costs(scene: Scene, nodes: list[Node], kit: Floats) -> Floats:
    """Price of every succession, (n, n), FORBIDDEN where it cannot be; `kit` is that of the pairs' kits."""
    late = [node.end(late=True) for node in nodes]
    early = [node.end(late=False) for node in nodes]
    cost = np.full((len(nodes), len(nodes)), FORBIDDEN)
    for i, before in enumerate(nodes):
        for j, after in enumerate(nodes):
            if before.last < after.first and scene.same_shot(max(0, before.last), after.first):
                gap_sec = abs(float(after.times_sec[0] - before.times_sec[-1]))
                price = _motion(late[i], early[j], gap_sec)
                if before.leaves and after.enters:
                    price = min(price, _return(late[i], early[j], gap_sec))
                if before.tracklet == after.tracklet:
                    price += SAME_TRACKLET
                cost[i, j] = min(FORBIDDEN, price + kit[i, j])
    return cost


def _apart(end: End, start: End) -> tuple[float, Floats, float]:
    """(Their mean height; the way between them, (2,), in it; how unlike their sizes are, nats)."""
    height = float(np.sqrt(end.height * start.height))
    ratio = abs(float(np.log(start.height / end.height)))
    return height, (start.place - end.place) / height, ratio


def _motion(end: End, start: End, gap_sec: float) -> float:
    """Price of getting from an end to a start in that time: place, speed, size, and being unseen."""
    height, off, ratio = _apart(end, start)
    too_far = np.hypot(*off) > MAX_JUMP_H + MAX_SPEED_H * gap_sec
    if gap_sec > MAX_GAP_SEC or too_far or ratio > np.log(MAX_SIZE_RATIO):
        return FORBIDDEN
    change = np.stack([off - end.velocity / height * gap_sec, (start.velocity - end.velocity) / height])
    spread = _spread(gap_sec, end.steady, start.steady)
    usual = _spread(SHORT_SEC, end.steady, start.steady)
    surprise = 0.5 * float((change * np.linalg.solve(spread, change)).sum())
    # Both axes have the same spread: half the logarithm of its determinant, twice.
    width = float(np.log(np.linalg.det(spread) / np.linalg.det(usual)))
    size = (ratio / SIZE_SIGMA) ** 2 / 2
    return float(min(MOTION_CAP, surprise) + max(0.0, width) + size + UNSEEN_PER_SEC * gap_sec)


def _return(end: End, start: End, gap_sec: float) -> float:
    """Price of having been out of the picture in between: against that of one who leaves and another who comes."""
    _, off, ratio = _apart(end, start)
    if gap_sec > MAX_AWAY_SEC or ratio > np.log(MAX_SIZE_RATIO):
        return FORBIDDEN
    reach = RETURN_H + RETURN_H_PER_SEC * gap_sec
    nearer = float(np.log(BORDER_H / (np.sqrt(2 * np.pi) * reach))) - float(off @ off) / reach**2 / 2
    size = (ratio / SIZE_SIGMA) ** 2 / 2
    return max(0.0, 2 * EDGE_COST - RETURNS + RETURNS_LESS_PER_SEC * gap_sec - nearer) + size


def _spread(gap_sec: float, steady_before: bool, steady_after: bool) -> Floats:
    """Covariance (2, 2) of place and speed, each axis, against what the earlier end foretells; body heights."""
    speeds = [
        SPEED_H_PER_SEC if steady else UNKNOWN_SPEED_H_PER_SEC for steady in (steady_before, steady_after)
    ]
    moved = np.array([[1.0, gap_sec], [0.0, 1.0]])
    known = moved @ np.diag([PLACE_H**2, speeds[0] ** 2]) @ moved.T
    wander = WANDER_H2_PER_SEC3 * np.array([[gap_sec**3 / 3, gap_sec**2 / 2], [gap_sec**2 / 2, gap_sec]])
    return np.asarray(known + wander + np.diag([PLACE_H**2, speeds[1] ** 2]), np.float64)


def _beginning(node: Node, lost: bool) -> float:
    """Price of nobody's having been this person before."""
    if node.tracklet < 0 or (node.first == 0 and not (lost and node.enters)):
        return 0.0
    return EDGE_COST if node.opens else OPEN_COST


class Puzzle:
    """All nodes of a scene and what may follow what: to be joined into people at the least price."""

    def __init__(self, nodes: list[Node], cost: Floats, last_position: int, lost: bool = False) -> None:
        """`lost`: somebody is out there where the scene begins, so that who is at its border may just have come."""
        self._cost = cost.copy()
        self._begin = np.array([_beginning(node, lost) for node in nodes])
        stays = [n.last >= last_position for n in nodes]
        ends = [
            0.0 if stay else EDGE_COST if n.closes else OPEN_COST
            for n, stay in zip(nodes, stays, strict=True)
        ]
        self._end = np.array(ends)
        self._ignored: set[int] = set()

    def forbid(self, origin: int, to: int) -> None:
        """This succession cannot be."""
        self._cost[origin, to] = FORBIDDEN

    def encourage(self, origin: int, to: int, nats: float) -> None:
        """There is further evidence for this succession."""
        if self._cost[origin, to] < FORBIDDEN:
            self._cost[origin, to] -= nats

    def limit(self, origin: int, to: int, nats: float) -> None:
        """This succession was watched: it costs no more than that."""
        if self._cost[origin, to] < FORBIDDEN:
            self._cost[origin, to] = min(self._cost[origin, to], nats)

    def ignore(self, index: int) -> None:
        """A node that is no evidence of anybody: it stands alone, for nothing."""
        self._cost[index], self._cost[:, index] = FORBIDDEN, FORBIDDEN
        self._ignored.add(index)

    def chain(self, start: int) -> list[int]:
        """The nodes of the person who owns `start`, in the order of time."""
        return next(chain for chain in self.chains() if start in chain)

    def chains(self) -> list[list[int]]:
        """Everybody, as nodes in the order of time; ignored ones left out."""
        successors, _ = self._solve(self._cost)
        heads = set(range(len(successors))) - {to for to in successors if to is not None}
        found = []
        for head in sorted(heads - self._ignored):
            chain = [head]
            while (after := successors[chain[-1]]) is not None:
                chain.append(after)
            found.append(chain)
        return found

    def judge(self, origin: int, to: int) -> Link:
        """How sure a step of the cheapest joining is."""
        _, best = self._solve(self._cost)
        other = self._cost.copy()
        other[origin, to] = FORBIDDEN
        successors, without = self._solve(other)
        margin = min(without - best, CERTAIN)
        claimant = successors.index(to) if to in successors else None
        return Link(origin, to, float(self._cost[origin, to]), margin, successors[origin], claimant)

    def _solve(self, cost: Floats) -> tuple[list[int | None], float]:
        """(successor of each node, None where a person ends; the whole price)."""
        count = len(cost)
        # Beginning is the price of every node that nobody leads to: who is led to saves it.
        matrix = np.full((count, 2 * count), FORBIDDEN)
        matrix[:, :count] = np.where(cost >= FORBIDDEN, FORBIDDEN, cost - self._begin[None])
        matrix[np.arange(count), count + np.arange(count)] = self._end
        rows, columns = linear_sum_assignment(matrix)
        total = float(matrix[rows, columns].sum() + self._begin.sum())
        return [int(c) if c < count else None for c in columns[np.argsort(rows)]], total
