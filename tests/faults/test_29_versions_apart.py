"""The CRD is upgraded or rolled back under stored jobs; operator, worker and CRD are of different versions.

Promise: an old object stays writable where it is not wrong anew; an operator reads and runs jobs that a newer
version wrote, and keeps what it does not know; under an older CRD it comes to rest instead of writing for ever. An
upgrade and the way back, while previews and analyses run, lose none and run none twice.
"""

import copy
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
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


# --- a release after another, and back -----------------------------------------------------------------

OLDER = "e9015b9"
"""A commit whose tasks have no version yet, and whose workers refuse a task with a field more."""
PROGRAMS = ("core", "operator", "worker")
EACH = 3


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of that commit."""
    folder = tmp_path_factory.mktemp("older")
    tar = folder / "tree.tar"
    command = ["git", "-C", str(ROOT), "archive", f"--output={tar}", OLDER, *PROGRAMS, "crds"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stderr} (a shallow clone? git fetch --unshallow)"
    subprocess.run(["tar", "-xf", str(tar), "-C", str(folder)], check=True)
    return folder


def of_tree(folder: Path) -> dict[str, str]:
    """The environment in which a program of that tree runs; its libraries are this one's."""
    return {"PYTHONPATH": ":".join(str(folder / part) for part in PROGRAMS)}


def of_release(folder: Path) -> list[Json]:
    return [yaml.safe_load((folder / "crds" / f"{kind}.yaml").read_text()) for kind in KINDS]


@pytest.mark.long
def test_an_upgrade_and_back_while_previews_and_analyses_run_loses_none_and_runs_none_twice(
    own_lab: FaultLab, crds: Crds, older: Path
) -> None:
    lab = own_lab
    lab.runtime()
    jobs: list[str] = []
    releases = {"before": older, "after": ROOT, "back": older}
    crds.install(*of_release(older))
    lab.start_operator("before", **of_tree(older))
    lab.leads("before")
    with lab.kubelet(run_seconds=15) as kubelet:
        for now, then in (("before", "after"), ("after", "back"), ("back", "")):
            if then:
                lab.start_operator(then, **of_tree(releases[then]))
                lab.until(lambda then=then: lab.probe(then, "readyz") == (200, "standby"))
            jobs += lab.create_many(f"{now}-analysis", EACH)
            jobs += lab.create_many(f"{now}-preview", EACH, lambda _: {})
            enough = len(jobs) - 2
            lab.until(lambda enough=enough: len(kubelet.ran) >= enough)
            if then:
                # Helm's order: the definitions, then the end of the operator before.
                crds.install(*of_release(releases[then]))
                lab.signal(now, signal.SIGTERM)
                assert lab.ended(now) == 0
                lab.leads(then)
        lab.all_at("COMPLETED", [name for name in jobs if "analysis" in name])
        lab.all_at("WAITING_FOR_PLAYER", [name for name in jobs if "preview" in name])

    assert {job["status"]["run"].get("attempt", 1) for job in lab.jobs()} == {1}
    assert {job["status"]["run"].get("previewAttempt", 1) for job in lab.jobs()} == {1}
    assert len(lab.children()) == len(kubelet.ran) == len(jobs)
    invariants(lab)


def test_workers_of_the_older_release_read_what_this_operator_tells_them(
    own_lab: FaultLab, older: Path
) -> None:
    lab = own_lab
    lab.start_operator()
    lab.create_job("preview")
    lab.create_job("analysis", lab.ready("analysis"))
    found = lab.until(lambda: children if len(children := lab.children()) == 2 else None)

    for child in found:
        container = child["spec"]["template"]["spec"]["containers"][0]
        told = {item["name"]: item["value"] for item in container["env"]}
        script = "from playerscore_worker import pod; print(pod.__file__, pod.task().kind)"
        command = [sys.executable, "-c", script]
        read = subprocess.run(
            command, env={**os.environ, **told, **of_tree(older)}, text=True, capture_output=True, check=False
        )
        assert read.returncode == 0, read.stderr
        assert str(older) in read.stdout
        assert read.stdout.split()[-1] in ("preview", "analysis")
