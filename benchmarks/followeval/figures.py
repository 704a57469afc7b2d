"""From the judged picks of a run to the figures of the report."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from followeval.previews import PreviewCount

Json = dict[str, Any]


def figures(picks: Sequence[Json], previews: dict[str, PreviewCount]) -> Json:
    """All figures, those of each kind and those of both; None where nothing was measured."""
    told: Json = {}
    for kind in ("rendered", "real"):
        chosen = [pick for pick in picks if pick["kind"] == kind]
        told |= {f"{name}_{kind}": value if chosen else None for name, value in _of_picks(chosen).items()}
        told |= {f"{name}_{kind}": value for name, value in _of_preview(previews.get(kind)).items()}
    told |= _of_picks(picks)
    told |= _of_preview(sum(previews.values(), PreviewCount()))
    return dict(sorted(told.items()))


def _of_picks(picks: Sequence[Json]) -> Json:
    gaps = [gap[2] for pick in picks for gap in pick["absences"]]
    cuts = {name: sum(pick["cuts"][name] for pick in picks) for name in ("right", "wrong", "none")}
    seen = _sum(picks, "seen")
    return {
        "picks": len(picks),
        "coverage": _mean(pick["coverage"] for pick in picks),
        "coverage_after": _mean(pick["coverage_after"] for pick in picks),
        "coverage_loose": _mean(pick["coverage_loose"] for pick in picks),
        "followed_90_share": _mean(pick["coverage"] >= 0.9 for pick in picks),
        "hota": _mean(pick["hota"] for pick in picks),
        "idf1": _mean(pick["idf1"] for pick in picks),
        "seen_frames": seen,
        "wrong_frames": _sum(picks, "wrong"),
        "wrong_share": _ratio(_sum(picks, "wrong"), seen),
        "wrong_kit_frames": _sum(picks, "wrong_kit"),
        "nobody_frames": _sum(picks, "off") + _sum(picks, "ghost"),
        "absences": len(gaps),
        "refound_share": _mean(gap is not None for gap in gaps),
        "refound_in_1_sec_share": _mean(gap is not None and gap <= 1 for gap in gaps),
        "after_cut": cuts,
        "after_cut_wrong_share": _ratio(cuts["wrong"], cuts["right"] + cuts["wrong"]),
        "lost_frames": _sum(picks, "lost"),
        "lost_rightly_share": _ratio(_sum(picks, "lost_rightly"), _sum(picks, "lost")),
        "spearman_tracking_quality": _spearman(picks, "tracking_quality"),
        "spearman_overall": _spearman(picks, "overall"),
    }


def _of_preview(count: PreviewCount | None) -> Json:
    count = count or PreviewCount()
    return {
        "preview_precision": _ratio(count.matched, count.offered),
        "preview_recall": _ratio(count.matched, count.people),
        "preview_precision_loose": _ratio(count.matched_loosely, count.offered),
        "preview_recall_loose": _ratio(count.matched_loosely, count.people),
        "best_pick_is_a_player": _ratio(count.best_is_player, count.with_best),
    }


def _sum(picks: Iterable[Json], name: str) -> int:
    return sum(pick[name] for pick in picks)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _spearman(picks: Sequence[Json], name: str) -> float | None:
    """Rank correlation with the true coverage; None where either is constant or too few are known."""
    pairs = [(pick[name], pick["coverage"]) for pick in picks if pick["coverage"] is not None]
    if len(pairs) < 3 or any(len(set(column)) == 1 for column in zip(*pairs, strict=True)):
        return None
    return round(float(spearmanr(*zip(*pairs, strict=True))[0]), 4)


def ratios(picks: Sequence[Json]) -> Json:
    """The follower's mean coverage against that of the better tracker, on the picks that both were given."""
    both = [pick for pick in picks if pick["held"] and pick["coverage"] is not None]
    if not both:
        return {"coverage_vs_best_tracker": None}
    held = {name: float(np.mean([pick["held"][name] for pick in both])) for name in both[0]["held"]}
    own = float(np.mean([pick["coverage"] for pick in both]))
    return {
        "coverage_vs_best_tracker": round(own / max(1e-9, *held.values()), 3),
        "coverage_vs_best_tracker_on": f"{len(both)} picks of {', '.join(sorted({p['kind'] for p in both}))} clips",
        **{f"coverage_held_{name}": round(value, 4) for name, value in held.items()},
    }
