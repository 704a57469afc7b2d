"""How well the embedded detector finds people it has never been trained on, by their height.

    python training/evaluate.py --out benchmarks/results/detector.json [--weights other.onnx]

Two kinds of picture: training-like windows of seeds that training never uses, at fixed heights in the
source footage, and frames of match clips, which training never sees at all. On clips the detector looks as
the follower makes it look: through a window of eight body heights around each person. Precision is of what
it reports within two body heights of that person. A box counts as found at IoU .5; people mostly hidden are
neither asked for nor held against it.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from playerscore_clips.match import ClipSettings, load_truth, render_clip
from playerscore_clips.truth import Truth
from playerscore_clips.windows import PERSON, render_window
from playerscore_worker.detectors.embedded import NET_HEIGHT_PX, WEIGHTS, EmbeddedDetector

Boxes = npt.NDArray[np.float64]
"""(n, 4), left, top, right, bottom in pixels."""

IOU = 0.5
CONFIDENCES = (0.2, 0.3, 0.5)
WINDOW_HEIGHTS, NEAR_HEIGHTS = 8.0, 2.0
SOURCE_HEIGHTS_PX = (12, 16, 20, 26, 34, 48, 64)
CLIP_HEIGHTS_PX = (0, 20, 27, 35, 45, 200)
CLIPS = (
    ClipSettings(seed=90_001, seconds=6),
    ClipSettings(seed=90_002, seconds=6, width=960, height=540, person_px=26, noise=4, crf=28),
    ClipSettings(seed=90_003, seconds=6, person_px=48, noise=1.5, crf=20),
    ClipSettings(seed=90_004, seconds=6, person_px=30, noise=6, crf=32, leaves=True),
)
EVERY = 10
"""Every tenth frame of a clip is judged."""


@dataclass
class Count:
    """What was asked for and found, and what was reported and right."""

    asked: int = 0
    found: int = 0
    reported: int = 0
    right: int = 0

    def add(self, asked: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]) -> None:
        self.asked += len(asked)
        self.found += int(asked.sum())
        self.reported += len(right)
        self.right += int(right.sum())

    def summary(self) -> dict[str, float | int | None]:
        return {
            "people": self.asked,
            "recall": round(self.found / self.asked, 4) if self.asked else None,
            "precision": round(self.right / self.reported, 4) if self.reported else None,
        }


@dataclass
class Scores:
    """Counts by height and by confidence."""

    by_height: dict[str, dict[float, Count]] = field(default_factory=dict)

    def add(self, height: str, confidence: float, judged: "Judged") -> None:
        for name in (height, "all"):
            counts = self.by_height.setdefault(name, {c: Count() for c in CONFIDENCES})
            counts[confidence].add(judged.found, judged.right)

    def summary(self) -> dict[str, Any]:
        return {
            height: {f"conf_{confidence}": count.summary() for confidence, count in counts.items()}
            for height, counts in sorted(self.by_height.items())
        }


@dataclass(frozen=True)
class Judged:
    """For each person asked for whether he was found, for each box reported whether it is right."""

    found: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_]


def iou_matrix(first: Boxes, second: Boxes) -> npt.NDArray[np.float64]:
    """Return the overlap (n, m) of boxes (n, 4) and (m, 4)."""
    upper = np.maximum(first[:, None, :2], second[None, :, :2])
    lower = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(lower - upper, 0, None).prod(2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1) for boxes in (first, second)]
    overlap: npt.NDArray[np.float64] = shared / (areas[0][:, None] + areas[1][None] - shared + 1e-9)
    return overlap


def judge(people: Boxes, asked: npt.NDArray[np.bool_], reported: Boxes) -> Judged:
    """Pair people (n, 4), of whom some are asked for, with reported boxes (m, 4).

    Boxes on people not asked for are left out of ``right``.
    """
    overlap = iou_matrix(people, reported)
    # People who are asked for go first where two would take the same box.
    rows, columns = linear_sum_assignment(-np.where(overlap >= IOU, overlap + asked[:, None], 0))
    good = overlap[rows, columns] >= IOU
    rows, columns = rows[good], columns[good]
    found, right = np.zeros(len(people), bool), np.zeros(len(reported), bool)
    found[rows], right[columns] = True, True
    counted = np.asarray(~(overlap[~asked] >= 0.3).any(0))
    counted[columns] = asked[rows]
    return Judged(found[asked], right[counted])


def score_windows(detector: EmbeddedDetector, per_height: int) -> Scores:
    """Judge windows in which people are as high as the network likes, from footage where they were not."""
    scores = Scores()
    whole = np.array([0.0, 0.0, 256.0, 256.0])
    for height in SOURCE_HEIGHTS_PX:
        for number in range(per_height):
            seed = 10_000 * height + number  # training begins at a million
            picture, boxes = render_window(seed, 256, NET_HEIGHT_PX, height)
            half = boxes[:, 2:4] / 2
            people = np.hstack([boxes[:, :2] - half, boxes[:, :2] + half]).astype(float)
            found = detector.detect_window(picture, whole, NET_HEIGHT_PX)
            for confidence in CONFIDENCES:
                sure = found.boxes_xyxy[found.scores >= confidence].astype(float)
                scores.add(f"{height}px", confidence, judge(people, boxes[:, 4] == PERSON, sure))
    return scores


def score_clips(detector: EmbeddedDetector, clips: Iterable[ClipSettings]) -> Scores:
    scores = Scores()
    with tempfile.TemporaryDirectory() as folder:
        for settings in clips:
            clip = render_clip(settings, Path(folder))
            truth = load_truth(clip.truth)
            for number, frame in _frames(clip.video):
                _score_frame(detector, truth, number, frame, scores)
    return scores


def _frames(video: Path) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    capture = cv2.VideoCapture(str(video))
    number = 0
    while True:
        more, frame = capture.read()
        if not more:
            return
        if number % EVERY == 0:
            yield number, np.asarray(frame, np.uint8)
        number += 1


def _score_frame(
    detector: EmbeddedDetector, truth: Truth, number: int, frame: npt.NDArray[np.uint8], scores: Scores
) -> None:
    ids = [p.id for p in truth.people if truth.in_picture(p.id)[number]]
    size = np.array([truth.width, truth.height])
    xywh = np.array([truth.boxes(i)[number] for i in ids]) * [*size, *size]
    people = np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
    asked = np.array([truth.visible(i)[number] >= 0.5 for i in ids])
    for target in np.nonzero(asked)[0].tolist():
        height = float(xywh[target, 3])
        middle = xywh[target, :2] + xywh[target, 2:] / 2
        half = WINDOW_HEIGHTS / 2 * height
        found = detector.detect_window(frame, np.hstack([middle - half, middle + half]), height)
        for confidence in CONFIDENCES:
            sure = found.boxes_xyxy[found.scores >= confidence].astype(float)
            scores.add(_bucket(height), confidence, _near(people, asked, sure, target, height))


def _near(people: Boxes, asked: npt.NDArray[np.bool_], reported: Boxes, target: int, height: float) -> Judged:
    """Judge whether the target was found, and of what was reported only what lies near him."""
    middle = people[target].reshape(2, 2).mean(0)
    distance = np.linalg.norm((reported[:, :2] + reported[:, 2:]) / 2 - middle, axis=1)
    reported = reported[distance < NEAR_HEIGHTS * height]
    judged = judge(people, asked, reported)
    place = int(asked[:target].sum())
    return Judged(judged.found[place : place + 1], judged.right)


def _bucket(height: float) -> str:
    upper = next(edge for edge in CLIP_HEIGHTS_PX[1:] if height < edge)
    lower = CLIP_HEIGHTS_PX[CLIP_HEIGHTS_PX.index(upper) - 1]
    return f"{lower}-{upper}px"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--windows", type=int, default=100, help="per height (default %(default)s)")
    parser.add_argument("--out", type=Path, help="where to write the figures, beside the screen")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detector = EmbeddedDetector(arguments.weights, threads=1)
    report = {
        "weights_sha256": detector.weights_sha256,
        "iou": IOU,
        "windows": {"per_height": arguments.windows, **score_windows(detector, arguments.windows).summary()},
        "clips": {
            "settings": [asdict(settings) for settings in CLIPS],
            **score_clips(detector, CLIPS).summary(),
        },
    }
    text = json.dumps(report, indent=1) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
