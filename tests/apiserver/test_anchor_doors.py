"""Anchors through every door: REST, command line, kubectl and GitOps, in the same words."""

import json
from typing import Any

import pytest

from apilab import Lab, error
from builders import OTHER_BOX, PLAYER, PLAYER_BOX, VIDEO_URI
from clidesk import REFUSED, USAGE, Desk
from playerscore.names import frame_key
from playerscore.resources import MAX_ANCHORS

Json = dict[str, Any]
HIM, OTHER = (dict(zip("xywh", found, strict=True)) for found in (PLAYER_BOX, OTHER_BOX))
ON_HIM = {"time_sec": 2.0, "bbox": HIM}
GONE = {"time_sec": 9.5, "absent": True}


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


def picked(lab: Lab, name: str) -> None:
    """A job of a picked and confirmed player."""
    lab.created(name)
    pick = {"frame_key": frame_key(name, 1), "track_id": PLAYER}
    assert lab.editor.post(f"/jobs/{name}/pick-player", json=pick).status_code == 200
    assert lab.editor.post(f"/jobs/{name}/target", json={"bbox": HIM}).status_code == 200


def kept(lab: Lab, name: str) -> Any:
    return lab.stored(name)["spec"].get("anchors")


def test_rest_takes_anchors_and_says_which_are_unjudged(lab: Lab) -> None:
    picked(lab, "anchored")
    taken = lab.editor.post("/jobs/anchored/anchors", json={"anchors": [GONE, ON_HIM]})

    assert taken.status_code == 200, taken.text
    assert kept(lab, "anchored") == [ON_HIM, GONE], "in the order of time"
    assert taken.json()["anchors"][1] == {"time_sec": 9.5, "bbox": None, "absent": True}
    assert "AnchorsUnjudged: 1 of 2 anchors" in taken.headers["Warning"]
    enqueued = lab.editor.post("/jobs/anchored/enqueue")
    assert enqueued.status_code == 200, enqueued.text

    back = lab.editor.post("/jobs/anchored/anchors", json={"anchors": []})
    assert back.status_code == 200, back.text
    assert kept(lab, "anchored") is None


BAD = {
    "on another man of a preview frame": ([{"time_sec": 2, "bbox": OTHER}], (409, "ANCHOR_MISMATCH"), "spec.anchors"),
    "absent where the preview shows him": ([{"time_sec": 2, "absent": True}], (409, "ANCHOR_MISMATCH"), "spec.anchors"),
    "two at one time": ([GONE, {"time_sec": 9.5, "bbox": HIM}], (422, "ANCHOR_CONFLICT"), "spec.anchors"),
    "behind the video": ([{"time_sec": 21, "absent": True}], (422, "ANCHOR_OUTSIDE"), "spec.anchors"),
    "a box and absent": ([GONE | {"bbox": HIM}], (422, "INVALID"), "anchors.0"),
    "neither": ([{"time_sec": 9.5}], (422, "INVALID"), "anchors.0"),
    "not absent, and no box": ([{"time_sec": 9.5, "absent": False}], (422, "INVALID"), "anchors.0"),
    "before the start": ([{"time_sec": -1, "absent": True}], (422, "INVALID"), "anchors.0.time_sec"),
    "a box without an area": ([{"time_sec": 9, "bbox": HIM | {"w": 0}}], (422, "INVALID"), "spec.anchors.bbox"),
    "one too many": (
        [{"time_sec": k / 10, "absent": True} for k in range(MAX_ANCHORS + 1)],
        (422, "INVALID"),
        "anchors",
    ),
}  # fmt: skip


def test_what_cannot_be_is_refused_with_its_code_and_field_and_changes_nothing(lab: Lab) -> None:
    picked(lab, "anchored-badly")
    assert lab.editor.post("/jobs/anchored-badly/anchors", json={"anchors": [ON_HIM]}).status_code == 200
    before = lab.stored("anchored-badly")

    for name, (anchors, code, field) in BAD.items():
        refused = lab.editor.post("/jobs/anchored-badly/anchors", json={"anchors": anchors})
        assert error(refused) == code, (name, refused.text)
        assert refused.json()["error"]["field"] == field, name
    assert lab.stored("anchored-badly") == before


