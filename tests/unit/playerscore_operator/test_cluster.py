"""What the client makes of servers that do not answer, over a real socket."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from kubernetes.aio import client

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
