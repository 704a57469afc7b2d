"""Train the embedded detector on rendered pictures alone, by steps, repeatable by its seed.

    python training/train.py --steps 6500 --seed 1 --out out/training

writes ``detector.pt`` (the averaged weights), ``training.json`` (settings and progress) and, every
``--save-every`` steps, a checkpoint of the weights that a look at the progress may be taken from.
"""

import argparse
import copy
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from loss import Losses, losses
from network import GREY, SPREAD, Detector
from pictures import PictureSupply, SupplySettings
from torch import Tensor

FIRST_PICTURE = 1_000_000
"""Windows of lower seeds are never trained on: tests and evaluations use those."""
WARM_UP_STEPS = 150
LOG_EVERY = 100


@dataclass(frozen=True)
class TrainingSettings:
    steps: int = 6500
    batch: int = 24
    seed: int = 1
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    average_decay: float = 0.9985
    renderers: int = 1
    save_every: int = 500


def main() -> None:
    arguments = _arguments()
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    names = ("steps", "batch", "seed", "renderers", "save_every")
    settings = TrainingSettings(**{name: getattr(arguments, name) for name in names})
    train(settings, out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, kind in (
        ("steps", int),
        ("batch", int),
        ("seed", int),
        ("renderers", int),
        ("save_every", int),
    ):
        default = getattr(TrainingSettings, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, default=default, help=f"default {default}"
        )
    parser.add_argument("--out", default="out/training")
    return parser.parse_args()


def train(settings: TrainingSettings, out: Path) -> None:
    """Run all steps and leave the averaged weights in ``out``."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    model = Detector().to(memory_format=torch.channels_last)
    average = copy.deepcopy(model).eval()
    optimiser = optimiser_for(model, settings.learning_rate, settings.weight_decay)
    supply = SupplySettings(FIRST_PICTURE * settings.seed, renderers=settings.renderers)
    log = _Log(settings, supply, out)
    with PictureSupply(supply) as pictures:
        for step in range(settings.steps):
            set_rate(optimiser, settings.learning_rate, step, settings.steps, WARM_UP_STEPS)
            x, boxes = augmented(*pictures.batch(step, settings.batch, rng), rng)
            judged = learn(model, optimiser, x, boxes)
            follow(average, model, min(settings.average_decay, (1 + step) / (10 + step)))
            log.note(step + 1, judged)
            if (step + 1) % settings.save_every == 0:
                torch.save(average.state_dict(), out / "checkpoint.pt")
    torch.save(average.state_dict(), out / "detector.pt")
    log.write(finished=True)


def optimiser_for(model: Detector, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return AdamW that does not shrink biases and normalisations."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, learning_rate)


def set_rate(
    optimiser: torch.optim.Optimizer, highest: float, step: int, steps: int, warm_up_steps: int
) -> None:
    """Warm up, then fall by half a cosine to a hundredth."""
    warm = min(1.0, (step + 1) / warm_up_steps)
    fall = 0.5 * (1 + math.cos(math.pi * step / steps)) * 0.99 + 0.01
    for group in optimiser.param_groups:
        group["lr"] = highest * warm * fall


def augmented(
    pictures: npt.NDArray[np.uint8], boxes: npt.NDArray[np.float32], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return normalised RGB pictures (n, 3, s, s) and boxes, mirrored, recoloured and greyed by chance."""
    count, size = len(pictures), pictures.shape[1]
    pixels = np.ascontiguousarray(pictures[..., ::-1].transpose(0, 3, 1, 2), np.float32)
    boxes = boxes.copy()
    mirrored = rng.random(count) < 0.5
    pixels[mirrored] = pixels[mirrored, :, :, ::-1]
    boxes[mirrored, :, 0] = np.where(boxes[mirrored, :, 4] > 0, size - boxes[mirrored, :, 0], 0)
    gain = rng.uniform(0.75, 1.25, (count, 1, 1, 1)) * rng.uniform(0.92, 1.08, (count, 3, 1, 1))
    pixels = pixels * gain.astype(np.float32) + rng.uniform(-20, 20, (count, 1, 1, 1)).astype(np.float32)
    grey = rng.random(count) < 0.08
    pixels[grey] = pixels[grey].mean(1, keepdims=True)
    x = (torch.from_numpy(pixels).clamp(0, 255) - GREY) / SPREAD
    return x.contiguous(memory_format=torch.channels_last), torch.from_numpy(boxes)


def learn(
    model: Detector, optimiser: torch.optim.Optimizer, x: Tensor, boxes: Tensor, short: bool = True
) -> Losses:
    """Take one step and return what was lost before it; ``short`` computes in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16, enabled=short):
        raw = model(x)
    judged = losses(raw, boxes)
    optimiser.zero_grad(set_to_none=True)
    judged.total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimiser.step()
    return judged


@torch.no_grad()
def follow(average: Detector, model: Detector, decay: float) -> None:
    """Move the averaged weights towards the present ones."""
    for kept, present in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(present, 1 - decay)
        else:
            kept.copy_(present)


class _Log:
    """Says how training goes, on the screen and in ``training.json``."""

    def __init__(self, settings: TrainingSettings, supply: SupplySettings, out: Path) -> None:
        self._settings, self._supply, self._path = settings, supply, out / "training.json"
        self._began, self._recent = time.monotonic(), [np.zeros(4)]
        self._recent.clear()
        self._progress: list[dict[str, float]] = []

    def note(self, step: int, judged: Losses) -> None:
        values = (judged.heat_people, judged.heat_empty, judged.iou, judged.total)
        self._recent.append(np.array([float(value.detach()) for value in values]))
        if step % LOG_EVERY == 0 or step == self._settings.steps:
            self._report(step)

    def _report(self, step: int) -> None:
        people, empty, iou, total = np.mean(self._recent, 0).round(4).tolist()
        self._recent.clear()
        minutes = (time.monotonic() - self._began) / 60
        row = {"step": step, "people": people, "empty": empty, "iou": iou, "total": total}
        self._progress.append(row)
        left = minutes / step * (self._settings.steps - step)
        load = os.getloadavg()[0]
        print(f"{minutes:6.1f} min, {left:5.1f} left, load {load:.1f}: {json.dumps(row)}", flush=True)
        self.write(finished=False)

    def write(self, finished: bool) -> None:
        record = {
            "finished": finished,
            "settings": asdict(self._settings),
            "pictures": {**asdict(self._supply), "drawn": self._supply.available(self._settings.steps - 1)},
            "minutes": round((time.monotonic() - self._began) / 60, 1),
            "torch": torch.__version__,
            "progress": self._progress,
        }
        self._path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
