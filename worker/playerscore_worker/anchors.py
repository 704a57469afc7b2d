"""What a person says about further moments: from which boxes is walked, and one way of all walks.

Each box that a person gave is as certain as the confirmed one, so it is followed both ways, up to its neighbours.
Between two of them there are then two ways. Where both have the same place, he is there; where they differ, at
most one is right. A way that does not come to the next certain place is known to have gone wrong on the way: at
one of its encounters, the less sure the likelier. So each way is believed up to there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from playerscore.geometry import Box, iou
from playerscore_worker.camera import STILL
from playerscore_worker.following.joint import State
from playerscore_worker.following.segment import ABSENT, DOUBT, SAME_IOU, Kind
from playerscore_worker.path import STATES, PathDecision, PathSample, Piece, Samples, Start, in_time_order

# A wrong frame costs three lost ones: who is less likely than this is not taken.
ENOUGH: Final = float(1 / (1 + np.exp(-DOUBT)))
# A way that comes to the next certain place went right.
ARRIVED: Final = 0.99
# A way may go wrong unnoticed too: in all as likely as at one encounter that was this unsure.
UNNOTICED: Final = 0.02
# Two ways that exchanged two people did it where both were: places this far apart, in body heights, are one.
NEAR_H: Final = 0.3
# As likely as an exchange this near is one where one of the two ways has nobody.
UNSEEN_H: Final = 2 * NEAR_H
# Two ways that meet have this many clear sights in common.
MET_SIGHTS: Final = 5
SURE: Final = 0.999
SUPPORTED: Final = STATES.index(State.SUPPORTED)


@dataclass(frozen=True)
class Said:
    """What is known besides the confirmed box."""

    starts: tuple[Start, ...] = ()
    """Where he is at other moments."""
    absent_sec: tuple[float, ...] = ()
    """When he is not in the picture."""


@dataclass(frozen=True)
class Walk:
    """One way from a certain box."""

    start: Start
    backwards: bool
    end_sec: float
    """As far as it goes: the end of what is analysed, or the next certain box."""
    until: Start | None = None
    """That box."""
    absent_sec: tuple[float, ...] = ()
    """When he is out of the picture on its way, in its order."""


def plan(start: Start, said: Said, begin_sec: float, end_sec: float, frame_sec: float) -> list[Walk]:
    """The walks that are to be done, the confirmed box's first: back, then on.

    Of two boxes on one frame the confirmed one, or the first, is walked from; none outside of the range is.
    """
    half = frame_sec / 2
    starts = [start]
    for other in said.starts:
        apart = all(abs(other.time_sec - one.time_sec) > half for one in starts)
        if apart and begin_sec <= other.time_sec <= end_sec:
            starts.append(other)
    starts.sort(key=lambda one: one.time_sec)
    absent = sorted({sec for sec in said.absent_sec if begin_sec <= sec <= end_sec})
    walks = []
    for before, here, after in zip([None, *starts], starts, [*starts[1:], None], strict=False):
        first = before.time_sec if before else begin_sec
        last = after.time_sec if after else end_sec
        early = tuple(
            sec for sec in absent[::-1] if (not before or first + half < sec) and sec < here.time_sec - half
        )
        late = tuple(sec for sec in absent if here.time_sec + half < sec and (not after or sec < last - half))
        walks += [Walk(here, True, first, before, early), Walk(here, False, last, after, late)]
    return sorted(walks, key=lambda walk: walk.start is not start)


def kept(
    walks: Sequence[Walk],
    earlier: Samples,
    decisions: Sequence[PathDecision],
    fixed_sec: Sequence[float],
    fps: float,
) -> dict[int, Piece]:
    """What an earlier run answers of a plan, by the walks' places: what it found, and would find again.

    Between two certain boxes through which it goes, one walk has its way and the other nothing; beyond the last
    one as well, and there he is as sure as he was there. Beyond the last of `fixed_sec`, what was certain then, it
    came from there, wherever it went. Times in seconds.
    """
    found: dict[int, Piece] = {}
    for number, walk in enumerate(walks):
        rows, began = _between(walk, earlier, fps), replace(walk, until=None)
        through = _agrees(walk, rows, fps)
        if not through and not (_is_outermost(walk, fixed_sec, fps) and _agrees(began, rows, fps)):
            continue
        first, last = rows.time_sec[[0, -1]].tolist()
        told = [d for d in decisions if first <= d.begin_sec and d.end_sec <= last]
        if through and walk.until and walk.backwards:
            rows, told = rows[:0], []
        elif walk.backwards:
            rows = _turned(rows)
        if walk.until is None:
            rows.certainty[:] = np.minimum(1.0, rows.certainty / max(rows.certainty[0], ENOUGH))
        found[number] = Piece(number, rows, told)
    return found


def _is_outermost(walk: Walk, fixed_sec: Sequence[float], fps: float) -> bool:
    """Whether a walk begins at one of these, and none lies on its way."""
    off = [(sec - walk.start.time_sec) * (-1 if walk.backwards else 1) for sec in fixed_sec]
    return max(off, default=1.0) < 0.5 / fps and min(map(abs, off)) < 0.5 / fps


def shortened(walks: Sequence[Walk], known: dict[int, Piece]) -> list[Walk]:
    """The plan, where a walk that is known already has lost him and never found him up to the next certain box: the
    walk back from there needs to go no farther than where he was lost."""
    lost_sec = {}
    for number, piece in known.items():
        walk, seen = walks[number], np.flatnonzero(~np.isnan(piece.samples.box_xywh[:, 0]))
        if walk.until and len(seen) and seen[-1] < len(piece.samples) - 1:
            lost_sec[walk.until, walk.start] = float(piece.samples.time_sec[seen[-1]])
    return [
        replace(walk, end_sec=lost_sec.get((walk.start, walk.until), walk.end_sec)) if walk.until else walk
        for walk in walks
    ]


def _between(walk: Walk, samples: Samples, fps: float) -> Samples:
    """The samples of a walk, in the order of time."""
    end_sec = walk.until.time_sec if walk.until else walk.end_sec
    begin_sec, end_sec = sorted((walk.start.time_sec, end_sec))
    half = 0.5 / fps
    inside = (samples.time_sec > begin_sec - half) & (samples.time_sec < end_sec + half)
    return samples.rows(np.flatnonzero(inside))


def _agrees(walk: Walk, rows: Samples, fps: float) -> bool:
    """Whether samples go through the walk's certain boxes, and have him nowhere where he is said to be absent."""

    def at(sec: float) -> Box | None:
        place = int(np.abs(rows.time_sec - sec).argmin())
        box = rows.box_xywh[place]
        near = abs(rows.time_sec[place] - sec) <= 0.5 / fps
        return Box(*box.tolist()) if near and not np.isnan(box[0]) else None

    if not len(rows):
        return False
    boxes = [(at(one.time_sec), one) for one in (walk.start, walk.until) if one]
    through = all(box is not None and iou(box, one.box_xywh) >= SAME_IOU for box, one in boxes)
    return through and all(at(sec) is None for sec in walk.absent_sec)


