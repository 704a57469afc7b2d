"""One segment of the video: propose a way, decide every encounter as a whole, and put the way together.

The joint follower proposes frame by frame, and so decides where people are looked for. Everybody who was found is
then cut into clear stretches and joined again by `linking`. Where the decision differs from the proposal, the
follower goes on from the decision, and sees what it had not looked at; then everything is decided again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore_worker import boxes
from playerscore_worker.following import linking, tracklets
from playerscore_worker.following.appearance import colour_distance
from playerscore_worker.following.joint import Follower, Sight, State
from playerscore_worker.following.linking import Link, Puzzle
from playerscore_worker.following.scene import Scene
from playerscore_worker.following.tracklets import Node

Floats = NDArray[np.float64]

MAX_ROUNDS: Final = 6
SAME_IOU: Final = 0.4
SHARED_IOU: Final = 0.8
# Colours of the first so many clear sights are his kit; what comes later may be in another light.
REFERENCE_SIGHTS: Final = 40
KNOWN_SIGHTS: Final = 5
# Nobody this far from his kit is he, whatever the rest says: opponents begin at .4, see `linking`.
KIT_LIMIT: Final = 0.36
# And nobody nearer than this is anybody but him or a team-mate.
SURE_KIT: Final = 0.25
NEAR_KIT: Final = 0.32
# Whose kit is his own has nobody beside him within this of it.
KIT_GAP: Final = 0.1
# A wrong frame costs as much as three lost ones: less sure than three to one, he is lost.
DOUBT: Final = float(np.log(3.0))
# Of one box with two owners, less than this tells which of them it is.
SHARED_MARGIN: Final = 3.0
SHARED_SEC: Final = 3.0
# The frame by frame proposal is right in about four encounters of five.
PROPOSED: Final = 1.4
RETURNED: Final = 1.4
TRACKED: Final = 4.0
# Surer than this, nobody is asked.
ASK_MARGIN: Final = 6.0
# A gap between two sights of him is bridged by a guess for so long.
BRIDGE_SEC: Final = 1.0
# The proposal is believed for so long after the last clear sight, when nobody can tell who came out.
BELIEF_SEC: Final = 0.3
APPROACH_FRAMES: Final = 8
# A kit is unique when nobody wore it among at least so many others; then it is evidence, at this price in nats.
CROWD: Final = 5
CENSUS_FRAMES: Final = 5
FOUND_BY_KIT: Final = 3.0
CROWD_RATIO: Final = 1.6
SURE_SCORE: Final = 0.4
# Who claims a place has to have been seen there for a while: flickers of the detector claim nothing.
CLAIM_SIGHTS: Final = 8
APART_SIGHTS: Final = 4
APART_COVER: Final = 0.15
# The reason why he is lost where a person said that he is not in the picture.
ABSENT: Final = "absent"
LOST: Final = Sight(State.LOST, None, 0.0, (), "not-seen")


@dataclass(frozen=True)
class Reference:
    """The colours of his kit."""

    colours: NDArray[np.float32]
    sights: int

    def distance(self, colours: NDArray[np.float32]) -> float:
        return float(colour_distance(self.colours[None], colours[None])[0, 0])

    def joined(self, colours: NDArray[np.float32], sights: int) -> "Reference":
        """With more clear sights, up to `REFERENCE_SIGHTS`; without those that may be of somebody else."""
        sights = min(sights, REFERENCE_SIGHTS - self.sights)
        if sights <= 0 or self.distance(colours) - linking.COLOUR_NOISE / np.sqrt(self.sights) > SURE_KIT:
            return self
        total = self.sights + sights
        mean = np.sqrt((self.colours**2 * self.sights + colours**2 * sights) / total)
        return Reference(np.asarray(mean, np.float32), total)


@dataclass(frozen=True)
class Census:
    """Who else was seen, and in which kits: what makes a kit unique."""

    people: int = 0
    """The most people of another kit who were seen at once."""
    mates: int = 0
    """The most people of his kit who were seen at once beside him."""

    def joined(self, people: int, mates: int) -> "Census":
        return Census(max(self.people, people), max(self.mates, mates))

    @property
    def unique(self) -> bool:
        """Whether nobody else wears his kit, as far as is known: a goalkeeper, a referee."""
        return self.mates == 0 and self.people >= CROWD


@dataclass(frozen=True)
class Known:
    """What is known where a scene is entered."""

    box_xyxy: Floats | None
    """Pixels; None when he is lost."""
    reference: Reference
    follower: Follower | None = None
    """The follower's state there; None when it has to start anew."""
    certainty: float = 1.0
    """How likely it is that he is still the confirmed one, 0..1."""
    reason: str = "not-seen"
    """Why he is lost, as everything that follows."""
    gone_sec: float = 0.0
    """For how long he has been lost."""
    place_px: Floats | None = None
    """Where he was lost, carried to this frame; None after a cut."""
    height_px: float = 0.0
    strangers_xyxy: Floats = field(default_factory=lambda: np.zeros((0, 4)))
    """Who was here when he is lost, and was seen together with him before."""
    census: Census = Census()

    def scaled(self, factor: float) -> "Known":
        """The same in pixels of a picture that is `factor` times as large."""
        return replace(
            self,
            box_xyxy=None if self.box_xyxy is None else self.box_xyxy * factor,
            place_px=None if self.place_px is None else self.place_px * factor,
            height_px=self.height_px * factor,
            strangers_xyxy=self.strangers_xyxy * factor,
            follower=None,
        )

    def enter(self, scene: Scene, anchor: int) -> Follower:
        """The follower's state at the anchor."""
        if self.follower is not None:
            return self.follower.copy()
        if self.box_xyxy is not None:
            return Follower.start(scene, anchor, self.box_xyxy)
        follower = Follower.start(scene, anchor, self.lost_xyxy)
        follower.lose(self.lost_reason)
        follower.lost_sec, follower.cut = self.gone_sec, follower.cut or self.behind_a_cut
        return follower

    @property
    def lost_reason(self) -> str:
        """Why he is lost where the scene begins."""
        return "cut" if self.behind_a_cut and self.reason != ABSENT else self.reason

    @property
    def behind_a_cut(self) -> bool:
        """Whether he is lost, and nobody knows where."""
        return self.box_xyxy is None and self.place_px is None

    @property
    def lost_xyxy(self) -> Floats:
        """A box where he was lost."""
        place = self.place_px if self.place_px is not None else np.zeros(2)
        size = self.height_px * np.array([0.4, 1.0])
        return np.asarray(boxes.around(place[None], size[None])[0], np.float64)


