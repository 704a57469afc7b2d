"""Following on rendered matches, judged by their truth."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from matches import Match
from playerscore.rating import rate
from playerscore_worker import artifacts, signals
from playerscore_worker.detectors import Detector
from playerscore_worker.follower import FollowedPath, Start, State, follow
from playerscore_worker.frames import Decoder, read

PICKS = 3


def _follow(match: Match, person_id: int, frame: int, detector: Detector, **options: float) -> FollowedPath:
    box = match.box(person_id, frame)
    assert box is not None
    return follow(match.video, Start(frame / match.truth.fps, box), detector, **options)


def _picks(match: Match, frame: int) -> list[int]:
    """A few people, by chance but always the same."""
    chosen = np.random.default_rng(5).permutation(match.pickable(frame))
    return [int(person_id) for person_id in chosen[:PICKS]]


@pytest.fixture(scope="module")
def paths(match: Match, detector: Detector) -> dict[int, FollowedPath]:
    return {person_id: _follow(match, person_id, 100, detector) for person_id in _picks(match, 100)}


def test_players_are_covered_while_visible(match: Match, paths: dict[int, FollowedPath]) -> None:
    """The goal of .85, forwards and backwards from the middle of the clip."""
    coverage = {person_id: match.coverage(path, person_id) for person_id, path in paths.items()}

    assert np.mean(list(coverage.values())) >= 0.85, coverage


def test_small_players_from_the_first_frame_are_covered_too(far_match: Match, detector: Detector) -> None:
    picks = _picks(far_match, 0)
    coverage = {p: far_match.coverage(_follow(far_match, p, 0, detector), p) for p in picks}

    assert np.mean(list(coverage.values())) >= 0.85, coverage


def test_every_frame_has_one_sample_in_the_order_of_time(paths: dict[int, FollowedPath]) -> None:
    for path in paths.values():
        assert [sample.index for sample in path.samples] == list(range(200))


def test_two_players_of_one_clip_have_different_signals(paths: dict[int, FollowedPath]) -> None:
    measured = [signals.measure(path) for path in paths.values()]

    assert len({m.model_dump_json() for m in measured}) == len(measured)
    assert len({m.speed_mean_h_per_sec for m in measured}) == len(measured)


def _true_speed(match: Match, person_id: int) -> float:
    """Mean speed in the picture with the camera held still, heights per second: feet moved within one frame."""
    ground, to_image = match.truth.pitch(person_id), match.truth.ground_to_image
    steps = []
    for frame in range(1, match.truth.frames):
        box = match.box(person_id, frame)
        if box is not None:
            before, now = cv2.perspectiveTransform(ground[None, frame - 1 : frame + 1], to_image[frame])[0]
            steps.append(np.hypot(*(now - before)) / (box.h * match.truth.height))
    return float(np.mean(steps)) * match.truth.fps


def test_the_measured_speed_is_the_players_and_not_the_cameras(
    match: Match, paths: dict[int, FollowedPath]
) -> None:
    for person_id, path in paths.items():
        measured = signals.measure(path).speed_mean_h_per_sec

        assert measured == pytest.approx(_true_speed(match, person_id), rel=0.3, abs=0.3)


def test_a_player_who_leaves_is_lost_and_less_visible(leaving_match: Match, detector: Detector) -> None:
    leaver = leaving_match.truth.leaver
    assert leaver is not None
    inside = leaving_match.truth.in_picture(leaver.id)
    path = _follow(leaving_match, leaver.id, 10, detector)
    gone = [sample for sample in path.samples if not inside[sample.index]]
    stays = next(p for p in leaving_match.pickable(10) if leaving_match.truth.in_picture(p).all())
    rated_leaver = rate(signals.measure(path))
    rated_other = rate(signals.measure(_follow(leaving_match, stays, 10, detector)))

    assert len(gone) > 30
    assert np.mean([sample.state == State.LOST for sample in gone]) >= 0.8
    assert {s.reason for s in gone if s.state == State.LOST} <= {"left-picture", "not-seen", "ambiguous"}
    assert rated_leaver.radar.visibility < rated_other.radar.visibility
    assert rated_leaver.overall_score < rated_other.overall_score


def test_a_cut_loses_the_player_at_once(
    match: Match, far_match: Match, detector: Detector, tmp_path: Path
) -> None:
    file = tmp_path / "cut.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"
        for part in (match, far_match):
            for frame in read(part.video, 0, 2):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, "bgr24")))
        container.mux(stream.encode(None))
    box = match.box(match.pickable(20)[0], 20)
    assert box is not None

    path = follow(file, Start(0.8, box), detector)

    assert [sample.state for sample in path.samples[:49]].count(State.LOST) == 0
    assert (path.samples[50].state, path.samples[50].reason) == (State.LOST, "cut")


def test_a_range_and_a_rate_are_kept(match: Match, detector: Detector) -> None:
    person_id = _picks(match, 100)[0]

    path = _follow(match, person_id, 100, detector, start_sec=3.0, end_sec=5.0, max_fps=12.5)

    times = [sample.time_sec for sample in path.samples]
    assert 3.0 <= times[0] < times[-1] < 5.0
    assert len(times) == pytest.approx(25, abs=2)
    assert 4.0 in times
    assert match.coverage(path, person_id) >= 0.85


def test_the_artifacts_show_the_path(match: Match, paths: dict[int, FollowedPath], tmp_path: Path) -> None:
    path = next(iter(paths.values()))
    rating = rate(signals.measure(path))

    radar = artifacts.write_radar(rating, tmp_path / "radar.png")
    with Decoder(match.video) as decoder:
        result = artifacts.write_result(decoder, path, rating, tmp_path / "result.png")
    track = artifacts.write_mot(path, tmp_path / "track.txt")

    assert cv2.imread(str(radar)).shape[0] == cv2.imread(str(result)).shape[0] == 540
    assert cv2.imread(str(result)).shape[1] > cv2.imread(str(radar)).shape[1]
    assert track.read_text().count("\n") == sum(s.box_xywh is not None for s in path.samples)


def test_a_segment_that_is_shorter_than_its_lead_is_followed_too(match: Match, detector: Detector) -> None:
    """So are those of large pictures with small people, and of many frames a second."""
    person_id = _picks(match, 100)[0]

    path = _follow(match, person_id, 100, detector, start_sec=2.0, end_sec=6.0, memory_failures=2)

    assert len(path.samples) == 100
    assert match.coverage(path, person_id) >= 0.85


def test_the_share_that_is_told_is_the_share_of_the_time(match: Match, detector: Detector) -> None:
    told: list[float] = []
    box = match.box(_picks(match, 100)[0], 100)
    assert box is not None

    follow(
        match.video,
        Start(4.0, box),
        detector,
        max_fps=5,
        memory_failures=2,
        on_progress=lambda s, _: told.append(s),
    )

    assert told == sorted(told)
    assert len(told) >= 3
    steps = np.diff([0.0, *told])
    assert steps.max() < 0.8
