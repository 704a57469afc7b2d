"""How well the embedded detector finds people it has never been trained on, by height and by hardship.

    python training/evaluate.py --out benchmarks/results/detector.json [--weights other.onnx]

Rendered pictures: training-like windows of seeds that training never uses, at fixed heights in the source
footage; windows of each hardship, where of crowds only those who overlap somebody count, of the fallen only
who is wider than high, and where nobody is meant, what counts is false boxes a picture; and frames of match
clips, which training never sees at all. With ``--footage`` also frames of real matches, if there are any
(clips with a csv of boxes each): they choose nothing. On clips the detector looks as
the follower makes it look: through a window of eight body heights around each person. Precision is of what
it reports within two body heights of that person. A box counts as found at IoU .5; people mostly hidden are
neither asked for nor held against it.
"""

import argparse
import csv
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
from playerscore_clips.windows import HARDSHIPS, PERSON, render_window
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
FIRST_HARD_WINDOW, HARD_WINDOWS_APART = 900_000, 5_000
"""Seeds of the windows of hardships."""
OVERLAPS = 0.05
"""People whose boxes overlap more than this count as touching."""


@dataclass
class Count:
    """What was asked for and found, and what was reported and right."""

    asked: int = 0
    found: int = 0
    reported: int = 0
    right: int = 0
    pictures: int = 0

    def add(self, asked: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]) -> None:
        self.pictures += 1
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

    def hard_summary(self) -> dict[str, float | int | None]:
        false = (self.reported - self.right) / self.pictures
        return {**self.summary(), "false_per_picture": round(false, 4)}


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

    def hard_summary(self) -> dict[str, Any]:
        return {
            kind: {f"conf_{confidence}": count.hard_summary() for confidence, count in counts.items()}
            for kind, counts in self.by_height.items()
            if kind != "all"
        }


@dataclass(frozen=True)
class Judged:
    """For each person asked for whether he was found, for each box reported whether it is right."""

    found: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]
    """Which of all boxes reported ``right`` speaks of: those on people not asked for are left out."""


def iou_matrix(first: Boxes, second: Boxes) -> npt.NDArray[np.float64]:
    """Return the overlap (n, m) of boxes (n, 4) and (m, 4)."""
    upper = np.maximum(first[:, None, :2], second[None, :, :2])
    lower = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(lower - upper, 0, None).prod(2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1) for boxes in (first, second)]
    overlap: npt.NDArray[np.float64] = shared / (areas[0][:, None] + areas[1][None] - shared + 1e-9)
    return overlap


def judge(people: Boxes, asked: npt.NDArray[np.bool_], reported: Boxes) -> Judged:
    """Pair people (n, 4), of whom some are asked for, with reported boxes (m, 4)."""
    overlap = iou_matrix(people, reported)
    # People who are asked for go first where two would take the same box.
    rows, columns = linear_sum_assignment(-np.where(overlap >= IOU, overlap + asked[:, None], 0))
    good = overlap[rows, columns] >= IOU
    rows, columns = rows[good], columns[good]
    found, right = np.zeros(len(people), bool), np.zeros(len(reported), bool)
    found[rows], right[columns] = True, True
    counted = np.asarray(~(overlap[~asked] >= 0.3).any(0))
    counted[columns] = asked[rows]
    return Judged(found[asked], right[counted], counted)


def score_windows(detector: EmbeddedDetector, per_height: int) -> Scores:
    """Judge windows in which people are as high as the network likes, from footage where they were not."""
    scores = Scores()
    for height in SOURCE_HEIGHTS_PX:
        for number in range(per_height):
            seed = 10_000 * height + number  # training begins at a million
            picture, boxes = render_window(seed, 256, NET_HEIGHT_PX, height)
            _score_window(detector, picture, corners(boxes), boxes[:, 4] == PERSON, f"{height}px", scores)
    return scores


def score_hardships(detector: EmbeddedDetector, per_kind: int) -> Scores:
    """Judge windows of each hardship, and in them those whom it is about."""
    scores = Scores()
    for hardship in HARDSHIPS:
        for number in range(per_kind):
            picture, boxes = hard_window(hardship, number)
            asked = (boxes[:, 4] == PERSON) & _meant(hardship, boxes)
            _score_window(detector, picture, corners(boxes), asked, hardship, scores)
    return scores