class Kind(StrEnum):
    """What was to be decided."""

    CROSSING = "crossing"
    """Others were so near that he could have been exchanged."""
    FOUND_AGAIN = "found-again"
    """He was not seen for a while, and somebody is taken for him."""
    DECLINED = "declined"
    """Nobody is taken for him: two are nearly as likely."""


@dataclass(frozen=True)
class Decision:
    """How an encounter, a loss or a finding was decided."""

    kind: Kind
    begin: int
    """Positions between which it was open."""
    end: int
    margin: float
    box_xyxy: Floats | None
    rival_xyxy: Floats | None


@dataclass(frozen=True)
class Passage:
    """A segment that was followed and decided."""

    sights: list[Sight]
    """One for each position."""
    similarity: list[float | None]
    agreement: list[bool | None]
    certainty: list[float]
    decisions: list[Decision]
    commit: int
    known: Known
    """At the position `commit`."""


class _Trail:
    """The proposal: sights and states of the follower at every position from the anchor on."""

    def __init__(self, scene: Scene, known: Known, anchor: int) -> None:
        self.scene, self.anchor = scene, anchor
        self.sights: list[Sight] = [LOST] * len(scene)
        entered = known.enter(scene, anchor)
        self.states: list[Follower] = [entered] * len(scene)
        box = known.box_xyxy
        if box is not None:
            self.sights[anchor] = Sight(State.SUPPORTED, box, 1.0, (), None)
            self._walk(Follower.start(scene, anchor, box), range(anchor - 1, -1, -1))
        else:
            self.sights[anchor] = replace(LOST, reason=entered.lost)
        self._walk(entered.copy(), range(anchor + 1, len(scene)))

    def _walk(self, follower: Follower, positions: range) -> None:
        for position in positions:
            origin = position - positions.step
            self.sights[position] = follower.advance(self.scene, origin, position)
            self.states[position] = follower.copy()

    def restart(self, position: int, box_xyxy: Floats) -> None:
        """Go on from a box that is his."""
        follower = Follower.start(self.scene, position, box_xyxy)
        self.sights[position] = Sight(State.SUPPORTED, box_xyxy, 1.0, (), None)
        self.states[position] = follower.copy()
        self._walk(follower, range(position + 1, len(self.scene)))

    def lose(self, position: int, reason: str) -> None:
        """Go on without him from after a position."""
        follower = self.states[position].copy()
        follower.lose(reason)
        self._walk(follower, range(position + 1, len(self.scene)))

    def on(self, position: int, box_xyxy: Floats) -> bool:
        """Whether the proposal takes somebody who was detected there for him."""
        return self.sights[position].state == State.SUPPORTED and self.near(position, box_xyxy)

    def apart(self, node: Node) -> int:
        """At how many positions somebody is seen well away from where the proposal has the target."""
        ways = [
            (self.sights[p].box_xyxy, box)
            for p, box in zip(node.positions.tolist(), node.boxes_xyxy, strict=True)
        ]
        return sum(
            his is None or float(boxes.cover_matrix(his[None], box[None])[0, 0]) < APART_COVER
            for his, box in ways
        )

    def visits(self, node: Node) -> bool:
        """Whether the proposal takes somebody's clear stretch for his, at most of its positions."""
        on = [
            self.on(p, box) for p, box in zip(node.positions.tolist(), node.boxes_xyxy, strict=True) if p >= 0
        ]
        return bool(on) and float(np.mean(on)) > 0.5

    def keeps(self, begin: int, end: int) -> bool:
        """Whether the proposal has him at every position between two."""
        return begin >= self.anchor and all(s.state != State.LOST for s in self.sights[begin : end + 1])

    def near(self, position: int, box_xyxy: Floats) -> bool:
        """Whether the proposal has him there."""
        return _same(self.sights[position].box_xyxy, box_xyxy)


