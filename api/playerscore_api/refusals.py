"""What Kubernetes refused, in this API's own words. Pure.

A denial of our webhook or policy carries a code of the catalogue; everything else is known by its status.
"""

import re
from typing import Any, Final

from playerscore.errors import CATALOGUE, FlowError, NotReadyError, PlayerscoreError
from playerscore.names import NOT_READY_MESSAGE

Status = dict[str, Any]

CODE_IN_MESSAGE: Final = re.compile(r"\b([A-Z][A-Z_]{3,}): ")
FIELD_IN_MESSAGE: Final = re.compile(r'unknown field "([^"]+)"')
BY_HTTP_STATUS: Final = {
    400: "INVALID",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    413: "TOO_LARGE",
    415: "INVALID",
    422: "INVALID",
    429: "TOO_MANY_REQUESTS",
}


def refusal(http_status: int, status: Status) -> PlayerscoreError:
    """The error for a metav1.Status that came instead of an object."""
    message = str(status.get("message") or f"Kubernetes answered {http_status}")
    causes = (status.get("details") or {}).get("causes") or []
    coded = _coded(message, causes) if http_status in (400, 403, 422) else None
    if coded is not None:
        return coded
    code = _code(http_status, status)
    if code == "INVALID":
        return PlayerscoreError(code, message, field=_field(message, causes))
    return PlayerscoreError(code, message)


def _code(http_status: int, status: Status) -> str:
    if http_status == 409 and status.get("reason") == "AlreadyExists":
        return "ALREADY_EXISTS"
    if http_status == 404 and (status.get("details") or {}).get("kind") == "scoringjobs":
        return "JOB_NOT_FOUND"
    return BY_HTTP_STATUS.get(http_status, "CLUSTER_UNAVAILABLE")


def _coded(message: str, causes: list[Status]) -> FlowError | None:
    """The denial of our own rule, if it is one."""
    ours = [cause for cause in causes if cause.get("reason") in CATALOGUE]
    if ours:
        return _from_causes(ours)
    found = CODE_IN_MESSAGE.search(message)
    if found is None or found[1] not in CATALOGUE:
        return None
    return FlowError(found[1], message[found.end() :], **_named_field(causes))


def _from_causes(causes: list[Status]) -> FlowError:
    first = causes[0]
    if first["reason"] == "NOT_READY":
        absent = [str(cause.get("field")) for cause in causes if cause["reason"] == "NOT_READY"]
        return NotReadyError([field.removeprefix("spec.") for field in absent], NOT_READY_MESSAGE)
    return FlowError(first["reason"], str(first.get("message")), field=first.get("field"))


def _named_field(causes: list[Status]) -> dict[str, Any]:
    field = causes[0].get("field") if causes else None
    return {"field": field} if field and field != "<nil>" else {}


def _field(message: str, causes: list[Status]) -> str | None:
    named = _named_field(causes).get("field")
    unknown = FIELD_IN_MESSAGE.search(message)
    return named or (unknown[1] if unknown else None)
