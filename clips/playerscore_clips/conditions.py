"""Scenes that surroundings, clothes, weather and the way of a video make hard."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from playerscore_clips import effects, encounters, motion, staging
from playerscore_clips.dice import Dice
from playerscore_clips.effects import Effects, Screen, Shade
from playerscore_clips.motion import HALF_WIDTH_M, REFEREE_KIT, TEAM
from playerscore_clips.script import Script
from playerscore_clips.staging import FPS, Plan, metres, toward
from playerscore_clips.truth import Person

Numbers = npt.NDArray[np.float64]


def goalmouth(dice: Dice) -> Plan:
    """Return play before a goal that fills much of the picture, people beside the pitch, benches and boards."""
    seconds, size, side = dice.uniform(6.0, 8.0), staging.size(dice), dice.sign()
    beside = staging.people_beside(dice, len(motion.cast_of()), side * 40.0)
    script = Script(dice, (*motion.cast_of(), *(person for person, _ in beside)), seconds, FPS)
    for person, place in beside:
        script.loiter(person.id, place, 0.25)
    middle = np.array([side * 46.0, dice.uniform(-2, 2)])
    script.loiter(2 * TEAM + (1 if side > 0 else 0), (side * 51.3, dice.normal(0, 0.8)), 0.7)
    first, second = (dice.rng.permutation(TEAM).tolist() for _ in range(2))
    for number in range(2):
        offset = np.array([-side * dice.uniform(0, 4), (number - 0.5) * 8])
        encounters.pair_duels(dice, script, (first[number], TEAM + second[number]), middle + offset)
    staging.bystanders(dice, script, middle - metres(side * 4.0, 0), near=6)
    encounters.passes(dice, script, middle)
    aim = np.tile(middle + metres(side * 2.0, 0), (len(script.struggle), 1))
    stand, person_px = _beside_the_goal(dice, side)
    return Plan(script.play(), staging.filmed(dice, aim, person_px * size[1] / 540, size, stand))


def _beside_the_goal(dice: Dice, side: int) -> tuple[staging.Stand, float]:
    """Return where a camera stands that has the goal before it, and how high people are: high, oblique, behind."""
    kind = dice.integer(0, 3)
    if kind == 0:
        return (side * dice.uniform(34, 46), -50.0, dice.uniform(18, 24)), dice.uniform(60, 86)
    if kind == 1:
        return (side * dice.uniform(10, 25), -58.0, dice.uniform(8, 14)), dice.uniform(60, 90)
    return (
        side * dice.uniform(57.5, 59),
        dice.sign() * dice.uniform(3, 9),
        dice.uniform(2.6, 5),
    ), dice.uniform(56, 90)


def captions(dice: Dice) -> Plan:
    """Return play under a score bug, a watermark and broad captions that come and go over people."""
    size = staging.size(dice)
    plan = staging.wide_play(
        dice, dice.uniform(6, 8), dice.uniform(38, 66) * size[1] / 540, size, staging.stand(dice)
    )
    frames = len(plan.cameras)
    shown = [effects.score_bug(dice, size, frames), effects.logo(dice, size, frames)]
    for begins in (dice.uniform(0.8, 1.6), dice.uniform(4.0, 4.8)):
        first = round(begins * FPS)
        shown.append(effects.banner(dice, size, first, first + round(dice.uniform(1.2, 2.4) * FPS)))
    return replace(plan, effects=Effects(captions=tuple(shown), nets=True))


def kits(dice: Dice) -> Plan:
    """Return duels in one of: kits like the grass, dark kits at night, both teams alike, the edge of a shade."""
    kind = dice.choose(("grass", "dark", "alike", "shade"))
    plan = encounters.duels(dice, mates=False, low=kind == "dark")
    if kind == "shade":
        return replace(plan, effects=Effects(shade=_edge(dice, plan), nets=True))
    if kind == "dark":
        return replace(plan, style=kind, night=dice.uniform(0.6, 1.0), noise=dice.uniform(4, 7))
    return replace(plan, style=kind)


def _edge(dice: Dice, plan: Plan) -> Shade:
    """Return a shade whose edge goes through the middle of where people are."""
    angle = dice.uniform(0, 2 * math.pi)
    middle = plan.moved.ball.mean(0)
    return Shade(angle, float(middle @ toward(angle)) + dice.normal(0, 2), dice.uniform(0.3, 0.55))


def screen(dice: Dice) -> Plan:
    """Return play that is filmed off a screen, or stored at 1 Mbit/s."""
    size = staging.size(dice)
    plan = staging.wide_play(
        dice, dice.uniform(6, 8), dice.uniform(36, 60) * size[1] / 540, size, staging.stand(dice)
    )
    low = {"x264-params": "bitrate=1000:vbv-maxrate=1000:vbv-bufsize=1000"}
    if dice.chance(0.3):
        return replace(plan, encoder=low)
    filmed = Screen(dice, len(plan.cameras), FPS, size)
    return replace(
        plan, effects=Effects(screen=filmed, nets=True), encoder=low if dice.chance(0.5) else plan.encoder
    )


def substitution(dice: Dice) -> Plan:
    """Return two substitutions at the far touchline: one walks off, slaps hands, and a mate runs on."""
    seconds, size = dice.uniform(8, 9), staging.size(dice)
    cast = motion.cast_of()
    beside = staging.people_beside(dice, len(cast) + 3, 0.0)
    subs = [Person(len(cast) + i, team, "player", team) for i, team in enumerate((0, 1))]
    official = Person(len(cast) + 2, None, "referee", REFEREE_KIT)
    script = Script(dice, (*cast, *subs, official, *(person for person, _ in beside)), seconds, FPS)
    script.loiter(official.id, (0.0, HALF_WIDTH_M + 1.4), 0.1)
    for person, place in beside:
        script.loiter(person.id, place, 0.3)
    for sub in subs:
        _change(dice, script, int(dice.integer(0, TEAM)) + sub.kit * TEAM, sub.id)
    middle = np.array([0.0, 25.0])
    staging.bystanders(dice, script, middle - metres(0, 3), near=8)
    encounters.passes(dice, script, middle - metres(0, 6))
    person_px = dice.uniform(40, 70) * size[1] / 540
    aim = np.tile(middle + metres(0, 2), (len(script.struggle), 1))
    return Plan(script.play(), staging.filmed(dice, aim, person_px, size, staging.stand(dice)))


def _change(dice: Dice, script: Script, off: int, on: int) -> None:
    """Have one walk off and another come on where he left."""
    x, second = dice.uniform(-3, 3), dice.uniform(1.8, 3.0)
    gate = np.array([x, HALF_WIDTH_M + 0.6])
    script.put(off, 0.0, gate + metres(dice.uniform(-5, 5), -dice.uniform(6, 9)))
    script.put(off, second, gate - metres(0.3, 0))
    script.put(off, second + 0.5, gate + metres(-0.3, 0.1))
    script.put(off, second + 3.0, gate + metres(dice.uniform(-4, 4), 3.0))
    script.put(on, 0.0, gate + metres(0.4, 1.5))
    script.put(on, second - 0.3, gate + metres(0.4, 0.4))
    script.put(on, second + 0.5, gate + metres(0.3, 0))
    script.put(on, second + 3.0, gate + metres(dice.uniform(-6, 6), -dice.uniform(7, 12)))
