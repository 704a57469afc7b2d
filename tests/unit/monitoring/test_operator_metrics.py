"""What the operator counts when a decision has been carried out: a table of transitions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from builders import UID, make_condition, make_ready_spec, make_result, make_run, make_status, manifest
from playerscore.names import ConditionType, Reason, Step, analysis_job_name, preview_job_name
from playerscore_operator import metrics
from playerscore_operator.metrics import CENSUS, Standing, record
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import Decision

Json = dict[str, Any]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMESPACE = "counted"
KEY = (NAMESPACE, "match-1")


def observed(
    step: Step | None = Step.QUEUED, run: Json | None = None, jobs: Json | None = None, **status: Any
) -> Observed:
    known = make_status(step, run=make_run(**(run or {"attempt": 1})), **status)
    return Observed(
        namespace=KEY[0],
        name=KEY[1],
        uid=UID,
        generation=1,
        resource_version="1",
        spec=make_ready_spec(suspend=False),
        status=known,
        jobs=jobs or {},
    )


def child(created: timedelta, started: timedelta | None, *, suspended: bool = False) -> Json:
    """The Job of attempt 1, created and started that long ago."""
    name = analysis_job_name(UID, 1)
    status = {} if started is None else {"startTime": (NOW - started).isoformat()}
    return {
        name: {
            "metadata": {"name": name, "creationTimestamp": (NOW - created).isoformat()},
            "spec": {"suspend": suspended},
            "status": status,
        }
    }


def condition(kind: ConditionType, status: str, reason: str = "Tested") -> Json:
    return manifest(make_condition(kind, status, reason))


def counted(before: Observed, decision: Decision) -> Callable[..., float]:
    """Carry it out; returns how much a series rose."""
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
    }
    record(before, decision, NOW)

    def rise(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return (REGISTRY.get_sample_value(name, labels) or 0.0) - values.get(key, 0.0)

    return rise


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(preview_job_name(UID, 1), "preview", id="a preview"),
        pytest.param(analysis_job_name(UID, 3), "analysis", id="an analysis"),
    ],
)
def test_launches_count_by_kind(name: str, kind: str) -> None:
    rise = counted(observed(), Decision(creates=[{"metadata": {"name": name}}]))

    assert rise("scoringjob_launches_total", kind=kind) == 1


def test_a_start_is_timed_from_the_queue_and_from_admission() -> None:
    before = observed(jobs=child(timedelta(seconds=90), timedelta(seconds=20)))
    running = condition(ConditionType.RUNNING, "True", Reason.POD_RUNNING)

    rise = counted(before, Decision(status={"conditions": [running]}))

    assert rise("scoringjob_queue_wait_seconds_sum") == 70
    assert rise("scoringjob_start_latency_seconds_sum") == 20
    assert rise("scoringjob_start_latency_seconds_count") == 1


def test_a_pod_that_goes_on_running_is_no_second_start() -> None:
    running = make_condition(ConditionType.RUNNING, "True", Reason.POD_RUNNING)
    before = observed(
        Step.ANALYZING,
        jobs=child(timedelta(seconds=90), timedelta(seconds=20)),
        conditions=[running],
    )

    rise = counted(before, Decision(status={"conditions": [manifest(running)]}))

    assert rise("scoringjob_start_latency_seconds_count") == 0


def ended(step: Step, reason: str, **status: Any) -> Decision:
    succeeded = condition(ConditionType.SUCCEEDED, "True" if step is Step.COMPLETED else "False", reason)
    return Decision(status={"progress": {"step": step.value}, "conditions": [succeeded], **status})


RAN = {"attempt": 1, "start_time": NOW - timedelta(seconds=100)}


def test_a_reported_result_is_counted_with_its_quality() -> None:
    result = make_result()

    rise = counted(observed(Step.ANALYZING, RAN, result=result), ended(Step.COMPLETED, Reason.COMPLETED))

    assert rise("scoringjob_finished_total", result="completed", reason="Completed") == 1
    assert rise("scoringjob_result_writes_total", source="report") == 1
    assert rise("scoringjob_run_duration_seconds_sum") == 100
    assert rise("scoringjob_overall_score_sum") == result.overall_score
    assert rise("scoringjob_supported_share_sum") == pytest.approx(0.9)
    assert rise("scoringjob_frames_per_second_sum") == 15


def test_a_result_from_the_termination_message_is_told_apart() -> None:
    decision = ended(Step.COMPLETED, Reason.COMPLETED, result=manifest(make_result()))

    rise = counted(observed(Step.ANALYZING, RAN), decision)

    assert rise("scoringjob_result_writes_total", source="termination-message") == 1
    assert rise("scoringjob_overall_score_count") == 1


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        pytest.param("NO_RESULT", "NO_RESULT", id="the operator's"),
        pytest.param("VIDEO_TRUNCATED", "VIDEO_TRUNCATED", id="a worker's"),
        pytest.param("PWNED_BY_A_VIDEO", "OTHER", id="made up by a pod"),
    ],
)
def test_failures_count_by_known_codes(reason: str, shown: str) -> None:
    rise = counted(observed(Step.ANALYZING, RAN), ended(Step.FAILED, reason))

    assert rise("scoringjob_finished_total", result="failed", reason=shown) == 1
    assert rise("scoringjob_overall_score_count") == 0


def test_a_retry_counts_by_what_failed() -> None:
    failed = make_condition(ConditionType.RUNNING, "False", Reason.OUT_OF_MEMORY)
    before = observed(Step.QUEUED, {"attempt": 1, "failures": 1, "failed_attempt": 1}, conditions=[failed])

    rise = counted(before, Decision(status={"run": {"attempt": 2, "failures": 1}}))

    assert rise("scoringjob_retries_total", reason="OUT_OF_MEMORY") == 1


def test_a_resume_after_a_pause_is_no_retry() -> None:
    paused = make_condition(ConditionType.RUNNING, "False", Reason.SUSPENDED)

    rise = counted(
        observed(Step.QUEUED, {"attempt": 1}, conditions=[paused]), Decision(status={"run": {"attempt": 2}})
    )

    assert rise("scoringjob_retries_total", reason="Suspended") == 0


# --- where jobs stand -----------------------------------------------------------------------------------


def jobs(namespace: str, step: str) -> float | None:
    return REGISTRY.get_sample_value("scoringjob_jobs", {"namespace": namespace, "step": step})


def test_a_job_moves_from_step_to_step_and_goes() -> None:
    record(observed(Step.QUEUED), Decision(), NOW)
    assert jobs(NAMESPACE, "QUEUED") == 1

    record(observed(Step.QUEUED), Decision(status={"progress": {"step": "ANALYZING"}}), NOW)
    assert (jobs(NAMESPACE, "QUEUED"), jobs(NAMESPACE, "ANALYZING")) == (None, 1)

    CENSUS.note(KEY, None)
    assert jobs(NAMESPACE, "ANALYZING") is None


def test_a_listing_forgets_what_it_does_not_name() -> None:
    for number in range(3):
        CENSUS.note(("listed", f"job-{number}"), Standing("QUEUED", False, None))

    CENSUS.keep([("listed", "job-1")])

    assert jobs("listed", "QUEUED") == 1


def test_the_longest_wait_counts_and_ends_with_the_wait() -> None:
    record(observed(jobs=child(timedelta(minutes=9), None, suspended=True)), Decision(), NOW)
    waits = {"namespace": NAMESPACE}
    begun = (NOW - timedelta(minutes=9)).timestamp()

    assert CENSUS._standings[KEY].waits_since == begun  # the scrape's clock is the machine's

    running = condition(ConditionType.RUNNING, "True", Reason.POD_RUNNING)
    began = Decision(status={"progress": {"step": "ANALYZING"}, "conditions": [running]})
    record(observed(jobs=child(timedelta(minutes=9), None)), began, NOW)

    assert REGISTRY.get_sample_value("scoringjob_oldest_waiting_seconds", waits) is None


def test_a_preempted_job_waits_again_from_then_on_and_counts_once() -> None:
    running = make_condition(ConditionType.RUNNING, "True", Reason.POD_RUNNING)
    admitted = make_condition(ConditionType.ADMITTED, "True", Reason.LAUNCHED)
    before = observed(Step.ANALYZING, RAN, conditions=[running, admitted])
    taken = [
        condition(ConditionType.RUNNING, "False", Reason.QUEUED),
        condition(ConditionType.ADMITTED, "False", Reason.QUEUED),
    ]

    rise = counted(before, Decision(status={"conditions": taken}))

    assert rise("scoringjob_evictions_total") == 1
    assert CENSUS._standings[KEY].waits_since == NOW.timestamp()

    since = NOW - timedelta(minutes=5)
    held = [
        make_condition(kind, "False", Reason.QUEUED, since=since)
        for kind in (ConditionType.RUNNING, ConditionType.ADMITTED)
    ]
    rise = counted(observed(Step.ANALYZING, RAN, conditions=held), Decision())

    assert rise("scoringjob_evictions_total") == 0
    assert CENSUS._standings[KEY].waits_since == since.timestamp()


def test_stalled_counts_until_it_ends() -> None:
    stalled = condition(ConditionType.STALLED, "True", Reason.TARGET_MISMATCH)
    record(observed(), Decision(status={"conditions": [stalled]}), NOW)
    assert REGISTRY.get_sample_value("scoringjob_stalled_jobs", {"namespace": NAMESPACE}) == 1

    record(observed(), ended(Step.FAILED, "NO_RESULT"), NOW)
    assert REGISTRY.get_sample_value("scoringjob_stalled_jobs", {"namespace": NAMESPACE}) is None


def test_ten_thousand_jobs_are_few_series() -> None:
    for number in range(10_000):
        CENSUS.note((f"tenant-{number % 3}", f"job-{number}"), Standing("QUEUED", False, 0.0))

    samples = [sample for family in CENSUS.collect() for sample in family.samples]
    CENSUS.keep([])

    assert len(samples) < 20
    assert metrics.known("x") == "OTHER"
