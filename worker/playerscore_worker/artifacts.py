"""Pictures and files for people: what was found, who was followed, and how he was rated.

supervision draws the boxes, matplotlib the radar; nothing here is needed for a result, so whoever calls it may
go on without an artifact that failed.
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import supervision
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from playerscore.decisions import DecisionLog
from playerscore.geometry import Box
from playerscore.rating import Rating
from playerscore_worker import boxes, clip
from playerscore_worker.follower import FollowedPath
from playerscore_worker.following.joint import State
from playerscore_worker.frames import Decoder, Image
from playerscore_worker.preview import PreviewTrack

RESULT_HEIGHT_PX: Final = 540
JPEG_QUALITY: Final = 88
HEAT_BLUR: Final = 1 / 40
"""Of the picture's width."""
HEAT_OPACITY: Final = 0.75
TIMELINE_COLOURS: Final = {"found": "#14783c", "guessed": "#f0b428", "lost": "#c8c8c8"}
WORDS: Final = {State.SUPPORTED: "found", State.COASTING: "guessed", State.LOST: "lost"}
TRACK_COLUMNS: Final = (
    *("frame", "time_sec", "state", "left_px", "top_px", "width_px", "height_px"),
    *("confidence", "certainty", "reason"),
)


def draw_tracks(image: Image, tracks: Sequence[PreviewTrack]) -> Image:
    """A copy of a preview frame with everyone's box and track id."""
    height, width = image.shape[:2]
    if not tracks:
        return image.copy()
    detections = supervision.Detections(
        xyxy=np.array([boxes.to_pixels(track.bbox, width, height) for track in tracks], np.float32),
        class_id=np.array([track.track_id for track in tracks]),
    )
    scale = supervision.calculate_optimal_text_scale((width, height))
    boxed = supervision.BoxAnnotator(thickness=1).annotate(image.copy(), detections)
    labels = supervision.LabelAnnotator(text_scale=scale * 0.8, text_padding=2)
    drawn = labels.annotate(boxed, detections, labels=[str(track.track_id) for track in tracks])
    return np.asarray(drawn, np.uint8)


def encode_jpeg(image: Image) -> bytes:
    """The picture as JPEG."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


def draw_radar(rating: Rating, size_px: int = RESULT_HEIGHT_PX) -> Image:
    """The radar and the score as a square picture, (size_px, size_px, 3) BGR."""
    figure = blank_figure(size_px / 100, size_px / 100)
    axes: Any = figure.add_axes((0.22, 0.12, 0.56, 0.56), projection="polar")
    values = rating.radar.model_dump()
    angles = np.linspace(0, 2 * np.pi, len(values), endpoint=False)
    closed = np.append(angles, angles[0])
    scores = np.append(list(values.values()), next(iter(values.values())))
    axes.set_theta_offset(np.pi / 2)
    axes.set_theta_direction(-1)
    axes.plot(closed, scores, color="#14783c", linewidth=2)
    axes.fill(closed, scores, color="#14783c", alpha=0.25)
    axes.set_ylim(0, 100)
    axes.set_yticks([25, 50, 75, 100], labels=["", "50", "", "100"], color="#888888", fontsize=7)
    labels = [f"{name.replace('_', ' ')}\n{value}" for name, value in values.items()]
    axes.set_xticks(angles, labels=labels, fontsize=9)
    axes.tick_params(axis="x", pad=14)
    figure.text(0.5, 0.93, f"{rating.overall_score}", ha="center", va="center", fontsize=26, weight="bold")
    figure.text(0.5, 0.865, "overall score of 100", ha="center", va="center", fontsize=9, color="#555555")
    return pixels(figure)


def blank_figure(width: float, height: float) -> Figure:
    """White, so many hundreds of pixels wide and high."""
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def pixels(figure: Figure) -> Image:
    """The drawn figure, (height, width, 3) BGR."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    decoded = cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(decoded, np.uint8)


def write_radar(rating: Rating, file: Path) -> Path:
    """Write the radar as PNG."""
    cv2.imwrite(str(file), draw_radar(rating))
    return file


