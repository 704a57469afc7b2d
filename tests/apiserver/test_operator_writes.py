"""The operator's reads and writes against a real API server: killed at every write, told late, told nothing.

No watch runs here, on purpose: the controller sees what a test lets it see. The test plays the kubelet and the
worker; the Job controller is the real one.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from kubernetes.aio import client, config

from builders import make_preview, manifest
from controlplane import ControlPlane
from operatorlab import Lab, end_of
from playerscore_operator.act import RefusedError
from playerscore_operator.cluster import ApiError, Cluster
from playerscore_operator.controller import Controller
from playerscore_operator.manifests import analysis_job
from playerscore_operator.settings import Settings

Json = dict[str, Any]
LIVES_AT_A_TIME = 6
WRITES = ("POST", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with ControlPlane(controllers=True) as plane:
        found = Lab(plane)
        found.prepare()
        yield found


class KilledError(Exception):
    """The operator is gone."""


class Mortal(Cluster):
    """Dies before or after its n-th write."""

    def __init__(self, api: client.ApiClient) -> None:
        super().__init__(api)
        self.writes: list[str] = []
        self.dies_at: tuple[int, str] | None = None

    async def exchange(self, method: str, path: str, **more: Any) -> bytes:
        if method not in WRITES:
            return await super().exchange(method, path, **more)
        number = len(self.writes)
        self.writes.append(f"{method} {path}")
        if self.dies_at == (number, "before"):
            raise KilledError
        answer = await super().exchange(method, path, **more)
        if self.dies_at == (number, "after"):
            raise KilledError
        return answer


@pytest_asyncio.fixture
async def operators(lab: Lab) -> AsyncIterator[Callable[[], Awaitable[tuple[Mortal, Controller]]]]:
    """Starts operators: each knows nothing."""
    made: list[Mortal] = []

    async def start() -> tuple[Mortal, Controller]:
        settings = client.Configuration()
        await config.load_kube_config(str(lab.plane.kubeconfig), client_configuration=settings)
        cluster = Mortal(client.ApiClient(configuration=settings))
        made.append(cluster)
        return cluster, Controller(cluster, Settings(namespaces=["default"]))

    yield start
    for cluster in made:
        await cluster.close()


async def rests(controller: Controller, name: str) -> None:
    """Reconcile until the job is left alone, as its events would have it done."""
    cluster = controller.cluster
    assert isinstance(cluster, Mortal)
    for _ in range(20):
        before = len(cluster.writes)
        await controller.reconcile(("default", name))
        if len(cluster.writes) == before:
            return
    raise AssertionError(f"never rests: {cluster.writes[-10:]}")


class Life:
    """A whole job, step by step: who does what between two looks of the operator."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.uid = lab.create_job(name, lab.selected(name) | {"suspend": False})

    def parts(self) -> list[Callable[[], None]]:
        first, second = f"sj-{self.uid}-1", f"sj-{self.uid}-2"
        return [
            lambda: None,
            self._previewed,
            lambda: self._runs(first),
            lambda: self.lab.patch(self.name, {"suspend": True}),
            lambda: self._gone(first),
            lambda: self.lab.patch(self.name, {"suspend": False}),
            lambda: self._runs(second),
            lambda: self._done(second),
        ]

    def _previewed(self) -> None:
        job = f"sj-{self.uid}-p1"
        self.lab.pod_runs(job)
        self.lab.worker_writes(self.name, {"preview": manifest(make_preview(name=self.name))})
        self.lab.pod_ends(job)
        self._until_ended(job)

    def _runs(self, job: str) -> None:
        self.lab.pod_runs(job)

    def _gone(self, job: str) -> None:
        """The kubelet has ended the pod of a paused attempt."""
        for pod in self.lab.items("pods", f"job-name={job}"):
            self.lab.pod_goes(pod["metadata"]["name"])
        self.lab.until(lambda: self.lab.get("job", job) == {})

    def _done(self, job: str) -> None:
        self.lab.attempt_done(self.name, self.uid, 2)
        self._until_ended(job)

    def _until_ended(self, job: str) -> None:
        def ended() -> bool:
            found = self.lab.get("job", job).get("status", {}).get("conditions", [])
            return any(item["type"] in ("Complete", "Failed") for item in found)

        self.lab.until(ended)

    def end(self) -> Json:
        """What an observer finds at the end, but for names and times."""
        jobs = self.lab.items("jobs", f"playerscore.dev/uid={self.uid}")
        return end_of(self.lab.get("scoringjob", self.name), jobs)


