"""The whole flow with the REST API alone: what a frontend does."""

import httpx

from livecluster import best_track, elsewhere, until
from playerscore.names import frame_number
from playerscore.rating import Radar

Json = dict[str, object]


def test_a_player_is_scored_by_the_rest_api_alone(api: httpx.Client, name: str, video_uri: str) -> None:
    """Create, pick, be refused in the flow's exact words, confirm, enqueue, read result and pictures."""
    created = api.post("/jobs", json={"id": name, "video": {"uri": video_uri}, "displayName": "Number 7"})
    assert created.status_code == 201, created.text
    assert created.json()["id"] == name
    early = api.post(f"/jobs/{name}/enqueue")
    assert early.status_code == 409
    assert early.json() == {
        "error": {
            "code": "NOT_READY",
            "missing": ["player_ref", "target"],
            "message": "Missing required selections for enqueue",
        }
    }

    until(lambda: _step(api, name), lambda step: step == "WAITING_FOR_PLAYER", 180, "the preview")
    preview = api.get(f"/jobs/{name}/preview").raise_for_status().json()
    frame, track = best_track(preview)
    picture = api.get(f"/jobs/{name}/frames/{frame_number(frame['frame_key'])}")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content[:2] == b"\xff\xd8"

    assert _error(api.post(f"/jobs/{name}/pick-player", json=_pick(frame, 2**30))) == (404, "TRACK_NOT_FOUND")
    picked = api.post(f"/jobs/{name}/pick-player", json=_pick(frame, track["track_id"]))
    assert picked.json()["progress"]["step"] == "WAITING_FOR_TARGET_CONFIRMATION", picked.text
    assert picked.json()["target"]["confirmed"] is False

    where = {"frame_key": frame["frame_key"], "time_sec": frame["time_sec"]}
    wrong = api.post(f"/jobs/{name}/target", json={**where, "bbox": elsewhere(frame, track)})
    assert _error(wrong) == (409, "TARGET_MISMATCH")
    assert wrong.json()["error"]["iou"] == 0
    assert wrong.json()["error"]["threshold"] == 0.2
    confirmed = api.post(f"/jobs/{name}/target", json={**where, "bbox": track["bbox"]})
    assert confirmed.json()["progress"]["step"] == "READY_TO_ENQUEUE", confirmed.text
    assert confirmed.json()["target"]["confirmed"] is True

    assert api.post(f"/jobs/{name}/enqueue").status_code == 200
    again = api.post(f"/jobs/{name}/enqueue")
    assert again.status_code == 200, again.text
    until(lambda: _step(api, name), lambda step: step in ("COMPLETED", "FAILED"), 300, "the analysis")
    job = api.get(f"/jobs/{name}").json()
    assert job["progress"]["step"] == "COMPLETED", job
    assert 0 <= job["result"]["overallScore"] <= 100
    assert set(job["result"]["radar"]) == set(Radar.model_fields)
    assert any(item["id"] == name for item in api.get("/jobs").json()["items"])


def test_without_a_token_nothing_is_answered(api: httpx.Client, name: str) -> None:
    answer = httpx.get(f"{api.base_url}/jobs/{name}")

    assert _error(answer) == (401, "UNAUTHENTICATED")


def test_an_unknown_job_is_not_found(api: httpx.Client, name: str) -> None:
    assert _error(api.get(f"/jobs/{name}")) == (404, "JOB_NOT_FOUND")


def _pick(frame: Json, track_id: object) -> Json:
    return {"frame_key": frame["frame_key"], "track_id": track_id}


def _step(api: httpx.Client, name: str) -> str:
    answer = api.get(f"/jobs/{name}").raise_for_status()
    return str(answer.json()["progress"]["step"])


def _error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])