@dataclass(frozen=True)
class _Solution:
    """Who is who in a scene, as far as the target is concerned."""

    nodes: list[Node]
    mine: list[int]
    """His nodes, in order; the first may be a place that is known without being a clear sight."""
    links: list[Link]
    """Between his nodes, one fewer."""
    doubted: Link | None
    """A step that was not taken because another is nearly as likely."""
    others: list[list[int]]
    """Everybody else's nodes."""
    reference: Reference


def follow_segment(scene: Scene, known: Known, anchor: int, seam: int) -> Passage:
    """Follow a scene from `anchor` to its end, and back from there to its beginning.

    Everything is decided with what is seen up to the scene's end, so that the last `seam` positions, whose
    future is not known, are better left to the next segment: `commit` is before them, where he is seen clearly.
    """
    trail = _Trail(scene, known, anchor)
    tried: set[tuple[int, str]] = set()
    for _ in range(MAX_ROUNDS):
        solution = _decide(scene, trail, known, anchor)
        if not _redirect(trail, solution, anchor, tried):
            break
    return _Assembly(scene, trail, solution, known, anchor, seam).passage()


def denied(scene: Scene, passage: Passage) -> Passage:
    """The same with him out of the picture at its end: whoever is seen there is somebody else."""
    position, known = passage.commit, passage.known
    if known.box_xyxy is None:
        return passage
    gone = Known(
        None,
        known.reference,
        reason=ABSENT,
        height_px=float(boxes.statures(known.box_xyxy[None])[0]),
        strangers_xyxy=scene.everyone(position).found.boxes_xyxy.astype(np.float64),
        census=known.census,
    )
    return replace(passage, known=gone)


def _decide(scene: Scene, trail: _Trail, known: Known, anchor: int) -> _Solution:
    nodes = tracklets.nodes(scene, tracklets.build(scene))
    start, nodes = _start(scene, trail, known, anchor, nodes)
    reference = _reference(known, nodes[start])
    ways_out = _ways_out(scene, trail, replace(known, reference=reference), anchor, nodes)
    nodes = nodes + [way_out for _, way_out in ways_out]
    kit = linking.kit_costs(nodes)
    mixed = nodes[start].tracklet < 0 and known.reference.sights < KNOWN_SIGHTS
    if mixed:
        kit[start], kit[:, start] = 0.0, 0.0
    cost = linking.link_costs(scene, nodes, kit)
    if mixed:
        _agree_on_kit(cost, kit, start)
    cost[start] = np.where(_strangers(known, nodes), linking.FORBIDDEN, cost[start])
    if known.behind_a_cut:
        cost[start] = np.where(_strangers(known, nodes), linking.FORBIDDEN, _after_cut(scene, nodes, known))
    for k, (origin, _) in enumerate(ways_out, start=len(nodes) - len(ways_out)):
        cost[origin, k] = TRACKED
    puzzle = Puzzle(nodes, cost, len(scene) - 1, known.box_xyxy is None)
    _hear_proposal(trail, nodes, puzzle, kit)
    _ask_back(scene, nodes, puzzle, start)
    while True:
        mine = puzzle.chain(start)
        other_kit = _other_kit(nodes, mine, start, reference)
        if other_kit is not None:
            puzzle.forbid(*other_kit)
            continue
        if reference.sights < KNOWN_SIGHTS:
            reference = _learned(nodes, mine, start, reference)
        links = [puzzle.judge(*pair) for pair in pairwise(mine)]
        shared = _shared(scene, nodes, links, start, mine)
        if shared is None:
            return _without_doubt(nodes, mine, links, start, puzzle, reference)
        puzzle.ignore(shared)


def _learned(nodes: list[Node], mine: list[int], start: int, reference: Reference) -> Reference:
    """His kit by the first clear stretches on both sides of where he was confirmed in a crowd."""
    at = mine.index(start)
    beside = [nodes[k] for k in mine[max(0, at - 1) : at + 2] if nodes[k].sights >= KNOWN_SIGHTS]
    for node in sorted(beside, key=lambda node: -node.sights):
        if reference.sights < KNOWN_SIGHTS:
            reference = Reference(node.colours, min(node.sights, REFERENCE_SIGHTS))
        else:
            reference = reference.joined(node.colours, node.sights)
    return reference


def _agree_on_kit(cost: Floats, kit: Floats, start: int) -> None:
    """Confirmed in a crowd, his kit is not known: who goes in and who comes out of it must wear the same one."""
    before = np.flatnonzero(cost[:, start] < linking.FORBIDDEN)
    after = np.flatnonzero(cost[start] < linking.FORBIDDEN)
    # Nobody on a side is an answer as well.
    into = np.append(cost[before, start], linking.OPEN_COST)
    out_of = np.append(cost[start, after], linking.OPEN_COST)
    both = into[:, None] + out_of[None] + np.pad(kit[np.ix_(before, after)], ((0, 1), (0, 1)))
    row, column = np.unravel_index(int(both.argmin()), both.shape)
    cost[before[np.arange(len(before)) != row], start] = linking.FORBIDDEN
    cost[start, after[np.arange(len(after)) != column]] = linking.FORBIDDEN


