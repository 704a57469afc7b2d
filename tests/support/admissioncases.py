"""The table that every gate is judged by: `tests/support/vectors/*.yaml`, expanded.

A case is data: an object before, what is sent and through which door, and what must be said. The expected
verdict, code, field and words stand in the files; nothing here computes them.

    CASES                 all cases, in the files' order
    case.before           {"spec", "status"} of the stored object, None for a create
    case.sent             the merge patch, or the whole manifest, that is sent
    case.after            the spec as it is afterwards if it is allowed

A file holds `about`, `defaults` (merged under each case) and `cases` by name:

    before   [spec, status] of bases.yaml, or none for a create; `given` patches the two
    by       kubectl (a merge patch, the default), gitops (server-side apply) or replace (PUT)
    change   RFC 7386 patch of the spec; for a create, of the base named in `create`
    forged   a status that is sent along
    deny     [[code, field, message], ...] in order; absent means that it is allowed
    warn     the warning that comes with it, if any
    iou      the overlap, where one is compared
    step     the same as a step of the REST API: pick-player, target, enqueue, pause, or jobs for a create
    answer   [code, message] of the REST API where it differs, because it refuses before the rule is asked
    launch   what the operator says to it once enqueued: `as judged`, `waits`, or [[code, message]]
"""

import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from mergepatch import patched
from playerscore.edits import Violation
from playerscore.names import frame_key

Json = dict[str, Any]

FOLDER: Final = Path(__file__).parent / "vectors"
JOB: Final = "match-1"
FRAME_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    before: Json | None
    by: str
    sent: Json
    after: Json
    deny: list[Violation]
    warn: str | None
    iou: float | None
    step: str | None
    answer: list[str] | None
    launch: str | list[list[str]] | None

    @property
    def slug(self) -> str:
        """A name for its object."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:60].strip("-")


def _merged(under: Any, over: Any) -> Any:
    """Like `patched`, but a null stays: it is part of the patch that is sent."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return deepcopy(over)
    return deepcopy(under) | {key: _merged(under.get(key), value) for key, value in over.items()}


def _expanded(value: Any) -> Any:
    """The shorthand `box`, `frame` and `frames` written out."""
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if not isinstance(value, dict):
        return value
    out: Json = {}
    for key, item in value.items():
        if key == "box":
            out["bbox"] = dict(zip("xywh", item, strict=True))
        elif key == "frame":
            out["frame_key"] = frame_key(JOB, item)
        elif key == "frames" and isinstance(item, dict):
            out["frames"] = [_frame(number, tracks) for number, tracks in item.items()]
        else:
            out[key] = _expanded(item)
    return out


def _frame(number: int, tracks: dict[int, list[float]]) -> Json:
    return {
        "frame_key": frame_key(JOB, number),
        "time_sec": FRAME_SECONDS * (number - 1),
        "width": 1280,
        "height": 720,
        "tracks": [
            {"track_id": track_id, "score": 0.9, "bbox": dict(zip("xywh", box, strict=True))}
            for track_id, box in tracks.items()
        ],
    }


def _base(kind: Json, name: str) -> Json:
    found = dict(kind[name])
    parent = found.pop("extends", None)
    own = _expanded(found)
    return patched(_base(kind, parent), own) if parent else own


def _case(name: str, row: Json, bases: Json) -> Case:
    known = set(Case.__annotations__) | {"given", "change", "forged", "create"}
    assert not set(row) - known, f"{name}: {set(row) - known}"
    given, change = _expanded(row.get("given", {})), _expanded(row.get("change", {}))
    before = None
    if "create" in row:
        after = patched(_base(bases["specs"], row["create"]), change)
        sent = {"spec": after}
    else:
        spec, status = row["before"]
        before = {
            "spec": patched(_base(bases["specs"], spec), given.get("spec", {})),
            "status": patched(_base(bases["statuses"], status), given.get("status", {})),
        }
        after = patched(before["spec"], change)
        sent = {"spec": change if row.get("by", "kubectl") == "kubectl" else after}
    if "forged" in row:
        sent["status"] = _expanded(row["forged"])
    told = {key: row.get(key) for key in ("warn", "iou", "step", "answer", "launch")}
    deny = [Violation(*item) for item in row.get("deny", [])]
    return Case(name, before, row.get("by", "kubectl"), sent, after, deny, **told)


def _read() -> list[Case]:
    bases = yaml.safe_load((FOLDER / "bases.yaml").read_text())
    cases = []
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.stem == "bases":
            continue
        page = yaml.safe_load(path.read_text())
        for name, row in page["cases"].items():
            whole = _merged(page.get("defaults", {}), row)
            cases.append(_case(f"{path.stem}: {name}", whole, bases))
    return cases


CASES: Final = _read()
