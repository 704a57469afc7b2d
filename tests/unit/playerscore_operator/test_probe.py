"""The liveness probe of a worker's container, run by a real shell, beside the worker's own word for it."""

import os
import resource
import subprocess
import time
from pathlib import Path

import pytest

from playerscore.tasks import Failure
from playerscore_operator.probe import COMMAND, STALL_SECONDS
from playerscore_worker import pod
from playerscore_worker.pod import Pod


@pytest.fixture
def files(tmp_path: Path) -> Pod:
    (tmp_path / "out").mkdir()
    return Pod(tmp_path, tmp_path / "termination")


def asked(files: Pod, **more: str) -> int:
    """The probe's exit code."""
    environment = {
        "PATH": os.environ["PATH"],
        "PLAYERSCORE_WORK": str(files.folder),
        "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
    }
    return subprocess.run(COMMAND, env=environment | more, check=False).returncode


@pytest.mark.parametrize(
    "ages",
    [
        pytest.param({}, id="the video is not there yet"),
        pytest.param({"fetched": 50}, id="nothing was told since the video came"),
        pytest.param({"fetched": 900}, id="nothing was told for long"),
        pytest.param({"fetched": 5000, "progress": 3}, id="it moves"),
        pytest.param({"fetched": 5000, "progress": 900, "result": 7}, id="pictures are drawn"),
        pytest.param({"fetched": 5000, "progress": 900}, id="it hangs"),
        pytest.param({"fetched": 5000, "progress": 590}, id="it may still move"),
        pytest.param({"fetched": 5000, "progress": 900, "result": 800}, id="it hangs while it draws"),
        pytest.param({"fetched": 5000, "progress": 4000, "done": 3000}, id="it is done"),
    ],
)
def test_it_says_what_the_worker_says(files: Pod, ages: dict[str, float]) -> None:
    now = time.time()
    for name, age in ages.items():
        path: Path = getattr(files, name)
        pod.write(path, {})
        os.utime(path, (now - age, now - age))
    hangs = files.silent_seconds(now) > STALL_SECONDS

    assert asked(files) == int(hangs)
    assert files.termination.exists() is hangs
    if hangs:
        said = Failure.model_validate_json(files.termination.read_bytes())
        assert (said.code, said.message) == ("WORKER_FAILED", "No progress for 600 s: the worker hangs")


def test_the_time_can_be_set(files: Pod) -> None:
    pod.write(files.fetched, {})

    assert asked(files, PLAYERSCORE_STALL_SECONDS="3600") == 0
    time.sleep(0.01)
    assert asked(files, PLAYERSCORE_STALL_SECONDS="0") == 1


def test_what_cannot_be_told_is_taken_for_alive(files: Pod, tmp_path: Path) -> None:
    pod.write(files.fetched, {})
    os.utime(files.fetched, (0, 0))
    without_find = {"PATH": str(tmp_path)}
    shell = "/bin/sh"

    done = subprocess.run(
        [shell, *COMMAND[1:]], env={"PLAYERSCORE_WORK": str(files.folder), **without_find}, check=False
    )

    assert done.returncode == 0
    assert asked(files, PLAYERSCORE_WORK="/nowhere") == 0


def test_it_costs_next_to_nothing(files: Pod) -> None:
    """Python alone would need a second."""
    pod.write(files.fetched, {})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(10):
        assert asked(files) == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent / 10 < 0.1
