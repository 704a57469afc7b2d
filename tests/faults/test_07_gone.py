"""A watch's place in history is gone: 410 in the stream, 410 as the answer, and a compacted etcd.

Promise: the operator lists again, or ends and lists in its next life; nothing that happened is missed.
"""

import random
import signal

from faultlab import Call, Fault, FaultLab, FaultProxy, invariants

KINDS = ("scoringjobs", "scoringruntimes", "/jobs", "/pods")
GONE = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "Expired",
        "message": "too old resource version",
        "code": 410,
    },
}


def test_410_in_the_stream_is_answered_by_a_listing(lab: FaultLab, dice: random.Random) -> None:
    with FaultProxy(lab.plane) as proxy, lab.kubelet():
        lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
        lab.leads("one")
        for kind in dice.sample(KINDS, len(KINDS)):
            lab.until(lambda kind=kind: proxy.watching(kind) == 1)
            before = len(proxy.calls)

            assert proxy.inject(kind, GONE) == 1

            name = f"after-{kind.strip('/')}"
            lab.create_job(name, lab.ready(name))
            lab.all_at("COMPLETED", [name])
            lab.until(lambda kind=kind, before=before: _listed(proxy, kind, before))

        assert lab.by_identity["one"].poll() is None
        invariants(lab)


def _listed(proxy: FaultProxy, kind: str, since: int) -> bool:
    return any(
        call.path.endswith(kind) and call.method == "GET" and not call.watch for call in proxy.calls[since:]
    )


def test_410_as_the_answer_ends_a_life_at_most_and_loses_nothing(lab: FaultLab) -> None:
    with FaultProxy(lab.plane) as proxy, lab.kubelet() as kubelet:
        lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
        lab.leads("one")
        made = lab.create_many("before", 4)
        lab.until(lambda: proxy.watching("scoringjobs") == 1)
        gone: list[str] = []

        def refuses(call: Call) -> Fault | None:
            if not call.watch or not call.path.endswith("scoringjobs") or gone:
                return None
            gone.append(call.path)
            return Fault(status=410, reason="Expired")

        proxy.rule = refuses
        proxy.cut("scoringjobs")
        made += lab.create_many("after", 4)
        lab.until(lambda: gone)
        lab.until(lambda: _done(lab, proxy, made))

        assert len(lab.children()) == len(made) == len(kubelet.ran)
        invariants(lab)


def _done(lab: FaultLab, proxy: FaultProxy, made: list[str]) -> bool:
    lab.kept_running("one", KUBECONFIG=str(proxy.kubeconfig))
    return lab.are_at("COMPLETED", made)


def test_what_happened_before_a_compaction_is_found_by_a_listing(own_lab: FaultLab) -> None:
    lab = own_lab
    with FaultProxy(lab.plane) as proxy:
        lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
        lab.leads("one")
        with lab.kubelet():
            lab.all_at("COMPLETED", lab.create_many("before", 2))
            process = lab.by_identity["one"]
            process.send_signal(signal.SIGSTOP)
            proxy.cut()
            made = lab.create_many("unseen", 3)
            lab.plane.kubectl("delete", "scoringjob", "before-0")
            _compacted(lab)
            process.send_signal(signal.SIGCONT)
            lab.all_at("COMPLETED", made)

        assert process.poll() is None
        invariants(lab)


def _compacted(lab: FaultLab) -> None:
    """etcd forgets the past, and an API server that starts anew has none of its own."""
    lab.plane.compact()
    lab.plane.kill("kube-apiserver")
    lab.plane.revive("kube-apiserver")
