"""The kinds of files that people have, each rendered small, with what is right for it.

`make test` and `make bench-videos` try the same table. A kind is judged by what a user gets: which pictures come,
with which numbers and times, in which shape, from the beginning and after a seek; or the one sentence with a code
that refuses it.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from fieldcoded import write_fields
from playerscore.errors import VideoError
from playerscore.resources import VideoLimits
from playerscore_worker import container
from playerscore_worker.frames import Decoder, Frame, Limits
from smallvideos import SIZE, Kind, Picture, copy, is_upright, number_on, picture, write, write_filtered

Make = Callable[[Path], Path]
"""Writes the file into a folder."""


@dataclass(frozen=True)
class Right:
    """What is right for a file that plays."""

    numbers: Sequence[int] = range(30)
    """On the pictures that come."""
    times_sec: Sequence[float] | None = None
    """When each comes; 25 a second from 0 when absent."""
    indices: Sequence[int] | None = None
    """The number that each has in the file, from 0; in order when absent."""
    duration_sec: float | None = None
    """One picture longer than the last time when absent."""
    size: tuple[int, int] = SIZE
    missing_sec: float = 0.0
    track: int | None = None
    """Which picture track is asked for."""
    unclear: Callable[[int], bool] = lambda position: False
    """Where two pictures are mixed, so that no number can be read."""
    colour: tuple[int, int, int] | None = None
    """BGR in the middle; then pictures bear no numbers."""
    off: int = 4
    """How far the colour may be off."""

    @property
    def times(self) -> list[float]:
        return (
            list(self.times_sec) if self.times_sec is not None else [k / 25 for k in range(len(self.numbers))]
        )


@dataclass(frozen=True)
class Refused:
    """What is right for a file that does not play."""

    code: str
    words: str
    """Must be in the sentence."""
    track: int | None = None


@dataclass(frozen=True)
class Case:
    """A kind of file."""

    make: Make
    right: Right | Refused = field(default_factory=Right)


@dataclass(frozen=True)
class Verdict:
    """How a file was handled."""

    wrong: list[str]
    """What is not right, in words; empty when all is."""
    silent: bool = False
    """Whether what is wrong came without an error, or with one that has no code."""


def judged(case: Case, folder: Path) -> Verdict:
    """Write the file and take it as a job does: a short look, then the decoder."""
    file = case.make(folder)
    right = case.right
    try:
        container.check(file, VideoLimits())
        with Decoder(file, Limits(track=right.track)) as decoder:
            if isinstance(right, Refused):
                list(decoder.read())
                return Verdict([f"was not refused with {right.code}"], silent=True)
            wrong = list(_faults(decoder, right))
    except VideoError as error:
        return Verdict(list(_faults_of_words(error, right)))
    except Exception as error:  # noqa: BLE001 - whatever else comes is what is looked for
        return Verdict([f"{type(error).__name__}: {error}"], silent=True)
    return Verdict(wrong, silent=bool(wrong))


def _faults_of_words(error: VideoError, right: Right | Refused) -> Iterator[str]:
    said = f"{error.code}: {error.message}"
    if isinstance(right, Right) or error.code != right.code:
        yield f"was refused with {said}"
    elif right.words not in error.message or "\n" in error.message or not 10 < len(error.message) < 300:
        yield f"is not one sentence with {right.words!r}: {said}"


def _faults(decoder: Decoder, right: Right) -> Iterator[str]:
    info, frames = decoder.info, list(decoder.read())
    if right.colour is not None:
        height, width = frames[0].image.shape[:2]
        found = frames[0].image[height // 2, width // 2]
        if np.abs(found.astype(int) - right.colour).max() > right.off:
            yield f"colour {found.tolist()}"
        return
    yield from _differences("size", (info.width, info.height), right.size)
    told = [(k, number_on(f.image)) for k, f in enumerate(frames)]
    yield from _differences("count", len(told), len(right.numbers))
    wanted_numbers = [pair for pair in enumerate(right.numbers) if not right.unclear(pair[0])]
    yield from _differences("numbers", [pair for pair in told if not right.unclear(pair[0])], wanted_numbers)
    indices = right.indices if right.indices is not None else range(len(right.numbers))
    yield from _differences("frame numbers", [f.index for f in frames], list(indices))
    yield from _apart("times", [f.time_sec for f in frames], right.times, 1.1e-3)
    last = right.times[-1] + (right.times[-1] - right.times[-2] if len(right.times) > 1 else 0.04)
    wanted = right.duration_sec if right.duration_sec is not None else last
    yield from _apart("duration", [info.duration_sec], [wanted], max(0.1, 1.1 * (last - right.times[-1])))
    yield from _apart("missing", [info.missing_sec], [right.missing_sec], 0.1)
    if not all(is_upright(f.image) for f in frames):
        yield "not upright"
    yield from _after_a_seek(decoder, frames)


def _after_a_seek(decoder: Decoder, frames: list[Frame]) -> Iterator[str]:
    """What differs in the later part when it is read alone."""
    if not frames:
        return
    middle = frames[len(frames) * 7 // 10].time_sec - 0.001
    later = list(decoder.read(middle))
    again = [f for f in frames if f.time_sec >= middle - 0.001]
    yield from _differences("after a seek", [(f.index, f.time_sec) for f in later], [(f.index, f.time_sec) for f in again])  # fmt: skip
    if any(not np.array_equal(a.image, b.image) for a, b in zip(later, again, strict=False)):
        yield "other pixels after a seek"


def _differences(what: str, found: Any, wanted: Any) -> Iterator[str]:
    if found != wanted:
        yield f"{what}: {str(found)[:300]} and not {str(wanted)[:300]}"


def _apart(what: str, found: list[float], wanted: list[float], by: float) -> Iterator[str]:
    if len(found) != len(wanted) or any(abs(a - b) > by for a, b in zip(found, wanted, strict=True)):
        yield f"{what}: {[round(x, 4) for x in found[:40]]} and not {[round(x, 4) for x in wanted[:40]]}"


# --- makers ---------------------------------------------------------------------------------------------------

X265 = {"x265-params": "log-level=none:keyint=10"}
INTERLACED = {"flags": "+ildct+ilme"}
TOP_FIRST = INTERLACED | {"x264-params": "tff=1"}
CLEAR = {"preset": "10", "crf": "20"}
LIKE_WINDOWS = {"bf": "2"}
JPEG = "yuvj420p"
EVERY_TENTH = {"sc_threshold": "0", "bf": "0"}
"""Key frames there and nowhere else, and the order of decoding is that of showing."""
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
DNXHR = {"profile": "dnxhr_lb"}
WIDE = (320, 192)
BT709, UNSAID, BT601, BT2020 = 1, 2, 5, 9
PQ, HLG = 16, 18
RED_BGR = (40, 40, 200)
SUM = "ffmpeg -i"
"""The way out that a refusal names."""


def plain(kind: Kind, *others: Kind, **right: Any) -> Case:
    """A file whose pictures all come, at the times at which they were written."""
    wanted = {"numbers": range(kind.pictures), "times_sec": kind.shown, "size": kind.size} | right
    return Case(lambda folder: write(kind, folder, *others), Right(**wanted))


def changed(kind: Kind, name: str, change: Callable[[Any], bool], right: Right, **opening: Any) -> Case:
    """The packets of one file in another, each changed; those are left out for which `change` is False."""
    return Case(lambda folder: copy(write(kind, folder), folder / name, change, **opening), right)


def later(seconds: Fraction | float) -> Callable[[Any], bool]:
    """Moves every packet."""

    def move(packet: Any) -> bool:
        packet.pts, packet.dts = (t + round(seconds / packet.time_base) for t in (packet.pts, packet.dts))
        return True

    return move


def dropping(first: int, count: int) -> Callable[[Any], bool]:
    """Leaves room for pictures that were not captured."""
    number = iter(range(1000))

    def move(packet: Any) -> bool:
        late = 0 if next(number) < first else round(Fraction(count, 25) / packet.time_base)
        packet.pts, packet.dts = packet.pts + late, packet.dts + late
        return True

    return move


def edited(kind: Kind, edit: Callable[[bytes], bytes], right: Right | Refused) -> Case:
    """A file with other bytes."""

    def make(folder: Path) -> Path:
        file = write(kind, folder)
        file.write_bytes(edit(file.read_bytes()))
        return file

    return Case(make, right)


def given(name: str, content: bytes, code: str, words: str) -> Case:
    """A file that is refused."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return Case(make, Refused(code, words))


