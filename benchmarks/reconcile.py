"""How fast, how sparingly and how surely the operator reconciles, beside JobSet's manager and a bare client.

`make bench-reconcile` writes `results/reconcile.json`. One real etcd, kube-apiserver and Job controller serve all
three in the same run, in alternating rounds, because the machine's speed is nobody's merit: the ratios count.
A controller is frozen (SIGSTOP) while its 500 objects are queued, so that the client's load is not measured.

The race is run twice. First with jobs whose selection came without a preview (`spec.preview.disabled`): one small
resource, one Job, the like of what JobSet does. Then with a preview of 8 frames x 22 people in each status, against
the bare client alone: there every write of the object costs the API server about 24 ms of CPU, whoever makes it.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import os
import random
import signal
import ssl
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp
import machine
import orjson

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from builders import make_ready_spec, make_result, make_runtime, make_status, manifest
from controlplane import ControlPlane, ensure_tools, free_ports, write_credentials
from playerscore.resources import (
    Frame,
    PreviewStatus,
    ScoringJob,
    ScoringJobStatus,
    Track,
    TrackBox,
)
from playerscore_operator.decide import decide
from playerscore_operator.observe import assemble

Json = dict[str, Any]
RESULT = ROOT / "benchmarks" / "results" / "reconcile.json"
PARALLEL = 16
TICK = os.sysconf("SC_CLK_TCK")
API_URL = "http://playerscore-api.playerscore-system.svc:8080"
JOBS = "/apis/playerscore.dev/v1alpha1/namespaces/{}/scoringjobs"
MERGE = "application/merge-patch+json"
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "None", "resources": [{"group": "coordination.k8s.io"}]},
        {"level": "Metadata"},
    ],
}


NOTES = {
    "burst": (
        "jobs without a preview, 500 queued while the controller is frozen; from its thawing to the 500th Job; the "
        "median of the rounds. JobSet's goal of 5 is out of reach here: the bare client itself, which does nothing "
        "but the two writes, launches little more than twice what JobSet does, so the API server is the limit"
    ),
    "burst_with_previews": (
        "the same with 8 frames x 22 people in each status: a status write of such an object costs the API server "
        "24 ms of CPU (decoding, validating, copying and collecting some 1,600 values four times), whoever makes it"
    ),
    "cpu_ms_per_job": "of the controller, until it has been quiet after the last pod was made; of the bare client, its two writes",
    "steady": "10 jobs enqueued a second, each pod started as soon as it is there; from the enqueue's start to its Job",
    "lives": "writes by the API server's audit log; each pod is started as soon as it is there",
    "kills": "SIGKILL at a random moment of up to 80 ms after 4 jobs were enqueued, again and again",
    "failover": "from the leader's death, freeze or stop to a Job by the other replica; the Lease lasts 15 s",
}


def preview(name: str, frames: int = 8, tracks: int = 22) -> PreviewStatus:
    """A preview as large as a real one: 8 frames x 22 people."""
    dice = random.Random(1)
    info = make_status().preview
    assert info is not None

    def track(number: int) -> Track:
        x, y = (round(dice.uniform(0, 0.9), 4) for _ in range(2))
        return Track(track_id=number, bbox=TrackBox(x=x, y=y, w=0.04, h=0.1), score=0.87)

    made = [
        Frame(
            frame_key=f"jobs/{name}/frames/frame_{number:04d}.jpg",
            time_sec=2.0 * number,
            width=1280,
            height=720,
            tracks=[track(one) for one in range(100, 100 + tracks - 1)] + first.tracks[:1],
        )
        for number, first in enumerate([info.frames[0]] * frames, 1)
    ]
    return PreviewStatus(video=info.video, frames=made)


class Kube:
    """A bare async client: HTTP, orjson, nothing else."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.headers = plane.headers()

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cafile=str(self.plane.ca))
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64, ssl=context), read_bufsize=2**21
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def send(
        self, method: str, path: str, body: Json | None = None, kind: str = "application/json"
    ) -> Json:
        data = None if body is None else orjson.dumps(body)
        headers = {**self.headers, "Content-Type": kind}
        async with self.session.request(method, self.plane.url + path, data=data, headers=headers) as answer:
            content = await answer.read()
            if answer.status >= 400 and not (method == "DELETE" and answer.status == 404):
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
            parsed: Json = orjson.loads(content)
            return parsed

    async def count(self, path: str) -> int:
        """How many objects a collection holds, by one small read."""
        page = await self.send("GET", f"{path}?limit=1")
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    async def watch(self, path: str) -> AsyncIterator[Json]:
        url = f"{self.plane.url}{path}?watch=true&allowWatchBookmarks=true"
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.session.get(url, headers=self.headers, timeout=timeout) as answer:
            async for line in answer.content:
                yield orjson.loads(line)


