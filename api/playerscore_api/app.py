"""The application: routes, one error body for everything that goes wrong, health and metrics."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.middleware.cors import CORSMiddleware

from playerscore.errors import PlayerscoreError
from playerscore_api import (
    access,
    answers,
    cluster,
    console,
    events,
    faults,
    links,
    pages,
    routes,
    uploads,
    worker_routes,
)
from playerscore_api.broker import Broker
from playerscore_api.deps import State
from playerscore_api.metrics import Measured
from playerscore_api.own import Own
from playerscore_api.settings import Settings
from playerscore_api.strict import BodyLimit

log = structlog.get_logger("playerscore.api")

BUCKET_RETRY_SECONDS = 2.0
ABOUT: Final = """\
Scores one football player from match video. This API keeps no state: it reads and patches ScoringJobs with the
caller's own bearer token, and Kubernetes' RBAC decides. Errors have one body, `{"error": {"code", "message"}}`.
"""
TAGS: Final = [
    {"name": "jobs", "description": "Create, read, follow and delete jobs."},
    {"name": "flow", "description": "The steps that a person takes: pick, confirm, enqueue."},
    {"name": "uploads", "description": "Put a video into the store."},
    {"name": "worker", "description": "For worker pods only, with their pod-bound token."},
    {"name": "operations", "description": "Health and metrics; need no token."},
]


class Api(FastAPI):
    """The application, with nulls in the examples of its OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = answers.with_nulls(super().openapi())
        return self.openapi_schema


@contextlib.asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[State]:
    """The connections to Kubernetes and to the store."""
    async with cluster.pools(settings.kube_ca_file) as http:
        own = Own(http, settings.kube_url, cluster.own_token(settings.kube_token_file))
        broker = Broker(settings)
        await broker.start()
        bucket = asyncio.create_task(_bucket(broker))
        try:
            yield State(settings, own, broker)
        finally:
            bucket.cancel()
            await broker.close()


def build(
    settings: Settings, parts: Callable[[Settings], AbstractAsyncContextManager[State]] = connected
) -> FastAPI:
    """The application for these settings; its parts are opened when it starts."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with parts(settings) as app.state.parts:
            try:
                yield
            finally:
                await app.state.parts.hub.close()

    app = Api(
        title="playerscore",
        version="v1alpha1",
        description=ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    for router in (routes.router, links.router, events.router, uploads.router, worker_routes.router):
        app.include_router(router)
    _health(app)
    pages.install(app)
    console.install(app, settings.public_store_endpoint)
    faults.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Measured)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **access.CORS)
    app.add_middleware(access.Accessed, logged=settings.access_log)
    app.add_middleware(access.Prefixed, prefix=settings.root_path)
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
    fault = answers.refused("INTERNAL", everywhere=False)
    up = answers.said("Up", {"status": "ok"}) | fault
    ready = answers.said("The store was there", {"status": "ok"}) | answers.refused(
        "STORE_UNAVAILABLE", everywhere=False
    )

    @app.get("/healthz", operation_id="healthz", tags=["operations"], responses=up)
    async def healthz() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", operation_id="readyz", tags=["operations"], responses=ready | fault)
    async def readyz(request: Request) -> dict[str, str]:
        """Whether this replica can take requests: the store's bucket has been reached."""
        if not request.app.state.parts.broker.ready:
            raise PlayerscoreError("STORE_UNAVAILABLE", "The object store was not reached yet")
        return {"status": "ok"}

    @app.get(
        "/metrics",
        operation_id="metrics",
        tags=["operations"],
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {"example": "playerscore_api_event_streams 0.0\n"}}}},
    )
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
