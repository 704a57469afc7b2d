"""The real operator process against a real API server; the test plays the kubelet and the worker."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from builders import ELSEWHERE, make_result, manifest
from controlplane import ControlPlane
from operatorlab import Lab

Json = dict[str, Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with ControlPlane(controllers=True) as plane:
        found = Lab(plane)
        found.prepare()
        found.start_operator()
        yield found
        found.stop()


def test_a_whole_job_from_draft_to_sealed_result(lab: Lab) -> None:
    uid = lab.create_job("whole")
    lab.until(lambda: lab.step("whole") == "EXTRACTING_PREVIEW")
    lab.preview_done("whole", uid)

    assert lab.step("whole") == "WAITING_FOR_PLAYER"

    lab.patch("whole", lab.selected("whole"))
    lab.until(lambda: lab.step("whole") == "READY_TO_ENQUEUE")

    assert lab.get("job", f"sj-{uid}-1") == {}

    lab.patch("whole", {"suspend": False})
    lab.until(lambda: lab.get("job", f"sj-{uid}-1"))
    lab.pod_runs(f"sj-{uid}-1")
    lab.until(lambda: lab.step("whole") == "ANALYZING")
    lab.attempt_done("whole", uid)
    lab.until(lambda: lab.step("whole") == "COMPLETED")

    job = lab.get("scoringjob", "whole")
    assert lab.condition("whole", "Succeeded") == ("True", "Completed")
    assert job["status"]["observedGeneration"] == job["metadata"]["generation"]
    assert job["status"]["progress"]["percent"] == 100


def test_a_finished_job_never_runs_again_even_without_its_child(lab: Lab) -> None:
    uid = lab.get("scoringjob", "whole")["metadata"]["uid"]
    lab.plane.kubectl("delete", "job", f"sj-{uid}-1", "--cascade=background", "--wait=false")
    lab.until(lambda: lab.get("job", f"sj-{uid}-1") == {})
    lab.plane.kubectl("annotate", "scoringjob", "whole", "touched=yes")
    lab.settle()

    assert lab.get("job", f"sj-{uid}-1") == {}
    assert lab.get("job", f"sj-{uid}-2") == {}
    assert lab.step("whole") == "COMPLETED"


def test_an_incoherent_job_gets_no_pod_and_says_why(lab: Lab) -> None:
    uid = lab.create_job("wrong", lab.selected("wrong", box=ELSEWHERE) | {"suspend": False})
    lab.preview_done("wrong", uid)
    lab.until(lambda: lab.condition("wrong", "Admitted") == ("False", "TARGET_MISMATCH"))
    lab.settle()

    assert lab.get("job", f"sj-{uid}-1") == {}
    assert lab.condition("wrong", "Stalled") == ("True", "TARGET_MISMATCH")
    assert lab.step("wrong") == "WAITING_FOR_TARGET_CONFIRMATION"

    lab.patch("wrong", {"target": {"force": True}})

    lab.until(lambda: lab.get("job", f"sj-{uid}-1"))


def test_a_manifest_with_everything_in_it_starts_only_after_its_preview(lab: Lab) -> None:
    uid = lab.create_job("gitops", lab.selected("gitops") | {"suspend": False})
    lab.until(lambda: lab.get("job", f"sj-{uid}-p1"))
    lab.settle()

    assert lab.get("job", f"sj-{uid}-1") == {}

    lab.preview_done("gitops", uid)

    lab.until(lambda: lab.get("job", f"sj-{uid}-1"))


def test_after_a_pause_the_next_attempt_waits_until_the_old_pod_is_gone(lab: Lab) -> None:
    uid = lab.get("scoringjob", "gitops")["metadata"]["uid"]
    pod = lab.pod_runs(f"sj-{uid}-1")
    lab.until(lambda: lab.condition("gitops", "Running") == ("True", "PodRunning"))
    lab.patch("gitops", {"suspend": True})
    lab.until(lambda: lab.condition("gitops", "Reconciling") == ("True", "StoppingOldAttempt"))
    lab.patch("gitops", {"suspend": False})
    lab.settle()

    assert lab.get("pod", pod)["metadata"]["deletionTimestamp"]
    assert lab.get("job", f"sj-{uid}-2") == {}

    lab.pod_goes(pod)

    lab.until(lambda: lab.get("job", f"sj-{uid}-2"))
    assert lab.get("job", f"sj-{uid}-1") == {}


def test_a_paused_job_rests_when_its_pod_is_gone(lab: Lab) -> None:
    uid = lab.get("scoringjob", "gitops")["metadata"]["uid"]
    lab.patch("gitops", {"suspend": True})
    lab.until(lambda: lab.get("job", f"sj-{uid}-2") == {})
    lab.until(lambda: lab.condition("gitops", "Reconciling") == ("False", "Settled"))

    assert lab.condition("gitops", "Running") == ("False", "Suspended")
    assert lab.step("gitops") == "READY_TO_ENQUEUE"

    lab.patch("gitops", {"suspend": False})

    lab.until(lambda: lab.get("job", f"sj-{uid}-3"))


def test_a_restart_of_the_operator_changes_nothing(lab: Lab) -> None:
    uid = lab.get("scoringjob", "gitops")["metadata"]["uid"]
    lab.pod_runs(f"sj-{uid}-3")
    lab.until(lambda: lab.step("gitops") == "ANALYZING")
    before = lab.get("scoringjob", "gitops")["status"]
    child = lab.get("job", f"sj-{uid}-3")["metadata"]["uid"]

    assert lab.stop_operator() == 0

    lab.start_operator()
    lab.until(lambda: lab.log.read_text().count('"leading"') >= 2)
    lab.settle()

    assert lab.get("scoringjob", "gitops")["status"] == before
    assert lab.get("job", f"sj-{uid}-3")["metadata"]["uid"] == child
    assert lab.get("job", f"sj-{uid}-4") == {}


def test_bad_input_found_by_the_preview_fails_the_job_with_the_workers_words(lab: Lab) -> None:
    uid = lab.create_job("bad")
    lab.pod_runs(f"sj-{uid}-p1")
    lab.pod_ends(f"sj-{uid}-p1", 42, '{"code": "VIDEO_NOT_A_VIDEO", "message": "no video here"}', "fetch")
    lab.until(lambda: lab.step("bad") == "FAILED")

    assert lab.condition("bad", "Succeeded") == ("False", "VIDEO_NOT_A_VIDEO")
    assert lab.condition("bad", "Stalled") == ("True", "VIDEO_NOT_A_VIDEO")
    assert lab.get("job", f"sj-{uid}-p2") == {}


def test_a_failed_attempt_is_repeated_and_its_last_words_are_on_the_job(lab: Lab) -> None:
    uid = lab.create_job("again", lab.ready("again"))
    lab.pod_runs(f"sj-{uid}-1")
    lab.pod_ends(f"sj-{uid}-1", 1, "Traceback: no route to the store")
    lab.until(lambda: lab.condition("again", "Running") == ("False", "WORKER_FAILED"))

    assert "no route to the store" in lab.conditions("again")["Running"]["message"]

    lab.until(lambda: lab.get("job", f"sj-{uid}-2"))
    run = lab.get("scoringjob", "again")["status"]["run"]

    assert (run["attempt"], run["failures"], run["failedAttempt"]) == (2, 1, 1)


def test_a_lost_report_is_read_from_the_pods_last_words_with_its_generation(lab: Lab) -> None:
    uid = lab.create_job("lost-report", lab.ready("lost-report"))
    lab.pod_runs(f"sj-{uid}-1")
    lab.until(lambda: lab.step("lost-report") == "ANALYZING")
    generation = lab.get("scoringjob", "lost-report")["status"]["run"]["generation"]
    lab.pod_ends(f"sj-{uid}-1", 0, json.dumps(manifest(make_result(generation=generation))))
    lab.until(lambda: lab.step("lost-report") == "COMPLETED")

    assert lab.get("scoringjob", "lost-report")["status"]["result"]["generation"] == generation


def test_an_end_without_a_result_is_a_failure_with_that_name(lab: Lab) -> None:
    uid = lab.create_job("silent", lab.ready("silent") | {"retry": {"limit": 0}})
    lab.pod_runs(f"sj-{uid}-1")
    lab.pod_ends(f"sj-{uid}-1")
    lab.until(lambda: lab.step("silent") == "FAILED")

    assert lab.condition("silent", "Succeeded") == ("False", "NO_RESULT")


def test_a_job_that_a_quota_refuses_says_so_and_starts_when_there_is_room(lab: Lab) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "jobs"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    lab.apply(quota)
    used = {"hard": {"count/jobs.batch": "0"}, "used": {"count/jobs.batch": "0"}}
    lab.plane.kubectl(
        "patch",
        "resourcequota",
        "jobs",
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps({"status": used}),
    )
    lab.settle()
    uid = lab.create_job("no-room", lab.ready("no-room"))
    lab.until(lambda: lab.condition("no-room", "Reconciling") == ("True", "QUOTA_EXCEEDED"))

    assert "exceeded quota: jobs" in lab.conditions("no-room")["Running"]["message"]
    assert lab.get("scoringjob", "no-room")["status"]["run"]["attempt"] == 1

    lab.settle()
    warnings = [
        item["reason"]
        for item in lab.items("events.events.k8s.io")
        if item["regarding"]["name"] == "no-room" and item["type"] == "Warning"
    ]

    assert warnings == ["QUOTA_EXCEEDED"]

    lab.plane.kubectl("delete", "resourcequota", "jobs")
    lab.until(lambda: lab.get("job", f"sj-{uid}-1"))
    lab.until(lambda: lab.condition("no-room", "Reconciling") == ("False", "Settled"))

    assert lab.condition("no-room", "Running") == ("False", "Launched")


def test_a_job_that_is_not_valid_says_so_and_starts_when_the_runtime_is_corrected(lab: Lab) -> None:
    wrong = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
    lab.runtime("wrong", resources=wrong)
    uid = lab.create_job("invalid", lab.ready("invalid") | {"runtimeName": "wrong"})
    lab.until(lambda: lab.condition("invalid", "Running") == ("False", "CREATE_REFUSED"))

    assert "must be less than or equal to memory limit" in lab.conditions("invalid")["Reconciling"]["message"]

    lab.runtime("wrong", resources={"limits": {"memory": "1Gi"}})

    lab.until(lambda: lab.get("job", f"sj-{uid}-1"))


def test_a_runtime_that_comes_later_starts_what_waits_for_it(lab: Lab) -> None:
    uid = lab.create_job("early", lab.ready("early") | {"runtimeName": "later"})
    lab.until(lambda: lab.condition("early", "Reconciling") == ("True", "RUNTIME_NOT_FOUND"))
    lab.runtime("later")

    lab.until(lambda: lab.get("job", f"sj-{uid}-1"), seconds=5)


def test_an_ended_job_goes_after_its_time_unless_git_holds_it(lab: Lab) -> None:
    for name in ("short", "held"):
        spec = lab.ready(name) | {"retry": {"limit": 0}, "ttlSecondsAfterFinished": 3}
        uid = lab.create_job(name, spec)
        if name == "held":
            lab.plane.kubectl("annotate", "scoringjob", name, "argocd.argoproj.io/tracking-id=x")
        lab.pod_runs(f"sj-{uid}-1")
        lab.attempt_done(name, uid)
    lab.until(lambda: lab.get("scoringjob", "short") == {})
    lab.until(lambda: lab.step("held") == "COMPLETED")
    time.sleep(3.5)

    assert lab.step("held") == "COMPLETED"


def test_an_unprepared_namespace_is_told_on_the_job(lab: Lab) -> None:
    lab.plane.kubectl("create", "namespace", "elsewhere")
    body = {
        "apiVersion": "playerscore.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": "lost", "namespace": "elsewhere"},
        "spec": {"video": {"uri": "s3://playerscore/elsewhere/uploads/match.mp4"}},
    }
    lab.apply(body)

    def reason() -> str:
        path = '{.status.conditions[?(@.type=="PreviewReady")].reason}'
        return lab.plane.kubectl("get", "scoringjob", "lost", "-n", "elsewhere", "-o", f"jsonpath={path}")

    lab.until(lambda: reason() == "NamespaceNotPrepared")


def test_a_deleted_job_needs_no_operator(lab: Lab) -> None:
    lab.stop_operator()
    lab.plane.kubectl("delete", "scoringjob", "wrong", "--timeout=5s")

    assert lab.get("scoringjob", "wrong") == {}

    lab.start_operator()
