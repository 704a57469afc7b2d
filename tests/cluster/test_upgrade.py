"""The chart is upgraded from an earlier commit to this one, and back, while previews and analyses run.

Each release is installed as `cluster/install.sh` of its own tree does it, with images of its own. Jobs keep coming all
the while. The same without nodes is tests/faults/test_29_versions_apart.py.
"""

import contextlib
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livecluster import JOBS_NAMESPACE, ROOT, Cluster, CommandError, run, step
from playerscore_clips.match import Clip
from playerscore_clips.truth import load_truth

Json = dict[str, object]
OLDER = "e9015b9"
APART_SECONDS = 6.0
"""Between two jobs: a small node ends them about as fast as they come."""


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
    box = _somebody(clip)

    def create() -> None:
        name = f"upgrade-{len(made)}-{secrets.token_hex(2)}"
        spec: Json = {"video": {"uri": video_uri}}
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
        for number, name in enumerate(made):
            end = "COMPLETED" if number % 2 else "WAITING_FOR_PLAYER"
            job = cluster.job_until(name, lambda job, end=end: step(job) in (end, "FAILED"), 600)
            ran = job["status"]["run"]
            assert step(job) == end, job["status"]
            assert ran.get("attempt", 1) == ran.get("previewAttempt", 1) == 1, ran
            assert not ran.get("failures"), ran
            assert len(cluster.children(job, "pods")) == len(cluster.children(job)) == 1, name
        assert made
    finally:
        cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "scoringjob", *made, "--wait=false")


def _somebody(clip: Clip) -> Json:
    """The box of a person who is in the first frame."""
    truth = load_truth(clip.truth)
    person = next(item for item in truth.people if truth.in_picture(item.id)[0])
    x, y, w, h = (round(float(value), 4) for value in truth.boxes(person.id)[0])
    return {"x": x, "y": y, "w": w, "h": h}
