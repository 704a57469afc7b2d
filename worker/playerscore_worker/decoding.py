"""The decoder's own process: `python -m playerscore_worker.decoding`, started by `frames` and by nobody else.

Video is untrusted and FFmpeg has had holes, so it runs here: without the parent's environment, under resource
limits, and where a crash or an endless loop costs one child. Orders come as JSON lines on stdin, answers go
as JSON lines to stdout, and pictures go through a memory file that the parent maps too.

    parent                                      child
    {"open": path, limits...}                -> {"info": {...}} or {"error": code, "message": ...}
    {"ring": fd, "slots": n, "bytes": b}        (once)
    {"read": {start, end, max_fps, scale}}   -> {"frame": slot, "index", "time", "width", "height"}...
    {"free": slot}                              {"tick": n} while it skips, {"end": true} at the end
    {"stop": true}                           -> {"end": true} at once
"""

import contextlib
import json
import mmap
import resource
import sys
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

# Frames that may be grabbed and dropped between two signs of life.
TICK_EVERY = 50
# Seeking lands on a frame at or before the wanted one; with open GOPs it can land late, hence the margin.
SEEK_MARGIN_SEC = 1.0
# Two time stamps closer than this are the same instant: containers round to 1/1000 s or coarser.
SAME_INSTANT_SEC = 0.002


class RefusedError(Exception):
    """The video cannot be decoded; carries the stable code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StoppedError(Exception):
    """The parent wants no more frames."""


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def hear() -> dict[str, Any]:
    """The next order. The parent's end of the pipe closes when it dies: then so does this process."""
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    order: dict[str, Any] = json.loads(line)
    return order


def confine(memory_bytes: int, cpu_sec: int) -> None:
    """Give up what a decoder has no use for: memory without end, core dumps, large files, many files."""
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_sec),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 1 << 20),
        (resource.RLIMIT_NOFILE, 64),
    ):
        _, hard = resource.getrlimit(limit)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (allowed, allowed))


