"""Is the confirmed player followed, and only he? The follower and the preview on hard rendered scenes and real clips.

`make bench-following` adds a row to `results/following.json`; docs/following.md defines the figures. The product
runs in one process for each clip, with one thread, so that the figures depend on nothing else that runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import machine
from followeval import cases, figures, identity, judge, previews
from followeval.cases import Case

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "following.json"
SHARED = ROOT.parent / "shared" / "data"
CACHE = Path(os.environ.get("PLAYERSCORE_CACHE", Path.home() / ".cache" / "playerscore"))
WEIGHTS: Final[dict[str, Path | None]] = {
    "embedded": None,
    "ultralytics": SHARED / "yolo11n-coco-recovered.pt",
}
ONE_THREAD: Final = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
TRACKERS: Final = ("bytetrack", "botsort")
Json = dict[str, Any]


def answered(case: Case, detector: str, options: argparse.Namespace) -> Json:
    """What the product said of a case: paths, preview, held ids. Kept in `--keep`, and taken from there."""
    kept = options.keep / detector / f"{case.name}.json"
    if options.again or not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        order = case.order(detector, options.weights or WEIGHTS[detector], options.trackers)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(order, file)
            file.flush()
            command = [str(_python(detector, options.product)), "-m", "followeval.child", file.name, str(kept)]
            environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT / "benchmarks")}
            subprocess.run(command, check=True, env=environment)
    answer: Json = json.loads(kept.read_text())
    return answer


def _python(detector: str, product: Path) -> Path:
    """The interpreter whose environment holds the product and the detector."""
    if detector == "ultralytics":
        return CACHE / "venv-ultralytics" / "bin" / "python"
    return product / ".venv" / "bin" / "python"


def judged_picks(case: Case, answer: Json) -> list[Json]:
    """Every pick of a case with its figures, and those of the trackers whose id is held."""
    reference = case.reference
    rows = []
    for position, pick in enumerate(answer["picks"]):
        path = judge.path_array(pick["samples"], reference.fps, reference.frames)
        verdict = judge.judge(reference, pick["target"], path)
        hota, idf1 = identity.hota_and_idf1(reference, pick["target"], path, verdict)
        held = {
            name: _held_coverage(case, answer["held"][name][position])
            for name in TRACKERS
            if "held" in answer
        }
        rows.append(
            {
                "kind": case.kind,
                "clip": case.name,
                "target": pick["target"],
                "start": pick["start"],
                "tracking_quality": pick["radar"]["tracking_quality"],
                "overall": pick["overall"],
                "cpu_sec": pick["cpu_sec"],
                "hota": hota,
                "idf1": idf1,
                "held": held,
                **judge.summary(reference, verdict, pick["start"]),
            }
        )
    return rows


def _held_coverage(case: Case, held: Json) -> float | None:
    path = judge.path_array(held["samples"], case.reference.fps, case.reference.frames)
    verdict = judge.judge(case.reference, held["target"], path)
    coverage: float | None = judge.summary(case.reference, verdict, held["start"])["coverage"]
    return coverage


def measured(detector: str, chosen: Sequence[Case], options: argparse.Namespace) -> Json:
    """The figures of one detector on all cases."""
    picks: list[Json] = []
    counts = {case.kind: previews.PreviewCount() for case in chosen}
    with ThreadPoolExecutor(options.jobs) as pool:
        answers = pool.map(lambda case: answered(case, detector, options), chosen)
        for case, answer in zip(chosen, answers, strict=True):
            rows = judged_picks(case, answer)
            seen = previews.count(case.reference, answer.get("preview", []))
            counts[case.kind] += seen
            picks += rows
            print(f"{case.name}: preview {seen}", flush=True)
            for row in rows:
                print("  " + " ".join(map(str, figures.compact(row)[1:])), flush=True)
    return {
        "figures": figures.figures(picks, counts),
        "ratios": ratios(picks),
        "pick_columns": list(figures.PICK_COLUMNS),
        "picks": [figures.compact(pick) for pick in picks],
    }


def ratios(picks: Sequence[Json]) -> Json:
    """The follower's mean coverage against that of the better tracker whose id is held."""
    held = {name: [pick["held"].get(name) or 0.0 for pick in picks] for name in TRACKERS}
    means = {name: sum(values) / len(values) for name, values in held.items() if values}
    best = max(means.values(), default=0.0)
    own = sum(pick["coverage"] or 0.0 for pick in picks) / max(1, len(picks))
    return {
        **{f"coverage_held_{name}": round(value, 4) for name, value in means.items()},
        "coverage_vs_best_tracker": round(own / best, 4) if best else None,
    }


