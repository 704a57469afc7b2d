"""What the operator does at the edges of time and failure: queues, slow downloads, outages, late edits."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import (
    ELSEWHERE,
    UID,
    make_condition,
    make_ready_spec,
    make_result,
    make_run,
    make_spec,
    make_status,
    make_target,
    manifest,
)
from playerscore import names
from playerscore.names import ConditionType, Step
from playerscore.resources import Analysis, PreviewSettings, Progress, Retry, ScoringJobStatus
from playerscore_operator.decide import Decision, decide
from playerscore_operator.manifests import analysis_job, preview_job
from playerscore_operator.observe import Observed
from worlds import API, LAUNCHED, NOW, PAUSED, RUNS, world


def enqueued(status: Any, spec: Any = None, **changes: Any) -> Observed:
    return world(spec or make_ready_spec(suspend=False), status, **changes)


def launched(condition: Any = RUNS, *, suspend: bool = False, **status: Any) -> Observed:
    """A job at its first attempt, without its child."""
    known = {"run": make_run(1, generation=3), "conditions": [condition]}
    return enqueued(make_status(**(known | status)), make_ready_spec(suspend=suspend))


def with_attempt(observed: Observed, ended: str | None = None, **more: Any) -> Observed:
    """With the attempt's Job, created a minute ago; `more` goes into its spec, `pods` stands beside it."""
    assert observed.runtime is not None
    body = analysis_job(observed, observed.runtime.spec, 1, API)
    return with_child(observed, body, ended, **more)


def with_child(observed: Observed, body: Any, ended: str | None = None, **more: Any) -> Observed:
    pods = more.pop("pods", [])
    stamp = "2026-01-01T11:59:00Z"
    body = {
        **body,
        "metadata": {**body["metadata"], "creationTimestamp": stamp},
        "spec": {**body["spec"], **more},
        "status": {"conditions": [{"type": ended, "status": "True", "lastTransitionTime": stamp}]}
        if ended
        else {},
    }
    return replace(observed, jobs={body["metadata"]["name"]: body}, pods=pods)


def pod(job: str, **states: Any) -> dict[str, Any]:
    """A pod of that Job, with the state of each named container."""
    statuses = [{"name": name, "state": state} for name, state in states.items()]
    return {
        "metadata": {
            "name": "p",
            "labels": {
                "job-name": job,
                names.ATTEMPT_LABEL: "preview" if "-p" in job else job.rsplit("-")[-1],
            },
        },
        "spec": {},
        "status": {"initContainerStatuses": statuses},
    }


def claim(decision: Decision, kind: ConditionType) -> tuple[str, str]:
    assert decision.status is not None
    found = {item["type"]: item for item in decision.status["conditions"]}
    return found[kind]["status"], found[kind]["reason"]


def step(decision: Decision) -> str | None:
    progress = (decision.status or {}).get("progress", {})
    return None if "step" not in progress else str(progress["step"])


LATE = NOW + timedelta(hours=6)


def test_a_long_wait_in_a_queue_is_not_a_late_start() -> None:
    decision = decide(with_attempt(launched(LAUNCHED), suspend=True), LATE, API)

    assert step(decision) == "QUEUED"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"report": {"running": {}}, "fetch": {"running": {}}}, None),  # a long download
        ({"report": {"running": {}}, "fetch": {"waiting": {"reason": "ImagePullBackOff"}}}, "FAILED"),
        ({}, "FAILED"),  # no node for it
    ],
    ids=["downloading", "image", "unscheduled"],
)
def test_only_a_pod_that_never_began_misses_the_start_deadline(states: Any, expected: str | None) -> None:
    status = ScoringJobStatus.model_validate({"run": {"previewAttempt": 1}})
    observed = enqueued(status, make_spec())
    assert observed.runtime is not None
    body = preview_job(observed, observed.runtime.spec, 1, API)
    observed = with_child(observed, body, pods=[pod(f"sj-{UID}-p1", **states)])

    assert (step(decide(observed, LATE, API)) == "FAILED") == (expected == "FAILED")


def test_the_job_of_an_ended_attempt_is_sealed_though_its_runtime_is_gone() -> None:
    observed = with_attempt(launched(result=make_result(generation=3)), "Complete")

    assert step(decide(replace(observed, runtime=None), NOW, API)) == "COMPLETED"


