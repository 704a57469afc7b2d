"""The application: routes, one error body for everything that goes wrong, health and metrics."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playerscore.errors import PlayerscoreError
from playerscore_api import cluster, events, routes, worker_routes
from playerscore_api.broker import Broker
from playerscore_api.deps import State
from playerscore_api.settings import Settings

log = structlog.get_logger("playerscore.api")

BUCKET_RETRY_SECONDS = 2.0
FORM_BYTES = 2**20
"""More than any form of this API; bodies of uploads are not forms."""
REQUESTS = Counter("playerscore_api_requests", "Requests by route and status.", ["method", "route", "status"])
SECONDS = Histogram("playerscore_api_request_duration_seconds", "Duration of a request.", ["route"])
BY_STATUS = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE", 415: "INVALID"}


def build(settings: Settings) -> FastAPI:
    """The application for these settings; connections are opened when it starts."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with cluster.session(settings.kube_ca_file) as http:
            own = cluster.Cluster(http, settings.kube_url, cluster.own_token(settings.kube_token_file))
            broker = Broker(settings)
            await broker.start()
            app.state.parts = State(settings, own, broker)
            bucket = asyncio.create_task(_bucket(broker))
            try:
                yield
            finally:
                bucket.cancel()
                await broker.close()

    app = FastAPI(title="playerscore", version="v1alpha1", lifespan=lifespan)
    for router in (routes.router, events.router, worker_routes.router):
        app.include_router(router)
    app.add_exception_handler(PlayerscoreError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(BodyLimit)
    app.middleware("http")(_measured)
    _health(app)
    return app


async def _bucket(broker: Broker) -> None:
    """Make the bucket as soon as the store answers; the API is ready from then on."""
    while True:
        try:
            await broker.ensure_bucket()
            return
        except PlayerscoreError as error:
            log.info("the store is not there yet", error=error.message)
            await asyncio.sleep(BUCKET_RETRY_SECONDS)


def _health(app: FastAPI) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz(request: Request) -> JSONResponse:
        ready = request.app.state.parts.broker.ready
        return JSONResponse({"status": "ok" if ready else "no store"}, 200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PlayerscoreError)
    headers = {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else None
    body = error.body()
    body["error"] = {key: value for key, value in body["error"].items() if value is not None}
    return JSONResponse(body, error.http_status, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """FastAPI's validation errors, as the one error body; the first is named, all are listed."""
    assert isinstance(error, RequestValidationError)
    problems = [{"field": _field(item), "message": item["msg"]} for item in error.errors()]
    first = problems[0]
    found = PlayerscoreError(
        "INVALID", f"{first['field']}: {first['message']}", field=first["field"], problems=problems
    )
    return await _refused(request, found)


def _field(item: Any) -> str:
    places = [str(part) for part in item["loc"] if part not in ("body", "query", "path", "header")]
    return ".".join(places) or str(item["loc"][0])


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = BY_STATUS.get(error.status_code, "INVALID")
    body = {"error": {"code": code, "message": str(error.detail)}}
    return JSONResponse(body, error.status_code, error.headers)


class BodyLimit:
    """Refuses a body that is larger than any form; PUT streams into the store, which has limits of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "PUT":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > FORM_BYTES:
            error = PlayerscoreError("TOO_LARGE", f"A body has at most {FORM_BYTES} bytes here")
            # The rest is not read, so the connection cannot be used again.
            answer = JSONResponse(error.body(), error.http_status, {"Connection": "close"})
            await answer(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > FORM_BYTES:
                raise HTTPException(
                    413, f"A body has at most {FORM_BYTES} bytes here", {"Connection": "close"}
                )
            return message

        await self.app(scope, counted, send)


async def _measured(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    begin = time.perf_counter()
    try:
        response = await call_next(request)
    except Exception as error:
        # A fault of ours gets the one error body too; what happened is in the log, not in the answer.
        log.exception("unexpected", path=request.url.path)
        fault = PlayerscoreError("INTERNAL", f"The API failed ({type(error).__name__}); its log says why")
        response = JSONResponse(fault.body(), 500)
    route = getattr(request.scope.get("route"), "path", "unknown")
    REQUESTS.labels(request.method, route, response.status_code).inc()
    SECONDS.labels(route).observe(time.perf_counter() - begin)
    return response