def chosen_cases(options: argparse.Namespace) -> list[Case]:
    """The cases that the flags ask for; says so where the real clips are not there."""
    chosen: list[Case] = []
    if options.real and (SHARED / "matches").exists():
        chosen += cases.real_cases(SHARED / "matches", options.extra)
    elif options.real:
        print(f"no real clips: {SHARED / 'matches'} does not exist, so their figures are null", file=sys.stderr)
    if options.scenes:
        chosen = [case for case in chosen if case.name in options.scenes.split(",")]
    return chosen


def detectors(options: argparse.Namespace) -> list[str]:
    """The detectors asked for, or all that can run here."""
    if options.detector:
        return list(options.detector.split(","))
    here = [name for name in WEIGHTS if _python(name, options.product).exists()]
    return [name for name in here if WEIGHTS[name] is None or (WEIGHTS[name] or Path()).exists()]


def commit(product: Path) -> str:
    """The commit that is measured, marked where the tree differs from it."""
    command = ["git", "-C", str(product), "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def written(row: Json, out: Path) -> None:
    """Add a row to the file, in the place of an older one of the same commit and sets."""
    rows = json.loads(out.read_text())["rows"] if out.exists() else []
    rows = [old for old in rows if (old["commit"], old["sets"]) != (row["commit"], row["sets"])] + [row]
    newest = row["detectors"].get("embedded", next(iter(row["detectors"].values())))
    document = {
        "command": "make bench-following",
        "machine": machine.described(),
        "commit": row["commit"],
        "figures": newest["figures"],
        "ratios": newest["ratios"],
        "rows": rows,
    }
    out.write_text(_pretty(document) + "\n")


def _pretty(value: Any, indent: int = 0) -> str:
    """JSON with a line for each figure, and one for each pick."""
    pad = " " * (indent + 1)
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or (isinstance(value, list) and "{" not in flat and "[[" not in flat):
        return flat
    if isinstance(value, dict):
        lines = [f"{pad}{json.dumps(key)}: {_pretty(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}" if lines else "{}"
    lines = [
        pad + (json.dumps(item) if isinstance(item, list) else _pretty(item, indent + 1)) for item in value
    ]
    return "[\n" + ",\n".join(lines) + "\n" + " " * indent + "]"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action=argparse.BooleanOptionalAction, default=True, help="the real clips")
    parser.add_argument("--extra", action="store_true", help="also the picks that the clips' list names as extra")
    parser.add_argument("--scenes", help="names of scenes or clips, with commas; all by default")
    parser.add_argument("--detector", help="embedded, ultralytics; all that can run here by default")
    parser.add_argument("--weights", type=Path, help="other weights of the detector")
    parser.add_argument("--trackers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--product", type=Path, default=ROOT, help="the checkout that is measured")
    parser.add_argument("--keep", type=Path, default=ROOT / "out" / "following", help="where the paths stay")
    parser.add_argument("--again", action=argparse.BooleanOptionalAction, default=True, help="run what is kept")
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser.parse_args(words)


def main() -> int:
    options = arguments()
    chosen = chosen_cases(options)
    row = {
        "commit": commit(options.product),
        "sets": sorted({case.kind for case in chosen}),
        "detectors": {name: measured(name, chosen, options) for name in detectors(options)},
    }
    written(row, options.out)
    print(json.dumps({name: told["figures"] | told["ratios"] for name, told in row["detectors"].items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
