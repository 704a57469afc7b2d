"""What the client makes of servers that do not answer, over a real socket."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client
from kubernetes.aio.config import kube_config

from playerscore_operator.cluster import ApiError, Cluster, proxy
from playerscore_operator.leader import Lease
from playerscore_operator.settings import Settings


async def _hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


async def _cluster_behind(server: asyncio.Server) -> Cluster:
    settings = client.Configuration()
    settings.host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    return Cluster(client.ApiClient(configuration=settings))


async def test_a_connection_closed_in_mid_request_is_an_api_error_and_ends_no_election() -> None:
    async with await asyncio.start_server(_hangs_up, "127.0.0.1", 0) as server:
        cluster = await _cluster_behind(server)
        with pytest.raises(ApiError) as raised:
            await cluster.find("/api/v1/namespaces/default")
        found, answer = await Lease(cluster, Settings()).get("lease", "default")
        await cluster.close()

    assert raised.value.status == 0
    assert found is False
    assert answer.status == 0


@pytest.mark.parametrize(
    ("ahead", "counted"),
    [
        pytest.param(timedelta(minutes=10), True, id="this node is ten minutes behind"),
        pytest.param(timedelta(minutes=-10), True, id="ten minutes ahead"),
        pytest.param(timedelta(seconds=2), False, id="what an answer's way and its whole seconds may make"),
    ],
)
async def test_the_time_is_the_api_servers(ahead: timedelta, counted: bool) -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        writer.write(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        cluster = await _cluster_behind(server)
        await cluster.find("/api/v1/namespaces/default")
        await cluster.close()

    difference = (cluster.now() - datetime.now(UTC)).total_seconds()
    assert difference == pytest.approx(ahead.total_seconds() if counted else 0.0, abs=1.5)


@pytest.mark.parametrize(
    ("environment", "of_kubeconfig", "used"),
    [
        pytest.param({}, None, None, id="none is named"),
        pytest.param({"https_proxy": "http://out:3128"}, None, "http://out:3128", id="the environment's"),
        pytest.param({"http_proxy": "http://out:3128"}, None, None, id="one for another scheme"),
        pytest.param(
            {"https_proxy": "http://out:3128", "no_proxy": "10.96.0.0,api.example.com"},
            None,
            None,
            id="an exception",
        ),
        pytest.param(
            {"https_proxy": "http://out:3128"}, "http://in:3128", "http://in:3128", id="the kubeconfig's"
        ),
    ],
)
def test_the_proxy_is_the_kubeconfigs_else_the_environments(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], of_kubeconfig: str | None, used: str | None
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = client.Configuration()
    settings.host, settings.proxy = "https://api.example.com:6443", of_kubeconfig

    assert proxy(settings) == used


def _answers(body: bytes, status: str = "200 OK", seen: list[bytes] | None = None) -> Any:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(asked)
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    return one


async def test_a_list_of_metadata_without_a_list_in_it_is_empty() -> None:
    handler = _answers(b'{"metadata": {"resourceVersion": "7"}, "items": null}')
    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        cluster = await _cluster_behind(server)

        assert await cluster.versions("jobs", []) == []

        await cluster.close()


async def test_a_token_that_was_refused_is_read_again_for_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    path = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))

    def write(port: int, token: str) -> None:
        known = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(json.dumps(known))

    refusing = _answers(b'{"reason": "Unauthorized"}', "401 Unauthorized", seen)
    async with await asyncio.start_server(refusing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        write(port, "first")
        cluster = await Cluster.connect()
        write(port, "second")
        for _ in range(2):
            with pytest.raises(ApiError, match="401"):
                await cluster.find("/api/v1/namespaces/default")
        await cluster.close()

    assert [b"first" in asked for asked in seen] == [True, False]
    assert b"second" in seen[1]


async def test_the_events_of_an_object_come_the_newest_last_by_whichever_time_they_have() -> None:
    told = [
        {"reason": "c", "series": {"lastObservedTime": "2026-01-01T12:03:00.0Z"}, "lastTimestamp": None},
        {"reason": "b", "message": "x", "lastTimestamp": "2026-01-01T12:02:00Z", "eventTime": None},
        {"reason": "a", "lastTimestamp": None, "eventTime": "2026-01-01T12:01:00.5Z"},
    ]
    body = json.dumps({"items": [{**item, "metadata": {}} for item in told]})

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        cluster = await _cluster_behind(server)
        found = await cluster.events("default", "u")
        await cluster.close()

    assert [(item["uid"], item["reason"], item["message"]) for item in found] == [
        ("u", "a", ""),
        ("u", "b", "x"),
        ("u", "c", ""),
    ]
