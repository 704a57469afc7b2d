"""What HTTP itself promises: versions, caches, repeats, pages, dry runs, warnings; and one error body for bad input."""

import base64
import json
import re
from typing import Any

import httpx
import pytest

from apilab import SPEC, Lab, box, error
from builders import OTHER, PLAYER, PLAYER_BOX, make_artifacts, manifest
from playerscore import names

Json = dict[str, Any]
JSON_TYPE = {"Content-Type": "application/json"}
STEPS = ["pick-player", "target", "enqueue", "pause"]


def step_body(name: str, step: str) -> Json:
    key = names.frame_key(name, 1)
    bodies = {
        "pick-player": {"frame_key": key, "track_id": PLAYER},
        "target": {"frame_key": key, "bbox": box(PLAYER_BOX)},
    }
    return bodies.get(step, {})


def ready(lab: Lab, name: str) -> None:
    """A job with a confirmed player, which can take every step."""
    lab.created(name)
    for step in ("pick-player", "target"):
        assert lab.editor.post(f"/jobs/{name}/{step}", json=step_body(name, step)).status_code == 200


# --- versions -------------------------------------------------------------------------------------------


def test_a_job_that_is_kept_is_not_sent_again(lab: Lab) -> None:
    lab.created("kept")
    first = lab.editor.get("/jobs/kept")
    again = lab.editor.get("/jobs/kept", headers={"If-None-Match": first.headers["ETag"]})
    lab.status("kept", {"progress": {"percent": 3}})
    later = lab.editor.get("/jobs/kept", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["ETag"] == f'"{first.json()["resourceVersion"]}"'
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert later.status_code == 200


@pytest.mark.parametrize("step", STEPS)
def test_a_step_for_another_version_is_refused(lab: Lab, step: str) -> None:
    name = f"versioned-{step}"
    ready(lab, name)
    path, body = f"/jobs/{name}/{step}", step_body(name, step)
    present = lab.editor.get(f"/jobs/{name}").json()["resourceVersion"]

    assert error(lab.editor.post(path, json=body, headers={"If-Match": '"1"'})) == (
        412,
        "PRECONDITION_FAILED",
    )
    assert error(lab.editor.post(path, json={**body, "resourceVersion": "1"})) == (409, "CONFLICT")
    assert lab.stored(name)["metadata"]["resourceVersion"] == present
    assert lab.editor.post(path, json=body, headers={"If-Match": f'"{present}"'}).status_code == 200
    assert lab.editor.post(path, json=body, headers={"If-Match": "*"}).status_code == 200


def test_a_delete_for_another_version_is_refused(lab: Lab) -> None:
    lab.created("doomed")
    tag = lab.editor.get("/jobs/doomed").headers["ETag"]

    assert error(lab.editor.delete("/jobs/doomed", headers={"If-Match": '"1"'})) == (
        412,
        "PRECONDITION_FAILED",
    )
    assert lab.editor.delete("/jobs/doomed", params={"dryRun": True}).status_code == 204
    assert lab.editor.delete("/jobs/doomed", headers={"If-Match": tag}).status_code == 204
    assert error(lab.editor.delete("/jobs/doomed")) == (404, "JOB_NOT_FOUND")


def test_every_answer_with_a_job_has_its_etag(lab: Lab) -> None:
    created = lab.editor.post("/jobs", json={"id": "tagged", **SPEC})

    assert created.headers["ETag"] == f'"{created.json()["resourceVersion"]}"'
    assert lab.editor.get(created.headers["Location"]).json() == created.json()


# --- repeats --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [{}, {"id": "repeated"}])
def test_a_repeated_create_makes_one_job(lab: Lab, named: Json) -> None:
    key = {"Idempotency-Key": f"k1 {named}"}
    body = {"displayName": "one", **named, **SPEC}
    first, second = (lab.editor.post("/jobs", json=body, headers=key) for _ in range(2))
    other = lab.editor.post("/jobs", json={**body, "displayName": "two"}, headers=key)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert error(other) == (422, "IDEMPOTENCY_MISMATCH")
    assert lab.stored(first.json()["id"])["spec"]["displayName"] == "one"


def test_a_repeat_shows_the_job_as_it_is_now(lab: Lab) -> None:
    key = {"Idempotency-Key": "k2"}
    lab.editor.post("/jobs", json={"id": "moved-on", **SPEC}, headers=key)
    lab.status("moved-on", {"progress": {"percent": 12}})

    assert (
        lab.editor.post("/jobs", json={"id": "moved-on", **SPEC}, headers=key).json()["progress"]["percent"]
        == 12
    )


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "another"}])
def test_the_id_of_another_request_is_taken(lab: Lab, key: dict[str, str]) -> None:
    lab.editor.post("/jobs", json={"id": "taken", **SPEC}, headers={"Idempotency-Key": "first"})

    assert error(lab.editor.post("/jobs", json={"id": "taken", **SPEC}, headers=key)) == (
        409,
        "ALREADY_EXISTS",
    )


