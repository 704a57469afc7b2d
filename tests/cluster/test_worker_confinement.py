"""What a worker's token may write: its own job, its own fields, while its attempt is the current one.

The policy is tried with real tokens that are bound to real pods (which are gated and never run), on jobs that
the operator leaves alone, so that each state is exactly the one under test.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from builders import make_preview, make_result, manifest
from livecluster import JOBS_NAMESPACE, Cluster, Json

ACCOUNT = "playerscore-worker"
PREVIEW = manifest(make_preview())
RESULT = manifest(make_result())
ARTIFACTS = [{"name": "radar.png", "mediaType": "image/png", "bytes": 1, "sha256": "a" * 64}]


@dataclass(frozen=True)
class Stage:
    """A job in a chosen state, and its workers."""

    cluster: Cluster
    job: Json

    def write(self, pod_part: str | None, status: Json, job: Json | None = None) -> str:
        """Patch status as the pod `sj-<uid>-<pod_part>-…`; `None` for a token bound to no pod.

        Returns what the server refuses with, empty when it accepts.
        """
        bound = ["--bound-object-kind=Pod", f"--bound-object-name={self._pod(pod_part)}"] if pod_part else []
        name = (job or self.job)["metadata"]["name"]
        # As the worker does it: one PATCH. kubectl would GET first, which a worker may not.
        answer = self.cluster.request(
            "PATCH",
            f"/apis/playerscore.dev/v1alpha1/namespaces/{JOBS_NAMESPACE}/scoringjobs/{name}/status",
            token=self.cluster.token(ACCOUNT, *bound),
            content=json.dumps({"status": status}),
            content_type="application/merge-patch+json",
        )
        return "" if answer.is_success else answer.text

    def set(self, status: Json) -> None:
        """Put the job into a state, as the operator would."""
        name = self.job["metadata"]["name"]
        patch = ["--subresource=status", "--type=merge", "-p", json.dumps({"status": status})]
        self.cluster.kubectl("-n", JOBS_NAMESPACE, "patch", "scoringjob", name, *patch)

    def _pod(self, part: str) -> str:
        """A pod of this job that exists and never runs."""
        name = f"sj-{self.job['metadata']['uid']}-{part}-abcde"
        owner = {key: self.job[key] for key in ("apiVersion", "kind")}
        owner |= {key: self.job["metadata"][key] for key in ("name", "uid")}
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": JOBS_NAMESPACE, "ownerReferences": [owner]},
                "spec": {
                    "serviceAccountName": ACCOUNT,
                    "automountServiceAccountToken": False,
                    "schedulingGates": [{"name": "playerscore.dev/never"}],
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [
                        {
                            "name": "none",
                            "image": "none",
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                        }
                    ],
                },
            }
        )
        return name


@pytest.fixture
def stage(cluster: Cluster) -> Iterator[Stage]:
    """A job at attempt 2 whose preview run is 1; no controller looks after it."""
    name = f"confined-{secrets.token_hex(4)}"
    spec = {"video": {"uri": "s3://playerscore/scoring/uploads/x.mp4"}, "managedBy": "playerscore.dev/test"}
    stage = Stage(cluster, cluster.create_job(name, spec))
    stage.set({"run": {"attempt": 2, "previewAttempt": 1}, "progress": {"step": "ANALYZING"}})
    yield stage
    cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "scoringjob", name, "--wait=false")


ALLOWED = {
    "the preview's pod writes the preview": ("p1", {"preview": PREVIEW}),
    "the preview's pod tells its progress": ("p1", {"progress": {"percent": 5, "message": "Sampling"}}),
    "the analysis' pod tells its progress": ("2", {"progress": {"percent": 50, "message": "Following"}}),
    "the analysis' pod writes the result": ("2", {"result": RESULT, "artifacts": ARTIFACTS}),
}
REFUSED = {
    "an earlier attempt": ("1", {"result": RESULT}),
    "an attempt to come": ("3", {"result": RESULT}),
    "an earlier preview run": ("p0", {"preview": PREVIEW}),
    "a token that no pod is bound to": (None, {"result": RESULT}),
    "the preview's pod writes a result": ("p1", {"result": RESULT}),
    "the analysis' pod writes the preview": ("2", {"preview": PREVIEW}),
    "a worker says that the job is complete": ("2", {"progress": {"step": "COMPLETED"}, "result": RESULT}),
    "a worker starts another attempt": ("2", {"run": {"attempt": 3}}),
    "a worker writes conditions": (
        "2",
        {
            "conditions": [
                {
                    "type": "Succeeded",
                    "status": "True",
                    "reason": "Forged",
                    "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }
            ]
        },
    ),
    "a worker claims a generation": ("2", {"observedGeneration": 99}),
}


@pytest.mark.parametrize(("part", "status"), ALLOWED.values(), ids=ALLOWED)
def test_a_worker_writes_what_is_its_own(stage: Stage, part: str, status: Json) -> None:
    assert stage.write(part, status) == ""


@pytest.mark.parametrize(("part", "status"), REFUSED.values(), ids=REFUSED)
def test_a_worker_writes_nothing_else(stage: Stage, part: str | None, status: Json) -> None:
    assert "worker-confinement" in stage.write(part, status)


def test_a_worker_does_not_write_into_another_job(stage: Stage, cluster: Cluster, name: str) -> None:
    other = cluster.create_job(name, {"video": {"uri": "s3://playerscore/scoring/uploads/y.mp4"}})

    assert "worker-confinement" in stage.write("2", {"progress": {"percent": 1}}, other)


def test_the_preview_is_written_once_but_may_be_repeated(stage: Stage) -> None:
    assert stage.write("p1", {"preview": PREVIEW}) == ""
    assert stage.write("p1", {"preview": PREVIEW}) == "", "a lost answer is repeated"
    changed = {**PREVIEW, "video": {**PREVIEW["video"], "sha256": "c" * 64}}
    assert "worker-confinement" in stage.write("p1", {"preview": changed})


def test_a_worker_is_fenced_by_the_next_attempt_and_by_the_end(stage: Stage) -> None:
    stage.set({"run": {"attempt": 3}})
    assert "worker-confinement" in stage.write("2", {"result": RESULT})
    assert stage.write("3", {"result": RESULT}) == ""
    stage.set({"progress": {"step": "COMPLETED"}})
    assert "worker-confinement" in stage.write("3", {"progress": {"percent": 1}})
