"""The command line's own processes, with and without a terminal, on a real API server."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import pyte

from controlplane import ControlPlane, ensure_tools

DONE, MACHINE, USAGE, REFUSED, NOT_FOUND, JOB_FAILED, TIMED_OUT, NOT_ALLOWED = range(8)
INTERRUPTED, BROKEN_PIPE = 130, 141
SCRIPTS = Path(sys.executable).parent
"""Where kubectl-scoring and kubectl_complete-scoring are installed."""
PATIENCE_SECONDS = 60.0
Completed = subprocess.CompletedProcess[str]


class Desk:
    """Whoever types commands, with the kubeconfig of an administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.kubectl_program = ensure_tools("kubectl") / "kubectl"

    def environment(self, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """The surroundings of a command; None takes a variable away."""
        plain = {
            "HOME": str(self.plane.folder),
            "PATH": f"{SCRIPTS}:{self.kubectl_program.parent}:/usr/bin:/bin",
            "KUBECONFIG": str(self.plane.kubeconfig),
            "COLUMNS": "120",
            "LC_ALL": "C.UTF-8",
        }
        return {key: value for key, value in {**plain, **(more or {})}.items() if value is not None}

    def run(self, *arguments: str, stdin: str | None = None, **more: str | None) -> Completed:
        """`playerscore …`; further keywords are environment variables."""
        return self.execute([str(SCRIPTS / "playerscore"), *arguments], stdin, more)

    def kubectl(self, *arguments: str, **more: str | None) -> Completed:
        """`kubectl …` as a person types it, finding its plugins on the PATH."""
        return self.execute([str(self.kubectl_program), *arguments], None, more)

    def execute(self, command: list[str], stdin: str | None, more: Mapping[str, str | None]) -> Completed:
        """Run to the end."""
        return subprocess.run(
            command,
            env=self.environment(more),
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            text=True,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def start(self, *arguments: str, **more: str | None) -> subprocess.Popen[str]:
        """`playerscore …` that goes on."""
        return subprocess.Popen(
            [str(SCRIPTS / "playerscore"), *arguments],
            env=self.environment(more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ok(self, *arguments: str, **more: str | None) -> str:
        """Standard output of what must succeed."""
        done = self.run(*arguments, **more)
        assert done.returncode == DONE, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def terminal(
        self, *arguments: str, columns: int = 100, lines: int = 60, **more: str | None
    ) -> Iterator["Terminal"]:
        """`playerscore …` in a terminal of that size."""
        environment = self.environment(
            {"COLUMNS": None, "TERM": "xterm-256color", "COLORTERM": "truecolor", **more}
        )
        with Terminal([str(SCRIPTS / "playerscore"), *arguments], environment, columns, lines) as started:
            yield started


class Terminal:
    """A program in a real pseudo-terminal, and the screen that a person would see."""

    def __init__(self, command: list[str], environment: dict[str, str], columns: int, lines: int) -> None:
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.answers: dict[bytes, bytes] = {}
        """What this terminal answers when it is asked about itself, by the question's pattern."""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, lines * 20, columns * 10))
        # As the session's own terminal, so that Ctrl-C reaches the program.
        owned = ["setsid", "--ctty", *command]
        self.process = subprocess.Popen(owned, env=environment, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, seen: Callable[[str], bool]) -> str:
        """Read until the screen shows it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not seen(self.text):
            assert time.monotonic() < end, self.text
            assert self._read(), self.text
        return self.text

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self.master, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def _read(self) -> bool:
        if not select.select([self.master], [], [], PATIENCE_SECONDS)[0]:
            return False
        try:
            piece = os.read(self.master, 1 << 16)
        except OSError:  # the program has ended
            return False
        for question, answer in self.answers.items():
            if asked := re.search(question, piece):
                os.write(self.master, asked.expand(answer))
        self.raw += piece
        self.stream.feed(piece)
        return bool(piece)