def _turned(rows: Samples) -> Samples:
    """Samples as a walk the other way meets them: each with the camera's step from the one that is then before it."""
    turned = rows[::-1]
    steps = [STILL, *(sample.camera.inverse() for sample in turned[:-1])]
    for place, step in enumerate(steps):
        turned.matrix[place], turned.inlier_share[place] = step.matrix, step.inlier_share
    return turned


@dataclass(frozen=True)
class Joined:
    """One way of all walks."""

    samples: Samples
    """In the order of time."""
    decisions: list[PathDecision]
    unreached_sec: list[float]
    """Moments of a person's words to which no way leads from the certain boxes beside them, in order."""


def joined(
    walks: Sequence[Walk], said: Said, pieces: Sequence[Piece], fps: float, aspect: float = 16 / 9
) -> Joined:
    """All walks of a plan as one way; `pieces` are what they found, in pictures that are `aspect` times as wide as high."""
    pieces = [*pieces, *_unwalked(walks, pieces, fps)]
    ways = [_Way(walk, [p for p in pieces if p.walk == k], fps, aspect) for k, walk in enumerate(walks)]
    first, *inner, last = sorted(ways, key=lambda way: (way.walk.start.time_sec, not way.walk.backwards))
    gaps = [_Gap(there, back) for there, back in zip(inner[::2], inner[1::2], strict=True)]
    parts: list[_Way | _Gap] = [*gaps, last]
    decisions = [decision for part in (first, *parts) for decision in part.decisions()]
    return Joined(
        in_time_order(
            Samples.of(first.samples()), Samples.joined([Samples.of(part.samples()) for part in parts])
        ),
        sorted(decisions, key=lambda decision: decision.begin_sec),
        sorted({*_alone(gaps, walks[0].start), *_denied(ways), *_left_out(walks, said, fps)}),
    )


