"""Scenes in which people touch: duels, heaps, corners, tackles and falls."""

import math

import numpy as np
import numpy.typing as npt

from playerscore_clips import motion, staging
from playerscore_clips.camera import smoothed
from playerscore_clips.dice import Dice
from playerscore_clips.motion import TEAM
from playerscore_clips.script import Script
from playerscore_clips.staging import FPS, Plan, metres, toward

Numbers = npt.NDArray[np.float64]

_PARTINGS = ("cross", "bounce", "together")


def duels(dice: Dice, mates: bool, low: bool = False) -> Plan:
    """Return a clip in which some pairs meet again and again, perhaps seen from a low stand far away."""
    seconds, size, middle = dice.uniform(7.0, 9.0), staging.size(dice), staging.somewhere(dice)
    script = Script(dice, motion.cast_of(), seconds, FPS)
    first, second = (dice.rng.permutation(TEAM) for _ in range(2))
    pairs = [(int(first[0]), int(first[1])), (TEAM + int(second[0]), TEAM + int(second[1]))]
    pairs.append((int(first[2]), int(first[3])))
    if not mates:
        pairs = [(int(first[i]), TEAM + int(second[i])) for i in range(5 if low else 3)]
    for number, pair in enumerate(pairs):
        offset = np.array([(number - 0.5 * (len(pairs) - 1)) * 7.5, dice.uniform(-3, 3)])
        pair_duels(dice, script, pair, middle + offset)
    staging.bystanders(dice, script, middle, near=7)
    passes(dice, script, middle)
    moved = script.play()
    person_px = (dice.uniform(20, 34) if low else dice.uniform(36, 80)) * size[1] / 540
    aim = 0.6 * middle + 0.4 * smoothed(moved.ball, FPS, 1.0)
    return Plan(moved, staging.filmed(dice, aim, person_px, size, _low(dice) if low else staging.stand(dice)))


def _low(dice: Dice) -> staging.Stand:
    """Return where a camera of a small ground stands."""
    return dice.uniform(-18, 18), dice.uniform(-62, -50), dice.uniform(5, 9)


def passes(dice: Dice, script: Script, middle: Numbers) -> None:
    """Have the ball go about around a place."""
    script.ball(0, middle)
    for beat in np.arange(1.0, script.seconds, 1.6):
        script.ball(float(beat), middle + dice.rng.normal(0, (4.0, 2.5)))


def pair_duels(dice: Dice, script: Script, pair: tuple[int, int], place: Numbers) -> None:
    """Have two people meet for 0.3 to 2 s, part, and meet again elsewhere, until the clip is over."""
    way = dice.uniform(0, 2 * math.pi)
    apart = way + dice.uniform(1.6, 4.6)
    for who, angle in zip(pair, (way, apart), strict=True):
        script.put(who, 0.0, place + dice.uniform(3.5, 7) * toward(angle))
    second = dice.uniform(0.8, 1.4)
    while second < script.seconds - 1.0:
        begun = [script.last(who)[1] for who in pair]
        lasts = dice.uniform(0.3, 2.0)
        drift = dice.uniform(0, 3.0) * toward(dice.uniform(0, 2 * math.pi))
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
    how, lasts = dice.choose(_PARTINGS), dice.uniform(0.6, 1.1)
    common = dice.uniform(0, 2 * math.pi)
    for number, who in enumerate(pair):
        came = math.atan2(*(begun[number] - met)[::-1])
        angle = {"cross": came + math.pi, "bounce": came, "together": common + (number - 0.5) * 0.9}[how]
        goal = parted + dice.uniform(2.5, 6) * toward(angle + dice.normal(0, 0.25))
        script.put(who, second + lasts, goal)
    return second + lasts + dice.uniform(0.7, 1.4)


