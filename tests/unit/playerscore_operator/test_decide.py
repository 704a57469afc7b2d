"""What the operator does about a job, from a value of the world: no cluster, no clock."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    ELSEWHERE,
    UID,
    make_condition,
    make_metrics,
    make_pitch,
    make_ready_spec,
    make_result,
    make_run,
    make_runtime,
    make_spec,
    make_status,
    make_target,
)
from mergepatch import patched
from playerscore import tasks
from playerscore.names import ConditionType, Step
from playerscore.resources import Anchor, BBox, Progress, ResultWarning, Retry, ScoringJobStatus
from playerscore_operator.decide import Decision, decide
from playerscore_operator.manifests import analysis_job, preview_job, spec_hash
from playerscore_operator.observe import Observed
from worlds import API, LAUNCHED, NOW, PAUSED, RUNS, world


def with_child(observed: Observed, body: dict[str, Any], *ended: str, pods: tuple[Any, ...] = ()) -> Observed:
    """With a child Job as the API server returns it, active unless an end is named."""
    body = {**body, "metadata": {**body["metadata"], "creationTimestamp": "2026-01-01T11:59:00Z"}}
    body["status"] = {"conditions": [{"type": kind, "status": "True"} for kind in ended]}
    return replace(observed, jobs={body["metadata"]["name"]: body}, pods=list(pods))


def running(status: Any = None, spec: Any = None) -> Observed:
    """A job whose first attempt has a Job."""
    status = status or make_status(run=make_run(1, generation=3), conditions=[RUNS])
    return world(spec or make_ready_spec(suspend=False), status)


def attempt(observed: Observed) -> dict[str, Any]:
    assert observed.runtime is not None
    return analysis_job(observed, observed.runtime.spec, observed.attempt or 1, API)


def pod(**status: Any) -> dict[str, Any]:
    labels = {"job-name": f"sj-{UID}-1"}
    return {"metadata": {"name": "p", "labels": labels}, "spec": {"nodeName": "node-1"}, "status": status}


def terminated(name: str, code: int, message: str = "") -> dict[str, Any]:
    return {"name": name, "state": {"terminated": {"exitCode": code, "message": message}}}


def stored(observed: Observed, decision: Decision, **changes: Any) -> Observed:
    """The world after the decision's status write, without children."""
    assert decision.status is not None
    before = observed.status.model_dump(mode="json", exclude_none=True)
    status = ScoringJobStatus.model_validate(patched(before, decision.status))
    return replace(observed, status=status, **changes)


def created(decision: Decision) -> list[str]:
    return [body["metadata"]["name"] for body in decision.creates]


def claim(decision: Decision, kind: ConditionType) -> tuple[str, str]:
    assert decision.status is not None
    found = {item["type"]: item for item in decision.status["conditions"]}
    return found[kind]["status"], found[kind]["reason"]


def step(decision: Decision) -> str:
    assert decision.status is not None
    return str(decision.status["progress"]["step"])


def test_a_draft_gets_its_preview_at_once() -> None:
    decision = decide(world(), NOW, API)

    assert created(decision) == [f"sj-{UID}-p1"]
    assert not decision.unproven
    assert decision.status is not None
    assert decision.status["run"] == {"previewAttempt": 1, "runtime": "cpu"}
    assert decision.status["observedGeneration"] == 3


def test_a_ready_job_starts_by_a_write_that_clears_the_older_result() -> None:
    status = make_status(result=make_result(), progress=Progress(percent=40))
    decision = decide(world(make_ready_spec(suspend=False), status), NOW, API)

    assert created(decision) == [f"sj-{UID}-1"]
    assert not decision.unproven
    assert decision.status is not None
    assert decision.status["result"] is None
    assert decision.status["progress"] == {"step": "QUEUED", "percent": None}
    assert decision.status["run"]["generation"] == 3


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (make_ready_spec(), "Suspended"),  # a draft
        (make_spec(suspend=False), "NOT_READY"),  # nothing chosen
        (
            make_ready_spec(target=make_target(confirmed=False), suspend=False),
            "NOT_READY",
        ),  # a drafted target
        (make_ready_spec(target=make_target(ELSEWHERE), suspend=False), "TARGET_MISMATCH"),  # somebody else
        (make_ready_spec(target=make_target(number=9), suspend=False), "FRAME_NOT_FOUND"),
    ],
    ids=["draft", "nothing", "unconfirmed", "mismatch", "no-frame"],
)
def test_nothing_starts_for_a_job_that_fails_the_checks(spec: Any, reason: str) -> None:
    decision = decide(world(spec, make_status()), NOW, API)

    assert created(decision) == []
    assert claim(decision, ConditionType.ADMITTED) == ("False", reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"runtime": None}, "RUNTIME_NOT_FOUND"),
        ({"runtime": make_runtime(allowed_namespaces=["other"])}, "RUNTIME_FORBIDDEN"),
        ({"prepared": False}, "NamespaceNotPrepared"),
    ],
)
def test_what_the_platform_lacks_is_told_and_looked_at_again(changes: dict[str, Any], reason: str) -> None:
    decision = decide(world(make_ready_spec(suspend=False), make_status(), **changes), NOW, API)

    assert created(decision) == []
    assert claim(decision, ConditionType.ADMITTED) == ("False", reason)
    assert decision.requeue_seconds is not None


