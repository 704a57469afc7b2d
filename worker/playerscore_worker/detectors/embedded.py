"""The detector that needs no download: our own small network, through onnxruntime.

It was trained on rendered people of 12 to 90 pixels and is at its best at 40, so every window is resized
until people are about that high. The graph takes RGB float32 0..255, (1, 3, h, w) with h and w multiples of
16, and answers on a grid of stride 4 with five planes: score, offset x and y in cells, width / 16 px,
height / 40 px.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from playerscore_worker.detectors import base
from playerscore_worker.detectors.base import Detections
from playerscore_worker.frames import Image

WEIGHTS: Final = Path(__file__).with_name("embedded.onnx")
NET_HEIGHT_PX: Final = 40.0
STRIDE: Final = 4
SIZE_UNITS_PX: Final = np.array([16.0, 40.0], np.float32)
# Below this the network is guessing; the follower weighs the rest by their scores.
MIN_SCORE: Final = 0.15
# At one scale of a full frame, boxes outside this range at the network's scale belong to another scale.
TRUSTED_NET_PX: Final = (20.0, 72.0)


class EmbeddedDetector:
    """The network as a `Detector`."""

    name = "embedded"

    def __init__(self, weights: Path | None, threads: int) -> None:
        content = (weights or WEIGHTS).read_bytes()
        self.weights_sha256 = hashlib.sha256(content).hexdigest()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Spinning threads would take the cores that decode and follow.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def detect_window(
        self, image: Image, window_xyxy: NDArray[np.float64], body_height_px: float
    ) -> Detections:
        cropped = base.crop(image, window_xyxy, NET_HEIGHT_PX / body_height_px)
        if cropped is None:
            return Detections.none()
        part, back = cropped
        found = self._run(part)
        found = Detections(base.restore(found.boxes_xyxy, back), found.scores)
        return base.drop_cut(Detections.merge([found]), window_xyxy, image.shape[1], image.shape[0])

    def detect_frame(self, image: Image, expected_heights_px: Sequence[float]) -> Detections:
        height, width = image.shape[:2]
        whole = np.array([0.0, 0.0, width, height])
        parts = []
        for expected in expected_heights_px:
            found = self.detect_window(image, whole, expected)
            net_px = (found.boxes_xyxy[:, 3] - found.boxes_xyxy[:, 1]) * (NET_HEIGHT_PX / expected)
            parts.append(found.pick((net_px > TRUSTED_NET_PX[0]) & (net_px < TRUSTED_NET_PX[1])))
        return base.drop_other_scales(Detections.merge(parts))

    def _run(self, image: Image) -> Detections:
        height, width = image.shape[:2]
        padded = cv2.copyMakeBorder(image, 0, -height % 16, 0, -width % 16, cv2.BORDER_REPLICATE)
        planar = np.ascontiguousarray(padded[:, :, ::-1].transpose(2, 0, 1)[None], np.float32)
        answer = self._session.run(None, {self._input: planar})[0][0]
        rows, columns = np.nonzero(answer[0] > MIN_SCORE)
        score, *shape = answer[:, rows, columns]
        offset_x, offset_y, width_units, height_units = shape
        middle = np.stack([columns + 0.5 + offset_x, rows + 0.5 + offset_y], 1) * STRIDE
        half = np.stack([width_units, height_units], 1) * SIZE_UNITS_PX / 2
        boxes = np.concatenate([middle - half, middle + half], 1).astype(np.float32)
        return Detections(boxes, score.astype(np.float32))
