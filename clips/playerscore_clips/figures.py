"""Articulated people seen from a stand: skeleton, kit and looks, drawn as pictures with transparency.

Articulation is what makes a detector trained on these pictures work on real ones; figures made of
boxes and circles do not. Lengths are in body heights, angles in radians. A person's own axes are
x to his right, y forward and z up.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from playerscore_clips import colours
from playerscore_clips.dice import Colour, Dice, Image

Vector = npt.NDArray[np.float64]
Coordinates = npt.NDArray[np.floating]
Pixel = tuple[int, int]

BODY_PX = 104
"""Height at which figures are drawn; they are shrunk into pictures, which smooths their edges."""
CANVAS_PX = 176
FOOT_X, FOOT_Y = CANVAS_PX / 2, 0.86 * CANVAS_PX
"""Where the point between the feet lies on the canvas."""

THIGH, SHIN, SPINE, UPPER_ARM, FOREARM = 0.245, 0.245, 0.315, 0.165, 0.155

PATTERNS = ("plain", "stripes", "hoops", "halves", "sash", "band", "yoke")
PATTERN_WEIGHTS = (0.6, 0.12, 0.06, 0.06, 0.04, 0.04, 0.08)


@dataclass(frozen=True)
class Kit:
    """What a team wears."""

    shirt: Colour
    second: Colour
    shorts: Colour
    socks: Colour
    sleeves: Colour
    pattern: str = "plain"
    pattern_width: float = 0.09
    long_sleeves: bool = False
    number: Colour | None = None
    trousers: bool = False


@dataclass(frozen=True)
class Look:
    """What one person looks like, whatever he wears and does."""

    build: float
    """Width relative to an average body."""
    skin: Colour
    hair: Colour | None
    boots: Colour
    sock_share: float
    shorts_share: float
    thigh_width: float
    shin_width: float
    shorts_width: float
    torso_width: float
    head_radius: float
    shirt_number: int | None
    number_size: tuple[float, float]
    """Half width and drop of the patch that stands for a number too small to read."""


@dataclass(frozen=True)
class Leg:
    swing: float
    knee: float
    spread: float


@dataclass(frozen=True)
class Arm:
    swing: float
    raise_: float
    elbow: float


@dataclass(frozen=True)
class Pose:
    """Joint angles; left limb first."""

    lean: float
    roll: float
    legs: tuple[Leg, Leg]
    arms: tuple[Arm, Arm]
    lift: float = 0.0
    """How far the lower foot is above the ground."""
    fall: float = 0.0
    """How far he has fallen over: 0 stands, pi / 2 lies."""
    fall_to: float = 0.0
    """Where to: 0 = on his face, pi / 2 = on his right side."""


@dataclass(frozen=True)
class View:
    """From where the person is seen."""

    heading: float
    """0 = he walks towards the camera, growing counter-clockwise seen from above."""
    elevation: float
    """How far the camera looks down on him."""


def random_kit(dice: Dice) -> Kit:
    shirt = colours.random_colour(dice)
    shorts = shirt if dice.chance(0.35) else colours.random_colour(dice)
    return Kit(
        shirt=shirt,
        second=colours.random_colour(dice),
        shorts=shorts,
        socks=dice.choose([shorts, shirt, colours.random_colour(dice), colours.WHITE]),
        sleeves=shirt if dice.chance(0.75) else colours.random_colour(dice),
        pattern=dice.weighted(PATTERNS, PATTERN_WEIGHTS),
        pattern_width=dice.uniform(0.05, 0.13),
        long_sleeves=dice.chance(0.2),
        number=colours.random_colour(dice) if dice.chance(0.75) else None,
        trousers=dice.chance(0.08),
    )


def random_look(dice: Dice) -> Look:
    build = dice.uniform(0.85, 1.2)
    return Look(
        build=build,
        skin=dice.choose(colours.SKIN),
        hair=dice.choose(colours.HAIR) if dice.chance(0.93) else None,
        boots=dice.choose(colours.BOOTS),
        sock_share=dice.uniform(0.55, 1.0),
        shorts_share=dice.uniform(0.45, 0.95),
        thigh_width=dice.uniform(0.075, 0.1) * build,
        shin_width=dice.uniform(0.055, 0.07) * build,
        shorts_width=dice.uniform(0.1, 0.135) * build,
        torso_width=dice.uniform(0.13, 0.165) * build,
        head_radius=dice.uniform(0.058, 0.068),
        shirt_number=dice.integer(1, 30) if dice.chance(0.5) else None,
        number_size=(dice.uniform(0.02, 0.05), dice.uniform(-0.01, 0.04)),
    )


@dataclass(frozen=True)
class _Posture:
    """A family of poses: the range of each angle."""

    weight: float
    lean: tuple[float, float]
    roll: float
    swing: tuple[tuple[float, float], tuple[float, float]]
    knee: tuple[tuple[float, float], tuple[float, float]]
    spread: tuple[float, float]
    raise_: tuple[float, float]
    elbow: tuple[float, float]
    arms_follow_legs: bool = False
    may_fly: bool = False


def _same(low: float, high: float) -> tuple[tuple[float, float], tuple[float, float]]:
    return (low, high), (low, high)


_STANDING = _Posture(
    0.27, (-0.07, 0.1), 0.06, _same(-0.12, 0.14), _same(0, 0.15), (0, 0.16), (0.05, 0.4), (0, 0.5)
)
_WALKING = _Posture(
    0.23,
    (-0.03, 0.15),
    0.06,
    ((-0.42, -0.1), (0.1, 0.42)),
    _same(0.02, 0.6),
    (-0.02, 0.08),
    (0.05, 0.4),
    (0.2, 1.9),
    arms_follow_legs=True,
)
_RUNNING = _Posture(
    0.32,
    (0.02, 0.4),
    0.06,
    ((-0.75, 0.1), (0.25, 1.15)),
    _same(0.1, 1.6),
    (-0.04, 0.1),
    (0.05, 0.4),
    (0.2, 1.9),
    arms_follow_legs=True,
    may_fly=True,
)
_BENDING = _Posture(0.12, (0.2, 0.9), 0.35, _same(0, 0.9), _same(0.1, 1.5), (0, 0.35), (0.1, 1.5), (0.2, 1.9))
_LUNGING = _Posture(
    0.06, (-0.3, 0.5), 0.35, _same(-0.9, 1.3), _same(0, 1.2), (0, 0.5), (0.1, 1.5), (0.2, 1.9)
)
_POSTURES = (_STANDING, _WALKING, _RUNNING, _BENDING, _LUNGING)


def random_pose(dice: Dice) -> Pose:
    """Return one moment of a match: standing, walking, running, bending or lunging."""
    posture = dice.weighted(_POSTURES, [p.weight for p in _POSTURES])
    first, second = (
        Leg(dice.uniform(*swing), dice.uniform(*knee), dice.uniform(*posture.spread))
        for swing, knee in zip(posture.swing, posture.knee, strict=True)
    )
    left, right = (second, first) if dice.chance(0.5) else (first, second)
    return Pose(
        lean=dice.uniform(*posture.lean),
        roll=dice.uniform(-posture.roll, posture.roll),
        legs=(left, right),
        arms=(_random_arm(dice, posture, right), _random_arm(dice, posture, left)),
        lift=dice.uniform(0, 0.06) if posture.may_fly and dice.chance(0.3) else 0.0,
    )


def _random_arm(dice: Dice, posture: _Posture, opposite: Leg) -> Arm:
    base = opposite.swing if posture.arms_follow_legs else dice.uniform(-0.4, 0.5)
    raised = dice.uniform(1.2, 2.9) if dice.chance(0.06) else dice.uniform(*posture.raise_)
    swing = base * dice.uniform(0.5, 1.1) + dice.uniform(-0.2, 0.2)
    return Arm(swing, raised, dice.uniform(*posture.elbow))


_SPEEDS = (0.0, 0.4, 1.5, 4.0, 8.0)


def gait_pose(phase: float, speed_mps: float) -> Pose:
    """Return the moment ``phase`` (0..1) of the stride of somebody who moves at ``speed_mps``."""

    def at(*values: float) -> float:
        return float(np.interp(speed_mps, _SPEEDS, values))

    swing, bend = at(0.03, 0.1, 0.42, 0.68, 0.9), at(0.05, 0.2, 0.65, 1.25, 1.6)
    forward, arm = at(0.0, 0.0, 0.02, 0.12, 0.2), at(0.15, 0.2, 0.4, 1.3, 1.6)
    legs, arms = [], []
    for offset in (0.0, 0.5):
        angle = 2 * math.pi * (phase + offset)
        legs.append(Leg(forward + swing * math.sin(angle), 0.06 + bend * max(0.0, math.cos(angle)), 0.03))
        arms.append(Arm(-0.75 * swing * math.sin(angle) + 0.3 * forward, 0.18, arm))
    bounce = at(0, 0, 0, 0.025, 0.04) * (0.5 - 0.5 * math.cos(4 * math.pi * phase))
    return Pose(at(0.02, 0.03, 0.06, 0.16, 0.28), 0.0, (legs[0], legs[1]), (arms[0], arms[1]), lift=bounce)


def struggling(pose: Pose, share: float, phase: float) -> Pose:
    """Return the pose of somebody who pushes and pulls another, by ``share`` (0..1), while he moves on."""
    sway = math.sin(2 * math.pi * phase)
    arms = [
        Arm(arm.swing * (1 - share) + share * (0.9 + 0.5 * q * sway), arm.raise_ + share * 0.4, arm.elbow)
        for q, arm in zip((-1, 1), pose.arms, strict=True)
    ]
    legs = [replace(leg, spread=leg.spread + 0.14 * share) for leg in pose.legs]
    lean, roll = pose.lean + share * (0.22 + 0.15 * sway), pose.roll + 0.12 * share * sway
    return replace(pose, lean=lean, roll=roll, legs=(legs[0], legs[1]), arms=(arms[0], arms[1]))


def falling(pose: Pose, fall: float, to: float) -> Pose:
    """Return the pose of somebody who has fallen over by an angle: knees bent, most of all half way down."""
    bent = 0.15 + 0.85 * max(0.0, math.sin(2 * fall))
    legs = [
        replace(leg, swing=leg.swing * (1 - bent) + q * 0.7 * bent, knee=leg.knee + q * 1.2 * bent)
        for q, leg in zip((1.0, 0.8), pose.legs, strict=True)
    ]
    return replace(pose, legs=(legs[0], legs[1]), fall=fall, fall_to=to)


def cadence_hz(speed_mps: float) -> float:
    """Return how many strides (two steps) a second go with a speed."""
    return float(np.interp(speed_mps, _SPEEDS, (0.15, 0.5, 0.95, 1.4, 1.9)))


@dataclass(frozen=True)
class _Limb:
    """A chain of joints: hip, knee, ankle, toe or shoulder, elbow, hand."""

    joints: tuple[Vector, ...]


@dataclass(frozen=True)
class _Skeleton:
    pelvis: Vector
    neck: Vector
    head: Vector
    up: Vector
    side: Vector
    legs: tuple[_Limb, _Limb]
    arms: tuple[_Limb, _Limb]


def _swung(side: int, swing: float, spread: float) -> Vector:
    """Return the direction of a limb that hangs down, swung forward and spread sideways."""
    flat = math.cos(spread)
    return np.array([side * math.sin(spread), math.sin(swing) * flat, -math.cos(swing) * flat])


def _leg(side: int, leg: Leg, build: float) -> _Limb:
    hip = np.array([side * 0.075 * build, 0.0, 0.0])
    knee = hip + THIGH * _swung(side, leg.swing, leg.spread)
    below = leg.swing - leg.knee
    ankle = knee + SHIN * _swung(side, below, leg.spread)
    point = below * 0.7
    toe = ankle + np.array([side * 0.02, 0.095 * math.cos(point), 0.095 * math.sin(point) - 0.025])
    return _Limb((hip, knee, ankle, toe))


def _arm(side: int, arm: Arm, shoulder: Vector) -> _Limb:
    elbow = shoulder + UPPER_ARM * _swung(side, arm.swing, arm.raise_)
    bent, out = arm.swing + arm.elbow, arm.raise_
    reach = np.array(
        [
            side * (math.sin(out) * 0.5 - 0.3 * math.sin(arm.elbow)),
            math.sin(bent) * math.cos(out * 0.5),
            -math.cos(bent) * math.cos(out * 0.7),
        ]
    )
    return _Limb((shoulder, elbow, elbow + FOREARM * reach))


def _skeleton(pose: Pose, build: float) -> _Skeleton:
    legs = [_leg(side, leg, build) for side, leg in zip((-1, 1), pose.legs, strict=True)]
    sole = min(min(leg.joints[2][2], leg.joints[3][2]) for leg in legs) - 0.02
    pelvis = np.array([0.0, 0.0, pose.lift - sole])
    roll, lean = pose.roll, pose.lean
    up = np.array([math.sin(roll), math.sin(lean) * math.cos(roll), math.cos(lean) * math.cos(roll)])
    side = np.array([math.cos(roll), 0.0, -math.sin(roll)])
    neck = pelvis + SPINE * up
    arms = [
        _arm(q, arm, neck + side * q * 0.105 * build - up * 0.02)
        for q, arm in zip((-1, 1), pose.arms, strict=True)
    ]
    standing = [_Limb(tuple(joint + pelvis for joint in leg.joints)) for leg in legs]
    head = neck + 0.105 * (up * 0.9 + np.array([0.0, 0.1, 0.0]))
    bones = _Skeleton(pelvis, neck, head, up, side, (standing[0], standing[1]), (arms[0], arms[1]))
    return _fallen(bones, pose) if pose.fall else bones


def _fallen(bones: _Skeleton, pose: Pose) -> _Skeleton:
    """Return the bones turned over towards where he falls, his middle staying above his place."""
    way = np.array([math.sin(pose.fall_to), math.cos(pose.fall_to), 0.0])
    axis = np.array([way[1], -way[0], 0.0])
    cos, sin = math.cos(pose.fall), math.sin(pose.fall)

    def turned(v: Vector) -> Vector:
        crossed = np.cross(v, axis) * sin  # towards the way for what points up
        rest: Vector = v * cos + crossed + axis * (axis @ v) * (1 - cos)
        return rest

    middle = 0.45 * sin * way - np.array([0.0, 0.0, 0.06 * sin])

    def put(joint: Vector) -> Vector:
        there = turned(joint) - middle
        return np.array([there[0], there[1], max(there[2], 0.03)])

    def limb(old: _Limb) -> _Limb:
        return _Limb(tuple(put(joint) for joint in old.joints))

    legs, arms = [limb(leg) for leg in bones.legs], [limb(arm) for arm in bones.arms]
    return _Skeleton(
        put(bones.pelvis), put(bones.neck), put(bones.head), turned(bones.up), turned(bones.side),
        (legs[0], legs[1]), (arms[0], arms[1]),
    )  # fmt: skip


class _Painter:
    """Draws the parts of one body, each where the view puts it."""

    def __init__(self, kit: Kit, look: Look, skeleton: _Skeleton, view: View, fineness: int) -> None:
        self.kit, self.look, self.bones, self.fineness = kit, look, skeleton, fineness
        self.canvas: Image = np.zeros((CANVAS_PX * fineness, CANVAS_PX * fineness, 4), np.uint8)
        self._body, self._foot = BODY_PX * fineness, (FOOT_X * fineness, FOOT_Y * fineness)
        self._cos, self._sin = math.cos(view.heading), math.sin(view.heading)
        self._cos_up, self._sin_up = math.cos(view.elevation), math.sin(view.elevation)

    def depth(self, point: Vector) -> float:
        """Return how near a point is to the camera; larger is nearer."""
        return float(point[0] * self._sin + point[1] * self._cos)

    def pixel(self, point: Vector) -> Pixel:
        across = point[0] * self._cos - point[1] * self._sin
        down = -point[2] * self._cos_up + self.depth(point) * self._sin_up
        return round(self._foot[0] + across * self._body), round(self._foot[1] + down * self._body)

    def thick(self, share: float) -> int:
        return max(1, round(share * self._body))

    def limb(self, start: Vector, end: Vector, colour: Colour, width: float) -> None:
        cv2.line(self.canvas, self.pixel(start), self.pixel(end), (*colour, 255), self.thick(width))

    def leg(self, limb: _Limb) -> None:
        hip, knee, ankle, toe = limb.joints
        kit, look = self.kit, self.look
        if kit.trousers:
            self.limb(hip, knee, kit.shorts, look.shorts_width)
            self.limb(knee, ankle, kit.shorts, look.shin_width * 1.3)
        else:
            self.limb(hip, knee, look.skin, look.thigh_width)
            self.limb(knee, ankle, look.skin, look.shin_width)
            self.limb(ankle + (knee - ankle) * look.sock_share, ankle, kit.socks, look.shin_width * 1.12)
            self.limb(hip, hip + (knee - hip) * look.shorts_share, kit.shorts, look.shorts_width)
        self.limb(ankle, toe, look.boots, 0.05)

    def arm(self, limb: _Limb) -> None:
        shoulder, elbow, hand = limb.joints
        kit, skin, width = self.kit, self.look.skin, 0.055 * self.look.build
        self.limb(elbow, hand, kit.sleeves if kit.long_sleeves else skin, width * 0.85)
        self.limb(shoulder, elbow, skin, width)
        cv2.circle(self.canvas, self.pixel(hand), self.thick(0.024), (*skin, 255), -1)
        sleeve = 1.0 if kit.long_sleeves else 0.75
        self.limb(shoulder, shoulder + (elbow - shoulder) * sleeve, kit.sleeves, width * 1.25)

    def torso(self) -> None:
        bones, build = self.bones, self.look.build
        top, bottom = bones.neck - bones.up * 0.03, bones.pelvis + bones.up * 0.03
        shoulders, hips = bones.side * 0.1 * build, bones.side * 0.08 * build
        collar = bones.neck - bones.up * 0.01
        ends = (collar + shoulders, collar - shoulders, bones.pelvis - hips, bones.pelvis + hips)
        corners = [self.pixel(point) for point in ends]
        mask = np.zeros(self.canvas.shape[:2], np.uint8)
        cv2.line(mask, self.pixel(top), self.pixel(bottom), 255, self.thick(self.look.torso_width))
        cv2.fillConvexPoly(mask, cv2.convexHull(np.array(corners)), 255)
        cv2.line(mask, corners[0], corners[1], 255, self.thick(0.06))
        self._cloth(mask)
        if self.kit.number is not None:
            printed = self.canvas.copy()
            self._number(printed, self.pixel(top * 0.6 + bottom * 0.4), self.kit.number)
            self.canvas[mask > 0] = printed[mask > 0]  # not beyond the shirt
            self.canvas[mask > 0, 3] = 255

    def _cloth(self, mask: Image) -> None:
        rows, columns = np.nonzero(mask)
        self.canvas[rows, columns] = (*self.kit.shirt, 255)
        second = _pattern(
            self.kit, (columns - self._foot[0]) / self.fineness, (rows - self._foot[1]) / self.fineness
        )
        if second is not None:
            self.canvas[rows[second], columns[second]] = (*self.kit.second, 255)

    def _number(self, shirt: Image, at: Pixel, colour: Colour) -> None:
        paint = (*colour, 255)
        if self.look.shirt_number is not None:
            place = (at[0] - self.thick(0.05), at[1] + self.thick(0.05))
            text, scale = str(self.look.shirt_number), 0.0045 * self._body
            cv2.putText(shirt, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, paint, self.thick(0.02))
            return
        half, drop = self.look.number_size
        upper = (at[0] - self.thick(half), at[1] - self.thick(0.035))
        cv2.rectangle(shirt, upper, (at[0] + self.thick(half), at[1] + self.thick(drop)), paint, -1)

    def head(self) -> None:
        x, y = self.pixel(self.bones.head)
        radius = self.thick(self.look.head_radius)
        skin = (*self.look.skin, 255)
        cv2.line(self.canvas, self.pixel(self.bones.neck), (x, y), skin, self.thick(0.06))
        cv2.ellipse(self.canvas, (x, y), (max(1, int(radius * 0.85)), radius), 0, 0, 360, skin, -1)
        if self.fineness > 2 and self._cos > -0.1:
            self._face(x, y, radius)
        if self.look.hair is None:
            return
        hair = (*self.look.hair, 255)
        if self._cos < -0.1:  # seen from behind
            cv2.ellipse(self.canvas, (x, y - radius // 5), (radius, radius), 0, 0, 360, hair, -1)
        else:
            crown = (x + int(self._sin * radius * 0.3), y - radius // 4)
            cv2.ellipse(self.canvas, crown, (radius, int(radius * 0.8)), 0, 180, 360, hair, -1)

    def _face(self, x: int, y: int, radius: int) -> None:
        """Draw brows, eyes, nose and mouth, for who is seen from near."""
        dark = (*(round(c * 0.35) for c in self.look.skin), 255)
        shadow = (*(round(c * 0.72) for c in self.look.skin), 255)
        turn = x + self._sin * radius * 0.55
        cv2.ellipse(
            self.canvas,
            (x, y + radius // 3),
            (radius // 2, radius // 2),
            0,
            20,
            160,
            shadow,
            self.thick(0.008),
        )
        for side in (-1, 1):
            eye = (round(turn + side * radius * 0.33 * self._cos), round(y - radius * 0.02))
            brow = (eye[0] - radius // 6, eye[1] - radius // 4), (eye[0] + radius // 6, eye[1] - radius // 4)
            cv2.circle(self.canvas, eye, self.thick(0.006), dark, -1)
            cv2.line(self.canvas, *brow, dark, self.thick(0.006))
        nose = (round(turn), round(y + radius * 0.3))
        cv2.line(self.canvas, (nose[0], y), nose, shadow, self.thick(0.01))
        mouth = round(y + radius * 0.58)
        half = max(1, round(radius * 0.22 * self._cos))
        cv2.line(self.canvas, (nose[0] - half, mouth), (nose[0] + half, mouth), dark, self.thick(0.006))


def _pattern(kit: Kit, x: Coordinates, y: Coordinates) -> npt.NDArray[np.bool_] | None:
    """Return which pixels of a shirt, given relative to the feet, have the second colour."""
    period = kit.pattern_width * BODY_PX * 1.3
    tests: dict[str, Callable[[], npt.NDArray[np.bool_]]] = {
        "stripes": lambda: np.sin(2 * np.pi * x / period) > 0,
        "hoops": lambda: np.sin(2 * np.pi * y / period) > 0,
        "halves": lambda: x > 0,
        "sash": lambda: np.abs(x + (y + 0.65 * BODY_PX) * 0.7) < 0.05 * BODY_PX,
        "band": lambda: np.abs(y + 0.7 * BODY_PX) < 0.05 * BODY_PX,
        "yoke": lambda: y < -0.76 * BODY_PX,
    }
    test = tests.get(kit.pattern)
    return None if test is None else test()


def draw_figure(kit: Kit, look: Look, pose: Pose, view: View, fineness: int = 1) -> Image:
    """Return a body of ``BODY_PX`` height as (176, 176, 4) BGRA; the feet stand at (FOOT_X, FOOT_Y).

    All of it is ``fineness`` times as large, for who is near. Colours are multiplied with the transparency already, so the picture may be resized and blended as it is.
    """
    bones = _skeleton(pose, look.build)
    painter = _Painter(kit, look, bones, view, fineness)
    parts: list[tuple[float, Callable[[], None]]] = [
        (0.02, painter.torso),
        (painter.depth(bones.head) + 0.06, painter.head),
    ]
    for leg in bones.legs:
        parts.append((painter.depth(leg.joints[1]), lambda leg=leg: painter.leg(leg)))  # type: ignore[misc]
    for arm in bones.arms:
        parts.append((painter.depth(arm.joints[1]) * 1.6, lambda arm=arm: painter.arm(arm)))  # type: ignore[misc]
    for _, draw in sorted(parts, key=lambda part: part[0]):
        draw()
    return painter.canvas
