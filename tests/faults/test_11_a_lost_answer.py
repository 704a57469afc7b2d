"""A worker's write arrives and its answer is lost, or the write itself is.

Promise: saying the same again is accepted until the job is sealed and refused after that; the worker then ends
quietly, and one result stands, from the status or from the pod's last words.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import workerlab
from builders import make_result, manifest
from faultlab import Call, Fault, FaultLab, FaultProxy, invariants
from playerscore_worker import pod
from workerlab import Reporter

Worker = Callable[[str], tuple[Reporter, str]]


@pytest.fixture
def proxy(lab: FaultLab) -> Iterator[FaultProxy]:
    with FaultProxy(lab.plane) as running, workerlab.confined(lab):
        yield running


@pytest.fixture
def worker(lab: FaultLab, proxy: FaultProxy, tmp_path: Path) -> Iterator[Worker]:
    """Starts the reporter of a new job's pod, with the proxy before it; and the result that it is to report."""
    started: list[Reporter] = []

    def start(name: str) -> tuple[Reporter, str]:
        uid = lab.create_job(name, lab.ready(name) | workerlab.DIRECT)
        bearer = workerlab.token(lab, lab.pod_runs(f"sj-{uid}-1"))
        lab.until(lambda: lab.step(name) == "ANALYZING")
        task = workerlab.task_of(lab, f"sj-{uid}-1")
        started.append(Reporter(lab.plane, task, bearer, tmp_path / name, kube_url=proxy.url))
        generation = lab.get("scoringjob", name)["status"]["run"]["generation"]
        return started[-1], json.dumps(manifest(make_result(generation=generation)))

    yield start
    for reporter in started:
        reporter.kill()


def answers(proxy: FaultProxy, name: str) -> list[int]:
    """What the API server answered to each write of a job's result, whether or not that came back."""
    return [call.status for call in proxy.writes(f"/{name}/status") if b'"result"' in call.body]


def test_a_repeat_is_accepted_until_the_seal_and_refused_after_it(
    lab: FaultLab, proxy: FaultProxy, worker: Worker
) -> None:
    lab.start_operator()
    repeats, repeated = worker("repeats")
    late, in_status = worker("late")
    silent, in_last_words = worker("silent")

    def sealed(name: str, last_words: str) -> Callable[[], None]:
        def seal() -> None:
            lab.pod_ends(_child(lab, name), 0, last_words)
            lab.until(lambda: lab.step(name) == "COMPLETED")

        return seal

    faults = {
        "repeats": [Fault(drop_after=True)] * 3,
        "late": [Fault(after=sealed("late", ""), drop_after=True)],
        "silent": [Fault(before=sealed("silent", in_last_words), drop_before=True)],
    }

    def rule(call: Call) -> Fault | None:
        left = faults.get(call.path.split("/")[-2], []) if b'"result"' in call.body else []
        return left.pop() if left else None

    proxy.rule = rule
    for reporter, text in ((repeats, repeated), (late, in_status), (silent, in_last_words)):
        pod.write(reporter.files.result, text)
    repeats.until_said("result written")
    late.until_said("fenced")
    silent.until_said("fenced")

    assert answers(proxy, "repeats") == [200, 200, 200, 200]
    assert answers(proxy, "late") == [200, 403]
    assert answers(proxy, "silent") == [0, 403]

    pod.write(repeats.files.done, {})
    assert [reporter.stop() for reporter in (repeats, late, silent)] == [0, 0, 0]
    sealed("repeats", repeated)()

    for name, text in (("repeats", repeated), ("late", in_status), ("silent", in_last_words)):
        assert lab.get("scoringjob", name)["status"]["result"] == json.loads(text)
    invariants(lab)


def _child(lab: FaultLab, name: str) -> str:
    return str(lab.get("scoringjob", name)["status"]["run"]["jobName"])