def hard_window(hardship: str, number: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return a window of a hardship that training never sees, (256, 256, 3), and its boxes (n, 5)."""
    seed = FIRST_HARD_WINDOW + HARD_WINDOWS_APART * HARDSHIPS.index(hardship) + number
    return render_window(seed, 256, NET_HEIGHT_PX, hardship=hardship)


def corners(boxes: npt.NDArray[np.float32]) -> Boxes:
    """Return boxes (n, 4) of rows (n, 5) of centre, size and flag."""
    half = boxes[:, 2:4] / 2
    return np.hstack([boxes[:, :2] - half, boxes[:, :2] + half]).astype(float)


def _meant(hardship: str, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return which boxes (n,) a hardship is about."""
    if hardship == "lying":
        return np.asarray(boxes[:, 2] > boxes[:, 3])
    if hardship in ("touching", "knot"):
        people = corners(boxes)
        others = iou_matrix(people, people) - np.eye(len(people))
        return np.asarray((others > OVERLAPS).any(1))
    return np.ones(len(boxes), bool)


def _score_window(
    detector: EmbeddedDetector,
    picture: npt.NDArray[np.uint8],
    people: Boxes,
    asked: npt.NDArray[np.bool_],
    name: str,
    scores: Scores,
) -> None:
    whole = np.array([0.0, 0.0, picture.shape[1], picture.shape[0]])
    found = detector.detect_window(picture, whole, NET_HEIGHT_PX)
    for confidence in CONFIDENCES:
        sure = found.boxes_xyxy[found.scores >= confidence].astype(float)
        scores.add(name, confidence, judge(people, asked, sure))


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
        _score_around(detector, frame, people, asked, target, _bucket(height), scores)


def _score_around(
    detector: EmbeddedDetector,
    frame: npt.NDArray[np.uint8],
    people: Boxes,
    asked: npt.NDArray[np.bool_],
    target: int,
    name: str,
    scores: Scores,
) -> None:
    """Look as the follower does, through a window around one of the people."""
    corner, other = people[target].reshape(2, 2)
    middle, height = (corner + other) / 2, float(other[1] - corner[1])
    half = WINDOW_HEIGHTS / 2 * height
    found = detector.detect_window(frame, np.hstack([middle - half, middle + half]), height)
    for confidence in CONFIDENCES:
        sure = found.boxes_xyxy[found.scores >= confidence].astype(float)
        scores.add(name, confidence, _near(people, asked, sure, target, height))


def score_footage(detector: EmbeddedDetector, folder: Path) -> Scores:
    """Judge frames of real matches around people whose boxes were checked by eye; rows ``o`` are others."""
    scores = Scores()
    for table in sorted(folder.glob("*.csv")):
        rows = list(csv.DictReader(table.open()))
        for number, frame in _frames(table.with_suffix(".mp4")):
            here = [row for row in rows if int(row["frame"]) == number]
            size = np.array([frame.shape[1], frame.shape[0]] * 2)
            xywh = np.array([[float(row[k]) for k in "xywh"] for row in here]).reshape(-1, 4) * size
            people = np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
            for target, row in enumerate(here):
                if not row["id"].startswith("o"):
                    everyone = np.ones(len(people), bool)
                    _score_around(detector, frame, people, everyone, target, table.stem, scores)
    return scores


def _near(people: Boxes, asked: npt.NDArray[np.bool_], reported: Boxes, target: int, height: float) -> Judged:
    """Judge whether the target was found, and of what was reported only what lies near him."""
    middle = people[target].reshape(2, 2).mean(0)
    distance = np.linalg.norm((reported[:, :2] + reported[:, 2:]) / 2 - middle, axis=1)
    reported = reported[distance < NEAR_HEIGHTS * height]
    judged = judge(people, asked, reported)
    place = int(asked[:target].sum())
    return Judged(judged.found[place : place + 1], judged.right, judged.counted)


def _bucket(height: float) -> str:
    upper = next(edge for edge in CLIP_HEIGHTS_PX[1:] if height < edge)
    lower = CLIP_HEIGHTS_PX[CLIP_HEIGHTS_PX.index(upper) - 1]
    return f"{lower}-{upper}px"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--windows", type=int, default=100, help="per height (default %(default)s)")
    parser.add_argument("--hard-windows", type=int, default=40, help="per hardship (default %(default)s)")
    parser.add_argument("--footage", type=Path, help="folder of real clips, NAME.mp4 and NAME.csv")
    parser.add_argument("--out", type=Path, help="where to write the figures, beside the screen")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detector = EmbeddedDetector(arguments.weights, threads=1)
    report = {
        "weights_sha256": detector.weights_sha256,
        "iou": IOU,
        "windows": {"per_height": arguments.windows, **score_windows(detector, arguments.windows).summary()},
        "hardships": {
            "per_kind": arguments.hard_windows,
            **score_hardships(detector, arguments.hard_windows).hard_summary(),
        },
        "clips": {
            "settings": [asdict(settings) for settings in CLIPS],
            **score_clips(detector, CLIPS).summary(),
        },
    }
    if arguments.footage:
        report["footage"] = score_footage(detector, arguments.footage).summary()
    text = json.dumps(report, indent=1) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
