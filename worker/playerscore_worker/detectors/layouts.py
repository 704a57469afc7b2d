"""From what a foreign graph answers to people: one reader for each layout that a manifest can name.

A wrong manifest must not pass for a detector that sees nobody or everybody: what cannot be of the layout
raises a WorkerError that names the manifest's field.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from playerscore.errors import WorkerError
from playerscore.resources import Onnx
from playerscore_worker import boxes
from playerscore_worker.detectors.base import Detections

Array = NDArray[Any]
Answers = Mapping[str, Array]
"""The graph's outputs by name, in its own order."""
Reader = Callable[[Answers, Onnx, tuple[int, int]], Detections]

FIELD: Final = "spec.detector.onnx"
# Half precision rounds a certain person to a little over 1.
ROUNDING: Final = 0.01
# A box in 0..1 may reach out of the picture, but not by this many pictures.
MAX_SHARE: Final = 3.0
# No picture is that many cells wide; beyond it the exponential overflows.
MAX_EXPONENT: Final = 10.0


def misfit(field: str, text: str) -> WorkerError:
    """The error that names a field of the manifest."""
    return WorkerError("WORKER_FAILED", f"{FIELD}.{field}: {text}")


def read(answers: Answers, manifest: Onnx, size_wh: tuple[int, int]) -> Detections:
    """People in pixels of the input, which has that size; before suppression. Raises WorkerError."""
    found = READERS[manifest.layout](answers, manifest, size_wh)
    return found.pick(found.scores >= manifest.min_score)


def _yolo(answers: Answers, manifest: Onnx, _size_wh: tuple[int, int]) -> Detections:
    wanted = "(1, 4 + classes, n), more boxes than classes"
    columns = _only(answers, manifest, wanted)
    if not 5 <= columns.shape[0] < columns.shape[1]:
        raise _unlike(answers, manifest, wanted)
    return Detections(_corners(columns[:4].T), _best(columns[4:].T, manifest))


def _yolo_nms(answers: Answers, manifest: Onnx, _size_wh: tuple[int, int]) -> Detections:
    rows = _only(answers, manifest, "(1, n, 6)")
    if rows.shape[1] != 6:
        raise _unlike(answers, manifest, "(1, n, 6)")
    return _labelled(rows[:, :4], rows[:, 4], rows[:, 5], manifest)


def _yolov5(answers: Answers, manifest: Onnx, _size_wh: tuple[int, int]) -> Detections:
    return _with_objectness(_dense_rows(answers, manifest), manifest)


def _yolox(answers: Answers, manifest: Onnx, size_wh: tuple[int, int]) -> Detections:
    rows = _dense_rows(answers, manifest)
    corners, strides = _grid(manifest.grid_strides, size_wh)
    if len(rows) != len(corners):
        text = (
            f"the grids of {manifest.grid_strides} have {len(corners)} cells, the graph answers {len(rows)}"
        )
        raise misfit("gridStrides", text)
    middles = (rows[:, :2] + corners) * strides
    sizes = np.exp(np.minimum(rows[:, 2:4], MAX_EXPONENT)) * strides
    return _with_objectness(np.concatenate([middles, sizes, rows[:, 4:]], axis=1), manifest)


def _detr(answers: Answers, manifest: Onnx, size_wh: tuple[int, int]) -> Detections:
    shares = _named(answers, manifest, "boxes", "(1, n, 4)", 2)
    logits = _named(answers, manifest, "scores", "(1, n, classes)", 2)
    if shares.shape[1] != 4 or len(shares) != len(logits):
        raise _unlike(answers, manifest, "boxes (1, n, 4) and logits (1, n, classes)")
    if shares.size and not np.abs(shares).max() <= MAX_SHARE:
        raise misfit("layout", f"boxes of 'detr' lie in 0..1, the graph answers {_range(shares)}")
    if logits.size and logits.min() >= 0 and logits.max() <= 1:
        raise misfit("layout", "'detr' takes logits, but the graph answers scores in 0..1")
    scores = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return Detections(_corners(shares) * np.array(size_wh * 2, np.float32), _best(scores, manifest))


