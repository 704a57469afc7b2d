"""The annotated clip: the whole followed range with the player marked, as files that people's players open.

H.264 in MP4 opens everywhere, and is written where an encoder is at hand whose licence fits: OpenH264, or the
system's own (macOS, Windows). Else it is VP9, in MP4 and, the same stream again, in WebM. PyAV also brings x264,
under the GPL: who may use it names it in `PLAYERSCORE_ARTIFACTS_CLIP_ENCODERS`.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
import supervision
from av.error import FFmpegError

from playerscore.decisions import DecisionLog
from playerscore.geometry import Box
from playerscore_worker import boxes, contact_sheet
from playerscore_worker.follower import FollowedPath, PathSample
from playerscore_worker.following.joint import State
from playerscore_worker.frames import Decoder, Image
from playerscore_worker.settings import ArtifactSettings

# A decision's caption stays for so long after it, to be read; two lines leave the player free.
CAPTION_SEC: Final = 1.0
MAX_CAPTIONS: Final = 2
KEY_FRAME_SEC: Final = 4
# A job has at most 32 artifacts, and each piece may come twice.
MAX_PIECES: Final = 10
POSTER_QUALITY: Final = 85
# What a picture of these clips takes, and how far a file may be filled: rate control is no exact art.
BITS_PER_PIXEL: Final = 0.12
FILLED: Final = 0.8
MIN_BIT_RATE: Final = 20_000
# Threads by tiles: by rows, the same pictures come out as other bytes each time.
ENCODER_OPTIONS: Final = {
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "tile-columns": "1"},
    "libx264": {"preset": "veryfast"},
}
STATE_COLOURS: Final = {
    State.SUPPORTED: supervision.Color(r=64, g=220, b=96),
    State.COASTING: supervision.Color(r=255, g=190, b=40),
}


@dataclass(frozen=True)
class Piece:
    """One file of the clip."""

    file: Path
    begin_sec: float
    """Of the video."""
    end_sec: float


@dataclass
class Clip:
    """What was written."""

    pieces: list[Piece] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    """The poster, and the pieces once more in another container."""

    @property
    def files(self) -> list[Path]:
        return [*(piece.file for piece in self.pieces), *self.others]


def write(
    decoder: Decoder,
    path: FollowedPath,
    log: DecisionLog,
    folder: Path,
    settings: ArtifactSettings | None = None,
) -> Clip:
    """Write clip.mp4, or clip-01.mp4 and so on for long ranges, and its poster clip.jpg. Raises VideoError.

    Below stands how sure he is, or why he is lost; above, what was decided just now.
    """
    chosen, clip = settings or ArtifactSettings(), Clip()
    begin, end = range_of(path, chosen.clip_seconds)
    parts = min(MAX_PIECES, max(1, int(np.ceil((end - begin) / chosen.clip_piece_seconds - 1e-6))))
    fps = min(chosen.clip_fps, path.fps)
    scale = min(1.0, chosen.clip_width_px / path.width)
    pictures = _annotated(decoder, path, log, (begin, end), fps, scale)
    encoder = None
    length = (end - begin) / parts
    for part in range(parts):
        name = "clip.mp4" if parts == 1 else f"clip-{part + 1:02d}.mp4"
        upto = begin + (part + 1) * length if part + 1 < parts else float("inf")
        piece = _Writer(folder / name, fps, chosen, length)
        with closing(piece):
            for time_sec, image in pictures:
                piece.add(image, time_sec)
                if time_sec + 1 / fps >= upto:
                    break
        if piece.first_sec is not None:
            clip.pieces.append(Piece(piece.file, piece.first_sec, piece.last_sec + 1 / fps))
            encoder = piece.encoder
    if encoder is not None and not encoder.startswith(("libopenh264", "libx264", "h264")):
        clip.others += [_as_webm(piece.file) for piece in clip.pieces]
    clip.others += _poster(decoder, path, folder / "clip.jpg", chosen)
    return clip


def range_of(path: FollowedPath, longest: float) -> tuple[float, float]:
    """Begin and end of the clip: all that was followed, or as many seconds with the confirmed frame in them."""
    first, last = path.samples[0].time_sec, path.samples[-1].time_sec + 1 / path.fps
    latest = max(first, last - longest)
    begin = float(np.clip(path.start.time_sec - longest / 3, first, latest))
    return begin, min(last, begin + longest)


class _Writer:
    """One MP4, opened with the first picture."""

    def __init__(self, file: Path, fps: float, settings: ArtifactSettings, length_sec: float) -> None:
        self.file, self._fps, self._settings, self._length_sec = file, fps, settings, length_sec
        self.encoder: str | None = None
        self.first_sec: float | None = None
        self.last_sec = 0.0
        self._out: Any = None

    def add(self, image: Image, time_sec: float) -> None:
        """The next picture, and when it is shown in the video."""
        # Even sides, because colours are stored at half the resolution.
        height, width = (max(2, side // 2 * 2) for side in image.shape[:2])
        if self._out is None:
            self.first_sec = time_sec
            self._begin(width, height)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), "bgr24")
        frame.pts = round((time_sec - (self.first_sec or 0.0)) * 1000)
        frame.time_base = Fraction(1, 1000)
        self._out.mux(self._stream.encode(frame))
        self.last_sec = time_sec

    def _begin(self, width: int, height: int) -> None:
        self._out = av.open(str(self.file), "w", options={"movflags": "faststart"})
        for encoder in self._settings.clip_encoders.split(","):
            try:
                stream = self._out.add_stream(
                    encoder, rate=round(self._fps), options=ENCODER_OPTIONS.get(encoder, {})
                )
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                context = stream.codec_context
                context.time_base, context.thread_count = Fraction(1, 1000), 2
                context.gop_size = round(KEY_FRAME_SEC * self._fps)
                context.bit_rate = self._bit_rate(width * height)
                context.open()
            except (FFmpegError, ValueError):
                # Not in this build, or not on this machine. What was begun is thrown away.
                self._out.close()
                self._out = av.open(str(self.file), "w", options={"movflags": "faststart"})
                continue
            self._stream, self.encoder = stream, encoder
            return
        self._out.close()
        raise OSError(f"no encoder of {self._settings.clip_encoders} is at hand")

    def _bit_rate(self, pixels: int) -> int:
        """Bits a second of good pictures, or of as good ones as fit into the largest file."""
        most = FILLED * 8 * self._settings.clip_piece_megabytes * 1e6 / max(1.0, self._length_sec)
        return max(MIN_BIT_RATE, round(min(BITS_PER_PIXEL * pixels * self._fps, most)))

    def close(self) -> None:
        """Write what the encoder holds, and the index."""
        if self._out is not None:
            if self.encoder is not None:
                self._out.mux(self._stream.encode(None))
            self._out.close()


def _as_webm(mp4: Path) -> Path:
    """The same stream in the container that Safari and older browsers want it in."""
    file = mp4.with_suffix(".webm")
    with av.open(str(mp4)) as old, av.open(str(file), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    return file


def _poster(decoder: Decoder, path: FollowedPath, file: Path, settings: ArtifactSettings) -> list[Path]:
    """The confirmed frame with him marked, as wide as the clip."""
    image = confirmed_frame(decoder, path, min(1.0, settings.clip_width_px / path.width))
    if image is None:
        return []
    drawn = mark(image, path.start.box_xywh, State.SUPPORTED)
    cv2.imwrite(str(file), drawn, [cv2.IMWRITE_JPEG_QUALITY, POSTER_QUALITY])
    return [file]


def confirmed_frame(decoder: Decoder, path: FollowedPath, scale: float = 1.0) -> Image | None:
    """The picture in which he was confirmed; None where nothing is decoded from there on. Raises VideoError."""
    start_sec = max(0.0, path.start.time_sec - 0.5 / path.fps)
    frame = next(decoder.read(start_sec, None, None, scale), None)
    return None if frame is None else frame.image


def _annotated(
    decoder: Decoder,
    path: FollowedPath,
    log: DecisionLog,
    range_sec: tuple[float, float],
    fps: float,
    scale: float,
) -> Iterator[tuple[float, Image]]:
    """Times and pictures of the range, each with what the nearest sample says."""
    samples = iter(path.samples)
    before = after = next(samples)
    for frame in decoder.read(*range_sec, fps, scale):
        while after.time_sec < frame.time_sec and (coming := next(samples, None)) is not None:
            before, after = after, coming
        sample = min(before, after, key=lambda s: abs(s.time_sec - frame.time_sec))
        yield frame.time_sec, _with_captions(_with_sample(frame.image, sample), sample, log)


def _with_sample(image: Image, sample: PathSample) -> Image:
    if sample.box_xywh is None or sample.box_xywh.area <= 0:
        return image.copy()
    return mark(image, sample.box_xywh, sample.state)


def mark(image: Image, box: Box, state: State) -> Image:
    """A copy of the picture with the corners of a box and a triangle above it, in the state's colour."""
    height, width = image.shape[:2]
    detections = supervision.Detections(
        xyxy=boxes.to_pixels(box, width, height)[None].astype(np.float32), class_id=np.zeros(1, int)
    )
    colour = STATE_COLOURS[state]
    drawn = supervision.BoxCornerAnnotator(color=colour, thickness=2, corner_length=8).annotate(
        image.copy(), detections
    )
    triangle = supervision.TriangleAnnotator(color=colour, base=12, height=9)
    return np.asarray(triangle.annotate(drawn, detections), np.uint8)


def _with_captions(image: Image, sample: PathSample, log: DecisionLog) -> Image:
    state = f"{sample.time_sec:.2f} s  {contact_sheet.state_text(sample)}"
    contact_sheet.write_text(image, state, (8, image.shape[0] - 10))
    told = contact_sheet.captions(log, sample.time_sec, CAPTION_SEC)
    for line, caption in enumerate(islice(told, MAX_CAPTIONS), start=1):
        contact_sheet.write_text(image, caption, (8, 18 * line))
    return image
