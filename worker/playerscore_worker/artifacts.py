"""Pictures and files for people: what was found, who was followed, and how he was rated.

supervision draws the boxes, matplotlib the radar; nothing here is needed for a result, so whoever calls it may
go on without an artifact that failed.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import islice
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
from playerscore_worker import boxes, contact_sheet, frames
from playerscore_worker.follower import FollowedPath, PathSample
from playerscore_worker.following.joint import State
from playerscore_worker.frames import Image
from playerscore_worker.preview import PreviewTrack

CLIP_MAX_SEC: Final = 30.0
CLIP_FPS: Final = 12.5
CLIP_WIDTH_PX: Final = 480
# A decision's caption stays for so long after it, to be read; two lines leave the player free.
CAPTION_SEC: Final = 1.0
MAX_CAPTIONS: Final = 2
RESULT_HEIGHT_PX: Final = 540
JPEG_QUALITY: Final = 88
STATE_COLOURS: Final = {
    State.SUPPORTED: supervision.Color(r=64, g=220, b=96),
    State.COASTING: supervision.Color(r=255, g=190, b=40),
}


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
    figure = Figure(figsize=(size_px / 100, size_px / 100), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
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
    return _pixels(figure)


def _pixels(figure: Figure) -> Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    decoded = cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(decoded, np.uint8)


def write_radar(rating: Rating, file: Path) -> Path:
    """Write the radar as PNG."""
    cv2.imwrite(str(file), draw_radar(rating))
    return file


def write_result(video: Path, path: FollowedPath, rating: Rating, file: Path) -> Path:
    """Write the chosen player in his frame, beside the radar and the score, as PNG. Raises VideoError."""
    start_sec = max(0.0, path.start.time_sec - 0.5 / path.fps)
    frame = next(frames.read(video, start_sec, None), None)
    radar = draw_radar(rating)
    parts = [radar] if frame is None else [_chosen(frame.image, path.start.box_xywh), radar]
    cv2.imwrite(str(file), np.concatenate(parts, axis=1))
    return file


def _chosen(image: Image, box: Box) -> Image:
    """The frame with the player's box, and an enlarged cut-out of him in the corner."""
    scale = RESULT_HEIGHT_PX / image.shape[0]
    picture = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    inset = _cut_out(image, box, height // 3)
    drawn = _mark(np.asarray(picture, np.uint8), box, State.SUPPORTED)
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


def _mark(image: Image, box: Box, state: State) -> Image:
    height, width = image.shape[:2]
    detections = supervision.Detections(
        xyxy=boxes.to_pixels(box, width, height)[None].astype(np.float32), class_id=np.zeros(1, int)
    )
    colour = STATE_COLOURS[state]
    drawn = supervision.BoxCornerAnnotator(color=colour, thickness=2, corner_length=8).annotate(
        image.copy(), detections
    )
    triangle = supervision.TriangleAnnotator(color=colour, base=12, height=9)
    return np.asarray(triangle.annotate(drawn, detections), np.uint8)


def write_clip(video: Path, path: FollowedPath, log: DecisionLog, file: Path) -> Path:
    """Write a short WebM (VP8, at most 30 s around the confirmed frame) with the player marked.

    Below stands how sure he is, or why he is lost; above, what was decided just now. Raises VideoError.
    """
    begin, end = clip_range(path)
    fps = min(CLIP_FPS, path.fps)
    scale = min(1.0, CLIP_WIDTH_PX / path.width)
    # Even sides, because the codec stores colours at half the resolution.
    size = (round(path.width * scale) // 2 * 2, round(path.height * scale) // 2 * 2)
    writer = cv2.VideoWriter(str(file), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), fps, size)
    try:
        for image in _annotated(video, path, log, begin, end, fps, scale):
            writer.write(cv2.resize(image, size) if image.shape[1::-1] != size else image)
    finally:
        writer.release()
    return file


def clip_range(path: FollowedPath) -> tuple[float, float]:
    """Begin and end of the clip: up to `CLIP_MAX_SEC`, with the confirmed frame in it."""
    first, last = path.samples[0].time_sec, path.samples[-1].time_sec + 1 / path.fps
    latest = max(first, last - CLIP_MAX_SEC)
    begin = float(np.clip(path.start.time_sec - CLIP_MAX_SEC / 3, first, latest))
    return begin, min(last, begin + CLIP_MAX_SEC)


def _annotated(
    video: Path, path: FollowedPath, log: DecisionLog, begin: float, end: float, fps: float, scale: float
) -> Iterator[Image]:
    times = np.array([sample.time_sec for sample in path.samples])
    for frame in frames.read(video, begin, end, fps, scale):
        sample = path.samples[int(np.abs(times - frame.time_sec).argmin())]
        yield _with_captions(_with_sample(frame.image, sample), sample, log)


def _with_sample(image: Image, sample: PathSample) -> Image:
    if sample.box_xywh is None or sample.box_xywh.area <= 0:
        return image.copy()
    return _mark(image, sample.box_xywh, sample.state)


def _with_captions(image: Image, sample: PathSample, log: DecisionLog) -> Image:
    state = f"{sample.time_sec:.2f} s  {contact_sheet.state_text(sample)}"
    contact_sheet.write_text(image, state, (8, image.shape[0] - 10))
    told = contact_sheet.captions(log, sample.time_sec, CAPTION_SEC)
    for line, caption in enumerate(islice(told, MAX_CAPTIONS), start=1):
        contact_sheet.write_text(image, caption, (8, 18 * line))
    return image


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
