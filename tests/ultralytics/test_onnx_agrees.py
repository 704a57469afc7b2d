"""The same weights, exported, find the same people as ultralytics itself: so nothing is lost without it."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import supervision
from supervision.metrics import MeanAveragePrecision

from matches import Match, render
from playerscore.resources import Onnx
from playerscore_worker import boxes
from playerscore_worker.detectors import Detections, Detector, load
from playerscore_worker.frames import Image, read

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "yolo11n-coco-recovered.pt"
MOST_APART = 0.01
BODY_PX = 37.0
"""What the detectors are told: sizes that come out even would hide how each of them rounds."""
Look = Callable[[Detector, Image], Detections]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Exports the weights, with ultralytics' own options."""

    def exported(**options: object) -> Path:
        from ultralytics import YOLO

        path = tmp_path_factory.mktemp("export") / WEIGHTS.name
        path.write_bytes(WEIGHTS.read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of its own exporter
            return Path(YOLO(str(path)).export(format="onnx", simplify=False, **options))

    return exported


@pytest.fixture(scope="module")
def match(tmp_path_factory: pytest.TempPathFactory) -> Match:
    if not WEIGHTS.exists():
        pytest.fail(
            f"{WEIGHTS.name} is missing: this level runs where the private data lies beside the checkout"
        )
    return render(tmp_path_factory.mktemp("match"), seed=31_003, seconds=6, person_px=32)


def whole(detector: Detector, image: Image) -> Detections:
    return detector.detect_frame(image, [BODY_PX, 1.5 * BODY_PX])


def windows(detector: Detector, image: Image) -> Detections:
    """Three, side by side, as the follower has them."""
    height, width = image.shape[:2]
    middles = [np.array([share * width, height / 2]) for share in (0.25, 0.5, 0.75)]
    reach = 4 * BODY_PX
    seen = [np.concatenate([middle - reach, middle + reach]) for middle in middles]
    return Detections.merge([detector.detect_window(image, window, BODY_PX) for window in seen])


def average_precision(match: Match, detector: Detector, look: Look) -> float:
    """COCO's, of people, over a frame a second: the mean over the IoUs .5 to .95."""
    metric = MeanAveragePrecision()
    for frame in read(match.video, max_fps=1):
        height, width = frame.image.shape[:2]
        truths = [match.box(person.id, frame.index) for person in match.truth.people]
        true = np.array([boxes.to_pixels(box, width, height) for box in truths if box]).reshape(-1, 4)
        found = look(detector, frame.image)
        metric.update(
            supervision.Detections(
                found.boxes_xyxy, confidence=found.scores, class_id=np.zeros(len(found), int)
            ),
            supervision.Detections(true, class_id=np.zeros(len(true), int)),
        )
    return float(metric.compute().map50_95)


@pytest.fixture(scope="module")
def theirs(match: Match) -> dict[Look, float]:
    """What ultralytics reaches."""
    detector = load("ultralytics", WEIGHTS, 2)
    return {look: average_precision(match, detector, look) for look in (whole, windows)}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dynamic": True}, {"layout": "yolo"}),
        ({"dynamic": True, "nms": True, "conf": 0.1, "iou": 0.45}, {"layout": "yolo-nms"}),
    ],
    ids=["as it is", "with suppression"],
)
def test_exported_weights_agree_with_ultralytics(
    match: Match,
    export: Callable[..., Path],
    theirs: dict[Look, float],
    options: dict[str, object],
    told: dict[str, str],
) -> None:
    onnx = load("onnx", export(**options), 2, onnx=Onnx.model_validate(told))
    ours = {look: average_precision(match, onnx, look) for look in (whole, windows)}
    print({look.__name__: (round(ours[look], 4), round(theirs[look], 4)) for look in ours})

    assert min(theirs.values()) > 0.3
    assert ours == pytest.approx(theirs, abs=MOST_APART)


def test_a_fixed_size_loses_nothing_by_its_tiles(
    match: Match, export: Callable[..., Path], theirs: dict[Look, float]
) -> None:
    """It may find more: a tile is not shrunk as a large frame is."""
    onnx = load("onnx", export(imgsz=640), 2, onnx=Onnx(layout="yolo"))
    ours = {look: average_precision(match, onnx, look) for look in (whole, windows)}
    print({look.__name__: (round(ours[look], 4), round(theirs[look], 4)) for look in ours})

    assert ours[whole] >= theirs[whole] - MOST_APART
    assert ours[windows] >= theirs[windows] - MOST_APART
