"""What the REST API costs beside Kubernetes, and what an open event stream costs.

`make bench-api` starts an API server, the store and the API, and writes `results/api.json`. Each call is made
through the API and as the same calls to Kubernetes (a step is a GET and a PATCH), in short slices that take turns
within the same run, by as many callers at once; a ratio is the median over the pairs of slices. Jobs carry a preview
of 8 frames with 22 people, as a real one does. Streams are opened a few at a time, all at once, and all at once while
Kubernetes does not answer, each on a fresh replica.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import machine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from apilab import Lab, running_api, running_lab
from builders import make_frame, make_preview, make_track, manifest
from playerscore import names
from playerscore.geometry import Box

RESULT = ROOT / "benchmarks" / "results" / "api.json"
JOBS = 1000
STREAMS = 200
CALLERS = 8
ROUNDS = 7
SLICE_SECONDS = 2.0
LIST_SLICE_SECONDS = 4.0
LIST_CALLERS = 2
SETTLE_SECONDS = 5.0
QUIET_SECONDS = 10.0
FROZEN_SECONDS = 17.0
"""Longer than the API waits for any call."""
TRACKS = 22
KIND = "/apis/playerscore.dev/v1alpha1/namespaces/default/scoringjobs"
MERGE = {"Content-Type": "application/merge-patch+json"}
NOTE = (
    "Callers, API, API server and etcd share the machine. A step through the API is a GET, the judgement and a PATCH, "
    "beside the GET and the PATCH that it is compared with. The direct list of 1,000 is one call whose 15 MB nobody "
    "parses. Rates and ratios are medians over slices that take turns; CPU is that of one call (an enqueue with the "
    "pause before it). The frozen burst is opened while the API server is stopped for 17 s."
)
Json = dict[str, Any]
Call = Callable[[int], Awaitable[float]]
"""One call by one caller; returns its seconds."""


class Doors(NamedTuple):
    """Both ways to the same jobs, with the same token."""

    api: aiohttp.ClientSession
    kubernetes: aiohttp.ClientSession


@asynccontextmanager
async def doors(lab: Lab, url: str) -> AsyncIterator[Doors]:
    """Sessions to the API at that address and to Kubernetes."""
    headers = {"Authorization": f"Bearer {lab.editor_token}"}
    tls = ssl.create_default_context(cafile=str(lab.plane.ca))
    async with AsyncExitStack() as stack:
        made = []
        for base, context in ((url, None), (lab.plane.url, tls)):
            connector = aiohttp.TCPConnector(limit=0, ssl=context if context else True)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=30)
            session = aiohttp.ClientSession(base, headers=headers, connector=connector, timeout=timeout)
            made.append(await stack.enter_async_context(session))
        yield Doors(*made)


def preview(name: str) -> Json:
    """8 frames with 22 people each."""
    boxes = [Box(0.04 * number, 0.25, 0.03, 0.125) for number in range(TRACKS)]
    tracks = [make_track(number + 1, box) for number, box in enumerate(boxes)]
    frames = [make_frame(number, tracks, name=name) for number in range(1, 9)]
    return manifest(make_preview(frames, name=name))


async def fill(lab: Lab, to: Doors) -> None:
    """1,000 jobs, each with a preview."""
    admin = {"Authorization": f"Bearer {lab.plane.admin_token}", **MERGE}
    numbers = iter(range(JOBS))

    async def some() -> None:
        for number in numbers:
            name = job(number)
            spec = {"video": {"uri": "s3://playerscore/default/uploads/match.mp4"}}
            body = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "spec": spec}
            await _read(to.kubernetes.post(KIND, json={**body, "metadata": {"name": name}}))
            status = json.dumps({"status": {"preview": preview(name)}})
            await _read(to.kubernetes.patch(f"{KIND}/{name}/status", data=status, headers=admin))

    await asyncio.gather(*(some() for _ in range(CALLERS)))


def job(number: int) -> str:
    return f"bench-{number:04d}"


async def _read(request: Any) -> bytes:
    async with request as answer:
        raw: bytes = await answer.read()
        assert answer.status < 300, f"{answer.status} {raw[:300]!r}"
        return raw


class Callers:
    """Each call, through the API and as the same calls to Kubernetes; by one caller, on his own job."""

    def __init__(self, to: Doors) -> None:
        self.to = to
        self._turn = itertools.count()

    def pairs(self) -> dict[str, tuple[Call, Call]]:
        return {
            "get": (self.get, self.get_directly),
            "list_1000": (self.listed, self.listed_directly),
            "pick": (self.pick, self.pick_directly),
            "enqueue": (self.enqueue, self.enqueue_directly),
        }

    def _track(self) -> int:
        return next(self._turn) % TRACKS + 1

    async def get(self, number: int) -> float:
        return await _timed(lambda: _read(self.to.api.get(f"/jobs/{job(number)}")))

    async def get_directly(self, number: int) -> float:
        return await _timed(lambda: _read(self.to.kubernetes.get(f"{KIND}/{job(number)}")))

    async def listed(self, _: int) -> float:
        return await _timed(lambda: _read(self.to.api.get(f"/jobs?limit={JOBS}")))

    async def listed_directly(self, _: int) -> float:
        return await _timed(lambda: _read(self.to.kubernetes.get(f"{KIND}?limit={JOBS}")))

    async def pick(self, number: int) -> float:
        body = {"frame_key": names.frame_key(job(number), 1), "track_id": self._track()}
        return await _timed(lambda: _read(self.to.api.post(f"/jobs/{job(number)}/pick-player", json=body)))

    async def pick_directly(self, number: int) -> float:
        key, box = names.frame_key(job(number), 1), {"x": 0.04, "y": 0.25, "w": 0.03, "h": 0.125}
        player = {"frame_key": key, "track_id": self._track(), "bbox": box, "time_sec": 0.0}
        spec = {"player_ref": player, "target": {"frame_key": key, "bbox": box, "confirmed": False}}
        return await _timed(lambda: _patched(self.to, job(number), spec))

    async def enqueue(self, number: int) -> float:
        await _read(self.to.api.post(f"/jobs/{job(number)}/pause"))
        return await _timed(lambda: _read(self.to.api.post(f"/jobs/{job(number)}/enqueue")))

    async def enqueue_directly(self, number: int) -> float:
        await _patched(self.to, job(number), {"suspend": True})
        return await _timed(lambda: _patched(self.to, job(number), {"suspend": False}))


async def _patched(to: Doors, name: str, spec: Json) -> None:
    stored = json.loads(await _read(to.kubernetes.get(f"{KIND}/{name}")))
    version = stored["metadata"]["resourceVersion"]
    body = json.dumps({"metadata": {"resourceVersion": version}, "spec": spec})
    await _read(to.kubernetes.patch(f"{KIND}/{name}", data=body, headers=MERGE))


async def _timed(what: Callable[[], Awaitable[Any]]) -> float:
    begin = time.perf_counter()
    await what()
    return time.perf_counter() - begin


async def confirm_all(to: Doors) -> None:
    """The jobs of the callers, ready to be enqueued."""
    for number in range(CALLERS):
        key = names.frame_key(job(number), 1)
        await _read(to.api.post(f"/jobs/{job(number)}/pick-player", json={"frame_key": key, "track_id": 1}))
        await _read(to.api.post(f"/jobs/{job(number)}/target", json={}))


class Cost(NamedTuple):
    """CPU seconds, of the API and of Kubernetes' API server."""

    api: float
    kubernetes: float


