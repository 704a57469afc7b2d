"""Write trained weights as the ONNX file that the worker ships.

    python training/export.py out/training/detector.pt worker/playerscore_worker/detectors/embedded.onnx

Any height and width divisible by 16 may go in; the batch is one picture.
"""

import argparse
import hashlib
import logging
import warnings
from pathlib import Path

import torch
from network import Deployed, Detector

OPSET = 17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("onnx", type=Path)
    arguments = parser.parse_args()
    export(arguments.weights, arguments.onnx)
    print(f"{arguments.onnx}: sha256 {hashlib.sha256(arguments.onnx.read_bytes()).hexdigest()}")


def export(weights: Path, onnx: Path) -> None:
    detector = Detector()
    detector.load_state_dict(torch.load(weights, weights_only=True))
    deployed = Deployed(detector.eval()).eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # The tracing exporter needs no further package and gives the smaller graph.
        torch.onnx.export(
            deployed,
            (torch.zeros(1, 3, 320, 320),),
            str(onnx),
            opset_version=OPSET,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {2: "height", 3: "width"}, "y": {2: "rows", 3: "columns"}},
            dynamo=False,
        )


if __name__ == "__main__":
    main()
