"""Objects of Kubernetes read only as far as an answer needs them: the answer must not tell."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from builders import PLAYER, make_job, make_preview, make_result, manifest
from playerscore import flow, names
from playerscore.errors import PlayerscoreError
from playerscore.resources import BBox
from playerscore_api import forms, stored

Json = dict[str, Any]
BOX = {"x": 0.1, "y": 0.2, "w": 0.1, "h": 0.2}


def job(**changes: Any) -> Json:
    """A stored job; `spec` and `status` are changed key by key, None takes a key away."""
    document = manifest(make_job())
    document["metadata"] |= {
        "resourceVersion": "7",
        "namespace": "default",
        "name": "match-1",
        "uid": "u",
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    }
    for part, found in changes.items():
        document[part] = {**document.get(part, {}), **found}
        document[part] = {key: value for key, value in document[part].items() if value is not None}
    return document


def target(number: int, confirmed: bool = True) -> Json:
    key = names.frame_key("match-1", number)
    return {"player_ref": {"frame_key": key, "track_id": PLAYER}, "target": {"frame_key": key, "bbox": BOX, "confirmed": confirmed}}  # fmt: skip


PREVIEW = manifest(make_preview())
JOBS: dict[str, Json] = {
    "as built": job(),
    "without a status": {key: value for key, value in job().items() if key != "status"},
    "without a preview": job(status={"preview": None}),
    "with a preview and no target": job(spec={"player_ref": None, "target": None}, status={"preview": PREVIEW}),
    "with a target on a frame": job(spec=target(1), status={"preview": PREVIEW}),
    "with a target on no frame": job(spec=target(9), status={"preview": PREVIEW}),
    "with a draft": job(spec=target(1, confirmed=False), status={"preview": PREVIEW}),
    "with a result": job(status={"result": manifest(make_result()), "progress": {"step": "COMPLETED", "percent": 100}}),
    "with an unknown field of the status": job(status={"mood": "good", "preview": PREVIEW}),
    "with a strange frame": job(spec=target(1), status={"preview": {**PREVIEW, "frames": [7, *PREVIEW["frames"]]}}),
    "with frames that are none": job(spec=target(1), status={"preview": {**PREVIEW, "frames": "none"}}),
    "with a preview that is none": job(status={"preview": [1]}),
    "with a strange target": job(spec={"target": 7}, status={"preview": PREVIEW}),
}  # fmt: skip


def flat(document: Json) -> Json:
    return forms.flat(document).model_dump(mode="json")


@pytest.mark.parametrize("case", JOBS)
def test_the_flat_form_is_the_same_as_of_the_whole_object(case: str) -> None:
    document = JOBS[case]

    assert flat(stored.job(json.dumps(document).encode())) == flat(document)


def test_frames_without_the_target_are_left_out() -> None:
    document = copy.deepcopy(JOBS["with a target on a frame"])
    frames = document["status"]["preview"]["frames"]
    assert len(frames) > 1

    assert stored.job(json.dumps(document).encode())["status"]["preview"]["frames"] == frames[:1]


@pytest.mark.parametrize("case", JOBS)
@pytest.mark.parametrize("number", [1, 2, 9])
def test_a_step_on_a_frame_is_judged_the_same_as_with_the_whole_preview(case: str, number: int) -> None:
    document, key = JOBS[case], names.frame_key("match-1", number)
    read = stored.job(json.dumps(document).encode(), key)

    assert picked(read, key) == picked(document, key)
    assert confirmed(read, key) == confirmed(document, key)


def picked(document: Json, key: str) -> Any:
    return outcome(lambda: flow.pick(*forms.parts(document), key, PLAYER))


def confirmed(document: Json, key: str) -> Any:
    box = BBox.model_validate(BOX)
    return outcome(lambda: flow.confirm(*forms.parts(document), bbox=box, frame_key=key))


def outcome(what: Callable[[], Any]) -> Any:
    try:
        return what()
    except PlayerscoreError as error:
        return error.body()


@pytest.mark.parametrize("items", [["as built"], ["as built", "with a preview that is none"], []])
def test_a_page_has_every_job_even_if_one_is_strange(items: list[str]) -> None:
    listed = {
        "items": [JOBS[case] for case in items],
        "metadata": {"resourceVersion": "9", "continue": "next"},
    }
    page = stored.page(json.dumps(listed).encode())

    assert [flat(item) for item in page.items] == [flat(JOBS[case]) for case in items]
    assert (page.version, page.next) == ("9", "next")


def test_a_change_says_of_which_job_it_is_and_how_far_the_watch_has_come() -> None:
    line = json.dumps({"type": "MODIFIED", "object": job()}).encode() + b"\n"
    change = stored.change(line)

    assert (change.kind, change.name, change.version) == ("MODIFIED", "match-1", 7)
    assert flat(stored.job(change.body)) == flat(job())


STRANGE: dict[str, tuple[bytes, str]] = {
    "a watch that ends": (b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}', "EXPIRED"),
    "a proxy's page": (b"<html>", "CLUSTER_UNAVAILABLE"),
    "half an event": (b'{"type": "ADDED", "object": {"metada', "CLUSTER_UNAVAILABLE"),
    "no version": (b'{"type": "ADDED", "object": {"metadata": {"name": "a"}}}', "CLUSTER_UNAVAILABLE"),
    "no text": (b'{"type": "\xff", "object": {}}', "CLUSTER_UNAVAILABLE"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_line_that_is_no_change_is_refused_with_a_code(case: str) -> None:
    line, code = STRANGE[case]
    with pytest.raises(PlayerscoreError) as refused:
        stored.change(line)

    assert refused.value.code == code


@pytest.mark.parametrize("read", [stored.job, stored.page, stored.whole])
@pytest.mark.parametrize("raw", [b"<html>", b"", b"[]", b"7", b"\xff"])
def test_what_is_no_object_of_kubernetes_is_refused_with_a_code(read: Any, raw: bytes) -> None:
    with pytest.raises(PlayerscoreError) as refused:
        read(raw)

    assert refused.value.code == "CLUSTER_UNAVAILABLE"
