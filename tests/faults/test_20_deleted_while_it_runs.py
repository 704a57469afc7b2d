"""A ScoringJob is deleted while its pod runs, with an operator and without one.

Promise: it goes at once, without a finalizer; its Job and its pods follow within a minute by garbage collection
alone; the worker's next write finds nothing, and it ends quietly.
"""

import json
import signal
import time
from pathlib import Path

import pytest

import workerlab
from builders import make_result, manifest
from faultlab import FaultLab, invariants
from playerscore_worker import pod
from workerlab import Reporter

GONE_SECONDS = 60.0


@pytest.mark.parametrize(
    "operator", [pytest.param(True, id="watched"), pytest.param(False, id="nobody-there")]
)
def test_everything_of_a_deleted_job_goes(lab: FaultLab, tmp_path: Path, operator: bool) -> None:
    lab.start_operator()
    with workerlab.confined(lab):
        previewing = lab.create_job("previewing")
        uid = lab.create_job("running", lab.ready("running") | workerlab.DIRECT)
        lab.pod_runs(f"sj-{previewing}-p1")
        name = lab.pod_runs(f"sj-{uid}-1")
        lab.until(lambda: lab.step("running") == "ANALYZING")
        reporter = Reporter(
            lab.plane, workerlab.task_of(lab, f"sj-{uid}-1"), workerlab.token(lab, name), tmp_path
        )
        if not operator:
            lab.stop_operator(signal.SIGKILL)
        assert "finalizers" not in lab.get("scoringjob", "running")["metadata"]

        began = time.monotonic()
        lab.plane.kubectl("delete", "scoringjob", "previewing", "running", "--timeout=10s")
        pod.write(reporter.files.result, json.dumps(manifest(make_result())))
        reporter.until_said("fenced")

        assert reporter.stop() == 0

        with lab.kubelet():
            lab.until(lambda: not lab.children() and not lab.items("pods", "playerscore.dev/uid"))
        assert time.monotonic() - began < GONE_SECONDS

    if operator:
        lab.settle()
        assert not lab.children()
    invariants(lab)