def test_a_crash_between_the_write_and_the_create_is_made_good() -> None:
    status = make_status(run=make_run(1, generation=3), conditions=[LAUNCHED])
    decision = decide(running(status), NOW, API)

    assert created(decision) == [f"sj-{UID}-1"]
    assert decision.unproven


def test_a_job_edited_between_the_write_and_the_create_is_judged_anew() -> None:
    status = make_status(run=make_run(1, generation=2), conditions=[LAUNCHED])

    assert created(decide(running(status), NOW, API)) == [f"sj-{UID}-2"]


def test_a_child_deleted_by_hand_means_a_new_attempt() -> None:
    assert created(decide(running(), NOW, API)) == [f"sj-{UID}-2"]


def test_a_running_pod_is_seen_and_noted() -> None:
    observed = running(make_status(run=make_run(1, generation=3), conditions=[LAUNCHED]))
    state = {"name": "analyze", "state": {"running": {}}}
    decision = decide(
        with_child(observed, attempt(observed), pods=(pod(containerStatuses=[state]),)), NOW, API
    )

    assert claim(decision, ConditionType.RUNNING) == ("True", "PodRunning")
    assert step(decision) == "ANALYZING"
    assert decision.status is not None
    stamp = "2026-01-01T12:00:00Z"
    assert decision.status["run"] == {"node": "node-1", "startTime": stamp, "firstStartTime": stamp}


def test_the_schedulers_words_are_on_the_job_while_it_waits() -> None:
    observed = running(make_status(run=make_run(1, generation=3), conditions=[LAUNCHED]))
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no gpu"}
    decision = decide(
        with_child(observed, attempt(observed), pods=(pod(conditions=[unscheduled]),)), NOW, API
    )

    assert claim(decision, ConditionType.RUNNING) == ("False", "PodPending")
    assert decision.status is not None
    assert any("no gpu" in item["message"] for item in decision.status["conditions"])
    assert decision.requeue_seconds is not None


@pytest.mark.parametrize("code", [0, 1])
def test_between_the_end_of_the_work_and_its_jobs_end_nothing_is_written(code: int) -> None:
    run = make_run(1, generation=3, start_time=NOW, first_start_time=NOW, node="node-1")
    observed = running(make_status(run=run, conditions=[RUNS]))
    observed = with_child(
        observed, attempt(observed), pods=(pod(containerStatuses=[terminated("analyze", code)]),)
    )

    assert claim(decide(observed, NOW, API), ConditionType.RUNNING) == ("True", "PodRunning")


def test_a_wait_that_was_told_stays_told_when_the_job_gets_its_start_time() -> None:
    waits = make_condition(ConditionType.RUNNING, "False", "PodPending", message="no room")
    observed = running(make_status(run=make_run(1, generation=3), conditions=[waits]))
    observed = with_child(observed, attempt(observed), pods=(pod(),))
    for job in observed.jobs.values():
        job["status"]["startTime"] = NOW.isoformat()
    decision = decide(observed, NOW, API)

    assert claim(decision, ConditionType.RUNNING) == ("False", "PodPending")


def test_waiting_longer_than_the_start_deadline_fails_the_job_and_frees_its_place() -> None:
    status = make_status(run=make_run(1, generation=3), conditions=[LAUNCHED])
    observed = running(status, make_ready_spec(suspend=False, start_deadline_seconds=30))
    decision = decide(with_child(observed, attempt(observed)), NOW, API)

    assert step(decision) == "FAILED"
    assert claim(decision, ConditionType.SUCCEEDED) == ("False", "START_DEADLINE_EXCEEDED")
    assert decision.deletes == [f"sj-{UID}-1"]