def refused(kind: Kind, code: str, words: str) -> Case:
    return Case(lambda folder: write(kind, folder), Refused(code, words))


def turned(degrees: int, camera: Callable[[Picture], Picture], flipped: bool = False, name: str = "a.mp4", **more: Any) -> Case:  # fmt: skip
    """Held otherwise than upright, with the note of it that phones write."""

    def setup(stream: Any) -> None:
        stream.set_display_rotation(degrees, hflip=flipped)

    return plain(Kind(name, setup=setup, turned=camera, **more))


def turned_and_wide() -> Case:
    def setup(stream: Any) -> None:
        stream.set_display_rotation(90)
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    upright = Kind("a.mp4", setup=setup, turned=lambda image: np.rot90(image, -1))
    return plain(upright, size=(SIZE[0], SIZE[1] * 4 // 3))


def scrambled(content: bytes) -> bytes:
    """A transport stream whose pictures nobody has the key to."""
    made = bytearray(content)
    for at in range(0, len(made), 188):
        if bytes(made[at + 1 : at + 3]) in {b"\x01\x00", b"\x41\x00"}:
            made[at + 3] |= 0xC0
            made[at + 60 : at + 188] = bytes((x * 7 + 13) & 255 for x in made[at + 60 : at + 188])
    return bytes(made)


def shaped(name: str, aspect: Fraction, **more: Any) -> Case:
    """Of pixels that are not square."""

    def setup(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    return plain(Kind(name, setup=setup, **more), size=(round(SIZE[0] * aspect), SIZE[1]))


def coloured(codes: tuple[int, ...], matrix: int, full: bool = False, curve: int = UNSAID, size: tuple[int, int] = SIZE, bgr: tuple[int, int, int] = RED_BGR, off: int = 4) -> Case:  # fmt: skip
    """Plain pictures of these codes of luma and chroma (of ten bits when one exceeds 255)."""
    deep = max(codes) > 255
    tags = (matrix, 1 + full, curve, matrix if curve != UNSAID else UNSAID)

    def make(folder: Path) -> Path:
        file = folder / "a.mp4"
        kind, codec = (np.uint16, "libx265") if deep else (np.uint8, "libx264")
        with av.open(str(file), "w") as out:
            stream = out.add_stream(codec, rate=25, options={"x265-params": "log-level=none"} if deep else {})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p10le" if deep else "yuv420p"
            context = stream.codec_context
            context.colorspace, context.color_range, context.color_trc, context.color_primaries = tags
            rows = [np.full((size[1], size[0]), codes[0], kind)]
            rows += [np.full((size[1] // 4, size[0]), code, kind) for code in codes[1:]]
            frame = av.VideoFrame.from_ndarray(np.concatenate(rows), stream.pix_fmt)
            frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries = tags
            for _ in range(3):
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return file

    return Case(make, Right(colour=bgr, off=off))


def with_sound(kind: Kind, seconds: float, starts: float = 0.0, codec: str = "aac") -> Make:
    """The video beside silence of that length, which may start elsewhere."""

    def make(folder: Path) -> Path:
        source = write(replace(kind, name="silent.mkv", muxer={}), folder)
        with av.open(str(source)) as old, av.open(str(folder / kind.name), "w", format=kind.format, options=kind.muxer) as new:  # fmt: skip
            video = new.add_stream_from_template(old.streams.video[0])
            sound = new.add_stream(codec, rate=48_000)
            for packet in old.demux(video=0):
                if packet.size:
                    packet.stream = video
                    new.mux(packet)
            for at in range(round(seconds * 48_000 / 960)):
                part = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), "s16", "mono")
                part.rate, part.pts = 48_000, at * 960 + round(starts * 48_000)
                part.time_base = Fraction(1, 48_000)
                new.mux(sound.encode(part))
            new.mux(sound.encode(None))
        return folder / kind.name

    return make


def only_sound(folder: Path) -> Path:
    with av.open(str(folder / "a.m4a"), "w") as new:
        sound = new.add_stream("aac", rate=48_000)
        part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
        part.rate = 48_000
        new.mux(sound.encode(part))
        new.mux(sound.encode(None))
    return folder / "a.m4a"


def packets(file: Path) -> list[tuple[int, int]]:
    """Place and size of each packet of the picture track."""
    with av.open(str(file)) as opened:
        return [(p.pos, p.size) for p in opened.demux(video=0) if p.size]


def spoilt(kind: Kind, numbers: range, right: Right) -> Case:
    """The packets of these pictures have lost all but their length."""

    def make(folder: Path) -> Path:
        file = write(kind, folder)
        content = bytearray(file.read_bytes())
        for place, size in [packets(file)[n] for n in numbers]:
            content[place + 12 : place + size] = bytes(size - 12)
        file.write_bytes(content)
        return file

    return Case(make, right)


def left_out(kind: Kind, name: str, numbers: range, right: Right) -> Case:
    """These packets were never written."""

    def make(folder: Path) -> Path:
        seen = iter(range(1000))
        return copy(write(kind, folder), folder / name, lambda packet: next(seen) not in numbers)

    return Case(make, right)


def joined(parts: Sequence[Kind], name: str, moves: Sequence[float], right: Right) -> Case:
    """Files appended to one another, each moved in time."""

    def make(folder: Path) -> Path:
        content = b""
        for number, (kind, move) in enumerate(zip(parts, moves, strict=True)):
            file = write(kind, folder)
            content += copy(file, folder / f"part{number}{Path(name).suffix}", later(move)).read_bytes()
        (folder / name).write_bytes(content)
        return folder / name

    return Case(make, right)


def cut_off(kind: Kind, at: Callable[[list[tuple[int, int]]], int], right: Right | Refused) -> Case:
    """What is behind that place was never written."""

    def make(folder: Path) -> Path:
        file = write(kind, folder)
        place = at(packets(file))
        file.write_bytes(file.read_bytes()[:place])
        return file

    return Case(make, right)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def sparse(gigabytes: int) -> Make:
    """A movie whose index lies behind a hole of that size."""

    def make(folder: Path) -> Path:
        file = write(Kind("a.mp4"), folder)
        content = file.read_bytes()
        begin = content.index(b"moov") - 4
        with file.open("wb") as out:
            hole = gigabytes << 30
            out.write(content[:begin] + struct.pack(">I4sQ", 1, b"free", hole))
            out.seek(begin + hole)
            out.write(content[begin:])
        return file

    return make


def with_cover(folder: Path) -> Path:
    """The picture of an album, as a track in front of the video's, marked as what it is."""
    source = write(Kind("silent.mp4"), folder)
    jpeg = folder / "cover.jpg"
    write(Kind("cover.mkv", "mjpeg", JPEG, size=WIDE, pictures=1), folder)
    with av.open(str(folder / "cover.mkv")) as picture:
        jpeg.write_bytes(bytes(next(picture.demux(video=0))))
    with av.open(str(source)) as old, av.open(str(folder / "cover.mkv")) as picture, av.open(str(folder / "a.mp4"), "w") as new:  # fmt: skip
        cover = new.add_stream_from_template(picture.streams.video[0])
        cover.disposition = 1024
        video = new.add_stream_from_template(old.streams.video[0])
        for stream, packet in [
            (cover, next(picture.demux(video=0))),
            *((video, p) for p in old.demux(video=0)),
        ]:
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    return folder / "a.mp4"


def filtered(kind: Kind, graph: str, right: Right) -> Case:
    """Pictures that went through a filter of FFmpeg before they were encoded."""

    def make(folder: Path) -> Path:
        return write_filtered(kind, graph, folder)

    return Case(make, right)


def pulled_down(folder: Path) -> Path:
    """Film on a DVD: 24 pictures a second, whose flags say which fields a television repeats."""
    source = write(Kind("film.ts", "mpeg2video", options={"bf": "0"}, fps=Fraction(30_000, 1001)), folder)
    number = iter(range(1000))

    def flag(packet: Any) -> bool:
        k, content = next(number), bytearray(bytes(packet))
        sequence, coding = (
            next((at for at in range(len(content)) if content[at : at + 4] == b"\0\0\1\xb5" and content[at + 4] >> 4 == kind), -1)
            for kind in (1, 8)
        )  # fmt: skip
        if sequence >= 0:
            content[sequence + 5] &= ~0x08
        first, repeated = ((1, 1), (0, 0), (0, 1), (1, 0))[k % 4]
        content[coding + 7] = content[coding + 7] & ~0x82 | first << 7 | repeated << 1
        packet.update(bytes(content))
        fields = 5 * (k // 2) + (3 if k % 2 else 0)
        packet.pts = packet.dts = round(fields * Fraction(1001, 60_000) / packet.time_base) + 90_000
        return True

    return copy(source, folder / "a.ts", flag)


FILM_TIMES = [(5 * (k // 2) + 3 * (k % 2)) * 1001 / 60_000 for k in range(30)]


def montage(folder: Path) -> Path:
    """The first and the last third, by an edit list of two parts."""
    file = write(Kind("a.mp4", options=EVERY_TENTH), folder)
    content = file.read_bytes()
    place = content.index(b"edts") - 4
    old = content[place : place + int.from_bytes(content[place : place + 4], "big")]
    ticks = int.from_bytes(content[content.index(b"mdhd") + 16 :][:4], "big")
    parts = b"".join(struct.pack(">IIHH", 400, at * ticks // 25, 1, 0) for at in (0, 20))
    new = box(b"edts", box(b"elst", struct.pack(">II", 0, 2) + parts))
    made = bytearray(content.replace(old, new))
    for kind in (b"moov", b"trak"):
        at = made.index(kind) - 4
        made[at : at + 4] = (int.from_bytes(made[at : at + 4], "big") + len(new) - len(old)).to_bytes(
            4, "big"
        )
    file.write_bytes(made)
    return file


def ciphered(folder: Path) -> Path:
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0" * 32, "encryption_kid": "1" * 32}
    return write(Kind("a.mp4", muxer=key), folder)


def stream_of_two_programs(folder: Path) -> Path:
    """Two channels of a broadcast, of which the second is larger."""
    return write(Kind("a.ts", size=(80, 48)), folder, Kind("", options=EVERY_TENTH))


def garbage_first(content: bytes) -> bytes:
    return b"\x47" + bytes(range(100)) + content


def wider_packets(content: bytes) -> bytes:
    """Transport packets of 204 bytes, as off a satellite."""
    return b"".join(content[at : at + 188] + bytes(16) for at in range(0, len(content), 188))


def without(kind: bytes) -> Callable[[bytes], bytes]:
    """An MP4 that does not say what is in its first box of that kind."""
    return lambda content: content.replace(kind, b"free", 1)


def resized(name: str, codec: str, *sizes: tuple[int, int]) -> Make:
    """Ten pictures of each size within one track."""

    def make(folder: Path) -> Path:
        number, file = 0, folder / name
        with av.open(str(file), "w") as out:
            stream = out.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuv420p"
            for size in sizes:
                encoder = av.CodecContext.create(codec, "w")
                encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
                encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
                for k in range(11):
                    frame = None
                    if k < 10:
                        frame = av.VideoFrame.from_ndarray(picture(number + k, size), "rgb24")
                        frame.pts, frame.time_base = number + k, Fraction(1, 25)
                    for packet in encoder.encode(frame):
                        packet.stream = stream
                        out.mux(packet)
                number += 10
        return file

    return make


# --- the table ------------------------------------------------------------------------------------------------

CASES: dict[str, Case] = {
    # Containers of phones, editors, browsers and platforms.
    "MP4": plain(Kind("a.mp4")),
    "MP4, index in front": plain(Kind("a.mp4", muxer={"movflags": "faststart"})),
    "MP4, fragmented": plain(Kind("a.mp4", muxer=FRAGMENTS)),
    "MP4, a fragment for each picture": plain(Kind("a.mp4", muxer={"movflags": "frag_every_frame+empty_moov+default_base_moof"})),
    "MP4, separate fragments for each track": Case(with_sound(Kind("a.mp4", muxer={"movflags": "frag_keyframe+empty_moov+separate_moof"}), 1.2)),
    "MP4, CMAF": plain(Kind("a.mp4", muxer={"movflags": "cmaf+frag_keyframe+empty_moov"})),
    "MP4, DASH with an index of segments": plain(Kind("a.mp4", muxer={"movflags": "dash+global_sidx+frag_keyframe"})),
    "MP4, fragmented while recording, made whole at the end": plain(Kind("a.mp4", muxer={"movflags": "hybrid_fragmented"})),
    "MP4 that does not say which pictures are key": edited(Kind("a.mp4", options=EVERY_TENTH), without(b"stss"), Right()),
    "MP4, B-frames with negative offsets": plain(Kind("a.mp4", muxer={"movflags": "negative_cts_offsets"})),
    "M4V": plain(Kind("a.m4v", format="ipod")),
    "F4V": plain(Kind("a.f4v")),
    "Smooth Streaming": plain(Kind("a.ismv")),
    "QuickTime": plain(Kind("a.mov")),
    "QuickTime with a time code": plain(Kind("a.mov", "prores_ks", "yuv422p10le", setup=lambda stream: stream.metadata.update(timecode="10:00:00:00"))),
    "3GP, H.263": plain(Kind("a.3gp", "h263", size=(176, 144)), size=(192, 144)),
    "3GP, MPEG-4": plain(Kind("a.3gp", "mpeg4")),
    "3G2": plain(Kind("a.3g2")),
    "Matroska": plain(Kind("a.mkv")),
    "Matroska, live: no length, no cues": plain(Kind("a.mkv", muxer={"live": "1"})),
    "Matroska, cues in front": plain(Kind("a.mkv", muxer={"cues_to_front": "1", "reserve_index_space": "4096"})),
    "Matroska, ProRes": plain(Kind("a.mkv", "prores_ks", "yuv422p10le")),
    "WebM, VP8 with hidden references": plain(Kind("a.webm", "libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"}, pictures=60)),
    "WebM, VP8 of a browser, live": plain(Kind("a.webm", "libvpx", muxer={"live": "1"}, options={"deadline": "realtime", "cpu-used": "8"})),
    "WebM, VP9": plain(Kind("a.webm", "libvpx-vp9", options={"lag-in-frames": "16", "deadline": "realtime", "cpu-used": "8"})),
    "WebM, AV1": plain(Kind("a.webm", "libsvtav1", options=CLEAR)),
    "WebM, AV1 of 10 bits": plain(Kind("a.webm", "libsvtav1", "yuv420p10le", options=CLEAR)),
    "MP4, AV1": plain(Kind("a.mp4", "libsvtav1", options=CLEAR)),
    "MP4, VP9": plain(Kind("a.mp4", "libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})),
    # Recorders, broadcast, discs.
    "transport stream": plain(Kind("a.ts")),
    "transport stream, open groups": plain(Kind("a.ts", options={"x264-params": "open-gop=1:keyint=10:bframes=3"}, pictures=60)),
    "transport stream, HEVC": plain(Kind("a.ts", "libx265", options=X265)),
    "transport stream, MPEG-2": plain(Kind("a.ts", "mpeg2video", options=LIKE_WINDOWS)),
    "transport stream, garbage first": edited(Kind("a.ts"), garbage_first, Right()),
    "transport stream, packets of 204 bytes": edited(Kind("a.ts"), wider_packets, Right()),
    "transport stream, its clock wraps around": changed(Kind("a.ts"), "b.ts", later(Fraction(2**33, 90_000) - 2), Right()),
    "transport stream of two programs": Case(stream_of_two_programs),
    "camcorder's M2TS": plain(Kind("a.m2ts", options=TOP_FIRST)),
    "camcorder's MTS": plain(Kind("a.mts", format="mpegts", muxer={"mpegts_m2ts_mode": "1"})),
    "program stream, MPEG-2": plain(Kind("a.mpg", "mpeg2video", options=LIKE_WINDOWS, pictures=60)),
    "program stream, MPEG-1": plain(Kind("a.mpg", "mpeg1video")),
    "program stream without times": plain(Kind("a.mpg", format="mpeg")),
    "DVD": plain(Kind("a.vob", "mpeg2video", options=LIKE_WINDOWS | INTERLACED, format="dvd")),
    "AVI, MPEG-4": plain(Kind("a.avi", "mpeg4", options=LIKE_WINDOWS)),
    "AVI, H.264 without times": plain(Kind("a.avi")),
    "AVI, Motion JPEG": plain(Kind("a.avi", "mjpeg", JPEG)),
    "AVI with dropped pictures": changed(Kind("a.avi", "mpeg4"), "b.avi", dropping(12, 3), Right(times_sec=[(k + 3 * (k > 11)) / 25 for k in range(30)])),
    "AVI, DV": plain(Kind("a.avi", "dvvideo", size=(720, 576), pictures=10), size=(768, 576)),
    "QuickTime, DV": plain(Kind("a.mov", "dvvideo", size=(720, 576), pictures=10), size=(768, 576)),
    "FLV, H.264": plain(Kind("a.flv")),
    "FLV, Sorenson": plain(Kind("a.flv", "flv")),
    "FLV, HEVC": plain(Kind("a.flv", "libx265", options=X265)),
    "FLV, AV1": plain(Kind("a.flv", "libsvtav1", options=CLEAR)),
    "MXF, MPEG-2": plain(Kind("a.mxf", "mpeg2video", options=LIKE_WINDOWS)),
    "MXF, XDCAM 4:2:2": plain(Kind("a.mxf", "mpeg2video", "yuv422p", options=INTERLACED | {"bf": "0"})),
    "MXF, H.264 without times": plain(Kind("a.mxf")),
    "MXF, DNxHR": plain(Kind("a.mxf", "dnxhd", "yuv422p", options=DNXHR, size=WIDE)),
    "MXF, ProRes": plain(Kind("a.mxf", "prores_ks", "yuv422p10le")),
    # Codecs.
    "HEVC": plain(Kind("a.mp4", "libx265", options=X265)),
    "HEVC of 10 bits": plain(Kind("a.mp4", "libx265", "yuv420p10le", options=X265)),
    "HEVC of 12 bits": plain(Kind("a.mp4", "libx265", "yuv420p12le", options=X265)),
    "HEVC, 4:2:2 of 10 bits": plain(Kind("a.mov", "libx265", "yuv422p10le", options=X265)),
    "HEVC of fields": plain(Kind("a.ts", "libx265", options={"x265-params": "log-level=none:keyint=10:interlace=tff"})),
    "HEVC with open groups": plain(Kind("a.mp4", "libx265", options={"x265-params": "log-level=none:keyint=10:open-gop=1"})),
    "H.264 of 10 bits, 4:2:2": plain(Kind("a.mov", pix_fmt="yuv422p10le")),
    "H.264, 4:4:4": plain(Kind("a.mp4", pix_fmt="yuv444p")),
    "H.264, lossless": plain(Kind("a.mp4", options={"qp": "0"})),
    "H.264, many slices": plain(Kind("a.mp4", options={"slices": "4"})),
    "H.264, refreshed piece by piece": plain(Kind("a.mp4", options={"x264-params": "intra-refresh=1:keyint=10"}, pictures=60)),
    "H.264, one key picture": plain(Kind("a.mp4", options={"g": "1000"}, pictures=60)),
    "MPEG-4": plain(Kind("a.mp4", "mpeg4", options=LIKE_WINDOWS)),
    "MPEG-4, quarter pixels": plain(Kind("a.avi", "mpeg4", options={"flags": "+qpel+mv4"})),
    "QuickTime, Motion JPEG": plain(Kind("a.mov", "mjpeg", JPEG)),
    "QuickTime, DNxHR": plain(Kind("a.mov", "dnxhd", "yuv422p", options=DNXHR, size=WIDE)),
    "QuickTime, interlaced DNxHD": plain(Kind("a.mov", "dnxhd", "yuv422p", options={"b": "120M", "flags": "+ildct"}, size=(1920, 1080), pictures=4)),
    "QuickTime, DNxHR of 10 bits": plain(Kind("a.mov", "dnxhd", "yuv422p10le", options={"profile": "dnxhr_hqx"}, size=WIDE)),
    "QuickTime, ProRes": plain(Kind("a.mov", "prores_ks", "yuv422p10le")),
    "QuickTime, ProRes 4444 with alpha": plain(Kind("a.mov", "prores_ks", "yuva444p10le", options={"profile": "4444"})),
    # Fields.
    "interlaced H.264": plain(Kind("a.mp4", options=TOP_FIRST)),
    "interlaced H.264, bottom field first": plain(Kind("a.mkv", options=INTERLACED | {"x264-params": "bff=1"})),
    "interlaced MPEG-2": plain(Kind("a.mpg", "mpeg2video", options=INTERLACED)),
    "interlaced MPEG-4": plain(Kind("a.avi", "mpeg4", options=INTERLACED)),
    "interlaced ProRes": plain(Kind("a.mov", "prores_ks", "yuv422p10le", options={"flags": "+ildct"})),
    "H.264 of fields, transport stream": Case(lambda f: write_fields(f / "a.ts")),
    "H.264 of fields, both in one packet": Case(lambda f: write_fields(f / "a.ts", joined=True)),
    "H.264 of fields and of frames, camcorder": Case(lambda f: write_fields(f / "a.mts", adaptive=True, reordered=True)),
    "H.264 of fields, rate unsaid": Case(lambda f: write_fields(f / "a.ts", timed=False)),
    "H.264 of fields, MP4": Case(lambda f: write_fields(f / "a.mp4", reordered=True)),
    "H.264 of fields, Matroska": Case(lambda f: write_fields(f / "a.mkv", adaptive=True)),
    "H.264 of fields, program stream": Case(lambda f: write_fields(f / "a.mpg")),
    "telecined film": filtered(Kind("a.ts", options=TOP_FIRST | {"bf": "0"}, fps=Fraction(30_000, 1001), pictures=32), "fps=30000/1001,telecine=pattern=23", Right([4 * (k // 5) + (0, 1, 1, 2, 3)[k % 5] for k in range(38)], [k * 1001 / 30_000 for k in range(38)], unclear=lambda k: k % 5 in {2, 3})),
    "film with flags for repeated fields": Case(pulled_down, Right(times_sec=FILM_TIMES)),
    # Lie and shape.
    "turned by 90": turned(90, lambda image: np.rot90(image, -1)),
    "turned by 180": turned(180, lambda image: np.rot90(image, 2)),
    "turned by 270": turned(270, lambda image: np.rot90(image, 1)),
    "mirrored": turned(0, lambda image: image[:, ::-1], True),
    "mirrored, upside down": turned(180, lambda image: image[::-1], True),
    "HEVC of a phone, turned": turned(90, lambda image: np.rot90(image, -1), name="a.mov", codec="libx265", options=X265),
    "Matroska, turned": turned(270, lambda image: np.rot90(image, 1), name="a.mkv"),
    "turned, of wide pixels": turned_and_wide(),
    "wide pixels": shaped("a.mp4", Fraction(4, 3)),
    "narrow pixels": shaped("a.mov", Fraction(1, 2)),
    "wide pixels, Matroska": shaped("a.mkv", Fraction(4, 3)),
    "wide pixels, transport stream": shaped("a.ts", Fraction(4, 3)),
    "wide pixels, AVI": shaped("a.avi", Fraction(4, 3)),
    "wide pixels, MPEG-2": shaped("a.mpg", Fraction(16, 15), codec="mpeg2video"),
    "odd sizes": plain(Kind("a.mp4", pix_fmt="yuv444p", size=(161, 97))),
    "odd sizes, VP9": plain(Kind("a.webm", "libvpx-vp9", size=(161, 97), options={"deadline": "realtime", "cpu-used": "8"})),
    "odd sizes, Motion JPEG": plain(Kind("a.avi", "mjpeg", JPEG, size=(161, 97))),
    "a size that changes": Case(resized("a.webm", "libvpx-vp9", SIZE, WIDE, SIZE)),
    "a size that changes, transport stream": Case(resized("a.ts", "libx264", SIZE, WIDE, SIZE)),
    # Colours.
    "BT.601": coloured((91, 104, 198), BT601),
    "BT.709": coloured((80, 112, 198), BT709),
    "BT.601, full range": coloured((88, 101, 208), BT601, full=True),
    "BT.709, full range": coloured((74, 110, 208), BT709, full=True),
    "colours unsaid, SD": coloured((91, 104, 198), UNSAID),
    "colours unsaid, HD": coloured((80, 112, 198), UNSAID, size=(1280, 720)),
    "HLG": coloured((579, 512, 512), BT2020, curve=HLG, bgr=(232, 232, 232)),
    "HLG at its peak": coloured((940, 512, 512), BT2020, curve=HLG, bgr=(255, 255, 255)),
    "PQ": coloured((489, 512, 512), BT2020, curve=PQ, bgr=(232, 232, 232)),
    "PQ at its peak": coloured((723, 512, 512), BT2020, curve=PQ, bgr=(255, 255, 255)),
    # Time.
    "a picture each two seconds": plain(Kind("a.mp4", fps=Fraction(1, 2))),
    "a picture each two seconds, Matroska": plain(Kind("a.mkv", fps=Fraction(1, 2))),
    "a picture each ten seconds": plain(Kind("a.mkv", fps=Fraction(1, 10), pictures=12)),
    "240 a second": plain(Kind("a.mp4", fps=Fraction(240))),
    "240 a second, in thousandths": plain(Kind("a.mkv", fps=Fraction(240))),
    "29.97 a second, in thousandths": plain(Kind("a.mkv", fps=Fraction(30_000, 1001))),
    "a rate that varies": plain(Kind("a.mp4", times=[Fraction(k * k, 400) for k in range(30)])),
    "a rate that varies, in thousandths": plain(Kind("a.mkv", times=[Fraction(k * k, 400) for k in range(30)])),
    "a rate that varies, transport stream": plain(Kind("a.ts", times=[Fraction(k * k, 400) for k in range(30)])),
    "a still of a minute": plain(Kind("a.mp4", times=[Fraction(k, 25) + 60 * (k > 9) for k in range(30)])),
    "starts at an hour, MP4": changed(Kind("a.mp4"), "b.mp4", later(3600), Right()),
    "starts at an hour, Matroska": changed(Kind("a.mp4"), "b.mkv", later(3600), Right()),
    "starts at an hour, FLV": changed(Kind("a.mp4"), "b.flv", later(3600), Right()),
    "starts before 0": changed(Kind("a.mp4"), "b.mkv", later(-0.4), Right()),
    "trimmed by an edit list": changed(Kind("a.mp4"), "b.mp4", later(Fraction(-13, 25)), Right(range(13, 30)), options={"avoid_negative_ts": "disabled"}),
    "trimmed by an edit list, QuickTime": changed(Kind("a.mp4"), "b.mov", later(Fraction(-7, 25)), Right(range(7, 30)), options={"avoid_negative_ts": "disabled"}),
    "parts of it cut out by an edit list": Case(montage, Right([*range(10), *range(20, 30)])),
    "an edit list that waits": Case(with_sound(Kind("a.mp4"), 1.2, starts=-1.4)),
    "a clock that leaps back": joined([Kind("a.ts"), Kind("a.ts")], "b.ts", [0, 0], Right([*range(30), *range(30)])),
    "a clock that leaps ahead": joined([Kind("a.ts"), Kind("a.ts")], "b.ts", [0, 500], Right([*range(30), *range(30)])),
    "a clock that leaps, program stream": joined([Kind("a.mpg", "mpeg2video"), Kind("a.mpg", "mpeg2video")], "b.mpg", [100, 0], Right([*range(30), *range(30)])),
    # More than one track.
    "sound longer than the picture": Case(with_sound(Kind("a.mp4"), 4)),
    "sound longer than the picture, Matroska": Case(with_sound(Kind("a.mkv"), 4)),
    "a picture that comes after its sound": Case(with_sound(Kind("a.mkv"), 1.2, starts=-1.4)),
    "sound in a transport stream": Case(with_sound(Kind("a.ts", options={"bf": "2"}), 3)),
    "the largest of several angles": plain(Kind("a.mp4", size=(80, 48), pictures=5), Kind(""), numbers=range(30), times_sec=None, size=SIZE),
    "the first of angles that are alike": plain(Kind("a.mkv"), Kind("", pictures=20, options={"g": "3"})),
    "the angle that is asked for": plain(Kind("a.mkv"), Kind("", pictures=20, size=(80, 48)), numbers=range(20), times_sec=None, size=(80, 48), track=2),
    "an angle that is not there": Case(lambda f: write(Kind("a.mkv"), f), Refused("VIDEO_TRACK_NOT_FOUND", "1", track=2)),
    "a large still beside the video": plain(Kind("a.mp4", "mjpeg", JPEG, size=WIDE, pictures=1), Kind(""), numbers=range(30), times_sec=None, size=SIZE),
    "a cover in front of the video": Case(with_cover),
    # Damage.
    "a picture that is spoilt": spoilt(Kind("a.mp4", options=EVERY_TENTH), range(14, 15), Right([*range(14), *range(20, 30)], [k / 25 for k in (*range(14), *range(20, 30))], [*range(14), *range(20, 30)])),
    "pictures that are spoilt, Matroska": spoilt(Kind("a.mkv", options=EVERY_TENTH), range(12, 17), Right([*range(12), *range(20, 30)], [k / 25 for k in (*range(12), *range(20, 30))], [*range(12), *range(20, 30)])),
    "spoilt pictures that stand for themselves": spoilt(Kind("a.avi", "mjpeg", JPEG), range(14, 16), Right([*range(14), *range(16, 30)], [k / 25 for k in (*range(14), *range(16, 30))], [*range(14), *range(16, 30)])),
    "begins amid others": left_out(Kind("a.ts", options=EVERY_TENTH), "b.ts", range(14), Right(range(20, 30))),
    "pictures lost while recording": left_out(Kind("a.ts", options=EVERY_TENTH), "b.ts", range(12, 15), Right([*range(12), *range(20, 30)], [k / 25 for k in (*range(12), *range(20, 30))], [*range(12), *range(17, 27)])),
    "cut off, index in front": cut_off(Kind("a.mp4", muxer={"movflags": "faststart"}, pictures=50, options={"bf": "0"}), lambda p: p[25][0], Right(range(25), missing_sec=1.0)),
    "cut off, in its last fragment": cut_off(Kind("a.mp4", muxer=FRAGMENTS, options=EVERY_TENTH), lambda p: p[20][0] - 10, Right(range(20))),
    "cut off, within the index of its last fragment": cut_off(Kind("a.mp4", muxer=FRAGMENTS, options=EVERY_TENTH), lambda p: p[20][0] - 50, Right(range(20))),
    "cut off, Matroska": cut_off(Kind("a.mkv", options=EVERY_TENTH), lambda p: p[20][0] - 10, Right(range(20))),
    "cut off, FLV": cut_off(Kind("a.flv", options=EVERY_TENTH), lambda p: p[20][0] - 4, Right(range(20))),
    "cut off before its index": edited(Kind("a.mp4"), lambda content: content[: content.index(b"moov") - 4], Refused("VIDEO_TRUNCATED", "cut off")),
    "larger than 8 GiB": Case(sparse(9), Refused("VIDEO_TOO_LARGE", "bytes")),
    "larger than 4 GiB": Case(sparse(5)),
    # What is refused.
    "FFV1": refused(Kind("a.mkv", "ffv1"), "VIDEO_UNSUPPORTED", "ffv1"),
    "Cinepak": refused(Kind("a.mov", "cinepak", "rgb24", pictures=2), "VIDEO_UNSUPPORTED", "cinepak"),
    "uncompressed": refused(Kind("a.avi", "rawvideo", "yuv420p"), "VIDEO_UNSUPPORTED", "rawvideo"),
    "PNG in QuickTime": refused(Kind("a.mov", "png", "rgb24"), "VIDEO_UNSUPPORTED", "png"),
    "CineForm": refused(Kind("a.mov", "cfhd", "yuv422p10le", size=WIDE), "VIDEO_UNSUPPORTED", "cfhd"),
    "JPEG 2000 in MXF": refused(Kind("a.mxf", "jpeg2000"), "VIDEO_UNSUPPORTED", "jpeg2000"),
    "Windows Media": refused(Kind("a.wmv", "wmv2"), "VIDEO_UNSUPPORTED", "Windows Media"),
    "Ogg": refused(Kind("a.ogv", "libvpx", format="ogg"), "VIDEO_UNSUPPORTED", "Ogg"),
    "GIF": refused(Kind("a.gif", "gif", "rgb8"), "VIDEO_UNSUPPORTED", "GIF"),
    "NUT": refused(Kind("a.nut"), "VIDEO_NOT_A_VIDEO", SUM),
    "raw DV": refused(Kind("a.dv", "dvvideo", size=(720, 576)), "VIDEO_NOT_A_VIDEO", SUM),
    "raw H.264": refused(Kind("a.h264"), "VIDEO_NOT_A_VIDEO", SUM),
    "encrypted": Case(ciphered, Refused("VIDEO_UNSUPPORTED", "encrypted")),
    "scrambled, as pay television": edited(Kind("a.ts"), scrambled, Refused("VIDEO_DECODE_FAILED", "decoded")),
    "cut off within its index": edited(Kind("a.mp4", muxer={"movflags": "faststart"}), lambda content: content[: content.index(b"moov") + 300], Refused("VIDEO_TRUNCATED", "cut off")),
    "UT Video": refused(Kind("a.avi", "utvideo"), "VIDEO_UNSUPPORTED", "utvideo"),
    "DivX 3": refused(Kind("a.avi", "msmpeg4"), "VIDEO_UNSUPPORTED", "msmpeg4"),
    "only sound": Case(only_sound, Refused("VIDEO_NOT_A_VIDEO", "no video track")),
    "pictures beyond the limit": refused(Kind("a.mp4", size=(4800, 2400), pictures=2), "VIDEO_TOO_LARGE", "4800x2400"),
    "nothing": given("a.mp4", b"", "VIDEO_EMPTY", "empty"),
    "zeros": given("a.mp4", bytes(100_000), "VIDEO_NOT_A_VIDEO", ""),
    "a text": given("a.mp4", b"Dear Sirs, please find attached the match.\n" * 100, "VIDEO_NOT_A_VIDEO", ""),
    "a web page": given("a.mp4", b"<!DOCTYPE html><html><body>Sign in to watch</body></html>" * 50, "VIDEO_NOT_A_VIDEO", "web page"),
    "a playlist": given("a.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n", "VIDEO_NOT_A_VIDEO", "list"),
    "an archive": given("a.mp4", b"PK\x03\x04" + bytes(1000), "VIDEO_UNSUPPORTED", "ZIP"),
    "a photo": given("a.mp4", b"\xff\xd8\xff\xe0" + bytes(1000), "VIDEO_NOT_A_VIDEO", ""),
}  # fmt: skip
