"""The table of faults, from the docstrings of tests/faults and the last result of `make test-faults`."""

import ast
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "faults"
RESULT = ROOT / "benchmarks" / "results" / "faults.json"
ROW = re.compile(r"test_(\d\d)_\w+\.py")
HEAD = """\
<!-- Generated from tests/faults and benchmarks/results/faults.json by docs/generate.py; do not edit. -->
# Faults

What goes wrong, what is promised then, and what the last `make test-faults` found. Each row is a file of
[tests/faults](../tests/faults) that makes the fault happen: to the real operator, webhook and worker programs, a
real etcd, kube-apiserver and Job controller; the test plays kubelet and worker where there is no node. `make test`
runs the parts of each row that take less than a minute.

After every row the same is checked, on a record of every version of every object that the API server told of
during the test: at most one accepted result for an attempt, and none that changes; never two live Jobs, or two
live pods, of one attempt; no terminal step without a result or a reason; no step that goes back but by a person's
edit; a new operator changes nothing by itself; deleting needs no operator.

"""
TABLE = """
| row | fault | promise | last result | tests | seconds |
| --- | --- | --- | --- | --- | --- |
"""


class Row(NamedTuple):
    """A row of the table, as its file's docstring says it."""

    number: str
    path: Path
    fault: str
    promise: str


def rows() -> list[Row]:
    """All rows, by their numbers. Raises SystemExit for a docstring that is not a row, or a number that is twice."""
    found: dict[str, Row] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        if not (match := ROW.fullmatch(path.name)):
            raise SystemExit(f"{path.name}: no row's number")
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        fault, *paragraphs = text.split("\n\n")
        promise = next((item for item in paragraphs if item.startswith("Promise: ")), None)
        if promise is None:
            raise SystemExit(f"{path.name}: the docstring has no paragraph that begins with `Promise: `")
        if match[1] in found:
            raise SystemExit(f"{path.name}: row {match[1]} is {found[match[1]].path.name} too")
        found[match[1]] = Row(match[1], path, _line(fault), _line(promise.removeprefix("Promise: ")))
    return list(found.values())


def _line(text: str) -> str:
    joined = " ".join(text.split()).replace("|", "\\|")
    return joined[0].upper() + joined[1:]


def page() -> str:
    """The page's text."""
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {"rows": {}}
    lines = []
    for row in rows():
        last = result["rows"].get(row.number)
        outcome = (
            f"{last['outcome']} | {len(last['tests'])} | {last['seconds']:.0f}" if last else "not run | |"
        )
        link = f"[{row.number}](../{row.path.relative_to(ROOT)})"
        lines.append(f"| {link} | {row.fault} | {row.promise} | {outcome} |\n")
    seed = sorted({str(row["seed"]) for row in result["rows"].values()})
    machine = result.get("machine", "no machine yet")
    told = [row["outcome"] for row in result["rows"].values()]
    kept = told.count("passed")
    summary = (
        f"Last result: of {len(lines)} rows {kept} kept their promise, {len(told) - kept} did not, "
        f"{len(lines) - len(told)} did not run ({machine}; seed {', '.join(seed)}).\n"
    )
    return HEAD + summary + TABLE + "".join(lines) + _measured(result["rows"])


def _measured(found: dict[str, dict[str, Any]]) -> str:
    """What the last test of a row that measures has found, where one does."""
    texts = [
        f"\nRow {number} measured: {', '.join(f'{name} {value}' for name, value in row['figures'].items())}.\n"
        for number, row in found.items()
        if "figures" in row
    ]
    return "".join(texts)
