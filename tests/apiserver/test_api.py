"""The REST API's own process, on a real API server and a real S3 server, with real ServiceAccount tokens."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from builders import ELSEWHERE, OTHER, PLAYER, PLAYER_BOX, make_preview, make_result, manifest
from controlplane import ControlPlane, ensure_tools, free_ports
from playerscore import names

Json = dict[str, Any]
SPEC = {"video": {"uri": "s3://playerscore/default/uploads/match.mp4"}}
EDITOR = ["get", "list", "watch", "create", "patch", "delete"]


class Lab:
    """API server, S3 server and API; a person who may edit, and one who may not."""

    def __init__(self, plane: ControlPlane, url: str, token_file: Path) -> None:
        self.plane = plane
        self.url = url
        self.token_file = token_file
        self.clients: list[httpx.Client] = []
        self.editor = self.person("editor", EDITOR)
        self.stranger = self.person("stranger", [])

    def person(self, name: str, verbs: list[str]) -> httpx.Client:
        self.plane.kubectl("create", "serviceaccount", name)
        if verbs:
            allowed = [f"--verb={','.join(verbs)}", "--resource=scoringjobs.playerscore.dev"]
            self.plane.kubectl("create", "role", name, *allowed)
            self.plane.kubectl(
                "create", "rolebinding", name, f"--role={name}", f"--serviceaccount=default:{name}"
            )
        return self.client(self.plane.token("default", name))

    def client(self, token: str) -> httpx.Client:
        made = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        self.clients.append(made)
        return made

    def status(self, name: str, status: Json) -> None:
        patch = json.dumps({"status": status})
        self.plane.kubectl("patch", "scoringjob", name, "--subresource=status", "--type=merge", "-p", patch)

    def created(self, name: str, preview: bool = True) -> str:
        """Create a job through the API, give it a preview as a worker does; returns its uid."""
        answer = self.editor.post("/jobs", json={"id": name, **SPEC})
        assert answer.status_code == 201, answer.text
        if preview:
            self.status(name, {"preview": manifest(make_preview(name=name))})
        return self.plane.kubectl("get", "scoringjob", name, "-o", "jsonpath={.metadata.uid}")

    def pod_token(self, pod: str) -> str:
        """A token for the broker, bound to a pod of that name."""
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod},
            "spec": {
                "serviceAccountName": "playerscore-worker",
                "containers": [{"name": "c", "image": "none"}],
            },
        }
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        bound = ["--bound-object-kind=Pod", f"--bound-object-name={pod}", f"--audience={names.API_AUDIENCE}"]
        return self.plane.kubectl("create", "token", "playerscore-worker", *bound).strip()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("store")
    s3, port = free_ports(2)
    programs = ensure_tools("versitygw")
    (folder / "data").mkdir()
    with ControlPlane() as plane:
        plane.install_crds("scoringjobs")
        plane.kubectl("create", "serviceaccount", "playerscore-worker")
        (folder / "token").write_text(plane.admin_token)
        started = [
            subprocess.Popen(
                [str(programs / "versitygw"), "--port", f"127.0.0.1:{s3}", "posix", str(folder / "data")],
                env={
                    "ROOT_ACCESS_KEY": "key",
                    "ROOT_SECRET_KEY": "secret-of-the-test",
                    "PATH": os.environ["PATH"],
                },
                stdout=subprocess.DEVNULL,
            ),
            subprocess.Popen(
                [sys.executable, "-m", "playerscore_api"], env=_settings(plane, folder, s3, port)
            ),
        ]
        url = f"http://127.0.0.1:{port}"
        try:
            _until_ready(url)
            found = Lab(plane, url, folder / "token")
            yield found
            for client in found.clients:
                client.close()
        finally:
            for process in started:
                process.terminate()
                process.wait(25)


def _settings(plane: ControlPlane, folder: Path, s3: int, port: int) -> dict[str, str]:
    own = {
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "KUBE_URL": plane.url,
        "KUBE_CA_FILE": str(plane.ca),
        "KUBE_TOKEN_FILE": str(folder / "token"),
        "STORE_ENDPOINT": f"http://127.0.0.1:{s3}",
        "STORE_ACCESS_KEY": "key",
        "STORE_SECRET_KEY": "secret-of-the-test",
        "LOG_LEVEL": "warning",
    }
    return {**os.environ, **{f"PLAYERSCORE_API_{key}": value for key, value in own.items()}}


def _until_ready(url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("the API did not become ready")


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def box(value: Any) -> Json:
    return {"x": value.x, "y": value.y, "w": value.w, "h": value.h}


def test_the_flow_in_its_exact_words(lab: Lab) -> None:
    lab.created("flow")
    key = names.frame_key("flow", 1)

    early = lab.editor.post("/jobs/flow/enqueue")
    assert early.status_code == 409
    assert early.json() == {
        "error": {
            "code": "NOT_READY",
            "missing": ["player_ref", "target"],
            "message": "Missing required selections for enqueue",
        }
    }

    picked = lab.editor.post("/jobs/flow/pick-player", json={"frame_key": key, "track_id": PLAYER}).json()
    assert picked["progress"]["step"] == "WAITING_FOR_TARGET_CONFIRMATION"
    assert picked["player_ref"]["track_id"] == PLAYER
    assert picked["target"]["confirmed"] is False
    assert lab.editor.post("/jobs/flow/enqueue").json()["error"]["missing"] == ["target"]

    body = {"frame_key": key, "time_sec": 0.0, "bbox": box(ELSEWHERE)}
    wrong = lab.editor.post("/jobs/flow/target", json=body)
    assert error(wrong) == (409, "TARGET_MISMATCH")
    assert wrong.json()["error"]["iou"] == 0
    assert wrong.json()["error"]["threshold"] == 0.2

    forced = lab.editor.post("/jobs/flow/target?force=true", json=body).json()
    assert forced["target"]["force"] is True
    confirmed = lab.editor.post("/jobs/flow/target", json={**body, "bbox": box(PLAYER_BOX)}).json()
    assert confirmed["target"]["confirmed"] is True
    assert confirmed["target"].get("force") is None
    assert confirmed["progress"]["step"] == "READY_TO_ENQUEUE"

    queued = lab.editor.post("/jobs/flow/enqueue")
    again = lab.editor.post("/jobs/flow/enqueue")
    assert queued.json()["progress"]["step"] == "QUEUED"
    assert (again.status_code, again.json()["resourceVersion"]) == (200, queued.json()["resourceVersion"])
    assert set(again.json()) == {
        "id", "namespace", "displayName", "player_ref", "target", "progress", "result", "conditions", "resourceVersion",
    }  # fmt: skip


def test_picking_again_takes_the_enqueue_back(lab: Lab) -> None:
    other = {"frame_key": names.frame_key("flow", 1), "track_id": OTHER}
    lab.editor.post("/jobs/flow/pick-player", json=other)

    stored = json.loads(lab.plane.kubectl("get", "scoringjob", "flow", "-o", "json"))["spec"]
    assert stored["suspend"] is True
    assert stored["target"]["confirmed"] is False


def test_a_time_alone_finds_its_frame(lab: Lab) -> None:
    lab.created("timed")
    lab.editor.post(
        "/jobs/timed/pick-player", json={"frame_key": names.frame_key("timed", 1), "track_id": PLAYER}
    )
    near = lab.editor.post("/jobs/timed/target", json={"time_sec": 2.4, "bbox": box(PLAYER_BOX)}).json()
    far = lab.editor.post("/jobs/timed/target", json={"time_sec": 60.0, "bbox": box(PLAYER_BOX)})

    assert near["target"]["frame_key"] == names.frame_key("timed", 2)
    assert near["target"]["time_sec"] == 2.0
    assert error(far) == (404, "FRAME_NOT_FOUND")


def test_a_running_or_ended_job_is_frozen(lab: Lab) -> None:
    lab.created("frozen")
    pick = {"frame_key": names.frame_key("frozen", 1), "track_id": PLAYER}
    lab.editor.post("/jobs/frozen/pick-player", json=pick)
    lab.editor.post("/jobs/frozen/target", json={"bbox": box(PLAYER_BOX)})
    lab.editor.post("/jobs/frozen/enqueue")
    lab.status("frozen", {"run": {"attempt": 1}})

    assert error(lab.editor.post("/jobs/frozen/pick-player", json=pick | {"track_id": OTHER})) == (
        409,
        "JOB_RUNNING",
    )
    assert lab.editor.post("/jobs/frozen/pause").status_code == 200

    lab.status("frozen", {"result": manifest(make_result()), "progress": {"step": "COMPLETED"}})

    assert error(lab.editor.post("/jobs/frozen/enqueue")) == (409, "JOB_FINISHED")
    assert lab.editor.get("/jobs/frozen/result").json()["overallScore"] == make_result().overall_score


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/jobs/bad/pick-player", {"frame_key": "jobs/bad/frames/frame_0099.jpg", "track_id": 7}, (404, "FRAME_NOT_FOUND")),
        ("POST", "/jobs/bad/pick-player", {"frame_key": "jobs/bad/frames/frame_0001.jpg", "track_id": 99}, (404, "TRACK_NOT_FOUND")),
        ("POST", "/jobs/bad/pick-player", {"frame_key": "../../etc/passwd", "track_id": 7}, (422, "INVALID")),
        ("POST", "/jobs/bad/target", {"bbox": {"x": 0.9, "y": 0, "w": 0.5, "h": 1}}, (422, "INVALID")),
        ("POST", "/jobs/bad/target", {"bbox": {"x": 0, "y": 0, "w": 0, "h": 1}}, (422, "INVALID")),
        ("POST", "/jobs/bad/target", {"bbox": {"x": -1, "y": 0, "w": 1, "h": 1}}, (422, "INVALID")),
        ("POST", "/jobs", {"id": "x" * 64, **SPEC}, (422, "INVALID")),
        ("POST", "/jobs", {"id": "typo", **SPEC, "playerRef": {}}, (422, "INVALID")),
        ("POST", "/jobs", {"id": "bad", **SPEC}, (409, "ALREADY_EXISTS")),
        ("POST", "/jobs", {"id": "early", **SPEC, "suspend": False}, (409, "NOT_READY")),
        ("GET", "/jobs/nobody", None, (404, "JOB_NOT_FOUND")),
        ("GET", "/jobs/bad/result", None, (404, "NOT_FOUND")),
        ("GET", "/nothing", None, (404, "NOT_FOUND")),
    ],
)  # fmt: skip
def test_bad_input_has_a_code_and_loses_nothing(
    lab: Lab, method: str, path: str, body: Json | None, expected: tuple[int, str]
) -> None:
    if lab.editor.get("/jobs/bad").status_code == 404:
        lab.created("bad")
    before = lab.plane.kubectl("get", "scoringjob", "bad", "-o", "yaml")
    answer = lab.editor.request(method, path, json=body)

    assert error(answer) == expected, answer.text
    assert lab.plane.kubectl("get", "scoringjob", "bad", "-o", "yaml") == before


def test_not_a_number_is_named(lab: Lab) -> None:
    text = '{"bbox": {"x": NaN, "y": 0, "w": 1, "h": 1}}'
    answer = lab.editor.post("/jobs/bad/target", content=text, headers={"Content-Type": "application/json"})

    assert error(answer) == (422, "INVALID")
    assert "bbox" in answer.json()["error"]["field"]


def test_a_wrong_method_has_a_code_of_its_own(lab: Lab) -> None:
    assert error(lab.editor.put("/jobs", json={})) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_larger_than_any_form_is_refused(lab: Lab, announced: bool) -> None:
    """With its length announced it is refused unread, without it as soon as it is too long."""
    part = b'{"id": "' + b"x" * 2**19
    content = part * 8 if announced else (part for _ in range(8))
    answer = lab.editor.post("/jobs", content=content, headers={"Content-Type": "application/json"})

    assert error(answer) == (413, "TOO_LARGE")


def test_a_fault_of_the_api_has_the_one_error_body(lab: Lab) -> None:
    """The API's own token is unreadable: a fault that no caller can bring about."""
    token = lab.token_file.read_text()
    lab.token_file.unlink()
    try:
        answer = lab.editor.post("/worker/jobs/default/flow/source")
    finally:
        lab.token_file.write_text(token)

    assert error(answer) == (500, "INTERNAL")