async def live(
    lab: Lab, operators: Any, name: str, dies_at: tuple[int, str] | None
) -> tuple[Json, list[str]]:
    """One life under an operator that is killed once; the next one begins with nothing."""
    life = Life(lab, name)
    cluster, controller = await operators()
    cluster.dies_at = dies_at
    written: list[str] = []
    for part in life.parts():
        await asyncio.to_thread(part)
        try:
            await rests(controller, name)
        except KilledError:
            written += cluster.writes
            cluster, controller = await operators()
            await rests(controller, name)
    return await asyncio.to_thread(life.end), written + cluster.writes


async def test_killed_before_and_after_every_write_a_job_comes_to_the_same_end(
    lab: Lab, operators: Any
) -> None:
    expected, writes = await live(lab, operators, "undisturbed", None)

    assert expected["step"] == "COMPLETED"
    assert expected["attempt"] == 2
    assert expected["jobs"] == ["-2", "-p1"]
    assert len([write for write in writes if "/events" not in write]) >= 10

    gate = asyncio.Semaphore(LIVES_AT_A_TIME)

    async def killed(number: int, moment: str) -> tuple[str, Json]:
        async with gate:
            name = f"killed-{moment}-{number}"
            end, _ = await live(lab, operators, name, (number, moment))
            return f"{name} ({writes[number]})", end

    points = [(number, moment) for number in range(len(writes)) for moment in ("before", "after")]
    found = dict(await asyncio.gather(*(killed(*point) for point in points)))

    assert {name: end for name, end in found.items() if end != expected} == {}


async def test_a_job_that_was_edited_since_it_was_seen_is_judged_again(lab: Lab, operators: Any) -> None:
    cluster, controller = await operators()
    uid = await asyncio.to_thread(lab.create_job, "edited", lab.ready("edited"))
    seen = await asyncio.to_thread(lab.get, "scoringjob", "edited")
    await asyncio.to_thread(lab.patch, "edited", {"suspend": True})
    controller.job_event(seen, deleted=False)
    await controller.reconcile(("default", "edited"))

    assert [write.split()[0] for write in cluster.writes] == ["PATCH"]
    assert len(controller.queue) == 1
    assert lab.get("job", f"sj-{uid}-1") == {}

    await rests(controller, "edited")

    assert lab.get("job", f"sj-{uid}-1") == {}
    assert lab.condition("edited", "Admitted") == ("False", "Suspended")


async def test_a_first_launch_reads_nothing_and_writes_twice(lab: Lab, operators: Any) -> None:
    cluster, controller = await operators()
    uid = await asyncio.to_thread(lab.create_job, "quick", lab.ready("quick"))
    seen = await asyncio.to_thread(lab.get, "scoringjob", "quick")
    await controller.world.refresh()
    await controller.world.known(("default", "quick"))
    controller.job_event(seen, deleted=False)
    reads = []
    original = Cluster.exchange

    async def counted(self: Cluster, method: str, path: str, **more: Any) -> bytes:
        if method == "GET":
            reads.append(path)
        return await original(self, method, path, **more)

    Cluster.exchange = counted  # type: ignore[method-assign]
    try:
        await controller.reconcile(("default", "quick"))
    finally:
        Cluster.exchange = original  # type: ignore[method-assign]

    assert reads == []
    assert [write.split()[0] for write in cluster.writes if "/events" not in write] == ["PATCH", "POST"]
    assert lab.get("job", f"sj-{uid}-1")


