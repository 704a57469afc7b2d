"""What a lens, a sensor and an encoder do to a picture of a training window."""

import math

import cv2
import numpy as np

from playerscore_clips.dice import Dice, Field, Image


def through_lens(dice: Dice, scene: Field, body_px: float, oversampling: float) -> Field:
    """Return the scene (h, w, 3) blurred, perhaps by motion, and exposed; 0..255."""
    if dice.chance(0.35):
        scene = _motion_blur(dice, scene, body_px)
    scene = cv2.GaussianBlur(scene, (0, 0), oversampling * dice.uniform(0.3, 0.95))
    cast = 1 + dice.rng.normal(0, 0.06, 3).astype(np.float32)
    scene = np.clip(scene * dice.uniform(0.75, 1.25) * cast + dice.uniform(-15, 25), 0, 255)
    if dice.chance(0.5):
        scene = 255 * (scene / 255.0) ** dice.uniform(0.7, 1.45)
    if dice.chance(0.3):
        grey = scene.mean(2, keepdims=True)
        scene = grey + (scene - grey) * dice.uniform(0.3, 1.4)
    return scene


def _motion_blur(dice: Dice, scene: Field, body_px: float) -> Field:
    length = int(dice.uniform(1, 0.22 * body_px) + 1)
    if length < 2:
        return scene
    kernel = np.zeros((length, length), np.float32)
    angle, centre = dice.normal(0, 0.3), (length - 1) / 2
    dx, dy = centre * math.cos(angle), centre * math.sin(angle)
    start, end = (round(centre - dx), round(centre - dy)), (round(centre + dx), round(centre + dy))
    cv2.line(kernel, start, end, 1.0, 1)
    blurred: Field = cv2.filter2D(scene, -1, kernel / kernel.sum())
    return blurred


def onto_sensor(dice: Dice, scene: Field, side: int) -> Image:
    """Return the scene sampled to ``side`` pixels square, sharpened, noisy, perhaps interlaced."""
    sampled = scene
    if scene.shape[0] != side:
        sampled = cv2.resize(scene, (side, side), interpolation=cv2.INTER_AREA)
    if dice.chance(0.45):
        soft = cv2.GaussianBlur(sampled, (0, 0), dice.uniform(0.6, 1.5))
        sampled = sampled + (sampled - soft) * dice.uniform(0.2, 1.6)
    shape = sampled.shape
    grain = dice.rng.normal(0, dice.uniform(0, 5), shape[:2])[:, :, None].astype(np.float32)
    if dice.chance(0.3):
        grain = grain + dice.rng.normal(0, dice.uniform(0, 4), shape).astype(np.float32)
    sampled = sampled + grain
    if dice.chance(0.06):
        sampled[1::2] = np.roll(sampled[1::2], dice.integer(1, 3), 1)
    return np.ascontiguousarray(np.clip(sampled, 0, 255).astype(np.uint8))


def through_encoder(dice: Dice, picture: Image) -> Image:
    """Return the picture after one or two lossy compressions and, sometimes, a smoothing filter."""
    for _ in range(1 if dice.chance(0.75) else 2):
        if dice.chance(0.9):
            picture = _compressed(dice, picture)
    if dice.chance(0.15):
        if dice.chance(0.3):
            picture = cv2.medianBlur(picture, 3)
        else:
            picture = cv2.bilateralFilter(picture, 5, dice.uniform(5, 30), 2)
    return picture


def _compressed(dice: Dice, picture: Image) -> Image:
    how = [cv2.IMWRITE_JPEG_QUALITY, int(dice.uniform(22, 95))]
    if dice.chance(0.4):
        how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    decoded = cv2.imdecode(cv2.imencode(".jpg", picture, how)[1], cv2.IMREAD_COLOR)
    return np.asarray(decoded, np.uint8)


def resampled(dice: Dice, picture: Image, zoom: float, offset: tuple[float, float], size: int) -> Image:
    """Return the window (size, size, 3) that begins at ``offset`` of the picture, ``zoom`` times as large."""
    shift = 0.5 * zoom - 0.5
    matrix = np.array([[zoom, 0, shift - offset[0] * zoom], [0, zoom, shift - offset[1] * zoom]], np.float32)
    if zoom < 0.8:
        picture, how = cv2.GaussianBlur(picture, (0, 0), 0.4 / zoom), cv2.INTER_LINEAR
    else:
        how = cv2.INTER_LINEAR if dice.chance(0.6) else cv2.INTER_CUBIC
    window: Image = cv2.warpAffine(picture, matrix, (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return window
