"""What lies in the store, on its way through this program: bodies in, objects and ranges of them out."""

import re
from typing import Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from playerscore.errors import PlayerscoreError
from playerscore_api import concurrency
from playerscore_api.broker import Broker, Content
from playerscore_api.forms import Stored
from playerscore_api.relay import Confirm

ONE_RANGE: Final = re.compile(r"bytes=([0-9]{1,19}-[0-9]{0,19}|-[0-9]{1,19})")
SAFE: Final = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""What comes from a worker is shown as what its name says it is, and runs nothing in a browser."""


class Streamed(StreamingResponse):
    """Content on its way to a caller; its connection goes back even if he left before the first byte."""

    def __init__(self, found: Content, headers: dict[str, str]) -> None:
        super().__init__(found.chunks, 206 if found.range else 200, headers, found.media_type)
        self._close = found.close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()


async def send(store: Broker, key: str, request: Request, kept: str | None = None) -> Response:
    """An object, or the one range of it that was asked for, or 304. Raises NOT_FOUND, RANGE_INVALID.

    Several ranges at once, and a range of a version that has changed, are answered with the whole object. It is
    asked for each time, because a job's name can come to mean another job.
    """
    wanted = request.headers.get("range", "")
    found = await store.get(key, wanted if ONE_RANGE.fullmatch(wanted) else None)
    if found.range and request.headers.get("if-range", found.etag) != found.etag:
        found.close()
        found = await store.get(key)
    headers = {"ETag": found.etag, "Cache-Control": concurrency.PRIVATE, "Accept-Ranges": "bytes", **SAFE}
    if concurrency.unchanged(kept, found.etag):
        found.close()
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(found.length)
    if found.range:
        headers["Content-Range"] = found.range
    return Streamed(found, headers)


def announced(request: Request, limit: int) -> int:
    """How long the body says to be, at most `limit` bytes. Raises TOO_LARGE, INVALID."""
    said = request.headers.get("content-length", "")
    if not said.isdecimal():
        raise PlayerscoreError("INVALID", "The body needs a Content-Length", field="Content-Length")
    if int(said) > limit:
        raise PlayerscoreError("TOO_LARGE", f"At most {limit} bytes are taken here")
    return int(said)


async def receive(
    store: Broker,
    request: Request,
    key: str,
    length: int,
    *,
    once: bool = False,
    confirm: Confirm | None = None,
) -> Stored:
    """Stream a request's body of exactly `length` bytes into the store. Raises as `Broker.put`."""
    return await store.put(key, request.stream(), length, once=once, confirm=confirm)
