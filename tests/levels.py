"""Test levels side by side: what `make test` does. Each is a make target, whose output is shown whole when it ends.

    python tests/levels.py [--at-once N] [--beside TARGET] TARGET...

Targets begin in the order given, N at a time, beside one more that is not counted: what builds what they need. All of
them run, whichever fails; the exit code is 1 when one did. Levels that mostly compute yield to those in which something
waits for a time that is under test.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "out" / "levels"
COMPUTING = {"test-vision", "test-footage", "test-ultralytics"}
CLOCKWISE = "%H:%M:%S"


class Level(NamedTuple):
    """A target that runs."""

    target: str
    process: subprocess.Popen[bytes]
    log: Path
    begun: float


class Ended(NamedTuple):
    target: str
    failed: bool
    seconds: float
    cpu_seconds: float
    """Of all processes that it waited for; containers are not among them."""


def say(text: str) -> None:
    print(time.strftime(CLOCKWISE), text, flush=True)


def start(target: str) -> Level:
    log = LOGS / f"{target}.log"
    make = [os.environ.get("MAKE", "make"), "--no-print-directory", target]
    command = ["nice", "-n", "5", *make] if target in COMPUTING else make
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    say(f"{target} begins")
    return Level(target, process, log, time.monotonic())


def next_to_end(running: dict[int, Level]) -> Ended:
    """Waits for it, shows its log and takes it out of those that run."""
    while True:
        pid, status, used = os.wait4(-1, 0)
        if pid in running:
            break
    level = running.pop(pid)
    code = level.process.returncode = os.waitstatus_to_exitcode(status)
    ended = Ended(level.target, code != 0, time.monotonic() - level.begun, used.ru_utime + used.ru_stime)
    print(f"\n=== {level.target} {'=' * (100 - len(level.target))}", flush=True)
    sys.stdout.buffer.write(level.log.read_bytes())
    sys.stdout.buffer.flush()
    how = f"FAILED ({code})" if code else "passed"
    say(f"=== {level.target} {how} after {ended.seconds:.0f} s, {ended.cpu_seconds:.0f} s of CPU")
    return ended


def run(targets: list[str], at_once: int, beside: str | None) -> list[Ended]:
    waiting, running, done = list(targets), dict[int, Level](), list[Ended]()

    def begin(target: str) -> None:
        level = start(target)
        running[level.process.pid] = level

    try:
        if beside is not None:
            begin(beside)
        while waiting or running:
            while waiting and sum(level.target != beside for level in running.values()) < at_once:
                begin(waiting.pop(0))
            done.append(next_to_end(running))
            if running:
                say(f"still running: {', '.join(level.target for level in running.values())}")
    finally:
        for level in running.values():
            level.process.terminate()
        for level in running.values():
            level.process.wait()
    return done


def stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--beside")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    LOGS.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    done = run(asked.targets, asked.at_once, asked.beside)
    seconds = time.monotonic() - begun
    print()
    for level in done:
        how = "FAILED" if level.failed else "passed"
        print(f"{level.target:<20} {how} {level.seconds:6.0f} s {level.cpu_seconds:6.0f} s of CPU")
    failed = [level.target for level in done if level.failed]
    told = [f"{target} (out/levels/{target}.log)" for target in failed]
    say(f"{seconds:.0f} s; " + (f"FAILED: {', '.join(told)}" if failed else "every level passed"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
