"""The REST API's own process, on a real API server and a real S3 server, with real ServiceAccount tokens."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from apilab import SPEC, Lab, box, error
from builders import (
    ELSEWHERE,
    IMAGE,
    OTHER,
    PLAYER,
    PLAYER_BOX,
    make_artifacts,
    make_result,
    make_target,
    manifest,
)
from playerscore import names
from playerscore.resources import Video
from playerscore.tasks import CHECKPOINT_BYTES, AnalysisTask
from playerscore_worker import pod
from playerscore_worker.pod import checkpoint_file
from workerlab import Reporter

Json = dict[str, Any]
ELSEWHERE_URI = "https://video.example.com/match.mp4"
"""A video whose address needs no broker."""
PATIENCE_SECONDS = 30.0


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


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


def test_an_attempt_goes_on_from_what_the_one_before_it_stored(lab: Lab, tmp_path: Path) -> None:
    """Two reporters' own processes, one after the other; the first is fenced off when the second's time has come."""
    uid = lab.created("gone-on")
    task = AnalysisTask(
        namespace="default",
        name="gone-on",
        uid=uid,
        image=IMAGE,
        video=Video(uri=ELSEWHERE_URI),
        sources=[ELSEWHERE_URI],
        attempt=1,
        generation=1,
        target=make_target(name="gone-on"),
        start_time_sec=0.0,
        target_forced=False,
    )

    def reporter(attempt: int) -> Reporter:
        lab.status("gone-on", {"run": {"attempt": attempt}})
        folder = tmp_path / str(attempt)
        folder.mkdir()
        bearer = lab.pod_token(f"sj-{uid}-{attempt}-abcde")
        text = task.model_copy(update={"attempt": attempt}).model_dump_json(by_alias=True, exclude_none=True)
        return Reporter(lab.plane, text, lab.plane.admin_token, folder, api_url=lab.url, api_bearer=bearer)

    keys = lab.folder / "data" / "playerscore" / "default" / "checkpoints" / uid
    first = reporter(1)
    second = None
    try:
        pod.write_bytes(checkpoint_file(first.files.checkpoints, 1), b"one")
        pod.write_bytes(checkpoint_file(first.files.checkpoints, 2), b"two")
        until(lambda: keys.exists() and sorted(file.name for file in keys.iterdir()) == ["00001", "00002"])
        second = reporter(2)
        until(lambda: second.files.source.exists() and not second.files.fetching_checkpoints.exists())
        inherited = sorted(second.files.checkpoints.iterdir())
        assert [(file.name, file.read_bytes()) for file in inherited] == [
            ("00001.checkpoint", b"one"),
            ("00002.checkpoint", b"two"),
        ]

        pod.write_bytes(checkpoint_file(first.files.checkpoints, 3), b"of the past")
        first.until_said("checkpoint not stored")
        pod.write_bytes(checkpoint_file(second.files.checkpoints, 2), b"other")
        until(lambda: (keys / "00002").read_bytes() == b"other")
        assert not (keys / "00003").exists()

        pod.write(second.files.result, json.dumps(manifest(make_result())))
        pod.write(second.files.done, {})
        until(lambda: "result" in lab.stored("gone-on")["status"] and not keys.exists())
        assert second.stop() == 0
    finally:
        first.kill()
        if second:
            second.kill()


def test_checkpoints_are_an_analysis_pods_own(lab: Lab) -> None:
    uid = lab.created("carried")
    lab.status("carried", {"run": {"attempt": 1, "previewAttempt": 1}})
    current = lab.client(lab.pod_token(f"sj-{uid}-1-abcde"))
    preview = lab.client(lab.pod_token(f"sj-{uid}-p1-abcde"))
    path = "/worker/jobs/default/carried/checkpoints"

    assert current.put(f"{path}/1", content=b"one").status_code == 200
    assert current.get(f"{path}/1").content == b"one"
    assert error(current.get(f"{path}/2")) == (404, "NOT_FOUND")
    assert error(current.put(f"{path}/1001", content=b"x")) == (422, "INVALID")
    assert error(current.put(f"{path}/2", content=b"x" * (CHECKPOINT_BYTES + 1))) == (413, "TOO_LARGE")
    for client, refusal in ((preview, (403, "FORBIDDEN")), (lab.editor, (401, "UNAUTHENTICATED"))):
        assert error(client.put(f"{path}/1", content=b"x")) == refusal
        assert error(client.get(f"{path}/1")) == refusal
        assert error(client.delete(path)) == refusal
    assert current.delete(path).status_code == 204
    assert error(current.get(f"{path}/1")) == (404, "NOT_FOUND")
    assert current.delete(path).status_code == 204


def test_a_pod_reaches_only_its_own_current_attempt(lab: Lab) -> None:
    uid = lab.created("mine")
    lab.created("theirs")
    lab.status("mine", {"run": {"attempt": 2}})
    current = lab.client(lab.pod_token(f"sj-{uid}-2-abcde"))
    old = lab.client(lab.pod_token(f"sj-{uid}-1-abcde"))
    person = lab.client(lab.plane.token("default", "playerscore-worker"))
    artifact = "/worker/jobs/default/mine/artifacts/radar.png"

    assert current.put(artifact, content=b"png").status_code == 200
    assert error(lab.editor.get("/jobs/mine/artifacts/radar.png")) == (404, "NOT_FOUND"), (
        "it is not listed yet"
    )
    lab.status("mine", {"artifacts": [manifest(*make_artifacts("radar.png"))]})
    assert lab.editor.get("/jobs/mine/artifacts/radar.png").content == b"png"
    lab.status("mine", {"artifacts": None})
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
    assert error(worker.post("/worker/jobs/default/sourced/source?file=1")) == (404, "NOT_FOUND")

    lab.editor.post("/jobs", json={"id": "thief", "video": {"uri": "s3://playerscore/other/uploads/v.mp4"}})
    lab.status("thief", {"run": {"previewAttempt": 1}})
    other = lab.plane.kubectl("get", "scoringjob", "thief", "-o", "jsonpath={.metadata.uid}")
    refused = lab.client(lab.pod_token(f"sj-{other}-p1-abcde")).post("/worker/jobs/default/thief/source")

    assert error(refused) == (422, "SOURCE_DENIED")


def test_a_pod_gets_the_address_of_each_file_of_its_video(lab: Lab) -> None:
    uris = []
    for half in (b"first", b"second"):
        offer = lab.editor.post("/uploads", json={"filename": "v.mp4", "bytes": len(half)}).json()
        lab.editor.put(offer["upload"]["url"], content=half)
        uris.append(offer["uri"])
    other = "s3://playerscore/other/uploads/v.mp4"
    video = {"uri": uris[0], "parts": [{"uri": uris[1]}, {"uri": other, "continues": True}]}
    assert lab.editor.post("/jobs", json={"id": "halves", "video": video}).status_code == 201
    lab.status("halves", {"run": {"previewAttempt": 1}})
    uid = lab.plane.kubectl("get", "scoringjob", "halves", "-o", "jsonpath={.metadata.uid}")
    worker = lab.client(lab.pod_token(f"sj-{uid}-p1-abcde"))

    source = "/worker/jobs/default/halves/source"
    assert httpx.get(worker.post(source).json()["url"]).content == b"first"
    assert httpx.get(worker.post(f"{source}?file=1").json()["url"]).content == b"second"
    assert error(worker.post(f"{source}?file=2")) == (422, "SOURCE_DENIED")
    assert error(worker.post(f"{source}?file=3")) == (404, "NOT_FOUND")
