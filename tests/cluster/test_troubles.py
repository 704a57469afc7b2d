"""Troubles between a Job and its container, made to happen on a real node and told in its own words; then they pass.

Each trouble is a story of one job; the stories run at the same time, and every version of every job is kept, so what a
job said for a second is seen. No trouble is blamed on the video or on the worker, and every job ends well.
"""

import contextlib
import json
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

import moodyregistry
from livecluster import (
    JOBS_NAMESPACE,
    SYSTEM_NAMESPACE,
    Cluster,
    CommandError,
    condition,
    run,
    step,
    tool,
    until,
    upload,
)
from matches import somebody
from playerscore_clips.match import ClipSettings, render_clip
from playerscore_clips.truth import load_truth

pytestmark = pytest.mark.long

Json = dict[str, Any]
GPU = "nvidia.com/gpu"
TAINT = "playerscore-trouble"
TOLERATED = {"key": TAINT, "operator": "Exists"}
SMALL = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "2Gi"}}
"""Many pods at once on two processors."""
PATIENCE_SECONDS = 600.0
ARTIFACTS = 13
"""Pictures, clips, tracks, timeline, log of decisions and the run."""
AWAY_SECONDS = 10.0
REGISTRY_NAMESPACE = "kube-system"
HOSTS = f"/etc/containerd/certs.d/127.0.0.1:{moodyregistry.PORT}"
"""Where the node's container runtime reads how to speak to it: without TLS."""
CONTENT = "/var/lib/containerd/io.containerd.content.v1.content"
SHRINK = """set -e
truncate -s "$(($(du -sm "$1" | cut -f1) + 64))M" /var/trouble.img
mkfs.ext4 -q -m 0 /var/trouble.img
mkdir -p /var/trouble && mount -o loop /var/trouble.img /var/trouble
cp -a "$1/." /var/trouble && umount /var/trouble && mount -o loop /var/trouble.img "$1"
"""
GROW = """set -e
umount "$1" && mount -o loop /var/trouble.img /var/trouble
rm -f /var/trouble/ballast && cp -a /var/trouble/. "$1" && umount /var/trouble && rm /var/trouble.img
"""