class Slice(NamedTuple):
    """Some seconds of one call by one door."""

    seconds: list[float]
    rate: float
    cost: Cost
    """For each call."""


class Bench(NamedTuple):
    """What is measured: a replica of the API, by its process, in front of Kubernetes."""

    lab: Lab
    to: Doors
    api: int

    @property
    def kubernetes(self) -> int:
        return self.lab.plane.process("kube-apiserver").pid

    def cost(self) -> Cost:
        return Cost(cpu_seconds(self.api), cpu_seconds(self.kubernetes))


async def measure(bench: Bench, call: Call, callers: int, lasts: float) -> Slice:
    """A slice in which so many callers make one call after another."""
    before, end = bench.cost(), time.perf_counter() + lasts
    taken: list[float] = []

    async def caller(number: int) -> None:
        while time.perf_counter() < end:
            taken.append(await call(number))

    await asyncio.gather(*(caller(number) for number in range(callers)))
    spent = [(now - then) / len(taken) for now, then in zip(bench.cost(), before, strict=True)]
    return Slice(taken, callers / statistics.fmean(taken), Cost(*spent))


async def compare(bench: Bench, figures: Json, ratios: Json) -> None:
    """Requests per second, p99 and CPU of each call, by both doors in turns."""
    for name, both in Callers(bench.to).pairs().items():
        listing = name == "list_1000"
        callers, lasts = (LIST_CALLERS, LIST_SLICE_SECONDS) if listing else (CALLERS, SLICE_SECONDS)
        if name == "enqueue":
            await confirm_all(bench.to)
        doors_: tuple[list[Slice], list[Slice]] = ([], [])
        for _ in range(ROUNDS):
            for call, slices in zip(both, doors_, strict=True):
                slices.append(await measure(bench, call, callers, lasts))
        for door, slices in zip(("api", "kubernetes"), doors_, strict=True):
            figures |= summary(f"{name}_{door}", slices)
        pairs = [ours.rate / theirs.rate for ours, theirs in zip(*doors_, strict=True)]
        ratios[f"{name}_of_kubernetes"] = round(statistics.median(pairs), 3)
        print(name, ratios[f"{name}_of_kubernetes"], "of Kubernetes", file=sys.stderr)


