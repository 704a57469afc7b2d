"""What an admission costs, and whether one ever fails: writes `results/webhook.json`.

    python benchmarks/webhook.py [latency] [ratio] [rotation] [vectors] [rollout] [fuzz]

Without a name all parts run but the fuzzer, which is `make fuzz-webhook`; the figures of parts that do not run
stay. Each part says in `NOTES` how it measures.
"""

import argparse
import asyncio
import base64
import contextlib
import itertools
import json
import math
import os
import random
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import grpc
import httpx
import machine
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from admissioncases import CASES  # the tests' own parts, found by the line above
from builders import (
    make_frame,
    make_player,
    make_preview,
    make_ready_spec,
    make_status,
    make_target,
    make_track,
    manifest,
)
from controlplane import ControlPlane
from livecluster import JOBS_NAMESPACE, SYSTEM_NAMESPACE, Cluster, run, tool
from playerscore.geometry import Box
from reviewfuzz import ANSWERS, attack
from webhooks import (
    HOST,
    Keeper,
    WebhookProcess,
    issued,
    mount,
    register,
    reviewer,
    secret_data,
    served,
    trusting,
)

Json = dict[str, Any]

RESULT = ROOT / "benchmarks" / "results" / "webhook.json"
NOTES = {
    "latency": (
        "the span `Call validating webhook` of the API server's own trace (OTLP, every request sampled): from "
        "the review's encoding to its parsed answer; 50 updates a second of 64 KB objects, each judged for "
        "coherence and stored; five rounds of 20 s, the median of their p99s, in turn with as many rounds in "
        "which the same configuration names an endpoint of the same process that answers at once. Most of the "
        "object is an annotation, because a preview of 16 x 48 boxes (60 KB) costs the API server itself 95 ms "
        "of CPU an update (decoding, schema, garbage) and of 8 x 22 (14 KB) 33 ms, so that two cores take 20 and "
        "50 of them a second. The API server shares both cores with etcd, the webhook and the client, and what "
        "is over 5 ms comes from its garbage collector (`GODEBUG=gctrace=1` beside the spans): its watch cache "
        "keeps every version of 75 s, and at Go's default it collects twice a second or marks 400 MB at a time. "
        "So it has 4 GiB before it collects (GOGC=off, GOMEMLIMIT=4GiB: every 20 s, inside the rounds), no "
        "watch cache for these objects, and 40 s in which to touch its memory. `_default_apiserver` is the same "
        "with an API server as it is shipped: there an endpoint that answers at once has the same tail"
    ),
    "ratio": (
        "requests a second over 4 kept connections, the webhook's one process saturated, against an endpoint of "
        "the same process that reads the same body and answers at once; slices interleaved, the median of "
        "pairs. `of_empty_endpoint`: the reviews of the latency figure, 64 KB objects that are an annotation for "
        "the most part. Where they are a preview, nothing but numbers and names, reading takes longer: "
        "`of_empty_endpoint_8x22` has the default preview (a review of 29 KB), `_16x48` the largest that is "
        "allowed (121 KB), and both are below 0.6. Of the time of "
        "the largest one 43 % are TLS, HTTP and the body, 30 % reading the JSON of both objects, 27 % judging (11 "
        "where nothing else uses the processor's caches). The empty endpoint is an ordinary route of the FastAPI "
        "application, which costs it 0.03 to 0.05 that a review does not pay (`Direct`). `_by_cpu` is the same "
        "from the process' own CPU time"
    ),
    "rotation": (
        "20 updates a second through a real API server for 5 minutes, while the operator's own code replaces "
        "1-minute certificates and their authorities and a stand-in for the kubelet mounts them seconds later; "
        "beside them each second a new connection that trusts just what the configuration says"
    ),
    "vectors": "the tests of tests/support/vectors over every engine; engines_agree is passed of all",
    "rollout": (
        "two replicas behind their Service on kind, 20 updates a second, each pod deleted in turn once the one "
        "before is replaced, then one rollout restart"
    ),
    "fuzz": "`make fuzz-webhook`: tests/support/reviewfuzz.py against the webhook's own process over TLS",
}
SPAN = "Call validating webhook"
JOBS = "/apis/playerscore.dev/v1alpha1/namespaces/{}/scoringjobs"
OBJECTS = 40
"""Writes go to them in turn: two patches of one object at a time would conflict, and be judged again."""
PICKED = Box(0.07, 0.25, 0.0125, 0.25)
PREVIEW_AT_50_A_SECOND = (4, 10)
"""Frames and people of the objects of the latency figure; the rest of their 64 KB is a note."""
NOTE_AT_50_A_SECOND = "x" * 60_000
API_SERVERS: dict[str, tuple[dict[str, str], list[str]]] = {
    "": ({"GOGC": "off", "GOMEMLIMIT": "4GiB"}, ["--watch-cache-sizes=scoringjobs.playerscore.dev#0"]),
    "_default_apiserver": ({}, []),
}
"""Environment and arguments of the API servers that the latency is seen by, by the suffix of their figures."""
WARM_SECONDS = 40
"""Until an API server with 4 GiB has collected once and has no new memory to touch."""
SPANS_SECONDS = 6
"""Spans are sent in batches of five seconds."""


