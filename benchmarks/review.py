"""What three answers are worth: the moments that a result asks about, answered by the truth, and the refined run.

`make bench-review` writes `results/review.json`, of the rendered scenes of one set (that of the report by default).
Each pick is analysed, its first moments are answered as a person would who knows him, and the run is refined.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import machine
import numpy as np
from followeval import cases, judge, renders
from followeval.cases import Case, Pick
from followeval.reference import SEEN_SHARE, Reference

from playerscore import names, review
from playerscore.geometry import Box, iou
from playerscore.resources import BBox, Moment, Target, Video
from playerscore.review import Answer
from playerscore.tasks import AnalysisTask
from playerscore_clips.scenes import SCENES, SETS
from playerscore_worker import source, stored_run
from playerscore_worker.source import Footage
from playerscore_worker.work import Analysed, run_analysis

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "review.json"
CACHE = Path(os.environ.get("PLAYERSCORE_CACHE", Path.home() / ".cache" / "playerscore"))
ANSWERS: Final = 3
# A candidate is he where his box is this much like the true one; otherwise a person draws the box.
IS_HE: Final = 0.5
# Less than so many of the frames on another way, and an answer changed nothing.
CHANGED: Final = 0.005
SAME_IOU: Final = 0.5
Json = dict[str, Any]


def measured(case: Case, pick: Pick) -> Json:
    """One pick before and after at most three answers, each to the first moment of the newest run."""
    task, footage = task_of(case, pick)
    done, first_sec = timed(task, footage, None)
    told = {"clip": case.name, "target": pick.target, "start": pick.start}
    told |= {"moments": len(done.result.review or []), "before": figures(case.reference, pick, done)}
    asked: list[Json] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(asked) < ANSWERS and (moments := done.result.review or []):
            made_of, run = done.result.provenance, Path(folder) / names.RUN_FILE
            stored_run.write(task, done.path, made_of.video_sha256, made_of.weights_sha256, run)
            given = answer(case.reference, pick.target, moments[0])
            task = anchored(task, moments, given)
            last, (done, spent) = done, timed(task, footage, run)
            asked.append(
                {
                    "kind": moments[0].kind,
                    "answer": next(iter(given.model_dump(exclude={"moment"}, exclude_none=True))),
                    "mattered": changes(last, done) > CHANGED,
                    "time_of_first_run": round(spent / first_sec, 3),
                }
            )
    return told | {"answers": asked, "after": figures(case.reference, pick, done)}


def task_of(case: Case, pick: Pick) -> tuple[AnalysisTask, Footage]:
    """The analysis of a pick, as the product does it."""
    reference = case.reference
    box = reference.boxes_xywh[reference.index(pick.target), pick.start]
    digest = source.digest_of(case.video)
    target = Target(frame_key="jobs/bench/frames/frame_0001.jpg", bbox=bbox(box), confirmed=True)
    task = AnalysisTask(
        namespace="bench",
        name="bench",
        uid="bench",
        image="bench",
        video=Video(uri=case.video.as_uri(), sha256=digest),
        sources=[case.video.as_uri()],
        attempt=1,
        generation=1,
        target=target,
        start_time_sec=pick.start / reference.fps,
        target_forced=False,
    )
    return task, Footage((case.video,), (digest,))


def bbox(xywh: Sequence[float]) -> BBox:
    """A true box, as far as it is in the picture."""
    x, y = (min(max(0.0, float(value)), 0.999) for value in xywh[:2])
    right, bottom = (min(1.0, float(a) + float(b)) for a, b in zip(xywh[:2], xywh[2:], strict=True))
    return BBox(x=x, y=y, w=max(1e-3, right - x), h=max(1e-3, bottom - y))


def timed(task: AnalysisTask, footage: Footage, earlier: Path | None) -> tuple[Analysed, float]:
    """An analysis, and the processor time that it took, seconds."""
    begin = cpu_sec()
    done = run_analysis(task, footage, lambda share, message: None, earlier=earlier)
    return done, cpu_sec() - begin


def cpu_sec() -> float:
    """Of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def answer(reference: Reference, target: str, moment: Moment) -> Answer:
    """What somebody says who knows him."""
    who = reference.index(target)
    frame = min(reference.frames - 1, round(moment.time_sec * reference.fps))
    truth = reference.boxes_xywh[who, frame]
    if np.isnan(truth[0]) or reference.visible[who, frame] <= SEEN_SHARE:
        return Answer(moment=moment.number, absent=True)
    his = Box(*truth.tolist())
    alike = [iou(his, one.box) for one in moment.candidates]
    if alike and max(alike) >= IS_HE:
        return Answer(moment=moment.number, candidate=int(np.argmax(alike)) + 1)
    return Answer(moment=moment.number, bbox=bbox(truth))


