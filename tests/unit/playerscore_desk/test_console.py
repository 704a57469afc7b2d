"""The API's own routes over a folder, and the work behind them, through a real server."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from builders import make_result, make_task
from playerscore.errors import PlayerscoreError
from playerscore.geometry import Box
from playerscore.listening import listening
from playerscore.resources import PreviewSettings
from playerscore_desk import app

Json = dict[str, Any]
TOKEN = "only-mine"


class Served:
    """A console that answers, and a client with its token."""

    def __init__(self, folder: Path) -> None:
        self.console = app.Console(folder, TOKEN)
        sock = listening(app.HOST, 0)
        self._server = uvicorn.Server(uvicorn.Config(self.console.app(), log_config=None))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [sock]})
        self._thread.start()
        url = f"http://{app.HOST}:{sock.getsockname()[1]}"
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"})

    def close(self) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join()

    def ended(self, name: str) -> Json:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            job: Json = self.http.get(f"/jobs/{name}").json()
            if job["progress"]["step"] in ("FAILED", "COMPLETED"):
                return job
            time.sleep(0.05)
        raise AssertionError(job)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    opened = Served(tmp_path / "desk")
    yield opened
    opened.close()


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def uploaded(http: httpx.Client, content: bytes, name: str = "match.mp4") -> str:
    made = http.post("/uploads", json={"filename": name, "bytes": len(content), "multipart": True}).json()
    for part in made["multipart"]["missing"]:
        assert http.put(part["url"], content=content).is_success
    assert http.post(f"{made['url']}/complete").json()["finished"]
    return str(made["uri"])


def test_nobody_else_is_let_in(served: Served) -> None:
    for headers in ({"Authorization": "Bearer other"}, {"Authorization": ""}):
        answer = httpx.get(f"{served.http.base_url}/jobs", headers=headers)
        assert (answer.status_code, code(answer)) == (401, "UNAUTHENTICATED")
    assert code(served.http.get("/jobs", params={"namespace": "other"})) == "FORBIDDEN"
    assert code(served.http.get("/jobs/none")) == "JOB_NOT_FOUND"


def test_what_is_no_video_is_told_so_and_goes_with_its_job(served: Served, tmp_path: Path) -> None:
    uri = uploaded(served.http, b"PK\x03\x04 this is an archive")
    made = served.http.post("/jobs", json={"id": "zip", "video": {"uri": uri}})
    assert made.status_code == 201, made.text
    job = served.ended("zip")
    told = {one["type"]: one for one in job["conditions"]}
    assert told["Succeeded"]["reason"] == "VIDEO_UNSUPPORTED", told
    assert "ZIP" in told["Succeeded"]["message"]
    uploads = tmp_path / "desk" / "store" / app.NAMESPACE / "uploads"
    assert len(list(uploads.iterdir())) == 1

    assert served.http.delete("/jobs/zip").status_code == 204
    end = time.monotonic() + 10
    while list(uploads.iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    assert list(uploads.iterdir()) == []
    assert served.http.get("/jobs").json()["items"] == []


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://example.com/match.mp4", "SOURCE_DENIED"),
        ("file:///no/such/match.mp4", "SOURCE_NOT_FOUND"),
        ("s3://desk/desk/uploads/0f3a5b6c7d8e9f01-10-match.mp4", "SOURCE_NOT_FOUND"),
    ],
)
def test_a_video_from_elsewhere(served: Served, uri: str, reason: str) -> None:
    served.http.post("/jobs", json={"id": "a", "video": {"uri": uri}})
    conditions = served.ended("a")["conditions"]

    assert {one["reason"] for one in conditions if one["type"] == "Succeeded"} == {reason}


def test_a_run_is_shown_as_an_ended_job(served: Served, tmp_path: Path) -> None:
    picture = tmp_path / "radar.png"
    picture.write_bytes(b"\x89PNG")
    task = make_task(Box(0.1, 0.1, 0.1, 0.2), 2.0)
    for _ in range(2):
        assert served.console.adopt("run", task, make_result(), [picture]) == "run"
    job = served.http.get("/jobs/run").json()

    assert job["progress"]["step"] == "COMPLETED"
    assert job["result"]["overallScore"] == make_result().overall_score
    assert served.http.get("/jobs/run/artifacts/radar.png").content == b"\x89PNG"
    assert served.http.get("/jobs/run/artifacts/radar.png/link").json()["url"].endswith("namespace=desk")


def test_a_stream_tells_what_happens(served: Served) -> None:
    with served.http.stream("GET", "/events", timeout=20) as stream:
        served.http.post("/jobs", json={"id": "a", "video": {"uri": "https://example.com/a.mp4"}})
        text = ""
        for piece in stream.iter_text():
            text += piece
            if '"FAILED"' in text:
                break

    assert "event: job" in text
    assert "SOURCE_DENIED" in text


def test_a_folder_is_served_once(tmp_path: Path) -> None:
    with app.alone(tmp_path), pytest.raises(PlayerscoreError) as error, app.alone(tmp_path):
        pass

    assert error.value.code == "CONFLICT"


def test_a_draft_of_files_of_this_machine(served: Served, tmp_path: Path) -> None:
    halves = [tmp_path / "half 1.mp4", tmp_path / "half 2.mp4"]
    for half in halves:
        half.write_bytes(b"no video")
    settings = PreviewSettings(frames=2)
    assert served.console.add(halves, 2, continues=True, preview=settings) == "half-1"
    spec = served.console.objects.get("half-1")["spec"]

    assert spec["video"] == {
        "uri": halves[0].as_uri(),
        "track": 2,
        "parts": [{"uri": halves[1].as_uri(), "continues": True}],
    }
    assert spec["preview"] == {"frames": 2}
    assert served.console.add(halves[:1]) == "half-1-2"
