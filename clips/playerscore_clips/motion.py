"""How everybody moves in a clip: formations that follow the ball, runs, marking, and crossings on purpose.

The movement is planned in metres and seconds; nobody turns or accelerates as people cannot.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from playerscore_clips.camera import smoothed
from playerscore_clips.dice import Dice
from playerscore_clips.figures import cadence_hz
from playerscore_clips.truth import TOUCHLINE_M, Person

Numbers = npt.NDArray[np.float64]

HALF_LENGTH_M, HALF_WIDTH_M = TOUCHLINE_M
TEAM = 10
KEEPER_KIT, REFEREE_KIT = 2, 4
"""Kits 0 and 1 are the teams', 2 and 3 their keepers'."""
ACCELERATION = 4.0
ROOM_M = 0.7
"""Nearer than this people give way to each other."""
FORMATION = np.array(
    [[-34, -22], [-36, -7], [-36, 7], [-34, 22], [-14, -24], [-17, -8], [-17, 8], [-14, 24], [6, -7], [6, 9]],
    float,
)
_HURRY = ((0.6, 1.5, 5.0, 12.0, 25.0), (0.0, 1.1, 2.6, 5.2, 7.6))
"""Distance to where somebody wants to be, in metres, and how fast he goes there, in m/s."""


@dataclass(frozen=True)
class Motion:
    """Everybody's movement, each array (frames, people, ...)."""

    people: tuple[Person, ...]
    ball: Numbers
    """Ball on the pitch (frames, 2)."""
    place: Numbers
    speed: Numbers
    facing: Numbers
    """Unit vectors."""
    phase: Numbers
    """Of the stride, 0..1 and on."""
    struggle: Numbers | None = None
    """How much somebody pushes and pulls, 0..1."""
    fall: Numbers | None = None
    """How far somebody has fallen over, in radians: pi / 2 lies."""
    fall_to: Numbers | None = None
    """Where to, in radians from where he faces to his right."""

    def at(self, moments: Numbers) -> "Motion":
        """Return the motion at other moments (frames,), counted in its own frames, in any order and pace."""
        rows = moments.clip(0, len(self.ball) - 1)
        before = np.floor(rows).astype(int)
        after, share = np.minimum(before + 1, len(self.ball) - 1), rows - before

        def taken(values: Numbers) -> Numbers:
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            between: Numbers = values[before] * (1 - weight) + values[after] * weight
            return between

        def taken_if_any(values: Numbers | None) -> Numbers | None:
            return None if values is None else taken(values)

        walk = (taken(values) for values in (self.ball, self.place, self.speed, self.facing, self.phase))
        acts = (taken_if_any(values) for values in (self.struggle, self.fall, self.fall_to))
        return Motion(self.people, *walk, *acts)


@dataclass(frozen=True)
class Departure:
    """Somebody is to walk off at a time, over the near touchline."""

    second: float
    edge_y: float
    """Where the picture ends, in pitch metres."""


def ball_path(dice: Dice, frames: int, fps: float, calm_s: float = 0.0) -> Numbers:
    """Return the ball (frames, 2): passes between places, each carried on a little in between.

    For the first ``calm_s`` seconds it is passed short, so that the camera stays with the same people.
    """
    seconds, place = [0.0], [np.array([dice.normal(0, 10), dice.normal(0, 7)])]
    while seconds[-1] < frames / fps:
        reach = np.array([15.0, 12.0]) * (0.3 if seconds[-1] < calm_s else 1.0)
        hop = dice.rng.normal(0, 1, 2) * reach - 0.25 * place[-1]
        goal = np.clip(place[-1] + hop, [-42, -27], [42, 27])
        flight = max(0.6, float(np.linalg.norm(goal - place[-1])) / dice.uniform(12, 18))
        carried = np.clip(goal + dice.rng.normal(0, 2.5, 2), [-46, -31], [46, 31])
        seconds += [seconds[-1] + flight, seconds[-1] + flight + dice.uniform(0.8, 2.2)]
        place += [goal, carried]
    times = np.arange(frames) / fps
    path = np.column_stack([np.interp(times, seconds, [p[axis] for p in place]) for axis in (0, 1)])
    return smoothed(path, fps, 0.12)


def cast_of(leaver: int | None = None) -> tuple[Person, ...]:
    """Return ten players of each team, two goalkeepers and the referee; ids are their order."""
    roles = [(team, "player") for team in (0, 1) for _ in range(TEAM)]
    roles += [(0, "goalkeeper"), (1, "goalkeeper")]
    kits = [0] * TEAM + [1] * TEAM + [KEEPER_KIT, KEEPER_KIT + 1]
    people = [Person(i, team, role, kits[i], i == leaver) for i, (team, role) in enumerate(roles)]
    return (*people, Person(len(people), None, "referee", REFEREE_KIT))


