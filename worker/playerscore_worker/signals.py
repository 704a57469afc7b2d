"""From the followed path to the signals that the rating takes (`playerscore.rating.Signals`).

Motion is measured on stretches of supported frames only, with the camera's motion taken out, in heights of the
player's own box: a far player is as fast as a near one, and a panning camera is no activity.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from playerscore.rating import Signals
from playerscore_worker import boxes
from playerscore_worker.follower import FollowedPath, PathDecision, PathSample
from playerscore_worker.following.joint import State
from playerscore_worker.following.segment import ABSENT, Kind

Floats = NDArray[np.float64]

# Nine to one: less is told to the reader as uncertain, and does not count as seen.
FAIR_CERTAINTY: Final = 0.9
# Lost for these reasons, he need not be in the picture: close-ups, replays and crowds mostly do not show him.
AWAY: Final = frozenset({"left-picture", "cut", ABSENT})
# How many of a solver's nats are worth one: its prices are not quite independent, so it may promise more than it
# keeps. `training/fit_quality.py` looks for it; its first ten picks leaned to 1.
NATS: Final = 1.0
# Positions are smoothed by a parabola over this long: about one step of a runner, longer than a box's flicker.
SMOOTHING_SEC: Final = 0.6
# 12 m/s is beyond every sprinter; a person is about 1.8 m tall.
IMPLAUSIBLE_H_PER_SEC: Final = 12.0 / 1.8
# A step is judged over this long, so that the detector's jitter does not look like speed.
STEP_SEC: Final = 0.2


def measure(path: FollowedPath, nats: float = NATS) -> Signals:
    """The signals of one followed player; total, also for a player who was lost at once."""
    samples, certainty = path.samples, certainties(path, nats)
    stretches = [_Stretch(part, path) for part in supported_stretches(samples, path.fps)]
    lost = lost_segments(samples)
    analysed_sec = max(1 / path.fps, samples[-1].time_sec - samples[0].time_sec + 1 / path.fps)
    supported = sum(sample.state == State.SUPPORTED for sample in samples)
    similar = [sample.similarity for sample in samples if sample.similarity is not None]
    placed = np.array([sample.state != State.LOST for sample in samples])
    agreed = [sample.agreement for sample in samples if sample.agreement is not None]
    speeds = _joined([stretch.speeds for stretch in stretches])
    accelerations = _joined([stretch.accelerations for stretch in stretches])
    steps = _joined([stretch.steps for stretch in stretches])
    jitter = _joined([stretch.height_changes for stretch in stretches])
    return Signals(
        analysed_sec=round(analysed_sec, 4),
        sampled_frames=len(samples),
        supported_share=_share(supported / len(samples)),
        **_known_seconds(samples, certainty, analysed_sec),
        certainty=_share(certainty[placed].mean()) if placed.any() else 0.0,
        encounters=len(path.decisions),
        doubtful_encounters=sum(is_doubtful(decision, nats) for decision in path.decisions),
        lost_segments=lost,
        lost_segments_per_min=round(lost * 60 / analysed_sec, 4),
        jersey_similarity=_share(np.mean(similar)) if similar else 0.0,
        path_agreement=_share(np.mean(agreed)) if agreed else 0.0,
        implausible_motion_share=_share(np.mean(steps > IMPLAUSIBLE_H_PER_SEC)) if len(steps) else 0.0,
        speed_mean_h_per_sec=round(float(speeds.mean()), 4) if len(speeds) else 0.0,
        acceleration_p95_h_per_sec2=(
            round(float(np.percentile(accelerations, 95)), 4) if len(accelerations) else 0.0
        ),
        height_jitter=_share(np.median(jitter)) if len(jitter) else 0.0,
    )


def certainties(path: FollowedPath, nats: float = NATS) -> Floats:
    """How likely the confirmed one has each sample's box, (samples,), 0..1: what every encounter since left of it."""
    times, start = np.array([sample.time_sec for sample in path.samples]), path.start.time_sec
    left = np.ones(len(times))
    for told in path.decisions:
        if told.kind != Kind.DECLINED:
            behind = times > max(start, told.begin_sec) if told.end_sec > start else times < told.end_sec
            left[behind] *= chance(told, nats)
    return np.minimum(left, [sample.certainty for sample in path.samples])


def chance(decision: PathDecision, nats: float = NATS) -> float:
    """How likely an encounter was decided rightly, .5..1."""
    return 1 / (1 + math.exp(-max(0.0, decision.margin) / nats))


def is_doubtful(decision: PathDecision, nats: float = NATS) -> bool:
    """Whether an encounter was decided with less than fair certainty, or was not decided."""
    return decision.kind == Kind.DECLINED or chance(decision, nats) < FAIR_CERTAINTY


