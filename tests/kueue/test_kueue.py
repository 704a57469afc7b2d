"""Jobs in a queue of the real Kueue: held back with a reason, admitted, preempted, admitted elsewhere, left alone."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from controlplane import ROOT
from flowlab import JOBS, NAMESPACE, FlowLab
from kueue import Kueue, cluster_queue, flavor, local_queue

Json = dict[str, Any]
GPU = "nvidia.com/gpu"
DISK = "ephemeral-storage"
ONE_GPU: Json = {GPU: 1, "cpu": 8, "memory": "32Gi", DISK: "200Gi"}
QUEUE = "gpus"
PRIORITIES = {"urgent": 1000, "nightly": 10}
RUNTIME = {
    "apiVersion": "playerscore.dev/v1alpha1",
    "kind": "ScoringRuntime",
    "metadata": {"name": "gpu"},
    "spec": {
        "image": "playerscore/worker:test",
        "sources": ["s3://playerscore/{namespace}/uploads/"],
        "detector": {"name": "embedded"},
        "accelerator": {"resourceName": GPU, "count": 1},
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
    },
}


class QueueLab(FlowLab):
    """An installed release beside a Kueue that has two kinds of nodes with one GPU each."""

    kueue: Kueue

    def enqueue(self, name: str, priority: str = "nightly", queue: str = QUEUE, **spec: Any) -> None:
        """A job whose preview is not asked for, enqueued on a GPU."""
        wanted = {"preview": {"disabled": True}, "runtimeName": "gpu", "queueName": queue}
        self.create(
            name, wanted | self.selected(name) | {"suspend": False, "priorityClassName": priority} | spec
        )

    def says(self, name: str, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of a condition."""
        for item in self.job(name).get("status", {}).get("conditions", []):
            if item["type"] == kind:
                return item["status"], item["reason"], item["message"]
        return "", "", ""

    def admitted(self, name: str) -> bool:
        return self.says(name, "Admitted")[:2] == ("True", "Launched")

    def held(self, name: str) -> str:
        """Why the queue holds a job back; empty while it does not."""
        status, reason, message = self.says(name, "Admitted")
        return message if (status, reason) == ("False", "Queued") else ""

    def suspended(self, name: str, part: str = "1") -> bool:
        child = self.child(name, part)
        return bool(child and child["spec"].get("suspend"))

    def flavor_of(self, name: str) -> str:
        """The nodes that the queue chose for a job's pod."""
        child = self.child(name, "1")
        return str((child or {})["spec"]["template"]["spec"].get("nodeSelector", {}).get("gpu", ""))

    def finish(self, name: str) -> None:
        self.pod_runs(name, "1")
        self.until(lambda: self.condition(name, "Running")[0] == "True")
        self.analysis_done(name)

    def remove(self, *jobs: str) -> None:
        """Delete jobs, and wait until the queue counts their quota no more."""
        self.plane.kubectl("-n", NAMESPACE, "delete", "scoringjob", *jobs, "--ignore-not-found")
        self.until(
            lambda: (
                not json.loads(self.plane.kubectl("-n", NAMESPACE, "get", "workloads", "-o", "json"))["items"]
            )
        )


def _platform() -> list[Json]:
    priorities = [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
        }
        for name, value in PRIORITIES.items()
    ]
    return [
        RUNTIME,
        *priorities,
        flavor("a100", {"gpu": "a100"}),
        flavor("t4", {"gpu": "t4"}),
        cluster_queue(
            "platform", {"a100": ONE_GPU, "t4": ONE_GPU}, preemption={"withinClusterQueue": "LowerPriority"}
        ),
        local_queue(QUEUE, NAMESPACE, "platform"),
        cluster_queue("closed", {"t4": ONE_GPU}, stopPolicy="HoldAndDrain"),
        local_queue("closed", NAMESPACE, "closed"),
    ]


@pytest.fixture(scope="module")
def lab() -> Iterator[QueueLab]:
    with QueueLab() as found, Kueue(found.plane) as found.kueue:
        found.kueue.apply(*_platform())
        yield found


@pytest.fixture(autouse=True)
def _empty_queue(lab: QueueLab) -> Iterator[None]:
    yield
    names = [item["metadata"]["name"] for item in lab.http.get(JOBS).json()["items"]]
    lab.remove(*names)


def test_a_job_within_the_quota_is_admitted_and_ends(lab: QueueLab) -> None:
    lab.enqueue("first")
    lab.until(lambda: lab.admitted("first"))
    lab.until(lambda: not lab.suspended("first"))

    assert lab.flavor_of("first") == "a100"

    lab.finish("first")

    assert lab.says("first", "Succeeded")[0] == "True"


def test_the_next_takes_the_other_nodes_and_the_third_waits_with_the_queues_words(lab: QueueLab) -> None:
    for name in ("one", "two"):
        lab.enqueue(name)
        lab.until(lambda name=name: lab.admitted(name))
    lab.enqueue("three")
    said = lab.until(lambda: "insufficient" in lab.held("three") and lab.held("three"))

    assert {lab.flavor_of("one"), lab.flavor_of("two")} == {"a100", "t4"}
    assert said.startswith(f"Queue {QUEUE}: ")
    assert GPU in said
    assert lab.says("three", "Running")[:2] == ("False", "Queued")
    assert lab.step("three") == "QUEUED"
    assert lab.suspended("three")


