"""From tracking signals to the radar and overallScore; the vision-based MVP rating.

Every formula is monotone in each signal: better tracking never lowers a score. Constants have their reason
beside them. A player who was never seen again gets low scores, not none: the result is always populated.
"""

import math
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

METHOD: Final = "vision-mvp"

# A lost segment every ten seconds halves the stability: a usable clip of one player loses him less often.
LOST_PER_MINUTE_HALF: Final = 6.0
# High-speed running starts at 19.8 km/h = 5.5 m/s in the literature; a footballer is about 1.8 m tall.
HIGH_SPEED_HEIGHTS_PER_SEC: Final = 5.5 / 1.8
# A central midfielder of a first league runs about 12 km in 95 minutes, 1 km of it above 19.8 km/h (Bradley 2009).
MOST_M_PER_MIN: Final = 126.0
MOST_FAST_M_PER_MIN: Final = 10.5
# A box whose height flickers by a quarter from frame to frame says nothing about the player's size.
JITTER_WORST: Final = 0.25
# 9 m/s2 is the artefact gate of commercial tracking data (accelerations above are errors), in heights of 1.8 m.
ACCELERATION_GATE: Final = 9.0 / 1.8
# With less than a quarter of the time certain, motion and steadiness are known too little to count fully.
VISIBLE_GATE: Final = 0.25
# tracking_quality first (it says whether the rest can be believed); activity last (a proxy, not a skill).
# What the rating knows of is football: of anything else it says nothing with confidence.
UNSURE_LIMIT: Final = 50
WEIGHTS: Final = {
    "tracking_quality": 0.30,
    "visibility": 0.25,
    "consistency": 0.20,
    "stability": 0.15,
    "activity_proxy": 0.10,
}


class Quality(NamedTuple):
    """The constants of `tracking_quality`; exponents are never negative, so that worse is never better."""

    uncertain_worth: float
    """What a second is worth in which his place is a guess, or may be another's: 0..1 of a certain one."""
    away_excused: float
    """How much of the time after he left the picture, or in other shots, is not held against his tracking, 0..1."""
    certainty_power: float
    usual_similarity: float
    """Torso colours of one man differ by light and posture: likeness of this much is as good as a whole one."""
    similarity_power: float
    agreement_power: float
    plausible_power: float


# By hand; `training/fit_quality.py` fits them.
QUALITY: Final = Quality(
    uncertain_worth=0.5,
    away_excused=1.0,
    certainty_power=1.0,
    usual_similarity=0.85,
    similarity_power=1.0,
    agreement_power=1.3,
    plausible_power=1.0,
)

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0, le=1e9)]
Score = Annotated[int, Field(ge=0, le=100)]


class _Flow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class StoredSignals(_Flow):
    """What was measured along the player's path; units are in the names, h is his height in the picture.

    What workers of 0.1.0 did not measure is absent in their results, which are taken all the same.
    """

    analysed_sec: Positive
    """Length of the analysed part of the video, seconds."""
    sampled_frames: Annotated[int, Field(ge=0, le=10**9)]
    """Number of frames that the follower looked at."""
    supported_share: Share
    """Share of sampled frames in which a detection supported the player's box (coverage)."""
    certain_sec: Positive | None = None
    """Seconds in which he was seen and is with fair certainty (.9) the confirmed one."""
    uncertain_sec: Positive | None = None
    """Seconds in which his place is a guess between two sights, or he may as well be somebody else."""
    lost_sec: Positive | None = None
    """Seconds in which nobody is taken for him."""
    away_sec: Positive | None = None
    """Of the lost seconds, those in which he need not be in the picture: after he left it, and in other shots."""
    certainty: Share | None = None
    """Mean probability, where he has a place, that it is the confirmed one's: what the encounters left of it."""
    encounters: Annotated[int, Field(ge=0, le=10**9)] | None = None
    """How often he could have been exchanged or somebody could have been taken for him: crossings, losses, cuts."""
    doubtful_encounters: Annotated[int, Field(ge=0, le=10**9)] | None = None
    """Those of them that were decided with less than fair certainty, or not at all."""
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


