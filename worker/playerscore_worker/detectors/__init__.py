"""Detectors of people behind one protocol; `load` picks one by the name that a ScoringRuntime gives."""

from pathlib import Path

from playerscore.errors import WorkerError
from playerscore_worker.detectors.base import Detections, Detector

__all__ = ["Detections", "Detector", "load"]


def load(name: str, weights: Path | None, threads: int, memory_failures: int = 0) -> Detector:
    """The detector `name`, with its own weights when none are given. Raises WorkerError.

    Args:
        name: "embedded" or "ultralytics".
        weights: File to load; needed by "ultralytics".
        threads: CPU threads that inference may use, at least 1.
        memory_failures: How often the same work ran out of memory before: each halves the largest picture
            that "ultralytics" puts on the GPU at once. "embedded" needs little, whatever the picture.
    """
    if name == "embedded":
        from playerscore_worker.detectors.embedded import EmbeddedDetector

        return EmbeddedDetector(weights, threads)
    if name == "ultralytics":
        from playerscore_worker.detectors.ultralytics import UltralyticsDetector

        if weights is None:
            raise WorkerError("WORKER_FAILED", "the detector ultralytics needs weights")
        return UltralyticsDetector(weights, threads, memory_failures)
    raise WorkerError("WORKER_FAILED", f"there is no detector called {name!r}")
