"""Scenes that the picture's border and the director make hard: absences, cuts, zooms and whipped pans."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from playerscore_clips import motion, staging
from playerscore_clips.camera import Camera, look_at, smoothed, wander
from playerscore_clips.dice import Dice
from playerscore_clips.effects import Effects
from playerscore_clips.motion import TEAM, Motion
from playerscore_clips.script import Script
from playerscore_clips.staging import FPS, Plan

Numbers = npt.NDArray[np.float64]


def away(dice: Dice) -> Plan:
    """Return a clip at whose borders people leave and come back, others in their place."""
    seconds, size = 9.0, staging.size(dice)
    side = dice.sign()
    middle = np.array([side * dice.uniform(36, 42), dice.uniform(-6, 6)])
    stand = staging.stand(dice)
    person_px = dice.uniform(48, 84) * size[1] / 540
    script = Script(dice, motion.cast_of(), seconds, FPS)
    frames = len(script.struggle)
    swing = dice.uniform(1.5, 4.0) * wander(dice, frames, FPS, 2.5) if dice.chance(0.5) else np.zeros(frames)
    cameras = staging.filmed(
        dice, middle + np.column_stack([swing, np.zeros(frames)]), person_px, size, stand
    )
    keeper = 2 * TEAM + (1 if side > 0 else 0)
    leavers = [keeper, *dice.rng.permutation(TEAM)[:2].tolist(), TEAM + int(dice.integer(0, TEAM))]
    edges = ["right" if side > 0 else "left", "left" if side > 0 else "right", "bottom", "right"]
    for who, edge in zip(leavers, edges, strict=True):
        mates = [p.id for p in script.people if p.kit == script.people[who].kit]
        free = [mate for mate in mates if mate not in leavers and mate not in script.keyed()]
        _leave_and_return(dice, script, who, edge, cameras[0], dice.choose(free) if free else None)
    staging.bystanders(dice, script, middle, near=6)
    for beat in np.arange(0.0, seconds + 1, 1.3):
        script.ball(float(beat), middle + dice.rng.normal(0, (4.0, 3.0)))
    return Plan(script.play(), cameras)


def _leave_and_return(dice: Dice, script: Script, who: int, edge: str, camera: Camera, mate: int | None) -> None:  # fmt: skip
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
    if mate is not None:
        script.put(mate, 0.0, door + outward * dice.uniform(3, 6) + along * dice.normal(0, 1.5))
        come = gone + dice.uniform(0.4, 0.9)
        script.put(mate, come, door + outward * 1.5 + along * 0.8)
        script.put(mate, come + 1.4, door - outward * dice.uniform(2.5, 5) + along * dice.uniform(-2, 2))


def _door(dice: Dice, camera: Camera, edge: str) -> tuple[Numbers, Numbers]:
    """Return a place on the pitch at a border of the picture (2,) and the direction that leads out of it (2,)."""
    width, height = float(camera.width), float(camera.height)
    for _ in range(40):
        if edge == "bottom":
            out, inside = (dice.uniform(0.25, 0.75) * width, height), (0.0, -40.0)
        else:
            row = dice.uniform(0.4, 0.9) * height
            out, inside = ((0.0, row), (40.0, 0.0)) if edge == "left" else ((width, row), (-40.0, 0.0))
        door = camera.ground_at(*out)
        if np.all(np.abs(door) < [50, 32]):
            break
        edge = dice.choose(("left", "right", "bottom"))
    way = door - camera.ground_at(out[0] + inside[0], out[1] + inside[1])
    return door, way / np.linalg.norm(way)


@dataclass(frozen=True)
class Shot:
    """Some frames of one camera: from which moment of the action on, and how fast it runs."""

    begins: float
    seconds: float
    pace: float = 1.0


_SLOW = ("replay", "reverse")
_INSERTS = (("close",), ("half",), ("close", "replay"), ("half", "close"), ("replay",), ("reverse",),
            ("crowd", "close"), ("close", "reverse"))  # fmt: skip
"""What a director shows between two wide shots."""


def cuts(dice: Dice) -> Plan:
    """Return a wide shot, one or two others (close, half-close or a replay), and a wide shot again."""
    size = staging.size(dice)
    moved = _long_play(dice)
    person_px = dice.uniform(34, 60) * size[1] / 540
    stand = staging.stand(dice)
    shots = [Shot(1.0, dice.uniform(2.0, 3.0))]
    kinds = ["wide"]
    for kind in dice.choose(_INSERTS):
        last = shots[-1]
        now = last.begins + last.seconds
        begins = now - 1.5 if kind in _SLOW else now
        shots.append(Shot(begins, dice.uniform(1.0, 1.8), 0.5 if kind in _SLOW else 1.0))
        kinds.append(kind)
    away = sum(s.seconds for s in shots[1:])
    later = shots[0].begins + shots[0].seconds + away + dice.choose((0.0, 0.0, 8.0))
    shots.append(Shot(later, dice.uniform(2.2, 3.0)))
    kinds.append(dice.choose(("wide", "wide", "other")))
    return _cut_together(dice, moved, shots, kinds, _Look(size, stand, person_px))


def _long_play(dice: Dice) -> Motion:
    return motion.play(dice, motion.ball_path(dice, 30 * FPS, FPS), FPS)


@dataclass(frozen=True)
class _Look:
    """How a clip's wide shot is filmed."""

    size: tuple[int, int]
    stand: staging.Stand
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
    if dice.chance(0.25):  # the picture stands still at the end
        still = dice.integer(12, 30)
        moments.append(np.full(still, moments[-1][-1]))
        cameras += cameras[-1:] * still
    return Plan(moved.at(np.concatenate(moments)), cameras, tuple(cuts[1:]))


