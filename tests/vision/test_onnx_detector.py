"""A real network through the detector `onnx`: the embedded one, made to answer as YOLOX does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from builders import make_runtime, manifest
from matches import Match
from onnxgraphs import embedded_as_yolox, graph, saved
from playerscore.resources import Onnx, Result
from playerscore_worker import boxes, detectors
from playerscore_worker.detectors import Detector
from playerscore_worker.frames import read

MACHINE, REFUSED = 1, 3
AS_YOLOX: dict[str, Any] = {
    "layout": "yolox",
    "gridStrides": [4],
    "input": {"stride": 16, "scale": 255, "fit": "corner"},
    "minScore": 0.15,
    "personHeightPx": 40,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(embedded_as_yolox(), tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("size", [None, 320], ids=["any size", "tiles of 320"])
def test_it_finds_whom_the_same_network_finds_without_it(
    match: Match, detector: Detector, weights: Path, size: int | None
) -> None:
    told = AS_YOLOX | {"input": AS_YOLOX["input"] | ({"width": size, "height": size} if size else {})}
    onnx = detectors.load("onnx", weights, 1, onnx=Onnx.model_validate(told))
    found = total = 0
    for frame in read(match.video, max_fps=0.5):
        theirs = detector.detect_frame(frame.image, [40.0])
        sure = theirs.boxes_xyxy[theirs.scores > 0.4]
        ours = onnx.detect_frame(frame.image, [40.0])
        found += int((boxes.iou_matrix(sure, ours.boxes_xyxy).max(axis=1) >= 0.7).sum())
        total += len(sure)

    assert total >= 50
    assert found / total >= 0.97


def run(video: Path, folder: Path, weights: Path, onnx: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """`playerscore run` with a ScoringRuntime whose weights lie elsewhere, and their file here."""
    body = manifest(make_runtime())
    body["spec"]["detector"] = {
        "name": "onnx",
        "weights": {"uri": "https://models.example.com/net.onnx", "sha256": "c" * 64},
        "onnx": onnx,
    }
    runtime = folder / "runtime.yaml"
    runtime.write_text(json.dumps(body))
    program = [sys.executable, "-c", "from playerscore_cli.app import main; main()", "run", str(video)]
    options = ["--runtime", str(runtime), "--weights", str(weights), "--frames", "2", "--max-fps", "5"]
    return subprocess.run(
        [*program, *options, "--out", str(folder / "out")],
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )


def test_the_whole_flow_runs_with_ones_own_weights(match: Match, weights: Path, tmp_path: Path) -> None:
    done = run(match.video, tmp_path, weights, AS_YOLOX)

    assert done.returncode == 0, done.stderr
    result = Result.model_validate_json((tmp_path / "out" / "result.json").read_text())
    digest = detectors.load("onnx", weights, 1, onnx=Onnx.model_validate(AS_YOLOX)).weights_sha256
    assert result.provenance.weights_sha256 == digest
    assert result.radar.visibility > 50


def test_weights_that_see_nobody_are_not_helped_by_the_embedded_ones(match: Match, tmp_path: Path) -> None:
    done = run(match.video, tmp_path, saved(graph("yolo", threshold=2.0), tmp_path), {"layout": "yolo"})

    assert (done.returncode, "VIDEO_NO_PERSON" in done.stderr) == (REFUSED, True), done.stderr


def test_a_manifest_that_does_not_fit_is_told_to_whoever_runs_it(match: Match, tmp_path: Path) -> None:
    done = run(match.video, tmp_path, saved(graph("yolo"), tmp_path), {"layout": "yolo-nms"})

    assert done.returncode == MACHINE
    assert "Traceback" not in done.stderr
    assert "spec.detector.onnx.layout: 'yolo-nms' is (1, n, 6)" in done.stderr
