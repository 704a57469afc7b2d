"""Draw where the embedded detector fails: of each hardship the rendered windows with the most mistakes.

    python training/failures.py docs/detector.jpg

Green is found, yellow missed, red reported where nobody is; thin grey was not asked for.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from evaluate import Boxes, corners, hard_window, judge

from playerscore_clips.windows import HARDSHIPS, PERSON
from playerscore_worker.detectors.embedded import NET_HEIGHT_PX, WEIGHTS, EmbeddedDetector

CONFIDENCE = 0.3
COLUMNS, TRIED, JPEG_QUALITY = 3, 40, 72
GREEN, YELLOW, RED, GREY = (80, 220, 80), (0, 220, 255), (40, 40, 255), (150, 150, 150)

Image = npt.NDArray[np.uint8]


def judged_window(detector: EmbeddedDetector, hardship: str, number: int) -> tuple[int, Image]:
    """Return how many mistakes are made in a window, and the window with everything drawn in."""
    picture, boxes = hard_window(hardship, number)
    people, asked = corners(boxes), boxes[:, 4] == PERSON
    found = detector.detect_window(picture, np.array([0.0, 0.0, 256.0, 256.0]), NET_HEIGHT_PX)
    sure = found.boxes_xyxy[found.scores >= CONFIDENCE].astype(float)
    judged = judge(people, asked, sure)
    wrong = sure[judged.counted][~judged.right]
    drawn = picture.copy()
    _outline(drawn, people[~asked], GREY)
    _outline(drawn, people[asked][judged.found], GREEN)
    _outline(drawn, people[asked][~judged.found], YELLOW)
    _outline(drawn, wrong, RED)
    return int((~judged.found).sum()) + len(wrong), drawn


def _outline(picture: Image, boxes: Boxes, paint: tuple[int, int, int]) -> None:
    for left, top, right, bottom in boxes.round().astype(int).tolist():
        cv2.rectangle(picture, (left, top), (right, bottom), paint, 1)


def row(detector: EmbeddedDetector, hardship: str) -> Image:
    """Return the worst windows of a hardship side by side, named."""
    worst = sorted((judged_window(detector, hardship, n) for n in range(TRIED)), key=lambda tried: -tried[0])
    drawn = np.hstack([picture for _, picture in worst[:COLUMNS]])
    cv2.putText(drawn, hardship, (6, 18), 0, 0.55, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(drawn, hardship, (6, 18), 0, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detector = EmbeddedDetector(arguments.weights, threads=1)
    sheet = np.vstack([row(detector, hardship) for hardship in HARDSHIPS])
    cv2.imwrite(str(arguments.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


if __name__ == "__main__":
    main()
