"""Who is ended on his way goes on where he was, and comes to the same result, to the last bit."""

import multiprocessing
import os
import shutil
import signal
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

import workercontainer
from builders import make_task
from matches import Match
from playerscore.resources import Analysis
from playerscore.tasks import TASK_VARIABLE, AnalysisTask
from playerscore_worker import checkpoints, pod
from playerscore_worker.checkpoints import SECONDS_VARIABLE, Checkpoints, Place
from playerscore_worker.detectors import Detector
from playerscore_worker.follower import FollowedPath, Start, follow
from playerscore_worker.frames import read
from playerscore_worker.path import COLUMNS, Samples
from playerscore_worker.pod import Pod, checkpoint_file

SMALL_SEGMENTS = 3
"""As after three failures for want of memory: 24 frames, so that a short clip has many."""
DIGEST = "d" * 64
KILLS = 10
PATIENCE_SECONDS = 300.0


def task(match: Match, **more: Any) -> AnalysisTask:
    box = match.box(match.pickable(100)[0], 100)
    assert box is not None
    return make_task(box, 4.0, memory_failures=SMALL_SEGMENTS, **more)


CONTEXT = multiprocessing.get_context("forkserver")
"""Its processes begin with the libraries loaded, which take longer than the clip's following."""
CONTEXT.set_forkserver_preload(["playerscore_worker.work", "playerscore_worker.verbs"])


def begin(files: Pod, asked: AnalysisTask, video: Path) -> ForkServerProcess:
    """The container that works, in a pod's folder."""
    files.out.mkdir(parents=True, exist_ok=True)
    if not files.video().exists():
        files.video().symlink_to(video)
    pod.write(files.fetched, {"sha256": [DIGEST], "bytes": video.stat().st_size})
    settings = {
        TASK_VARIABLE: asked.model_dump_json(by_alias=True, exclude_none=True),
        "PLAYERSCORE_WORK": str(files.folder),
        "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
        SECONDS_VARIABLE: "0",
    }
    process = CONTEXT.Process(target=workercontainer.analyze, args=(settings,))
    process.start()
    return process


def ends(process: ForkServerProcess) -> int | None:
    process.join(PATIENCE_SECONDS)
    return process.exitcode


def numbers(files: Pod) -> list[int]:
    return sorted(int(file.stem) for file in files.checkpoints.glob("*.checkpoint"))


def made(files: Pod) -> dict[str, bytes]:
    """The result and every artifact; of a clip its pictures, because its container names itself by chance."""
    found = {path.name: content(path) for path in files.artifacts.iterdir()}
    return found | {"result": files.result.read_bytes()}


def content(path: Path) -> bytes:
    if path.suffix in (".webm", ".mp4"):
        return b"".join(frame.image.tobytes() for frame in read(path))
    return path.read_bytes()


def kill_at(process: ForkServerProcess, files: Pod, number: int, told: signal.Signals) -> None:
    """End it a moment after a checkpoint is there; it may have ended by itself."""
    end = time.monotonic() + PATIENCE_SECONDS
    while number not in [0, *numbers(files)] and process.is_alive():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, told)
    process.join(10)
    assert process.exitcode == -told


