"""The detector of one's own weights: any exported graph that a manifest describes, through onnxruntime.

The way to strong weights without code under the AGPL: YOLOX, RT-DETR, D-FINE, RF-DETR and others export to
ONNX, and all that differs between them is told by the manifest. A graph of a fixed size looks at a larger
picture tile by tile, so that people are as high as the model wants them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from playerscore.errors import WorkerError
from playerscore.resources import Onnx, OnnxInput
from playerscore_worker.boxes import suppress
from playerscore_worker.detectors import base, layouts
from playerscore_worker.detectors.base import Detections
from playerscore_worker.detectors.layouts import misfit
from playerscore_worker.frames import Image

# The longest side at which a whole frame is looked at, as for the ultralytics detector.
MAX_IMAGE_PX: Final = 1920
MIN_IMAGE_PX: Final = 480
# A window this much larger than the input is shrunk; a larger one is tiled.
SHRINK: Final = 1.25
# Tiles share so many body heights: whoever is up to that much taller than expected is whole in one of them.
OVERLAP_H: Final = 2.0
# The side of the grey picture on which a graph of any size is tried.
TRIAL_PX: Final = 320

INPUT_TYPES: Final[dict[str, type]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
SIZE_TYPES: Final[dict[str, type]] = INPUT_TYPES | {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
UNFIT: Final = (errors.Fail, errors.InvalidArgument, errors.RuntimeException)
UNREADABLE: Final = (*UNFIT, errors.InvalidGraph, errors.InvalidProtobuf, errors.NotImplemented)


@dataclass(frozen=True)
class Fit:
    """Where a window's pixels stand in the graph's input; all in pixels, width first."""

    content: tuple[int, int]
    """The size to which the window is resized."""
    canvas: tuple[int, int]
    """The size of the input."""
    offset: tuple[int, int]
    """Where in the input the window's top left corner stands."""