class Signals(StoredSignals):
    """All of them, as today's workers measure them and as the rating takes them."""

    certain_sec: Positive
    uncertain_sec: Positive
    lost_sec: Positive
    away_sec: Positive
    certainty: Share
    encounters: Annotated[int, Field(ge=0, le=10**9)]
    doubtful_encounters: Annotated[int, Field(ge=0, le=10**9)]


class Radar(_Flow):
    """Five scores, 0..100."""

    tracking_quality: Score
    """How much of his time in the picture the followed person is the chosen one, as far as the signals tell."""
    activity_proxy: Score
    """How much he moved: metres a minute on a calibrated pitch, else body heights a second, camera motion out."""
    visibility: Score
    """Share of the time in which he was seen, and is he with fair certainty."""
    consistency: Score
    """Same colours and plausible, smooth motion all along."""
    stability: Score
    """Few losses and a steady box, on supported frames only."""


class Movement(NamedTuple):
    """How he moved on a calibrated pitch."""

    distance_m_per_min: float
    high_speed_m_per_min: float


class Rating(_Flow):
    """The radar and what it adds up to."""

    overall_score: Score
    radar: Radar


def rate(signals: Signals, movement: Movement | None = None) -> Rating:
    """Score one player's signals. Total: every valid `Signals` has a rating.

    With `movement` the activity rests on metres; the other axes, and what caps the score, are the same.
    """
    active = activity_proxy(signals) if movement is None else activity_in_metres(signals, movement)
    radar = Radar(
        tracking_quality=_percent(tracking_quality(signals)),
        activity_proxy=_percent(active),
        visibility=_percent(visibility(signals)),
        consistency=_percent(consistency(signals)),
        stability=_percent(stability(signals)),
    )
    return Rating(overall_score=overall(radar), radar=radar)


def unsure(rating: Rating) -> Rating:
    """The same, of what may be no football: no higher than `UNSURE_LIMIT` in what is believed and in all."""
    limited = min(UNSURE_LIMIT, rating.radar.tracking_quality)
    radar = rating.radar.model_copy(update={"tracking_quality": limited})
    return Rating(overall_score=min(overall(radar), UNSURE_LIMIT), radar=radar)


def tracking_quality(s: Signals, by: Quality = QUALITY) -> float:
    """0..1. A product, because any one failing (unseen, exchanged, other kit, other way back) means a wrong man."""
    alike = min(1.0, s.jersey_similarity / by.usual_similarity)
    quality: float = (
        followed_share(s, by)
        * s.certainty**by.certainty_power
        * alike**by.similarity_power
        * s.path_agreement**by.agreement_power
        * (1 - s.implausible_motion_share) ** by.plausible_power
    )
    return quality


def followed_share(s: Signals, by: Quality = QUALITY) -> float:
    """0..1. For how much of the time in which he may be in the picture he has a place; guesses count less."""
    placed_sec = s.certain_sec + s.uncertain_sec
    missed_sec = max(0.0, s.lost_sec - by.away_excused * s.away_sec)
    if not placed_sec:
        return 0.0
    return (s.certain_sec + by.uncertain_worth * s.uncertain_sec) / (placed_sec + missed_sec)


def visibility(s: Signals) -> float:
    """0..1. The share of the time in which he was seen and is he with fair certainty."""
    return min(1.0, s.certain_sec / s.analysed_sec) if s.analysed_sec else 0.0


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


def activity_in_metres(s: Signals, moved: Movement) -> float:
    """0..1. Metres a minute, and a third as much the fast ones among them, against a match's most active players."""
    way = min(1.0, moved.distance_m_per_min / MOST_M_PER_MIN)
    fast = min(1.0, moved.high_speed_m_per_min / MOST_FAST_M_PER_MIN)
    return _gate(s) * (0.75 * way + 0.25 * fast)


def overall(radar: Radar) -> int:
    """The weighted mean, capped: who was hardly seen, or may be another man, cannot be rated highly."""
    values: dict[str, int] = radar.model_dump()
    mean: float = sum(weight * values[axis] for axis, weight in WEIGHTS.items())
    return min(math.floor(mean + 0.5), radar.visibility, radar.tracking_quality)


def _gate(s: Signals) -> float:
    return min(1.0, visibility(s) / VISIBLE_GATE)


def _percent(share: float) -> int:
    return math.floor(100 * min(1.0, max(0.0, share)) + 0.5)
