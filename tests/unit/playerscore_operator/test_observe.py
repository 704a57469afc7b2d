"""What counts as a job's own: nobody forges a result by an object that only looks like a worker's."""

from typing import Any

import pytest

from builders import UID, make_condition, make_ready_spec, make_result, make_run, make_runtime, make_status
from playerscore import names
from playerscore.names import ConditionType, Step
from playerscore.resources import ScoringJob
from playerscore_operator.decide import Decision, decide
from playerscore_operator.manifests import analysis_job
from playerscore_operator.observe import assemble
from playerscore_operator.watched import Watched
from worlds import API, NOW, world

STAMP = "2026-01-01T11:59:00Z"
RUN = make_run(1, generation=3)
STATUS = make_status(
    Step.ANALYZING, run=RUN, conditions=[make_condition(ConditionType.RUNNING, "True", "PodRunning")]
)
JOB = ScoringJob(
    metadata={
        "namespace": "default",
        "name": "match-1",
        "uid": UID,
        "generation": 3,
        "resourceVersion": "101",
    },
    spec=make_ready_spec(suspend=False),
    status=STATUS,
)
NAME = names.analysis_job_name(UID, 1)


def pod(result: Any, *, account: str = names.WORKER_ACCOUNT, namespace: str = "default") -> dict[str, Any]:
    """A pod of the attempt that has ended well, with that result as its last word."""
    labels = {names.UID_LABEL: UID, names.JOB_LABEL: "match-1", names.ATTEMPT_LABEL: "1", "job-name": NAME}
    ended = {"exitCode": 0, "message": result.model_dump_json(by_alias=True, exclude_none=True)}
    return {
        "metadata": {
            "name": f"{NAME}-abcde",
            "namespace": namespace,
            "uid": "p",
            "resourceVersion": "9",
            "creationTimestamp": STAMP,
            "labels": labels,
            # As the Job controller leaves it after it adopted the pod.
            "ownerReferences": [{"kind": "Job", "name": NAME, "uid": "j", "controller": True}],
        },
        "spec": {"nodeName": "node-1", "serviceAccountName": account},
        "status": {
            "phase": "Succeeded",
            "containerStatuses": [{"name": "analyze", "state": {"terminated": ended}}],
        },
    }


def decided(*pods: dict[str, Any]) -> Decision:
    """What is decided when the attempt's Job is complete and the watches brought these pods."""
    runtime = make_runtime()
    child = analysis_job(world(make_ready_spec(suspend=False), STATUS), runtime.spec, 1, API)
    child["metadata"] |= {"uid": "j", "resourceVersion": "5", "creationTimestamp": STAMP}
    child["status"] = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": STAMP}]}
    watched = Watched()
    watched.child_event("jobs", child, deleted=False)
    for body in pods:
        watched.child_event("pods", body, deleted=False)
    return decide(assemble(JOB, *watched.children(UID), runtime, prepared=True), NOW, API)


def test_a_workers_pod_has_the_last_word() -> None:
    decision = decided(pod(make_result(generation=3)))

    assert decision.status is not None
    assert decision.status["progress"]["step"] == "COMPLETED"
    assert decision.status["result"]["overallScore"] == make_result().overall_score


@pytest.mark.parametrize(
    "forged",
    [
        pod(make_result(generation=3), account="default"),
        pod(make_result(generation=3), namespace="another-tenant"),
    ],
    ids=["with another account", "in another namespace"],
)
def test_a_pod_that_only_carries_the_labels_has_no_word(forged: dict[str, Any]) -> None:
    decision = decided(forged)

    assert "result" not in (decision.status or {})
    assert (decision.status or {}).get("progress", {}).get("step") != "COMPLETED"


def test_a_neighbours_pod_of_the_same_name_hides_none() -> None:
    decision = decided(
        pod(make_result(generation=3)), pod(make_result(generation=3), namespace="another-tenant")
    )

    assert decision.status is not None
    assert decision.status["progress"]["step"] == "COMPLETED"
