"""How exact the football metrics are: players of rendered clips, followed and measured, beside the truth.

`make bench-metrics` renders clips that were not used to choose anything, clicks landmarks of one early frame with a
deviation of two pixels of 1280, follows players, and writes `results/metrics.json`. docs/football.md defines the
figures. One thread, so that the ratio of times depends on nothing else.
"""

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_NUM_THREADS", "1")

import machine
import numpy as np
from numpy.typing import NDArray

from playerscore.geometry import Box, iou
from playerscore.landmarks import MARKINGS, landmarks
from playerscore.resources import Pitch
from playerscore_clips.surveys import SurveySettings, render_survey
from playerscore_clips.truth import Truth, load_truth
from playerscore_worker import detectors
from playerscore_worker.follower import FollowedPath, Start, follow
from playerscore_worker.pitch import metrics, view
from playerscore_worker.pitch.measuring import LINES_FPS, Measured, measured

ROOT: Final = Path(__file__).resolve().parents[1]
RESULT: Final = ROOT / "benchmarks" / "results" / "metrics.json"
CLIPS: Final = (
    SurveySettings(kind="roof", seed=9001, lens=-0.2, person_px=38),
    SurveySettings(kind="mast", seed=9002, lens=-0.3, person_px=44),
    SurveySettings(kind="stand", seed=9003, person_px=40),
    SurveySettings(kind="corner", seed=9004, lens=-0.1, person_px=42),
    SurveySettings(kind="low", seed=9005, lens=-0.1, person_px=44),
)
CLICK_PX: Final = 2.0 / 1280
MOST_CLICKS: Final = 8
EARLY: Final = range(0, 60, 5)
"""Frames of which the one with most landmarks is clicked: all the rest of the clip is carried from there."""
LAST_SEC: Final = 5.0
Floats = NDArray[np.float64]
Json = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """One player's samples that have metres: errors and what they were told to be, beside the true motion."""

    error: Floats
    told: Floats
    speed: Floats
    true_speed: Floats
    times: Floats
    own: NDArray[np.bool_]
    """Whether the followed box is his (IoU .3): the rest are the follower's errors, and no calibration's."""


