"""What the operator costs when nothing happens: memory, CPU and a resync with thousands of objects.

`make bench-at-rest` writes `results/at_rest.json`. Every object is a draft that carries a preview of 8 frames x
22 people in its status (12.8 KB), as they lie about in a cluster. The operator starts beside them, lists them all
(the peak), comes to rest, and resyncs.
"""

import argparse
import asyncio
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import machine
from reconcile import JOBS, MERGE, Bench, Kube, Process, _plane, _until_leading, preview, spread

from builders import make_spec, manifest

Json = dict[str, Any]
ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "at_rest.json"
RESYNC_SECONDS = 20
REST_SECONDS = 45.0


async def fill(bench: Bench, namespace: str, first: int, last: int) -> None:
    """Drafts that wait for a person."""

    async def one(number: int) -> None:
        name = f"draft-{number}"
        spec = manifest(make_spec()) | {"preview": {"disabled": True}}
        body = {
            "apiVersion": "playerscore.dev/v1alpha1",
            "kind": "ScoringJob",
            "metadata": {"name": name},
            "spec": spec,
        }
        await bench.kube.send("POST", JOBS.format(namespace), body)
        status = {"status": {"preview": manifest(preview(name))}}
        await bench.kube.send("PATCH", f"{JOBS.format(namespace)}/{name}/status", status, MERGE)

    await spread([lambda number=number: one(number) for number in range(first, last)])  # type: ignore[misc]


def peak_mb(process: Process) -> float:
    text = Path(f"/proc/{process.popen.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def resyncs(port: int) -> tuple[int, float]:
    """How many resyncs there were, and their seconds in sum, from the operator's own metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    values = dict(
        line.rsplit(" ", 1) for line in lines if line.startswith("scoringjob_resync_duration_seconds_")
    )
    count = float(values.get("scoringjob_resync_duration_seconds_count", 0))
    return int(count), float(values.get("scoringjob_resync_duration_seconds_sum", 0.0))


async def measure(bench: Bench) -> Json:
    """One start beside what is there: first with statuses to write, then again with nothing to do."""
    warm = bench.operator(PLAYERSCORE_RESYNC_SECONDS="3600")
    await _until_leading(bench, warm)
    await bench.quiet(warm, 900)
    warm.kill()
    operator = bench.operator(PLAYERSCORE_RESYNC_SECONDS=str(RESYNC_SECONDS))
    begin = time.monotonic()
    await _until_leading(bench, operator)
    await bench.quiet(operator, 900)
    ready = time.monotonic() - begin
    before, at = operator.cpu_seconds(), time.monotonic()
    await asyncio.sleep(REST_SECONDS)
    share = (operator.cpu_seconds() - before) / (time.monotonic() - at)
    count, seconds = resyncs(bench.port)
    figures = {
        "rss_mb": round(operator.rss_mb()),
        "peak_mb": round(peak_mb(operator)),
        "start_cpu_seconds": round(before, 1),
        "start_seconds": round(ready, 1),
        "resync_seconds": round(seconds / count, 2) if count else None,
        "cpu_share_at_rest": round(share, 4),
    }
    operator.kill()
    return figures


async def run(sizes: list[int]) -> Json:
    figures: Json = {}
    with _plane() as plane:
        async with Kube(plane) as kube:
            bench = Bench(plane, kube)
            await bench.prepare()
            await bench.namespace("rest")
            made = 0
            for size in sizes:
                await fill(bench, "rest", made, size)
                made = size
                one = await measure(bench)
                print(size, one, flush=True)
                figures |= {f"{name}_{size}": value for name, value in one.items()}
    figures["resync_seconds"] = figures[f"resync_seconds_{sizes[-1]}"]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    figures = asyncio.run(run(options.sizes))
    options.out.write_text(
        json.dumps(
            {"command": "make bench-at-rest", "machine": machine.described(), "figures": figures}, indent=1
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
