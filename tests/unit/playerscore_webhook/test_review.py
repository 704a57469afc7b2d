"""What a review is answered, as a pure function of its body."""

from typing import Any

import msgspec
import pytest

from builders import (
    ELSEWHERE,
    make_preview,
    make_ready_spec,
    make_run,
    make_runtime,
    make_spec,
    make_status,
    make_target,
    manifest,
)
from playerscore.names import Step
from playerscore_webhook import review
from playerscore_webhook.review import MalformedReviewError, Verdict

Json = dict[str, Any]


def asked(operation: str = "CREATE", *, kind: str = "ScoringJob", **more: Any) -> Json:
    """An AdmissionReview as the API server writes it."""
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "playerscore.dev", "version": "v1alpha1", "kind": kind},
        "operation": operation,
        "namespace": "default",
        "name": "match-1",
        "userInfo": {"username": "ada"},
        "dryRun": False,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request | more}


def update(old: Json, new: Json, status: Json | None = None) -> Json:
    shared = {"status": status} if status is not None else {}
    return asked("UPDATE", object={"spec": new, **shared}, oldObject={"spec": old, **shared})


def judged(body: Json) -> Verdict:
    return review.judge(review.parse(msgspec.json.encode(body)))


def answered(body: Json) -> Json:
    request = review.parse(msgspec.json.encode(body))
    found: Json = review.answer(request, review.judge(request))["response"]
    return found


def codes(body: Json) -> list[str]:
    return [f"{cause.code} {cause.field}" for cause in judged(body).causes]


DRAFT = manifest(make_spec())
READY = manifest(make_ready_spec())
STATUS = manifest(make_status())
RUNNING = manifest(make_status(Step.ANALYZING, run=make_run()))
ENDED = manifest(make_status(Step.COMPLETED, run=make_run()))
MOVED = READY | {"target": manifest(make_target(ELSEWHERE))}

DENIED: dict[str, tuple[Json, list[str]]] = {
    "a create without selections": (
        asked(object={"spec": DRAFT | {"suspend": False}}),
        ["NOT_READY spec.player_ref", "NOT_READY spec.target"],
    ),
    "a target beside the player": (update(READY, MOVED, STATUS), ["TARGET_MISMATCH spec.target.bbox"]),
    "a frame that the preview lacks": (
        update(READY, READY | {"target": manifest(make_target(number=9))}, STATUS),
        ["FRAME_NOT_FOUND spec.target.frame_key"],
    ),
    "everything at once": (
        update(
            READY | {"suspend": False},
            MOVED | {"video": {"uri": "s3://elsewhere/match.mp4"}, "runtimeName": "other", "suspend": False},
            RUNNING,
        ),
        [
            "VIDEO_IMMUTABLE spec.video",
            "JOB_RUNNING spec.target",
            "JOB_RUNNING spec.runtimeName",
            "TARGET_MISMATCH spec.target.bbox",
        ],
    ),
    "a new target of an ended job": (
        update(READY, READY | {"target": manifest(make_target(number=2))}, ENDED),
        ["JOB_FINISHED spec.target"],
    ),
    "a runtime without sources": (
        asked(kind="ScoringRuntime", object={"spec": {"image": "worker"}}),
        ["INVALID spec.sources"],
    ),
    "a runtime with three mistakes": (
        asked(
            "UPDATE",
            kind="ScoringRuntime",
            object={"spec": {"image": "", "sources": [""], "retry": {"limit": -1}}},
        ),
        ["INVALID spec.image", "INVALID spec.sources.0", "INVALID spec.retry.limit"],
    ),
    "a template with what is on no list": (
        asked(
            kind="ScoringRuntime",
            object={
                "spec": manifest(make_runtime())["spec"]
                | {
                    "template": {
                        "hostNetwork": True,
                        "containers": {"analyze": {"command": ["sh"]}},
                        "env": [{"name": "A", "value": "1", "valueFrom": {}}],
                    },
                    "preview": {"template": {"serviceAccountName": "admin"}},
                }
            },
        ),
        [
            "TEMPLATE_FORBIDDEN spec.template.containers.analyze.command",
            "TEMPLATE_FORBIDDEN spec.template.env.0.valueFrom",
            "TEMPLATE_FORBIDDEN spec.template.hostNetwork",
            "TEMPLATE_FORBIDDEN spec.preview.template.serviceAccountName",
        ],
    ),
}


@pytest.mark.parametrize(("body", "expected"), DENIED.values(), ids=DENIED)
def test_it_denies_with_every_cause_and_its_field(body: Json, expected: list[str]) -> None:
    assert codes(body) == expected


@pytest.mark.parametrize(("body", "expected"), DENIED.values(), ids=DENIED)
def test_a_denial_is_a_403_whose_message_has_every_code(body: Json, expected: list[str]) -> None:
    response = answered(body)
    status = response["status"]

    assert response["allowed"] is False
    assert response["uid"] == body["request"]["uid"]
    assert status["code"] == 403
    assert status["reason"] == expected[0].split()[0]
    assert [f"{cause['reason']} {cause['field']}" for cause in status["details"]["causes"]] == expected
    for line in expected:
        assert f"{line.split()[0]}: " in status["message"]


ALLOWED: dict[str, Json] = {
    "a draft": asked(object={"spec": DRAFT}),
    "an update that changes nothing judged": update(READY, READY | {"displayName": "final"}, STATUS),
    "the picked player": update(DRAFT, READY, STATUS),
    "pausing a running job": update(READY | {"suspend": False}, READY, RUNNING),
    "a runtime": asked(kind="ScoringRuntime", object=manifest(make_runtime())),
    "a status write": asked("UPDATE", subResource="status", object={"spec": DRAFT | {"suspend": False}}),
    "a delete": asked("DELETE", oldObject={"spec": DRAFT}),
    "another kind": asked(kind="Pod", object={"spec": {}}),
}


