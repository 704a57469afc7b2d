"""From a decoded frame to the picture as a player shows it: deinterlaced, scaled, upright, in sRGB's range.

swscale goes from the frame's own format straight to the wanted size in BGR, in one pass. What is left to do
(turning, HDR) is done on the small picture.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

UNSPECIFIED: Final = 2
BT709, BT601 = 1, 5
HD_WIDTH, SD_HEIGHT = 1280, 576
# FFmpeg's numbers of the curves PQ and HLG.
HDR: Final = frozenset({16, 18})
# Beyond this a pixel's shape is a mistake of the file.
MAX_STRETCH: Final = 8


@dataclass(frozen=True)
class Turn:
    """One of the eight ways in which a picture can lie: first mirrored left to right, then turned."""

    mirrored: bool = False
    quarters: int = 0
    """Quarter turns anticlockwise, 0..3."""

    @property
    def swaps_sides(self) -> bool:
        return self.quarters % 2 == 1

    def apply(self, picture: Picture) -> Picture:
        """A view of the picture, upright."""
        flipped = picture[:, ::-1] if self.mirrored else picture
        return np.rot90(flipped, self.quarters)

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "Turn":
        """What the file's display matrix asks for; askew ones are taken as the nearest upright one."""
        data: Any = frame.side_data.get("DISPLAYMATRIX")
        if data is None or len(bytes(data)) < 36:
            return cls()
        a, b, _, c, d = struct.unpack("=5i", bytes(data)[:20])
        mirrored = a * d - b * c < 0
        right, down = (-a, -b) if mirrored else (a, b)
        # Where the picture's right-hand side goes to: right, up, left, down.
        quarters = int(np.argmax([right, -down, -right, down]))
        return cls(mirrored, quarters)


@dataclass(frozen=True)
class Shape:
    """How large pictures are shown, and how they lie."""

    width: int
    height: int
    turn: Turn

    @classmethod
    def of(cls, frame: av.VideoFrame, aspect: Fraction | None) -> "Shape":
        """Of square pixels: those that are wide or narrow in the file make the picture so."""
        stretch = aspect if aspect and 1 / MAX_STRETCH <= aspect <= MAX_STRETCH else Fraction(1)
        turn = Turn.of(frame)
        width, height = max(1, round(frame.width * stretch)), frame.height
        return cls(height, width, turn) if turn.swaps_sides else cls(width, height, turn)


class Darkroom:
    """Makes pictures of frames; all of one video come out in the same shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._scaler = VideoReformatter()

    def develop(self, frame: av.VideoFrame, scale: float) -> Picture:
        """(height, width, 3) uint8 BGR, possibly a view with unusual strides."""
        width, height = (max(1, round(side * scale)) for side in (self.shape.width, self.shape.height))
        if self.shape.turn.swaps_sides:
            width, height = height, width
        if frame.colorspace == UNSPECIFIED:
            frame.colorspace = _likely_matrix(frame)
        bright = frame.color_trc in HDR
        kind = "bgr48le" if bright else "bgr24"
        flat = self._scaler.reformat(
            frame,
            width,
            height,
            kind,
            interpolation=Interpolation.AREA,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        pixels = _pixels(flat, np.uint16 if bright else np.uint8)
        return self.shape.turn.apply(_narrowed(pixels, frame.color_trc) if bright else pixels)


def _narrowed(pixels: NDArray[np.uint16], curve: int) -> Picture:
    # OpenCV takes a third of the time in which a decoder starts, and few videos need it.
    from playerscore_worker.video import hdr

    return hdr.CURVES[curve](pixels)


def _likely_matrix(frame: av.VideoFrame) -> int:
    """What players take a picture for that does not say: HD is BT.709, the rest BT.601."""
    return BT709 if frame.width >= HD_WIDTH or frame.height > SD_HEIGHT else BT601


def _pixels(frame: av.VideoFrame, kind: type) -> NDArray[Any]:
    """The frame's own memory as (height, width, 3)."""
    plane = frame.planes[0]
    row: NDArray[Any] = np.frombuffer(plane, kind).reshape(frame.height, -1)
    pixels: NDArray[Any] = row[:, : frame.width * 3].reshape(frame.height, frame.width, 3)
    return pixels


def whole(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The frames, interlaced ones made of both their fields; as many, with the same numbers.

    From the first interlaced frame on, all go through the filter, which leaves those alone that are not.
    """
    graph: Graph | None = None
    before: av.VideoFrame | None = None
    last = -1
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            before = frame
            last = frame.pts or 0
            yield frame
            continue
        if graph is None:
            graph = _deinterlacer(frame)
            if before is not None and before.format.name == frame.format.name:
                graph.vpush(before)
        graph.vpush(frame)
        for made in _pulled(graph):
            if (made.pts or 0) > last:
                yield made
    if graph is not None:
        graph.vpush(None)
        yield from (made for made in _pulled(graph) if (made.pts or 0) > last)


def _deinterlacer(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1)
    )
    deinterlace = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, deinterlace, graph.add("buffersink")).configure()
    return graph


def _pulled(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        # The filter counts in halves, for the two fields.
        frame.pts = round((frame.pts or 0) * (frame.time_base or 1))
        yield frame
