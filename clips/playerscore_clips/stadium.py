"""The pitch and the stand around it, painted once per clip and then seen through the moving camera."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from playerscore_clips import colours, surroundings
from playerscore_clips.blending import blend_field
from playerscore_clips.camera import Camera
from playerscore_clips.dice import Colour, Dice, Field, Image
from playerscore_clips.effects import Shade
from playerscore_clips.motion import HALF_LENGTH_M, HALF_WIDTH_M

Numbers = npt.NDArray[np.float64]

GROUND_X_M, GROUND_Y_M = 66.0, 48.0
"""Half of what is painted as ground."""
PX_PER_M = 24
LINE_M = 0.12
SQUEEZES = (2, 4, 8)
"""How many times less fine the ground is painted across than along, for near to far."""
FARTHEST_SQUEEZE = 24
"""For cameras that see the horizon."""
GOAL_M, GOAL_HEIGHT_M, GOAL_DEPTH_M = 7.32, 2.44, 2.0

_Segment = tuple[float, float, float, float]


def _straight_markings() -> list[_Segment]:
    """Return the straight lines of a pitch by the laws of the game, as x0, y0, x1, y1 in metres."""
    x, y = HALF_LENGTH_M, HALF_WIDTH_M
    lines = [(-x, -y, x, -y), (-x, y, x, y), (0.0, -y, 0.0, y)]
    for side in (-1, 1):
        lines.append((side * x, -y, side * x, y))
        for depth, half in ((16.5, 20.16), (5.5, 9.16)):
            inner = side * (x - depth)
            lines += [(side * x, -half, inner, -half), (side * x, half, inner, half)]
            lines.append((inner, -half, inner, half))
    return lines


def _arcs() -> list[tuple[float, float, float, float, float]]:
    """Return the round lines as x, y, radius, from, to; degrees, clockwise as OpenCV draws."""
    penalty = HALF_LENGTH_M - 11
    return [(0.0, 0.0, 9.15, 0, 360), (-penalty, 0.0, 9.15, -53.05, 53.05), (penalty, 0.0, 9.15, 127, 233.05)]


def _marking_mask() -> Image:
    """Return the lines (rows, columns), 0..255, at ``PX_PER_M`` in both directions; row 0 is the far side."""
    shape = (int(2 * GROUND_Y_M * PX_PER_M), int(2 * GROUND_X_M * PX_PER_M))
    mask = np.zeros(shape, np.uint8)
    width = round(LINE_M * PX_PER_M)

    def pixel(x: float, y: float) -> tuple[int, int]:
        return round((x + GROUND_X_M) * PX_PER_M), round((GROUND_Y_M - y) * PX_PER_M)

    for x0, y0, x1, y1 in _straight_markings():
        cv2.line(mask, pixel(x0, y0), pixel(x1, y1), 255, width, cv2.LINE_AA)
    for x, y, radius, start, stop in _arcs():
        axes = (round(radius * PX_PER_M),) * 2
        cv2.ellipse(mask, pixel(x, y), axes, 0, start, stop, 255, width, cv2.LINE_AA)
    for x in (0.0, HALF_LENGTH_M - 11, 11 - HALF_LENGTH_M):
        cv2.circle(mask, pixel(x, 0), round(0.2 * PX_PER_M), 255, -1, cv2.LINE_AA)
    return mask


def _grass(dice: Dice, rows: int, columns: int) -> Field:
    """Return mown grass (rows, columns, 3) with stripes, unevenness and worn places."""
    x = np.linspace(-GROUND_X_M, GROUND_X_M, columns, dtype=np.float32)[None]
    y = np.linspace(GROUND_Y_M, -GROUND_Y_M, rows, dtype=np.float32)[:, None]
    band, sharp = dice.choose((5.25, 6.0, 7.5)), dice.uniform(3, 10)
    light = np.ones((rows, columns), np.float32)
    light += np.tanh(np.sin(x / band * math.pi) * sharp) * dice.uniform(0.03, 0.09)
    if dice.chance(0.35):
        light += np.tanh(np.sin(y / band * math.pi) * sharp) * dice.uniform(0.02, 0.06)
    for cell_m, depth in ((9.0, 0.03), (2.0, 0.025), (0.5, 0.03)):
        light += dice.noise(rows, columns, cell_m * PX_PER_M / 2, depth)
    light += dice.rng.normal(0, 0.04, light.shape).astype(np.float32)
    turf = colours.from_hsv(dice.uniform(36, 52), dice.uniform(95, 180), dice.uniform(85, 150))
    ground: Field = light[:, :, None] * turf
    wear = np.exp(-((np.abs(x) - 47) ** 2) / 30 - y**2 / 40) + 0.6 * np.exp(-(x**2) / 60 - y**2 / 60)
    patchy = np.clip(wear * (0.3 + dice.noise(rows, columns, 30, 0.5)), 0, 1) * dice.uniform(0, 0.7)
    ground = blend_field(ground, patchy.astype(np.float32), np.array([85, 120, 135], np.float32))
    outside = ((np.abs(x) > 56) | (np.abs(y) > 37.5))[:, :, None]
    track = np.array(dice.choose(((60, 80, 140), (70, 95, 75), (110, 110, 105))), np.float32)
    if dice.chance(0.5):
        ground = np.where(outside, track * light[:, :, None], ground)
    return ground


@dataclass(frozen=True)
class _Sheet:
    """A painted plane: ``to_plane`` maps its pixels to the plane's coordinates in metres."""

    picture: Image
    to_plane: Numbers
    origin: Numbers
    along: Numbers
    up: Numbers

    def turned(self) -> "_Sheet":
        """Return the sheet turned half round about the middle of the pitch."""
        half = np.array([-1.0, -1.0, 1.0])
        return replace(self, origin=self.origin * half, along=self.along * half, up=self.up * half)

    def homography(self, camera: Camera) -> Numbers:
        matrix: Numbers = camera.plane(self.origin, self.along, self.up) @ self.to_plane
        return matrix

    def draw(self, camera: Camera, frame: Image) -> None:
        """Put what the camera sees of the sheet onto the frame, in place."""
        region = self._region(camera)
        if region is None:
            return
        left, top, right, bottom = region
        shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], float)
        part = frame[top:bottom, left:right]
        size = (right - left, bottom - top)
        cv2.warpPerspective(
            self.picture,
            shift @ self.homography(camera),
            size,
            dst=part,
            borderMode=cv2.BORDER_TRANSPARENT,
        )

    def _region(self, camera: Camera) -> tuple[int, int, int, int] | None:
        """Return the part of the frame where the sheet may be; None when it is out of sight."""
        rows, columns = self.picture.shape[:2]
        grid = np.array([[x, y, 1.0] for x in np.linspace(0, columns, 25) for y in (0.0, rows)])
        points = grid @ self.homography(camera).T
        points = points[points[:, 2] > 1.0]
        if not len(points):
            return None
        u, v = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
        left, right = np.clip([u.min(), u.max() + 1], 0, camera.width).astype(int)
        top, bottom = np.clip([v.min(), v.max() + 1], 0, camera.height).astype(int)
        return (int(left), int(top), int(right), int(bottom)) if right > left and bottom > top else None


