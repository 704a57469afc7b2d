"""One control plane for the rows that leave it whole, one of its own for those that break it; the table's results."""

import json
import os
import random
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane import ControlPlane
from faultlab import FaultLab
from operatorlab import Lab

SEED = int(os.environ.get("FAULTS_SEED", "1"))
ROW = re.compile(r"test_(\d\d)_\w+\.py$")

# A shell without job control starts its background with Ctrl-C ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """The only chance in a row: the same seed throws the same again."""
    return random.Random(f"{SEED}:{request.node.name}")


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """Shared; a test leaves it as it found it."""
    yield from _plane()


@pytest.fixture
def lab(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[FaultLab]:
    """On the shared control plane; no operator runs yet."""
    yield from _lab(plane, request)


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    """Of this module alone, to be broken."""
    yield from _plane()


@pytest.fixture
def own_lab(own_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[FaultLab]:
    """On the module's own control plane; no operator runs yet."""
    yield from _lab(own_plane, request)


def _plane() -> Iterator[ControlPlane]:
    with ControlPlane(controllers=True) as started:
        Lab(started).prepare()
        yield started


def _lab(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[FaultLab]:
    found = FaultLab(plane, request.node.name[:40])
    try:
        yield found
    finally:
        found.close()


# --- the results --------------------------------------------------------------------------------------------

_rows: dict[str, dict[str, Any]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Adds a test's part to its row."""
    if not (match := ROW.search(report.nodeid.split("::")[0])):
        return
    row = _rows.setdefault(match[1], {"outcome": "passed", "seconds": 0.0, "seed": SEED, "tests": {}})
    row["seconds"] += report.duration
    name = report.nodeid.split("::", 1)[1]
    if report.when == "call" or not report.passed:
        row["tests"][name] = report.outcome
    if report.when == "call" and report.user_properties:
        row["figures"] = dict(report.user_properties)
    if not report.passed:
        row["outcome"] = report.outcome


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the rows that ran into the file that FAULTS_RESULT names; the others stay as they are there."""
    target = os.environ.get("FAULTS_RESULT")
    if not target or hasattr(session.config, "workerinput"):
        return
    path = Path(target)
    old = json.loads(path.read_text())["rows"] if path.exists() else {}
    rows = old | {number: row | {"seconds": round(row["seconds"], 1)} for number, row in _rows.items()}
    passed = sum(row["outcome"] == "passed" for row in rows.values())
    found = {
        "command": "make test-faults",
        "machine": f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end",
        "figures": {
            "rows": len(rows),
            "passed": passed,
            "tests": sum(len(row["tests"]) for row in rows.values()),
            "seconds": round(sum(row["seconds"] for row in rows.values()), 1),
        },
        "rows": dict(sorted(rows.items())),
    }
    path.write_text(json.dumps(found, indent=1) + "\n")