# --- pages ----------------------------------------------------------------------------------------------


def test_pages_show_every_job_once(lab: Lab) -> None:
    lab.plane.kubectl("create", "namespace", "paged")
    client = lab.client(lab.person("pager", ["create", "list"], "paged"))
    wanted = [f"job-{number}" for number in range(5)]
    for name in wanted:
        client.post("/jobs", params={"namespace": "paged"}, json={"id": name, **SPEC})
    seen, token = [], None
    while True:
        query = {"namespace": "paged", "limit": 2} | ({"continue": token} if token else {})
        page = client.get("/jobs", params=query).json()
        seen += [job["id"] for job in page["items"]]
        if (token := page["next"]) is None:
            break

    assert seen == wanted


def test_a_token_of_a_forgotten_state_is_expired(lab: Lab) -> None:
    """etcd is compacted, as every API server does every five minutes, and the server's cache is younger."""
    lab.created("compacted", preview=False)
    revision = int(lab.editor.get("/jobs/compacted").json()["resourceVersion"])
    compaction = httpx.post(f"{lab.plane.etcd_url}/v3/kv/compaction", json={"revision": revision})
    state = {"v": "meta.k8s.io/v1", "rv": 2, "start": "a\u0000"}
    token = base64.urlsafe_b64encode(json.dumps(state).encode()).decode().rstrip("=")

    assert compaction.status_code == 200, compaction.text
    assert error(lab.editor.get("/jobs", params={"continue": token})) == (410, "EXPIRED")


@pytest.mark.parametrize(
    ("more", "field"),
    [({"runtime_name": "gpu"}, "runtime_name"), ({"analysis": {"start_sec": 1}}, "analysis.start_sec")],
)
def test_a_key_that_kubectl_does_not_know_is_refused_here_too(lab: Lab, more: Json, field: str) -> None:
    answer = lab.editor.post("/jobs", params={"dryRun": True}, json={**SPEC, **more})

    assert error(answer) == (422, "INVALID")
    assert answer.json()["error"]["field"] == field


def test_a_page_that_nobody_named_is_refused_by_its_parameter(lab: Lab) -> None:
    answer = lab.editor.get("/jobs", params={"continue": "nonsense"})

    assert error(answer) == (422, "INVALID")
    assert answer.json()["error"]["field"] == "continue"


def test_a_job_in_a_namespace_that_is_not_there_is_not_found(lab: Lab) -> None:
    """For a caller who may create in every namespace; others may not ask."""
    answer = lab.client(lab.plane.admin_token).post("/jobs", params={"namespace": "nowhere"}, json=SPEC)

    assert error(answer) == (404, "NOT_FOUND")
    assert "nowhere" in answer.json()["error"]["message"]


# --- dry runs and warnings ------------------------------------------------------------------------------


def test_a_dry_run_creates_nothing(lab: Lab) -> None:
    answer = lab.editor.post("/jobs", params={"dryRun": True}, json={"id": "dry", **SPEC})

    assert (answer.status_code, answer.json()["id"]) == (201, "dry")
    assert "ETag" not in answer.headers
    assert error(lab.editor.get("/jobs/dry")) == (404, "JOB_NOT_FOUND")


def test_a_dry_run_of_a_step_shows_what_it_would_do(lab: Lab) -> None:
    lab.created("tried")
    before = lab.stored("tried")
    pick = {"frame_key": names.frame_key("tried", 1), "track_id": OTHER}
    tried = lab.editor.post("/jobs/tried/pick-player", params={"dryRun": True}, json=pick)

    assert tried.json()["player_ref"]["track_id"] == OTHER
    assert lab.stored("tried") == before
    assert error(lab.editor.post("/jobs/tried/enqueue", params={"dryRun": True})) == (409, "NOT_READY")