def _unwalked(walks: Sequence[Walk], pieces: Sequence[Piece], fps: float) -> Iterator[Piece]:
    """What a shortened walk onwards left out, up to the next certain box: frames on which it says nothing."""
    for number, walk in enumerate(walks):
        if walk.backwards or walk.until is None or walk.end_sec >= walk.until.time_sec - 0.5 / fps:
            continue
        back = next(k for k, other in enumerate(walks) if other.backwards and other.start is walk.until)
        there, whole = (Samples.joined([p.samples for p in pieces if p.walk == k]) for k in (number, back))
        onwards = _turned(whole)
        rest = onwards.rows(np.flatnonzero(onwards.time_sec > there.time_sec[-1] + 0.5 / fps))
        yield Piece(number, Samples.of(sample.lost(sample.reason or "not-seen") for sample in rest), [])


def _alone(gaps: Sequence["_Gap"], confirmed: Start) -> Iterator[float]:
    """The boxes to which no way leads; who was confirmed is where the others are to lead to."""
    for before, after in zip([None, *gaps], [*gaps, None], strict=True):
        beside = [gap for gap in (before, after) if gap]
        start = after.first if after else before.second if before else confirmed
        if beside and start is not confirmed and not any(gap.linked for gap in beside):
            yield start.time_sec


def _denied(ways: Sequence["_Way"]) -> Iterator[float]:
    """When he is followed, from whichever side, through a moment at which he is said to be absent."""
    for sec in {sec for way in ways for sec in way.walk.absent_sec}:
        if all(sec in way.denied_sec for way in ways if sec in way.walk.absent_sec):
            yield sec


def _left_out(walks: Sequence[Walk], said: Said, fps: float) -> Iterator[float]:
    """What no walk hears of: it lies outside, or is of the frame of another box, and says otherwise."""
    starts = {walk.start for walk in walks}
    for start in said.starts:
        beside = (one for one in starts if abs(one.time_sec - start.time_sec) <= 0.5 / fps)
        if not any(iou(one.box_xywh, start.box_xywh) >= SAME_IOU for one in beside):
            yield start.time_sec
    yield from set(said.absent_sec) - {sec for walk in walks for sec in walk.absent_sec}