@dataclass
class Watched:
    """Every version of every ScoringJob since the watch began."""

    cluster: Cluster
    versions: dict[str, list[Json]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        path = f"/apis/playerscore.dev/v1alpha1/namespaces/{JOBS_NAMESPACE}/scoringjobs?watch=true"
        command = [tool("kubectl"), f"--kubeconfig={self.cluster.kubeconfig}", "get", "--raw", path]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._reader.join()
        self._process.communicate()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            body = json.loads(line)["object"]
            self.versions.setdefault(body["metadata"]["name"], []).append(body)

    def once(self, name: str, reached: Callable[[Json], bool], seconds: float = PATIENCE_SECONDS) -> Json:
        """The first version that is so. Raises AssertionError with the last one after `seconds`."""

        def look() -> list[Json]:
            return list(self.versions.get(name, []))

        def tell(seen: list[Json]) -> str:
            return json.dumps(seen[-1].get("status"), indent=1) if seen else "never seen"

        seen = until(look, lambda found: any(map(reached, found)), seconds, name, tell)
        return next(filter(reached, seen))


@dataclass(frozen=True)
class Lab:
    """What a story needs."""

    cluster: Cluster
    watched: Watched
    uri: str
    box: Json
    runtime: Json
    """Spec of the default one, asking for little."""
    made: list[str] = field(default_factory=list)

    def runs(self, name: str, template: Json | None = None, **spec: Any) -> None:
        """Make a runtime of that name; `template` is added to what all have."""
        common = {"tolerations": [TOLERATED], "containers": {"analyze": {"resources": SMALL}}}
        body = {
            "apiVersion": "playerscore.dev/v1alpha1",
            "kind": "ScoringRuntime",
            "metadata": {"name": name},
        }
        self.cluster.apply(body | {"spec": self.runtime | spec | {"template": common | (template or {})}})

    def analysis(self, name: str) -> str:
        """Create an enqueued job with the runtime of that name, and return its own name."""
        job = f"{name}-{secrets.token_hex(3)}"
        key = f"jobs/{job}/frames/frame_0001.jpg"
        target = {"frame_key": key, "time_sec": 0, "bbox": self.box, "confirmed": True}
        chosen = {"preview": {"disabled": True}, "player_ref": {"frame_key": key}, "target": target}
        return self._create(job, name, chosen | {"analysis": {"maxFps": 5}, "suspend": False})

    def preview(self, name: str) -> str:
        """Create a draft likewise, of which a preview is made."""
        return self._create(f"{name}-{secrets.token_hex(3)}", name, {"preview": {"frames": 1}})

    def _create(self, job: str, runtime: str, spec: Json) -> str:
        self.made.append(job)
        self.cluster.create_job(job, {"video": {"uri": self.uri}, "runtimeName": runtime} | spec)
        return job

    def told(self, job: str, kind: str, reason: str, *words: str) -> Json:
        """The job when a condition had that reason and all of those words."""

        def said(version: Json) -> bool:
            found = condition(version, kind)
            return found.get("reason") == reason and all(word in found["message"] for word in words)

        return self.watched.once(job, said)

    def pod(self, job: str, reached: Callable[[Json], bool] = bool) -> Json:
        """The job's newest pod, once it is so."""
        label = f"playerscore.dev/job={job}"

        def newest() -> Json:
            pods = self.cluster.labelled("pods", label)
            return max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default={})

        return until(newest, lambda pod: bool(pod) and reached(pod), PATIENCE_SECONDS, f"pod of {job}")

    def ends_well(self, job: str, *, disruptions: int = 0) -> Json:
        """The job when it has ended, or waits for a person; by nobody's fault but the cluster's."""
        ends = ("COMPLETED", "FAILED", "WAITING_FOR_PLAYER")
        ended = self.watched.once(job, lambda version: step(version) in ends)
        ran = ended["status"]["run"]
        assert step(ended) != "FAILED", ended["status"]
        assert not ran.get("failures"), ran
        assert (ran.get("disruptions") or ran.get("previewDisruptions") or 0) >= disruptions, ran
        if not disruptions:
            assert ran.get("attempt") in (None, 1), ran
            assert ran.get("previewAttempt") in (None, 1), ran
        return ended


# --- images -------------------------------------------------------------------------------------------------


def _open(lab: Lab, mood: str) -> None:
    lab.cluster.kubectl(
        "exec", "-n", REGISTRY_NAMESPACE, "moody-registry", "--", "touch", f"/tmp/open-{mood}"
    )


def _image(mood: str) -> str:
    return f"127.0.0.1:{moodyregistry.PORT}/{mood}/worker:1"


def a_registry_that_is_too_busy(lab: Lab) -> None:
    lab.runs("trouble-busy", image=_image("busy"))
    job = lab.preview("trouble-busy")
    lab.told(job, "PreviewReady", "PreviewRunning", "ErrImagePull", "503 Service Unavailable")
    _open(lab, "busy")
    lab.ends_well(job)


def a_registry_that_refuses_once(lab: Lab) -> None:
    lab.runs("trouble-denied", image=_image("denied"))
    job = lab.analysis("trouble-denied")
    seen = lab.told(job, "Running", "PodPending", "ErrImagePull", "no basic auth credentials")
    assert seen["status"]["run"]["trouble"] == "image-denied"
    _open(lab, "denied")
    lab.ends_well(job)


def an_image_that_is_pushed_late(lab: Lab) -> None:
    lab.runs("trouble-late", image=_image("late"))
    job = lab.analysis("trouble-late")
    seen = lab.told(job, "Running", "PodPending", "ErrImagePull", "not found")
    assert seen["status"]["run"]["trouble"] == "image-missing"
    _open(lab, "late")
    lab.ends_well(job)


