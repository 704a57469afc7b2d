"""The pod's working containers on real pixels: what they leave for the reporter, and their last words."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from builders import IMAGE
from matches import Match
from playerscore.resources import Analysis, BBox, Frame, PreviewSettings, PreviewStatus, Result, Target, Video
from playerscore.tasks import (
    TASK_VARIABLE,
    TERMINATION_MESSAGE_BYTES,
    AnalysisTask,
    Failure,
    FurtherTask,
    PodTask,
    PreviewTask,
)
from playerscore_worker import pod
from playerscore_worker.pod import Pod
from videofiles import GOOD

DIGEST = "c" * 64
COMMON: dict[str, Any] = {
    "namespace": "default",
    "name": "match-1",
    "uid": "u",
    "image": IMAGE,
    "video": Video(uri="s3://playerscore/default/uploads/x"),
    "sources": ["s3://playerscore/default/uploads/"],
}


def fetched(folder: Path, video: Path) -> Pod:
    """The shared folder as `fetch` leaves it."""
    files = Pod(folder / "work", folder / "termination-log")
    files.out.mkdir(parents=True)
    files.video().symlink_to(video)
    pod.write(files.fetched, {"sha256": [DIGEST], "bytes": video.stat().st_size})
    return files


def run(verb: str, task: PodTask, files: Pod) -> int:
    settings = {
        TASK_VARIABLE: task.model_dump_json(by_alias=True, exclude_none=True),
        "PLAYERSCORE_WORK": str(files.folder),
        "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
    }
    command = [sys.executable, "-m", "playerscore_worker", verb]
    return subprocess.run(command, env=os.environ | settings, timeout=300, check=False).returncode


def test_a_preview_and_then_an_analysis(match: Match, tmp_path: Path) -> None:
    files = fetched(tmp_path / "preview", match.video)
    assert run("preview", PreviewTask(**COMMON, preview=PreviewSettings(frames=2)), files) == 0

    preview = PreviewStatus.model_validate_json(files.preview.read_text())
    assert preview.video.sha256 == DIGEST
    assert [path.name for path in sorted(files.frames.iterdir())] == ["frame_0001.jpg", "frame_0002.jpg"]
    assert files.done.exists()

    frame = preview.frames[0]
    best = max(frame.tracks, key=lambda track: track.score)
    task = AnalysisTask(
        **COMMON,
        attempt=1,
        generation=3,
        target=Target(frame_key=frame.frame_key, bbox=BBox(**best.bbox.model_dump()), confirmed=True),
        start_time_sec=frame.time_sec,
        target_forced=False,
        target_iou=1.0,
        analysis=Analysis(max_fps=5),
    )
    files = fetched(tmp_path / "analysis", match.video)
    assert run("analyze", task, files) == 0

    said = files.termination.read_bytes()
    result = Result.model_validate_json(said)
    assert len(said) <= TERMINATION_MESSAGE_BYTES
    assert Result.model_validate_json(files.result.read_text()) == result
    assert (result.generation, result.provenance.video_sha256) == (3, DIGEST)
    assert {"radar.png", "result.png"} <= {path.name for path in files.artifacts.iterdir()}
    assert pod.read(files.progress)["percent"] == 100


def test_frames_are_added_to_a_preview(match: Match, tmp_path: Path) -> None:
    files = fetched(tmp_path, match.video)
    task = FurtherTask(**COMMON, at_sec=[2.0, 5.5], first_number=9, first_track_id=40)
    assert run("preview", task, files) == 0

    added = [Frame.model_validate(frame) for frame in pod.read(files.preview)]
    assert [frame.frame_key for frame in added] == [f"jobs/match-1/frames/frame_{k:04d}.jpg" for k in (9, 10)]
    assert [path.name for path in sorted(files.frames.iterdir())] == ["frame_0009.jpg", "frame_0010.jpg"]
    assert min(track.track_id for frame in added for track in frame.tracks) >= 40
    assert files.done.exists()


def test_a_time_that_cannot_be_shown_is_bad_input(match: Match, tmp_path: Path) -> None:
    files = fetched(tmp_path, match.video)
    task = FurtherTask(**COMMON, at_sec=[2.0, 3800.0], first_number=9, first_track_id=40)

    assert run("preview", task, files) == 42
    said = Failure.model_validate_json(files.termination.read_text())
    assert (said.code, said.message) == ("VIDEO_RANGE_EMPTY", "the video has no frame at 3800.0 s")
    assert not files.preview.exists()


def test_what_cannot_be_decoded_is_bad_input(tmp_path: Path) -> None:
    video = tmp_path / "video"
    video.write_bytes(GOOD)  # a sound container around noise
    files = fetched(tmp_path, video)

    assert run("preview", PreviewTask(**COMMON), files) == 42
    assert Failure.model_validate_json(files.termination.read_text()).code.startswith("VIDEO_")
    assert not files.done.exists()
