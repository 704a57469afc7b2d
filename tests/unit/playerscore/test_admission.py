"""Who may change what, when; and that all gates' one rule says everything at once."""

from typing import Any

import pytest

from builders import ELSEWHERE, make_ready_spec, make_run, make_spec, make_status, make_target
from playerscore.admission import judge_create, judge_update
from playerscore.errors import NotReadyError, TargetMismatchError
from playerscore.names import Reason, Step
from playerscore.resources import Analysis, Video

QUEUED = make_ready_spec(suspend=False)
DRAFT = make_ready_spec()
NEVER = make_status()
LAUNCHED = make_status(run=make_run(1))
DONE = make_status(Step.COMPLETED, run=make_run(1))
FAILED = make_status(Step.FAILED)
FORCED = make_target(ELSEWHERE, force=True)
ANALYSIS = Analysis(start_sec=1.0)


def changed(spec: Any, **changes: Any) -> Any:
    return spec.model_copy(update=changes)


@pytest.mark.parametrize(
    ("old", "changes", "status", "reasons"),
    [
        # never launched: free
        (DRAFT, {"target": make_target(number=2)}, NEVER, []),
        (QUEUED, {"target": make_target(number=2)}, NEVER, []),
        (DRAFT, {"analysis": ANALYSIS, "runtime_name": "gpu"}, NEVER, []),
        (DRAFT, {"suspend": False}, NEVER, []),
        (QUEUED, {"suspend": True}, NEVER, []),
        # launched and running: pause first
        (QUEUED, {"target": make_target(number=2)}, LAUNCHED, [Reason.JOB_RUNNING]),
        (QUEUED, {"player_ref": None}, LAUNCHED, [Reason.JOB_RUNNING]),
        (QUEUED, {"analysis": ANALYSIS, "runtime_name": "gpu"}, LAUNCHED, [Reason.JOB_RUNNING] * 2),
        (QUEUED, {"suspend": True}, LAUNCHED, []),
        (QUEUED, {"ttl_seconds_after_finished": 60}, LAUNCHED, []),
        # launched and paused: free, resuming is judged
        (DRAFT, {"target": make_target(number=2)}, LAUNCHED, []),
        (DRAFT, {"suspend": False}, LAUNCHED, []),
        (DRAFT, {"suspend": False, "target": None}, LAUNCHED, [Reason.NOT_READY]),
        # finished: only the ttl
        (QUEUED, {"target": make_target(number=2)}, DONE, [Reason.JOB_FINISHED]),
        (QUEUED, {"suspend": True}, DONE, [Reason.JOB_FINISHED]),
        (DRAFT, {"suspend": False}, FAILED, [Reason.JOB_FINISHED]),
        (QUEUED, {"ttl_seconds_after_finished": 60}, DONE, []),
        # the video, never
        (DRAFT, {"video": Video(uri="s3://other/x.mp4")}, NEVER, [Reason.VIDEO_IMMUTABLE]),
        # nor who manages it
        (DRAFT, {"managed_by": "example.com/other"}, NEVER, [Reason.MANAGED_BY_IMMUTABLE]),
        # coherence, when the selection changes or the job is enqueued
        (DRAFT, {"target": make_target(ELSEWHERE)}, NEVER, [Reason.TARGET_MISMATCH]),
        (DRAFT, {"target": FORCED}, NEVER, []),
        (make_ready_spec(target=make_target(ELSEWHERE)), {"suspend": False}, NEVER, [Reason.TARGET_MISMATCH]),
        (make_ready_spec(target=make_target(ELSEWHERE), suspend=False), {"suspend": True}, NEVER, []),
        (make_ready_spec(target=make_target(ELSEWHERE)), {"display_name": "x"}, NEVER, []),
        # everything at once
        (
            QUEUED,
            {"video": Video(uri="s3://other/x.mp4"), "target": make_target(ELSEWHERE)},
            LAUNCHED,
            [Reason.VIDEO_IMMUTABLE, Reason.JOB_RUNNING, Reason.TARGET_MISMATCH],
        ),
    ],
)
def test_every_cell_of_the_edit_table(
    old: Any, changes: dict[str, Any], status: Any, reasons: list[Reason]
) -> None:
    judgement = judge_update(old, changed(old, **changes), status)

    assert [violation.reason for violation in judgement.violations] == reasons


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        (make_spec(suspend=False), ["player_ref", "target"]),
        (make_ready_spec(player_ref=None, suspend=False), ["player_ref"]),
        (make_ready_spec(target=None, suspend=False), ["target"]),
        (make_ready_spec(target=make_target(confirmed=False), suspend=False), ["target"]),
        (QUEUED, []),
        (make_spec(), []),
    ],
)
def test_a_create_is_judged_by_readiness_alone(spec: Any, missing: list[str]) -> None:
    assert list(judge_create(spec).missing) == missing


def test_not_ready_has_the_flows_exact_body() -> None:
    error = judge_create(make_spec(suspend=False)).error()

    assert isinstance(error, NotReadyError)
    assert error.body() == {
        "error": {
            "code": "NOT_READY",
            "missing": ["player_ref", "target"],
            "message": "Missing required selections for enqueue",
        }
    }
    assert error.http_status == 409


def test_a_mismatch_carries_the_iou_and_the_threshold() -> None:
    error = judge_update(DRAFT, changed(DRAFT, target=make_target(ELSEWHERE)), NEVER).error()

    assert isinstance(error, TargetMismatchError)
    assert error.details == {"iou": 0.0, "threshold": 0.2}


def test_what_cannot_be_judged_yet_is_accepted_with_a_warning() -> None:
    assert judge_create(QUEUED).warnings[0].startswith("PreviewPending")
