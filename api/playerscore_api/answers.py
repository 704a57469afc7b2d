"""What the OpenAPI document says about answers: schema, headers and an example of each."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from playerscore.errors import CATALOGUE
from playerscore_api import examples
from playerscore_api.forms import Job

Responses = dict[int | str, dict[str, Any]]
JSON: Final = "application/json"
EVERYWHERE: Final = (
    "INVALID",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "TOO_MANY_REQUESTS",
    "INTERNAL",
    "CLUSTER_UNAVAILABLE",
)
"""Every route that asks Kubernetes can say these."""
FORM: Final = ("TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
"""And every route with a form these."""
STEP: Final = ("JOB_NOT_FOUND", "JOB_FINISHED", "CONFLICT", "PRECONDITION_FAILED", *FORM)

LINKED: Final = (
    "getJob",
    "getPreview",
    "getFrame",
    "pickPlayer",
    "confirmTarget",
    "setAnchors",
    "setPitch",
    "enqueueJob",
    "pauseJob",
    "watchJob",
    "getResult",
    "getReview",
    "refineJob",
    "listArtifacts",
    "getArtifact",
    "linkArtifact",
    "deleteJob",
)

Code = Annotated[str, WithJsonSchema({"type": "string", "enum": sorted(CATALOGUE)})]


class Problem(BaseModel):
    """One of several things that are wrong."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    field: str
    message: str


class Refusal(BaseModel):
    """Why there is no other answer; docs/errors.md has all codes."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="allow")

    code: Code
    """Stable; programs decide by it."""
    message: str
    """For people; may change."""
    field: str | None = None
    """What is wrong: a path in the body, or a parameter."""
    problems: list[Problem] | None = None
    """All that is wrong with the input (INVALID)."""
    missing: list[str] | None = None
    """What an analysis still needs (NOT_READY)."""
    iou: Annotated[float | None, Field(ge=0, le=1)] = None
    """The overlap of the box with the picked player (TARGET_MISMATCH)."""
    threshold: float | None = None
    """The overlap that is needed (TARGET_MISMATCH)."""
    retry_after_seconds: int | None = None
    """As the header Retry-After."""


class ErrorAnswer(BaseModel):
    """The one error body."""

    error: Refusal


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


ETAG: Final = {"ETag": _header("The version of what is shown; for If-Match and If-None-Match.")}
WARNING: Final = {"Warning": _header("Code 299: accepted, but somebody should look at it. Can be repeated.")}
LOCATION: Final = {"Location": _header("Where the new job is.")}
RANGE: Final = {"Content-Range": _header("Which bytes these are.")}
RETRY: Final = {"Retry-After": _header("Seconds until another try is worth while.", "integer")}


NULL: Final = "\u2400"
"""Stands for null in an example: FastAPI leaves null out of a document, and the flat form never does."""


def with_nulls(document: Any) -> Any:
    """A copy of an OpenAPI document with null where `NULL` stands."""
    return _replaced(document, NULL, None)


def _replaced(node: Any, old: Any, new: Any) -> Any:
    if isinstance(node, dict):
        return {key: _replaced(value, old, new) for key, value in node.items()}
    if isinstance(node, list):
        return [_replaced(item, old, new) for item in node]
    return new if node == old else node


def said(
    description: str, example: Any, *, status: int = 200, headers: dict[str, Any] | None = None
) -> Responses:
    """A success with a JSON body; its schema is the route's model."""
    answer = {"description": description, "content": {JSON: {"example": _replaced(example, None, NULL)}}}
    return {status: answer | ({"headers": headers} if headers else {})}


def job(description: str, example: Any, *, status: int = 200, **headers: Any) -> Responses:
    """A success that shows a job, with links to what can be done with it."""
    answer = said(description, example, status=status, headers=ETAG | WARNING | headers)
    answer[status] |= {"model": Job, "links": {name: _link(name) for name in LINKED}}
    return answer


def _link(operation: str) -> dict[str, Any]:
    """To the same job; the first frame and the radar stand for all."""
    where: dict[str, Any] = {"job_id": "$response.body#/id", "namespace": "$response.body#/namespace"}
    more: dict[str, dict[str, Any]] = {
        "getFrame": {"number": 1},
        "getArtifact": {"name": "radar.png"},
        "linkArtifact": {"name": "radar.png"},
    }
    return {"operationId": operation, "parameters": where | more.get(operation, {})}


def binary(description: str, *media_types: str) -> Responses:
    """A file, or word that the kept copy is still good."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}
    whole: dict[str, Any] = {"description": description, "content": content, "headers": ETAG}
    part = whole | {"description": "The range of it that was asked for", "headers": ETAG | RANGE}
    return {200: whole, 206: part} | NOT_MODIFIED


BYTES: Final = {
    "requestBody": {"required": False, "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
}
"""For `openapi_extra` of a route that streams its body into the store; an empty file is a file."""
NOT_MODIFIED: Final[Responses] = {304: {"description": "The copy that If-None-Match names is still good."}}
EVENT: Final = {
    "type": "object",
    "description": "One event; a bare id only moves Last-Event-ID on.",
    "properties": {
        "event": {
            "type": "string",
            "enum": ["step", "percent", "conditions", "result", "job", "end", "deleted", "error"],
        },
        "id": {"type": "string", "description": "A resourceVersion, for Last-Event-ID."},
        "data": {"type": "string", "contentMediaType": JSON},
    },
}
EVENTS: Final[Responses] = {
    200: {
        "description": "step, percent, conditions, result, job; then end, deleted or error.",
        "content": {"text/event-stream": {"schema": EVENT, "example": examples.EVENTS}},
    },
    204: {"description": "The end of the job was seen before: do not reconnect."},
}


EVERY_EVENT: Final[Responses] = {
    200: {
        "description": "job, deleted; at last perhaps error.",
        "content": {"text/event-stream": {"schema": EVENT, "example": examples.EVERY_EVENT}},
    }
}


def refused(*codes: str, everywhere: bool = True) -> Responses:
    """The refusals of a route, by HTTP status, with an example for each code."""
    found: dict[int, list[str]] = {}
    for code in dict.fromkeys((*codes, *(EVERYWHERE if everywhere else ()))):
        found.setdefault(CATALOGUE[code].http_status, []).append(code)
    return {status: _refusal(status, named) for status, named in sorted(found.items())}


def _refusal(status: int, codes: list[str]) -> dict[str, Any]:
    shown = {code: {"summary": CATALOGUE[code].meaning, "value": examples.refusal(code)} for code in codes}
    answer: dict[str, Any] = {
        "model": ErrorAnswer,
        "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
        "content": {JSON: {"examples": shown}},
    }
    return answer | ({"headers": RETRY} if status in (429, 503) else {})
