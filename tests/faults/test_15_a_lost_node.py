"""A node stops answering while its pod works on, unseen.

Promise: the job says so and stays in its step; nothing is started beside the pod until it is surely gone; a
paused and resumed job gets a new attempt, and the old pod's late word is refused.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Self

import pytest

import nodes
import workerlab
from builders import make_result, manifest
from controlplane import ControlPlane
from faultlab import FaultLab, invariants
from operatorlab import Lab, pod_status

Json = dict[str, Any]
HEARTBEAT_SECONDS = 1.0
SEEN_ALIVE_SECONDS = 3.0
READY = {"type": "Ready", "status": "True"}
CONTAINERS_READY = {"type": "ContainersReady", "status": "True"}
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    """With the node controllers, which here wait for seconds and not for minutes."""
    tolerations = ("--default-unreachable-toleration-seconds=2", "--default-not-ready-toleration-seconds=2")
    with ControlPlane(controllers=True, apiserver_args=tolerations) as plane, node_controllers(plane):
        Lab(plane).prepare()
        yield plane


def node_controllers(plane: ControlPlane) -> contextlib.AbstractContextManager[None]:
    """A second, real kube-controller-manager that looks after nodes and their pods."""
    return nodes.component(
        plane,
        "kube-controller-manager",
        "--controllers=node-lifecycle-controller,taint-eviction-controller,pod-garbage-collector-controller",
        "--node-monitor-period=1s",
        "--node-monitor-grace-period=5s",
        "--node-startup-grace-period=20s",
    )


class Node:
    """A node whose kubelet tells that it lives, until it is lost."""

    def __init__(self, lab: FaultLab, name: str) -> None:
        self.name = name
        self._lab = lab
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._lives, daemon=True)
        lab.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        self._thread.start()
        lab.until(lambda: "conditions" in lab.get("node", name).get("status", {}))
        # The node controller looks every second. It must have seen the node alive: else it waits for its start.
        time.sleep(SEEN_ALIVE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lose()

    def lose(self) -> None:
        self._lost.set()
        self._thread.join()

    def _lives(self) -> None:
        path = f"/api/v1/nodes/{self.name}/status"
        while not self._lost.wait(HEARTBEAT_SECONDS):
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            told = READY | {"lastHeartbeatTime": now, "reason": "KubeletReady", "message": "it lives"}
            content = json.dumps({"status": {"conditions": [told]}})
            self._lab.http.patch(path, content=content, headers=nodes.MERGE).raise_for_status()


def runs_on(lab: FaultLab, job: str, node: Node) -> str:
    """The job's pod runs there and is ready; its name."""
    name = lab.pod_runs(job, node.name)
    ready = pod_status("Running", {"analyze": {"running": {}}}) | {"conditions": [READY, CONTAINERS_READY]}
    nodes.patch_pod(lab, name, ready)
    return name


@pytest.mark.long
def test_a_lost_pod_is_replaced_when_it_is_surely_gone_and_says_nothing_more(own_lab: FaultLab) -> None:
    lab = own_lab
    lab.start_operator()
    with workerlab.confined(lab), Node(lab, "lost") as lost, Node(lab, "other") as other:
        uids = {name: lab.create_job(name, lab.ready(name)) for name in ("patient", "resumed")}
        pods = {name: runs_on(lab, f"sj-{uid}-1", lost) for name, uid in uids.items()}
        bearers = {name: workerlab.token(lab, pod) for name, pod in pods.items()}
        lab.all_at("ANALYZING", list(uids))
        lost.lose()
        for name in uids:
            lab.until(lambda name=name: lab.condition(name, "Running") == ("Unknown", "NodeLost"))
            lab.until(lambda name=name: "deletionTimestamp" in lab.get("pod", pods[name])["metadata"])
        lab.settle()

        for name, uid in uids.items():
            assert lab.step(name) == "ANALYZING"
            assert [pod["metadata"]["name"] for pod in lab.items("pods", f"job-name=sj-{uid}-1")] == [
                pods[name]
            ]
            assert lab.condition(name, "Running")[1] in ("NodeLost", "Disrupted")

        lab.patch("resumed", {"suspend": True})
        lab.patch("resumed", {"suspend": False})
        lab.until(lambda: lab.condition("resumed", "Reconciling") == ("True", "StoppingOldAttempt"))
        # The zombie still reaches the API server, and its token is known there.
        assert workerlab.write(lab, "resumed", bearers["resumed"], {"progress": {"percent": 50}}).is_success

        lab.plane.kubectl("taint", "node", "lost", OUT_OF_SERVICE)
        runs_on(lab, f"sj-{uids['resumed']}-2", other)
        late = {"result": manifest(make_result(generation=1))}
        assert workerlab.write(lab, "resumed", bearers["resumed"], late).status_code in (401, 403)

        lab.until(lambda: lab.get("pod", pods["patient"]) == {})
        lab.until(lambda: len(lab.items("pods", f"job-name=sj-{uids['patient']}-1")) == 1)
        runs_on(lab, f"sj-{uids['patient']}-1", other)
        lab.attempt_done("patient", uids["patient"])
        lab.attempt_done("resumed", uids["resumed"], 2)
        lab.all_at("COMPLETED", list(uids))

    runs = {name: lab.get("scoringjob", name)["status"]["run"] for name in uids}
    assert (runs["patient"]["attempt"], runs["patient"]["failures"]) == (1, 0)
    assert runs["patient"]["disruptions"] == 1
    assert lab.get("scoringjob", "resumed")["status"]["result"]["generation"] == runs["resumed"]["generation"]
    invariants(lab)
