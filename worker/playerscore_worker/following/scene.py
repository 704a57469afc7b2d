"""The frames of one segment in the order in which they are followed, and all that is computed once for each.

The way back, and a second attempt, look at the same frames at nearly the same places: they reuse the camera's
motion, the detections and the colours of the first pass.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from playerscore_worker import boxes, camera
from playerscore_worker.camera import STILL, CameraStep
from playerscore_worker.detectors import Detections, Detector
from playerscore_worker.detectors.base import NMS_IOU
from playerscore_worker.following import shots
from playerscore_worker.following.appearance import BIN_COUNT, torso_colours
from playerscore_worker.frames import Frame

Floats = NDArray[np.float64]

# Half the width of the window in which people are looked for, body heights: who is further away cannot be
# confused with the target before the next frame.
WINDOW_REACH_H: Final = 4.0
# A window that was looked at serves another one whose middle is this near, and whose people are as tall.
REUSE_SHIFT_H: Final = 1.0
REUSE_RATIO: Final = 1.25
# A box this near to the picture's border, in its own heights, may be cut by it.
EDGE_H: Final = 0.08
# Who is this near to the border of what was looked at may come and go unseen.
WINDOW_EDGE_H: Final = 0.5


@dataclass(frozen=True)
class Seen:
    """People found in a window or in a whole frame, with their torso colours."""

    found: Detections
    colours: NDArray[np.float32]


@dataclass
class Glance:
    """A window that was looked at, pixels."""

    centre: Floats
    height_px: float
    reach_px: float
    seen: Seen

    @property
    def window_xyxy(self) -> Floats:
        return np.concatenate([self.centre - self.reach_px, self.centre + self.reach_px])


@dataclass(frozen=True)
class Leftovers:
    """What was seen on a frame so far."""

    glances: list[Glance] = field(default_factory=list)
    whole: dict[tuple[int, ...], Seen] = field(default_factory=dict)
    """In the whole picture, by the heights that were looked for."""


@dataclass
class Still:
    """One frame and its leftovers."""

    frame: Frame
    step: CameraStep
    """The camera's motion from the still before it, in the order of following."""
    signature: NDArray[np.float32]
    reel_sec: float
    """Where the reading began that brought it; read again from there, it comes again."""
    left: Leftovers = field(default_factory=Leftovers)

    @property
    def glances(self) -> list[Glance]:
        return self.left.glances

    @property
    def whole(self) -> dict[tuple[int, ...], Seen]:
        return self.left.whole


def stills(frames: Iterable[tuple[float, Frame]]) -> Iterator[Still]:
    """Every frame, of all one size, with what needs only itself and the one before it; first, where its reading began."""
    before: NDArray[np.uint8] | None = None
    for reel_sec, frame in frames:
        flow = camera.flow_picture(frame.image)
        step = STILL if before is None else camera.camera_step(before, flow, frame.image.shape[0])
        yield Still(frame, step, shots.signature(frame.image), reel_sec)
        before = flow


