"""Write trained weights as the ONNX file that the worker ships, and read such a file again.

    python training/export.py out/training/detector.pt worker/playerscore_worker/detectors/embedded.onnx

Any height and width divisible by 16 may go in; the batch is one picture.
"""

import argparse
import hashlib
import logging
import warnings
from pathlib import Path

import onnx
import torch
from network import Deployed, Detector
from torch import nn

OPSET = 17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("onnx", type=Path)
    arguments = parser.parse_args()
    export(loaded(arguments.weights), arguments.onnx)
    print(f"{arguments.onnx}: sha256 {hashlib.sha256(arguments.onnx.read_bytes()).hexdigest()}")


def loaded(weights: Path) -> Detector:
    """Return the detector of a run, whether it began from nothing or from shipped weights."""
    state = torch.load(weights, weights_only=True)
    detector = Detector(folded="head.0.bias" in state)
    detector.load_state_dict(state)
    return detector


def shipped(path: Path) -> Detector:
    """Return the detector, folded, whose weights an exported graph holds; it answers the same."""
    graph = onnx.load(path).graph
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}
    stored = [node.input[1:] for node in graph.node if node.op_type == "Conv"]
    detector = Detector(folded=True)
    convolutions = [module for module in detector.modules() if isinstance(module, nn.Conv2d)]
    for convolution, (weight, bias) in zip(convolutions, stored, strict=True):
        convolution.load_state_dict(
            {"weight": torch.tensor(constants[weight]), "bias": torch.tensor(constants[bias])}
        )
    return detector


def export(detector: Detector, path: Path) -> None:
    deployed = Deployed(detector.eval()).eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # The tracing exporter needs no further package and gives the smaller graph.
        torch.onnx.export(
            deployed,
            (torch.zeros(1, 3, 320, 320),),
            str(path),
            opset_version=OPSET,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {2: "height", 3: "width"}, "y": {2: "rows", 3: "columns"}},
            dynamo=False,
        )


if __name__ == "__main__":
    main()
