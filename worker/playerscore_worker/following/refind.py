"""After a loss: which of the people in the picture is he? Abstains, with a reason, when that is unsure.

Kits come in elevens, so colours alone never decide between team-mates; place does, for as long as he cannot
have run far. Whoever was followed as somebody else is not he.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore_worker import boxes
from playerscore_worker.following.appearance import colour_distance
from playerscore_worker.following.entities import Entities
from playerscore_worker.following.scene import Seen

Floats = NDArray[np.float64]

# Between the same person (95 % below .45) and opponents (95 % above .52); see `appearance`.
MAX_COLOUR_DISTANCE: Final = 0.48
COLOUR_WEIGHT: Final = 5.0
# He may be this far from where he is believed, in body heights, and further with every second: a jog away from
# the prediction. Wider, and team-mates who come into the picture where he left it are taken for him.
REACH_H: Final = 1.0
REACH_H_PER_SEC: Final = 1.5
# Later than this he may be anywhere: then he must be the only unknown person in his kit.
FORGET_SEC: Final = 3.0
# The runner-up must be this much less likely, in nats.
MARGIN: Final = 2.0
# A neighbour who is out of sight as well must be this much less likely to be the one who appears.
CLAIM_MARGIN: Final = 1.0
CERTAIN_MISSES: Final = 2
MAX_SIZE_RATIO: Final = 1.5
MAX_SIZE_RATIO_AFTER_CUT: Final = 2.5
MIN_SCORE: Final = 0.3


@dataclass(frozen=True)
class Memory:
    """What is known of the lost target."""

    centre: Floats
    """Where he would be now, pixels; the camera's motion is followed."""
    height_px: float
    colours: NDArray[np.float32]
    """(bins,) at the confirmed box."""
    lost_sec: float
    cut: bool
    """Whether the picture was cut since: places mean nothing then."""


@dataclass(frozen=True)
class Verdict:
    """One of the people, or why none; `suspects` are those who may be he, and may not be anybody else yet."""

    chosen: int | None
    reason: str | None
    suspects: NDArray[np.bool_]


def judge(memory: Memory, seen: Seen, others: Entities, taken: NDArray[np.bool_]) -> Verdict:
    """Judge the people of a whole frame; `taken` (n,) are those recognised as `others` (n others in all)."""
    if not len(seen.found):
        return Verdict(None, "not-seen", taken)
    found = seen.found
    distance = colour_distance(memory.colours[None], seen.colours)[0]
    alike = (distance < MAX_COLOUR_DISTANCE) & (found.scores >= MIN_SCORE)
    near, far_cost = _places(memory, found.boxes_xyxy)
    suspects = alike & near & ~taken & ~_covered(found.boxes_xyxy, others)
    if not suspects.any():
        return Verdict(None, "not-seen", suspects)
    rivals = suspects
    if memory.cut:
        rivals = alike
    elif memory.lost_sec > FORGET_SEC:
        rivals = alike & ~taken
    cost = np.where(rivals, COLOUR_WEIGHT * distance + far_cost, np.inf)
    best, *runner_up = np.argsort(cost)[:2]
    sure = not len(runner_up) or cost[runner_up[0]] - cost[best] > MARGIN
    if sure and suspects[best] and cost[best] + CLAIM_MARGIN < _best_claim(memory, seen, int(best), others):
        return Verdict(int(best), None, suspects)
    return Verdict(None, "ambiguous", suspects)


def out_of_sight(others: Entities) -> NDArray[np.bool_]:
    """Which neighbours were not seen lately, (n,)."""
    return np.asarray(others.misses > CERTAIN_MISSES)


def _best_claim(memory: Memory, seen: Seen, index: int, others: Entities) -> float:
    """The lowest cost at which a neighbour who is out of sight could be this person instead."""
    hidden = others.keep(out_of_sight(others))
    if memory.cut or not len(hidden):
        return np.inf
    colour = colour_distance(hidden.colours, seen.colours[[index]])[:, 0]
    place = boxes.centres(seen.found.boxes_xyxy[[index]])
    away = np.hypot(*(hidden.centre - place).T) / _reach_px(memory)
    return float((COLOUR_WEIGHT * colour + 2 * away**2).min())


def _reach_px(memory: Memory) -> float:
    return (REACH_H + REACH_H_PER_SEC * memory.lost_sec) * memory.height_px


def _places(memory: Memory, boxes_xyxy: NDArray[np.float32]) -> tuple[NDArray[np.bool_], Floats]:
    """Who stands and measures what he could, and how surprising each one's place is, in nats."""
    tall = (boxes_xyxy[:, 3] - boxes_xyxy[:, 1]).astype(np.float64)
    ratio = np.abs(np.log(np.maximum(tall, 1) / memory.height_px))
    if memory.cut:
        return ratio < np.log(MAX_SIZE_RATIO_AFTER_CUT), np.zeros(len(boxes_xyxy))
    reach = _reach_px(memory)
    away = np.hypot(*(boxes.centres(boxes_xyxy) - memory.centre).T)
    return (ratio < np.log(MAX_SIZE_RATIO)) & (away < reach), 2 * (away / reach) ** 2


def _covered(boxes_xyxy: NDArray[np.float32], others: Entities) -> NDArray[np.bool_]:
    seen_lately = others.keep(~out_of_sight(others))
    if not len(seen_lately):
        return np.zeros(len(boxes_xyxy), np.bool_)
    return np.asarray(boxes.iou_matrix(boxes_xyxy, seen_lately.boxes_xyxy).max(axis=1) > 0.4)
