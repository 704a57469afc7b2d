"""What comes between a scene and whoever looks at the video: captions, shade, a whipped pan, a filmed screen."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from playerscore_clips import colours
from playerscore_clips.camera import Camera, wander
from playerscore_clips.dice import Dice, Field, Image

Numbers = npt.NDArray[np.float64]


OPAQUE = 128
"""From this alpha on a caption hides what is behind it."""


@dataclass(frozen=True)
class Caption:
    """A picture with transparency that lies over some frames."""

    picture: Image
    """(h, w, 4), BGRA."""
    left: int
    top: int
    first: int
    last: int

    def draw(self, number: int, frame: Image) -> None:
        """Lay the caption over a frame, in place, if it is its time."""
        if not self.first <= number <= self.last:
            return
        part = frame[
            self.top : self.top + self.picture.shape[0], self.left : self.left + self.picture.shape[1]
        ]
        picture = self.picture[: part.shape[0], : part.shape[1]]
        share = picture[:, :, 3:] / 255.0
        part[:] = part * (1 - share) + picture[:, :, :3] * share


@dataclass(frozen=True)
class Shade:
    """The shadow of a stand: half of the pitch, behind a straight edge."""

    angle: float
    distance_m: float
    light: float
    """Of what lies in it, of 1."""

    def at(self, x: Field | Numbers, y: Field | Numbers) -> Numbers:
        """Return the light at places on the pitch, of the shape of x and y."""
        beyond = np.asarray(x * math.cos(self.angle) + y * math.sin(self.angle) - self.distance_m, float)
        lit: Numbers = 1 - (1 - self.light) * np.clip(beyond / 0.6 + 0.5, 0, 1)
        return lit


class Screen:
    """A screen that is filmed by hand: it stands askew, its dots interfere with the sensor's, its edge shows."""

    def __init__(self, dice: Dice, frames: int, fps: float, size: tuple[int, int]) -> None:
        self._size = size
        width, height = size
        margin = np.array([0.012 * width, 0.012 * height])
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        inward = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * margin * dice.rng.uniform(0.3, 2.2, (4, 1))
        drift = np.stack([wander(dice, frames, fps, 0.8) for _ in range(2)], 1) * 1.2
        self._warps = [
            cv2.getPerspectiveTransform(corners, (corners + inward + shift).astype(np.float32)).astype(float)
            for shift in drift
        ]
        self._stripes = self._moire(dice)
        self._bezel = dice.integer(8, 40)

    def _moire(self, dice: Dice) -> Field:
        """Return a pattern (2 h, w) about 1 of slowly bending stripes; it creeps over the picture."""
        width, height = self._size
        rows, columns = np.mgrid[0 : 2 * height, 0:width].astype(np.float32)
        period, angle = dice.uniform(5, 14), dice.uniform(-0.5, 0.5)
        bend = 14 * np.sin(columns / width * dice.uniform(2, 6)) + 9 * np.sin(rows / height * 5)
        wave = np.sin(2 * math.pi * (rows * math.cos(angle) + columns * math.sin(angle) + bend) / period)
        pattern: Field = 1 + dice.uniform(0.03, 0.08) * wave
        return pattern.astype(np.float32)

    def warp(self, number: int) -> Numbers:
        """Return where the screen's pixels come to lie, a homography (3, 3)."""
        warp: Numbers = self._warps[number]
        return warp

    def draw(self, number: int, frame: Image) -> Image:
        """Return a frame as the hand-held camera takes it."""
        border = (self._bezel,) * 3
        shown = cv2.warpPerspective(frame, self.warp(number), self._size, borderValue=border)
        at = (number * 3) % self._size[1]
        stripes = self._stripes[at : at + self._size[1], :, None]
        soft = cv2.GaussianBlur(shown, (3, 3), 0.8)
        seen: Image = np.clip(soft * stripes * 0.92 + 10, 0, 255).astype(np.uint8)
        return seen