@pytest.mark.parametrize("body", ALLOWED.values(), ids=ALLOWED)
def test_it_allows_without_a_word(body: Json) -> None:
    assert answered(body) == {"uid": body["request"]["uid"], "allowed": True}


WARNED: dict[str, tuple[Json, str]] = {
    "a target before the preview": (asked(object={"spec": READY | {"suspend": False}}), "PreviewPending"),
    "a forced target": (
        update(READY, READY | {"target": manifest(make_target(ELSEWHERE, force=True))}, STATUS),
        "Forced",
    ),
    "a field of a newer schema": (asked(object={"spec": DRAFT | {"weather": "rain"}}), "spec.weather"),
    "a status that cannot be read": (
        update(DRAFT, READY, {"preview": {"frames": "none"}}),
        "status.preview",
    ),
    "a newer field of a runtime": (
        asked(kind="ScoringRuntime", object={"spec": manifest(make_runtime())["spec"] | {"weather": 1}}),
        "spec.weather",
    ),
}


@pytest.mark.parametrize(("body", "word"), WARNED.values(), ids=WARNED)
def test_what_is_accepted_but_needs_a_look_is_warned_about(body: Json, word: str) -> None:
    response = answered(body)

    assert response["allowed"] is True
    assert any(word in text for text in response["warnings"])
    assert all(len(text) <= 256 for text in response["warnings"])


def test_a_dry_run_gets_the_same_answer() -> None:
    for body, _ in DENIED.values():
        assert answered({"request": body["request"] | {"dryRun": True}}) == answered(body)


def test_only_the_targets_frame_of_a_preview_is_read() -> None:
    """One unreadable frame elsewhere neither hides a mismatch nor is spoken of."""
    preview = manifest(make_preview())
    preview["frames"][2] = {"frame_key": preview["frames"][2]["frame_key"], "tracks": "nobody"}

    assert codes(update(READY, MOVED, {"preview": preview})) == ["TARGET_MISMATCH spec.target.bbox"]


MALFORMED: dict[str, Any] = {
    "a list": [],
    "a text": "AdmissionReview",
    "null": None,
    "no request": {"kind": "AdmissionReview"},
    "a request that is a list": {"request": []},
    "no uid": {"request": {"operation": "CREATE"}},
    "an empty uid": {"request": {"uid": ""}},
    "a uid that is a number": {"request": {"uid": 7}},
    "an endless uid": {"request": {"uid": "u" * 1000}},
    "a kind that is a text": {"request": {"uid": "u", "kind": "ScoringJob"}},
    "an object that is a list": asked(object=[]),
    "an old object that is a text": asked(oldObject="{}"),
    "an operation that is a number": {"request": {"uid": "u", "operation": 1}},
    "a dry run that is a text": asked(dryRun="true"),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_review_is_said_to_be_none(body: Any) -> None:
    with pytest.raises(MalformedReviewError, match="not an AdmissionReview"):
        review.parse(msgspec.json.encode(body))


def test_a_runtime_with_thousands_of_mistakes_is_answered_in_a_line() -> None:
    spec = {"image": "worker", "sources": [0] * 100_000}
    status = answered(asked(kind="ScoringRuntime", object={"spec": spec}))["status"]

    assert len(status["message"]) < 1000
    assert status["reason"] == "INVALID"


def test_a_job_with_thousands_of_unknown_fields_is_denied_in_a_line() -> None:
    """What cannot be judged is not let in."""
    response = answered(asked(object={"spec": DRAFT | {f"key{number}": 1 for number in range(100_000)}}))

    assert not response["allowed"]
    assert "more than 100 fields" in response["status"]["message"]
    assert len(response["status"]["message"]) < 1000


ODD = {"uri": "s3://a/b c"}
"""A video that this version's model cannot read, as a looser schema may have let it in."""


def test_the_rest_of_a_job_whose_video_cannot_be_read_is_judged() -> None:
    """It is created enqueued without a player."""
    response = answered(
        asked(operation="CREATE", oldObject=None, object={"spec": {"video": ODD, "suspend": False}})
    )

    assert [cause["reason"] for cause in response["status"]["details"]["causes"]] == [
        "NOT_READY",
        "NOT_READY",
    ]
    assert response["warnings"] == [
        "UNREADABLE: judged without spec.video; the operator judges again before every launch"
    ]


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        (ODD, ODD, []),
        (ODD, {"uri": "s3://a/c d"}, ["VIDEO_IMMUTABLE"]),
        (ODD, {"uri": "s3://a/b"}, ["VIDEO_IMMUTABLE"]),
        ({"uri": "s3://a/b"}, ODD, ["VIDEO_IMMUTABLE"]),
    ],
)
def test_a_video_that_cannot_be_read_is_as_immutable_as_any(
    before: Any, after: Any, codes: list[str]
) -> None:
    """And a job with one can be paused."""
    ready = manifest(make_ready_spec())
    request = asked(
        operation="UPDATE",
        oldObject={"spec": ready | {"video": before, "suspend": False}},
        object={"spec": ready | {"video": after, "suspend": True}, "status": manifest(make_status())},
    )
    response = answered(request)

    causes = response.get("status", {}).get("details", {}).get("causes", [])
    assert [cause["reason"] for cause in causes] == codes


def test_a_review_that_is_not_read_is_denied_with_its_uid() -> None:
    response = review.answer(review.Request(uid="u"), review.too_large(1000))["response"]

    assert response["uid"] == "u"
    assert response["allowed"] is False
    assert (
        response["status"]["message"] == "TOO_LARGE: the review exceeds 1000 bytes: make the object smaller"
    )
