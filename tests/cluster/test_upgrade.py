"""The chart is upgraded from an earlier commit to this one, and back, while previews and analyses run.

Each release is installed as `cluster/install.sh` of its own tree does it, with images of its own. Jobs keep coming all
the while. The same without nodes is tests/faults/test_29_versions_apart.py.
"""

import contextlib
import json
import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livecluster import JOBS_NAMESPACE, ROOT, Cluster, CommandError, run, step
from matches import somebody
from playerscore_clips.match import Clip
from playerscore_clips.truth import load_truth

Json = dict[str, object]
OLDER = "e9015b9"
APART_SECONDS = 20.0
"""Between two jobs: a small and busy node ends them about as fast as they come."""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the earlier commit."""
    folder = tmp_path_factory.mktemp("older")
    tar = folder / "tree.tar"
    run("git", "archive", f"--output={tar}", OLDER)
    subprocess.run(["tar", "-xf", str(tar), "-C", str(folder)], check=True)
    return folder


def install(tree: Path) -> None:
    run(str(tree / "cluster" / "install.sh"))


@contextlib.contextmanager
def coming(create: Callable[[], None]) -> Iterator[None]:
    """Jobs come until the end of the block; one that a gate that restarts does not take comes a little later."""
    over = threading.Event()

    def produce() -> None:
        while not over.is_set():
            with contextlib.suppress(CommandError):
                create()
            over.wait(APART_SECONDS)

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        yield
    finally:
        over.set()
        producer.join()


@pytest.mark.long
def test_an_upgrade_and_back_while_jobs_run_loses_none_and_runs_none_twice(
    cluster: Cluster, video_uri: str, clip: Clip, older: Path
) -> None:
    made: list[str] = []
    box = somebody(load_truth(clip.truth))

    def create() -> None:
        name = f"upgrade-{len(made)}-{secrets.token_hex(2)}"
        spec: Json = {"video": {"uri": video_uri}, "preview": {"frames": 1}, "analysis": {"maxFps": 10}}
        if len(made) % 2:
            key = f"jobs/{name}/frames/frame_0001.jpg"
            target = {"frame_key": key, "time_sec": 0, "bbox": box, "confirmed": True}
            spec |= {"preview": {"disabled": True}, "player_ref": {"frame_key": key}, "target": target}
            spec["suspend"] = False
        cluster.create_job(name, spec)
        made.append(name)

    install(older)
    try:
        with coming(create):
            install(ROOT)
            install(older)
    finally:
        install(ROOT)
    try:
        assert made
        found = [
            _lost(cluster, name, "COMPLETED" if number % 2 else "WAITING_FOR_PLAYER")
            for number, name in enumerate(made)
        ]
    finally:
        cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "scoringjob", *made, "--wait=false")
    _note(found)
    assert not any(found), [words for words in found if words]


def _lost(cluster: Cluster, name: str, end: str) -> str:
    """What speaks against a job: it has not ended well by itself, or something ran twice; empty when nothing does."""
    job = cluster.job_until(name, lambda job: step(job) in (end, "FAILED"), 1200)
    ran, jobs, pods = job["status"]["run"], cluster.children(job), cluster.children(job, "pods")
    once = ran.get("attempt", 1) == ran.get("previewAttempt", 1) == len(pods) == len(jobs) == 1
    if step(job) == end and once and not ran.get("failures"):
        return ""
    return f"{name}: {json.dumps(job['status'])}; {len(jobs)} Jobs, {len(pods)} pods"


def _note(found: list[str]) -> None:
    """Keep the numbers where CLUSTERS_RESULT says."""
    if path := os.environ.get("CLUSTERS_RESULT"):
        file = Path(path)
        known = json.loads(file.read_text()) if file.exists() else {"figures": {}}
        known["figures"]["jobs_lost_in_upgrade"] = sum(map(bool, found))
        known["upgrade"] = {"jobs": len(found), "from": OLDER}
        file.write_text(json.dumps(known, indent=1) + "\n")
