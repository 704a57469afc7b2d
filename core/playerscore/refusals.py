"""What a refusal says, from violations to words and back, and Kubernetes' refusals as our errors.

The webhook's denial reaches a client as causes and as words, a policy's as words alone. Both are the text of
`words`, so one reader serves the API, the command line and every gate, and code, field, `missing` and `iou`
are found again whichever gate denied.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from playerscore.edits import Violation
from playerscore.errors import CATALOGUE, FlowError, NotReadyError, PlayerscoreError, TargetMismatchError
from playerscore.names import IOU_THRESHOLD, JOB_PLURAL, NOT_READY_MESSAGE, Reason

Status = dict[str, Any]
"""A metav1.Status."""

DENIED: Final = re.compile(r"denied (?:the )?request: ")
"""The API server's prefix before a webhook's words, and before a policy's."""
CODE: Final = re.compile(rf"(?:^|; )({'|'.join(CATALOGUE)}): ")
FIELD: Final = re.compile(r"\bspec(?:\.\w+)+")
UNKNOWN_FIELD: Final = re.compile(r'unknown field "([^"]+)"')
IOU: Final = re.compile(r"\bIoU (\d\.\d+)")
BY_HTTP_STATUS: Final = {
    400: "INVALID",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    410: "EXPIRED",
    413: "TOO_LARGE",
    415: "INVALID",
    422: "INVALID",
    429: "TOO_MANY_REQUESTS",
}


def words(violations: Iterable[Violation]) -> str:
    """All violations in one line, each with its code first; those of one text (NOT_READY) once.

    >>> words([Violation("JOB_RUNNING", "spec.target", "spec.target cannot change, an attempt runs")])
    'JOB_RUNNING: spec.target cannot change, an attempt runs'
    """
    return "; ".join(dict.fromkeys(f"{item.reason}: {item.message}" for item in violations))


def read(text: str) -> list[Violation]:
    """The violations that such a line says; the inverse of `words`.

    >>> [item.field for item in read("NOT_READY: Missing required selections for enqueue: player_ref, target")]
    ['spec.player_ref', 'spec.target']
    """
    _, *parts = CODE.split(text)
    found = []
    for code, message in zip(parts[::2], parts[1::2], strict=True):
        found += [Violation(code, field, message) for field in _fields(code, message)]
    return found


def error(violations: Sequence[Violation], iou: float | None = None) -> FlowError:
    """The first violation as an error, with its details.

    `iou` is the overlap where the caller knows it; otherwise the one in the words, to three places.
    """
    first = violations[0]
    if first.reason == Reason.NOT_READY:
        absent = [item.field for item in violations if item.reason == Reason.NOT_READY]
        return NotReadyError([field.removeprefix("spec.") for field in absent], NOT_READY_MESSAGE)
    if first.reason == Reason.TARGET_MISMATCH:
        said = IOU.search(first.message)
        known = iou if iou is not None else float(said[1]) if said else 0.0
        return TargetMismatchError(first.message, known, IOU_THRESHOLD)
    return FlowError(first.reason, first.message, **({"field": first.field} if first.field else {}))


def translated(http_status: int, status: Status) -> PlayerscoreError:
    """The error for a metav1.Status that came instead of an object; total.

    A denial by our webhook or policy carries codes of the catalogue; everything else is known by its HTTP
    status. `INVALID` names the field where the API server does.
    """
    message = str(status.get("message") or f"Kubernetes answered {http_status}")
    details = status.get("details") or {}
    causes = details.get("causes") or []
    if http_status == 403 and (denied := _denied(message, causes)):
        return error(denied)
    code = _code(http_status, status.get("reason"), details.get("kind"))
    if code == "INVALID" and (field := _field(message, causes)):
        return PlayerscoreError(code, message, field=field)
    return PlayerscoreError(code, message)


def _fields(code: str, message: str) -> list[str]:
    if code == Reason.NOT_READY:
        absent = message.removeprefix(NOT_READY_MESSAGE).removeprefix(": ")
        return [f"spec.{name}" for name in absent.split(", ")]
    if code == Reason.TARGET_MISMATCH:
        return ["spec.target.bbox"]
    named = FIELD.search(message)
    return [named[0] if named else ""]


def _denied(message: str, causes: list[Status]) -> list[Violation]:
    """Our own rule's violations: by the causes, which a webhook can send, else by the words."""
    ours = [cause for cause in causes if cause.get("reason") in CATALOGUE]
    if ours:
        return [
            Violation(item["reason"], item.get("field") or "", item.get("message") or "") for item in ours
        ]
    prefix = DENIED.search(message)
    return read(message[prefix.end() :]) if prefix else []


def _code(http_status: int, reason: str | None, kind: str | None) -> str:
    if http_status == 409 and reason == "AlreadyExists":
        return "ALREADY_EXISTS"
    if http_status == 404 and kind == JOB_PLURAL:
        return "JOB_NOT_FOUND"
    return BY_HTTP_STATUS.get(http_status, "CLUSTER_UNAVAILABLE")


def _field(message: str, causes: list[Status]) -> str | None:
    """The field that the API server names, but for the `<nil>` of a rule on the whole object."""
    named = next((cause["field"] for cause in causes if cause.get("field") not in (None, "", "<nil>")), None)
    unknown = UNKNOWN_FIELD.search(message)
    return named or (unknown[1] if unknown else None)
