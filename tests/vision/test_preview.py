"""The preview of a rendered match: usable picks, honest ids."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from matches import Match
from playerscore.errors import VideoError
from playerscore.geometry import iou
from playerscore_worker import artifacts
from playerscore_worker.detectors import Detector
from playerscore_worker.preview import PreviewResult, PreviewSettings, make_preview


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
    assert preview.video.bytes == match.video.stat().st_size
    assert (preview.video.width, preview.video.height) == (960, 540)
    assert [frame.number for frame in preview.frames] == [1, 2, 3]
    assert [frame.time_sec for frame in preview.frames] == pytest.approx([1.333, 4.0, 6.667], abs=0.04)
    assert progress == pytest.approx([1 / 3, 2 / 3, 1])


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

    assert picked / pickable >= 0.85
    assert real / offered >= 0.85


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


def test_a_video_without_people_is_refused(detector: Detector, tmp_path: Path) -> None:
    file = tmp_path / "empty-pitch.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for _ in range(25):
            grass = np.full((180, 320, 3), (60, 130, 50), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grass, "rgb24")))
        container.mux(stream.encode(None))

    with pytest.raises(VideoError) as refused:
        make_preview(file, PreviewSettings(frames=2), detector, tmp_path, lambda share, message: None)

    assert refused.value.code == "VIDEO_NO_PERSON"


def test_the_drawn_frame_shows_boxes(preview: PreviewResult, folder: Path) -> None:
    picture = cv2.imread(str(folder / "frame_0001.jpg"))

    drawn = artifacts.draw_tracks(picture, preview.frames[0].tracks)

    assert drawn.shape == picture.shape
    assert (drawn != picture).any(axis=2).mean() > 0.002
    assert artifacts.encode_jpeg(drawn)[:2] == b"\xff\xd8"
