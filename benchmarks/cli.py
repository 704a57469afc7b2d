"""How long the command line takes to start, into benchmarks/results/cli.json (`make bench-cli`).

Every command is run in turn, many rounds, on a real API server, so that what else the machine does meets all alike;
the fastest run of each counts, in seconds of wall time, and as a multiple of `kubectl version --client`, of
`kubectl get` of the same list, and of an empty Python.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import machine

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from builders import make_preview, manifest  # tests/support is on the path only now
from clidesk import SCRIPTS, Desk
from controlplane import ControlPlane

ROUNDS = 15
JOBS = 20
BEFORE = {
    "help_seconds": 0.95,
    "note": "typer, the official client and all commands imported at once (aeef913)",
}


def main() -> None:
    """Measure and write."""
    with ControlPlane() as plane:
        plane.install_crds("scoringjobs")
        desk = Desk(plane)
        for number in range(JOBS):
            name = f"bench-{number}"
            desk.ok("create", name, "--video", "s3://playerscore/default/uploads/match.mp4")
            status = json.dumps({"status": {"preview": manifest(make_preview(name=name))}})
            plane.kubectl("patch", "sj", name, "--subresource=status", "--type=merge", "-p", status)
        seconds = measured(desk)
    result = {
        "command": "make bench-cli",
        "machine": machine.described(),
        "note": f"fastest of {ROUNDS} interleaved runs; {JOBS} jobs in the list",
        "figures": {f"{name}_seconds": round(value, 3) for name, value in seconds.items()},
        "ratios": ratios(seconds),
        "before": BEFORE,
    }
    path = ROOT / "benchmarks" / "results" / "cli.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path.read_text())


def measured(desk: Desk) -> dict[str, float]:
    """The fastest run of each command."""
    kubectl, ours = str(desk.kubectl_program), str(SCRIPTS / "playerscore")
    commands = {
        "python_pass": [sys.executable, "-c", "pass"],
        "kubectl_version": [kubectl, "version", "--client"],
        "kubectl_get": [kubectl, "get", "scoringjobs"],
        "help": [ours, "--help"],
        "get": [ours, "get"],
        "kubectl_scoring_get": [kubectl, "scoring", "get"],
        "pick_dry_run": [ours, "pick", "bench-0", "--best", "--dry-run=server"],
        "complete_names": [str(SCRIPTS / "kubectl_complete-scoring"), "get", ""],
        "show": [ours, "show", "bench-0"],
    }
    environment = desk.environment()
    fastest = dict.fromkeys(commands, float("inf"))
    for _ in range(ROUNDS):
        for name, command in commands.items():
            fastest[name] = min(fastest[name], once(command, environment))
    return fastest


def once(command: list[str], environment: Mapping[str, str]) -> float:
    """Seconds of one run."""
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def ratios(seconds: Mapping[str, float]) -> dict[str, Any]:
    """Ours against the others, of the same rounds."""
    return {
        "help_of_python_pass": round(seconds["help"] / seconds["python_pass"], 1),
        "help_of_kubectl_version": round(seconds["help"] / seconds["kubectl_version"], 2),
        "get_of_kubectl_get": round(seconds["kubectl_scoring_get"] / seconds["kubectl_get"], 2),
        "get_of_kubectl_version": round(seconds["kubectl_scoring_get"] / seconds["kubectl_version"], 2),
    }


if __name__ == "__main__":
    main()