def test_a_freed_quota_admits_who_waits(lab: QueueLab) -> None:
    for name in ("one", "two", "three"):
        lab.enqueue(name)
    waiting = lab.until(
        lambda: next((name for name in ("one", "two", "three") if "insufficient" in lab.held(name)), None)
    )
    running = next(name for name in ("one", "two", "three") if name != waiting)

    lab.finish(running)

    lab.until(lambda: lab.admitted(waiting))
    assert lab.job(waiting)["status"]["run"]["attempt"] == 1


def test_a_higher_priority_preempts_and_the_job_says_so_and_comes_back(lab: QueueLab) -> None:
    for name in ("low-1", "low-2"):
        lab.enqueue(name)
        lab.until(lambda name=name: lab.admitted(name))
        lab.pod_runs(name, "1")
        lab.until(lambda name=name: lab.condition(name, "Running")[0] == "True")

    lab.enqueue("high", priority="urgent")
    lab.until(lambda: lab.admitted("high"))
    victim = lab.until(lambda: next((name for name in ("low-1", "low-2") if lab.held(name)), None))
    kept = {"low-1": "low-2", "low-2": "low-1"}[victim]
    taken = lab.flavor_of(kept)

    lab.until(lambda: "Evicted before (Preempted)" in lab.held(victim))
    assert lab.suspended(victim)
    assert lab.condition(kept, "Running")[0] == "True"
    assert lab.job(victim)["status"]["run"].get("failures", 0) == 0, "a preemption is no failure"
    assert lab.step(victim) == "ANALYZING", "a step moves back only by a person's doing"

    lab.finish(kept)

    lab.until(lambda: lab.admitted(victim))
    assert lab.flavor_of(victim) == taken
    assert lab.job(victim)["status"]["run"]["attempt"] == 1, (
        "the same attempt goes on, nothing is judged again"
    )
    lab.finish(victim)
    assert lab.says(victim, "Succeeded")[0] == "True"


def test_a_preempted_job_is_admitted_on_other_nodes(lab: QueueLab) -> None:
    lab.enqueue("moves")
    lab.until(lambda: lab.admitted("moves"))
    assert lab.flavor_of("moves") == "a100"
    lab.pod_runs("moves", "1")
    lab.until(lambda: lab.condition("moves", "Running")[0] == "True")

    lab.kueue.apply(
        cluster_queue("platform", {"a100": {GPU: 0, "cpu": 0, "memory": 0, DISK: 0}, "t4": ONE_GPU})
    )
    try:
        (workload,) = json.loads(lab.plane.kubectl("-n", NAMESPACE, "get", "workloads", "-o", "json"))[
            "items"
        ]
        name = workload["metadata"]["name"]
        lab.plane.kubectl(
            "-n", NAMESPACE, "patch", "workload", name, "--type=merge", "-p", '{"spec": {"active": false}}'
        )
        lab.until(lambda: "deactivated" in lab.held("moves"))
        lab.plane.kubectl(
            "-n", NAMESPACE, "patch", "workload", name, "--type=merge", "-p", '{"spec": {"active": true}}'
        )
        lab.until(lambda: lab.admitted("moves"))

        assert lab.flavor_of("moves") == "t4"
        assert lab.job("moves")["status"]["run"]["attempt"] == 1
        lab.finish("moves")
    finally:
        lab.kueue.apply(*_platform())


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        pytest.param("nowhere", "LocalQueue nowhere doesn't exist", id="a queue that is not there"),
        pytest.param("closed", "ClusterQueue closed is inactive", id="a queue that is closed"),
    ],
)
def test_a_queue_that_takes_nobody_says_so(lab: QueueLab, queue: str, words: str) -> None:
    lab.enqueue("stuck", queue=queue)

    said = lab.until(lambda: words in lab.held("stuck") and lab.held("stuck"))

    assert said.startswith(f"Queue {queue}: ")
    assert lab.says("stuck", "Stalled")[0] == "False", "it may still be admitted"


def test_a_job_without_a_queue_does_not_wait_for_one(lab: QueueLab) -> None:
    wanted = {"preview": {"disabled": True}, "runtimeName": "gpu", "suspend": False}
    lab.create("unqueued", wanted | lab.selected("unqueued"))
    lab.until(lambda: lab.admitted("unqueued"))

    assert not lab.suspended("unqueued")


def test_pausing_a_job_that_waits_frees_its_place(lab: QueueLab) -> None:
    for name in ("one", "two", "three"):
        lab.enqueue(name)
    waiting = lab.until(
        lambda: next((name for name in ("one", "two", "three") if "insufficient" in lab.held(name)), None)
    )

    lab.patch(waiting, {"suspend": True})

    lab.until(lambda: lab.says(waiting, "Admitted")[:2] == ("False", "Suspended"))
    lab.until(lambda: lab.child(waiting, "1") is None)


def test_the_example_of_the_docs_works_as_it_is_written(lab: QueueLab) -> None:
    page = (ROOT / "docs" / "kueue.md").read_text()
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        lab.plane.kubectl("apply", "--server-side", "-f", "-", stdin=block)
    lab.enqueue("by-the-book", queue="match-night", priority="highlights")

    lab.until(lambda: lab.admitted("by-the-book"))
    lab.finish("by-the-book")


def test_jobs_of_another_manager_are_left_alone(lab: QueueLab) -> None:
    lab.enqueue("foreign", managedBy="kueue.x-k8s.io/multikueue")
    lab.enqueue("ours")
    lab.until(lambda: lab.admitted("ours"))

    assert lab.child("foreign", "1") is None
    assert lab.job("foreign")["status"] == {"observedGeneration": -1}