def play(dice: Dice, ball: Numbers, fps: float, departure: Departure | None = None) -> Motion:
    """Return how everybody moves while the ball (frames, 2) goes its way."""
    plan = _Plan(dice, ball, fps, departure)
    frames, count = len(ball), len(plan.people)
    place, velocity = np.empty((frames, count, 2)), np.empty((frames, count, 2))
    now, moving = plan.start(), np.zeros((count, 2))
    for frame in range(frames):
        wanted = _wanted_velocity(plan.goals(frame, now) - now, plan.haste(frame), now)
        moving = moving + _limited(wanted - moving, ACCELERATION / fps)
        now = now + moving / fps
        place[frame], velocity[frame] = now, moving
    return walked(dice, plan.people, ball, place, velocity, fps)


def walked(dice: Dice, people: tuple[Person, ...], ball: Numbers, place: Numbers, velocity: Numbers,
           fps: float) -> Motion:  # fmt: skip
    """Return the motion of people who are at ``place`` (frames, people, 2), with strides and looks that suit."""
    speed = np.linalg.norm(velocity, axis=2)
    facing = _facing(velocity, speed, ball, place, fps)
    strides = np.vectorize(cadence_hz)(speed)
    phase = np.cumsum(strides, 0) / fps + dice.rng.random(len(people))
    return Motion(people, ball, place, speed, facing, phase)


def _limited(vectors: Numbers, most: float | Numbers) -> Numbers:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    shortened: Numbers = vectors * np.minimum(1.0, most / np.maximum(length, 1e-9))
    return shortened


def _wanted_velocity(way: Numbers, haste: Numbers, place: Numbers) -> Numbers:
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    pace = np.maximum(np.interp(distance, *_HURRY), haste[:, None] * (distance > 0.6))
    wanted: Numbers = way / np.maximum(distance, 1e-9) * pace
    apart = place[:, None] - place[None]
    gap = np.linalg.norm(apart, axis=2)
    push = np.clip(ROOM_M - gap, 0, None) * (gap > 0)
    wanted += (apart / np.maximum(gap, 0.05)[..., None] * push[..., None] * 3.0).sum(1)
    return wanted


def _facing(velocity: Numbers, speed: Numbers, ball: Numbers, place: Numbers, fps: float) -> Numbers:
    """Return where people look: where they run, or at the ball when they stand; they turn smoothly."""
    to_ball = ball[:, None] - place
    to_ball /= np.maximum(np.linalg.norm(to_ball, axis=2, keepdims=True), 0.1)
    run = np.clip((speed - 0.5) / 1.0, 0, 1)[..., None]
    wanted = velocity / np.maximum(speed, 0.1)[..., None] * run + to_ball * (1 - run)
    keep = math.exp(-1 / (0.18 * fps))
    facing: Numbers = np.empty_like(wanted)
    current = wanted[0]
    for frame, goal in enumerate(wanted):
        current = current * keep + goal * (1 - keep)
        facing[frame] = current
    facing /= np.maximum(np.linalg.norm(facing, axis=2, keepdims=True), 1e-6)
    return facing


