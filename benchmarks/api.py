"""What the REST API costs beside Kubernetes, and what an open event stream costs.

`make bench-api` starts an API server, the store and the API, and writes `results/api.json`. Each call is made
through the API and as the same calls to Kubernetes (a step is a GET and a PATCH), in turns within the same run, by
as many callers at once. Jobs carry a preview of 8 frames with 22 people, as a real one does.
"""

import argparse
import asyncio
import itertools
import json
import os
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
ROUNDS = 3
SECONDS = 3.0
TRACKS = 22
KIND = "/apis/playerscore.dev/v1alpha1/namespaces/default/scoringjobs"
MERGE = {"Content-Type": "application/merge-patch+json"}
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


async def _read(request: Any) -> Json:
    async with request as answer:
        raw = await answer.read()
        assert answer.status < 300, f"{answer.status} {raw[:300]!r}"
        found: Json = json.loads(raw) if len(raw) < 100_000 else {}
        return found


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
    version = (await _read(to.kubernetes.get(f"{KIND}/{name}")))["metadata"]["resourceVersion"]
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


async def measure(call: Call, callers: int) -> list[float]:
    """The seconds of every call that so many callers make one after another."""
    end = time.perf_counter() + SECONDS
    taken: list[float] = []

    async def caller(number: int) -> None:
        while time.perf_counter() < end:
            taken.append(await call(number))

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return taken


async def compare(to: Doors, figures: Json, ratios: Json) -> None:
    """Requests per second and p99 of each call, by both doors in turns."""
    for name, both in Callers(to).pairs().items():
        callers = 2 if name == "list_1000" else CALLERS
        if name == "enqueue":
            await confirm_all(to)
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            for call, seconds in zip(both, taken, strict=True):
                seconds += await measure(call, callers)
        rates = [callers / statistics.fmean(seconds) for seconds in taken]
        for door, seconds, rate in zip(("api", "kubernetes"), taken, rates, strict=True):
            figures[f"{name}_{door}_per_second"] = round(rate, 1)
            figures[f"{name}_{door}_p50_ms"] = round(1000 * statistics.median(seconds), 1)
            figures[f"{name}_{door}_p99_ms"] = round(1000 * statistics.quantiles(seconds, n=100)[98], 1)
        ratios[f"{name}_of_kubernetes"] = round(rates[0] / rates[1], 3)
        print(name, f"{rates[0]:.1f}/s, {ratios[f'{name}_of_kubernetes']} of Kubernetes", file=sys.stderr)


async def streams(lab: Lab, to: Doors, pid: int) -> Json:
    """Memory and CPU of 200 open streams, and how late their events come."""
    idle = resident(pid)
    arrived: dict[str, float] = {}
    broken: list[str] = []
    ready = asyncio.Semaphore(0)

    opening = asyncio.Semaphore(CALLERS)

    async def follow(number: int) -> None:
        async with opening:
            answer = await to.api.get(f"/jobs/{job(number)}/events")
            assert answer.status == 200, await answer.text()
            ready.release()
        async with answer:
            async for line in answer.content:
                if line.startswith(b'data: {"percent":77}'):
                    arrived[job(number)] = time.perf_counter()
                if line.startswith(b"event: error"):
                    broken.append(job(number))

    readers = [asyncio.create_task(follow(number)) for number in range(STREAMS)]
    for _ in readers:
        await ready.acquire()
    await asyncio.sleep(5)
    held, before = resident(pid), cpu_seconds(pid)
    await asyncio.sleep(10)
    quiet = (cpu_seconds(pid) - before) / 10
    open_ones = [number for number in range(STREAMS) if job(number) not in broken]
    delays = [await _told(lab, to, number, arrived) for number in open_ones]
    most = resident(pid)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    return {
        "streams": STREAMS,
        "streams_broken": len(broken),
        "rss_mb_idle": round(idle / 2**20, 1),
        "rss_mb_with_streams": round(held / 2**20, 1),
        "rss_mb_after_events": round(most / 2**20, 1),
        "kb_per_stream": round((held - idle) / STREAMS / 1024, 1),
        "kb_per_stream_after_events": round((most - idle) / STREAMS / 1024, 1),
        "cpu_share_of_quiet_streams": round(quiet, 4),
        "event_delay_p50_ms": round(1000 * statistics.median(delays), 1),
        "event_delay_p99_ms": round(1000 * statistics.quantiles(delays, n=100)[98], 1),
    }


async def _told(lab: Lab, to: Doors, number: int, arrived: dict[str, float]) -> float:
    """Seconds from a finished status write to its event."""
    admin = {"Authorization": f"Bearer {lab.plane.admin_token}", **MERGE}
    status = json.dumps({"status": {"progress": {"percent": 77}}})
    await _read(to.kubernetes.patch(f"{KIND}/{job(number)}/status", data=status, headers=admin))
    written = time.perf_counter()
    while job(number) not in arrived and time.perf_counter() < written + 10:
        await asyncio.sleep(0.0005)
    return max(0.0, arrived.get(job(number), written + 10) - written)


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(lab: Lab, url: str, pid: int, only_streams: bool) -> tuple[Json, Json]:
    figures: Json = {}
    ratios: Json = {}
    async with doors(lab, url) as to:
        await fill(lab, to)
        print(f"{JOBS} jobs are there", file=sys.stderr)
        figures |= await streams(lab, to, pid)
        print(figures, file=sys.stderr)
        if not only_streams:
            await compare(to, figures, ratios)
    return figures, ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", action="store_true", help="only the event streams; writes nothing")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_lab(Path(folder)) as lab,
        running_api(lab.plane, lab.folder, lab.s3) as (url, process),
    ):
        figures, ratios = asyncio.run(run(lab, url, process.pid, chosen.streams))
    written = {
        "command": "make bench-api",
        "machine": machine.described(),
        "note": (
            "Callers, API, API server and etcd share the machine. A step through the API is a GET, the judgement "
            "and a PATCH, beside the GET and the PATCH that it is compared with."
        ),
        "figures": figures,
        "ratios": ratios,
    }
    if not chosen.streams:
        RESULT.write_text(json.dumps(written, indent=1) + "\n")
    print(json.dumps(written, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
