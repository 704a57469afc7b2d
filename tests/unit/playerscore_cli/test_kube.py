"""Whatever an API server refuses with, the command line says our code."""

import json
from typing import Any

import pytest
from kubernetes.client import ApiException

from builders import make_stored_job, manifest
from playerscore.errors import PlayerscoreError
from playerscore_cli.kube import parsed, translated


def refusal(status: int, reason: str, message: str, causes: list[dict[str, str]] | None = None) -> Any:
    error = ApiException(status=status, reason=reason)
    body = {"kind": "Status", "reason": reason, "message": message, "details": {"causes": causes or []}}
    error.body = json.dumps(body)
    return error


WEBHOOK = 'admission webhook "scoring.playerscore.dev" denied the request: '


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            refusal(
                403,
                "TARGET_MISMATCH",
                WEBHOOK + "IoU 0.1",
                [{"reason": "TARGET_MISMATCH", "field": "spec.target.bbox", "message": "IoU 0.1"}],
            ),
            "TARGET_MISMATCH",
        ),
        (refusal(403, "Forbidden", "ValidatingAdmissionPolicy denied request: NOT_READY: no"), "NOT_READY"),
        (
            refusal(422, "Invalid", "spec: Invalid value: VIDEO_IMMUTABLE: spec.video never changes"),
            "VIDEO_IMMUTABLE",
        ),
        (refusal(403, "Forbidden", 'User "eve" cannot get resource'), "FORBIDDEN"),
        (refusal(401, "Unauthorized", "Unauthorized"), "UNAUTHENTICATED"),
        (refusal(404, "NotFound", 'scoringjobs "x" not found'), "JOB_NOT_FOUND"),
        (refusal(409, "Conflict", "the object has been modified"), "CONFLICT"),
        (refusal(409, "AlreadyExists", "already exists"), "ALREADY_EXISTS"),
        (refusal(400, "BadRequest", 'unknown field "spec.vidio"'), "INVALID"),
        (refusal(503, "ServiceUnavailable", "no endpoints"), "CLUSTER_UNAVAILABLE"),
        (ApiException(status=502, reason="Bad Gateway"), "CLUSTER_UNAVAILABLE"),
    ],
)
def test_a_refusal_has_our_code(error: ApiException, code: str) -> None:
    assert translated(error).code == code


def test_the_webhooks_cause_names_the_field() -> None:
    cause = {"reason": "NOT_READY", "field": "spec.target", "message": "missing: target"}

    error = translated(refusal(403, "NOT_READY", WEBHOOK + "missing", [cause]))

    assert (error.message, error.details["field"]) == ("missing: target", "spec.target")


def test_a_job_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    body = manifest(make_stored_job())
    body["spec"]["laterField"] = 1
    body["status"] = {"laterField": {}, "progress": {"percent": 5}}

    job = parsed(body)

    assert job.status is not None
    assert job.status.progress is not None
    assert job.status.progress.percent == 5


def test_a_spec_that_cannot_be_read_is_an_error_with_a_code() -> None:
    with pytest.raises(PlayerscoreError) as refused:
        parsed({"metadata": {"name": "x"}, "spec": {}})

    assert refused.value.code == "INVALID"
