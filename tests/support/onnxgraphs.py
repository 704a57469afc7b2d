"""Small graphs that find one red rectangle, and answer in each of the layouts that a manifest can name.

They stand for exported models: what is done to the picture before, and to the answer after, must be right for
the rectangle to be found where it is.
"""

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import compose, parser

from playerscore_worker.detectors.embedded import WEIGHTS
from playerscore_worker.frames import Image

SCORE: Final = 0.875
PERSON: Final = 1
"""The graphs know three classes; the rectangle is of the second."""

# Where the first channel is over the threshold: from the first to the last column and row. Nothing found is the
# whole picture with a score of 0.
_FIND: Final = """
  red, green, blue = Split <axis=1> (images)
  single = Cast <to=1> (red)
  over = Greater (single, threshold)
  lit = Cast <to=1> (over)
  columns = ReduceMax <axes=[2], keepdims=0> (lit)
  rows = ReduceMax <axes=[3], keepdims=0> (lit)
  left = ArgMax <axis=2, keepdims=0> (columns)
  top = ArgMax <axis=2, keepdims=0> (rows)
  last_column = ArgMax <axis=2, keepdims=0, select_last_index=1> (columns)
  last_row = ArgMax <axis=2, keepdims=0, select_last_index=1> (rows)
  right = Add (last_column, one)
  bottom = Add (last_row, one)
  places = Concat <axis=1> (left, top, right, bottom)
  corners = Cast <to=1> (places)
  middle_size = MatMul (corners, to_middle_size)
  any = ReduceMax <axes=[1, 2, 3], keepdims=0> (lit)
  score = Mul (any, sure)
  person = Reshape (score, one_one)
  size_hw = Shape <start=2, end=4> (images)
  size_h, size_w = Split <axis=0> (size_hw)
  sizes_whole = Concat <axis=0> (size_w, size_h, size_w, size_h)
  sizes = Cast <to=1> (sizes_whole)
"""
_CLASSES: Final = """
  classes = Concat <axis=1> (unlikely, person, unlikely)
"""
_HEADS: Final = {
    "yolo": f"""{_CLASSES}
  row = Concat <axis=1> (middle_size, classes)
  column = Unsqueeze (row, two)
  output0 = Pad (column, columns_after)
""",
    "yolo-nms": """
  row = Concat <axis=1> (corners, person, person_class)
  table = Unsqueeze (row, one)
  output0 = Pad (table, rows_after)
""",
    "yolov5": f"""{_CLASSES}
  row = Concat <axis=1> (middle_size, certain, classes)
  table = Unsqueeze (row, one)
  output0 = Pad (table, rows_after)
""",
    "yolox": f"""{_CLASSES}
  in_cells = Div (middle_size, eight)
  cx, cy, w, h = Split <axis=1> (in_cells)
  log_w = Log (w)
  log_h = Log (h)
  row = Concat <axis=1> (cx, cy, log_w, log_h, certain, classes)
  table = Unsqueeze (row, one)
  output0 = Pad (table, rows_after)
""",
    "detr": f"""{_CLASSES}
  shares = Div (middle_size, sizes)
  dets = Unsqueeze (shares, one)
  inverse = Sub (one_float, classes)
  odds = Div (classes, inverse)
  floored = Max (odds, tiny)
  logit = Log (floored)
  labels = Unsqueeze (logit, one)
""",
    "detr-deploy": """
  asked = Concat <axis=1> (orig_target_sizes, orig_target_sizes)
  asked_float = Cast <to=1> (asked)
  shares = Div (corners, sizes)
  placed = Mul (shares, asked_float)
  boxes = Unsqueeze (placed, one)
  scores = Identity (person)
  labels = Cast <to=7> (person_class)
""",
}
_OUTPUTS: Final = {
    "detr": "float[1, q, 4] dets, float[1, q, k] labels",
    "detr-deploy": "int64[1, q] labels, float[1, q, 4] boxes, float[1, q] scores",
}


def graph(
    layout: str,
    *,
    size_wh: tuple[int, int] | None = None,
    threshold: float = 0.5,
    boxes: int = 40,
    of: str = "float",
) -> onnx.ModelProto:
    """The finder that answers in that layout; `boxes` is how many, most of them empty, a dense one has."""
    size = f"{size_wh[1]}, {size_wh[0]}" if size_wh else "h, w"
    asked = ", int64[1, 2] orig_target_sizes" if layout == "detr-deploy" else ""
    outputs = _OUTPUTS.get(layout, "float[a, b, c] output0")
    constants = f"""
      float[1] threshold = {{{threshold}}}, int64[1] one = {{1}}, int64[1] two = {{2}},
      float[1] one_float = {{1}}, float[1] eight = {{8}}, float[1] sure = {{{SCORE}}}, float[1] tiny = {{0.001}},
      int64[2] one_one = {{1, 1}}, float[1, 1] unlikely = {{0.03125}}, float[1, 1] certain = {{1}},
      float[1, 1] person_class = {{{PERSON}}},
      int64[6] columns_after = {{0, 0, 0, 0, 0, {boxes - 1}}}, int64[6] rows_after = {{0, 0, 0, 0, {boxes - 1}, 0}},
      float[4, 4] to_middle_size = {{0.5, 0, -1, 0,  0, 0.5, 0, -1,  0.5, 0, 1, 0,  0, 0.5, 0, 1}}
    """
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> finder ({of}[1, 3, {size}] images{asked}) => ({outputs})'
        f"<{constants}> {{{_FIND}{_HEADS[layout]}}}"
    )
    onnx.checker.check_model(model)
    return model


def embedded_as_yolox() -> onnx.ModelProto:
    """The embedded network, answering as YOLOX does: one grid of stride 4, sizes as logarithms, undecoded."""
    network = onnx.load(WEIGHTS)
    answer = network.graph.output[0].name
    head = parser.parse_model(f"""
      <ir_version: {network.ir_version}, opset_import: ["" : {network.opset_import[0].version}]>
      head (float[1, 5, h, w] planes) => (float[1, n, 6] output0)
      <int64[3] flat = {{1, 5, -1}}, float[1] half = {{0.5}}, float[1] tiny = {{0.001}},
       float[1, 1, 2] size_units = {{4, 10}}, int64[3] lengths = {{1, 2, 2}}> {{
        cells = Reshape (planes, flat)
        rows = Transpose <perm=[0, 2, 1]> (cells)
        score, offset, size = Split <axis=2> (rows, lengths)
        middle = Add (offset, half)
        units = Mul (size, size_units)
        positive = Max (units, tiny)
        logarithm = Log (positive)
        none = Sub (score, score)
        certain = Exp (none)
        output0 = Concat <axis=2> (middle, logarithm, certain, score)
      }}""")
    return compose.merge_models(network, head, io_map=[(answer, "planes")])


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    """The file of a graph."""
    path = folder / "weights.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def picture(box_xyxy: tuple[int, int, int, int], size_wh: tuple[int, int] = (960, 540)) -> Image:
    """A BGR picture with a red rectangle on black."""
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    left, top, right, bottom = box_xyxy
    image[top:bottom, left:right, 2] = 255
    return image
