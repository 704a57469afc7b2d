"""The API server is frozen: connections stay open, and nothing is ever answered.

Promise: the operator notices by itself and connects again; liveness stays green meanwhile, so that no kubelet
restarts it; no event is lost and no Job is made twice.
"""

import random
import signal
import time

import pytest

from faultlab import FaultLab, invariants

JOBS = 8


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(5.0, id="for a moment"),
        pytest.param(95.0, id="for 95 s", marks=pytest.mark.long),
    ],
)
def test_liveness_stays_green_and_no_event_is_lost(
    own_lab: FaultLab, seconds: float, dice: random.Random
) -> None:
    lab = own_lab
    lab.start_operator("one")
    lab.leads("one")
    server = lab.plane.process("kube-apiserver")
    with lab.kubelet() as kubelet:
        made = lab.create_many("before", JOBS)
        time.sleep(dice.uniform(0, 1))
        server.send_signal(signal.SIGSTOP)
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                assert lab.probe("one") == (200, "ok")
                time.sleep(0.5)
        finally:
            server.send_signal(signal.SIGCONT)
        made += lab.create_many("after", JOBS)
        lab.all_at("COMPLETED", made)

    assert lab.by_identity["one"].poll() is None
    assert lab.probe("one") == (200, "ok")
    assert lab.holder() == "one"
    assert len(lab.children()) == len(made) == len(kubelet.ran)
    invariants(lab)
