"""Named hard scenes: what real matches do to whoever follows a player, with the truth of every frame."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from playerscore_clips import film, motion
from playerscore_clips.camera import Camera, look_at, smoothed, wander
from playerscore_clips.dice import Dice
from playerscore_clips.film import Clip, Film, Footage, Progress
from playerscore_clips.motion import FORMATION, TEAM, Motion
from playerscore_clips.script import Script
from playerscore_clips.stadium import Stadium
from playerscore_clips.truth import load_truth

__all__ = ["SCENES", "SETS", "Clip", "load_truth", "render_scene"]

Numbers = npt.NDArray[np.float64]
Stand = tuple[float, float, float]

SETS: dict[str, tuple[int, ...]] = {
    "train": tuple(range(1000, 1012)),
    "choose": tuple(range(2000, 2004)),
    "report": tuple(range(3000, 3004)),
}
"""Seeds to train with, to choose constants by, and to report; no set may be used for another's purpose."""

FPS = 25


@dataclass
class Plan:
    """What is filmed, and how."""

    moved: Motion
    cameras: list[Camera]
    cuts: tuple[int, ...] = ()
    fps: int = FPS
    noise: float = 2.5
    encoder: dict[str, str] = field(default_factory=lambda: {"crf": "23"})


@dataclass(frozen=True)
class Scene:
    """A kind of hard clip."""

    hard: str
    """What is hard about it, in a sentence."""
    plan: Callable[[Dice], Plan]


def render_scene(name: str, seed: int, folder: Path, on_progress: Progress | None = None) -> Clip:
    """Draw a scene, write ``<name>-<seed>.mp4`` and its truth into ``folder``, and return both.

    The pixels and the truth depend on name and seed alone.
    """
    return film.write(_film(name, seed), folder, f"{name}-{seed}", on_progress)


def _film(name: str, seed: int) -> Film:
    action, scenery, grain = (Dice((zlib.crc32(name.encode()), seed, stream)) for stream in range(3))
    plan = SCENES[name].plan(action)
    stadium, light = Stadium(scenery), film.random_light(scenery)
    cast = film.random_cast(scenery, plan.moved.people, stadium.turf)
    size = plan.cameras[0].width, plan.cameras[0].height
    tone = film.tone_curve(scenery)
    footage = Footage(*size, plan.fps, seed, plan.noise, tone, plan.encoder)
    return Film(footage, cast, plan.moved, plan.cameras, stadium, light, grain, plan.cuts)


# Places, cameras and bystanders that scenes share.


def _size(dice: Dice) -> tuple[int, int]:
    return (1280, 720) if dice.chance(0.25) else (960, 540)


def _stand(dice: Dice) -> Stand:
    """Return where a broadcast's main camera stands."""
    return dice.uniform(-18, 18), dice.uniform(-72, -56), dice.uniform(14, 24)


def _ground(dice: Dice) -> Numbers:
    """Return where on the pitch something happens (2,)."""
    return np.array([dice.uniform(-30, 30), dice.uniform(-14, 16)])


def _filmed(dice: Dice, aim: Numbers, person_px: float, size: tuple[int, int], stand: Stand,
            zoom: Numbers | None = None) -> list[Camera]:  # fmt: skip
    """Return a camera for every frame that an operator holds on ``aim`` (frames, 2).

    A person where it aims at first is ``person_px`` high, times ``zoom`` (frames,).
    """
    frames = len(aim)
    distance = float(np.linalg.norm(np.array(stand) - [*aim[0], 0.0]))
    breath = 1 + 0.02 * wander(dice, frames, FPS, 3.0)
    focal = person_px * distance / 1.8 * breath * (1.0 if zoom is None else zoom)
    shake = np.array([wander(dice, frames, FPS, 0.35) * 0.3 / focal for _ in range(2)])
    return look_at(stand, smoothed(aim, FPS, 0.8), focal, size, shake)


def _bystanders(dice: Dice, script: Script, middle: Numbers, near: int, room_m: float = 2.4) -> None:
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
            place = centre + dice.rng.normal(0, spread)
            if script.free_of_people(place, room_m):
                break
        script.loiter(who, place)


# Duels.

_PARTINGS = ("cross", "bounce", "together")


