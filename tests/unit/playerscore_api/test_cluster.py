"""What Kubernetes, or something in front of it, can answer instead of an object, and what the API makes of it.

A server of our own stands in for Kubernetes here, because no real one answers 429 or a proxy's page on demand.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from playerscore.errors import PlayerscoreError
from playerscore_api import cluster
from playerscore_api.cluster import Cluster, Pools

Answer = Callable[[], web.StreamResponse]


def status(code: int, reason: str, message: str = "words", **details: Any) -> Answer:
    """A metav1.Status."""
    body = {"kind": "Status", "reason": reason, "message": message, "code": code, "details": details}
    return lambda: web.json_response(body, status=code)


ANSWERS: dict[str, tuple[Answer, str, int | None]] = {
    "no valid token": (status(401, "Unauthorized"), "UNAUTHENTICATED", None),
    "no role": (status(403, "Forbidden"), "FORBIDDEN", None),
    "no job": (status(404, "NotFound", kind="scoringjobs"), "JOB_NOT_FOUND", None),
    "no CRD": (lambda: web.Response(status=404, text="404 page not found"), "NOT_FOUND", None),
    "changed": (status(409, "Conflict"), "CONFLICT", None),
    "there": (status(409, "AlreadyExists"), "ALREADY_EXISTS", None),
    "old token": (status(410, "Expired"), "EXPIRED", None),
    "invalid": (status(422, "Invalid", causes=[{"field": "spec.video"}]), "INVALID", None),
    "too fast": (lambda: web.Response(status=429, text="later", headers={"Retry-After": "7"}), "TOO_MANY_REQUESTS", 7),
    "webhook down": (status(500, "InternalError"), "CLUSTER_UNAVAILABLE", None),
    "a proxy's page": (lambda: web.Response(status=502, text="<html>"), "CLUSTER_UNAVAILABLE", None),
    "starting": (lambda: web.Response(status=503, headers={"Retry-After": "3"}), "CLUSTER_UNAVAILABLE", 3),
    "a date to come back": (
        lambda: web.Response(status=503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        "CLUSTER_UNAVAILABLE",
        None,
    ),
    "elsewhere": (lambda: web.Response(status=302, headers={"Location": "http://evil"}), "CLUSTER_UNAVAILABLE", None),
}  # fmt: skip


@pytest.fixture
async def answering() -> AsyncIterator[Callable[[Answer], Any]]:
    """Starts a server with one answer; gives a cluster that asks it."""
    servers: list[TestServer] = []
    sessions: list[aiohttp.ClientSession] = []

    async def start(answer: Answer) -> Cluster:
        async def handle(_: web.Request) -> web.StreamResponse:
            return answer()

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handle)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1))
        sessions.append(session)
        return Cluster(Pools(session, session), str(server.make_url("/")), lambda: "token")

    yield start
    for session in sessions:
        await session.close()
    for server in servers:
        await server.close()


@pytest.mark.parametrize("case", ANSWERS)
async def test_a_refusal_becomes_a_code(answering: Any, case: str) -> None:
    answer, code, seconds = ANSWERS[case]
    found = await answering(answer)

    with pytest.raises(PlayerscoreError) as refused:
        await found.get_job("default", "match-1")
    assert refused.value.code == code
    assert refused.value.details.get("retry_after_seconds") == seconds


async def test_the_warnings_of_a_write_come_along(answering: Any) -> None:
    headers = [("Warning", '299 - "one \\"quoted\\""'), ("Warning", '299 - "two"')]

    def answer() -> web.Response:
        response = web.json_response({"metadata": {}})
        for name, value in headers:
            response.headers.add(name, value)
        return response

    written = await (await answering(answer)).create_job("default", {})

    assert written.warnings == ['one "quoted"', "two"]


async def test_a_server_that_is_not_there_is_unavailable(answering: Any) -> None:
    found = await answering(status(200, ""))
    gone = Cluster(found._http, "http://127.0.0.1:1", lambda: "token")

    with pytest.raises(PlayerscoreError, match="does not answer") as refused:
        await gone.get_job("default", "match-1")
    assert refused.value.code == "CLUSTER_UNAVAILABLE"


async def test_a_server_that_is_silent_is_unavailable_in_time() -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as session:
        with pytest.raises(PlayerscoreError, match="no answer in time"):
            await Cluster(Pools(session, session), f"http://127.0.0.1:{port}", lambda: "t").get_job("a", "b")
        await asyncio.sleep(0.5)


def test_every_call_has_a_deadline() -> None:
    assert cluster.TIMEOUT_SECONDS <= 30
