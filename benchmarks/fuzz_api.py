"""Thousands of requests on every operation of the REST API, described by its OpenAPI document and broken on purpose.

`make fuzz-api` runs schemathesis with several seeds, against the API's process on a real API server and store, and
writes `results/fuzz_api.json`. A failure is printed with the command that repeats it, and exits 1.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import fuzzing
from apilab import running_lab

RESULT = ROOT / "benchmarks" / "results" / "fuzz_api.json"


def outcomes(seeds: list[int], examples: int) -> Iterator[tuple[str, fuzzing.Outcome]]:
    """A person's run and a pod's for each seed, each on fresh servers."""
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder, running_lab(Path(folder)) as lab:
            yield f"person, seed {seed}", fuzzing.as_person(lab, examples, seed)
            yield f"pod, seed {seed}", fuzzing.as_pod(lab, examples, seed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--examples", type=int, default=100, help="at most so many for an operation and phase"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    chosen = parser.parse_args()
    runs: list[dict[str, Any]] = []
    for name, found in outcomes(chosen.seeds, chosen.examples):
        print(f"{name}: {found.cases} requests in {found.seconds:.0f} s", file=sys.stderr)
        if not found.clean:
            print(found.output)
        runs.append(
            {
                "run": name,
                "operations": found.operations,
                "requests": found.cases,
                "seconds": round(found.seconds),
                "failures": found.failures,
                "errors": found.errors,
            }
        )
    failures = sum(len(run["failures"]) + len(run["errors"]) for run in runs)
    figures = {
        "operations": max(run["operations"] for run in runs),
        "requests": sum(run["requests"] for run in runs),
        "failures": failures,
    }
    written = {"command": "make fuzz-api", "figures": figures, "runs": runs}
    RESULT.write_text(json.dumps(written, indent=1) + "\n")
    print(json.dumps(figures))
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
