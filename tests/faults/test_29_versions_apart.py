"""The CRD is upgraded or rolled back under stored jobs; operator and CRD are of different versions.

Promise: an old object stays writable where it is not wrong anew; an operator reads and runs jobs that a newer
version wrote, and keeps what it does not know; under an older CRD it comes to rest instead of writing for ever.
"""

import copy
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from builders import make_runtime, manifest
from controlplane import ROOT
from faultlab import FaultLab, invariants
from playerscore import names

Json = dict[str, Any]
JOBS = f"/apis/{names.API_VERSION}/namespaces/default/{names.JOB_PLURAL}"
MERGE = {"Content-Type": "application/merge-patch+json"}
SERVED = f"/openapi/v3/apis/{names.API_VERSION}"
"""Changes after the handlers of the kind have."""
KINDS = (names.JOB_PLURAL, names.RUNTIME_PLURAL)
NEWER: Json = {"type": "object", "properties": {"level": {"type": "integer"}}}
KEPT = {"level": 3}


def definition(kind: str) -> Json:
    """The CRD of this version."""
    found: Json = yaml.safe_load((ROOT / "crds" / f"{kind}.yaml").read_text())
    return found


def part(crd: Json, *path: str) -> Json:
    """The schema of a field of the CRD."""
    found: Json = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for name in path:
        found = found["properties"][name]
    return found


class Crds:
    """The definitions that the API server has now."""

    def __init__(self, lab: FaultLab) -> None:
        self._lab = lab
        self._numbers = itertools.count()

    def install(self, *crds: Json) -> None:
        """Replace definitions, and wait until the API server judges and prunes by each."""
        for crd in crds:
            mark = f"definition {next(self._numbers)}"
            marked = copy.deepcopy(crd)
            part(marked)["description"] = mark
            self._lab.plane.kubectl("replace", "-f", "-", stdin=json.dumps(marked))
            self._lab.until(lambda mark=mark: mark in self._lab.http.get(SERVED).text)
            kind = crd["spec"]["names"]["plural"]
            self._lab.until(
                lambda kind=kind: self._lab.http.get(f"/apis/{names.API_VERSION}/{kind}").is_success
            )


@pytest.fixture
def crds(own_lab: FaultLab) -> Iterator[Crds]:
    found = Crds(own_lab)
    yield found
    found.install(*map(definition, KINDS))


def merge(lab: FaultLab, name: str, body: Json, subresource: str = "") -> Any:
    return lab.http.patch(f"{JOBS}/{name}{subresource}", content=json.dumps(body), headers=MERGE)


def stored(lab: FaultLab, name: str) -> Json:
    found: Json = lab.http.get(f"{JOBS}/{name}").raise_for_status().json()
    return found


def newer(kind: str) -> Json:
    """The CRD of a later version: more fields, in spec, in status, and within what is there."""
    crd = definition(kind)
    part(crd, "spec")["properties"]["experiment"] = NEWER
    if kind == names.JOB_PLURAL:
        part(crd, "status")["properties"]["insight"] = NEWER
        for place in (("spec", "target"), ("status", "run"), ("status", "progress")):
            part(crd, *place)["properties"]["insight"] = NEWER
    return crd


def test_an_operator_of_an_older_version_runs_the_jobs_of_a_newer_one(own_lab: FaultLab, crds: Crds) -> None:
    lab = own_lab
    crds.install(*map(newer, KINDS))
    runtime = manifest(make_runtime(name="newer"))
    runtime["spec"]["experiment"] = KEPT
    lab.apply(runtime)
    spec = lab.ready("new") | {"runtimeName": "newer", "experiment": KEPT}
    spec["target"]["insight"] = KEPT
    lab.create_job("new", spec)
    status = {"insight": KEPT, "progress": {"insight": KEPT}, "run": {"insight": KEPT}}
    merge(lab, "new", {"status": status}, "/status").raise_for_status()
    lab.start_operator()
    with lab.kubelet():
        lab.all_at("COMPLETED", ["new"])
    job = stored(lab, "new")

    assert [job["spec"]["experiment"], job["spec"]["target"]["insight"]] == [KEPT, KEPT]
    assert [job["status"][key]["insight"] for key in ("progress", "run")] == [KEPT, KEPT]
    assert job["status"]["insight"] == KEPT
    invariants(lab)


@pytest.mark.long
def test_a_job_that_is_wrong_by_a_newer_schema_stays_writable_and_runs(own_lab: FaultLab, crds: Crds) -> None:
    lab = own_lab
    crds.install(definition(names.JOB_PLURAL))
    lab.start_operator()
    spec = lab.ready("old") | {"displayName": "Number 7", "analysis": {"startSec": 1, "endSec": 9}}
    lab.create_job("old", spec)
    lab.all_at("QUEUED", ["old"])
    strict = definition(names.JOB_PLURAL)
    part(strict, "spec", "displayName")["maxLength"] = 5
    rule = {"rule": "self.endSec < 5.0", "message": "not so long"}
    part(strict, "spec", "analysis")["x-kubernetes-validations"].append(rule)
    crds.install(strict)

    assert merge(lab, "old", {"metadata": {"labels": {"team": "a"}}}).is_success
    assert merge(lab, "old", {"spec": {"ttlSecondsAfterFinished": 86_400}}).is_success
    for change, said in (
        ({"displayName": "Number 8"}, "spec.displayName"),
        ({"analysis": {"endSec": 8}}, "not so long"),
    ):
        worse = merge(lab, "old", {"spec": change})
        assert (worse.status_code, said in worse.text) == (422, True), worse.text
    with lab.kubelet():
        lab.all_at("COMPLETED", ["old"])
    assert stored(lab, "old")["spec"]["displayName"] == "Number 7"
    invariants(lab)


def test_after_a_rollback_of_the_crd_jobs_of_the_newer_version_go_on(own_lab: FaultLab, crds: Crds) -> None:
    lab = own_lab
    crds.install(newer(names.JOB_PLURAL))
    lab.start_operator()
    lab.create_job("back", lab.ready("back") | {"experiment": KEPT})
    lab.all_at("QUEUED", ["back"])
    merge(lab, "back", {"status": {"insight": KEPT}}, "/status").raise_for_status()
    crds.install(definition(names.JOB_PLURAL))

    with lab.kubelet():
        lab.all_at("COMPLETED", ["back"])
    assert "insight" not in stored(lab, "back")["status"]
    invariants(lab)


@pytest.mark.long
def test_under_an_older_crd_the_operator_comes_to_rest(own_lab: FaultLab, crds: Crds) -> None:
    """The API server drops what the older schema does not know, so that the job never is as it was written."""
    lab = own_lab
    old = definition(names.JOB_PLURAL)
    del part(old, "status", "run")["properties"]["node"]
    del part(old, "status", "progress")["properties"]["message"]
    crds.install(old)
    lab.start_operator()
    lab.create_job("young", lab.ready("young"))
    with lab.kubelet():
        lab.all_at("COMPLETED", ["young"])
    lab.create_job("waits", {"preview": {"disabled": True}})
    lab.all_at("WAITING_FOR_PLAYER", ["waits"])
    lab.settle()
    before = [stored(lab, name)["metadata"]["resourceVersion"] for name in ("young", "waits")]
    lab.plane.kubectl("annotate", "scoringjobs", "--all", "look=again")
    after = [stored(lab, name)["metadata"]["resourceVersion"] for name in ("young", "waits")]
    lab.settle()

    assert before != after
    assert [stored(lab, name)["metadata"]["resourceVersion"] for name in ("young", "waits")] == after
    invariants(lab)