def test_kubernetes_decides_who_may(lab: Lab) -> None:
    lab.created("private")

    assert error(lab.stranger.get("/jobs/private")) == (403, "FORBIDDEN")
    assert error(lab.stranger.post("/jobs", json={"id": "mine", **SPEC})) == (403, "FORBIDDEN")
    assert error(lab.stranger.post("/uploads", json={"filename": "a.mp4", "bytes": 3})) == (403, "FORBIDDEN")
    assert error(lab.client("nonsense").get("/jobs")) == (401, "UNAUTHENTICATED")
    assert error(httpx.get(f"{lab.url}/jobs")) == (401, "UNAUTHENTICATED")


def test_the_same_key_creates_one_job(lab: Lab) -> None:
    twice = [
        lab.editor.post("/jobs", json=SPEC, headers={"Idempotency-Key": "k1"}).json()["id"] for _ in range(2)
    ]

    assert twice[0] == twice[1]


def test_an_upload_goes_through_the_api_into_the_store_once(lab: Lab) -> None:
    content = os.urandom(9 * 2**20)
    offer = lab.editor.post("/uploads", json={"filename": "a.mp4", "bytes": len(content)}).json()
    first = lab.editor.put(offer["upload"]["url"], content=content)
    second = lab.editor.put(offer["upload"]["url"], content=b"other")

    assert offer["uri"].startswith("s3://playerscore/default/uploads/")
    assert first.json()["bytes"] == len(content)
    assert error(second) == (409, "ALREADY_EXISTS")


