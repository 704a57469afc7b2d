"""What a worker's token may write: its own job, its own fields, once or while its attempt is the current one.

The chart's own accounts, roles and policies on a real API server, with real tokens bound to real pods. No program
of the project runs, so each job is exactly in the state under test.
"""

import json
import secrets
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from builders import make_frame, make_preview, make_result, make_track, manifest
from chart import NAMESPACE as SYSTEM
from chart import render
from controlplane import ControlPlane
from flowlab import apply
from playerscore import names

Json = dict[str, Any]
NAMESPACE = "scoring"
NEIGHBOUR = "neighbour"
PREVIEW = manifest(make_preview())
OTHER_PREVIEW = PREVIEW | {"video": PREVIEW["video"] | {"sha256": "c" * 64}}
RESULT = manifest(make_result())
ARTIFACTS = [{"name": "radar.png", "mediaType": "image/png", "bytes": 1, "sha256": "a" * 64}]
RUNNING = {
    "observedGeneration": 1,
    "run": {"attempt": 2, "previewAttempt": 1, "generation": 1},
    "progress": {"step": "ANALYZING", "percent": 10},
    "conditions": [
        {
            "type": "Running",
            "status": "True",
            "reason": "PodRunning",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}
PREVIEWED = RUNNING | {"preview": PREVIEW}
PREVIEWING = RUNNING | {"run": {"previewAttempt": 2}, "progress": {"step": "EXTRACTING_PREVIEW"}}
ASKING = {
    "observedGeneration": 1,
    "run": {"previewAttempt": 2, "previewAsked": [30, 31.5]},
    "progress": {"step": "WAITING_FOR_PLAYER"},
    "preview": PREVIEW,
}
SUCCEEDED = [dict(RUNNING["conditions"][0], type="Succeeded", reason="Forged")]  # type: ignore[index]
MERGE, JSON_PATCH, APPLY = "merge-patch+json", "json-patch+json", "apply-patch+yaml"


@dataclass
class Server:
    """The API server and a client without any token of its own."""

    plane: ControlPlane
    http: httpx.Client
    pods: set[str] = field(default_factory=set)

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str = "", kind: str = "json"
    ) -> httpx.Response:
        headers = self.plane.headers(token or None) | {"Content-Type": f"application/{kind}"}
        return self.http.request(
            method, path, headers=headers, content=None if body is None else json.dumps(body)
        )

    def admin(self, method: str, path: str, body: Any = None, *, kind: str = "json") -> Json:
        answer = self.ask(method, path, body, kind=kind)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def token(self, pod: str | None, namespace: str = NAMESPACE, account: str = names.WORKER_ACCOUNT) -> str:
        """A token bound to a pod of that name, which is made; to none with `None`."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        bound = {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod}} if pod else {}
        if pod and f"{namespace}/{pod}" not in self.pods:
            self.admin("POST", f"/api/v1/namespaces/{namespace}/pods", _pod(pod, account))
            self.pods.add(f"{namespace}/{pod}")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": bound}
        return str(self.admin("POST", path, body)["status"]["token"])


def _pod(name: str, account: str) -> Json:
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "serviceAccountName": account,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "none", "image": "none", "securityContext": secure}],
        },
    }


@dataclass(frozen=True)
class Job:
    """A ScoringJob in a chosen state."""

    server: Server
    name: str
    uid: str

    @property
    def path(self) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.JOB_PLURAL}/{self.name}"

    def read(self) -> Json:
        return self.server.admin("GET", self.path)

    def set(self, status: Json) -> None:
        self.server.admin("PATCH", f"{self.path}/status", {"status": status}, kind=MERGE)

    def pod(self, part: str, letters: str = "abcde") -> str:
        return f"sj-{self.uid}-{part}-{letters}"

    def write(self, part: str | None, body: Any, kind: str = MERGE) -> httpx.Response:
        """Patch the status as the pod `sj-<uid>-<part>-abcde`."""
        token = self.server.token(self.pod(part) if part else None)
        return self.server.ask("PATCH", f"{self.path}/status", body, token=token, kind=kind)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    objects = render(
        values={"jobNamespaces": [{"name": item, "create": True} for item in (NAMESPACE, NEIGHBOUR)]}
    )
    with ControlPlane() as plane:
        plane.kubectl("create", "namespace", SYSTEM)
        apply(plane, [item for item in objects if item["kind"] != "ValidatingWebhookConfiguration"])
        trust = ssl.create_default_context(cafile=str(plane.ca))
        with httpx.Client(base_url=plane.url, verify=trust, timeout=20) as http:
            found = Server(plane, http)
            _until_the_policy_counts(found)
            yield found


def make_job(server: Server, status: Json) -> Job:
    name = f"job-{secrets.token_hex(4)}"
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": name},
        "spec": {"video": {"uri": "s3://playerscore/scoring/uploads/x.mp4"}},
    }
    path = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.JOB_PLURAL}"
    job = Job(server, name, str(server.admin("POST", path, body)["metadata"]["uid"]))
    job.set(status)
    return job


def _until_the_policy_counts(server: Server) -> None:
    """A policy is compiled a moment after it was created."""
    job = make_job(server, RUNNING)
    for _ in range(200):
        if job.write(None, {"status": {"progress": {"percent": 1}}}).status_code == 403:
            return
    raise AssertionError("the policy is not enforced")


def refused(answer: httpx.Response) -> bool:
    """Whether it was the policy that refused, and not RBAC."""
    return answer.status_code == 403 and "ValidatingAdmissionPolicy 'playerscore-" in answer.text


# --- one write of one pod, on a job in one state --------------------------------------------------------------

ALLOWED: dict[str, tuple[Json, str, Json]] = {
    "the preview's pod tells its progress": (
        PREVIEWING,
        "p2",
        {"progress": {"percent": 5, "message": "Sampling"}},
    ),
    "the preview's pod writes the preview": (PREVIEWING, "p2", {"preview": PREVIEW}),
    "the preview's pod writes both at once": (
        PREVIEWING,
        "p2",
        {"preview": PREVIEW, "progress": {"percent": 99}},
    ),
    "the preview's pod repeats itself after a lost answer": (PREVIEWED, "p1", {"preview": PREVIEW}),
    "the analysis' pod tells its progress": (
        PREVIEWED,
        "2",
        {"progress": {"percent": 50, "message": "Following"}},
    ),
    "the analysis' pod writes the result": (PREVIEWED, "2", {"result": RESULT}),
    "the analysis' pod repeats the result": (PREVIEWED | {"result": RESULT}, "2", {"result": RESULT}),
    "the analysis' pod lists its artifacts": (PREVIEWED | {"result": RESULT}, "2", {"artifacts": ARTIFACTS}),
    "the analysis' pod of a job without a preview": (RUNNING, "2", {"result": RESULT}),
    "a pod of a tenth attempt": (PREVIEWED | {"run": {"attempt": 10}}, "10", {"result": RESULT}),
}


def added(*numbers: int, first: int = 10, name: str = "{name}", time_sec: float = 30.0) -> list[Json]:
    """Further frames of those numbers, with a person of a new id on each."""
    frames = [
        make_frame(number, [make_track(first + number)], name="match-1", time_sec=time_sec)
        for number in numbers
    ]
    return [
        manifest(frame) | {"frame_key": frame.frame_key.replace("match-1", name).replace("{name}", "%s")}
        for frame in frames
    ]


def extended(*frames: Json, asked: tuple[float, ...] = (30, 31.5), **changes: Any) -> Json:
    """The preview with those frames behind its own."""
    whole = {"frames": [*PREVIEW["frames"], *frames], "asked_sec": list(asked)}
    return {"preview": PREVIEW | whole | changes}


FIRST = PREVIEW["frames"][0]
EXTENDED: dict[str, Json] = {
    "two frames for two times": extended(*added(4, 5)),
    "one frame for two times": extended(*added(4)),
    "no frame, because one that is there shows it": extended(),
}
NOT_EXTENDED: dict[str, Json] = {
    "without saying for which times": extended(*added(4, 5), asked=()),
    "for other times": extended(*added(4, 5), asked=(30, 99)),
    "for one of two times": extended(*added(4), asked=(30,)),
    "with a number left out": extended(*added(4, 6)),
    "with the numbers the other way round": extended(*added(5, 4)),
    "with a number twice": extended(*added(4), *added(4, first=20)),
    "with another job's frame": extended(*added(4, name="other")),
    "with somebody who was seen before": extended(*added(4, first=5)),
    "of another video": extended(*added(4), video=PREVIEW["video"] | {"sha256": "c" * 64}),
    "and takes a frame away": {
        "preview": PREVIEW | {"frames": [*PREVIEW["frames"][1:], *added(4)], "asked_sec": [30, 31.5]}
    },
    "and changes a frame": {
        "preview": PREVIEW
        | {
            "frames": [FIRST | {"time_sec": 1.5}, *PREVIEW["frames"][1:], *added(4)],
            "asked_sec": [30, 31.5],
        }
    },
    "and moves somebody": {
        "preview": PREVIEW
        | {
            "frames": [FIRST | {"tracks": FIRST["tracks"][:1]}, *PREVIEW["frames"][1:], *added(4)],
            "asked_sec": [30, 31.5],
        }
    },
    "before the others": {
        "preview": PREVIEW | {"frames": [*added(4), *PREVIEW["frames"]], "asked_sec": [30, 31.5]}
    },
    "and forgets the preview": {"preview": None},
    "and tells progress": extended(*added(4)) | {"progress": {"percent": 50}},
}
WHOSE = "a worker reports only into its own ScoringJob"
SEALED = "its status is sealed"
ONCE = "the preview is written once"
FIELDS = "everything else is the operator's"
STEP = "the step is the operator's"
REFUSED: dict[str, tuple[Json, str | None, Json, str]] = {
    # who
    "a token that is bound to no pod": (PREVIEWED, None, {"result": RESULT}, WHOSE),
    "an earlier attempt": (PREVIEWED, "1", {"result": RESULT}, WHOSE),
    "an earlier attempt's progress": (PREVIEWED, "1", {"progress": {"percent": 1}}, WHOSE),
    "an attempt to come": (PREVIEWED, "3", {"result": RESULT}, WHOSE),
    "an attempt that begins alike": (PREVIEWED, "22", {"result": RESULT}, WHOSE),
    "an attempt with a zero before it": (PREVIEWED, "02", {"result": RESULT}, WHOSE),
    "attempt 0 of a job that was never launched": (PREVIEWED | {"run": {}}, "0", {"result": RESULT}, WHOSE),
    "preview run 0 of a job that had none": (RUNNING | {"run": {}}, "p0", {"preview": PREVIEW}, WHOSE),
    "an earlier preview run": (PREVIEWING, "p1", {"preview": PREVIEW}, WHOSE),
    "a preview run to come": (PREVIEWING, "p3", {"preview": PREVIEW}, WHOSE),
    "another Job's pod whose name begins alike": (PREVIEWED, "2-11111", {"result": RESULT}, WHOSE),
    # when
    "a completed job's result": (
        PREVIEWED | {"result": RESULT, "progress": {"step": "COMPLETED"}},
        "2",
        {"result": RESULT | {"overallScore": 99}},
        SEALED,
    ),
    "a completed job's artifacts": (
        PREVIEWED | {"result": RESULT, "progress": {"step": "COMPLETED"}},
        "2",
        {"artifacts": ARTIFACTS},
        SEALED,
    ),
    "a failed job's result": (PREVIEWED | {"progress": {"step": "FAILED"}}, "2", {"result": RESULT}, SEALED),
    "a failed job's preview": (
        RUNNING | {"progress": {"step": "FAILED"}},
        "p1",
        {"preview": PREVIEW},
        SEALED,
    ),
    # the preview, once
    "the preview's pod changes it": (PREVIEWED, "p1", {"preview": OTHER_PREVIEW}, ONCE),
    "the preview's pod empties it": (PREVIEWED, "p1", {"preview": {"frames": []}}, ONCE),
    "the preview's pod takes it back": (PREVIEWED, "p1", {"preview": None}, ONCE),
    "the preview's pod tells progress after it": (PREVIEWED, "p1", {"progress": {"percent": 99}}, ONCE),
    "the analysis' pod changes the preview": (PREVIEWED, "2", {"preview": OTHER_PREVIEW}, FIELDS),
    "the analysis' pod takes the preview away": (PREVIEWED, "2", {"preview": None}, FIELDS),
    "the analysis' pod invents a preview": (RUNNING, "2", {"preview": PREVIEW}, FIELDS),
    # what
    "the preview's pod writes a result": (PREVIEWING, "p2", {"result": RESULT}, FIELDS),
    "the preview's pod lists artifacts": (PREVIEWING, "p2", {"artifacts": ARTIFACTS}, FIELDS),
    "the preview's pod takes the result away": (
        PREVIEWING | {"result": RESULT},
        "p2",
        {"result": None},
        FIELDS,
    ),
    "a worker starts another attempt": (PREVIEWED, "2", {"run": {"attempt": 3}}, FIELDS),
    "a worker forgets its attempt": (PREVIEWED, "2", {"run": None}, FIELDS),
    "a worker writes conditions": (PREVIEWED, "2", {"conditions": SUCCEEDED}, FIELDS),
    "a worker takes conditions away": (PREVIEWED, "2", {"conditions": None}, FIELDS),
    "a worker claims a generation": (PREVIEWED, "2", {"observedGeneration": 99}, FIELDS),
    "a worker says that the job is complete": (
        PREVIEWED,
        "2",
        {"progress": {"step": "COMPLETED"}, "result": RESULT},
        STEP,
    ),
    "a worker takes the step away": (PREVIEWED, "2", {"progress": None}, STEP),
    "a worker says that the job failed": (PREVIEWING, "p2", {"progress": {"step": "FAILED"}}, STEP),
}


@pytest.mark.parametrize(("state", "part", "status"), ALLOWED.values(), ids=ALLOWED)
def test_a_worker_writes_what_is_its_own(server: Server, state: Json, part: str, status: Json) -> None:
    job = make_job(server, state)
    answer = job.write(part, {"status": status})

    assert answer.status_code == 200, answer.text
    stored = job.read()["status"]
    assert {key: stored[key] for key in status if key != "progress"} == {
        key: value for key, value in status.items() if key != "progress"
    }


@pytest.mark.parametrize(("state", "part", "status", "why"), REFUSED.values(), ids=REFUSED)
def test_a_worker_writes_nothing_else(
    server: Server, state: Json, part: str | None, status: Json, why: str
) -> None:
    job = make_job(server, state)
    before = job.read()
    answer = job.write(part, {"status": status})

    assert refused(answer), answer.text
    assert why in answer.text
    assert job.read() == before


# --- further frames -------------------------------------------------------------------------------------------


def named(status: Json, job: Job) -> Json:
    """With the job's own name in the keys of new frames."""
    filled: Json = json.loads(json.dumps(status).replace("%s", job.name))
    return filled


@pytest.mark.parametrize("status", EXTENDED.values(), ids=EXTENDED)
def test_a_further_run_adds_frames_once(server: Server, status: Json) -> None:
    job = make_job(server, ASKING)
    status = named(status, job)

    assert job.write("p2", {"status": status}).status_code == 200
    assert job.read()["status"]["preview"] == status["preview"]
    assert job.write("p2", {"status": status}).status_code == 200, "a repeat after a lost answer"
    more = named({"preview": status["preview"] | {"frames": [*status["preview"]["frames"], *added(6)]}}, job)
    assert refused(job.write("p2", {"status": more}))


@pytest.mark.parametrize("status", NOT_EXTENDED.values(), ids=NOT_EXTENDED)
def test_a_further_run_changes_nothing_that_is_there(server: Server, status: Json) -> None:
    job = make_job(server, ASKING)
    before = job.read()

    answer = job.write("p2", {"status": named(status, job)})

    assert refused(answer), answer.text
    assert job.read() == before


STRANGERS: dict[str, tuple[Json, str]] = {
    "the run before it": (ASKING, "p1"),
    "a run to come": (ASKING, "p3"),
    "a run whose times were taken back": (ASKING | {"run": {"previewAttempt": 2}}, "p2"),
    "a run when an attempt is launched": (ASKING | {"run": ASKING["run"] | {"attempt": 1}}, "p2"),
    "the analysis": (ASKING | {"run": ASKING["run"] | {"attempt": 1}}, "1"),
}


@pytest.mark.parametrize(("state", "part"), STRANGERS.values(), ids=STRANGERS)
def test_nobody_else_adds_frames(server: Server, state: Json, part: str) -> None:
    job = make_job(server, state)

    assert refused(job.write(part, {"status": named(extended(*added(4, 5)), job)}))


def test_frames_are_added_by_a_json_patch_once_and_again(server: Server) -> None:
    job = make_job(server, ASKING)
    frames = named({"x": added(4, 5, 6)}, job)["x"]

    def operations(before: list[float] | None, asked: list[float], *made: Json) -> list[Json]:
        path = "/status/preview/asked_sec"
        adds = [{"op": "add", "path": "/status/preview/frames/-", "value": frame} for frame in made]
        guard = {"op": "test", "path": path, "value": before}
        return [guard, *adds, {"op": "add", "path": path, "value": [*(before or []), *asked]}]

    assert job.write("p2", operations(None, [30, 31.5], *frames[:2]), JSON_PATCH).status_code == 200
    assert job.write("p2", operations(None, [30, 31.5], *frames[:2]), JSON_PATCH).status_code == 422
    job.set({"run": {"previewAttempt": 3, "previewAsked": [32]}})
    assert job.write("p3", operations([30, 31.5], [32], frames[2]), JSON_PATCH).status_code == 200

    preview = job.read()["status"]["preview"]
    assert preview["frames"] == [*PREVIEW["frames"], *frames]
    assert preview["asked_sec"] == [30, 31.5, 32]


def test_sixteen_frames_full_of_people_are_judged_and_more_are_not_taken(server: Server) -> None:
    crowd = [make_track(number) for number in range(1, 49)]
    full = [manifest(make_frame(number, crowd)) for number in range(1, 16)]
    job = make_job(server, ASKING | {"preview": PREVIEW | {"frames": full}})
    people = [make_track(100 + number) for number in range(48)]
    last = [
        manifest(make_frame(number, people, name=job.name, time_sec=30.0 + number)) for number in (16, 17)
    ]

    def write(frames: list[Json]) -> httpx.Response:
        preview = PREVIEW | {"frames": [*full, *frames], "asked_sec": [30, 31.5]}
        return job.write("p2", {"status": {"preview": preview}})

    assert write(last).status_code == 422
    assert write(last[:1]).status_code == 200


def test_the_whole_status_cannot_be_wiped(server: Server) -> None:
    job = make_job(server, PREVIEWED)

    assert refused(job.write("2", {"status": None}))
    assert refused(job.write("2", [{"op": "remove", "path": "/status"}], JSON_PATCH))


# --- whose job ------------------------------------------------------------------------------------------------


def test_a_worker_does_not_write_into_another_job(server: Server) -> None:
    own, other = make_job(server, PREVIEWED), make_job(server, PREVIEWED)
    token = server.token(own.pod("2"))
    answer = server.ask(
        "PATCH", f"{other.path}/status", {"status": {"progress": {"percent": 1}}}, token=token, kind=MERGE
    )

    assert refused(answer)


def test_a_worker_of_a_deleted_job_does_not_write_into_its_successor(server: Server) -> None:
    job = make_job(server, PREVIEWED)
    token = server.token(job.pod("2"))
    server.admin("DELETE", job.path)
    path = job.path.rsplit("/", 1)[0]
    body = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": {"name": job.name}}
    server.admin("POST", path, body | {"spec": {"video": {"uri": "s3://playerscore/scoring/uploads/x.mp4"}}})
    job.set(PREVIEWED)

    assert refused(
        server.ask("PATCH", f"{job.path}/status", {"status": {"result": RESULT}}, token=token, kind=MERGE)
    )


def test_a_worker_of_another_namespace_is_refused_even_where_a_role_lets_it_in(server: Server) -> None:
    job = make_job(server, PREVIEWED)
    token = server.token(job.pod("2"), NEIGHBOUR)
    write = {"status": {"progress": {"percent": 1}}}
    answer = server.ask("PATCH", f"{job.path}/status", write, token=token, kind=MERGE)
    assert answer.status_code == 403
    assert not refused(answer), "RBAC alone refuses"

    subject = f"--serviceaccount={NEIGHBOUR}:{names.WORKER_ACCOUNT}"
    server.plane.kubectl(
        "-n", NAMESPACE, "create", "rolebinding", "careless", f"--role={names.WORKER_ACCOUNT}", subject
    )
    answers = (server.ask("PATCH", f"{job.path}/status", write, token=token, kind=MERGE) for _ in range(200))

    assert any(refused(answer) for answer in answers)
    assert (
        "percent" not in job.read()["status"]["progress"] or job.read()["status"]["progress"]["percent"] == 10
    )


def test_a_new_attempt_fences_the_old_one(server: Server) -> None:
    job = make_job(server, PREVIEWED)
    assert job.write("2", {"status": {"progress": {"percent": 20}}}).status_code == 200
    job.set({"run": {"attempt": 3}})

    assert refused(job.write("2", {"status": {"result": RESULT}}))
    assert job.write("3", {"status": {"result": RESULT}}).status_code == 200


def test_the_token_of_a_deleted_pod_opens_nothing(server: Server) -> None:
    job = make_job(server, PREVIEWED)
    # A token that was accepted once is remembered for ten seconds, so each is used once.
    tokens = [server.token(job.pod("2")) for _ in range(50)]
    server.admin("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{job.pod('2')}?gracePeriodSeconds=0")

    assert any(_unknown(server, token) for token in tokens)
    answer = server.ask(
        "PATCH", f"{job.path}/status", {"status": {"result": RESULT}}, token=tokens[-1], kind=MERGE
    )
    assert answer.status_code == 401


def _unknown(server: Server, token: str) -> bool:
    """Whether the API server takes the token for nobody's; it learns of a deletion a moment after it."""
    time.sleep(0.05)
    return server.ask("GET", JOBS, token=token).status_code == 401


# --- every other way to say it --------------------------------------------------------------------------------


def test_a_status_patch_changes_nothing_but_status(server: Server) -> None:
    job = make_job(server, PREVIEWED)
    before = job.read()
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y"}
    metadata = {
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "finalizers": ["e/f"],
        "ownerReferences": [owner],
        "uid": "00000000-0000-0000-0000-000000000000",
        "generation": 99,
    }
    body = {
        "metadata": metadata,
        "spec": {"suspend": False, "video": {"uri": "s3://other/x.mp4"}},
        "status": {"progress": {"percent": 77}},
    }

    assert job.write("2", body).status_code == 200
    after = job.read()
    changing = ("resourceVersion", "managedFields")
    assert after["spec"] == before["spec"]
    assert {key: value for key, value in after["metadata"].items() if key not in changing} == {
        key: value for key, value in before["metadata"].items() if key not in changing
    }
    assert after["status"]["progress"]["percent"] == 77


def test_a_json_patch_is_judged_alike(server: Server) -> None:
    job = make_job(server, PREVIEWED)

    assert (
        job.write("2", [{"op": "add", "path": "/status/result", "value": RESULT}], JSON_PATCH).status_code
        == 200
    )
    assert refused(job.write("2", [{"op": "replace", "path": "/status/run/attempt", "value": 3}], JSON_PATCH))
    assert refused(job.write("2", [{"op": "remove", "path": "/status/preview"}], JSON_PATCH))
    failing = [{"op": "test", "path": "/metadata/uid", "value": "another"}]
    assert job.write("2", failing, JSON_PATCH).status_code == 422


def test_a_server_side_apply_is_judged_alike(server: Server) -> None:
    job = make_job(server, PREVIEWED)
    token = server.token(job.pod("2"))
    head = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": {"name": job.name}}

    def applied(status: Json) -> httpx.Response:
        path = f"{job.path}/status?fieldManager=worker&force=true"
        return server.ask("PATCH", path, head | {"status": status}, token=token, kind=APPLY)

    assert applied({"result": RESULT}).status_code == 200
    assert refused(applied({"result": RESULT, "run": {"attempt": 3}}))
    assert refused(applied({"preview": OTHER_PREVIEW}))


def test_an_outdated_write_is_a_conflict(server: Server) -> None:
    job = make_job(server, PREVIEWED)
    version = job.read()["metadata"]["resourceVersion"]
    job.set({"progress": {"message": "meanwhile"}})
    body = {"metadata": {"resourceVersion": version}, "status": {"progress": {"percent": 11}}}

    assert job.write("2", body).status_code == 409


JOBS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.JOB_PLURAL}"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
NOT_GRANTED = {
    "read the job": ("GET", "{job}", None),
    "read its status": ("GET", "{job}/status", None),
    "list jobs": ("GET", JOBS, None),
    "list jobs of all namespaces": ("GET", f"/apis/{names.API_VERSION}/{names.JOB_PLURAL}", None),
    "change the spec": ("PATCH", "{job}", {"spec": {"suspend": False}}),
    "change labels": ("PATCH", "{job}", {"metadata": {"labels": {"a": "b"}}}),
    "replace the status": ("PUT", "{job}/status", {"metadata": {}}),
    "delete the job": ("DELETE", "{job}", None),
    "delete all jobs": ("DELETE", JOBS, None),
    "create a job": ("POST", JOBS, {}),
    "set finalizers": ("PATCH", "{job}/finalizers", {}),
    "read a runtime": ("GET", f"/apis/{names.API_VERSION}/{names.RUNTIME_PLURAL}", None),
    "run a pod": ("POST", f"{CORE}/pods", {}),
    "run a Job": ("POST", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", {}),
    "read secrets": ("GET", f"{CORE}/secrets", None),
    "ask for another token": ("POST", f"{CORE}/serviceaccounts/{names.WORKER_ACCOUNT}/token", {}),
    "review tokens": ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {}),
    "take the policy away": (
        "DELETE",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/playerscore-worker-confinement",
        None,
    ),
}


@pytest.mark.parametrize(("method", "path", "body"), NOT_GRANTED.values(), ids=NOT_GRANTED)
def test_a_worker_may_do_nothing_else(server: Server, method: str, path: str, body: Json | None) -> None:
    job = make_job(server, PREVIEWED)
    kind = MERGE if method == "PATCH" else "json"
    answer = server.ask(method, path.format(job=job.path), body, token=server.token(job.pod("2")), kind=kind)

    assert answer.status_code == 403
    assert not refused(answer), "RBAC refuses it before any policy is asked"
