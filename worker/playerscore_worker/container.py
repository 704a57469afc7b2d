"""Is this file worth decoding: a look at the container in plain Python, before any decoder sees it.

ISO base media (MP4, MOV) is walked box by box, bounded in depth and number; of Matroska and WebM the header
and the length are looked at. What is not on the allow-list is refused here, where nothing can crash.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from playerscore.errors import VideoError
from playerscore.resources import VideoLimits

CODECS: Final = frozenset({b"avc1", b"avc3", b"hvc1", b"hev1", b"av01", b"vp09", b"mp4v"})
CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
TOP_LEVEL: Final = frozenset(
    {
        b"ftyp",
        b"moov",
        b"mdat",
        b"free",
        b"skip",
        b"wide",
        b"moof",
        b"sidx",
        b"styp",
        b"uuid",
        b"mfra",
        b"pdin",
    }
    | {b"meta", b"udta", b"emsg", b"prft", b"ssix"}
)
EBML: Final = b"\x1a\x45\xdf\xa3"
SEGMENT: Final = b"\x18\x53\x80\x67"
DOC_TYPE: Final = b"\x42\x82"
DOC_TYPES: Final = frozenset({b"matroska", b"webm"})
MAX_DEPTH: Final = 6
MAX_BOXES: Final = 20_000
MAX_BODY: Final = 1 << 16
"""Bytes of one small box that are read."""


class Box(NamedTuple):
    """One box of the file: what it is and where its body lies."""

    kind: bytes
    start: int
    end: int


class Header(NamedTuple):
    """What the container says of its one video track."""

    codec: str
    width: int
    height: int
    duration_sec: float


class _Track:
    """What is gathered about one track."""

    def __init__(self) -> None:
        self.handler = b""
        self.codecs: set[bytes] = set()
        self.size = (0, 0)
        self.duration_sec = 0.0


def check(path: Path, limits: VideoLimits) -> Header | None:
    """The header of an acceptable file; None for Matroska, whose header the decoder reads.

    Raises VideoError: VIDEO_EMPTY, VIDEO_NOT_A_VIDEO, VIDEO_TRUNCATED, VIDEO_UNSUPPORTED, VIDEO_TOO_LARGE.
    """
    size = path.stat().st_size
    if size == 0:
        raise VideoError("VIDEO_EMPTY", "The file is empty", field="spec.video.uri")
    if size > limits.bytes:
        raise _large(f"{size} bytes, more than {limits.bytes}")
    with path.open("rb") as file:
        magic = file.read(12)
        if magic.startswith(EBML):
            _check_matroska(file, size)
            return None
        if magic[4:8] not in TOP_LEVEL:
            raise VideoError("VIDEO_NOT_A_VIDEO", "The file is neither MP4, MOV, Matroska nor WebM")
        return _check_tracks(_Walk(file, size).tracks(), limits)


def _check_tracks(tracks: list[_Track], limits: VideoLimits) -> Header:
    videos = [track for track in tracks if track.handler == b"vide"]
    if not videos:
        raise VideoError("VIDEO_NOT_A_VIDEO", "The file has no video track")
    if len(videos) > 1:
        raise VideoError("VIDEO_UNSUPPORTED", f"The file has {len(videos)} video tracks; one is expected")
    track = videos[0]
    if not track.codecs or track.codecs - CODECS:
        known = ", ".join(sorted(codec.decode() for codec in CODECS))
        said = ", ".join(sorted(repr(codec)[1:] for codec in track.codecs)) or "not named"
        raise VideoError("VIDEO_UNSUPPORTED", f"The codec is {said}; known are {known}")
    width, height = track.size
    if width * height > limits.pixels:
        raise _large(f"{width} x {height} pixels, more than {limits.pixels} in all")
    if track.duration_sec > limits.duration_seconds:
        raise _large(f"{track.duration_sec:.0f} s, more than {limits.duration_seconds} s")
    return Header(min(track.codecs).decode(), width, height, track.duration_sec)


def _large(what: str) -> VideoError:
    return VideoError("VIDEO_TOO_LARGE", f"The video has {what}", field="spec.video.uri")


class _Walk:
    """One bounded pass over the boxes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.size = size
        self.boxes = 0

    def tracks(self) -> list[_Track]:
        """The tracks. Raises VideoError when the boxes do not fill the file or there is no index."""
        found: list[_Track] = []
        kinds: set[bytes] = set()
        for box in self._children(0, self.size):
            if box.kind == b"moov" and b"moov" in kinds:
                raise VideoError("VIDEO_UNSUPPORTED", "The file has two indexes (moov)")
            kinds.add(box.kind)
            if box.kind == b"moov":
                found = [
                    self._track(item) for item in self._children(box.start, box.end) if item.kind == b"trak"
                ]
        if b"moov" not in kinds:
            missing = (
                "its data but no index (moov): it was cut off" if b"mdat" in kinds else "no index (moov)"
            )
            raise VideoError("VIDEO_TRUNCATED", f"The file has {missing}")
        if not kinds & {b"mdat", b"moof"}:
            raise VideoError("VIDEO_TRUNCATED", "The file has an index but no data (mdat)")
        return found

    def _track(self, trak: Box) -> _Track:
        track = _Track()
        for box in self._inside(trak, 0):
            self._note(track, box)
        return track

    def _inside(self, parent: Box, depth: int) -> Iterator[Box]:
        if depth > MAX_DEPTH:
            raise VideoError("VIDEO_UNSUPPORTED", "The file's boxes are nested too deeply")
        for box in self._children(parent.start, parent.end):
            yield box
            if box.kind in CONTAINERS:
                yield from self._inside(box, depth + 1)

    def _note(self, track: _Track, box: Box) -> None:
        body = self._body(box) if box.kind in (b"hdlr", b"mdhd", b"stsd") else b""
        if box.kind == b"hdlr" and len(body) >= 12:
            track.handler = body[8:12]
        elif box.kind == b"mdhd":
            track.duration_sec = _duration(body)
        elif box.kind == b"stsd":
            for entry in _entries(body):
                track.codecs.add(entry[4:8])
                track.size = max(track.size, struct.unpack(">HH", entry[32:36]), key=math.prod)

    def _body(self, box: Box) -> bytes:
        self.file.seek(box.start)
        return self.file.read(min(box.end - box.start, MAX_BODY))

    def _children(self, start: int, end: int) -> Iterator[Box]:
        while start < end:
            self.boxes += 1
            if self.boxes > MAX_BOXES:
                raise VideoError("VIDEO_UNSUPPORTED", "The file has too many boxes")
            box = self._box(start, end)
            yield box
            start = box.end

    def _box(self, start: int, end: int) -> Box:
        self.file.seek(start)
        head = self.file.read(16)
        if len(head) < 8:
            raise VideoError("VIDEO_TRUNCATED", f"The file ends within a box at byte {start}")
        length, kind = struct.unpack(">I4s", head[:8])
        skip = 8
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:16])
            skip = 16
        elif length == 0:
            length = end - start
        if length < skip:
            raise VideoError("VIDEO_NOT_A_VIDEO", f"The box at byte {start} has an impossible length")
        if start + length > end:
            raise VideoError("VIDEO_TRUNCATED", f"The file ends before its box {kind!r} does")
        return Box(kind, start + skip, start + length)