def test_a_preview_pod_stores_frames_that_only_readers_of_the_job_see(lab: Lab) -> None:
    uid = lab.created("framed", preview=False)
    lab.status("framed", {"run": {"previewAttempt": 1}})
    worker = lab.client(lab.pod_token(f"sj-{uid}-p1-abcde"))
    path = "/worker/jobs/default/framed/frames/1"

    assert worker.put(path, content=b"jpeg", headers={"Content-Type": "image/jpeg"}).status_code == 200
    assert lab.editor.get("/jobs/framed/frames/1").content == b"jpeg"
    assert error(lab.stranger.get("/jobs/framed/frames/1")) == (403, "FORBIDDEN")
    assert error(lab.editor.get("/jobs/framed/frames/2")) == (404, "NOT_FOUND")


def test_a_pod_reaches_only_its_own_current_attempt(lab: Lab) -> None:
    uid = lab.created("mine")
    lab.created("theirs")
    lab.status("mine", {"run": {"attempt": 2}})
    current = lab.client(lab.pod_token(f"sj-{uid}-2-abcde"))
    old = lab.client(lab.pod_token(f"sj-{uid}-1-abcde"))
    person = lab.client(lab.plane.token("default", "playerscore-worker"))
    artifact = "/worker/jobs/default/mine/artifacts/radar.png"

    assert current.put(artifact, content=b"png").status_code == 200
    assert lab.editor.get("/jobs/mine/artifacts/radar.png").content == b"png"
    assert error(old.put(artifact, content=b"older")) == (403, "FORBIDDEN")
    assert error(current.put("/worker/jobs/default/theirs/artifacts/x.png", content=b"x")) == (
        403,
        "FORBIDDEN",
    )
    assert error(person.put(artifact, content=b"x")) == (401, "UNAUTHENTICATED")
    assert error(lab.editor.put(artifact, content=b"x")) == (401, "UNAUTHENTICATED")


