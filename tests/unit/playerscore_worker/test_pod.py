"""The pod's containers as the kubelet sees them: exit codes and termination messages."""

import hashlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pytest

from builders import IMAGE
from playerscore.errors import SourceError, VideoError, WorkerError
from playerscore.resources import Detector, Video, VideoLimits, VideoPart, Weights
from playerscore.tasks import TASK_VARIABLE, TERMINATION_MESSAGE_BYTES, Failure, PreviewTask
from playerscore_worker import pod
from playerscore_worker import verbs as worker
from playerscore_worker.pod import Pod
from videofiles import GOOD

DIGEST = hashlib.sha256(GOOD).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A real server of a good video, a cut one, and a file of weights."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "match.mp4").write_bytes(GOOD)
    (folder / "cut.mp4").write_bytes(GOOD.replace(b"moov", b"free", 1))
    (folder / "net.onnx").write_bytes(b"weights")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    monkeypatch.setenv("PLAYERSCORE_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("PLAYERSCORE_TERMINATION_LOG", str(tmp_path / "termination-log"))
    (tmp_path / "work").mkdir()
    return Pod.here()


def fetched(monkeypatch: pytest.MonkeyPatch, files: Pod, uri: str, **more: Any) -> tuple[int, str]:
    """Run `fetch`; returns its exit code and the code in its termination message."""
    known: dict[str, Any] = {"namespace": "team-a", "name": "match-1", "uid": "u", "image": IMAGE}
    known |= {"sources": [uri.rsplit("/", 1)[0]], "video": Video(uri=uri)}
    task = PreviewTask(**(known | more))
    monkeypatch.setenv(TASK_VARIABLE, task.model_dump_json(by_alias=True, exclude_none=True))
    asked = [{"url": file.uri, "store": False} for file in task.video.files]
    pod.write(files.source, {"files": asked})

    code = worker.main(["fetch"])

    words = files.termination.read_text() if files.termination.exists() else ""
    return code, Failure.model_validate_json(words).code if words else ""


def test_a_good_video_is_fetched_and_described(
    site: str, files: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fetched(monkeypatch, files, f"{site}/match.mp4", video_sha256=DIGEST) == (0, "")
    assert pod.read(files.fetched) == {"sha256": [DIGEST], "bytes": len(GOOD)}
    assert files.video().read_bytes() == GOOD


@pytest.mark.parametrize(
    ("file", "more", "expected"),
    [
        ("match.mp4", {"sources": ["s3://playerscore/team-a"]}, (42, "SOURCE_DENIED")),
        ("none.mp4", {}, (42, "SOURCE_NOT_FOUND")),
        ("cut.mp4", {}, (42, "VIDEO_TRUNCATED")),
        ("match.mp4", {"video_sha256": "0" * 64}, (42, "VIDEO_CHANGED")),
        ("match.mp4", {"video_limits": VideoLimits(bytes=10)}, (42, "VIDEO_TOO_LARGE")),
    ],
    ids=["denied", "not there", "cut", "changed since the preview", "too large"],
)
def test_bad_input_is_exit_42_with_its_code(
    site: str,
    files: Pod,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    more: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    assert fetched(monkeypatch, files, f"{site}/{file}", **more) == expected


def test_several_files_are_fetched_in_their_order(
    site: str, files: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, both = f"{site}/match.mp4", hashlib.sha256(f"{DIGEST}\n{DIGEST}".encode()).hexdigest()
    video = Video(uri=uri, parts=[VideoPart(uri=uri, sha256=DIGEST)])

    assert fetched(monkeypatch, files, uri, video=video, video_sha256=both) == (0, "")
    assert pod.read(files.fetched) == {"sha256": [DIGEST, DIGEST], "bytes": 2 * len(GOOD)}
    assert files.video(1).read_bytes() == GOOD


@pytest.mark.parametrize(
    ("part", "more", "expected", "words"),
    [
        ({"uri": "none.mp4"}, {}, "SOURCE_NOT_FOUND", "spec.video.parts[0].uri"),
        ({"uri": "cut.mp4"}, {}, "VIDEO_TRUNCATED", ""),
        ({"uri": "match.mp4", "sha256": "0" * 64}, {}, "VIDEO_CHANGED", "spec.video.parts[0].sha256"),
        ({"uri": "match.mp4"}, {"video_sha256": DIGEST}, "VIDEO_CHANGED", "the preview's digest"),
        (
            {"uri": "match.mp4"},
            {"video_limits": VideoLimits(bytes=2 * len(GOOD) - 1)},
            "VIDEO_TOO_LARGE",
            "parts[0]",
        ),
        ({"uri": "../match.mp4"}, {}, "SOURCE_DENIED", "spec.video.parts[0].uri"),
    ],
    ids=["not there", "cut", "others", "one more than there was", "too large together", "denied"],
)
def test_a_part_that_is_bad_is_named(
    site: str,
    files: Pod,
    monkeypatch: pytest.MonkeyPatch,
    part: dict[str, Any],
    more: dict[str, Any],
    expected: str,
    words: str,
) -> None:
    uri = f"{site}/match.mp4"
    video = Video(uri=uri, parts=[VideoPart(**(part | {"uri": f"{site}/{part['uri']}"}))])

    assert fetched(monkeypatch, files, uri, video=video, **more) == (42, expected)
    assert words in files.termination.read_text()


def test_an_address_that_does_not_answer_is_tried_again(files: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetched(monkeypatch, files, "http://127.0.0.1:1/match.mp4") == (1, "SOURCE_UNAVAILABLE")


@pytest.mark.parametrize(
    ("told", "sha256", "expected"),
    [
        ("net.onnx", hashlib.sha256(b"weights").hexdigest(), (0, "")),
        ("net.onnx", "0" * 64, (1, "WORKER_FAILED")),
        ("none.onnx", "0" * 64, (1, "WORKER_FAILED")),
    ],
    ids=["as pinned", "others", "not there"],
)
def test_the_detectors_weights_are_fetched_and_verified(
    site: str, files: Pod, monkeypatch: pytest.MonkeyPatch, told: str, sha256: str, expected: tuple[int, str]
) -> None:
    uri = f"{site}/{told}"
    detector = Detector(name="ultralytics", weights=Weights(uri=uri, sha256=sha256))

    assert fetched(monkeypatch, files, f"{site}/match.mp4", detector=detector) == expected
    assert (expected[0] != 0) or files.weights(uri).read_bytes() == b"weights"


def test_the_brokers_refusal_is_what_fetch_says(files: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = "s3://playerscore/team-a/uploads/match.mp4"
    task = PreviewTask(
        namespace="team-a", name="m", uid="u", image=IMAGE, video=Video(uri=uri), sources=["s3://playerscore"]
    )
    monkeypatch.setenv(TASK_VARIABLE, task.model_dump_json(by_alias=True, exclude_none=True))
    refused = {"error": {"code": "NOT_FOUND", "message": "There is no such object"}}
    pod.write(files.source, {"files": [refused]})

    assert worker.main(["fetch"]) == 42
    assert json.loads(files.termination.read_text())["code"] == "SOURCE_NOT_FOUND"


class OutOfMemoryError(RuntimeError):
    """As torch calls it."""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (VideoError("VIDEO_EMPTY", "x"), 42, "VIDEO_EMPTY"),
        (SourceError("SOURCE_TOO_SLOW", "x"), 1, "SOURCE_TOO_SLOW"),
        (WorkerError("WORKER_FAILED", "x"), 1, "WORKER_FAILED"),
        (MemoryError(), 43, "OUT_OF_MEMORY"),
        (OutOfMemoryError("CUDA out of memory"), 43, "OUT_OF_MEMORY"),
        (RuntimeError("CUDA error: out of memory"), 43, "OUT_OF_MEMORY"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), 43, "OUT_OF_MEMORY"),
        (cv2.error("(-4:Insufficient memory) Failed to allocate 9 bytes"), 43, "OUT_OF_MEMORY"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), 1, "WORKER_FAILED"),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), 1, "WORKER_FAILED"),
        (RuntimeError("CUDA error: unspecified launch failure (Xid 79)"), 1, "WORKER_FAILED"),
        (RuntimeError("BFCArena: Failed to allocate memory for requested buffer"), 43, "OUT_OF_MEMORY"),
        (ValueError("surprise"), 1, "WORKER_FAILED"),
    ],
)
def test_every_failure_has_an_exit_code_and_words(error: BaseException, code: int, said: str) -> None:
    exit_code, words = pod.failure(error)

    assert (exit_code, words.code) == (code, said)


