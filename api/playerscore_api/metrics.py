"""What Prometheus is told, and the outermost layer that tells it. No label holds a value that a caller chooses."""

import time
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge, Histogram
from sse_starlette.sse import SendTimeoutError
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playerscore.errors import PlayerscoreError

log = structlog.get_logger("playerscore.api")

REQUESTS = Counter(
    "playerscore_api_requests",
    "Requests by route template, status and code of the error catalogue (empty when none).",
    ["method", "route", "status", "code"],
)
SECONDS = Histogram(
    "playerscore_api_request_duration_seconds",
    "Duration of a request until its last byte, event streams left out.",
    ["route"],
)
STREAMS = Gauge("playerscore_api_event_streams", "Event streams that are open now.")
WATCHES = Gauge("playerscore_api_watches", "Watches of Kubernetes that the open event streams share.")
KUBERNETES_SECONDS = Histogram(
    "playerscore_api_kubernetes_duration_seconds", "Duration of a call to Kubernetes.", ["method", "status"]
)

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CODE: Final = "playerscore.code"
EVENTS: Final = frozenset({"/jobs/{job_id}/events", "/events"})


def remember(scope: Scope, code: str) -> None:
    """Note a request's error code for its count."""
    scope.get(CODE, {})["code"] = code


class Measured:
    """Counts and times every request; a fault of ours gets the one error body too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        said: dict[str, Any] = {"code": "", "status": 0}
        scope[CODE] = said

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                said["status"] = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except SendTimeoutError:
            log.info("a reader of events does not read", path=scope["path"])
        except Exception as error:
            # What happened is in the log, not in the answer.
            log.exception("unexpected", path=scope["path"])
            if said["status"]:
                raise
            await self._fault(scope, receive, noted, error)
        finally:
            self._count(scope, said, time.perf_counter() - begin)

    async def _fault(self, scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
        fault = PlayerscoreError("INTERNAL", f"The API failed ({type(error).__name__}); its log says why")
        remember(scope, fault.code)
        await JSONResponse(fault.body(), fault.http_status)(scope, receive, send)

    def _count(self, scope: Scope, said: dict[str, Any], seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        # Without a status the caller went away before the answer began.
        REQUESTS.labels(method, route, said["status"] or "none", said["code"]).inc()
        if route not in EVENTS:
            SECONDS.labels(route).observe(seconds)
