"""The look at a file before any decoder sees it."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playerscore.errors import VideoError
from playerscore.resources import VideoLimits
from playerscore_worker import container
from videofiles import GOOD, box, matroska, movie, track

LIMITS = VideoLimits()
ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"


def check(content: bytes, folder: Path, limits: VideoLimits = LIMITS) -> None:
    path = folder / "video"
    path.write_bytes(content)
    container.check(path, limits)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD[:-3],
        GOOD + b"\0" * 100,
        GOOD + box(b"free") * 1000,
        movie(track(), track()),
        movie(track(codec=b"MAGY")),
        movie(track(external=True), track()),
        box(b"ftyp") + box(b"moov", box(b"trak", b"\xff" * 40)) + box(b"mdat"),
        matroska(),
        matroska()[:-1],
        matroska(length=(1 << 56) - 1),
        b"\x47" + b"\0" * 187,
        b"RIFF\0\0\0\0AVI LIST",
        b"FLV\x01",
        b"neither this nor that",
    ],
    ids=[
        "movie",
        "cut",
        "zeros after it",
        "empty boxes after it",
        "two tracks",
        "codec",
        "one track elsewhere",
        "damaged index",
        "matroska",
        "cut matroska",
        "live matroska",
        "transport stream",
        "AVI",
        "FLV",
        "unknown",
    ],
)
def test_what_the_decoder_may_play_is_let_through(content: bytes, tmp_path: Path) -> None:
    check(content, tmp_path)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "VIDEO_EMPTY", "empty"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://192.0.2.1/x.ts\n", "VIDEO_NOT_A_VIDEO", "list"),
        (b"\xef\xbb\xbf\n #EXTM3U\n", "VIDEO_NOT_A_VIDEO", "list"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "VIDEO_NOT_A_VIDEO", "list"),
        (b"<?xml version='1.0'?><MPD/>", "VIDEO_NOT_A_VIDEO", "list"),
        (movie(track(external=True)), "VIDEO_UNSUPPORTED", "another file"),
        (box(b"ftyp") + box(b"mdat", b"12345678"), "VIDEO_TRUNCATED", "cut off"),
        (box(b"ftyp") + box(b"mdat", b"12345678")[:-4], "VIDEO_TRUNCATED", "cut off"),
        (box(b"ftyp"), "VIDEO_TRUNCATED", "no index"),
        (b"OggS" + b"\0" * 60, "VIDEO_UNSUPPORTED", "Ogg.*ffmpeg -i"),
        (ASF + b"\0" * 60, "VIDEO_UNSUPPORTED", "Windows Media.*ffmpeg -i"),
    ],
    ids=[
        "empty",
        "m3u8",
        "m3u8 with a mark",
        "ffconcat",
        "dash",
        "elsewhere",
        "no-index",
        "cut",
        "head",
        "ogg",
        "asf",
    ],
)
def test_what_leads_elsewhere_or_cannot_play_is_refused(
    content: bytes, code: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(VideoError, match=words) as refused:
        check(content, tmp_path)

    assert refused.value.code == code


def test_a_file_over_the_byte_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="bytes") as refused:
        check(GOOD, tmp_path, VideoLimits(bytes=10))

    assert refused.value.code == "VIDEO_TOO_LARGE"


def test_the_look_at_endless_boxes_ends(tmp_path: Path) -> None:
    check(box(b"ftyp") + box(b"free") * (container.MAX_BOXES + 10), tmp_path)


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
        check(bytes(content[:length]), tmp_path_factory.mktemp("damaged"))
