"""Small pictures of the decisions: before, at and after, with him and whoever else it could have been.

One JPEG, capped in rows and in bytes: where there are more decisions than rows, the most doubtful are shown.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from playerscore.decisions import Decision, DecisionLog, Kind
from playerscore.geometry import Box
from playerscore_worker import boxes
from playerscore_worker.follower import FollowedPath, PathSample, State
from playerscore_worker.frames import Decoder, Frame, Image

Floats = NDArray[np.float64]

MAX_ROWS: Final = 24
MAX_BYTES: Final = 2 << 20
QUALITIES: Final = (85, 70, 50, 30)
CELL_PX: Final = (240, 180)
TITLE_PX: Final = 20
GAP_PX: Final = 4
COLUMNS: Final = 2
# So much of the scene is shown, in his heights: his neighbours, and still who he is.
CELL_H: Final = 4.0
# People are cut out of frames in which they are about so high.
BODY_PX: Final = CELL_PX[1] / CELL_H
ASIDE_SEC: Final = 0.4
TEXT_SCALE: Final = 0.42
HIS: Final = (96, 220, 64)
TAKEN: Final = (255, 255, 255)
RIVAL: Final = (60, 60, 255)
PALE: Final = (225, 225, 225)


def marked(log: DecisionLog) -> DecisionLog:
    """The log with those marked that are pictured: the most doubtful, losses among them."""
    ranked = sorted(log.decisions, key=lambda d: (_sureness(d), d.number))
    shown = {decision.number for decision in ranked[:MAX_ROWS]}
    told = [d.model_copy(update={"pictured": d.number in shown}) for d in log.decisions]
    return log.model_copy(update={"decisions": told})


def _sureness(decision: Decision) -> float:
    sure = decision.likelihood
    return 0.8 if sure is None else sure


def write(decoder: Decoder, path: FollowedPath, log: DecisionLog, file: Path) -> list[Path]:
    """Write the pictures of the marked decisions; no file where there are none. Raises VideoError."""
    shown = [decision for decision in log.decisions if decision.pictured]
    if not shown:
        return []
    rows = [_row(decoder, path, decision) for decision in shown]
    file.write_bytes(_encoded(_sheet(rows)))
    return [file]


def _sheet(rows: list[Image]) -> Image:
    """Rows from top to bottom, then in the next column."""
    columns = min(COLUMNS, len(rows))
    deep = -(-len(rows) // columns)
    blank = np.zeros_like(rows[0])
    rows = rows + [blank] * (deep * columns - len(rows))
    parts = [np.concatenate(rows[k * deep : (k + 1) * deep]) for k in range(columns)]
    return np.asarray(np.concatenate(parts, axis=1), np.uint8)


def _encoded(sheet: Image) -> bytes:
    """As JPEG of at most `MAX_BYTES`, where any quality gets there."""
    content = b""
    for quality in QUALITIES:
        content = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(content) <= MAX_BYTES:
            break
    return content


def _row(decoder: Decoder, path: FollowedPath, decision: Decision) -> Image:
    """Three pictures of a decision under its title, (TITLE_PX + cell + gap, 3 cells and gaps, 3)."""
    cells = [_cell(decoder, path, decision, time_sec) for time_sec in _moments(path, decision)]
    pictures = np.concatenate([_framed(cell) for cell in cells], axis=1)
    title = np.zeros((TITLE_PX, pictures.shape[1], 3), np.uint8)
    write_text(title, title_of(decision), (4, TITLE_PX - 6))
    return np.asarray(np.concatenate([title, pictures]), np.uint8)


def title_of(decision: Decision) -> str:
    """A decision in a line of ASCII."""
    sure = "" if decision.likelihood is None else f", {decision.likelihood:.0%} sure"
    why = f": {decision.reason}" if decision.reason else ""
    return (
        f"#{decision.number}  {decision.begin_sec:.2f}-{decision.end_sec:.2f} s  {decision.kind}{why}{sure}"
    )


def _moments(path: FollowedPath, decision: Decision) -> list[float]:
    """Before, at and after; the last is where the boxes stand, or a little later."""
    first, last = path.samples[0].time_sec, path.samples[-1].time_sec
    aside = ASIDE_SEC if decision.kind is Kind.LOST else 0.0
    begin, end = decision.begin_sec - aside, decision.end_sec + aside
    if end - begin < 2 / path.fps:
        begin, end = begin - ASIDE_SEC, end + ASIDE_SEC
    begin, end = max(first, begin), min(last, end)
    return [begin, (begin + end) / 2, end]


def _cell(decoder: Decoder, path: FollowedPath, decision: Decision, time_sec: float) -> Image:
    sample = nearest(path.samples, time_sec)
    around = sample.box_xywh or _known(path, decision, sample)
    scale = min(1.0, BODY_PX / max(1.0, around.h * path.height))
    frame = frame_at(decoder, path, sample.time_sec, scale)
    if frame is None:
        return np.zeros((CELL_PX[1], CELL_PX[0], 3), np.uint8)
    cut = _window(frame.image, around)
    cell = cv2.warpAffine(frame.image, cut, CELL_PX, flags=cv2.INTER_AREA)
    if abs(sample.time_sec - decision.settled_sec) < 0.5 / path.fps:
        for told, colour in ((decision.rival, RIVAL), (decision.chosen, TAKEN)):
            if told is not None:
                draw(cell, frame.image, cut, told.box, colour)
    if sample.box_xywh is not None:
        draw(cell, frame.image, cut, sample.box_xywh, HIS)
    write_text(cell, f"{sample.time_sec:.2f} s {state_text(sample)}", (4, CELL_PX[1] - 6))
    return np.asarray(cell, np.uint8)


def frame_at(decoder: Decoder, path: FollowedPath, time_sec: float, scale: float = 1.0) -> Frame | None:
    """The frame of a sample's moment."""
    begin = max(0.0, time_sec - 0.5 / path.fps)
    return next(decoder.read(begin, begin + 1 / path.fps, None, scale), None)


