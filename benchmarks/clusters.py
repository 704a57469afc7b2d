"""What a real cluster's troubles cost: parts of it go away for two minutes while jobs are at every stage.

`make bench-clusters` (25 min) uses the project's cluster: real kubelet, real images, the real chart. For each outage
four jobs are brought to a stage, the part is taken away, and given back; a job is lost that does not end COMPLETED by
itself, with one result and every artifact that the result names. `results/clusters.json` has the seconds each took.
"""

import argparse
import contextlib
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import machine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from kubeletwords import corpus
from livecluster import (
    JOBS_NAMESPACE,
    Cluster,
    CommandError,
    best_track,
    condition,
    previewed,
    step,
    until,
    upload,
)
from playerscore_clips.match import ClipSettings, render_clip
from playerscore_operator import troubles

RESULT = ROOT / "benchmarks" / "results" / "clusters.json"
KEPT_IMAGE = "playerscore.invalid/kept:1"
ARTIFACTS = 13
"""Pictures, clips, tracks, timeline, log of decisions and the run; those of a review come on top."""
AWAY_SECONDS = 120.0
PATIENCE_SECONDS = 900.0
STAGES = ("created", "previewing", "enqueued", "analysing")
Json = dict[str, Any]


class Jobs:
    """Four jobs of one clip, each at a stage of its own."""

    def __init__(self, cluster: Cluster, video_uri: str) -> None:
        self._cluster, self._uri = cluster, video_uri
        self._run = secrets.token_hex(3)

    def name(self, stage: str) -> str:
        return f"outage-{self._run}-{stage}"

    def bring(self) -> None:
        """Each to its stage; the last ones just now."""
        for stage in ("enqueued", "analysing"):
            self._create(stage)
        for stage in ("enqueued", "analysing"):
            self._cluster.job_until(self.name(stage), previewed, PATIENCE_SECONDS)
        self._select("analysing")
        self._working("analysing")
        self._create("previewing")
        self._working("previewing")
        self._select("enqueued")
        self._create("created")

    def finish(self) -> list[Json]:
        """Pick for those that had no preview before; then how each ended."""
        for stage in ("created", "previewing"):
            with contextlib.suppress(AssertionError):
                self._cluster.job_until(self.name(stage), previewed, PATIENCE_SECONDS)
                self._select(stage)
        return [self._ended(stage) for stage in STAGES]

    def remove(self) -> None:
        for stage in STAGES:
            names = ("scoringjob", self.name(stage), "--ignore-not-found")
            self._cluster.kubectl("-n", JOBS_NAMESPACE, "delete", *names)

    def _create(self, stage: str) -> None:
        spec = {"video": {"uri": self._uri}, "preview": {"frames": 2}}
        _patiently(lambda: self._cluster.create_job(self.name(stage), spec))

    def _select(self, stage: str) -> None:
        name = self.name(stage)
        frame, track = best_track(self._cluster.get("scoringjob", name)["status"]["preview"])
        target = {"frame_key": frame["frame_key"], "bbox": track["bbox"], "confirmed": True}
        pick = {"frame_key": frame["frame_key"], "track_id": track["track_id"]}
        _patiently(lambda: self._cluster.patch_spec(name, {"player_ref": pick, "target": target}))
        _patiently(lambda: self._cluster.patch_spec(name, {"suspend": False}))

    def _working(self, stage: str) -> None:
        """Wait until the container of its newest pod works."""
        job = self._cluster.get("scoringjob", self.name(stage))
        until(
            lambda: self._cluster.children(job, "pods"),
            lambda pods: any(_works(pod) for pod in pods),
            PATIENCE_SECONDS,
            f"{stage} works",
            lambda pods: json.dumps([pod["status"] for pod in pods])[:2000],
        )

    def _ended(self, stage: str) -> Json:
        """Whether it was lost, and how long it took since it was made."""
        name = self.name(stage)
        with contextlib.suppress(AssertionError):
            self._cluster.finished(name, PATIENCE_SECONDS)
        job = self._cluster.get("scoringjob", name)
        status, told = job.get("status", {}), condition(job, "Succeeded")
        done = [pod for pod in self._cluster.children(job, "pods") if _analysed(pod)]
        begin, end = job["metadata"]["creationTimestamp"], told.get("lastTransitionTime")
        return {
            "stage": stage,
            "kept": step(job) == "COMPLETED"
            and len(status.get("artifacts", [])) >= ARTIFACTS
            and len(done) == 1,
            "ended": told.get("reason", step(job)),
            "attempts": status.get("run", {}).get("attempt"),
            "seconds": end and (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).seconds,
        }


def _patiently(write: Callable[[], object]) -> None:
    """As a person does it: again while the webhook is away, without which nothing is let in. Raises CommandError."""
    end = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            write()
        except CommandError as error:
            if "failed calling webhook" not in error.stderr or time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            return


