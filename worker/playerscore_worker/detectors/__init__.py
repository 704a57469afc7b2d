"""Detectors of people behind one protocol; `load` picks one by the name that a ScoringRuntime gives."""

from pathlib import Path

from playerscore.errors import WorkerError
from playerscore_worker.detectors.base import Detections, Detector

__all__ = ["Detections", "Detector", "load"]


def load(name: str, weights: Path | None, threads: int) -> Detector:
    """The detector `name`, with its own weights when none are given. Raises WorkerError.

    Args:
        name: "embedded" or "ultralytics".
        weights: File to load; needed by "ultralytics".
        threads: CPU threads that inference may use, at least 1.
    """
    if name == "embedded":
        from playerscore_worker.detectors.embedded import EmbeddedDetector

        return EmbeddedDetector(weights, threads)
    if name == "ultralytics":
        from playerscore_worker.detectors.ultralytics import UltralyticsDetector

        if weights is None:
            raise WorkerError("WORKER_FAILED", "the detector ultralytics needs weights")
        return UltralyticsDetector(weights, threads)
    raise WorkerError("WORKER_FAILED", f"there is no detector called {name!r}")