async def test_a_job_of_that_name_that_is_anothers_or_for_another_spec_is_not_taken(
    lab: Lab, operators: Any
) -> None:
    cluster, controller = await operators()
    uid = await asyncio.to_thread(lab.create_job, "taken", lab.ready("taken"))
    await rests(controller, "taken")
    observed = await controller.world.live(("default", "taken"))
    assert observed is not None
    assert observed.runtime is not None
    mine = analysis_job(observed, observed.runtime.spec, 1, controller.settings.api_url)
    assert mine["metadata"]["name"] == f"sj-{uid}-1"

    await cluster.create_job(mine)

    other = json.loads(json.dumps(mine))
    other["metadata"]["annotations"]["playerscore.dev/spec-hash"] = "0" * 16
    with pytest.raises(ApiError, match="another spec"):
        await cluster.create_job(other)
    other["metadata"]["ownerReferences"][0]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(ApiError, match="another owner"):
        await cluster.create_job(other)


async def test_a_resync_finds_what_no_event_told(lab: Lab, operators: Any) -> None:
    _, controller = await operators()
    uid = await asyncio.to_thread(lab.create_job, "unheard", lab.ready("unheard"))

    async def drained() -> None:
        while len(controller.queue):
            key = await controller.queue.take()
            await controller.reconcile(key)
            controller.queue.done(key)

    assert await controller.resync() > 0
    await drained()
    assert lab.get("job", f"sj-{uid}-1")

    await controller.resync()
    await drained()
    assert await controller.resync() == 0

    await asyncio.to_thread(lab.pod_runs, f"sj-{uid}-1")
    assert await controller.resync() >= 1
    await drained()
    assert lab.step("unheard") == "ANALYZING"

    await asyncio.to_thread(lab.plane.kubectl, "delete", "job", f"sj-{uid}-1", "--cascade=orphan")
    assert await controller.resync() >= 1


async def test_a_refused_job_is_told_and_the_queue_is_asked_to_try_again(lab: Lab, operators: Any) -> None:
    _, controller = await operators()
    wrong = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
    await asyncio.to_thread(lambda: lab.runtime("unfit", resources=wrong))
    await asyncio.to_thread(lab.create_job, "unfit", lab.ready("unfit") | {"runtimeName": "unfit"})
    with pytest.raises(RefusedError):
        await controller.reconcile(("default", "unfit"))

    assert lab.condition("unfit", "Running") == ("False", "CREATE_REFUSED")

    again, _ = controller.cluster, None
    assert isinstance(again, Mortal)
    before = [write for write in again.writes if "/status" in write]
    with pytest.raises(RefusedError):
        await controller.reconcile(("default", "unfit"))

    assert [write for write in again.writes if "/status" in write] == before


async def test_timers_outlive_the_operator(lab: Lab, operators: Any) -> None:
    _, controller = await operators()
    uid = await asyncio.to_thread(lab.create_job, "timed", lab.ready("timed"))
    await rests(controller, "timed")
    await asyncio.to_thread(lab.pod_runs, f"sj-{uid}-1")
    await asyncio.to_thread(lab.pod_ends, f"sj-{uid}-1", 1, "no route")
    await asyncio.to_thread(
        lab.until, lambda: "Failed" in json.dumps(lab.get("job", f"sj-{uid}-1").get("status", {}))
    )
    await asyncio.to_thread(
        lab.until,
        lambda: any(
            item["type"] == "Failed" for item in lab.get("job", f"sj-{uid}-1")["status"].get("conditions", [])
        ),
    )
    await rests(controller, "timed")
    due = lab.get("scoringjob", "timed")["status"]["run"]["retryTime"]
    _, another = await operators()
    await another.reconcile(("default", "timed"))

    assert lab.get("job", f"sj-{uid}-2") == {}
    assert lab.get("scoringjob", "timed")["status"]["run"]["retryTime"] == due

    await asyncio.sleep(6)
    await another.reconcile(("default", "timed"))

    assert lab.get("job", f"sj-{uid}-2")
