"""Where the player stands, in metres, and how fast he moves: from his boxes and each frame's camera.

Smoothing is scipy's cubic smoothing spline, which is the Rauch-Tung-Striebel smoother of a body whose acceleration is
white noise (Wahba 1978, J R Stat Soc B 40:364), and gives speed and acceleration as its derivatives.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline

from playerscore.landmarks import Markings
from playerscore_worker import boxes, signals
from playerscore_worker.follower import FollowedPath
from playerscore_worker.following.joint import State
from playerscore_worker.pitch import view
from playerscore_worker.pitch.calibration import Track
from playerscore_worker.pitch.view import Floats

PERSON_M: Final = 1.8
STATURES: Final = (1.3, 2.2)
"""Metres; a box that says otherwise is not one whole person's."""
HIDDEN_SHARE: Final = 0.88
"""A box that is lower than this part of his stature shows him without his feet."""
FOOT_SHARE: Final = 0.03
"""How exactly a box's bottom shows the feet, of its height."""
HIDDEN_WORSE: Final = 3.0
"""So much less exactly where the feet are hidden and the stature says where they are."""
MAX_ERROR_M: Final = 2.0
"""What is known less well is not told."""
FLOOR_M: Final = 0.15
"""Nothing is known better: feet are a step apart, and lines 12 cm wide."""
SLOPE_EVERY: Final = 4
"""For so many samples the camera's errors move his place alike."""
OFF_PITCH_M: Final = 8.0
GAP_SEC: Final = 0.5
"""Over a longer gap nothing is drawn and nothing counted."""
SHORTEST_SEC: Final = 1.0
STEP_SEC: Final = 0.3
"""The feet's errors repeat with the stride: for so long they count as one."""
RESTLESSNESS: Final = 3.0
"""Spectral density of a footballer's acceleration, (m/s2)2 s."""


@dataclass(frozen=True)
class Places:
    """Per sample; NaN where there is no metre. Metres from the top left corner of the drawn pitch."""

    times: Floats
    """(n,) seconds."""
    seen: NDArray[np.bool_]
    """(n,) whether he was seen, and is he with fair certainty."""
    metres: Floats
    """(n, 2), smoothed."""
    error: Floats
    """(n,) metres, told: the root mean square of the distance to where he really is."""
    speed: Floats
    """(n,) m/s."""
    acceleration: Floats
    """(n,) m/s2, along the way."""
    stretch: NDArray[np.int64]
    """(n,) number of the stretch without a gap; -1 where there is no metre."""
    interval: float
    """Seconds that a sample stands for."""

    @property
    def calibrated(self) -> NDArray[np.bool_]:
        """(n,) whether he was seen and has a place in metres."""
        return self.seen & (self.stretch >= 0)


def places(path: FollowedPath, track: Track, marks: Markings) -> Places:
    """The player's places on the pitch."""
    times = np.array([sample.time_sec for sample in path.samples])
    certain = signals.certainties(path) >= signals.FAIR_CERTAINTY
    seen = np.array([s.state == State.SUPPORTED and s.box_xywh is not None for s in path.samples]) & certain
    raw, camera_cov, foot_cov = _feet(path, track, seen)
    error = np.sqrt(np.trace(camera_cov, axis1=1, axis2=2) + np.trace(foot_cov, axis1=1, axis2=2))
    half = np.array([marks.length, marks.width]) / 2
    usable = np.isfinite(raw).all(1) & (error <= MAX_ERROR_M)
    usable[usable] &= (np.abs(raw[usable]) < half + OFF_PITCH_M).all(1)
    interval = 1 / path.fps if path.fps else 0.04
    smooth, velocity, change, stretch = _smoothed(times, raw, foot_cov, usable, interval)
    speed = np.hypot(*velocity.T)
    # The smoothing takes out what is the feet's own; the camera's error stays as it is.
    kept = np.sqrt(np.trace(camera_cov, axis1=1, axis2=2) + np.trace(foot_cov, axis1=1, axis2=2) / 3)
    along = (velocity * change).sum(1) / np.maximum(speed, 0.3)
    told = np.where(stretch >= 0, np.hypot(kept, FLOOR_M), np.nan)
    return Places(times, seen, smooth * [1.0, -1.0] + half, told, speed, along, stretch, interval)


