"""The look at a file before any decoder sees it."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playerscore.errors import VideoError
from playerscore.resources import VideoLimits
from playerscore_worker import container
from videofiles import GOOD, box, matroska, movie, track

LIMITS = VideoLimits()


def checked(content: bytes, folder: Path, limits: VideoLimits = LIMITS) -> container.Header | None:
    path = folder / "video"
    path.write_bytes(content)
    return container.check(path, limits)


def test_a_good_file_tells_what_it_holds(tmp_path: Path) -> None:
    assert checked(GOOD, tmp_path) == container.Header("avc1", 1280, 720, 20.0)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "VIDEO_EMPTY"),
        (b"this is a text, not a video", "VIDEO_NOT_A_VIDEO"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "VIDEO_NOT_A_VIDEO"),
        (movie(track(handler=b"soun")), "VIDEO_NOT_A_VIDEO"),  # sound alone
        (GOOD[:-3], "VIDEO_TRUNCATED"),  # an upload that stopped
        (
            box(b"ftyp", b"isom\0\0\0\0") + box(b"mdat", b"12345678"),
            "VIDEO_TRUNCATED",
        ),  # its index is missing
        (movie(track(), track()), "VIDEO_UNSUPPORTED"),  # which of the two?
        (movie(track(codec=b"MAGY")), "VIDEO_UNSUPPORTED"),
        (movie(track(width=16000, height=16000)), "VIDEO_TOO_LARGE"),
    ],
    ids=["empty", "text", "picture", "sound", "cut", "no-index", "two-videos", "codec", "huge"],
)
def test_a_bad_file_is_refused_with_its_code(content: bytes, code: str, tmp_path: Path) -> None:
    with pytest.raises(VideoError) as refused:
        checked(content, tmp_path)

    assert refused.value.code == code


def test_a_file_over_the_byte_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="bytes"):
        checked(GOOD, tmp_path, VideoLimits(bytes=10))


@pytest.mark.parametrize("kind", [b"webm", b"matroska"])
def test_matroska_is_left_to_the_decoder(kind: bytes, tmp_path: Path) -> None:
    assert checked(matroska(kind), tmp_path) is None


def test_a_live_recording_does_not_know_its_length(tmp_path: Path) -> None:
    assert checked(matroska(length=(1 << 56) - 1), tmp_path) is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x1a\x45\xdf\xa3" + b"\0" * 60, "VIDEO_NOT_A_VIDEO"),
        (matroska(b"html"), "VIDEO_NOT_A_VIDEO"),
        (matroska()[:-1], "VIDEO_TRUNCATED"),
        (matroska()[:20], "VIDEO_TRUNCATED"),
    ],
    ids=["no-type", "another-type", "cut", "no-video"],
)
def test_a_bad_matroska_is_refused_with_its_code(content: bytes, code: str, tmp_path: Path) -> None:
    with pytest.raises(VideoError) as refused:
        checked(content, tmp_path)

    assert refused.value.code == code


def test_every_description_of_the_track_must_be_of_a_known_codec(tmp_path: Path) -> None:
    good = struct.pack(">I4s", 36, b"avc1") + b"\0" * 24 + struct.pack(">HH", 640, 360)
    bad = struct.pack(">I4s", 36, b"MAGY") + b"\0" * 24 + struct.pack(">HH", 640, 360)
    stsd = box(b"stsd", struct.pack(">II", 0, 2) + good + bad)
    hdlr = box(b"hdlr", b"\0" * 8 + b"vide" + b"\0" * 13)
    sly = movie(box(b"trak", box(b"mdia", hdlr + box(b"minf", box(b"stbl", stsd)))))

    with pytest.raises(VideoError, match="MAGY"):
        checked(sly, tmp_path)


def test_two_indexes_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="two indexes"):
        checked(GOOD + box(b"moov", track()), tmp_path)


def test_endless_boxes_are_given_up(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="too many boxes"):
        checked(GOOD + box(b"free") * container.MAX_BOXES, tmp_path)


def test_a_deep_nest_is_given_up(tmp_path: Path) -> None:
    nest = track()
    for _ in range(container.MAX_DEPTH + 2):
        nest = box(b"trak", nest)

    with pytest.raises(VideoError, match="nested"):
        checked(movie(nest), tmp_path)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([GOOD, matroska()]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    st.floats(0, 1),
)
def test_no_damage_does_more_than_refuse(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, changes: list[tuple[float, int]], kept: float
) -> None:
    content, length = bytearray(whole), round(kept * len(whole))
    for place, value in changes:
        content[int(place * len(whole))] = value
    # Any other exception, and a walk without an end, fails here.
    with contextlib.suppress(VideoError):
        checked(bytes(content[:length]), tmp_path_factory.mktemp("damaged"))