def _wide(dice: Dice, part: Motion, wide: _Look) -> list[Camera]:
    aim = np.clip(part.ball * [0.85, 0.45], [-36, -9], [36, 9])
    return staging.filmed(dice, aim, wide.person_px, wide.size, wide.stand)


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


def _reverse(dice: Dice, part: Motion, wide: _Look) -> list[Camera]:
    """Return a shot from the other side of the pitch, where left is right."""
    stand = (dice.uniform(-20, 20), dice.uniform(50, 62), dice.uniform(9, 18))
    aim = part.ball * [0.9, 0.5]
    return staging.filmed(dice, aim, wide.person_px * dice.uniform(1.0, 2.2), wide.size, stand)


def _crowd(dice: Dice, part: Motion, wide: _Look) -> list[Camera]:
    """Return a shot of the spectators, in which nobody is who plays."""
    frames = len(part.ball)
    aim = np.tile([dice.uniform(-40, 40), 56.0], (frames, 1)) + [[0.02, 0]] * np.arange(frames)[:, None]
    focal = np.full(frames, wide.size[1] / 5.0 * 122)
    return look_at(wide.stand, aim, focal, wide.size, aim_m=10.0, blur_px=1.0)


def _portrait(dice: Dice, part: Motion, size: tuple[int, int], person_px: float, low: bool) -> list[Camera]:
    """Return a camera that stays with whoever is nearest to the ball."""
    first = np.linalg.norm(part.place[0] - part.ball[0], axis=1)
    who = int(np.argsort(first)[dice.integer(0, 3)])
    path = smoothed(part.place[:, who], FPS, 0.12)
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
    "reverse": _reverse,
    "crowd": _crowd,
}


def zoom(dice: Dice) -> Plan:
    """Return play that is zoomed in from 30 to 120 pixels and out again, with whipped pans."""
    size, seconds = staging.size(dice), dice.uniform(6.5, 8.0)
    ball = motion.ball_path(dice, round(seconds * FPS), FPS)
    moved = motion.play(dice, ball, FPS)
    times, scale = np.arange(len(ball)) / FPS, size[1] / 540
    begins, lasts = dice.uniform(0.6, 1.4), dice.uniform(1.2, 2.4)
    largest = dice.uniform(2.8, 4.0)
    held = begins + lasts + dice.uniform(1.0, 1.8)
    zoomed = np.exp(np.interp(times, [begins, begins + lasts, held, held + 0.7 * lasts],
                              np.log([1.0, largest, largest, dice.uniform(1.0, 1.5)])))  # fmt: skip
    zoomed = smoothed(zoomed[:, None], FPS, 0.25)[:, 0]
    aim = np.clip(ball * [0.85, 0.45], [-36, -9], [36, 9])
    who = int(np.argmin(np.linalg.norm(moved.place[round(begins * FPS)] - aim[round(begins * FPS)], axis=1)))
    near = ((zoomed - 1) / (largest - 1)).clip(0, 1)[:, None]
    aim = aim * (1 - near) + moved.place[:, who] * near
    whip = np.interp(
        times, [held + 0.4 * lasts, held + 0.4 * lasts + 0.45], [0, dice.sign() * dice.uniform(14, 24)]
    )
    aim = aim + np.column_stack([whip, np.zeros(len(whip))])
    stand = staging.stand(dice)
    cameras = staging.filmed(dice, aim, dice.uniform(30, 34) * scale, size, stand, zoomed, heaviness_s=0.15)
    return Plan(moved, cameras, effects=Effects(nets=True, shutter=dice.uniform(0.3, 0.6)))
