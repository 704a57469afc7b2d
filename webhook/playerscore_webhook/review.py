"""From an AdmissionReview to its answer, pure: the validating webhook's one decision.

Denials are HTTP 403, because kubectl retries a 409 and `kubectl apply --force` deletes and recreates the
object on 409 and 422. The stable code is the status' reason, starts its message, and is in every cause.

JSON is read by msgspec, which makes objects only of what is looked at: a review of 120 KB takes it 0.1 ms,
orjson 0.6, the standard library 2 or more. As orjson it refuses NaN, infinities, lone surrogates and bad
UTF-8 in what it reads, which the standard library takes. A key that stands twice counts as it last stands,
for all of them as for the API server, which never sends one.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from playerscore import admission, further, lenient, names, podtemplate, refusals
from playerscore.edits import Violation
from playerscore.names import Reason
from playerscore.resources import ScoringJobSpec, ScoringJobStatus, ScoringRuntimeSpec

Document = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)

DENIED: Final = 403
WARNING_MAX: Final = 256
"""Longer warnings may be cut by clients."""
UNREAD_MAX: Final = 8
"""More unreadable fields than a person reads are counted instead."""
INVALID: Final = "INVALID"
TOO_LARGE: Final = "TOO_LARGE"
NULL: Final = Raw(b"null")
NOBODY: Final = Raw(b"[]")


class MalformedReviewError(ValueError):
    """The body is not an AdmissionReview that can be answered."""


class Kind(Struct, frozen=True):
    """What is written."""

    group: str = names.GROUP
    kind: str = ""


class Person(Struct, frozen=True, omit_defaults=True, gc=False):
    """One of a frame's people, found but not read."""

    track_id: Any = UNSET
    bbox: Raw | UnsetType = UNSET
    score: Raw | UnsetType = UNSET


class Frame(Struct, frozen=True, omit_defaults=True, gc=False):
    """A preview frame whose people are looked for only where they are asked for."""

    frame_key: Any = UNSET
    time_sec: Any = UNSET
    width: Any = UNSET
    height: Any = UNSET
    tracks: Raw = NULL


class Preview(Struct, frozen=True):
    """The preview, as far as the rules look at it."""

    video: Any = None
    frames: list[Frame] = []
    asked_sec: Any = None


class Status(Struct, frozen=True):
    """The stored status, as far as the rules look at it."""

    progress: Any = None
    run: Any = None
    preview: Preview | None = None


class Object(Struct, frozen=True):
    """The two parts of an object that are looked at."""

    spec: Raw = NULL
    status: Status | None = None


class OddObject(Struct, frozen=True):
    """An object whose status has another shape: the lenient reader says where."""

    spec: Raw = NULL
    status: Any = None


class OldObject(Struct, frozen=True):
    """What of the object before is looked at."""

    spec: Raw = NULL


class Request(Struct, frozen=True, rename="camel"):
    """The part of an AdmissionRequest that is looked at."""

    uid: Annotated[str, Meta(min_length=1, max_length=128)]
    kind: Kind = Kind()
    operation: str = ""
    namespace: str = ""
    name: str = ""
    dry_run: bool | None = None
    sub_resource: str | None = None
    object: Object | None = None
    old_object: OldObject | None = None


class OddRequest(Request, frozen=True, rename="camel"):
    """A request for such an object."""

    object: OddObject | None = None  # type: ignore[assignment]  # what differs


class _Review(Struct, frozen=True):
    request: Request


class _OddReview(Struct, frozen=True):
    request: OddRequest


_REVIEW: Final = msgspec.json.Decoder(_Review)
_PEOPLE: Final = msgspec.json.Decoder(list[Person] | None)
_ODD_REVIEW: Final = msgspec.json.Decoder(_OddReview)


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


def parse(body: bytes | bytearray) -> Request:
    """The request inside of a review. Raises MalformedReviewError, naming the field where there is one."""
    try:
        try:
            return _REVIEW.decode(body).request
        except msgspec.ValidationError:
            return _ODD_REVIEW.decode(body).request
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedReviewError(f"the body is not an AdmissionReview: {error}") from error


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
    if request.operation not in ("CREATE", "UPDATE") or request.sub_resource:
        return Verdict([], [])
    if request.kind.kind == names.JOB_KIND:
        return _job(request)
    if request.kind.kind == names.RUNTIME_KIND:
        return _runtime(request)
    return Verdict([], [])