def _feet(path: FollowedPath, track: Track, seen: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Where his feet are (n, 2), metres, and the covariances (n, 2, 2) that the camera and the box leave."""
    count = len(path.samples)
    raw = np.full((count, 2), np.nan)
    camera, feet = np.zeros((count, 2, 2)), np.zeros((count, 2, 2))
    middle = np.array([path.width, path.height]) / 2
    wanted = np.flatnonzero(seen & track.known()).tolist()
    corners = np.zeros((count, 4))
    for index in wanted:
        box = path.samples[index].box_xywh
        assert box is not None
        corners[index] = boxes.to_pixels(box, path.width, path.height) - np.tile(middle, 2)
    clear = np.array([not s.overlapped_by for s in path.samples])
    clear &= corners[:, 3] < path.height / 2 - 3
    stature = _stature(track, corners, [i for i in wanted if clear[i]])
    slope, next_slope = None, 0
    for index in wanted:
        state, (left, top, right, bottom) = track.states[index], corners[index]
        foot, worse = np.array([(left + right) / 2, bottom]), 1.0
        if stature and not clear[index]:
            foot, worse = _uncovered(state, foot, top, stature)
        raw[index] = view.ground(state, foot[None])[0]
        if not np.isfinite(raw[index]).all():
            continue
        if slope is None or index >= next_slope:
            slope = view.derivative(lambda at, foot=foot: view.ground(at, foot[None]), state)
            next_slope = index + SLOPE_EVERY
        camera[index] = slope @ track.covariances[index] @ slope.T
        around = view.ground(state, foot + np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]]))
        across = np.column_stack([around[0] - around[1], around[2] - around[3]])
        feet[index] = across @ across.T * (FOOT_SHARE * (bottom - top) * worse) ** 2
    bad = ~np.isfinite(camera).all((1, 2)) | ~np.isfinite(feet).all((1, 2))
    raw[bad] = np.nan
    camera[bad], feet[bad] = 0.0, 0.0
    return raw, camera, feet


def _stature(track: Track, corners: Floats, clear: list[int]) -> float | None:
    """His height in metres, as boxes that show him whole have it; None where they disagree with people's."""
    found = []
    for index in clear[:: max(1, len(clear) // 400)]:
        left, top, right, bottom = corners[index]
        per_metre = _pixels_per_metre(track.states[index], np.array([(left + right) / 2, bottom]))
        if per_metre > 0:
            found.append((bottom - top) / per_metre)
    stature = float(np.median(found)) if len(found) >= 10 else float("nan")
    return stature if STATURES[0] < stature < STATURES[1] else None


def _pixels_per_metre(state: Floats, foot: Floats) -> float:
    """How high a metre is that stands at a pixel; 0 where nothing can stand."""
    at = view.ground(state, foot[None])[0]
    ends, _ = view.project(state, np.array([[*at, 0.0], [*at, PERSON_M]]))
    high = float(ends[0, 1] - ends[1, 1]) / PERSON_M
    return high if np.isfinite(high) else 0.0


def _uncovered(state: Floats, foot: Floats, top: float, stature: float) -> tuple[Floats, float]:
    """The feet of a box whose lower part is hidden: as far below its top as he is tall."""
    full = stature * _pixels_per_metre(state, foot)
    if not full or foot[1] - top >= HIDDEN_SHARE * full:
        return foot, 1.0
    for _ in range(3):
        foot = np.array([foot[0], top + stature * _pixels_per_metre(state, foot)])
    return foot, HIDDEN_WORSE


def _smoothed(times: Floats, raw: Floats, spread: Floats, usable: NDArray[np.bool_], interval: float) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:  # fmt: skip
    """Places, velocities, accelerations (n, 2) and stretches (n,) of what is usable and long enough."""
    count = len(times)
    smooth, velocity, change = (np.full((count, 2), np.nan) for _ in range(3))
    stretch = np.full(count, -1, np.int64)
    rows = np.flatnonzero(usable)
    number = 0
    for part in np.split(rows, np.flatnonzero(np.diff(times[rows]) > GAP_SEC) + 1):
        if len(part) < 5 or times[part[-1]] - times[part[0]] < SHORTEST_SEC:
            continue
        for axis in (0, 1):
            variance = np.maximum(spread[part, axis, axis], 0.02**2) * max(1.0, STEP_SEC / interval)
            spline = _spline(times[part], raw[part, axis], variance)
            smooth[part, axis] = spline(times[part])
            velocity[part, axis] = spline(times[part], 1)
            change[part, axis] = spline(times[part], 2)
        stretch[part] = number
        number += 1
    return smooth, velocity, change, stretch


def _spline(times: Floats, values: Floats, variance: Floats):  # type: ignore[no-untyped-def]  # scipy has no types
    """Twice: what was far off the first time counts less the second."""
    spline = make_smoothing_spline(times, values, 1 / variance, 1 / RESTLESSNESS)
    off = (values - spline(times)) ** 2 / variance
    return make_smoothing_spline(times, values, 1 / (variance * np.maximum(1.0, off)), 1 / RESTLESSNESS)
