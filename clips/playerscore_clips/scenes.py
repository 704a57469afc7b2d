"""Named hard scenes: what real matches do to whoever follows a player, with the truth of every frame."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playerscore_clips import conditions, direction, encounters, film
from playerscore_clips.dice import Colour, Dice
from playerscore_clips.film import Clip, Film, Footage, Progress
from playerscore_clips.stadium import Stadium
from playerscore_clips.staging import FPS, Plan
from playerscore_clips.truth import load_truth
from playerscore_clips.wardrobe import random_cast

__all__ = ["SCENES", "SETS", "Clip", "load_truth", "plan_scene", "render_scene", "scene_film"]

SETS: dict[str, tuple[int, ...]] = {
    "train": tuple(range(1000, 1012)),
    "choose": tuple(range(2000, 2004)),
    "report": tuple(range(3000, 3004)),
}
"""Seeds to train with, to choose constants by, and to report; no set may be used for another's purpose."""


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
    return film.write(scene_film(name, seed), folder, f"{name}-{seed}", on_progress)


def plan_scene(name: str, seed: int) -> Plan:
    """Return who is where in a scene and what films it, within a fraction of a second."""
    return SCENES[name].plan(Dice((zlib.crc32(name.encode()), seed, 0)))


def scene_film(name: str, seed: int) -> Film:
    """Return a scene, planned and not yet drawn."""
    plan = plan_scene(name, seed)
    scenery, grain = (Dice((zlib.crc32(name.encode()), seed, stream)) for stream in (1, 2))
    stadium, light = Stadium(scenery), film.random_light(scenery)
    stadium.sky = _sky(scenery, plan.night)
    stadium.add_benches(scenery)
    if any(camera.stand[1] > 0 for camera in plan.cameras):
        stadium.add_near_side(scenery)
    if plan.effects.shade is not None:
        stadium.shade(plan.effects.shade)
    cast = random_cast(scenery, plan.moved.people, stadium.turf, plan.style)
    tone = film.tone_curve(scenery, plan.night)
    first = plan.cameras[0]
    encoder = plan.encoder or {"crf": str(grain.choose((18, 21, 24, 27, 30, 33)))}
    footage = Footage(first.width, first.height, FPS, seed, plan.noise, tone, encoder)
    return Film(footage, cast, plan.moved, plan.cameras, stadium, light, grain, plan.cuts, plan.effects)


def _sky(dice: Dice, night: float) -> Colour:
    bright = dice.uniform(150, 240) * (1 - 0.9 * night)
    blueness = dice.uniform(0, 0.35)
    return round(bright), round(bright * (1 - 0.5 * blueness)), round(bright * (1 - blueness))


SCENES: dict[str, Scene] = {
    "duel-opponents": Scene(
        "Opponents meet for 0.3 to 2 s, side by side, one behind the other or wrestling, and cross or bounce.",
        lambda dice: encounters.duels(dice, mates=False),
    ),
    "duel-mates": Scene(
        "Team mates do the same, so that no kit tells them apart.",
        lambda dice: encounters.duels(dice, mates=True),
    ),
    "knot": Scene("Three to six people make one heap, and scatter.", encounters.knot),
    "corner": Scene("Sixteen people push in the box and run to the ball.", encounters.corner),
    "away": Scene(
        "People leave, cut by the border, and return after 1 to 4 s; mates come in at the same place.",
        direction.away,
    ),
    "cuts": Scene("Cuts to close-ups, half-close shots and replays, and back.", direction.cuts),
    "low": Scene(
        "A low camera far away: people of 20 to 35 pixels hide each other.",
        lambda dice: encounters.duels(dice, mates=False, low=True),
    ),
    "falls": Scene("Tackles, people who lie, a keeper who dives.", encounters.falls),
    "goalmouth": Scene(
        "A large goal, its net before people, and people, benches and boards beside the pitch.",
        conditions.goalmouth,
    ),
    "captions": Scene("A score bug, a watermark and broad captions over people.", conditions.captions),
    "kits": Scene(
        "Kits like the grass, dark ones at night, teams alike, the edge of a shade.", conditions.kits
    ),
    "zoom": Scene("Zooms from 30 to 120 pixels, and whipped pans.", direction.zoom),
    "screen": Scene("Filmed off a screen with moire, and 1 Mbit/s.", conditions.screen),
    "substitution": Scene("A player walks off, and a mate comes on where he left.", conditions.substitution),
}
