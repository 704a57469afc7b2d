"""Pure tracklets: everybody who was detected around the target, linked only where nothing can be confused.

A tracklet ends where two could be exchanged. What is left of it where nobody overlaps, vanishes or appears beside
it is a `Node`: a stretch of sights of one person, whoever he is. `linking` decides who is who.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from playerscore_worker import boxes
from playerscore_worker.following.appearance import colour_distance
from playerscore_worker.following.scene import Scene, Seen

Floats = NDArray[np.float64]

# A link between neighbouring frames needs this overlap of prediction and box ...
LINK_IOU: Final = 0.3
# ... sizes this near, and no rival whose overlap is nearly as good.
LINK_SIZE_RATIO: Final = 1.4
LINK_MARGIN: Final = 0.2
# Nobody changes his kit from one frame to the next; a box that goes to another man does.
LINK_COLOUR: Final = 0.75
# The detector blinks this long, in frames, without ending a tracklet.
BLINK_FRAMES: Final = 2
# The velocity of a tracklet is averaged over about this many frames.
VELOCITY_GAIN: Final = 0.3
# Overlap (of the smaller box) from which the colours of a sight are not of one person alone ...
MIXED_COVER: Final = 0.15
# ... and from which two may be exchanged, although both are seen.
OVERLAP_COVER: Final = 0.4
# A box that always shares so much with longer lived ones is a second box on the same person.
SHADOW_COVER: Final = 0.35
# Who vanishes or appears within this distance, in body heights, may have been exchanged with whoever stays.
BESIDE_H: Final = 0.7
# How long a pair may share one box, seconds, when one of two vanishes and somebody appears again; and how long
# after a vanishing, or before an appearing, that has no counterpart.
PAIR_SEC: Final = 1.5
LONELY_SEC: Final = 0.3
MIN_TRACKLET: Final = 3
MIN_TRACKLET_SCORE: Final = 0.3
MIN_NODE: Final = 3
MIN_NODE_SEC: Final = 0.12
# Kits of two people that are this far apart tell them apart, when the one who stays has kept his by this much.
UNLIKE_KITS: Final = 0.45
KEPT_KIT: Final = 0.15
KIT_SIGHTS: Final = 12
CHANGED_KIT: Final = 0.3
SPLIT_KIT: Final = 0.38
# Ends of nodes are described by a line through this many seconds.
END_SEC: Final = 0.4
STEADY_SIGHTS: Final = 5


@dataclass(eq=False)
class Tracklet:
    """Sights of one person at increasing positions of a scene, with gaps of at most `BLINK_FRAMES`."""

    positions: list[int] = field(default_factory=list)
    boxes_xyxy: list[Floats] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    colours: list[NDArray[np.float32]] = field(default_factory=list)
    cover: list[float] = field(default_factory=list)
    """How much of the smaller box is shared with anybody else's."""
    velocity_px: Floats = field(default_factory=lambda: np.zeros(2))
    """Per frame, camera motion taken out, in pixels of the last frame."""

    @property
    def first(self) -> int:
        return self.positions[0]

    @property
    def last(self) -> int:
        return self.positions[-1]

    def kit(self, position: int, late: bool) -> NDArray[np.float32] | None:
        """Mean colours of the last few sights up to a position, or of the first few from it (late), alone."""
        near = [k for k, p in enumerate(self.positions) if (p >= position if late else p <= position)]
        alone = [k for k in near if self.cover[k] <= MIXED_COVER]
        chosen = alone[:KIT_SIGHTS] if late else alone[-KIT_SIGHTS:]
        if len(chosen) < MIN_NODE:
            return None
        colours = np.array([self.colours[k] for k in chosen], np.float64)
        return np.asarray(np.sqrt((colours**2).mean(axis=0)), np.float32)

    @property
    def real(self) -> bool:
        """Whether it is more than a flicker of the detector."""
        return len(self.positions) >= MIN_TRACKLET and float(np.mean(self.scores)) >= MIN_TRACKLET_SCORE