def _hear_proposal(trail: _Trail, nodes: list[Node], puzzle: Puzzle, kit: Floats) -> None:
    """The follower saw every frame of an encounter, also the overlapped ones: whom it went on with counts.

    Where it never lost him in between, that is better evidence than how a person moves whom nobody sees.
    """
    visited = [index for index, node in enumerate(nodes) if trail.visits(node)]
    for origin, to in pairwise(visited):
        puzzle.encourage(origin, to, PROPOSED)
    # A box that he shared on the way may be the other's: then it is no stop of his.
    for origin, to in combinations(visited, 2):
        brief = trail.scene.elapsed_sec(max(0, nodes[origin].last), nodes[to].first) < SHARED_SEC
        if brief and trail.keeps(nodes[origin].last, nodes[to].first):
            puzzle.limit(origin, to, TRACKED + float(kit[origin, to]))


def _ask_back(scene: Scene, nodes: list[Node], puzzle: Puzzle, start: int) -> None:
    """The same from the other end: where following back from whoever came out of an encounter leads."""
    mine = puzzle.chain(start)
    for origin, to in list(pairwise(mine))[mine.index(start) :]:
        link = puzzle.judge(origin, to)
        if link.margin > ASK_MARGIN:
            continue
        for candidate in {to, link.rival} - {None}:
            assert candidate is not None
            came_from = _came_from(scene, nodes, candidate, nodes[origin].last)
            if came_from is not None:
                puzzle.encourage(came_from, candidate, RETURNED)


def _came_from(scene: Scene, nodes: list[Node], candidate: int, until: int) -> int | None:
    """The node on which following back from a node ends, at a position or a little before it."""
    after = nodes[candidate]
    if after.first <= until:
        return None
    back = way_back(scene, after, max(0, until - tracklets.BLINK_FRAMES))
    for index, node in enumerate(nodes):
        if index == candidate or not 0 <= node.last < after.first:
            continue
        met = [
            k
            for k, position in enumerate(node.positions.tolist())
            if position in back
            and back[position].state == State.SUPPORTED
            and _same(back[position].box_xyxy, node.boxes_xyxy[k])
        ]
        if len(met) > len(node.positions) / 2 or node.last in {int(node.positions[k]) for k in met}:
            return index
    return None


def way_back(scene: Scene, after: Node, begin: int) -> dict[int, Sight]:
    """What following back from a clear stretch sees before it, down to the position `begin`, or until it is lost."""
    if begin >= after.first:
        return {}
    approach = min(APPROACH_FRAMES, len(after.positions) - 1)
    start = int(after.positions[approach])
    follower = Follower.start(scene, start, after.boxes_xyxy[approach])
    found = {}
    for position in range(start - 1, begin - 1, -1):
        sight = follower.advance(scene, position + 1, position)
        if sight.state == State.LOST:
            break
        found[position] = sight
    return found


def _shared(scene: Scene, nodes: list[Node], links: list[Link], start: int, mine: list[int]) -> int | None:
    """A short stretch of his that might as well be somebody's who then is nowhere: both are in that one box."""
    for link in links:
        inner = link.to if mine.index(link.to) > mine.index(start) else link.origin
        brief = scene.elapsed_sec(max(0, nodes[inner].first), nodes[inner].last) < SHARED_SEC
        one_for_two = (link.rival is None) if inner == link.to else (link.claimant is None)
        claimed = (link.claimant is not None) if inner == link.to else (link.rival is not None)
        if link.margin < SHARED_MARGIN and one_for_two and claimed and brief and inner != start:
            return inner
    return None


def _start(
    scene: Scene, trail: _Trail, known: Known, anchor: int, nodes: list[Node]
) -> tuple[int, list[Node]]:
    """The node that the target owns for certain; one is made where he is overlapped, or lost."""
    if known.box_xyxy is None:
        return len(nodes), [*nodes, _place(scene, -1, known.lost_xyxy, known, known.gone_sec)]
    fits = [_fit(trail, node, anchor, known.box_xyxy) for node in nodes]
    if max(fits, default=0.0) > 0:
        return int(np.argmax(fits)), nodes
    return len(nodes), [*nodes, _place(scene, anchor, known.box_xyxy, known, 0.0)]


def _fit(trail: _Trail, node: Node, anchor: int, box_xyxy: Floats) -> float:
    """How well a node agrees with the known box: their IoU at, or right beside, the anchor; 0 where it does not."""
    k = int(np.abs(node.positions - anchor).argmin())
    position = int(node.positions[k])
    if abs(position - anchor) > tracklets.BLINK_FRAMES or not trail.near(position, node.boxes_xyxy[k]):
        return 0.0
    overlap = float(boxes.iou_matrix(node.boxes_xyxy[[k]], box_xyxy[None])[0, 0])
    return overlap if overlap >= SAME_IOU else 0.0


