"""From tracking signals to the radar and overallScore; the vision-based MVP rating.

Every formula is monotone in each signal: better tracking never lowers a score. Constants have their reason
beside them. A player who was never seen again gets low scores, not none: the result is always populated.
"""

import math
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

METHOD: Final = "vision-mvp"

# A lost segment every ten seconds halves the stability: a usable clip of one player loses him less often.
LOST_PER_MINUTE_HALF: Final = 6.0
# High-speed running starts at 19.8 km/h = 5.5 m/s in the literature; a footballer is about 1.8 m tall.
HIGH_SPEED_HEIGHTS_PER_SEC: Final = 5.5 / 1.8
# A box whose height flickers by a quarter from frame to frame says nothing about the player's size.
JITTER_WORST: Final = 0.25
# 9 m/s2 is the artefact gate of commercial tracking data (accelerations above are errors), in heights of 1.8 m.
ACCELERATION_GATE: Final = 9.0 / 1.8
# With less than a quarter of the frames supported, motion and steadiness are known too little to count fully.
SUPPORT_GATE: Final = 0.25
# tracking_quality first (it says whether the rest can be believed); activity last (a proxy, not a skill).
WEIGHTS: Final = {
    "tracking_quality": 0.30,
    "visibility": 0.25,
    "consistency": 0.20,
    "stability": 0.15,
    "activity_proxy": 0.10,
}

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0, le=1e9)]
Score = Annotated[int, Field(ge=0, le=100)]


class _Flow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Signals(_Flow):
    """What was measured along the player's path; units are in the names, h is his height in the picture."""

    analysed_sec: Positive
    """Length of the analysed part of the video, seconds."""
    sampled_frames: Annotated[int, Field(ge=0, le=10**9)]
    """Number of frames that the follower looked at."""
    supported_share: Share
    """Share of sampled frames in which a detection supported the player's box (coverage)."""
    lost_segments: Annotated[int, Field(ge=0, le=10**9)]
    """How often the player was lost."""
    lost_segments_per_min: Positive
    """Lost segments for each minute analysed."""
    jersey_similarity: Share
    """Mean similarity of the torso colours with those at the confirmed box."""
    path_agreement: Share
    """Share of supported frames where following backwards found the same place."""
    implausible_motion_share: Share
    """Share of steps faster than a person can move, camera motion taken out."""
    speed_mean_h_per_sec: Positive
    """Mean camera-compensated speed, body heights per second."""
    acceleration_p95_h_per_sec2: Positive
    """95th percentile of the camera-compensated acceleration, body heights per second squared."""
    height_jitter: Share
    """Median relative change of the box height between neighbouring supported frames."""


class Radar(_Flow):
    """Five scores, 0..100."""

    tracking_quality: Score
    """Whether the followed person is the chosen one: support x colour x agreement x plausible motion."""
    activity_proxy: Score
    """How much he moved, against high-speed running; camera motion taken out, never a speed in km/h."""
    visibility: Score
    """Share of the time in which he was seen."""
    consistency: Score
    """Same colours and plausible, smooth motion all along."""
    stability: Score
    """Few losses and a steady box, on supported frames only."""


class Rating(_Flow):
    """The radar and what it adds up to."""

    overall_score: Score
    radar: Radar


def rate(signals: Signals) -> Rating:
    """Score one player's signals. Total: every valid `Signals` has a rating."""
    radar = Radar(
        tracking_quality=_percent(tracking_quality(signals)),
        activity_proxy=_percent(activity_proxy(signals)),
        visibility=_percent(signals.supported_share),
        consistency=_percent(consistency(signals)),
        stability=_percent(stability(signals)),
    )
    return Rating(overall_score=overall(radar), radar=radar)


def tracking_quality(s: Signals) -> float:
    """0..1. A product, because any one failing (unseen, other kit, other way back) means a wrong man."""
    plausible = 1 - s.implausible_motion_share
    return s.supported_share * s.jersey_similarity * s.path_agreement * plausible


def consistency(s: Signals) -> float:
    """0..1. Colour x plausible motion, halved at an acceleration twice over the artefact gate."""
    excess = max(0.0, s.acceleration_p95_h_per_sec2 - ACCELERATION_GATE) / ACCELERATION_GATE
    penalty: float = 0.5**excess
    return _gate(s) * s.jersey_similarity * (1 - s.implausible_motion_share) * penalty


def stability(s: Signals) -> float:
    """0..1. Halves with every `LOST_PER_MINUTE_HALF` losses a minute; falls with the box's jitter."""
    steady = 1 - min(1.0, s.height_jitter / JITTER_WORST)
    kept: float = 0.5 ** (s.lost_segments_per_min / LOST_PER_MINUTE_HALF)
    return _gate(s) * kept * steady


def activity_proxy(s: Signals) -> float:
    """0..1. Mean speed against high-speed running."""
    return _gate(s) * min(1.0, s.speed_mean_h_per_sec / HIGH_SPEED_HEIGHTS_PER_SEC)


def overall(radar: Radar) -> int:
    """The weighted mean, capped by visibility: who was hardly seen cannot be rated highly."""
    values: dict[str, int] = radar.model_dump()
    mean: float = sum(weight * values[axis] for axis, weight in WEIGHTS.items())
    return min(math.floor(mean + 0.5), radar.visibility)


def _gate(s: Signals) -> float:
    return min(1.0, s.supported_share / SUPPORT_GATE)


def _percent(share: float) -> int:
    return math.floor(100 * min(1.0, max(0.0, share)) + 0.5)