def test_an_attempt_that_runs_goes_on_though_its_runtime_is_gone() -> None:
    observed = with_attempt(launched())
    running = [pod(f"sj-{UID}-1", analyze={"running": {}})]
    running[0]["status"]["containerStatuses"] = running[0]["status"].pop("initContainerStatuses")
    decision = decide(replace(observed, runtime=None, pods=running), NOW, API)

    assert decision.deletes == []
    assert claim(decision, ConditionType.RUNNING) == ("True", "PodRunning")
    assert claim(decision, ConditionType.ADMITTED) == ("True", "Launched")


def test_a_pause_just_after_the_end_keeps_the_result() -> None:
    observed = with_attempt(launched(suspend=True, result=make_result(generation=3)), "Complete")
    decision = decide(observed, NOW, API)

    assert step(decision) == "COMPLETED"
    assert decision.deletes == []


def test_a_result_of_an_attempt_that_was_paused_is_not_sealed() -> None:
    observed = with_attempt(launched(PAUSED, result=make_result(generation=3)), "Complete")

    assert step(decide(observed, NOW, API)) != "COMPLETED"


@pytest.mark.parametrize(("failures", "seconds"), [(0, 5), (1, 20), (2, 80), (9, 300)])
def test_a_retry_waits_longer_each_time_from_the_end_of_the_failed_one(failures: int, seconds: int) -> None:
    run = make_run(1, generation=3, failures=failures)
    failed = pod(f"sj-{UID}-1", analyze={"terminated": {"exitCode": 1, "message": "no route to the store"}})
    spec = make_ready_spec(suspend=False, retry=Retry(limit=20))
    observed = replace(with_attempt(launched(run=run), "Failed", pods=[failed]), spec=spec)
    ended = NOW - timedelta(minutes=1)
    counted = decide(observed, ended, API)

    assert claim(counted, ConditionType.RUNNING) == ("False", "WORKER_FAILED")
    assert claim(counted, ConditionType.STALLED) == ("False", "Settled")
    assert counted.requeue_seconds == seconds
    assert counted.status is not None
    assert datetime.fromisoformat(counted.status["run"]["retryTime"]) == ended + timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "again"), [(-1, False), (1, True)])
def test_a_counted_failure_needs_its_job_no_more(seconds: int, again: bool) -> None:
    run = make_run(1, generation=3, failures=2, failed_attempt=1, retry_time=NOW - timedelta(seconds=seconds))
    decision = decide(launched(run=run), NOW, API)

    assert bool(decision.creates) == again
    assert again or decision.requeue_seconds == -seconds


def test_a_job_that_somebody_deletes_is_followed_by_another_attempt_with_the_same_counts() -> None:
    run = make_run(1, generation=3, failures=2, launch_time=NOW - timedelta(seconds=60))
    decision = decide(launched(run=run), NOW, API)

    assert [body["metadata"]["name"] for body in decision.creates] == [f"sj-{UID}-2"]
    assert "failures" not in (decision.status or {})["run"]


def test_attempts_that_are_deleted_at_once_do_not_follow_each_other_at_once() -> None:
    run = make_run(1, generation=3, launch_time=NOW - timedelta(seconds=1))
    decision = decide(launched(run=run), NOW, API)

    assert decision.creates == []
    assert claim(decision, ConditionType.RECONCILING) == ("True", "JobDeleted")
    assert decision.requeue_seconds == 9


@pytest.mark.parametrize("code", ["bad code!", "", "-x", "lower", "A" * 65])
def test_a_code_that_no_condition_may_carry_does_not_keep_a_job_from_ending(code: str) -> None:
    words = f'{{"code": "{code}", "message": "m"}}'
    failed = pod(f"sj-{UID}-1", analyze={"terminated": {"exitCode": 42, "message": words}})
    decision = decide(with_attempt(launched(), "Failed", pods=[failed]), NOW, API)

    assert claim(decision, ConditionType.SUCCEEDED) == ("False", "VIDEO_DECODE_FAILED")


