"""The one error body for everything that goes wrong, whoever found it: our rule, FastAPI, Starlette, Kubernetes."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from playerscore.errors import PlayerscoreError
from playerscore_api import metrics

BY_STATUS: Final = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
UNAVAILABLE_SECONDS: Final = 5
"""When to try again what does not answer, unless Kubernetes itself says when."""
PLACES: Final = ("body", "query", "path", "header")


def install(app: FastAPI) -> None:
    """Make every exception of the application an answer of this form."""
    app.add_exception_handler(PlayerscoreError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def answer(scope: Scope, error: PlayerscoreError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to a request, and its code for the metrics."""
    metrics.remember(scope, error.code)
    body = error.body()
    body["error"] = {key: value for key, value in body["error"].items() if value is not None}
    return JSONResponse(body, error.http_status, {**_headers(error), **(headers or {})})


def _headers(error: PlayerscoreError) -> dict[str, str]:
    if error.http_status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if error.http_status in (429, 503):
        return {"Retry-After": str(error.details.get("retry_after_seconds") or UNAVAILABLE_SECONDS)}
    return {}


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PlayerscoreError)
    return answer(request.scope, error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """FastAPI's validation errors; the first is named, all are listed."""
    assert isinstance(error, RequestValidationError)
    problems = [{"field": _field(item), "message": item["msg"]} for item in error.errors()]
    text = f"{problems[0]['field']}: {problems[0]['message']}"
    found = PlayerscoreError("INVALID", text, field=problems[0]["field"], problems=problems[:100])
    return answer(request.scope, found)


def _field(item: Any) -> str:
    """The path of a field within the place that it came in, else the place's name."""
    where = item["loc"]
    inside = where[1:] if where[0] in PLACES else where
    return ".".join(str(part)[:100] for part in inside) or str(where[0])


async def _http(request: Request, error: Exception) -> JSONResponse:
    """What Starlette refuses before a route is reached: an unknown address, a wrong method, a long body."""
    assert isinstance(error, HTTPException)
    code = BY_STATUS.get(error.status_code, "INVALID")
    headers = dict(error.headers or {}) | (_allowed(request) if code == "METHOD_NOT_ALLOWED" else {})
    return answer(request.scope, PlayerscoreError(code, str(error.detail)), headers)


def _allowed(request: Request) -> dict[str, str]:
    """All methods of an address; Starlette names those of the first of its routes."""
    template = getattr(request.scope.get("route"), "path", "")
    methods = request.app.openapi()["paths"].get(template, {})
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))} if methods else {}
