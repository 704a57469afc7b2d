"""A runtime with an accelerator: the job waits in the scheduler's words, then runs where one is offered."""

from collections.abc import Iterator

import pytest

from livecluster import ROOT, Cluster, condition, run, step
from matches import somebody
from playerscore_clips.match import Clip
from playerscore_clips.truth import load_truth

Json = dict[str, object]
RUNTIME = "gpu-test"


@pytest.fixture
def gpu_runtime(cluster: Cluster) -> Iterator[str]:
    """The default runtime, and a GPU with it; the node offers none before and after."""
    _offer(0)
    cpu = cluster.get("scoringruntime", "cpu")
    spec = {**cpu["spec"], "accelerator": {"resourceName": "nvidia.com/gpu", "count": 1}}
    cluster.apply(
        {
            "apiVersion": cpu["apiVersion"],
            "kind": cpu["kind"],
            "metadata": {"name": RUNTIME},
            "spec": spec,
        }
    )
    yield RUNTIME
    cluster.kubectl("delete", "scoringruntime", RUNTIME)
    _offer(0)


def test_a_gpu_job_waits_for_a_gpu_and_then_runs(
    cluster: Cluster, name: str, video_uri: str, clip: Clip, gpu_runtime: str
) -> None:
    key = f"jobs/{name}/frames/frame_0001.jpg"
    spec = {
        "video": {"uri": video_uri},
        "runtimeName": gpu_runtime,
        "preview": {"disabled": True},
        "player_ref": {"frame_key": key},
        "target": {
            "frame_key": key,
            "time_sec": 0,
            "bbox": somebody(load_truth(clip.truth)),
            "confirmed": True,
        },
        "suspend": False,
    }
    cluster.create_job(name, spec)

    waiting = cluster.job_until(name, lambda job: "nvidia.com/gpu" in _why_not_running(job), 60)
    assert step(waiting) == "QUEUED"
    assert "Insufficient" in _why_not_running(waiting)

    _offer(1)
    job = cluster.finished(name)
    assert step(job) == "COMPLETED", job["status"]
    (pod,) = cluster.children(job, "pods")
    asked = [container["resources"].get("limits", {}) for container in pod["spec"]["containers"]]
    assert any(limits.get("nvidia.com/gpu") == "1" for limits in asked)


def _why_not_running(job: dict[str, object]) -> str:
    return str(condition(job, "Running").get("message", ""))


def _offer(count: int) -> None:
    run(str(ROOT / "cluster" / "kind.sh"), "gpu", str(count))