def _duels(dice: Dice, mates: bool) -> Plan:
    """Return a clip in which three pairs meet again and again."""
    seconds, size, middle = dice.uniform(7.0, 9.0), _size(dice), _ground(dice)
    script = Script(dice, motion.cast_of(), seconds, FPS)
    first, second = (dice.rng.permutation(TEAM) for _ in range(2))
    pairs = [(int(first[0]), int(first[1])), (TEAM + int(second[0]), TEAM + int(second[1]))]
    if not mates:
        pairs = [(int(first[i]), TEAM + int(second[i])) for i in range(3)]
    for number, pair in enumerate(pairs):
        offset = np.array([(number - 0.5 * (len(pairs) - 1)) * 7.5, dice.uniform(-3, 3)])
        _pair_duels(dice, script, pair, middle + offset)
    _bystanders(dice, script, middle, near=7)
    script.ball(0, middle)
    for beat in np.arange(1.0, seconds, 1.6):
        script.ball(float(beat), middle + dice.rng.normal(0, (4.0, 2.5)))
    moved = script.play()
    person_px = dice.uniform(36, 80) * size[1] / 540
    aim = 0.6 * middle + 0.4 * smoothed(moved.ball, FPS, 1.0)
    return Plan(moved, _filmed(dice, aim, person_px, size, _stand(dice)))


def _pair_duels(dice: Dice, script: Script, pair: tuple[int, int], place: Numbers) -> None:
    """Have two people meet for 0.3 to 2 s, part, and meet again elsewhere, until the clip is over."""
    way = dice.uniform(0, 2 * math.pi)
    apart = way + dice.uniform(1.6, 4.6)
    for who, angle in zip(pair, (way, apart), strict=True):
        script.put(who, 0.0, place + dice.uniform(3, 5) * _toward(angle))
    second = dice.uniform(0.7, 1.5)
    while second < script.seconds - 1.0:
        begun = [script.last(who)[1] for who in pair]
        lasts = dice.uniform(0.3, 2.0)
        drift = dice.uniform(0, 3.0) * _toward(dice.uniform(0, 2 * math.pi))
        # Half of them one behind the other as the camera sees it, half shoulder to shoulder.
        angle = dice.choose((0.0, math.pi / 2, math.pi, -math.pi / 2)) + dice.normal(0, 0.3)
        parted = script.meet(pair, second, lasts, place, drift=drift, apart_m=dice.uniform(0.3, 0.6),
                             angle=angle, turn=dice.uniform(-math.pi, math.pi),
                             struggle=dice.choose((0.0, 0.5, 1.0)))  # fmt: skip
        second = _part(dice, script, pair, second + lasts, place, parted, begun)
        place = 0.6 * parted + 0.4 * place + dice.rng.normal(0, 0.8, 2)


def _part(dice: Dice, script: Script, pair: tuple[int, int], second: float, met: Numbers, parted: Numbers,
          begun: list[Numbers]) -> float:  # fmt: skip
    """Send two people apart: each on, or back to where he came from, or both one way; return when they meet."""
    how, lasts = dice.choose(_PARTINGS), dice.uniform(0.7, 1.2)
    common = dice.uniform(0, 2 * math.pi)
    for number, who in enumerate(pair):
        came = math.atan2(*(begun[number] - met)[::-1])
        angle = {"cross": came + math.pi, "bounce": came, "together": common + (number - 0.5) * 0.9}[how]
        goal = parted + dice.uniform(2.2, 4.5) * _toward(angle + dice.normal(0, 0.25))
        script.put(who, second + lasts, goal)
    return second + lasts + dice.uniform(0.8, 1.6)


def _toward(angle: float) -> Numbers:
    return np.array([math.cos(angle), math.sin(angle)])


# Absences.


def _away(dice: Dice) -> Plan:
    """Return a clip at whose borders people leave and come back, others in their place."""
    seconds, size = 9.0, _size(dice)
    side = dice.sign()
    middle = np.array([side * dice.uniform(36, 42), dice.uniform(-6, 6)])
    stand = _stand(dice)
    person_px = dice.uniform(48, 84) * size[1] / 540
    script = Script(dice, motion.cast_of(), seconds, FPS)
    frames = len(script.struggle)
    swing = dice.uniform(1.5, 4.0) * wander(dice, frames, FPS, 2.5) if dice.chance(0.5) else np.zeros(frames)
    cameras = _filmed(dice, middle + np.column_stack([swing, np.zeros(frames)]), person_px, size, stand)
    keeper = 2 * TEAM + (1 if side > 0 else 0)
    leavers = [keeper, *dice.rng.permutation(TEAM)[:2].tolist(), TEAM + int(dice.integer(0, TEAM))]
    edges = ["right" if side > 0 else "left", "left" if side > 0 else "right", "bottom", "right"]
    for who, edge in zip(leavers, edges, strict=True):
        _leave_and_return(dice, script, who, edge, cameras[0])
    _bystanders(dice, script, middle, near=6)
    for beat in np.arange(0.0, seconds + 1, 1.3):
        script.ball(float(beat), middle + dice.rng.normal(0, (4.0, 3.0)))
    return Plan(script.play(), cameras)


