"""Jobs that come from Git: applied, applied again, enqueued by people meanwhile; and who writes what.

Everything but kubelet and worker is the real thing, each program with its own account, so that the API server's
audit log can say who wrote a spec.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from builders import ELSEWHERE
from chart import render
from controlplane import ROOT, ensure_tools
from flowlab import API, NAMESPACE, OPERATOR, WORKER, FlowLab
from gitopscrds import definitions
from jobstates import CONFIG_MAP, at_step, settled
from playerscore import names

Json = dict[str, Any]


@dataclass(frozen=True)
class Git:
    """A repository with one manifest, and the tools that apply it."""

    lab: FlowLab
    person: str
    """Token of somebody who may edit, as the frontend's backend holds one."""

    def apply(self, manifest: Json, *how: str) -> str:
        """What kubectl says; raises AssertionError when it fails."""
        return self.lab.plane.kubectl("apply", *how, "-f", "-", stdin=json.dumps(manifest))

    def post(self, path: str) -> httpx.Response:
        """A person's request to the REST API."""
        headers = {"Authorization": f"Bearer {self.person}"}
        return httpx.post(f"{self.lab.api_url}{path}", headers=headers, timeout=20)

    def looked(self) -> None:
        """The operator has had its turn after all that happened so far."""
        fence = f"fence-{time.monotonic_ns()}"
        self.lab.create(fence)
        self.lab.until(lambda: self.lab.child(fence, "p1"))
        time.sleep(0.3)

    def footprint(self, name: str) -> Json:
        """What a re-application must leave as it is."""
        job = self.lab.job(name)
        children = self.lab.http.get(
            f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs",
            params={"labelSelector": f"{names.UID_LABEL}={job['metadata']['uid']}"},
        ).json()["items"]
        return {
            "uid": job["metadata"]["uid"],
            "generation": job["metadata"]["generation"],
            "spec": job["spec"],
            "status": job["status"],
            "children": sorted(child["metadata"]["uid"] for child in children),
        }


@pytest.fixture(scope="module")
def git() -> Iterator[Git]:
    with FlowLab(with_api=True) as lab:
        lab.admit()
        binding = ["--clusterrole=playerscore-editor", f"--serviceaccount={NAMESPACE}:frontend"]
        lab.plane.kubectl("-n", NAMESPACE, "create", "serviceaccount", "frontend")
        lab.plane.kubectl("-n", NAMESPACE, "create", "rolebinding", "frontend", *binding)
        yield Git(lab, lab.plane.token(NAMESPACE, "frontend"))


REAPPLICATIONS = {
    "client side": ["--server-side=false"],
    "client side, forced": ["--server-side=false", "--force"],
    "server side": ["--server-side", "--force-conflicts=false"],
    "server side, --force-conflicts": ["--server-side", "--force-conflicts"],
    "as Argo CD": ["--server-side", "--force-conflicts", "--field-manager=argocd-controller"],
    "as Flux": ["--server-side", "--force-conflicts", "--field-manager=kustomize-controller"],
    "client side, after all of them": ["--server-side=false"],
}
"""In this order on one object: kubectl takes the client side's fields over when it goes to the server side."""


def test_a_manifest_applied_once_before_any_preview_ends_analysed(git: Git) -> None:
    lab = git.lab
    manifest = lab.body("once", {**lab.selected("once"), "suspend": False})
    kubectl = [
        str(ensure_tools("kubectl") / "kubectl"),
        f"--kubeconfig={lab.plane.kubeconfig}",
        "-n",
        NAMESPACE,
    ]

    assert "created" in git.apply(manifest)
    waiting = subprocess.Popen([*kubectl, "wait", "sj/once", "--for=condition=Succeeded", "--timeout=60s"])
    lab.pod("once", "p1")
    git.looked()
    assert lab.child("once", "1") is None, "nothing is launched before the preview was judged"

    lab.preview_done("once")
    lab.pod_runs("once", "1")
    lab.analysis_done("once")

    assert waiting.wait(20) == 0
    assert lab.job("once")["status"]["result"]["overallScore"] > 0
    assert lab.job("once")["metadata"]["generation"] == 1


