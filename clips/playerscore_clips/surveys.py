"""Play filmed for measuring: cameras of several heights that pan, zoom and shake, through lenses that bend lines.

Everybody's metres, each frame's homography and the lens are the truth.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playerscore_clips import film, motion
from playerscore_clips.camera import MIDDLE_M, Camera, look_at, smoothed, wander
from playerscore_clips.dice import Dice
from playerscore_clips.effects import Effects, Lens
from playerscore_clips.film import Clip, Film, Footage, Progress
from playerscore_clips.stadium import Stadium
from playerscore_clips.wardrobe import random_cast

SURVEYS: dict[str, tuple[float, float, float]] = {
    "stand": (0.0, -66.0, 20.0),
    "roof": (12.0, -78.0, 34.0),
    "low": (-9.0, -58.0, 9.0),
    "corner": (-40.0, -56.0, 16.0),
    "mast": (4.0, -46.0, 12.0),
}
"""Where cameras stand, metres from the pitch's middle."""
FPS = 25


@dataclass(frozen=True)
class SurveySettings:
    """What a clip is like; equal settings give equal clips."""

    kind: str = "stand"
    seed: int = 1
    seconds: float = 30.0
    width: int = 960
    height: int = 540
    person_px: float = 40.0
    """Height of a person in the middle of the pitch."""
    lens: float = 0.0
    """The radial term k1 of OpenCV's lens model, in units of the focal length."""
    shake_px: float = 0.3
    zoom: float = 0.12
    """Spread of the zoom about its mean."""


def render_survey(settings: SurveySettings, folder: Path, on_progress: Progress | None = None) -> Clip:
    """Draw a clip, write ``survey-<kind>-<seed>.mp4`` and its truth into ``folder``, and return both."""
    return film.write(_film(settings), folder, f"survey-{settings.kind}-{settings.seed}", on_progress)


def _film(settings: SurveySettings) -> Film:
    number = list(SURVEYS).index(settings.kind)
    game, scenery, grain = (Dice((77, number, settings.seed, stream)) for stream in range(3))
    ball = motion.ball_path(game, max(1, round(settings.seconds * FPS)), FPS)
    moved = motion.play(game, ball, FPS)
    cameras = _cameras(game, settings, ball)
    stadium = Stadium(scenery)
    cast = random_cast(scenery, moved.people, stadium.turf)
    effects = Effects(lens=Lens(settings.lens) if settings.lens else None)
    footage = Footage(
        settings.width, settings.height, FPS, settings.seed, 2.5, film.tone_curve(scenery), {"crf": "23"}
    )
    light = film.random_light(scenery)
    return Film(footage, cast, moved, cameras, stadium, light, grain, effects=effects)


def _cameras(dice: Dice, settings: SurveySettings, ball: film.Numbers) -> list[Camera]:
    stand, frames = SURVEYS[settings.kind], len(ball)
    far = math.dist(stand, (0.0, 0.0, 0.0)) / MIDDLE_M
    aim = smoothed(np.clip(ball * [0.85, 0.45], [-38, -12], [38, 12]), FPS, 1.0)
    zoom = np.exp(settings.zoom * wander(dice, frames, FPS, 5.0))
    focal = settings.person_px * MIDDLE_M / 1.8 * far * np.clip(zoom, 0.6, 1.8)
    shake = np.array([wander(dice, frames, FPS, 0.3) * settings.shake_px / focal for _ in range(2)])
    return look_at(stand, aim, focal, (settings.width, settings.height), shake)
