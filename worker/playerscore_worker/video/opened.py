"""One open video: its picture track, found and listed, and the frames of any part of it.

Each packet is stamped with the number of its picture before it is decoded, and the frame brings the number
back: what comes out is known by name, also after a seek, across a clock that leaps and where packets fail.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from playerscore_worker.video.fields import Fields
from playerscore_worker.video.front import Front, begin_of_cut_index
from playerscore_worker.video.index import NO_STAMP, Clock, Index, Packets
from playerscore_worker.video.pictures import Darkroom, Shape, whole

# What cameras, browsers, editors and platforms write; everything else that FFmpeg can open is attack surface.
CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "mpegts",
    "mpeg",
    "avi",
    "flv",
    "mxf",
)
DECODERS: Final = (
    *("av1", "libdav1d", "dnxhd", "dvvideo", "flv", "h263", "h264", "hevc", "mjpeg"),
    *("mpeg1video", "mpeg2video", "mpeg4", "prores", "vc1", "vp8", "vp9"),
)
# These decode several pictures at once.
FRAME_THREADED: Final = frozenset({"h263", "h264", "hevc", "mpeg4", "vp8", "vp9"})
# Clocks of recordings off a broadcast may start anew in the middle.
LEAPING: Final = frozenset({"mpegts", "mpeg", "flv"})
# Where it is sought by place, because time may come twice.
STREAMS: Final = frozenset({"mpegts", "mpeg"})
# Their headers know the length of each track.
INDEXED: Final = frozenset({CONTAINERS[0], "avi"})
UNORDERED: Final = frozenset({"avi", "mxf"})
COVERS: Final = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
MAX_PACKETS: Final = 4_000_000
MAX_TRACKS: Final = 16
# Packets after a seek in a stream that may bear the time of their neighbours.
SETTLING: Final = 4
# Packets between two signs of life.
TICK_EVERY: Final = 200
# After a seek the decoder may need a longer run-up than one key frame (refreshed piece by piece), not a much longer one.
RUN_UPS: Final = (0, 1, 4)
HINT: Final = "ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p -c:a aac OUT.mp4 converts it"

if TYPE_CHECKING:
    AnyPacket = Packet[Any]
else:
    AnyPacket = Packet


class RefusedError(Exception):
    """The video cannot be decoded; carries the stable code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Costs:
    """What decoding may take."""

    max_pixels: int
    threads: int
    tick: Callable[[], None]
    """Called now and then, so that the parent knows of life."""


