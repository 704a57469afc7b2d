"""Frames of an untrusted video, decoded in a child process (`decoding`) and watched from here.

A `Decoder` is one child with one open video. It streams any range, at any rate, at a reduced size when asked,
through a ring of slots in shared memory. A child that dies, hangs or refuses becomes a `VideoError` with a
stable VIDEO_* code; nothing is left running.

Frames come forwards only. Who walks backwards (the follower) reads a bounded segment and reverses it in
memory, segment after segment: going back through a whole match costs one segment of memory.
"""

import contextlib
import json
import mmap
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from playerscore.errors import CATALOGUE, VideoError
from playerscore_worker.cpus import cpu_limit

Image = NDArray[np.uint8]

# Enough to let the decoder run ahead of a slow frame, few enough to stay small at 4K.
SLOTS: Final = 4
MAX_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Part:
    """A file that goes on where the one before it ends."""

    path: Path
    continues: bool = False
    """Whether the recording goes on in it without a gap; it is a cut otherwise."""


@dataclass(frozen=True)
class Limits:
    """What a video may cost before it is refused, and what of its files is the video."""

    max_pixels: int = 4096 * 2304
    """Pixels of one picture."""
    max_frames: int = 1_500_000
    """Frames handed out by one `read`; headers lie, so they are counted."""
    max_duration_sec: float = 4 * 3600.0
    frame_timeout_sec: float = 30.0
    """Longest silence of the decoder before it is killed."""
    memory_bytes: int = 4 << 30
    """Address space of the decoder."""
    cpu_sec: int = 8 * 3600
    """CPU time of the decoder."""
    track: int | None = None
    """Which of the file's picture tracks is the video, from 1; the largest when None."""
    parts: tuple[Part, ...] = ()
    """The files that follow the first, on one time line with it."""


