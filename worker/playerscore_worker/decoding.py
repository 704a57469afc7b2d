"""The decoder's own process: `python -m playerscore_worker.decoding`, started by `frames` and by nobody else.

Video is untrusted and FFmpeg has had holes, so it runs here: without the parent's environment, under resource
limits, and where a crash or an endless loop costs one child. Orders come as JSON lines on stdin, answers go
as JSON lines to stdout, and pictures go through a memory file that the parent maps too.

    parent                                      child
    {"open": [path...], limits...}               -> {"info": {...}} or {"error": code, "message": ...}
    {"ring": fd, "slots": n, "bytes": b}        (once)
    {"read": {start, end, max_fps, scale, first}}
                                             -> {"frame": slot, "index", "time", "width", "height"}...
    {"free": slot}                              {"tick": n} while it skips, {"end": true} at the end
    {"stop": true}                           -> {"end": true} at once
"""

import contextlib
import json
import mmap
import sys
from typing import Any

import av
import numpy as np

from playerscore_worker.video.confinement import confine
from playerscore_worker.video.film import Film
from playerscore_worker.video.opened import Costs, RefusedError


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


def stream(
    film: Film, ring: Ring, start: float, end: float, max_fps: float, scale: float, first: int
) -> None:
    """Send the frames of a range from number `first` on, each with its place in the ring."""
    wanted = film.pick(start, end, max_fps)
    for number, picture in film.pictures(wanted[wanted >= first], scale):
        height, width = picture.shape[:2]
        slot = ring.put(picture)
        say(frame=slot, index=number, time=film.time_sec(number), width=width, height=height)


def serve() -> None:
    """Open the video, then stream ranges of it until the parent goes."""
    order = hear()
    confine(order["open"], order["memory_bytes"], order["cpu_sec"])
    costs = Costs(order["max_pixels"], order["threads"], lambda: say(tick=True))
    film = Film(order["open"], costs, order["track"])
    say(info=film.info())
    order = hear()
    ring = Ring(order["ring"], order["slots"], order["bytes"])
    while True:
        order = hear()
        if "free" in order:
            ring.free.append(order["free"])
        elif "read" in order:
            with contextlib.suppress(StoppedError):
                stream(film, ring, **order["read"])
            say(end=True)


def main() -> None:
    av.logging.set_level(None)
    try:
        serve()
    except RefusedError as refusal:
        say(error=refusal.code, message=str(refusal))
    except (MemoryError, OSError, ValueError) as error:
        say(error="VIDEO_DECODE_FAILED", message=str(error)[:200] or "out of memory while decoding")


if __name__ == "__main__":
    main()
