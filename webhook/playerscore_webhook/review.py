"""From an AdmissionReview to its answer, pure: the validating webhook's one decision.

Denials are HTTP 403, because kubectl retries a 409 and `kubectl apply --force` deletes and recreates the
object on 409 and 422. The stable code is the status' reason, starts its message, and is in every cause.
"""

from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from playerscore import admission, lenient, names, refusals
from playerscore.edits import Violation
from playerscore.names import Reason
from playerscore.resources import ScoringJobSpec, ScoringJobStatus, ScoringRuntimeSpec

Document = dict[str, Any]

DENIED: Final = 403
WARNING_MAX: Final = 256
"""Longer warnings may be cut by clients."""


class MalformedReviewError(ValueError):
    """The request is not an AdmissionReview."""


class Cause(NamedTuple):
    """One reason of a denial."""

    code: str
    field: str
    message: str


class Verdict(NamedTuple):
    """What is to be answered, before it is dressed as an AdmissionReview."""

    causes: list[Cause]
    warnings: list[str]

    @property
    def allowed(self) -> bool:
        return not self.causes

    @property
    def reason(self) -> str:
        """The first code, or `Allowed`."""
        return self.causes[0].code if self.causes else "Allowed"


def answer(review: Document) -> tuple[Document, Verdict]:
    """The AdmissionReview to send back, and its verdict. Raises MalformedReviewError."""
    request = review.get("request")
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str):
        raise MalformedReviewError("the body is not an AdmissionReview with a request and its uid")
    verdict = judge(request)
    response: Document = {"uid": request["uid"], "allowed": verdict.allowed}
    if verdict.warnings:
        response["warnings"] = [text[:WARNING_MAX] for text in verdict.warnings]
    if not verdict.allowed:
        response["status"] = _status(request, verdict)
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}, verdict


def judge(request: Document) -> Verdict:
    """The verdict on one admission request; what the rules do not cover is allowed."""
    kind = (request.get("kind") or {}).get("kind")
    operation = request.get("operation")
    if operation not in ("CREATE", "UPDATE") or request.get("subResource"):
        return Verdict([], [])
    if kind == names.JOB_KIND:
        return _job(request, operation)
    if kind == names.RUNTIME_KIND:
        return _runtime(request)
    return Verdict([], [])


def _job(request: Document, operation: str) -> Verdict:
    stored = request.get("object") or {}
    new, unread = lenient.read(ScoringJobSpec, stored.get("spec"))
    if new is None:
        return Verdict([], _unread("spec", unread or ["video"]))
    if operation == "CREATE":
        return _verdict(admission.judge_create(new), _unread("spec", unread))
    return _update(request, new, _unread("spec", unread))


def _update(request: Document, new: ScoringJobSpec, warnings: list[str]) -> Verdict:
    old_spec = (request.get("oldObject") or {}).get("spec") or {}
    old, _ = lenient.read(ScoringJobSpec, old_spec)
    if old is None:  # its video cannot be read; that it stays is also the CRD's own rule
        video = new.video.model_dump(mode="json", by_alias=True)
        old, _ = lenient.read(ScoringJobSpec, old_spec | {"video": video})
    # The stored status: the API server drops what a client sent before validating webhooks run.
    status, unread = lenient.read(ScoringJobStatus, (request.get("object") or {}).get("status") or {})
    judgement = admission.judge_update(old or new.model_copy(update={"suspend": True}), new, status)
    return _verdict(judgement, warnings + _unread("status", unread))


def _verdict(judgement: admission.Judgement, warnings: list[str]) -> Verdict:
    return Verdict([_cause(item) for item in judgement.violations], [*judgement.warnings, *warnings])


def _cause(violation: Violation) -> Cause:
    return Cause(Reason(violation.reason).value, violation.field, violation.message)


def _unread(part: str, paths: list[str]) -> list[str]:
    """A warning, so that a person learns that the judgement rests on less than the whole object."""
    if not paths:
        return []
    fields = ", ".join(f"{part}.{path}" for path in paths)
    return [f"UNREADABLE: judged without {fields}; the operator judges again before every launch"]


def _runtime(request: Document) -> Verdict:
    """A runtime must parse; fields of a newer schema are only warned about."""
    try:
        ScoringRuntimeSpec.model_validate((request.get("object") or {}).get("spec"))
    except ValidationError as error:
        return _runtime_problems(error)
    return Verdict([], [])


def _runtime_problems(error: ValidationError) -> Verdict:
    causes, newer = [], []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            newer.append(path)
        else:
            causes.append(Cause("INVALID", f"spec.{path}" if path else "spec", item["msg"]))
    return Verdict(causes, _unread("spec", newer))


def _status(request: Document, verdict: Verdict) -> Document:
    kind = request.get("kind") or {}
    return {
        "status": "Failure",
        "code": DENIED,
        "reason": verdict.reason,
        # The policy's words too; one reader in the core finds codes and fields in both.
        "message": refusals.words(Violation(*cause) for cause in verdict.causes),
        "details": {
            "name": request.get("name", ""),
            "group": kind.get("group", names.GROUP),
            "kind": kind.get("kind", names.JOB_KIND),
            "causes": [
                {"reason": cause.code, "field": cause.field, "message": cause.message}
                for cause in verdict.causes
            ],
        },
    }
