"""Frames at asked-for times: further runs that only add, that nothing waits for, and that spoil nothing."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    PLAYER,
    UID,
    make_condition,
    make_frame,
    make_preview,
    make_ready_spec,
    make_run,
    make_runtime,
    make_spec,
    make_status,
    make_target,
    make_track,
    manifest,
)
from mergepatch import patched
from playerscore.names import ConditionType
from playerscore.resources import PreviewSettings, Retry, ScoringJobStatus
from playerscore.tasks import TASK_VARIABLE
from playerscore_operator.children import seems_missing
from playerscore_operator.decide import Decision, decide, refused
from playerscore_operator.observe import Observed, lean, rests
from playerscore_operator.spent import spent
from worlds import API, NOW, world

Json = dict[str, Any]
TOLD = make_condition(ConditionType.PREVIEW_READY, "True", "PreviewStored", "3 frames to pick from")
P2 = f"sj-{UID}-p2"


def asking(*times: float, **spec: Any) -> Any:
    return make_spec(preview=PreviewSettings(at_sec=list(times)), **spec)


def previewed(**run: Any) -> ScoringJobStatus:
    return make_status(run=make_run(None, **({"preview_attempt": 1} | run)), conditions=[TOLD])


def after(observed: Observed, decision: Decision, **changes: Any) -> Observed:
    """The world after the decision's status write, without children."""
    status = observed.status
    if decision.status is not None:
        before = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        status = ScoringJobStatus.model_validate(patched(before, decision.status))
    return replace(observed, status=status, **changes)


def begun(*times: float, spec: Any = None) -> tuple[Observed, Json]:
    """The world after a further run was started, and its Job as the API server returns it."""
    observed = world(spec or asking(*times), previewed())
    decision = decide(observed, NOW, API)
    [body] = decision.creates
    body = {**body, "metadata": {**body["metadata"], "creationTimestamp": "2026-01-01T11:59:00Z"}}
    return after(observed, decision, jobs={P2: body}), body


