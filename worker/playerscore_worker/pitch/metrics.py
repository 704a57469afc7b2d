"""From places to the figures of `playerscore.football.Metrics`; nothing is extrapolated over a gap."""

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from playerscore import football
from playerscore.football import Metrics
from playerscore.rating import Movement
from playerscore.resources import Pitch
from playerscore_worker.pitch.places import Places
from playerscore_worker.pitch.view import Floats

KMH: Final = 3.6
WHOLE_SHARE: Final = 0.95
"""A minute of which more is missing is not compared with others."""
LEAST_SEC: Final = 5.0
"""With less time in metres there are no figures."""


def measure(places: Places, pitch: Pitch) -> Metrics | None:
    """The figures; None where fewer than 5 s have a place in metres."""
    on = places.calibrated
    seconds = float(on.sum()) * places.interval
    if seconds < LEAST_SEC:
        return None
    seen = float(places.seen.sum()) * places.interval
    high = pitch.high_speed_kmh or football.HIGH_SPEED_KMH
    sprint = pitch.sprint_kmh or football.SPRINT_KMH
    if sprint <= high:  # only one of the two was set
        high, sprint = min(high, sprint), max(high, sprint)
    speed, ways = speeds(places), steps(places)
    total = float(ways.sum())
    average = places.metres[on].mean(0)
    return Metrics(
        seen_min=round(seen / 60, 3),
        calibrated_min=round(seconds / 60, 3),
        calibrated_share=round(min(1.0, seconds / seen), 4),
        position_error_m=round(float(np.median(places.error[on])), 3),
        distance_m=round(total, 1),
        distance_m_per_min=round(total / seconds * 60, 2),
        zone_distances_m=[round(value, 1) for value in zone_distances(speed, ways)],
        high_speed_kmh=high,
        high_speed_distance_m=round(float(ways[speed * KMH > high].sum()), 1),
        sprint_kmh=sprint,
        sprint_distance_m=round(float(ways[speed * KMH > sprint].sum()), 1),
        sprints=efforts(places, speed * KMH > sprint, football.SPRINT_SEC),
        top_speed_kmh=top_speed_kmh(places),
        accelerations=efforts(places, places.acceleration >= football.ACCELERATION, football.ACCELERATION_SEC),
        decelerations=efforts(places, places.acceleration <= -football.ACCELERATION, football.ACCELERATION_SEC),
        average_x_m=round(float(average[0]), 2),
        average_y_m=round(float(average[1]), 2),
        best_1_min_m=best_minutes(places, ways, 1),
        best_3_min_m=best_minutes(places, ways, 3),
        best_5_min_m=best_minutes(places, ways, 5),
    )  # fmt: skip


def movement(metrics: Metrics) -> Movement:
    """What the radar's activity rests on."""
    fast = metrics.high_speed_distance_m / max(metrics.calibrated_min, 1e-9)
    return Movement(metrics.distance_m_per_min, fast)


def counts(metrics: Metrics | None) -> bool:
    """Whether enough of the time is in metres for the score to rest on them."""
    return metrics is not None and metrics.calibrated_share >= football.MIN_CALIBRATED_SHARE


def speeds(places: Places) -> Floats:
    """(n,) m/s; 0 without a place, and no more than the gate: who is faster is an error."""
    capped = np.minimum(np.nan_to_num(places.speed), football.TOP_SPEED_GATE_KMH / KMH)
    return np.where(places.calibrated, capped, 0.0)


def steps(places: Places) -> Floats:
    """(n,) metres that each sample adds: its speed for the time that it stands for."""
    return speeds(places) * places.interval


def zone_distances(speed: Floats, ways: Floats) -> list[float]:
    """Metres in each zone of `football.ZONES_KMH`; they add up to the whole way."""
    zone = np.digitize(speed * KMH, football.ZONES_KMH[1:])
    return [float(ways[zone == number].sum()) for number in range(len(football.ZONES_KMH))]


