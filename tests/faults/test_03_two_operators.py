"""Two operators at once: the leader is frozen for a minute in the midst of a write, and thawed.

Promise: the other one takes over; what the frozen one had under way does no harm whenever it arrives; thawed,
it writes nothing and ends. Even two that both believe that they lead make one Job for each attempt.
"""

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from faultlab import Call, Fault, FaultLab, FaultProxy, invariants

SHORT = {
    "PLAYERSCORE_LEASE_SECONDS": "4",
    "PLAYERSCORE_RENEW_DEADLINE_SECONDS": "3",
    "PLAYERSCORE_RETRY_SECONDS": "1",
}
CHARTS = {"PLAYERSCORE_RETRY_SECONDS": "2"}
LOST = 1


class Freezer:
    """Freezes the leader when it creates the first Job, and holds that request back."""

    def __init__(self, lab: FaultLab, proxy: FaultProxy) -> None:
        self.frozen = threading.Event()
        self.arrives = threading.Event()
        self._lab = lab
        proxy.rule = self._rule

    def _rule(self, call: Call) -> Fault | None:
        create = call.method == "POST" and call.path.endswith("/jobs")
        return Fault(before=self._freeze) if create and not self.frozen.is_set() else None

    def _freeze(self) -> None:
        self._lab.signal("frozen", signal.SIGSTOP)
        self.frozen.set()
        self.arrives.wait(300)


@pytest.fixture
def proxy(lab: FaultLab) -> Iterator[FaultProxy]:
    with FaultProxy(lab.plane) as started:
        yield started


def _frozen_at_the_create(lab: FaultLab, proxy: FaultProxy, settings: dict[str, str]) -> Freezer:
    """The leader is frozen between the write of attempt 1 and its Job; the other leads and has made that Job."""
    freezer = Freezer(lab, proxy)
    lab.start_operator("frozen", **settings, KUBECONFIG=str(proxy.kubeconfig))
    lab.leads("frozen")
    lab.start_operator("other", **settings)
    lab.create_job("match", lab.ready("match"))
    lab.until(freezer.frozen.is_set)

    assert lab.get("scoringjob", "match")["status"]["run"]["attempt"] == 1
    assert lab.children() == []

    lab.leads("other")
    lab.all_at("ANALYZING", ["match"])
    return freezer


def _thawed(lab: FaultLab, proxy: FaultProxy) -> None:
    """It notices by itself, and has written nothing by then."""
    before = len(proxy.writes("scoringjobs")) + len(proxy.writes("/jobs"))
    lab.signal("frozen", signal.SIGCONT)

    assert lab.ended("frozen") == LOST
    assert len(proxy.writes("scoringjobs")) + len(proxy.writes("/jobs")) == before


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        pytest.param(SHORT, 0, id="until the other leads"),
        pytest.param(CHARTS, 60, id="for 60 s", marks=pytest.mark.long),
    ],
)
def test_a_create_that_arrives_late_finds_the_others_job(
    lab: FaultLab, proxy: FaultProxy, settings: dict[str, str], seconds: float
) -> None:
    began = time.monotonic()
    with lab.kubelet() as kubelet:
        kubelet.holds = True
        freezer = _frozen_at_the_create(lab, proxy, settings)
        child = lab.children()[0]["metadata"]["uid"]
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        freezer.arrives.set()
        lab.until(lambda: proxy.writes("/jobs")[0].status)
        _thawed(lab, proxy)
        kubelet.holds = False
        lab.all_at("COMPLETED", ["match"])

    assert [item["metadata"]["uid"] for item in lab.children()] == [child]
    assert [call.status for call in proxy.writes("/jobs")] == [409]
    assert lab.holder() == "other"
    invariants(lab)


def test_a_create_that_arrives_after_its_attempt_is_over_leaves_nothing_running(
    lab: FaultLab, proxy: FaultProxy
) -> None:
    with lab.kubelet() as kubelet:
        kubelet.holds = True
        freezer = _frozen_at_the_create(lab, proxy, SHORT)
        lab.patch("match", {"suspend": True})
        lab.until(lambda: lab.children() == [])
        lab.patch("match", {"suspend": False})
        lab.until(lambda: [item["metadata"]["name"][-2:] for item in lab.children()] == ["-2"])
        freezer.arrives.set()
        lab.until(lambda: [call.status for call in proxy.writes("/jobs")] == [201])
        lab.until(lambda: [item["metadata"]["name"][-2:] for item in lab.children()] == ["-2"])
        _thawed(lab, proxy)
        kubelet.holds = False
        lab.all_at("COMPLETED", ["match"])

    assert lab.get("scoringjob", "match")["status"]["run"]["attempt"] == 2
    invariants(lab, strays=True)


def test_two_that_both_lead_make_one_job_for_each_attempt(lab: FaultLab) -> None:
    for identity in ("one", "two"):
        lab.start_operator(identity, PLAYERSCORE_LEASE_NAME=f"lease-of-{identity}")
    for identity in ("one", "two"):
        lab.leads(identity)
    with lab.kubelet() as kubelet:
        made = lab.create_many("both", 12)
        lab.all_at("COMPLETED", made)

    assert len(lab.children()) == len(made) == len(kubelet.ran)
    assert {job["status"]["run"]["attempt"] for job in lab.jobs()} == {1}
    invariants(lab)
