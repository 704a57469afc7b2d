"""The pitch through every door: REST, command line, kubectl and the webhook, in the same words."""

import json
from typing import Any

import pytest

from apilab import Lab, error
from clidesk import REFUSED, Desk
from pitches import STAND, pitch, points, seen

Json = dict[str, Any]
AT = seen(STAND)
FIVE = ("centre-spot", "centre-circle-top", "centre-circle-left", "centre-circle-right", "halfway-line-top")
GOOD = pitch((1.0, points(AT)))
MIRRORED = pitch((1.0, [p | {"imageX": 1 - p["imageX"]} for p in points(AT)]))


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


def test_rest_takes_a_pitch_and_refuses_what_cannot_be_one(lab: Lab) -> None:
    lab.created("pitched")

    taken = lab.editor.post("/jobs/pitched/pitch", json=GOOD)
    refused = lab.editor.post("/jobs/pitched/pitch", json=MIRRORED)
    short = lab.editor.post("/jobs/pitched/pitch", json=pitch((1.0, points(AT)[:3])))
    late = lab.editor.post("/jobs/pitched/pitch", json=pitch((80_000.0, points(AT))))

    assert taken.status_code == 200, taken.text
    stored = lab.stored("pitched")["spec"]["pitch"]
    assert stored["moments"][0]["points"][0] == points(AT)[0]
    assert error(refused) == (422, "PITCH_INCOHERENT")
    assert refused.json()["error"]["field"] == "spec.pitch"
    assert error(short) == (422, "INVALID")
    assert error(late) == (422, "PITCH_MOMENT_OUTSIDE")
    assert lab.stored("pitched")["spec"]["pitch"] == stored


def test_a_running_jobs_pitch_is_frozen(lab: Lab) -> None:
    lab.created("pitch-runs")
    lab.plane.kubectl(
        "patch", "sj", "pitch-runs", "--type=merge", "-p", json.dumps({"spec": {"suspend": False}})
    )
    lab.status("pitch-runs", {"run": {"attempt": 1, "generation": 1}})

    assert error(lab.editor.post("/jobs/pitch-runs/pitch", json=GOOD)) == (409, "JOB_RUNNING")


def test_the_command_line_adds_moments_point_by_point(lab: Lab, desk: Desk) -> None:
    lab.created("cli-pitch")
    clicked = [f"--point={name}={AT[name][0]:.4f},{AT[name][1]:.4f}" for name in FIVE]

    desk.ok("pitch", "cli-pitch", "--frame", "1", *clicked)
    desk.ok("pitch", "cli-pitch", "--time", "0.5", *clicked)
    one = lab.stored("cli-pitch")["spec"]["pitch"]
    turned = [f"--point={name}={1 - AT[name][0]:.4f},{AT[name][1]:.4f}" for name in FIVE]
    wrong = desk.run("pitch", "cli-pitch", "--time", "1", *turned)
    named = desk.run("pitch", "cli-pitch", "--time", "1", *clicked[:4], "--point=north-stand=0.5,0.5")
    desk.ok("pitch", "cli-pitch", "--clear")

    assert [len(moment["points"]) for moment in one["moments"]] == [5, 5]
    assert one["moments"][0]["points"][0]["landmark"] == FIVE[0]
    assert wrong.returncode == REFUSED
    assert "PITCH_INCOHERENT: spec.pitch: at 1 s the pitch is mirrored" in wrong.stderr
    assert "north-stand" in named.stderr
    assert "pitch" not in lab.stored("cli-pitch")["spec"]


def test_gitops_stores_a_pitch_that_the_schema_knows_and_no_other(lab: Lab) -> None:
    def applied(name: str, given: Json) -> str:
        spec = {"video": {"uri": "s3://playerscore/default/uploads/a.mp4"}, "pitch": given}
        body = {
            "apiVersion": "playerscore.dev/v1alpha1",
            "kind": "ScoringJob",
            "metadata": {"name": name},
            "spec": spec,
        }
        return lab.plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(body), check=False)

    assert "serverside-applied" in applied("git-pitch", GOOD)
    assert "a point has a landmark, or pitchX and pitchY" in applied(
        "git-none", pitch((1.0, [{"imageX": 0.5, "imageY": 0.5}, *points(AT)]))
    )
    assert "spec.pitch.moments[0].points" in applied("git-three", pitch((1.0, points(AT)[:3])))
