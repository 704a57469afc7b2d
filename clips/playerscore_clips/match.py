"""Match-like clips: a broadcast camera on a game that never took place, with the truth of every frame."""

from dataclasses import dataclass
from pathlib import Path

from playerscore_clips import film, motion
from playerscore_clips.camera import Camera, follow_ball
from playerscore_clips.dice import Dice
from playerscore_clips.film import Clip, Film, Footage, Progress
from playerscore_clips.motion import Departure
from playerscore_clips.stadium import Stadium
from playerscore_clips.truth import load_truth
from playerscore_clips.wardrobe import random_cast

__all__ = ["Clip", "ClipSettings", "load_truth", "render_clip"]


@dataclass(frozen=True)
class ClipSettings:
    """What a clip is like; equal settings give equal clips."""

    seed: int = 7
    seconds: float = 12.0
    fps: int = 25
    width: int = 1280
    height: int = 720
    person_px: float = 36.0
    """Height of a person in the middle of the pitch; nearer ones are up to twice as high."""
    leaves: bool = False
    """Whether one player walks out of the picture in the middle, for good."""
    noise: float = 2.5
    """Deviation of the sensor's noise, of 255."""
    crf: int = 23
    """How much the encoder may lose, by x264's scale: 18 hardly visible, 30 coarse."""

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.fps <= 0 or self.person_px <= 0:
            raise ValueError("seconds, fps and person_px have to be positive")
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < 64:
            raise ValueError("width and height have to be even and at least 64")

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.fps))


def render_clip(settings: ClipSettings, out_dir: Path, on_progress: Progress | None = None) -> Clip:
    """Draw a match, write ``match-<seed>.mp4`` (H.264) and its truth into ``out_dir``, and return both.

    The pixels and the truth depend on the settings alone.
    """
    name = f"match-{settings.seed}{'-leaves' if settings.leaves else ''}"
    return film.write(_film(settings), out_dir, name, on_progress)


def _film(settings: ClipSettings) -> Film:
    """Return one game, planned: who plays, how they move, what the camera does."""
    game, scenery, grain = (Dice((settings.seed, stream)) for stream in range(3))
    calm_s = 0.5 * settings.seconds if settings.leaves else 0.0
    ball = motion.ball_path(game, settings.frames, settings.fps, calm_s)
    size = (settings.width, settings.height)
    cameras = follow_ball(game, ball, settings.fps, size, settings.person_px)
    moved = motion.play(game, ball, settings.fps, _departure(settings, cameras))
    stadium = Stadium(scenery)
    light = film.random_light(scenery)
    cast = random_cast(scenery, moved.people, stadium.turf)
    footage = Footage(
        *size, settings.fps, settings.seed, settings.noise, film.tone_curve(scenery),
        {"crf": str(settings.crf)},
    )  # fmt: skip
    return Film(footage, cast, moved, cameras, stadium, light, grain)


def _departure(settings: ClipSettings, cameras: list[Camera]) -> Departure | None:
    if not settings.leaves:
        return None
    edges = [
        camera.ground_at(column, camera.height)[1]
        for camera in cameras[len(cameras) // 3 :]
        for column in (0, camera.width / 2, camera.width)
    ]
    return Departure(0.5 * settings.seconds, float(min(edges)))
