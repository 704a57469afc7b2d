"""Answers of each layout, written by hand, are read as the people that they mean."""

from typing import Any

import numpy as np
import pytest

from playerscore.errors import WorkerError
from playerscore.resources import Onnx
from playerscore_worker.detectors import Detections
from playerscore_worker.detectors.layouts import read

SIZE_WH = (64, 32)
EMPTY = 60
"""Further rows of a dense answer, which mean nobody."""


def answered(layout: str, answers: dict[str, Any], **told: Any) -> Detections:
    return read(
        {name: np.array(answer, np.float32) for name, answer in answers.items()},
        Onnx.model_validate({"layout": layout, **told}),
        SIZE_WH,
    )


def dense(*rows: list[float]) -> list[list[list[float]]]:
    return [[*rows, *[[0.0] * len(rows[0])] * EMPTY]]


def transposed(answer: list[list[list[float]]]) -> Any:
    return np.array(answer).transpose(0, 2, 1)


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


YOLO = {"out": transposed(dense([30, 15, 10, 20, 0.8, 0.3], [50, 15, 4, 8, 0.05, 0.9]))}
"""A person at 25..35, 5..25; something else that is no person."""
BOTH = [[25, 5, 35, 25], [48, 11, 52, 19]]


@pytest.mark.parametrize(
    ("layout", "answers"),
    [
        ("yolo", YOLO),
        ("yolo-nms", {"out": [[[25, 5, 35, 25, 0.8, 0], [48, 11, 52, 19, 0.9, 1], [0] * 6]]}),
        ("yolov5", {"out": dense([30, 15, 10, 20, 0.9, 8 / 9, 0.3], [50, 15, 4, 8, 0.9, 0.05, 1])}),
        (
            "detr",
            {
                "scores": [[[logit(0.8), -5.0], [-5.0, logit(0.9)]]],
                "boxes": [[[30 / 64, 15 / 32, 10 / 64, 20 / 32], [50 / 64, 15 / 32, 4 / 64, 8 / 32]]],
            },
        ),
        ("detr-deploy", {"labels": [[0, 1]], "boxes": [BOTH], "scores": [[0.8, 0.9]]}),
    ],
)
def test_a_person_is_read_and_another_class_is_not(layout: str, answers: dict[str, Any]) -> None:
    found = answered(layout, answers)

    assert found.boxes_xyxy == pytest.approx(np.array(BOTH[:1]), abs=1e-3)
    assert found.scores == pytest.approx([0.8])


def test_the_classes_of_people_are_one() -> None:
    found = answered("yolo", YOLO, personClasses=[0, 1])

    assert found.boxes_xyxy == pytest.approx(np.array(BOTH))
    assert found.scores == pytest.approx([0.8, 0.9])


def test_what_scores_below_the_least_is_dropped() -> None:
    assert len(answered("yolo", YOLO, minScore=0.81)) == 0


def test_a_yolox_answer_is_decoded_on_its_grids() -> None:
    """On 64x32 pixels the grid of stride 8 has 4 rows of 8 cells, that of 16 has 2 of 4, that of 32 1 of 2."""
    rows = np.zeros((1, 42, 6), np.float32)
    rows[0, 8 * 1 + 3] = [0.75, 0.875, np.log(10 / 8), np.log(20 / 8), 0.9, 8 / 9]
    rows[0, 32 + 4 * 1 + 2] = [0.5, -0.25, np.log(10 / 16), np.log(20 / 16), 0.8, 0.5]
    rows[0, 41] = [-0.5, 0.5, 0, 99, 0.7, 1]

    found = answered("yolox", {"out": rows})

    assert found.boxes_xyxy[:2] == pytest.approx(np.array([[25, 5, 35, 25], [35, 2, 45, 22]]))
    assert found.scores == pytest.approx([0.8, 0.4, 0.7])
    assert np.isfinite(found.boxes_xyxy).all()


def test_a_graph_that_has_suppressed_all_answers_nobody() -> None:
    assert len(answered("yolo-nms", {"out": np.zeros((1, 0, 6))})) == 0
    none = {"labels": np.zeros((1, 0)), "boxes": np.zeros((1, 0, 4)), "scores": np.zeros((1, 0))}
    assert len(answered("detr-deploy", none)) == 0


@pytest.mark.parametrize(
    ("layout", "answers", "told"),
    [
        ("yolo", {"out": transposed(dense([30, 15, 10, 20, 8.5, -3]))}, "scores lie in 0..1"),
        ("yolo", {"out": transposed(dense([30, 15, 10, 20, np.nan, 0]))}, "scores lie in 0..1"),
        ("yolo-nms", {"out": [[[25, 5, 35, 25, 0, 0.8]]]}, "classes are whole numbers"),
        ("detr", {"boxes": [[[30, 15, 10, 20]]], "scores": [[[-2, -3]]]}, "boxes of 'detr' lie in 0..1"),
        ("detr", {"boxes": [[[0.5, 0.5, 0.1, 0.1]]], "scores": [[[0.8, 0.1]]]}, "takes logits"),
        ("detr", {"boxes": [[[-2, -3]]], "scores": [[[0.5, 0.5, 0.1, 0.1]]]}, "'detr' is boxes"),
        ("detr-deploy", {"labels": [[0]], "boxes": [BOTH], "scores": [[1, 1]]}, "'detr-deploy' is labels"),
        ("detr-deploy", {"labels": [[[0]]], "boxes": [BOTH], "scores": [[1, 1]]}, "outputs.labels"),
    ],
    ids=[
        "logits for scores",
        "not a number",
        "class before score",
        "pixels for shares",
        "scores for logits",
        "outputs changed about",
        "lengths that differ",
        "an axis too many",
    ],
)
def test_what_cannot_be_of_the_layout_is_refused(layout: str, answers: dict[str, Any], told: str) -> None:
    with pytest.raises(WorkerError, match=told):
        answered(layout, answers)