def _place(scene: Scene, position: int, box_xyxy: Floats, known: Known, gone_sec: float) -> Node:
    """A node made of one box."""
    frame = max(0, position)
    middle = boxes.centres(box_xyxy[None])
    time_sec = scene.stills[frame].frame.time_sec - scene.direction * gone_sec
    return Node(
        tracklet=-1,
        positions=np.array([position], np.intp),
        boxes_xyxy=box_xyxy[None],
        scores=np.ones(1),
        ground=scene.to_ground(frame, middle),
        heights=boxes.statures(box_xyxy[None]) * scene.ground_zoom(frame),
        colours=known.reference.colours,
        sights=max(1, known.reference.sights),
        times_sec=np.array([time_sec]),
        opens=False,
        closes=not known.behind_a_cut and scene.at_border(box_xyxy),
        leaves=known.box_xyxy is None and known.place_px is not None and scene.at_border(box_xyxy),
    )


def _ways_out(
    scene: Scene, trail: _Trail, known: Known, anchor: int, nodes: list[Node]
) -> list[tuple[int, Node]]:
    """Where the proposal had him leave the picture, among others: (his last clear stretch before, that place)."""
    found = []
    for position in range(anchor, len(scene) - 1):
        box = trail.sights[position].box_xyxy
        gone = trail.sights[position + 1].reason == "left-picture"
        if box is None or not gone or not scene.at_border(box):
            continue
        before = [k for k, node in enumerate(nodes) if node.last <= position and trail.visits(node)]
        last = max(before, key=lambda k: nodes[k].last, default=None)
        if last is not None and not nodes[last].leaves and trail.keeps(nodes[last].last, position):
            found.append((last, replace(_place(scene, position, box, known, 0.0), closes=True, leaves=True)))
    return found


def _strangers(known: Known, nodes: list[Node]) -> NDArray[np.bool_]:
    """Which nodes begin with somebody who is known not to be he, (n,)."""
    if not len(known.strangers_xyxy):
        return np.zeros(len(nodes), np.bool_)
    early = np.array([node.first <= tracklets.BLINK_FRAMES for node in nodes])
    first = np.array([node.boxes_xyxy[0] for node in nodes])
    return np.asarray(early & (boxes.iou_matrix(first, known.strangers_xyxy).max(axis=1) > SAME_IOU))


def _after_cut(scene: Scene, nodes: list[Node], known: Known) -> Floats:
    """Price of each node, (n,), to be his after a cut: only a kit that nobody else wears says so."""
    price = np.full(len(nodes), linking.FORBIDDEN)
    if not known.census.unique:
        return price
    first_cut = next((p for p in range(1, len(scene)) if scene.is_cut(p - 1, p)), len(scene))
    there = [k for k, node in enumerate(nodes) if node.first >= 0 and node.last < first_cut]
    there = [k for k in there if nodes[k].scores.mean() >= SURE_SCORE]
    off = {k: _kit_off(known.reference, nodes[k]) for k in there}
    for k in there:
        beside = [o for o in there if o != k and _at_once(nodes[o], nodes[k])]
        crowd = [o for o in beside if _alike_in_size(nodes[o], nodes[k])]
        alone = all(off[o] - off[k] > KIT_GAP for o in beside)
        if off[k] < SURE_KIT and alone and len(crowd) >= CROWD:
            price[k] = FOUND_BY_KIT
    return price


def _at_once(node: Node, other: Node) -> bool:
    """Whether two people are in the picture at the same time."""
    return node.first <= other.last and other.first <= node.last


def _alike_in_size(node: Node, other: Node) -> bool:
    """Whether two people are seen by the same camera from about as far."""
    return bool(abs(np.log(np.median(node.heights) / np.median(other.heights))) < np.log(CROWD_RATIO))


def _kit_off(reference: Reference, node: Node) -> float:
    """How far a node's colours are from his kit, less what few sights are unsure by."""
    return reference.distance(node.colours) - linking.COLOUR_NOISE / float(np.sqrt(node.sights))


def _reference(known: Known, start: Node) -> Reference:
    if start.tracklet < 0:
        return known.reference
    if known.reference.sights < KNOWN_SIGHTS:
        return Reference(start.colours, min(REFERENCE_SIGHTS, start.sights))
    return known.reference.joined(start.colours, start.sights)


def _other_kit(
    nodes: list[Node], mine: list[int], start: int, reference: Reference
) -> tuple[int, int] | None:
    """A step, outwards from the start, to somebody in another kit."""
    if reference.sights < KNOWN_SIGHTS:
        return None
    begin = mine.index(start)
    steps = [*pairwise(mine[begin:]), *list(pairwise(mine[: begin + 1]))[::-1]]
    for origin, to in steps:
        there = nodes[to] if mine.index(to) > begin else nodes[origin]
        if _kit_off(reference, there) > KIT_LIMIT:
            return origin, to
    return None


def _without_doubt(
    nodes: list[Node], mine: list[int], links: list[Link], start: int, puzzle: Puzzle, reference: Reference
) -> _Solution:
    """Keep his chain, outwards from the start, as far as its steps are sure enough."""
    begin = mine.index(start)
    last, doubted = len(mine) - 1, None
    for k in range(begin, len(links)):
        if links[k].margin < DOUBT:
            last, doubted = k, links[k]
            break
    first = max((k + 1 for k in range(begin) if links[k].margin < DOUBT), default=0)
    others = [chain for chain in puzzle.chains() if start not in chain]
    if doubted is not None:
        others.append(mine[last + 1 :])
    return _Solution(nodes, mine[first : last + 1], links[first:last], doubted, others, reference)


