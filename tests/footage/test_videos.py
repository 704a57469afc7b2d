"""Files of the kinds that users have, which are not part of the project; each picture bears its number as a bar code."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from playerscore.resources import VideoLimits
from playerscore_worker import container
from playerscore_worker.frames import Decoder, Image

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "videos"
WHITE, GREY, RED, GREEN = (231, 234, 232), (126, 126, 124), (37, 38, 198), (38, 158, 38)
"""The patches at the top right, BGR."""


class Right(NamedTuple):
    """What is right for a file."""

    numbers: list[int]
    """On the pictures that come."""
    duration_sec: float = 4.0
    size: tuple[int, int] = (1280, 720)
    missing_sec: float = 0.0
    colours: int = 6
    """How far the patches may be off."""


ALL = list(range(100))
FILES = {
    "anamorphic.mp4": Right(ALL),
    "av1.mp4": Right(ALL),
    "browser.webm": Right(ALL, colours=24),  # its pictures say BT.601 and are not
    "camcorder.mts": Right(ALL),
    "cover_first.mp4": Right(ALL),
    "cut.mp4": Right(ALL[63:], 1.5),
    "damaged_middle.mp4": Right([*range(38), 39, 41, *range(75, 100)]),
    "fragments_cut_off.mp4": Right(ALL[:63], 2.52, missing_sec=0.48),
    "hlg.mp4": Right(ALL, colours=32),
    "interlaced.mp4": Right(ALL),
    "late_picture.mkv": Right(ALL),
    "live.mkv": Right(ALL),
    "mjpeg.avi": Right(ALL[:25], 1.0, (640, 360), colours=255),
    "quicktime.mov": Right(ALL),
    "silent_exit_141.mp4": Right(ALL[38:], 2.5),
    "starts_at_one_hour.mkv": Right(ALL),
    "vfr.mp4": Right([k for k in ALL if k < 30 or k > 70 or k % 2 == 0]),
}


@pytest.fixture(params=FILES)
def video(request: pytest.FixtureRequest) -> Path:
    return _there(request.param)


def _there(name: str) -> Path:
    if not (FOLDER / name).exists():
        pytest.fail(f"{name} is missing: this level runs where the private videos lie beside the checkout")
    return FOLDER / name


def number_on(image: Image) -> int:
    """Ten cells at the top left, white for 1."""
    cell = image.shape[1] // 40
    middles = [
        image[cell // 4 : 3 * cell // 4, k * cell + cell // 4 : k * cell + 3 * cell // 4] for k in range(10)
    ]
    return sum(int(middle.mean() > 110) << (9 - k) for k, middle in enumerate(middles))


def test_it_gives_its_pictures_with_their_times_in_their_shape(video: Path) -> None:
    right = FILES[video.name]
    container.check(video, VideoLimits())
    with Decoder(video) as decoder:
        info = decoder.info
        frames = [(f.index, f.time_sec, number_on(f.image), _patches(f.image)) for f in decoder.read()]
        half = list(decoder.read(info.duration_sec / 2))

    assert (info.width, info.height) == right.size
    assert info.duration_sec == pytest.approx(right.duration_sec, abs=0.05)
    assert info.missing_sec == pytest.approx(right.missing_sec, abs=0.05)
    assert [number for _, _, number, _ in frames] == right.numbers
    assert [sec for _, sec, _, _ in frames] == pytest.approx(
        [(number - right.numbers[0]) / 25 for number in right.numbers], abs=2e-3
    )
    assert len({index for index, *_ in frames}) == len(frames)
    assert [(f.index, number_on(f.image)) for f in half] == [
        (index, number) for index, sec, number, _ in frames if sec >= info.duration_sec / 2 - 0.002
    ]
    off = np.abs(np.array([patches for *_, patches in frames]) - np.array([WHITE, GREY, RED, GREEN]))
    assert off.max() <= right.colours


def _patches(image: Image) -> list[list[int]]:
    cell = image.shape[1] // 32
    return [
        image[cell // 2, image.shape[1] - k * cell + cell // 2].astype(int).tolist() for k in (4, 3, 2, 1)
    ]


def test_ninety_minutes_of_fragments_are_listed() -> None:
    video = _there("many_fragments.mp4")
    container.check(video, VideoLimits())
    with Decoder(video) as decoder:
        assert decoder.info.frame_count == 5400
        assert decoder.info.duration_sec == pytest.approx(5400, abs=1)