async def spread(work: Iterable[Callable[[], Awaitable[Any]]], parallel: int = PARALLEL) -> list[float]:
    """Do all of it, so many at a time; the seconds that each took."""
    gate = asyncio.Semaphore(parallel)

    async def one(task: Callable[[], Awaitable[Any]]) -> float:
        async with gate:
            begin = time.monotonic()
            await task()
            return time.monotonic() - begin

    return list(await asyncio.gather(*(one(task) for task in work)))


# --- the contestants ------------------------------------------------------------------------------------


class Process:
    """A controller under test."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        with log.open("ab") as out:
            self.popen = subprocess.Popen(command, env={**os.environ, **environment}, stdout=out, stderr=out)
        self.log = log

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss_mb(self) -> float:
        text = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()


class Bench:
    """The control plane and what is prepared in it."""

    def __init__(self, plane: ControlPlane, kube: Kube) -> None:
        self.plane = plane
        self.kube = kube
        self.audit = plane.folder / "audit.log"
        self.operators = 0

    async def prepare(self) -> None:
        self.plane.install_crds()
        runtime = manifest(make_runtime(allowed_namespaces=None))
        runtime["metadata"]["annotations"] = {"playerscore.dev/is-default-runtime": "true"}
        await self.kube.send("POST", "/apis/playerscore.dev/v1alpha1/scoringruntimes", runtime)
        self.plane.kubectl("create", "serviceaccount", "operator", "-n", "default")
        self.plane.kubectl(
            "create",
            "clusterrolebinding",
            "operator",
            "--clusterrole=cluster-admin",
            "--serviceaccount=default:operator",
        )
        token = self.plane.kubectl("create", "token", "operator", "--duration=24h").strip()
        self.kubeconfig = self.plane.kubeconfig_for(token, "operator")

    async def namespace(self, name: str) -> None:
        await self.kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        account = {"metadata": {"name": "playerscore-worker"}}
        await self.kube.send("POST", f"/api/v1/namespaces/{name}/serviceaccounts", account)

    def operator(self, **more: str) -> Process:
        self.operators += 1
        self.port = free_ports(1)[0]
        settings = {
            "KUBECONFIG": str(self.kubeconfig),
            "PLAYERSCORE_HEALTH_PORT": str(self.port),
            "PLAYERSCORE_NAMESPACE": "default",
            "PLAYERSCORE_IDENTITY": "bench",
        }
        log = self.plane.folder / f"operator-{self.operators}.log"
        return Process([sys.executable, "-m", "playerscore_operator"], settings | more, log)

    def jobset(self) -> Process:
        """JobSet's manager without its webhooks: the objects below name what its defaults would fill in."""
        program = ensure_tools("jobset") / "jobset"
        gomod = ROOT / "cluster" / "gomod" / "jobset"
        go = [str(program.parent / "go"), "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/jobset"]
        source = Path(
            subprocess.run(go, cwd=gomod, check=True, capture_output=True, text=True).stdout.strip()
        )
        crd = source / "config" / "components" / "crd" / "bases" / "jobset.x-k8s.io_jobsets.yaml"
        self.plane.kubectl("apply", "--server-side", "-f", str(crd))
        folder = self.plane.folder / "jobset"
        certificates = folder / "k8s-webhook-server" / "serving-certs"
        certificates.mkdir(parents=True)
        write_credentials(certificates, "unused")
        (certificates / "apiserver.crt").rename(certificates / "tls.crt")
        (certificates / "apiserver.key").rename(certificates / "tls.key")
        health, webhook = free_ports(2)
        config = {
            "apiVersion": "config.jobset.x-k8s.io/v1alpha1",
            "kind": "Configuration",
            "leaderElection": {"leaderElect": False},
            "internalCertManagement": {"enable": False},
            "metrics": {"bindAddress": "0"},
            "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
            "webhook": {"port": webhook},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        environment = {"KUBECONFIG": str(self.plane.kubeconfig), "TMPDIR": str(folder)}
        command = [str(program), f"--config={folder / 'config.yaml'}", "--zap-log-level=error"]
        return Process(command, environment, self.plane.folder / "jobset.log")

    async def scoringjobs(
        self, namespace: str, count: int, *, previews: bool = True, **more: Any
    ) -> list[Json]:
        """So many ready drafts that need no pod for a preview, with or without one; as they are stored."""
        made: list[Json] = []

        async def one(number: int) -> None:
            name = f"job-{number}"
            spec = manifest(make_ready_spec()) | {"preview": {"disabled": True}} | more
            for part in (spec["player_ref"], spec["target"]):
                part["frame_key"] = f"jobs/{name}/frames/frame_0001.jpg"
            body = {
                "apiVersion": "playerscore.dev/v1alpha1",
                "kind": "ScoringJob",
                "metadata": {"name": name},
                "spec": spec,
            }
            stored = await self.kube.send("POST", JOBS.format(namespace), body)
            if previews:
                status = {"status": {"preview": manifest(preview(name))}}
                path = f"{JOBS.format(namespace)}/{name}/status"
                stored = await self.kube.send("PATCH", path, status, MERGE)
            made.append(stored)

        await spread([lambda number=number: one(number) for number in range(count)])  # type: ignore[misc]
        return made

    async def enqueue(self, namespace: str, name: str) -> None:
        await self.kube.send("PATCH", f"{JOBS.format(namespace)}/{name}", {"spec": {"suspend": False}}, MERGE)

    async def launched(self, namespace: str, count: int, kind: str = "jobs", seconds: float = 180) -> float:
        """Wait until so many Jobs (or pods) are there; the time when they were."""
        group = "/apis/batch/v1" if kind == "jobs" else "/api/v1"
        end = time.monotonic() + seconds
        while await self.kube.count(f"{group}/namespaces/{namespace}/{kind}") < count:
            if time.monotonic() > end:
                raise RuntimeError(f"{namespace}: {kind} did not come")
            await asyncio.sleep(0.05)
        return time.monotonic()

    async def quiet(self, process: Process, seconds: float = 60) -> None:
        """Wait until a controller has nothing to do."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = process.cpu_seconds()
            await asyncio.sleep(1)
            if process.cpu_seconds() - before < 0.05:
                return

    def writes(self, user: str = "system:serviceaccount:default:operator") -> list[Json]:
        """What the audit log says that the operator wrote."""
        lines = [json.loads(line) for line in self.audit.read_text().splitlines()]
        return [line for line in lines if line["user"]["username"] == user]


# --- the burst ------------------------------------------------------------------------------------------


async def burst_ours(bench: Bench, operator: Process, namespace: str, count: int, *, previews: bool) -> Json:
    await bench.namespace(namespace)
    jobs = await bench.scoringjobs(namespace, count, previews=previews)
    await bench.quiet(operator)
    operator.signal(signal.SIGSTOP)
    await spread([lambda job=job: bench.enqueue(namespace, job["metadata"]["name"]) for job in jobs])  # type: ignore[misc]
    return await _race(bench, operator, namespace, count)


async def burst_jobset(bench: Bench, manager: Process, namespace: str, count: int) -> Json:
    await bench.namespace(namespace)
    await bench.quiet(manager)
    manager.signal(signal.SIGSTOP)
    path = f"/apis/jobset.x-k8s.io/v1alpha2/namespaces/{namespace}/jobsets"
    bodies = [_jobset(f"job-{number}", namespace) for number in range(count)]
    await spread([lambda body=body: bench.kube.send("POST", path, body) for body in bodies])  # type: ignore[misc]
    return await _race(bench, manager, namespace, count)


async def _race(bench: Bench, process: Process, namespace: str, count: int) -> Json:
    cpu, begin = process.cpu_seconds(), time.monotonic()
    process.signal(signal.SIGCONT)
    seconds = await bench.launched(namespace, count) - begin
    at_launch = process.cpu_seconds() - cpu
    await bench.launched(namespace, count, "pods")
    await bench.quiet(process, 6)
    whole = process.cpu_seconds() - cpu
    return {
        "per_second": count / seconds,
        "cpu_ms_per_job": 1000 * whole / count,
        "cpu_ms_until_launched": 1000 * at_launch / count,
    }


async def burst_bare(bench: Bench, namespace: str, count: int, *, previews: bool) -> Json:
    """The same two writes as the operator makes, for as many jobs, by a client that does nothing else."""
    await bench.namespace(namespace)
    jobs = await bench.scoringjobs(namespace, count, previews=previews, managedBy="bench")
    runtime = make_runtime()
    pairs = []
    for stored in jobs:
        spec = {key: value for key, value in stored["spec"].items() if key != "managedBy"}
        job = ScoringJob.model_validate(stored | {"spec": spec | {"suspend": False}})
        decision = decide(assemble(job, [], [], runtime, prepared=True), datetime.now(UTC), API_URL)
        version = {"metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]}}
        pairs.append((stored["metadata"]["name"], version | {"status": decision.status}, decision.creates[0]))

    async def launch(name: str, patch: Json, child: Json) -> None:
        await bench.kube.send("PATCH", f"{JOBS.format(namespace)}/{name}/status", patch, MERGE)
        await bench.kube.send("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", child)

    begin, cpu = time.monotonic(), time.process_time()
    took = await spread([lambda pair=pair: launch(*pair) for pair in pairs])  # type: ignore[misc]
    seconds, spent = time.monotonic() - begin, time.process_time() - cpu
    await bench.launched(namespace, count, "pods")
    return {
        "per_second": count / seconds,
        "cpu_ms_per_job": 1000 * spent / count,
        "p99_ms": 1000 * _quantile(took, 0.99),
    }


def _jobset(name: str, namespace: str) -> Json:
    """One Job with a pod like a worker's: the same number of containers and volumes."""
    job = ScoringJob.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": "0",
                "generation": 1,
                "resourceVersion": "1",
            },
            "spec": manifest(make_ready_spec(suspend=False)),
            "status": manifest(ScoringJobStatus(preview=make_status().preview)),
        }
    )
    made = decide(assemble(job, [], [], make_runtime(), prepared=True), datetime.now(UTC), API_URL).creates[0]
    spec = {**made["spec"], "completionMode": "Indexed", "completions": 1, "parallelism": 1}
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": name},
        "spec": {
            "replicatedJobs": [{"name": "a", "replicas": 1, "template": {"spec": spec}}],
            "network": {"enableDNSHostnames": False, "publishNotReadyAddresses": False},
            "successPolicy": {"operator": "All", "targetReplicatedJobs": []},
            "startupPolicy": {"startupPolicyOrder": "AnyOrder"},
        },
    }


