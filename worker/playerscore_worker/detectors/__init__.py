"""Detectors of people behind one protocol; `load` picks one by the name that a ScoringRuntime gives."""

from pathlib import Path

from playerscore.errors import WorkerError
from playerscore.resources import Onnx
from playerscore_worker.detectors.base import Detections, Detector

__all__ = ["Detections", "Detector", "load"]


def load(
    name: str, weights: Path | None, threads: int, memory_failures: int = 0, onnx: Onnx | None = None
) -> Detector:
    """The detector `name`, with its own weights when none are given. Raises WorkerError.

    Args:
        name: "embedded", "ultralytics" or "onnx".
        weights: File to load; needed by "ultralytics" and "onnx".
        threads: CPU threads that inference may use, at least 1.
        memory_failures: How often the same work ran out of memory before: each halves the largest picture
            that "ultralytics" and "onnx" look at at once. "embedded" needs little, whatever the picture.
        onnx: What the weights of "onnx" take and answer; needed by it.
    """
    if name == "embedded":
        from playerscore_worker.detectors.embedded import EmbeddedDetector

        return EmbeddedDetector(weights, threads)
    if name == "ultralytics":
        from playerscore_worker.detectors.ultralytics import UltralyticsDetector

        if weights is None:
            raise WorkerError("WORKER_FAILED", "the detector ultralytics needs weights")
        return UltralyticsDetector(weights, threads, memory_failures)
    if name == "onnx":
        from playerscore_worker.detectors.onnx import OnnxDetector

        if weights is None or onnx is None:
            missing = "spec.detector.weights" if weights is None else "spec.detector.onnx"
            raise WorkerError("WORKER_FAILED", f"{missing}: the detector onnx needs weights and its manifest")
        return OnnxDetector(weights, onnx, threads, memory_failures)
    raise WorkerError("WORKER_FAILED", f"there is no detector called {name!r}")
