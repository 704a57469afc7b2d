"""A status, a spec or an annotation of giant size is sent.

Promise: the schema refuses it (422) and names the field, never 413 or 500; the largest that it lets in is
stored, and its job is run as any other.
"""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import yaml

from builders import make_frame, make_preview, make_result, make_track, manifest
from controlplane import ROOT
from faultlab import FaultLab, invariants
from playerscore import names
from playerscore.geometry import Box
from playerscore.resources import MAX_FRAMES, MAX_TRACKS

Json = dict[str, Any]
JOBS = f"/apis/{names.API_VERSION}/namespaces/default/{names.JOB_PLURAL}"
MERGE = {"Content-Type": "application/merge-patch+json"}
CRD = yaml.safe_load((ROOT / "crds" / "scoringjobs.yaml").read_text())
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
GIANT = 2_000_000
ANNOTATIONS_MAX = 262_144
"""Kubernetes' own limit on all annotations of an object, bytes."""
CONDITION = {"type": "Running", "status": "True", "reason": "X", "message": "x", "observedGeneration": 1}
CONDITION |= {"lastTransitionTime": "2026-01-01T00:00:00Z"}
TEXT = "x" * GIANT
METADATA: Json = {
    "annotations": {"note": TEXT},
    "labels": {"note": TEXT},
    "finalizers": [f"example.com/{TEXT}"],
}
Place = tuple[str | int, ...]


def whole(lab: FaultLab, name: str) -> dict[str, Json]:
    """Spec and status with something in every part that can be large."""
    artifact = {"name": "radar.png", "mediaType": "image/png", "bytes": 1, "sha256": "a" * 64}
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    points = [{"imageX": x, "imageY": y, "pitchX": 105 * x, "pitchY": 68 * y} for x, y in corners]
    spec = lab.ready(name) | {
        "video": {"uri": "s3://playerscore/default/uploads/match.mp4", "sha256": "a" * 64},
        "displayName": "Number 7",
        "pitch": {"moments": [{"points": points}]},
        "queueName": "gpus",
        "runtimeName": "cpu",
        "priorityClassName": "low",
    }
    status = {
        "progress": {"step": "ANALYZING", "percent": 1, "message": "x"},
        "conditions": [CONDITION],
        "preview": manifest(make_preview(name=name)),
        "run": {"attempt": 1, "jobName": "x", "node": "x"},
        "result": manifest(make_result()),
        "artifacts": [artifact],
    }
    return {"spec": spec, "status": status}


def bounds(schema: Json, value: Any, place: Place = ()) -> Iterator[tuple[Place, str, int]]:
    """Every place of a value whose schema bounds a length: where, of what, how much."""
    for key in ("maxLength", "maxItems"):
        if key in schema:
            yield place, key, schema[key]
    for name, inner in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            yield from bounds(inner, value[name], (*place, name))
    if "items" in schema and isinstance(value, list) and value:
        yield from bounds(schema["items"], value[0], (*place, 0))


def enlarged(value: Any, place: Place, size: int) -> Any:
    """A copy in which that text or list has that length."""
    if not place:
        return "x" * size if isinstance(value, str) else [copy.deepcopy(value[0]) for _ in range(size)]
    made = copy.copy(value)
    made[place[0]] = enlarged(value[place[0]], place[1:], size)
    return made


def ask(lab: FaultLab, name: str, part: str, content: Any) -> Any:
    path = f"{JOBS}/{name}" + ("/status" if part == "status" else "")
    return lab.http.patch(path, content=json.dumps({part: content}), headers=MERGE)


def spelt(part: str, place: Place) -> str:
    """As the API server names a field."""
    return part + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


def test_whatever_is_too_long_is_refused_by_its_field(lab: FaultLab, dice: random.Random) -> None:
    lab.post_job("giant", {"managedBy": "example.com/nobody"})
    before = lab.get("scoringjob", "giant")
    tries = [
        (part, place, kind, limit)
        for part in ("spec", "status")
        for place, kind, limit in bounds(SCHEMA[part], whole(lab, "giant")[part])
    ]
    assert len(tries) > 20
    for part, place, kind, limit in tries:
        giant = GIANT if kind == "maxLength" else limit + dice.randint(1, 200)
        for size in (limit + 1, giant):
            answer = ask(lab, "giant", part, enlarged(whole(lab, "giant")[part], place, size))

            assert answer.status_code == 422, (place, size, answer.text[:300])
            assert spelt(part, place) in answer.text, (place, size, answer.text[:300])
    for place, value in METADATA.items():
        answer = ask(lab, "giant", "metadata", {place: value})

        assert answer.status_code == 422, answer.text[:300]
        assert f"metadata.{place}" in answer.text
    assert lab.get("scoringjob", "giant") == before
    invariants(lab)


def test_the_largest_that_is_let_in_is_run_as_any_other(lab: FaultLab) -> None:
    lab.start_operator()
    lab.create_job("large", lab.selected("large") | {"displayName": "x" * 200})
    note = {"metadata": {"annotations": {"note": "x" * (ANNOTATIONS_MAX - 2_000)}}}
    lab.http.patch(f"{JOBS}/large", content=json.dumps(note), headers=MERGE).raise_for_status()
    crowd = [make_track(number, Box(0.4321, 0.4321, 0.1234, 0.1234)) for number in range(MAX_TRACKS - 1)]
    first = manifest(make_preview(name="large"))["frames"][0]
    frames = [make_frame(number, crowd, name="large") for number in range(1, MAX_FRAMES + 1)]
    preview = manifest(make_preview(frames, name="large"))
    preview["frames"][0]["tracks"] = first["tracks"] + preview["frames"][0]["tracks"][len(first["tracks"]) :]
    uid = lab.get("scoringjob", "large")["metadata"]["uid"]
    lab.pod_runs(f"sj-{uid}-p1")
    assert ask(lab, "large", "status", {"preview": preview}).status_code == 200
    lab.pod_ends(f"sj-{uid}-p1")
    lab.until(lambda: lab.step("large") == "READY_TO_ENQUEUE")
    lab.patch("large", {"suspend": False})
    with lab.kubelet():
        lab.all_at("COMPLETED", ["large"])
    invariants(lab)