# --- objects and clients -----------------------------------------------------------------------------------


def preview_of(frames: int, people: int, name: str) -> Json:
    """A preview with that many frames and people on each; 16 x 48 is the most that is allowed, 60 KB."""
    crowd = [make_track(number, Box(0.01 * number, 0.25, 0.0125, 0.25)) for number in range(1, people + 1)]
    return manifest(make_preview([make_frame(n, crowd, name=name) for n in range(1, frames + 1)], name=name))


def selection(name: str, *, confirmed: bool) -> Json:
    """A player and his target: a change that is judged against the preview."""
    player = make_player(7, box=PICKED, name=name)
    target = make_target(PICKED, name=name, confirmed=confirmed)
    spec = manifest(make_ready_spec(player_ref=player, target=target))
    return {"player_ref": spec["player_ref"], "target": spec["target"]}


def review_of(frames: int, people: int, note: str = "") -> bytes:
    """The review of such a change, as the API server writes it."""
    name = "match-1"
    job: Json = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob"}
    job["metadata"] = {"name": name, "annotations": {"note": note}}
    job["status"] = manifest(make_status()) | {"preview": preview_of(frames, people, name)}
    video = manifest(make_ready_spec())["video"]
    new, old = (
        {**job, "spec": {"video": video, "suspend": True, **selection(name, confirmed=confirmed)}}
        for confirmed in (True, False)
    )
    request = {"uid": "u", "kind": {"group": "playerscore.dev", "version": "v1alpha1", "kind": "ScoringJob"}}
    request |= {"operation": "UPDATE", "name": name, "namespace": "default", "object": new, "oldObject": old}
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(review, separators=(",", ":")).encode()


class Api:
    """A raw client of an API server."""

    def __init__(self, http: aiohttp.ClientSession, url: str, namespace: str = "default") -> None:
        self._http = http
        self._jobs = url + JOBS.format(namespace)

    async def create(self, name: str, spec: Json, preview: Json | None = None, note: str = "") -> None:
        body: Json = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob"}
        body["metadata"] = {"name": name, "annotations": {"note": note}}
        async with self._http.post(self._jobs, json={**body, "spec": spec}) as answer:
            assert answer.status in (201, 409), await answer.text()
        if preview:
            problem = await self.patch(name, {"status": {"preview": preview}}, "/status")
            assert problem is None, problem

    async def patch(self, name: str, body: Json, part: str = "") -> str | None:
        """Why it failed; None when it was done."""
        headers = {"Content-Type": "application/merge-patch+json"}
        try:
            async with self._http.patch(f"{self._jobs}/{name}{part}", json=body, headers=headers) as answer:
                text = await answer.text()
                return None if answer.status < 300 else f"{answer.status} {text[:400]}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return repr(error)


@contextlib.asynccontextmanager
async def api_of(plane: ControlPlane) -> AsyncIterator[Api]:
    trust = ssl.create_default_context(cafile=str(plane.ca))
    timeout = aiohttp.ClientTimeout(total=15)
    connector = aiohttp.TCPConnector(ssl=trust, limit=32)
    async with aiohttp.ClientSession(headers=plane.headers(), connector=connector, timeout=timeout) as http:
        yield Api(http, plane.url)