@dataclass(frozen=True)
class Node:
    """A stretch of clear sights of one person."""

    tracklet: int
    """Which tracklet it is a part of."""
    positions: NDArray[np.intp]
    boxes_xyxy: Floats
    """(n, 4) pixels, one for each position."""
    scores: Floats
    ground: Floats
    """(n, 2) middles, in pixels of the scene's first frame: the camera's motion is taken out."""
    heights: Floats
    """(n,) heights on the same scale."""
    colours: NDArray[np.float32]
    """(bins,) mean torso colours, of the sights that nobody overlaps if there are such."""
    sights: int
    """How many sights the colours are of, 1 when all are overlapped."""
    times_sec: Floats
    opens: bool
    """Whether he could have come from outside: at the picture's border, or of what was looked at."""
    closes: bool
    """Whether he could have left likewise."""
    enters: bool = False
    """Whether he came in over the picture's border."""
    leaves: bool = False
    """Whether he went out over it."""

    @property
    def first(self) -> int:
        return int(self.positions[0])

    @property
    def last(self) -> int:
        return int(self.positions[-1])

    def end(self, late: bool) -> "End":
        """How he leaves (late) or enters the stretch, on the ground's scale."""
        at = self.times_sec[-1 if late else 0]
        near = np.abs(self.times_sec - at) <= END_SEC
        times, places = self.times_sec[near] - at, self.ground[near]
        height = float(np.median(self.heights[near]))
        if len(times) < STEADY_SIGHTS:
            return End(np.asarray(places[np.abs(times).argmin()], np.float64), np.zeros(2), height, False)
        # The line that fits best; its value at time 0 is the place.
        fit = np.linalg.lstsq(np.stack([np.ones_like(times), times], axis=1), places, rcond=None)[0]
        return End(fit[0], fit[1], height, True)


@dataclass(frozen=True)
class End:
    """One end of a node, on the ground's scale."""

    place: Floats
    """(2,) middle of the box."""
    velocity: Floats
    """(2,) per second; zero where it is not known."""
    height: float
    steady: bool
    """Whether the velocity is known."""


def build(scene: Scene) -> list[Tracklet]:
    """Link the scene's detections, wherever anybody looked, into pure tracklets."""
    done: list[Tracklet] = []
    alive: list[Tracklet] = []
    for position in range(len(scene)):
        if position and scene.is_cut(position - 1, position):
            done, alive = done + alive, []
        alive, ended = _extend(scene, alive, scene.everyone(position), position)
        done += ended
    real = [t for t in done + alive if t.real]
    people = [
        t for t, hidden in zip(real, _covers(real, better=True), strict=True) if min(hidden) <= SHADOW_COVER
    ]
    for tracklet, cover in zip(people, _covers(people, better=False), strict=True):
        tracklet.cover = cover
    return people


def _covers(people: list[Tracklet], better: bool) -> list[list[float]]:
    """For each sight of each tracklet, how much of the smaller box it shares with any other, or any better one."""
    at: dict[int, list[tuple[int, int]]] = {}
    for index, tracklet in enumerate(people):
        for k, position in enumerate(tracklet.positions):
            at.setdefault(position, []).append((index, k))
    worth = np.array([sum(tracklet.scores) for tracklet in people])
    covers = [[0.0] * len(tracklet.positions) for tracklet in people]
    for sights in at.values():
        found_xyxy = np.array([people[index].boxes_xyxy[k] for index, k in sights])
        cover = boxes.cover_matrix(found_xyxy, found_xyxy)
        np.fill_diagonal(cover, 0)
        if better:
            value = worth[[index for index, _ in sights]]
            cover = np.where(value[None] > value[:, None], cover, 0)
        for (index, k), shared in zip(sights, cover.max(axis=1).tolist(), strict=True):
            covers[index][k] = shared
    return covers


def _extend(
    scene: Scene, alive: list[Tracklet], seen: Seen, position: int
) -> tuple[list[Tracklet], list[Tracklet]]:
    """Give each living tracklet its detection where that is plain; (those that live on, those that end).

    Whoever met a detection that is not plainly his ends here. Were he only blinking, he would dispute it with
    the tracklet that begins on it, frame after frame.
    """
    worth = _worth(scene, alive, seen, position)
    pairs = _plain_pairs(worth)
    for row, column in pairs:
        _append(scene, alive[row], seen, column, position)
    taken = {column for _, column in pairs}
    fresh = []
    for column in range(len(seen.found)):
        if column not in taken:
            fresh.append(Tracklet())
            _append(scene, fresh[-1], seen, column, position)
    paired = {row for row, _ in pairs}
    blinks = [
        row in paired or (position - tracklet.last <= BLINK_FRAMES and worth[row].max(initial=0.0) < LINK_IOU)
        for row, tracklet in enumerate(alive)
    ]
    lives = [tracklet for tracklet, on in zip(alive, blinks, strict=True) if on]
    return lives + fresh, [tracklet for tracklet, on in zip(alive, blinks, strict=True) if not on]


