"""The shell that a worker's container begins with: what it hands on to the worker, and what of the worker's it hands on."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playerscore_operator.manifests import FIRST_PROCESS


class Container:
    """The shell, with a program of the test's own in the place of python."""

    def __init__(self, folder: Path, program: str) -> None:
        self.began = folder / "began"
        python = folder / "python"
        python.write_text(
            f'#!/bin/sh\necho "$@" >{self.began}.part; mv {self.began}.part {self.began}\n{program}\n'
        )
        python.chmod(0o755)
        path = f"{folder}:{os.environ['PATH']}"
        command = ["sh", "-c", FIRST_PROCESS, "fetch"]
        self.process = subprocess.Popen(command, env={"PATH": path}, start_new_session=True)

    def until_begun(self) -> str:
        end = time.monotonic() + 20
        while not self.began.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        return self.began.read_text()

    def told_to_end(self) -> int:
        self.until_begun()
        self.process.terminate()
        return self.process.wait(timeout=20)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[list[Container]]:
    containers: list[Container] = []
    yield containers
    for one in containers:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)


@pytest.mark.parametrize("code", [0, 1, 42, 43])
def test_the_workers_exit_code_is_the_containers(tmp_path: Path, made: list[Container], code: int) -> None:
    made.append(Container(tmp_path, f"exit {code}"))

    assert made[0].process.wait(timeout=20) == code
    assert made[0].until_begun() == "-m playerscore_worker fetch\n"


def test_a_worker_that_has_not_come_to_its_first_line_ends_at_once(
    tmp_path: Path, made: list[Container]
) -> None:
    made.append(Container(tmp_path, "exec sleep 60"))

    assert made[0].told_to_end() == 143


def test_a_worker_that_still_has_to_say_something_is_waited_for(
    tmp_path: Path, made: list[Container]
) -> None:
    last = tmp_path / "last-words"
    program = f"trap 'sleep 1; touch {last}; exit 7' TERM; while :; do sleep 0.1; done"
    made.append(Container(tmp_path, program))

    assert made[0].told_to_end() == 7
    assert last.exists()


def test_a_worker_that_was_killed_is_told_as_killed(tmp_path: Path, made: list[Container]) -> None:
    made.append(Container(tmp_path, "kill -KILL $$"))

    assert made[0].process.wait(timeout=20) == 137


def test_as_the_first_process_too_it_hears_at_once(tmp_path: Path) -> None:
    """In a process namespace of its own, in which the kernel keeps signals from a first process that awaits none."""
    alone = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ntouch {tmp_path}/began\nexec sleep 60\n")
    python.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    outer = subprocess.Popen(["unshare", *alone, "sh", "-c", FIRST_PROCESS, "fetch"], env=environment)
    try:
        end = time.monotonic() + 20
        while not (tmp_path / "began").exists():
            assert outer.poll() is None, (
                "process namespaces are needed: sysctl kernel.unprivileged_userns_clone=1"
            )
            assert time.monotonic() < end
            time.sleep(0.01)
        (first,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGTERM)
        assert outer.wait(timeout=20) == 143
    finally:
        outer.kill()
