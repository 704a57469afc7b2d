"""Waiting by watching: how it ends, and that a broken connection loses nothing."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from apilab import Lab
from builders import PLAYER, VIDEO_URI, make_preview, make_result, manifest
from clidesk import DONE, JOB_FAILED, NOT_FOUND, REFUSED, TIMED_OUT, Desk
from controlplane import free_ports

Json = dict[str, Any]
RESULT = manifest(make_result())
ENDED = {"result": RESULT, "progress": {"step": "COMPLETED"}}


def condition(kind: str, status: str, reason: str, message: str = "") -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


FAILED = {
    "progress": {"step": "FAILED"},
    "conditions": [condition("Succeeded", "False", "VIDEO_TRUNCATED", "The file ends before its video does")],
}


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


@pytest.fixture
def job(lab: Lab, desk: Desk, request: pytest.FixtureRequest) -> str:
    """A job that is ready to be enqueued."""
    name = f"wait-{request.node.originalname[5:]}".replace("_", "-")[:60].strip("-")
    lab.created(name)
    desk.ok("pick", name, "--track", str(PLAYER))
    desk.ok("confirm", name)
    return name


@contextlib.contextmanager
def soon(lab: Lab, *statuses: Json, name: str) -> Iterator[None]:
    """Writes these statuses, one a second, while the command waits."""

    def write() -> None:
        for status in statuses:
            time.sleep(1)
            lab.status(name, status)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        writer.join()


def test_enqueue_and_wait_shows_the_score(desk: Desk, lab: Lab, job: str) -> None:
    going = [
        {"run": {"attempt": 1}, "conditions": [condition("Running", "True", "PodRunning")]},
        {"progress": {"step": "ANALYZING", "percent": 40}},
        ENDED,
    ]
    with soon(lab, *going, name=job):
        done = desk.run("enqueue", job, "--wait", "--timeout", "1m")

    assert done.returncode == DONE, done.stderr
    assert f"scoringjob/{job}  COMPLETED" in done.stdout
    assert f"overallScore {RESULT['overallScore']}" in done.stdout
    assert all(axis in done.stdout for axis in RESULT["radar"])
    assert "40%  ANALYZING" in done.stderr
    assert lab.stored(job)["spec"]["suspend"] is False


def test_a_job_that_fails_ends_the_wait_with_its_reason(desk: Desk, lab: Lab, job: str) -> None:
    with soon(lab, FAILED, name=job):
        waited = desk.run("wait", job)
    watched = desk.run("watch", job)
    enqueued = desk.run("enqueue", job, "--wait", "-o", "json")

    assert waited.returncode == watched.returncode == JOB_FAILED
    reason = "VIDEO_TRUNCATED: The file ends before its video does"
    assert f"{reason} (step: FAILED, job: {job})" in waited.stderr
    assert reason in watched.stderr
    assert enqueued.returncode == REFUSED, "an ended job cannot be enqueued"
    assert json.loads(enqueued.stderr)["error"]["code"] == "JOB_FINISHED"
    assert desk.run("wait", job, "--for", "step=FAILED").returncode == DONE
    assert desk.run("wait", job, "--for", "condition=Succeeded=False").returncode == DONE


def test_a_deleted_job_ends_the_wait(desk: Desk, lab: Lab, job: str) -> None:
    going = desk.start("wait", job, "-o", "json")
    assert going.stderr
    going.stderr.readline()
    lab.plane.kubectl("delete", "scoringjob", job)
    _, said = going.communicate(timeout=30)

    assert going.returncode == NOT_FOUND
    assert "was deleted while it was waited for" in said
    assert "JOB_NOT_FOUND" in said


def test_waiting_for_the_deletion_is_done_then(desk: Desk, lab: Lab, job: str) -> None:
    going = desk.start("wait", job, "--for", "delete", "--timeout", "30s")
    assert going.stderr
    going.stderr.readline()
    lab.plane.kubectl("delete", "scoringjob", job)
    shown, _ = going.communicate(timeout=30)

    assert (going.returncode, shown) == (DONE, f"scoringjob.playerscore.dev/{job} deleted\n")


def test_the_time_is_over(desk: Desk, job: str) -> None:
    begin = time.monotonic()

    done = desk.run("wait", job, "--timeout", "1500ms")

    assert done.returncode == TIMED_OUT
    assert f"TIMED_OUT: scoringjob {job} did not end within 1.5 s; it goes on" in done.stderr
    assert time.monotonic() - begin < 20


def test_create_waits_for_the_preview(desk: Desk, lab: Lab) -> None:
    going = desk.start("create", "wait-create", "--video", VIDEO_URI, "--wait", "--timeout", "30")
    assert going.stderr
    going.stderr.readline()
    lab.status("wait-create", {"preview": manifest(make_preview(name="wait-create"))})
    shown, said = going.communicate(timeout=30)

    assert (going.returncode, shown) == (DONE, "scoringjob/wait-create  WAITING_FOR_PLAYER\n"), said


def test_pause_waits_until_nothing_runs(desk: Desk, lab: Lab, job: str) -> None:
    """Stopped is what the operator says, for the generation that asks for it."""
    desk.ok("enqueue", job)
    lab.status(job, {"run": {"attempt": 1}, "conditions": [condition("Running", "True", "PodRunning")]})
    going = desk.start("pause", job, "--wait", "--timeout", "30")
    assert going.stderr
    going.stderr.readline()
    assert going.poll() is None
    generation = lab.stored(job)["metadata"]["generation"]
    stopped = [condition("Running", "False", "Suspended", "Paused")]
    lab.status(job, {"conditions": stopped, "observedGeneration": generation})
    shown, said = going.communicate(timeout=30)

    assert (going.returncode, "READY_TO_ENQUEUE" in shown) == (DONE, True), said


def test_watch_as_json_has_a_line_for_each_state(desk: Desk, lab: Lab, job: str) -> None:
    going = desk.start("watch", job, "-o", "json")
    assert going.stdout
    first = going.stdout.readline()
    with soon(lab, {"progress": {"message": "half"}}, ENDED, name=job):
        shown, said = going.communicate(timeout=60)

    assert going.returncode == DONE, said
    states = [json.loads(line) for line in [first, *shown.splitlines()]]
    assert [state["status"].get("progress", {}).get("message") for state in states] == [None, "half", "half"]
    assert states[-1]["status"]["result"] == RESULT
    assert all("managedFields" not in state["metadata"] for state in states)


def test_get_watch_prints_a_line_for_each_change(desk: Desk, lab: Lab, job: str) -> None:
    going = desk.start("get", "-w", job)
    assert going.stdout
    header, first = going.stdout.readline(), going.stdout.readline()
    lab.status(job, ENDED)
    changed = going.stdout.readline()
    going.terminate()
    going.communicate()

    assert header.split() == ["NAME", "PLAYER", "STEP", "SCORE", "RUNTIME", "AGE"]
    assert first.split()[:2] == [job, str(PLAYER)]
    assert changed.split()[:4] == [job, str(PLAYER), "COMPLETED", str(RESULT["overallScore"])]


class CutLine:
    """A line to the API server that can be cut: open connections end, and new ones fail for a while."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._pairs: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", free_ports(1)[0]))
        self.port: int = self._server.getsockname()[1]
        self.refuse_until = 0.0
        self.opened = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *about: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut(0)

    def cut(self, seconds: float) -> None:
        self.refuse_until = time.monotonic() + seconds
        for end in self._pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs = []

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                if time.monotonic() < self.refuse_until:
                    near.close()
                    continue
                self.opened += 1
                far = socket.create_connection(("127.0.0.1", self._target))
                self._pairs += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


def test_a_cut_line_is_taken_up_where_it_broke(desk: Desk, lab: Lab, job: str, tmp_path: Path) -> None:
    """The job ends while the line is down; the wait hears of it all the same."""
    with CutLine(int(lab.plane.url.rsplit(":", 1)[1])) as line:
        config = yaml.safe_load(lab.plane.kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{line.port}"
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        going = desk.start("wait", job, "--timeout", "40", KUBECONFIG=str(kubeconfig))
        assert going.stderr
        going.stderr.readline()
        line.cut(2.0)
        lab.status(job, ENDED)
        shown, said = going.communicate(timeout=45)

    assert (going.returncode, shown) == (DONE, f"scoringjob/{job}  COMPLETED\n"), said
    assert "the connection is lost; trying again" in said
    assert line.opened >= 2
