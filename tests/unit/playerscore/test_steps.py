"""The step of the flow from spec and status alone."""

from typing import Any

import pytest

from builders import (
    ELSEWHERE,
    make_condition,
    make_player,
    make_ready_spec,
    make_run,
    make_spec,
    make_status,
    make_target,
)
from playerscore.names import ConditionType, Step
from playerscore.resources import PreviewSettings
from playerscore.steps import step

RUNS = make_condition(ConditionType.RUNNING)
WAITS = make_condition(ConditionType.RUNNING, "False")


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        (make_spec(), None, Step.EXTRACTING_PREVIEW),
        (make_ready_spec(suspend=False), None, Step.EXTRACTING_PREVIEW),  # a manifest with everything
        (make_spec(preview=PreviewSettings(disabled=True)), None, Step.WAITING_FOR_PLAYER),
        (make_spec(), make_status(), Step.WAITING_FOR_PLAYER),
        (make_spec(player_ref=make_player()), make_status(), Step.WAITING_FOR_TARGET_CONFIRMATION),
        (
            make_ready_spec(target=make_target(confirmed=False)),
            make_status(),
            Step.WAITING_FOR_TARGET_CONFIRMATION,
        ),
        (make_ready_spec(target=make_target(ELSEWHERE)), make_status(), Step.WAITING_FOR_TARGET_CONFIRMATION),
        (make_ready_spec(), make_status(), Step.READY_TO_ENQUEUE),
        (make_ready_spec(suspend=False), make_status(), Step.QUEUED),
        (make_ready_spec(suspend=False), make_status(run=make_run(1), conditions=[WAITS]), Step.QUEUED),
        (make_ready_spec(suspend=False), make_status(run=make_run(1), conditions=[RUNS]), Step.ANALYZING),
        (
            make_ready_spec(),
            make_status(run=make_run(1), conditions=[WAITS]),
            Step.READY_TO_ENQUEUE,
        ),  # paused
        (make_ready_spec(suspend=False), make_status(Step.COMPLETED), Step.COMPLETED),
        (make_spec(), make_status(Step.FAILED, preview=None), Step.FAILED),
    ],
)
def test_each_state_has_its_step(spec: Any, status: Any, expected: Step) -> None:
    assert step(spec, status) is expected


@pytest.mark.parametrize(
    ("reason", "failed_attempt", "expected"),
    [
        pytest.param("StoppingOldAttempt", None, Step.QUEUED, id="resumed, the paused attempt still stops"),
        pytest.param("Suspended", None, Step.QUEUED, id="resumed, it is gone"),
        pytest.param("Suspended", 1, Step.QUEUED, id="paused between two tries and resumed"),
        pytest.param("StoppingOldAttempt", 1, Step.ANALYZING, id="a failed try is cleared away"),
        pytest.param("PodPending", None, Step.ANALYZING, id="its pod was taken away and waits"),
    ],
)
def test_a_resumed_job_is_queued_until_its_new_attempt_runs(
    reason: str, failed_attempt: int | None, expected: Step
) -> None:
    ran = make_run(1, start_time="2026-01-01T00:00:00Z", failed_attempt=failed_attempt)
    waits = make_condition(ConditionType.RUNNING, "False", reason)

    assert step(make_ready_spec(suspend=False), make_status(run=ran, conditions=[waits])) is expected
