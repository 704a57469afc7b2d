"""The frames of one segment in the order in which they are followed, and all that is computed once for each.

The way back, and a second attempt, look at the same frames at nearly the same places: they reuse the camera's
motion, the detections and the colours of the first pass.
"""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore_worker import camera
from playerscore_worker.camera import CameraStep
from playerscore_worker.detectors import Detections, Detector
from playerscore_worker.following import shots
from playerscore_worker.following.appearance import torso_colours
from playerscore_worker.frames import Frame

Floats = NDArray[np.float64]

# Half the width of the window in which people are looked for, body heights: who is further away cannot be
# confused with the target before the next frame.
WINDOW_REACH_H: Final = 4.0
# A window that was looked at serves another one whose middle is this near, and whose people are as tall.
REUSE_SHIFT_H: Final = 1.0
REUSE_RATIO: Final = 1.25


@dataclass(frozen=True)
class Seen:
    """People found in a window or in a whole frame, with their torso colours."""

    found: Detections
    colours: NDArray[np.float32]


@dataclass
class _Glance:
    centre: Floats
    height_px: float
    seen: Seen


@dataclass
class Still:
    """One frame and its leftovers."""

    frame: Frame
    glances: list[_Glance] = field(default_factory=list)
    whole: dict[int, Seen] = field(default_factory=dict)

    @cached_property
    def flow(self) -> NDArray[np.uint8]:
        return camera.flow_picture(self.frame.image)

    @cached_property
    def signature(self) -> NDArray[np.float32]:
        return shots.signature(self.frame.image)


class Scene:
    """A segment of the video; positions count from 0 in the direction of following."""

    def __init__(self, stills: list[Still], detector: Detector) -> None:
        self.stills, self._detector = stills, detector
        self.height, self.width = stills[0].frame.image.shape[:2]
        self._steps = [camera.camera_step(a.flow, b.flow, self.height) for a, b in pairwise(stills)]
        jumps = [shots.jump(a.signature, b.signature) for a, b in pairwise(stills)]
        self._cuts = shots.cuts(np.array(jumps), self._steps)

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

    def look(self, position: int, centre: Floats, height_px: float) -> Seen:
        """People within `WINDOW_REACH_H` of a place."""
        still = self.stills[position]
        for glance in still.glances:
            near = np.hypot(*(glance.centre - centre)) < REUSE_SHIFT_H * height_px
            if near and 1 / REUSE_RATIO < glance.height_px / height_px < REUSE_RATIO:
                return glance.seen
        reach = WINDOW_REACH_H * height_px
        window = np.concatenate([centre - reach, centre + reach])
        seen = self._with_colours(
            position, self._detector.detect_window(still.frame.image, window, height_px)
        )
        still.glances.append(_Glance(centre.copy(), height_px, seen))
        return seen

    def look_everywhere(self, position: int, height_px: float) -> Seen:
        """People of about that height in the whole frame."""
        still = self.stills[position]
        key = round(height_px)
        if key not in still.whole:
            found = self._detector.detect_frame(still.frame.image, [height_px])
            still.whole[key] = self._with_colours(position, found)
        return still.whole[key]

    def _with_colours(self, position: int, found: Detections) -> Seen:
        return Seen(found, torso_colours(self.stills[position].frame.image, found.boxes_xyxy))
