"""From a followed path and a job's pitch to metres: the one module here that reads the video."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore import landmarks
from playerscore.football import Metrics
from playerscore.pitch import CONTRADICTION_M
from playerscore.resources import Pitch, ResultWarning
from playerscore_worker.follower import FollowedPath
from playerscore_worker.following import shots
from playerscore_worker.frames import Decoder, Limits
from playerscore_worker.pitch import calibration, lines, metrics
from playerscore_worker.pitch.calibration import Moment, Track
from playerscore_worker.pitch.lines import Ridges
from playerscore_worker.pitch.places import Places, places
from playerscore_worker.pitch.view import Floats

LINES_FPS: Final = 3.0
"""So often the lines are looked at; between, the camera's motion carries."""


@dataclass(frozen=True)
class Measured:
    """The player in metres, as far as the pitch allows."""

    metrics: Metrics | None
    places: Places
    track: Track
    marks: landmarks.Markings
    warnings: list[ResultWarning]
    """Why there are no metres, or not of everything; by code, worst first."""


def measured(
    path: FollowedPath, pitch: Pitch, video: Path, limits: Limits | None = None, *, by_lines: bool = True
) -> Measured:
    """The player's metres; without `by_lines` the camera is carried by its motion alone. Raises VideoError."""
    marks = landmarks.markings(pitch.format, pitch.length_m, pitch.width_m)
    times = np.array([sample.time_sec for sample in path.samples])
    steps = [sample.camera for sample in path.samples]
    told: list[ResultWarning] = []
    moments = []
    for given in pitch.moments:
        moment = calibration.moment_of(given, marks, path.width, path.height)
        found = _fitted(moment, times, path)
        if isinstance(found, ResultWarning):
            told.append(found)
        else:
            moments.append(found)
    ridges, broken = _looked_at(path, times, video, limits, lit=bool(moments))
    size = (path.width, path.height)
    seen = ridges if by_lines else {}
    track = calibration.followed(times, steps, broken, moments, seen, marks, size)
    found_places = places(path, track, marks)
    figures = metrics.measure(found_places, pitch)
    told += _why(figures, found_places, track, broken)
    return Measured(figures, found_places, track, marks, _once(told))


def _fitted(moment: Moment, times: Floats, path: FollowedPath) -> tuple[int, Moment, Floats] | ResultWarning:
    index = int(np.abs(times - moment.time_sec).argmin())
    at = f"The pitch's moment at {moment.time_sec:g} s"
    if abs(times[index] - moment.time_sec) > 1 / path.fps:
        text = f"{at} is outside {times[0]:.2f} s to {times[-1]:.2f} s, which were analysed"
        return ResultWarning(code="PITCH_MOMENT_OUTSIDE", message=text)
    state = calibration.fitted(moment, path.width)
    if state is None:
        return ResultWarning(code="PITCH_INCOHERENT", message=f"{at}: no camera sees its points so")
    name, off_m = calibration.worst(moment, state)
    if off_m > CONTRADICTION_M:
        text = f"{at}: its points contradict each other, {name} most: it is {off_m:.1f} m off"
        return ResultWarning(code="PITCH_INCOHERENT", message=text)
    return index, moment, state


def _looked_at(
    path: FollowedPath, times: Floats, video: Path, limits: Limits | None, *, lit: bool
) -> tuple[dict[int, Ridges], NDArray[np.bool_]]:
    """The ridges of some of the samples, and before which samples the picture was cut or nothing joins."""
    inliers = np.array([sample.camera.inlier_share for sample in path.samples])
    broken = np.concatenate([[False], np.diff(times) > max(0.5, 5 / path.fps)])
    seams = np.searchsorted(times, np.array(path.seams_sec) - 1e-6)
    broken[seams[(seams > 0) & (seams < len(times))]] = True
    if not lit:
        return {}, broken
    scale = min(1.0, lines.WIDTH_PX / path.width)
    ridges, signatures = {}, []
    with Decoder(video, limits) as decoder:
        end = float(times[-1]) + 0.5 / path.fps
        for frame in decoder.read(max(0.0, float(times[0]) - 0.5 / path.fps), end, LINES_FPS, scale):
            index = int(np.abs(times - frame.time_sec).argmin())
            signatures.append((index, shots.signature(frame.image)))
            if abs(times[index] - frame.time_sec) < 0.5 / path.fps:
                ridges[index] = lines.ridges(frame.image, scale)
    for (before, first), (after, second) in pairwise(signatures):
        if after > before and shots.jump(first, second) > shots.MIN_JUMP:
            gap = before + 1 + int(np.argmin(inliers[before + 1 : after + 1]))
            broken[gap] |= inliers[gap] < shots.MAX_INLIER_SHARE
    return ridges, broken


def _why(figures: Metrics | None, found: Places, track: Track, broken: NDArray[np.bool_]) -> list[ResultWarning]:  # fmt: skip
    if metrics.counts(figures):
        return []
    share = float(found.calibrated.sum() / max(1, found.seen.sum()))
    said = f"Only {100 * share:.0f} % of the time in which he was seen has a place on the pitch"
    unknown = int((found.seen & ~track.known()).sum())
    if broken.any() and unknown > found.seen.sum() / 4:
        return [ResultWarning(code="PITCH_CUT", message=f"{said}: there is a cut, and no moment behind it")]
    return [
        ResultWarning(code="PITCH_UNSUPPORTED", message=f"{said}: the camera could not be carried farther")
    ]


def _once(told: list[ResultWarning]) -> list[ResultWarning]:
    """Each code once, since a list by code holds no more; the message of its first."""
    kept: dict[str, ResultWarning] = {}
    for warning in told:
        kept.setdefault(warning.code, warning)
    return list(kept.values())
