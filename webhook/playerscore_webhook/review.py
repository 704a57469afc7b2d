"""From an AdmissionReview to its answer, pure: the validating webhook's one decision.

Denials are HTTP 403, because kubectl retries a 409 and `kubectl apply --force` deletes and recreates the
object on 409 and 422. The stable code is the status' reason, starts its message, and is in every cause.
"""

from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from playerscore import admission, lenient, names
from playerscore.edits import Violation
from playerscore.names import Reason
from playerscore.resources import ScoringJobSpec, ScoringJobStatus, ScoringRuntimeSpec, Target

Document = dict[str, Any]

DENIED: Final = 403
WARNING_MAX: Final = 256
"""Longer warnings may be cut by clients."""
UNREAD_MAX: Final = 8
"""More unreadable fields than a person reads are counted instead."""
INVALID: Final = "INVALID"
TOO_LARGE: Final = "TOO_LARGE"


class MalformedReviewError(ValueError):
    """The body is not an AdmissionReview that can be answered."""


class Kind(BaseModel):
    """What is written."""

    group: str = names.GROUP
    kind: str = ""


class Request(BaseModel):
    """The part of an AdmissionRequest that is looked at."""

    model_config = ConfigDict(strict=True)

    uid: str = Field(min_length=1, max_length=128)
    kind: Kind = Kind()
    operation: str = ""
    namespace: str = ""
    name: str = ""
    dry_run: bool | None = Field(None, alias="dryRun")
    subresource: str | None = Field(None, alias="subResource")
    object: Document | None = None
    old_object: Document | None = Field(None, alias="oldObject")


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
    def code(self) -> str:
        """The first cause's, or `Allowed`."""
        return self.causes[0].code if self.causes else "Allowed"


def parse(review: object) -> Request:
    """The request inside. Raises MalformedReviewError, naming the field."""
    if not isinstance(review, dict):
        raise MalformedReviewError("the body is not an AdmissionReview")
    try:
        return Request.model_validate(review.get("request"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(["request", *map(str, first["loc"])])
        raise MalformedReviewError(f"the body is not an AdmissionReview: {field}: {first['msg']}") from error


def answer(request: Request, verdict: Verdict) -> Document:
    """The AdmissionReview to send back."""
    response: Document = {"uid": request.uid, "allowed": verdict.allowed}
    if verdict.warnings:
        response["warnings"] = [text[:WARNING_MAX] for text in verdict.warnings]
    if not verdict.allowed:
        response["status"] = _status(request, verdict)
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def too_large(limit_bytes: int) -> Verdict:
    """The verdict on a review that is not read."""
    text = f"the review exceeds {limit_bytes} bytes: make the object smaller"
    return Verdict([Cause(TOO_LARGE, "", text)], [])


def judge(request: Request) -> Verdict:
    """The verdict on one admission request; what the rules do not cover is allowed."""
    if request.operation not in ("CREATE", "UPDATE") or request.subresource:
        return Verdict([], [])
    if request.kind.kind == names.JOB_KIND:
        return _job(request)
    if request.kind.kind == names.RUNTIME_KIND:
        return _runtime(request)
    return Verdict([], [])


def _job(request: Request) -> Verdict:
    stored = request.object or {}
    new, unread = lenient.read(ScoringJobSpec, stored.get("spec"))
    if new is None:
        return Verdict([], _unread("spec", unread or ["video"]))
    if request.operation == "CREATE":
        return _verdict(admission.judge_create(new), _unread("spec", unread))
    return _update(request, new, _unread("spec", unread))


def _update(request: Request, new: ScoringJobSpec, warnings: list[str]) -> Verdict:
    old_spec = (request.old_object or {}).get("spec")
    old, _ = lenient.read(ScoringJobSpec, old_spec)
    if old is None and isinstance(old_spec, dict):
        # Its video cannot be read; that it stays is also the CRD's own rule.
        video = new.video.model_dump(mode="json", by_alias=True)
        old, _ = lenient.read(ScoringJobSpec, old_spec | {"video": video})
    # The stored status: the API server drops what a client sent before validating webhooks run.
    stored = _judged_part((request.object or {}).get("status"), new.target)
    status, unread = lenient.read(ScoringJobStatus, stored)
    judgement = admission.judge_update(old or new.model_copy(update={"suspend": True}), new, status)
    return _verdict(judgement, warnings + _unread("status", unread))


def _judged_part(status: Any, target: Target | None) -> Any:
    """What of a status the rules look at: of the preview's 16 frames only the target's.

    Reading 16 x 48 boxes would be most of the time that a review takes.
    """
    if not isinstance(status, dict):
        return status or {}
    part = {key: status[key] for key in ("progress", "run", "preview") if key in status}
    preview = part.get("preview")
    frames = preview.get("frames") if isinstance(preview, dict) else None
    if isinstance(frames, list):
        key = target.frame_key if target else None
        wanted = [item for item in frames if not isinstance(item, dict) or item.get("frame_key") == key]
        part["preview"] = {**part["preview"], "frames": wanted}
    return part


def _verdict(judgement: admission.Judgement, warnings: list[str]) -> Verdict:
    return Verdict([_cause(item) for item in judgement.violations], [*judgement.warnings, *warnings])


def _cause(violation: Violation) -> Cause:
    return Cause(Reason(violation.reason).value, violation.field, violation.message)


def _unread(part: str, paths: list[str]) -> list[str]:
    """A warning, so that a person learns that the judgement rests on less than the whole object."""
    if not paths:
        return []
    more = f" and {len(paths) - UNREAD_MAX} more" if len(paths) > UNREAD_MAX else ""
    fields = ", ".join(f"{part}.{path}" for path in paths[:UNREAD_MAX]) + more
    return [f"UNREADABLE: judged without {fields}; the operator judges again before every launch"]


def _runtime(request: Request) -> Verdict:
    """A runtime must parse; fields of a newer schema are only warned about."""
    try:
        ScoringRuntimeSpec.model_validate((request.object or {}).get("spec"))
    except ValidationError as error:
        if error.error_count() > lenient.MOST_PROBLEMS:
            return Verdict([Cause(INVALID, "spec", f"more than {lenient.MOST_PROBLEMS} problems")], [])
        return _runtime_problems(error)
    return Verdict([], [])


def _runtime_problems(error: ValidationError) -> Verdict:
    causes, newer = [], []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            newer.append(path)
        else:
            causes.append(Cause(INVALID, f"spec.{path}" if path else "spec", item["msg"]))
    return Verdict(causes, _unread("spec", newer))


def _status(request: Request, verdict: Verdict) -> Document:
    return {
        "status": "Failure",
        "code": DENIED,
        "reason": verdict.code,
        "message": "; ".join(_said(cause) for cause in verdict.causes),
        "details": {
            "name": request.name,
            "group": request.kind.group,
            "kind": request.kind.kind or names.JOB_KIND,
            "causes": [
                {"reason": cause.code, "field": cause.field, "message": cause.message}
                for cause in verdict.causes
            ],
        },
    }


def _said(cause: Cause) -> str:
    """One cause as kubectl prints it; its field too where the words do not name it."""
    words = cause.message if cause.code != INVALID else f"{cause.field}: {cause.message}"
    return f"{cause.code}: {words}"