def _job(request: Request) -> Verdict:
    raw = request.object.spec if request.object else NULL
    new, unread = _read(ScoringJobSpec, raw, lenient.read_spec)
    if new is None:
        return Verdict(
            [Cause(INVALID, "spec", f"cannot be read: {', '.join(unread) or 'there is none'}")], []
        )
    if request.operation == "CREATE":
        return _verdict(admission.judge_create(new), _unread("spec", unread))
    return _update(request, raw, new, _unread("spec", unread))


def _update(request: Request, raw: Raw, new: ScoringJobSpec, warnings: list[str]) -> Verdict:
    stored = request.old_object.spec if request.old_object else NULL
    old, unread = _read(ScoringJobSpec, stored, lenient.read_spec)
    if old and "video" in unread and _video(stored) != _video(raw):
        old, _ = lenient.read_spec(msgspec.json.decode(stored), "unreadable://another")
    # The stored status: the API server drops what a client sent before validating webhooks run.
    status, unread = _status_of(request.object, new)
    judgement = admission.judge_update(old or new.model_copy(update={"suspend": True}), new, status)
    return _verdict(judgement, warnings + _unread("status", unread))


def _video(spec: Raw) -> Any:
    return msgspec.json.decode(spec).get("video")


def _read(
    model: type[Model], content: bytes | Raw, leniently: Callable[[Any], lenient.Reading[Model]]
) -> lenient.Reading[Model]:
    """Parse what can be parsed: at once when it is whole, as almost always, else leniently."""
    try:
        return lenient.Reading(model.model_validate_json(bytes(content)), [])
    except ValidationError:
        return leniently(msgspec.json.decode(content))


def _status_of(stored: Object | None, spec: ScoringJobSpec) -> lenient.Reading[ScoringJobStatus]:
    """What of a status the rules look at. Reading all of 16 x 48 boxes would be most of a review's time."""
    status = stored.status if stored else None
    if not isinstance(status, Status):
        return lenient.read(ScoringJobStatus, status or {})
    if status.preview:
        key = spec.target.frame_key if spec.target else None
        # That the others are there, and when, is asked where further ones are; an anchor may be of any frame.
        more = bool(further.asked(spec))
        frames = [
            _judged(frame, spec) if frame.frame_key == key or spec.anchors else replace(frame, tracks=NOBODY)
            for frame in status.preview.frames
            if frame.frame_key == key or more or spec.anchors
        ]
        status = replace(status, preview=replace(status.preview, frames=frames))
    return _read(ScoringJobStatus, msgspec.json.encode(status), partial(lenient.read, ScoringJobStatus))


def _judged(frame: Frame, spec: ScoringJobSpec) -> Frame:
    """A frame with the picked person alone, or with one who shows that there are people."""
    try:
        people = _PEOPLE.decode(frame.tracks) or []
    except msgspec.ValidationError:
        return frame
    picked = spec.player_ref.track_id if spec.player_ref else None
    wanted = [person for person in people if person.track_id == picked] or people[:1]
    return replace(frame, tracks=Raw(msgspec.json.encode(wanted[:1])))


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
    """A runtime must parse; of a newer schema's fields those of pods' templates are refused, the others warned about."""
    try:
        ScoringRuntimeSpec.model_validate_json(bytes(request.object.spec if request.object else NULL))
    except ValidationError as error:
        if error.error_count() > lenient.MOST_PROBLEMS:
            return Verdict([Cause(INVALID, "spec", f"more than {lenient.MOST_PROBLEMS} problems")], [])
        return _runtime_problems(error)
    return Verdict([], [])


def _runtime_problems(error: ValidationError) -> Verdict:
    causes, newer = [], []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden" and item["loc"][0] in podtemplate.ROOTS:
            causes.append(
                Cause(names.TEMPLATE_FORBIDDEN, f"spec.{path}", podtemplate.forbidden(f"spec.{path}"))
            )
        elif item["type"] == "extra_forbidden":
            newer.append(path)
        else:
            causes.append(Cause(INVALID, f"spec.{path}" if path else "spec", item["msg"]))
    return Verdict(causes, _unread("spec", newer))


def _status(request: Request, verdict: Verdict) -> Document:
    return {
        "status": "Failure",
        "code": DENIED,
        "reason": verdict.code,
        "message": refusals.words(_said(cause) for cause in verdict.causes),
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


def _said(cause: Cause) -> Violation:
    """One cause as kubectl prints it; its field too where the words do not name it."""
    message = cause.message if cause.code != INVALID else f"{cause.field}: {cause.message}"
    return Violation(cause.code, cause.field, message)
