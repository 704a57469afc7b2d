"""The files of a player in metres: every figure, his places for analysts' programs, and pictures on a drawn pitch.

matplotlib draws, as it does the radar; mplsoccer would bring pandas and seaborn for a pitch that `lines.model` knows.
"""

import json
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from playerscore import football
from playerscore.football import Metrics
from playerscore_worker.artifacts import blank_figure, pixels
from playerscore_worker.frames import Image
from playerscore_worker.pitch import lines, metrics
from playerscore_worker.pitch.measuring import Measured
from playerscore_worker.pitch.view import Floats

HEIGHT_PX: Final = 540
RUN_KMH: Final = 20.0
CELL_M: Final = 1.0
BLUR_M: Final = 2.0
ZONE_NAMES: Final = ("0-7", "7-15", "15-20", "20-25", "25+")


def write(found: Measured, folder: Path) -> list[Path]:
    """Write metrics.json, metres.csv, positions.csv, positions-away.csv and football.png; none without figures."""
    if found.metrics is None:
        return []
    texts = {
        "metrics.json": json.dumps(metrics.report(found.metrics, found.places, found.track.checks), indent=1),
        "metres.csv": metres_csv(found),
        "positions.csv": tracking_csv(found, player=True),
        "positions-away.csv": tracking_csv(found, player=False),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    cv2.imwrite(str(folder / "football.png"), sheet(found, found.metrics))
    return [*(folder / name for name in texts), folder / "football.png"]


def metres_csv(found: Measured) -> str:
    """Time, place, told error and speed of every sample that has a place; metres from the drawn top left corner."""
    here = found.places
    rows = ["time_sec,x_m,y_m,error_m,speed_kmh,acceleration_mps2\n"]
    for i in np.flatnonzero(here.calibrated):
        (x, y), speed = here.metres[i], here.speed[i] * metrics.KMH
        rows.append(
            f"{here.times[i]:.3f},{x:.2f},{y:.2f},{here.error[i]:.2f},{speed:.2f},{here.acceleration[i]:.2f}\n"
        )
    return "".join(rows)


def tracking_csv(found: Measured, *, player: bool) -> str:
    """Raw tracking data as Metrica Sports writes it, one file for each team, which kloppy and others read.

    Coordinates are 0..1 of the pitch from the top left corner. He is player 1 of the home team; away has nobody.
    """
    here, size = found.places, (found.marks.length, found.marks.width)
    team, own = ("Home", ["Player1", ""]) if player else ("Away", [])
    blank = [""] * len(own)
    head = [
        ",".join(["", "", "", team, *blank[1:], "", ""]),
        ",".join(["", "", "", *(["1", ""] if player else []), "", ""]),
        ",".join(["Period", "Frame", "Time [s]", *own, "Ball", ""]),
    ]
    rows = [line + "\n" for line in head]
    for number, at in enumerate(here.times, start=1):
        place = here.metres[number - 1] / size
        told = [f"{v:.5f}" for v in place] if here.calibrated[number - 1] else ["NaN", "NaN"]
        rows.append(f"1,{number},{at:.2f},{','.join([*(told if player else []), 'NaN', 'NaN'])}\n")
    return "".join(rows)


def heatmap(found: Measured | None) -> Image | None:
    """Where he was, on a drawn pitch, with his mean place, (540, width, 3) BGR; None without figures."""
    if found is None or found.metrics is None:
        return None
    figure = blank_figure(7.6, HEIGHT_PX / 100)
    _heat(figure.add_axes((0.03, 0.03, 0.94, 0.86)), found, found.metrics)
    return pixels(figure)


def sheet(found: Measured, figures: Metrics) -> Image:
    """Heatmap, fast runs, speed over time and zones in one picture, (900, 1500, 3) BGR."""
    figure = blank_figure(15, 9)
    _heat(figure.add_axes((0.02, 0.5, 0.46, 0.44)), found, figures)
    _runs(figure, figure.add_axes((0.52, 0.5, 0.42, 0.44)), found)
    _speed(figure.add_axes((0.05, 0.07, 0.56, 0.34)), found)
    _zones(figure.add_axes((0.68, 0.07, 0.29, 0.34)), figures)
    return pixels(figure)


def _pitch(axes: Any, found: Measured, colour: str) -> None:
    marks = found.marks
    half = np.array([marks.length, marks.width]) / 2
    points = lines.model(marks).points * [1.0, -1.0] + half
    axes.scatter(*points.T, s=1.2, color=colour, linewidths=0, zorder=3)
    axes.set(xlim=(-3, marks.length + 3), ylim=(marks.width + 3, -3), aspect="equal")
    axes.axis("off")


def _heat(axes: Any, found: Measured, figures: Metrics) -> None:
    marks, here = found.marks, found.places
    cells = [round(marks.width / CELL_M), round(marks.length / CELL_M)]
    x, y = here.metres[here.calibrated].T
    counted, _, _ = np.histogram2d(y, x, bins=cells, range=[[0, marks.width], [0, marks.length]])
    seconds = gaussian_filter(counted * here.interval, BLUR_M / CELL_M)
    axes.imshow(seconds, cmap="YlOrRd", extent=(0, marks.length, marks.width, 0), interpolation="bilinear")
    _pitch(axes, found, "#444444")
    axes.plot(figures.average_x_m, figures.average_y_m, "o", ms=9, mfc="#1464c8", mec="white", zorder=4)
    axes.set_title(
        f"{figures.calibrated_min:.1f} of {figures.seen_min:.1f} min seen, "
        f"{figures.distance_m:.0f} m; dot: mean place",
        fontsize=10,
    )


def _runs(figure: Figure, axes: Any, found: Measured) -> None:
    here = found.places
    kmh = here.speed * metrics.KMH
    _pitch(axes, found, "#999999")
    parts, colours = _fast_parts(here.metres, kmh, metrics.runs(here, kmh > RUN_KMH, 0.4))
    drawn = LineCollection(parts, array=colours, cmap="plasma", linewidths=3, zorder=4)
    drawn.set_clim(RUN_KMH, football.TOP_SPEED_GATE_KMH)
    axes.add_collection(drawn)
    axes.set_title(f"runs above {RUN_KMH:g} km/h", fontsize=10)
    figure.colorbar(drawn, ax=axes, fraction=0.03, label="km/h")


def _fast_parts(places: Floats, kmh: Floats, runs: list[slice]) -> tuple[list[Floats], Floats]:
    parts, colours = [], []
    for run in runs:
        here = places[run]
        parts += list(np.stack([here[:-1], here[1:]], axis=1))
        colours += kmh[run][:-1].tolist()
    return parts, np.array(colours)


def _speed(axes: Any, found: Measured) -> None:
    here = found.places
    shown = np.where(here.calibrated, here.speed * metrics.KMH, np.nan)
    breaks = np.flatnonzero(np.diff(here.stretch) != 0) + 1
    times, shown = np.insert(here.times, breaks, np.nan), np.insert(shown, breaks, np.nan)
    for limit in football.ZONES_KMH[1:]:
        axes.axhline(limit, color="#dddddd", lw=1)
    axes.plot(times, shown, color="#14783c", lw=1.2)
    axes.set(xlim=(here.times[0], here.times[-1] + here.interval), xlabel="s", ylabel="km/h")
    axes.set_ylim(0, max(28.0, float(np.nanmax(shown)) + 1))
    axes.set_title("speed; empty where there is no metre", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def _zones(axes: Any, figures: Metrics) -> None:
    bars = axes.bar(ZONE_NAMES, figures.zone_distances_m, color="#14783c")
    axes.bar_label(bars, fmt="%.0f m", fontsize=9)
    axes.set_title("distance by speed, km/h", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
