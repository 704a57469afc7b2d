"""The reporter's own process, on a real API server and a broker over HTTP; the test plays fetch and analysis."""

import http.server
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from builders import (
    IMAGE,
    VIDEO_URI,
    make_frame,
    make_preview,
    make_result,
    make_target,
    make_track,
    manifest,
)
from controlplane import ControlPlane
from playerscore.resources import Video, VideoPart
from playerscore.tasks import AnalysisTask, FurtherTask, PodTask, PreviewTask
from playerscore_worker import pod
from workerlab import Reporter

Json = dict[str, Any]
PATIENCE_SECONDS = 20.0


class Broker(http.server.ThreadingHTTPServer):
    """Takes what the reporter brings, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.taken: dict[str, tuple[str, bytes]] = {}
        """Path -> media type and body."""
        self.answers: dict[str, list[int]] = {}
        """Path -> the statuses of the next requests; 200 when there are none left."""
        self.on_frame: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Asked(http.server.BaseHTTPRequestHandler):
    """One request of the reporter."""

    server: Broker

    def do_POST(self) -> None:
        self._take({"url": "http://store.example/signed", "expires_seconds": 3600})

    def do_PUT(self) -> None:
        if "/frames/" in self.path:
            self.server.on_frame()
        self._take({})

    def _take(self, answer: Json) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        left = self.server.answers.get(self.path, [])
        status = left.pop(0) if left else 200
        if self.headers["Authorization"] != "Bearer for-the-broker":
            status = 401
        if status == 200:
            self.server.taken[self.path] = (self.headers.get("Content-Type", ""), body)
        else:
            answer = {"error": {"code": "FORBIDDEN" if status == 403 else "OTHER", "message": "as told"}}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Lab:
    """An API server with the CRD, and who may patch a status, and who may not."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        for account in ("worker", "fenced"):
            plane.kubectl("create", "serviceaccount", account)
        rule = ["--verb=patch", "--resource=scoringjobs.playerscore.dev/status"]
        plane.kubectl("create", "role", "worker", *rule)
        plane.kubectl("create", "rolebinding", "worker", "--role=worker", "--serviceaccount=default:worker")

    def set_status(self, name: str, status: Json) -> None:
        patch = json.dumps({"status": status})
        self.plane.kubectl(
            "patch", "scoringjob", name, "--subresource=status", "--type=merge", "--patch", patch
        )

    def status(self, name: str) -> Json:
        found: Json = json.loads(self.plane.kubectl("get", "scoringjob", name, "-o", "json"))
        return dict(found.get("status") or {})


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with ControlPlane() as plane:
        plane.install_crds("scoringjobs")
        yield Lab(plane)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


Start = Callable[..., Reporter]


@pytest.fixture
def start(lab: Lab, broker: Broker, tmp_path: Path) -> Iterator[Start]:
    started: list[Reporter] = []

    def begin(task: PodTask, account: str = "worker") -> Reporter:
        text = task.model_dump_json(by_alias=True, exclude_none=True)
        kube = lab.plane.token("default", account)
        bearers = {"bearer": kube, "api_bearer": "for-the-broker"}
        started.append(Reporter(lab.plane, text, folder=tmp_path, api_url=broker.url, **bearers))
        return started[-1]

    yield begin
    for reporter in started:
        reporter.kill()


@pytest.fixture
def job(lab: Lab, request: pytest.FixtureRequest) -> str:
    """A fresh ScoringJob's name."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name)[:60].strip("-")
    body = {
        "apiVersion": "playerscore.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": name},
        "spec": {"video": {"uri": VIDEO_URI}},
    }
    lab.plane.kubectl("create", "-f", "-", stdin=json.dumps(body))
    return name


STORED: Json = {"url": "http://store.example/signed", "store": True}
DIRECT = "https://video.example.com/x.mp4"


def common(name: str, uri: str = VIDEO_URI) -> Json:
    return {
        "namespace": "default",
        "name": name,
        "uid": "u",
        "image": IMAGE,
        "video": Video(uri=uri),
        "sources": [uri],
    }


def analysis(name: str) -> AnalysisTask:
    return AnalysisTask(
        **common(name),
        attempt=1,
        generation=1,
        target=make_target(name=name),
        start_time_sec=0.0,
        target_forced=False,
    )


def until(what: Callable[[], Any]) -> Any:
    """The first true value of `what`."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return found


def works(name: str) -> str:
    return f"/worker/jobs/default/{name}"


def write_result(reporter: Reporter) -> Json:
    result = manifest(make_result())
    pod.write(reporter.files.result, json.dumps(result))
    return result


