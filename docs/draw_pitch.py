"""Writes docs/pitch.png: the landmarks of spec.pitch on a drawn pitch. Run it after a change of landmarks.py."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from playerscore.landmarks import MARKINGS, landmarks
from playerscore_worker.pitch import lines

HERE = Path(__file__).parent


def main() -> None:
    marks = MARKINGS["11-a-side"]
    figure = Figure(figsize=(12, 8.2), dpi=100)
    FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    points = lines.model(marks).points * [1, -1] + np.array([marks.length, marks.width]) / 2
    axes.scatter(*points.T, s=2, color="#8a8a8a", linewidths=0)
    for name, (x, y) in landmarks(marks).items():
        axes.plot(x, y, "o", ms=5, color="#14783c")
        if name.startswith("right-"):
            continue  # as on the left
        outside = name.endswith(("right-corner", "circle-left")) or ("goal-area" in name and x == 0)
        side, shift = ("right", -4) if outside else ("left", 4)
        axes.annotate(name, (x, y), (shift, 4), textcoords="offset points", fontsize=8, ha=side)
    axes.text(
        marks.length - 40, marks.width + 3.5, "right-… as left-…; the main camera is on this side", fontsize=9
    )
    axes.text(0, -3, "0, 0 m; x to the right, y down", fontsize=9)
    axes.set(xlim=(-16, marks.length + 6), ylim=(marks.width + 6, -6), aspect="equal")
    axes.axis("off")
    figure.savefig(HERE / "pitch.png")


if __name__ == "__main__":
    main()