# --- a steady stream, and one life ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def kubelet(bench: Bench, namespace: str) -> AsyncIterator[list[Json]]:
    """Starts each pod as soon as it is there; the pods so far."""
    pods: list[Json] = []

    async def start() -> None:
        async for event in bench.kube.watch(f"/api/v1/namespaces/{namespace}/pods"):
            if event["type"] == "ADDED":
                pods.append(event["object"])
                await _pod(bench, namespace, event["object"]["metadata"]["name"], "Running", {"running": {}})

    starting = asyncio.create_task(start())
    yield pods
    starting.cancel()


async def steady(
    bench: Bench, operator: Process, namespace: str, count: int, per_second: float, *, previews: bool
) -> Json:
    """Enqueue at an even pace; from each enqueue's start to its Job, as a watch sees it, milliseconds."""
    await bench.namespace(namespace)
    jobs = await bench.scoringjobs(namespace, count, previews=previews)
    await bench.quiet(operator)
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}

    async def look() -> None:
        async for event in bench.kube.watch(f"/apis/batch/v1/namespaces/{namespace}/jobs"):
            if event["type"] == "ADDED":
                seen[event["object"]["metadata"]["labels"]["playerscore.dev/job"]] = time.monotonic()

    watcher = asyncio.create_task(look())
    async with kubelet(bench, namespace):
        await asyncio.sleep(0.5)
        begin = time.monotonic()
        tasks = []
        for number, job in enumerate(jobs):
            await asyncio.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            name = job["metadata"]["name"]
            sent[name] = time.monotonic()
            tasks.append(asyncio.create_task(bench.enqueue(namespace, name)))
        await asyncio.gather(*tasks)
        await bench.launched(namespace, count)
        await asyncio.sleep(0.5)
    watcher.cancel()
    took = [1000 * (seen[name] - sent[name]) for name in sent]
    return {"p50": round(_quantile(took, 0.5)), "p99": round(_quantile(took, 0.99)), "max": round(max(took))}