def _leave_and_return(dice: Dice, script: Script, who: int, edge: str, camera: Camera) -> None:
    """Have somebody walk over a border of the picture, stay away 1 to 4 s and return; a mate comes instead."""
    door, outward = _door(dice, camera, edge)
    second = dice.uniform(0.3, 1.5)
    script.put(who, 0.0, door - outward * dice.uniform(3.5, 5.5) + dice.rng.normal(0, 0.7, 2))
    gone = second + dice.uniform(0.9, 1.4)
    script.put(who, gone, door - outward * 0.1)
    if dice.chance(0.6):  # cut in two by the border for a while
        gone += dice.uniform(0.4, 1.2)
        script.put(who, gone, door + outward * dice.uniform(-0.15, 0.15))
    away = dice.uniform(1.0, 4.0)
    along = np.array([-outward[1], outward[0]])
    script.put(who, gone + 0.5, door + outward * 2.0)
    back = door + along * dice.normal(0, 1.2)
    script.put(who, gone + away, back + outward * 1.2)
    script.put(who, gone + away + 1.3, back - outward * dice.uniform(3, 5))
    mate = _mate_of(dice, script, who)
    if mate is not None:
        script.put(mate, 0.0, door + outward * dice.uniform(3, 6) + along * dice.normal(0, 1.5))
        come = gone + dice.uniform(0.4, 0.9)
        script.put(mate, come, door + outward * 1.5 + along * 0.8)
        script.put(mate, come + 1.4, door - outward * dice.uniform(2.5, 5) + along * dice.uniform(-2, 2))


def _mate_of(dice: Dice, script: Script, who: int) -> int | None:
    kit, busy = script.people[who].kit, script.keyed()
    mates = [p.id for p in script.people if p.kit == kit and p.id not in busy]
    return dice.choose(mates) if mates else None


def _door(dice: Dice, camera: Camera, edge: str) -> tuple[Numbers, Numbers]:
    """Return a place at a border of the picture (2,) and the direction that leads out of it (2,)."""
    width, height = camera.width, camera.height
    u, v = {"left": 0.0, "right": float(width)}.get(edge, dice.uniform(0.25, 0.75) * width), float(height)
    if edge != "bottom":
        v = dice.uniform(0.5, 0.9) * height
    inside = camera.ground_at(0.9 * u + 0.05 * width, v - (0.1 * height if edge == "bottom" else 0))
    door = camera.ground_at(u, v)
    out = door - inside
    return door, out / np.linalg.norm(out)


# Cuts.


@dataclass(frozen=True)
class Shot:
    """Some frames of one camera: from which moment of the action on, and how fast it runs."""

    begins: float
    seconds: float
    pace: float = 1.0


def _cuts(dice: Dice) -> Plan:
    """Return a wide shot, one or two others (close, half-close or a replay), and a wide shot again."""
    size = _size(dice)
    action_s = 30.0
    ball = motion.ball_path(dice, round(action_s * FPS), FPS)
    moved = motion.play(dice, ball, FPS)
    person_px = dice.uniform(34, 60) * size[1] / 540
    stand = _stand(dice)
    shots = [Shot(1.0, dice.uniform(2.0, 3.0))]
    kinds = ["wide"]
    for kind in dice.choose((("close",), ("half",), ("close", "replay"), ("half", "close"), ("replay",))):
        last = shots[-1]
        now = last.begins + last.seconds
        begins = now - 1.5 if kind == "replay" else now
        shots.append(Shot(begins, dice.uniform(1.0, 1.8), 0.5 if kind == "replay" else 1.0))
        kinds.append(kind)
    away = sum(s.seconds for s in shots[1:])
    later = shots[0].begins + shots[0].seconds + away + dice.choose((0.0, 0.0, 8.0))
    shots.append(Shot(later, dice.uniform(2.2, 3.0)))
    kinds.append(dice.choose(("wide", "wide", "other")))
    return _cut_together(dice, moved, shots, kinds, _Look(size, stand, person_px))


