"""The detector of the GPU image: any ultralytics model that knows the class `person`.

Imported only when a runtime asks for it: the package is AGPL-3.0 and brings torch, and neither belongs into
the CPU image.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from playerscore_worker.detectors import base
from playerscore_worker.detectors.base import Detections
from playerscore_worker.frames import Image

# COCO models want people of about 64 px: a window of 8 heights becomes 512 px, measured best for the price.
NET_HEIGHT_PX: Final = 64.0
# The models score small people low; the follower weighs boxes by their scores.
MIN_SCORE: Final = 0.1
MAX_IMAGE_PX: Final = 1920
# Smaller pictures find nobody.
MIN_IMAGE_PX: Final = 480


class UltralyticsDetector:
    """A YOLO model as a `Detector`."""

    name = "ultralytics"

    def __init__(self, weights: Path, threads: int, memory_failures: int = 0) -> None:
        import torch
        from ultralytics import YOLO

        # Ultralytics takes the node's CPU count; in a pod that is far too many.
        torch.set_num_threads(threads)
        self.weights_sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        self._model = YOLO(str(weights), task="detect")
        self._device = "cuda:0" if torch.cuda.is_available() else "cpu"
        self._person = _person_class(self._model.names)
        self._max_image_px = max(MIN_IMAGE_PX, MAX_IMAGE_PX >> memory_failures)

    def detect_window(
        self, image: Image, window_xyxy: NDArray[np.float64], body_height_px: float
    ) -> Detections:
        cropped = base.crop(image, window_xyxy, NET_HEIGHT_PX / body_height_px)
        if cropped is None:
            return Detections.none()
        part, back = cropped
        found = self._run(part)
        found = Detections(base.restore(found.boxes_xyxy, back), found.scores)
        return base.drop_cut(found, window_xyxy, image.shape[1], image.shape[0])

    def detect_frame(self, image: Image, expected_heights_px: Sequence[float]) -> Detections:
        # One pass: these models cope with a range of sizes, so the smallest expected people decide the zoom.
        zoom = min(NET_HEIGHT_PX / min(expected_heights_px), self._max_image_px / max(image.shape[:2]))
        height, width = image.shape[:2]
        return self.detect_window(image, np.array([0.0, 0.0, width, height]), NET_HEIGHT_PX / zoom)

    def _run(self, image: Image) -> Detections:
        size = -(-max(image.shape[:2]) // 32) * 32
        answer: Any = self._model.predict(
            image,
            imgsz=size,
            conf=MIN_SCORE,
            iou=base.NMS_IOU,
            classes=[self._person],
            device=self._device,
            verbose=False,
        )[0].boxes
        return Detections(
            answer.xyxy.cpu().numpy().astype(np.float32).reshape(-1, 4),
            answer.conf.cpu().numpy().astype(np.float32),
        )


def _person_class(names: dict[int, str]) -> int:
    """The number of the class that means a person; fine-tuned football models call him a player."""
    for wanted in ("person", "player"):
        for number, name in names.items():
            if name.lower() == wanted:
                return number
    return 0