async def lives(bench: Bench, operator: Process, namespace: str, count: int) -> Json:
    """Whole lives, with the harness as kubelet and worker; how often the operator wrote, by the audit log."""
    await bench.namespace(namespace)
    jobs = await bench.scoringjobs(namespace, count)
    await bench.quiet(operator)
    already = len(bench.writes())
    async with kubelet(bench, namespace) as pods:
        for job in jobs:
            await bench.enqueue(namespace, job["metadata"]["name"])
        await _until_step(bench, namespace, count, "ANALYZING")
    for pod in pods:
        name = pod["metadata"]["labels"]["playerscore.dev/job"]
        stored = await bench.kube.send("GET", f"{JOBS.format(namespace)}/{name}")
        result = manifest(make_result(generation=stored["status"]["run"]["generation"]))
        path = f"{JOBS.format(namespace)}/{name}/status"
        await bench.kube.send("PATCH", path, {"status": {"result": result}}, MERGE)
        state = {"terminated": {"exitCode": 0}}
        await _pod(bench, namespace, pod["metadata"]["name"], "Succeeded", state)
    await _until_step(bench, namespace, count, "COMPLETED")
    await bench.quiet(operator)
    mine = [w for w in bench.writes()[already:] if w["objectRef"].get("namespace") == namespace]
    return _writes_by_phase(mine, count)


