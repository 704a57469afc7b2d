"""Training windows: a piece of a pitch with people on it, and the box around each of them.

A window is what the detector will see at work: people about 40 pixels high, enlarged or reduced from
a source in which they may be far smaller. So a scene is drawn at the source's size (twice over where
that is small, to smooth edges), passes lens, sensor and encoder there, and is then resampled.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from playerscore_clips import colours, decoys, optics, pitch, surroundings
from playerscore_clips.blending import blend_mask
from playerscore_clips.dice import Dice, Field, Image
from playerscore_clips.figures import (
    BODY_PX,
    FOOT_X,
    FOOT_Y,
    Kit,
    View,
    draw_figure,
    random_kit,
    random_look,
    random_pose,
)
from playerscore_clips.sprites import Box, Layer, Sprite, place_whole_pixel

PERSON, IGNORE = 1, 2
"""The flag of a box: a person to find, or one too hidden to ask for and not wrong to report."""

HARDSHIPS = ("touching", "knot", "lying", "closeup", "small", "goal", "scenery", "captions", "giants")
"""What a window may be made of on purpose: what the detector failed at where it was tried on footage.

The first five concern the people in it, the others what is taken for people.
"""

Boxes = npt.NDArray[np.float32]

_GIANT_PX = (190.0, 700.0)
"""Whoever is so high in a window is too large to be found in it, and no part of him is a person."""
_LEAST_INSIDE, _LEAST_INSIDE_CLOSEUP = 0.55, 0.35
"""Who is cut further by the window's edge is not asked for; a close-up shows people from the waist up."""

_CROWDEDNESS = ((0, 1, 2, 3, 5, 7, 9, 12), (0.06, 0.12, 0.17, 0.18, 0.19, 0.14, 0.09, 0.05))


@dataclass(frozen=True)
class _Scale:
    """Sizes of one window: what it shows, at which size it is drawn."""

    window: int
    zoom: float
    """Window pixels per source pixel."""
    oversampling: float
    """Drawn pixels per source pixel."""
    source: int
    """Side of the source picture."""
    body_px: float
    """Height of a person as drawn."""

    @property
    def drawn(self) -> int:
        return int(self.source * self.oversampling)


@dataclass(frozen=True)
class _Ground:
    """Where people may stand: below ``edge + slope * x`` when something lies behind the pitch."""

    edge: float | None = None
    slope: float = 0.0


def render_window(
    seed: int,
    size: int = 256,
    body_px: float | None = None,
    source_px: float | None = None,
    hardship: str | None = None,
) -> tuple[Image, Boxes]:
    """Draw a window and return it as (size, size, 3) uint8 BGR with its boxes (n, 5).

    A box is centre x, centre y, width, height in pixels, clipped to the window, and a flag, ``PERSON``
    or ``IGNORE``. ``body_px`` fixes how high people are in the window, ``source_px`` how high they
    were in the footage; both are drawn by chance when not given. ``hardship`` is one of ``HARDSHIPS``. The
    same arguments give the same pixels.
    """
    dice = Dice(seed)
    scale = _draw_scale(dice, size, body_px, source_px, hardship)
    scene, ground = _backdrop(dice, scale)
    ground = _harden(dice, scene, scale, hardship) or ground
    pitch.lines(dice, scene, scale.body_px)
    surroundings.props(dice, scene, scale.body_px)
    if dice.chance(0.04):
        scene = np.ascontiguousarray(scene[:, ::-1])
    people = [] if hardship == "giants" else _people(dice, scene, scale, ground, hardship)
    _cast_shadows(dice, scene, [person for person in people if not person.lies], scale.body_px)
    layer = Layer(scale.drawn, scale.drawn)
    for owner, person in enumerate(people):
        layer.paste(scene, person, owner)
    _in_front(dice, scene, scale, hardship)
    window, offset = _photograph(dice, scene, scale)
    least_inside = _LEAST_INSIDE_CLOSEUP if hardship == "closeup" else _LEAST_INSIDE
    boxes = _boxes(people, layer.visible_px(len(people)), scale, offset, least_inside)
    if hardship == "captions":
        return _captioned(dice, window, boxes)
    return _broadcast_graphics(dice, window, boxes)


