"""What a job of the desk needs next, and what is said of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import (
    make_frame,
    make_preview,
    make_ready_spec,
    make_result,
    make_run,
    make_spec,
    make_status,
)
from playerscore import steps
from playerscore.names import ConditionType, Reason, Step
from playerscore.resources import PreviewSettings, ScoringJobSpec, ScoringJobStatus
from playerscore.tasks import AnalysisTask, Failure, FurtherTask, PreviewTask
from playerscore_desk import states

READY = make_ready_spec(suspend=False)
SEEN = ScoringJobStatus(preview=make_preview())


def job(spec: ScoringJobSpec, status: ScoringJobStatus) -> dict[str, Any]:
    kept = {"by_alias": True, "exclude_none": True, "mode": "json"}
    metadata = {"name": "a", "uid": "u", "generation": 3}
    return {"metadata": metadata, "spec": spec.model_dump(**kept), "status": status.model_dump(**kept)}


def due(spec: ScoringJobSpec, status: ScoringJobStatus) -> type | None:
    found = states.due_of(job(spec, status))
    return found and found.kind


ELSEWHERE = PreviewSettings(at_sec=[1.5])


@pytest.mark.parametrize(
    ("spec", "status", "kind"),
    [
        (make_spec(), ScoringJobStatus(), PreviewTask),
        (make_spec(), SEEN, None),
        (make_ready_spec(suspend=True), SEEN, None),
        (READY, SEEN, AnalysisTask),
        (READY, ScoringJobStatus(), PreviewTask),
        (READY, SEEN.model_copy(update={"run": make_run(2)}), AnalysisTask),
        (READY, make_status(Step.COMPLETED, preview=make_preview()), None),
        (READY, make_status(Step.FAILED), None),
        (make_spec(preview=ELSEWHERE), SEEN, FurtherTask),
        (
            make_ready_spec(suspend=True, preview=ELSEWHERE),
            SEEN.model_copy(update={"run": make_run(1)}),
            None,
        ),
        (
            make_ready_spec(suspend=False, preview=PreviewSettings(disabled=True)),
            ScoringJobStatus(),
            AnalysisTask,
        ),
        (make_spec(preview=PreviewSettings(disabled=True)), ScoringJobStatus(), None),
    ],
)
def test_what_is_due(spec: ScoringJobSpec, status: ScoringJobStatus, kind: type | None) -> None:
    assert due(spec, status) is kind


def begun(spec: ScoringJobSpec, status: ScoringJobStatus) -> tuple[states.Due, ScoringJobStatus]:
    found = states.due_of(job(spec, status))
    assert found is not None
    return found, states.begun(found, status)


def reason(status: ScoringJobStatus, kind: ConditionType) -> str | None:
    found = steps.condition(status, kind)
    return found and f"{found.status} {found.reason}"


def test_an_analysis_that_is_paused_waits_and_goes_on_as_the_next_attempt() -> None:
    _, running = begun(READY, SEEN)
    assert (running.run and running.run.attempt, steps.step(READY, running)) == (1, Step.ANALYZING)
    paused = READY.model_copy(update={"suspend": True})
    held = states.settled(paused, running)
    assert steps.step(paused, held) is Step.READY_TO_ENQUEUE
    assert reason(held, ConditionType.RUNNING) == "False Suspended"
    again = states.settled(READY, held)
    assert steps.step(READY, again) is Step.QUEUED
    assert reason(again, ConditionType.ADMITTED) == "False Queued"

    _, second = begun(READY, again)
    assert (second.run and second.run.attempt, steps.step(READY, second)) == (2, Step.ANALYZING)
    done = states.completed(second, make_result(), [])
    assert states.settled(READY, done) == done
    assert steps.step(READY, done) is Step.COMPLETED


def test_frames_that_could_not_be_added_leave_what_was_there() -> None:
    spec = make_spec(preview=ELSEWHERE)
    found, asked = begun(spec, SEEN)
    failed = states.failed(found, asked, Failure(code="VIDEO_TIME_OUTSIDE", message="no such moment"))

    assert failed.preview == SEEN.preview
    assert steps.step(spec, failed) is Step.WAITING_FOR_PLAYER
    assert reason(failed, ConditionType.PREVIEW_READY) == "True VIDEO_TIME_OUTSIDE"
    assert due(spec, failed) is None


def test_frames_that_were_added_stand_behind_the_others() -> None:
    spec = make_spec(preview=ELSEWHERE)
    _, asked = begun(spec, SEEN)
    more = make_frame(2, [], time_sec=1.5)
    added = states.extended(asked, [more])

    assert added.preview
    assert SEEN.preview
    assert added.preview.frames == [*SEEN.preview.frames, more]
    assert due(spec, added) is None
    assert added.run
    assert added.run.preview_asked is None


@pytest.mark.parametrize(("spec", "status"), [(make_spec(), ScoringJobStatus()), (READY, SEEN)])
def test_what_failed_has_ended_with_its_code(spec: ScoringJobSpec, status: ScoringJobStatus) -> None:
    found, running = begun(spec, status)
    ended = states.failed(found, running, Failure(code="VIDEO_INVALID", message="no video"))

    assert steps.step(spec, ended) is Step.FAILED
    assert reason(ended, ConditionType.SUCCEEDED) == "False VIDEO_INVALID"
    assert due(spec, ended) is None


def test_a_condition_keeps_the_time_of_its_last_turn() -> None:
    first = states.said(ScoringJobStatus(), (ConditionType.RUNNING, "True", Reason.POD_RUNNING, "a"))
    old = datetime.now(UTC) - timedelta(hours=1)
    assert first.conditions
    aged = first.model_copy(
        update={"conditions": [first.conditions[0].model_copy(update={"last_transition_time": old})]}
    )
    same = states.said(aged, (ConditionType.RUNNING, "True", Reason.POD_RUNNING, "b"))
    turned = states.said(same, (ConditionType.RUNNING, "False", Reason.COMPLETED, ""))

    assert same.conditions
    assert turned.conditions
    assert same.conditions[0].last_transition_time == old
    assert turned.conditions[0].last_transition_time > old