async def paced(per_second: float, until: Callable[[int], bool], send: Callable[[int], Any]) -> list[Any]:
    """Send at an even pace whatever the answers do, until told to end; all answers."""
    begin, tasks = time.monotonic(), []
    while not until(len(tasks)):
        tasks.append(asyncio.create_task(send(len(tasks))))
        await asyncio.sleep(max(0.0, begin + len(tasks) / per_second - time.monotonic()))
    return list(await asyncio.gather(*tasks))


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


# --- latency ------------------------------------------------------------------------------------------------


class Spans(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes the API server's traces and keeps how long each call of the webhook took, milliseconds."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  # the service's name for it
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    if span.name == SPAN:
                        taken = span.end_time_unix_nano - span.start_time_unix_nano
                        self.milliseconds.append(taken / 1e6)
        return trace_service_pb2.ExportTraceServiceResponse()


@contextlib.contextmanager
def tracing() -> Iterator[tuple[Spans, list[str]]]:
    """A receiver of traces, and the arguments that make an API server send all of them there."""
    spans = Spans()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(spans, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        kind = {"apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": "TracingConfiguration"}
        json.dump({**kind, "endpoint": f"127.0.0.1:{port}", "samplingRatePerMillion": 1_000_000}, file)
        file.flush()
        yield spans, [f"--tracing-config-file={file.name}"]
    server.stop(1).wait()


def latency() -> Json:
    found: Json = {}
    for suffix, (environment, arguments) in API_SERVERS.items():
        found |= {f"{name}{suffix}": value for name, value in _latency_of(environment, arguments).items()}
    return found


def _latency_of(environment: dict[str, str], arguments: list[str], rounds: int = 5) -> Json:
    """Of the webhook, and of the endpoint that answers at once, seen by an API server of that kind."""
    state = issued()
    with tempfile.TemporaryDirectory() as folder, tracing() as (spans, traced):
        mount(Path(folder), secret_data(state))
        with (
            ControlPlane(apiserver_args=[*traced, *arguments], apiserver_env=environment) as plane,
            EmptyBeside(Path(folder), log=Path(folder) / "log") as webhook,
        ):
            plane.install_crds()
            register(plane, webhook.port)
            change_registration(plane, "caBundle", secret_data(state)["ca.crt"])
            webhook.until_ready()
            alone = first_on_the_cpu(webhook)
            measured = asyncio.run(_latency_rounds(plane, spans, rounds))
            judged = shares_judged(webhook.metrics())
    p50s, p99s = (
        {path: [percentile(each, share) for each in found] for path, found in measured.items()}
        for share in (0.5, 0.99)
    )
    return {
        "p50_ms": round(statistics.median(p50s["/validate"]), 2),
        "p50_ms_empty_endpoint": round(statistics.median(p50s["/empty"]), 2),
        "p99_ms_at_50rps": round(statistics.median(p99s["/validate"]), 2),
        "p99_ms_at_50rps_best_round": round(min(p99s["/validate"]), 2),
        "p99_ms_at_50rps_worst_round": round(max(p99s["/validate"]), 2),
        "p99_ms_at_50rps_all_rounds": round(percentile([*itertools.chain(*measured["/validate"])], 0.99), 2),
        "p99_ms_at_50rps_empty_endpoint": round(statistics.median(p99s["/empty"]), 2),
        "calls_measured": sum(len(each) for each in measured["/validate"]),
        "webhook_first_on_the_cpu": alone,
        "share_judged_within_1_ms": judged["0.001"],
        "share_judged_within_5_ms": judged["0.005"],
    }


async def _latency_rounds(
    plane: ControlPlane, spans: Spans, rounds: int, seconds: int = 20
) -> dict[str, list[list[float]]]:
    """The durations of each round, milliseconds, by endpoint; in turn. Raises AssertionError when a write fails."""
    names = [f"large-{number}" for number in range(OBJECTS)]
    found: dict[str, list[list[float]]] = {"/validate": [], "/empty": []}
    async with api_of(plane) as api:
        for name in names:
            await api.create(
                name,
                {"video": {"uri": "s3://a/b"}},
                preview_of(*PREVIEW_AT_50_A_SECOND, name),
                NOTE_AT_50_A_SECOND,
            )

        async def send(number: int) -> str | None:
            name, confirmed = names[number % OBJECTS], number // OBJECTS % 2 == 0
            return await api.patch(name, {"spec": selection(name, confirmed=confirmed)})

        async def one_round(length: int) -> list[float]:
            spans.milliseconds.clear()
            problems = await paced(50, lambda sent: sent >= 50 * length, send)
            assert not any(problems), next(filter(None, problems))
            await asyncio.sleep(SPANS_SECONDS)
            return list(spans.milliseconds)

        await one_round(WARM_SECONDS)
        for path in list(found) * rounds:
            await asyncio.to_thread(change_registration, plane, "service/path", path)
            found[path].append(await one_round(seconds))
            p50, p99 = (percentile(found[path][-1], share) for share in (0.5, 0.99))
            print(f"latency of {path}: p50 {p50:.2f}, p99 {p99:.2f} ms", flush=True)
    return found


def change_registration(plane: ControlPlane, field: str, value: str) -> None:
    """Set a field of the webhook's `clientConfig`, and wait until the API server has seen it."""
    patch = [{"op": "add", "path": f"/webhooks/0/clientConfig/{field}", "value": value}]
    where = ("validatingwebhookconfiguration", "playerscore")
    plane.kubectl("patch", *where, "--type=json", "-p", json.dumps(patch))
    time.sleep(2)


def first_on_the_cpu(webhook: WebhookProcess) -> bool:
    """Let it run before the API server beside it, as on a node of its own, where that is allowed."""
    try:
        os.sched_setscheduler(webhook.process.pid, os.SCHED_FIFO, os.sched_param(50))
    except PermissionError:
        return False
    return True


def shares_judged(metrics: str) -> dict[str, float]:
    """Shares of the reviews by the webhook's own histogram: body read to answer made."""
    lines = [line for line in metrics.splitlines() if "review_seconds_bucket" in line]
    counts = {line.split('le="')[1].split('"')[0]: float(line.split()[-1]) for line in lines}
    return {bound: round(count / counts["+Inf"], 4) for bound, count in counts.items()}


# --- against an empty endpoint --------------------------------------------------------------------------------


def serve_beside_an_empty_endpoint() -> None:
    """The webhook with one more address, `/empty`, in a process of its own (see `EmptyBeside`)."""
    import uvloop
    from starlette.requests import Request
    from starlette.responses import Response

    from playerscore import logs
    from playerscore_webhook.server import Webhook, serve
    from playerscore_webhook.settings import Settings

    answer = b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"%s","allowed":true}}'

    async def empty(request: Request) -> Response:
        body = await request.body()
        begin = body.index(b'"uid":"') + 7  # the request's own: an API server writes it first
        return Response(answer % body[begin : body.index(b'"', begin)], media_type="application/json")

    logs.configure("error")
    webhook = Webhook(Settings())
    webhook.reviews.rest.add_route("/empty", empty, methods=["POST"])
    uvloop.run(serve(webhook))


