"""The files beside a result, of a way that is known by construction."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import cv2
import pytest

from playerscore.geometry import Box
from playerscore_worker import artifacts, clip
from playerscore_worker.camera import STILL
from playerscore_worker.decisions import log_of
from playerscore_worker.follower import FollowedPath, PathSample, Start
from playerscore_worker.following.joint import State
from playerscore_worker.frames import Decoder, Limits
from playerscore_worker.settings import ArtifactSettings
from smallvideos import Kind, write

SIZE, PICTURES = (480, 288), 100


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(Kind("a.mp4", size=SIZE, pictures=PICTURES), tmp_path_factory.mktemp("video"))


def _sample(k: int) -> PathSample:
    """Found, lost from 40 on, guessed from 60, found from 70."""
    lost = 40 <= k < 60
    state = State.LOST if lost else State.COASTING if 60 <= k < 70 else State.SUPPORTED
    box = None if lost else Box(0.2 + k / 300, 0.3, 0.05, 0.2)
    sure, why = (0.0, "occluded") if lost else (0.9, None)
    return PathSample(k, k / 25, state, box, sure, None, None, (), sure, why, STILL)


@pytest.fixture
def decoder(video: Path) -> Iterator[Decoder]:
    with Decoder(video) as opened:
        yield opened


@pytest.fixture
def path() -> FollowedPath:
    samples = [_sample(k) for k in range(PICTURES)]
    return FollowedPath(samples, [], Start(1.0, Box(0.28, 0.3, 0.05, 0.2)), 25.0, *SIZE)


def played(file: Path) -> tuple[str, list[float]]:
    """The codec of a clip, and the times of its pictures."""
    with av.open(str(file)) as container:
        codec = container.streams.video[0].codec_context.name
        return codec, [float(frame.time or 0) for frame in container.decode(video=0)]


def test_the_clip_shows_all_that_was_followed(
    decoder: Decoder, path: FollowedPath, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In files that players open, and without a word of a library on anybody's screen."""
    made = clip.write(decoder, path, log_of(path), tmp_path, ArtifactSettings(clip_encoders="libvpx-vp9"))

    assert [file.name for file in made.files] == ["clip.mp4", "clip.webm", "clip.jpg"]
    codec, times = played(made.files[0])
    assert codec == "vp9"
    assert times == pytest.approx([k * 0.08 for k in range(50)], abs=2e-3)
    assert played(made.files[1]) == (codec, pytest.approx(times, abs=2e-3))
    assert cv2.imread(str(made.files[2])).shape == (288, 480, 3)
    assert capfd.readouterr() == ("", "")


def test_a_long_clip_comes_in_pieces_of_a_limited_size(
    decoder: Decoder, path: FollowedPath, tmp_path: Path
) -> None:
    settings = ArtifactSettings(
        clip_piece_seconds=1.5, clip_piece_megabytes=0.1, clip_encoders="no_such_encoder,libx264"
    )

    made = clip.write(decoder, path, log_of(path), tmp_path, settings)

    assert [file.name for file in made.files] == ["clip-01.mp4", "clip-02.mp4", "clip-03.mp4", "clip.jpg"]
    assert [played(piece.file)[0] for piece in made.pieces] == ["h264"] * 3
    assert sum(len(played(piece.file)[1]) for piece in made.pieces) == 50
    assert all(piece.file.stat().st_size < 100_000 for piece in made.pieces)
    assert (made.pieces[0].begin_sec, made.pieces[-1].end_sec) == pytest.approx((0, 4))
    assert all(a.end_sec == pytest.approx(b.begin_sec) for a, b in pairwise(made.pieces))


def test_a_clip_may_be_shorter_than_what_was_followed(
    decoder: Decoder, path: FollowedPath, tmp_path: Path
) -> None:
    made = clip.write(
        decoder, path, log_of(path), tmp_path, ArtifactSettings(clip_seconds=2, clip_width_px=240)
    )

    assert made.pieces[0].begin_sec < path.start.time_sec < made.pieces[0].end_sec
    assert made.pieces[0].end_sec - made.pieces[0].begin_sec == pytest.approx(2)
    assert cv2.imread(str(made.files[-1])).shape == (144, 240, 3)


def test_the_timeline_tells_when_he_was_found_guessed_and_lost(path: FollowedPath, tmp_path: Path) -> None:
    pieces = [clip.Piece(tmp_path / "clip.mp4", 0.0, 4.0)]

    file, picture = artifacts.write_timeline(path, pieces, tmp_path)

    told = json.loads(file.read_text())
    assert told["shares"] == {"found": 0.7, "guessed": 0.1, "lost": 0.2}
    assert told["spans"][1] == {"begin_sec": 1.6, "end_sec": 2.4, "state": "lost", "reason": "occluded"}
    assert told["clips"] == [{"name": "clip.mp4", "begin_sec": 0.0, "end_sec": 4.0}]
    drawn = cv2.imread(str(picture))
    assert drawn.shape == (160, 960, 3)
    row = drawn[80]
    assert len({tuple(row[column]) for column in (200, 450, 620)}) == 3, "three colours"


def test_the_heatmap_is_hot_where_his_feet_were(decoder: Decoder, path: FollowedPath, tmp_path: Path) -> None:
    heat = cv2.imread(str(artifacts.write_heatmap(decoder, path, tmp_path / "heatmap.png", 240)))

    assert heat.shape == (144, 240, 3)
    colourful = heat.max(axis=2).astype(int) - heat.min(axis=2)
    row, column = divmod(int(colourful.argmax()), heat.shape[1])
    assert row / heat.shape[0] == pytest.approx(0.5, abs=0.06)
    assert 0.2 < column / heat.shape[1] < 0.6


def test_pictures_are_made_of_the_track_that_was_asked_for(tmp_path: Path) -> None:
    """Also where the largest one is another, and where a limit is wider than usual."""
    file = write(Kind("a.mkv", size=(160, 96)), tmp_path, Kind("", size=(80, 48)))
    samples = [_sample(k) for k in range(30)]
    path = FollowedPath(samples, [], Start(0.4, Box(0.28, 0.3, 0.05, 0.2)), 25.0, 80, 48)

    with Decoder(file, Limits(track=2)) as opened:
        made = clip.write(opened, path, log_of(path), tmp_path)

    assert cv2.imread(str(made.files[-1])).shape == (48, 80, 3)