def _entries(body: bytes) -> Iterator[bytes]:
    """The sample entries of an stsd box that are long enough to be a picture's; sound's may be shorter."""
    start = 8
    while start + 36 <= len(body):
        (length,) = struct.unpack(">I", body[start : start + 4])
        yield body[start : start + 36]
        if length < 8:
            return
        start += length


def _duration(body: bytes) -> float:
    """Seconds, of a media header box of version 0 or 1."""
    form = ">II" if body[:1] == b"\0" else ">IQ"
    offset = 12 if body[:1] == b"\0" else 20
    part = body[offset : offset + struct.calcsize(form)]
    if len(part) < struct.calcsize(form):
        return 0.0
    timescale, duration = struct.unpack(form, part)
    unknown = duration in (0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
    return duration / timescale if timescale and not unknown else 0.0


def _check_matroska(file: BinaryIO, size: int) -> None:
    """That it says to be Matroska or WebM and is as long as it says. Raises VideoError."""
    file.seek(0)
    head = file.read(MAX_BODY)
    header_end, start = _element(head, len(EBML))
    at = head.find(DOC_TYPE, start, header_end)
    kind_end, kind_start = _element(head, at + len(DOC_TYPE)) if at > 0 else (0, 0)
    kind = head[kind_start:kind_end].rstrip(b"\0")
    if kind not in DOC_TYPES:
        raise VideoError("VIDEO_NOT_A_VIDEO", "The file is neither MP4, MOV, Matroska nor WebM")
    if head[header_end : header_end + 4] != SEGMENT:
        raise VideoError("VIDEO_TRUNCATED", "The file has a header but no video (Segment)")
    segment_end, _ = _element(head, header_end + len(SEGMENT))
    if segment_end > size:
        raise VideoError("VIDEO_TRUNCATED", f"The file has {size} of {segment_end} bytes")


def _element(head: bytes, at: int) -> tuple[int, int]:
    """End and start of the body whose EBML length stands at `at`; an unknown length ends where it starts."""
    if at >= len(head) or not head[at]:
        raise VideoError("VIDEO_NOT_A_VIDEO", "The file's header is damaged")
    octets = 9 - head[at].bit_length()
    field = head[at : at + octets]
    bits = 7 * octets
    length = int.from_bytes(field, "big") & ((1 << bits) - 1)
    start = at + octets
    unknown = length == (1 << bits) - 1
    return (start if unknown else start + length), start
