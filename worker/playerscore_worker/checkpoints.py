"""What has been followed so far, in files: whoever starts again with the same task goes on from there.

A checkpoint holds what was added to the path since the one before it, and where the walk stands between two
segments: with that, the rest comes out as it would have without the interruption, to the last bit. Each names the
task and the code by a digest and the one before it by another, so that one that is damaged, of another task or of an
earlier chain ends what is taken over; that is said, and followed anew.

The content is typed (msgspec, because it reads our own dataclasses without executing anything, and checks them).
"""

import hashlib
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TypeVar, get_origin

import msgspec
import numpy as np
import structlog

from playerscore.tasks import CHECKPOINT_BYTES, MOST_CHECKPOINTS, AnalysisTask
from playerscore_worker import pod
from playerscore_worker.following.scene import Leftovers
from playerscore_worker.following.segment import Known
from playerscore_worker.path import Piece
from playerscore_worker.pod import checkpoint_file

T = TypeVar("T")

log = structlog.get_logger("playerscore.worker")

MAGIC: Final = b"playerscore checkpoint 1\n"
SECONDS_VARIABLE: Final = "PLAYERSCORE_CHECKPOINT_SECONDS"
EVERY_SEC: Final = 50.0
"""Of the wall clock: more than so much, and the segment that was begun, is not lost; a minute in all."""
HEADER_BYTES: Final = 1024
MOST_BYTES: Final = 64 << 20
"""Of one checkpoint, unpacked: a damaged or forged one must not fill the memory."""
PLAIN_KINDS: Final = frozenset("biufS")
LIBRARIES: Final = ("av", "numpy", "onnxruntime", "opencv-python-headless", "playerscore", "scipy")


@dataclass(frozen=True)
class Place:
    """Where a walk stands between two segments: with what was followed before, all that the rest depends on."""

    walk: int
    """By its place in the plan."""
    scale: float
    """Of the frames, to the video's."""
    reel_sec: float
    """Where the reading began that brought the first frame that is kept."""
    index: int | None = None
    """That frame's; None where no frame is kept."""
    kept: list[Leftovers] = field(default_factory=list)
    """What was seen on each frame that is kept."""
    anchor: int = 0
    """Position, among those, of the frame at which `known` was known."""
    known: Known | None = None
    """None before the first segment."""


@dataclass(frozen=True)
class _Part:
    pieces: list[Piece]
    place: Place | None


@dataclass(frozen=True)
class _Header:
    key: str
    number: int
    before: str
    """Digest of the checkpoint before; empty for the first."""
    digest: str
    """Of the packed content."""


@dataclass(frozen=True)
class Resumed:
    """What earlier attempts left."""

    pieces: list[Piece]
    place: Place | None
    """None when all was followed."""