class Video:
    """One open video. Raises RefusedError and FFmpeg's own errors."""

    def __init__(self, path: str, costs: Costs, track: int | None = None) -> None:
        """`track` says which of the picture tracks is the video, from 1; the largest when None."""
        self.path, self.costs = path, costs
        self._source: Callable[[], Any] = lambda: path
        self.container = self._open()
        self.rests = False
        """Whether it is closed until it is read again."""
        number, packets = self._listed(track)
        self.number = number
        stream = self.stream
        container = self.container.format.name
        clock = Clock(
            float(stream.time_base or 1),
            may_leap=container in LEAPING,
            may_lack_order=container in UNORDERED and stream.codec_context.has_b_frames,
            fallback_fps=float(stream.guessed_rate or 0),
        )
        self.index = Index(packets, clock)
        self.missing_sec = self._missing_sec()
        first = next(self._frames(0), None)
        if first is None:
            raise _truncated() if self.missing_sec else _undecodable()
        if first[0] > 0:
            # Nobody sees what comes before the first whole picture of a recording that begins amid others.
            packets.hide(self.index.order[: first[0]])
            self.index = Index(packets, clock)
        self._check_size(first[1].width, first[1].height)
        self.darkroom = Darkroom(Shape.of(first[1], self._aspect()))
        self._check_size(self.darkroom.shape.width, self.darkroom.shape.height)

    @property
    def stream(self) -> VideoStream:
        return cast("VideoStream", self.container.streams[self.number])

    def rest(self) -> None:
        """Close it until it is read again."""
        self.container.close()
        self.rests = True

    def pictures(self, ranks: NDArray[np.int64], scale: float) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Number and picture of each that is wanted and whole. `ranks` increase."""
        wanted = set(ranks.tolist())
        if not wanted:
            return
        if self.rests:
            self._reopen()
        for rank, frame in self._run(int(ranks[0])):
            if rank in wanted:
                self._check_size(frame.width, frame.height)
                yield rank, self.darkroom.develop(frame, scale)
            if rank >= ranks[-1]:
                return

    def _run(self, rank: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames from at most this picture on, with a run-up that is long enough for it to be whole."""
        # One more, which the fields of an interlaced picture are completed from.
        lead = max(0, rank - 1)
        keys = [self.index.key_for(lead, earlier) for earlier in RUN_UPS]
        for key in dict.fromkeys(keys):
            frames = self._frames(key)
            first = next(frames, None)
            if first is not None and (first[0] <= rank or key == keys[-1]):
                yield first
                yield from frames
                return

    def _frames(self, key: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Numbers and frames from a key packet on, without those that damage has reached."""
        whole_frames = whole(frame for frame in self._decoded(key))
        last = -1
        for frame in whole_frames:
            rank = frame.pts if frame.pts is not None else -1
            if rank > last:
                last = rank
                yield rank, frame

    def _decoded(self, key: int) -> Iterator[av.VideoFrame]:
        index, damage = self.index, _Damage(self.index)
        # By so many packets a failure is told late: other threads are at them already.
        late = self.costs.threads - 1 if self._frame_threaded else 0
        count = int(index.ranks[key])
        for packet_number, packet in self._packets(key):
            if packet_number in index.holes:
                damage.note(packet_number, index.next_key(packet_number - 1))
            try:
                frames = self.stream.decode(packet)
            except FFmpegError as error:
                _reraise_memory(error)
                if not index.intra_only:
                    damage.note(packet_number - late, index.next_key(packet_number - late))
                continue
            for frame in frames:
                if index.counted:
                    frame.pts, count = count, count + 1
                if frame.pts is None or not 0 <= frame.pts < len(index):
                    continue
                frame.time_base = Fraction(1)
                if frame.is_corrupt:
                    spoilt = int(index.order[frame.pts])
                    damage.note(spoilt, index.next_key(spoilt))
                if not damage.reaches(frame.pts):
                    yield frame

    # --- packets ------------------------------------------------------------------------------------------

    def _open(self) -> InputContainer:
        options = {
            "protocol_whitelist": "file",
            "format_whitelist": ",".join(CONTAINERS),
            "codec_whitelist": ",".join(DECODERS),
            "max_pixels": str(self.costs.max_pixels),
        }
        container = self._opened(self._source, options)
        if container is None and (end := begin_of_cut_index(self.path)):
            self._source = lambda: Front(self.path, end)
            container = self._opened(self._source, options)
        if container is None:
            raise RefusedError("VIDEO_NOT_A_VIDEO", f"the file is not a video of a known container; {HINT}")
        if container.format.name not in CONTAINERS:
            raise RefusedError("VIDEO_UNSUPPORTED", f"the container is {container.format.name}; {HINT}")
        return container

    @staticmethod
    def _opened(source: Callable[[], Any], options: dict[str, str]) -> InputContainer | None:
        """None when it is nothing that FFmpeg knows."""
        try:
            container: InputContainer = av.open(source(), options=options, metadata_errors="replace")
        except (FFmpegError, ValueError) as error:
            _reraise_memory(error)
            return None
        return container

    def _listed(self, track: int | None) -> tuple[int, Packets]:
        """The number of the picture track, and its packets."""
        tracks = self._tracks(track)
        packets = {stream.index: Packets() for stream in tracks}
        fields = {
            stream.index: Fields(stream.codec_context.extradata)
            for stream in tracks
            if stream.codec_context.name == "h264"
        }
        corrupt_end = dict.fromkeys(packets, 0)
        try:
            for count, packet in enumerate(self.container.demux(tracks)):
                if count % TICK_EVERY == 0:
                    self.costs.tick()
                if count > MAX_PACKETS:
                    raise RefusedError("VIDEO_TOO_LARGE", f"the video has more than {MAX_PACKETS} pictures")
                if packet.size:
                    number = packet.stream_index
                    if not packets[number] and packet.has_sidedata("encryption_info"):
                        raise RefusedError(
                            "VIDEO_UNSUPPORTED", "the video is encrypted; save it without a copy protection"
                        )
                    corrupt_end[number] = corrupt_end[number] + 1 if packet.is_corrupt else 0
                    half = fields.get(number)
                    packets[number].add(
                        packet.pts,
                        packet.dts,
                        packet.pos,
                        packet.duration,
                        packet.is_keyframe,
                        not packet.is_discard and _shows(packet),
                        half is not None and half.completes(memoryview(packet), packet.is_keyframe),
                    )
        except FFmpegError as error:
            _reraise_memory(error)
        for number, corrupt in corrupt_end.items():
            for _ in range(corrupt):
                packets[number].drop_last()
        # A track with one picture is a cover beside one with many.
        number = max(
            packets,
            key=lambda n: (
                sum(packets[n].shown) > 1,
                _area(cast("VideoStream", self.container.streams[n])),
                -n,
            ),
        )
        if not any(packets[number].shown):
            promised = self.container.format.name in INDEXED and any(stream.frames for stream in tracks)
            raise _truncated() if promised else _undecodable()
        return number, packets[number]

    def _tracks(self, track: int | None) -> list[VideoStream]:
        """The tracks that may be the video. Raises RefusedError when none is."""
        videos = [s for s in self.container.streams.video if not s.disposition & COVERS]
        if not videos:
            raise RefusedError("VIDEO_NOT_A_VIDEO", "the file has no video track")
        if track is not None:
            if track > len(videos):
                text = f"there is no picture track {track} (spec.video.track): the file has {len(videos)}"
                raise RefusedError("VIDEO_TRACK_NOT_FOUND", text)
            videos = [videos[track - 1]]
        known = [s for s in videos if s.codec_context is not None and s.codec_context.name in DECODERS]
        if not known:
            raise RefusedError("VIDEO_UNSUPPORTED", f"the codec is {_codec(videos[0])}; {HINT}")
        sized = [s for s in known if _area(s) <= self.costs.max_pixels]
        if not sized:
            raise _too_large(known[0].width, known[0].height)
        for stream in self.container.streams:
            if stream not in sized[:MAX_TRACKS]:
                stream.discard = Discard.all
        return sized[:MAX_TRACKS]

    def _packets(self, key: int) -> Iterator[tuple[int, AnyPacket | None]]:
        """Packets from this one on, each stamped with the rank of its picture; at last the one that flushes."""
        following = self._from(key)
        ranks = self.index.ranks
        for count, (number, packet) in enumerate(following):
            if count % TICK_EVERY == 0:
                self.costs.tick()
            if number >= len(ranks):
                break
            rank = int(ranks[number])
            packet.pts = None if rank < 0 or self.index.counted else rank
            packet.dts = number
            yield number, packet
        yield len(ranks), None

    def _from(self, key: int) -> Iterator[tuple[int, AnyPacket]]:
        if key > 0 and self._seek(key):
            found = self._sought(key)
            if found is not None:
                yield from found
                return
        self._reopen()
        for number, packet in enumerate(self._demuxed()):
            if number >= key:
                yield number, packet

    def _sought(self, key: int) -> Iterator[tuple[int, AnyPacket]] | None:
        """The packets from the key on, or None when the seek did not lead to or before it."""
        demuxed = self._demuxed()
        settling = SETTLING if self.container.format.name in STREAMS else 0
        for count, packet in enumerate(demuxed):
            number = self.index.find(packet.pts, packet.dts, packet.pos) if count >= settling else None
            if number is None and count < TICK_EVERY:
                continue
            if number is None or number > key:
                return None
            return self._after(number, key, packet, demuxed)
        return None

    def _after(
        self, number: int, key: int, packet: AnyPacket, others: Iterator[AnyPacket]
    ) -> Iterator[tuple[int, AnyPacket]]:
        if number == key:
            yield number, packet
        for later, other in enumerate(others, number + 1):
            if later >= key:
                yield later, other

    def _demuxed(self) -> Iterator[AnyPacket]:
        try:
            for packet in self.container.demux(self.stream):
                if packet.size:
                    yield packet
        except FFmpegError as error:
            _reraise_memory(error)

    def _seek(self, key: int) -> bool:
        name, index = self.container.format.name, self.index
        try:
            if name in STREAMS:
                placed = index.pos[: max(1, key - 2 * SETTLING)]
                self.container.seek(int(placed[placed >= 0][-1]), unsupported_byte_offset=True)
            else:
                stamps = index.pts if name == CONTAINERS[1] or index.dts[key] == NO_STAMP else index.dts
                self.container.seek(int(stamps[key]), stream=self.stream)
        except (FFmpegError, IndexError):
            return False
        return True

    def _reopen(self) -> None:
        self.container.close()
        self.container, self.rests = self._open(), False
        for stream in self.container.streams:
            if stream.index != self.number:
                stream.discard = Discard.all
        slices = "SLICE" if self.index.of_fields else "AUTO"
        self.stream.thread_type = "FRAME" if self._frame_threaded else slices
        self.stream.thread_count = self.costs.threads

    @property
    def _frame_threaded(self) -> bool:
        """Pictures of fields are not: FFmpeg then calls good ones corrupt that come after one of a whole frame."""
        return self.stream.codec_context.name in FRAME_THREADED and not self.index.of_fields

    # --- judgements ---------------------------------------------------------------------------------------

    def _aspect(self) -> Fraction | None:
        """The shape of a pixel: what the container says goes before what the pictures say, as in players."""
        return self.stream.sample_aspect_ratio or self.stream.codec_context.sample_aspect_ratio

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self.costs.max_pixels:
            raise _too_large(width, height)

    def _missing_sec(self) -> float:
        """How much longer the track says to be than its packets last: the file was cut off. 0 when it is whole."""
        if self.container.format.name not in INDEXED:
            return 0.0
        said = float((self.stream.duration or 0) * (self.stream.time_base or 0))
        missing = said - self.index.duration_sec
        return missing if missing > 1 / self.index.fps else 0.0


class _Damage:
    """What a packet that failed has spoilt: all that is decoded after it, up to the next key frame."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._begin = self._end = 0
        self._until_rank = 0

    def note(self, begin: int, end: int) -> None:
        """Packets from `begin` to before the key packet `end` are spoilt."""
        self._begin = min(self._begin, begin) if begin < self._end else begin
        self._end = max(self._end, end)
        shown = self._index.ranks[self._end :]
        shown = shown[shown >= 0]
        self._until_rank = int(shown[0]) if len(shown) else len(self._index)

    def reaches(self, rank: int) -> bool:
        """Whether the picture comes of packets after the damage, or refers to such."""
        return self._begin <= self._index.order[rank] and rank < self._until_rank


def _reraise_memory(error: Exception) -> None:
    """Let out what says nothing about the video."""
    if isinstance(error, MemoryError):
        raise error


def _shows(packet: AnyPacket) -> bool:
    """Whether a packet holds a picture to show: VP8 keeps references in packets of their own."""
    if packet.stream.codec_context.name != "vp8":
        return True
    return bool(memoryview(packet)[0] & 0x10)


def _area(stream: VideoStream) -> int:
    return (stream.width or 0) * (stream.height or 0)


def _codec(stream: VideoStream) -> str:
    return stream.codec_context.name if stream.codec_context is not None else "not known to FFmpeg"


def _too_large(width: int, height: int) -> RefusedError:
    return RefusedError("VIDEO_TOO_LARGE", f"pictures of {width}x{height} exceed the limit")


def _truncated() -> RefusedError:
    return RefusedError("VIDEO_TRUNCATED", "the file ends before its first picture does")


def _undecodable() -> RefusedError:
    return RefusedError("VIDEO_DECODE_FAILED", "no picture of the video can be decoded")
