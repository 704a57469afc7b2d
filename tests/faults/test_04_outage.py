"""The API server restarts, or is gone for 100 s, in the midst of work.

Promise: the operator stays, writes nothing while it cannot renew its Lease, and misses nothing that happened
meanwhile; no Job is made twice, and with a second replica the same one goes on leading.
"""

import random
import signal
import time

import pytest

from faultlab import FaultLab, invariants

JOBS = 10


def _through_an_outage(lab: FaultLab, seconds: float, dice: random.Random) -> None:
    """Jobs before it, during it (their pods end unseen) and after it."""
    process = lab.by_identity["one"]
    with lab.kubelet() as kubelet:
        made = lab.create_many("before", JOBS)
        time.sleep(dice.uniform(0, 1.5))
        lab.plane.kill("kube-apiserver")
        time.sleep(seconds)

        assert process.poll() is None
        assert lab.probe("one") == (200, "ok")

        lab.plane.revive("kube-apiserver")
        made += lab.create_many("after", JOBS)
        lab.all_at("COMPLETED", made)

    assert process.poll() is None
    assert lab.holder() == "one"
    # A pod may be made twice, by the Job controller, to which the answer to its own create was lost with the server.
    ran = {pod.rpartition("-")[0] for pod in kubelet.ran}
    assert ran == {job["metadata"]["name"] for job in lab.children()}
    assert len(ran) == len(made)
    assert {job["status"]["run"]["attempt"] for job in lab.jobs()} == {1}


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(4.0, id="for a moment"),
        pytest.param(20.0, id="a restart of 20 s", marks=pytest.mark.long),
        pytest.param(100.0, id="gone for 100 s", marks=pytest.mark.long),
    ],
)
def test_the_operator_stays_and_no_job_is_made_twice(
    own_lab: FaultLab, seconds: float, dice: random.Random
) -> None:
    own_lab.start_operator("one")
    own_lab.leads("one")
    own_lab.start_operator("two")
    own_lab.until(lambda: own_lab.probe("two", "readyz") == (200, "standby"))
    _through_an_outage(own_lab, seconds, dice)

    assert own_lab.by_identity["two"].poll() is None

    invariants(own_lab)


def test_an_operator_that_starts_while_it_is_away_waits_for_it(own_lab: FaultLab) -> None:
    own_lab.plane.kill("kube-apiserver")
    own_lab.start_operator("one")
    own_lab.until(lambda: own_lab.probe("one") == (200, "ok"))
    own_lab.settle()
    own_lab.plane.revive("kube-apiserver")
    own_lab.leads("one")
    with own_lab.kubelet():
        own_lab.all_at("COMPLETED", own_lab.create_many("late", 2))
    own_lab.signal("one", signal.SIGTERM)

    assert own_lab.ended("one") == 0

    invariants(own_lab)