def _detr_deploy(answers: Answers, manifest: Onnx, _size_wh: tuple[int, int]) -> Detections:
    labels = _named(answers, manifest, "labels", "(1, n)", 1)
    corners = _named(answers, manifest, "boxes", "(1, n, 4)", 2)
    scores = _named(answers, manifest, "scores", "(1, n)", 1)
    if corners.shape[1] != 4 or not len(labels) == len(corners) == len(scores):
        raise _unlike(answers, manifest, "labels (1, n), boxes (1, n, 4) and scores (1, n)")
    return _labelled(corners, scores, labels, manifest)


READERS: Final[dict[str, Reader]] = {
    "yolo": _yolo,
    "yolo-nms": _yolo_nms,
    "yolov5": _yolov5,
    "yolox": _yolox,
    "detr": _detr,
    "detr-deploy": _detr_deploy,
}


# --- outputs ----------------------------------------------------------------------------------------------


def _only(answers: Answers, manifest: Onnx, wanted: str) -> Array:
    """The first output without its batch, two axes; segmentation and the like have more behind it."""
    first = next(iter(answers.values()))
    if first.ndim != 3 or first.shape[0] != 1:
        raise _unlike(answers, manifest, wanted)
    return np.asarray(first[0], np.float32)


def _dense_rows(answers: Answers, manifest: Onnx) -> Array:
    """The first output, (n, 5 + classes)."""
    wanted = "(1, n, 5 + classes), more boxes than classes"
    rows = _only(answers, manifest, wanted)
    if not 6 <= rows.shape[1] < rows.shape[0]:
        raise _unlike(answers, manifest, wanted)
    return rows


def _named(answers: Answers, manifest: Onnx, role: str, wanted: str, axes: int) -> Array:
    """The output that the manifest names for that role, without its batch."""
    name = getattr(manifest.outputs, role)
    if name not in answers:
        raise misfit(f"outputs.{role}", f"the graph has no output {name!r}; it has {', '.join(answers)}")
    if answers[name].ndim != axes + 1 or answers[name].shape[0] != 1:
        raise misfit(f"outputs.{role}", f"{name!r} is {answers[name].shape}, not {wanted}")
    return np.asarray(answers[name][0], np.float32)


def _unlike(answers: Answers, manifest: Onnx, wanted: str) -> WorkerError:
    given = ", ".join(f"{name} {answer.shape}" for name, answer in answers.items())
    return misfit("layout", f"{manifest.layout!r} is {wanted}; the graph answers {given}")


# --- boxes and scores ---------------------------------------------------------------------------------


def _corners(cxcywh: Array) -> NDArray[np.float32]:
    """Boxes (n, 4) of middle and size as xyxy."""
    return boxes.around(cxcywh[:, :2], cxcywh[:, 2:4]).astype(np.float32)


def _grid(strides: list[int], size_wh: tuple[int, int]) -> tuple[Array, Array]:
    """Column and row of each cell (n, 2), and its stride (n, 1): row by row, grid after grid."""
    cells, widths = [], []
    for stride in strides:
        rows, columns = np.mgrid[: size_wh[1] // stride, : size_wh[0] // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        widths.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells), np.concatenate(widths)


def _with_objectness(rows: Array, manifest: Onnx) -> Detections:
    scores = _best(rows[:, 5:], manifest) * _probable(rows[:, 4])
    return Detections(_corners(rows), scores)


def _labelled(corners: Array, scores: Array, labels: Array, manifest: Onnx) -> Detections:
    if (labels != np.round(labels)).any():
        raise misfit("layout", f"classes are whole numbers, the graph answers {_range(labels)}")
    people = np.isin(labels, manifest.person_classes)
    return Detections(corners[people], _probable(scores[people]))


def _best(scores: Array, manifest: Onnx) -> NDArray[np.float32]:
    """The best score of each row's classes of people, (n,)."""
    known, last = scores.shape[1], max(manifest.person_classes)
    if last >= known:
        raise misfit("personClasses", f"there is no class {last}: the graph knows {known}, counted from 0")
    return _probable(scores[:, manifest.person_classes].max(axis=1))


def _probable(scores: Array) -> NDArray[np.float32]:
    """Scores as they must be, in 0..1; not a number is none either."""
    if scores.size and not (scores.min() >= -ROUNDING and scores.max() <= 1 + ROUNDING):
        raise misfit("layout", f"scores lie in 0..1, the graph answers {_range(scores)}")
    return np.clip(scores, 0, 1).astype(np.float32)


def _range(values: Array) -> str:
    return f"{values.min():.3g}..{values.max():.3g}"
