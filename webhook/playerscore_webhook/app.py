"""HTTP in, HTTP out: the review endpoint, the probes and the metrics.

A Deployment of its own instead of the operator framework's webhook server, which refuses reviews over
1 MiB and removes its own configuration on SIGTERM.
"""

from collections.abc import Callable

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from playerscore_webhook import review

log = structlog.get_logger(__name__)


class Metrics:
    """What the webhook counts; never by a job's name."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reviews = Counter(
            "playerscore_webhook_reviews",
            "Reviews answered, by kind, operation and reason (Allowed, or the first code of a denial).",
            ["kind", "operation", "reason"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "playerscore_webhook_review_seconds",
            "Time to judge one review, body already read.",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
            registry=self.registry,
        )


class TooLargeError(Exception):
    """The body exceeds the cap."""


def review_app(metrics: Metrics, ready: Callable[[], bool], body_max_bytes: int) -> FastAPI:
    """What is served over TLS: `/validate` and the probes."""
    app = _probed(ready, "playerscore webhook")

    @app.post("/validate")
    async def validate(request: Request) -> Response:
        try:
            body = orjson.loads(await _body(request, body_max_bytes))
            with metrics.seconds.time():
                answer, verdict = review.answer(body if isinstance(body, dict) else {})
        except TooLargeError:
            return Response(f"the body exceeds {body_max_bytes} bytes", status_code=413)
        except (orjson.JSONDecodeError, review.MalformedReviewError) as error:
            return Response(str(error), status_code=400)
        _note(metrics, body["request"], verdict)
        return Response(orjson.dumps(answer), media_type="application/json")

    return app


def metrics_app(metrics: Metrics, ready: Callable[[], bool]) -> FastAPI:
    """What is served in plain HTTP: metrics and the probes."""
    app = _probed(ready, "playerscore webhook metrics")

    @app.get("/metrics")
    def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _probed(ready: Callable[[], bool], title: str) -> FastAPI:
    app = FastAPI(title=title, openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> Response:
        return Response("ok")

    @app.get("/readyz")
    async def readyz() -> Response:
        if ready():
            return Response("ok")
        return Response("no valid certificate is loaded", status_code=503)

    return app


async def _body(request: Request, limit: int) -> bytes:
    """The request's body. Raises TooLargeError as soon as it is known to exceed the limit."""
    if int(request.headers.get("content-length") or 0) > limit:
        raise TooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLargeError
    return bytes(body)


def _note(metrics: Metrics, request: review.Document, verdict: review.Verdict) -> None:
    kind, operation = str((request.get("kind") or {}).get("kind")), str(request.get("operation"))
    metrics.reviews.labels(kind, operation, verdict.reason).inc()
    log.info(
        "reviewed",
        kind=kind,
        operation=operation,
        namespace=request.get("namespace"),
        name=request.get("name"),
        dry_run=bool(request.get("dryRun")),
        reason=verdict.reason,
        causes=[f"{cause.code} {cause.field}" for cause in verdict.causes],
    )