def test_an_edit_after_the_end_is_acknowledged_and_nothing_else() -> None:
    status = make_status(
        run=make_run(1, generation=3),
        progress=Progress(step=Step.COMPLETED, percent=100),
        result=make_result(),
        observed_generation=3,
        conditions=[make_condition(ConditionType.SUCCEEDED, "True", "Completed")],
    )
    [stored] = manifest(status)["conditions"]
    decision = decide(enqueued(status, generation=4), NOW, API)

    conditions = [stored | {"observedGeneration": 4}]
    assert decision == Decision(status={"observedGeneration": 4, "conditions": conditions})


# --- a preview that is wanted, or not wanted any more, after the launch ---------------------------------------------

UNSEEN = make_ready_spec(suspend=False, preview=PreviewSettings(disabled=True))
"""Enqueued without a preview."""


def unseen(spec: Any, ended: str | None = None, **status: Any) -> Observed:
    """A job that was launched without a preview, whose spec is now that; its attempt's Job is there."""
    known = {"preview": None, "run": make_run(1, generation=3), "conditions": [RUNS]}
    first = enqueued(make_status(**(known | status)), UNSEEN)
    return replace(with_attempt(first, ended), spec=spec)


WANTED = UNSEEN.model_copy(update={"preview": None})


def test_an_attempt_is_watched_although_a_preview_is_wanted_meanwhile() -> None:
    decision = decide(unseen(WANTED), NOW, API)

    assert decision.creates == []
    assert step(decision) in (None, "ANALYZING", "QUEUED")


@pytest.mark.parametrize(
    "changes", [{}, {"player_ref": None, "target": None}], ids=["paused", "paused and unselected"]
)
def test_such_an_attempt_is_stopped_by_a_pause(changes: Any) -> None:
    spec = WANTED.model_copy(update={"suspend": True, **changes})

    assert decide(unseen(spec), NOW, API).deletes == [f"sj-{UID}-1"]


def test_its_result_is_sealed() -> None:
    decision = decide(unseen(WANTED, "Complete", result=make_result(generation=3)), NOW, API)

    assert step(decision) == "COMPLETED"


def test_a_preview_that_came_late_judges_before_anything_is_sealed() -> None:
    """The box is not the player's: the attempt was launched unjudged, and its result is nobody's."""
    spec = WANTED.model_copy(update={"target": make_target(ELSEWHERE)})
    first = enqueued(make_status(preview=None, run=make_run(1, generation=3), conditions=[RUNS]), spec)
    done = with_attempt(first, "Complete")
    late = make_status(run=make_run(1, generation=3), conditions=[RUNS], result=make_result(generation=3))
    decision = decide(replace(done, status=late), NOW, API)

    assert step(decision) != "COMPLETED"
    assert claim(decision, ConditionType.TARGET_COHERENT) == ("False", "TARGET_MISMATCH")
    assert claim(decision, ConditionType.SUCCEEDED)[0] != "True"


def test_a_preview_that_is_not_wanted_any_more_goes_before_an_attempt_starts() -> None:
    observed = enqueued(ScoringJobStatus.model_validate({"run": {"previewAttempt": 1}}), UNSEEN)
    assert observed.runtime is not None
    preview = preview_job(observed, observed.runtime.spec, 1, API)
    decision = decide(with_child(observed, preview), NOW, API)

    assert (decision.creates, decision.deletes) == ([], [f"sj-{UID}-p1"])

    lingers = replace(observed, pods=[pod(f"sj-{UID}-p1", report={"running": {}})])
    assert decide(lingers, NOW, API).creates == []
    assert [body["metadata"]["name"] for body in decide(observed, NOW, API).creates] == [f"sj-{UID}-1"]


# --- what is left of an older selection -----------------------------------------------------------------------------


def test_an_attempt_of_an_older_selection_stops_although_the_runtime_is_gone() -> None:
    observed = with_attempt(launched())
    spec = make_ready_spec(suspend=False, analysis=Analysis(max_fps=5))
    decision = decide(replace(observed, spec=spec, runtime=None), NOW, API)

    assert decision.deletes == [f"sj-{UID}-1"]
    assert claim(decision, ConditionType.RUNNING) == ("False", "StoppingOldAttempt")


def test_a_result_that_was_written_while_its_attempt_was_stopped_does_not_stay() -> None:
    """Another player may be picked now."""
    decision = decide(launched(PAUSED, suspend=True, result=make_result(generation=3)), NOW, API)

    assert decision.status is not None
    assert decision.status["result"] is None
