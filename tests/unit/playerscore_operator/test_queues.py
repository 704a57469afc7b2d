"""What a queue's Workload comes to in words, and when it is asked again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import UID, make_condition, make_ready_spec, make_run, make_runtime, make_spec, make_status
from playerscore.names import ConditionType, Reason, Step
from playerscore.resources import ScoringJobStatus
from playerscore_operator import queues
from playerscore_operator.decide import decide
from playerscore_operator.manifests import preview_job
from playerscore_operator.observe import Observed

Json = dict[str, Any]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUOTA = (
    "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor cpu, 1 more needed"
)


def condition(kind: str, status: str, reason: str, message: str) -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def workload(*conditions: Json, checks: dict[str, str] | None = None, active: bool = True) -> Json:
    states = [{"name": name, "state": state} for name, state in (checks or {}).items()]
    return {"spec": {"active": active}, "status": {"conditions": list(conditions), "admissionChecks": states}}


PENDING = condition("QuotaReserved", "False", "Pending", QUOTA)
RESERVED = condition("QuotaReserved", "True", "QuotaReserved", "Quota reserved in ClusterQueue all")
EVICTED = condition("Evicted", "True", "Preempted", "Preempted to accommodate a workload")
DEACTIVATED = condition("Evicted", "True", "Deactivated", "The workload is deactivated")


@pytest.mark.parametrize(
    ("queue", "found", "expected"),
    [
        pytest.param("gpus", None, "Queue gpus: the Job is not admitted yet", id="Kueue has not seen it, or is not there"),
        pytest.param("gpus", {}, "Queue gpus: the Job is not admitted yet.", id="a Workload without a word"),
        pytest.param("gpus", workload(PENDING), f"Queue gpus: {QUOTA}.", id="no quota"),
        pytest.param("gpus", workload(PENDING, EVICTED), f"Queue gpus: {QUOTA}. Evicted before (Preempted).", id="preempted"),
        pytest.param(
            "gpus",
            workload(RESERVED, checks={"budget": "Pending", "spot": "Ready"}),
            "Queue gpus: quota is reserved; waits for budget.",
            id="an admission check",
        ),
        pytest.param("gpus", workload(RESERVED), "Queue gpus: quota is reserved; waits for admission.", id="almost admitted"),
        pytest.param(
            "gpus",
            workload(PENDING, DEACTIVATED, active=False),
            "Queue gpus: deactivated. The workload is deactivated",
            id="deactivated by somebody",
        ),
        pytest.param(None, None, "The Job is suspended, and not by the operator or a queue", id="by hand"),
    ],
)  # fmt: skip
def test_a_workload_in_words(queue: str | None, found: Json | None, expected: str) -> None:
    assert queues.words(queue, found) == expected


def test_words_have_an_end() -> None:
    long = workload(condition("QuotaReserved", "False", "Pending", "x" * 9000))

    assert len(queues.words("gpus", long)) == 1000


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        pytest.param(None, False, id="no Job yet"),
        pytest.param({"spec": {}}, False, id="a Job that runs"),
        pytest.param({"spec": {"suspend": False}}, False, id="an admitted Job"),
        pytest.param({"spec": {"suspend": True}}, True, id="a suspended Job"),
    ],
)
def test_held(job: Json | None, expected: bool) -> None:
    assert queues.held(job) is expected


def waiting(held_for: timedelta, launched: timedelta, reason: str = Reason.QUEUED) -> Observed:
    held = make_condition(ConditionType.ADMITTED, "False", reason, since=NOW - held_for)
    run = make_run(launch_time=NOW - launched)
    status = make_status(Step.QUEUED, run=run, conditions=[held])
    return Observed("default", "match-1", UID, 1, "1", make_ready_spec(suspend=False), status)


HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(waiting(SECOND, SECOND), 2, id="just queued"),
        pytest.param(waiting(MINUTE, MINUTE), 60, id="for a minute"),
        pytest.param(waiting(HOUR, HOUR), 300, id="for an hour"),
        pytest.param(waiting(HOUR, MINUTE), 60, id="a draft for an hour, queued for a minute"),
        pytest.param(waiting(MINUTE, HOUR), 60, id="launched an hour ago, preempted a minute ago"),
        pytest.param(waiting(HOUR, HOUR, Reason.SUSPENDED), 2, id="was paused"),
    ],
)
def test_the_reason_is_asked_for_less_and_less_often(observed: Observed, expected: float) -> None:
    assert queues.recheck_seconds(observed, NOW) == expected


def test_a_job_that_was_never_looked_at_is_asked_about_soon() -> None:
    observed = replace(waiting(HOUR, HOUR), status=make_status(Step.QUEUED))

    assert queues.recheck_seconds(observed, NOW) == 2


def test_a_preview_takes_the_jobs_queue_and_says_what_holds_it_back() -> None:
    running = make_condition(ConditionType.PREVIEW_READY, "False", "PreviewRunning", since=NOW - MINUTE)
    status = ScoringJobStatus(run=make_run(None, preview_attempt=1), conditions=[running])
    observed = Observed(
        "default", "match-1", UID, 1, "1", make_spec(queue_name="gpus"), status, runtime=make_runtime()
    )
    body = preview_job(observed, make_runtime().spec, 1, "http://api.example")

    assert body["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"

    body["metadata"]["creationTimestamp"] = "2026-03-01T11:59:00Z"
    body["spec"]["suspend"] = True
    held = replace(observed, jobs={body["metadata"]["name"]: body}, workload=workload(PENDING))
    decision = decide(held, NOW, "http://api.example")

    assert decision.status is not None
    told = {item["type"]: item["message"] for item in decision.status["conditions"]}
    assert told["PreviewReady"] == f"Queue gpus: {QUOTA}."
    assert decision.requeue_seconds == 60
