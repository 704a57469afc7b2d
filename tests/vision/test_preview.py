"""The preview of a rendered match: usable picks, honest ids."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from matches import Match, render
from playerscore.errors import VideoError
from playerscore.geometry import iou
from playerscore_clips.camera import Camera
from playerscore_clips.dice import Dice
from playerscore_clips.stadium import Stadium
from playerscore_worker import artifacts
from playerscore_worker.detectors import Detector
from playerscore_worker.frames import Image
from playerscore_worker.preview import PreviewResult, PreviewSettings, add_frames, make_preview


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preview")


@pytest.fixture(scope="module")
def progress() -> list[float]:
    return []


@pytest.fixture(scope="module")
def preview(match: Match, detector: Detector, folder: Path, progress: list[float]) -> PreviewResult:
    settings = PreviewSettings(frames=3)
    return make_preview(match.video, settings, detector, folder, lambda share, _: progress.append(share))


def test_it_describes_the_video_and_its_frames(
    match: Match, preview: PreviewResult, progress: list[float]
) -> None:
    assert (preview.video.width, preview.video.height) == (960, 540)
    assert [frame.number for frame in preview.frames] == [1, 2, 3]
    for frame, (start, end) in zip(preview.frames, [(0, 2.667), (2.667, 5.333), (5.333, 8)], strict=True):
        assert start <= frame.time_sec < end
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1)


def test_each_frame_has_its_picture(preview: PreviewResult, folder: Path) -> None:
    assert sorted(file.name for file in folder.iterdir()) == [f"frame_000{k}.jpg" for k in (1, 2, 3)]
    for frame in preview.frames:
        picture = cv2.imread(str(folder / f"frame_{frame.number:04d}.jpg"))
        assert picture.shape == (frame.height, frame.width, 3)


def test_most_players_can_be_picked_and_most_picks_are_players(match: Match, preview: PreviewResult) -> None:
    pickable = picked = real = offered = 0
    for frame in preview.frames:
        index = round(frame.time_sec * match.truth.fps)
        people = [match.box(person.id, index) for person in match.truth.people]
        for person_id in match.pickable(index):
            box = match.box(person_id, index)
            assert box is not None
            pickable += 1
            picked += any(iou(track.bbox, box) >= 0.5 for track in frame.tracks)
        for track in frame.tracks:
            offered += 1
            real += any(box is not None and iou(track.bbox, box) >= 0.4 for box in people)

    assert picked / pickable >= 0.95
    assert real / offered >= 0.97


def test_the_best_pick_of_each_frame_is_a_person(match: Match, preview: PreviewResult) -> None:
    for frame in preview.frames:
        index = round(frame.time_sec * match.truth.fps)
        people = [match.box(person.id, index) for person in match.truth.people]

        assert any(box is not None and iou(frame.tracks[0].bbox, box) >= 0.5 for box in people)


def test_values_are_within_the_flows_bounds(preview: PreviewResult) -> None:
    for frame in preview.frames:
        assert 0 < len(frame.tracks) <= 48
        assert [track.score for track in frame.tracks] == sorted(
            (t.score for t in frame.tracks), reverse=True
        )
        for track in frame.tracks:
            x, y, w, h = track.bbox
            assert 0 <= x < x + w <= 1
            assert 0 <= y < y + h <= 1
            assert [round(value, 4) for value in track.bbox] == list(track.bbox)
            assert 0 <= track.score <= 1


def test_bursts_apart_share_no_track_id(preview: PreviewResult) -> None:
    ids = [track.track_id for frame in preview.frames for track in frame.tracks]

    assert len(ids) == len(set(ids))


def test_an_id_on_two_frames_of_one_run_is_one_person(
    match: Match, detector: Detector, tmp_path: Path
) -> None:
    settings = PreviewSettings(frames=3, start_sec=4.0, end_sec=4.6)
    preview = make_preview(match.video, settings, detector, tmp_path, lambda share, message: None)

    people: dict[int, set[int]] = {}
    for frame in preview.frames:
        index = round(frame.time_sec * match.truth.fps)
        for track in frame.tracks:
            truths = [(person.id, match.box(person.id, index)) for person in match.truth.people]
            overlaps = [(iou(track.bbox, box), person_id) for person_id, box in truths if box is not None]
            if max(overlaps)[0] >= 0.5:
                people.setdefault(track.track_id, set()).add(max(overlaps)[1])

    assert any(
        sum(track.track_id == key for frame in preview.frames for track in frame.tracks) > 1 for key in people
    )
    assert {len(who) for who in people.values()} == {1}


def test_frames_are_added_at_the_asked_for_times(
    match: Match, preview: PreviewResult, detector: Detector, tmp_path: Path
) -> None:
    duration = preview.video.duration_sec
    # In no order, two of one moment, and one behind the last frame's own time.
    asked = [6.013, 1.0, duration - 0.001, 1.01]
    told: list[float] = []
    added = add_frames(match.video, asked, 4, 700, detector, tmp_path, lambda share, _: told.append(share))

    half = 0.5 / preview.video.fps + 0.001
    assert [frame.number for frame in added] == [4, 5, 6]
    for frame, wanted in zip(added, [1.0, 6.013, duration - half], strict=True):
        assert abs(frame.time_sec - wanted) <= half
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"frame_000{k}.jpg" for k in (4, 5, 6)]
    assert min(track.track_id for frame in added for track in frame.tracks) >= 700
    assert told[-1] == pytest.approx(1)

    pickable = picked = 0
    for frame in added:
        index = round(frame.time_sec * match.truth.fps)
        for person_id in match.pickable(index):
            box = match.box(person_id, index)
            assert box is not None
            pickable += 1
            picked += any(iou(track.bbox, box) >= 0.5 for track in frame.tracks)
    assert picked / pickable >= 0.95


def test_a_frame_without_people_is_added_all_the_same(detector: Detector, tmp_path: Path) -> None:
    """Somebody asked for this very moment, and may draw a box that no detector saw."""
    file = filmed(empty_pitch, tmp_path)

    (frame,) = add_frames(file, [2.0], 9, 1, detector, tmp_path / "frames", lambda *_: None)

    assert (frame.number, frame.tracks) == (9, [])


def test_a_time_that_has_no_frame_is_refused_and_named(
    match: Match, detector: Detector, tmp_path: Path
) -> None:
    with pytest.raises(VideoError, match=r"no frame at 99.5 s") as refused:
        add_frames(match.video, [1.0, 99.5], 4, 1, detector, tmp_path, lambda *_: None)

    assert refused.value.code == "VIDEO_RANGE_EMPTY"


def test_a_close_up_finds_its_people(detector: Detector, tmp_path: Path) -> None:
    near = render(tmp_path, seed=1021, seconds=2, person_px=230)
    preview = make_preview(near.video, PreviewSettings(frames=1), detector, tmp_path, lambda *_: None)

    (frame,) = preview.frames
    index = round(frame.time_sec * near.truth.fps)
    people = [near.box(person_id, index) for person_id in near.pickable(index)]
    assert people
    for box in people:
        assert box is not None
        assert any(iou(track.bbox, box) >= 0.5 for track in frame.tracks)


def empty_pitch(frames: int) -> Iterator[Image]:
    """A camera that pans over a pitch with its goal, boards and stands; nobody is there."""
    stadium, noise = Stadium(Dice((41,))), np.random.default_rng(41)
    for k in range(frames):
        frame = stadium.draw(Camera(0.55 + 0.002 * k, 0.24, 1100, 640, 360))
        yield np.clip(frame + noise.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)


def noise(frames: int) -> Iterator[Image]:
    generator = np.random.default_rng(43)
    for _ in range(frames):
        yield generator.integers(0, 255, (180, 320, 3), dtype=np.uint8)


def still(frames: int) -> Iterator[Image]:
    for _ in range(frames):
        yield np.full((180, 320, 3), 128, np.uint8)


def cartoon(frames: int) -> Iterator[Image]:
    """Somebody drawn with a round head walks over a drawn meadow."""
    for k in range(frames):
        frame = np.full((360, 640, 3), (235, 200, 140), np.uint8)
        frame[200:] = (80, 200, 110)
        x, step = 100 + 4 * k, round(14 * np.sin(k / 2))
        cv2.circle(frame, (x, 216), 24, (150, 190, 240), -1)
        cv2.rectangle(frame, (x - 22, 240), (x + 22, 300), (200, 80, 60), -1)
        for side in (-1, 1):
            cv2.line(frame, (x + side * 10, 300), (x + side * (10 + step), 340), (40, 40, 120), 9)
            cv2.line(frame, (x + side * 22, 246), (x + side * 36, 275 + step), (150, 190, 240), 8)
        yield frame


def filmed(scene: Callable[[int], Iterator[Image]], folder: Path) -> Path:
    """Five seconds of it as a video."""
    file = folder / "nobody.mp4"
    with av.open(str(file), "w") as container:
        pictures = list(scene(50))
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode(None))
    return file


@pytest.mark.parametrize("scene", [empty_pitch, noise, still, cartoon])
def test_a_video_without_people_is_refused(
    scene: Callable[[int], Iterator[Image]], detector: Detector, tmp_path: Path
) -> None:
    file = filmed(scene, tmp_path)

    with pytest.raises(VideoError) as refused:
        make_preview(file, PreviewSettings(frames=1), detector, tmp_path, lambda share, message: None)

    assert refused.value.code == "VIDEO_NO_PERSON"


def test_the_drawn_frame_shows_boxes(preview: PreviewResult, folder: Path) -> None:
    picture = cv2.imread(str(folder / "frame_0001.jpg"))

    drawn = artifacts.draw_tracks(picture, preview.frames[0].tracks)

    assert drawn.shape == picture.shape
    assert (drawn != picture).any(axis=2).mean() > 0.002
    assert artifacts.encode_jpeg(drawn)[:2] == b"\xff\xd8"