class Checkpoints:
    """The checkpoints of one task in a folder."""

    def __init__(
        self,
        folder: Path,
        key: str,
        every_sec: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._key, self._clock = folder, key, clock
        told = os.environ.get(SECONDS_VARIABLE, EVERY_SEC)
        self._every_sec = float(told) if every_sec is None else every_sec
        self._number, self._digest, self._pieces = 0, "", 0
        self._last_sec = clock()

    def resume(self) -> Resumed | None:
        """What can be taken over; None when nothing can."""
        pieces: list[Piece] = []
        place: Place | None = None
        while (file := checkpoint_file(self._folder, self._number + 1)).exists():
            try:
                header, part = self._read(file)
            except (OSError, ValueError, zlib.error, msgspec.MsgspecError) as error:
                log.warning("checkpoint ignored", file=file.name, reason=str(error))
                break
            pieces, place = pieces + part.pieces, part.place
            self._number, self._digest, self._pieces = header.number, header.digest, len(pieces)
        return Resumed(pieces, place) if self._number else None

    def offer(self, pieces: list[Piece], place: Place) -> None:
        """Write one if it is time: `pieces` are all so far."""
        if self._clock() - self._last_sec >= self._every_sec:
            self.write(pieces, place)

    def write(self, pieces: list[Piece], place: Place | None) -> None:
        """Write what is new since the last one. A full disk costs a checkpoint, and not the work."""
        content = pack(_Part(pieces[self._pieces :], place))
        header = _Header(self._key, self._number + 1, self._digest, hashlib.sha256(content).hexdigest())
        file = checkpoint_file(self._folder, header.number)
        self._last_sec = self._clock()
        try:
            if header.number > MOST_CHECKPOINTS or len(content) > CHECKPOINT_BYTES - HEADER_BYTES:
                raise OSError("the store takes no more")
            pod.write_bytes(file, MAGIC + msgspec.json.encode(header) + b"\n" + content)
        except OSError as error:
            log.warning("checkpoint not written", file=file.name, reason=str(error))
            return
        self._number, self._digest, self._pieces = header.number, header.digest, len(pieces)

    def _read(self, file: Path) -> tuple[_Header, _Part]:
        """Raises ValueError, zlib.error or MsgspecError for one that cannot be taken over."""
        before, magic, rest = file.read_bytes().partition(MAGIC)
        line, _, content = rest.partition(b"\n")
        if before or not magic:
            raise ValueError("it is none of this version")
        header = msgspec.json.decode(line, type=_Header)
        if header.digest != hashlib.sha256(content).hexdigest():
            raise ValueError("it is damaged")
        if header.key != self._key:
            raise ValueError("it is of another task, or of other code")
        if (header.number, header.before) != (self._number + 1, self._digest):
            raise ValueError("it does not follow the one before")
        return header, unpack(content, _Part)


def key_of(
    task: AnalysisTask, video_sha256: str, weights_sha256: str | None, earlier_sha256: str | None = None
) -> str:
    """A digest of all that the path depends on: video, target, anchors, player, settings, weights and code, and the
    stored run that is gone on from."""
    wholly = (
        *("target", "start_time_sec", "anchors", "analysis"),
        *("detector", "video_limits", "memory_failures"),
    )
    video = {"track": True, "parts": {"__all__": {"continues"}}}
    asked: dict[str, Any] = dict.fromkeys(wholly, True) | {"video": video}
    said = task.model_dump_json(include=asked, by_alias=True, exclude_none=True)
    parts = [video_sha256, said, weights_sha256 or "", _code(), earlier_sha256 or ""]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _code() -> str:
    """A digest of this program and the versions of the libraries that figures depend on."""
    folder = Path(__file__).parent
    digest = hashlib.sha256(" ".join(_version(name) for name in LIBRARIES).encode())
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"\n{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return f"{library}={metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return library


# --- arrays ---------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """What msgspec does not know, as what it knows. Raises NotImplementedError."""
    if isinstance(value, np.ndarray) and value.dtype.kind in PLAIN_KINDS:
        return [value.dtype.str, value.shape, value.tobytes()]
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(type(value))


def _made(kind: Any, value: Any) -> Any:
    """The way back. Raises ValueError."""
    if get_origin(kind) is not np.ndarray:
        raise NotImplementedError(kind)
    name, shape, content = value
    dtype = np.dtype(name)
    if dtype.kind not in PLAIN_KINDS:
        raise ValueError(f"an array of {name}")
    return np.frombuffer(content, dtype).reshape(shape).copy()


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_plain)


def pack(value: Any) -> bytes:
    """Dataclasses of ours, as bytes."""
    return zlib.compress(_ENCODER.encode(value))


def unpack(content: bytes, kind: type[T]) -> T:
    """The way back. Raises ValueError, zlib.error or MsgspecError for what is damaged, or not of that kind."""
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(content, MOST_BYTES)
    if not unpacking.eof:
        raise ValueError("it is too large, or cut off")
    return msgspec.msgpack.decode(plain, type=kind, dec_hook=_made)
