"""The confinement of workers is in force on a node; tests/apiserver/test_confinement.py tries every way around it."""

import json
from collections.abc import Iterator

import httpx
import pytest

from builders import make_preview, make_result, manifest
from livecluster import JOBS_NAMESPACE, Cluster, Json

ACCOUNT = "playerscore-worker"
SECURE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.fixture
def job(cluster: Cluster, name: str) -> Iterator[Json]:
    """A job at its second attempt that no controller looks after, and a pod of each attempt, which never runs."""
    spec = {"video": {"uri": "s3://playerscore/scoring/uploads/x.mp4"}, "managedBy": "playerscore.dev/test"}
    made = cluster.create_job(name, spec)
    status = {"run": {"attempt": 2, "previewAttempt": 1}, "progress": {"step": "ANALYZING"}}
    patch = ["--subresource=status", "--type=merge", "-p", json.dumps({"status": status})]
    cluster.kubectl("-n", JOBS_NAMESPACE, "patch", "scoringjob", name, *patch)
    for attempt in ("1", "2"):
        cluster.apply(_pod(made, attempt))
    yield made
    cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "scoringjob", name, "--wait=false")


def _pod_name(job: Json, attempt: str) -> str:
    return f"sj-{job['metadata']['uid']}-{attempt}-abcde"


def _pod(job: Json, attempt: str) -> Json:
    owner = {key: job[key] for key in ("apiVersion", "kind")}
    owner |= {key: job["metadata"][key] for key in ("name", "uid")}
    metadata = {"name": _pod_name(job, attempt), "namespace": JOBS_NAMESPACE, "ownerReferences": [owner]}
    spec = {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "schedulingGates": [{"name": "playerscore.dev/never"}],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "none", "image": "none", "securityContext": SECURE}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def test_a_worker_writes_while_its_attempt_is_current_and_only_what_is_its_own(
    cluster: Cluster, job: Json
) -> None:
    def write(attempt: str, status: Json) -> httpx.Response:
        bound = ["--bound-object-kind=Pod", f"--bound-object-name={_pod_name(job, attempt)}"]
        # As the worker does it: one PATCH. kubectl would GET first, which a worker may not.
        return cluster.request(
            "PATCH",
            f"/apis/playerscore.dev/v1alpha1/namespaces/{JOBS_NAMESPACE}/scoringjobs/{job['metadata']['name']}/status",
            token=cluster.token(ACCOUNT, *bound),
            content=json.dumps({"status": status}),
            content_type="application/merge-patch+json",
        )

    result = {"result": manifest(make_result())}

    assert "worker-confinement" in write("1", result).text
    assert "worker-confinement" in write("2", {"preview": manifest(make_preview())}).text
    assert write("2", result).is_success
