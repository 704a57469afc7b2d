"""What lies around and on a pitch and is not a person: stands, trees, boards, goals, balls, flags, cones.

Each exists to teach the detector what to leave alone, so variety counts for more than likeness.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

from playerscore_clips import colours
from playerscore_clips.blending import blend_field, blend_mask, write_text
from playerscore_clips.dice import Dice, Field

_FONTS = (0, 2, 3, 4)


def clutter(dice: Dice, height: int, width: int, body_px: float) -> Field:
    """Return what is seen behind a pitch (height, width, 3): trees, a crowd, texture, or buildings."""
    kind = dice.uniform(0, 1)
    base = np.array(colours.random_colour(dice), np.float32) * dice.uniform(0.3, 1)
    picture: Field = np.empty((height, width, 3), np.float32)
    picture[:] = base
    if dice.chance(0.3):
        return _trees(dice, height, width, body_px)
    if kind < 0.45:
        return _crowd(dice, picture, body_px)
    if kind < 0.7:
        return _texture(dice, picture, body_px)
    return _blocks(dice, picture, body_px)


def _trees(dice: Dice, height: int, width: int, body_px: float) -> Field:
    leaf = colours.from_hsv(dice.uniform(5, 75), dice.uniform(20, 160), dice.uniform(25, 150))
    light: Field = np.ones((height, width), np.float32)
    for cell, depth in ((2.5, 0.3), (1.0, 0.3), (0.4, 0.3), (0.15, 0.3), (0.06, 0.25)):
        light += dice.noise(height, width, max(1.0, body_px * cell), depth * dice.uniform(0.2, 1.1))
    picture: Field = np.clip(light, 0.1, 2.2)[:, :, None] * leaf
    if dice.chance(0.5):
        other = np.array(colours.random_colour(dice), np.float32) * dice.uniform(0.3, 1)
        bumps = dice.noise(height, width, body_px * dice.uniform(0.1, 1.5), 1.0) * 3
        picture = blend_field(picture, np.clip(bumps - dice.uniform(0, 3), 0, 1), other)
    for _ in range(dice.integer(0, 8)):
        _trunk(dice, picture, body_px)
    if dice.chance(0.3):
        picture = _with_sky(dice, picture, body_px)
    return picture


def _trunk(dice: Dice, picture: Field, body_px: float) -> None:
    height, width = picture.shape[:2]
    x, y, grey = int(dice.uniform(0, width)), int(dice.uniform(0, height)), dice.uniform(20, 120)
    end = (x + int(dice.normal(0, 0.2) * body_px), y + int(body_px * dice.uniform(0.2, 2)))
    cv2.line(
        picture,
        (x, y),
        end,
        (grey * 0.7, grey * 0.85, grey),
        max(1, int(body_px * dice.uniform(0.03, 0.2))),
    )


def _with_sky(dice: Dice, picture: Field, body_px: float) -> Field:
    height, width = picture.shape[:2]
    rows = np.linspace(0, 1, height)[:, None]
    skyline = dice.uniform(0.2, 0.8) + dice.noise(height, width, body_px * dice.uniform(0.3, 2), 0.1)
    share = np.clip((skyline - rows) * 40, 0, 1).astype(np.float32)
    sky = np.array([235, 200, 160], np.float32) * dice.uniform(0.7, 1.1)
    return blend_field(picture, share, sky)


def _crowd(dice: Dice, picture: Field, body_px: float) -> Field:
    crowd_rows(dice, picture, max(3.0, body_px * dice.uniform(0.16, 0.5)))
    picture *= dice.uniform(0.35, 1.0)
    if dice.chance(0.7):
        picture = cv2.GaussianBlur(picture, (0, 0), body_px * dice.uniform(0.01, 0.08))
    return picture


def crowd_rows(dice: Dice, picture: Field, head_px: float) -> None:
    """Fill a picture with rows of heads and shoulders, ``head_px`` apart."""
    height, width = picture.shape[:2]
    for y in np.arange(0, height + head_px, head_px * dice.uniform(0.7, 1.1)):
        for x in np.arange(-head_px, width + head_px, head_px * dice.uniform(0.7, 1.2)):
            if not dice.chance(0.12):
                _spectator(dice, picture, float(x), float(y), head_px)


def _spectator(dice: Dice, picture: Field, x: float, y: float, size: float) -> None:
    left, top = int(x + dice.normal(0, 0.1) * size), int(y + dice.normal(0, 0.1) * size)
    coat = colours.shade(colours.random_colour(dice, 30), 0.9)
    shoulders = (max(1, int(0.42 * size)), max(1, int(0.5 * size)))
    cv2.ellipse(picture, (left, int(top + 0.55 * size)), shoulders, 0, 0, 360, coat, -1)
    skin = colours.shade(dice.choose(colours.SKIN), 1.0)
    cv2.circle(picture, (left, top), max(1, int(0.2 * size)), skin, -1)


def _texture(dice: Dice, picture: Field, body_px: float) -> Field:
    height, width = picture.shape[:2]
    for _ in range(3):
        cell = body_px * dice.uniform(0.06, 1.2)
        shape = (max(2, int(height / cell) + 2), max(2, int(width / cell) + 2))
        cells = dice.rng.normal(0, 1, (*shape, 3)) * dice.uniform(0.2, 1) + dice.rng.normal(0, 1, (*shape, 1))
        enlarge = dice.choose([cv2.INTER_CUBIC, cv2.INTER_NEAREST])
        picture += cv2.resize(
            cells.astype(np.float32), (width, height), interpolation=enlarge
        ) * dice.uniform(5, 40)
    return picture


def _blocks(dice: Dice, picture: Field, body_px: float) -> Field:
    height, width = picture.shape[:2]
    for _ in range(dice.integer(4, 30)):
        x, y = int(dice.uniform(0, width)), int(dice.uniform(0, height))
        w, h = int(body_px * dice.uniform(0.1, 2.2)), int(body_px * dice.uniform(0.05, 1.6))
        paint = colours.shade(colours.random_colour(dice), 1.0)
        if dice.chance(0.6):
            outline = -1 if dice.chance(0.7) else max(1, int(0.05 * body_px))
            cv2.rectangle(picture, (x, y), (x + w, y + h), paint, outline)
        else:
            axes = (w // 2 + 1, h // 2 + 1)
            cv2.ellipse(picture, (x, y), axes, dice.uniform(0, 180), 0, 360, paint, -1)
    if dice.chance(0.5):
        _fence(dice, picture, body_px)
    picture += dice.noise(height, width, body_px * 0.1, dice.uniform(0, 12))[:, :, None]
    return picture


def _fence(dice: Dice, picture: Field, body_px: float) -> None:
    height, width = picture.shape[:2]
    gap = max(2, body_px * dice.uniform(0.1, 1))
    paint = colours.shade(colours.random_colour(dice), 1.0)
    for x in np.arange(dice.uniform(0, gap), width, gap):
        cv2.line(picture, (int(x), 0), (int(x), height), paint, max(1, int(0.04 * body_px)))


def boards(dice: Dice, picture: Field, body_px: float, top: float, slope: float, board_height: float) -> None:
    """Put a row of advertising boards across, its upper edge at ``top`` on the left, sloping."""
    uniform_colour = dice.chance(0.4)
    common = colours.random_colour(dice)
    x = -body_px * dice.uniform(0, 4)
    while x < picture.shape[1]:
        length = body_px * dice.uniform(1.2, 7)
        paint = colours.shade(common if uniform_colour else colours.random_colour(dice), 1.0)
        left, right = top + slope * x, top + slope * (x + length)
        corners = [
            [x, left],
            [x + length, right],
            [x + length, right + board_height],
            [x, left + board_height],
        ]
        cv2.fillConvexPoly(picture, np.array(corners, np.int32), paint)
        _lettering(dice, picture, (x, (left + right) / 2), length, board_height)
        x += length * (1 if dice.chance(0.8) else 1.1)


def _lettering(dice: Dice, picture: Field, place: tuple[float, float], length: float, height: float) -> None:
    x, y = place
    paint = colours.shade(colours.random_colour(dice), 1.0)
    if dice.chance(0.75):
        at = (int(x + length * 0.06), int(y + height * 0.78))
        scale, thickness = height * dice.uniform(0.018, 0.034), max(1, int(height * dice.uniform(0.06, 0.2)))
        write_text(picture, dice.letters(2, 11), at, dice.choose(_FONTS), scale, paint, thickness)
    if dice.chance(0.4):
        for _ in range(dice.integer(1, 4)):
            centre = (int(x + dice.uniform(0, length)), int(y + height * 0.5))
            radius = max(1, int(height * dice.uniform(0.15, 0.45)))
            cv2.circle(picture, centre, radius, colours.shade(colours.random_colour(dice), 1.0), -1)


def props(dice: Dice, picture: Field, body_px: float, count: int | None = None) -> None:
    """Put things that are not people anywhere: balls, poles, bags, goals, letters, cones."""
    number = dice.weighted(range(5), (0.38, 0.24, 0.18, 0.12, 0.08)) if count is None else count
    for _ in range(number):
        height, width = picture.shape[:2]
        x, y = int(dice.uniform(0, width)), int(dice.uniform(0, height))
        if dice.chance(0.22):
            _bent_line(dice, picture, x, y, body_px)
        elif dice.chance(0.12):
            _bags(dice, picture, x, y, body_px)
        else:
            dice.weighted(_PROPS, _PROP_WEIGHTS)(dice, picture, x, y, body_px)


def _bent_line(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    angle, reach = dice.uniform(0, 2 * math.pi), body_px * dice.uniform(0.3, 1.4)
    width, grey = max(1, int(body_px * dice.uniform(0.03, 0.12))), dice.uniform(190, 255)

    def stroke() -> None:
        end = (int(x + reach * math.cos(angle)), int(y + reach * math.sin(angle)))
        cv2.line(picture, (x, y), end, (grey, grey, grey), width)

    stroke()
    if dice.chance(0.6):
        angle += dice.uniform(0.6, 2.4)
        reach *= dice.uniform(0.3, 2.5)
        stroke()


def _bags(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    for _ in range(dice.integer(2, 5)):
        centre = (x + int(dice.normal(0, 0.15) * body_px), y + int(dice.normal(0, 0.06) * body_px))
        axes = (int(body_px * dice.uniform(0.04, 0.25)) + 1, int(body_px * dice.uniform(0.03, 0.13)) + 1)
        paint = colours.shade(colours.random_colour(dice), 1.0)
        cv2.ellipse(picture, centre, axes, dice.uniform(-40, 40), 0, 360, paint, -1)


def _ball(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    radius = max(1, int(body_px * dice.uniform(0.04, 0.075)))
    cv2.circle(picture, (x, y), radius, (235.0, 235.0, 235.0), -1)
    cv2.circle(picture, (x, y + radius // 3), max(1, radius // 2), (150.0, 150.0, 150.0), -1)


def _flag(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    length = body_px * dice.uniform(0.5, 1.6)
    pole = colours.shade(colours.random_colour(dice), 1.0) if dice.chance(0.5) else (230.0, 230.0, 230.0)
    top = (x + int(dice.normal(0, 0.03) * length), int(y - length))
    cv2.line(picture, (x, y), top, pole, max(1, int(body_px * dice.uniform(0.02, 0.08))))
    if dice.chance(0.6):
        tip = [x + dice.sign() * 0.25 * body_px, y - length + 0.1 * body_px]
        cloth = [[x, y - length], tip, [x, y - length + 0.22 * body_px]]
        paint = colours.shade(colours.random_colour(dice), 1.0)
        cv2.fillConvexPoly(picture, np.array(cloth, np.int32), paint)


def _box(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    end = (int(x + body_px * dice.uniform(0.05, 0.4)), int(y + body_px * dice.uniform(0.05, 0.6)))
    cv2.rectangle(picture, (x, y), end, colours.shade(colours.random_colour(dice), 1.0), -1)


def _blob(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    axes = (int(body_px * dice.uniform(0.05, 0.4)) + 1, int(body_px * dice.uniform(0.03, 0.25)) + 1)
    paint = colours.shade(colours.random_colour(dice), 1.0)
    cv2.ellipse(picture, (x, y), axes, dice.uniform(0, 180), 0, 360, paint, -1)


def _goal(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    white = (235.0, 235.0, 235.0)
    post = max(1, int(body_px * dice.uniform(0.04, 0.09)))
    wide = int(body_px * dice.uniform(2, 5) * dice.choose([1, 0.5]))
    high, skew = int(body_px * dice.uniform(1.1, 1.5)), int(body_px * dice.uniform(-1, 1))
    deep = int(body_px * dice.uniform(0.2, 1.3)) * dice.sign()
    mesh = np.zeros(picture.shape[:2], np.uint8)
    step = max(2, int(body_px * dice.uniform(0.06, 0.2)))
    for q in range(0, wide, step):
        drop = int(skew * q / wide)
        cv2.line(mesh, (x + q, y - high + drop), (x + q + deep, y - int(high * 0.1) + drop), 255, 1)
    for q in range(0, high, step):
        back = int(deep * q / high)
        cv2.line(mesh, (x + back, y - high + q), (x + wide + back, y - high + q + skew), 255, 1)
    blend_mask(picture, mesh, white, dice.uniform(0.1, 0.6))
    cv2.line(picture, (x, y), (x, y - high), white, post)
    cv2.line(picture, (x + wide, y + skew), (x + wide, y - high + skew), white, post)
    cv2.line(picture, (x, y - high), (x + wide, y - high + skew), white, post)


def _letters(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    paint = colours.shade(colours.random_colour(dice), 1.0)
    text = dice.letters(1, 7, "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    thickness = max(1, int(body_px * dice.uniform(0.02, 0.1)))
    scale = body_px * dice.uniform(0.006, 0.03)
    write_text(picture, text, (x, y), dice.choose((0, 2, 4)), scale, paint, thickness)


def _stick(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    end = (int(x + body_px * dice.uniform(-0.5, 0.5)), int(y + body_px * dice.uniform(-0.5, 0.5)))
    paint = colours.shade(colours.random_colour(dice), 1.0)
    cv2.line(picture, (x, y), end, paint, max(1, int(body_px * dice.uniform(0.03, 0.15))))


def _cone(dice: Dice, picture: Field, x: int, y: int, body_px: float) -> None:
    size = body_px * dice.uniform(0.08, 0.3)
    corners = np.array([[x - size * 0.6, y], [x + size * 0.6, y], [x, y - size * 1.2]], np.int32)
    cv2.fillConvexPoly(picture, corners, colours.shade(colours.random_colour(dice), 1.0))


_PROPS: tuple[Callable[[Dice, Field, int, int, float], None], ...] = (
    _ball,
    _flag,
    _box,
    _blob,
    _goal,
    _letters,
    _stick,
    _cone,
)
_PROP_WEIGHTS = (0.2, 0.15, 0.15, 0.1, 0.12, 0.08, 0.08, 0.12)
