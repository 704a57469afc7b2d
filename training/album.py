"""Rendered windows kept on disk, so that runs of several seeds share one rendering of them.

    python training/album.py out/album --usual 2750 --hard 2250

An album is a folder of shards, ``KIND-NUMBER.npz``; a shard that is there is not drawn again, so an
interrupted rendering goes on where it stopped, and several processes may share one (``--part 0/2``).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pictures import MOST_BOXES

from playerscore_clips.windows import HARDSHIPS, render_window

SHARD = 250
SIZE_PX = 256
FIRST_PICTURE = {"usual": 50_000_000, "hard": 60_000_000}
"""The window of number i is drawn with this plus i; ``train.py`` and the evaluations use lower seeds."""

Pictures = npt.NDArray[np.uint8]
"""(n, 256, 256, 3) BGR."""
Boxes = npt.NDArray[np.float32]
"""(n, 24, 5): centre, size and flag, in pixels; rows of zeros are no box."""


def draw(kind: str, number: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return window ``number`` of a kind, (256, 256, 3), and its boxes (24, 5); hardships take turns."""
    hardship = HARDSHIPS[number % len(HARDSHIPS)] if kind == "hard" else None
    picture, found = render_window(FIRST_PICTURE[kind] + number, SIZE_PX, hardship=hardship)
    boxes = np.zeros((MOST_BOXES, 5), np.float32)
    boxes[: len(found)] = found[:MOST_BOXES]
    return picture, boxes


def fill(folder: Path, kind: str, count: int, part: int = 0, parts: int = 1) -> None:
    """Draw the shards of a kind that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(part, -(-count // SHARD), parts):
        path = folder / f"{kind}-{shard:03d}.npz"
        if not path.exists():
            drawn = [draw(kind, shard * SHARD + i) for i in range(SHARD)]
            half_done = path.with_suffix(".part.npz")
            np.savez(half_done, pictures=np.stack([d[0] for d in drawn]), boxes=np.stack([d[1] for d in drawn]))  # fmt: skip
            half_done.rename(path)


def load(folder: Path, kind: str) -> tuple[Pictures, Boxes]:
    """Return all windows of a kind."""
    shards = [np.load(path) for path in _shards(folder, kind)]
    return np.concatenate([s["pictures"] for s in shards]), np.concatenate([s["boxes"] for s in shards])


def oftener(count: int, factors: dict[str, float]) -> npt.NDArray[np.float64]:
    """Return a chance (n,) for each of the first hard windows, larger for some hardships; they add up to 1."""
    weights = np.array([factors.get(HARDSHIPS[number % len(HARDSHIPS)], 1.0) for number in range(count)])
    return weights / weights.sum()


def _shards(folder: Path, kind: str) -> Iterator[Path]:
    return iter(sorted(folder.glob(f"{kind}-[0-9][0-9][0-9].npz")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--usual", type=int, default=2750)
    parser.add_argument("--hard", type=int, default=2250)
    parser.add_argument(
        "--part", default="0/1", help="which share of the shards to draw (default %(default)s)"
    )
    arguments = parser.parse_args()
    part, parts = map(int, arguments.part.split("/"))
    for kind in ("hard", "usual"):
        fill(arguments.folder, kind, getattr(arguments, kind), part, parts)


if __name__ == "__main__":
    main()