def knot(dice: Dice) -> Plan:
    """Return a clip in which three to six people make one heap, twice, and scatter."""
    seconds, size, middle = dice.uniform(7.5, 9.0), staging.size(dice), staging.somewhere(dice)
    script = Script(dice, motion.cast_of(), seconds, FPS)
    everybody = dice.rng.permutation(2 * TEAM).tolist()
    second, place = dice.uniform(1.2, 1.8), middle
    group = everybody[: dice.integer(4, 7)]
    for who in group:
        script.put(who, 0.0, middle + dice.uniform(4, 8) * toward(dice.uniform(0, 2 * math.pi)))
    while second < seconds - 2:
        heap = list(dice.rng.permutation(group)[: dice.integer(3, len(group) + 1)])
        lasts = dice.uniform(1.2, 2.6)
        parted = _heap(dice, script, heap, second, lasts, place)
        for who in heap:
            goal = parted + dice.uniform(3, 6.5) * toward(dice.uniform(0, 2 * math.pi))
            script.put(who, second + lasts + dice.uniform(0.9, 1.5), goal)
        second, place = second + lasts + dice.uniform(2.2, 2.8), parted + dice.rng.normal(0, 1.5, 2)
    staging.bystanders(dice, script, middle, near=6)
    passes(dice, script, middle)
    moved = script.play()
    aim = 0.7 * middle + 0.3 * smoothed(moved.ball, FPS, 1.0)
    person_px = dice.uniform(40, 84) * size[1] / 540
    return Plan(moved, staging.filmed(dice, aim, person_px, size, staging.stand(dice)))


def _heap(
    dice: Dice, script: Script, heap: list[int], second: float, lasts: float, place: Numbers
) -> Numbers:
    return script.meet(
        heap, second, lasts, place,
        drift=dice.uniform(0, 1.2) * toward(dice.uniform(0, 2 * math.pi)),
        apart_m=dice.uniform(0.35, 0.6) * math.sqrt(len(heap)),
        angle=dice.uniform(0, 2 * math.pi), turn=dice.uniform(-2.5, 2.5), struggle=dice.choose((0.5, 1.0)),
    )  # fmt: skip


def corner(dice: Dice) -> Plan:
    """Return a corner kick: sixteen people in the box, who push, run to the ball and scatter."""
    seconds, size, side = dice.uniform(7.0, 8.0), staging.size(dice), dice.sign()
    script = Script(dice, motion.cast_of(), seconds, FPS)
    first, second = (dice.rng.permutation(TEAM).tolist() for _ in range(2))
    box = np.array([side * 44.5, 0.0])
    pairs = [(first[i], TEAM + second[i]) for i in range(7)]
    kick, lands = dice.uniform(2.0, 3.0), box + dice.rng.normal(0, (1.5, 3))
    for pair in pairs:
        _mark(dice, script, pair, box, kick, lands)
    keeper = 2 * TEAM + (1 if side > 0 else 0)
    script.put(keeper, 0.0, (side * 51.5, dice.normal(0, 0.5)))
    script.put(keeper, kick + 0.2, (side * 51.0, dice.normal(0, 0.8)))
    script.put(keeper, kick + 1.2, 0.5 * lands + 0.5 * np.array([side * 51.0, 0]))
    flag = np.array([side * 52.3, dice.sign() * 33.8])
    script.put(first[7], 0.0, flag * 0.99)
    for t, place in ((0.0, flag), (kick, flag), (kick + 1.3, lands), (seconds, lands - metres(side * 12, 5))):
        script.ball(t, place)
    staging.bystanders(dice, script, box - metres(side * 12.0, 0), near=2)
    stand = (side * dice.uniform(15, 42), dice.uniform(-64, -50), dice.uniform(14, 24))
    aim = np.tile(box - metres(side * 1.5, 0), (len(script.struggle), 1))
    person_px = dice.uniform(42, 66) * size[1] / 540
    return Plan(script.play(), staging.filmed(dice, aim, person_px, size, stand))


def _mark(
    dice: Dice, script: Script, pair: tuple[int, int], box: Numbers, kick: float, lands: Numbers
) -> None:
    """Have two opponents wrestle in the box until the kick, run to the ball and go apart."""
    place = box + dice.rng.uniform((-5.5, -7), (4, 7))
    for who in pair:
        script.put(who, 0.0, place + dice.rng.normal(0, 0.8, 2))
    begins = dice.uniform(0.4, 1.2)
    script.meet(pair, begins, kick - begins, place, drift=dice.rng.normal(0, 0.4, 2),
                apart_m=dice.uniform(0.35, 0.8), angle=dice.uniform(0, 2 * math.pi),
                turn=dice.uniform(-3, 3), struggle=dice.choose((0.3, 0.7, 1.0)))  # fmt: skip
    near = lands + 0.22 * (place - lands)
    for who in pair:
        script.put(who, kick + dice.uniform(1.0, 1.4), near + dice.rng.normal(0, 0.45, 2))
        script.put(who, kick + dice.uniform(2.6, 3.4), place + dice.rng.normal(0, 3.5, 2))