def _harden(dice: Dice, scene: Field, scale: _Scale, hardship: str | None) -> _Ground | None:
    """Put what a hardship is about behind the people; return where they may stand if that has changed."""
    ground = None
    if hardship == "goal" and dice.chance(0.75):
        decoys.goals(dice, scene, scale.body_px)
    elif hardship == "scenery" or (hardship == "closeup" and dice.chance(0.3)):
        ground = _Ground(decoys.scenery(dice, scene, scale.body_px))
    elif hardship == "giants":
        low, high = _GIANT_PX
        decoys.giants(dice, scene, dice.uniform(low, high) / scale.zoom * scale.oversampling)
    if hardship == "closeup" and dice.chance(0.7):
        scene[:] = cv2.GaussianBlur(scene, (0, 0), scale.body_px * dice.uniform(0.01, 0.15))
    return ground


def _in_front(dice: Dice, scene: Field, scale: _Scale, hardship: str | None) -> None:
    """Put something before the people: seldom, but a goal's net in every other window about goals."""
    if dice.chance(0.12):
        surroundings.props(dice, scene, scale.body_px, 1)
    if hardship == "goal" and dice.chance(0.4):
        decoys.goals(dice, scene, scale.body_px)


def _captioned(dice: Dice, window: Image, boxes: Boxes) -> tuple[Image, Boxes]:
    """Return the window under a broadcaster's graphics; who is partly under them is ignored, or gone."""
    plain = window.copy()
    decoys.captions(dice, window, 40.0)
    covered = np.asarray((window != plain).any(2), np.float32)
    shares = np.zeros(len(boxes))
    for row, (x, y, w, h) in enumerate(boxes[:, :4].tolist()):
        top, left = max(0, int(y - h / 2)), max(0, int(x - w / 2))
        shares[row] = covered[top : int(y + h / 2) + 1, left : int(x + w / 2) + 1].mean()
    boxes[shares > 0.3, 4] = IGNORE
    return window, boxes[shares < 0.85]


def _draw_scale(
    dice: Dice, size: int, body_px: float | None, source_px: float | None, hardship: str | None
) -> _Scale:
    low, high = (22.0, 66.0) if dice.chance(0.86) else (64.0, 120.0)
    if hardship == "closeup":
        low, high = 34.0, 110.0
    body = body_px or math.exp(dice.uniform(math.log(low), math.log(high)))
    source = source_px or float(np.clip(math.exp(dice.normal(math.log(26), 0.42)), 11, 80))
    if hardship == "small" and not source_px:
        source = dice.uniform(11, 18)
    elif hardship == "closeup" and not source_px:  # sharp: figures are not drawn larger than this
        source = min(float(BODY_PX), max(60.0, body * dice.uniform(1.2, 2.2)))
    source = max(source, body / 4.5)
    oversampling = 2.0 if source < 38 else 1.0
    zoom = body / source
    return _Scale(size, zoom, oversampling, math.ceil(size / zoom) + 6, source * oversampling)


def _backdrop(dice: Dice, scale: _Scale) -> tuple[Field, _Ground]:
    """Return the empty scene: a pitch, mostly with something behind or in front of it."""
    side, body_px = scale.drawn, scale.body_px
    kind, slope = dice.uniform(0, 1), dice.normal(0, 0.06)
    scene = pitch.grass(dice, side, side, body_px)
    if kind < 0.34:
        return scene, _far_side(dice, scene, body_px, slope)
    if kind < 0.42:
        _near_side(dice, scene, body_px, slope)
    elif kind < 0.46:
        scene = surroundings.clutter(dice, side, side, body_px)
    return scene, _Ground()


def _far_side(dice: Dice, scene: Field, body_px: float, slope: float) -> _Ground:
    side = scene.shape[0]
    edge, board_height = side * dice.uniform(-0.05, 0.75), body_px * dice.uniform(0.25, 0.8)
    rows = int(np.clip(edge, 0, side))
    if rows > 4:
        scene[:rows] = surroundings.clutter(dice, rows, side, body_px)
        if abs(slope) > 0.03:
            shear = np.array([[1, 0, 0], [slope, 1, 0]], np.float32)
            scene[:] = cv2.warpAffine(scene, shear, (side, side), borderMode=cv2.BORDER_REFLECT)
    if dice.chance(0.75):
        surroundings.boards(dice, scene, body_px, edge, slope, board_height)
        edge += board_height
    return _Ground(edge, slope)