@pytest.mark.parametrize(
    ("step", "body", "expected"),
    [
        ("target", {"frame": 3}, "NotApplicable"),
        ("target", {"frame": 1, "time_sec": 1.5}, "at the frame's own time, 0.0 s, not at 1.5 s"),
    ],
)
def test_what_is_accepted_with_doubts_says_so(lab: Lab, step: str, body: Json, expected: str) -> None:
    name = f"doubtful-{body['frame']}"
    ready(lab, name)
    sent = {"frame_key": names.frame_key(name, body["frame"]), "bbox": box(PLAYER_BOX), **body}
    del sent["frame"]
    answer = lab.editor.post(f"/jobs/{name}/{step}", json=sent)

    assert answer.status_code == 200
    assert any(expected in warning for warning in answer.headers.get_list("Warning")), answer.headers
    assert all(warning.startswith("299 - ") for warning in answer.headers.get_list("Warning"))


def test_a_create_that_cannot_be_judged_yet_says_so(lab: Lab) -> None:
    key = names.frame_key("unjudged", 1)
    selection = {
        "player_ref": {"frame_key": key, "track_id": PLAYER},
        "target": {"frame_key": key, "bbox": box(PLAYER_BOX), "confirmed": True},
    }
    answer = lab.editor.post("/jobs", json={"id": "unjudged", **SPEC, **selection})

    assert answer.status_code == 201
    assert any("PreviewPending" in warning for warning in answer.headers.get_list("Warning")), answer.headers
    assert not lab.editor.get("/jobs/unjudged").headers.get_list("Warning")


# --- bad input ------------------------------------------------------------------------------------------

