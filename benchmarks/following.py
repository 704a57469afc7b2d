"""Is the confirmed player followed, and only he? The follower and the preview on hard rendered scenes and real clips.

`make bench-following` adds a row to `results/following.json`; docs/following.md defines the figures. The product
runs in a process for each clip, with one thread, so that the figures depend on nothing else that runs.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import machine
from followeval import cases, figures, identity, judge, previews, product, renders, rows
from followeval.cases import Case
from followeval.product import Product

from playerscore_clips.scenes import SCENES, SETS

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "following.json"
SHARED = ROOT.parent / "shared" / "data"
CACHE = Path(os.environ.get("PLAYERSCORE_CACHE", Path.home() / ".cache" / "playerscore"))
WEIGHTS: Final[dict[str, Path | None]] = {
    "embedded": None,
    "ultralytics": SHARED / "yolo11n-coco-recovered.pt",
}
# The trackers on every rendered clip too would double the time of a run.
TRACKERS_ON: Final = {"none": (), "real": ("real",), "all": ("real", "rendered")}
Json = dict[str, Any]


def answered(case: Case, asked: Product, options: argparse.Namespace) -> Json:
    """What the product said of a case: paths, preview, held ids. The paths stay in `--keep`."""
    kept = options.keep / asked.detector / f"{case.name}.json"
    if options.again or not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(asked.answer(case.order())))
    answer: Json = json.loads(kept.read_text())
    if case.kind in TRACKERS_ON[options.trackers]:
        answer["held"] = asked.held(case.order())
    return answer


def judged_picks(case: Case, answer: Json) -> list[Json]:
    """Every pick of a case with its figures, and those of the trackers whose id is held."""
    return [
        _judged(case, pick)
        | {
            "tracking_quality": pick["radar"]["tracking_quality"],
            "overall": pick["overall"],
            "held": {
                name: _judged(case, all_[k])["coverage"] for name, all_ in answer.get("held", {}).items()
            },
        }
        for k, pick in enumerate(answer["picks"])
    ]


def _judged(case: Case, pick: Json) -> Json:
    """The figures of one path."""
    reference, target = case.reference, pick["target"]
    path = judge.path_array(pick["samples"], reference.fps, reference.frames)
    verdict = judge.judge(reference, target, path)
    hota, idf1 = identity.hota_and_idf1(reference, target, path, verdict)
    named = {"kind": case.kind, "clip": case.name, "target": target, "start": pick["start"]}
    return named | {"hota": hota, "idf1": idf1} | judge.summary(reference, verdict, pick["start"])


def measured(asked: Product, chosen: Sequence[Case], options: argparse.Namespace) -> Json:
    """The figures of one detector on all cases."""
    picks: list[Json] = []
    counts = {case.kind: previews.PreviewCount() for case in chosen}
    with ThreadPoolExecutor(options.jobs) as pool:
        answers = pool.map(lambda case: answered(case, asked, options), chosen)
        for case, answer in zip(chosen, answers, strict=True):
            seen = previews.count(case.reference, answer["preview"])
            counts[case.kind] += seen
            picks += judged_picks(case, answer)
            print(f"{case.name}: {seen}", *map(_line, picks[-len(case.picks) :]), sep="\n  ", flush=True)
    return {
        "figures": figures.figures(picks, counts),
        "ratios": figures.ratios(picks) | _pace(asked, chosen, options),
        "pick_columns": list(rows.PICK_COLUMNS),
        "picks": [rows.compact(pick) for pick in picks],
    }


def _line(pick: Json) -> str:
    return " ".join(str(value) for value in rows.compact(pick)[1:])


def _pace(asked: Product, chosen: Sequence[Case], options: argparse.Namespace) -> Json:
    """The time of following against an earlier commit, where one is named."""
    if options.before is None:
        return {}
    before = replace(asked, checkout=product.checked_out(ROOT, options.before, CACHE))
    some = [
        *[case for case in chosen if case.kind == "real"][:2],
        *[c for c in chosen if c.kind != "real"][:2],
    ]
    return {"time_of_before": product.time_ratio(asked, before, [case.order() for case in some])}


def chosen_cases(options: argparse.Namespace) -> list[Case]:
    """The cases that the flags ask for; says so where the real clips are not there."""
    wanted = options.scenes.split(",") if options.scenes else None
    chosen: list[Case] = []
    if options.real and (SHARED / "matches").exists():
        chosen += cases.real_cases(SHARED / "matches", options.extra)
    elif options.real:
        print(
            f"no real clips: {SHARED / 'matches'} does not exist, so their figures are null", file=sys.stderr
        )
    chosen = [case for case in chosen if wanted is None or case.name in wanted]
    if options.set != "none":
        chosen += rendered_cases(options, [name for name in SCENES if wanted is None or name in wanted])
    return chosen


def rendered_cases(options: argparse.Namespace, names: Sequence[str]) -> list[Case]:
    """Scenes of one set, drawn where the cache lacks them."""
    clips = [(name, seed) for name in names for seed in SETS[options.set][: options.seeds]]
    with ThreadPoolExecutor(options.jobs) as pool:
        drawn = pool.map(lambda clip: renders.rendered(*clip, CACHE), clips)
        return [
            cases.rendered_case(*clip, video, options.picks) for clip, video in zip(clips, drawn, strict=True)
        ]


def products(options: argparse.Namespace) -> list[Product]:
    """The detectors asked for, or all that can run here."""
    names = options.detector.split(",") if options.detector else WEIGHTS
    asked = [Product(options.product, name, options.weights or WEIGHTS[name], CACHE) for name in names]
    return [one for one in asked if options.detector or one.runs_here]


def written(row: Json, out: Path) -> None:
    """Add a row to the file; what stands above the rows is the newest row's, of the embedded detector."""
    all_ = rows.added(json.loads(out.read_text())["rows"] if out.exists() else [], row)
    newest = all_[-1]["detectors"].get("embedded", next(iter(all_[-1]["detectors"].values())))
    document = {
        "command": "make bench-following",
        "machine": machine.described(),
        "commit": all_[-1]["commit"],
        "figures": newest["figures"],
        "ratios": newest["ratios"],
        "rows": all_,
    }
    out.write_text(rows.pretty(document) + "\n")


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=["none", *SETS], default="report", help="the set of rendered scenes")
    parser.add_argument("--seeds", type=int, default=2, help="how many clips of each scene")
    parser.add_argument("--picks", type=int, default=2, help="how many people of each rendered clip")
    parser.add_argument("--real", action=argparse.BooleanOptionalAction, default=True, help="the real clips")
    parser.add_argument(
        "--extra", action="store_true", help="also the picks that the clips' list names as extra"
    )
    parser.add_argument("--scenes", help="names of scenes or clips, with commas; all by default")
    parser.add_argument("--detector", help="embedded, ultralytics; all that can run here by default")
    parser.add_argument("--weights", type=Path, help="other weights of the detector")
    parser.add_argument("--trackers", choices=list(TRACKERS_ON), default="real", help="where ids are held")
    parser.add_argument("--before", help="the commit whose time of following is compared")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--product", type=Path, default=ROOT, help="the checkout that is measured")
    parser.add_argument("--keep", type=Path, default=ROOT / "out" / "following", help="where the paths stay")
    parser.add_argument(
        "--again", action=argparse.BooleanOptionalAction, default=True, help="run what is kept"
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser.parse_args(words)


def main() -> int:
    options = arguments()
    chosen, asked = chosen_cases(options), products(options)
    told = {one.detector: measured(one, chosen, options) for one in asked}
    sets = sorted({options.set if case.kind == "rendered" else "real" for case in chosen})
    clips = sorted(case.name for case in chosen)
    written({"commit": asked[0].commit(), "sets": sets, "clips": clips, "detectors": told}, options.out)
    for name, found in told.items():
        print(name, json.dumps(found["figures"] | found["ratios"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