def _near_side(dice: Dice, scene: Field, body_px: float, slope: float) -> None:
    side = scene.shape[0]
    edge = side * dice.uniform(0.4, 1)
    first = int(edge)
    if side - first > 4:
        if dice.chance(0.5):
            scene[first:] = surroundings.clutter(dice, side - first, side, body_px)
        else:
            scene[first:] = np.array(colours.random_colour(dice), np.float32)
    if dice.chance(0.5):
        surroundings.boards(dice, scene, body_px, edge, slope, body_px * dice.uniform(0.3, 0.9))


def _people(dice: Dice, scene: Field, scale: _Scale, ground: _Ground, hardship: str | None) -> list[Sprite]:
    """Return the people, farthest first."""
    background = np.median(scene.reshape(-1, 3)[::37], 0)
    teams = [_visible_kit(dice, background) for _ in range(2)]
    others = [_visible_kit(dice, background) for _ in range(3)]
    growth = dice.uniform(0, 0.5) * 1.2
    smear = dice.uniform(0, 0.1) if dice.chance(0.3) else 0.0
    people = []
    places = _places(dice, scale, ground)
    if hardship in ("touching", "knot"):
        places = _crowded(dice, scale, places[:2], hardship)
    elif hardship == "closeup" and dice.chance(0.5):  # cut by the lower edge
        low, high = 1 + np.array([0.1, 0.6]) * scale.body_px / scale.drawn
        places = [(x, scale.drawn * dice.uniform(low, high)) for x, _ in places[:4]]
    for x, y in sorted(places, key=lambda place: place[1]):
        kit = dice.choose(teams) if dice.chance(0.86) else dice.choose(others)
        if dice.chance(0.05):
            kit = random_kit(dice)
        nearness = 1 + growth * (y / scale.drawn - 0.5)
        height = max(6.0, scale.body_px * nearness * dice.normal(1, 0.05))
        lies = hardship == "lying" and dice.chance(0.6)
        people.append(_person(dice, kit, (x, y), height, smear, lies))
    return people


def _crowded(
    dice: Dice, scale: _Scale, alone: list[tuple[float, float]], hardship: str
) -> list[tuple[float, float]]:
    """Return places of pairs who touch, or of one knot of three to six, beside those of some others."""
    side, body_px = scale.drawn, scale.body_px
    places = list(alone)
    for _ in range(dice.integer(1, 4) if hardship == "touching" else 1):
        x, y = dice.uniform(0.1, 0.9) * side, dice.uniform(0.3, 1.0) * side
        places.append((x, y))
        if hardship == "knot":
            for _ in range(dice.integer(2, 6)):
                places.append((x + dice.normal(0, 0.32) * body_px, y + dice.normal(0, 0.13) * body_px))
        elif dice.chance(0.7):  # side by side
            beside = dice.sign() * dice.uniform(0.12, 0.42)
            places.append((x + beside * body_px, y + dice.normal(0, 0.05) * body_px))
        else:  # one behind the other
            behind = (dice.sign() * dice.uniform(0.06, 0.25), dice.uniform(0.08, 0.4))
            places.append((x + behind[0] * body_px, y - behind[1] * body_px))
    return places


def _visible_kit(dice: Dice, background: npt.NDArray[np.float32]) -> Kit:
    """Return a kit that, most times, differs from the ground."""
    kit = random_kit(dice)
    for _ in range(5):
        if np.linalg.norm(np.array(kit.shirt, float) - background) > 60 or dice.chance(0.08):
            break
        kit = random_kit(dice)
    return kit


def _places(dice: Dice, scale: _Scale, ground: _Ground) -> list[tuple[float, float]]:
    """Return where people stand, in drawn pixels; some close to the one before, so that they overlap."""
    side, body_px = scale.drawn, scale.body_px
    weights = np.array(_CROWDEDNESS[1]) / sum(_CROWDEDNESS[1])
    count = dice.weighted(_CROWDEDNESS[0], weights.tolist())
    places: list[tuple[float, float]] = []
    while len(places) < count:
        x, y = dice.uniform(-0.05, 1.05) * side, dice.uniform(0.05, 1.12) * side
        if ground.edge is not None:
            edge = ground.edge + ground.slope * x
            if y < edge + 0.08 * body_px and not dice.chance(0.06):
                y = dice.uniform(max(0.05 * side, min(edge, side)), 1.12 * side)
        places.append((x, y))
        while dice.chance(0.38) and len(places) < count:
            x, y = x + dice.normal(0, 0.45) * body_px, y + dice.normal(0, 0.22) * body_px
            places.append((x, y))
    return places


