"""When a wait is over, state by state of a job."""

from typing import Any, cast

import pytest

from builders import (
    make_condition,
    make_preview,
    make_ready_spec,
    make_result,
    make_run,
    make_spec,
    make_status,
    manifest,
)
from playerscore.names import ConditionType, Step
from playerscore_cli import waiting
from playerscore_cli.cluster import Cluster
from playerscore_cli.exits import JobFailedError

Json = dict[str, Any]


def job(status: Any, spec: Any = None, *, seen: int = 3) -> Json:
    """A job of generation 3, of which the operator has seen that one or an older one."""
    body = manifest(status) | {"observedGeneration": seen}
    for condition in body.get("conditions", []):
        condition["observedGeneration"] = seen
    return {"metadata": {"name": "j", "generation": 3}, "spec": manifest(spec or make_spec()), "status": body}


def failed(**more: Any) -> Json:
    why = make_condition(ConditionType.SUCCEEDED, "False", "SOURCE_UNREADABLE")
    return job(make_status(Step.FAILED, conditions=[why], **more), make_ready_spec(suspend=False))


def ended(run: Any = None) -> Json:
    status = make_status(
        Step.COMPLETED,
        run=run or make_run(1),
        result=make_result(),
        conditions=[make_condition(ConditionType.RUNNING, "False", "Completed")],
    )
    return job(status, make_ready_spec(suspend=True))


def wait(monkeypatch: pytest.MonkeyPatch, body: Json, what: str) -> Json:
    monkeypatch.setattr(waiting, "states", lambda *_: iter([body]))
    return waiting.until(cast("Cluster", None), "j", waiting.goal_of(what), 1)


def test_a_job_that_failed_has_no_preview_to_pick_from(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JobFailedError) as refused:
        wait(monkeypatch, failed(preview=None), "preview")

    assert refused.value.code == "SOURCE_UNREADABLE"


def test_a_preview_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    body = job(make_status(preview=make_preview()))

    assert wait(monkeypatch, body, "preview") is body


@pytest.mark.parametrize(("seen", "reached"), [(3, True), (2, False)])
def test_a_condition_of_an_older_spec_is_no_answer(seen: int, reached: bool) -> None:
    coherent = make_condition(ConditionType.TARGET_COHERENT, "True", "Coherent")
    body = job(make_status(conditions=[coherent]), seen=seen)

    assert waiting.goal_of("condition=TargetCoherent").reached(body) is reached


@pytest.mark.parametrize("kind", ["Succeeded=False", "Succeeded=false"])
def test_a_failure_can_be_waited_for(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    body = failed()

    assert wait(monkeypatch, body, f"condition={kind}") is body


def test_a_pause_that_came_too_late_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt completed in the same moment, and its result stands."""
    body = ended()

    assert wait(monkeypatch, body, "stop") is body


def test_an_attempt_that_still_runs_has_not_stopped() -> None:
    running = make_condition(ConditionType.RUNNING, "True", "PodRunning")
    body = job(
        make_status(Step.ANALYZING, run=make_run(1), conditions=[running]), make_ready_spec(suspend=True)
    )

    assert not waiting.STOPPED.reached(body)