class _Way:
    """What one walk found, in its order, and how far it is to be believed."""

    def __init__(self, walk: Walk, pieces: Sequence[Piece], fps: float, aspect: float) -> None:
        self.walk, self.fps, self.aspect = walk, fps, aspect
        self.found = Samples.joined([piece.samples for piece in pieces])
        self._decisions = [decision for piece in pieces for decision in piece.decisions]
        self.belief = self.found.certainty.copy()
        """(n,) how likely each sample is his, 0..1."""
        self.doubted = np.zeros(len(self.found), np.bool_)
        """(n,) whether it is known to go wrong before or behind that sample."""
        self.wrong = np.zeros(len(self.found))
        """(n,) how likely it went wrong there, for those."""
        self.absent: set[int] = set()
        """Places at which he is out of the picture."""
        self.denied_sec: list[float] = []
        """When it has him in the picture all the same."""
        begin = 0
        for sec in walk.absent_sec:
            begin = self._leave(begin, sec)
        self.arrives, self.strays = False, False
        """Whether it comes to the next certain box as he, or as somebody else."""
        self._arrive(begin)

    def at(self, sec: float) -> int | None:
        """The place of the sample of a moment; None where there is none."""
        if not len(self.found):
            return None
        place = int(np.abs(self.found.time_sec - sec).argmin())
        return place if abs(self.found.time_sec[place] - sec) <= 1 / self.fps else None

    def box(self, place: int) -> Box | None:
        box = self.found.box_xywh[place]
        return None if np.isnan(box[0]) else Box(*box.tolist())

    def believed(self, place: int) -> bool:
        return bool(self.belief[place] >= ENOUGH or not self.doubted[place])

    def _leave(self, begin: int, sec: float) -> int:
        """He is absent: whoever is followed there is somebody else. Returns where the way begins anew."""
        place = self.at(sec)
        if place is None:
            return begin
        if self.box(place) is not None:
            self.denied_sec.append(sec)
            self._doubt(begin, place)
        self.absent.add(place)
        self.belief[place], self.doubted[place] = 0.0, True
        return place + 1

    def _arrive(self, begin: int) -> None:
        """Compare it with the next certain box."""
        until = self.walk.until
        place = self.at(until.time_sec) if until else None
        box = None if place is None else self.box(place)
        if until is None or place is None or box is None:
            return
        self.arrives = iou(box, until.box_xywh) >= SAME_IOU
        self.strays = not self.arrives
        if self.arrives:
            self.belief[begin:] = np.maximum(self.belief[begin:], ARRIVED)
        else:
            self._doubt(begin, place)

    def _doubt(self, begin: int, end: int) -> None:
        """It went wrong between two places: at an encounter, the less sure the likelier, or unnoticed anywhere."""
        count = end + 1 - begin
        wrong = np.full(count, UNNOTICED / count)
        for decision in self._decisions:
            ends = sorted(
                at for sec in (decision.begin_sec, decision.end_sec) if (at := self.at(sec)) is not None
            )
            if decision.kind is not Kind.DECLINED and ends and begin <= ends[0] and ends[-1] <= end:
                span = slice(ends[0] - begin, ends[-1] + 1 - begin)
                wrong[span] += 1 / (1 + np.exp(decision.margin)) / (ends[-1] + 1 - ends[0])
        self.wrong[begin : end + 1] = wrong
        self.doubted[begin : end + 1] = True
        self.belief[begin : end + 1] = 1 - np.cumsum(wrong) / wrong.sum()

    def samples(self) -> Iterator[PathSample]:
        """Its samples, lost where it is not believed."""
        for place, sample in enumerate(self.found):
            yield sample if self.believed(place) else self.lost(place, sample)

    def lost(self, place: int, sample: PathSample) -> PathSample:
        return sample.lost(ABSENT if place in self.absent else sample.reason or "ambiguous")

    def decisions(self) -> Iterator[PathDecision]:
        """Those as which it is believed."""
        for place, decision in self.settled():
            if self.believed(place):
                yield decision

    def settled(self) -> Iterator[tuple[int, PathDecision]]:
        """Its decisions, each with the place at which it is settled."""
        for decision in self._decisions:
            place = self.at(decision.begin_sec if self.walk.backwards else decision.end_sec)
            if place is not None:
                back = self.walk.backwards if decision.backwards is None else decision.backwards
                yield place, replace(decision, backwards=back)