def test_another_player_must_agree_with_anchors_of_every_frame(lab: Lab) -> None:
    """Steps read of the preview only the frame that they are about; an anchor may be of another."""
    picked(lab, "anchored-elsewhere")
    lab.editor.post("/jobs/anchored-elsewhere/anchors", json={"anchors": [ON_HIM]})
    other = {"frame_key": frame_key("anchored-elsewhere", 1), "track_id": 9}

    assert error(lab.editor.post("/jobs/anchored-elsewhere/pick-player", json=other)) == (
        409,
        "ANCHOR_MISMATCH",
    )


def test_anchors_of_a_running_and_of_an_ended_job_are_frozen(lab: Lab) -> None:
    picked(lab, "anchored-runs")
    lab.editor.post("/jobs/anchored-runs/enqueue")
    lab.status("anchored-runs", {"run": {"attempt": 1, "generation": 1}})
    running = lab.editor.post("/jobs/anchored-runs/anchors", json={"anchors": [ON_HIM]})
    lab.status("anchored-runs", {"progress": {"step": "FAILED"}})
    ended = lab.editor.post("/jobs/anchored-runs/anchors", json={"anchors": [ON_HIM]})

    assert (error(running), error(ended)) == ((409, "JOB_RUNNING"), (409, "JOB_FINISHED"))


def test_a_job_is_created_with_anchors(lab: Lab) -> None:
    new = {"id": "born-anchored", "video": {"uri": VIDEO_URI}, "anchors": [GONE]}

    assert lab.editor.post("/jobs", json=new).status_code == 201
    assert kept(lab, "born-anchored") == [GONE]


def test_the_command_line_adds_replaces_and_takes_back(lab: Lab, desk: Desk) -> None:
    picked(lab, "cli-anchors")
    at = ",".join(str(value) for value in PLAYER_BOX)

    desk.ok("anchor", "cli-anchors", "--at", "0:02", "--box", at)
    told = desk.run("anchor", "cli-anchors", "--at", "0:00:09.5", "--box", "0.1,0.1,0.1,0.2")
    desk.ok("anchor", "cli-anchors", "--at", "9.5", "--absent")
    assert kept(lab, "cli-anchors") == [ON_HIM, GONE]
    assert "AnchorsUnjudged" in told.stderr

    wrong = desk.run("anchor", "cli-anchors", "--at", "2", "--absent")
    assert wrong.returncode == REFUSED
    assert "ANCHOR_MISMATCH: spec.anchors: the anchor at 2.000 s is absent, but" in wrong.stderr
    badly = desk.run("anchor", "cli-anchors", "--at", "2 minutes", "--absent")
    assert (badly.returncode, "not '2 minutes'" in badly.stderr) == (REFUSED, True)
    both = desk.run("anchor", "cli-anchors", "--at", "2", "--absent", "--box", at)
    assert both.returncode == USAGE
    assert kept(lab, "cli-anchors") == [ON_HIM, GONE]

    desk.ok("anchor", "cli-anchors", "--clear")
    assert kept(lab, "cli-anchors") is None


def test_gitops_stores_what_the_schema_knows_and_no_other(lab: Lab) -> None:
    def applied(name: str, *anchors: Json) -> str:
        spec = {"video": {"uri": VIDEO_URI}, "anchors": list(anchors)}
        body = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": name}}
        text = json.dumps(body | {"spec": spec})
        return lab.plane.kubectl("apply", "--server-side", "-f", "-", stdin=text, check=False)

    assert "serverside-applied" in applied("git-anchors", ON_HIM, GONE)
    assert "an anchor has a bbox, or absent: true" in applied("git-both", GONE | {"bbox": HIM})
    assert "an anchor has a bbox, or absent: true" in applied("git-neither", {"time_sec": 3})
    assert "spec.anchors[0].time_sec" in applied("git-negative", {"time_sec": -1, "absent": True})
    outside = {"time_sec": 3, "bbox": HIM | {"x": 0.95}}
    assert "the box must lie inside the picture" in applied("git-outside", outside)
    many = applied("git-many", *({"time_sec": k, "absent": True} for k in range(MAX_ANCHORS + 1)))
    assert "spec.anchors" in many
    assert "must have at most 32 items" in many