def _person(
    dice: Dice, kit: Kit, foot: tuple[float, float], height: float, smear: float, lies: bool
) -> Sprite:
    view = View(dice.uniform(0, 2 * math.pi), dice.uniform(0.03, 0.5))
    figure = draw_figure(kit, random_look(dice), random_pose(dice), view)
    if lies:
        figure, foot = _fallen(dice, figure), (foot[0], foot[1] + 0.3 * height)
    sprite = place_whole_pixel(figure, foot, height / BODY_PX, height)
    body = sprite.picture
    if smear > 0:
        length = max(1, int(smear * height))
        body = cv2.blur(body, (length, 1) if dice.chance(0.7) else (1, length))
    across = np.linspace(-1, 1, body.shape[1])[None, :, None]
    down = np.linspace(-1, 1, body.shape[0])[:, None, None]
    light = 1 + dice.uniform(-0.25, 0.25) * across + dice.uniform(-0.2, 0.1) * down
    body[:, :, :3] *= light * dice.uniform(0.7, 1.12)
    return Sprite(body, sprite.left, sprite.top, foot, height, lies)


def _fallen(dice: Dice, figure: Image) -> Image:
    """Return a figure turned about its middle, as who falls, dives or lies is seen, and foreshortened."""
    middle = (FOOT_X, FOOT_Y - BODY_PX / 2)
    turn = dice.sign() * (dice.normal(90, 18) if dice.chance(0.75) else dice.uniform(30, 180))
    matrix = cv2.getRotationMatrix2D(middle, turn, 1.0)
    flatness = dice.uniform(0.45, 1.0)
    matrix[1] *= flatness
    matrix[1, 2] += (1 - flatness) * middle[1]
    turned: Image = cv2.warpAffine(figure, matrix, figure.shape[:2], flags=cv2.INTER_LINEAR)
    return turned


def _cast_shadows(dice: Dice, scene: Field, people: list[Sprite], body_px: float) -> None:
    """Darken the ground by sun (one shadow each), floodlights (two to four), or daylight (a spot)."""
    light, angle = dice.uniform(0, 1), dice.uniform(-2.4, 2.4)
    length, depth = dice.uniform(0.15, 1.0), dice.uniform(0.12, 0.6)
    for person in people:
        if light < 0.35:
            sun = (length * math.sin(angle) * 1.2, length * math.cos(angle) * 0.45)
            _cast(scene, person, person.foot, sun, depth, body_px)
        elif light < 0.7:
            for mast in range(4 if light > 0.5 else 2):
                turn = angle + mast * math.pi / 2 + 0.3
                lamp = (0.5 * math.sin(turn), 0.22 * math.cos(turn))
                _cast(scene, person, person.foot, lamp, depth * 0.35, body_px)
        elif light < 0.85:
            _spot_under(scene, person, depth * 0.7)
    if people and light < 0.7 and dice.chance(0.08):  # the shadow of somebody outside
        x, y = people[-1].foot
        foot = (x + dice.normal(0, 1.5) * body_px, y + dice.normal(0, 1) * body_px)
        sun = (length * math.sin(angle), length * math.cos(angle) * 0.45)
        _cast(scene, people[-1], foot, sun, depth, body_px)


def _cast(scene: Field, person: Sprite, foot: tuple[float, float], fall: tuple[float, float], depth: float,
          body_px: float) -> None:  # fmt: skip
    """Lay a person's outline onto the ground: what is v above his foot falls to ``v * fall``."""
    height, width = scene.shape[:2]
    side = person.picture.shape[0]
    foot_x, foot_y = side / 2, 0.86 * side
    dx, dy = fall
    matrix = np.array([[1, -dx, foot[0] - foot_x + dx * foot_y], [0, -dy, foot[1] + dy * foot_y]], np.float32)
    outline = cv2.warpAffine(person.picture[:, :, 3], matrix, (width, height))
    outline = cv2.GaussianBlur(outline, (0, 0), max(0.4, 0.02 * body_px))
    scene *= 1 - (outline * (depth / 255.0))[:, :, None]


