"""A supply of rendered windows for training: drawn beside it, in a fixed order, kept in a ring.

What step k may draw from depends on k alone and not on how quick the renderer was, so a training run
can be repeated exactly. Every picture is used about ``batch / fresh_per_step`` times.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from playerscore_clips.windows import render_window

MOST_BOXES = 24


@dataclass(frozen=True)
class SupplySettings:
    seed: int
    """The window of number i is drawn with ``seed + i``."""
    size: int = 256
    kept: int = 6000
    start: int = 800
    fresh_per_step: int = 10
    renderers: int = 1

    @property
    def slots(self) -> int:
        """The ring has room for what is kept and for a lead of the renderers."""
        return self.kept + 1000

    def available(self, step: int) -> int:
        """Return how many windows exist, by order, for a step 0, 1, ..."""
        return self.start + step * self.fresh_per_step


class _Ring:
    """Shared arrays of pictures (slots, size, size, 3) and boxes (slots, MOST_BOXES, 5)."""

    def __init__(self, settings: SupplySettings, names: tuple[str, str] | None = None) -> None:
        shape = (settings.slots, settings.size, settings.size, 3)
        box_shape = (settings.slots, MOST_BOXES, 5)
        sizes = (int(np.prod(shape)), int(np.prod(box_shape)) * 4)
        if names is None:
            self.memory = [SharedMemory(create=True, size=size) for size in sizes]
        else:
            self.memory = [SharedMemory(name) for name in names]
        self.pictures: npt.NDArray[np.uint8] = np.ndarray(shape, np.uint8, self.memory[0].buf)
        self.boxes: npt.NDArray[np.float32] = np.ndarray(box_shape, np.float32, self.memory[1].buf)

    @property
    def names(self) -> tuple[str, str]:
        return self.memory[0].name, self.memory[1].name

    def put(self, number: int, picture: npt.NDArray[np.uint8], boxes: npt.NDArray[np.float32]) -> None:
        slot = number % len(self.pictures)
        self.pictures[slot] = picture
        self.boxes[slot] = 0
        self.boxes[slot, : len(boxes)] = boxes[:MOST_BOXES]


def _render(settings: SupplySettings, names: tuple[str, str], index: int, done: Any, wanted: Any, stop: Event) -> None:  # fmt: skip
    """Draw every ``renderers``-th window, never further ahead than the ring has room for."""
    ring = _Ring(settings, names)
    number = index
    while not stop.is_set():
        if number >= wanted.value + settings.slots - settings.kept:
            time.sleep(0.05)
            continue
        ring.put(number, *render_window(settings.seed + number, settings.size))
        number += settings.renderers
        done[index] = number


class PictureSupply:
    """Use as a context: the renderers run inside it."""

    def __init__(self, settings: SupplySettings) -> None:
        self.settings = settings
        self._context = get_context("spawn")
        self._ring = _Ring(settings)
        self._done = self._context.Array("q", range(settings.renderers), lock=False)
        self._wanted = self._context.Value("q", settings.start, lock=False)
        self._stop = self._context.Event()

    def __enter__(self) -> Self:
        common = (self.settings, self._ring.names)
        self._processes = [
            self._context.Process(
                target=_render, args=(*common, i, self._done, self._wanted, self._stop), daemon=True
            )
            for i in range(self.settings.renderers)
        ]
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._stop.set()
        for process in self._processes:
            process.join()
        for memory in self._ring.memory:
            memory.unlink()

    @property
    def rendered(self) -> int:
        return int(min(self._done))

    def batch(self, step: int, count: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:  # fmt: skip
        """Return pictures (count, size, size, 3) and boxes (count, MOST_BOXES, 5) for a step; waits for them."""
        upper = self.settings.available(step)
        self._wanted.value = upper
        self._wait_for(upper)
        numbers = rng.integers(max(0, upper - self.settings.kept), upper, count)
        return self._take(numbers % self.settings.slots)

    def _wait_for(self, count: int) -> None:
        while self.rendered < count:
            if not all(process.is_alive() for process in self._processes):
                raise RuntimeError("a renderer has stopped; its error is above")
            time.sleep(0.02)

    def _take(self, slots: Sequence[int] | npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:  # fmt: skip
        return self._ring.pictures[slots], self._ring.boxes[slots]