def anchored(task: AnalysisTask, moments: Sequence[Moment], given: Answer) -> AnalysisTask:
    """The task of the refined run."""
    anchors = [*(task.anchors or []), *review.anchors_of(moments, [given])]
    return task.model_copy(update={"anchors": anchors})


def changes(first: Analysed, second: Analysed) -> float:
    """Share of the frames on which the two paths are elsewhere."""
    pairs = list(zip(first.path.samples, second.path.samples, strict=True))
    return sum(_differ(a.box_xywh, b.box_xywh) for a, b in pairs) / len(pairs)


def _differ(a: Box | None, b: Box | None) -> bool:
    return (a is None) != (b is None) or (a is not None and b is not None and iou(a, b) < SAME_IOU)


def figures(reference: Reference, pick: Pick, done: Analysed) -> Json:
    """Coverage, and the share of frames on somebody else."""
    samples = [
        {"t": s.time_sec, "box": None if s.box_xywh is None else list(s.box_xywh)} for s in done.path.samples
    ]
    path = judge.path_array(samples, reference.fps, reference.frames)
    found = judge.summary(reference, judge.judge(reference, pick.target, path), pick.start)
    return {
        "coverage": found["coverage"],
        "wrong_share": round(found["wrong"] / reference.frames, 4),
        "overall": done.rating.overall_score,
    }


def chosen_cases(options: argparse.Namespace) -> list[Case]:
    """The rendered scenes that the flags ask for."""
    names = options.scenes.split(",") if options.scenes else list(SCENES)
    clips = [(name, seed) for name in names for seed in SETS[options.set][: options.seeds]]
    return [cases.rendered_case(*clip, renders.rendered(*clip, CACHE), options.picks) for clip in clips]


def totals(picks: Sequence[Json]) -> Json:
    """The figures of all picks, and of those that were hard: with a moment to ask about."""
    hard = [pick for pick in picks if pick["moments"]]
    answers = [one for pick in hard for one in pick["answers"]]
    return {
        "figures": {
            "picks": len(picks),
            "hard_picks": len(hard),
            "answers": len(answers),
            **_change("", picks),
            **_change("hard_", hard),
            "moments_that_mattered": _mean([one["mattered"] for one in answers]),
        },
        "ratios": {"refine_time_of_first_run": _mean([one["time_of_first_run"] for one in answers])},
    }


def _change(which: str, picks: Sequence[Json]) -> Json:
    return {
        f"{which}{figure}_{name}": _mean([pick[when][figure] for pick in picks])
        for figure in ("coverage", "wrong_share")
        for name, when in (("before", "before"), ("after_3_answers", "after"))
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=list(SETS), default="report", help="the set of rendered scenes")
    parser.add_argument("--seeds", type=int, default=1, help="how many clips of each scene")
    parser.add_argument("--picks", type=int, default=2, help="how many people of each clip")
    parser.add_argument("--scenes", help="names of scenes, with commas; all by default")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    picks = []
    for case in chosen_cases(options):
        for pick in case.picks:
            picks.append(measured(case, pick))
            print(json.dumps(picks[-1]), flush=True)
    document = {
        "command": "make bench-review",
        "machine": machine.described(),
        "set": options.set,
        **totals(picks),
        "picks": picks,
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document["figures"] | document["ratios"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
