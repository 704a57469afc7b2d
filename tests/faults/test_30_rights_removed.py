"""The operator's rights are taken away while it works, all of them or the namespace's; its token is revoked.

Promise: it stays, asks again later each time, and counts the refusals; where it may still write, the job says
what is forbidden; when the rights are back everything goes on, without a restart and without a second Job.
"""

import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chart import NAMESPACE as SYSTEM
from chart import render
from faultlab import FaultLab, FaultProxy, invariants

Json = dict[str, Any]
ACCOUNT = "playerscore-operator"
RENEW_SECONDS = 10
"""A leader that cannot renew for so long may not write any more."""


class Rights:
    """What the chart grants the operator, in the cluster, its own namespace and the jobs' namespace."""

    def __init__(self, lab: FaultLab, proxy: FaultProxy) -> None:
        self.lab = lab
        self.proxy = proxy
        objects = render(values={"jobNamespaces": [{"name": "default"}]})
        kinds = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount")
        self._objects = [item for item in objects if item["kind"] in kinds]
        self.bindings = [item for item in objects if self._binds(item)]
        assert {item["metadata"].get("namespace") for item in self.bindings} >= {None, SYSTEM, "default"}

    def _binds(self, item: Json) -> bool:
        return any(subject["name"] == ACCOUNT for subject in item.get("subjects", []))

    def of(self, *namespaces: str | None) -> list[Json]:
        return [item for item in self.bindings if item["metadata"].get("namespace") in namespaces]

    def grant(self, items: list[Json] | None = None) -> None:
        self._kubectl("apply", items or self._objects)

    def take(self, items: list[Json]) -> None:
        """Also the watches that run: they were let in before."""
        self._kubectl("delete", items)
        self.proxy.cut()

    def _kubectl(self, verb: str, items: list[Json]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        self.lab.plane.kubectl(verb, "-f", "-", stdin=json.dumps(listed))

    def start_operator(self) -> None:
        """With the account's own token, through the proxy."""
        config = str(self.write_kubeconfig())
        self.lab.start_operator(
            KUBECONFIG=config, PLAYERSCORE_NAMESPACE=SYSTEM, PLAYERSCORE_RESYNC_SECONDS="5"
        )
        self.lab.leads("one")

    def write_kubeconfig(self) -> Path:
        """With a fresh token of the account."""
        token = self.lab.plane.token(SYSTEM, ACCOUNT)
        config = self.lab.plane.kubeconfig_for(token, ACCOUNT)
        config.write_text(config.read_text().replace(self.lab.plane.url, self.proxy.url))
        return config

    def refused(self) -> float:
        """How many resyncs the API server has refused with 403, by the operator's own metric."""
        text = httpx.get(f"http://127.0.0.1:{self.lab.health['one']}/metrics").text
        found = re.search(r'^scoringjob_resync_errors_total\{code="403"\} (\S+)', text, re.MULTILINE)
        return float(found[1]) if found else 0.0


@pytest.fixture
def rights(own_lab: FaultLab) -> Iterator[Rights]:
    own_lab.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
    with FaultProxy(own_lab.plane) as proxy:
        found = Rights(own_lab, proxy)
        found.grant()
        yield found
        own_lab.stop()
        own_lab.plane.kubectl("delete", "lease", "-n", SYSTEM, "--all")


@pytest.mark.parametrize(
    ("namespaces", "seconds"),
    [
        pytest.param((None,), 3, id="the cluster's"),
        pytest.param((None, SYSTEM, "default"), RENEW_SECONDS + 8, id="all", marks=pytest.mark.long),
    ],
)
def test_what_it_may_not_do_for_a_while_is_done_afterwards(
    rights: Rights, dice: random.Random, namespaces: tuple[str | None, ...], seconds: float
) -> None:
    lab = rights.lab
    rights.start_operator()
    process = lab.by_identity["one"]
    before = lab.create_many("before", 6)
    with lab.kubelet():
        time.sleep(dice.uniform(0, 1))
        taken = rights.of(*namespaces)
        rights.take(taken)
        within = lab.create_many("within", 6)
        lab.until(lambda: rights.refused() > 0)
        time.sleep(seconds)

        assert process.poll() is None, "it ended"

        calls = len(rights.proxy.calls)
        time.sleep(3)
        assert len(rights.proxy.calls) - calls < 150, "it asks without a pause"

        rights.grant(taken)
        lab.all_at("COMPLETED", before + within)

    assert process.poll() is None
    assert {job["status"]["run"]["attempt"] for job in lab.jobs()} == {1}
    assert len(lab.children()) == len(before + within)
    invariants(lab)


def test_a_job_says_what_is_forbidden_in_its_namespace(rights: Rights) -> None:
    lab = rights.lab
    rights.start_operator()
    rights.take(rights.of("default"))
    lab.create_job("waits", lab.ready("waits"))
    lab.until(lambda: lab.condition("waits", "Reconciling") == ("True", "CREATE_REFUSED"))

    message = lab.conditions("waits")["Running"]["message"]
    assert "forbidden" in message
    assert "cannot create resource" in message
    assert lab.step("waits") != "FAILED"

    rights.grant()
    with lab.kubelet():
        lab.all_at("COMPLETED", ["waits"])
    assert lab.condition("waits", "Reconciling") == ("False", "Settled")
    invariants(lab)


@pytest.mark.long
def test_a_revoked_token_is_read_again_until_it_is_another(rights: Rights) -> None:
    lab = rights.lab
    rights.start_operator()
    process = lab.by_identity["one"]
    before = lab.create_many("before", 3)
    with lab.kubelet():
        lab.plane.kubectl("delete", "serviceaccount", ACCOUNT, "-n", SYSTEM)
        rights.proxy.cut()
        lab.until(lambda: any(call.status == 401 for call in rights.proxy.calls))
        within = lab.create_many("within", 3)
        time.sleep(RENEW_SECONDS + 3)

        assert process.poll() is None, "it ended"

        calls = len(rights.proxy.calls)
        time.sleep(3)
        assert len(rights.proxy.calls) - calls < 150, "it asks without a pause"

        rights.grant()
        rights.write_kubeconfig()
        lab.all_at("COMPLETED", before + within)

    assert process.poll() is None
    assert {job["status"]["run"]["attempt"] for job in lab.jobs()} == {1}
    invariants(lab)