def _writes_by_phase(writes: list[Json], count: int) -> Json:
    """To launch: status writes and creates until the one that says that the pod runs. Events are told apart."""
    by_kind = Counter(f"{w['verb']} {_what(w)}" for w in writes)
    events = sum(number for kind, number in by_kind.items() if "events" in kind)
    per_job: dict[str, list[str]] = {}
    for write in writes:
        if "events" not in write["objectRef"]["resource"] and write["objectRef"]["resource"] != "jobs":
            per_job.setdefault(write["objectRef"]["name"], []).append(write["verb"])
    # The last status write of a life is the seal; the Job's create is counted beside.
    to_launch = [len(verbs) - 1 + 1 for verbs in per_job.values()]
    return {
        "writes_to_launch": max(to_launch),
        "writes_per_life": (len(writes) - events) / count,
        "events_per_life": events / count,
        "by_kind": {kind: number / count for kind, number in sorted(by_kind.items())},
    }


def _what(write: Json) -> str:
    ref = write["objectRef"]
    return "/".join(part for part in (ref["resource"], ref.get("subresource")) if part)


async def _pod(bench: Bench, namespace: str, name: str, phase: str, state: Json) -> None:
    container = {
        "name": "analyze",
        "image": "none",
        "imageID": "none",
        "ready": False,
        "restartCount": 0,
        "state": state,
    }
    status = {"status": {"phase": phase, "containerStatuses": [container]}}
    await bench.kube.send("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}/status", status, MERGE)


async def _until_step(bench: Bench, namespace: str, count: int, step: str) -> None:
    path = f"{JOBS.format(namespace)}?fieldSelector=status.progress.step%3D{step}"
    end = time.monotonic() + 60
    while len((await bench.kube.send("GET", path))["items"]) < count:
        if time.monotonic() > end:
            raise RuntimeError(f"{namespace}: not all reached {step}")
        await asyncio.sleep(0.2)


# --- kills and failover -----------------------------------------------------------------------------------


