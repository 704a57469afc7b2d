"""The API server, or what stands before it, refuses every watch: 500, 503, 403, 404 or 429.

Promise: the operator stays and asks again, later each time; what happened meanwhile is found when it is let in.
A 404 says that the kind is not served: the process ends once, and its next life waits for the kind.
"""

import random
import signal
import time

import pytest

from faultlab import Call, Fault, FaultLab, FaultProxy, invariants

REFUSALS = {
    500: "InternalError",
    503: "ServiceUnavailable",
    403: "Forbidden",
    404: "NotFound",
    429: "TooManyRequests",
}
WATCHES = 4
"""ScoringJobs, ScoringRuntimes, Jobs, pods."""
BLIND_SECONDS = 5.0
MOST_ASKED = 8
"""Of one watch within those seconds."""


def _refused(status: int) -> Fault:
    headers = {"Retry-After": "1"} if status == 429 else {}
    return Fault(status=status, reason=REFUSALS[status], headers=headers)


def _blind(lab: FaultLab, proxy: FaultProxy, status: int) -> None:
    """Every watch breaks and is refused for a while; a job comes meanwhile."""
    before = len(proxy.calls)

    def refuses(call: Call) -> Fault | None:
        return _refused(status) if call.watch else None

    proxy.rule = refuses
    proxy.cut()
    lab.post_job(f"while-{status}", lab.ready(f"while-{status}"))
    lab.until(lambda: _asked(proxy, before))
    began = _asked(proxy, before)
    time.sleep(BLIND_SECONDS)

    assert _asked(proxy, before) - began <= WATCHES * MOST_ASKED

    proxy.rule = None


def _missed(lab: FaultLab, proxy: FaultProxy, status: int) -> bool:
    """Whether the operator ended; the job that it did not see come is completed all the same."""
    before = lab.by_identity["one"]
    _blind(lab, proxy, status)

    def well() -> bool:
        lab.kept_running("one", KUBECONFIG=str(proxy.kubeconfig))
        return proxy.watching("") >= WATCHES and lab.are_at("COMPLETED", [f"while-{status}"])

    lab.until(well)

    assert lab.probe("one") == (200, "ok")

    return lab.by_identity["one"] is not before


def _asked(proxy: FaultProxy, since: int) -> int:
    return sum(call.watch for call in proxy.calls[since:])


@pytest.mark.long
def test_refused_watches_are_asked_for_again_and_nothing_is_missed(
    lab: FaultLab, dice: random.Random
) -> None:
    with FaultProxy(lab.plane) as proxy, lab.kubelet() as kubelet:
        lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
        lab.leads("one")
        lab.until(lambda: proxy.watching("") >= WATCHES)
        order = dice.sample(sorted(REFUSALS), len(REFUSALS))
        ended = [status for status in order if _missed(lab, proxy, status)]

        assert set(ended) <= {404}
        assert len(kubelet.ran) == len(order)
        invariants(lab)


def test_a_listing_that_is_refused_is_repeated_too(lab: FaultLab) -> None:
    with FaultProxy(lab.plane) as proxy, lab.kubelet():
        refused: list[str] = []

        def refuses(call: Call) -> Fault | None:
            if call.method != "GET" or not call.path.endswith("/scoringjobs") or len(refused) >= 3:
                return None
            refused.append(call.path)
            return _refused(503)

        proxy.rule = refuses
        made = lab.create_many("early", 3)
        lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
        lab.all_at("COMPLETED", made)

        assert len(refused) == 3

        lab.signal("one", signal.SIGTERM)

        assert lab.ended("one") == 0

        invariants(lab)
