"""The joint follower: one target and his neighbours, frame by frame.

The neighbours are followed with the same care as the target, because most losses are not disappearances but
swaps with somebody who crossed: whoever is known to be somebody else cannot become the target.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from playerscore_worker import boxes
from playerscore_worker.following import appearance, entities
from playerscore_worker.following.assignment import Pairs, assign
from playerscore_worker.following.entities import Entities
from playerscore_worker.following.scene import Scene, Seen

Floats = NDArray[np.float64]

# People within this distance are worth following along, body heights; further ones cannot interfere soon.
NEIGHBOUR_REACH_H: Final = 5.5
NEIGHBOUR_MAX_MISSES: Final = 15
BIRTH_SCORE: Final = 0.3
BIRTH_COVER: Final = 0.3
# Overlap (of the smaller box) from which sizes and colours are not to be believed.
OVERLAP_COVER: Final = 0.15
APART_COVER: Final = 0.05
# A template drifts: it may carry the target over a blink of the detector, not over an occlusion.
BRIDGE_FRAMES: Final = 8
BRIDGE_CORRELATION: Final = 0.65
CLAIMED_IOU: Final = 0.3
# Without detection and template for this long, the prediction is a guess: say so.
LOST_SEC: Final = 0.4
# Two who wrestle share one box for so long; he is in it while so much of the smaller box is shared.
PAIR_SEC: Final = 3.0
PAIR_COVER: Final = 0.3
# One sight's colours depend on how he stands; a dozen are his kit.
REFERENCE_SIGHTS: Final = 12
# With less of him inside the picture, he has left it.
INSIDE_SHARE: Final = 0.35
# While he is lost, everybody around the place where he may be is looked at for so long ...
NEAR_SEC: Final = 2.0
# ... and later the whole picture, in bursts: so many frames every so many seconds, and more rarely in the end.
BURST_SEC: Final = 0.16
SEARCH_SEC: Final = 0.6
SEARCH_SEC_LATER: Final = 2.0
LATER_SEC: Final = 10.0
# After a cut people may be of any size: heights to look for, as shares of the picture's.
ANY_HEIGHTS: Final = (0.06, 0.12, 0.24, 0.48, 0.96)


class State(StrEnum):
    """How sure the place of the target is."""

    SUPPORTED = "supported"
    """A detection supports it."""
    COASTING = "coasting"
    """A template or the prediction alone."""
    LOST = "lost"
    """Unknown."""


@dataclass(frozen=True)
class Sight:
    """The target at one position of a scene, pixels."""

    state: State
    box_xyxy: Floats | None
    """(4,) pixels; None when lost."""
    confidence: float
    overlapped_by: tuple[int, ...]
    reason: str | None
    """Why he is lost."""


@dataclass
class Follower:
    """Everything that is known at one position; `advance` moves on to a neighbouring one.

    It proposes: where to look, and who is whom while that is plain. `linking` decides about encounters.
    """

    people: Entities
    template: NDArray[np.uint8] | None = None
    bridged: int = 0
    unsupported_sec: float = 0.0
    paired_sec: float = 0.0
    lost: str | None = None
    lost_sec: float = 0.0
    cut: bool = False
    next_id: int = field(default=1)

    @classmethod
    def start(cls, scene: Scene, position: int, box_xyxy: Floats) -> Self:
        """Start on a box that is known to be the target's."""
        image = scene.stills[position].frame.image
        colours = appearance.torso_colours(image, box_xyxy[None])
        return cls(entities.born(box_xyxy[None], colours, 0), appearance.cut_template(image, box_xyxy))

    def copy(self) -> Self:
        return replace(self, people=self.people.copy())

    def lose(self, reason: str) -> None:
        """Give him up: from now on only look for who may be he."""
        self.people = self.people.keep(np.arange(len(self.people)) == 0)
        self.lost, self.lost_sec, self.template, self.cut = reason, 0.0, None, reason == "cut"

    def advance(self, scene: Scene, origin: int, to: int) -> Sight:
        """Follow everyone from one position to a neighbouring one."""
        elapsed = scene.elapsed_sec(origin, to)
        if scene.is_cut(origin, to):
            self.lose("cut")
        entities.predict(self.people, scene.step(origin, to), elapsed)
        if self.lost:
            return self._look_out(scene, to, elapsed)
        seen = scene.look(to, self.people.centre[0], self.people.height[0])
        pairs = assign(self.people, seen.found, seen.colours)
        overlaps = self._overlaps(seen, pairs)
        self._correct(seen, pairs, overlaps)
        sight = self._sight(scene, to, seen, pairs, overlaps, elapsed)
        self._births(seen, pairs)
        self._forget()
        return sight

    # -- while he is followed ------------------------------------------------------------------------------

    def _overlaps(self, seen: Seen, pairs: Pairs) -> NDArray[np.bool_]:
        """(people, people): who overlaps whom, by the boxes found now, else by the predicted ones."""
        now = self.people.boxes_xyxy
        now[pairs[:, 0]] = seen.found.boxes_xyxy[pairs[:, 1]]
        cover = boxes.cover_matrix(now, now)
        np.fill_diagonal(cover, 0)
        self.people.apart |= (cover[0] < APART_COVER) & (self.people.hits >= 2)
        return np.asarray(cover > OVERLAP_COVER)

    def _correct(self, seen: Seen, pairs: Pairs, overlaps: NDArray[np.bool_]) -> None:
        people, rows = self.people, pairs[:, 0]
        found_xyxy = seen.found.boxes_xyxy[pairs[:, 1]].astype(np.float64)
        overlapped = np.asarray(overlaps.any(axis=1))[rows]
        people.misses += 1
        people.misses[rows] = 0
        people.hits[rows] += 1
        entities.measure(people, rows, found_xyxy, np.where(overlapped, entities.OVERLAP_NOISE, 1.0))
        entities.resize(people, rows, found_xyxy, overlapped)
        clear = np.logical_not(overlapped)
        entities.recolour(people, rows[clear], seen.colours[pairs[clear, 1]])

    def _sight(
        self,
        scene: Scene,
        position: int,
        seen: Seen,
        pairs: Pairs,
        overlaps: NDArray[np.bool_],
        elapsed_sec: float,
    ) -> Sight:
        mine = pairs[pairs[:, 0] == 0, 1]
        around = tuple(int(k) for k in self.people.ids[overlaps[0]])
        if len(mine):
            return self._supported(scene, position, seen, int(mine[0]), around)
        if self._inside(scene) < INSIDE_SHARE:
            self.lose("left-picture")
            return self._lost_sight()
        if self._paired(seen, pairs, elapsed_sec):
            return Sight(State.COASTING, self.people.boxes_xyxy[0], 0.3, around, None)
        claimed = seen.found.boxes_xyxy[pairs[:, 1]]
        correlation = self._bridge(scene, position, claimed)
        if correlation is not None:
            return Sight(State.COASTING, self.people.boxes_xyxy[0], 0.5 * correlation, around, None)
        self.unsupported_sec += elapsed_sec
        if self.unsupported_sec >= LOST_SEC:
            self.lose("occluded" if around else "not-seen")
            return self._lost_sight()
        return Sight(State.COASTING, self.people.boxes_xyxy[0], 0.1, around, None)

    def _supported(
        self, scene: Scene, position: int, seen: Seen, index: int, around: tuple[int, ...]
    ) -> Sight:
        self.bridged, self.unsupported_sec, self.paired_sec = 0, 0.0, 0.0
        confidence = float(seen.found.scores[index])
        if around:
            return Sight(State.SUPPORTED, self.people.boxes_xyxy[0], confidence, around, None)
        box = seen.found.boxes_xyxy[index].astype(np.float64)
        self.template = appearance.cut_template(scene.stills[position].frame.image, box)
        return Sight(State.SUPPORTED, box, confidence, (), None)

    def _paired(self, seen: Seen, pairs: Pairs, elapsed_sec: float) -> bool:
        """Whether he shares one box with somebody who was found; then he goes where that one goes."""
        if not len(pairs) or self.paired_sec > PAIR_SEC:
            return False
        with_xyxy = seen.found.boxes_xyxy[pairs[:, 1]].astype(np.float64)
        cover = boxes.cover_matrix(self.people.boxes_xyxy[:1], with_xyxy)[0]
        if cover.max() < PAIR_COVER:
            return False
        partner = int(pairs[cover.argmax(), 0])
        self.people.velocity[0] = self.people.velocity[partner]
        self.paired_sec += elapsed_sec
        return True

    def _bridge(self, scene: Scene, position: int, claimed_xyxy: NDArray[np.float32]) -> float | None:
        """Carry the target by his template; the correlation, or None when it may not or cannot."""
        if self.template is None or self.bridged >= BRIDGE_FRAMES:
            return None
        image = scene.stills[position].frame.image
        match = appearance.match_template(image, self.template, self.people.centre[0], self.people.height[0])
        if match is None or match[1] < BRIDGE_CORRELATION:
            return None
        box = boxes.around(match[0][None], self.people.size[:1])
        if len(claimed_xyxy) and boxes.iou_matrix(box, claimed_xyxy).max() > CLAIMED_IOU:
            return None
        self.bridged += 1
        entities.measure(self.people, np.array([0]), box, np.array([entities.OVERLAP_NOISE]))
        return match[1]

    def _inside(self, scene: Scene) -> float:
        """Share of the target's predicted box that is in the picture."""
        whole = np.array([[0.0, 0.0, scene.width, scene.height]])
        return float(boxes.cover_matrix(self.people.boxes_xyxy[:1], whole)[0, 0])

    def _births(self, seen: Seen, pairs: Pairs) -> None:
        free = np.ones(len(seen.found), np.bool_)
        free[pairs[:, 1]] = False
        free &= seen.found.scores >= BIRTH_SCORE
        if free.any():
            cover = boxes.cover_matrix(seen.found.boxes_xyxy, self.people.boxes_xyxy)
            free &= cover.max(axis=1) < BIRTH_COVER
            self._join(seen.found.boxes_xyxy[free], seen.colours[free])

    def _join(self, boxes_xyxy: NDArray[np.float32] | Floats, colours: NDArray[np.float32]) -> None:
        self.people = self.people.joined(entities.born(boxes_xyxy, colours, self.next_id))
        self.next_id += len(boxes_xyxy)

    def _forget(self) -> None:
        people = self.people
        away = np.hypot(*(people.centre - people.centre[0]).T)
        kept = (people.misses <= NEIGHBOUR_MAX_MISSES) & (away < NEIGHBOUR_REACH_H * people.height[0])
        kept[0] = True
        if not kept.all():
            self.people = people.keep(kept)

    # -- while he is lost ----------------------------------------------------------------------------------

    def _lost_sight(self) -> Sight:
        return Sight(State.LOST, None, 0.0, (), self.lost)

    def _look_out(self, scene: Scene, position: int, elapsed_sec: float) -> Sight:
        """Look at everybody who may be he; who he is, is not decided here."""
        before, self.lost_sec = self.lost_sec, self.lost_sec + elapsed_sec
        height_px = float(self.people.height[0])
        if self.lost_sec < NEAR_SEC and not self.cut:
            scene.look(position, self.people.centre[0], height_px, wide=True)
            return self._lost_sight()
        every = SEARCH_SEC if self.lost_sec < LATER_SEC else SEARCH_SEC_LATER
        if before % every < BURST_SEC:
            heights = [share * scene.height for share in ANY_HEIGHTS] if self.cut else [height_px]
            scene.look_everywhere(position, heights)
        return self._lost_sight()
