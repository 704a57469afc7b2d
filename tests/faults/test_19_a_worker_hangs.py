"""A worker hangs: it is frozen in the midst of the analysis, or runs for ever.

Promise: the kubelet's probe finds that nothing moves, its pod fails with those words and another attempt follows;
an attempt never outlives its deadline.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import workerlab
from faultlab import FaultLab, invariants
from playerscore.tasks import TASK_VARIABLE
from playerscore_worker import pod
from playerscore_worker.pod import Pod

Json = dict[str, Any]
SIZE = (320, 180)
FRAMES = 900


@pytest.fixture
def files(tmp_path: Path) -> Pod:
    """The pod's folder with a downloaded video of noise, long enough to be frozen in it."""
    found = Pod(tmp_path / "work", tmp_path / "termination-log")
    found.folder.mkdir()
    noise = np.random.default_rng(7)
    with av.open(str(found.video()), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        still = noise.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
        for _ in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(still, "bgr24")))
        container.mux(stream.encode(None))
    pod.write(found.fetched, {"sha256": ["a" * 64], "bytes": found.video().stat().st_size})
    return found


@pytest.fixture
def container(lab: FaultLab) -> Json:
    """The working container, as the operator's Job asks for it, of job `frozen`, whose pod runs."""
    lab.start_operator()
    uid = lab.create_job("frozen", lab.ready("frozen"))
    lab.pod_runs(f"sj-{uid}-1")
    lab.until(lambda: lab.step("frozen") == "ANALYZING")
    found: Json = lab.get("job", f"sj-{uid}-1")["spec"]["template"]["spec"]["containers"][0]
    return found


def command(words: list[str]) -> list[str]:
    """A container's command, with this environment's interpreter."""
    assert words[0] == "sh"
    return [word.replace("python -m", f"{sys.executable} -m") for word in words]


def test_a_frozen_worker_is_found_by_its_probe_and_followed_by_another_attempt(
    lab: FaultLab, files: Pod, container: Json
) -> None:
    child = lab.get("scoringjob", "frozen")["status"]["run"]["jobName"]
    environment = os.environ | {
        TASK_VARIABLE: workerlab.task_of(lab, child),
        "PLAYERSCORE_WORK": str(files.folder),
        "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
        "PLAYERSCORE_STALL_SECONDS": "5",
    }
    probe = container["livenessProbe"]["exec"]["command"]
    words = command(container["command"])
    with subprocess.Popen(words, env=environment, start_new_session=True) as worker:
        try:
            lab.until(files.progress.exists)
            assert subprocess.run(probe, env=environment, check=False).returncode == 0
            os.killpg(worker.pid, signal.SIGSTOP)
            lab.until(lambda: time.time() - files.progress.stat().st_mtime > 5)
            assert worker.poll() is None

            assert subprocess.run(probe, env=environment, check=False).returncode == 1
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
    assert not files.done.exists(), "it was frozen in the midst of it"

    lab.pod_ends(child, 137, files.termination.read_text())
    lab.until(lambda: lab.condition("frozen", "Running") == ("False", "WORKER_FAILED"))

    assert lab.conditions("frozen")["Running"]["message"].startswith("No progress for ")

    uid = lab.get("scoringjob", "frozen")["metadata"]["uid"]
    lab.pod_runs(f"sj-{uid}-2")
    lab.attempt_done("frozen", uid, 2)
    lab.until(lambda: lab.step("frozen") == "COMPLETED")
    invariants(lab)


def test_an_attempt_does_not_outlive_its_deadline(lab: FaultLab) -> None:
    lab.start_operator()
    uid = lab.create_job("endless", lab.ready("endless") | {"activeDeadlineSeconds": 3})
    name = lab.pod_runs(f"sj-{uid}-1")
    lab.until(lambda: lab.get("pod", name)["metadata"].get("deletionTimestamp"))
    lab.pod_goes(name)
    lab.until(lambda: lab.step("endless") == "FAILED")

    assert lab.condition("endless", "Succeeded") == ("False", "ACTIVE_DEADLINE_EXCEEDED")
    assert lab.get("job", f"sj-{uid}-2") == {}
    invariants(lab)
