"""What scenes share: the plan of a clip, where cameras stand and how they are held, and bystanders."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from playerscore_clips import motion
from playerscore_clips.camera import Camera, look_at, smoothed, wander
from playerscore_clips.dice import Dice
from playerscore_clips.effects import Effects
from playerscore_clips.motion import FORMATION, HALF_LENGTH_M, HALF_WIDTH_M, REFEREE_KIT, Motion
from playerscore_clips.script import Script
from playerscore_clips.truth import Person

Numbers = npt.NDArray[np.float64]
Stand = tuple[float, float, float]

FPS = 25
_KEPT_TO = (np.array([-50.0, -32.0]), np.array([50.0, 32.0]))
"""Bystanders stay on the pitch."""


@dataclass
class Plan:
    """What is filmed, and how."""

    moved: Motion
    cameras: list[Camera]
    cuts: tuple[int, ...] = ()
    noise: float = 2.5
    encoder: dict[str, str] | None = None
    """Of x264; without it anything from 1 to about 12 Mbit/s."""
    style: str = "apart"
    """Of the kits, one of ``wardrobe.STYLES``."""
    night: float = 0.0
    """How much darker than by day it is, 0..1."""
    effects: Effects = field(default_factory=lambda: Effects(nets=True))


def size(dice: Dice) -> tuple[int, int]:
    return (1280, 720) if dice.chance(0.25) else (960, 540)


def stand(dice: Dice) -> Stand:
    """Return where a broadcast's main camera stands."""
    return dice.uniform(-18, 18), dice.uniform(-72, -56), dice.uniform(14, 24)


def somewhere(dice: Dice) -> Numbers:
    """Return where on the pitch something happens (2,)."""
    return np.array([dice.uniform(-30, 30), dice.uniform(-14, 16)])


def filmed(dice: Dice, aim: Numbers, person_px: float, size: tuple[int, int], stand: Stand,
           zoom: Numbers | None = None, heaviness_s: float = 0.8) -> list[Camera]:  # fmt: skip
    """Return a camera for every frame that an operator holds on ``aim`` (frames, 2).

    A person where it aims at first is ``person_px`` high, times ``zoom`` (frames,).
    """
    frames = len(aim)
    distance = float(np.linalg.norm(np.array(stand) - [*aim[0], 0.0]))
    breath = 1 + 0.02 * wander(dice, frames, FPS, 3.0)
    focal = person_px * distance / 1.8 * breath * (1.0 if zoom is None else zoom)
    shake = np.array([wander(dice, frames, FPS, 0.35) * 0.3 / focal for _ in range(2)])
    return look_at(stand, smoothed(aim, FPS, heaviness_s), focal, size, shake)


def bystanders(dice: Dice, script: Script, middle: Numbers, near: int, room_m: float = 2.4) -> None:
    """Have everybody without key frames walk about: some ``near`` the middle, the rest in formation.

    Who has key frames walks about where his last one is.
    """
    for who in script.keyed():
        second, place = script.last(who)
        script.loiter(who, place + dice.rng.normal(0, 1.5, 2), 1.0, second + dice.uniform(0.8, 1.5))
    rest = [who for who in range(len(script.people)) if who not in script.keyed()]
    dice.rng.shuffle(rest)
    homes = np.vstack([FORMATION, -FORMATION, [[-50.0, 0], [50.0, 0], [0.0, -8]]])
    for number, who in enumerate(rest):
        spread = (9.0, 6.0) if number < near and script.people[who].role != "goalkeeper" else (3.0, 3.0)
        centre = middle if spread[0] > 5 else homes[who]
        for _ in range(60):
            place = np.clip(centre + dice.rng.normal(0, spread), *_KEPT_TO)
            if script.free_of_people(place, room_m):
                break
        script.loiter(who, place)


def toward(angle: float) -> Numbers:
    """Return the unit vector (2,) of an angle."""
    return np.array([math.cos(angle), math.sin(angle)])


def wide_play(dice: Dice, seconds: float, person_px: float, size: tuple[int, int], stand: Stand) -> Plan:
    """Return ordinary play in a wide shot that follows the ball."""
    ball = motion.ball_path(dice, round(seconds * FPS), FPS)
    moved = motion.play(dice, ball, FPS)
    aim = np.clip(ball * [0.85, 0.45], [-36, -9], [36, 9])
    return Plan(moved, filmed(dice, aim, person_px, size, stand))


def people_beside(dice: Dice, first_id: int, x: float) -> list[tuple[Person, Numbers]]:
    """Return people who stand beside the far touchline around ``x`` and behind the goals, and where.

    Two coaches, some ball boys in one bib, and spectators in clusters.
    """
    staff, bib = REFEREE_KIT + 1, REFEREE_KIT + 2
    found: list[tuple[Person, Numbers]] = []

    def add(role: str, kit: int, place: tuple[float, float]) -> None:
        found.append((Person(first_id + len(found), None, role, kit), np.array(place)))

    for _ in range(2):
        add("coach", staff, (x + dice.normal(0, 9), HALF_WIDTH_M + dice.uniform(1.4, 2.6)))
    for _ in range(3):
        add("ballboy", bib, (x + dice.uniform(-22, 22), HALF_WIDTH_M + dice.uniform(2.5, 4)))
    for side in (-1, 1):
        add("ballboy", bib, (side * (HALF_LENGTH_M + dice.uniform(3, 6)), dice.sign() * dice.uniform(6, 20)))
    for _ in range(dice.integer(2, 5)):
        start = x + dice.uniform(-20, 20)
        for place in range(dice.integer(1, 5)):
            kit = bib + 1 + len(found)
            add("spectator", kit, (start + 0.8 * place, HALF_WIDTH_M + dice.uniform(3.6, 4.8)))
    return found


def metres(x: float, y: float) -> Numbers:
    """Return a way or place on the pitch (2,)."""
    return np.array([x, y], float)
