"""Reviews and refinements through every door: REST, the command line, a refined job's own pod."""

import json
from typing import Any

import pytest

from apilab import Lab, error
from builders import PLAYER, PLAYER_BOX, make_moment, make_result, manifest
from clidesk import REFUSED, Desk
from playerscore.names import RUN_FILE, frame_key
from playerscore.resources import TrackBox

Json = dict[str, Any]
HIM = dict(zip("xywh", PLAYER_BOX, strict=True))
MOMENTS = [
    make_moment(TrackBox(**HIM), TrackBox(x=0.6, y=0.2, w=0.05, h=0.2), time_sec=8.4, stake_sec=6.0),
    make_moment(TrackBox(**HIM), number=2, time_sec=12.0, kind="cut", doubt=0.8, stake_sec=3.0, taken=False),
]


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


def enqueued(lab: Lab, name: str) -> str:
    """A job that was handed over; its uid."""
    uid = lab.created(name)
    pick = {"frame_key": frame_key(name, 1), "track_id": PLAYER}
    for step, body in (("pick-player", pick), ("target", {"bbox": HIM}), ("enqueue", None)):
        answer = lab.editor.post(f"/jobs/{name}/{step}", json=body)
        assert answer.status_code == 200, answer.text
    return uid


def ended(lab: Lab, name: str) -> str:
    """A job whose result asks about two moments, and which pictures one of them."""
    uid = enqueued(lab, name)
    worker = lab.client(lab.pod_token(f"sj-{uid}-1-abcde"))
    lab.status(name, {"run": {"attempt": 1, "generation": 1}})
    stored = {}
    for file, content in ((RUN_FILE, b"the run"), ("review_01.jpg", b"jpeg")):
        path = f"/worker/jobs/default/{name}/artifacts/{file}"
        put = worker.put(path, content=content, headers={"Content-Type": "application/octet-stream"})
        assert put.status_code == 200, put.text
        stored[file] = put.json()
    kind = {RUN_FILE: "application/octet-stream", "review_01.jpg": "image/jpeg"}
    listed = [{"name": file, "mediaType": kind[file], **about} for file, about in stored.items()]
    result = manifest(make_result(review=MOMENTS))
    lab.status(
        name, {"result": result, "artifacts": listed, "progress": {"step": "COMPLETED", "percent": 100}}
    )
    return uid


def test_rest_shows_the_review_with_the_pictures_that_there_are(lab: Lab) -> None:
    ended(lab, "reviewed")
    shown = lab.editor.get("/jobs/reviewed/review")

    assert shown.status_code == 200, shown.text
    first, second = shown.json()["items"]
    assert (first["number"], first["picture"], second["picture"]) == (1, "review_01.jpg", None)
    assert first["candidates"][0] == HIM
    assert lab.editor.get("/jobs/reviewed/artifacts/review_01.jpg").content == b"jpeg"
    lab.created("not-reviewed")
    assert error(lab.editor.get("/jobs/not-reviewed/review")) == (404, "NOT_FOUND")
    assert error(lab.stranger.get("/jobs/reviewed/review")) == (403, "FORBIDDEN")


def test_a_refined_job_is_a_new_one_that_is_enqueued(lab: Lab) -> None:
    ended(lab, "match")
    before = lab.stored("match")
    answers = [{"moment": 1, "candidate": 2}, {"moment": 2, "absent": True}]
    made = lab.editor.post("/jobs/match/refine", json={"answers": answers})

    assert made.status_code == 201, made.text
    assert made.headers["Location"] == "/jobs/match-2?namespace=default"
    assert (made.json()["id"], made.json()["refines"]) == ("match-2", "match")
    new = lab.stored("match-2")["spec"]
    assert new["anchors"] == [
        {"time_sec": 8.4, "bbox": {"x": 0.6, "y": 0.2, "w": 0.05, "h": 0.2}},
        {"time_sec": 12, "absent": True},
    ]
    assert (new["suspend"], new["preview"]["disabled"], new["refines"]) == (False, True, "match")
    assert new["player_ref"] == before["spec"]["player_ref"]
    assert new["target"]["bbox"] == before["spec"]["target"]["bbox"]
    assert lab.stored("match") == before, "an ended job is never changed"
    again = lab.editor.post("/jobs/match/refine", json={"answers": answers})
    assert again.json()["id"] == "match-3"
    taken = lab.editor.post("/jobs/match/refine", json={"answers": answers, "id": "match-2"})
    assert error(taken) == (409, "ALREADY_EXISTS")
    named = lab.editor.post("/jobs/match/refine", json={"answers": answers, "id": "match-b"})
    assert named.json()["id"] == "match-b"