def test_ten_kills_change_nothing(match: Match, tmp_path: Path) -> None:
    """Each attempt works in a folder of its own, as a pod does, and comes a little further."""
    asked = task(match, analysis=Analysis(start_sec=2, end_sec=6, max_fps=12))
    undisturbed = Pod(tmp_path / "undisturbed", tmp_path / "said")
    assert ends(begin(undisturbed, asked, match.video)) == 0
    last = numbers(undisturbed)[-1]
    assert last >= 4, "the clip has too few segments"

    files = Pod(tmp_path / "0", tmp_path / "said")
    for kill in range(KILLS):
        process = begin(files, asked, match.video)
        # The last checkpoint is written when all is followed: whoever is killed then is drawing.
        kill_at(process, files, kill * last // (KILLS - 1), signal.SIGTERM if kill % 2 else signal.SIGKILL)
        before, files = files, Pod(tmp_path / str(kill + 1), tmp_path / "said")
        if before.checkpoints.exists():
            shutil.copytree(before.checkpoints, files.checkpoints)
    assert numbers(files) == numbers(undisturbed)
    assert ends(begin(files, asked, match.video)) == 0

    assert made(files) == made(undisturbed)
    for number in numbers(undisturbed):
        ours, theirs = (checkpoint_file(pod.checkpoints, number) for pod in (files, undisturbed))
        assert ours.read_bytes() == theirs.read_bytes(), number


def columns(path: FollowedPath) -> dict[str, Any]:
    samples = path.samples
    assert isinstance(samples, Samples)
    return {name: getattr(samples, name).tobytes() for name in COLUMNS} | {
        "around": samples.overlapped_by,
        "decisions": path.decisions,
    }


def go(match: Match, detector: Detector, kept: Checkpoints | None, max_fps: float) -> FollowedPath:
    person = match.pickable(100)[1]
    box = match.box(person, 100)
    assert box is not None
    return follow(
        match.video,
        Start(4.0, box),
        detector,
        start_sec=2.0,
        end_sec=6.0,
        max_fps=max_fps,
        memory_failures=SMALL_SEGMENTS,
        checkpoints=kept,
    )


@pytest.fixture(scope="module")
def whole(match: Match, detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of one run."""
    folder = tmp_path_factory.mktemp("whole")
    go(match, detector, Checkpoints(folder, "key", every_sec=0), 10.0)
    return folder


def test_every_checkpoint_leads_to_the_same_path(
    match: Match, detector: Detector, whole: Path, tmp_path: Path
) -> None:
    """Also where not every frame is followed: which those are depends on where the reading began."""
    undisturbed = columns(go(match, detector, None, 10.0))
    count = len(list(whole.iterdir()))
    assert count >= 4

    for number in range(1, count + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        for earlier in range(1, number + 1):
            shutil.copy(checkpoint_file(whole, earlier), folder)
        assert columns(go(match, detector, Checkpoints(folder, "key"), 10.0)) == undisturbed, number


def test_a_checkpoint_is_due_about_every_minute(whole: Path, tmp_path: Path) -> None:
    done = Checkpoints(whole, "key").resume()
    assert done is not None
    now = [0.0]
    kept = Checkpoints(tmp_path, "key", clock=lambda: now[0])
    place = Place(walk=0, scale=1.0, reel_sec=0.0)

    for at, expected in ((49.9, 0), (50.0, 1), (99.9, 1), (100.0, 2)):
        now[0] = at
        kept.offer(done.pieces, place)
        assert len(list(tmp_path.iterdir())) == expected, at


@pytest.mark.parametrize("damage", ["cut off", "flipped", "of another task", "of later on", "noise"])
def test_what_is_damaged_ends_what_is_taken_over(
    whole: Path, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    first, second = (checkpoint_file(tmp_path, number) for number in (1, 2))
    content = second.read_bytes()
    other = Checkpoints(tmp_path / "other", "another")
    for _ in range(2):
        other.write([], None)
    second.write_bytes(
        {
            "cut off": content[:-100],
            "flipped": content[:-50] + bytes([content[-50] ^ 1]) + content[-49:],
            "of another task": checkpoint_file(tmp_path / "other", 2).read_bytes(),
            "of later on": checkpoint_file(tmp_path, 3).read_bytes(),
            "noise": b"\x00" * 1000,
        }[damage]
    )
    told = Checkpoints(tmp_path, "key").resume()

    assert "checkpoint ignored" in capsys.readouterr().out
    first_alone = tmp_path / "alone"
    first_alone.mkdir()
    shutil.copy(first, first_alone)
    expected = Checkpoints(first_alone, "key").resume()
    assert told is not None
    assert expected is not None
    assert (len(told.pieces), told.place is None) == (len(expected.pieces), False)
    assert Checkpoints(tmp_path, "another").resume() is None


def test_the_store_does_not_take_checkpoints_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_CHECKPOINTS", 1)
    kept = Checkpoints(tmp_path, "key")
    kept.write([], None)
    kept.write([], None)

    assert [file.name for file in tmp_path.iterdir()] == ["00001.checkpoint"]
    assert "checkpoint not written" in capsys.readouterr().out