def _redirect(trail: _Trail, solution: _Solution, anchor: int, tried: set[tuple[int, str]]) -> bool:
    """Send the proposal where the decision is; whether that was necessary."""
    for index in solution.mine:
        node = solution.nodes[index]
        if node.first <= anchor or (node.first, "found") in tried:
            continue
        agreed = [trail.near(int(p), b) for p, b in zip(node.positions, node.boxes_xyxy, strict=True)]
        if np.mean(agreed) < 0.5:
            tried.add((node.first, "found"))
            trail.restart(node.first, node.boxes_xyxy[0])
            return True
    last = max(anchor, solution.nodes[solution.mine[-1]].last)
    reason = "ambiguous" if solution.doubted else "occluded"
    if (last, "lost") not in tried and _strayed(trail, solution, last):
        tried.add((last, "lost"))
        trail.lose(last, reason)
        return True
    return False


def _strayed(trail: _Trail, solution: _Solution, last: int) -> bool:
    """Whether the proposal goes on with somebody who is not he."""
    strays: set[int] = set()
    for node in filter(trail.visits, _others(trail, solution)):
        late = np.flatnonzero(node.positions > last)
        strays |= {
            int(node.positions[k]) for k in late if trail.on(int(node.positions[k]), node.boxes_xyxy[k])
        }
    return len(strays) >= tracklets.MIN_NODE


def _others(trail: _Trail, solution: _Solution) -> Iterator[Node]:
    """The clear stretches of everybody else who was seen for a while, and at some time apart from the target.

    Who never is apart from him is a second box of the detector on him, and has no claim to a place. And nobody
    vanishes in the open: a short stretch that the proposal went through is a box that both are in.
    """
    for chain in solution.others:
        nodes = [solution.nodes[k] for k in chain]
        if (
            sum(len(n.positions) for n in nodes) >= CLAIM_SIGHTS
            and sum(map(trail.apart, nodes)) >= APART_SIGHTS
        ):
            yield from (node for node in nodes if not _both_in_it(trail, solution, node))


def _both_in_it(trail: _Trail, solution: _Solution, node: Node) -> bool:
    brief = trail.scene.elapsed_sec(max(0, node.first), node.last) < SHARED_SEC
    passes = node.last < len(trail.sights) - 1 and _kit_off(solution.reference, node) < KIT_LIMIT
    return brief and passes and trail.visits(node)