@pytest.mark.parametrize(
    ("before", "at_sec", "stored"),
    [(None, [7.0], [7]), ([7.0, 3812.5], [9, 0.25], [7, 3812.5, 9, 0.25])],
    ids=["the first time", "a second time"],
)
def test_further_frames(
    lab: Lab,
    broker: Broker,
    start: Start,
    job: str,
    before: list[float] | None,
    at_sec: list[float],
    stored: list[float],
) -> None:
    known = make_preview(name=job).model_copy(update={"asked_sec": before})
    lab.set_status(job, {"preview": manifest(known)})
    task = FurtherTask(
        **common(job), at_sec=at_sec, first_number=4, first_track_id=50, asked_sec=before or []
    )
    reporter = start(task)
    reporter.files.frames.mkdir()
    (reporter.files.frames / "frame_0004.jpg").write_bytes(b"jpeg 4")
    frame = manifest(make_frame(4, [make_track(50)], name=job, time_sec=at_sec[0]))
    pod.write(reporter.files.progress, {"percent": 50, "message": "frame 1 of 1"})
    pod.write(reporter.files.preview, [frame])
    pod.write(reporter.files.done, {})

    until(lambda: len(lab.status(job)["preview"]["frames"]) == 4)
    status = lab.status(job)
    assert status["preview"]["frames"] == [*manifest(known)["frames"], frame]
    assert status["preview"]["asked_sec"] == stored
    assert "progress" not in status
    assert broker.taken[f"{works(job)}/frames/4"] == ("image/jpeg", b"jpeg 4")
    assert reporter.stop() == 0


def test_further_frames_that_are_there_already_are_not_added_again(lab: Lab, start: Start, job: str) -> None:
    """After a lost answer, or by a run that is late."""
    known = make_preview(name=job).model_copy(update={"asked_sec": [7.0]})
    lab.set_status(job, {"preview": manifest(known)})
    reporter = start(FurtherTask(**common(job), at_sec=[7.0], first_number=4, first_track_id=50))
    pod.write(reporter.files.preview, [manifest(make_frame(4, [], name=job, time_sec=7.0))])
    pod.write(reporter.files.done, {})

    until(reporter.files.termination.exists)
    assert lab.status(job)["preview"] == manifest(known)
    assert "does not take further frames: 422" in pod.read(reporter.files.termination)["message"]
    assert reporter.stop() == 0


def test_preview(lab: Lab, broker: Broker, start: Start, job: str) -> None:
    seen: list[bool] = []
    broker.on_frame = lambda: seen.append("preview" in lab.status(job))
    reporter = start(PreviewTask(**common(job)))

    until(reporter.files.source.exists)
    assert pod.read(reporter.files.source) == {"files": [STORED]}
    reporter.files.frames.mkdir()
    for number in (1, 2):
        (reporter.files.frames / f"frame_{number:04d}.jpg").write_bytes(b"jpeg %d" % number)
    preview = manifest(make_preview(name=job))
    pod.write(reporter.files.preview, json.dumps(preview))
    pod.write(reporter.files.done, {})

    until(lambda: "preview" in lab.status(job))
    assert lab.status(job)["preview"]["video"] == preview["video"]
    assert seen == [False, False], "a frame must be there before the preview that names it"
    assert broker.taken[f"{works(job)}/frames/2"] == ("image/jpeg", b"jpeg 2")
    assert reporter.stop() == 0


def test_a_direct_address_needs_no_broker(broker: Broker, start: Start, job: str) -> None:
    reporter = start(PreviewTask(**common(job, DIRECT)))

    until(reporter.files.source.exists)

    assert pod.read(reporter.files.source) == {"files": [{"url": DIRECT, "store": False}]}
    assert broker.taken == {}


def test_each_file_of_a_video_gets_an_address_of_its_own(broker: Broker, start: Start, job: str) -> None:
    known = common(job)
    known["video"] = known["video"].model_copy(
        update={"parts": [VideoPart(uri=DIRECT), VideoPart(uri="s3://playerscore/default/uploads/2.mp4")]}
    )
    reporter = start(PreviewTask(**known))

    until(reporter.files.source.exists)

    assert pod.read(reporter.files.source) == {"files": [STORED, {"url": DIRECT, "store": False}, STORED]}
    assert set(broker.taken) == {f"{works(job)}/source", f"{works(job)}/source?file=2"}


def test_weights_in_the_store_get_an_address_of_their_own(broker: Broker, start: Start, job: str) -> None:
    weights = {"uri": "s3://playerscore/_weights/net.onnx", "sha256": "c" * 64}
    task = PreviewTask(**common(job), detector={"name": "ultralytics", "weights": weights})
    reporter = start(task)

    until(reporter.files.source.exists)

    assert pod.read(reporter.files.source) == {"files": [STORED], "weights": STORED}
    assert set(broker.taken) == {f"{works(job)}/source", f"{works(job)}/weights"}


