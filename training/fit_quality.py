"""How the constants of `tracking_quality` were found: follow picks on rendered scenes, and fit what is true of them.

    PYTHONPATH=benchmarks python training/fit_quality.py [--seeds 1] [--picks 2]

What is fitted to is the share of the frames on which a pick is seen that the box is truly his, wrong frames counted
against it. The followed paths are kept outside of the checkout until the code that follows changes, so that other
signals or another form of the model cost no following. Nothing but `train` may be fitted; `--set choose` or
`report` with `--check` says how well the committed constants do.
"""

import argparse
import hashlib
import json
import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from followeval import cases, judge, renders
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr

import playerscore_worker
from playerscore.geometry import Box
from playerscore.rating import QUALITY, Quality, Signals, tracking_quality
from playerscore_clips.scenes import SCENES, SETS
from playerscore_worker import signals
from playerscore_worker.detectors import load
from playerscore_worker.follower import FollowedPath, Start, follow

CACHE = Path(os.environ.get("PLAYERSCORE_CACHE", Path.home() / ".cache" / "playerscore"))
FOLLOWING: Final = (
    "follower.py",
    "camera.py",
    "boxes.py",
    "frames.py",
    "following/*.py",
    "detectors/embedded.*",
)
RESULT = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "quality.json"
Floats = NDArray[np.float64]

# What one would say without figures, and how far figures may move it.
BY_HAND: Final = Quality(0.5, 1.0, 1.0, 0.85, 1.0, 1.3, 1.0)
BOUNDS: Final = [(0, 1), (0, 1), (0, 4), (0.6, 1), (0.5, 3), (1.3, 3), (0, 3)]
HELD: Final = 0.1
NATS: Final = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)


@dataclass(frozen=True)
class Told:
    """A pick, what was said of it, and what is true."""

    scene: str
    name: str
    signals: Mapping[float, Signals]
    """By how many of the solver's nats are worth one."""
    coverage: float
    wrong_share: float
    """Frames on others or on nobody, of those on which he is seen."""

    @property
    def truth(self) -> float:
        """0..1, what tracking_quality ought to be."""
        return max(0.0, self.coverage - self.wrong_share)


def followed(case: cases.Case, cache: Path) -> Iterator[Told]:
    """Every pick of a case, followed now or earlier with the same code."""
    detector = load("embedded", None, 1)
    for pick in case.picks:
        file = cache / f"{case.name}-{pick.target}-{pick.start}.pickle"
        if not file.exists():
            box = case.reference.boxes_xywh[case.reference.index(pick.target), pick.start]
            start = Start(pick.start / case.reference.fps, Box(*box.tolist()))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(pickle.dumps(follow(case.video, start, detector)))
        yield _told(case, pick, pickle.loads(file.read_bytes()))  # noqa: S301, this script's own


def _told(case: cases.Case, pick: cases.Pick, path: FollowedPath) -> Told:
    samples = [{"t": s.time_sec, "box": s.box_xywh} for s in path.samples]
    boxes_xywh = judge.path_array(samples, case.reference.fps, case.reference.frames)
    judged = judge.judge(case.reference, pick.target, boxes_xywh)
    seen = max(1, int(judged.seen.sum()))
    astray = judged.wrong | judged.off | judged.ghost
    scene, name = case.name.rpartition("-")[0], f"{case.name} {pick.target} {pick.start}"
    measured = {nats: signals.measure(path, nats) for nats in NATS}
    return Told(scene, name, measured, float(judged.on.sum() / seen), float(astray.sum() / seen))


def following_digest() -> str:
    """Of the code that decides what a path is."""
    root = Path(str(playerscore_worker.__file__)).parent
    files = sorted(file for pattern in FOLLOWING for file in root.glob(pattern) if file.is_file())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def all_told(seeds: Sequence[int], names: Sequence[str], picks: int) -> list[Told]:
    """The picks of rendered scenes; scenes and paths that the cache lacks are made."""
    folder, told = CACHE / "quality" / following_digest(), []
    for seed in seeds:
        for name in names:
            case = cases.rendered_case(name, seed, renders.rendered(name, seed, CACHE), picks)
            for pick in followed(case, folder):
                print(f"{pick.name}: {pick.coverage:.3f} -{pick.wrong_share:.3f}", flush=True)
                told.append(pick)
    return told


def fitted(told: Sequence[Told]) -> tuple[float, Quality]:
    """(nats, constants) of least squared error, held near those set by hand: few picks cannot move them far."""
    found = {nats: fitted_at(told, nats) for nats in NATS}
    nats = min(found, key=lambda tried: found[tried][1])
    return nats, found[nats][0]


def fitted_at(told: Sequence[Told], nats: float) -> tuple[Quality, float]:
    """(The best constants for margins of that worth, their loss.)"""
    truth = np.array([one.truth for one in told])

    def loss(values: Floats) -> float:
        errors = estimates(told, nats, Quality(*values)) - truth
        pull = (values - np.array(BY_HAND)) / np.diff(BOUNDS, axis=1)[:, 0]
        return float(np.square(errors).sum() + HELD * np.square(pull).sum())

    found = minimize(loss, BY_HAND, bounds=BOUNDS, method="Powell")
    return Quality(*found.x.round(2).tolist()), float(found.fun)


def estimates(told: Sequence[Told], nats: float, by: Quality) -> Floats:
    """What each pick's tracking_quality would be, (n,), 0..1."""
    return np.array([tracking_quality(one.signals[nats], by) for one in told])


def figures(told: Sequence[Told], estimated: Floats) -> dict[str, float]:
    """How estimates do on picks: rank correlation with the truth and with the coverage, mean error."""
    truth, coverage = np.array([(one.truth, one.coverage) for one in told]).T
    found = {
        "spearman_truth": spearmanr(estimated, truth)[0],
        "spearman_coverage": spearmanr(estimated, coverage)[0],
        "mean_error": np.abs(estimated - truth).mean(),
        "mean_error_of_a_constant": np.abs(np.median(truth) - truth).mean(),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def left_out(told: Sequence[Told]) -> Floats:
    """Estimates, (n,), of each scene's picks by constants that were fitted without that scene."""
    estimated = np.zeros(len(told))
    for scene in {one.scene for one in told}:
        own = np.array([one.scene == scene for one in told])
        nats, by = fitted([one for one in told if one.scene != scene])
        estimated[own] = estimates([one for one in told if one.scene == scene], nats, by)
    return estimated


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=list(SETS), default="train")
    parser.add_argument("--seeds", type=int, default=1, help="how many clips of each scene")
    parser.add_argument("--picks", type=int, default=2, help="how many people of each clip")
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument("--check", action="store_true", help="judge the committed constants, fit nothing")
    options = parser.parse_args()
    if options.set != "train" and not options.check:
        parser.error("constants are fitted on the set that is there to train with")
    cv2.setNumThreads(1)
    told = all_told(SETS[options.set][: options.seeds], options.scenes.split(","), options.picks)
    if options.check:
        print(json.dumps(figures(told, estimates(told, signals.NATS, QUALITY)), indent=1))
        return 0
    nats, by = fitted(told)
    row = {
        "command": "make fit-quality",
        "set": options.set,
        "picks": len(told),
        "constants": {"nats": nats, **by._asdict()},
        "figures": {
            "fitted": figures(told, estimates(told, nats, by)),
            "scene_left_out": figures(told, left_out(told)),
            "by_hand": figures(told, estimates(told, signals.NATS, BY_HAND)),
        },
    }
    RESULT.write_text(json.dumps(row, indent=1) + "\n")
    print(json.dumps(row, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