class _Assembly:
    """Puts the way together: clear sights, guesses between them, and losses."""

    def __init__(
        self, scene: Scene, trail: _Trail, solution: _Solution, known: Known, anchor: int, seam: int
    ) -> None:
        self.scene, self.trail, self.solution, self.known = scene, trail, solution, known
        self.anchor, self._seam = anchor, seam
        count = len(scene)
        self.sights: list[Sight] = [LOST] * count
        self.agreement: list[bool | None] = [None] * count
        self.similarity: list[float | None] = [None] * count
        self.certainty = [0.0] * count
        self.decisions: list[Decision] = []
        self._mine = [solution.nodes[index] for index in solution.mine]
        self._rivals = list(_others(trail, solution))
        self._claims = self._claimed()

    def passage(self) -> Passage:
        for node in self._mine:
            self._clear(node)
        for before, after, link in zip(self._mine, self._mine[1:], self.solution.links, strict=False):
            self._between(before, after, link)
        self._after(self._mine[-1])
        self._before(self._mine[0])
        self._certainties()
        commit = self._commit()
        return Passage(
            self.sights,
            self.similarity,
            self.agreement,
            self.certainty,
            self.decisions,
            commit,
            self._known_at(commit),
        )

    def _claimed(self) -> dict[int, list[Floats]]:
        """Boxes of everybody else's clear sights, by position."""
        claims: dict[int, list[Floats]] = {}
        for node in self._rivals:
            for position, box in zip(node.positions.tolist(), node.boxes_xyxy, strict=True):
                claims.setdefault(position, []).append(box)
        return claims

    def _free(self, position: int, sight: Sight) -> bool:
        """Whether a box is there and is nobody else's; who shares a box lies nearly upon somebody."""
        if sight.box_xyxy is None:
            return False
        claims = self._claims.get(position)
        limit = SAME_IOU if sight.state == State.SUPPORTED else SHARED_IOU
        return not claims or boxes.iou_matrix(sight.box_xyxy[None], np.array(claims)).max() < limit

    def _clear(self, node: Node) -> None:
        if node.first < 0:
            return
        alike = float(np.clip(self.solution.reference.colours @ node.colours, 0, 1))
        for position, box, score in zip(
            node.positions.tolist(), node.boxes_xyxy, node.scores.tolist(), strict=True
        ):
            self.sights[position] = Sight(State.SUPPORTED, box, score, (), None)
            self.similarity[position], self.agreement[position] = alike, True
        self._fill(node.positions.tolist(), list(node.boxes_xyxy))

    def _fill(self, positions: list[int], boxes_xyxy: list[Floats]) -> None:
        """Straight lines where the detector blinked between known boxes."""
        for (p, a), (q, b) in zip(
            zip(positions, boxes_xyxy, strict=True),
            zip(positions[1:], boxes_xyxy[1:], strict=True),
            strict=False,
        ):
            for position in range(p + 1, q):
                box = self._bridge(p, a, q, b, position)
                self.sights[position] = Sight(State.COASTING, box, 0.3, (), None)

    def _bridge(self, p: int, a_xyxy: Floats, q: int, b_xyxy: Floats, position: int) -> Floats:
        """A box on the straight way, on the ground, between two boxes."""
        share = (position - p) / (q - p)
        ends = [
            self.scene.to_ground(max(0, k), boxes.centres(box[None]))[0]
            for k, box in ((p, a_xyxy), (q, b_xyxy))
        ]
        middle = self.scene.from_ground(position, ((1 - share) * ends[0] + share * ends[1])[None])[0]
        sizes = [
            (box[2:] - box[:2]) * self.scene.zoom(max(0, k), position)
            for k, box in ((p, a_xyxy), (q, b_xyxy))
        ]
        size = sizes[0] ** (1 - share) * sizes[1] ** share
        return np.asarray(boxes.around(middle[None], size[None])[0], np.float64)

    def _box_at(self, node: Node, position: int) -> Floats:
        """The box of somebody's nearest clear sight, carried by the camera's motion alone."""
        k = int(np.abs(node.positions - position).argmin())
        near, box = max(0, int(node.positions[k])), node.boxes_xyxy[k]
        middle = self.scene.carry(near, position, boxes.centres(box[None]))
        size = (box[2:] - box[:2])[None] * self.scene.zoom(near, position)
        return np.asarray(boxes.around(middle, size)[0], np.float64)

    def _between(self, before: Node, after: Node, link: Link) -> None:
        """The part between two clear stretches of his, from both of its ends."""
        begin, end = max(0, before.last + 1), after.first
        back = way_back(self.scene, after, begin)
        away = before.leaves and after.enters
        guess = not away and self.scene.elapsed_sec(max(0, before.last), end) <= BRIDGE_SEC
        for position in range(begin, end):
            late = (position - before.last) / (end - before.last) > 0.5
            self.sights[position] = self._merge(position, back.get(position), late)
            known = self.sights[position].box_xyxy is not None
            if not known and guess:
                box = self._bridge(before.last, before.boxes_xyxy[-1], end, after.boxes_xyxy[0], position)
                self.sights[position] = Sight(State.COASTING, box, 0.1, (), None)
        kind = Kind.CROSSING if guess else Kind.FOUND_AGAIN
        rival = None if link.rival is None else self._box_at(self.solution.nodes[link.rival], end)
        if end - begin > 1 or before.tracklet != after.tracklet:
            self.decisions.append(Decision(kind, begin, end, link.margin, after.boxes_xyxy[0], rival))

    def _merge(self, position: int, back: Sight | None, late: bool) -> Sight:
        """One sight from the way there and the way back; the nearer end is believed where they differ."""
        there = self.trail.sights[position]
        ways = [sight for sight in (there, back) if sight is not None and self._free(position, sight)]
        if not ways:
            return replace(LOST, reason=there.reason or LOST.reason)
        if len(ways) == 2:
            first, second = (sight.box_xyxy for sight in ways)
            assert first is not None
            assert second is not None
            self.agreement[position] = _same(first, second)
            if self.agreement[position]:
                best = max(ways, key=lambda sight: (sight.state == State.SUPPORTED, sight.confidence))
                return replace(best, box_xyxy=(first + second) / 2)
            return replace(ways[1] if late else ways[0], state=State.COASTING, confidence=0.2)
        return ways[0]

    def _after(self, last: Node) -> None:
        """Behind his last clear stretch: the proposal while it is believable, then lost."""
        doubted = self.solution.doubted
        belief = BELIEF_SEC if doubted else np.inf
        lost: str | None = None
        # A touch in passing takes nothing from him; who goes on as somebody else is not he any more.
        taken = {p for node in filter(self.trail.visits, self._rivals) for p in node.positions.tolist()}
        for position in range(max(0, last.last + 1), len(self.scene)):
            sight = self.trail.sights[position]
            far = self.scene.elapsed_sec(max(0, last.last), position) > belief
            given = sight.box_xyxy is not None and position not in taken
            if lost is None and not far and given:
                free = self._free(position, sight)
                self.sights[position] = (
                    sight if free else replace(sight, state=State.COASTING, confidence=0.1)
                )
                continue
            lost = lost or ("ambiguous" if doubted else sight.reason or "occluded")
            if not self.scene.same_shot(max(0, last.last), position):
                lost = "cut"
            self.sights[position] = replace(LOST, reason=lost)
        if doubted is not None:
            to, rival_node = (
                None if k is None else self.solution.nodes[k] for k in (doubted.to, doubted.rival)
            )
            ends = [n.first for n in (to, rival_node) if n is not None]
            end = max([*ends, last.last]) if ends else len(self.scene) - 1
            box, rival = (None if n is None else self._box_at(n, end) for n in (to, rival_node))
            self.decisions.append(Decision(Kind.DECLINED, last.last, end, doubted.margin, box, rival))

    def _before(self, first: Node) -> None:
        """Before his first clear stretch: what following back proposed, or he is still lost."""
        known = self.known
        lost = replace(LOST, reason=known.lost_reason)
        for position in range(min(first.first, len(self.scene))):
            sight = self.trail.sights[position]
            usable = known.box_xyxy is not None and self._free(position, sight)
            self.sights[position] = sight if usable else lost

    def _certainties(self) -> None:
        """How likely each sight is his: the product of the steps between it and the known one."""
        sure = [1 / (1 + np.exp(-link.margin)) for link in self.solution.links]
        start = next((k for k, n in enumerate(self._mine) if n.first <= self.anchor <= n.last), 0)
        for k, node in enumerate(self._mine):
            steps = sure[start:k] if k >= start else sure[k:start]
            value = self.known.certainty * float(np.prod(steps))
            end = self._mine[k + 1].first if k + 1 < len(self._mine) else len(self.scene)
            for position in range(max(0, node.first), end):
                if self.sights[position].state != State.LOST:
                    self.certainty[position] = value
        for position in range(max(0, self._mine[0].first)):
            if self.sights[position].state != State.LOST:
                self.certainty[position] = self.known.certainty

    def _commit(self) -> int:
        """Where the next segment takes over: where he is seen clearly, and before the last `seam` positions."""
        cut = next((p for p in range(self.anchor + 1, len(self.scene)) if self.scene.is_cut(p - 1, p)), None)
        if cut is not None:
            return cut
        if self._seam == 0:
            return len(self.scene) - 1
        latest = max(self.anchor + 1, len(self.scene) - 1 - self._seam)
        clear = [
            position
            for node in self._mine
            for position in node.positions.tolist()
            if self.anchor + (latest - self.anchor) // 2 < position <= latest
        ]
        return min(max(clear, default=latest), len(self.scene) - 1)

    def _known_at(self, commit: int) -> Known:
        sight = self.sights[commit]
        reference, census = self.solution.reference, self._census()
        for node in self._mine:
            if node.tracklet >= 0 and node.last <= commit:
                reference = reference.joined(node.colours, node.sights)
        if sight.box_xyxy is not None:
            follower: Follower | None = self.trail.states[commit]
            if follower is None or follower.lost or not self.trail.near(commit, sight.box_xyxy):
                follower = None
            return Known(sight.box_xyxy, reference, follower, self.certainty[commit], census=census)
        strangers = np.array(self._others_at(commit)).reshape(-1, 4)
        gone_sec, place, tall, certainty = self._last_place(commit)
        follower = self.trail.states[commit] if self.trail.states[commit].lost else None
        reason = sight.reason or "not-seen"
        return Known(None, reference, follower, certainty, reason, gone_sec, place, tall, strangers, census)

    def _last_place(self, commit: int) -> tuple[float, Floats | None, float, float]:
        """How long ago he was seen, where that is now, how high he would be, and how sure it was he."""
        seen = [p for p in range(commit) if self.sights[p].box_xyxy is not None]
        scene, known = self.scene, self.known
        last = seen[-1] if seen else 0
        box = self.sights[last].box_xyxy
        if box is not None:
            middle, tall, certainty = (
                boxes.centres(box[None])[0],
                float(boxes.statures(box[None])[0]),
                self.certainty[last],
            )
        else:
            middle, tall, certainty = known.place_px, known.height_px, known.certainty
        gone_sec = scene.elapsed_sec(last, commit) + (0.0 if seen else known.gone_sec)
        stays = middle is not None and scene.same_shot(last, commit)
        place = scene.carry(last, commit, middle[None])[0] if stays and middle is not None else None
        return gone_sec, place, tall * scene.zoom(last, commit), certainty

    def _census(self) -> Census:
        """Who was seen together with him, in the frames where he is seen clearly."""
        census = self.known.census
        others = [self.solution.nodes[k] for chain in self.solution.others for k in chain]
        others = [node for node in others if node.sights >= KNOWN_SIGHTS]
        off = [self.solution.reference.distance(node.colours) for node in others]
        for position in range(0, len(self.scene), CENSUS_FRAMES):
            if self.sights[position].state == State.SUPPORTED:
                here = [d for d, n in zip(off, others, strict=True) if n.first <= position <= n.last]
                census = census.joined(sum(d > NEAR_KIT for d in here), sum(d <= NEAR_KIT for d in here))
        return census

    def _others_at(self, commit: int) -> list[Floats]:
        """Clear sights, there, of people who were seen together with him."""
        here = {p for p in range(commit + 1) if self.sights[p].state == State.SUPPORTED}
        found = []
        for chain in self.solution.others:
            nodes = [self.solution.nodes[k] for k in chain]
            together = any(here & set(node.positions.tolist()) for node in nodes)
            for node in nodes if together else []:
                found += [node.boxes_xyxy[k] for k in np.flatnonzero(node.positions == commit)]
        return found


def _same(first_xyxy: Floats | None, second_xyxy: Floats | None) -> bool:
    if first_xyxy is None or second_xyxy is None:
        return False
    return boxes.iou(first_xyxy, second_xyxy) >= SAME_IOU
