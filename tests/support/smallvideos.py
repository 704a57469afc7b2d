"""Small videos of many kinds, whose pictures say their own number."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

SIZE = (160, 96)
BITS = 8
WHITE, GREY = 235, 60
RED, BLUE = (200, 40, 40), (40, 40, 200)
TICK = Fraction(1, 90_000)


def picture(number: int, size: tuple[int, int] = SIZE) -> Picture:
    """RGB: the number in white and dark cells at the top, red at the bottom left, blue at the bottom right; noise
    between them, so that each picture takes its share of the file."""
    width, height = size
    image = np.full((height, width, 3), GREY, np.uint8)
    for bit, cell in enumerate(_cells(width)):
        if number >> (BITS - 1 - bit) & 1:
            image[: height // 3, cell] = WHITE
    noise = np.random.default_rng(number).integers(0, 255, (height // 6, width, 3), np.uint8)
    image[height // 2 - height // 12 :][: height // 6] = noise
    image[height * 2 // 3 :, : width // 3] = RED
    image[height * 2 // 3 :, -width // 3 :] = BLUE
    return image


def number_on(bgr: Picture) -> int:
    """The number that a decoded picture shows, in whichever size."""
    height, width = bgr.shape[:2]
    row = bgr[height // 12 : height // 4]
    return sum(
        int(_middle(row, cell).mean() > 140) << (BITS - 1 - bit) for bit, cell in enumerate(_cells(width))
    )


def is_upright(bgr: Picture) -> bool:
    """Whether red lies at the bottom left and blue at the bottom right."""
    height, width = bgr.shape[:2]
    low = bgr[height * 5 // 6 :].astype(int)
    left, right = low[:, : width // 5].mean((0, 1)), low[:, -width // 5 :].mean((0, 1))
    return bool(left[2] - left[0] > 80 and right[0] - right[2] > 80)


def _cells(width: int) -> Iterator[slice]:
    for bit in range(BITS):
        yield slice(bit * width // BITS, (bit + 1) * width // BITS)


def _middle(row: Picture, cell: slice) -> Picture:
    quarter = (cell.stop - cell.start) // 4
    return row[:, cell.start + quarter : cell.stop - quarter]


@dataclass(frozen=True)
class Kind:
    """How a video is written."""

    name: str
    """Of the file."""
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    pictures: int = 30
    fps: Fraction = Fraction(25)
    size: tuple[int, int] = SIZE
    options: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    times: Sequence[Fraction] | None = None
    """When each picture is shown, seconds; evenly when absent."""
    setup: Callable[[Any], None] = lambda stream: None
    """What else is set on the stream."""
    turned: Callable[[Picture], Picture] = lambda image: image
    """What the camera does to the picture that the file turns back."""

    @property
    def shown(self) -> list[float]:
        return [float(t) for t in self.times or [k / self.fps for k in range(self.pictures)]]


def write(kind: Kind, folder: Path, *others: Kind) -> Path:
    """The video in that folder, with the others' tracks after its own."""
    file = folder / kind.name
    with (
        _ordinary_priority(),
        av.open(str(file), "w", format=kind.format, options=kind.muxer) as out,
    ):
        tracks = [(_track(out, each), each) for each in (kind, *others)]
        for stream, each in tracks:
            for frame in _frames(stream, each):
                out.mux(stream.encode(frame))
    return file


def write_filtered(kind: Kind, graph: str, folder: Path) -> Path:
    """The video, its pictures filtered by FFmpeg (`name=options,...`) and shown one after another."""
    file, filters = folder / kind.name, av.filter.Graph()
    chain = [filters.add(*part.split("=", 1)) for part in graph.split(",")]
    source = filters.add_buffer(
        width=kind.size[0], height=kind.size[1], format="yuv420p", time_base=1 / kind.fps
    )
    filters.link_nodes(source, *chain, filters.add("buffersink")).configure()
    with av.open(str(file), "w", format=kind.format, options=kind.muxer) as out:
        stream = _track(out, kind)
        count = 0
        for frame in _frames(stream, kind):
            filters.vpush(frame.reformat(format="yuv420p") if frame is not None else None)
            for made in _pulled(filters):
                made.pts, made.time_base, count = count, 1 / kind.fps, count + 1
                out.mux(stream.encode(made))
        out.mux(stream.encode(None))
    return file


def _pulled(filters: Any) -> Iterator[Any]:
    while True:
        try:
            yield filters.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


@contextmanager
def _ordinary_priority() -> Iterator[None]:
    """SVT-AV1 makes the thread of a root real-time: servers that it starts later would starve the machine."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def _track(out: Any, kind: Kind) -> Any:
    stream = out.add_stream(kind.codec, rate=kind.fps, options={"g": "10", **kind.options})
    first = kind.turned(picture(0, kind.size))
    stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], kind.pix_fmt
    stream.codec_context.thread_count = 1
    stream.codec_context.time_base = TICK if kind.times else 1 / kind.fps
    kind.setup(stream)
    return stream


def _frames(stream: Any, kind: Kind) -> Iterator[Any]:
    """The pictures with their times; at last None, which ends the track."""
    tick = TICK if kind.times else 1 / kind.fps
    for number, shown in enumerate(kind.times or [k / kind.fps for k in range(kind.pictures)]):
        image = np.ascontiguousarray(kind.turned(picture(number, kind.size)))
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        frame.pts, frame.time_base = round(shown / tick), tick
        yield frame
    yield None


def copy(
    source: Path, target: Path, change: Callable[[Any], bool] = lambda packet: True, **opening: Any
) -> Path:
    """The same packets in another file; `change` may change them, or leave one out by False."""
    with av.open(str(source)) as old, av.open(str(target), "w", **opening) as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.size and change(packet):
                packet.stream = streams[packet.stream_index]
                new.mux(packet)
    return target
