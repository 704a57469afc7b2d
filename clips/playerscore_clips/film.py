"""Films what was planned: people, ball, stadium and camera become frames and their truth, and a video file."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from playerscore_clips import colours
from playerscore_clips.camera import PERSON_M, Camera
from playerscore_clips.dice import Dice, Field, Image
from playerscore_clips.effects import OPAQUE, Effects, smeared
from playerscore_clips.figures import (
    BODY_PX,
    CANVAS_PX,
    FOOT_X,
    FOOT_Y,
    Pose,
    View,
    draw_figure,
    falling,
    gait_pose,
    struggling,
)
from playerscore_clips.motion import Motion
from playerscore_clips.sprites import Layer, Sprite
from playerscore_clips.stadium import Stadium, behind_goal, draw_goals
from playerscore_clips.truth import Truth, save_truth
from playerscore_clips.wardrobe import Cast

Numbers = npt.NDArray[np.float64]
_SOFT_EDGE = np.array([-0.25, -0.25, 0.25, 0.25])
"""Boxes are this much wider than the solid pixels, as in training."""
Progress = Callable[[int, int], None]
"""Told how many frames are done, and of how many."""


@dataclass(frozen=True)
class Clip:
    """Where a rendered clip lies."""

    video: Path
    truth: Path


@dataclass(frozen=True)
class Light:
    """How the ground is lit: where shadows fall, in metres per metre of height, and how dark."""

    falls: tuple[tuple[float, float], ...]
    depth: float


def random_light(dice: Dice) -> Light:
    angle = dice.uniform(0, 2 * math.pi)
    if dice.chance(0.5):
        length = dice.uniform(0.4, 1.3)
        return Light(((length * math.cos(angle), length * math.sin(angle)),), dice.uniform(0.3, 0.5))
    masts = [angle + q * math.pi / 2 for q in range(4)]
    return Light(tuple((0.5 * math.cos(a), 0.5 * math.sin(a)) for a in masts), dice.uniform(0.1, 0.2))


@dataclass(frozen=True)
class Footage:
    """How pictures are taken and stored."""

    width: int
    height: int
    fps: int
    seed: int
    noise: float
    """Deviation of the sensor's noise, of 255."""
    tone: Image
    """Exposure, contrast and colour cast, as a look-up table (256, 1, 3)."""
    encoder: dict[str, str]
    """Of x264: how much it may lose."""