def main() -> None:
    options = _options()
    detector = detectors.load("embedded", None, 1)
    rows = []
    for settings in CLIPS[: options.clips]:
        clip = _rendered(settings, options)
        truth = load_truth(clip.with_name(clip.stem + ".truth.json.gz"))
        pitch, frame = clicked(truth, np.random.default_rng(settings.seed))
        for person in pickable(truth, frame)[: options.players]:
            began = time.process_time()
            path = follow(clip, Start(frame / truth.fps, Box(*truth.boxes(person)[frame])), detector)
            followed = time.process_time() - began
            began = time.process_time()
            found = measured(path, pitch, clip)
            took = time.process_time() - began
            carried = measured(path, pitch, clip, by_lines=False)
            row = asdict(settings) | {"seconds": options.seconds, "person": person}
            row |= judged_row(found, carried, path, truth, person)
            row["follow_cpu_sec"], row["metres_cpu_sec"] = round(followed, 2), round(took, 2)
            rows.append(row)
            print(json.dumps({key: row[key] for key in ("kind", "person", "figures")}), flush=True)
            _written(rows, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each clip")
    parser.add_argument("--clips", type=int, default=len(CLIPS), help="how many of the clips")
    parser.add_argument("--players", type=int, default=2, help="how many players of each")
    parser.add_argument("--kept", type=Path, default=ROOT / "out" / "metrics", help="where clips stay")
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser.parse_args()


def _rendered(settings: SurveySettings, options: argparse.Namespace) -> Path:
    """The clip; rendered once for each length."""
    folder = options.kept / f"{options.seconds:g}"
    clip = folder / f"survey-{settings.kind}-{settings.seed}.mp4"
    if not clip.with_name(clip.stem + ".truth.json.gz").exists():
        render_survey(SurveySettings(**asdict(settings) | {"seconds": options.seconds}), folder)
    return clip


def clicked(truth: Truth, dice: np.random.Generator) -> tuple[Pitch, int]:
    """Landmarks of one early frame as a person clicks them, and which frame."""
    frame = max(EARLY, key=lambda number: len(_in_sight(truth, number)))
    seen = _in_sight(truth, frame)
    chosen = dice.permutation(sorted(seen))[:MOST_CLICKS]
    size = np.array([truth.width, truth.height])
    points = []
    for name in chosen:
        # A pixel's middle is half a pixel from its corner, where pictures are counted from.
        x, y = (seen[name] + 0.5 + dice.normal(0, CLICK_PX * truth.width, 2)) / size
        points.append({"imageX": np.clip(x, 0, 1), "imageY": np.clip(y, 0, 1), "landmark": str(name)})
    return Pitch.model_validate({"moments": [{"time_sec": frame / truth.fps, "points": points}]}), frame


def _in_sight(truth: Truth, frame: int) -> dict[str, Floats]:
    marks = MARKINGS["11-a-side"]
    places = {
        name: np.array([[x - marks.length / 2, marks.width / 2 - y]])
        for name, (x, y) in landmarks(marks).items()
    }
    seen = {name: truth.seen_at(frame, place)[0] for name, place in places.items()}
    edge = np.array([truth.width, truth.height])
    return {
        name: at for name, at in seen.items() if np.isfinite(at).all() and ((at > 4) & (at < edge - 4)).all()
    }


def pickable(truth: Truth, frame: int) -> list[int]:
    """Players who are whole in the picture then, those first who stay in it longest."""
    found = []
    for person in truth.people:
        box = truth.boxes(person.id)[frame]
        whole = person.role == "player" and not np.isnan(box[0]) and truth.visible(person.id)[frame] > 0.9
        if whole and 0.08 < box[0] < 0.88 and box[1] + box[3] < 0.95:
            found.append((float(truth.in_picture(person.id).mean()), person.id))
    return [person for _, person in sorted(found, reverse=True)]


def judged(found: Measured, path: FollowedPath, truth: Truth, person: int) -> Judged:
    """The samples with metres, beside the truth."""
    here = found.places
    index = np.array([sample.index for sample in path.samples])
    middle = np.array([found.marks.length, found.marks.width]) / 2
    true = truth.pitch(person)[index] * [1, -1] + middle
    velocity = np.gradient(truth.pitch(person), 1 / truth.fps, axis=0)[index]
    own = np.array([_is_his(sample.box_xywh, truth.boxes(person)[sample.index]) for sample in path.samples])
    on = here.calibrated
    error = np.hypot(*(here.metres - true).T)
    return Judged(
        error[on], here.error[on], here.speed[on], np.hypot(*velocity.T)[on], here.times[on], own[on]
    )


def _is_his(box: Box | None, true: Floats) -> bool:
    return box is not None and not np.isnan(true[0]) and iou(box, Box(*true)) > 0.3


def judged_row(found: Measured, carried: Measured, path: FollowedPath, truth: Truth, person: int) -> Json:
    """One player's figures, with the last seconds' drift by lines and without."""
    all_, without = (judged(item, path, truth, person) for item in (found, carried))
    lit = [i for i in range(len(path.samples)) if found.track.line_points[i] > 0]
    row = {"figures": figures([all_]), "warnings": [w.code for w in found.warnings]}
    row["seen"] = int(found.places.seen.sum())
    row["calibrated"] = int(found.places.calibrated.sum())
    row["lines_share"] = round(len(lit) * path.fps / LINES_FPS / max(1, len(path.samples)), 3)
    row["drift_m"] = {
        "with_lines": _camera_drift(found, truth),
        "without_lines": _camera_drift(carried, truth),
    }
    row["calibrated_share_without_lines"] = round(len(without.error) / max(1, row["seen"]), 3)
    row["_judged"] = all_
    return row


def _camera_drift(found: Measured, truth: Truth) -> float | None:
    """How far off the carried camera puts the ground in the picture's middle in the last seconds, metres, RMS."""
    off = []
    size = np.array([truth.width, truth.height])
    spots = np.array([[-0.25, 0.2], [0.0, 0.1], [0.25, 0.2]]) * size
    times = found.places.times
    for i in np.flatnonzero(times > times[-1] - LAST_SEC)[::5]:
        if not np.isfinite(found.track.states[i, 0]):
            continue
        place = view.ground(found.track.states[i], spots)
        seen = truth.seen_at(round(times[i] * truth.fps), place) + 0.5 - size / 2
        back = view.ground(found.track.states[i], seen)
        off += np.hypot(*(back - place).T).tolist()
    clean = np.array(off)[np.isfinite(off)]
    return round(float(np.sqrt(np.mean(clean**2))), 3) if len(clean) else None


def figures(parts: list[Judged]) -> Json:
    """What docs/football.md defines, over all samples of all players."""
    error, told, speed, true_speed, own = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("error", "told", "speed", "true_speed", "own")
    )
    if not own.any():
        return {}
    false = error > 3 * told
    tops = [(_top(p.speed[p.own]), _top(p.true_speed[p.own])) for p in parts if p.own.sum() > 25]
    return {
        "position_rmse_m": _rounded(np.sqrt(np.mean(error[own] ** 2))),
        "position_p95_m": _rounded(np.percentile(error[own], 95)),
        "distance_bias_percent": _rounded(100 * (speed[own].sum() / true_speed[own].sum() - 1)),
        "speed_rmse_mps": _rounded(np.sqrt(np.mean((speed - true_speed)[own] ** 2))),
        "top_speed_error_mps": _rounded(np.mean([abs(a - b) for a, b in tops])) if tops else None,
        "false_metres_share": _rounded(false[own].mean()),
        "false_metres_share_with_exchanges": _rounded(false.mean()),
        "exchanged_share": _rounded(1 - own.mean()),
    }


def _top(speed: Floats) -> float:
    """The highest speed held for half a second of 25 frames each."""
    windows = np.lib.stride_tricks.sliding_window_view(speed, 13)
    return float(windows.min(1).max())


def _rounded(value: float | np.floating[Any]) -> float:
    return round(float(value), 4)


def _written(rows: list[Json], options: argparse.Namespace) -> None:
    told = [{key: value for key, value in row.items() if key != "_judged"} for row in rows]
    all_figures = figures([row["_judged"] for row in rows])
    seen, calibrated = (sum(row[key] for row in rows) for key in ("seen", "calibrated"))
    all_figures["calibrated_share"] = _rounded(calibrated / max(1, seen))
    follow_sec, metres_sec = (sum(row[key] for row in rows) for key in ("follow_cpu_sec", "metres_cpu_sec"))
    document = {
        "clips": len({row["seed"] for row in rows}),
        "players": len(rows),
        "seconds_each": options.seconds,
        "moments_each": 1,
        "lines_fps": LINES_FPS,
        "figures": all_figures,
        "ratios": {"time_of_follow": _rounded(1 + metres_sec / follow_sec)},
        "drift_m": {
            how: _rounded(np.mean([row["drift_m"][how] for row in rows if row["drift_m"][how] is not None]))
            for how in ("with_lines", "without_lines")
        },
        "zones_kmh": [*metrics.football.ZONES_KMH],
        "machine": machine.described(),
        "rows": told,
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
