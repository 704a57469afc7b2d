"""The image cannot be pulled, the container cannot be made, or no node has room.

Promise: what waiting cannot cure ends the job, an image that is not there after some minutes, the rest at its start
deadline or when there is room; the job says why in the kubelet's and the scheduler's own words.
"""

import nodes
from faultlab import FaultLab, invariants


def test_what_waiting_cannot_cure_ends_at_once_and_an_outage_at_the_start_deadline(lab: FaultLab) -> None:
    lab.start_operator()
    waits = {
        "no-such-name": ("InvalidImageName", "couldn't parse image name", 600),
        "root": ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", 600),
        "no-secret": ("CreateContainerConfigError", 'secret "absent" not found', 4),
        "no-registry": ("ImagePullBackOff", "dial tcp 192.0.2.1:443: connection refused", 4),
    }
    uids = {
        name: lab.create_job(name, lab.ready(name) | {"startDeadlineSeconds": seconds})
        for name, (_, _, seconds) in waits.items()
    }
    for name, (reason, message, _) in waits.items():
        lab.pod_waits(f"sj-{uids[name]}-1", reason, message)
    for name in waits:
        lab.until(lambda name=name: lab.step(name) == "FAILED")

    assert {name: lab.condition(name, "Stalled") for name in waits} == {
        "no-such-name": ("True", "IMAGE_PULL_FAILED"),
        "root": ("True", "POD_CONFIG_INVALID"),
        "no-secret": ("True", "START_DEADLINE_EXCEEDED"),
        "no-registry": ("True", "START_DEADLINE_EXCEEDED"),
    }
    for name, (reason, message, _) in waits.items():
        assert lab.conditions(name)["Succeeded"]["message"] == f"{reason}: {message}"
    lab.until(lambda: not lab.children())
    invariants(lab)


def test_an_image_that_is_not_there_yet_is_told_and_may_still_come(lab: FaultLab) -> None:
    lab.start_operator()
    uid = lab.create_job("no-image", lab.ready("no-image"))
    words = 'failed to resolve reference "docker.example/worker:none": docker.example/worker:none: not found'
    lab.pod_waits(f"sj-{uid}-1", "ErrImagePull", words)
    lab.until(lambda: lab.condition("no-image", "Running") == ("False", "PodPending"))

    assert lab.conditions("no-image")["Running"]["message"] == f"ErrImagePull: {words}"
    assert lab.get("scoringjob", "no-image")["status"]["run"]["trouble"] == "image-missing"

    lab.pod_runs(f"sj-{uid}-1")
    lab.until(lambda: lab.step("no-image") == "ANALYZING")
    lab.attempt_done("no-image", uid)
    lab.until(lambda: lab.step("no-image") == "COMPLETED")
    invariants(lab)


def test_without_room_the_schedulers_words_stand_there_until_the_deadline_or_until_there_is_room(
    lab: FaultLab,
) -> None:
    lab.start_operator()
    lab.runtime("faults-gpu", accelerator={"resource_name": "nvidia.com/gpu"})
    with nodes.scheduler(lab.plane), nodes.node(lab, "plain"):
        short = {"runtimeName": "faults-gpu", "startDeadlineSeconds": 6}
        lab.create_job("gives-up", lab.ready("gives-up") | short)
        long = {"runtimeName": "faults-gpu", "startDeadlineSeconds": 600}
        uid = lab.create_job("patient", lab.ready("patient") | long)
        for name in ("gives-up", "patient"):
            lab.until(lambda name=name: lab.condition(name, "Running") == ("False", "PodPending"))
        lab.until(lambda: lab.step("gives-up") == "FAILED")

        assert lab.condition("gives-up", "Succeeded") == ("False", "START_DEADLINE_EXCEEDED")
        for kind, name in (("Succeeded", "gives-up"), ("Running", "patient")):
            assert "Insufficient nvidia.com/gpu" in lab.conditions(name)[kind]["message"]
        assert lab.condition("patient", "Admitted") == ("True", "Launched")

        with nodes.node(lab, "with-gpu", nvidia_com_gpu="1"):
            nodes.starts(lab, f"sj-{uid}-1")
            lab.until(lambda: lab.step("patient") == "ANALYZING")
            lab.attempt_done("patient", uid)
            lab.until(lambda: lab.step("patient") == "COMPLETED")
    invariants(lab)
    lab.plane.kubectl("delete", "scoringruntime", "faults-gpu")
