"""A request's body on its way into the store: streamed through, counted and hashed, never held.

The store's client signs what it sends by its digest, so it would need the whole body first. Here the body goes
out as it comes in, to an address that this program presigns for itself: the memory is that of a few chunks,
however long the body and however many at a time, and a slow store slows the sender down.
"""

import asyncio
import hashlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp
from starlette.requests import ClientDisconnect
from yarl import URL

from playerscore.errors import PlayerscoreError

STALL_SECONDS: Final = 60.0
"""Without a byte for so long, sender or store is given up."""
Confirm = Callable[[], Awaitable[None]]
"""Asked when the whole body is here and before the store has its end; raises to store nothing."""


def connector(limit: int) -> aiohttp.TCPConnector:
    """Connections for relays, which end with a reset and never with an orderly close.

    The embedded store takes an orderly close in the middle of a body for its end, and keeps what came as a whole
    object (versitygw 1.8.0, whatever the Content-Length said). The kernel resets even when this process is killed.
    """
    return aiohttp.TCPConnector(limit=limit, socket_factory=_resetting)


def _resetting(address: Any) -> socket.socket:
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return made


class Relay:
    """One body of exactly `length` bytes."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        length: int,
        confirm: Confirm | None = None,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self.bytes = 0
        self._chunks = chunks
        self._length = length
        self._confirm = confirm
        self._stall = stall_seconds
        self._digest = hashlib.sha256()
        self._deadline: asyncio.Timeout | None = None
        self._refusal: PlayerscoreError | None = None
        self._waits_for_sender = False

    @property
    def sha256(self) -> str:
        """Of what has passed, hex."""
        return self._digest.hexdigest()

    async def put(self, http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> int:
        """The store's status. Raises TOO_LARGE, INVALID and what `confirm` raises; then nothing is stored."""
        sent = {**headers, "Content-Length": str(self._length)}
        try:
            async with (
                asyncio.timeout(self._stall) as self._deadline,
                http.put(URL(url, encoded=True), data=self._body(), headers=sent) as answer,
            ):
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, OSError) as error:  # a timeout is an OSError
            raise self._refusal or self._gone(error) from error

    async def _body(self) -> AsyncIterator[bytes]:
        """The chunks; the last is held back until everything is known to be right."""
        try:
            held = b""
            async for chunk in self._received():
                if held:
                    yield held
                held = chunk
            if self.bytes < self._length:
                raise PlayerscoreError("INVALID", f"The body has {self.bytes} of {self._length} bytes")
            if self._confirm:
                await self._confirm()
            if held:
                yield held
        except PlayerscoreError as error:
            self._refusal = error
            raise

    async def _received(self) -> AsyncIterator[bytes]:
        """The sender's chunks, counted. Raises TOO_LARGE, and INVALID when he goes away."""
        self._waits_for_sender = True
        try:
            async for chunk in self._chunks:
                self._waits_for_sender = False
                self._count(chunk)
                if chunk:
                    yield chunk
                self._waits_for_sender = True
        except ClientDisconnect as error:
            text = f"The sender went away after {self.bytes} of {self._length} bytes"
            raise PlayerscoreError("INVALID", text) from error
        self._waits_for_sender = False

    def _count(self, chunk: bytes) -> None:
        self.bytes += len(chunk)
        if self.bytes > self._length:
            raise PlayerscoreError("TOO_LARGE", f"The body has more than {self._length} bytes")
        self._digest.update(chunk)
        if self._deadline:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._stall)

    def _gone(self, error: Exception) -> PlayerscoreError:
        """Whose silence or failure it was."""
        if not isinstance(error, TimeoutError):
            why = type(error).__name__
        elif self._waits_for_sender:
            return PlayerscoreError("INVALID", f"No byte of the body came in {self._stall:.0f} s")
        else:
            why = f"no byte taken in {self._stall:.0f} s"
        return PlayerscoreError("STORE_UNAVAILABLE", f"The body did not reach the object store ({why})")
