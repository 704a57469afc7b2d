"""What the reporter does when the store takes not all: over real sockets, with the pod's end set beforehand."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from builders import IMAGE, VIDEO_URI, make_preview, make_result, make_target, manifest
from controlplane import write_credentials
from playerscore.resources import Video
from playerscore.tasks import GRACE_SECONDS, AnalysisTask, PreviewTask
from playerscore_worker import pod
from playerscore_worker.pod import Pod
from playerscore_worker.report import LAST_SECONDS, Reporter
from playerscore_worker.settings import ReportSettings

Json = dict[str, Any]
TASK: Json = {
    "namespace": "default",
    "name": "match-1",
    "uid": "u",
    "image": IMAGE,
    "video": Video(uri=VIDEO_URI),
    "sources": [VIDEO_URI],
}
PREVIEW = PreviewTask(**TASK)
ANALYSIS = AnalysisTask(
    **TASK, attempt=1, generation=1, target=make_target(), start_time_sec=0.0, target_forced=False
)


class Outside(http.server.ThreadingHTTPServer):
    """Broker and API server in one; says to each path what it is told, once each, and then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.answers: dict[str, list[int]] = {}
        self.status: Json = {}


class Asked(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Outside

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        left = self.server.answers.get(self.path.rsplit("/", 1)[-1], [])
        code = left.pop(0) if left else 200
        if self.command == "PATCH" and code == 200:
            self.server.status |= json.loads(body)["status"]
        content = json.dumps({"url": "http://store.example/signed"}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


Report = Callable[..., Pod]


@pytest.fixture
def report(outside: Outside, tmp_path: Path) -> Report:
    """Lets a reporter do what it can in so many seconds, and returns the pod's files."""
    write_credentials(tmp_path, "admin")
    for name in ("kube", "api"):
        (tmp_path / name).write_text("token")
    url = f"http://127.0.0.1:{outside.server_port}"
    settings = ReportSettings(
        api_url=url,
        kube_url=url,
        kube_ca_file=tmp_path / "ca.crt",
        kube_token_file=tmp_path / "kube",
        api_token_file=tmp_path / "api",
    )
    files = Pod(tmp_path / "work", tmp_path / "termination")

    def run(task: Any, seconds: float = 10.0) -> Pod:
        for folder, names in (
            (files.frames, ("frame_0001.jpg", "frame_0002.jpg")),
            (files.artifacts, ("a.png", "b.json")),
        ):
            folder.mkdir(parents=True)
            for name in names:
                (folder / name).write_bytes(b"x")
        pod.write(files.preview, json.dumps(manifest(make_preview())))
        pod.write(files.result, json.dumps(manifest(make_result())))
        pod.write(files.done, {})
        reporter = Reporter(task, files, settings)
        reporter.stop_at = time.monotonic() + seconds
        reporter.run()
        return files

    return run


def last_words(files: Pod) -> Json:
    return dict(json.loads(files.termination.read_text())) if files.termination.exists() else {}


def test_it_ends_before_the_pod_does() -> None:
    assert 120 < LAST_SECONDS < GRACE_SECONDS


def test_a_preview_is_written_when_all_its_pictures_are_stored(outside: Outside, report: Report) -> None:
    outside.answers["2"] = [503, 429]
    files = report(PREVIEW)

    assert len(outside.status["preview"]["frames"]) == 3
    assert last_words(files) == {}


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        pytest.param([503] * 50, "STORE_UNAVAILABLE", id="the store stays away"),
        pytest.param([413], "WORKER_FAILED", id="a picture is refused"),
    ],
)
def test_a_preview_without_one_of_its_pictures_is_not_written_and_says_why(
    outside: Outside, report: Report, answers: list[int], code: str
) -> None:
    outside.answers["2"] = answers
    files = report(PREVIEW, seconds=0.5)

    assert "preview" not in outside.status
    assert last_words(files)["code"] == code
    assert "frame_0002.jpg: The broker answers" in last_words(files)["message"]


def test_artifacts_that_are_lost_are_named_and_the_others_are_on_the_job(
    outside: Outside, report: Report
) -> None:
    outside.answers["a.png"] = [500] * 50
    files = report(ANALYSIS, seconds=0.5)

    assert [item["name"] for item in outside.status["artifacts"]] == ["b.json"]
    assert last_words(files)["message"].startswith("Artifacts are not stored: a.png. The broker answers 500")


def test_a_status_that_is_never_taken_leaves_a_word(outside: Outside, report: Report) -> None:
    outside.answers["status"] = [503] * 50
    files = report(PREVIEW, seconds=0.5)

    assert outside.status == {}
    assert last_words(files)["code"] == "CLUSTER_UNAVAILABLE"
