"""The broadcast camera: a pinhole on a tripod in the stand that pans, tilts and zooms after the ball.

World axes in metres: x along the pitch to the camera's right, y across it and away, z up; the middle of
the pitch is the origin.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from playerscore_clips.dice import Dice

Numbers = npt.NDArray[np.float64]

STAND = (0.0, -66.0, 20.0)
"""Where the camera of a broadcast stands, in metres."""
PERSON_M = 1.8
MIDDLE_M = float(np.linalg.norm(np.array(STAND)))
"""How far the middle of the pitch is from the camera."""


@dataclass(frozen=True)
class Camera:
    """The camera at one moment."""

    pan: float
    tilt: float
    focal_px: float
    width: int
    height: int
    stand: tuple[float, float, float] = STAND
    backdrop_blur_px: float = 0.0
    """How far out of focus everything but the people is, as behind a close-up."""

    @property
    def matrix(self) -> Numbers:
        """Return the projection (3, 4) from world metres to homogeneous pixels."""
        cp, sp, ct, st = math.cos(self.pan), math.sin(self.pan), math.cos(self.tilt), math.sin(self.tilt)
        rotation = np.array([[cp, -sp, 0.0], [-sp * st, -cp * st, -ct], [sp * ct, cp * ct, -st]])
        lens = np.array([[self.focal_px, 0, self.width / 2], [0, self.focal_px, self.height / 2], [0, 0, 1]])
        pose: Numbers = np.column_stack([rotation, -rotation @ np.array(self.stand)])
        projection: Numbers = lens @ pose
        return projection

    def pixels(self, points: Numbers) -> Numbers:
        """Return u, v and depth in metres (n, 3) of world points (n, 3)."""
        projected = np.column_stack([points, np.ones(len(points))]) @ self.matrix.T
        depth = projected[:, 2:]
        seen: Numbers = np.hstack([projected[:, :2] / depth, depth])
        return seen

    def plane(self, origin: Numbers, along: Numbers, up: Numbers) -> Numbers:
        """Return the homography (3, 3) to pixels from coordinates (a, b) on ``origin + a along + b up``."""
        spanned = np.array([[*along, 0.0], [*up, 0.0], [*origin, 1.0]]).T
        homography: Numbers = self.matrix @ spanned
        return homography

    @property
    def ground(self) -> Numbers:
        """Return the homography (3, 3) from pitch metres to pixels."""
        return self.plane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0.0, 1, 0]))

    @property
    def horizon(self) -> float:
        """Return the row of the picture, counted from above, at which the ground would end."""
        return self.height / 2 - self.focal_px * math.tan(self.tilt)

    def ground_at(self, u: float, v: float) -> Numbers:
        """Return the pitch metres (2,) seen at a pixel."""
        point = np.linalg.inv(self.ground) @ np.array([u, v, 1.0])
        metres: Numbers = point[:2] / point[2]
        return metres


def smoothed(path: Numbers, fps: float, seconds: float) -> Numbers:
    """Return a path (frames, n) that follows another as a heavy thing on a damped spring would."""
    stiffness = min(0.6, 2.0 / (seconds * fps))  # more would make it ring
    place, speed = path[0].astype(float), np.zeros(path.shape[1])
    out = np.empty_like(path, float)
    for i, goal in enumerate(path):
        speed = speed + stiffness**2 * (goal - place) - 2 * stiffness * speed
        place = place + speed
        out[i] = place
    return out


def wander(dice: Dice, frames: int, fps: float, seconds: float) -> Numbers:
    """Return smooth noise (frames,) of about unit size that changes over ``seconds``."""
    knots = np.arange(0, frames / fps + 3 * seconds, seconds)
    values = dice.rng.normal(0, 1, len(knots))
    field = np.interp(np.arange(frames) / fps, knots, values)
    return smoothed(field[:, None], fps, seconds * 0.5)[:, 0]


def follow_ball(
    dice: Dice, ball: Numbers, fps: float, size: tuple[int, int], person_px: float
) -> list[Camera]:
    """Return a camera for every frame that keeps the ball (frames, 2) in the picture, as an operator would.

    ``person_px`` is how high a person in the middle of the pitch is.
    """
    frames = len(ball)
    aim = smoothed(np.clip(ball * [0.85, 0.45], [-36, -9], [36, 9]), fps, 1.1)
    zoom = 1 + 0.07 * wander(dice, frames, fps, 4.0)
    focal = person_px * MIDDLE_M / PERSON_M * np.clip(zoom, 0.85, 1.2)
    shake = [wander(dice, frames, fps, 0.35) * 0.3 / focal for _ in range(2)]
    return look_at(STAND, aim, focal, size, np.array(shake))


def look_at(stand: tuple[float, float, float], aim: Numbers, focal_px: Numbers, size: tuple[int, int],
            shake: Numbers | None = None, aim_m: float = 0.0, blur_px: float = 0.0) -> list[Camera]:  # fmt: skip
    """Return a camera for every frame that looks from ``stand`` at ``aim`` (frames, 2), ``aim_m`` above ground.

    ``shake`` (2, frames) is added to pan and tilt, in radians.
    """
    offset = aim - np.array(stand[:2])
    pan = np.arctan2(offset[:, 0], offset[:, 1])
    tilt = np.arctan2(stand[2] - aim_m, np.hypot(offset[:, 0], offset[:, 1]))
    if shake is not None:
        pan, tilt = pan + shake[0], tilt + shake[1]
    return [
        Camera(float(p), float(t), float(f), *size, stand, blur_px)
        for p, t, f in zip(pan, tilt, focal_px, strict=True)
    ]