def _attempt(pod: Json) -> str:
    return str(pod["metadata"]["labels"]["playerscore.dev/attempt"])


def _analysed(pod: Json) -> bool:
    return _attempt(pod) != "preview" and pod["status"].get("phase") == "Succeeded"


def _works(pod: Json) -> bool:
    states = pod["status"].get("containerStatuses", [])
    return any(item["name"] == "analyze" and "running" in item["state"] for item in states)


# --- what goes away -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _kubelet_stopped(cluster: Cluster) -> Iterator[None]:
    cluster.on_node("systemctl", "stop", "kubelet")
    try:
        yield
    finally:
        cluster.on_node("systemctl", "start", "kubelet")


@contextlib.contextmanager
def _image_missing(cluster: Cluster) -> Iterator[None]:
    """The node has not got the worker's image any more, and no registry gives it."""
    image = "docker.io/" + cluster.get("scoringruntime", "cpu")["spec"]["image"]
    images = ("ctr", "-n", "k8s.io", "images")
    cluster.on_node(*images, "tag", "--force", image, KEPT_IMAGE)
    cluster.on_node(*images, "rm", image)
    try:
        yield
    finally:
        cluster.on_node(*images, "tag", "--force", KEPT_IMAGE, image)
        cluster.on_node(*images, "rm", KEPT_IMAGE)


def outages(cluster: Cluster) -> dict[str, AbstractContextManager[None]]:
    """What goes away, by name."""
    return {
        "registry": _image_missing(cluster),
        "node": _kubelet_stopped(cluster),
        "store": cluster.without("playerscore-store"),
        "api": cluster.without("playerscore-api"),
    }


def _request(cluster: Cluster, requests: Json | None) -> None:
    """Let worker pods request that, or again what the release's values say, which the operator keeps."""
    resources = {"requests": requests, "limits": {"memory": "3Gi"}}
    template = {"containers": {"analyze": {"resources": resources}}} if requests else None
    patch = json.dumps({"spec": {"template": template}})
    cluster.kubectl("patch", "scoringruntime", "cpu", "--type=merge", "-p", patch)


def _video(client: httpx.Client) -> str:
    with tempfile.TemporaryDirectory() as folder:
        clip = render_clip(ClipSettings(seed=90_211, seconds=5.0, width=960, height=540), Path(folder))
        return upload(client, clip.video, f"outage-{secrets.token_hex(3)}.mp4")


def _all(cluster: Cluster, uri: str, only: str | None) -> int:
    """Notes how the jobs of each outage ended; how many of them were lost."""
    endings: list[Future[int]] = []
    # The jobs of one outage end while those of the next are brought to their stages; all have ended before it begins.
    with ThreadPoolExecutor(1) as pool:
        for name, outage in outages(cluster).items():
            if only and name not in only.split(","):
                continue
            jobs = Jobs(cluster, uri)
            jobs.bring()
            wait(endings)
            with outage:
                print(f"{name} is away for {AWAY_SECONDS:.0f} s", flush=True)
                time.sleep(AWAY_SECONDS)
            endings.append(pool.submit(_ended, jobs, name))
    return sum(ending.result() for ending in endings)


def _ended(jobs: Jobs, name: str) -> int:
    """Notes how they ended, and removes them; how many were lost."""
    try:
        rows = jobs.finish()
        print(name, json.dumps(rows, indent=1), flush=True)
    finally:
        jobs.remove()
    _note({name: rows})
    return _lost({name: rows})


def _lost(outages: Json) -> int:
    return sum(not job["kept"] for jobs in outages.values() for job in jobs)


def _note(rows: Json) -> None:
    known = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    ended = known.get("outages", {}) | rows
    figures = known.get("figures", {}) | _messages() | {"jobs_lost_in_outages": _lost(ended)}
    written = known | {
        "command": "make bench-clusters",
        "machine": machine.described(),
        "figures": figures,
        "outages": ended,
    }
    RESULT.write_text(json.dumps(written, indent=1) + "\n")


def _messages() -> Json:
    """How many of a cluster's messages are known, and the share that the table puts into its row."""
    found = corpus()
    rows = [(message, troubles.find(message.place, *message.told)) for message in found]
    right = sum(
        message.then == "memory" or (row is not None and row.slug == message.row) for message, row in rows
    )
    return {"kubelet_messages": len(found), "messages_classified_right": right / len(found)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names of outages, with commas")
    chosen = parser.parse_args()
    cluster = Cluster.up()
    with cluster.person() as client:
        uri = _video(client)
    # Four pods at once on two processors.
    _request(cluster, {"cpu": "50m", "memory": "256Mi"})
    try:
        return int(_all(cluster, uri, chosen.only) > 0)
    finally:
        _request(cluster, None)


if __name__ == "__main__":
    sys.exit(main())