def test_weights_elsewhere_need_no_broker(broker: Broker, start: Start, job: str) -> None:
    weights = {"uri": "https://models.example.com/net.onnx", "sha256": "c" * 64}
    task = PreviewTask(**common(job), detector={"name": "ultralytics", "weights": weights})
    reporter = start(task)

    until(reporter.files.source.exists)

    assert pod.read(reporter.files.source)["weights"] == {"url": weights["uri"], "store": False}
    assert set(broker.taken) == {f"{works(job)}/source"}


def test_refused_weights_are_told_to_fetch(broker: Broker, start: Start, job: str) -> None:
    """The video's address is good all the same: whose fault it is, shows."""
    broker.answers[f"{works(job)}/weights"] = [422]
    weights = {"uri": "s3://playerscore/tenant-b/x", "sha256": "c" * 64}
    reporter = start(PreviewTask(**common(job), detector={"name": "ultralytics", "weights": weights}))

    until(reporter.files.source.exists)

    offer = pod.read(reporter.files.source)
    assert offer["files"] == [STORED]
    assert offer["weights"]["error"]["message"] == "as told"


def test_analysis(lab: Lab, broker: Broker, start: Start, job: str) -> None:
    reporter = start(analysis(job))
    pod.write(reporter.files.progress, {"percent": 40, "message": "25 frames followed"})
    until(lambda: lab.status(job).get("progress", {}).get("percent") == 40)

    begin = time.monotonic()
    result = write_result(reporter)
    until(lambda: "result" in lab.status(job))
    assert time.monotonic() - begin < 5, "the result goes out at once, before the artifacts are drawn"
    assert lab.status(job)["result"] == result

    reporter.files.artifacts.mkdir()
    (reporter.files.artifacts / "radar.png").write_bytes(b"png")
    pod.write(reporter.files.done, {})
    until(lambda: "artifacts" in lab.status(job))

    [artifact] = lab.status(job)["artifacts"]
    assert (artifact["name"], artifact["mediaType"], artifact["bytes"]) == ("radar.png", "image/png", 3)
    assert broker.taken[f"{works(job)}/artifacts/radar.png"] == ("image/png", b"png")
    assert reporter.process.poll() is None, "a native sidecar that ends would be started again"
    assert reporter.stop() == 0


def test_an_ill_broker_is_asked_again(broker: Broker, start: Start, job: str) -> None:
    broker.answers[f"{works(job)}/source"] = [503, 429]
    reporter = start(PreviewTask(**common(job)))

    until(reporter.files.source.exists)

    assert pod.read(reporter.files.source) == {"files": [STORED]}


def test_a_refused_source_is_told_to_fetch(broker: Broker, start: Start, job: str) -> None:
    broker.answers[f"{works(job)}/source"] = [403]
    reporter = start(PreviewTask(**common(job)))

    until(reporter.files.source.exists)

    [refused] = pod.read(reporter.files.source)["files"]
    assert refused["error"]["code"] == "FORBIDDEN"


def test_lost_artifacts(lab: Lab, broker: Broker, start: Start, job: str) -> None:
    broker.answers[f"{works(job)}/artifacts/clip.webm"] = [413]
    reporter = start(analysis(job))
    reporter.files.artifacts.mkdir()
    for name in ("clip.webm", "radar.png"):
        (reporter.files.artifacts / name).write_bytes(b"x")
    result = write_result(reporter)
    pod.write(reporter.files.done, {})

    until(lambda: "artifacts" in lab.status(job))

    assert lab.status(job)["result"] == result
    assert [item["name"] for item in lab.status(job)["artifacts"]] == ["radar.png"]


def test_a_fenced_attempt_stops_quietly(lab: Lab, start: Start, job: str) -> None:
    reporter = start(analysis(job), account="fenced")
    write_result(reporter)

    reporter.until_said("fenced")

    assert "result" not in lab.status(job)
    assert reporter.stop() == 0


def test_the_end_of_a_failed_pod_is_not_waited_for(start: Start, job: str) -> None:
    reporter = start(analysis(job))
    pod.write(reporter.files.progress, {"percent": 10, "message": "then it failed"})
    until(reporter.files.source.exists)

    begin = time.monotonic()

    assert reporter.stop() == 0
    assert time.monotonic() - begin < 10


def test_a_result_written_just_before_the_end_still_goes_out(lab: Lab, start: Start, job: str) -> None:
    reporter = start(analysis(job))
    until(reporter.files.source.exists)
    result = write_result(reporter)

    assert reporter.stop() == 0
    assert lab.status(job)["result"] == result
