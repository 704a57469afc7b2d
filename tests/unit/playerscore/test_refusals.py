"""From violations to words and back, and from whatever Kubernetes refuses with to one error."""

import json
from typing import Any

import pytest

from playerscore import refusals
from playerscore.edits import Violation
from playerscore.errors import CATALOGUE, NotReadyError, TargetMismatchError

Json = dict[str, Any]

MISMATCH = Violation(
    "TARGET_MISMATCH",
    "spec.target.bbox",
    "IoU 0.190 with track 7 on jobs/match-1/frames/frame_0001.jpg is below 0.2",
)
NO_FRAME = Violation(
    "FRAME_NOT_FOUND",
    "spec.target.frame_key",
    "spec.target.frame_key jobs/match-1/frames/frame_0009.jpg is not in the preview",
)
NO_PLAYER = Violation(
    "NOT_READY", "spec.player_ref", "Missing required selections for enqueue: player_ref, target"
)
NO_TARGET = NO_PLAYER._replace(field="spec.target")
ONLY_TARGET = Violation("NOT_READY", "spec.target", "Missing required selections for enqueue: target")
RUNNING = Violation(
    "JOB_RUNNING",
    "spec.runtimeName",
    "spec.runtimeName cannot change, an attempt runs: pause the job first",
)
VIDEO = Violation("VIDEO_IMMUTABLE", "spec.video", "spec.video never changes; create a new job instead")
DENIALS: dict[str, list[Violation]] = {
    "a mismatch": [MISMATCH],
    "an unknown frame": [NO_FRAME],
    "nothing selected": [NO_PLAYER, NO_TARGET],
    "no target": [ONLY_TARGET],
    "a running job": [RUNNING],
    "a semicolon inside the words": [VIDEO, RUNNING],
    "everything at once": [VIDEO, RUNNING, NO_PLAYER, NO_TARGET, MISMATCH],
}
BY_WEBHOOK = 'admission webhook "scoring.playerscore.dev" denied the request: '
BY_POLICY = (
    "scoringjobs.playerscore.dev \"match-1\" is forbidden: ValidatingAdmissionPolicy 'playerscore-selection' "
    "with binding 'playerscore-selection' denied request: "
)


def status(message: str, reason: str = "Forbidden", causes: list[Json] | None = None, **details: Any) -> Json:
    return {"message": message, "reason": reason, "details": {"causes": causes or [], **details}}


def of_webhook(denied: list[Violation]) -> Json:
    causes = [{"reason": item.reason, "field": item.field, "message": item.message} for item in denied]
    return status(BY_WEBHOOK + refusals.words(denied), denied[0].reason, causes)


def of_policy(denied: list[Violation]) -> Json:
    message = BY_POLICY + refusals.words(denied)
    return status(message, causes=[{"message": message}])


@pytest.mark.parametrize("denied", DENIALS.values(), ids=DENIALS)
def test_words_are_read_back_as_they_were_meant(denied: list[Violation]) -> None:
    assert refusals.read(refusals.words(denied)) == denied


@pytest.mark.parametrize("denied", DENIALS.values(), ids=DENIALS)
def test_webhook_and_policy_are_the_same_error(denied: list[Violation]) -> None:
    errors = [refusals.translated(403, form(denied)) for form in (of_webhook, of_policy)]

    assert errors[0].body() == errors[1].body() == refusals.error(denied).body()


def test_selections_that_are_missing_are_said_once_and_listed_in_order() -> None:
    error = refusals.translated(403, of_policy([NO_PLAYER, NO_TARGET]))

    assert isinstance(error, NotReadyError)
    assert (error.http_status, error.body()) == (
        409,
        {
            "error": {
                "code": "NOT_READY",
                "missing": ["player_ref", "target"],
                "message": "Missing required selections for enqueue",
            }
        },
    )
    assert refusals.words([NO_PLAYER, NO_TARGET]).count("Missing") == 1


def test_a_mismatch_keeps_iou_and_threshold_through_every_door() -> None:
    error = refusals.translated(403, of_policy([MISMATCH]))

    assert isinstance(error, TargetMismatchError)
    assert error.details == {"iou": 0.19, "threshold": 0.2}


def test_a_caller_who_knows_the_overlap_says_it_exactly() -> None:
    assert refusals.error([MISMATCH], 0.19047619).details["iou"] == 0.19047619


def test_a_field_that_only_the_webhooks_cause_names_is_kept() -> None:
    cause = {"reason": "INVALID", "field": "spec.image", "message": "Field required"}
    error = refusals.translated(403, status(BY_WEBHOOK + "INVALID: Field required", "INVALID", [cause]))

    assert (error.code, error.message, error.details) == (
        "INVALID",
        "Field required",
        {"field": "spec.image"},
    )


NOBODY = status('User "eve" cannot get resource "scoringjobs"')
INVALID = status(
    'ScoringJob.playerscore.dev "x" is invalid: spec.target.bbox: Invalid value: the box must have an area',
    "Invalid",
    [{"reason": "FieldValueInvalid", "field": "spec.target.bbox", "message": "Invalid value: …"}],
)
WHOLE = status(
    "is invalid: <nil>: Invalid value", "Invalid", [{"field": "<nil>", "message": "Invalid value"}]
)
UNREACHABLE = status(
    'Internal error occurred: failed calling webhook "scoring.playerscore.dev"', "InternalError"
)
OTHERS_POLICY = status("ValidatingAdmissionPolicy 'limits' denied request: at most 3 jobs here")


@pytest.mark.parametrize(
    ("http_status", "body", "code", "field"),
    [
        (403, NOBODY, "FORBIDDEN", None),
        (403, OTHERS_POLICY, "FORBIDDEN", None),
        (401, status("Unauthorized", "Unauthorized"), "UNAUTHENTICATED", None),
        (404, status('"x" not found', "NotFound", kind="scoringjobs"), "JOB_NOT_FOUND", None),
        (404, status('namespaces "x" not found', "NotFound", kind="namespaces"), "NOT_FOUND", None),
        (409, status("the object has been modified", "Conflict"), "CONFLICT", None),
        (409, status("already exists", "AlreadyExists"), "ALREADY_EXISTS", None),
        (410, status("too old resource version", "Expired"), "EXPIRED", None),
        (400, status('strict decoding error: unknown field "spec.vidio"'), "INVALID", "spec.vidio"),
        (422, INVALID, "INVALID", "spec.target.bbox"),
        (422, WHOLE, "INVALID", None),
        (413, status("limit is 3145728"), "TOO_LARGE", None),
        (415, {}, "INVALID", None),
        (429, status("too many requests", "TooManyRequests"), "TOO_MANY_REQUESTS", None),
        (500, UNREACHABLE, "CLUSTER_UNAVAILABLE", None),
        (504, {}, "CLUSTER_UNAVAILABLE", None),
        (502, {"message": "<html>Bad Gateway"}, "CLUSTER_UNAVAILABLE", None),
        (403, {"message": None, "details": None}, "FORBIDDEN", None),
    ],
)  # fmt: skip
def test_what_is_not_our_rules_is_known_by_its_status(
    http_status: int, body: Json, code: str, field: str | None
) -> None:
    error = refusals.translated(http_status, body)

    assert (error.code, error.details.get("field")) == (code, field)
    assert error.code in CATALOGUE
    assert error.message
    assert json.dumps(error.body())