def a_pull_secret_that_comes_late(lab: Lab) -> None:
    lab.runs("trouble-secret", {"imagePullSecrets": [{"name": "trouble-secret"}]}, image=_image("secret"))
    job = lab.analysis("trouble-secret")
    lab.told(job, "Running", "PodPending", "ErrImagePull", "no basic auth credentials")
    name, word = moodyregistry.CREDENTIALS.split(":")
    lab.cluster.kubectl(
        *("-n", JOBS_NAMESPACE, "create", "secret", "docker-registry", "trouble-secret"),
        *(f"--docker-server=127.0.0.1:{moodyregistry.PORT}", f"--docker-username={name}"),
        f"--docker-password={word}",
    )
    lab.ends_well(job)


def a_registry_that_is_nowhere(lab: Lab) -> None:
    """Until the image is on the node by other ways."""
    image = f"registry.playerscore.invalid/{secrets.token_hex(3)}/worker:1"
    lab.runs("trouble-nowhere", image=image)
    job = lab.analysis("trouble-nowhere")
    lab.told(job, "Running", "PodPending", "ErrImagePull", "registry.playerscore.invalid")
    lab.cluster.on_node("ctr", "-n", "k8s.io", "images", "tag", _worker_image(lab.cluster), image)
    lab.ends_well(job)


# --- room ---------------------------------------------------------------------------------------------------


def a_quota_on_pods_that_is_full(lab: Lab) -> None:
    """Until the pod that fills it ends."""
    chosen = {"scopeName": "PriorityClass", "operator": "In", "values": ["trouble-quota"]}
    quota = {"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [chosen]}}
    lab.cluster.apply(_object("ResourceQuota", "trouble-quota", "v1", spec=quota))
    lab.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(_filler("trouble-quota")))
    lab.runs("trouble-quota", {"priorityClassName": "trouble-quota"})
    job = lab.preview("trouble-quota")
    seen = lab.told(job, "PreviewReady", "QUOTA_EXCEEDED", "exceeded quota: trouble-quota", "pods=1")
    assert condition(seen, "Reconciling")["status"] == "True"
    lab.cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "pod", "trouble-quota", "--grace-period=0", "--force")
    lab.ends_well(job)


def a_quota_on_gpus_that_is_raised(lab: Lab) -> None:
    def quota(count: int) -> Json:
        spec = {"hard": {f"requests.{GPU}": str(count)}}
        return _object("ResourceQuota", "trouble-gpus", "v1", spec=spec)

    lab.cluster.apply(quota(0))
    lab.runs("trouble-gpus", accelerator={"resourceName": GPU, "count": 1})
    job = lab.analysis("trouble-gpus")
    seen = lab.told(job, "Running", "QUOTA_EXCEEDED", "exceeded quota: trouble-gpus", f"requests.{GPU}=1")
    assert condition(seen, "Reconciling")["status"] == "True"
    lab.cluster.apply(quota(1))
    lab.ends_well(job)


def a_taint_that_nobody_tolerates(lab: Lab) -> None:
    lab.runs("trouble-taint", {"tolerations": []})
    lab.cluster.kubectl("taint", "nodes", "--all", f"{TAINT}=yes:NoSchedule", "--overwrite")
    job = lab.analysis("trouble-taint")
    lab.told(job, "Running", "PodPending", "Unschedulable", "untolerated taint")
    lab.cluster.kubectl("taint", "nodes", "--all", f"{TAINT}-")
    lab.ends_well(job)


# --- the node -----------------------------------------------------------------------------------------------


def a_pod_that_the_kubelet_refuses(lab: Lab) -> None:
    """A scheduler that places pods where there is no room: the test itself."""
    huge = {"analyze": {"resources": {"requests": {"cpu": "500"}}}}
    lab.runs("trouble-refused", {"schedulerName": "nobody", "containers": huge})
    job = lab.analysis("trouble-refused")
    first = lab.pod(job)
    lab.runs("trouble-refused", {"schedulerName": "nobody"})
    _bind(lab, first)
    lab.told(job, "Running", "PodRefused", "OutOfcpu", "Node didn't have enough resource: cpu")
    _bind(lab, lab.pod(job, lambda pod: pod["metadata"]["uid"] != first["metadata"]["uid"]))
    lab.ends_well(job, disruptions=1)


