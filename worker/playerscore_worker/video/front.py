"""The front of a fragmented MP4 that was cut off within the index of its last fragment.

FFmpeg refuses such a file as a whole. Up to that index it is a good one.
"""

import os
import struct
from typing import Final

MAX_BOXES: Final = 1_000_000


def begin_of_cut_index(path: str) -> int:
    """Where the index (moof) lies that the file ends within; 0 when it does not."""
    size, begin = os.path.getsize(path), 0
    with open(path, "rb") as file:
        for _ in range(MAX_BOXES):
            file.seek(begin)
            head = file.read(16)
            if len(head) < 8:
                return 0
            length, kind = struct.unpack(">I4s", head[:8])
            if length == 1 and len(head) == 16:
                (length,) = struct.unpack(">Q", head[8:])
            if begin + length > size:
                return begin if kind == b"moof" else 0
            if length < 8:
                return 0
            begin += length
    return 0


class Front:
    """A file, read as if it ended at that place."""

    def __init__(self, path: str, end: int) -> None:
        self._file, self._end = open(path, "rb"), end  # noqa: SIM115 - lives as long as the container that reads it

    def read(self, size: int) -> bytes:
        """At most so many bytes, none from the end on."""
        return self._file.read(max(0, min(size, self._end - self._file.tell())))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of a file."""
        if whence == os.SEEK_END:
            return self._file.seek(self._end + offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self._file.tell()