def test_a_reported_result_is_sealed() -> None:
    status = make_status(run=make_run(1, generation=3), conditions=[RUNS], result=make_result(generation=3))
    observed = running(status)
    decision = decide(with_child(observed, attempt(observed), "Complete"), NOW, API)

    assert step(decision) == "COMPLETED"
    assert claim(decision, ConditionType.SUCCEEDED) == ("True", "Completed")
    assert decision.deletes == []


def test_a_lost_report_is_read_from_the_termination_message() -> None:
    observed = running()
    text = make_result(generation=3).model_dump_json(by_alias=True, exclude_none=True)
    done = pod(containerStatuses=[terminated("analyze", 0, text)])
    decision = decide(with_child(observed, attempt(observed), "Complete", pods=(done,)), NOW, API)

    assert step(decision) == "COMPLETED"
    assert decision.status is not None
    assert decision.status["result"]["overallScore"] == make_result().overall_score


def test_a_job_without_any_result_is_never_stuck() -> None:
    observed = running(spec=make_ready_spec(suspend=False, retry=Retry(limit=0)))
    decision = decide(with_child(observed, attempt(observed), "Complete"), NOW, API)

    assert claim(decision, ConditionType.SUCCEEDED) == ("False", "NO_RESULT")


@pytest.mark.parametrize(
    ("code", "message", "limit", "expected"),
    [
        (42, '{"code": "VIDEO_TRUNCATED", "message": "cut"}', 2, "VIDEO_TRUNCATED"),  # never retried
        (43, "", 0, "OUT_OF_MEMORY"),
        (1, "boom", 0, "WORKER_FAILED"),
    ],
)
def test_a_failure_ends_the_job_with_its_reason(code: int, message: str, limit: int, expected: str) -> None:
    observed = running(spec=make_ready_spec(suspend=False, retry=Retry(limit=limit)))
    dead = pod(containerStatuses=[terminated("analyze", code, message)])
    decision = decide(with_child(observed, attempt(observed), "Failed", pods=(dead,)), NOW, API)

    assert claim(decision, ConditionType.SUCCEEDED) == ("False", expected)
    assert claim(decision, ConditionType.STALLED) == ("True", expected)


@pytest.mark.parametrize(
    ("code", "run", "retried"),
    [
        (1, {}, True),
        (1, {"failures": 1}, True),
        (1, {"failures": 2}, False),
        (43, {}, True),
        (43, {"failures": 2}, True),  # counted apart
        (43, {"memory_failures": 1}, False),
        (1, {"memory_failures": 1, "failures": 1}, True),
    ],
)
def test_the_machines_failures_are_retried_within_their_limits(
    code: int, run: dict[str, int], retried: bool
) -> None:
    status = make_status(run=make_run(1, generation=3, **run), conditions=[RUNS])
    observed = running(status, make_ready_spec(suspend=False, retry=Retry(limit=2)))
    dead = pod(containerStatuses=[terminated("analyze", code)])
    counted = decide(with_child(observed, attempt(observed), "Failed", pods=(dead,)), NOW, API)

    assert created(counted) == []
    assert counted.status is not None
    assert counted.status["run"]["failedAttempt"] == 1
    assert (counted.status["progress"].get("step") == "FAILED") is not retried
    if retried:
        later = decide(stored(observed, counted), NOW + timedelta(minutes=10), API)
        assert created(later) == [f"sj-{UID}-2"]