class Film:
    """Draws frame by frame what the cameras see of a motion, and keeps the truth."""

    def __init__(self, footage: Footage, cast: Cast, moved: Motion, cameras: list[Camera], stadium: Stadium,
                 light: Light, grain: Dice, cuts: tuple[int, ...] = (), effects: Effects | None = None) -> None:  # fmt: skip
        self.footage = footage
        self._cast, self._motion, self._cameras, self._cuts = cast, moved, cameras, cuts
        self._stadium, self._light, self._grain = stadium, light, grain
        self.effects = Effects() if effects is None else effects
        self._layer = Layer(footage.height, footage.width)
        self._noise = self._paint_noise()
        count = len(moved.people)
        self._boxes = np.full((self.length, count, 4), np.nan)
        self._visible = np.zeros((self.length, count))

    def _paint_noise(self) -> Image:
        shape = (self.footage.height + 64, self.footage.width + 64, 3)
        grain = self._grain.rng.normal(0, 1, (*shape[:2], 1)) + 0.5 * self._grain.rng.normal(0, 1, shape)
        return np.clip(128 + grain * self.footage.noise, 0, 255).astype(np.uint8)

    @property
    def length(self) -> int:
        return len(self._cameras)

    def frames(self, numbers: Iterable[int] | None = None) -> Iterator[Image]:
        """Yield frames (height, width, 3), BGR, all or the ones asked for, and remember their truth."""
        for number in range(self.length) if numbers is None else numbers:
            camera = self._cameras[number]
            frame = self._stadium.draw(camera, goals=not self.effects.nets)
            if camera.backdrop_blur_px:
                cv2.GaussianBlur(frame, (0, 0), camera.backdrop_blur_px, dst=frame)
            self._draw_people(number, camera, frame)
            if self.effects.lens is not None:
                frame = self.effects.lens.draw(camera, frame)
            yield self._shown(number, self._photograph(number, frame))

    def _shown(self, number: int, frame: Image) -> Image:
        """Return what is seen of a frame in the end: under captions, and perhaps on a screen that is filmed."""
        for caption in self.effects.captions:
            caption.draw(number, frame)
        return frame if self.effects.screen is None else self.effects.screen.draw(number, frame)

    def _photograph(self, number: int, frame: Image) -> Image:
        if self.effects.shutter and number and number not in self._cuts:
            frame = smeared(frame, self._cameras[number - 1], self._cameras[number], self.effects.shutter)
        frame = cv2.GaussianBlur(frame, (3, 3), 0.55)
        y, x = self._grain.integer(0, 64), self._grain.integer(0, 64)
        noise = self._noise[y : y + self.footage.height, x : x + self.footage.width]
        grained: Image = cv2.addWeighted(cv2.LUT(frame, self.footage.tone), 1.0, noise, 1.0, -128)
        return grained

    def _draw_people(self, number: int, camera: Camera, frame: Image) -> None:
        place = self._motion.place[number]
        feet = camera.pixels(np.column_stack([place, np.zeros(len(place))]))
        sprites = {
            who: self._sprite(number, who, camera, feet[who])
            for who in np.argsort(-feet[:, 2]).tolist()
            if _near_picture(feet[who], camera)
        }
        for who, sprite in sprites.items():
            self._shadows(camera, frame, sprite, place[who])
        self._draw_ball(number, camera, frame)
        self._paste(number, camera, frame, sprites)
        self._note(number, sprites, len(place))

    def _paste(self, number: int, camera: Camera, frame: Image, sprites: dict[int, Sprite]) -> None:
        """Put everybody into the frame, the far ones first, and the nets over those who are behind them."""
        self._layer.clear()
        place = self._motion.place[number]
        behind = [who for who in sprites if self.effects.nets and behind_goal(camera, place[who])]
        for who in behind:
            self._layer.paste(frame, sprites[who], who)
        if self.effects.nets:
            draw_goals(camera, frame)
        for who, sprite in sprites.items():
            if who not in behind:
                self._layer.paste(frame, sprite, who)
        for caption in self.effects.captions:
            if caption.first <= number <= caption.last:
                self._layer.cover(caption.picture[:, :, 3] > OPAQUE, caption.left, caption.top)

    def _sprite(self, number: int, who: int, camera: Camera, foot: Numbers) -> Sprite:
        moved, pose = self._motion, self._pose(number, who)
        view = _view(camera, moved.place[number, who], moved.facing[number, who])
        scale = camera.focal_px * self._cast.heights_m[who] / float(foot[2]) / BODY_PX
        fineness = 1 if scale < 1.5 else min(8, math.ceil(scale))
        figure = draw_figure(self._cast.kits[who], self._cast.looks[who], pose, view, fineness)
        if self.effects.shade is not None:
            light = float(self.effects.shade.at(*moved.place[number, who]))
            cv2.multiply(figure, (light, light, light, 1.0), dst=figure)
        return place_exactly(figure, (float(foot[0]), float(foot[1])), float(scale))

    def _pose(self, number: int, who: int) -> Pose:
        moved = self._motion
        phase = float(moved.phase[number, who])
        pose = gait_pose(phase, float(moved.speed[number, who]))
        if moved.struggle is not None and moved.struggle[number, who] > 0:
            pose = struggling(pose, float(moved.struggle[number, who]), phase)
        if moved.fall is not None and moved.fall_to is not None and moved.fall[number, who] > 0:
            pose = falling(pose, float(moved.fall[number, who]), float(moved.fall_to[number, who]))
        return pose

    def _shadows(self, camera: Camera, frame: Image, sprite: Sprite, place: Numbers) -> None:
        ends = np.array([[*place, 0.0], *([place[0] + x, place[1] + y, 0.0] for x, y in self._light.falls)])
        points = camera.pixels(ends)[:, :2]
        one_metre = sprite.body_px / PERSON_M
        for end in points[1:]:
            fall = (end - points[0]) / one_metre
            cast_shadow(frame, sprite, (float(fall[0]), float(fall[1])), self._light.depth)

    def _draw_ball(self, number: int, camera: Camera, frame: Image) -> None:
        x, y = self._motion.ball[number]
        u, v, depth = camera.pixels(np.array([[x, y, 0.11]]))[0]
        radius = max(1.2, 0.13 * camera.focal_px / depth)
        at = (round(u * 16), round(v * 16))
        shadow = (round(u * 16), round((v + radius * 0.8) * 16))
        cv2.circle(
            frame, shadow, round(radius * 14), colours.shade(self._stadium.turf, 0.6), -1, cv2.LINE_AA, 4
        )
        cv2.circle(frame, at, round(radius * 16), (240, 240, 240), -1, cv2.LINE_AA, 4)

    def _note(self, number: int, sprites: dict[int, Sprite], count: int) -> None:
        seen = self._layer.visible_px(count)
        width, height = self.footage.width, self.footage.height
        for who, sprite in sprites.items():
            box = sprite.box()
            if box is None:
                continue
            edges = self._on_screen(number, np.array(box)) + _SOFT_EDGE
            x0, y0, x1, y1 = edges.clip(0, [width, height, width, height]) / [width, height, width, height]
            if (x1 - x0) * width > 1 and (y1 - y0) * height > 1:
                self._boxes[number, who] = x0, y0, x1 - x0, y1 - y0
                self._visible[number, who] = seen[who] / max(1, int(sprite.solid.sum()))

    def _on_screen(self, number: int, box: Numbers) -> Numbers:
        """Return the box (4,) around where a box comes to lie behind a lens, or filmed off a screen."""
        x0, y0, x1, y1 = box
        if self.effects.lens is not None:
            sides = np.array(
                [[x0, (y0 + y1) / 2], [x1, (y0 + y1) / 2], [(x0 + x1) / 2, y0], [(x0 + x1) / 2, y1]]
            )
            bent = self.effects.lens.bent(sides, self._cameras[number])
            x0, x1, y0, y1 = bent[0, 0], bent[1, 0], bent[2, 1], bent[3, 1]
        if self.effects.screen is None:
            return np.array([x0, y0, x1, y1])
        corners = np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]])
        moved = cv2.perspectiveTransform(corners, self.effects.screen.warp(number))[0]
        return np.concatenate([moved.min(0), moved.max(0)])

    def _ground(self, number: int) -> Numbers:
        """Return the homography (3, 3) from pitch metres to the video's pixels."""
        ground: Numbers = self._cameras[number].ground
        # The sign stays: a point is before the camera where its third coordinate is positive.
        ground = ground / max(1.0, abs(ground[2, 2]))
        screen = self.effects.screen
        if screen is not None:
            ground = screen.warp(number) @ ground
        return ground

    def _lens(self) -> Numbers | None:
        """Return the radial term and the focal length of each frame (frames, 2); None without a lens that bends."""
        lens = self.effects.lens
        return None if lens is None else np.array([[lens.k1, c.focal_px] for c in self._cameras])

    def truth(self) -> Truth:
        """Return the truth; on frames that were not drawn nobody is in the picture."""
        people, footage = self._motion.people, self.footage
        return Truth(
            fps=float(footage.fps),
            width=footage.width,
            height=footage.height,
            seed=footage.seed,
            people=people,
            ground_to_image=np.array([self._ground(number) for number in range(self.length)]),
            cuts=self._cuts,
            lens=self._lens(),
            _boxes={p.id: self._boxes[:, p.id] for p in people},
            _visible={p.id: self._visible[:, p.id] for p in people},
            _pitch={p.id: self._motion.place[:, p.id] for p in people},
        )