BODIES = {
    "not a number": (b'{"bbox": {"x": NaN, "y": 0, "w": 1, "h": 1}}', JSON_TYPE, (422, "INVALID")),
    "infinity": (b'{"bbox": {"x": -Infinity, "y": 0, "w": 1, "h": 1}}', JSON_TYPE, (422, "INVALID")),
    "more than any float": (b'{"bbox": {"x": 1e999, "y": 0, "w": 1, "h": 1}}', JSON_TYPE, (422, "INVALID")),
    "5,000 digits": (b'{"time_sec": ' + b"1" * 5000 + b"}", JSON_TYPE, (422, "INVALID")),
    "a key twice": (b'{"time_sec": 1, "time_sec": 2}', JSON_TYPE, (422, "INVALID")),
    "an inner key twice": (b'{"bbox": {"x": 0, "x": 0, "y": 0, "w": 1, "h": 1}}', JSON_TYPE, (422, "INVALID")),
    "nested 100,000 deep": (b"[" * 100_000, JSON_TYPE, (422, "INVALID")),
    "nested 1,000 deep": (b"[" * 1000 + b"]" * 1000, JSON_TYPE, (422, "INVALID")),
    "bad UTF-8": (b'{"frame_key": "\xff\xfe"}', JSON_TYPE, (422, "INVALID")),
    "half a surrogate pair": (b'{"frame_key": "\\ud800"}', JSON_TYPE, (422, "INVALID")),
    "UTF-16": ('{"time_sec": 1}'.encode("utf-16"), JSON_TYPE, (422, "INVALID")),
    "not JSON": (b"bbox=1", JSON_TYPE, (422, "INVALID")),
    "a number as text": (b'{"time_sec": "1"}', JSON_TYPE, (422, "INVALID")),
    "a number as a truth": (b'{"force": 1}', JSON_TYPE, (422, "INVALID")),
    "a list": (b"[]", JSON_TYPE, (422, "INVALID")),
    "null": (b"null", JSON_TYPE, (422, "INVALID")),
    "nothing": (b"", JSON_TYPE, (422, "INVALID")),
    "an unknown field": (b'{"box": 1}', JSON_TYPE, (422, "INVALID")),
    "a form": (b"bbox=1", {"Content-Type": "application/x-www-form-urlencoded"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
    "no content type": (b"{}", {}, (415, "UNSUPPORTED_MEDIA_TYPE")),
    "10 MB": (b'{"frame_key": "' + b"x" * 10_000_000 + b'"}', JSON_TYPE, (413, "TOO_LARGE")),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_body_has_a_code_and_loses_nothing(lab: Lab, case: str) -> None:
    if lab.editor.get("/jobs/abused").status_code == 404:
        lab.created("abused")
    content, headers, expected = BODIES[case]
    before = lab.stored("abused")
    answer = lab.editor.post("/jobs/abused/target", content=content, headers=headers)

    assert error(answer) == expected, answer.text
    if expected[1] == "INVALID":
        assert answer.json()["error"]["field"]
    assert lab.stored("abused") == before


def test_a_long_body_of_unknown_length_is_refused_as_soon_as_it_is_too_long(lab: Lab) -> None:
    parts = (b'{"id": "' + b"x" * 2**19 for _ in range(8))

    assert error(lab.editor.post("/jobs", content=parts, headers=JSON_TYPE)) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/nothing", {}, (404, "NOT_FOUND")),
        ("GET", "/jobs/", {}, (404, "NOT_FOUND")),
        ("GET", "/jobs/%00", {}, (422, "INVALID")),
        ("GET", "/jobs/..%2f..%2fsecrets", {}, (404, "NOT_FOUND")),
        ("GET", "/jobs/UPPER", {}, (422, "INVALID")),
        ("PUT", "/jobs", {}, (405, "METHOD_NOT_ALLOWED")),
        ("TRACE", "/jobs", {}, (405, "METHOD_NOT_ALLOWED")),
        ("GET", "/jobs?limit=0", {}, (422, "INVALID")),
        ("GET", "/jobs?limit=NaN", {}, (422, "INVALID")),
        ("GET", "/jobs?continue=nonsense", {}, (422, "INVALID")),
        ("GET", "/jobs?namespace=../kube-system", {}, (422, "INVALID")),
        ("GET", "/jobs?namespace=elsewhere", {}, (403, "FORBIDDEN")),
        ("GET", "/jobs/abused/frames/0", {}, (422, "INVALID")),
        ("GET", "/jobs/abused/artifacts/.hidden", {}, (422, "INVALID")),
        ("GET", "/jobs", {"Authorization": "Bearer"}, (401, "UNAUTHENTICATED")),
        ("GET", "/jobs", {"Authorization": "Basic YTpi"}, (401, "UNAUTHENTICATED")),
        ("GET", "/jobs", {"Authorization": "Bearer a b"}, (401, "UNAUTHENTICATED")),
        ("GET", "/jobs", {"Authorization": "Bearer \xe9"}, (401, "UNAUTHENTICATED")),
    ],
)  # fmt: skip
def test_a_bad_request_has_the_one_error_body(
    lab: Lab, method: str, path: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    coded = {key: value.encode("latin-1") for key, value in headers.items()}
    answer = lab.editor.request(method, path, headers=coded)

    assert error(answer) == expected, answer.text
    assert answer.json()["error"]["message"]


def test_nobody_is_let_in_without_a_token(lab: Lab) -> None:
    """Every operation of the OpenAPI document that needs one says so, and means it."""
    document = httpx.get(f"{lab.url}/openapi.json").json()
    found = [
        (method, path, "security" in operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    for method, path, secured in found:
        filled = re.sub(
            r"\{(number|namespace|name|file|job_id)\}", lambda m: "1" if m[1] == "number" else "a", path
        )
        answer = httpx.request(method, lab.url + filled)
        assert secured == (answer.status_code == 401), (method, path, answer.text)
        assert secured == (answer.headers.get("WWW-Authenticate") == "Bearer")

    assert sum(secured for *_, secured in found) >= 15


# --- metrics --------------------------------------------------------------------------------------------


def test_metrics_count_by_template_and_code_and_by_nothing_that_a_caller_chooses(lab: Lab) -> None:
    for path in ("/jobs/counted-1", "/jobs/counted-2", "/counted-3"):
        lab.editor.get(path)
    lab.editor.request("TRACE", "/jobs")
    text = httpx.get(f"{lab.url}/metrics").text

    assert 'method="GET",route="/jobs/{job_id}",status="404"' in text.replace('code="JOB_NOT_FOUND",', "")
    assert 'code="JOB_NOT_FOUND"' in text
    assert 'route="unknown"' in text
    assert 'method="OTHER"' in text
    assert "counted" not in text.lower()


# --- what was lost --------------------------------------------------------------------------------------


def test_an_artifact_that_was_lost_says_so(lab: Lab) -> None:
    """Not stored by the worker, or gone from the store since; another name is nobody's."""
    lab.created("lossy", preview=False)
    condition = {
        "type": "Succeeded",
        "status": "True",
        "reason": "ArtifactsLost",
        "message": "The analysis is complete. Artifacts are not stored: clip.webm, tracks.json. The broker answers 503",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    lab.status("lossy", {"conditions": [condition], "artifacts": [manifest(*make_artifacts("radar.png"))]})

    for name in ("clip.webm", "tracks.json", "radar.png"):
        for path in (f"/jobs/lossy/artifacts/{name}", f"/jobs/lossy/artifacts/{name}/link"):
            assert error(lab.editor.get(path)) == (410, "ARTIFACT_LOST"), path
    assert error(lab.editor.get("/jobs/lossy/artifacts/other.png")) == (404, "NOT_FOUND")