def a_work_volume_that_is_full(lab: Lab) -> None:
    lab.runs("trouble-volume", {"workVolume": {"type": "Memory", "sizeLimit": "64Ki"}})
    job = lab.analysis("trouble-volume")
    lab.pod(job)
    lab.runs("trouble-volume", {"workVolume": {"type": "Memory", "sizeLimit": "256Mi"}})
    lab.told(job, "Running", "PodRefused", "No space left on device")
    lab.ends_well(job, disruptions=1)


def a_container_that_is_killed_for_its_memory(lab: Lab) -> None:
    """Told as such and tried once more, which is the machine's failure and not the video's."""
    tight = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "48Mi"}}
    lab.runs("trouble-memory", {"containers": {"analyze": {"resources": tight}}})
    job = lab.analysis("trouble-memory")
    lab.pod(job)
    lab.runs("trouble-memory")
    lab.told(job, "Running", "OUT_OF_MEMORY")
    ended = lab.watched.once(job, lambda version: step(version) in ("COMPLETED", "FAILED"))
    ran = ended["status"]["run"]
    assert step(ended) == "COMPLETED", ended["status"]
    assert (ran["attempt"], ran["memoryFailures"], ran.get("failures") or 0) == (2, 1, 0)


def a_pod_that_is_evicted(lab: Lab) -> None:
    lab.runs("trouble-evicted")
    job = lab.analysis("trouble-evicted")
    pod = lab.pod(job, lambda pod: pod["status"]["phase"] == "Running" or _begun(pod))
    name = pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    _post(lab, f"pods/{name}/eviction", body)
    ended = lab.watched.once(job, lambda version: step(version) in ("COMPLETED", "FAILED"))
    ran = ended["status"]["run"]
    assert step(ended) == "COMPLETED", ended["status"]
    assert (ran["attempt"], ran["disruptions"], ran.get("failures") or 0) == (1, 1, 0)


STORIES: list[Callable[[Lab], None]] = [
    a_taint_that_nobody_tolerates,
    a_quota_on_pods_that_is_full,
    a_quota_on_gpus_that_is_raised,
    a_registry_that_is_too_busy,
    a_registry_that_refuses_once,
    an_image_that_is_pushed_late,
    a_pull_secret_that_comes_late,
    a_registry_that_is_nowhere,
    a_pod_that_the_kubelet_refuses,
    a_work_volume_that_is_full,
    a_container_that_is_killed_for_its_memory,
    a_pod_that_is_evicted,
]


def _begun(pod: Json) -> bool:
    states = pod["status"].get("initContainerStatuses", [])
    return any("running" in item["state"] for item in states)


def _bind(lab: Lab, pod: Json) -> None:
    node = lab.cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    name = pod["metadata"]["name"]
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
    _post(lab, f"pods/{name}/binding", body)


def _post(lab: Lab, path: str, body: Json) -> None:
    url = f"/api/v1/namespaces/{JOBS_NAMESPACE}/{path}"
    lab.cluster.kubectl("create", "--raw", url, "-f", "-", stdin=json.dumps(body))


def _object(kind: str, name: str, version: str, **more: Any) -> Json:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": JOBS_NAMESPACE},
        **more,
    }