def runs(places: Places, on: NDArray[np.bool_], seconds: float) -> list[slice]:
    """The stretches of samples that hold a condition for so long without a gap."""
    held = on & places.calibrated
    bounds = np.diff(np.concatenate([[0], held.astype(np.int8), [0]]))
    found = []
    for begin, end in zip(np.flatnonzero(bounds == 1), np.flatnonzero(bounds == -1), strict=True):
        for part in _unbroken(places, int(begin), int(end)):
            if (part.stop - part.start) * places.interval >= seconds - 1e-9:
                found.append(part)
    return found


def _unbroken(places: Places, begin: int, end: int) -> list[slice]:
    edges = [begin, *(begin + 1 + np.flatnonzero(np.diff(places.stretch[begin:end]))).tolist(), end]
    return [slice(a, b) for a, b in pairwise(edges)]


def efforts(places: Places, on: NDArray[np.bool_], seconds: float) -> int:
    """How often a condition was held for so long."""
    return len(runs(places, on, seconds))


def top_speed_kmh(places: Places) -> float | None:
    """The highest speed that was kept for 0.5 s; None where none passes the gates.

    The lowest speed of each half second counts; halves with a speed above 36 km/h or more than 9 m/s2 do not.
    """
    width = max(1, round(football.TOP_SPEED_SEC / places.interval))
    best = 0.0
    for part in runs(places, places.calibrated, football.TOP_SPEED_SEC):
        if part.stop - part.start < width:
            continue
        held = _windows(places.speed[part], width)
        change = _windows(np.abs(places.acceleration[part]), width)
        fine = (held.max(1) * KMH <= football.TOP_SPEED_GATE_KMH) & (
            change.max(1) <= football.ACCELERATION_GATE
        )
        if fine.any():
            best = max(best, float(held.min(1)[fine].max()))
    return round(best * KMH, 2) if best > 0 else None


def _windows(values: Floats, width: int) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(values, width)


def best_minutes(places: Places, ways: Floats, minutes: int) -> float | None:
    """Most metres in that many minutes on end, of which 95 % have a place; None where there are none."""
    width = round(minutes * 60 / places.interval)
    if len(ways) < width:
        return None
    totals = np.concatenate([[0.0], np.cumsum(ways)])
    known = np.concatenate([[0], np.cumsum(places.calibrated)])
    whole = (known[width:] - known[:-width]) >= WHOLE_SHARE * width
    times = places.times[width - 1 :] - places.times[: len(places.times) - width + 1]
    whole &= times < minutes * 60 * 1.05
    return round(float((totals[width:] - totals[:-width])[whole].max()), 1) if whole.any() else None


def report(metrics: Metrics, places: Places, checks: list[tuple[float, float, float]]) -> dict[str, Any]:
    """The artifact: every figure with its unit, its definition and the share of the seen time that it rests on."""
    fields = type(metrics).model_fields
    low = set(metrics.low_confidence)
    figures = {
        name: {
            "value": value,
            "unit": unit_of(name),
            "definition": fields[name].description,
            "rests_on_share": metrics.calibrated_share,
            "confidence": "low" if name in low else "fair",
        }
        for name, value in metrics.model_dump(exclude={"low_confidence"}, exclude_none=True).items()
    }
    sprints = runs(places, speeds(places) * KMH > metrics.sprint_kmh, football.SPRINT_SEC)
    return {
        "figures": figures,
        "zones_kmh": [*football.ZONES_KMH],
        "sprints": [_told(places, part) for part in sprints],
        "calibration_checks": [
            {"time_sec": round(at, 3), "carried_sec": round(since, 3), "error_m": round(off, 3)}
            for at, since, off in checks
        ],
    }


def unit_of(name: str) -> str:
    """By the field's name."""
    endings = {"_m_per_min": "m/min", "_min_m": "m", "_min": "min", "_kmh": "km/h", "_share": "1", "_m": "m"}
    return next((unit for ending, unit in endings.items() if name.endswith(ending)), "count")


def _told(places: Places, part: slice) -> dict[str, float]:
    return {
        "begin_sec": round(float(places.times[part.start]), 3),
        "end_sec": round(float(places.times[part.stop - 1]), 3),
        "top_kmh": round(float(places.speed[part].max()) * KMH, 2),
        "distance_m": round(float(steps(places)[part].sum()), 1),
    }
