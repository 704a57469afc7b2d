"""The outermost layers: below which path, for which web pages, and what the log says about each request."""

import re
import secrets
import time
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playerscore_api.metrics import CODE

log = structlog.get_logger("playerscore.api.access")

REQUEST_ID: Final = "X-Request-ID"
GIVEN: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
"""What is taken over from a caller or a proxy; anything else is replaced."""
PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
CORS: Final[dict[str, Any]] = {
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": [
        *("Authorization", "Content-Type", "Range", "If-Range", "If-Match", "If-None-Match"),
        *("Idempotency-Key", "Last-Event-ID", REQUEST_ID),
    ],
    "expose_headers": [
        *("ETag", "Location", "Warning", "Retry-After", "Accept-Ranges", "Content-Range", REQUEST_ID),
    ],
    "max_age": 3600,
}
"""What a page of an allowed origin may send and see. No cookies: there are none."""


class Prefixed:
    """Puts every address below the prefix, so that the same API answers a proxy that takes it off, one that leaves
    it, and who comes without a proxy."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.prefix:
            path = scope["path"]
            inside = path == self.prefix or path.startswith(f"{self.prefix}/")
            rest = path[len(self.prefix) :] if inside else path
            scope["path"] = self.prefix + (rest or "/")
            scope["root_path"] = self.prefix
        await self.app(scope, receive, send)


class Accessed:
    """Gives every request an id, which its answer and every line of the log about it carry, and logs its end."""

    def __init__(self, app: ASGIApp, logged: bool) -> None:
        self.app = app
        self.logged = logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, status, size = time.perf_counter(), 0, 0
        request = request_id(Headers(scope=scope).get(REQUEST_ID))

        async def marked(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request
            size += len(message.get("body", b""))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request):
            try:
                await self.app(scope, receive, marked)
            finally:
                self._log(scope, status, size, time.perf_counter() - begin)

    def _log(self, scope: Scope, status: int, size: int, seconds: float) -> None:
        """One line; without query and headers, in which secrets may stand."""
        path = scope["path"]
        if not self.logged or path.removeprefix(scope.get("root_path", "")) in PROBES:
            return
        log.info(
            "request",
            method=scope["method"],
            path=path,
            status=status or None,
            code=scope.get(CODE, {}).get("code") or None,
            bytes=size,
            seconds=round(seconds, 4),
            peer=(scope.get("client") or ("",))[0],
        )


def request_id(given: str | None) -> str:
    """The caller's id of the request, if it is harmless, else a new one.

    >>> request_id("a-1"), len(request_id("a b")), len(request_id(None))
    ('a-1', 32, 32)
    """
    return given if given and GIVEN.fullmatch(given) else secrets.token_hex(16)
