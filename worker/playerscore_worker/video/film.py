"""One video of one file or of several, one after the other on one time line.

Every picture comes in the shape of the first file's; what has another one stands in its middle, with black borders.
Only the file that is read is open.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playerscore_worker.video.opened import Costs, RefusedError, Video
from playerscore_worker.video.pictures import Picture

Ints = NDArray[np.int64]


class Film:
    """Numbers and times are those of the whole. Raises RefusedError, and FFmpeg's own errors."""

    def __init__(self, paths: Sequence[str], costs: Costs, track: int | None = None) -> None:
        self._videos: list[Video] = []
        for number, path in enumerate(paths, start=1):
            self._rest()
            try:
                self._videos.append(Video(path, costs, track))
            except RefusedError as refusal:
                if len(paths) == 1:
                    raise
                text = f"file {number} of {len(paths)}: {refusal}"
                raise RefusedError(refusal.code, text) from refusal
        lengths = [len(video.index) for video in self._videos]
        self._firsts: Ints = np.cumsum([0, *lengths])
        """Number of each file's first picture, and of all."""
        self._starts_sec = np.cumsum([0.0, *(video.index.duration_sec for video in self._videos)])
        self._times_sec = np.concatenate(
            [
                start + video.index.times_sec
                for start, video in zip(self._starts_sec, self._videos, strict=False)
            ]
        )
        shape = self._videos[0].darkroom.shape
        self._width, self._height = shape.width, shape.height

    def info(self) -> dict[str, Any]:
        """What the parent's `VideoInfo` holds."""
        return {
            "fps": max(video.index.fps for video in self._videos),
            "width": self._width,
            "height": self._height,
            "frame_count": int(self._firsts[-1]),
            "duration_sec": float(self._starts_sec[-1]),
            "missing_sec": sum(video.missing_sec for video in self._videos),
            "firsts": self._firsts[:-1].tolist(),
            "starts_sec": self._starts_sec[:-1].tolist(),
        }

    def time_sec(self, number: int) -> float:
        return float(self._times_sec[number])

    def pick(self, start_sec: float, end_sec: float, max_fps: float) -> Ints:
        """Numbers of the pictures with start_sec <= time < end_sec, at most `max_fps` a second."""
        picked = [
            first + video.index.pick(start_sec - offset, end_sec - offset, max_fps)
            for first, offset, video in zip(self._firsts, self._starts_sec, self._videos, strict=False)
        ]
        return np.concatenate(picked).astype(np.int64)

    def pictures(self, numbers: Ints, scale: float) -> Iterator[tuple[int, Picture]]:
        """Number and picture of each that is wanted and whole. `numbers` increase."""
        for place, video in enumerate(self._videos):
            first, end = self._firsts[place], self._firsts[place + 1]
            wanted = numbers[(numbers >= first) & (numbers < end)] - first
            if not len(wanted):
                continue
            if video.rests:
                self._rest()
            shape = video.darkroom.shape
            fit = min(self._width / shape.width, self._height / shape.height)
            for rank, picture in video.pictures(wanted, scale * fit):
                yield int(first) + rank, self._framed(picture, scale)

    def _framed(self, picture: Picture, scale: float) -> Picture:
        """In the middle of a picture of the first file's shape."""
        size = np.array([max(1, round(side * scale)) for side in (self._height, self._width)])
        if picture.shape[:2] == tuple(size):
            return picture
        part = picture[: size[0], : size[1]]
        framed = np.zeros((*size, 3), np.uint8)
        top, left = (size - part.shape[:2]) // 2
        framed[top : top + part.shape[0], left : left + part.shape[1]] = part
        return framed

    def _rest(self) -> None:
        for video in self._videos:
            video.rest()