def test_a_pod_gets_the_address_of_its_own_video(lab: Lab) -> None:
    offer = lab.editor.post("/uploads", json={"filename": "v.mp4", "bytes": 5}).json()
    lab.editor.put(offer["upload"]["url"], content=b"video")
    lab.editor.post("/jobs", json={"id": "sourced", "video": {"uri": offer["uri"]}})
    lab.status("sourced", {"run": {"previewAttempt": 1}})
    uid = lab.plane.kubectl("get", "scoringjob", "sourced", "-o", "jsonpath={.metadata.uid}")
    worker = lab.client(lab.pod_token(f"sj-{uid}-p1-abcde"))

    assert httpx.get(worker.post("/worker/jobs/default/sourced/source").json()["url"]).content == b"video"

    lab.editor.post("/jobs", json={"id": "thief", "video": {"uri": "s3://playerscore/other/uploads/v.mp4"}})
    lab.status("thief", {"run": {"previewAttempt": 1}})
    other = lab.plane.kubectl("get", "scoringjob", "thief", "-o", "jsonpath={.metadata.uid}")
    refused = lab.client(lab.pod_token(f"sj-{other}-p1-abcde")).post("/worker/jobs/default/thief/source")

    assert error(refused) == (422, "SOURCE_DENIED")


def test_events_follow_a_job_to_its_end(lab: Lab) -> None:
    lab.created("followed")
    seen = []
    with lab.editor.stream("GET", "/jobs/followed/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                seen.append(json.loads(line[5:])["progress"]["step"])
            if len(seen) == 1 and line.startswith("data:"):
                lab.status("followed", {"result": manifest(make_result()), "progress": {"step": "COMPLETED"}})

    assert seen[0] == "WAITING_FOR_PLAYER"
    assert seen[-1] == "COMPLETED"