async def kills(bench: Bench, namespace: str, rounds: int) -> Json:
    """Kill -9 the operator at a random moment of its work, again and again; how many jobs got two Jobs."""
    await bench.namespace(namespace)
    dice, each = random.Random(7), 4
    jobs = await bench.scoringjobs(namespace, rounds * each)
    for number in range(rounds):
        operator = bench.operator()
        await _until_leading(bench, operator)
        batch = jobs[number * each : (number + 1) * each]
        await asyncio.gather(*(bench.enqueue(namespace, job["metadata"]["name"]) for job in batch))
        await asyncio.sleep(dice.uniform(0.0, 0.08))
        operator.kill()
    operator = bench.operator()
    await bench.launched(namespace, len(jobs))
    await bench.quiet(operator)
    operator.kill()
    found = (await bench.kube.send("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs"))["items"]
    per_job = Counter(job["metadata"]["labels"]["playerscore.dev/job"] for job in found)
    return {"duplicates": sum(number - 1 for number in per_job.values()), "jobs": len(per_job)}


async def failover(bench: Bench, namespace: str) -> Json:
    """From the leader's death, freeze or stop to a Job by the other replica, for a job enqueued at that moment."""
    await bench.namespace(namespace)
    jobs = await bench.scoringjobs(namespace, 3)
    figures: Json = {}
    for number, (name, how) in enumerate(
        (("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP), ("stopped", signal.SIGTERM))
    ):
        leader = bench.operator(PLAYERSCORE_IDENTITY=f"leader-{number}")
        await _until_leading(bench, leader)
        other = bench.operator(PLAYERSCORE_IDENTITY=f"other-{number}")
        await asyncio.sleep(4)
        begin = time.monotonic()
        leader.signal(how)
        await bench.enqueue(namespace, jobs[number]["metadata"]["name"])
        figures[name] = await bench.launched(namespace, number + 1) - begin
        if how == signal.SIGTERM:
            leader.popen.wait(15)
            figures["stop_seconds"] = time.monotonic() - begin
        if how == signal.SIGSTOP:
            # It thaws while another leads: it must give up and change nothing.
            leader.signal(signal.SIGCONT)
            figures["thawed_exit_code"] = await asyncio.to_thread(leader.popen.wait, 30)
        for process in (leader, other):
            process.kill()
        lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/playerscore-operator"
        await bench.kube.send("DELETE", lease)
    found = await bench.kube.count(f"/apis/batch/v1/namespaces/{namespace}/jobs")
    figures["duplicates"] = found - len(jobs)
    return figures


async def _until_leading(bench: Bench, operator: Process) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(aiohttp.ClientError):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{bench.port}/readyz") as answer,
            ):
                if await answer.text() == "leader":
                    return
        if operator.popen.poll() is not None:
            raise RuntimeError(operator.log.read_text()[-2000:])
        await asyncio.sleep(0.05)
    raise RuntimeError(f"nobody leads: {operator.log.read_text()[-2000:]}")


# --- the run --------------------------------------------------------------------------------------------


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


Keep = Callable[[Json, Json], None]
"""Takes a part's figures and ratios into the result."""


async def run(options: argparse.Namespace, keep: Keep) -> None:
    with _plane() as plane:
        async with Kube(plane) as kube:
            bench = Bench(plane, kube)
            await bench.prepare()
            operator = bench.operator(
                PLAYERSCORE_LEASE_SECONDS="600", PLAYERSCORE_RENEW_DEADLINE_SECONDS="500"
            )
            await _until_leading(bench, operator)
            if "burst" in options.parts:
                await _burst(bench, operator, options, keep)
            if "steady" in options.parts:
                found = await steady(bench, operator, "steady", options.steady, 10, previews=False)
                keep({f"{name}_enqueue_to_job_ms": value for name, value in found.items()}, {})
                found = await steady(bench, operator, "steady-large", options.steady, 10, previews=True)
                keep({"enqueue_to_job_ms_with_previews": found}, {})
            if "lives" in options.parts:
                keep(await lives(bench, operator, "lives", 20), {})
            operator.kill()
            await _release(bench)
            if "kills" in options.parts:
                done = await kills(bench, "kills", options.kills)
                found = {
                    f"duplicates_in_{options.kills}_kills": done["duplicates"],
                    "jobs_in_kills": done["jobs"],
                }
                keep(found, {})
                await _release(bench)
            if "failover" in options.parts:
                done = await failover(bench, "failover")
                seconds = round(max(done["killed"], done["frozen"]), 1)
                keep(
                    {
                        "failover_seconds": seconds,
                        "failover": {name: round(value, 1) for name, value in done.items()},
                    },
                    {},
                )


async def _release(bench: Bench) -> None:
    lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/playerscore-operator"
    await bench.kube.send("DELETE", lease)


async def _race_all(
    bench: Bench, operator: Process, manager: Process | None, options: argparse.Namespace
) -> Json:
    """Rounds of the bare client, the operator and JobSet's manager (only where it is given), one after another."""
    previews = manager is None
    kind = "large" if previews else "small"
    rounds: list[Json] = []
    for number in range(options.rounds):
        name = f"{kind}-{number}"
        one: dict[str, Json] = {}
        one["bare"] = await burst_bare(bench, f"bare-{name}", options.count, previews=previews)
        one["ours"] = await burst_ours(bench, operator, f"ours-{name}", options.count, previews=previews)
        if manager is not None:
            one["jobset"] = await burst_jobset(bench, manager, f"jobset-{name}", options.count)
        rounds.append({who: {k: round(v, 2) for k, v in what.items()} for who, what in one.items()})
        print(kind, json.dumps(rounds[-1]), flush=True)

    def middle(of: Callable[[dict[str, Json], str], float]) -> Json:
        return {who: round(statistics.median(of(one, who) for one in rounds), 2) for who in rounds[0]}

    return {
        "per_second": middle(lambda one, who: one[who]["per_second"]),
        "cpu_ms_per_job": middle(lambda one, who: one[who]["cpu_ms_per_job"]),
        "ours_of": middle(lambda one, who: one["ours"]["per_second"] / one[who]["per_second"]),
        "rounds": rounds,
    }


async def _burst(bench: Bench, operator: Process, options: argparse.Namespace, keep: Keep) -> None:
    manager = bench.jobset()
    small = await _race_all(bench, operator, manager, options)
    manager.kill()
    keep(
        {
            f"jobs_per_second_{options.count}": small["per_second"]["ours"],
            "cpu_ms_per_job": small["cpu_ms_per_job"],
            "burst": small,
        },
        {"vs_jobset": small["ours_of"]["jobset"], "of_bare_client": small["ours_of"]["bare"]},
    )
    if options.previews:
        large = await _race_all(bench, operator, None, options)
        keep({"burst_with_previews": large}, {"of_bare_client_with_previews": large["ours_of"]["bare"]})


@contextlib.contextmanager
def _plane() -> Any:
    policy = Path(os.environ.get("TMPDIR", "/tmp")) / f"audit-policy-{os.getpid()}.yaml"
    policy.write_text(json.dumps(AUDIT_POLICY))
    plane = ControlPlane(controllers=True, apiserver_args=[])
    arguments = [f"--audit-policy-file={policy}", f"--audit-log-path={plane.folder / 'audit.log'}"]
    plane.apiserver_args = tuple(arguments)
    try:
        with plane:
            yield plane
    finally:
        policy.unlink()


def _kept(out: Path, figures: Json, ratios: Json) -> None:
    """What other parts found stays."""
    old = json.loads(out.read_text()) if out.exists() else {}
    whole = {
        "command": "make bench-reconcile",
        "machine": machine.described(),
        "figures": old.get("figures", {}) | figures,
        "ratios": old.get("ratios", {}) | ratios,
        "notes": NOTES,
    }
    out.write_text(json.dumps(whole, indent=1) + "\n")
    print(json.dumps({**figures, **ratios}, indent=1), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    everything = ["burst", "steady", "lives", "kills", "failover"]
    parser.add_argument("parts", nargs="*", default=everything, help=f"of {everything}; all by default")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steady", type=int, default=300)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--no-previews", dest="previews", action="store_false", help="only the small jobs")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    asyncio.run(run(options, functools.partial(_kept, options.out)))


if __name__ == "__main__":
    main()