class Scene:
    """A segment of the video; positions count from 0 in the direction of following."""

    def __init__(self, stills: list[Still], detector: Detector) -> None:
        self.stills, self._detector = stills, detector
        self.height, self.width = stills[0].frame.image.shape[:2]
        self._steps = [still.step for still in stills[1:]]
        jumps = [shots.jump(a.signature, b.signature) for a, b in pairwise(stills)]
        recordings = [still.frame.recording for still in stills]
        self._cuts = shots.cuts(np.array(jumps), self._steps) | (np.diff(recordings) != 0)
        self._ground = _carried_to_first(self._steps)
        times = [still.frame.time_sec for still in stills]
        gaps = np.abs(np.diff(times))
        self.rate = 1 / float(np.median(gaps)) if len(gaps) else 25.0
        """Frames a second."""
        self.direction = 1.0 if len(times) < 2 or times[-1] >= times[0] else -1.0
        """Whether time grows (1) or falls (-1) along the positions."""

    def __len__(self) -> int:
        return len(self.stills)

    def step(self, origin: int, to: int) -> CameraStep:
        """The camera's motion between two neighbouring positions, in either order."""
        return self._steps[origin] if to > origin else self._steps[to].inverse()

    def is_cut(self, origin: int, to: int) -> bool:
        return bool(self._cuts[min(origin, to)])

    def elapsed_sec(self, origin: int, to: int) -> float:
        """Time between two positions, without sign."""
        return abs(self.stills[to].frame.time_sec - self.stills[origin].frame.time_sec)

    def to_ground(self, position: int, points: Floats) -> Floats:
        """Points (n, 2) of a frame in pixels of the scene's first frame: the camera's motion is taken out."""
        return np.asarray(points @ self._ground[position, :, :2].T + self._ground[position, :, 2], np.float64)

    def from_ground(self, position: int, points: Floats) -> Floats:
        """The way back of `to_ground`."""
        matrix = cv2.invertAffineTransform(self._ground[position])
        return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)

    def ground_zoom(self, position: int) -> float:
        """Lengths of a frame, times this, are lengths on the ground's scale."""
        return float(np.hypot(self._ground[position, 0, 0], self._ground[position, 1, 0]))

    def zoom(self, origin: int, to: int) -> float:
        """How much larger things are at `to` than at `origin`."""
        return self.ground_zoom(origin) / self.ground_zoom(to)

    def carry(self, origin: int, to: int, points: Floats) -> Floats:
        """Points (n, 2) of one frame, carried to another by the camera's motion alone."""
        if to == origin + 1:
            return self._steps[origin].move(points)
        return self.from_ground(to, self.to_ground(origin, points))

    def same_shot(self, first: int, last: int) -> bool:
        """Whether no cut lies between two positions."""
        return not self._cuts[min(first, last) : max(first, last)].any()

    def at_edge(self, position: int, box_xyxy: Floats) -> bool:
        """Whether somebody there could come or go unseen: at the picture's border, or of what was looked at."""
        if self.at_border(box_xyxy):
            return True
        tall = box_xyxy[3] - box_xyxy[1]
        still = self.stills[position]
        if still.whole:
            return False
        return all(
            _reaches_out(box_xyxy, _shrunk(g.window_xyxy, tall * WINDOW_EDGE_H)) for g in still.glances
        )

    def at_border(self, box_xyxy: Floats) -> bool:
        """Whether somebody there may be cut by the picture's border."""
        picture = np.array([0.0, 0.0, self.width, self.height])
        return _reaches_out(box_xyxy, _shrunk(picture, EDGE_H * (box_xyxy[3] - box_xyxy[1])))

    def look(self, position: int, centre: Floats, height_px: float, wide: bool = False) -> Seen:
        """People within `WINDOW_REACH_H` of a place, or within twice that."""
        still = self.stills[position]
        reach = (WINDOW_REACH_H * (2 if wide else 1)) * height_px
        for glance in still.glances:
            near = np.hypot(*(glance.centre - centre)) < REUSE_SHIFT_H * height_px
            alike = 1 / REUSE_RATIO < glance.height_px / height_px < REUSE_RATIO
            if near and alike and glance.reach_px > reach / REUSE_RATIO:
                return glance.seen
        window = np.concatenate([centre - reach, centre + reach])
        seen = self._with_colours(
            position, self._detector.detect_window(still.frame.image, window, height_px)
        )
        still.glances.append(Glance(centre.copy(), height_px, reach, seen))
        return seen

    def look_everywhere(self, position: int, heights_px: Sequence[float]) -> Seen:
        """People of about those heights in the whole frame."""
        still = self.stills[position]
        key = tuple(round(height) for height in heights_px)
        if key not in still.whole:
            found = self._detector.detect_frame(still.frame.image, heights_px)
            still.whole[key] = self._with_colours(position, found)
        return still.whole[key]

    def everyone(self, position: int) -> Seen:
        """All who were found at a position, wherever anybody looked, each once."""
        still = self.stills[position]
        parts = [glance.seen for glance in still.glances] + list(still.whole.values())
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Seen(Detections.none(), np.zeros((0, BIN_COUNT), np.float32))
        found_xyxy = np.concatenate([part.found.boxes_xyxy for part in parts])
        scores = np.concatenate([part.found.scores for part in parts])
        colours = np.concatenate([part.colours for part in parts])
        kept = boxes.suppress(found_xyxy, scores, NMS_IOU)
        return Seen(Detections(found_xyxy[kept], scores[kept]), colours[kept])

    def _with_colours(self, position: int, found: Detections) -> Seen:
        # Beyond the border a box is a guess that jumps from frame to frame.
        found.boxes_xyxy[:, 0::2] = np.clip(found.boxes_xyxy[:, 0::2], 0, self.width)
        found.boxes_xyxy[:, 1::2] = np.clip(found.boxes_xyxy[:, 1::2], 0, self.height)
        return Seen(found, torso_colours(self.stills[position].frame.image, found.boxes_xyxy))


def _carried_to_first(steps: list[CameraStep]) -> Floats:
    """(n, 2, 3): from each frame to the first, by all the steps between."""
    matrices = [np.eye(2, 3)]
    for step in steps:
        whole = np.vstack([matrices[-1], [0, 0, 1]])
        back = np.vstack([step.inverse().matrix, [0, 0, 1]])
        matrices.append((whole @ back)[:2])
    return np.array(matrices)


def _reaches_out(box_xyxy: Floats, area_xyxy: Floats) -> bool:
    return bool((box_xyxy[:2] < area_xyxy[:2]).any() or (box_xyxy[2:] > area_xyxy[2:]).any())


def _shrunk(area_xyxy: Floats, by_px: float) -> Floats:
    return np.asarray(area_xyxy + np.array([by_px, by_px, -by_px, -by_px]), np.float64)