def _spot_under(scene: Field, person: Sprite, depth: float) -> None:
    mask = np.zeros(scene.shape[:2], np.uint8)
    x, y = person.foot
    axes = (max(1, int(0.2 * person.body_px)), max(1, int(0.06 * person.body_px)))
    cv2.ellipse(mask, (int(x), int(y)), axes, 0, 0, 360, 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.03 * person.body_px))
    blend_mask(scene, soft, (20.0, 40.0, 20.0), depth)


def _photograph(dice: Dice, scene: Field, scale: _Scale) -> tuple[Image, tuple[float, float]]:
    """Return the window and which source pixel it begins at."""
    seen = optics.through_lens(dice, scene, scale.body_px, scale.oversampling)
    source = optics.through_encoder(dice, optics.onto_sensor(dice, seen, scale.source))
    room = max(0.0, scale.source - scale.window / scale.zoom)
    offset = (dice.uniform(0, room), dice.uniform(0, room))
    return optics.resampled(dice, source, scale.zoom, offset, scale.window), offset


def _boxes(
    people: list[Sprite],
    visible_px: npt.NDArray[np.int64],
    scale: _Scale,
    offset: tuple[float, float],
    least_inside: float,
) -> Boxes:
    rows = []
    for person, visible in zip(people, visible_px, strict=True):
        box = person.box()
        if box is not None:
            share = float(visible) / max(1, int(person.solid.sum()))
            row = _box_row(_in_window(box, scale, offset), share, scale.window, least_inside)
            rows += [] if row is None else [row]
    return np.array(rows, np.float32).reshape(-1, 5)


def _in_window(box: Box, scale: _Scale, offset: tuple[float, float]) -> Box:
    """Return a drawn box in window pixels, a quarter of a source pixel wider on each side for its soft edge."""
    pad = 0.25 * scale.oversampling
    x0, y0, x1, y1 = box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad
    left, right = ((x / scale.oversampling - offset[0]) * scale.zoom for x in (x0, x1))
    top, bottom = ((y / scale.oversampling - offset[1]) * scale.zoom for y in (y0, y1))
    return left, top, right, bottom


def _box_row(
    box: Box, visible_share: float, size: int, least_inside: float
) -> tuple[float, float, float, float, float] | None:
    """Return centre, size and flag, clipped to the window; None for who is out of it or hidden.

    ``visible_share`` is of the whole body; what counts is how much is hidden inside the window.
    """
    x0, y0, x1, y1 = box
    left, top, right, bottom = max(0.0, x0), max(0.0, y0), min(float(size), x1), min(float(size), y1)
    if right - left < 2 or bottom - top < 2:
        return None
    inside = (right - left) * (bottom - top) / ((x1 - x0) * (y1 - y0))
    unhidden = visible_share / max(inside, 0.05)
    if unhidden < 0.18 or inside < 0.15:
        return None
    flag = PERSON if unhidden > 0.42 and inside > least_inside else IGNORE
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top, float(flag)


def _broadcast_graphics(dice: Dice, window: Image, boxes: Boxes) -> tuple[Image, Boxes]:
    """Return the window with, sometimes, a score box or a letterbox bar; who is under one is ignored."""
    size = window.shape[0]
    if dice.chance(0.04):
        x, y = int(dice.uniform(-20, size)), int(dice.uniform(-20, size))
        end = (x + int(dice.uniform(20, 140)), y + int(dice.uniform(8, 40)))
        cv2.rectangle(window, (x, y), end, colours.random_colour(dice), -1)
        text = f"{dice.integer(0, 90)}:{dice.integer(0, 60)} ABC"
        cv2.putText(window, text, (x + 4, y + 18), 0, 0.5, colours.random_colour(dice), 1)
        near_x = (boxes[:, 0] > x - 10) & (boxes[:, 0] < x + 150)
        boxes[near_x & (boxes[:, 1] > y - 30) & (boxes[:, 1] < y + 60), 4] = IGNORE
    if dice.chance(0.05):
        bar = int(dice.uniform(5, 80))
        window[:bar] = int(dice.uniform(0, 20))
        boxes = boxes[boxes[:, 1] + boxes[:, 3] / 2 > bar]
        boxes[boxes[:, 1] - boxes[:, 3] / 2 < bar - 2, 4] = IGNORE
    return window, boxes