@dataclass(frozen=True)
class Lens:
    """A lens that bends straight lines, by OpenCV's radial term: x (1 + k1 r^2) in units of the focal length."""

    k1: float

    def bent(self, points: Numbers, camera: Camera) -> Numbers:
        """Return where the pixels (n, 2) of a pinhole's picture come to lie."""
        middle = np.array([camera.width, camera.height]) / 2
        plane = (points - middle) / camera.focal_px
        squared = (plane**2).sum(-1, keepdims=True)
        bent: Numbers = middle + plane * (1 + self.k1 * squared) * camera.focal_px
        return bent

    def draw(self, camera: Camera, frame: Image) -> Image:
        """Return a pinhole's frame as it is seen through the lens."""
        middle = np.array([camera.width, camera.height]) / 2
        columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        goal = (np.dstack([columns, rows]) - middle) / camera.focal_px
        plane = goal
        for _ in range(6):
            plane = goal / (1 + self.k1 * (plane**2).sum(2, keepdims=True))
        from_px = (plane * camera.focal_px + middle).astype(np.float32)
        seen: Image = cv2.remap(frame, from_px, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return seen


@dataclass(frozen=True)
class Effects:
    """Everything between a scene and its viewer; nothing, by default."""

    captions: tuple[Caption, ...] = ()
    shade: Shade | None = None
    screen: Screen | None = None
    lens: Lens | None = None
    shutter: float = 0.0
    """Share of a frame's time that the shutter is open: how far a pan smears."""
    nets: bool = False
    """Whether goals hide who is behind them; else they are behind everybody."""


def smeared(frame: Image, before: Camera, now: Camera, shutter: float) -> Image:
    """Return a frame smeared along the way that the camera has turned since the frame before."""
    across = (now.pan - before.pan) * now.focal_px * shutter
    down = (now.tilt - before.tilt) * now.focal_px * shutter
    length = math.hypot(across, down)
    if length < 2:
        return frame
    reach = math.ceil(length / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    dx, dy = round(across / 2), round(down / 2)
    cv2.line(kernel, (reach - dx, reach - dy), (reach + dx, reach + dy), 1.0)
    blurred: Image = cv2.filter2D(frame, -1, kernel / kernel.sum())
    return blurred


# What broadcasters lay over a picture.


def score_bug(dice: Dice, size: tuple[int, int], frames: int) -> Caption:
    """Return the small table of teams and goals in an upper corner."""
    width, height = size
    h, w = round(0.05 * height), round(dice.uniform(0.18, 0.26) * width)
    picture = _panel(dice, w, h, 245)
    text = f"{dice.letters(3, 4)} {dice.integer(0, 4)}-{dice.integer(0, 4)} {dice.letters(3, 4)}  {dice.integer(1, 90)}:{dice.integer(10, 60)}"
    _print(picture, text, (5, round(0.72 * h)), h * 0.022, (245, 245, 245))
    left = round(0.04 * width) if dice.chance(0.7) else width - w - round(0.04 * width)
    return Caption(picture, left, round(dice.uniform(0.04, 0.08) * height), 0, frames)


def logo(dice: Dice, size: tuple[int, int], frames: int) -> Caption:
    """Return a watermark: see-through or solid letters near an edge, or large and faint in the middle."""
    width, height = size
    faint = dice.chance(0.5)
    h = round(dice.uniform(0.07, 0.13 if faint else 0.09) * height)
    text = dice.letters(4, 9)
    w = round(h * 0.72 * len(text))
    picture = np.zeros((h, w, 4), np.uint8)
    alpha = dice.integer(70, 130) if faint else 250
    _print(picture, text, (2, round(0.75 * h)), h * 0.026, (240, 240, 240), alpha)
    left = dice.integer(0, max(1, width - w))
    top = dice.integer(round(0.3 * height), height - h) if faint else height - h - dice.integer(4, 30)
    return Caption(picture, left, top, 0, frames)


def banner(dice: Dice, size: tuple[int, int], first: int, last: int) -> Caption:
    """Return a broad caption in the lower third, in front of whoever plays there."""
    width, height = size
    w, h = round(dice.uniform(0.45, 0.8) * width), round(dice.uniform(0.13, 0.2) * height)
    picture = _panel(dice, w, h, dice.choose((255, 255, 235, 200)))
    _print(picture, dice.letters(6, 13), (round(0.25 * h), round(0.45 * h)), h * 0.012, (250, 250, 250))
    _print(picture, dice.letters(8, 20), (round(0.25 * h), round(0.85 * h)), h * 0.008, (225, 225, 225))
    left = round(dice.uniform(0.05, 0.95) * (width - w))
    return Caption(picture, left, round(dice.uniform(0.62, 0.95) * (height - h)), first, last)


def _panel(dice: Dice, width: int, height: int, alpha: int) -> Image:
    picture: Image = np.empty((height, width, 4), np.uint8)
    picture[:] = (*(round(c) for c in colours.shade(colours.random_colour(dice), 0.6)), alpha)
    picture[:, : max(4, width // 30)] = (*colours.random_colour(dice), 255)
    return picture


def _print(picture: Image, text: str, at: tuple[int, int], scale: float, colour: tuple[int, int, int],
           alpha: int = 255) -> None:  # fmt: skip
    thick = max(1, round(scale * 2))
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, (*colour, alpha), thick, cv2.LINE_AA)
