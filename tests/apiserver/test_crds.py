"""The CRDs on a real API server: applied client side, and judging the same jobs as the models do."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from builders import make_preview, make_ready_spec, make_result, make_runtime, make_spec, manifest
from controlplane import ROOT, ControlPlane
from playerscore.names import NAME_MAX
from playerscore.resources import ScoringJob, ScoringRuntime

Json = dict[str, Any]
KEY = "jobs/match-1/frames/frame_0001.jpg"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as found:
        # Client-side apply keeps the whole object in an annotation of at most 256 KiB.
        found.install_crds()
        yield found


def job(**spec: Any) -> Json:
    return {
        "apiVersion": "playerscore.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": "match-1", "namespace": "default"},
        "spec": {**manifest(make_spec()), **spec},
    }


def target(**box: Any) -> Json:
    return {"frame_key": KEY, "bbox": {"x": 0.1, "y": 0.1, "w": 0.1, "h": 0.1, **box}}


def served(plane: ControlPlane, body: Json) -> str:
    """What a server's strict dry run says; empty when it takes the object."""
    said = plane.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(body), check=False
    )
    return "" if "created" in said and "rror" not in said else said


def modelled(body: Json) -> str:
    """What the model says; empty when it takes the object."""
    try:
        (ScoringJob if body["kind"] == "ScoringJob" else ScoringRuntime).model_validate(copy.deepcopy(body))
    except ValidationError as error:
        return str(error)
    return ""


POINT = {"imageX": 0, "imageY": 0, "pitchX": 0, "pitchY": 0}
NAMED = {"imageX": 0.5, "imageY": 0.25, "landmark": "centre-spot"}
VALID = {
    "a video alone": job(),
    "everything": job(**manifest(make_ready_spec(suspend=False, display_name="Number 7"))),
    "a whole-frame box": job(target=target(x=0, y=0, w=1, h=1)),
    "whole numbers": job(target=target(x=0, y=0, w=1, h=1), analysis={"startSec": 1, "endSec": 2}),
    "a uri with letters of everywhere": job(video={"uri": "s3://a/Jürgen-\u5c71\u7530.mp4"}),
    "a pitch": job(pitch={"moments": [{"points": [POINT] * 4}]}),
    "a small pitch with landmarks": job(
        pitch={"format": "7-a-side", "lengthM": 55, "widthM": 36.5, "moments": [{"points": [NAMED] * 4}]}
    ),
    "deadlines and retries": job(activeDeadlineSeconds=60, startDeadlineSeconds=60, retry={"limit": 0}),
}
INVALID = {
    "no video": {**job(), "spec": {}},
    "an unknown field": job(playerRef={"track_id": 1}),
    "an unknown field inside": job(target={**target(), "frame": 1}),
    "a frame key of no frame": job(target={**target(), "frame_key": "frame_0001.jpg"}),
    "a box left of the picture": job(target=target(x=-0.1)),
    "a box wider than the picture": job(target=target(w=1.1)),
    "a box that is a text": job(target=target(x="NaN")),
    "a box without a side": job(target={"frame_key": KEY, "bbox": {"x": 0.1, "y": 0.1, "w": 0.1}}),
    "a track that is a text": job(player_ref={"frame_key": KEY, "track_id": "seven"}),
    "a negative track": job(player_ref={"frame_key": KEY, "track_id": -1}),
    "a digest that is too short": job(video={"uri": "s3://a/b", "sha256": "abc"}),
    "no uri": job(video={"uri": "match.mp4"}),
    **{
        f"a uri with the space U+{ord(space):04X}": job(video={"uri": f"s3://a/b{space}c.mp4"})
        for space in " \t\n\x0b\x85\xa0\u1680\u2003\u2028\u202f\u205f\u3000"
    },
    "too many frames": job(preview={"frames": 17}),
    "a name for people that is too long": job(displayName="x" * 201),
    "a runtime's name with a space": job(runtimeName="my gpu"),
    "a deadline of nothing": job(activeDeadlineSeconds=0),
    "a landmark and metres": job(pitch={"moments": [{"points": [NAMED | POINT, *[POINT] * 3]}]}),
    "half of the metres": job(
        pitch={"moments": [{"points": [{"imageX": 0, "imageY": 0, "pitchX": 0}, *[POINT] * 3]}]}
    ),
    "a landmark that no pitch has": job(
        pitch={"moments": [{"points": [NAMED | {"landmark": "north-stand"}, *[POINT] * 3]}]}
    ),
    "a pitch without a moment": job(pitch={"moments": []}),
    "sprints slower than fast runs": job(
        pitch={"highSpeedKmh": 25, "sprintKmh": 20, "moments": [{"points": [POINT] * 4}]}
    ),
    "three points of a pitch": job(pitch={"moments": [{"points": [POINT] * 3}]}),
    "suspend as a text": job(suspend="perhaps"),
}
# Rules across fields live in CEL and in the flow; the models leave them to those.
CEL = {
    "a box without an area": (job(target=target(w=0)), "the box must have an area"),
    "a box that leaves the picture": (job(target=target(x=0.95)), "inside the picture"),
    "a range that ends before it starts": (
        job(analysis={"startSec": 5, "endSec": 2}),
        "endSec must be after",
    ),
    "a name that is too long": (
        {**job(), "metadata": {"name": "x" * (NAME_MAX + 1), "namespace": "default"}},
        "at most 63",
    ),
}


@pytest.mark.parametrize("body", VALID.values(), ids=VALID)
def test_model_and_server_take_the_same_jobs(plane: ControlPlane, body: Json) -> None:
    assert (modelled(body), served(plane, body)) == ("", "")