def test_the_attempt_after_one_without_memory_is_told_so_and_keeps_the_counts() -> None:
    run = make_run(1, generation=3, failures=1, memory_failures=1, failed_attempt=1)
    decision = decide(running(make_status(run=run, conditions=[RUNS])), NOW, API)
    task = decision.creates[0]["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]

    assert '"memory_failures":1' in task
    assert decision.status is not None
    assert decision.status["run"].get("failures", 1) == 1
    assert decision.status["run"].get("memoryFailures", 1) == 1


def test_a_pause_deletes_the_attempt_and_rests_when_it_is_gone() -> None:
    enqueued = running()
    observed = replace(with_child(enqueued, attempt(enqueued)), spec=make_ready_spec(suspend=True))
    stopping = decide(observed, NOW, API)

    assert stopping.deletes == [f"sj-{UID}-1"]
    assert claim(stopping, ConditionType.RUNNING) == ("False", "StoppingOldAttempt")
    assert claim(stopping, ConditionType.RECONCILING) == ("True", "StoppingOldAttempt")
    assert step(stopping) == "READY_TO_ENQUEUE"

    gone = decide(stored(observed, stopping, jobs={}), NOW, API)

    assert claim(gone, ConditionType.RUNNING) == ("False", "Suspended")
    assert claim(gone, ConditionType.RECONCILING) == ("False", "Settled")


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_pod_of_the_old_attempt_that_still_works_holds_the_new_one_back(phase: str) -> None:
    observed = running(make_status(run=make_run(1, generation=3), conditions=[PAUSED]))
    left = pod(phase=phase)

    assert created(decide(replace(observed, pods=[left]), NOW, API)) == []
    left["status"]["phase"] = "Failed"
    assert created(decide(replace(observed, pods=[left]), NOW, API)) == [f"sj-{UID}-2"]


def test_resuming_waits_for_the_old_attempt_to_be_gone() -> None:
    observed = running(make_status(run=make_run(1, generation=3), conditions=[PAUSED]))
    waiting = decide(with_child(observed, attempt(observed)), NOW, API)

    assert created(waiting) == []
    assert waiting.deletes == [f"sj-{UID}-1"]
    assert created(decide(observed, NOW, API)) == [f"sj-{UID}-2"]


def test_an_edit_that_slipped_between_pause_and_resume_replaces_the_attempt() -> None:
    old = running()
    observed = replace(
        with_child(old, attempt(old)), spec=make_ready_spec(suspend=False, target=make_target(number=2))
    )
    decision = decide(observed, NOW, API)

    assert created(decision) == []
    assert decision.deletes == [f"sj-{UID}-1"]
    assert claim(decision, ConditionType.RUNNING) == ("False", "StoppingOldAttempt")


@pytest.mark.parametrize("ended", [Step.COMPLETED, Step.FAILED])
def test_a_finished_job_never_runs_again(ended: Step) -> None:
    run = make_run(1, generation=3)
    status = make_status(ended, run=run, result=make_result(), observed_generation=3)
    decision = decide(world(make_ready_spec(suspend=False), status), NOW, API)

    assert decision == Decision()


def test_the_same_world_twice_writes_nothing_the_second_time() -> None:
    observed = world(make_ready_spec(), make_status())
    first = decide(observed, NOW, API)
    assert first.status is not None
    stored = {**observed.status.model_dump(mode="json", exclude_none=True), **first.status}
    again = replace(observed, status=ScoringJobStatus.model_validate(stored))

    assert decide(again, NOW + timedelta(hours=1), API) == Decision()


def test_a_job_of_another_controller_is_left_alone() -> None:
    assert decide(world(make_spec(managed_by="kueue.x-k8s.io/multikueue")), NOW, API) == Decision()


@pytest.mark.parametrize(
    ("age_seconds", "metadata", "deleted"),
    [
        (100, {}, True),
        (10, {}, False),
        (100, {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, False),  # Git would bring it back
    ],
)
def test_an_ended_job_goes_when_its_time_is_over(
    age_seconds: int, metadata: dict[str, Any], deleted: bool
) -> None:
    run = make_run(1, completion_time=NOW - timedelta(seconds=age_seconds))
    spec = make_ready_spec(ttl_seconds_after_finished=60)
    decision = decide(
        world(spec, make_status(Step.COMPLETED, run=run, result=make_result()), metadata=metadata), NOW, API
    )

    assert decision.delete_self is decision.unproven is deleted


def test_what_lingers_of_an_ended_job_is_deleted_on_a_live_read() -> None:
    """A watch that lags calls a Job active that is complete."""
    spec = make_ready_spec(suspend=False)
    run = make_run(1, completion_time=NOW)
    observed = running(make_status(Step.COMPLETED, run=run, result=make_result()), spec)

    decision = decide(with_child(observed, attempt(observed)), NOW, API)

    assert decision.deletes == [f"sj-{UID}-1"]
    assert decision.unproven


def test_only_the_reporter_holds_tokens_and_every_container_is_restricted() -> None:
    observed = world(make_ready_spec())
    runtime = make_runtime().spec
    for job in (preview_job(observed, runtime, 1, API), analysis_job(observed, runtime, 1, API)):
        spec = job["spec"]["template"]["spec"]
        mounts = {
            item["name"]: {mount["name"] for mount in item["volumeMounts"]}
            for item in [*spec["initContainers"], *spec["containers"]]
        }

        assert mounts["report"] == {"work", "tmp", "kube-token", "api-token"}
        assert mounts["fetch"] == mounts["analyze"] == {"work", "tmp"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        for item in [*spec["initContainers"], *spec["containers"]]:
            assert item["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_only_the_analysis_asks_for_the_accelerator() -> None:
    observed = world(make_ready_spec())
    runtime = make_runtime(accelerator={"resource_name": "nvidia.com/gpu", "count": 2}).spec
    preview, analysis = preview_job(observed, runtime, 1, API), analysis_job(observed, runtime, 1, API)

    def limits(job: dict[str, Any]) -> dict[str, str]:
        return dict(job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"])

    assert "nvidia.com/gpu" not in limits(preview)
    assert limits(analysis)["nvidia.com/gpu"] == "2"


def test_a_job_with_a_time_to_live_is_looked_at_again_after_its_end() -> None:
    """Nobody is told of the operator's own write, so the write that ends the job sets the time."""
    spec = make_ready_spec(suspend=False, ttl_seconds_after_finished=60)
    status = make_status(run=make_run(1, generation=3), conditions=[RUNS], result=make_result(generation=3))
    observed = running(status, spec)

    decision = decide(with_child(observed, attempt(observed), "Complete"), NOW, API)

    assert decision.status["progress"]["step"] == "COMPLETED"
    assert decision.requeue_seconds == 60


def disrupted(name: str, created: str = "2026-01-01T11:59:00Z") -> dict[str, Any]:
    taken = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "a drain",
    }
    found = pod(phase="Running", conditions=[taken])
    found["metadata"] |= {"name": name, "creationTimestamp": created}
    return found


def test_a_pod_that_is_taken_away_is_counted_once_and_no_try_is() -> None:
    observed = running()
    observed = with_child(observed, attempt(observed), pods=(disrupted("a"),))
    first = decide(observed, NOW, API)

    assert first.status is not None
    assert first.status["run"] == {"disruptions": 1, "disruptedPod": "a"}

    known = stored(observed, first)

    assert decide(known, NOW, API).status is None

    later = disrupted("b", "2026-01-01T12:00:00Z")
    second = decide(replace(known, pods=[*known.pods, later]), NOW, API)

    assert second.status is not None
    assert second.status["run"] == {"disruptions": 2, "disruptedPod": "b"}


def test_a_job_whose_pods_are_always_taken_away_ends_with_that_reason() -> None:
    run = make_run(1, generation=3, disruptions=20, disrupted_pod="gone")
    observed = running(make_status(run=run, conditions=[RUNS]))
    decision = decide(with_child(observed, attempt(observed), pods=(disrupted("a"),)), NOW, API)

    assert step(decision) == "FAILED"
    assert claim(decision, ConditionType.SUCCEEDED) == ("False", "DISRUPTED_TOO_OFTEN")
    assert decision.deletes == [f"sj-{UID}-1"]


def test_a_retry_keeps_the_count_of_disruptions_and_a_person_clears_it() -> None:
    run = make_run(1, generation=3, disruptions=7, disrupted_pod="gone", failed_attempt=1)
    again = decide(running(make_status(run=run, conditions=[RUNS])), NOW, API)
    resumed = decide(running(make_status(run=run, conditions=[PAUSED])), NOW, API)

    assert again.status is not None
    assert "disruptions" not in again.status["run"]
    assert resumed.status is not None
    assert resumed.status["run"]["disruptions"] is None


@pytest.mark.parametrize(
    ("ready", "containers_ready", "expected"),
    [
        pytest.param("True", "True", ("True", "PodRunning"), id="it works"),
        pytest.param("False", "True", ("Unknown", "NodeLost"), id="the node controller alone says no"),
        pytest.param(
            "False", "False", ("True", "PodRunning"), id="the kubelet says no: a sidecar starts again"
        ),
    ],
)
def test_a_lost_node_shows_in_what_its_kubelet_would_have_said_otherwise(
    ready: str, containers_ready: str, expected: tuple[str, str]
) -> None:
    works = {"name": "analyze", "state": {"running": {}}}
    told = [
        {"type": "Ready", "status": ready},
        {"type": "ContainersReady", "status": containers_ready},
    ]
    observed = running(make_status(run=make_run(1, generation=3), conditions=[LAUNCHED]))
    seen = pod(phase="Running", containerStatuses=[works], conditions=told)
    decision = decide(with_child(observed, attempt(observed), pods=(seen,)), NOW, API)

    assert claim(decision, ConditionType.RUNNING) == expected


FAR = [ResultWarning(code="PITCH_UNSUPPORTED", message="Only 20 % of the time")]
UNSEEN = [ResultWarning(code="PITCH_UNSEEN", message="No grass is seen")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "football-metrics", "metrics": make_metrics()}, ("True", "Calibrated")),
        ({"warnings": FAR}, ("False", "PITCH_UNSUPPORTED")),
        ({"warnings": UNSEEN}, ("False", "PITCH_UNSUPPORTED")),  # an older worker's result
    ],
    ids=["in metres", "carried too far", "a worker that does not know the pitch"],
)
def test_a_job_with_a_pitch_is_told_what_became_of_it(changes: dict[str, Any], said: tuple[str, str]) -> None:
    result = make_result(generation=3).model_copy(update=changes)
    status = make_status(run=make_run(1, generation=3), conditions=[RUNS], result=result)
    observed = running(status, make_ready_spec(suspend=False, pitch=make_pitch()))
    decision = decide(with_child(observed, attempt(observed), "Complete"), NOW, API)

    assert step(decision) == "COMPLETED"
    assert claim(decision, ConditionType.SUCCEEDED) == ("True", "Completed")
    assert claim(decision, ConditionType.PITCH_CALIBRATED) == said


def test_without_a_pitch_there_is_no_such_condition() -> None:
    decision = decide(world(), NOW, API)

    assert decision.status is not None
    assert "PitchCalibrated" not in {item["type"] for item in decision.status["conditions"]}


def test_the_pitch_reaches_the_worker_and_is_absent_where_none_is_given() -> None:
    with_pitch = told(make_ready_spec(suspend=False, pitch=make_pitch()))

    assert tasks.read(json.dumps(with_pitch)).pitch == make_pitch()  # type: ignore[union-attr]
    assert "pitch" not in told(make_ready_spec(suspend=False))


def told(spec: Any) -> Any:
    """The task of an attempt of that spec."""
    observed = world(spec, make_status())
    assert observed.runtime is not None
    body = analysis_job(observed, observed.runtime.spec, 1, API)
    containers = body["spec"]["template"]["spec"]["containers"]
    variables = {item["name"]: item.get("value") for c in containers for item in c["env"]}
    return json.loads(variables["PLAYERSCORE_TASK"])


BEFORE_ANCHORS = "6ee4428a25203b8a"
ANCHORS = [
    Anchor(time_sec=6.0, bbox=BBox(x=0.25, y=0.25, w=0.125, h=0.25)),
    Anchor(time_sec=9.0, absent=True),
]


def test_anchors_reach_the_worker_and_are_absent_where_none_are_given() -> None:
    given = told(make_ready_spec(suspend=False, anchors=ANCHORS))

    assert tasks.read(json.dumps(given)).anchors == ANCHORS  # type: ignore[union-attr]
    for none in (None, []):
        assert told(make_ready_spec(suspend=False, anchors=none)) == told(make_ready_spec(suspend=False))
    assert "anchors" not in told(make_ready_spec(suspend=False))


def test_other_anchors_are_another_attempt_and_none_leave_the_digest_as_it_was() -> None:
    """The digests are those of attempts that ran when there were no anchors."""

    def digest(anchors: Any) -> str:
        return spec_hash(world(make_ready_spec(suspend=False, anchors=anchors), make_status()))

    assert digest(None) == digest([]) == BEFORE_ANCHORS
    assert len({digest(None), digest(ANCHORS), digest(ANCHORS[:1])}) == 3


@pytest.mark.parametrize(("heard", "said"), [(2, False), (None, True)], ids=["knows them", "is older"])
def test_a_worker_that_does_not_know_anchors_is_told_of(heard: int | None, said: bool) -> None:
    result = make_result(generation=3).model_copy(update={"anchors": heard})
    status = make_status(run=make_run(1, generation=3), conditions=[RUNS], result=result)
    observed = running(status, make_ready_spec(suspend=False, anchors=ANCHORS))
    decision = decide(with_child(observed, attempt(observed), "Complete"), NOW, API)

    assert decision.status is not None
    (message,) = (c["message"] for c in decision.status["conditions"] if c["type"] == "Succeeded")
    assert ("older than spec.anchors" in message) == said