def summary(name: str, slices: list[Slice]) -> Json:
    """What the slices of one call by one door say together."""
    seconds = [each for slice_ in slices for each in slice_.seconds]
    cpu = {part: statistics.median(getattr(slice_.cost, part) for slice_ in slices) for part in Cost._fields}
    parts = Cost._fields if name.endswith("_api") else ("kubernetes",)
    return {
        f"{name}_calls": len(seconds),
        f"{name}_per_second": round(statistics.median(slice_.rate for slice_ in slices), 1),
        f"{name}_p50_ms": round(1000 * statistics.median(seconds), 1),
        f"{name}_p99_ms": round(1000 * statistics.quantiles(seconds, n=100, method="inclusive")[98], 1),
        **{f"{name}_cpu_ms_of_{part}": round(1000 * cpu[part], 2) for part in parts},
    }


class Stream:
    """One reader of events."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 0
        self.began = asyncio.Event()
        """The first events have come, or none will."""
        self.broken = False
        self.told = 0.0

    async def read(self, to: Doors, opening: asyncio.Semaphore) -> None:
        """Follow the job; a place in `opening` is taken until the stream has begun."""
        async with opening:
            follow = asyncio.create_task(self._follow(to))
            await self.began.wait()
        try:
            await follow
        finally:
            follow.cancel()

    async def _follow(self, to: Doors) -> None:
        try:
            async with to.api.get(f"/jobs/{self.name}/events") as answer:
                self.status = answer.status
                async for line in answer.content:
                    if line.startswith(b"event: job"):
                        self.began.set()
                    if line.startswith(b'data: {"percent":77}'):
                        self.told = time.perf_counter()
                    self.broken = self.broken or line.startswith(b"event: error")
            self.broken = self.broken or self.status == 200
        except aiohttp.ClientError:
            self.broken = True
        finally:
            self.began.set()


@asynccontextmanager
async def opened(bench: Bench, at_once: int) -> AsyncIterator[list[Stream]]:
    """So many streams, opened so many at a time."""
    streams = [Stream(job(number)) for number in range(STREAMS)]
    opening = asyncio.Semaphore(at_once)
    readers = [asyncio.create_task(stream.read(bench.to, opening)) for stream in streams]
    try:
        for stream in streams:
            await stream.began.wait()
        yield streams
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def follow_all(bench: Bench, at_once: int) -> Json:
    """How 200 streams are opened, what they cost in memory and CPU, and how late their events come."""
    await _read(bench.to.api.get(f"/jobs/{job(0)}"))  # what is made once, for any number
    idle, begin = resident(bench.api), time.perf_counter()
    async with opened(bench, at_once) as streams:
        took = time.perf_counter() - begin
        await asyncio.sleep(SETTLE_SECONDS)
        held, before = resident(bench.api), cpu_seconds(bench.api)
        await asyncio.sleep(QUIET_SECONDS)
        quiet = (cpu_seconds(bench.api) - before) / QUIET_SECONDS
        served = [stream for stream in streams if stream.status == 200 and not stream.broken]
        delays = [await _told(bench, stream) for stream in served]
        most = resident(bench.api)
        found = counted(streams)
    return found | {
        "opened_in_seconds": round(took, 2),
        "rss_mb_idle": round(idle / 2**20, 1),
        "rss_mb_with_streams": round(held / 2**20, 1),
        "kb_per_stream": round((held - idle) / STREAMS / 1024, 1),
        "kb_per_stream_after_events": round((most - idle) / STREAMS / 1024, 1),
        "cpu_share_of_quiet_streams": round(quiet, 4),
        "event_delay_p50_ms": round(1000 * statistics.median(delays), 1),
        "event_delay_p99_ms": round(1000 * statistics.quantiles(delays, n=100, method="inclusive")[98], 1),
    }


async def follow_frozen(bench: Bench) -> Json:
    """200 streams at once while Kubernetes does not answer, and then does."""
    frozen = bench.kubernetes
    await _read(bench.to.api.get(f"/jobs/{job(0)}"))

    async def thaw() -> None:
        await asyncio.sleep(FROZEN_SECONDS)
        os.kill(frozen, signal.SIGCONT)

    os.kill(frozen, signal.SIGSTOP)
    waking = asyncio.create_task(thaw())
    try:
        async with opened(bench, STREAMS) as streams:
            await waking
            await asyncio.sleep(SETTLE_SECONDS)
            return counted(streams)
    finally:
        os.kill(frozen, signal.SIGCONT)


def counted(streams: list[Stream]) -> Json:
    """How many streams were served, refused before they began, and broken after that."""
    broken = sum(stream.broken for stream in streams)
    served = sum(stream.status == 200 and not stream.broken for stream in streams)
    return {"served": served, "refused": len(streams) - served - broken, "broken": broken}


async def _told(bench: Bench, stream: Stream) -> float:
    """Seconds from a finished status write to its event."""
    admin = {"Authorization": f"Bearer {bench.lab.plane.admin_token}", **MERGE}
    status = json.dumps({"status": {"progress": {"percent": 77}}})
    await _read(bench.to.kubernetes.patch(f"{KIND}/{stream.name}/status", data=status, headers=admin))
    written = time.perf_counter()
    while not stream.told and time.perf_counter() < written + 10:
        await asyncio.sleep(0.0005)
    await _untold(bench, stream.name)
    return max(0.0, (stream.told or written + 10) - written)


async def _untold(bench: Bench, name: str) -> None:
    """For the next who follows it."""
    admin = {"Authorization": f"Bearer {bench.lab.plane.admin_token}", **MERGE}
    await _read(
        bench.to.kubernetes.patch(
            f"{KIND}/{name}/status", data='{"status": {"progress": null}}', headers=admin
        )
    )


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def replica(lab: Lab) -> AsyncIterator[Bench]:
    """A fresh replica of the API."""
    with running_api(lab.plane, lab.folder, lab.s3) as (url, process):
        async with doors(lab, url) as to:
            yield Bench(lab, to, process.pid)


async def run(lab: Lab, only_streams: bool) -> tuple[Json, Json]:
    figures: Json = {"streams": STREAMS}
    ratios: Json = {}
    async with doors(lab, lab.url) as to:
        await fill(lab, to)
        print(f"{JOBS} jobs are there", file=sys.stderr)
    for name, at_once in (("ramp", CALLERS), ("burst", STREAMS)):
        async with replica(lab) as bench:
            found = await follow_all(bench, at_once)
        print(name, found, file=sys.stderr)
        figures |= {f"{name}_{key}": value for key, value in found.items()}
    async with replica(lab) as bench:
        found = await follow_frozen(bench)
    print("frozen", found, file=sys.stderr)
    figures |= {f"frozen_burst_{key}": value for key, value in found.items()}
    if not only_streams:
        async with replica(lab) as bench:
            await compare(bench, figures, ratios)
    return figures, ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", action="store_true", help="only the event streams; writes nothing")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_lab(Path(folder)) as lab:
        figures, ratios = asyncio.run(run(lab, chosen.streams))
    written = {
        "command": "make bench-api",
        "machine": machine.described(),
        "note": NOTE,
        "figures": figures,
        "ratios": ratios,
    }
    if not chosen.streams:
        RESULT.write_text(json.dumps(written, indent=1) + "\n")
    print(json.dumps(written, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
