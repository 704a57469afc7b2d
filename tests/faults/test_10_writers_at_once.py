"""Operator, worker, kubelet and a person write the same ScoringJob at once, a thousand times.

Promise: nobody's write is lost and no worker's is refused: they own different fields, and the operator judges
again when the job has changed under its hands.
"""

import asyncio
import json
import random
from typing import Any

import aiohttp
import pytest

import workerlab
from builders import make_result, manifest
from faultlab import FaultLab, invariants, session

Json = dict[str, Any]
JOBS = 10
ROUNDS = 100
MERGE = "application/merge-patch+json"
READY = {"type": "ContainersReady", "status": "True"}
"""Which the kubelet of a lost node said last."""
ARTIFACT = {"name": "radar.png", "mediaType": "image/png", "bytes": 3, "sha256": "a" * 64}


class Writers:
    """All who write one job whose attempt runs."""

    def __init__(
        self, http: aiohttp.ClientSession, name: str, pod: str, bearer: str, dice: random.Random
    ) -> None:
        self._http, self._name, self._pod, self._bearer, self._dice = http, name, pod, bearer, dice
        self.lost: list[str] = []

    async def run(self) -> None:
        await asyncio.gather(self._worker(), self._person(), self._kubelet())

    async def _worker(self) -> None:
        """Tells its progress, and finds it there: nobody else writes it."""
        for percent in range(1, ROUNDS + 1):
            status = {"progress": {"percent": percent, "message": f"round {percent}"}}
            answer = await self._patch(f"{self._path}/status", {"status": status}, self._bearer)
            if answer["status"]["progress"].get("percent") != percent:
                self.lost.append(f"{self._name}: {percent} was not there: {answer['status']['progress']}")
            async with self._http.get(self._path) as found:
                stored = (await found.json())["status"]["progress"]
            if (stored.get("percent"), stored.get("step")) != (percent, "ANALYZING"):
                self.lost.append(f"{self._name}: {percent} was lost: {stored}")
            await asyncio.sleep(self._dice.uniform(0, 0.02))

    async def _person(self) -> None:
        """Renames the job: a new generation, which the operator answers."""
        for number in range(ROUNDS):
            await self._patch(self._path, {"spec": {"displayName": f"name {number}"}})
            await asyncio.sleep(self._dice.uniform(0, 0.02))

    async def _kubelet(self) -> None:
        """Its node comes and goes: a condition that the operator writes."""
        path = f"/api/v1/namespaces/default/pods/{self._pod}/status"
        for number in range(ROUNDS // 4):
            ready = {"type": "Ready", "status": "False" if number % 2 == 0 else "True"}
            await self._patch(path, {"status": {"conditions": [ready, READY]}})
            await asyncio.sleep(self._dice.uniform(0, 0.08))

    @property
    def _path(self) -> str:
        return f"{workerlab.jobs_path()}/{self._name}"

    async def _patch(self, path: str, body: Json, bearer: str = "") -> Json:
        headers = {"Content-Type": MERGE} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        async with self._http.patch(path, data=json.dumps(body), headers=headers) as answer:
            found: Json = await answer.json()
            assert answer.status == 200, found
            return found


@pytest.mark.long
def test_a_thousand_rounds_lose_nothing(lab: FaultLab, dice: random.Random) -> None:
    lab.start_operator()
    with workerlab.confined(lab):
        made = lab.create_many("match", JOBS)
        uids = {job["metadata"]["name"]: job["metadata"]["uid"] for job in lab.jobs()}
        pods = {name: lab.pod_runs(f"sj-{uids[name]}-1") for name in made}
        bearers = {name: workerlab.token(lab, pods[name]) for name in made}
        lab.all_at("ANALYZING", made)
        before = {job["metadata"]["name"]: job["status"]["run"] for job in lab.jobs()}

        async def all_at_once() -> list[str]:
            async with session(lab.plane) as http:
                writers = [Writers(http, name, pods[name], bearers[name], dice) for name in made]
                await asyncio.gather(*(item.run() for item in writers))
            return [text for item in writers for text in item.lost]

        assert asyncio.run(all_at_once()) == []
        lab.until(lambda: all(_answered(job) for job in lab.jobs()))
        assert _conflicts(lab) > 0, "nothing was tried: nobody met anybody"
        for job in lab.jobs():
            assert job["status"]["run"] == before[job["metadata"]["name"]]
            assert job["status"]["progress"]["percent"] == ROUNDS
            assert len(job["status"]["conditions"]) == 7

        for name in made:
            result = {"result": manifest(make_result(generation=before[name]["generation"]))}
            for status in (result, {"artifacts": [ARTIFACT]}):
                assert workerlab.write(lab, name, bearers[name], status).status_code == 200
            lab.pod_ends(f"sj-{uids[name]}-1")
        lab.all_at("COMPLETED", made)

    assert all(job["status"]["artifacts"] == [ARTIFACT] for job in lab.jobs())
    assert len(lab.children()) == JOBS
    invariants(lab)


def _answered(job: Json) -> bool:
    return bool(job["status"]["observedGeneration"] == job["metadata"]["generation"])


def _conflicts(lab: FaultLab) -> float:
    """How often the operator found the job changed under its hands."""
    lines = lab.probe("one", "metrics")[1].splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("scoringjob_reconciles_total{") and 'conflict"' in line
    )