def write(film: Film, folder: Path, name: str, on_progress: Progress | None = None) -> Clip:
    """Draw the film, write ``<name>.mp4`` (H.264) and its truth into ``folder``, and return both."""
    folder.mkdir(parents=True, exist_ok=True)
    clip = Clip(folder / f"{name}.mp4", folder / f"{name}.truth.json.gz")
    _encode(film, clip.video, on_progress)
    save_truth(film.truth(), clip.truth)
    return clip


def _encode(film: Film, path: Path, on_progress: Progress | None) -> None:
    """Write frames as H.264 with the index in front, so that it plays while it loads."""
    footage = film.footage
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(footage.fps))
        stream.width, stream.height, stream.pix_fmt = footage.width, footage.height, "yuv420p"
        # x264's macroblock tree reads memory that it never wrote, which changes bytes from run to run.
        own = footage.encoder.get("x264-params")
        params = "mbtree=0" if own is None else f"mbtree=0:{own}"
        stream.options = {**footage.encoder, "preset": "veryfast", "x264-params": params}
        # One thread, so that the bytes do not depend on how many cores there are.
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(film.frames(), 1):
            planes = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)
            for packet in stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")):
                container.mux(packet)
            if on_progress is not None:
                on_progress(number, film.length)
        for packet in stream.encode():
            container.mux(packet)