def test_applying_it_again_changes_nothing(git: Git) -> None:
    lab = git.lab
    manifest = lab.body("again", {**lab.selected("again"), "suspend": False})
    git.apply(manifest)
    lab.preview_done("again")
    lab.pod_runs("again", "1")
    settled(lab, "again", "Running", "True")
    running = git.footprint("again")
    for way, how in REAPPLICATIONS.items():
        git.apply(manifest, *how)
        git.looked()
        assert git.footprint("again") == running, f"while it runs: {way}"

    lab.analysis_done("again")
    finished = git.footprint("again")
    for way, how in REAPPLICATIONS.items():
        git.apply(manifest, *how)
        git.looked()
        assert git.footprint("again") == finished, f"after its end: {way}"


def test_a_bare_y_is_refused_in_words_that_lead_to_it(git: Git) -> None:
    """YAML 1.1, which kubectl, Argo CD and Flux read, takes it for `true`; docs/gitops.md says to quote it."""
    manifest = """
        apiVersion: playerscore.dev/v1alpha1
        kind: ScoringJob
        metadata: {name: bare, namespace: scoring}
        spec:
          video: {uri: s3://playerscore/scoring/uploads/match.mp4}
          target: {frame_key: jobs/bare/frames/frame_0001.jpg, bbox: {x: 0.4, y: 0.5, w: 0.1, h: 0.2}}
    """
    said = git.lab.plane.kubectl("apply", "-f", "-", stdin=manifest, check=False)
    quoted = manifest.replace("y: 0.5", '"y": 0.5')

    assert 'unknown field "spec.target.bbox.true"' in said
    assert "created" in git.lab.plane.kubectl("apply", "-f", "-", stdin=quoted)


def test_an_incoherent_manifest_is_never_launched_and_says_why(git: Git) -> None:
    lab = git.lab
    manifest = lab.body("wrong", {**lab.selected("wrong", box=ELSEWHERE), "suspend": False})
    git.apply(manifest)
    lab.preview_done("wrong")
    settled(lab, "wrong", "Stalled", "True", "TARGET_MISMATCH")
    for how in REAPPLICATIONS.values():
        git.apply(manifest, *how)
    git.looked()

    assert lab.condition("wrong", "Stalled") == ("True", "TARGET_MISMATCH")
    assert "attempt" not in lab.job("wrong")["status"]["run"]
    assert lab.child("wrong", "1") is None

    git.apply(
        lab.body("wrong", {**lab.selected("wrong"), "suspend": False}), "--server-side", "--force-conflicts"
    )

    assert lab.pod("wrong", "1"), "the corrected manifest is launched"


def test_a_job_that_people_enqueue_stays_enqueued_when_git_omits_suspend(git: Git) -> None:
    lab = git.lab
    manifest = lab.body("people", lab.selected("people"))
    git.apply(manifest)
    lab.preview_done("people")
    at_step(lab, "people", "READY_TO_ENQUEUE")

    answer = git.post(f"/jobs/people/enqueue?namespace={NAMESPACE}")

    assert answer.status_code == 200, answer.text
    lab.pod_runs("people", "1")
    settled(lab, "people", "Running", "True")
    enqueued = git.footprint("people")
    for way, how in REAPPLICATIONS.items():
        git.apply(manifest, *how)
        git.looked()
        assert git.footprint("people") == enqueued, way
    assert enqueued["spec"]["suspend"] is False


OWNERS = {
    # what Git says first, how; what it says once people have enqueued, how; whether the job is paused by it
    "true, said again by the client side": ({"suspend": True}, [], {"suspend": True}, [], True),
    "true, said again by the server side": (
        {"suspend": True},
        ["--server-side"],
        {"suspend": True},
        ["--server-side", "--force-conflicts"],
        True,
    ),
    "true, then omitted by the client side": ({"suspend": True}, [], {}, [], True),
    "true, then omitted by the server side": (
        {"suspend": True},
        ["--server-side"],
        {},
        ["--server-side"],
        False,
    ),
    "never said": ({}, [], {}, [], False),
}