class _Plan:
    """Where everybody wants to be, frame by frame."""

    def __init__(self, dice: Dice, ball: Numbers, fps: float, departure: Departure | None) -> None:
        self._dice, self._ball, self._fps, self._departure = dice, ball, fps, departure
        self._lag = smoothed(ball, fps, 0.7)
        self.people = cast_of()
        self._count = len(self.people)
        self._whim = np.zeros((self._count, 2))
        self._whim_until = np.zeros(self._count)
        self._crossing: dict[int, tuple[float, Numbers, float]] = {}
        self._next_crossing = 0.5
        self._marking = self._marks()
        self._leaver: int | None = None
        if departure is not None:
            self._leaver = self._choose_leaver()
            # Near enough to the edge to be gone in time, and well in the picture until then.
            self._waiting_y = departure.edge_y + min(12.0, max(4.5, 3.0 * departure.second))
            self.people = cast_of(self._leaver)

    def _marks(self) -> dict[int, tuple[int, Numbers]]:
        """Return who follows whom: a few defenders stay at an opponent's side."""
        pairs = zip((1, 2, TEAM + 1, TEAM + 2), (TEAM + 8, TEAM + 9, 8, 9), strict=True)
        return {
            who: (whom, self._dice.rng.normal(0, 0.9, 2)) for who, whom in pairs if self._dice.chance(0.7)
        }

    def start(self) -> Numbers:
        places = self._formation(0) + self._dice.rng.normal(0, 3, (self._count, 2))
        if self._leaver is not None:
            places[self._leaver] = [self._ball[0, 0] * 0.85 + self._dice.normal(0, 2), self._waiting_y]
        return places

    def _formation(self, frame: int) -> Numbers:
        ball = self._lag[frame]
        home = FORMATION * [0.8, 0.8] + ball * [0.55, 0.3]
        away = -FORMATION * [0.8, 0.8] + ball * [0.55, 0.3]
        keepers = [[side * 50.0 + ball[0] * 0.03, ball[1] * 0.12] for side in (-1, 1)]
        referee = ball + np.array([-7.0 if ball[0] > 0 else 7.0, -6.0])
        everybody: Numbers = np.clip(np.vstack([home, away, keepers, referee]), [-51, -33], [51, 33])
        return everybody

    def _choose_leaver(self) -> int:
        """Return the player of the first team who plays nearest to the camera and the ball."""
        distance = np.linalg.norm(self._formation(0)[4:8] - self._ball[0] - [0, -8], axis=1)
        return 4 + int(np.argmin(distance))

    def goals(self, frame: int, place: Numbers) -> Numbers:
        """Return where everybody wants to be (people, 2)."""
        second = frame / self._fps
        self._renew_whims(second)
        goals = self._formation(frame) + self._whim
        for who, (whom, offset) in self._marking.items():
            goals[who] = place[whom] + offset
        for first in (0, TEAM):  # the nearest two of each team go for the ball
            nearest = np.argsort(np.linalg.norm(place[first : first + TEAM] - self._ball[frame], axis=1))
            goals[first + nearest[0]] = self._ball[frame] + [0.4, -0.3]
            goals[first + nearest[1]] = self._lag[frame] + [3.0 if first else -3.0, 2.0]
        self._cross(second, frame, place, goals)
        self._depart(second, place, goals)
        return goals

    def _renew_whims(self, second: float) -> None:
        due = self._whim_until <= second
        count = int(due.sum())
        spread = np.where(np.arange(self._count) < 2 * TEAM, 4.0, 0.8)[due, None]
        self._whim[due] = self._dice.rng.normal(0, 1, (count, 2)) * spread
        self._whim_until[due] = second + self._dice.rng.uniform(1.5, 4.5, count)

    def _cross(self, second: float, frame: int, place: Numbers, goals: Numbers) -> None:
        """Let pairs near the ball run through each other's place, so that one hides the other."""
        if second >= self._next_crossing:
            self._next_crossing = second + self._dice.uniform(0.5, 1.3)
            self._start_crossing(second, frame, place)
        for who, (until, goal, _) in list(self._crossing.items()):
            if second > until or np.linalg.norm(place[who] - goal) < 1.0:
                del self._crossing[who]
            else:
                goals[who] = goal

    def _start_crossing(self, second: float, frame: int, place: Numbers) -> None:
        players = place[: 2 * TEAM]
        near = np.argsort(np.linalg.norm(players - self._lag[frame], axis=1))[:12]
        first = int(self._dice.choose(near.tolist()))
        gaps = np.linalg.norm(players[near] - players[first], axis=1)
        partners = [int(p) for p, gap in zip(near, gaps, strict=True) if 2.5 < gap < 14]
        if not partners:
            return
        other = self._dice.choose(partners)
        pace = self._dice.uniform(2.5, 6.5)
        way = players[other] - players[first]
        beyond = way / np.linalg.norm(way) * 2.5
        until = second + float(np.linalg.norm(way)) / pace + 1.0
        self._crossing[first] = (until, players[other] + beyond, pace)
        self._crossing[other] = (until, players[first] - beyond, pace)

    def _depart(self, second: float, place: Numbers, goals: Numbers) -> None:
        if self._departure is None or self._leaver is None:
            return
        who = self._leaver
        way_s = (place[who, 1] - self._departure.edge_y) / 5.0
        if second >= self._departure.second - way_s:
            goals[who] = [place[who, 0], self._departure.edge_y - 9.0]
        else:
            lag = self._lag[min(len(self._ball) - 1, int(second * self._fps))]
            goals[who] = [lag[0] * 0.85 + self._whim[who, 0] * 0.5, self._waiting_y]

    def haste(self, frame: int) -> Numbers:
        """Return the least speed at which people go where they want to be."""
        least = np.zeros(self._count)
        for who, (_, _, pace) in self._crossing.items():
            least[who] = pace
        if self._leaver is not None and self._departure is not None:
            least[self._leaver] = 2.0
        return least