def _append(scene: Scene, tracklet: Tracklet, seen: Seen, column: int, position: int) -> None:
    box = seen.found.boxes_xyxy[column].astype(np.float64)
    if tracklet.positions:
        carried = scene.carry(tracklet.last, position, boxes.centres(tracklet.boxes_xyxy[-1][None]))[0]
        step = (boxes.centres(box[None])[0] - carried) / (position - tracklet.last)
        gain = max(VELOCITY_GAIN, 1 / len(tracklet.positions))
        tracklet.velocity_px = (1 - gain) * tracklet.velocity_px + gain * step
    tracklet.positions.append(position)
    tracklet.boxes_xyxy.append(box)
    tracklet.scores.append(float(seen.found.scores[column]))
    tracklet.colours.append(seen.colours[column])


def _predicted(scene: Scene, alive: list[Tracklet], position: int) -> Floats:
    """Where the tracklets' boxes should be, (n, 4) pixels."""
    where = np.zeros((len(alive), 4))
    for row, tracklet in enumerate(alive):
        box = tracklet.boxes_xyxy[-1]
        zoom = scene.zoom(tracklet.last, position)
        middle = scene.carry(tracklet.last, position, boxes.centres(box[None]))[0]
        middle = middle + tracklet.velocity_px * (position - tracklet.last)
        where[row] = boxes.around(middle[None], (box[2:] - box[:2])[None] * zoom)[0]
    return where


def _worth(scene: Scene, alive: list[Tracklet], seen: Seen, position: int) -> Floats:
    """IoU of where each tracklet should be with each detection, (tracklets, detections); 0 where it is not he."""
    if not alive or not len(seen.found):
        return np.zeros((len(alive), len(seen.found)))
    where = _predicted(scene, alive, position)
    found_xyxy = seen.found.boxes_xyxy.astype(np.float64)
    iou = boxes.iou_matrix(where, found_xyxy)
    tall = np.log(np.maximum(boxes.statures(found_xyxy), 1))
    ratio = np.abs(np.log(np.maximum(boxes.statures(where), 1))[:, None] - tall[None])
    unlike = colour_distance(np.array([t.colours[-1] for t in alive]), seen.colours) > LINK_COLOUR
    return np.where((ratio < np.log(LINK_SIZE_RATIO)) & ~unlike, iou, 0.0)


def _plain_pairs(worth: Floats) -> list[tuple[int, int]]:
    """(tracklet, detection) where neither has another who would do nearly as well."""
    rows, columns = linear_sum_assignment(-worth)
    pairs = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        value = worth[row, column]
        rival = max(_without(worth[row], column), _without(worth[:, column], row))
        if value >= LINK_IOU and value - rival > LINK_MARGIN:
            pairs.append((row, column))
    return pairs


def _without(values: Floats, index: int) -> float:
    return float(np.delete(values, index).max(initial=0.0))


def nodes(scene: Scene, tracklets: list[Tracklet]) -> list[Node]:
    """The clear stretches of all tracklets, in the order of their beginnings."""
    found = []
    least = max(MIN_NODE, round(MIN_NODE_SEC * scene.rate))
    for index, tracklet in enumerate(tracklets):
        for run in _clear_runs(tracklet, _beside(scene, tracklets, index, tracklet), least):
            found += [_node(scene, index, tracklet, part) for part in _one_kit(tracklet, run)]
    return sorted(found, key=lambda node: node.first)


def _clear_runs(tracklet: Tracklet, doubtful: set[int], least: int) -> Iterable[list[int]]:
    """Indices into the tracklet, in stretches of at least so many clear sights."""
    run: list[int] = []
    for k, position in enumerate(tracklet.positions):
        if position in doubtful or (tracklet.cover[k] > OVERLAP_COVER and _changes(tracklet, k)):
            if len(run) >= least:
                yield run
            run = []
        else:
            run.append(k)
    if len(run) >= least:
        yield run


def _one_kit(tracklet: Tracklet, run: list[int]) -> list[list[int]]:
    """A run, cut where the kit changes: there the box went on with somebody else, or with two."""
    if len(run) < 2 * KIT_SIGHTS:
        return [run]
    squares = np.array([tracklet.colours[k] for k in run], np.float64) ** 2
    sums = np.concatenate([np.zeros((1, squares.shape[1])), np.cumsum(squares, axis=0)])
    means = np.sqrt((sums[KIT_SIGHTS:] - sums[:-KIT_SIGHTS]) / KIT_SIGHTS)
    # Each sight's mean of those before it, against that of those from it on.
    before, after = means[:-KIT_SIGHTS], means[KIT_SIGHTS:]
    off = np.sqrt(np.clip(1 - (before * after).sum(axis=1), 0, 1))
    if off.max() <= SPLIT_KIT:
        return [run]
    cut = KIT_SIGHTS + int(off.argmax())
    return [*_one_kit(tracklet, run[:cut]), *_one_kit(tracklet, run[cut:])]