def state_text(sample: PathSample) -> str:
    """A sample's state in words: supported, guessed, or lost and why; and how certain it is."""
    if sample.box_xywh is None:
        return f"lost: {sample.reason}"
    word = "guessed" if sample.state is State.COASTING else sample.state.value
    return f"{word} {sample.certainty:.2f}"


def nearest(samples: Sequence[PathSample], time_sec: float) -> PathSample:
    """The sample nearest to a moment, of some in the order of time."""
    after = bisect_left(samples, time_sec, key=lambda sample: sample.time_sec)
    return min(samples[max(0, after - 1) : after + 1], key=lambda sample: abs(sample.time_sec - time_sec))


def _known(path: FollowedPath, decision: Decision, sample: PathSample) -> Box:
    """A box to look around where he has none: where he was seen next to that, or who is talked of."""
    for told in (decision.chosen, decision.rival):
        if told is not None and abs(sample.time_sec - decision.settled_sec) < 0.5 / path.fps:
            return told.box
    seen = (s for s in path.samples if s.box_xywh is not None)
    near = min(seen, key=lambda s: abs(s.time_sec - sample.time_sec), default=None)
    return (near and near.box_xywh) or path.start.box_xywh


def _window(image: Image, box: Box) -> Floats:
    """The map (2, 3) from a picture to a cell that shows the scene around a box."""
    height, width = image.shape[:2]
    place = boxes.to_pixels(box, width, height)
    zoom = CELL_PX[1] / (CELL_H * max(8.0, place[3] - place[1]))
    shift = np.array(CELL_PX) / 2 - zoom * boxes.centres(place[None])[0]
    return np.array([[zoom, 0.0, shift[0]], [0.0, zoom, shift[1]]])


def draw(
    cell: Image, image: Image, window: Floats, box: Box, colour: tuple[int, int, int]
) -> tuple[int, int]:
    """Draw a box of the picture into the cell that the window shows of it; returns its top left corner there."""
    height, width = image.shape[:2]
    corners = boxes.to_pixels(box, width, height).reshape(2, 2) @ window[:, :2].T + window[:, 2]
    first, second = np.rint(corners).astype(int).tolist()
    cv2.rectangle(cell, first, second, colour, 1)
    return first[0], first[1]


def _framed(cell: Image) -> Image:
    return np.asarray(cv2.copyMakeBorder(cell, 0, GAP_PX, 0, GAP_PX, cv2.BORDER_CONSTANT), np.uint8)


def write_text(image: Image, text: str, at: tuple[int, int]) -> None:
    """Pale letters with a shadow, readable on anything."""
    for shift, colour in ((1, (0, 0, 0)), (0, PALE)):
        place = (at[0] + shift, at[1] + shift)
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, colour, 1, cv2.LINE_AA)


def captions(log: DecisionLog, time_sec: float, linger_sec: float) -> Iterator[str]:
    """What was being decided at a moment, or shortly before it."""
    for decision in log.decisions:
        if decision.begin_sec <= time_sec <= decision.end_sec + linger_sec:
            yield title_of(decision)