@pytest.mark.parametrize("letter", ["x", "ü", "球", '"', "\\", "😀"])
def test_last_words_fit_whatever_alphabet_they_are_in(letter: str) -> None:
    _, words = pod.failure(VideoError("VIDEO_EMPTY", letter * 10_000))

    assert len(words.model_dump_json().encode()) <= TERMINATION_MESSAGE_BYTES


@pytest.mark.parametrize(
    "waits", [pytest.param(False, id="before its libraries"), pytest.param(True, id="waiting")]
)
def test_a_container_leaves_at_once_when_it_is_told_to(files: Pod, waits: bool) -> None:
    """A container's first process ignores SIGTERM until it says otherwise; so does one that starts with it ignored."""
    task = PreviewTask(
        namespace="team-a",
        name="m",
        uid="u",
        image=IMAGE,
        video=Video(uri="s3://playerscore/team-a/x"),
        sources=["s3://playerscore/team-a"],
    )
    program = subprocess.Popen(
        ["sh", "-c", 'trap "" TERM; exec "$@"', "sh", sys.executable, "-m", "playerscore_worker", "fetch"],
        env=os.environ | {TASK_VARIABLE: task.model_dump_json(by_alias=True, exclude_none=True)},
    )
    while not _catches(program.pid, signal.SIGTERM):
        assert program.poll() is None
    if waits:
        time.sleep(3)
    else:
        assert "pydantic" not in Path(f"/proc/{program.pid}/maps").read_text()
    program.terminate()

    assert program.wait(timeout=20) == 143


