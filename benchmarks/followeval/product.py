"""Runs the product of some checkout on a clip, in one process with one thread: its load is nobody's business."""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from followeval import held

HERE: Final = Path(__file__).resolve().parent
ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Json = dict[str, Any]


@dataclass(frozen=True)
class Product:
    """A checkout with one of its detectors."""

    checkout: Path
    detector: str
    weights: Path | None
    cache: Path

    @property
    def python(self) -> Path:
        """The interpreter whose environment holds the worker and the detector."""
        if self.detector == "ultralytics":
            return self.cache / "venv-ultralytics" / "bin" / "python"
        return self.checkout / ".venv" / "bin" / "python"

    @property
    def runs_here(self) -> bool:
        """Whether its environment and its weights are there."""
        return self.python.exists() and (self.weights is None or self.weights.exists())

    def commit(self) -> str:
        """What is measured, marked where the tree differs from the commit."""
        command = [
            "git",
            "-C",
            str(self.checkout),
            "describe",
            "--always",
            "--dirty",
            "--abbrev=7",
            "--exclude=*",
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def answer(self, order: Json) -> Json:
        """What it says of a clip: followed paths, and the preview where it is asked for."""
        return self._ask({**order, "trackers": False})

    def held(self, order: Json) -> Json:
        """What the trackers give that hold an id; asked once as long as detector and clip are the same."""
        order = {**order, "trackers": True, "preview": False, "picks": []} | {"held": order["picks"]}
        file = self.cache / "following" / "held" / f"{self._held_digest(order)}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(self._ask(order)["held"]))
        told: Json = json.loads(file.read_text())
        return told

    def _held_digest(self, order: Json) -> str:
        detectors = sorted((self.checkout / "worker" / "playerscore_worker" / "detectors").iterdir())
        files: Sequence[Path] = [Path(order["video"]), Path(held.__file__), *detectors]
        if self.weights:
            files = [*files, self.weights]
        digest = hashlib.sha256(json.dumps([self.detector, order["held"]]).encode())
        for file in files:
            digest.update(file.read_bytes() if file.is_file() else b"")
        return digest.hexdigest()[:16]

    def _ask(self, order: Json) -> Json:
        weights = str(self.weights) if self.weights else None
        with tempfile.TemporaryDirectory() as folder:
            asked, told = Path(folder) / "order.json", Path(folder) / "answer.json"
            asked.write_text(json.dumps({**order, "detector": self.detector, "weights": weights}))
            environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(HERE.parent)}
            command = [str(self.python), "-m", "followeval.child", str(asked), str(told)]
            subprocess.run(command, check=True, env=environment)
            answer: Json = json.loads(told.read_text())
        return answer


def checked_out(repository: Path, ref: str, cache: Path) -> Path:
    """A checkout of another commit, with its environment."""
    named = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "--short", ref],
        check=True,
        capture_output=True,
        text=True,
    )
    folder = cache / "following" / "before" / named.stdout.strip()
    if not folder.exists():
        command = ["git", "-C", str(repository), "worktree", "add", "-q", "--detach", str(folder), ref]
        subprocess.run(command, check=True)
    subprocess.run(["make", "-s", "-C", str(folder), "setup"], check=True)
    return folder


def time_ratio(now: Product, before: Product, orders: Sequence[Json], rounds: int = 2) -> float:
    """Processor time of following the first pick of each order, of now against before, measured in turns.

    Of each pick the quickest round counts: whatever else runs only ever adds.
    """
    spent = {True: 0.0, False: 0.0}
    for order in orders:
        short = {**order, "picks": order["picks"][:1], "preview": False}
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(rounds):
            for is_now, product in ((False, before), (True, now)):
                times[is_now].append(product.answer(short)["picks"][0]["cpu_sec"])
        for is_now, measured in times.items():
            spent[is_now] += min(measured)
    return round(spent[True] / spent[False], 3)