@dataclass(frozen=True)
class VideoInfo:
    """What the picture track holds, as a player shows it."""

    fps: float
    """Pictures a second: the mean, or the highest that is usual where the rate varies."""
    width: int
    height: int
    """In square pixels, upright."""
    frame_count: int
    duration_sec: float
    """From the first shown picture to the end of the last."""
    missing_sec: float
    """How much longer the file says to be than its pictures last: it was cut off. 0 when it is whole."""
    firsts: tuple[int, ...]
    """Number of each file's first frame."""
    starts_sec: tuple[float, ...]
    """When each file begins."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    index: int
    """Number of the frame among all that the file shows, from 0; damaged ones are counted and do not come."""
    time_sec: float
    """When a player shows it, seconds from the first shown picture."""
    image: Image
    """(height, width, 3) uint8 BGR."""
    recording: int = 0
    """Which recording it belongs to: between two of them the picture was cut, whatever it looks like."""


def probe(path: Path, limits: Limits | None = None) -> VideoInfo:
    """Open the video, decode its first frame, and tell what it is. Raises VideoError."""
    with Decoder(path, limits) as decoder:
        return decoder.info


def read(
    path: Path,
    start_sec: float = 0.0,
    end_sec: float | None = None,
    max_fps: float | None = None,
    scale: float = 1.0,
    limits: Limits | None = None,
) -> Iterator[Frame]:
    """Yield the frames with start_sec <= time < end_sec. Raises VideoError, also between frames."""
    with Decoder(path, limits) as decoder:
        yield from decoder.read(start_sec, end_sec, max_fps, scale)


class Decoder:
    """A child process that decodes one video; use as a context manager."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._paths = [path, *(part.path for part in self.limits.parts)]
        for file in self._paths:
            _check_file(file)
        # Not on disk and without a name: nothing to clean up when either side is killed.
        self._memory_fd = os.memfd_create("frames") if hasattr(os, "memfd_create") else _temporary_fd()
        self._last_words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._child = _start(self._memory_fd, self._last_words)
        self._answers = _Lines(self._child.stdout)
        self._streaming = False
        try:
            self.info = self._open()
            self._ring = self._share()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    def close(self) -> None:
        """End the child and free the ring; safe to call twice."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout, self._last_words):
            # An order that the child did not live to hear must not hide why it died.
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        if self._memory_fd >= 0:
            os.close(self._memory_fd)
            self._memory_fd = -1

    def read(
        self,
        start_sec: float = 0.0,
        end_sec: float | None = None,
        max_fps: float | None = None,
        scale: float = 1.0,
        first: int = 0,
    ) -> Iterator[Frame]:
        """Yield the frames with start_sec <= time < end_sec, at most `max_fps` a second, resized by `scale`.

        Of the same frames those with an index of at least `first` alone. A new read ends the one before. Raises
        VideoError.
        """
        self._drain()
        end = end_sec if end_sec is not None else self.limits.max_duration_sec
        rate = max_fps or 1000.0
        self._order(
            read={"start": start_sec, "end": end, "max_fps": rate, "scale": min(1.0, scale), "first": first}
        )
        self._streaming = True
        for _ in range(self.limits.max_frames):
            answer = self._next("frame", "end")
            if "end" in answer:
                self._streaming = False
                return
            yield self._take(answer)
        raise VideoError("VIDEO_TOO_LARGE", f"the video has more than {self.limits.max_frames} frames")

    def _take(self, answer: dict[str, Any]) -> Frame:
        try:
            height, width, slot = answer["height"], answer["width"], answer["frame"]
            size = height * width * 3
            shared = np.frombuffer(self._ring, np.uint8, size, slot * self._slot_bytes)
            image = shared.reshape(height, width, 3).copy()
            index = int(answer["index"])
            frame = Frame(index, float(answer["time"]), image, self._recording(index))
        except (KeyError, TypeError, ValueError) as error:
            raise _nonsense() from error
        self._order(free=slot)
        return frame

    def _open(self) -> VideoInfo:
        limits = self.limits
        self._order(
            open=[str(path.resolve()) for path in self._paths],
            max_pixels=limits.max_pixels,
            memory_bytes=limits.memory_bytes,
            cpu_sec=limits.cpu_sec,
            threads=cpu_limit(),
            track=limits.track,
        )
        try:
            said = self._next("info")["info"]
            firsts, starts_sec = (tuple(said.pop(key)) for key in ("firsts", "starts_sec"))
            info = VideoInfo(**said, firsts=firsts, starts_sec=starts_sec)
        except (AttributeError, KeyError, TypeError) as error:
            raise _nonsense() from error
        if not len(self._paths) == len(firsts) == len(starts_sec):
            raise _nonsense()
        if info.duration_sec > limits.max_duration_sec:
            raise VideoError("VIDEO_TOO_LARGE", f"the video is {info.duration_sec:.0f} s long")
        return info

    def _recording(self, index: int) -> int:
        """How many files that do not continue the one before them begin up to a frame."""
        begun = zip(self.info.firsts[1:], self.limits.parts, strict=True)
        return sum(first <= index and not part.continues for first, part in begun)

    @property
    def seams_sec(self) -> tuple[float, ...]:
        """When another recording begins."""
        begun = zip(self.info.starts_sec[1:], self.limits.parts, strict=True)
        return tuple(start for start, part in begun if not part.continues)

    def _share(self) -> mmap.mmap:
        self._slot_bytes = self.info.width * self.info.height * 3
        os.ftruncate(self._memory_fd, SLOTS * self._slot_bytes)
        self._order(ring=self._memory_fd, slots=SLOTS, bytes=self._slot_bytes)
        return mmap.mmap(self._memory_fd, SLOTS * self._slot_bytes)

    def _drain(self) -> None:
        if not self._streaming:
            return
        self._order(stop=True)
        while "end" not in (answer := self._next("frame", "end")):
            self._order(free=answer["frame"])
        self._streaming = False

    def _order(self, **order: Any) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(order).encode() + b"\n")
            self._child.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # The child is gone; its last answer or its exit status says why.

    def _next(self, *wanted: str) -> dict[str, Any]:
        """The next answer of a wanted kind; signs of life only restart the watch."""
        while True:
            line = self._answers.read(self.limits.frame_timeout_sec)
            if line is None:
                self.close()
                message = f"the decoder was silent for {self.limits.frame_timeout_sec:.0f} s"
                raise VideoError("VIDEO_DECODE_TIMEOUT", message)
            if not line:
                raise self._died()
            answer = _parsed(line)
            if "error" in answer:
                if answer["error"] not in CATALOGUE:
                    raise _nonsense()
                raise VideoError(answer["error"], str(answer.get("message", "")))
            if any(kind in answer for kind in wanted):
                return answer

    def _died(self) -> VideoError:
        status = self._child.wait()
        self._last_words.seek(0)
        words = self._last_words.read().decode(errors="replace").strip().splitlines()
        reason = f"signal {-status}" if status < 0 else f"status {status}"
        tail = f": {words[-1][:160]}" if words else ""
        return VideoError("VIDEO_DECODE_CRASH", f"the decoder ended with {reason}{tail}")


def _parsed(line: bytes) -> dict[str, Any]:
    """An answer of the child, which a hostile video may have taken over."""
    try:
        answer: dict[str, Any] = json.loads(line)
        if isinstance(answer, dict):
            return answer
    except (ValueError, RecursionError) as error:
        raise _nonsense() from error
    raise _nonsense()


def _nonsense() -> VideoError:
    return VideoError("VIDEO_DECODE_CRASH", "the decoder answers nonsense")


class _Lines:
    """Lines from a pipe, with a time limit for each."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._fd = pipe.fileno()
        self._buffer = b""

    def read(self, timeout_sec: float) -> bytes | None:
        """One line; b"" at the end of the stream; None when the time is up."""
        deadline = time.monotonic() + timeout_sec
        while b"\n" not in self._buffer:
            if not self._wait(deadline - time.monotonic()):
                return None
            chunk = os.read(self._fd, 65536)
            if not chunk:
                return b""
            self._buffer += chunk
            if len(self._buffer) > MAX_LINE_BYTES:
                raise _nonsense()
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def _wait(self, timeout_sec: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._fd, selectors.EVENT_READ)
            return bool(selector.select(max(0.0, timeout_sec)))


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise VideoError("VIDEO_NOT_A_VIDEO", "there is no such file")
    if path.stat().st_size == 0:
        raise VideoError("VIDEO_EMPTY", "the file is empty")


def _temporary_fd() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _start(memory_fd: int, last_words: IO[bytes]) -> subprocess.Popen[bytes]:
    environment = {
        "OPENCV_LOG_LEVEL": "ERROR",
        "OPENBLAS_NUM_THREADS": "1",
        **{name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ},
    }
    # -I: neither the working folder nor the user's site can slip a module in.
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "playerscore_worker.decoding"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=last_words,
        env=environment,
        pass_fds=(memory_fd,),
    )
