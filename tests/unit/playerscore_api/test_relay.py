"""A body's way into the store, against a store on a real socket: what it sees when the body ends well, badly or never."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from starlette.requests import ClientDisconnect

from playerscore.errors import PlayerscoreError
from playerscore_api.relay import Relay, connector

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Store:
    """Reads a request to its end, and remembers how that was."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.body = b""
        self.reset = False
        self.ended = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(self.body) < length and (piece := await reader.read(65_536)):
                self.body += piece
            if self.answers:
                writer.write(ANSWER)
                await writer.drain()
            else:
                await reader.read()
        except ConnectionResetError:
            self.reset = True
        finally:
            self.ended.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def running(store: Store) -> AsyncIterator[aiohttp.ClientSession]:
    server = await asyncio.start_server(store.serve, "127.0.0.1", 0)
    store.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/key"
    async with server, aiohttp.ClientSession(connector=connector(4)) as http:
        yield http


async def whole(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def goes_away() -> AsyncIterator[bytes]:
    yield b"x" * 100_000
    raise ClientDisconnect


async def falls_silent() -> AsyncIterator[bytes]:
    yield b"x" * 100_000
    yield b"x"
    await asyncio.sleep(30)


async def test_a_body_passes_as_it_is() -> None:
    store = Store()
    async with running(store) as http:
        relay = Relay(whole(b"ab", b"", b"c"), 3)

        assert await relay.put(http, store.url, {}) == 200
        assert (store.body, relay.bytes) == (b"abc", 3)
        assert relay.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


async def test_an_empty_body_passes() -> None:
    store = Store()
    async with running(store) as http:
        assert await Relay(whole(), 0).put(http, store.url, {}) == 200


BROKEN: dict[str, tuple[Callable[[], AsyncIterator[bytes]], str]] = {
    "it is too long": (lambda: whole(b"x" * 100_000, b"x" * 100_001), "TOO_LARGE"),
    "it is too short": (lambda: whole(b"x" * 100_000, b"x" * 99_999), "INVALID"),
    "its sender goes away": (goes_away, "INVALID"),
    "its sender falls silent": (falls_silent, "INVALID"),
}


@pytest.mark.parametrize(("chunks", "code"), BROKEN.values(), ids=BROKEN)
async def test_the_store_sees_a_reset_and_never_an_orderly_end_when(
    chunks: Callable[[], AsyncIterator[bytes]], code: str
) -> None:
    store = Store()
    async with running(store) as http:
        with pytest.raises(PlayerscoreError) as refused:
            await Relay(chunks(), 200_000, stall_seconds=0.5).put(http, store.url, {})
        await asyncio.wait_for(store.ended.wait(), 10)

    assert refused.value.code == code
    assert store.reset
    assert len(store.body) < 200_000


async def test_the_last_chunk_waits_for_the_last_check() -> None:
    store = Store()

    async def refuse() -> None:
        raise PlayerscoreError("FORBIDDEN", "replaced meanwhile")

    async with running(store) as http:
        with pytest.raises(PlayerscoreError, match="replaced meanwhile"):
            await Relay(whole(b"ab", b"c"), 3, refuse).put(http, store.url, {})
        await asyncio.wait_for(store.ended.wait(), 10)

    assert store.body != b"abc"


async def test_a_store_that_falls_silent_is_the_stores_fault() -> None:
    store = Store(answers=False)
    async with running(store) as http:
        with pytest.raises(PlayerscoreError) as refused:
            await Relay(whole(b"abc"), 3, stall_seconds=0.5).put(http, store.url, {})

    assert refused.value.code == "STORE_UNAVAILABLE"


async def test_a_store_that_is_not_there_is_the_stores_fault() -> None:
    async with aiohttp.ClientSession(connector=connector(1)) as http:
        with pytest.raises(PlayerscoreError) as refused:
            await Relay(whole(b"abc"), 3).put(http, "http://127.0.0.1:1/key", {})

    assert refused.value.code == "STORE_UNAVAILABLE"