class Video:
    """One open video; knows the frame that it holds and that frame's time."""

    def __init__(self, path: str, max_pixels: int, threads: int) -> None:
        self.path, self.max_pixels, self.threads = path, max_pixels, threads
        self.capture = self._open()
        self.fps = float(self.capture.get(cv2.CAP_PROP_FPS))
        if not 1 <= self.fps <= 1000:
            self.fps = 25.0
        self.frame_count = max(0, int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.time_sec = self._previous_sec = -1.0
        self._grabbed = 0
        if not self.grab():
            raise RefusedError("VIDEO_DECODE_FAILED", "no frame of the video can be decoded")
        self.height, self.width = self.picture().shape[:2]

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(self.path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, self.threads])
        if not capture.isOpened():
            raise RefusedError("VIDEO_NOT_A_VIDEO", "the file is not a video of an allowed container")
        width, height = (capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > self.max_pixels:
            raise RefusedError("VIDEO_TOO_LARGE", f"pictures of {width:.0f}x{height:.0f} exceed the limit")
        return capture

    def info(self) -> dict[str, Any]:
        return {
            "fps": self.fps,
            "width": self.width,
            "height": self.height,
            "frame_count": self.frame_count,
            "duration_sec": self.frame_count / self.fps,
        }

    def grab(self) -> bool:
        """Step to the next frame; False at the end. Time never runs backwards, whatever the file says."""
        if not self.capture.grab():
            return False
        self._grabbed += 1
        if self._grabbed % TICK_EVERY == 0:
            say(tick=self._grabbed)
        stamp = float(self.capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        step = self.time_sec + 1 / self.fps
        self._previous_sec = self.time_sec
        self.time_sec = stamp if np.isfinite(stamp) and stamp > self.time_sec else max(0.0, step)
        return True

    def picture(self) -> Any:
        """The held frame, (height, width, 3) uint8 BGR."""
        ok, image = self.capture.retrieve()
        if not ok or image is None or image.ndim != 3:
            raise RefusedError("VIDEO_DECODE_FAILED", f"the frame at {self.time_sec:.3f} s cannot be decoded")
        if image.shape[0] * image.shape[1] > self.max_pixels:
            raise RefusedError("VIDEO_TOO_LARGE", "the picture grows beyond the limit within the video")
        return image

    def go_to(self, start_sec: float) -> bool:
        """Hold the first frame at or after `start_sec`; False when there is none."""
        wanted_sec = start_sec - SAME_INSTANT_SEC
        if self._previous_sec < wanted_sec <= self.time_sec:
            return True
        if self.time_sec >= wanted_sec or wanted_sec - self.time_sec > 2 * SEEK_MARGIN_SEC:
            self._seek(start_sec)
        while self.time_sec < start_sec - SAME_INSTANT_SEC:
            if not self.grab():
                return False
        return True

    def _seek(self, start_sec: float) -> None:
        target_sec = start_sec - SEEK_MARGIN_SEC
        if target_sec > 0:
            self.capture.set(cv2.CAP_PROP_POS_MSEC, target_sec * 1000)
            self.time_sec = -1.0
            if self.grab() and self.time_sec <= start_sec + SAME_INSTANT_SEC:
                return
        # Seeking landed late or the range begins at the start: open again, which is exact.
        self.capture.release()
        self.capture = self._open()
        self.time_sec = -1.0
        self.grab()

    def walk(self, start_sec: float, end_sec: float, max_fps: float) -> Iterator[float]:
        """Hold one frame after another of start_sec <= time < end_sec, at most `max_fps` a second."""
        if not self.go_to(start_sec):
            self._check_complete()
            return
        due_sec = self.time_sec
        while self.time_sec < end_sec - SAME_INSTANT_SEC:
            if self.time_sec >= due_sec - SAME_INSTANT_SEC:
                yield self.time_sec
                due_sec = max(due_sec + 1 / max_fps, self.time_sec - 1 / max_fps)
            if not self.grab():
                self._check_complete()
                return

    def _check_complete(self) -> None:
        # Counts in headers are estimates in some containers; a tenth less than promised is no estimate.
        if self.frame_count and self.time_sec * self.fps < 0.9 * self.frame_count - 2:
            raise RefusedError(
                "VIDEO_TRUNCATED",
                f"the video ends at {self.time_sec:.1f} s of {self.frame_count / self.fps:.1f} s",
            )


class Ring:
    """The slots of the shared memory that the parent has given back."""

    def __init__(self, fd: int, slots: int, slot_bytes: int) -> None:
        self.memory = mmap.mmap(fd, slots * slot_bytes)
        self.slot_bytes = slot_bytes
        self.free = list(range(slots))

    def put(self, image: Any) -> int:
        """Copy a picture into a free slot, waiting for one."""
        while not self.free:
            self._listen()
        slot = self.free.pop()
        flat = np.frombuffer(self.memory, np.uint8, image.size, slot * self.slot_bytes)
        flat.reshape(image.shape)[:] = image
        return slot

    def _listen(self) -> None:
        order = hear()
        if "free" in order:
            self.free.append(order["free"])
        elif "stop" in order:
            raise StoppedError


def stream(video: Video, ring: Ring, start: float, end: float, max_fps: float, scale: float) -> None:
    """Send the frames of a range, each with its place in the ring."""
    for time_sec in video.walk(start, end, max_fps):
        image = video.picture()
        if image.shape[:2] != (video.height, video.width):
            raise RefusedError("VIDEO_UNSUPPORTED", "the picture's size changes within the video")
        if scale != 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = image.shape[:2]
        index = round(time_sec * video.fps)
        say(frame=ring.put(image), index=index, time=time_sec, width=width, height=height)


def serve() -> None:
    """Open the video, then stream ranges of it until the parent goes."""
    order = hear()
    confine(order["memory_bytes"], order["cpu_sec"])
    video = Video(order["open"], order["max_pixels"], order["threads"])
    say(info=video.info())
    order = hear()
    ring = Ring(order["ring"], order["slots"], order["bytes"])
    while True:
        order = hear()
        if "free" in order:
            ring.free.append(order["free"])
        elif "read" in order:
            with contextlib.suppress(StoppedError):
                stream(video, ring, **order["read"])
            say(end=True)


def main() -> None:
    cv2.setNumThreads(1)
    try:
        serve()
    except RefusedError as refusal:
        say(error=refusal.code, message=str(refusal))
    except (MemoryError, cv2.error) as error:
        say(error="VIDEO_DECODE_FAILED", message=str(error)[:200] or "out of memory while decoding")


if __name__ == "__main__":
    main()