@pytest.mark.parametrize("case", OWNERS.values(), ids=OWNERS)
def test_suspend_in_git_takes_the_decision_from_people(
    git: Git, case: tuple[Json, list[str], Json, list[str], bool], request: pytest.FixtureRequest
) -> None:
    """docs/gitops.md tells to leave `suspend` out from the beginning; this is why."""
    first, how_first, then, how_then, paused = case
    name = f"owner-{list(OWNERS.values()).index(case)}"
    lab = git.lab
    git.apply(lab.body(name, lab.selected(name) | first), *how_first)
    lab.preview_done(name)
    assert git.post(f"/jobs/{name}/enqueue?namespace={NAMESPACE}").status_code == 200
    lab.pod(name, "1")

    git.apply(lab.body(name, lab.selected(name) | then), *how_then)

    assert lab.job(name)["spec"]["suspend"] is paused


MARKS: dict[str, tuple[Json, bool]] = {
    "no mark": ({}, True),
    "a label of one's own": ({"labels": {"team": "analysts"}}, True),
    "Argo CD by annotation": ({"annotations": {"argocd.argoproj.io/tracking-id": "a:b/c:d/e"}}, False),
    "Argo CD by its label": ({"labels": {"argocd.argoproj.io/instance": "scoring"}}, False),
    "Argo CD by everybody's label": ({"labels": {"app.kubernetes.io/instance": "scoring"}}, False),
    "Flux' Kustomization": ({"labels": {"kustomize.toolkit.fluxcd.io/name": "scoring"}}, False),
    "Flux' HelmRelease": ({"labels": {"helm.toolkit.fluxcd.io/name": "scoring"}}, False),
}


@pytest.mark.parametrize(("metadata", "goes"), MARKS.values(), ids=MARKS)
def test_ttl_deletes_what_git_would_not_bring_back(
    git: Git, metadata: Json, goes: bool, request: pytest.FixtureRequest
) -> None:
    lab = git.lab
    name = f"ttl-{list(MARKS).index(request.node.callspec.id)}"
    lab.create(name, {**lab.selected(name), "suspend": False, "ttlSecondsAfterFinished": 0}, **metadata)
    lab.preview_done(name)
    generation = lab.job(name)["metadata"]["generation"]
    assert generation == 1
    lab.pod(name, "1")
    lab.pod_ends(name, "1", 42, json.dumps({"code": "VIDEO_TRUNCATED", "message": "Cut off"}))
    gone = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.JOB_PLURAL}/{name}"
    if goes:
        lab.until(lambda: lab.http.get(gone).status_code == 404)
    else:
        settled(lab, name, "Succeeded", "False", "VIDEO_TRUNCATED")
        git.looked()
        assert lab.step(name) == "FAILED"


# --- who writes what ----------------------------------------------------------------------------------------

WRITES = {"create", "update", "patch"}


def _audit(lab: FlowLab) -> list[Json]:
    """Every request on ScoringJobs that the API server has answered with success."""
    events = [json.loads(line) for line in lab.audit_log.read_text().splitlines()]
    ours = [event for event in events if event["objectRef"]["resource"] == names.JOB_PLURAL]
    return [event for event in ours if event["responseStatus"]["code"] < 300]


def _whole_life(git: Git, name: str) -> None:
    """From Git to a result, with a pause, an edit and a second attempt; the worker asks the broker as well."""
    lab = git.lab
    git.apply(lab.body(name, lab.selected(name)))
    _stores_a_frame(lab, name)
    lab.preview_done(name)
    assert git.post(f"/jobs/{name}/enqueue?namespace={NAMESPACE}").status_code == 200
    lab.pod_runs(name, "1")
    settled(lab, name, "Running", "True")
    assert git.post(f"/jobs/{name}/pause?namespace={NAMESPACE}").status_code == 200
    lab.until(lambda: lab.child(name, "1") is None)
    lab.patch(name, {"analysis": {"maxFps": 10}})
    assert git.post(f"/jobs/{name}/enqueue?namespace={NAMESPACE}").status_code == 200
    lab.pod_runs(name, "2")
    lab.analysis_done(name, 2)


