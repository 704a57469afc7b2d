"""The API server is frozen, or the network drops every packet: connections stay open, and nothing is ever answered.

Promise: the operator notices by itself and connects again; liveness stays green meanwhile, so that no kubelet
restarts it; no event is lost and no Job is made twice.
"""

import contextlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from faultlab import FaultLab, FaultProxy, invariants

JOBS = 8
NOTICED_SECONDS = 75.0


@contextlib.contextmanager
def dropped(port: int) -> Iterator[None]:
    """No packet to or from a port of this machine arrives, until the end of the block."""
    if not shutil.which("iptables"):
        pytest.fail("no packet can be dropped without iptables: apt-get install iptables")
    rules = [
        ["OUTPUT", "-o", "lo", "-p", "tcp", side, str(port), "-j", "DROP"] for side in ("--sport", "--dport")
    ]
    try:
        for rule in rules:
            subprocess.run(["iptables", "-w", "-I", *rule], check=True)
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-w", "-D", *rule], check=False)


def green(lab: FaultLab, seconds: float) -> None:
    """Liveness, so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert lab.probe("one") == (200, "ok")
        time.sleep(0.5)


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
            green(lab, seconds)
        finally:
            server.send_signal(signal.SIGCONT)
        made += lab.create_many("after", JOBS)
        lab.all_at("COMPLETED", made)

    assert lab.by_identity["one"].poll() is None
    assert lab.probe("one") == (200, "ok")
    assert lab.holder() == "one"
    assert len(lab.children()) == len(made) == len(kubelet.ran)
    invariants(lab)


@pytest.mark.long
def test_half_open_connections_are_noticed(own_lab: FaultLab, dice: random.Random) -> None:
    """Packets are lost without a word: what has begun is answered no more, and nothing new begins."""
    lab = own_lab
    with FaultProxy(lab.plane) as proxy, lab.kubelet() as kubelet:
        lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
        lab.leads("one")
        made = lab.create_many("before", JOBS)
        time.sleep(dice.uniform(0, 1))
        with dropped(proxy.port):
            green(lab, NOTICED_SECONDS)
            made += lab.create_many("meanwhile", JOBS)
            calls = len(proxy.calls)
            green(lab, 20)
            assert len(proxy.calls) == calls, "packets came through"
        lab.until(lambda: len(proxy.calls) > calls)
        lab.all_at("COMPLETED", made)

    assert lab.by_identity["one"].poll() is None
    assert lab.holder() == "one"
    assert len(lab.children()) == len(made) == len(kubelet.ran)
    invariants(lab)
