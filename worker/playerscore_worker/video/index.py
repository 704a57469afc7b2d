"""Which pictures a video has, in which order and when: known before one of them is decoded.

The packets of the picture track are listed once. Their time stamps say how many pictures a player shows, the
time of each and its number, so that a picture has the same number and time wherever the reading began, and a
damaged one is missing without moving the others. Time is 0 at the first picture that is shown; edit lists have
been applied by FFmpeg, which marks what they hide.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_STAMP: Final = -(2**63)
# Two time stamps closer than this are the same instant: containers round to 1/1000 s or coarser.
SAME_INSTANT_SEC: Final = 0.002
# A clock that leaps so far was set anew: a recorder was restarted, or two files were joined.
LEAP_FORWARD_SEC: Final = 10.0
LEAP_BACK_SEC: Final = 1.0
# Rates within this share of the mean are one rate, and the rest is the rounding of the container's clock.
STEADY_SHARE: Final = 0.05
# Where so many steps between packets are alike, a longer one is a hole.
STEADY_MAJORITY: Final = 0.8
DEFAULT_FPS: Final = 25.0
MAX_FPS: Final = 1000.0


@dataclass
class Packets:
    """What the container says of each packet of one track, in the order of the file."""

    pts: "array[int]" = field(default_factory=lambda: array("q"))
    dts: "array[int]" = field(default_factory=lambda: array("q"))
    pos: "array[int]" = field(default_factory=lambda: array("q"))
    duration: "array[int]" = field(default_factory=lambda: array("q"))
    key: "array[int]" = field(default_factory=lambda: array("b"))
    shown: "array[int]" = field(default_factory=lambda: array("b"))
    second: "array[int]" = field(default_factory=lambda: array("b"))
    """Whether it completes the picture of the packet before it: its second field."""

    def add(
        self,
        pts: int | None,
        dts: int | None,
        pos: int | None,
        duration: int | None,
        key: bool,
        shown: bool,
        second: bool = False,
    ) -> None:
        self.pts.append(NO_STAMP if pts is None else pts)
        self.dts.append(NO_STAMP if dts is None else dts)
        self.pos.append(-1 if pos is None else pos)
        self.duration.append(duration or 0)
        self.key.append(key and not second)
        self.shown.append(shown and not second)
        self.second.append(second)

    def drop_last(self) -> None:
        for column in (self.pts, self.dts, self.pos, self.duration, self.key, self.shown, self.second):
            column.pop()

    def hide(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.shown[number] = 0

    def __len__(self) -> int:
        return len(self.pts)


@dataclass(frozen=True)
class Clock:
    """What the container's time stamps mean."""

    tick_sec: float
    may_leap: bool = False
    """Whether a long step forwards is a clock that was set anew, and not a picture that stood still."""
    may_lack_order: bool = False
    """Whether stamps may be those of decoding alone, though pictures are not decoded in the order of showing."""
    fallback_fps: float = DEFAULT_FPS
    """The rate of a single picture."""


class Index:
    """The pictures of one track. A rank is a picture's number in the order of showing, from 0."""

    def __init__(self, packets: Packets, clock: Clock) -> None:
        pts, dts, duration = (
            np.array(column, np.int64) for column in (packets.pts, packets.dts, packets.duration)
        )
        self.pts, self.dts, self.pos = pts, dts, np.array(packets.pos, np.int64)
        shown, first = np.array(packets.shown, bool), ~np.array(packets.second, bool)
        tick_sec = clock.tick_sec
        unordered = clock.may_lack_order and len(np.unique(pts - dts)) == 1
        alike = 2 * len(np.unique(pts[shown])) < shown.sum()
        self.counted = unordered or alike or bool((pts[shown] == NO_STAMP).any())
        """Whether the order of pictures is not in the file, so that they can only be counted as they come out."""
        decoded = _without_gaps(dts, pts, duration)
        stamps = decoded if self.counted else pts
        corrections = _corrections(decoded, tick_sec, clock.may_leap)
        when_sec: Floats = (stamps + corrections) * np.float64(tick_sec)
        self.of_fields = not first.all()
        """Whether some pictures have a packet for each of their fields."""
        begun = np.flatnonzero(first)
        holes = _holes((decoded + corrections)[begun]) if clock.may_leap else []
        self.holes = frozenset(begun[holes].tolist())
        """Packets before which others are missing: they were lost where the file was recorded."""
        order = np.flatnonzero(shown)
        self.order: Ints = order[np.argsort(when_sec[order], kind="stable")]
        """The packet of each rank."""
        self.ranks: Ints = np.full(len(pts), -1, np.int64)
        """The rank of each packet; -1 when it shows nothing."""
        self.ranks[self.order] = np.arange(len(order))
        times = when_sec[self.order]
        first_sec = float(times[0]) if len(times) else 0.0
        self.fps = _nominal_rate(times, clock.fallback_fps)
        self.times_sec: Floats = _increasing(times - first_sec, 1 / self.fps)
        self.keys: Ints = np.flatnonzero(np.array(packets.key, bool))
        """Packets from which decoding can begin."""
        self._key_sec: Floats = when_sec[self.keys] - first_sec
        last = float(_lasting(duration, first, int(self.order[-1]))) * tick_sec if len(order) else 0.0
        self.duration_sec = float(self.times_sec[-1]) + (last or 1 / self.fps) if len(order) else 0.0

    def __len__(self) -> int:
        return len(self.order)

    @property
    def intra_only(self) -> bool:
        """Whether every picture stands for itself."""
        return len(self.keys) == len(self.ranks)

    def key_for(self, rank: int, earlier: int = 0) -> int:
        """The packet from which to decode so that this picture comes out; `earlier` goes further back. 0 at least."""
        at = np.flatnonzero(self._key_sec <= self.times_sec[rank] + 1e-9)
        before = at[self.keys[at] <= self.order[rank]]
        return int(self.keys[before[-1 - earlier]]) if len(before) > earlier else 0

    def next_key(self, packet: int) -> int:
        """The first packet after this one from which decoding can begin; the number of packets when none is."""
        at = int(np.searchsorted(self.keys, packet, side="right"))
        return int(self.keys[at]) if at < len(self.keys) else len(self.ranks)

    def find(self, pts: int | None, dts: int | None, pos: int | None) -> int | None:
        """The one packet with this place and these time stamps; None when it is not known."""
        found = np.arange(len(self.pts))
        for column, value in ((self.pos, pos), (self.pts, pts), (self.dts, dts)):
            if value is not None and value != -1 and len(found) != 1:
                fitting = found[column[found] == value]
                found = fitting if len(fitting) or column is not self.dts else found
        return int(found[0]) if len(found) == 1 else None

    def pick(self, start_sec: float, end_sec: float, max_fps: float) -> Ints:
        """Ranks of the pictures with start_sec <= time < end_sec, at most `max_fps` a second."""
        begin, end = np.searchsorted(self.times_sec, np.array([start_sec, end_sec]) - SAME_INSTANT_SEC)
        if max_fps >= self.fps * (1 - STEADY_SHARE / 10):
            return np.arange(begin, end)
        chosen: list[int] = []
        due_sec = float(self.times_sec[begin]) if begin < end else 0.0
        for rank, time_sec in enumerate(self.times_sec[begin:end].tolist(), int(begin)):
            if time_sec >= due_sec - SAME_INSTANT_SEC:
                chosen.append(rank)
                due_sec = max(due_sec + 1 / max_fps, time_sec - 1 / max_fps)
        return np.array(chosen, np.int64)