def _changes(tracklet: Tracklet, k: int) -> bool:
    """Whether the kit after an overlap is not the one before it: an exchange with an opponent."""
    before = tracklet.kit(tracklet.positions[k], late=False)
    after = tracklet.kit(tracklet.positions[k], late=True)
    if before is None or after is None:
        return True
    return float(colour_distance(before[None], after[None])[0, 0]) > CHANGED_KIT


def _beside(scene: Scene, tracklets: list[Tracklet], index: int, tracklet: Tracklet) -> set[int]:
    """Positions at which a tracklet may be somebody else: beside it one vanished, or one will appear."""
    ends = [t.last for t in _neighbours(scene, tracklets, index, tracklet, late=True)]
    starts = [t.first for t in _neighbours(scene, tracklets, index, tracklet, late=False)]
    rate = scene.rate
    pair, lonely = round(PAIR_SEC * rate), max(1, round(LONELY_SEC * rate))
    doubtful: set[int] = set()
    for end in ends:
        until = next((s for s in sorted(starts) if s > end and s - end <= pair), end + lonely)
        doubtful |= set(range(end + 1, until))
    for start in starts:
        since = next(
            (e for e in sorted(ends, reverse=True) if e < start and start - e <= pair), start - lonely
        )
        doubtful |= set(range(since + 1, start))
    return doubtful


def _neighbours(
    scene: Scene, tracklets: list[Tracklet], index: int, tracklet: Tracklet, late: bool
) -> list[Tracklet]:
    """Those that end (late) or begin beside a tracklet, while it lasts, and not at a border."""
    found = []
    for other_index, other in enumerate(tracklets):
        position = other.last if late else other.first
        if other_index == index or not tracklet.first <= position <= tracklet.last:
            continue
        k = int(np.searchsorted(tracklet.positions, position))
        mine = tracklet.boxes_xyxy[min(k, len(tracklet.positions) - 1)]
        box = other.boxes_xyxy[-1 if late else 0]
        tall = max(mine[3] - mine[1], 1.0)
        away = np.hypot(*np.diff(boxes.centres(np.stack([mine, box])), axis=0)[0])
        beside = away < BESIDE_H * tall and not scene.at_edge(position, box)
        if beside and not _told_apart(tracklet, other, position):
            found.append(other)
    return found


def _told_apart(tracklet: Tracklet, other: Tracklet, position: int) -> bool:
    """Whether the kits say that it was not the other who went on, or came along, in this tracklet."""
    before, after = (tracklet.kit(position, late) for late in (False, True))
    its = other.kit(position, late=other.first == position)
    if before is None or after is None or its is None:
        return False
    kept, apart, changed = colour_distance(
        np.array([before, its, its]), np.array([after, before, after])
    ).diagonal()
    return bool(apart > UNLIKE_KITS and changed > UNLIKE_KITS and kept < min(apart, changed) - KEPT_KIT)


def _node(scene: Scene, index: int, tracklet: Tracklet, run: list[int]) -> Node:
    positions = np.array([tracklet.positions[k] for k in run], np.intp)
    boxes_xyxy = np.array([tracklet.boxes_xyxy[k] for k in run])
    middles = boxes.centres(boxes_xyxy)
    ground = np.array([scene.to_ground(p, m[None])[0] for p, m in zip(positions, middles, strict=True)])
    zooms = np.array([scene.ground_zoom(p) for p in positions])
    alone = [k for k in run if tracklet.cover[k] <= MIXED_COVER]
    first, last = run[0] == 0, run[-1] == len(tracklet.positions) - 1
    colours = np.array([tracklet.colours[k] for k in alone or run])
    mean = np.sqrt((colours.astype(np.float64) ** 2).mean(axis=0))
    return Node(
        tracklet=index,
        positions=positions,
        boxes_xyxy=boxes_xyxy,
        scores=np.array([tracklet.scores[k] for k in run]),
        ground=ground,
        heights=boxes.statures(boxes_xyxy) * zooms,
        colours=np.asarray(mean, np.float32),
        sights=max(1, len(alone)),
        times_sec=np.array([scene.stills[p].frame.time_sec for p in positions]),
        opens=first and scene.at_edge(int(positions[0]), boxes_xyxy[0]),
        closes=last and scene.at_edge(int(positions[-1]), boxes_xyxy[-1]),
        enters=first and scene.at_border(boxes_xyxy[0]),
        leaves=last and scene.at_border(boxes_xyxy[-1]),
    )
