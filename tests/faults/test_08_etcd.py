"""The API server's store, etcd, stalls, or its quota is full: every write fails.

Promise: no hot loop; the operator stays and is silent, and goes on when there is room again.
"""

import random
import signal
import time
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from faultlab import FaultLab, FaultProxy, invariants
from operatorlab import Lab

STALL_SECONDS = 8.0
WATCHED_SECONDS = 10.0
MOST_CALLS = 6 * WATCHED_SECONDS
"""Of all kinds, while nothing can be written; a hot loop makes thousands."""
QUOTA_MB = 32
FILLER = "x" * 900_000


@pytest.fixture
def small_lab() -> Iterator[FaultLab]:
    """On an etcd that is soon full."""
    with ControlPlane(controllers=True, etcd_args=[f"--quota-backend-bytes={QUOTA_MB << 20}"]) as plane:
        Lab(plane).prepare()
        lab = FaultLab(plane, "quota")
        yield lab
        lab.close()


def test_through_a_stall_the_operator_stays_and_goes_on(own_lab: FaultLab, dice: random.Random) -> None:
    lab = own_lab
    etcd = lab.plane.process("etcd")
    with FaultProxy(lab.plane) as proxy, lab.kubelet() as kubelet:
        lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
        lab.leads("one")
        made = lab.create_many("before", 8)
        time.sleep(dice.uniform(0, 1))
        etcd.send_signal(signal.SIGSTOP)
        try:
            time.sleep(2)
            before = len(proxy.calls)
            time.sleep(STALL_SECONDS)

            assert len(proxy.calls) - before <= MOST_CALLS
            assert lab.probe("one") == (200, "ok")
        finally:
            etcd.send_signal(signal.SIGCONT)
        lab.all_at("COMPLETED", made)

        assert lab.by_identity["one"].poll() is None
        assert len(lab.children()) == len(made) == len(kubelet.ran)
        invariants(lab)


def test_through_a_full_quota_the_operator_stays_and_goes_on(small_lab: FaultLab) -> None:
    lab = small_lab
    with FaultProxy(lab.plane) as proxy, lab.kubelet() as kubelet:
        lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
        lab.leads("one")
        made = lab.create_many("before", 3)
        lab.all_at("COMPLETED", made)
        kubelet.holds = True
        made += lab.create_many("amid", 3)
        fillers = _filled(lab)
        before = len(proxy.calls)
        time.sleep(WATCHED_SECONDS)

        assert len(proxy.calls) - before <= MOST_CALLS
        assert lab.probe("one") == (200, "ok")

        for name in fillers:
            lab.http.delete(f"/api/v1/namespaces/default/configmaps/{name}").raise_for_status()
        lab.plane.compact(disarm=True)
        kubelet.holds = False
        made += lab.create_many("after", 3)
        lab.all_at("COMPLETED", made)

        assert lab.by_identity["one"].poll() is None
        assert len(lab.children()) == len(made)
        invariants(lab)


def _refused(lab: FaultLab, name: str) -> bool:
    """Whether etcd takes this no more."""
    body = {"metadata": {"name": name}, "data": {"filler": FILLER}}
    answer = lab.http.post("/api/v1/namespaces/default/configmaps", json=body)
    assert answer.status_code in (201, 500), answer.text
    return answer.status_code == 500


def _filled(lab: FaultLab) -> list[str]:
    """Write until etcd takes no more; the names of what lies there now."""
    found: list[str] = []
    while not _refused(lab, name := f"filler-{len(found)}"):
        found.append(name)
        assert len(found) < 2 * QUOTA_MB
    return found
