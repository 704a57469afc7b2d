"""A namespace is deleted while jobs are launched in it.

Promise: the operator drops what it cannot do there any more and asks no further; the namespace goes, and the
jobs of others complete.
"""

import random
import time

from faultlab import FaultLab, FaultProxy, invariants
from playerscore import names

JOBS = 24
QUIET_SECONDS = 6.0
"""Longer than what a key of the first failures waits."""


def test_nothing_loops_in_a_namespace_that_ends(lab: FaultLab, dice: random.Random) -> None:
    lab.plane.kubectl("create", "namespace", "doomed")
    lab.plane.kubectl("create", "serviceaccount", names.WORKER_ACCOUNT, "-n", "doomed")
    path = f"/apis/{names.API_VERSION}/namespaces/doomed/{names.JOB_PLURAL}"
    with FaultProxy(lab.plane) as proxy, lab.kubelet(run_seconds=0.5):
        lab.start_operator(KUBECONFIG=str(proxy.kubeconfig))
        lab.leads("one")
        others = lab.create_many("elsewhere", 4)
        for number in range(JOBS):
            name = f"doomed-{number}"
            spec = lab.ready(name) if number % 2 else lab.selected(name) | {"suspend": False}
            body = {"metadata": {"name": name}, "spec": {"video": {"uri": "s3://a/b"}} | spec}
            body |= {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND}
            lab.http.post(path, json=body).raise_for_status()
        time.sleep(dice.uniform(0, 1))
        lab.plane.kubectl("delete", "namespace", "doomed", "--wait=false")
        others += lab.create_many("afterwards", 4)
        lab.until(lambda: not lab.plane.kubectl("get", "namespace", "doomed", "--ignore-not-found"))
        lab.all_at("COMPLETED", others)
        refused = [call for call in proxy.writes("/namespaces/doomed/") if call.status == 403]
        lab.until(lambda: _quiet(proxy))

    # A refusal for each look that was under way when the first came; never again and again.
    assert len(refused) <= JOBS
    assert lab.probe("one")[0] == 200
    assert "Traceback" not in lab.log.read_text()
    invariants(lab)


def _quiet(proxy: FaultProxy) -> bool:
    """Whether nothing is asked of that namespace for a while."""
    before = len(proxy.calls)
    time.sleep(QUIET_SECONDS)
    return not any("/namespaces/doomed/" in call.path and not call.watch for call in proxy.calls[before:])
