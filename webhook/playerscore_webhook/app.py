"""HTTP in, HTTP out: the review endpoint, the probes and the metrics.

A Deployment of its own instead of the operator framework's webhook server, which refuses reviews over
1 MiB and removes its own configuration on SIGTERM.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
import structlog
from fastapi import FastAPI, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore_webhook import review

log = structlog.get_logger(__name__)

DISCARDED_MAX_BYTES: Final = 64 * 2**20
"""Of a body over the cap, so much is read and dropped: a caller that still writes would see a closed
connection instead of the answer."""
START_BYTES: Final = 1024
"""So much of it is kept, to find its uid in."""
UID: Final = re.compile(rb'^\s*\{[^{}]*"request"\s*:\s*\{\s*"uid"\s*:\s*"([\x21\x23-\x5b\x5d-\x7e]{1,128})"')
"""Where the API server puts the review's uid: first of its request."""
KINDS: Final = frozenset({names.JOB_KIND, names.RUNTIME_KIND})
OPERATIONS: Final = frozenset({"CREATE", "UPDATE"})
PATH: Final = "/validate"
JSON: Final = (b"content-type", b"application/json")
CLOSING: Final = (b"connection", b"close")


class Metrics:
    """What the webhook counts; no label takes a value from outside."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reviews = Counter(
            "playerscore_webhook_reviews",
            "Reviews answered, by kind, operation, verdict (allowed, warned, denied) and first code.",
            ["kind", "operation", "verdict", "code"],
            registry=self.registry,
        )
        self.refused = Counter(
            "playerscore_webhook_refused_requests",
            "Requests that were no readable review, by code.",
            ["code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "playerscore_webhook_review_seconds",
            "Time to parse, judge and answer one review, body already read.",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
            registry=self.registry,
        )
        self.bytes = Histogram(
            "playerscore_webhook_review_bytes",
            "Size of the reviews that were read.",
            buckets=(2**12, 2**14, 2**16, 2**18, 2**20, 2**21, 2**22, 7 * 2**20),
            registry=self.registry,
        )
        self.expiry = Gauge(
            "playerscore_webhook_certificate_expiry_timestamp_seconds",
            "When the serving certificate ends, seconds since the epoch.",
            registry=self.registry,
        )

    def count(self, request: review.Request, verdict: review.Verdict) -> None:
        """Count an answered review."""
        kind = request.kind.kind if request.kind.kind in KINDS else "other"
        operation = request.operation if request.operation in OPERATIONS else "other"
        word = "denied" if not verdict.allowed else "warned" if verdict.warnings else "allowed"
        self.reviews.labels(kind, operation, word, verdict.code).inc()


class TooLargeError(Exception):
    """The body exceeds the cap; `start` is how it begins."""

    def __init__(self, start: bytes) -> None:
        super().__init__("the body exceeds the cap")
        self.start = start


class LeftError(Exception):
    """The caller closed its connection before the body was whole."""


class Answer(NamedTuple):
    """What goes back: JSON, its HTTP status, and whether the connection ends with it."""

    content: bytes
    status: int = 200
    closes: bool = False

    async def send(self, send: Send) -> None:
        headers = [JSON, (b"content-length", b"%d" % len(self.content))]
        if self.closes:
            headers.append(CLOSING)
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.content})


class Reviews:
    """The endpoint that the API server asks: plain ASGI, see `Direct`."""

    def __init__(self, metrics: Metrics, body_max_bytes: int, deadline_seconds: float) -> None:
        self._metrics = metrics
        self._body_max_bytes = body_max_bytes
        self._deadline_seconds = deadline_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A review's answer, or a refusal with a code."""
        await (await self._asked(scope, receive)).send(send)

    async def _asked(self, scope: Scope, receive: Receive) -> Answer:
        if _content_type(scope) != b"application/json":
            return self._refused(review.INVALID, "a review is application/json", 415)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                body = await _body(receive, self._body_max_bytes)
        except TimeoutError:
            return self._refused("TOO_SLOW", f"the body took longer than {self._deadline_seconds} s")
        except TooLargeError as error:
            return self._too_large(error.start)
        except LeftError:
            # The API server gave up waiting: nobody reads this answer.
            return self._refused("TOO_SLOW", "the caller left before the body was whole")
        try:
            return self._answered(body)
        except review.MalformedReviewError as error:
            return self._refused(review.INVALID, str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._refused(review.INVALID, f"the object cannot be read: {error}")

    def _answered(self, body: bytes) -> Answer:
        with self._metrics.seconds.time():
            asked = review.parse(body)
            verdict = review.judge(asked)
            answer = msgspec.json.encode(review.answer(asked, verdict))
        self._metrics.bytes.observe(len(body))
        self._note(asked, verdict)
        return Answer(answer)

    def _too_large(self, start: bytes) -> Answer:
        """A denial where the review says its uid, so that a person reads it; else an HTTP refusal."""
        verdict = review.too_large(self._body_max_bytes)
        found = UID.match(start)
        if found is None:
            return self._refused(verdict.code, verdict.causes[0].message)
        asked = review.Request(uid=found[1].decode("ascii"))
        self._note(asked, verdict)
        return Answer(msgspec.json.encode(review.answer(asked, verdict)), closes=True)

    def _refused(self, code: str, message: str, http_status: int | None = None) -> Answer:
        """The one error body; the connection ends, since a body may still be on its way."""
        self._metrics.refused.labels(code).inc()
        log.warning("refused", code=code, message=message)
        error = PlayerscoreError(code, message)
        content = msgspec.json.encode(error.body())
        return Answer(content, http_status or error.http_status, closes=True)

    def _note(self, asked: review.Request, verdict: review.Verdict) -> None:
        self._metrics.count(asked, verdict)
        if verdict.allowed:
            return
        log.info(
            "denied",
            kind=asked.kind.kind,
            operation=asked.operation,
            namespace=asked.namespace,
            name=asked.name,
            dry_run=bool(asked.dry_run),
            causes=[f"{cause.code} {cause.field}" for cause in verdict.causes],
        )


class Direct:
    """Gives reviews to their endpoint and all else to FastAPI, whose way in costs as much as the judging."""

    def __init__(self, app: FastAPI, reviews: Reviews) -> None:
        # FastAPI knows the address as well: it answers what is sent there by another method.
        app.router.routes.append(Route(PATH, reviews, methods=["POST"]))
        self.rest = app
        self._reviews = reviews

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        direct = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST"
        await (self._reviews if direct else self.rest)(scope, receive, send)


class Leaving:
    """While told to leave, asks every caller to close its connection with the answer.

    A caller's next review then opens a connection, which goes to another replica. Without this the API
    server would send a review down a connection at the moment it is closed, and not repeat it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [pair for pair in message["headers"] if pair[0] != b"connection"]
                message = {**message, "headers": [*others, (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, closing if self.told else send)


def review_app(
    metrics: Metrics, problem: Callable[[], str | None], body_max_bytes: int, deadline_seconds: float
) -> Direct:
    """What is served over TLS: `/validate` and the probes."""
    app = _probed(problem, "playerscore webhook")
    return Direct(app, Reviews(metrics, body_max_bytes, deadline_seconds))


def metrics_app(metrics: Metrics, problem: Callable[[], str | None]) -> FastAPI:
    """What is served in plain HTTP: metrics and the probes."""
    app = _probed(problem, "playerscore webhook metrics")

    @app.get("/metrics")
    def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _probed(problem: Callable[[], str | None], title: str) -> FastAPI:
    app = FastAPI(title=title, openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> Response:
        return Response("ok")

    @app.get("/readyz")
    async def readyz() -> Response:
        found = problem()
        return Response(found or "ok", status_code=503 if found else 200)

    return app


def _content_type(scope: Scope) -> bytes:
    """The first `Content-Type`, lower case and without parameters; empty when there is none."""
    for name, value in scope["headers"]:
        if name == JSON[0]:
            return bytes(value.partition(b";")[0].strip().lower())
    return b""


async def _body(receive: Receive, limit: int) -> bytes:
    """The request's body. Raises TooLargeError, once the caller has written what it wanted to, and LeftError."""
    parts: list[bytes] = []
    length = kept = 0
    more = True
    while more and length <= DISCARDED_MAX_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise LeftError
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        length += len(chunk)
        if length <= limit or kept < START_BYTES:
            parts.append(chunk)
            kept += len(chunk)
    if length > limit:
        raise TooLargeError(b"".join(parts)[:START_BYTES])
    return b"".join(parts)