class _Gap:
    """What is between two certain boxes: the way there, and the way back."""

    def __init__(self, there: _Way, back: _Way) -> None:
        self._there, self._back = there, back
        self.first, self.second = there.walk.start, back.walk.start
        before = there.found.time_sec < self.second.time_sec - 0.5 / there.fps
        times = there.found.time_sec[: int(before.sum())].tolist()
        self._pairs = [(place, back.at(sec)) for place, sec in enumerate(times)]
        self._same = {
            (place, other)
            for place, other in self._pairs
            if other is not None and self._is_same(place, other)
        }
        if (there.strays or back.strays) and not (there.arrives or back.arrives):
            self._find_exchange()
        self._taken = {place: self._which(place, other) for place, other in self._pairs}
        strays = there.strays or back.strays
        self.linked = there.arrives or back.arrives or (not strays and (self._meet() or self._is_closed()))
        """Whether they are one person's, as far as anybody can tell."""

    def _is_same(self, place: int, other: int) -> bool:
        first, second = self._there.box(place), self._back.box(other)
        return first is not None and second is not None and iou(first, second) >= SAME_IOU

    def _meet(self) -> bool:
        """Whether both have the same place for a while."""
        met = sum(self._clear(place, other) == (True, True) for place, other in self._same)
        return met >= MET_SIGHTS

    def _is_closed(self) -> bool:
        """Whether nothing is open between: one follows the other, as at a cut, or he is known to be away."""
        away = {*self._there.walk.absent_sec} - {*self._there.denied_sec, *self._back.denied_sec}
        return bool(away) or all(way is not None for way, _ in self._taken.values())

    def _find_exchange(self) -> None:
        """Both went wrong, most likely at one encounter: there both are at one place, and behind it each is the other.

        The other case is that they went wrong independently: as unlikely as both are together.
        """
        there, back = self._there, self._back
        pairs = [(place, other) for place, other in self._pairs if other is not None]
        if not pairs:
            return
        places, others = (np.array(side) for side in zip(*pairs, strict=True))
        near = np.array([np.exp(-((self._apart_h(*pair) / NEAR_H) ** 2) / 2) for pair in pairs])
        here = near * (there.wrong[places] + back.wrong[others])
        apart = float(there.wrong.sum() or UNNOTICED) * float(back.wrong.sum() or UNNOTICED)
        before = np.cumsum(here)
        if there.strays:
            there.belief[places] = (before[-1] - before + apart * there.belief[places]) / (before[-1] + apart)
        if back.strays:
            back.belief[others] = (before + apart * back.belief[others]) / (before[-1] + apart)

    def _apart_h(self, place: int, other: int) -> float:
        """How far apart the two ways are, in heights."""
        a, b = self._there.box(place), self._back.box(other)
        if a is None or b is None:
            return UNSEEN_H
        wide = self._there.aspect
        off = np.hypot((a.x + a.w / 2 - b.x - b.w / 2) * wide, a.y + a.h / 2 - b.y - b.h / 2)
        return float(off / np.sqrt(a.h * b.h))

    def _clear(self, place: int, other: int) -> tuple[bool, bool]:
        """Whether a detection supports the one, and the other."""
        states = self._there.found.state[place], self._back.found.state[other]
        return states[0] == SUPPORTED, states[1] == SUPPORTED

    def _which(self, place: int, other: int | None) -> tuple[_Way | None, float]:
        """Whose place is taken, and how likely it is his."""
        there, back = self._there, self._back
        out = place in there.absent or other in back.absent
        has = not out and there.box(place) is not None
        if other is None or out or back.box(other) is None:
            return (there, there.belief[place]) if has and there.believed(place) else (None, 0.0)
        if not has:
            return (back, back.belief[other]) if back.believed(other) else (None, 0.0)
        p, q = (float(min(SURE, b)) for b in (there.belief[place], back.belief[other]))
        clear, their_clear = self._clear(place, other)
        if (place, other) in self._same:
            return (there if (clear, p) >= (their_clear, q) else back), 1 - (1 - p) * (1 - q)
        # At most one of two places is right.
        right, theirs = p * (1 - q) / (1 - p * q), q * (1 - p) / (1 - p * q)
        if max(right, theirs) >= ENOUGH:
            return (there, right) if right > theirs else (back, theirs)
        if min(p, q) >= ENOUGH and clear != their_clear:
            return (there, p) if clear else (back, q)
        return None, 0.0

    def samples(self) -> Iterator[PathSample]:
        """One way, in the order of time, up to before the second box."""
        for (place, other), sample in zip(self._pairs, self._there.found, strict=False):
            way, certainty = self._taken[place]
            if way is None:
                yield self._lost(place, other, sample)
                continue
            compared = other is not None and self._there.box(place) and self._back.box(other)
            chosen = sample if way is self._there or other is None else self._back.found[other]
            agreed = (place, other) in self._same if compared else chosen.agreement
            yield replace(chosen, certainty=round(certainty, 4), agreement=agreed, camera=sample.camera)

    def _lost(self, place: int, other: int | None, sample: PathSample) -> PathSample:
        if place in self._there.absent or other in self._back.absent:
            return sample.lost(ABSENT)
        theirs = self._back.found[other].reason if other is not None else None
        return sample.lost(sample.reason or theirs or "ambiguous")

    def decisions(self) -> Iterator[PathDecision]:
        """Those of the way that was taken; of both, the way there's."""
        back = {other: place for place, other in self._pairs if other is not None}
        for place, decision in self._there.settled():
            if place in self._taken and self._taken[place][0] in (self._there, None):
                yield decision
        for other, decision in self._back.settled():
            if other in back and self._taken[back[other]][0] is self._back:
                yield decision
