"""Exported graphs find what is where it is, whatever they take and answer; what does not fit is named."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from builders import IMAGE
from onnxgraphs import PERSON, SCORE, graph, picture, saved
from playerscore.errors import WorkerError
from playerscore.resources import Detector, Onnx, OnnxInput, Video
from playerscore.tasks import PreviewTask, read
from playerscore_worker import boxes, detectors
from playerscore_worker.detectors.onnx import Fit, fit, prepare, tiles

BOX = (300, 200, 326, 264)
WINDOW = np.array([150.0, 100.0, 480.0, 400.0])
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
LAYOUTS = ["yolo", "yolo-nms", "yolov5", "yolox", "detr", "detr-deploy"]


def manifest(layout: str, **more: Any) -> Onnx:
    told: dict[str, Any] = {"layout": layout, "personClasses": [PERSON]}
    if layout == "detr":
        told["outputs"] = {"boxes": "dets", "scores": "labels"}
    return Onnx.model_validate(told | more)


def cells(size_wh: tuple[int, int]) -> int:
    return sum((size_wh[0] // stride) * (size_wh[1] // stride) for stride in (8, 16, 32))


def loaded(folder: Path, model: onnx.ModelProto, told: Onnx) -> detectors.Detector:
    return detectors.load("onnx", saved(model, folder), 1, onnx=told)


def found_at(found: detectors.Detections, box_xyxy: tuple[int, ...]) -> float:
    """The IoU of the only box with the true one."""
    assert len(found) == 1
    assert found.scores[0] == pytest.approx(SCORE, abs=0.01)
    return float(boxes.iou_matrix(found.boxes_xyxy, np.array([box_xyxy], float))[0, 0])


@pytest.mark.parametrize("how", ["letterbox", "corner", "stretch"])
@pytest.mark.parametrize("size_wh", [(640, 640), (416, 256)], ids=["square", "wide"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_a_fixed_size_finds_it_in_a_window(
    tmp_path: Path, layout: str, size_wh: tuple[int, int], how: str
) -> None:
    model = graph(layout, size_wh=size_wh, boxes=cells(size_wh))
    detector = loaded(tmp_path, model, manifest(layout, input={"fit": how}))

    found = detector.detect_window(picture(BOX), WINDOW, 64)

    assert found_at(found, BOX) >= 0.9


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "yolox"])
@pytest.mark.parametrize("body_height_px", [30, 64, 130])
def test_graphs_of_any_size_look_at_the_zoom_that_they_want(
    tmp_path: Path, layout: str, body_height_px: float
) -> None:
    detector = loaded(tmp_path, graph(layout), manifest(layout))

    found = detector.detect_window(picture(BOX), WINDOW, body_height_px)

    assert found_at(found, BOX) >= 0.9


@pytest.mark.parametrize("size_wh", [None, (640, 640), (320, 320)], ids=["any size", "tiles", "small tiles"])
@pytest.mark.parametrize("box_xyxy", [BOX, (0, 0, 26, 64), (930, 470, 960, 540)])
def test_he_is_found_once_in_the_whole_frame(
    tmp_path: Path, size_wh: tuple[int, int] | None, box_xyxy: tuple[int, int, int, int]
) -> None:
    detector = loaded(tmp_path, graph("yolo", size_wh=size_wh), manifest("yolo"))

    found = detector.detect_frame(picture(box_xyxy), [40.0, 64.0])

    assert found_at(found, box_xyxy) >= 0.9


@pytest.mark.parametrize(
    ("told", "threshold"),
    [({"scale": 255}, 128.0), (IMAGENET, 1.0), ({"scale": 255, "mean": [100, 100, 100]}, 60.0)],
    ids=["pixels as they are", "ImageNet's mean and deviation", "a mean in pixels"],
)
def test_pixels_are_scaled_as_told(tmp_path: Path, told: dict[str, Any], threshold: float) -> None:
    detector = loaded(tmp_path, graph("yolo", threshold=threshold), manifest("yolo", input=told))

    assert found_at(detector.detect_window(picture(BOX), WINDOW, 64), BOX) >= 0.9


def test_the_channels_come_in_the_order_that_is_told(tmp_path: Path) -> None:
    """The graph looks for the first channel; a red rectangle is not in it where blue comes first."""
    detector = loaded(tmp_path, graph("yolo"), manifest("yolo", input={"channels": "BGR"}))

    assert len(detector.detect_window(picture(BOX), WINDOW, 64)) == 0


def test_graphs_of_half_precision_are_fed_with_it(tmp_path: Path) -> None:
    detector = loaded(tmp_path, graph("yolo", of="float16"), manifest("yolo"))

    assert found_at(detector.detect_window(picture(BOX), WINDOW, 64), BOX) >= 0.9


def test_other_classes_are_nobody(tmp_path: Path) -> None:
    detector = loaded(tmp_path, graph("yolo-nms"), manifest("yolo-nms", personClasses=[0, 2]))

    assert len(detector.detect_window(picture(BOX), WINDOW, 64)) == 0


def test_a_window_outside_the_picture_shows_nobody(tmp_path: Path) -> None:
    for size_wh in (None, (64, 64)):
        detector = loaded(tmp_path, graph("yolo", size_wh=size_wh), manifest("yolo"))

        assert len(detector.detect_window(picture(BOX), np.array([-500.0, -500, -100, -100]), 64)) == 0


# --- what does not fit is named -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "told", "field"),
    [
        (graph("yolo"), manifest("yolo-nms"), r"onnx\.layout: 'yolo-nms' is \(1, n, 6\); .*\(1, 7, 40\)"),
        (graph("yolo-nms"), manifest("yolo", personClasses=[0]), r"onnx\.layout"),
        (graph("yolov5"), manifest("yolo", personClasses=[0]), r"onnx\.layout"),
        (graph("yolo"), manifest("yolov5"), r"onnx\.layout"),
        (graph("yolo"), manifest("detr"), r"onnx\.outputs\.boxes: .* no output 'dets'; it has output0"),
        (graph("detr"), manifest("detr", outputs={}), r"onnx\.outputs\.boxes: .* it has dets, labels"),
        (graph("yolo"), manifest("detr-deploy"), r"onnx\.layout: 'detr-deploy' has one input for a size"),
        (graph("detr-deploy"), manifest("yolo"), r"onnx\.layout: .*orig_target_sizes"),
        (graph("yolov5"), manifest("yolox"), r"onnx\.gridStrides: .* have 2100 cells, the graph answers 40"),
        (graph("yolo"), manifest("yolo", personClasses=[3]), r"onnx\.personClasses: there is no class 3"),
        (
            graph("yolo", size_wh=(640, 640)),
            manifest("yolo", input={"width": 1280, "height": 640}),
            r"onnx\.input\.width: the graph takes 640 px",
        ),
        (
            graph("yolo", of="double"),
            manifest("yolo"),
            r"onnx\.input: .* takes images tensor\(double\)",
        ),
    ],
    ids=[
        "many rows for six",
        "six columns for many",
        "rows for columns",
        "columns for rows",
        "no such output",
        "outputs by other names",
        "no input for a size",
        "an input for a size",
        "other grids",
        "a class that is not there",
        "another size",
        "a type that nobody exports",
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_by_its_field(
    tmp_path: Path, model: onnx.ModelProto, told: Onnx, field: str
) -> None:
    with pytest.raises(WorkerError, match=field):
        loaded(tmp_path, model, told)


@pytest.mark.parametrize("content", [b"", b"not a graph", graph("yolo").SerializeToString()[:-200]])
def test_a_file_that_is_no_graph_is_the_weights_fault(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.onnx"
    path.write_bytes(content)

    with pytest.raises(WorkerError, match=r"spec\.detector\.weights"):
        detectors.load("onnx", path, 1, onnx=manifest("yolo"))


def test_a_size_that_the_graph_cannot_work_with_is_refused(tmp_path: Path) -> None:
    """Its sides are open, but inside it wants 64 pixels: what exporters make of models with fixed anchors."""
    model = graph("yolo")
    wants = onnx.helper.make_node("Reshape", ["images", "shape"], ["reshaped"])
    model.graph.node.insert(0, wants)
    model.graph.initializer.append(
        onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [4], [1, 3, 64, 64])
    )
    model.graph.output.append(onnx.helper.make_tensor_value_info("reshaped", 1, [1, 3, 64, 64]))

    with pytest.raises(WorkerError, match=r"onnx\.input: the graph does not take a picture of 320x320 px"):
        loaded(tmp_path, model, manifest("yolo"))
    loaded(tmp_path, model, manifest("yolo", input={"width": 64, "height": 64}))


@pytest.mark.parametrize(
    ("weights", "told", "field"),
    [(None, manifest("yolo"), "weights"), (Path("weights.onnx"), None, "onnx")],
    ids=["no weights", "no manifest"],
)
def test_half_a_detector_is_none(weights: Path | None, told: Onnx | None, field: str) -> None:
    with pytest.raises(WorkerError, match=rf"spec\.detector\.{field}: "):
        detectors.load("onnx", weights, 1, onnx=told)


def test_the_manifest_travels_in_the_task() -> None:
    told = manifest("yolox", input={"width": 640, "height": 640, "channels": "BGR"}, gridStrides=[4, 8])
    task = PreviewTask(
        namespace="team-a",
        name="match-1",
        uid="u",
        image=IMAGE,
        video=Video(uri="s3://playerscore/team-a/x"),
        sources=["s3://playerscore/team-a"],
        detector=Detector(name="onnx", onnx=told),
    )

    assert read(task.model_dump_json(by_alias=True, exclude_none=True)).detector.onnx == told


# --- pictures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "fixed", "expected"),
    [
        ({}, None, Fit((160, 80), (160, 96), (0, 8))),
        ({"fit": "corner"}, None, Fit((160, 80), (160, 96), (0, 0))),
        ({"fit": "stretch", "stride": 14}, None, Fit((154, 84), (154, 84), (0, 0))),
        ({}, (640, 640), Fit((150, 75), (640, 640), (245, 282))),
        ({}, (120, 120), Fit((120, 60), (120, 120), (0, 30))),
        ({"fit": "stretch"}, (560, 560), Fit((560, 560), (560, 560), (0, 0))),
    ],
)
def test_a_window_is_fitted_as_told(
    told: dict[str, Any], fixed: tuple[int, int] | None, expected: Fit
) -> None:
    assert fit(100, 50, 1.5, OnnxInput.model_validate(told), fixed) == expected


def test_a_prepared_picture_has_the_values_that_the_model_was_trained_on() -> None:
    window = np.full((16, 16, 3), (0, 51, 255), np.uint8)
    told = OnnxInput(mean=[0.5, 0.2, 0.0], std=[0.5, 1.0, 2.0], pad=0)

    made = prepare(window, Fit((16, 16), (32, 32), (8, 8)), told)

    assert made.shape == (1, 3, 32, 32)
    assert made[0, :, 16, 16] == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)
    assert made[0, :, 0, 0] == pytest.approx([-1.0, -0.2, 0.0], abs=1e-6)


@pytest.mark.parametrize(
    ("window", "reach", "overlap", "count"),
    [
        ((0, 0, 500, 500), (640, 640), 60, 1),
        ((0, 0, 800, 800), (640, 640), 60, 1),
        ((0, 0, 1280, 720), (640, 640), 60, 3),
        ((0, 0, 1280, 1280), (640, 640), 60, 9),
        ((0, 0, 1280, 600), (640, 640), 5000, 3),
        ((100, 200, 100, 200), (640, 640), 60, 1),
    ],
    ids=["fits", "a little large", "wide", "large", "overlap over all", "nothing"],
)
def test_tiles_cover_the_window_and_overlap(
    window: tuple[float, ...], reach: tuple[float, float], overlap: float, count: int
) -> None:
    made = tiles(np.array(window, float), reach, overlap)
    lefts = sorted({(tile[0], tile[2]) for tile in made})

    assert len(made) == count
    assert (min(tile[0] for tile in made), max(tile[2] for tile in made)) == (window[0], window[2])
    assert (min(tile[1] for tile in made), max(tile[3] for tile in made)) == (window[1], window[3])
    assert all(before[1] - after[0] >= min(overlap, reach[0] / 2) - 1e-6 for before, after in pairwise(lefts))