def _stores_a_frame(lab: FlowLab, name: str) -> None:
    """The preview's pod stores a picture through the API, which looks the job up with its own account."""
    token = lab.worker_token(lab.pod(name, "p1"), names.API_AUDIENCE)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg"}
    path = f"/worker/jobs/{NAMESPACE}/{name}/frames/1"
    answer = httpx.put(f"{lab.api_url}{path}", content=b"\xff\xd8\xff\xd9", headers=headers, timeout=20)
    assert answer.is_success, answer.text


def test_nothing_but_people_git_and_the_api_writes_a_spec(git: Git) -> None:
    _whole_life(git, "life")
    by: dict[str, list[Json]] = {}
    for event in _audit(git.lab):
        by.setdefault(event["user"]["username"], []).append(event)
    spec_writers = {
        name
        for name, events in by.items()
        if any(event["verb"] in WRITES and "subresource" not in event["objectRef"] for event in events)
    }

    assert spec_writers == {"admin", f"system:serviceaccount:{NAMESPACE}:frontend"}
    for program in (OPERATOR, WORKER):
        bodies = [event["requestObject"] for event in by[program] if event["verb"] in WRITES]
        assert len(bodies) > 3
        assert {key for body in bodies for key in body} <= {"metadata", "status"}
        assert {key for body in bodies for key in body.get("metadata", {})} <= {"resourceVersion"}
    assert {event["verb"] for event in by[API]} == {"get"}
    assert {event["verb"] for event in by[WORKER]} == {"patch"}
    assert set(by) - spec_writers - {OPERATOR, WORKER, API} <= {
        "system:apiserver",
        "system:kube-controller-manager",
    }, "nobody else looked at ScoringJobs"


def test_the_programs_own_nothing_but_status(git: Git) -> None:
    git.lab.create("owned", {**git.lab.selected("owned"), "suspend": False})
    git.lab.preview_done("owned")
    git.lab.pod("owned", "1")
    git.lab.analysis_done("owned")
    fields = git.lab.http.get(
        f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.JOB_PLURAL}/owned"
    ).json()["metadata"]["managedFields"]
    status = [entry for entry in fields if entry.get("subresource") == "status"]
    rest = [entry for entry in fields if "subresource" not in entry]

    assert {key for entry in status for key in entry["fieldsV1"]} == {"f:status"}
    assert len(rest) == 1, "its creator's"


# --- the examples -------------------------------------------------------------------------------------------

EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*.yaml") if path.name != "kustomization.yaml")


@pytest.fixture(scope="module")
def others(git: Git) -> None:
    """The kinds of Argo CD and Flux, and the namespaces that they live in."""
    plane = git.lab.plane
    for path in definitions():
        plane.kubectl("apply", "--server-side", "-f", str(path))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
    for namespace in ("argocd", "flux-system"):
        plane.kubectl("create", "namespace", namespace)


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("path", [*EXAMPLES, CONFIG_MAP], ids=lambda path: str(path.relative_to(ROOT)))
def test_an_example_is_taken_by_its_own_kind_strictly(git: Git, path: Path) -> None:
    strictly = ["--dry-run=server", "--validate=strict"]
    git.lab.plane.kubectl("apply", *strictly, "-f", str(path))
    misspelt = (
        path.read_text()
        .replace("\nspec:\n", "\nspec:\n  sepc: 1\n")
        .replace("\ndata:\n", "\ndato: {}\ndata:\n")
    )
    said = git.lab.plane.kubectl("apply", *strictly, "-f", "-", stdin=misspelt, check=False)

    assert "unknown field" in said


def test_the_jobs_folder_is_what_both_tools_are_pointed_to(git: Git) -> None:
    said = git.lab.plane.kubectl("apply", "--dry-run=server", "-k", str(ROOT / "examples" / "jobs"))

    assert said.count("created") == len(list((ROOT / "examples" / "jobs").glob("decided-*.yaml")))
    for tool in ("argocd", "flux"):
        assert "examples/jobs" in (ROOT / "examples" / tool / "jobs.yaml").read_text()


def test_the_chart_changes_no_object_on_its_way_in() -> None:
    kinds = {
        item["kind"] for values in ({}, {"admission": {"mode": "both"}}) for item in render(values=values)
    }

    assert not [kind for kind in kinds if kind.startswith("Mutating")]
    assert "ValidatingWebhookConfiguration" in kinds
