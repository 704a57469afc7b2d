"""The process that runs the product on one clip: `python -m followeval.child ORDER.json ANSWER.json`.

It imports the worker and nothing of the truth, so that the worker of another commit can be measured with the
same measures, and one thread in a process of its own makes the answer independent of what else runs.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2

from playerscore.errors import VideoError
from playerscore.geometry import Box
from playerscore.rating import rate
from playerscore_worker import signals
from playerscore_worker.detectors import Detector, load
from playerscore_worker.follower import Start, follow
from playerscore_worker.preview import PreviewSettings, make_preview

Json = dict[str, Any]


def main(order_path: str, answer_path: str) -> None:
    cv2.setNumThreads(1)
    order = json.loads(Path(order_path).read_text())
    video, weights = Path(order["video"]), order["weights"]
    detector = load(order["detector"], Path(weights) if weights else None, 1)
    answer: Json = {"picks": [_followed(video, pick, detector) for pick in order["picks"]]}
    if order["preview"]:
        answer["preview"] = _previewed(video, detector)
    if order["trackers"]:
        from followeval import held  # Only the other process of a clip needs the trackers.

        answer["held"] = held.follow_all(video, order["held"], detector)
    Path(answer_path).write_text(json.dumps(answer))


def _followed(video: Path, pick: Json, detector: Detector) -> Json:
    begin = _cpu_sec()
    path = follow(video, Start(pick["time_sec"], Box(*pick["box"])), detector)
    spent = _cpu_sec() - begin
    measured = signals.measure(path)
    rating = rate(measured)
    print(f"  {pick['target']} from {pick['start']}: {len(path.samples)} frames, {spent:.0f} s", flush=True)
    return {
        "target": pick["target"],
        "start": pick["start"],
        "cpu_sec": round(spent, 2),
        "signals": measured.model_dump(mode="json"),
        "radar": rating.radar.model_dump(mode="json"),
        "overall": rating.overall_score,
        "samples": [
            {
                "t": round(sample.time_sec, 4),
                "state": str(sample.state),
                "reason": sample.reason,
                "box": None if sample.box_xywh is None else [round(float(v), 5) for v in sample.box_xywh],
            }
            for sample in path.samples
        ],
    }


def _previewed(video: Path, detector: Detector) -> list[Json]:
    """The preview's frames with their tracks, best first; none where it says that there is nobody."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            preview = make_preview(video, PreviewSettings(), detector, Path(folder), lambda share, text: None)
        except VideoError:
            return []
    return [
        {"t": frame.time_sec, "tracks": [[*track.bbox, track.score] for track in frame.tracks]}
        for frame in preview.frames
    ]


def _cpu_sec() -> float:
    """Processor time of this process and of its children so far; a decoder counts when it has ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