def fit(width: int, height: int, zoom: float, told: OnnxInput, fixed: tuple[int, int] | None) -> Fit:
    """How a window of that size is put into the input, as near to that zoom as the input allows."""
    longer = max(width, height)
    if fixed is None:
        # The longer side fills whole strides: padding is work for nothing.
        zoom = _whole(longer * zoom, told.stride) / longer
    elif told.fit != "stretch":
        zoom = min(zoom, fixed[0] / width, fixed[1] / height)
    content = (max(16, round(width * zoom)), max(16, round(height * zoom)))
    canvas = fixed or (_whole(content[0], told.stride), _whole(content[1], told.stride))
    if told.fit == "stretch":
        return Fit(canvas, canvas, (0, 0))
    if told.fit == "corner":
        return Fit(content, canvas, (0, 0))
    return Fit(content, canvas, ((canvas[0] - content[0]) // 2, (canvas[1] - content[1]) // 2))


def _whole(length: float, stride: int) -> int:
    """The length, made a multiple of the stride."""
    return int(np.ceil(length / stride - 1e-9)) * stride


def prepare(window: Image, chosen: Fit, told: OnnxInput) -> NDArray[np.float32]:
    """The graph's input, (1, 3, height, width) float32, of a window's BGR pixels."""
    width, height = chosen.content
    left, top = chosen.offset
    shrinks = width < window.shape[1]
    resized = cv2.resize(
        window, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    canvas = np.full((chosen.canvas[1], chosen.canvas[0], 3), told.pad, np.uint8)
    canvas[top : top + height, left : left + width] = resized
    ordered = canvas[:, :, ::-1] if told.channels == "RGB" else canvas
    std = np.array(told.std, np.float32)
    factor, shift = told.scale / 255 / std, -np.array(told.mean, np.float32) / std
    planes = ordered.transpose(2, 0, 1).astype(np.float32)
    return np.asarray(planes * factor[:, None, None] + shift[:, None, None], np.float32)[None]


def restore(chosen: Fit, back: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """The map from the input to the picture, (scale x, scale y, left, top), of a window of that size."""
    scale = np.array([width / chosen.content[0], height / chosen.content[1]], np.float32)
    return np.concatenate([scale, back[2:] - np.array(chosen.offset) * scale]).astype(np.float32)


def tiles(
    window_xyxy: NDArray[np.float64], reach_wh: tuple[float, float], overlap: float
) -> list[NDArray[np.float64]]:
    """Windows of at most that reach that together cover the window, each sharing `overlap` with the next."""
    columns = _spans(window_xyxy[0], window_xyxy[2], reach_wh[0], overlap)
    rows = _spans(window_xyxy[1], window_xyxy[3], reach_wh[1], overlap)
    return [np.array([left, top, right, bottom]) for top, bottom in rows for left, right in columns]


def _spans(low: float, high: float, reach: float, overlap: float) -> list[tuple[float, float]]:
    length = high - low
    if length <= SHRINK * reach:
        return [(low, high)]
    overlap = min(overlap, reach / 2)
    count = int(np.ceil((length - overlap) / (reach - overlap)))
    return [(float(start), float(start) + reach) for start in np.linspace(low, high - reach, count)]


class OnnxDetector:
    """A described graph as a `Detector`. Raises WorkerError where graph and description do not fit."""

    name = "onnx"

    def __init__(self, weights: Path, manifest: Onnx, threads: int, memory_failures: int = 0) -> None:
        content = weights.read_bytes()
        self.weights_sha256 = hashlib.sha256(content).hexdigest()
        self._manifest = manifest
        self._session = _session(content, threads)
        self._picture, self._size = _inputs(self._session, manifest)
        self._fixed = _fixed_size(self._picture.shape, manifest.input)
        self._max_image_px = max(MIN_IMAGE_PX, MAX_IMAGE_PX >> memory_failures)
        self._try()

    def detect_window(
        self, image: Image, window_xyxy: NDArray[np.float64], body_height_px: float
    ) -> Detections:
        return self._look(
            image, window_xyxy, self._manifest.person_height_px / body_height_px, body_height_px
        )

    def detect_frame(self, image: Image, expected_heights_px: Sequence[float]) -> Detections:
        # Such models cope with a range of sizes, so one look suffices: at the smallest expected people.
        height, width = image.shape[:2]
        wanted = self._manifest.person_height_px / min(expected_heights_px)
        zoom = min(wanted, self._max_image_px / max(height, width))
        return self._look(image, np.array([0.0, 0.0, width, height]), zoom, max(expected_heights_px))

    def _look(
        self, image: Image, window_xyxy: NDArray[np.float64], zoom: float, tallest_px: float
    ) -> Detections:
        if self._fixed is None:
            return self._look_once(image, window_xyxy, zoom)
        height, width = image.shape[:2]
        inside = np.clip(window_xyxy, 0, (width, height, width, height))
        reach = self._fixed[0] / zoom, self._fixed[1] / zoom
        parts = [self._look_once(image, tile, zoom) for tile in tiles(inside, reach, OVERLAP_H * tallest_px)]
        return parts[0] if len(parts) == 1 else Detections.merge(parts)

    def _look_once(self, image: Image, window_xyxy: NDArray[np.float64], zoom: float) -> Detections:
        cropped = base.crop(image, window_xyxy, 1.0)
        if cropped is None:
            return Detections.none()
        part, back = cropped
        height, width = part.shape[:2]
        chosen = fit(width, height, zoom, self._manifest.input, self._fixed)
        found = self._run(part, chosen)
        kept = suppress(found.boxes_xyxy, found.scores, self._manifest.nms_iou)
        placed = base.restore(found.boxes_xyxy[kept], restore(chosen, back, width, height))
        return base.drop_cut(
            Detections(placed, found.scores[kept]), window_xyxy, image.shape[1], image.shape[0]
        )

    def _run(self, window: Image, chosen: Fit) -> Detections:
        picture = prepare(window, chosen, self._manifest.input)
        feed: dict[str, NDArray[Any]] = {
            self._picture.name: np.asarray(picture, INPUT_TYPES[self._picture.type])
        }
        if self._size is not None:
            # Asked for the input's own size, the graph answers in pixels of the input, as all others do.
            feed[self._size.name] = np.array([chosen.canvas], SIZE_TYPES[self._size.type])
        names = [output.name for output in self._session.get_outputs()]
        answers = dict(zip(names, self._session.run(names, feed), strict=True))
        return layouts.read(answers, self._manifest, chosen.canvas)

    def _try(self) -> None:
        """A wrong manifest is better refused now than after the video was fetched and read."""
        side = _whole(TRIAL_PX, self._manifest.input.stride)
        size = self._fixed or (side, side)
        try:
            self._run(np.full((size[1], size[0], 3), 114, np.uint8), Fit(size, size, (0, 0)))
        except UNFIT as error:
            _unless_memory(error)
            text = f"the graph does not take a picture of {size[0]}x{size[1]} px: {error}"
            raise misfit("input", text) from error


def _session(content: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Spinning threads would take the cores that decode and follow.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Exporters leave much behind that onnxruntime warns of, and that nobody here can change.
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except UNREADABLE as error:
        _unless_memory(error)
        text = f"spec.detector.weights: onnxruntime cannot read the file: {error}"
        raise WorkerError("WORKER_FAILED", text) from error


def _unless_memory(error: Exception) -> None:
    """Raises it again where the machine, not the file, is at fault: that has an exit code of its own."""
    if "allocate" in str(error):
        raise error


def _inputs(session: Any, manifest: Onnx) -> tuple[Any, Any | None]:
    """The graph's input for the picture, and the one for a size where the layout has one."""
    inputs = session.get_inputs()
    pictures = [item for item in inputs if len(item.shape) == 4]
    if len(pictures) != 1 or pictures[0].shape[1] != 3 or pictures[0].type not in INPUT_TYPES:
        given = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
        raise misfit("input", f"one picture (1, 3, height, width) of floats is fed; the graph takes {given}")
    sizes = [item for item in inputs if len(item.shape) != 4]
    if len(sizes) != (manifest.layout == "detr-deploy") or any(item.type not in SIZE_TYPES for item in sizes):
        given = ", ".join(item.name for item in sizes) or "none"
        wanted = "one input for a size" if manifest.layout == "detr-deploy" else "no input but the picture"
        raise misfit("layout", f"{manifest.layout!r} has {wanted}; the graph has {given}")
    return pictures[0], sizes[0] if sizes else None


def _fixed_size(shape: Sequence[Any], told: OnnxInput) -> tuple[int, int] | None:
    """The input's fixed width and height, the graph's own or the manifest's; None where it takes any."""
    own = {"width": shape[3], "height": shape[2]}
    for side, graphs in own.items():
        manifests = getattr(told, side)
        if isinstance(graphs, int) and manifests not in (None, graphs):
            raise misfit(f"input.{side}", f"the graph takes {graphs} px and nothing else, not {manifests}")
    sides = [own[side] if isinstance(own[side], int) else getattr(told, side) for side in ("width", "height")]
    if sides == [None, None]:
        return None
    if None in sides:
        raise misfit("input", f"the graph fixes one side of {shape} alone; width and height must be told")
    return sides[0], sides[1]
