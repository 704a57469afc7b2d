"""What a detector has taken for a person on real footage, drawn so that it learns better.

Goals with their nets, terraces full of people, shelters with seats, things stacked like a body, captions and
logos, and parts of people far larger than whoever is looked for. ``body_px`` is the height of a person in the
picture at hand.
"""

import math
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from playerscore_clips import colours, surroundings
from playerscore_clips.blending import blend_mask
from playerscore_clips.dice import Dice, Field, Image
from playerscore_clips.figures import BODY_PX, View, draw_figure, random_kit, random_look, random_pose
from playerscore_clips.sprites import Layer, place_whole_pixel

Point = npt.NDArray[np.float64]
Quad = tuple[Point, Point, Point, Point]
"""Corners of a plane, in turn."""

_GOAL_HEIGHT, _GOAL_WIDTH = 1.36, 4.1
"""In body heights."""


def goals(dice: Dice, picture: Field, body_px: float) -> None:
    """Put one goal, seldom two, anywhere: from the front, the side or behind, its net thin or thick."""
    for _ in range(1 if dice.chance(0.85) else 2):
        _goal(dice, picture, body_px * dice.uniform(0.75, 1.4))


def _goal(dice: Dice, picture: Field, body_px: float) -> None:
    height, width = picture.shape[:2]
    foot = np.array([dice.uniform(-0.3, 1.0) * width, dice.uniform(0.2, 1.15) * height])
    turn, tilt = dice.uniform(-1.5, 1.5), dice.uniform(0.1, 0.5)
    across = np.array([math.cos(turn), math.sin(turn) * tilt]) * _GOAL_WIDTH * body_px
    back = np.array([-math.sin(turn), math.cos(turn) * tilt]) * body_px * dice.uniform(0.7, 1.4) * dice.sign()
    up = np.array([dice.normal(0, 0.03), -1.0]) * _GOAL_HEIGHT * body_px
    posts = (foot, foot + up, foot + across + up, foot + across)
    roof = back * dice.choose([0.05, 0.3, 0.6, 1.0])
    rear = (foot + back, foot + up + roof, foot + across + up + roof, foot + across + back)
    _net(dice, picture, posts, rear, body_px)
    grey = dice.uniform(170, 255)
    paint = (grey, grey, grey) if dice.chance(0.9) else colours.shade(colours.random_colour(dice), 1.0)
    thickness = max(1, round(body_px * dice.uniform(0.045, 0.11)))
    _polyline(picture, posts, paint, thickness)
    if dice.chance(0.6):
        stay = colours.shade(dice.choose([colours.WHITE, colours.random_colour(dice)]), dice.uniform(0.4, 1))
        for end in (0, 3):
            _polyline(picture, (rear[end], rear[1 + end // 3]), stay, max(1, thickness // 2))


def _net(dice: Dice, picture: Field, posts: Quad, rear: Quad, body_px: float) -> None:
    """Draw back, sides and roof of a net between the frame and its rear."""
    mesh = np.zeros(picture.shape[:2], np.uint8)
    gap = max(2.0, body_px * dice.uniform(0.05, 0.16))
    sides = (rear[:2] + posts[1::-1], rear[2:] + posts[:1:-1], (posts[1], rear[1], rear[2], posts[2]))
    for quad in (rear, *sides):
        if dice.chance(0.9):
            _mesh(mesh, quad, gap)
    paint = colours.shade(colours.WHITE if dice.chance(0.8) else colours.random_colour(dice), 1.0)
    if dice.chance(0.3):
        mesh = cv2.GaussianBlur(mesh, (0, 0), body_px * dice.uniform(0.005, 0.03))
    blend_mask(picture, mesh, paint, dice.uniform(0.12, 0.85))


def _mesh(mask: Image, quad: Quad, gap: float) -> None:
    """Draw threads, about ``gap`` apart, parallel to the sides of a quad."""
    a, b, c, d = quad
    for start, end, other_start, other_end in ((a, b, d, c), (a, d, b, c)):
        longest = max(np.linalg.norm(end - start), np.linalg.norm(other_end - other_start))
        for share in np.linspace(0, 1, min(80, int(longest / gap) + 2)):
            thread = (start + (end - start) * share, other_start + (other_end - other_start) * share)
            cv2.line(mask, _pixel(thread[0]), _pixel(thread[1]), 255, 1)


def _polyline(
    picture: Field, points: tuple[Point, ...], paint: tuple[float, float, float], thickness: int
) -> None:
    cv2.polylines(picture, [np.array([_pixel(p) for p in points], np.int32)], False, paint, thickness)


def _pixel(point: Point) -> tuple[int, int]:
    x, y = np.clip(point, -20_000, 20_000)
    return int(x), int(y)


def scenery(dice: Dice, picture: Field, body_px: float) -> float:
    """Fill the picture above a row with a terrace, seats or clutter, put decoys anywhere; return the row."""
    height = picture.shape[0]
    rows = int(height * dice.uniform(0.3, 1.1))
    part = picture[: min(rows, height)]
    draw = dice.weighted((terrace, _seats, _clutter), (0.4, 0.25, 0.35))
    draw(dice, part, body_px)
    if rows < height and dice.chance(0.7):
        surroundings.boards(
            dice, picture, body_px, rows, dice.normal(0, 0.03), body_px * dice.uniform(0.3, 1)
        )
    for _ in range(dice.integer(1, 7)):
        dice.choose((_stack, _pole, _shelter, _stack))(dice, picture, body_px)
    return float(rows)


def _clutter(dice: Dice, picture: Field, body_px: float) -> None:
    picture[:] = surroundings.clutter(dice, picture.shape[0], picture.shape[1], body_px)


def terrace(dice: Dice, picture: Field, body_px: float) -> None:
    """Fill the picture with rows of spectators seen from the waist up, each row before the one behind."""
    height, width = picture.shape[:2]
    picture[:] = np.array(colours.random_colour(dice), np.float32) * dice.uniform(0.2, 0.9)
    size, light = body_px * dice.uniform(0.5, 1.15), dice.uniform(0.35, 1.0)
    crowd = [_spectator(dice, size, light) for _ in range(7)]
    layer = Layer(height, width)
    step = size * dice.uniform(0.3, 0.55)
    fullness = dice.uniform(0.5, 1.0)
    for y in np.arange(step, height + size, step):
        for x in np.arange(0, width + size, size * dice.uniform(0.22, 0.45)):
            if dice.chance(fullness):
                foot = (float(x) + dice.normal(0, 0.06) * size, float(y) + 0.45 * size)
                layer.paste(picture, place_whole_pixel(dice.choose(crowd), foot, size / BODY_PX, size), 0)
        if dice.chance(0.7):
            _front_of_row(dice, picture, float(y), size)
    if dice.chance(0.5):
        picture[:] = cv2.GaussianBlur(picture, (0, 0), body_px * dice.uniform(0.01, 0.09))


def _spectator(dice: Dice, size: float, light: float) -> Image:
    view = View(dice.normal(0, 0.6), dice.uniform(0, 0.3))
    figure = draw_figure(random_kit(dice), random_look(dice), random_pose(dice), view)
    figure[:, :, :3] = (figure[:, :, :3] * light).astype(np.uint8)
    return figure


def _front_of_row(dice: Dice, picture: Field, y: float, size: float) -> None:
    """Hide the legs of a row behind the backs of seats, a rail or a wall."""
    paint = colours.shade(colours.random_colour(dice), dice.uniform(0.3, 1))
    top = int(y + size * 0.02)
    cv2.rectangle(picture, (0, top), (picture.shape[1], int(y + size * dice.uniform(0.1, 0.5))), paint, -1)


def _seats(dice: Dice, picture: Field, body_px: float) -> None:
    """Fill the picture with empty seats in rows, some with somebody's head above."""
    height, width = picture.shape[:2]
    picture[:] = np.array(colours.random_colour(dice), np.float32) * dice.uniform(0.2, 0.8)
    size = body_px * dice.uniform(0.15, 0.5)
    paint, taken = colours.shade(colours.random_colour(dice), dice.uniform(0.5, 1)), dice.uniform(0, 0.5)
    for y in np.arange(0, height + size, size * dice.uniform(1.1, 1.8)):
        for x in np.arange(0, width, size * 1.05):
            corner = (int(x), int(y))
            cv2.rectangle(picture, corner, (int(x + size * 0.85), int(y + size * 0.8)), paint, -1)
            if dice.chance(taken):
                skin = colours.shade(dice.choose(colours.SKIN), dice.uniform(0.5, 1))
                cv2.circle(picture, (int(x + size * 0.4), int(y)), max(1, int(size * 0.3)), skin, -1)


def _stack(dice: Dice, picture: Field, body_px: float) -> None:
    """Two to four blocks on top of each other, as high and wide as a person: bag, bottle, sign, machine."""
    height, width = picture.shape[:2]
    x, y = dice.uniform(0, width), dice.uniform(0.1, 1.1) * height
    tall, wide = body_px * dice.uniform(0.4, 1.2), body_px * dice.uniform(0.12, 0.5)
    for share in dice.rng.dirichlet(np.ones(dice.integer(1, 4)) * 2):
        half, part = wide * dice.uniform(0.5, 1) / 2, tall * float(share)
        paint = colours.shade(colours.random_colour(dice), dice.uniform(0.5, 1))
        corners = (int(x - half), int(y - part)), (int(x + half), int(y))
        if dice.chance(0.6):
            cv2.rectangle(picture, *corners, paint, -1)
        else:
            centre, axes = (int(x), int(y - part / 2)), (int(half) + 1, int(part / 2) + 1)
            cv2.ellipse(picture, centre, axes, 0, 0, 360, paint, -1)
        y -= part


def _pole(dice: Dice, picture: Field, body_px: float) -> None:
    """A thin upright thing: trunk, mast, post with a sign or a lamp on it."""
    height, width = picture.shape[:2]
    x, y = dice.uniform(0, width), dice.uniform(0.2, 1.2) * height
    top = y - body_px * dice.uniform(0.8, 3)
    paint = colours.shade(colours.random_colour(dice), dice.uniform(0.3, 1))
    thickness = max(1, int(body_px * dice.uniform(0.03, 0.16)))
    cv2.line(picture, (int(x), int(y)), (int(x + dice.normal(0, 0.04) * body_px), int(top)), paint, thickness)
    if dice.chance(0.5):
        half = body_px * dice.uniform(0.05, 0.3)
        sign = colours.shade(colours.random_colour(dice), dice.uniform(0.4, 1))
        corners = (int(x - half), int(top - half)), (int(x + half), int(top + half))
        cv2.rectangle(picture, *corners, sign, -1)


def _shelter(dice: Dice, picture: Field, body_px: float) -> None:
    """A shelter with empty seats and bags."""
    height, width = picture.shape[:2]
    x, y = dice.uniform(-0.3, 0.9) * width, dice.uniform(0.2, 1.1) * height
    long, tall = body_px * dice.uniform(1.5, 5), body_px * dice.uniform(0.7, 1.2)
    roof = colours.shade(colours.random_colour(dice), dice.uniform(0.4, 1))
    cv2.rectangle(picture, (int(x), int(y - tall)), (int(x + long), int(y)), colours.shade(roof, 0.4), -1)
    cv2.rectangle(picture, (int(x), int(y - tall)), (int(x + long), int(y - 0.85 * tall)), roof, -1)
    seat, step = colours.shade(colours.random_colour(dice), 1.0), body_px * dice.uniform(0.25, 0.4)
    for left in np.arange(x + 0.1 * step, x + long - step, step):
        corner = (int(left), int(y - tall * dice.uniform(0.5, 0.6)))
        cv2.rectangle(picture, corner, (int(left + 0.8 * step), int(y - 0.1 * tall)), seat, -1)


def captions(dice: Dice, picture: Image, body_px: float) -> None:
    """Lay a broadcaster's graphics over a picture: bars with words and numbers, and round or square logos."""
    height, width = picture.shape[:2]
    for _ in range(dice.integer(1, 4)):
        x, y = int(dice.uniform(-0.2, 0.9) * width), int(dice.uniform(-0.05, 0.95) * height)
        if dice.chance(0.65):
            _bar(dice, picture, x, y, body_px)
        else:
            _logo(dice, picture, x, y, body_px * dice.uniform(0.4, 2.5))


def _bar(dice: Dice, picture: Image, x: int, y: int, body_px: float) -> None:
    tall, long = body_px * dice.uniform(0.3, 1.6), body_px * dice.uniform(1, 7)
    if dice.chance(0.8):
        paint = colours.random_colour(dice)
        cv2.rectangle(picture, (x, y), (int(x + long), int(y + tall)), paint, -1)
    font, letter = dice.choose((0, 2, 3, 4)), colours.random_colour(dice)
    scale, thickness = tall * dice.uniform(0.012, 0.035), max(1, int(tall * dice.uniform(0.05, 0.16)))
    words = dice.letters(1, 12, "ABCDEFGHIJKLMNOPRSTUVZ0123456789:- ")
    cv2.putText(picture, words, (x + 3, int(y + tall * 0.8)), font, scale, letter, thickness, cv2.LINE_AA)


def _logo(dice: Dice, picture: Image, x: int, y: int, size: float) -> None:
    for shrink in (1.0, dice.uniform(0.4, 0.8), dice.uniform(0.1, 0.4)):
        paint, half = colours.random_colour(dice), max(1, int(size * shrink / 2))
        if dice.chance(0.5):
            axes = (half, max(1, int(half * dice.uniform(0.5, 1.5))))
            cv2.ellipse(picture, (x, y), axes, dice.uniform(0, 90), 0, 360, paint, -1, cv2.LINE_AA)
        else:
            corner = (x + half, y + int(half * dice.uniform(0.3, 1.8)))
            cv2.rectangle(picture, (x - half, y - half), corner, paint, -1)
    initials = dice.letters(1, 4)
    place, scale = (int(x - size / 3), int(y + size / 6)), size * 0.02
    cv2.putText(picture, initials, place, 0, scale, colours.random_colour(dice), 2, cv2.LINE_AA)


def giants(dice: Dice, picture: Field, giant_px: float) -> None:
    """Put parts of people ``giant_px`` high, of whom the picture shows a leg, a chest or a face."""
    height, width = picture.shape[:2]
    if dice.chance(0.6):
        picture[:] = cv2.GaussianBlur(picture, (0, 0), dice.uniform(1, 8))
    for _ in range(dice.integer(1, 4)):
        place = np.array([dice.uniform(0, width), dice.uniform(0, height)])
        draw = partial(_face, dice) if dice.chance(0.4) else partial(_giant_body, dice)
        draw(picture, place, giant_px * dice.uniform(0.7, 1.3))


def _giant_body(dice: Dice, picture: Field, middle: Point, size: float) -> None:
    """Enlarge a figure so that some part of it lies at ``middle``, with folds in its cloth."""
    view = View(dice.uniform(0, 2 * math.pi), dice.uniform(0, 0.2))
    figure = draw_figure(random_kit(dice), random_look(dice), random_pose(dice), view).astype(np.float32)
    scale = size / BODY_PX
    part = np.array([88 + dice.normal(0, 15), dice.uniform(47, 150)])
    shift = middle - part * scale
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    height, width = picture.shape[:2]
    drawn = cv2.warpAffine(figure, matrix, (width, height), flags=cv2.INTER_LINEAR)
    folds = 1 + dice.noise(height, width, size * dice.uniform(0.02, 0.1), dice.uniform(0.03, 0.2))
    picture *= 1 - drawn[:, :, 3:] / 255.0
    picture += drawn[:, :, :3] * np.clip(folds, 0.3, 1.6)[:, :, None]


def _face(dice: Dice, picture: Field, middle: Point, size: float) -> None:
    """Draw a head and its shoulders, of somebody ``size`` high, with hair, eyes, nose and mouth."""
    tall = size * 0.13
    wide, (x, y) = tall * dice.uniform(0.7, 0.85), middle
    skin, hair = colours.shade(dice.choose(colours.SKIN), 1.0), colours.shade(dice.choose(colours.HAIR), 1.0)
    shirt = colours.shade(colours.random_colour(dice), 1.0)

    def oval(dx: float, dy: float, half_x: float, half_y: float, paint: tuple[float, float, float]) -> None:
        centre = (int(x + dx * tall), int(y + dy * tall))
        axes = (max(1, int(half_x * tall)), max(1, int(half_y * tall)))
        cv2.ellipse(picture, centre, axes, dice.normal(0, 5), 0, 360, paint, -1)

    oval(0, 1.75, 1.0, 0.9, shirt)
    oval(0, 0.6, 0.26, 0.4, skin)
    turned = dice.normal(0, 0.12)
    oval(-turned * 0.5, -0.15, wide / tall * 0.55, 0.5, hair)
    oval(0, 0, wide / tall / 2, 0.5, skin)
    if dice.chance(0.25):
        oval(turned, 0.3, 0.36, 0.26, hair)
    dark = colours.shade(skin, dice.uniform(0.2, 0.5))
    for side in (-1, 1):
        oval(turned + side * 0.16, -0.05, 0.08, dice.uniform(0.02, 0.05), dark)
        oval(turned + side * 0.16, -0.15, 0.1, 0.02, hair)
    oval(turned * 1.3, 0.1, 0.05, 0.1, colours.shade(skin, 0.85))
    open_ = dice.uniform(0.02, 0.13) if dice.chance(0.5) else 0.02
    oval(turned, 0.28, 0.13, open_, dark)
    oval(0, -0.38, wide / tall * 0.5, 0.2, hair)