@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID)
def test_model_and_server_refuse_the_same_jobs(plane: ControlPlane, body: Json) -> None:
    assert modelled(body)
    assert served(plane, body)


@pytest.mark.parametrize(("body", "words"), CEL.values(), ids=CEL)
def test_rules_across_fields_are_the_servers(plane: ControlPlane, body: Json, words: str) -> None:
    assert words in served(plane, body)


def test_strict_validation_names_the_wrong_field(plane: ControlPlane) -> None:
    assert 'unknown field "spec.playerRef"' in served(plane, INVALID["an unknown field"])


def test_a_runtime_is_judged_alike(plane: ControlPlane) -> None:
    good = manifest(make_runtime())
    bad = copy.deepcopy(good)
    del bad["spec"]["image"]

    assert (modelled(good), served(plane, good)) == ("", "")
    assert modelled(bad)
    assert served(plane, bad)


WEIGHTS = {"uri": "s3://playerscore/_weights/net.onnx", "sha256": "c" * 64}


def runtime(**detector: Any) -> Json:
    body = manifest(make_runtime())
    return body | {"spec": body["spec"] | {"detector": detector}}


def onnx(**told: Any) -> Json:
    return runtime(name="onnx", weights=WEIGHTS, onnx={"layout": "yolo"} | told)


@pytest.mark.parametrize(
    "body",
    [
        onnx(),
        onnx(input={"width": 640, "height": 640, "channels": "BGR", "scale": 255, "fit": "corner"}),
        onnx(layout="detr", outputs={"boxes": "dets", "scores": "labels"}, personClasses=[1], nmsIou=1),
        runtime(name="ultralytics", weights=WEIGHTS),
    ],
    ids=["a layout alone", "a fixed size", "outputs by name", "without a manifest"],
)
def test_model_and_server_take_the_same_detectors(plane: ControlPlane, body: Json) -> None:
    assert (modelled(body), served(plane, body)) == ("", "")


@pytest.mark.parametrize(
    "body",
    [
        onnx(layout="ssd"),
        onnx(personClasses=[]),
        onnx(minScore=0),
        onnx(input={"mean": [0.5]}),
        onnx(input={"std": [1, 0, 1]}),
        onnx(input={"scale": 0}),
        onnx(input={"size": 640}),
        runtime(name="onnx", weights=WEIGHTS, onnx={}),
    ],
    ids=[
        "no such layout",
        "nobody is a person",
        "no least score",
        "one mean for three channels",
        "a division by nothing",
        "black pictures",
        "an unknown field",
        "no layout",
    ],
)
def test_model_and_server_refuse_the_same_detectors(plane: ControlPlane, body: Json) -> None:
    assert modelled(body)
    assert served(plane, body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (runtime(name="onnx", weights=WEIGHTS), "the detector onnx needs weights and its manifest"),
        (runtime(name="onnx", onnx={"layout": "yolo"}), "the detector onnx needs weights and its manifest"),
        (runtime(onnx={"layout": "yolo"}), "describes weights of the detector onnx alone"),
        (onnx(input={"width": 640}), "width and height belong together"),
    ],
    ids=["no manifest", "no weights", "a manifest of nothing", "half a size"],
)
def test_half_a_detector_is_refused_by_the_server(plane: ControlPlane, body: Json, words: str) -> None:
    assert words in served(plane, body)


def test_a_fresh_job_is_a_draft_that_nobody_has_seen(plane: ControlPlane) -> None:
    plane.kubectl("create", "-f", "-", stdin=json.dumps(job()))
    stored = json.loads(plane.kubectl("get", "sj", "match-1", "-o", "json"))

    assert stored["spec"]["suspend"] is True
    assert stored["status"]["observedGeneration"] == -1


def status(plane: ControlPlane, body: Json) -> str:
    patch = json.dumps({"status": body})
    return plane.kubectl(
        "patch", "sj", "match-1", "--subresource=status", "--type=merge", "-p", patch, check=False
    )


def test_nothing_is_completed_without_all_six_scores(plane: ControlPlane) -> None:
    result = manifest(make_result())
    partial = copy.deepcopy(result)
    del partial["radar"]["stability"]

    assert "must have a result" in status(plane, {"progress": {"step": "COMPLETED"}})
    assert "stability" in status(plane, {"progress": {"step": "COMPLETED"}, "result": partial})
    assert "patched" in status(plane, {"progress": {"step": "COMPLETED"}, "result": result})


def test_the_columns_show_the_score(plane: ControlPlane) -> None:
    status(plane, {"preview": manifest(make_preview())})
    shown = plane.kubectl("get", "scoring", "-A")

    assert "SCORE" in shown
    assert str(make_result().overall_score) in shown


def test_a_frontend_lists_by_step_on_the_server(plane: ControlPlane) -> None:
    found = plane.kubectl("get", "sj", "--field-selector=status.progress.step=COMPLETED", "-o", "name")

    assert found.strip() == "scoringjob.playerscore.dev/match-1"


def test_what_workers_of_the_first_release_report_is_stored(plane: ControlPlane) -> None:
    """While the release is upgraded, pods of the old one write into the new definition."""
    reports = json.loads((ROOT / "tests/support/reports-0.1.0.json").read_text())
    plane.kubectl(
        "create",
        "-f",
        "-",
        stdin=json.dumps(job() | {"metadata": {"name": "upgraded", "namespace": "default"}}),
    )
    plane.kubectl(
        *("patch", "scoringjob", "upgraded", "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": reports})),
    )
    stored = json.loads(plane.kubectl("get", "scoringjob", "upgraded", "-o", "json"))["status"]
    plane.kubectl("delete", "scoringjob", "upgraded")

    assert stored | reports == stored
