"""The GPU or the machine runs out of memory, a GPU fails (Xid, CUDA error), or the video is bad.

Promise: bad input fails at once; memory is tried once more with a smaller batch and then is `OUT_OF_MEMORY`; a
GPU's fault is the machine's, and is tried again as often as the job allows.
"""

import json
from typing import Any

import workerlab
from faultlab import FaultLab, invariants
from operatorlab import pod_status

Json = dict[str, Any]
GPU_FULL = '{"code": "OUT_OF_MEMORY", "message": "CUDA out of memory. Tried to allocate 2.00 GiB"}'
GPU_FAILS = '{"code": "WORKER_FAILED", "message": "CUDA error: an illegal memory access (Xid 31)"}'
BAD_VIDEO = '{"code": "VIDEO_TRUNCATED", "message": "The video ends in the middle of a frame"}'


def killed_for_memory(lab: FaultLab, job: str) -> None:
    """The kernel ended the container, and the kubelet says so."""
    state = {"analyze": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    path = f"/api/v1/namespaces/default/pods/{lab.pod_of(job)}/status"
    content = {"Content-Type": "application/merge-patch+json"}
    body = json.dumps({"status": pod_status("Failed", state)})
    lab.http.patch(path, content=body, headers=content).raise_for_status()


def end(lab: FaultLab, name: str) -> tuple[str, str, Json]:
    """Step, reason and counts of a job."""
    job = lab.get("scoringjob", name)
    return lab.step(name), lab.condition(name, "Succeeded")[1], job["status"]["run"]


def test_each_failure_is_tried_again_as_its_kind_deserves(lab: FaultLab) -> None:
    lab.start_operator()
    spec = {"retry": {"limit": 1}}
    uids = {
        name: lab.create_job(name, lab.ready(name) | spec)
        for name in ("bad-video", "gpu-full", "killed", "recovers", "gpu-fails")
    }
    for uid in uids.values():
        lab.pod_runs(f"sj-{uid}-1")
    lab.pod_ends(f"sj-{uids['bad-video']}-1", 42, BAD_VIDEO)
    lab.pod_ends(f"sj-{uids['gpu-full']}-1", 43, GPU_FULL)
    lab.pod_ends(f"sj-{uids['recovers']}-1", 43, GPU_FULL)
    lab.pod_ends(f"sj-{uids['gpu-fails']}-1", 1, GPU_FAILS)
    killed_for_memory(lab, f"sj-{uids['killed']}-1")

    lab.until(lambda: lab.step("bad-video") == "FAILED")
    lab.until(lambda: lab.condition("gpu-fails", "Running") == ("False", "WORKER_FAILED"))
    assert "Xid 31" in lab.conditions("gpu-fails")["Running"]["message"]

    for name in ("gpu-full", "killed", "recovers", "gpu-fails"):
        lab.pod_runs(f"sj-{uids[name]}-2")
        task = json.loads(workerlab.task_of(lab, f"sj-{uids[name]}-2"))
        assert task.get("memory_failures") == (None if name == "gpu-fails" else 1), name
    lab.pod_ends(f"sj-{uids['gpu-full']}-2", 43, GPU_FULL)
    killed_for_memory(lab, f"sj-{uids['killed']}-2")
    lab.attempt_done("recovers", uids["recovers"], 2)
    lab.pod_ends(f"sj-{uids['gpu-fails']}-2", 1, GPU_FAILS)
    for name in ("gpu-full", "killed", "gpu-fails"):
        lab.until(lambda name=name: lab.step(name) == "FAILED")
    lab.until(lambda: lab.step("recovers") == "COMPLETED")

    found = {name: end(lab, name) for name in uids}
    assert {name: reason for name, (_, reason, _) in found.items()} == {
        "bad-video": "VIDEO_TRUNCATED",
        "gpu-full": "OUT_OF_MEMORY",
        "killed": "OUT_OF_MEMORY",
        "recovers": "Completed",
        "gpu-fails": "WORKER_FAILED",
    }
    assert {name: run["attempt"] for name, (_, _, run) in found.items()} == dict.fromkeys(uids, 2) | {
        "bad-video": 1
    }
    assert {name: run.get("memoryFailures") for name, (_, _, run) in found.items()} == {
        "bad-video": None,
        "gpu-full": 2,
        "killed": 2,
        "recovers": 1,
        "gpu-fails": None,
    }
    invariants(lab)