def _catches(pid: int, number: int) -> bool:
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize(
    ("ages", "silent"),
    [
        pytest.param({}, 0, id="the video is not there yet"),
        pytest.param({"fetched": 50}, 50, id="nothing was told since the video came"),
        pytest.param({"fetched": 500, "progress": 3}, 3, id="it moves"),
        pytest.param({"fetched": 500, "progress": 90, "result": 7}, 7, id="pictures are drawn"),
        pytest.param({"fetched": 500, "progress": 400}, 400, id="it hangs"),
        pytest.param({"fetched": 500, "progress": 400, "done": 300}, 0, id="it is done"),
    ],
)
def test_silence_is_counted_from_the_last_thing_that_moved(
    files: Pod, ages: dict[str, float], silent: float
) -> None:
    for name, age in ages.items():
        path: Path = getattr(files, name)
        pod.write(path, {})
        os.utime(path, (1e9 - age, 1e9 - age))

    assert files.silent_seconds(1e9) == silent


def test_the_probe_says_why_a_hanging_worker_is_ended(files: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    pod.write(files.fetched, {})

    assert worker.main(["alive"]) == 0
    assert not files.termination.exists()

    monkeypatch.setenv("PLAYERSCORE_STALL_SECONDS", "0")

    assert worker.main(["alive"]) == 1
    words = Failure.model_validate_json(files.termination.read_bytes())
    assert words.message.startswith("No progress for ")
