"""Videos of the kinds that people have: as many pictures, at the times, in the shape that a player shows."""

from pathlib import Path

import numpy as np
import pytest

from playerscore_worker.frames import Decoder, Frame
from playerscore_worker.video import opened
from playerscore_worker.video.opened import Costs, Video
from smallvideos import SIZE, Kind, number_on, write
from videokinds import CASES, EVERY_TENTH, judged, turned


def read(file: Path) -> list[Frame]:
    with Decoder(file) as decoder:
        return list(decoder.read())


@pytest.mark.parametrize("kind", CASES)
def test_it_plays_as_it_should_or_is_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    assert judged(CASES[kind], tmp_path).wrong == []


def test_turned_pictures_can_be_had_smaller(tmp_path: Path) -> None:
    with Decoder(turned(90, lambda image: np.rot90(image, -1)).make(tmp_path)) as decoder:
        small = next(decoder.read(0, 1, None, 0.5))

    assert small.image.shape == (SIZE[1] // 2, SIZE[0] // 2, 3)


def test_a_name_that_is_no_text_is_opened(tmp_path: Path) -> None:
    odd = tmp_path / b"m\xe4tch.mp4".decode(errors="surrogateescape")
    write(Kind("a.mp4"), tmp_path).rename(odd)

    assert len(read(odd)) == 30


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mpg"])
def test_a_jump_does_not_read_from_the_beginning(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = "mpeg2video" if name == "a.mpg" else "libx264"
    video = Video(str(write(Kind(name, codec, pictures=200), tmp_path)), Costs(10**6, 1, lambda: None))
    list(video.pictures(np.arange(3), 1.0))
    monkeypatch.setattr(opened.Video, "_reopen", lambda self: pytest.fail("opened anew"))

    for wanted in (150, 60, 199):
        (found,) = video.pictures(np.array([wanted]), 1.0)
        assert (found[0], number_on(found[1])) == (wanted, wanted)


# --- damage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts"])
def test_after_damage_it_goes_on_at_the_next_key_frame(extension: str, tmp_path: Path) -> None:
    """What comes is right, and has its own number and time."""
    muxer = {"movflags": "faststart"} if extension == "mp4" else {}
    file = write(Kind(f"a.{extension}", options=EVERY_TENTH, muxer=muxer), tmp_path)
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
    seen = [number_on(frame.image) for frame in read(file)]

    assert seen[:40] == list(range(40))
    assert seen == sorted(set(seen))
    assert len(seen) < 70


def test_a_fragmented_movie_is_used_wherever_it_was_cut_off(tmp_path: Path) -> None:
    muxer = {"movflags": "frag_keyframe+empty_moov"}
    file = write(Kind("a.mp4", muxer=muxer, options=EVERY_TENTH), tmp_path)
    content = file.read_bytes()
    last = content.rindex(b"moof") - 4
    for end in range(last, last + 160, 27):
        file.write_bytes(content[:end])
        with Decoder(file) as decoder:
            assert decoder.info.frame_count == 20, end - last