def _sheet(picture: Field, px_per_m: float, origin: tuple[float, float, float],
           along: tuple[float, float, float], up: tuple[float, float, float]) -> _Sheet:  # fmt: skip
    """Return a sheet whose lower left corner is at ``origin``."""
    height_m = picture.shape[0] / px_per_m
    to_plane = np.array([[1 / px_per_m, 0, 0], [0, -1 / px_per_m, height_m], [0, 0, 1.0]])
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    return _Sheet(pixels, to_plane, np.array(origin), np.array(along), np.array(up))


class Stadium:
    """Draws everything that does not move."""

    def __init__(self, dice: Dice) -> None:
        self.sky: Colour | None = None
        """What is above the horizon; without it the ground is smeared up, which a high camera never shows."""
        self._ground = self._paint_ground(dice)
        self._sheets = [*_stands(dice), *_board_rows(dice)]
        self._from_behind: list[_Sheet] = []
        self.turf: Colour = tuple(int(v) for v in self._ground[0].reshape(-1, 3).mean(0))  # type: ignore[assignment]

    @staticmethod
    def _paint_ground(dice: Dice) -> list[Image]:
        mask = _marking_mask()
        rows, columns = mask.shape
        squeezed = rows // SQUEEZES[0]
        grass = _grass(dice, squeezed, columns)
        lines = cv2.resize(mask, (columns, squeezed), interpolation=cv2.INTER_AREA)[:, :, None] / 255.0
        white = dice.uniform(195, 240)
        painted = np.clip(grass * (1 - lines * 0.85) + white * lines * 0.85, 0, 255).astype(np.uint8)
        return [
            cv2.resize(painted, (columns, rows // squeeze), interpolation=cv2.INTER_AREA)
            for squeeze in (*SQUEEZES, FARTHEST_SQUEEZE)
        ]

    def add_near_side(self, dice: Dice) -> None:
        """Build a stand and boards where the main camera is, for cameras that look from the other side."""
        *sides, far = _stands(dice)
        *side_boards, boards = _board_rows(dice)
        self._from_behind = [*sides, *side_boards, far.turned(), boards.turned()]

    def shade(self, shade: Shade) -> None:
        """Darken the ground where a shade falls, for good."""
        for level in self._ground:
            rows, columns = level.shape[:2]
            x = np.linspace(-GROUND_X_M, GROUND_X_M, columns)[None]
            y = np.linspace(GROUND_Y_M, -GROUND_Y_M, rows)[:, None]
            level[:] = level * shade.at(x, y)[:, :, None]

    def add_benches(self, dice: Dice) -> None:
        """Put two dugouts with people on their seats beside the far touchline."""
        self._sheets += [_dugout(dice, x) for x in (-dice.uniform(9, 15), dice.uniform(5, 9))]

    def draw(self, camera: Camera, goals: bool = True) -> Image:
        """Return a frame (height, width, 3) without people."""
        frame: Image = np.empty((camera.height, camera.width, 3), np.uint8)
        self._draw_ground(camera, frame)
        if self.sky is not None:
            frame[: max(0, math.ceil(camera.horizon))] = self.sky
        for sheet in self._from_behind if camera.stand[1] > 0 else self._sheets:
            sheet.draw(camera, frame)
        if goals:
            draw_goals(camera, frame)
        return frame

    def _draw_ground(self, camera: Camera, frame: Image) -> None:
        """Fill the frame in three bands, each from the painting that suits its distance.

        Far ground is much foreshortened; from a painting that is as fine across as along it would flicker.
        """
        bands = np.linspace(0, camera.height, 7 if self.sky is None else 13).astype(int)
        for top, bottom in pairwise(bands.tolist()):
            levels = SQUEEZES if self.sky is None else (*SQUEEZES, FARTHEST_SQUEEZE)
            squeeze = _squeeze_at(camera, (top + bottom) / 2, levels)
            level = self._ground[levels.index(squeeze)]
            to_metres = np.array(
                [[1 / PX_PER_M, 0, -GROUND_X_M], [0, -squeeze / PX_PER_M, GROUND_Y_M], [0, 0, 1.0]]
            )
            shift = np.array([[1, 0, 0], [0, 1, -top], [0, 0, 1]], float)
            matrix = shift @ camera.ground @ to_metres
            size = (camera.width, int(bottom - top))
            frame[top:bottom] = cv2.warpPerspective(level, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def _squeeze_at(camera: Camera, row: float, levels: tuple[int, ...]) -> int:
    """Return how much finer along than across the ground has to be at a row of the frame."""
    here = camera.ground_at(camera.width / 2, row)
    below = camera.ground_at(camera.width / 2, row + 1)
    metres_per_row = abs(here[1] - below[1])
    wanted = metres_per_row * PX_PER_M
    return next((s for s in levels if s >= wanted * 0.7), levels[-1])


def _stands(dice: Dice) -> list[_Sheet]:
    """Return the stands behind the far side and behind both goals."""
    per_m = 10
    depth = 42
    tile: Field = np.empty((depth * per_m, 55 * per_m, 3), np.float32)
    tile[:] = np.array(colours.random_colour(dice), np.float32) * 0.4
    surroundings.crowd_rows(dice, tile, dice.uniform(0.62, 0.8) * per_m)
    tile *= dice.uniform(0.45, 0.85)
    tile = cv2.GaussianBlur(tile, (0, 0), dice.uniform(0.6, 1.2))
    for row in range(0, tile.shape[0], 14 * per_m):  # gangways
        tile[row : row + per_m] = tile[row : row + per_m] * 0.3 + 60
    wide = np.hstack([tile, tile[:, ::-1], tile, tile[:, ::-1]])
    slope = np.array([0.0, math.cos(0.58), math.sin(0.58)])
    far = _sheet(wide, per_m, (-110.0, 44.0, 1.4), (1, 0, 0), (0.0, slope[1], slope[2]))
    sides = [
        _sheet(
            wide[:, : 110 * per_m],
            per_m,
            (64.0 * q, 52.0 if q > 0 else -58.0, 1.4),
            (0, -q, 0),
            (q * slope[1], 0.0, slope[2]),
        )
        for q in (-1, 1)
    ]
    return [*sides, far]


def _dugout(dice: Dice, x: float) -> _Sheet:
    """Return a dugout of dark glass whose left end is at ``x``, its bench full."""
    per_m, length_m, height_m = 40, dice.uniform(6, 9), 2.1
    picture: Field = np.empty((round(height_m * per_m), round(length_m * per_m), 3), np.float32)
    picture[:] = np.array(colours.random_colour(dice), np.float32) * 0.15 + 30
    people = picture[round(0.8 * per_m) : round(1.9 * per_m)]
    surroundings.crowd_rows(dice, people, 1.1 * per_m)
    picture *= 0.75
    picture[: round(0.15 * per_m)] = 205  # the roof's edge
    for post in np.linspace(0, picture.shape[1] - 4, 5).astype(int).tolist():
        picture[:, post : post + 3] = 190
    return _sheet(picture, per_m, (x, HALF_WIDTH_M + 4.6, 0.0), (1, 0, 0), (0, 0, 1))


def _board_rows(dice: Dice) -> list[_Sheet]:
    """Return the advertising boards behind the far side and both goals."""
    per_m, height_m = 30, dice.uniform(0.85, 1.05)

    def row(length_m: float) -> Field:
        picture: Field = np.zeros((round(height_m * per_m), round(length_m * per_m), 3), np.float32)
        surroundings.boards(dice, picture, 1.8 * per_m, 0.0, 0.0, picture.shape[0])
        picture[:2] *= 0.5
        return picture

    far = _sheet(row(124), per_m, (-62.0, 39.5, 0.0), (1, 0, 0), (0, 0, 1))
    sides = [
        _sheet(row(76), per_m, (60.0 * q, 39.5 if q > 0 else -36.5, 0.0), (0, -q, 0), (0, 0, 1))
        for q in (-1, 1)
    ]
    return [*sides, far]


def behind_goal(camera: Camera, place: Numbers) -> bool:
    """Return whether a goal line is between the camera and somebody at a place (2,)."""
    return bool((abs(place[0]) < HALF_LENGTH_M) != (abs(camera.stand[0]) < HALF_LENGTH_M))


def draw_goals(camera: Camera, frame: Image) -> None:
    """Put both goals with their nets onto the frame, in place."""
    for side in (-1, 1):
        x, back = side * HALF_LENGTH_M, side * (HALF_LENGTH_M + GOAL_DEPTH_M)
        half = GOAL_M / 2
        front = [[x, -half, 0], [x, -half, GOAL_HEIGHT_M], [x, half, GOAL_HEIGHT_M], [x, half, 0]]
        rear = [[back, y, z * 0.85] for _, y, z in front]
        points = camera.pixels(np.array(front + rear, float))
        if points[:, 2].min() < 1.5 or not _in_sight(points, camera):
            continue
        _draw_net(frame, points)
        post = max(1, round(0.12 * camera.focal_px / points[:, 2].mean()))
        fixed = np.round(points[:4, :2] * 16).astype(np.int32)
        cv2.polylines(frame, [fixed], False, (235, 235, 235), post, cv2.LINE_AA, 4)


def _in_sight(points: Numbers, camera: Camera) -> bool:
    u, v = points[:, 0], points[:, 1]
    return bool(u.max() > -50 and u.min() < camera.width + 50 and v.max() > 0 and v.min() < camera.height)


def _draw_net(frame: Image, points: Numbers) -> None:
    """Lay the net's mesh over the frame, half transparent, in place."""
    left, top = np.maximum(np.floor(points[:, :2].min(0)).astype(int) - 1, 0)
    right, bottom = np.ceil(points[:, :2].max(0)).astype(int) + 2
    part = frame[top:bottom, left:right]
    if not part.size:
        return
    net = part.copy()
    front, rear = points[:4, :2] - [left, top], points[4:, :2] - [left, top]
    for t in np.linspace(0, 1, 14):
        for quad in ((rear[0], rear[1], rear[3], rear[2]), (front[1], rear[1], front[2], rear[2]),
                     (front[0], front[1], rear[0], rear[1]), (front[3], front[2], rear[3], rear[2])):  # fmt: skip
            a, b, c, d = quad
            for start, end in ((a + (b - a) * t, c + (d - c) * t), (a + (c - a) * t, b + (d - b) * t)):
                p, q = (tuple(np.round(point * 16).astype(int).tolist()) for point in (start, end))
                cv2.line(net, p, q, (225, 225, 225), 1, cv2.LINE_AA, 4)
    part[:] = cv2.addWeighted(net, 0.35, part, 0.65, 0)
