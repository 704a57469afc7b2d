"""Further preview frames through every door: REST, command line and kubectl, in the same words."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from apilab import Lab, error
from builders import make_frame, make_preview, make_track, manifest
from clidesk import REFUSED, TIMED_OUT, USAGE, Desk

Json = dict[str, Any]
FAILED = {
    "type": "PreviewReady",
    "status": "True",
    "reason": "VIDEO_DECODE_FAILED",
    "message": "3 frames to pick from. spec.preview.atSec: it is damaged",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def asked(lab: Lab, name: str) -> list[float]:
    found: list[float] = lab.stored(name)["spec"].get("preview", {}).get("atSec", [])
    return found


def gave_up(lab: Lab, name: str, *times: float) -> None:
    run = {"previewAttempt": 2, "previewAsked": list(times), "previewFailed": 2}
    generation = lab.stored(name)["metadata"]["generation"]
    lab.status(name, {"observedGeneration": generation, "run": run, "conditions": [FAILED]})


def test_rest_asks_for_frames_and_says_which_it_cannot(lab: Lab) -> None:
    lab.created("elsewhere")

    def look(*times: float) -> Any:
        return lab.editor.post("/jobs/elsewhere/preview", json={"atSec": list(times)})

    taken = look(7, 9.5)
    assert taken.status_code == 200, taken.text
    assert asked(lab, "elsewhere") == [7, 9.5]
    before = lab.stored("elsewhere")
    for times, expected in (
        ([19.9, 20], (422, "PREVIEW_TIME_OUTSIDE")),
        ([9 + number / 4 for number in range(13)], (409, "PREVIEW_FULL")),
        ([], (422, "INVALID")),
        ([-1], (422, "INVALID")),
    ):
        refused = look(*times)
        assert error(refused) == expected, refused.text
        assert "atSec" in refused.json()["error"]["field"]
    assert look(2, 9.5).status_code == 200, "a frame shows it; it is asked for"
    assert lab.stored("elsewhere") == before


def test_rest_asks_for_frames_over_a_range(lab: Lab) -> None:
    lab.created("elsewhere-range")

    def look(**body: Any) -> Any:
        return lab.editor.post("/jobs/elsewhere-range/preview", json=body)

    assert look(range={"fromSec": 10, "toSec": 14, "frames": 2}).status_code == 200
    assert asked(lab, "elsewhere-range") == [11, 13]
    before = lab.stored("elsewhere-range")
    for body, field in (
        ({}, "atSec"),
        ({"atSec": [7], "range": {"fromSec": 5, "toSec": 6}}, "atSec"),
        ({"range": {"fromSec": 6, "toSec": 6}}, "range.toSec"),
        ({"range": {"fromSec": 6, "toSec": 7, "frames": 0}}, "range.frames"),
        ({"range": {"fromSec": 6}}, "range.toSec"),
    ):
        refused = look(**body)
        assert error(refused) == (422, "INVALID"), refused.text
        assert refused.json()["error"]["field"] == field
    assert error(look(range={"fromSec": 18, "toSec": 24})) == (422, "PREVIEW_TIME_OUTSIDE")
    assert lab.stored("elsewhere-range") == before


def test_the_command_line_asks_over_a_range(lab: Lab, desk: Desk) -> None:
    lab.created("elsewhere-cli-range")
    desk.ok("preview", "elsewhere-cli-range", "--from", "0:10", "--to", "0:14", "--frames", "2")
    assert asked(lab, "elsewhere-cli-range") == [11, 13]
    for arguments, code in ((["--from", "5"], USAGE), ([], USAGE), (["--from", "5", "--to", "5"], REFUSED)):
        assert desk.run("preview", "elsewhere-cli-range", *arguments).returncode == code
    assert asked(lab, "elsewhere-cli-range") == [11, 13]


def test_rest_refuses_what_comes_too_early_or_too_late(lab: Lab) -> None:
    lab.created("elsewhere-early", preview=False)
    lab.created("elsewhere-late")
    lab.status("elsewhere-late", {"run": {"attempt": 1, "generation": 1}})

    early = lab.editor.post("/jobs/elsewhere-early/preview", json={"atSec": [7]})
    late = lab.editor.post("/jobs/elsewhere-late/preview", json={"atSec": [7]})

    assert error(early) == (409, "PREVIEW_NOT_READY")
    assert error(late) == (409, "JOB_LAUNCHED")
    assert late.json()["error"]["field"] == "spec.preview.atSec"


def test_rest_tells_why_frames_could_not_be_made_and_forgets_them_for_others(lab: Lab) -> None:
    lab.created("elsewhere-failed")
    lab.editor.post("/jobs/elsewhere-failed/preview", json={"atSec": [7]})
    gave_up(lab, "elsewhere-failed", 7)

    again = lab.editor.post("/jobs/elsewhere-failed/preview", json={"atSec": [7]})
    other = lab.editor.post("/jobs/elsewhere-failed/preview", json={"atSec": [9]})

    assert error(again) == (422, "VIDEO_DECODE_FAILED")
    assert other.status_code == 200
    assert asked(lab, "elsewhere-failed") == [9]


def test_a_pick_on_an_added_frame_is_a_pick_like_any_other(lab: Lab) -> None:
    lab.created("elsewhere-picked")
    frames = [*make_preview(name="elsewhere-picked").frames]
    frames.append(make_frame(4, [make_track(40)], name="elsewhere-picked", time_sec=9.5))
    preview = make_preview(frames, name="elsewhere-picked").model_copy(update={"asked_sec": [9.5]})
    lab.status("elsewhere-picked", {"preview": manifest(preview)})
    key = frames[3].frame_key

    shown = lab.editor.get("/jobs/elsewhere-picked/preview").json()
    picked = lab.editor.post("/jobs/elsewhere-picked/pick-player", json={"frame_key": key, "track_id": 40})
    confirmed = lab.editor.post("/jobs/elsewhere-picked/target", json={"frame_key": key})

    assert (len(shown["frames"]), shown["asked_sec"]) == (4, [9.5])
    assert picked.status_code == confirmed.status_code == 200
    assert confirmed.json()["progress"]["step"] == "READY_TO_ENQUEUE"


def test_the_command_line_asks_as_a_player_shows_the_time(lab: Lab, desk: Desk) -> None:
    lab.created("cli-elsewhere")

    desk.ok("preview", "cli-elsewhere", "--at", "0:07", "--at", "9.5")
    assert asked(lab, "cli-elsewhere") == [7, 9.5]

    outside = desk.run("preview", "cli-elsewhere", "--at", "63:20")
    assert outside.returncode == REFUSED
    assert "PREVIEW_TIME_OUTSIDE: spec.preview.atSec 3800: the video ends at 20 s" in outside.stderr
    assert desk.run("preview", "cli-elsewhere", "--at", "half past").returncode == USAGE
    assert desk.run("preview", "cli-elsewhere").returncode == USAGE
    tried = desk.ok("preview", "cli-elsewhere", "--at", "11", "--dry-run", "client", "-o", "json")
    assert json.loads(tried)["spec"]["preview"]["atSec"] == [7, 9.5, 11]
    assert asked(lab, "cli-elsewhere") == [7, 9.5]


def test_the_command_line_waits_for_the_frames_or_says_why_they_do_not_come(lab: Lab, desk: Desk) -> None:
    lab.created("cli-waits")

    late = desk.run("preview", "cli-waits", "--at", "7", "--wait", "--timeout", "1")
    assert late.returncode == TIMED_OUT
    frames = [*make_preview(name="cli-waits").frames, make_frame(4, [], name="cli-waits", time_sec=7.0)]
    preview = make_preview(frames, name="cli-waits").model_copy(update={"asked_sec": [7.0]})
    lab.status("cli-waits", {"preview": manifest(preview)})
    desk.ok("preview", "cli-waits", "--at", "7", "--wait", "--timeout", "5")

    waiting = desk.start("preview", "cli-waits", "--at", "9", "--wait", "--timeout", "30")
    until(lambda: 9 in asked(lab, "cli-waits"))
    gave_up(lab, "cli-waits", 9)
    _, said = waiting.communicate(timeout=30)
    assert waiting.returncode == REFUSED
    assert "VIDEO_DECODE_FAILED" in said


def test_kubectl_asks_and_the_schema_keeps_it_a_set_of_sixteen(lab: Lab) -> None:
    lab.created("kubectl-elsewhere")

    def patched(*times: float) -> str:
        patch = json.dumps({"spec": {"preview": {"atSec": list(times)}}})
        return lab.plane.kubectl("patch", "sj", "kubectl-elsewhere", "--type=merge", "-p", patch, check=False)

    assert "patched" in patched(7, 9.5)
    for wrong in ([7, 7], list(range(17)), [-1], [86_401]):
        assert "patched" not in patched(*wrong), wrong
    assert asked(lab, "kubectl-elsewhere") == [7, 9.5]
