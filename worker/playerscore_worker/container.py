"""Is this file worth decoding: a short look in plain Python, before any decoder sees it.

It refuses what would cost much or lead elsewhere (too many bytes, a playlist, a movie whose pictures lie in
another file) and says in words what FFmpeg only calls invalid (a recording without its index, a container of
another kind). Whatever may play is left to the decoder, which is confined and knows better.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from playerscore.errors import VideoError
from playerscore.resources import VideoLimits
from playerscore.sources import VIDEO_FIELD

OWN_LIMITS: Final = VideoLimits(bytes=2**50, pixels=8192 * 4320, duration_seconds=86_400)
"""Of a file on one's own disk no size is too large; pictures may be those of 8K, and it may last a day."""
HEAD_BYTES: Final = 64
PLAYLISTS: Final = (
    b"#EXTM3U",
    b"ffconcat",
    b"<?xml",
    b"<MPD",
    b"<smil",
    b"[playlist]",
    b"[Reference]",
    b"v=0\r\no=",
)
WEB_PAGES: Final = (b"<!doctype html", b"<html")
OTHERS: Final = {
    b"OggS": "Ogg",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "Windows Media (ASF)",
    b".RMF": "RealMedia",
    b"GIF8": "GIF",
    b"PK\x03\x04": "a ZIP archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
}
HINT: Final = "ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p -c:a aac OUT.mp4 makes one of it"
TOP_LEVEL: Final = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp", b"pnot", b"uuid"}
)
TO_REFERENCES: Final = (b"trak", b"mdia", b"minf", b"dinf", b"dref")
MAX_BOXES: Final = 100_000
"""After so many the look ends; the decoder has limits of its own."""


class Box(NamedTuple):
    """One box of an MP4 or MOV: what it is and where its body lies, which may be beyond the file's end."""

    kind: bytes
    start: int
    end: int


def check(path: Path, limits: VideoLimits, field: str = VIDEO_FIELD) -> None:
    """Raises VideoError: VIDEO_EMPTY, VIDEO_NOT_A_VIDEO, VIDEO_TRUNCATED, VIDEO_UNSUPPORTED, VIDEO_TOO_LARGE."""
    try:
        _check(path, limits)
    except VideoError as error:
        raise VideoError(error.code, error.message, field=field) from error


def _check(path: Path, limits: VideoLimits) -> None:
    size = path.stat().st_size
    if size == 0:
        raise VideoError("VIDEO_EMPTY", "The file is empty")
    if size > limits.bytes:
        text = f"The video has {size} bytes, more than {limits.bytes}"
        raise VideoError("VIDEO_TOO_LARGE", text)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        _check_kind(head)
        if head[4:8] in TOP_LEVEL:
            _check_boxes(_Boxes(file), size)


def _check_kind(head: bytes) -> None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(PLAYLISTS):
        raise VideoError("VIDEO_NOT_A_VIDEO", "The file is a list of other files, not a video")
    if text.lower().startswith(WEB_PAGES):
        words = "The file is a web page, not a video: download the video that the page shows"
        raise VideoError("VIDEO_NOT_A_VIDEO", words)
    for magic, name in OTHERS.items():
        if head.startswith(magic):
            raise VideoError("VIDEO_UNSUPPORTED", f"The file is {name}, not an MP4; {HINT}")


def _check_boxes(boxes: "_Boxes", size: int) -> None:
    """That an MP4 or MOV has its index, and its pictures within the file. Raises VideoError."""
    kinds: set[bytes] = set()
    for box in boxes.within(0, size):
        kinds.add(box.kind)
        if box.kind == b"moov":
            if box.end > size:
                words = "The file ends within its index (moov): it was cut off"
                raise VideoError("VIDEO_TRUNCATED", words)
            references = list(boxes.references(box, size))
            if references and all(references):
                raise VideoError("VIDEO_UNSUPPORTED", "The movie's pictures lie in another file")
    if boxes.left and not kinds & {b"moov", b"moof"}:
        what = "its data but no index (moov): it was cut off" if b"mdat" in kinds else "no index (moov)"
        raise VideoError("VIDEO_TRUNCATED", f"The file has {what}")


class _Boxes:
    """A bounded walk over the boxes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.left = MAX_BOXES

    def within(self, start: int, end: int) -> Iterator[Box]:
        """The boxes that begin there; the walk ends at what is none."""
        while start + 8 <= end and self.left:
            self.left -= 1
            self.file.seek(start)
            head = self.file.read(16)
            length, kind = struct.unpack(">I4s", head[:8])
            skip = 8
            if length == 1 and len(head) == 16:
                (length,) = struct.unpack(">Q", head[8:16])
                skip = 16
            elif length == 0:
                length = end - start
            if length < skip:
                return
            yield Box(kind, start + skip, start + length)
            start += length

    def references(self, index: Box, size: int) -> Iterator[bool]:
        """For each place where tracks keep their data: whether it is outside the file."""
        boxes = [index]
        for kind in TO_REFERENCES:
            inside = (box for outer in boxes for box in self.within(outer.start, min(outer.end, size)))
            boxes = [box for box in inside if box.kind == kind]
        for box in boxes:
            for entry in self.within(box.start + 8, min(box.end, size)):
                self.file.seek(entry.start)
                yield not self.file.read(4).endswith(b"\x01")