class EmptyBeside(WebhookProcess):
    """The same process with the empty endpoint."""

    command = (sys.executable, str(Path(__file__)), "--serve")


def ratio(slices: int = 14, seconds: float = 1.0) -> Json:
    state = issued()
    bodies = {
        "": review_of(*PREVIEW_AT_50_A_SECOND, NOTE_AT_50_A_SECOND),
        "_8x22": review_of(8, 22),
        "_16x48": review_of(16, 48),
    }
    wanted = {"bodiless": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"}
    for size, body in bodies.items():
        wanted |= {f"empty{size}": _post(b"/empty", body), f"review{size}": _post(b"/validate", body)}
    rates: dict[str, list[float]] = {name: [] for name in wanted}
    spent: dict[str, list[float]] = {name: [] for name in wanted}
    with tempfile.TemporaryDirectory() as folder:
        mount(Path(folder), secret_data(state))
        with EmptyBeside(Path(folder)) as webhook:
            webhook.until_ready()
            for _ in range(slices):
                for name, request in wanted.items():
                    before = webhook.cpu_seconds()
                    count = _load(webhook.port, secret_data(state)["ca.crt"], request, seconds)
                    rates[name].append(count / seconds)
                    spent[name].append((webhook.cpu_seconds() - before) / count * 1e6)
    found: Json = {"figures": {"reviews_per_second": round(statistics.median(rates["review"]))}}
    cpu = {name: statistics.median(values) for name, values in spent.items()}
    for size, body in bodies.items():
        pairs = zip(rates[f"review{size}"], rates[f"empty{size}"], strict=True)
        found[f"of_empty_endpoint{size}"] = round(statistics.median(one / other for one, other in pairs), 3)
        found[f"of_empty_endpoint{size}_by_cpu"] = round(cpu[f"empty{size}"] / cpu[f"review{size}"], 3)
        found["figures"][f"review{size}_kb"] = round(len(body) / 1000)
    found["figures"] |= {f"cpu_us_{name}": round(value) for name, value in cpu.items()}
    return found


def _post(path: bytes, body: bytes) -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (path, len(body)) + body


def _load(port: int, bundle: str, request: bytes, seconds: float, connections: int = 4) -> int:
    """How many answers 4 connections got that send again as soon as they have one."""
    counts = [0] * connections
    end = time.perf_counter() + seconds

    def go(number: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            trusting(bundle).wrap_socket(raw, server_hostname=HOST) as line,
            line.makefile("rb") as answers,
        ):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while time.perf_counter() < end:
                line.sendall(request)
                status, length = answers.readline(), 0
                assert b" 200 " in status, status
                while (header := answers.readline()) != b"\r\n":
                    if header.lower().startswith(b"content-length"):
                        length = int(header.split(b":")[1])
                answers.read(length)
                counts[number] += 1

    threads = [threading.Thread(target=go, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


# --- rotation -------------------------------------------------------------------------------------------------


def rotation(seconds: int = 300) -> Json:
    lives = {"webhook_leaf_seconds": 60, "webhook_authority_seconds": 120, "certificate_check_seconds": 2}
    lives |= {"webhook_settle_seconds": 5, "webhook_overlap_seconds": 15}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with (
            ControlPlane() as plane,
            WebhookProcess(place, log=place / "log", certificate_poll_seconds=2) as webhook,
        ):
            plane.install_crds()
            register(plane, webhook.port)
            with Keeper(plane, place, sync_seconds=5, **lives) as keeper:
                webhook.until_ready()
                time.sleep(8)
                failed, sent, handshakes = asyncio.run(_under_load(plane, webhook, seconds))
            after = webhook.rss_mb()
    print(f"rotation: {len(failed)} of {sent} failed", *failed[:3], sep="\n  ")
    return {
        "failed_during_rotation": len(failed),
        "rotation_requests": sent,
        "rotation_certificates": len(keeper.serials),
        "rotation_bundles": len(keeper.bundles),
        "rotation_new_connections": handshakes,
        "rotation_rss_mb": after,
    }


async def _under_load(
    plane: ControlPlane, webhook: WebhookProcess, seconds: int
) -> tuple[list[str], int, int]:
    """What failed, how many writes were sent, how many connections were made beside them."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/playerscore"
    trust = ssl.create_default_context(cafile=str(plane.ca))
    end = time.monotonic() + seconds
    failed: list[str] = []
    async with api_of(plane) as api:
        with httpx.Client(base_url=plane.url, headers=plane.headers(), verify=trust) as reader:
            await asyncio.gather(
                *(api.create(f"steady-{n}", {"video": {"uri": "s3://a/b"}}) for n in range(OBJECTS))
            )

            def connect() -> str | None:
                bundle = reader.get(path).json()["webhooks"][0]["clientConfig"]["caBundle"]
                try:
                    served(webhook, bundle)
                except (OSError, ssl.SSLError) as error:
                    return f"new connection: {error!r}"
                return None

            async def write(number: int) -> str | None:
                return await api.patch(
                    f"steady-{number % OBJECTS}", {"spec": {"displayName": f"write {number}"}}
                )

            async def look(_number: int) -> str | None:
                return await asyncio.to_thread(connect)

            def over(_sent: int) -> bool:
                return time.monotonic() >= end

            written, looked = await asyncio.gather(paced(20, over, write), paced(1, over, look))
    failed = [problem for problem in (*written, *looked) if problem]
    return failed, len(written), len(looked)


# --- vectors --------------------------------------------------------------------------------------------------


def vectors() -> Json:
    engines = {
        "rule": "tests/unit/playerscore/test_vectors.py",
        "operator": "tests/unit/playerscore/test_vectors_operator.py",
        "webhook, policy, both, REST": "tests/apiserver/test_vectors.py",
    }
    passed = total = 0
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *engines.values()]
        subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        for case in ElementTree.parse(report).iter("testcase"):
            total += 1
            passed += not any(child.tag in ("failure", "error") for child in case)
    return {
        "vectors": len(CASES),
        "engines_agree": round(passed / total, 4),
        "engine_checks": total,
        "engines": list(engines),
    }


# --- rollout --------------------------------------------------------------------------------------------------


class Kind:
    """The project's cluster with two replicas of the webhook, at 20 writes a second."""

    def __init__(self) -> None:
        self.cluster = Cluster.up()
        helm = (tool("helm"), f"--kubeconfig={self.cluster.kubeconfig}", "-n", SYSTEM_NAMESPACE)
        chart = str(ROOT / "charts" / "playerscore")
        options = ("--reuse-values", "--set=webhook.replicas=2", "--wait", "--timeout=5m")
        run(*helm, "upgrade", "playerscore", chart, *options)

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", SYSTEM_NAMESPACE, *arguments)

    def pods(self) -> list[str]:
        chosen = "-l=app.kubernetes.io/component=webhook"
        found = json.loads(self.kubectl("get", "pods", chosen, "-o", "json"))["items"]
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def settled(self) -> None:
        """Wait until two replicas are ready and no other is left."""
        self.kubectl("rollout", "status", "deployment/playerscore-webhook", "--timeout=180s")
        names = [f"pod/{name}" for name in self.pods()]
        self.kubectl("wait", "--for=condition=Ready", *names, "--timeout=180s")

    def replace_all(self, times: int) -> int:
        """Delete each pod in turn, then roll the Deployment once; how many pods were replaced."""
        count = 0
        for _ in range(times):
            for pod in self.pods():
                self.kubectl("delete", "pod", pod, "--wait=true")
                self.settled()
                count += 1
        self.kubectl("rollout", "restart", "deployment/playerscore-webhook")
        self.settled()
        time.sleep(15)  # the last ones leave
        return count + 2

    def rss_mb(self) -> list[float]:
        """Resident memory of each replica, megabytes."""
        read = "print(open('/proc/1/status').read().split('VmRSS:')[1].split()[0])"
        kilobytes = [int(self.kubectl("exec", pod, "--", "python", "-c", read)) for pod in self.pods()]
        return [round(value * 1024 / 1e6, 1) for value in kilobytes]

    def session(self) -> tuple[aiohttp.ClientSession, str]:
        """A client with the admin's certificate, and the API server's address."""
        config = json.loads(self.cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(server["certificate-authority-data"]).decode()
        trust = ssl.create_default_context(cadata=authority)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("client-certificate", "client-key"):
                (Path(folder) / name).write_bytes(base64.b64decode(user[f"{name}-data"]))
            trust.load_cert_chain(Path(folder) / "client-certificate", Path(folder) / "client-key")
        connector = aiohttp.TCPConnector(ssl=trust, limit=32)
        timeout = aiohttp.ClientTimeout(total=15)
        return aiohttp.ClientSession(connector=connector, timeout=timeout), server["server"]


def rollout(times: int = 3) -> Json:
    kind = Kind()
    kind.settled()
    before = kind.rss_mb()
    failed, sent, replaced = asyncio.run(_during_rollout(kind, times))
    print(f"rollout: {len(failed)} of {sent} failed", *failed[:3], sep="\n  ")
    return {
        "failed_during_rollout": len(failed),
        "rollout_requests": sent,
        "rollout_replaced_pods": replaced,
        "rollout_replica_rss_mb": before,
    }


async def _during_rollout(kind: Kind, times: int) -> tuple[list[str], int, int]:
    http, url = kind.session()
    async with http:
        api = Api(http, url, JOBS_NAMESPACE)
        # Somebody else's job: the operator leaves it alone.
        spec = {"video": {"uri": "s3://a/b"}, "managedBy": "example.com/bench"}
        names = [f"bench-rollout-{number}" for number in range(OBJECTS)]
        await asyncio.gather(*(api.create(name, spec) for name in names))

        async def write(number: int) -> str | None:
            return await api.patch(names[number % OBJECTS], {"spec": {"displayName": f"write {number}"}})

        replacing = asyncio.create_task(asyncio.to_thread(kind.replace_all, times))
        written = await paced(20, lambda _sent: replacing.done(), write)
        replaced = await replacing
    kind.cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "scoringjob", *names)
    return [problem for problem in written if problem], len(written), replaced


# --- fuzz -----------------------------------------------------------------------------------------------------


def fuzz(seconds: int = 600, seed: int = 1) -> Json:
    state, rng = issued(), random.Random(seed)
    taken: list[float] = []
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        mount(Path(folder), secret_data(state))
        log = Path(folder) / "log"
        with (
            WebhookProcess(Path(folder), log=log) as webhook,
            reviewer(webhook, secret_data(state)["ca.crt"], timeout=30) as client,
        ):
            webhook.until_ready()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                status, spent = _fuzzed(client, rng.getrandbits(64))
                taken.append(spent)
                found[status] = found.get(status, 0) + 1
            alive, after = webhook.process.poll() is None, webhook.rss_mb()
        tracebacks = log.read_text().count("Traceback")
    assert alive, "the webhook ended"
    return {
        "fuzz_seconds": seconds,
        "fuzz_requests": len(taken),
        "fuzz_unexpected": sum(count for status, count in found.items() if status not in map(str, ANSWERS)),
        "fuzz_tracebacks": tracebacks,
        "fuzz_over_1_s": sum(value > 1 for value in taken),
        "fuzz_slowest_ms": round(max(taken) * 1000),
        "fuzz_answers": dict(sorted(found.items())),
        "fuzz_rss_mb": after,
    }


def _fuzzed(client: httpx.Client, seed: int) -> tuple[str, float]:
    """Status and seconds of one attack; one that took a second is made again, to tell it from a busy machine."""
    status, spent = "", 2.0
    for _ in range(2):
        sent = attack(random.Random(seed))
        content = iter([sent.content]) if sent.chunked else sent.content
        begin = time.monotonic()
        try:
            answer = client.post("/validate", content=content, headers={"Content-Type": sent.content_type})
            answer.json()
            status = str(answer.status_code)
        except (httpx.HTTPError, ValueError) as error:
            status = f"{type(error).__name__} of seed {seed}"
        spent = min(spent, time.monotonic() - begin)
        if spent <= 1:
            break
    if status not in map(str, ANSWERS) or spent > 1:
        print(f"seed {seed}: {status} after {spent:.2f} s")
    return status, spent


# --- the result -----------------------------------------------------------------------------------------------


PARTS: dict[str, Callable[[], Json]] = {
    "latency": latency,
    "ratio": ratio,
    "rotation": rotation,
    "vectors": vectors,
    "rollout": rollout,
    "fuzz": fuzz,
}


def write(part: str, found: Json) -> None:
    """Put a part's figures into the result; those of other parts stay."""
    known: Json = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    figures, ratios = known.get("figures", {}), known.get("ratios", {})
    if part == "ratio":
        figures |= found.pop("figures")
        ratios |= found
    else:
        figures |= found
    machines = known.get("machine", {}) | {part: machine.described()}
    whole = {"command": "make bench-webhook", "machine": machines, "figures": figures, "ratios": ratios}
    RESULT.write_text(json.dumps({**whole, "notes": NOTES}, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve_beside_an_empty_endpoint()
        return 0
    for part in chosen.parts or [name for name in PARTS if name != "fuzz"]:
        found = PARTS[part]()
        print(part, json.dumps(found))
        write(part, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
