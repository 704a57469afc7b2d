"""The cluster that the chart is installed in, as the tests of level `cluster` see it.

What a person has: kubectl with a kubeconfig of the project's own, and the REST API with a bearer token. A
cluster that runs already is used as it is; its tests make objects of their own and remove them.
"""

import base64
import contextlib
import json
import os
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import httpx

Json = dict[str, Any]
T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("PLAYERSCORE_CACHE", Path.home() / ".cache" / "playerscore"))
SYSTEM_NAMESPACE = "playerscore-system"
JOBS_NAMESPACE = "scoring"
POLL_SECONDS = 0.5


class CommandError(AssertionError):
    """A command failed; `stderr` is what it said."""

    def __init__(self, command: list[str], stderr: str) -> None:
        super().__init__(f"{' '.join(command)}: {stderr}")
        self.stderr = stderr


def run(*command: str, stdin: str | None = None, environment: dict[str, str] | None = None) -> str:
    """Standard output of a command, run from the repository's root.

    Raises CommandError when it fails.
    """
    done = subprocess.run(
        list(command),
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise CommandError(list(command), done.stderr)
    return done.stdout


@dataclass(frozen=True)
class Cluster:
    """kubectl as the cluster's admin, and where the REST API is."""

    kubeconfig: Path
    api_url: str

    @classmethod
    def up(cls) -> "Cluster":
        """The cluster with the chart of this checkout in it; quick when both are there already."""
        script = str(ROOT / "cluster" / "kind.sh")
        subprocess.run([script, "up"], check=True)
        kubeconfig = Path(run(script, "kubeconfig").strip())
        installed = subprocess.run(
            [str(ROOT / "cluster" / "install.sh")], check=True, text=True, stdout=subprocess.PIPE
        )
        return cls(kubeconfig, installed.stdout.strip().splitlines()[-1])

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl's standard output. Raises CommandError when it fails."""
        return run(tool("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments, stdin=stdin)

    def refusal(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl says when it fails. Raises AssertionError when it succeeds."""
        try:
            self.kubectl(*arguments, stdin=stdin)
        except CommandError as error:
            return error.stderr
        raise AssertionError(f"kubectl {' '.join(arguments)} was not refused")

    def get(self, kind: str, name: str, namespace: str = JOBS_NAMESPACE) -> Json:
        """One object; empty when there is none."""
        found = self.kubectl("-n", namespace, "get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(found) if found else {}

    def labelled(self, kind: str, selector: str, namespace: str = JOBS_NAMESPACE) -> list[Json]:
        found = self.kubectl("-n", namespace, "get", kind, "-l", selector, "-o", "json")
        items: list[Json] = json.loads(found)["items"]
        return items

    def apply(self, body: Json) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def create_job(self, name: str, spec: Json) -> Json:
        """Create a ScoringJob by kubectl and return it as stored."""
        metadata = {"name": name, "namespace": JOBS_NAMESPACE}
        body = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob", "metadata": metadata}
        self.kubectl("create", "-f", "-", stdin=json.dumps({**body, "spec": spec}))
        return self.get("scoringjob", name)

    def patch_spec(self, name: str, spec: Json) -> None:
        self.kubectl("-n", JOBS_NAMESPACE, "patch", *self._merge(name, {"spec": spec}))

    def refused_patch(self, name: str, spec: Json) -> str:
        return self.refusal("-n", JOBS_NAMESPACE, "patch", *self._merge(name, {"spec": spec}))

    @staticmethod
    def _merge(name: str, body: Json) -> list[str]:
        return ["scoringjob", name, "--type=merge", "-p", json.dumps(body)]

    def job_until(self, name: str, reached: Callable[[Json], bool], seconds: float) -> Json:
        """The job once `reached` says so. Raises AssertionError with the job's state after `seconds`."""
        return until(
            lambda: self.get("scoringjob", name), reached, seconds, f"{name} in {seconds:.0f} s", self._told
        )

    def _told(self, job: Json) -> str:
        """Its state, and what the cluster has to say about its pods and the operator."""
        asked = {
            "pods": ("get", "pods", "-n", JOBS_NAMESPACE, "-o", "wide"),
            "events": ("get", "events", "-n", JOBS_NAMESPACE, "--sort-by=.metadata.creationTimestamp"),
            "operator": ("logs", "-n", SYSTEM_NAMESPACE, "deployment/playerscore-operator", "--tail=40"),
        }
        said = []
        for what, command in asked.items():
            try:
                said.append(f"--- {what}\n{self.kubectl(*command)[-6000:]}")
            except CommandError as error:
                said.append(f"--- {what}: {error}")
        return "\n".join([_told(job), *said])

    def finished(self, name: str, seconds: float = 300.0) -> Json:
        """The job when it has ended."""
        return self.job_until(name, lambda job: step(job) in ("COMPLETED", "FAILED"), seconds)

    def children(self, job: Json, kind: str = "jobs") -> list[Json]:
        """The Jobs or pods that belong to a ScoringJob."""
        return self.labelled(kind, f"playerscore.dev/uid={job['metadata']['uid']}")

    def on_node(self, *command: str) -> str:
        """Standard output of a command on the cluster's one node. Raises CommandError when it fails."""
        node = self.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
        docker = 'eval "$(cluster/docker.sh env)" && exec docker exec "$@"'
        return run("bash", "-c", docker, "bash", node, *command)

    @contextlib.contextmanager
    def without(self, deployment: str) -> Iterator[None]:
        """A part of the release is away; afterwards it is ready again."""
        here, name = ("-n", SYSTEM_NAMESPACE), f"deployment/{deployment}"
        count = self.kubectl(*here, "get", name, "-o", "jsonpath={.spec.replicas}")
        self.kubectl(*here, "scale", name, "--replicas=0")
        try:
            gone = ("--for=delete", "pod", "-l", f"app.kubernetes.io/component={deployment.split('-')[-1]}")
            self.kubectl(*here, "wait", *gone, "--timeout=60s")
            yield
        finally:
            self.kubectl(*here, "scale", name, f"--replicas={count}")
            self.kubectl(*here, "rollout", "status", name, "--timeout=180s")

    def token(self, account: str, *more: str, namespace: str = JOBS_NAMESPACE) -> str:
        return self.kubectl("-n", namespace, "create", "token", account, *more).strip()

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str,
        content: str | None = None,
        content_type: str | None = None,
    ) -> httpx.Response:
        """One request to the API server with a token of one's own, and nothing of the admin's."""
        config = json.loads(self.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        server = config["clusters"][0]["cluster"]
        authority = base64.b64decode(server["certificate-authority-data"]).decode()
        headers = {"Authorization": f"Bearer {token}"}
        if content_type:
            headers["Content-Type"] = content_type
        with httpx.Client(verify=ssl.create_default_context(cadata=authority), timeout=30) as client:
            return client.request(method, server["server"] + path, content=content, headers=headers)

    def person(self) -> httpx.Client:
        """The REST API as the demo's person calls it."""
        headers = {"Authorization": f"Bearer {self.token('playerscore-demo')}"}
        return httpx.Client(
            base_url=self.api_url, headers=headers, params={"namespace": JOBS_NAMESPACE}, timeout=30
        )


def tool(name: str) -> str:
    """A pinned program of the cache; cluster/kind.sh has brought it there."""
    return str(CACHE / "bin" / name)


def upload(api: httpx.Client, video: Path, name: str) -> str:
    """Store a file by the API, and return its uri for `spec.video`."""
    content = video.read_bytes()
    asked = api.post("/uploads", json={"filename": name, "bytes": len(content)})
    assert asked.is_success, asked.text
    how = asked.json()["upload"]
    url = urljoin(str(api.base_url), how["url"])
    # A presigned URL carries its own signature; only the API itself wants the token.
    client = api if url.startswith(str(api.base_url)) else httpx.Client(timeout=60)
    stored = client.request(how["method"], url, content=content, headers=how["headers"])
    assert stored.is_success, stored.text
    uri: str = asked.json()["uri"]
    return uri


def until(
    look: Callable[[], T],
    reached: Callable[[T], bool],
    seconds: float,
    what: str,
    tell: Callable[[T], str] = str,
) -> T:
    """What `look` sees once `reached` agrees. Raises AssertionError with the last sight after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if reached(seen):
            return seen
        assert time.monotonic() < end, f"{what}: {tell(seen)}"
        time.sleep(POLL_SECONDS)


def step(job: Json) -> str:
    """`status.progress.step`, empty before the operator has seen the job."""
    return str(job.get("status", {}).get("progress", {}).get("step", ""))


def condition(job: Json, kind: str) -> Json:
    """The condition of that type; empty when it is not there."""
    conditions = job.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == kind), {})


def previewed(job: Json) -> bool:
    return condition(job, "PreviewReady").get("status") == "True"


def best_track(preview: Json) -> tuple[Json, Json]:
    """Frame and track of the person who is the best pick."""
    pairs = [(frame, track) for frame in preview["frames"] for track in frame["tracks"]]
    return max(pairs, key=lambda pair: float(pair[1]["score"]))


def elsewhere(frame: Json, track: Json) -> Json:
    """A box on that frame that does not touch the track's."""
    x = 0.0 if track["bbox"]["x"] > 0.5 else 0.9
    return {"x": x, "y": 0.0, "w": 0.05, "h": 0.05}


def _told(job: Json) -> str:
    status = dict(job.get("status", {}))
    words = [
        f"{item['type']}={item['status']} {item['reason']}: {item['message']}"
        for item in status.pop("conditions", [])
    ]
    return "\n".join([*words, json.dumps(status)[:2000]])
