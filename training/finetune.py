"""Go on from the shipped weights, on usual and hard windows of an album, by steps, repeatable by its seed.

    python training/album.py out/album
    python training/finetune.py out/album --seed 1 --out out/finetuned/1

writes ``detector.pt`` (the averaged weights) and ``training.json`` (settings and progress).
"""

import argparse
import copy
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import album
import numpy as np
import numpy.typing as npt
import torch
from export import shipped
from loss import Losses
from torch import Tensor
from train import augmented, follow, learn, optimiser_for, set_rate

from playerscore_clips.windows import HARDSHIPS, IGNORE
from playerscore_worker.detectors.embedded import WEIGHTS

OFTENER = {"lying": 3.0}
"""How much oftener than others windows of a hardship are drawn from the album."""
LOG_EVERY = 50
KEPT_SHARE, FOUND_SHARE = 0.2, 0.6
"""Of a box that a crop cuts: below the first it is nobody, below the second not asked for."""


@dataclass(frozen=True)
class FinetuningSettings:
    steps: int = 1500
    batch: int = 12
    hard: int = 7
    """How many of a batch are of the hard kinds."""
    crop_px: int = 160
    seed: int = 1
    learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    warm_up_steps: int = 50
    average_decay: float = 0.99


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("album", type=Path)
    parser.add_argument("--begin", type=Path, default=WEIGHTS, help="the graph to go on from (as shipped)")
    parser.add_argument("--seed", type=int, default=FinetuningSettings.seed)
    parser.add_argument("--steps", type=int, default=FinetuningSettings.steps)
    parser.add_argument("--out", type=Path, default=Path("out/finetuned"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = FinetuningSettings(seed=arguments.seed, steps=arguments.steps)
    finetune(settings, arguments.begin, arguments.album, arguments.out)


def finetune(settings: FinetuningSettings, begin: Path, folder: Path, out: Path) -> None:
    """Run all steps and leave the averaged weights in ``out``."""
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    usual, hard = album.load(folder, "usual"), album.load(folder, "hard")
    model = shipped(begin).to(memory_format=torch.channels_last)
    model.stem.requires_grad_(False)  # edges and blots are learnt; a quarter of the time is saved
    average = copy.deepcopy(model).eval()
    optimiser = optimiser_for(model, settings.learning_rate, settings.weight_decay)
    log = _Log(settings, {"usual": len(usual[0]), "hard": len(hard[0])}, out / "training.json")
    for step in range(settings.steps):
        set_rate(optimiser, settings.learning_rate, step, settings.steps, settings.warm_up_steps)
        x, boxes = batch(usual, hard, settings, rng)
        log.note(step + 1, learn(model, optimiser, x, boxes, short=False))
        follow(average, model, min(settings.average_decay, (1 + step) / (10 + step)))
        if (step + 1) % 200 == 0:
            torch.save(average.state_dict(), out / "checkpoint.pt")
    torch.save(average.state_dict(), out / "detector.pt")


def batch(
    usual: tuple[album.Pictures, album.Boxes],
    hard: tuple[album.Pictures, album.Boxes],
    settings: FinetuningSettings,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Return normalised pictures (n, 3, c, c) and boxes (n, k, 5): crops of both kinds of window."""
    parts = []
    for (pictures, boxes), count in ((usual, settings.batch - settings.hard), (hard, settings.hard)):
        likely = album.oftener(len(pictures), OFTENER) if pictures is hard[0] else None
        chosen = rng.choice(len(pictures), count, p=likely)
        parts += [cropped(pictures[i], boxes[i], settings.crop_px, rng) for i in chosen]
    return augmented(np.stack([p for p, _ in parts]), np.stack([b for _, b in parts]), rng)


def cropped(
    picture: npt.NDArray[np.uint8], boxes: npt.NDArray[np.float32], side: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return a random square (side, side, 3) of a window, and the boxes (k, 5) as it shows them."""
    x, y = rng.integers(0, picture.shape[1] - side + 1, 2).tolist()
    half = boxes[:, 2:4] / 2
    low = np.clip(boxes[:, :2] - half - (x, y), 0, side)
    high = np.clip(boxes[:, :2] + half - (x, y), 0, side)
    left = np.prod(high - low, 1) / np.maximum(np.prod(boxes[:, 2:4], 1), 1e-6)
    flags = np.where(left < FOUND_SHARE, IGNORE, boxes[:, 4]) * (boxes[:, 4] > 0) * (left > KEPT_SHARE)
    cut = np.concatenate([(low + high) / 2, high - low, flags[:, None]], 1).astype(np.float32)
    return picture[y : y + side, x : x + side], np.where(flags[:, None] > 0, cut, 0).astype(np.float32)


class _Log:
    """Says how the steps go, on the screen and in a file."""

    def __init__(self, settings: FinetuningSettings, windows: dict[str, int], path: Path) -> None:
        self._record = {
            "settings": asdict(settings), "windows": windows, "hardships": HARDSHIPS, "torch": torch.__version__
        }  # fmt: skip
        self._path, self._began = path, time.monotonic()
        self._recent: list[list[float]] = []
        self._progress: list[dict[str, float]] = []

    def note(self, step: int, judged: Losses) -> None:
        values = (judged.heat_people, judged.heat_empty, judged.iou, judged.total)
        self._recent.append([float(value.detach()) for value in values])
        if step % LOG_EVERY == 0:
            mean = np.mean(self._recent, 0).round(4).tolist()
            self._recent.clear()
            names = ("people", "empty", "iou", "total")
            self._progress.append({"step": step, **dict(zip(names, mean, strict=True))})
            minutes = round((time.monotonic() - self._began) / 60, 1)
            print(f"{minutes} min: {json.dumps(self._progress[-1])}", flush=True)
            record = {**self._record, "minutes": minutes, "progress": self._progress}
            self._path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
