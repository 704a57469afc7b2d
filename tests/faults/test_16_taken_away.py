"""The cluster takes the pod away: an eviction, a more important pod, a drained node.

Promise: the job says so, its pod is replaced and no try is counted; the times are counted apart, and a job that
is always taken away ends with that reason.
"""

import json
import subprocess

import nodes
from controlplane import ensure_tools
from faultlab import FaultLab, invariants


def disrupted(lab: FaultLab, name: str, word: str) -> None:
    """Wait until the job says that its pod is taken away, by whom."""
    lab.until(lambda: lab.condition(name, "Running") == ("True", "Disrupted"))
    assert word in lab.conditions(name)["Running"]["message"]


def preempt(lab: FaultLab) -> None:
    """Ask for the whole node with a higher priority."""
    lab.apply(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "faults-high"},
            "value": 1000,
        }
    )
    container = {"name": "all", "image": "none", "resources": {"requests": {"cpu": "900m"}}}
    spec = {"priorityClassName": "faults-high", "containers": [container]}
    lab.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "important"}, "spec": spec})


def drain(lab: FaultLab, pod: str) -> None:
    """`kubectl drain`, to its end."""
    kubectl = [str(ensure_tools("kubectl") / "kubectl"), f"--kubeconfig={lab.plane.kubeconfig}"]
    command = [*kubectl, "drain", "small", "--delete-emptydir-data", "--timeout=60s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        disrupted(lab, "match", "EvictionByEvictionAPI")
        nodes.goes(lab, pod)
        said, _ = process.communicate(timeout=90)
        assert process.returncode == 0, said


def test_an_evicted_preempted_and_drained_job_completes_in_its_first_attempt(lab: FaultLab) -> None:
    lab.start_operator()
    with nodes.scheduler(lab.plane), nodes.node(lab, "small"):
        uid = lab.create_job("match", lab.ready("match") | {"retry": {"limit": 0}})
        child = f"sj-{uid}-1"
        first = nodes.starts(lab, child)
        nodes.evict(lab, first)
        disrupted(lab, "match", "EvictionByEvictionAPI")
        nodes.goes(lab, first)
        second = nodes.starts(lab, child)

        preempt(lab)
        disrupted(lab, "match", "PreemptionByScheduler")
        nodes.goes(lab, second)
        lab.until(lambda: "Unschedulable" in lab.conditions("match")["Running"]["message"])
        assert lab.condition("match", "Running") == ("False", "PodPending")
        assert lab.step("match") == "ANALYZING", "a step does not move back for what the cluster does"

        lab.plane.kubectl("delete", "pod", "important", "--force", "--grace-period=0")
        third = nodes.starts(lab, child)
        drain(lab, third)
        lab.plane.kubectl("uncordon", "small")
        nodes.starts(lab, child)
        lab.attempt_done("match", uid)
        lab.until(lambda: lab.step("match") == "COMPLETED")

    run = lab.get("scoringjob", "match")["status"]["run"]
    assert (run["attempt"], run.get("failures"), run["disruptions"]) == (1, 0, 3)
    invariants(lab)
    lab.plane.kubectl("delete", "priorityclass", "faults-high")


def test_a_job_that_is_taken_away_for_the_21st_time_ends(lab: FaultLab) -> None:
    lab.start_operator()
    uid = lab.create_job("unlucky", lab.ready("unlucky"))
    pod = lab.pod_runs(f"sj-{uid}-1")
    lab.until(lambda: lab.step("unlucky") == "ANALYZING")
    before = json.dumps({"status": {"run": {"disruptions": 20, "disruptedPod": "the-20th"}}})
    lab.plane.kubectl("patch", "scoringjob", "unlucky", "--subresource=status", "--type=merge", "-p", before)
    nodes.evict(lab, pod)
    lab.until(lambda: lab.step("unlucky") == "FAILED")

    assert lab.condition("unlucky", "Succeeded") == ("False", "DISRUPTED_TOO_OFTEN")
    assert "21 times" in lab.conditions("unlucky")["Succeeded"]["message"]
    assert lab.get("scoringjob", "unlucky")["status"]["run"]["failures"] == 0

    nodes.goes(lab, pod)
    lab.until(lambda: not lab.children())
    invariants(lab)