def falls(dice: Dice) -> Plan:
    """Return a clip with tackles in which people fall and lie, and a keeper who dives."""
    seconds, size, side = dice.uniform(7.0, 9.0), staging.size(dice), dice.sign()
    middle = np.array([side * dice.uniform(38, 43), dice.uniform(-4, 4)])
    script = Script(dice, motion.cast_of(), seconds, FPS)
    first, second = (dice.rng.permutation(TEAM).tolist() for _ in range(2))
    for number in range(3):
        offset = np.array([dice.uniform(-6, 4), (number - 1) * 7.0 + dice.uniform(-1.5, 1.5)])
        _tackle(dice, script, (first[number], TEAM + second[number]), middle + offset)
    keeper = 2 * TEAM + (1 if side > 0 else 0)
    _dive(dice, script, keeper, np.array([side * 51.0, dice.normal(0, 0.7)]))
    staging.bystanders(dice, script, middle, near=6)
    passes(dice, script, middle)
    person_px = dice.uniform(48, 90) * size[1] / 540
    aim = np.tile(middle + metres(side * 2.5, 0), (len(script.struggle), 1))
    stand = (side * dice.uniform(10, 44), dice.uniform(-66, -50), dice.uniform(12, 24))
    return Plan(script.play(), staging.filmed(dice, aim, person_px, size, stand))


def _tackle(dice: Dice, script: Script, pair: tuple[int, int], place: Numbers) -> None:
    """Have two opponents run into each other; one or both fall, lie for a while and get up."""
    second, way = dice.uniform(1.2, 3.0), dice.uniform(0, 2 * math.pi)
    for who, angle in zip(pair, (way, way + dice.uniform(0.8, 3.8)), strict=True):
        script.put(who, 0.0, place + dice.uniform(6, 11) * toward(angle))
    drift = dice.uniform(1.5, 4) * toward(dice.uniform(0, 2 * math.pi))
    parted = script.meet(pair, second, 0.4, place, drift=drift, apart_m=0.5,
                         angle=dice.uniform(0, 2 * math.pi))  # fmt: skip
    for number, who in enumerate(pair):
        down = number == 0 or dice.chance(0.5)
        slid = parted + 0.25 * drift + dice.rng.normal(0, 0.35, 2)
        lies_s = dice.uniform(0.8, 3.5) if down else 0.0
        if down:
            script.tumble(who, second + 0.3, lies_s, dice.choose((0.0, math.pi, 1.2, -1.2)))
        script.put(who, second + 0.7, slid)
        script.put(who, second + 0.9 + lies_s, slid + dice.rng.normal(0, 0.05, 2))
        away = dice.uniform(2, 4) * toward(dice.uniform(0, 2 * math.pi))
        script.put(who, second + 2.6 + lies_s, slid + away)


def _dive(dice: Dice, script: Script, keeper: int, place: Numbers) -> None:
    """Have a keeper throw himself to a side, lie and get up, once or twice."""
    second = dice.uniform(0.8, 1.8)
    script.put(keeper, 0.0, place)
    while second < script.seconds - 1.5:
        reach, lies_s = dice.sign() * dice.uniform(1.2, 2.4), dice.uniform(0.5, 1.6)
        script.put(keeper, second, place)
        place = place + metres(0.0, reach)
        script.put(keeper, second + 0.45, place)
        script.put(keeper, second + 0.9 + lies_s, place)
        # He faces the field, so that his right is away from the main stand where x is positive.
        to = math.copysign(math.pi / 2, reach) * (1 if script.last(keeper)[1][0] > 0 else -1)
        script.tumble(keeper, second + 0.05, lies_s, to, depth=1.45)
        span = slice(round((second + 0.3) * FPS), round((second + 0.9 + lies_s) * FPS))
        script.struggle[span, keeper] = 0.9
        place = np.array([place[0], dice.normal(0, 0.8)])
        second += 2.6 + lies_s
        script.put(keeper, second - 0.3, place)