def _lasting(duration: Ints, first: NDArray[np.bool_], packet: int) -> int:
    """How long a packet's picture is shown, ticks: both its fields."""
    both = packet + 1 < len(first) and not first[packet + 1]
    return int(duration[packet : packet + 1 + both].sum())


def _without_gaps(dts: Ints, pts: Ints, duration: Ints) -> Ints:
    """When each packet is decoded; where the file does not say, after the one before it."""
    stamps = np.where(dts == NO_STAMP, pts, dts)
    first = int(np.argmax(dts != NO_STAMP)) if len(dts) else 0
    if first:
        # Before the first that is known: a time of showing would lie after it.
        stamps[:first] = dts[first] - np.cumsum(duration[:first][::-1])[::-1]
    known = stamps != NO_STAMP
    if not known.any():
        known, stamps = np.arange(len(stamps)) == 0, np.zeros_like(stamps)
    since = np.cumsum(duration) - duration
    at = np.maximum.accumulate(np.where(known, np.arange(len(stamps)), int(np.argmax(known))))
    filled: Ints = stamps[at] + since - since[at]
    return filled


def _corrections(dts: Ints, tick_sec: float, clock_may_leap: bool) -> Ints:
    """Ticks to add to each packet's time so that a clock that was set anew goes on where it was."""
    if len(dts) < 3:
        return np.zeros(len(dts), np.int64)
    steps = np.diff(dts)
    usual = int(np.median(steps[steps > 0])) if (steps > 0).any() else 1
    leaps = steps * tick_sec < -LEAP_BACK_SEC
    if clock_may_leap:
        leaps |= steps * tick_sec > LEAP_FORWARD_SEC
    return np.concatenate([[0], np.cumsum(np.where(leaps, usual - steps, 0))])


def _holes(dts: Ints) -> list[int]:
    """Where more than one step of a steady clock lies between two packets."""
    steps = np.diff(dts)
    if not len(steps):
        return []
    usual = float(np.median(steps))
    steady = np.abs(steps - usual) <= 0.1 * usual + 1
    return (
        [int(at) + 1 for at in np.flatnonzero(steps > 1.5 * usual)] if steady.mean() > STEADY_MAJORITY else []
    )


def _nominal_rate(times_sec: Floats, fallback_fps: float) -> float:
    """Pictures a second: the mean where the rate is steady, else the highest that is usual in the file."""
    steps = np.diff(times_sec)
    steps = steps[steps > 0]
    if not len(steps):
        return fallback_fps if 0 < fallback_fps <= MAX_FPS else DEFAULT_FPS
    mean, usual = 1 / float(steps.mean()), 1 / float(np.quantile(steps, 0.05, method="lower"))
    return min(MAX_FPS, mean if abs(usual / mean - 1) <= STEADY_SHARE else usual)


def _increasing(times_sec: Floats, step_sec: float) -> Floats:
    """The times, where one is not after the one before it a step later than that."""
    if (np.diff(times_sec) > 0).all():
        return times_sec
    made = times_sec.copy()
    for at in range(1, len(made)):
        if made[at] <= made[at - 1]:
            made[at] = made[at - 1] + step_sec
    return made
