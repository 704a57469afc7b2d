"""When an ended child Job goes."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from kubernetes.aio import client

from builders import NAME, UID, make_ready_spec, make_run, make_status, manifest
from playerscore.names import Step
from playerscore_operator.cluster import Cluster
from playerscore_operator.controller import Controller
from playerscore_operator.observe import Observed
from playerscore_operator.settings import Settings
from playerscore_operator.spent import spent
from worlds import NOW, world

Json = dict[str, Any]
HOUR, DAY = 3600.0, 86_400.0


def job(name: str, end: str | None, hours: float) -> Json:
    at = (NOW - timedelta(hours=hours)).isoformat()
    conditions = [{"type": end, "status": "True", "lastTransitionTime": at}] if end else []
    owner = {"uid": UID, "controller": True}
    metadata = {
        "name": name,
        "namespace": "default",
        "uid": name,
        "creationTimestamp": at,
        "ownerReferences": [owner],
    }
    return {"metadata": metadata, "status": {"conditions": conditions}}


def family(step: Step, *jobs: Json, attempt: int = 2, **status: Any) -> Observed:
    known = make_status(step, run=make_run(attempt, generation=3, preview_attempt=1), **status)
    observed = world(make_ready_spec(suspend=False), known)
    return replace(observed, jobs={item["metadata"]["name"]: item for item in jobs})


PREVIEW, FIRST, SECOND = f"sj-{UID}-p1", f"sj-{UID}-1", f"sj-{UID}-2"


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(family(Step.COMPLETED, job(SECOND, "Complete", 2)), [SECOND], id="sealed"),
        pytest.param(family(Step.COMPLETED, job(SECOND, "Complete", 0.5)), [], id="just ended"),
        pytest.param(family(Step.ANALYZING, job(SECOND, "Complete", 2)), [], id="not sealed yet"),
        pytest.param(
            family(Step.ANALYZING, job(PREVIEW, "Complete", 2)), [PREVIEW], id="the preview is stored"
        ),
        pytest.param(
            family(Step.EXTRACTING_PREVIEW, job(PREVIEW, "Complete", 2), attempt=0, preview=None),
            [],
            id="the preview is not stored",
        ),
        pytest.param(family(Step.ANALYZING, job(FIRST, "Failed", 2)), [], id="a failed one stays for a day"),
        pytest.param(family(Step.ANALYZING, job(FIRST, "Failed", 25)), [FIRST], id="and no longer"),
        pytest.param(
            family(Step.QUEUED, job(SECOND, "Failed", 25)), [], id="the current one, not counted yet"
        ),
        pytest.param(family(Step.FAILED, job(SECOND, None, 25)), [], id="one that works is not for this"),
    ],
)
def test_what_goes(observed: Observed, expected: list[str]) -> None:
    assert spent(observed, NOW, HOUR, DAY) == expected


async def test_only_old_children_are_looked_at_and_those_that_are_spent_are_deleted() -> None:
    """Over a real socket; the server's clock is that of `NOW`."""
    status = make_status(Step.COMPLETED, run=make_run(1, generation=3))
    labels = {"playerscore.dev/job": NAME, "playerscore.dev/uid": UID}
    listed = [job(FIRST, "Complete", 2)]
    listed[0]["metadata"] |= {"labels": labels, "resourceVersion": "7"}
    listed[0]["spec"] = {}
    metadata = {"name": NAME, "namespace": "default", "uid": UID, "generation": 3, "resourceVersion": "9"}
    body = {"metadata": metadata, "spec": manifest(make_ready_spec()), "status": manifest(status)}
    deleted: list[str] = []

    def answer(line: str) -> Json:
        if line.startswith("DELETE"):
            deleted.append(line.split()[1])
        if f"/scoringjobs/{NAME}" in line:
            return body
        return {"metadata": {}, "items": listed if "/jobs?" in line else []}

    async def serves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        content = json.dumps(answer(head.splitlines()[0]))
        date = NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")
        said = (
            f"HTTP/1.1 200 OK\r\nDate: {date}\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        writer.write((said + content).encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serves, "127.0.0.1", 0) as server:
        settings = client.Configuration()
        settings.host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        cluster = Cluster(client.ApiClient(configuration=settings))
        await cluster.find("/api/v1/namespaces/default")
        controller = Controller(cluster, Settings())
        gone = await controller.tidy()
        await cluster.close()

    assert gone == [FIRST]
    assert deleted == [f"/apis/batch/v1/namespaces/default/jobs/{FIRST}"]
