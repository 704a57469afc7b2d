"""What the Job controller cannot create is told on the job: the real operator, API server and Job controller."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from controlplane import ControlPlane
from operatorlab import Lab

Json = dict[str, Any]
QUOTA: Json = {"kind": "ResourceQuota", "spec": {"hard": {"pods": "0"}}}
LIMITS: Json = {"kind": "LimitRange", "spec": {"limits": [{"type": "Container", "max": {"memory": "100Mi"}}]}}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with ControlPlane(controllers=True) as plane:
        found = Lab(plane)
        found.prepare()
        found.start_operator()
        yield found
        found.stop()


@pytest.mark.parametrize(
    ("obstacle", "reason", "words"),
    [
        pytest.param(QUOTA, "QUOTA_EXCEEDED", "exceeded quota: obstacle, requested: pods=1", id="quota"),
        pytest.param(LIMITS, "CREATE_REFUSED", "maximum memory usage per Container is 100Mi", id="limits"),
    ],
)
def test_a_pod_that_may_not_be_is_told_in_the_servers_words_until_it_may(
    lab: Lab, obstacle: Json, reason: str, words: str
) -> None:
    lab.apply({"apiVersion": "v1", "metadata": {"name": "obstacle"}, **obstacle})
    kind = obstacle["kind"].lower()
    if obstacle is QUOTA:
        lab.until(lambda: lab.get(kind, "obstacle").get("status", {}).get("hard"))
    uid = lab.create_job(kind)
    lab.until(lambda: lab.condition(kind, "PreviewReady") == ("False", reason))

    assert lab.condition(kind, "Reconciling") == ("True", reason)
    assert lab.items("pods", f"job-name=sj-{uid}-p1") == []
    assert words in json.dumps(lab.get("scoringjob", kind)["status"]["conditions"])

    lab.plane.kubectl("delete", kind, "obstacle")
    lab.until(lambda: lab.items("pods", f"job-name=sj-{uid}-p1"))
    lab.until(lambda: lab.condition(kind, "PreviewReady") == ("False", "PreviewRunning"))

    assert lab.condition(kind, "Reconciling") == ("False", "Settled")
