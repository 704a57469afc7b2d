"""Uploads that are cut off and taken up again, and artifacts, through the real API into a real S3 server."""

import hashlib
import json
import os
import socket
import threading
from pathlib import Path
from typing import Self

import httpx
import pytest

from apilab import Lab
from clidesk import DONE, MACHINE, NOT_FOUND, REFUSED, Desk
from playerscore import names

MIB = 1 << 20


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


def stored(lab: Lab, uri: str) -> bytes:
    """What lies in the store; the S3 server keeps objects as files."""
    return (lab.folder / "data" / uri.removeprefix("s3://")).read_bytes()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """40 MiB that are nowhere alike: three parts."""
    file = tmp_path / "match.mp4"
    file.write_bytes(os.urandom(40 * MIB))
    return file


def test_a_small_video_needs_one_request(desk: Desk, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "small.mp4"
    file.write_bytes(os.urandom(70_000))
    api = {"PLAYERSCORE_API": lab.url, "PLAYERSCORE_TOKEN": lab.editor_token}

    uri = desk.ok("upload", str(file), **api).strip()
    as_json = json.loads(desk.ok("upload", str(file), "-o", "json", **api))

    assert stored(lab, uri) == stored(lab, as_json["uri"]) == file.read_bytes()
    assert uri.startswith("s3://playerscore/default/uploads/")


def test_upload_needs_no_kubeconfig(desk: Desk, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "alone.mp4"
    file.write_bytes(b"video")
    place = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}

    done = desk.run("upload", str(file), "--api", lab.url, "--token", lab.editor_token, **place)
    without = desk.run("upload", str(file), "--api", lab.url, **place)

    assert stored(lab, done.stdout.strip()) == b"video"
    assert without.returncode == MACHINE


def test_the_kubeconfigs_token_is_used_where_it_is_safe(desk: Desk, lab: Lab, tmp_path: Path) -> None:
    """Over plain HTTP to another machine it is not sent unasked."""
    file = tmp_path / "small.mp4"
    file.write_bytes(b"video")
    kubeconfig = str(lab.plane.kubeconfig_for(lab.editor_token, "cli-editor"))

    near = desk.run("upload", str(file), "--api", lab.url, KUBECONFIG=kubeconfig)
    far = desk.run("upload", str(file), "--api", "http://192.0.2.1", KUBECONFIG=kubeconfig)

    assert near.returncode == DONE, near.stderr
    assert "UNAUTHENTICATED: The REST API wants a bearer token" in far.stderr


def test_create_uploads_and_waits_in_one_go(desk: Desk, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "match.mp4"
    file.write_bytes(b"video")

    desk.ok("create", "uploaded", "--upload", str(file), "--api", lab.url, "--token", lab.editor_token)

    uri = lab.stored("uploaded")["spec"]["video"]["uri"]
    assert stored(lab, uri) == b"video"


def test_create_uploads_several_files(desk: Desk, lab: Lab, tmp_path: Path) -> None:
    files = [tmp_path / "first.mp4", tmp_path / "second.mp4"]
    for file in files:
        file.write_bytes(file.name.encode())
    uploads = [word for file in files for word in ("--upload", str(file))]

    desk.ok("create", "chapters", *uploads, "--continues", "--api", lab.url, "--token", lab.editor_token)

    video = lab.stored("chapters")["spec"]["video"]
    assert stored(lab, video["uri"]) == b"first.mp4"
    [part] = video["parts"]
    assert (stored(lab, part["uri"]), part["continues"]) == (b"second.mp4", True)


class Counting:
    """A line to the API that ends for good after so many bytes to it."""

    def __init__(self, target: int, limit: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._target = target
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.limit = limit
        self.sent = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *about: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        try:
            while True:
                near, _ = self._server.accept()
                if self.sent > self.limit:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._up, args=(near, far), daemon=True).start()
                threading.Thread(target=self._down, args=(far, near), daemon=True).start()
        except OSError:
            return

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        try:
            while self.sent <= self.limit and (piece := near.recv(1 << 16)):
                self.sent += len(piece)
                far.sendall(piece)
        except OSError:
            pass
        finally:
            far.close()
            near.close()

    def _down(self, far: socket.socket, near: socket.socket) -> None:
        try:
            while piece := far.recv(1 << 16):
                near.sendall(piece)
        except OSError:
            pass
        finally:
            near.close()


def test_an_upload_that_was_cut_off_goes_on(desk: Desk, lab: Lab, video: Path, tmp_path: Path) -> None:
    """The line breaks in the second part; the same command sends what is missing, and nothing twice."""
    api = {"PLAYERSCORE_TOKEN": lab.editor_token, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with Counting(int(lab.url.rsplit(":", 1)[1]), 20 * MIB) as line:
        cut = desk.run("upload", str(video), "--api", line.url, **api)
        line.limit = 1 << 40
        line.sent = 0
        again = desk.run("upload", str(video), "--api", line.url, **api)

    assert (cut.returncode, cut.stdout) == (MACHINE, "")
    assert "STORE_UNAVAILABLE" in cut.stderr
    assert again.returncode == DONE, again.stderr
    assert "going on with an upload that was begun before: 2 of 3 parts" in again.stderr
    assert line.sent < 25 * MIB
    whole = stored(lab, again.stdout.strip())
    assert hashlib.sha256(whole).digest() == hashlib.sha256(video.read_bytes()).digest()
    assert list((tmp_path / "cache").rglob("*.json")) == [], "what is done is forgotten"


# --- artifacts ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def analysed(lab: Lab) -> str:
    """A job with two artifacts, uploaded by its analysis pod; the status lies about the second's digest."""
    uid = lab.created("analysed")
    lab.status("analysed", {"run": {"attempt": 1}})
    token = lab.pod_token(f"{names.analysis_job_name(uid, 1)}-x1")
    with httpx.Client(base_url=lab.url, headers={"Authorization": f"Bearer {token}"}) as worker:
        for name, content in (("track.txt", b"1,1,2,3"), ("radar.png", b"other")):
            path = f"/worker/jobs/default/analysed/artifacts/{name}"
            sent = worker.put(path, content=content, headers={"Content-Type": "text/plain"})
            assert sent.status_code == 200, sent.text
    listed = [
        {"name": "track.txt", "mediaType": "text/plain", "bytes": 7, "sha256": hashlib.sha256(b"1,1,2,3").hexdigest()},
        {"name": "radar.png", "mediaType": "image/png", "bytes": 5, "sha256": "0" * 64},
    ]  # fmt: skip
    lab.status("analysed", {"artifacts": listed})
    return "analysed"


def test_artifacts_are_listed_and_fetched(desk: Desk, lab: Lab, analysed: str, tmp_path: Path) -> None:
    api = ["--api", lab.url, "--token", lab.editor_token, "--output-dir", str(tmp_path / "got")]

    listed = desk.ok("artifacts", analysed).splitlines()
    names_ = desk.ok("artifacts", analysed, "-o", "name").split()
    fetched = desk.ok("artifacts", analysed, "track.txt", *api)

    assert listed[0].split() == ["NAME", "TYPE", "BYTES", "SHA256"]
    assert names_ == ["track.txt", "radar.png"]
    assert fetched == f"{tmp_path}/got/track.txt\n"
    assert (tmp_path / "got" / "track.txt").read_bytes() == b"1,1,2,3"


def test_other_bytes_than_the_status_says_are_not_kept(
    desk: Desk, lab: Lab, analysed: str, tmp_path: Path
) -> None:
    done = desk.run("artifacts", analysed, "radar.png", "--output-dir", str(tmp_path), "--api", lab.url, "--token", lab.editor_token)  # fmt: skip

    assert (done.returncode, "other bytes" in done.stderr) == (MACHINE, True)
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_that_is_not_there(desk: Desk, lab: Lab, analysed: str) -> None:
    done = desk.run("artifacts", analysed, "clip.webm")

    assert (done.returncode, "The job has no artifact clip.webm" in done.stderr) == (NOT_FOUND, True)


def test_a_name_that_the_api_refuses_says_so(desk: Desk, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "with space.mp4"
    file.write_bytes(b"video")

    done = desk.run("upload", str(file), "--api", lab.url, "--token", lab.editor_token)

    assert (done.returncode, "filename" in done.stderr) == (REFUSED, True), done.stderr
