"""Videos of the kinds that people have: as many pictures, at the times, in the shape that a player shows."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from playerscore.errors import VideoError
from playerscore.resources import VideoLimits
from playerscore_worker import container
from playerscore_worker.frames import Decoder, Frame
from smallvideos import SIZE, Kind, Picture, copy, is_upright, number_on, write

X265 = {"x265-params": "log-level=none:keyint=10"}
INTERLACED = {"flags": "+ildct+ilme"}
CLEAR = {"preset": "10", "crf": "20"}
LIKE_WINDOWS = {"bf": "2"}
JPEG = "yuvj420p"
EVERY_TENTH = {"sc_threshold": "0"}
"""Key frames there and nowhere else."""

KINDS = {
    "MP4": Kind("a.mp4"),
    "QuickTime": Kind("a.mov"),
    "fragmented MP4": Kind("a.mp4", muxer={"movflags": "frag_keyframe+empty_moov"}),
    "its index in front": Kind("a.mp4", muxer={"movflags": "faststart"}),
    "Matroska": Kind("a.mkv"),
    "Matroska of a live stream": Kind("a.mkv", muxer={"live": "1"}),
    "WebM, VP8 with hidden references": Kind(
        "a.webm", "libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"}, pictures=60
    ),
    "WebM, VP9": Kind("a.webm", "libvpx-vp9", options={"lag-in-frames": "16", "deadline": "realtime"}),
    "WebM, AV1": Kind("a.webm", "libsvtav1", options=CLEAR),
    "MP4, AV1": Kind("a.mp4", "libsvtav1", options=CLEAR),
    "MP4, HEVC": Kind("a.mp4", "libx265", options=X265),
    "MP4, HEVC of 10 bits": Kind("a.mp4", "libx265", "yuv420p10le", options=X265),
    "MP4, HEVC with open groups": Kind(
        "a.mp4", "libx265", options={"x265-params": "log-level=none:keyint=10:open-gop=1"}
    ),
    "MP4, MPEG-4": Kind("a.mp4", "mpeg4", options=LIKE_WINDOWS),
    "transport stream": Kind("a.ts"),
    "transport stream, open groups": Kind(
        "a.ts", options={"x264-params": "open-gop=1:keyint=10:bframes=3"}, pictures=60
    ),
    "transport stream, HEVC": Kind("a.ts", "libx265", options=X265),
    "transport stream, MPEG-2": Kind("a.ts", "mpeg2video", options=LIKE_WINDOWS),
    "camcorder's transport stream": Kind("a.m2ts", options=INTERLACED | {"x264-params": "tff=1"}),
    "program stream, MPEG-2": Kind("a.mpg", "mpeg2video", options=LIKE_WINDOWS, pictures=60),
    "program stream, MPEG-1": Kind("a.mpg", "mpeg1video"),
    "program stream without times": Kind("a.mpg", format="mpeg"),
    "AVI, MPEG-4": Kind("a.avi", "mpeg4", options=LIKE_WINDOWS),
    "AVI, H.264 without times": Kind("a.avi"),
    "AVI, Motion JPEG": Kind("a.avi", "mjpeg", JPEG),
    "FLV, H.264": Kind("a.flv"),
    "FLV, Sorenson": Kind("a.flv", "flv"),
    "3GP, H.263": Kind("a.3gp", "h263", size=(176, 144)),
    "MXF, MPEG-2": Kind("a.mxf", "mpeg2video", options=LIKE_WINDOWS),
    "MXF, H.264 without times": Kind("a.mxf"),
    "MXF, DNxHR": Kind("a.mxf", "dnxhd", "yuv422p", options={"profile": "dnxhr_lb"}, size=(320, 192)),
    "QuickTime, DNxHR": Kind("a.mov", "dnxhd", "yuv422p", options={"profile": "dnxhr_lb"}, size=(320, 192)),
    "QuickTime, ProRes": Kind("a.mov", "prores_ks", "yuv422p10le"),
    "interlaced H.264": Kind("a.mp4", options=INTERLACED | {"x264-params": "tff=1"}),
    "interlaced MPEG-2": Kind("a.mpg", "mpeg2video", options=INTERLACED),
    "refreshed piece by piece": Kind(
        "a.mp4", options={"x264-params": "intra-refresh=1:keyint=10"}, pictures=60
    ),
    "odd sizes": Kind("a.mp4", pix_fmt="yuv444p", size=(161, 97)),
    "a picture each two seconds": Kind("a.mp4", fps=Fraction(1, 2)),
    "240 a second": Kind("a.mp4", fps=Fraction(240)),
    "240 a second, in thousandths": Kind("a.mkv", fps=Fraction(240)),
    "29.97 a second, in thousandths": Kind("a.mkv", fps=Fraction(30_000, 1001)),
    "a rate that varies": Kind("a.mp4", times=[Fraction(k * k, 400) for k in range(30)]),
    "a rate that varies, in thousandths": Kind("a.mkv", times=[Fraction(k * k, 400) for k in range(30)]),
    "a still of a minute": Kind("a.mp4", times=[Fraction(k, 25) + 60 * (k > 9) for k in range(30)]),
}


def read(file: Path) -> list[Frame]:
    with Decoder(file) as decoder:
        return list(decoder.read())


def taken(file: Path) -> list[Frame]:
    """The way of a job: a short look, then the decoder."""
    container.check(file, VideoLimits())
    return read(file)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_every_picture_comes_once_with_its_number_and_time(kind: Kind, tmp_path: Path) -> None:
    """From the beginning, and just so after a seek."""
    file = write(kind, tmp_path)
    container.check(file, VideoLimits())
    with Decoder(file) as decoder:
        info, frames = decoder.info, list(decoder.read())
        middle = kind.shown[kind.pictures * 7 // 10] - 0.001
        later = list(decoder.read(middle))

    assert [number_on(frame.image) for frame in frames] == list(range(kind.pictures))
    assert [frame.index for frame in frames] == list(range(kind.pictures))
    assert [frame.time_sec for frame in frames] == pytest.approx(kind.shown, abs=1.1e-3)
    assert all(is_upright(frame.image) for frame in frames)
    assert info.frame_count == kind.pictures
    assert info.duration_sec == pytest.approx(
        kind.shown[-1] + float(1 / kind.fps), abs=max(0.1, float(1 / kind.fps))
    )
    again = [frame for frame in frames if frame.time_sec >= middle - 0.001]
    assert [(frame.index, frame.time_sec) for frame in later] == [
        (frame.index, frame.time_sec) for frame in again
    ]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(later, again, strict=True))


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv", "flv", "ts"])
def test_a_clock_that_starts_late_starts_at_the_first_picture(extension: str, tmp_path: Path) -> None:
    def an_hour_later(packet: Any) -> bool:
        packet.pts, packet.dts = (t + round(3600 / packet.time_base) for t in (packet.pts, packet.dts))
        return True

    file = copy(write(Kind("a.mp4"), tmp_path), tmp_path / f"late.{extension}", an_hour_later)

    assert [frame.time_sec for frame in read(file)] == pytest.approx([k / 25 for k in range(30)], abs=1.1e-3)


def test_pictures_that_an_edit_list_hides_do_not_count(tmp_path: Path) -> None:
    def trim(packet: Any) -> bool:
        packet.pts, packet.dts = (
            t - round(Fraction(13, 25) / packet.time_base) for t in (packet.pts, packet.dts)
        )
        return True

    opening = {"options": {"avoid_negative_ts": "disabled"}}
    frames = read(copy(write(Kind("a.mp4"), tmp_path), tmp_path / "trimmed.mp4", trim, **opening))

    assert [number_on(frame.image) for frame in frames] == list(range(13, 30))
    assert [(frame.index, frame.time_sec) for frame in frames] == [
        (k, pytest.approx(k / 25, abs=1e-3)) for k in range(17)
    ]


@pytest.mark.parametrize("later_sec", [0, 500], ids=["back", "ahead"])
def test_a_clock_that_leaps_goes_on_where_it_was(later_sec: int, tmp_path: Path) -> None:
    def leap(packet: Any) -> bool:
        packet.pts, packet.dts = (t + round(later_sec / packet.time_base) for t in (packet.pts, packet.dts))
        return True

    first = write(Kind("a.ts"), tmp_path)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + copy(first, tmp_path / "b.ts", leap).read_bytes())
    frames = read(joined)

    assert [number_on(frame.image) for frame in frames] == [*range(30), *range(30)]
    assert [frame.index for frame in frames] == list(range(60))
    assert [frame.time_sec for frame in frames] == pytest.approx([k / 25 for k in range(60)], abs=1e-3)


def test_a_recording_that_begins_amid_others_starts_at_its_first_whole_picture(tmp_path: Path) -> None:
    seen = iter(range(100))
    file = copy(
        write(Kind("a.ts", options=EVERY_TENTH), tmp_path),
        tmp_path / "amid.ts",
        lambda packet: next(seen) >= 14,
    )
    frames = read(file)

    assert [number_on(frame.image) for frame in frames] == list(range(20, 30))
    assert [(frame.index, frame.time_sec) for frame in frames] == [
        (k, pytest.approx(k / 25, abs=1e-3)) for k in range(10)
    ]


def turned(degrees: int, flipped: bool = False) -> Callable[[Any], None]:
    return lambda stream: stream.set_display_rotation(degrees, hflip=flipped)


@pytest.mark.parametrize(
    ("setup", "camera"),
    [
        pytest.param(turned(90), lambda image: np.rot90(image, -1), id="90"),
        pytest.param(turned(180), lambda image: np.rot90(image, 2), id="180"),
        pytest.param(turned(270), lambda image: np.rot90(image, 1), id="270"),
        pytest.param(turned(0, True), lambda image: image[:, ::-1], id="mirrored"),
        pytest.param(turned(180, True), lambda image: image[::-1], id="mirrored, upside down"),
    ],
)
def test_a_camera_that_was_turned_gives_upright_pictures(
    setup: Callable[[Any], None], camera: Callable[[Picture], Picture], tmp_path: Path
) -> None:
    file = write(Kind("a.mp4", setup=setup, turned=camera), tmp_path)
    with Decoder(file) as decoder:
        frames = list(decoder.read())
        small = list(decoder.read(0, 1, None, 0.5))

        assert (decoder.info.width, decoder.info.height) == SIZE
    assert [number_on(frame.image) for frame in frames] == list(range(30))
    assert all(is_upright(frame.image) for frame in [*frames, *small])
    assert small[0].image.shape == (SIZE[1] // 2, SIZE[0] // 2, 3)


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv", "ts", "avi"])
@pytest.mark.parametrize("aspect", [Fraction(4, 3), Fraction(1, 2)], ids=["wide", "narrow"])
def test_pixels_that_are_not_square_give_pictures_in_the_shape_that_is_shown(
    extension: str, aspect: Fraction, tmp_path: Path
) -> None:
    def shape(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    frames = read(write(Kind(f"a.{extension}", setup=shape), tmp_path))

    assert frames[0].image.shape == (SIZE[1], round(SIZE[0] * aspect), 3)
    assert [number_on(frame.image) for frame in frames] == list(range(30))


def test_of_several_tracks_the_largest_is_the_video(tmp_path: Path) -> None:
    small = Kind("a.mp4", size=(80, 48), pictures=5)

    assert len(read(write(small, tmp_path, Kind("")))) == 30


def test_a_large_still_beside_the_video_is_its_cover(tmp_path: Path) -> None:
    cover = Kind("a.mp4", "mjpeg", JPEG, size=(320, 192), pictures=1)
    frames = read(write(cover, tmp_path, Kind("")))

    assert [number_on(frame.image) for frame in frames] == list(range(30))


def test_a_name_that_is_no_text_is_opened(tmp_path: Path) -> None:
    odd = tmp_path / b"m\xe4tch.mp4".decode(errors="surrogateescape")
    write(Kind("a.mp4"), tmp_path).rename(odd)

    assert len(read(odd)) == 30


# --- colours ----------------------------------------------------------------------------------------------

BT709, UNSAID, BT601, BT2020 = 1, 2, 5, 9
PQ, HLG = 16, 18
RED = (200, 40, 40)


def plain(
    file: Path, codes: tuple[int, int, int], tags: tuple[int, int, int, int], size: tuple[int, int]
) -> Picture:
    """The decoded middle of a picture of one colour; 10 bits where a code needs them. Tags are matrix, range (2 is
    full), curve and primaries."""
    deep = max(codes) > 255
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
    image = read(file)[0].image
    return np.asarray(image[size[1] // 2, size[0] // 2])


@pytest.mark.parametrize(
    ("codes", "matrix", "full", "size"),
    [
        pytest.param((91, 104, 198), BT601, False, SIZE, id="BT.601"),
        pytest.param((80, 112, 198), BT709, False, SIZE, id="BT.709"),
        pytest.param((88, 101, 208), BT601, True, SIZE, id="BT.601, full range"),
        pytest.param((74, 110, 208), BT709, True, SIZE, id="BT.709, full range"),
        pytest.param((91, 104, 198), UNSAID, False, SIZE, id="not said, SD"),
        pytest.param((80, 112, 198), UNSAID, False, (1280, 720), id="not said, HD"),
    ],
)
def test_red_is_red(
    codes: tuple[int, int, int], matrix: int, full: bool, size: tuple[int, int], tmp_path: Path
) -> None:
    blue, green, red = plain(tmp_path / "a.mp4", codes, (matrix, 1 + full, UNSAID, UNSAID), size).tolist()

    assert (red, green, blue) == pytest.approx(RED, abs=4)


@pytest.mark.parametrize(
    ("luma", "curve", "grey"),
    [
        pytest.param(579, HLG, 232, id="HLG, four fifths of SDR's white"),
        pytest.param(940, HLG, 255, id="HLG, the peak"),
        pytest.param(489, PQ, 232, id="PQ, four fifths of SDR's white"),
        pytest.param(723, PQ, 255, id="PQ, the peak"),
    ],
)
def test_hdr_is_as_bright_as_sdr_was(luma: int, curve: int, grey: int, tmp_path: Path) -> None:
    found = plain(tmp_path / "a.mp4", (luma, 512, 512), (BT2020, 1, curve, BT2020), SIZE)

    assert found.tolist() == pytest.approx([grey] * 3, abs=4)


# --- damage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts"])
def test_after_damage_it_goes_on_at_the_next_key_frame(extension: str, tmp_path: Path) -> None:
    """What comes is right, and has its own number and time."""
    muxer = {"movflags": "faststart"} if extension == "mp4" else {}
    file = write(Kind(f"a.{extension}", options=EVERY_TENTH | {"bf": "0"}, muxer=muxer), tmp_path)
    content = bytearray(file.read_bytes())
    begin, end = (len(content) * share // 100 for share in (50, 58))
    content[begin:end] = bytes(end - begin)
    file.write_bytes(content)
    frames = read(file)
    seen = [number_on(frame.image) for frame in frames]

    assert seen == sorted(set(seen))
    assert seen[:5] == list(range(5))
    assert seen[-9:] == list(range(21, 30))
    assert len(seen) < 29
    assert [frame.time_sec for frame in frames] == pytest.approx([k / 25 for k in seen], abs=1.1e-3)


CUT = {"mpg": "mpeg2video", "avi": "mpeg4"}


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "avi", "flv", "mpg"])
def test_what_is_whole_of_a_recording_that_was_cut_off_is_used(extension: str, tmp_path: Path) -> None:
    muxer = {"movflags": "frag_keyframe+empty_moov"} if extension == "mp4" else {}
    file = write(Kind(f"a.{extension}", CUT.get(extension, "libx264"), muxer=muxer, pictures=100), tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 6 // 10])
    seen = [number_on(frame.image) for frame in taken(file)]

    assert seen[:40] == list(range(40))
    assert seen == sorted(set(seen))
    assert len(seen) < 70


def test_a_movie_that_was_cut_off_tells_how_much_is_missing(tmp_path: Path) -> None:
    file = write(Kind("a.mp4", muxer={"movflags": "faststart"}, pictures=100), tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 6 // 10])
    with Decoder(file) as decoder:
        assert decoder.info.duration_sec + decoder.info.missing_sec == pytest.approx(4, abs=0.1)
        assert decoder.info.missing_sec > 1


def test_a_movie_without_its_index_says_so(tmp_path: Path) -> None:
    file = write(Kind("a.mp4"), tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b"moov")])
    with pytest.raises(VideoError, match="cut off") as refused:
        container.check(file, VideoLimits())

    assert refused.value.code == "VIDEO_TRUNCATED"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind("a.mkv", "ffv1"), "ffv1"),
        (Kind("a.ogv", "libvpx", format="ogg"), "Ogg"),
        (Kind("a.nut"), "known"),
    ],
    ids=["codec", "container", "unknown container"],
)
def test_what_is_not_decoded_is_named_with_the_way_out(kind: Kind, words: str, tmp_path: Path) -> None:
    file = write(kind, tmp_path)
    with pytest.raises(VideoError, match=words) as refused:
        taken(file)

    assert refused.value.code in {"VIDEO_UNSUPPORTED", "VIDEO_NOT_A_VIDEO"}
    assert "ffmpeg -i" in refused.value.message