def _filler(name: str) -> Json:
    """A pod that counts and never starts."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "none", "image": "none", "securityContext": security}
    spec = {"priorityClassName": name, "nodeSelector": {"nowhere": "1"}, "containers": [container]}
    return _object("Pod", name, "v1", spec=spec)


def _worker_image(cluster: Cluster) -> str:
    return "docker.io/" + str(cluster.get("scoringruntime", "cpu")["spec"]["image"])


# --- the lab ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(cluster: Cluster, api: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    clip = render_clip(
        ClipSettings(seed=90_212, seconds=1.0, width=960, height=540), tmp_path_factory.mktemp("clip")
    )
    uri = upload(api, clip.video, f"trouble-{secrets.token_hex(3)}.mp4")
    runtime = cluster.get("scoringruntime", "cpu")["spec"]
    runtime["videoLimits"]["bytes"] = 2**26
    _clear(cluster)
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 0}
    cluster.apply(priority | {"metadata": {"name": "trouble-quota"}})
    _start_registry(cluster)
    run("cluster/kind.sh", "gpu", "1")
    with Watched(cluster) as watched:
        made = Lab(cluster, watched, uri, somebody(load_truth(clip.truth)), runtime)
        yield made
    for name in made.made:
        cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "scoringjob", name, "--wait=false")
    run("cluster/kind.sh", "gpu", "0")
    _clear(cluster)


def _clear(cluster: Cluster) -> None:
    """Take away what a story made, also one of a run that was broken off."""
    gone = ("--ignore-not-found", "--wait=false")
    runtimes = cluster.kubectl("get", "scoringruntime", "-o", "jsonpath={.items[*].metadata.name}").split()
    for name in runtimes:
        if name.startswith("trouble-"):
            cluster.kubectl("delete", "scoringruntime", name, *gone)
    named = [
        "resourcequota/trouble-quota",
        "resourcequota/trouble-gpus",
        "pod/trouble-quota",
        "secret/trouble-secret",
    ]
    cluster.kubectl("-n", JOBS_NAMESPACE, "delete", *named, *gone)
    cluster.kubectl("delete", "priorityclass", "trouble-quota", *gone)
    cluster.kubectl(
        "-n",
        REGISTRY_NAMESPACE,
        "delete",
        "pod/moody-registry",
        "configmap/moody-registry",
        "--ignore-not-found",
        "--grace-period=1",
    )
    with contextlib.suppress(CommandError):
        cluster.kubectl("taint", "nodes", "--all", f"{TAINT}-")
    images = ("ctr", "-n", "k8s.io", "images")
    for image in cluster.on_node(*images, "ls", "-q").split():
        if image.startswith((f"127.0.0.1:{moodyregistry.PORT}/", "registry.playerscore.invalid/")):
            cluster.on_node(*images, "rm", image)


def _start_registry(cluster: Cluster) -> None:
    script = Path(moodyregistry.__file__)
    files = {"apiVersion": "v1", "kind": "ConfigMap", "data": {script.name: script.read_text()}}
    listed = cluster.on_node("ctr", "-n", "k8s.io", "images", "ls", f"name=={_worker_image(cluster)}")
    digest = re.search(r"sha256:\S+", listed)
    assert digest is not None, listed
    images = "jsonpath={.spec.template.spec.containers[0].image}"
    image = cluster.kubectl("-n", SYSTEM_NAMESPACE, "get", "deploy/playerscore-api", "-o", images)
    container = {
        "name": "registry",
        "image": image,
        "command": ["python", f"/registry/{script.name}"],
        "env": [{"name": "DIGEST", "value": digest[0]}],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [
            {"name": "files", "mountPath": "/registry"},
            {"name": "content", "mountPath": "/content"},
        ],
    }
    spec = {
        "hostNetwork": True,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "files", "configMap": {"name": "moody-registry"}},
            {"name": "content", "hostPath": {"path": CONTENT}},
        ],
    }
    plain = (
        f"""mkdir -p {HOSTS} && echo 'server = "http://127.0.0.1:{moodyregistry.PORT}"' >{HOSTS}/hosts.toml"""
    )
    cluster.on_node("sh", "-c", plain)
    metadata = {"name": "moody-registry", "namespace": REGISTRY_NAMESPACE}
    cluster.apply(files | {"metadata": metadata})
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    ready = ("--for=condition=Ready", "pod/moody-registry", "--timeout=60s")
    cluster.kubectl("-n", REGISTRY_NAMESPACE, "wait", *ready)


@pytest.fixture(scope="module")
def told(lab: Lab, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """The stories that somebody asked for, all begun."""
    chosen = [
        story for story in STORIES if any(story.__name__ in item.name for item in request.session.items)
    ]
    with ThreadPoolExecutor(len(chosen)) as pool:
        yield {story.__name__: pool.submit(story, lab) for story in chosen}


@pytest.mark.parametrize("story", [story.__name__ for story in STORIES])
def test_a_trouble_is_told_and_passes(told: dict[str, Future[None]], story: str) -> None:
    told[story].result()


# --- the release's own parts --------------------------------------------------------------------------------


def _works(pod: Json) -> bool:
    states = pod["status"].get("containerStatuses", [])
    return any(item["name"] == "analyze" and "running" in item["state"] for item in states)


def _is_whole(job: Json) -> bool:
    """Whether every file is there, with a picture of each moment that the result asks about."""
    asked = job["status"]["result"].get("review", [])
    return len(job["status"]["artifacts"]) == ARTIFACTS + len(asked)


def test_jobs_outlive_an_api_that_is_away(lab: Lab) -> None:
    """One that begins meanwhile, and one whose result is there and whose artifacts are not."""
    lab.runs("trouble-api")
    analysed = lab.analysis("trouble-api")
    lab.pod(analysed, _works)
    with lab.cluster.without("playerscore-api"):
        begun = lab.preview("trouble-api")
        lab.watched.once(analysed, lambda version: "result" in version["status"])
        lab.pod(begun, _begun)
        time.sleep(AWAY_SECONDS)
        assert step(lab.watched.versions[analysed][-1]) != "FAILED"
    assert _is_whole(lab.ends_well(analysed))
    lab.ends_well(begun)


def test_jobs_outlive_a_store_without_room(lab: Lab, api: httpx.Client) -> None:
    """Likewise: what could not be stored is stored once there is room, and the preview is written only then."""
    lab.runs("trouble-store")
    with _small_store(lab.cluster) as volume:
        # What is removed meanwhile makes room once more.
        until(
            lambda: _stored_once_full(lab.cluster, api, volume),
            lambda answer: answer.status_code == 503,
            60,
            "the store has no room",
            lambda answer: answer.text,
        )
        analysed, drafted = lab.analysis("trouble-store"), lab.preview("trouble-store")
        lab.watched.once(analysed, lambda version: "result" in version["status"])
        lab.pod(drafted, _analysed)
        time.sleep(AWAY_SECONDS)
        last = [lab.watched.versions[job][-1] for job in (analysed, drafted)]
        assert "artifacts" not in last[0]["status"]
        assert "preview" not in last[1]["status"]
        lab.cluster.on_node("rm", f"{volume}/ballast")
        assert _is_whole(lab.ends_well(analysed))
        assert lab.ends_well(drafted)["status"]["preview"]["frames"]


def _stored_once_full(cluster: Cluster, api: httpx.Client, volume: str) -> httpx.Response:
    """What the store says to a few bytes more when every block of its volume has been taken."""
    cluster.on_node("sh", "-c", 'cat /dev/zero >>"$1/ballast" 2>/dev/null || true', "sh", volume)
    offer = api.post("/uploads", json={"filename": "more.mp4", "bytes": 4}).json()
    return api.put(offer["upload"]["url"], content=b"more")


def _analysed(pod: Json) -> bool:
    states = pod["status"].get("containerStatuses", [])
    return any(item["name"] == "analyze" and "terminated" in item["state"] for item in states)


@contextlib.contextmanager
def _small_store(cluster: Cluster) -> Iterator[str]:
    """The store on a volume with hardly more room than it needs; the folder on the node where that is mounted."""
    volumes = json.loads(cluster.kubectl("get", "pv", "-o", "json"))["items"]
    (spec,) = [item["spec"] for item in volumes if item["spec"]["claimRef"]["name"] == "playerscore-store"]
    folder: str = (spec.get("local") or spec["hostPath"])["path"]
    with cluster.without("playerscore-store"):
        cluster.on_node("sh", "-c", SHRINK, "sh", folder)
    try:
        yield folder
    finally:
        with cluster.without("playerscore-store"):
            cluster.on_node("sh", "-c", GROW, "sh", folder)
