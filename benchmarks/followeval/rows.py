"""The rows of `results/following.json`: one a commit, newest last, with a line for each figure and each pick."""

import json
from collections.abc import Sequence
from typing import Any, Final

Json = dict[str, Any]

PICK_COLUMNS: Final = (
    "clip", "target", "start", "coverage", "coverage_after", "seen", "wrong", "wrong_kit", "off", "ghost",
    "refind_sec", "tracking_quality", "overall", "hota", "idf1",
)  # fmt: skip


def compact(pick: Json) -> list[Any]:
    """A pick as a row under `PICK_COLUMNS`."""
    return [
        [gap[2] for gap in pick["absences"]] if name == "refind_sec" else pick[name] for name in PICK_COLUMNS
    ]


def added(rows: Sequence[Json], row: Json) -> list[Json]:
    """The rows with one more.

    A row of the same commit on the same clips gets the detectors that it lacked, and one on fewer clips gives its
    place to the new one.
    """
    for k, old in enumerate(rows):
        if old["commit"] == row["commit"] and set(old["clips"]) <= set(row["clips"]):
            known = old["detectors"] if old["clips"] == row["clips"] else {}
            return [*rows[:k], {**row, "detectors": known | row["detectors"]}, *rows[k + 1 :]]
    return [*rows, row]


def pretty(value: Any, indent: int = 0) -> str:
    """JSON with a line for each figure, and one for each pick."""
    flat = json.dumps(value, ensure_ascii=False)
    nested = isinstance(value, dict) or (isinstance(value, list) and ("{" in flat or "[[" in flat))
    if not nested or (isinstance(value, dict) and len(flat) < 60):
        return flat
    pad, end = "\n" + " " * (indent + 1), "\n" + " " * indent
    if isinstance(value, dict):
        inner = [f"{json.dumps(key)}: {pretty(item, indent + 1)}" for key, item in value.items()]
        return "{" + pad + f",{pad}".join(inner) + end + "}"
    inner = [json.dumps(item) if isinstance(item, list) else pretty(item, indent + 1) for item in value]
    return "[" + pad + f",{pad}".join(inner) + end + "]"