def ended(body: Json, kind: str) -> Json:
    condition = {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T11:59:30Z"}
    return {**body, "status": {"conditions": [condition]}}


def pod(code: int | None = None, code_word: str = "", message: str = "") -> Json:
    state: Json = {"running": {}}
    if code is not None:
        words = json.dumps({"code": code_word, "message": message})
        state = {"terminated": {"exitCode": code, "message": words}}
    labels = {"job-name": P2, "playerscore.dev/attempt": "preview"}
    phase = "Running" if code is None else "Failed"
    return {
        "metadata": {"name": f"{P2}-abcde", "labels": labels, "creationTimestamp": "2026-01-01T11:59:00Z"},
        "spec": {"nodeName": "n"},
        "status": {"phase": phase, "containerStatuses": [{"name": "analyze", "state": state}]},
    }


def task_of(body: Json) -> Json:
    [container] = body["spec"]["template"]["spec"]["containers"]
    found: Json = json.loads(
        next(item["value"] for item in container["env"] if item["name"] == TASK_VARIABLE)
    )
    return found


def told(observed: Observed, decision: Decision) -> tuple[str, str, str]:
    """The condition PreviewReady as it stands after the decision."""
    stored = after(observed, decision).status.conditions or []
    found = next(item for item in stored if item.type == ConditionType.PREVIEW_READY)
    return found.status, found.reason, found.message


def names_of(decision: Decision) -> list[str]:
    return [body["metadata"]["name"] for body in decision.creates]


# --- the start ----------------------------------------------------------------------------------------


def test_asked_for_times_start_a_further_run_and_the_preview_stays_ready() -> None:
    observed = world(asking(2.0, 7, 9.5), previewed())
    decision = decide(observed, NOW, API)

    assert names_of(decision) == [P2]
    assert decision.unproven, "on a live read only"
    assert decision.status is not None
    assert decision.status["run"] == {
        "previewAttempt": 2,
        "previewFirst": 2,
        "previewAsked": [7.0, 9.5],
        "runtime": "cpu",
    }
    assert told(observed, decision)[:2] == ("True", "PreviewExtending")
    assert after(observed, decision).status.preview == observed.status.preview


def test_the_run_is_told_what_is_there_and_to_add_to_it() -> None:
    frames = [make_frame(1), make_frame(2, [make_track(41)])]
    preview = make_preview(frames).model_copy(update={"asked_sec": [5.0]})
    status = make_status(preview=preview, run=make_run(None, preview_attempt=2), conditions=[TOLD])

    [body] = decide(world(asking(5, 7, 9.5), status), NOW, API).creates

    task = task_of(body)
    assert body["metadata"]["name"] == f"sj-{UID}-p3"
    assert task["kind"] == "further-frames"
    assert task["at_sec"] == [7.0, 9.5]
    assert task["asked_sec"] == [5.0]
    assert (task["first_number"], task["first_track_id"]) == (3, 42)
    assert task["video_sha256"] == preview.video.sha256


def test_the_first_run_of_a_preview_is_not_told_of_them() -> None:
    [asked] = decide(world(asking(7)), NOW, API).creates
    [plain] = decide(world(make_spec(preview=PreviewSettings())), NOW, API).creates

    assert task_of(asked) == task_of(plain)


def test_where_nothing_is_asked_for_nothing_is_different() -> None:
    observed = world(make_spec(), previewed())
    rested = after(observed, decide(observed, NOW, API))

    decision = decide(rested, NOW, API)

    assert (decision.status, decision.creates, decision.deletes) == (None, [], [])
    assert rested.run == observed.run


def test_the_last_track_id_is_known_of_a_lean_job_too() -> None:
    frames = [make_frame(1, [make_track(3), make_track(41)]), make_frame(2), make_frame(3, [])]
    body = {
        "metadata": {"name": "match-1"},
        "spec": manifest(make_ready_spec(target=make_target(number=2), preview=PreviewSettings(at_sec=[7]))),
        "status": {"preview": manifest(make_preview(frames))},
    }

    kept = lean(body)["status"]["preview"]["frames"]

    assert [[track["track_id"] for track in frame["tracks"]] for frame in kept] == [[41], [PLAYER], []]


# --- the run ------------------------------------------------------------------------------------------


def test_it_is_watched_and_nothing_else_is_written() -> None:
    observed, _ = begun(7)
    running = replace(observed, pods=[pod()])
    first = decide(running, NOW, API)

    assert told(running, first) == (
        "True",
        "PreviewExtending",
        "3 frames to pick from. Further frames are being made",
    )
    assert decide(after(running, first, pods=running.pods, jobs=running.jobs), NOW, API).status is None


def test_when_its_frames_are_there_all_is_as_before() -> None:
    observed, body = begun(7)
    frames = [*make_preview().frames, make_frame(4, time_sec=7.0)]
    preview = make_preview(frames).model_copy(update={"asked_sec": [7.0]})
    status = observed.status.model_copy(update={"preview": preview})

    decision = decide(replace(observed, status=status, jobs={P2: body}), NOW, API)

    assert told(replace(observed, status=status), decision) == (
        "True",
        "PreviewStored",
        "4 frames to pick from",
    )
    assert (decision.creates, decision.deletes) == ([], []), "its Job ends by itself"
    run = after(replace(observed, status=status), decision).run
    assert (run.preview_asked, run.preview_first, run.preview_failed) == (None, None, None)
    assert run.preview_attempt == 2


def test_more_that_is_asked_for_meanwhile_waits_for_the_run() -> None:
    observed, _ = begun(7)
    decision = decide(replace(observed, spec=asking(7, 9), pods=[pod()]), NOW, API)

    assert (decision.creates, decision.deletes) == ([], [])
    assert after(observed, decision).run.preview_asked == [7.0]


def test_a_time_that_is_taken_back_stops_its_run() -> None:
    observed, _ = begun(7)
    decision = decide(replace(observed, spec=make_spec(), pods=[pod()]), NOW, API)

    assert decision.deletes == [P2]
    assert after(observed, decision).run.preview_asked is None
    assert told(observed, decision)[1] == "PreviewStored"


def test_other_times_wait_until_the_run_of_the_old_ones_is_gone() -> None:
    observed, _ = begun(7)
    decision = decide(replace(observed, spec=asking(9), pods=[pod()]), NOW, API)

    assert decision.deletes == [P2]
    assert decision.creates == []
    assert decision.requeue_seconds is not None

    gone = after(observed, decision, spec=asking(9), jobs={})
    assert names_of(decide(gone, NOW, API)) == [f"sj-{UID}-p3"]


# --- what goes wrong ----------------------------------------------------------------------------------

IMPOSSIBLE: dict[str, tuple[list[float], str]] = {
    "behind the end": ([7, 20], "PREVIEW_TIME_OUTSIDE"),
    "more than there is room for": ([9 + number / 4 for number in range(14)], "PREVIEW_FULL"),
}


@pytest.mark.parametrize(("times", "reason"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_no_gate_could_refuse_is_said_and_starts_nothing(times: list[float], reason: str) -> None:
    """From Git, before there was a preview to judge by."""
    observed = world(asking(*times), previewed())
    decision = decide(observed, NOW, API)

    assert told(observed, decision)[:2] == ("True", reason)
    assert "spec.preview.atSec" in told(observed, decision)[2]
    assert decision.creates == []
    again = after(observed, decision)
    assert decide(again, NOW, API).status is None


def test_bad_input_gives_the_times_up_and_nothing_else() -> None:
    observed, body = begun(7)
    dead = replace(
        observed, jobs={P2: ended(body, "Failed")}, pods=[pod(42, "VIDEO_DECODE_FAILED", "at 7 s")]
    )
    decision = decide(dead, NOW, API)

    assert told(dead, decision) == (
        "True",
        "VIDEO_DECODE_FAILED",
        "3 frames to pick from. spec.preview.atSec: at 7 s",
    )
    assert decision.status is not None
    assert "progress" not in decision.status
    assert decision.creates == []
    rested = after(dead, decision)
    assert rested.run.preview_failed == 2
    for left in (rested, replace(rested, jobs={}, pods=[])):
        quiet = decide(left, NOW + timedelta(days=1), API)
        assert (quiet.status, quiet.creates, quiet.deletes) == (None, [], [])


def test_after_a_failure_other_times_are_tried_and_the_same_are_not() -> None:
    observed, _ = begun(7)
    run = observed.run.model_copy(update={"preview_failed": 2})
    given_up = replace(observed, jobs={}, status=observed.status.model_copy(update={"run": run}))

    more = decide(replace(given_up, spec=asking(7, 9)), NOW, API)

    assert names_of(more) == [f"sj-{UID}-p3"]
    assert after(given_up, more).run.preview_asked == [7.0, 9.0]
    assert after(given_up, more).run.preview_failed is None

    back = after(given_up, decide(replace(given_up, spec=make_spec()), NOW, API))
    assert names_of(decide(replace(back, spec=asking(7)), NOW, API)) == [f"sj-{UID}-p3"]


def test_the_machines_failures_are_tried_again_as_often_as_a_previews() -> None:
    """Counted from the first run for these times, not from the first of the job."""
    runtime = make_runtime(retry=Retry(limit=1))
    status = previewed(preview_attempt=5)
    observed = world(asking(7), status, runtime=runtime)
    seen = []
    for _ in range(3):
        decision = decide(observed, NOW + timedelta(hours=1), API)
        observed = after(observed, decision)
        if not decision.creates:
            break
        [body] = decision.creates
        name = body["metadata"]["name"]
        seen.append(name[-2:])
        dead = pod(1)
        dead["metadata"]["labels"]["job-name"] = name
        observed = replace(observed, jobs={name: ended(body, "Failed")}, pods=[dead])

    assert seen == ["p6", "p7"]
    assert observed.run.preview_failed == 7
    assert told(observed, decision)[:2] == ("True", "WORKER_FAILED")


def test_a_run_that_ends_without_frames_is_a_failure_of_the_machine() -> None:
    observed, body = begun(7)
    runtime = make_runtime(retry=Retry(limit=0))
    dead = replace(observed, runtime=runtime, jobs={P2: ended(body, "Complete")}, pods=[pod(0)])

    assert told(dead, decide(dead, NOW, API))[:2] == ("True", "NO_RESULT")


def test_a_run_that_never_starts_is_given_up_and_its_job_deleted() -> None:
    observed, _ = begun(7)
    late = NOW + timedelta(hours=2)
    decision = decide(observed, late, API)

    assert told(observed, decision)[:2] == ("True", "START_DEADLINE_EXCEEDED")
    assert decision.deletes == [P2]
    assert decision.status is not None
    assert "progress" not in decision.status


def test_a_refused_job_says_so_and_the_preview_stays_ready() -> None:
    observed = world(asking(7), previewed())
    decision = decide(observed, NOW, API)
    [body] = decision.creates
    written = after(observed, decision)

    said = refused(written, body, "exceeded quota: pods", NOW)

    assert told(written, said)[:2] == ("True", "QUOTA_EXCEEDED")
    assert names_of(decide(after(written, said), NOW, API)) == [P2]


def test_without_a_runtime_the_frames_wait_and_the_preview_does_not() -> None:
    observed = world(asking(7), previewed(), runtime=None)
    decision = decide(observed, NOW, API)

    assert told(observed, decision)[:2] == ("True", "RUNTIME_NOT_FOUND")
    assert decision.waits_for_platform
    assert decision.creates == []


# --- beside a selection -------------------------------------------------------------------------------


def test_a_pick_and_its_verdict_stand_while_frames_are_made() -> None:
    spec = make_ready_spec(preview=PreviewSettings(at_sec=[7]))
    observed = world(spec, previewed())
    decision = decide(observed, NOW, API)

    assert names_of(decision) == [P2]
    assert decision.status is not None
    assert decision.status["progress"] == {"step": "READY_TO_ENQUEUE"}
    verdict = next(item for item in decision.status["conditions"] if item["type"] == "TargetCoherent")
    assert (verdict["status"], verdict["reason"]) == ("True", "Coherent")


def test_a_launch_waits_for_no_frames_and_ends_their_run() -> None:
    spec = make_ready_spec(preview=PreviewSettings(at_sec=[7]))
    observed, _ = begun(spec=spec)
    enqueued = replace(observed, spec=spec.model_copy(update={"suspend": False}), pods=[pod()])

    decision = decide(enqueued, NOW, API)

    assert names_of(decision) == [f"sj-{UID}-1"]
    assert decision.deletes == [P2]
    launched = after(enqueued, decision)
    assert launched.run.preview_asked is None
    assert told(enqueued, decision)[1] == "PreviewStored"


def test_a_run_that_outlived_the_launch_is_ended_later() -> None:
    """The operator died between the write and the deletion."""
    spec = make_ready_spec(preview=PreviewSettings(at_sec=[7]))
    observed, body = begun(spec=spec)
    enqueued = replace(observed, spec=spec.model_copy(update={"suspend": False}))
    launched = after(enqueued, decide(enqueued, NOW, API), jobs={P2: body}, pods=[pod()])

    assert P2 in decide(launched, NOW, API).deletes


def test_a_launched_job_starts_no_further_run() -> None:
    spec = make_ready_spec(preview=PreviewSettings(at_sec=[7]))
    paused = make_condition(ConditionType.RUNNING, "False", "Suspended")
    observed = world(spec, make_status(run=make_run(1, preview_attempt=1), conditions=[TOLD, paused]))

    assert decide(observed, NOW, API).creates == []


def test_a_target_on_a_frame_that_is_to_come_waits_for_it() -> None:
    """All of it at once, from Git."""
    spec = make_ready_spec(suspend=False, target=make_target(number=4), preview=PreviewSettings(at_sec=[7]))
    observed = world(spec, previewed())
    decision = decide(observed, NOW, API)

    assert names_of(decision) == [P2]
    frames = [*make_preview().frames, make_frame(4, time_sec=7.0)]
    preview = make_preview(frames).model_copy(update={"asked_sec": [7.0]})
    there = after(observed, decision)
    status = there.status.model_copy(update={"preview": preview})
    assert names_of(decide(replace(there, status=status), NOW, API)) == [f"sj-{UID}-1"]


# --- what others must know of it ----------------------------------------------------------------------


def test_its_job_is_missed_and_kept_while_it_is_needed() -> None:
    observed, body = begun(7)
    aged = replace(observed, jobs={P2: ended(body, "Complete")})
    run = observed.run.model_copy(update={"preview_failed": 2})
    given_up = replace(aged, status=observed.status.model_copy(update={"run": run}))

    assert seems_missing(replace(observed, jobs={}))
    assert not seems_missing(replace(given_up, jobs={}))
    assert spent(aged, NOW, 0, 0) == []
    assert spent(given_up, NOW, 0, 0) == [P2]


@pytest.mark.parametrize(
    ("at_sec", "answered", "expected"),
    [([], [], True), ([7], [7], True), ([7.0], [7], True), ([7, 9], [7], False), ([7], None, False)],
)
def test_a_draft_rests_when_all_it_asks_for_is_there(
    at_sec: list[float], answered: list[float] | None, expected: bool
) -> None:
    preview = {"frames": []} | ({"asked_sec": answered} if answered is not None else {})

    assert rests({"spec": {"preview": {"atSec": at_sec}}, "status": {"preview": preview}}) is expected
