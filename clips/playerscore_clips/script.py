"""Who is where when, told by key frames in metres and seconds: for scenes in which people meet on purpose."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from playerscore_clips import motion
from playerscore_clips.camera import smoothed
from playerscore_clips.dice import Dice
from playerscore_clips.motion import Motion
from playerscore_clips.truth import Person

Numbers = npt.NDArray[np.float64]
Place = Numbers | tuple[float, float]

HEAVINESS_S = 0.3
"""How smoothly people follow their key frames."""
FASTEST_MPS = 8.0
STEP_S = 0.15
"""Between the key frames of people who touch each other."""


class Script:
    """Collects key frames of everybody; ``play`` makes them a motion."""

    def __init__(self, dice: Dice, people: tuple[Person, ...], seconds: float, fps: float) -> None:
        self.people, self.seconds, self.fps = people, seconds, fps
        self._dice = dice
        self._keys: list[list[tuple[float, Numbers]]] = [[] for _ in people]
        self._ball: list[tuple[float, Numbers]] = []
        self._touches: list[tuple[slice, list[int]]] = []
        frames = max(1, round(seconds * fps))
        self._lying: list[tuple[slice, int]] = []
        self.struggle = np.zeros((frames, len(people)))
        self.fall = np.zeros((frames, len(people)))
        self.fall_to = np.zeros((frames, len(people)))

    def put(self, who: int, second: float, place: Place) -> None:
        """Have somebody at a place at a time; he goes straight from one place to the next."""
        self._keys[who].append((second, np.asarray(place, float)))
        self._keys[who].sort(key=lambda key: key[0])

    def ball(self, second: float, place: Place) -> None:
        self._ball.append((second, np.asarray(place, float)))

    def last(self, who: int) -> tuple[float, Numbers]:
        """Return when and where somebody's last key frame is."""
        return self._keys[who][-1]

    def keyed(self) -> list[int]:
        """Return who has key frames."""
        return [who for who, keys in enumerate(self._keys) if keys]

    def free_of_people(self, place: Numbers, room_m: float) -> bool:
        """Return whether no key frame of anybody is near a place."""
        return all(np.linalg.norm(key - place) > room_m for keys in self._keys for _, key in keys)

    def meet(self, group: Sequence[int], second: float, lasts: float, place: Place, *,
             drift: Place = (0.0, 0.0), apart_m: float = 0.5, turn: float = 0.0, angle: float = 0.0,
             struggle: float = 1.0) -> Numbers:  # fmt: skip
        """Have people touch each other from ``second`` on; return where they are when they part (2,).

        They stand in a circle of ``apart_m`` whose first one is at ``angle``, turn by ``turn`` radians and
        move on with ``drift`` metres a second.
        """
        middle, drift = np.asarray(place, float), np.asarray(drift, float)
        for t in np.linspace(0, lasts, max(2, math.ceil(lasts / STEP_S))):
            for i, who in enumerate(group):
                a = angle + 2 * math.pi * i / len(group) + turn * t / max(lasts, 0.1)
                offset = 0.5 * apart_m * np.array([math.cos(a), math.sin(a)])
                self.put(who, second + float(t), middle + drift * t + offset)
        # The smoothed path comes HEAVINESS_S after its key frames.
        begin, end = ((second + HEAVINESS_S + q) * self.fps for q in (-0.2, lasts + 0.2))
        span = slice(max(0, round(begin)), max(0, round(end)))
        self.struggle[span, list(group)] = struggle
        self._touches.append((span, list(group)))
        parted: Numbers = middle + drift * lasts
        return parted

    def tumble(self, who: int, second: float, lies_s: float, to: float, depth: float = 1.5) -> None:
        """Have somebody fall within a third of a second, lie, and get up within another two thirds.

        ``to`` is where he falls, from where he faces to his right; ``depth`` how far, pi / 2 lies flat.
        """
        times = np.arange(len(self.fall)) / self.fps - second - HEAVINESS_S
        shape = np.interp(times, [0, 0.25, 0.25 + lies_s, 0.9 + lies_s], [0, depth, depth, 0])
        self.fall[:, who] = np.maximum(self.fall[:, who], shape)
        span = slice(max(0, int(np.argmax(times >= 0))), max(1, int((times <= 1.1 + lies_s).sum())))
        self.fall_to[span, who] = to
        self._lying.append((span, who))

    def loiter(self, who: int, home: Place, spread_m: float = 0.8, second: float = 0.0) -> None:
        """Have somebody walk about near a place from a time on."""
        while second < self.seconds + 1:
            self.put(who, second, np.asarray(home) + self._dice.rng.normal(0, spread_m, 2))
            second += self._dice.uniform(1.0, 2.5)

    def play(self) -> Motion:
        """Return how everybody moves."""
        times = np.arange(len(self.struggle)) / self.fps
        step_m = FASTEST_MPS / self.fps
        place = np.stack([_reached(self._way(keys, times), step_m) for keys in self._keys], 1)
        place = smoothed(place.reshape(len(times), -1), self.fps, HEAVINESS_S).reshape(place.shape)
        ball = smoothed(self._way(sorted(self._ball, key=lambda key: key[0]), times), self.fps, 0.15)
        velocity = np.gradient(place, axis=0) * self.fps
        moved = motion.walked(self._dice, self.people, ball, place, velocity, self.fps)
        for span, group in self._touches:  # who struggles looks at whom he struggles with
            inward = place[span, group].mean(1, keepdims=True) - place[span, group]
            mixed = moved.facing[span, group] * 0.4 + inward / np.maximum(_length(inward), 0.05)
            moved.facing[span, group] = mixed / np.maximum(_length(mixed), 1e-6)
        for frames, who in self._lying:  # who lies does not turn round on the spot
            moved.facing[frames, who] = moved.facing[frames.start, who]
        soft = smoothed(self.struggle, self.fps, 0.15).clip(0, 1)
        return replace(
            moved,
            struggle=soft * (soft > 0.02),
            fall=smoothed(self.fall, self.fps, 0.06).clip(0, 1.57),
            fall_to=self.fall_to,
        )

    @staticmethod
    def _way(keys: list[tuple[float, Numbers]], times: Numbers) -> Numbers:
        """Return the straight way from key frame to key frame (frames, 2)."""
        seconds = [second for second, _ in keys]
        return np.column_stack(
            [np.interp(times, seconds, [place[axis] for _, place in keys]) for axis in (0, 1)]
        )


def _reached(way: Numbers, step_m: float) -> Numbers:
    """Return how somebody keeps up with a way (frames, 2) who goes ``step_m`` a frame at most."""
    now, reached = way[0], np.empty_like(way)
    for frame, goal in enumerate(way):
        left = goal - now
        now = now + left * min(1.0, step_m / max(float(np.hypot(*left)), 1e-9))
        reached[frame] = now
    return reached


def _length(vectors: Numbers) -> Numbers:
    length: Numbers = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return length