def write_result(
    decoder: Decoder, path: FollowedPath, rating: Rating, file: Path, heatmap: Image | None = None
) -> Path:
    """Write the chosen player in his frame, beside the radar and the score, as PNG. Raises VideoError.

    A heatmap (`RESULT_HEIGHT_PX`, any width, 3) comes beside the radar.
    """
    image = clip.confirmed_frame(decoder, path)
    radar = draw_radar(rating)
    parts = [radar] if image is None else [_chosen(image, path.start.box_xywh), radar]
    parts += [] if heatmap is None else [heatmap]
    cv2.imwrite(str(file), np.concatenate(parts, axis=1))
    return file


def _chosen(image: Image, box: Box) -> Image:
    """The frame with the player's box, and an enlarged cut-out of him in the corner."""
    scale = RESULT_HEIGHT_PX / image.shape[0]
    picture = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    inset = _cut_out(image, box, height // 3)
    drawn = clip.mark(np.asarray(picture, np.uint8), box, State.SUPPORTED)
    left = width - inset.shape[1] if box.x + box.w / 2 < 0.5 else 0
    drawn[: inset.shape[0], left : left + inset.shape[1]] = inset
    cv2.rectangle(drawn, (left, 0), (left + inset.shape[1] - 1, inset.shape[0] - 1), (255, 255, 255), 2)
    return drawn


def _cut_out(image: Image, box: Box, size_px: int) -> Image:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = boxes.to_pixels(box, width, height)
    half = 0.75 * max(x2 - x1, y2 - y1)
    part = cv2.getRectSubPix(image, (max(4, round(2 * half)),) * 2, ((x1 + x2) / 2, (y1 + y2) / 2))
    return np.asarray(cv2.resize(part, (size_px, size_px), interpolation=cv2.INTER_CUBIC), np.uint8)


def write_log(log: DecisionLog, file: Path) -> Path:
    """Write the log of decisions as JSON."""
    file.write_text(log.model_dump_json(by_alias=True, exclude_none=True, indent=1))
    return file


def mot_lines(path: FollowedPath) -> str:
    """The path in MOT format: frame (from 1), id 1, left, top, width, height in pixels, confidence, -1, -1, -1.

    Frames are numbered by the video; a frame without a box has no line.
    """
    lines = []
    for sample in path.samples:
        if sample.box_xywh is not None:
            x1, y1, x2, y2 = boxes.to_pixels(sample.box_xywh, path.width, path.height)
            place = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
            lines.append(f"{sample.index + 1},1,{place},{sample.confidence:.3f},-1,-1,-1\n")
    return "".join(lines)


def write_mot(path: FollowedPath, file: Path) -> Path:
    """Write the path in MOT format."""
    file.write_text(mot_lines(path))
    return file


def write_csv(path: FollowedPath, file: Path) -> Path:
    """Write the path as a table with a row for each frame that was followed, also where he is lost.

    `frame` counts from 1 as in `track.txt`; places are in pixels of the upright picture.
    """
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(TRACK_COLUMNS)
        for sample in path.samples:
            place = [""] * 4
            if sample.box_xywh is not None:
                x1, y1, x2, y2 = boxes.to_pixels(sample.box_xywh, path.width, path.height)
                place = [f"{value:.2f}" for value in (x1, y1, x2 - x1, y2 - y1)]
            told = f"{sample.confidence:.3f}", f"{sample.certainty:.3f}", sample.reason or ""
            rows.writerow([sample.index + 1, f"{sample.time_sec:.3f}", WORDS[sample.state], *place, *told])
    return file


def write_heatmap(decoder: Decoder, path: FollowedPath, file: Path, width_px: int) -> Path:
    """Write where his feet were in the picture, over the confirmed frame in grey, as PNG. Raises VideoError.

    It is the picture's plane, not the pitch's: a camera that turns after him keeps him in its middle.
    """
    scale = min(1.0, width_px / path.width)
    image = clip.confirmed_frame(decoder, path, scale)
    if image is None:
        image = np.zeros((max(1, round(path.height * scale)), max(1, round(path.width * scale)), 3), np.uint8)
    height, width = image.shape[:2]
    heat = np.zeros((height, width), np.float32)
    for sample in path.samples:
        if sample.box_xywh is not None:
            x, y, w, h = sample.box_xywh
            column, row = int((x + w / 2) * width), int((y + h) * height)
            heat[min(height - 1, max(0, row)), min(width - 1, max(0, column))] += 1
    heat = np.asarray(cv2.GaussianBlur(heat, (0, 0), max(1.0, HEAT_BLUR * width)), np.float32)
    share = heat / max(float(heat.max()), 1e-9)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    colours = cv2.applyColorMap(np.rint(share * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    weight = HEAT_OPACITY * np.sqrt(share)[..., None]
    mixed = cv2.cvtColor(np.asarray(grey, np.uint8), cv2.COLOR_GRAY2BGR) * (1 - weight) + colours * weight
    cv2.imwrite(str(file), np.rint(mixed).astype(np.uint8))
    return file


def spans(path: FollowedPath) -> list[dict[str, Any]]:
    """When he was found, guessed or lost: {"begin_sec", "end_sec", "state", "reason"?} without gaps, in order."""
    made: list[dict[str, Any]] = []
    for sample in path.samples:
        told = {"state": WORDS[sample.state]} | ({"reason": sample.reason} if sample.reason else {})
        if made and {k: v for k, v in made[-1].items() if k not in {"begin_sec", "end_sec"}} == told:
            continue
        if made:
            made[-1]["end_sec"] = round(sample.time_sec, 3)
        made.append({"begin_sec": round(sample.time_sec, 3), "end_sec": 0.0, **told})
    if made:
        made[-1]["end_sec"] = round(path.samples[-1].time_sec + 1 / path.fps, 3)
    return made


def write_timeline(path: FollowedPath, pieces: Sequence[clip.Piece], folder: Path) -> list[Path]:
    """Write timeline.json (the spans, their shares of the time, and which part each piece of the clip shows) and
    timeline.png."""
    told = spans(path)
    lasting = {
        state: sum(s["end_sec"] - s["begin_sec"] for s in told if s["state"] == state)
        for state in TIMELINE_COLOURS
    }
    whole = sum(lasting.values()) or 1.0
    content = {
        "shares": {state: round(seconds / whole, 4) for state, seconds in lasting.items()},
        "spans": told,
        "clips": [
            {"name": p.file.name, "begin_sec": round(p.begin_sec, 3), "end_sec": round(p.end_sec, 3)}
            for p in pieces
        ],
    }
    file = folder / "timeline.json"
    file.write_text(json.dumps(content, indent=1) + "\n")
    picture = folder / "timeline.png"
    cv2.imwrite(str(picture), _draw_timeline(content, path.start.time_sec))
    return [file, picture]


def _draw_timeline(content: dict[str, Any], confirmed_sec: float) -> Image:
    """A bar in three colours over the time, (160, 960, 3) BGR."""
    figure = blank_figure(9.6, 1.6)
    axes: Any = figure.add_axes((0.03, 0.3, 0.94, 0.38))
    for row, (state, colour) in enumerate(TIMELINE_COLOURS.items()):
        bars = [
            (s["begin_sec"], s["end_sec"] - s["begin_sec"]) for s in content["spans"] if s["state"] == state
        ]
        axes.broken_barh(bars, (0, 1), facecolors=colour)
        words = f"{state} {content['shares'][state]:.0%}"
        figure.text(
            0.03 + 0.15 * row, 0.8, f"\u25a0 {words}", color=colour if row < 2 else "#888888", fontsize=10
        )
    axes.axvline(confirmed_sec, color="black", linewidth=1)
    axes.set_xlim(content["spans"][0]["begin_sec"], content["spans"][-1]["end_sec"])
    axes.set_yticks([])
    axes.set_xlabel("seconds; the line is the confirmed frame", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    return pixels(figure)
