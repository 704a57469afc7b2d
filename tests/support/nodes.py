"""Nodes without kubelets, and the real scheduler: for what a cluster does to pods because of its nodes."""

import contextlib
import json
import subprocess
from collections.abc import Iterator

from controlplane import ControlPlane, ensure_tools, free_ports
from faultlab import FaultLab
from operatorlab import Json, pod_status

MERGE = {"Content-Type": "application/merge-patch+json"}


@contextlib.contextmanager
def component(plane: ControlPlane, program: str, *arguments: str) -> Iterator[None]:
    """A real part of Kubernetes beside the API server, until the end of the block."""
    command = [
        str(ensure_tools(program) / program),
        f"--kubeconfig={plane.kubeconfig}",
        f"--secure-port={free_ports(1)[0]}",
        f"--cert-dir={plane.folder}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        *arguments,
    ]
    with (plane.folder / f"second-{program}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def scheduler(plane: ControlPlane) -> contextlib.AbstractContextManager[None]:
    """The real kube-scheduler, until the end of the block."""
    return component(plane, "kube-scheduler")


@contextlib.contextmanager
def node(lab: FaultLab, name: str, **capacity: str) -> Iterator[None]:
    """A node with room for one worker (and what `capacity` names, `nvidia_com_gpu` too), until the end of the block."""
    known = {"cpu": "1", "memory": "4Gi", "pods": "10", "ephemeral-storage": "100Gi"}
    known |= {key.replace("nvidia_com_gpu", "nvidia.com/gpu"): value for key, value in capacity.items()}
    lab.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    status = {"capacity": known, "allocatable": known}
    patch = json.dumps({"status": status})
    lab.plane.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", patch)
    # Nobody here would take away the taint of a node that is not ready yet.
    lab.plane.kubectl("patch", "node", name, "--type=merge", "-p", '{"spec": {"taints": null}}')
    try:
        yield
    finally:
        lab.plane.kubectl("delete", "node", name, "--ignore-not-found")


def starts(lab: FaultLab, job: str, *, other_than: str = "") -> str:
    """Wait until the scheduler has bound a pod of that Job, and let its main container run; its name."""

    def bound() -> str:
        for pod in lab.items("pods", f"job-name={job}"):
            meta = pod["metadata"]
            new = "deletionTimestamp" not in meta and meta["name"] != other_than
            if new and pod["spec"].get("nodeName") and pod["status"]["phase"] == "Pending":
                return str(meta["name"])
        return ""

    name = str(lab.until(bound))
    patch_pod(lab, name, pod_status("Running", {"analyze": {"running": {}}}))
    return name


def goes(lab: FaultLab, name: str) -> None:
    """The kubelet ends a pod that it was told to end."""
    lab.until(lambda: "deletionTimestamp" in lab.get("pod", name)["metadata"])
    patch_pod(lab, name, pod_status("Failed", {"analyze": {"terminated": {"exitCode": 143}}}))
    lab.pod_goes(name)


def patch_pod(lab: FaultLab, name: str, status: Json) -> None:
    path = f"/api/v1/namespaces/default/pods/{name}/status"
    lab.http.patch(path, content=json.dumps({"status": status}), headers=MERGE).raise_for_status()


def evict(lab: FaultLab, name: str) -> None:
    """As a drain does it, by the eviction API."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    lab.http.post(f"/api/v1/namespaces/default/pods/{name}/eviction", json=body).raise_for_status()