BAD: dict[str, tuple[Json, tuple[int, str]]] = {
    "a moment that the job has not": ({"moment": 9, "absent": True}, (422, "MOMENT_NOT_FOUND")),
    "a candidate that it has not": ({"moment": 2, "candidate": 2}, (422, "CANDIDATE_NOT_FOUND")),
    "two things at once": ({"moment": 1, "candidate": 1, "absent": True}, (422, "INVALID")),
    "nothing": ({"moment": 1}, (422, "INVALID")),
    "a box outside": ({"moment": 1, "bbox": {"x": 0.9, "y": 0, "w": 0.2, "h": 0.2}}, (422, "INVALID")),
}


def test_what_cannot_be_answered_is_refused_and_makes_nothing(lab: Lab) -> None:
    ended(lab, "answered-badly")
    for name, (answer, code) in BAD.items():
        refused = lab.editor.post("/jobs/answered-badly/refine", json={"answers": [answer]})
        assert error(refused) == code, (name, refused.text)
        assert "answers" in refused.json()["error"]["field"], name
    enqueued(lab, "unfinished")
    refused = lab.editor.post("/jobs/unfinished/refine", json={"answers": [{"moment": 1, "absent": True}]})

    assert error(refused) == (409, "NOT_COMPLETED")
    listed = {item["id"] for item in lab.editor.get("/jobs").json()["items"]}
    assert not {"answered-badly-2", "unfinished-2"} & listed


def test_the_refined_jobs_pod_gets_the_run_and_no_other_does(lab: Lab) -> None:
    ended(lab, "ran")
    made = lab.editor.post("/jobs/ran/refine", json={"answers": [{"moment": 1, "candidate": 1}]})
    assert made.status_code == 201, made.text

    def pod_of(name: str) -> Any:
        uid = lab.stored(name)["metadata"]["uid"]
        lab.status(name, {"run": {"attempt": 1, "generation": 1}})
        return lab.client(lab.pod_token(f"sj-{uid}-1-abcde"))

    path = "/worker/jobs/default/{}/earlier"
    refining = pod_of("ran-2")
    assert refining.get(path.format("ran-2")).content == b"the run"
    enqueued(lab, "alone")
    assert error(pod_of("alone").get(path.format("alone"))) == (404, "NOT_FOUND")
    assert error(refining.get(path.format("ran"))) == (403, "FORBIDDEN")
    lab.editor.delete("/jobs/ran")
    assert error(refining.get(path.format("ran-2"))) == (404, "NOT_FOUND")


def test_the_command_line_shows_the_review_and_refines(lab: Lab, desk: Desk) -> None:
    ended(lab, "cli-reviewed")
    text = desk.ok("review", "cli-reviewed")
    assert "crossing, 30% in doubt, 6.0 s rest on it" in text
    assert "A  x 0.250 y 0.250 w 0.125 h 0.250 (followed)" in text
    (only,) = json.loads(desk.ok("review", "cli-reviewed", "--moment", "2", "-o", "json"))
    assert only["kind"] == "cut"

    trial = desk.ok("refine", "cli-reviewed", "-a", "1=B", "--dry-run", "client", "-o", "name")
    assert trial.strip() == "scoringjob.playerscore.dev/cli-reviewed-2"
    made = desk.ok(
        "refine",
        "scoringjob/cli-reviewed",
        "-a",
        "1=him",
        "-a",
        "2=absent",
        "--as",
        "cli-again",
        "-o",
        "name",
    )
    assert made.strip() == "scoringjob.playerscore.dev/cli-again"
    spec = lab.stored("cli-again")["spec"]
    assert [anchor.get("absent") for anchor in spec["anchors"]] == [None, True]
    assert spec["refines"] == "cli-reviewed"

    for answer, code in (
        ("2=him", "CANDIDATE_NOT_FOUND"),
        ("7=absent", "MOMENT_NOT_FOUND"),
        ("1=Z", "INVALID"),
    ):
        refused = desk.run("refine", "cli-reviewed", "-a", answer, "--as", "cli-never")
        assert (refused.returncode, code in refused.stderr) == (REFUSED, True), (answer, refused.stderr)
    assert desk.run("get", "cli-never").returncode != 0
