"""Who wears what: kits that are told apart by the shirt, and on purpose kits that are not."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from playerscore_clips import colours
from playerscore_clips.dice import Colour, Dice
from playerscore_clips.figures import Kit, Look, random_kit, random_look
from playerscore_clips.truth import PLAYING, Person

Numbers = npt.NDArray[np.float64]
_HIGH_VISIBILITY: tuple[Colour, ...] = ((40, 230, 220), (30, 120, 245), (90, 240, 130))


@dataclass(frozen=True)
class Cast:
    """What everybody looks like, in the order of the motion's people."""

    kits: list[Kit]
    looks: list[Look]
    heights_m: Numbers


def random_cast(dice: Dice, people: tuple[Person, ...], turf: Colour, style: str = "apart") -> Cast:
    """Return a look for everybody, and kits in one of the ``STYLES``."""
    looks = [random_look(dice) for _ in people]
    heights = dice.rng.normal(1.81, 0.05, len(looks)).clip(1.68, 1.95)
    playing = [p for p in people if p.role in PLAYING]
    kits = STYLES[style](dice, distinct_kits(dice, 1 + max(p.kit for p in playing), turf), turf)
    worn = {p.kit: kits[p.kit] for p in playing}
    for person in people:
        if person.kit not in worn:
            worn[person.kit] = _beside_the_pitch(dice, person.role)
    return Cast([worn[p.kit] for p in people], looks, heights)


def distinct_kits(dice: Dice, count: int, turf: Colour) -> list[Kit]:
    """Return kits whose shirts differ from each other and from the grass; the first ones differ most."""
    chosen: list[Kit] = []
    apart = [np.array(turf, float)]
    while len(chosen) < count:
        kit = random_kit(dice)
        shirt = np.array(kit.shirt, float)
        least = 110 - 12 * len(chosen)
        if all(np.linalg.norm(shirt - other) > least for other in apart) and not kit.trousers:
            chosen.append(kit)
            apart.append(shirt)
    return chosen


def _beside_the_pitch(dice: Dice, role: str) -> Kit:
    """Return what a coach, a ball boy or a spectator wears."""
    kit = replace(random_kit(dice), number=None, pattern="plain", trousers=True, long_sleeves=True)
    if role == "ballboy":
        bib = dice.choose(_HIGH_VISIBILITY)
        return replace(kit, shirt=bib, second=bib, trousers=dice.chance(0.5))
    if role == "coach":
        dark = _toned(dice, (40, 32, 30), 14)
        return replace(kit, shirt=dark, sleeves=dark, shorts=_toned(dice, dark, 6))
    return replace(kit, sleeves=kit.shirt)


def _toned(dice: Dice, colour: Colour, spread: float) -> Colour:
    """Return a colour near another one."""
    blue, green, red = np.clip(np.array(colour) + dice.rng.normal(0, spread, 3), 4, 250).astype(int).tolist()
    return blue, green, red


def _apart(_dice: Dice, kits: list[Kit], _turf: Colour) -> list[Kit]:
    return kits


def _one_colour(kit: Kit, shirt: Colour, shorts: Colour) -> Kit:
    return replace(kit, shirt=shirt, second=shirt, sleeves=shirt, shorts=shorts, socks=shirt, pattern="plain")


def _like_grass(dice: Dice, kits: list[Kit], turf: Colour) -> list[Kit]:
    """Let one team wear the pitch's own green, and the other one a darker green shade."""
    first = _toned(dice, turf, 10)
    second = _toned(dice, colours.from_hsv(48, 170, dice.uniform(40, 80)).astype(int), 8)  # type: ignore[arg-type]
    return [
        _one_colour(kits[0], first, _toned(dice, first, 12)),
        _one_colour(kits[1], second, second),
        *kits[2:],
    ]


def _dark(dice: Dice, kits: list[Kit], _turf: Colour) -> list[Kit]:
    """Let both teams, one keeper and the referee wear dark colours."""
    bases: tuple[Colour, ...] = ((30, 24, 24), (70, 25, 30), (35, 45, 25), (90, 60, 60), (25, 25, 60))
    worn = []
    for kit, base in zip(kits, bases, strict=False):
        shirt = _toned(dice, base, 6)
        worn.append(_one_colour(kit, shirt, _toned(dice, shirt, 8)))
    return [*worn[:3], kits[3], *worn[4:], *kits[len(worn) :]]


def _alike(dice: Dice, kits: list[Kit], _turf: Colour) -> list[Kit]:
    """Let both teams wear the same shirt, told apart by shorts and socks alone."""
    second = replace(kits[0], shorts=_contrast(dice, kits[0].shorts), socks=_contrast(dice, kits[0].socks))
    return [kits[0], second, *kits[2:]]


def _contrast(dice: Dice, colour: Colour) -> Colour:
    bright = math.sqrt(sum(c * c for c in colour)) > 220
    return _toned(dice, (25, 25, 25) if bright else (230, 230, 230), 8)


STYLES: dict[str, Callable[[Dice, list[Kit], Colour], list[Kit]]] = {
    "apart": _apart,
    "grass": _like_grass,
    "dark": _dark,
    "alike": _alike,
}