def tone_curve(dice: Dice, night: float = 0.0) -> Image:
    """Return a look-up table (256, 1, 3) of exposure, contrast and colour cast, dark by ``night`` (0..1)."""
    level = np.arange(256, dtype=np.float64)[:, None] / 255
    cast = 1 + dice.rng.normal(0, 0.025, 3)
    curve = 255 * level ** dice.uniform(0.85, 1.2) * dice.uniform(0.92, 1.1) * cast + dice.uniform(-4, 10)
    curve = curve * (1 - 0.5 * night)
    return np.clip(curve, 0, 255).astype(np.uint8)[:, None]


def _near_picture(foot: Numbers, camera: Camera) -> bool:
    """Return whether any part of somebody whose foot is at u, v, depth may be in the picture."""
    u, v, depth = foot
    if depth < 2:
        return False
    reach = 2.2 * camera.focal_px / depth
    return bool(-reach < u < camera.width + reach and -reach < v < camera.height + 1.2 * reach)


def _view(camera: Camera, place: Numbers, facing: Numbers) -> View:
    """Return from where the camera sees somebody who stands at a place and faces somewhere."""
    to_camera = np.array(camera.stand[:2]) - place
    distance = float(np.linalg.norm(to_camera))
    toward = to_camera / distance
    right = np.array([-toward[1], toward[0]])
    heading = math.atan2(-float(facing @ right), float(facing @ toward))
    return View(heading, math.atan2(camera.stand[2] - 0.9, distance))


def place_exactly(figure: Image, foot: tuple[float, float], scale: float) -> Sprite:
    """Return a figure resized by ``scale`` with its foot at fractions of a pixel, so that it glides."""
    size = whole = figure.shape[0]
    while scale < 0.5 * size / CANVAS_PX and size > 22:
        size //= 2
    small = figure if size == whole else cv2.resize(figure, (size, size), interpolation=cv2.INTER_AREA)
    zoom = scale * CANVAS_PX / size
    x, y = foot[0] - FOOT_X * scale, foot[1] - FOOT_Y * scale
    left, top, side = math.floor(x), math.floor(y), math.ceil(CANVAS_PX * scale) + 1
    shift = 0.5 * zoom - 0.5
    matrix = np.array([[zoom, 0, x - left + shift], [0, zoom, y - top + shift]])
    picture = cv2.warpAffine(small, matrix, (side, side))
    x0, y0, width, height = cv2.boundingRect(picture[:, :, 3])
    trimmed: Field = picture[y0 : y0 + height, x0 : x0 + width].astype(np.float32)
    return Sprite(trimmed, left + x0, top + y0, foot, scale * BODY_PX)


def cast_shadow(frame: Image, sprite: Sprite, fall: tuple[float, float], depth: float) -> None:
    """Lay a sprite's outline onto the frame: what is v pixels above the foot falls to ``v * fall``."""
    side = math.ceil(CANVAS_PX * sprite.body_px / BODY_PX) + 1
    foot_x, foot_y = sprite.foot[0] - sprite.left, sprite.foot[1] - sprite.top
    dx, dy = fall
    reach = math.ceil(sprite.body_px * 1.15)
    half_width = side // 2 + math.ceil(reach * abs(dx))
    height = math.ceil(reach * abs(dy)) + side // 3
    size = (2 * half_width + 1, 2 * height + 1)
    matrix = np.array([[1, -dx, half_width - foot_x + dx * foot_y], [0, -dy, height + dy * foot_y]])
    outline = cv2.GaussianBlur(cv2.warpAffine(sprite.picture[:, :, 3], matrix, size), (3, 3), 0)
    left, top = round(sprite.foot[0]) - half_width, round(sprite.foot[1]) - height
    dark_x, dark_y, dark_width, dark_height = cv2.boundingRect((outline > 0).astype(np.uint8))
    x0, y0 = max(0, left + dark_x), max(0, top + dark_y)
    x1, y1 = min(frame.shape[1], left + dark_x + dark_width), min(frame.shape[0], top + dark_y + dark_height)
    if x1 > x0 and y1 > y0:
        dark = outline[y0 - top : y1 - top, x0 - left : x1 - left, None] * (depth / 255)
        under = frame[y0:y1, x0:x1]
        under[:] = under * (1 - dark)