@dataclass(frozen=True)
class _Look:
    """How a clip's wide shot is filmed."""

    size: tuple[int, int]
    stand: Stand
    person_px: float


def _cut_together(dice: Dice, moved: Motion, shots: list[Shot], kinds: list[str], wide: _Look) -> Plan:
    moments: list[Numbers] = []
    cameras: list[Camera] = []
    cuts: list[int] = []
    for shot, kind in zip(shots, kinds, strict=True):
        rows = (shot.begins + np.arange(round(shot.seconds * FPS)) / FPS * shot.pace) * FPS
        part = moved.at(rows)
        cuts.append(len(cameras))
        cameras += _SHOTS[kind](dice, part, wide)
        moments.append(rows)
    return Plan(moved.at(np.concatenate(moments)), cameras, tuple(cuts[1:]))


def _wide(dice: Dice, part: Motion, wide: _Look) -> list[Camera]:
    aim = np.clip(part.ball * [0.85, 0.45], [-36, -9], [36, 9])
    return _filmed(dice, aim, wide.person_px, wide.size, wide.stand)


def _other_side(dice: Dice, part: Motion, wide: _Look) -> list[Camera]:
    """Return a wide shot from elsewhere on the same side, nearer or farther."""
    x, y, z = wide.stand
    stand = (-x + dice.sign() * dice.uniform(15, 30), y + dice.uniform(-4, 8), z * dice.uniform(0.6, 1.1))
    return _wide(dice, part, replace(wide, stand=stand, person_px=wide.person_px * dice.uniform(0.8, 1.5)))


def _close(dice: Dice, part: Motion, wide: _Look) -> list[Camera]:
    """Return a close-up: one person as high as the picture, or higher."""
    return _portrait(dice, part, wide.size, wide.size[1] * dice.uniform(0.85, 1.6), low=dice.chance(0.6))


def _half_close(dice: Dice, part: Motion, wide: _Look) -> list[Camera]:
    return _portrait(dice, part, wide.size, wide.size[1] * dice.uniform(0.3, 0.55), low=dice.chance(0.3))


def _replay(dice: Dice, part: Motion, wide: _Look) -> list[Camera]:
    if dice.chance(0.5):
        return _half_close(dice, part, wide)
    return _other_side(dice, part, replace(wide, person_px=wide.person_px * 2))


def _portrait(dice: Dice, part: Motion, size: tuple[int, int], person_px: float, low: bool) -> list[Camera]:
    """Return a camera that stays with whoever is nearest to the ball."""
    first = np.linalg.norm(part.place[0] - part.ball[0], axis=1)
    who = int(np.argsort(first)[dice.integer(0, 3)])
    path = smoothed(part.place[:, who], FPS, 0.25)
    x = float(path[0, 0])
    stand = (x + dice.uniform(-12, 12), -40.0, 1.9) if low else (x * 0.5, -62.0, dice.uniform(12, 20))
    distance = np.linalg.norm(np.array(stand[:2]) - path, axis=1)
    focal = person_px * distance / 1.8
    shake = np.array([wander(dice, len(path), FPS, 0.5) * 4 / focal for _ in range(2)])
    aim_m = 1.0 if person_px < size[1] else 1.75 - 0.4 * size[1] / person_px
    return look_at(stand, path, focal, size, shake, aim_m, blur_px=person_px / 120)


_SHOTS: dict[str, Callable[[Dice, Motion, _Look], list[Camera]]] = {
    "wide": _wide,
    "other": _other_side,
    "close": _close,
    "half": _half_close,
    "replay": _replay,
}


SCENES: dict[str, Scene] = {
    "duel-opponents": Scene(
        "Opponents meet for 0.3 to 2 s, side by side, one behind the other or wrestling, and cross or bounce.",
        lambda dice: _duels(dice, mates=False),
    ),
    "duel-mates": Scene(
        "Team mates do the same, so that no kit tells them apart.", lambda dice: _duels(dice, mates=True)
    ),
    "away": Scene(
        "People leave, cut by the border, and return after 1 to 4 s; mates come in at the same place.", _away
    ),
    "cuts": Scene("Cuts to close-ups, half-close shots and replays, and back.", _cuts),
}