def _known_seconds(samples: Sequence[PathSample], certainty: Floats, analysed_sec: float) -> dict[str, float]:
    """How long he was certain, uncertain, lost, and lost for want of the picture; the first three add up to all."""
    lost = [sample for sample in samples if sample.state == State.LOST]
    seen = np.array([sample.state == State.SUPPORTED for sample in samples])
    certain = int((seen & (certainty >= FAIR_CERTAINTY)).sum())
    counted = {
        "certain_sec": certain,
        "uncertain_sec": len(samples) - certain - len(lost),
        "lost_sec": len(lost),
        "away_sec": sum(sample.reason in AWAY for sample in lost),
    }
    return {name: round(count * analysed_sec / len(samples), 4) for name, count in counted.items()}


def lost_segments(samples: Sequence[PathSample]) -> int:
    """How often the state changed to lost, the first sample included."""
    lost = [False, *(sample.state == State.LOST for sample in samples)]
    return sum(now and not before for before, now in pairwise(lost))


def supported_stretches(samples: Sequence[PathSample], fps: float) -> Iterator[list[PathSample]]:
    """Runs of neighbouring supported samples, without gaps in time and without unknown camera motion."""
    stretch: list[PathSample] = []
    for sample in samples:
        joins = bool(stretch) and sample.time_sec - stretch[-1].time_sec < 2.5 / fps
        if sample.state != State.SUPPORTED or not joins:
            if len(stretch) >= 2:
                yield stretch
            stretch = []
        if sample.state == State.SUPPORTED:
            stretch.append(sample)
    if len(stretch) >= 2:
        yield stretch


class _Stretch:
    """Motion along neighbouring supported samples, in body heights and seconds."""

    def __init__(self, samples: list[PathSample], path: FollowedPath) -> None:
        self._times = np.array([sample.time_sec for sample in samples])
        pixels = np.array(
            [boxes.to_pixels(s.box_xywh, path.width, path.height) for s in samples if s.box_xywh is not None]
        )
        heights = np.maximum(pixels[:, 3] - pixels[:, 1], 1.0)
        clear = np.array([not sample.overlapped_by for sample in samples])
        changes = np.abs(np.diff(np.log(heights)))[clear[1:] & clear[:-1]]
        self.height_changes: Floats = np.asarray(changes, np.float64)
        self._way = _compensated(boxes.centres(pixels), heights, samples)
        self._interval = float(np.median(np.diff(self._times)))
        smooth = self._smoothed()
        self.speeds: Floats = np.hypot(*np.gradient(smooth, self._times, axis=0).T)
        self.accelerations: Floats = self._accelerations(smooth)

    @property
    def steps(self) -> Floats:
        """Speeds over `STEP_SEC`, unsmoothed."""
        lag = max(1, round(STEP_SEC / self._interval))
        if len(self._way) <= lag:
            return np.zeros(0)
        shift = np.hypot(*(self._way[lag:] - self._way[:-lag]).T)
        return np.asarray(shift / (self._times[lag:] - self._times[:-lag]), np.float64)

    def _smoothed(self) -> Floats:
        window = min(len(self._way), round(SMOOTHING_SEC / self._interval)) | 1
        if window > len(self._way):
            window -= 2
        if window < 5:
            return self._way
        return np.asarray(savgol_filter(self._way, window, 2, axis=0), np.float64)

    def _accelerations(self, smooth: Floats) -> Floats:
        # The ends of a stretch are extrapolated by the filter: they say nothing about acceleration.
        margin = round(SMOOTHING_SEC / self._interval / 2)
        if len(smooth) < 2 * margin + 3:
            return np.zeros(0)
        velocity = np.gradient(smooth, self._times, axis=0)
        change = np.gradient(velocity, self._times, axis=0)
        return np.asarray(np.hypot(*change.T)[margin : len(change) - margin], np.float64)


def _compensated(centres_px: Floats, heights_px: Floats, samples: list[PathSample]) -> Floats:
    """The way relative to the ground, (n, 2) body heights, from 0: each step less the camera's."""
    smooth_heights = _running_median(heights_px)
    way = np.zeros((len(samples), 2))
    for k in range(1, len(samples)):
        carried = samples[k].camera.move(centres_px[k - 1 : k])[0]
        way[k] = way[k - 1] + (centres_px[k] - carried) / smooth_heights[k]
    return way


def _running_median(values: Floats, width: int = 15) -> Floats:
    padded = np.pad(values, width // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1), np.float64)


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)


def _share(value: float | np.floating[Any]) -> float:
    return round(float(min(1.0, max(0.0, float(value)))), 4)
