"""Who may do what, and that nobody else writes a status: the chart's roles on a real API server.

The aggregation controller runs, so that Kubernetes' own view, edit and admin are what they become on a cluster.
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

from builders import make_preview, make_result, manifest
from chart import NAMESPACE as SYSTEM
from chart import render
from controlplane import ControlPlane
from flowlab import apply
from playerscore import names

Json = dict[str, Any]
NAMESPACE = "scoring"
VALUES = {"jobNamespaces": [{"name": NAMESPACE, "create": True}]}
JOBS = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.JOB_PLURAL}"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
READ = {"get", "list", "watch"}
CHANGE = {"create", "update", "patch", "delete", "deletecollection"}
VERBS = sorted(READ | CHANGE)
JOB, STATUS, FINALIZERS, RUNTIME = (
    "scoringjobs",
    "scoringjobs/status",
    "scoringjobs/finalizers",
    "scoringruntimes",
)

Rights = dict[str, set[str]]
PEOPLE: dict[str, tuple[str, bool, Rights]] = {
    # role, whether it is bound for the whole cluster, what it then allows in the namespace and on runtimes
    "nobody": ("", False, {}),
    "Kubernetes' view of the namespace": ("view", False, {JOB: READ, STATUS: READ}),
    "Kubernetes' edit of the namespace": ("edit", False, {JOB: READ | CHANGE, STATUS: READ}),
    "Kubernetes' admin of the namespace": ("admin", False, {JOB: READ | CHANGE, STATUS: READ}),
    "Kubernetes' view of the cluster": ("view", True, {JOB: READ, STATUS: READ, RUNTIME: READ}),
    "Kubernetes' edit of the cluster": ("edit", True, {JOB: READ | CHANGE, STATUS: READ, RUNTIME: READ}),
    "Kubernetes' admin of the cluster": (
        "admin",
        True,
        {JOB: READ | CHANGE, STATUS: READ, RUNTIME: READ | CHANGE},
    ),
    "viewer of the namespace": ("playerscore-viewer", False, {JOB: READ, STATUS: READ}),
    "viewer of the cluster": ("playerscore-viewer", True, {JOB: READ, STATUS: READ, RUNTIME: READ}),
    "editor of the namespace": ("playerscore-editor", False, {JOB: READ | CHANGE, STATUS: {"get"}}),
    "editor of the cluster": (
        "playerscore-editor",
        True,
        {JOB: READ | CHANGE, STATUS: {"get"}, RUNTIME: READ},
    ),
    "runtime admin": ("playerscore-runtime-admin", True, {RUNTIME: READ | CHANGE}),
    "runtime admin of a namespace, which is nothing": ("playerscore-runtime-admin", False, {}),
    "runtime viewer": ("playerscore-runtime-viewer", True, {RUNTIME: READ}),
}
ACCOUNTS: dict[str, tuple[str, Rights]] = {
    "operator": (
        f"system:serviceaccount:{SYSTEM}:playerscore-operator",
        {
            JOB: READ | {"delete"},
            STATUS: {"patch"},
            FINALIZERS: {"update"},
            RUNTIME: READ | {"create", "patch", "delete"},
        },
    ),
    "API": (f"system:serviceaccount:{SYSTEM}:playerscore-api", {JOB: {"get"}, RUNTIME: {"list"}}),
    "webhook": (f"system:serviceaccount:{SYSTEM}:playerscore-webhook", {}),
    "worker": (f"system:serviceaccount:{NAMESPACE}:{names.WORKER_ACCOUNT}", {STATUS: {"patch"}}),
    "a neighbour's worker": (f"system:serviceaccount:neighbour:{names.WORKER_ACCOUNT}", {}),
    "another account of the namespace": (f"system:serviceaccount:{NAMESPACE}:default", {}),
}


@dataclass(frozen=True)
class Server:
    """The API server, and everybody's requests to it."""

    plane: ControlPlane
    http: httpx.Client
    people: dict[str, dict[str, str]] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: Any = None, *, kind: str = "json", **headers: str
    ) -> httpx.Response:
        """A request as admin, or as whom `Authorization` or `Impersonate_User` name."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        sent = self.plane.headers() | {"Content-Type": f"application/{kind}"} | named
        content = None if body is None else json.dumps(body)
        return self.http.request(method, path, headers=sent, content=content)

    def admin(self, method: str, path: str, body: Any = None, *, kind: str = "json") -> Json:
        answer = self.ask(method, path, body, kind=kind)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def rights(self, user: str) -> Rights:
        """What a user may do with our kinds in the namespace, by one SubjectAccessReview for each."""
        found: Rights = {}
        for resource in (JOB, STATUS, FINALIZERS, RUNTIME):
            namespace = "" if resource == RUNTIME else NAMESPACE
            allowed = {verb for verb in VERBS if self.allowed(user, verb, resource, namespace)}
            found |= {resource: allowed} if allowed else {}
        return found

    def allowed(self, user: str, verb: str, resource: str, namespace: str) -> bool:
        name, _, sub = resource.partition("/")
        asked = {
            "group": names.GROUP,
            "resource": name,
            "subresource": sub,
            "verb": verb,
            "namespace": namespace,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": asked},
        }
        review = self.admin("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
        return bool(review["status"]["allowed"])

    def person(self, role: str) -> dict[str, str]:
        """The header of somebody who has that ClusterRole in the namespace."""
        if role not in self.people:
            name = f"person-{role}"
            self.plane.kubectl("-n", NAMESPACE, "create", "serviceaccount", name)
            subject = f"--serviceaccount={NAMESPACE}:{name}"
            self.plane.kubectl(
                "-n", NAMESPACE, "create", "rolebinding", name, f"--clusterrole={role}", subject
            )
            self.people[role] = {"Authorization": f"Bearer {self.plane.token(NAMESPACE, name)}"}
        return self.people[role]

    def create_job(self) -> Json:
        body = _job_manifest(f"job-{secrets.token_hex(4)}")
        return self.admin("POST", JOBS, body)


def _job_manifest(name: str, **more: Json) -> Json:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"video": {"uri": "s3://playerscore/scoring/uploads/x.mp4"}},
        **more,
    }


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    objects = render(values=VALUES)
    with ControlPlane(controllers=True) as plane:
        plane.kubectl("create", "namespace", SYSTEM)
        apply(plane, [item for item in objects if item["kind"] != "ValidatingWebhookConfiguration"])
        trust = ssl.create_default_context(cafile=str(plane.ca))
        with httpx.Client(base_url=plane.url, verify=trust, timeout=20) as http:
            found = Server(plane, http)
            apply(plane, [_binding(number, *who[:2]) for number, who in enumerate(PEOPLE.values()) if who[0]])
            _until_aggregated(found)
            yield found


def _binding(number: int, role: str, everywhere: bool) -> Json:
    """What gives `user-<number>` a role."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
        "metadata": {"name": f"user-{number}", "namespace": None if everywhere else NAMESPACE},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": f"user-{number}"}],
    }


def _until_aggregated(server: Server) -> None:
    """The controller adds our rules to Kubernetes' own roles in a moment; `admin` comes last."""
    end = time.monotonic() + 30
    while not server.allowed("user-6", "delete", RUNTIME, ""):
        assert time.monotonic() < end, "never aggregated"
        time.sleep(0.2)


# --- the table ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
def test_people_may_do_this_and_no_more(server: Server, who: str) -> None:
    assert server.rights(f"user-{list(PEOPLE).index(who)}") == PEOPLE[who][2]


@pytest.mark.parametrize("who", ACCOUNTS)
def test_programs_may_do_this_and_no_more(server: Server, who: str) -> None:
    user, rights = ACCOUNTS[who]

    assert server.rights(user) == rights


def test_an_editor_of_one_namespace_is_a_stranger_in_another(server: Server) -> None:
    editor = f"user-{list(PEOPLE).index('editor of the namespace')}"

    assert server.allowed(editor, "create", JOB, NAMESPACE)
    assert not [verb for verb in VERBS if server.allowed(editor, verb, JOB, "default")]


def test_only_operator_and_workers_are_given_the_status() -> None:
    """Read from the chart itself, wildcards included."""
    writers = set()
    for item in render(values=VALUES):
        for rule in item.get("rules") or []:
            ours = {names.GROUP, "*"} & set(rule.get("apiGroups") or [])
            status = {STATUS, "*", "*/status"} & set(rule.get("resources") or [])
            if ours and status and set(rule["verbs"]) - READ:
                writers.add((item["kind"], item["metadata"]["name"]))

    assert writers == {("ClusterRole", "playerscore-operator"), ("Role", names.WORKER_ACCOUNT)}


def test_the_policies_have_no_type_errors(server: Server) -> None:
    """The API server's own type check, against the CRD's schema."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    end = time.monotonic() + 20
    while True:
        found = {item["metadata"]["name"]: item for item in server.admin("GET", path)["items"]}
        ours = {name: found[f"playerscore-worker-{name}"] for name in ("confinement", "identity")}
        if all("typeChecking" in item.get("status", {}) for item in ours.values()):
            break
        assert time.monotonic() < end, "never checked"
        time.sleep(0.2)

    assert {name: item["status"]["typeChecking"] for name, item in ours.items()} == {
        name: {} for name in ours
    }


# --- forging by people ------------------------------------------------------------------------------------------

FORGED = {
    "preview": manifest(make_preview()),
    "result": manifest(make_result()),
    "run": {"attempt": 7},
    "progress": {"step": "COMPLETED", "percent": 100},
}
THROUGH_THE_JOB = {
    "merge patch": ("PATCH", "merge-patch+json", {"status": FORGED}),
    "JSON patch": (
        "PATCH",
        "json-patch+json",
        [{"op": "add", "path": f"/status/{key}", "value": value} for key, value in FORGED.items()],
    ),
    "server-side apply": ("PATCH", "apply-patch+yaml", {"status": FORGED}),
    "replace": ("PUT", "json", {"status": FORGED}),
}
ROLES = ("edit", "admin", "playerscore-editor")


@pytest.fixture(scope="module", params=ROLES)
def person(request: pytest.FixtureRequest, server: Server) -> dict[str, str]:
    return server.person(str(request.param))


def _status_of(server: Server, name: str) -> Json:
    return dict(server.admin("GET", f"{JOBS}/{name}")["status"])


@pytest.mark.parametrize("way", ["create", "server-side apply"])
def test_a_status_that_comes_with_a_new_job_is_dropped(
    server: Server, person: dict[str, str], way: str
) -> None:
    name = f"new-{secrets.token_hex(4)}"
    body = _job_manifest(name, status=FORGED)
    if way == "create":
        answer = server.ask("POST", JOBS, body, **person)
    else:
        path = f"{JOBS}/{name}?fieldManager=git&force=true"
        answer = server.ask("PATCH", path, body, kind="apply-patch+yaml", **person)

    assert answer.status_code == 201, answer.text
    assert _status_of(server, name) == {"observedGeneration": -1}


@pytest.mark.parametrize("way", THROUGH_THE_JOB)
def test_a_status_in_a_write_of_the_job_is_dropped(server: Server, person: dict[str, str], way: str) -> None:
    method, kind, body = THROUGH_THE_JOB[way]
    job = server.create_job()
    name = job["metadata"]["name"]
    if isinstance(body, dict):
        whole = job if method == "PUT" else _job_manifest(name)
        whole["metadata"].pop("managedFields", None)
        body = {**whole, **body}
    query = "?fieldManager=git&force=true" if "apply" in kind else ""
    answer = server.ask(method, f"{JOBS}/{name}{query}", body, kind=kind, **person)

    assert answer.status_code == 200, answer.text
    assert _status_of(server, name) == {"observedGeneration": -1}


@pytest.mark.parametrize("way", THROUGH_THE_JOB)
def test_the_status_itself_is_closed_to_people(server: Server, person: dict[str, str], way: str) -> None:
    method, kind, body = THROUGH_THE_JOB[way]
    name = server.create_job()["metadata"]["name"]
    body = {**_job_manifest(name), **body} if isinstance(body, dict) else body
    query = "?fieldManager=git&force=true" if "apply" in kind else ""
    answer = server.ask(method, f"{JOBS}/{name}/status{query}", body, kind=kind, **person)

    assert answer.status_code == 403
    assert "cannot" in answer.json()["message"], "RBAC's words"
    assert _status_of(server, name) == {"observedGeneration": -1}


# --- becoming a worker ------------------------------------------------------------------------------------------

SECURE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
WORKER_POD = f"sj-{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}-1-abcde"
TOKEN: Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
BOUND = TOKEN | {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": WORKER_POD}}}
OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "x", "controller": True}


def pod_spec(account: str = names.WORKER_ACCOUNT) -> Json:
    return {
        "serviceAccountName": account,
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "analyze", "image": "none", "securityContext": SECURE}],
    }


def a_pod(account: str = names.WORKER_ACCOUNT, *owners: Json) -> Json:
    metadata = {"generateName": "pod-", "ownerReferences": list(owners)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(account)}


def a_job(account: str = names.WORKER_ACCOUNT) -> Json:
    spec = {"template": {"spec": pod_spec(account)}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "job-"}, "spec": spec}


ACCOUNT_TOKEN = f"{CORE}/serviceaccounts/{names.WORKER_ACCOUNT}/token"
IMAGE = {"spec": {"containers": [{"name": "analyze", "image": "mine"}]}}
EPHEMERAL = {"spec": {"ephemeralContainers": [{"name": "look", "image": "mine", "securityContext": SECURE}]}}
STRATEGIC = "strategic-merge-patch+json"
BATCH = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
BECOMING: dict[str, tuple[str, str, Any, str]] = {
    "ask for the account's token": ("POST", ACCOUNT_TOKEN, TOKEN, "json"),
    "ask for a token bound to a worker's pod": ("POST", ACCOUNT_TOKEN, BOUND, "json"),
    "run a pod with the account": ("POST", f"{CORE}/pods", a_pod(), "json"),
    "run a pod that claims to be a Job's": (
        "POST",
        f"{CORE}/pods",
        a_pod(names.WORKER_ACCOUNT, OWNER),
        "json",
    ),
    "run a Job with the account": ("POST", BATCH, a_job(), "json"),
    "enter a worker's pod": ("POST", f"{CORE}/pods/{WORKER_POD}/exec?command=sh&stdin=true", None, "json"),
    "attach to a worker's pod": ("POST", f"{CORE}/pods/{WORKER_POD}/attach?stdin=true", None, "json"),
    "put another image into a worker's pod": ("PATCH", f"{CORE}/pods/{WORKER_POD}", IMAGE, STRATEGIC),
    "put a container beside a worker's": (
        "PATCH",
        f"{CORE}/pods/{WORKER_POD}/ephemeralcontainers",
        EPHEMERAL,
        STRATEGIC,
    ),
}
NOT_ABOUT_WORKERS: dict[str, tuple[str, str, Any, str]] = {
    "ask for another account's token": ("POST", f"{CORE}/serviceaccounts/default/token", TOKEN, "json"),
    "run a pod with another account": ("POST", f"{CORE}/pods", a_pod("default"), "json"),
    "run a Job with another account": ("POST", BATCH, a_job("default"), "json"),
    "label a worker's pod": (
        "PATCH",
        f"{CORE}/pods/{WORKER_POD}",
        {"metadata": {"labels": {"a": "b"}}},
        "merge-patch+json",
    ),
    "delete a worker's pod": ("DELETE", f"{CORE}/pods/{WORKER_POD}?dryRun=All", None, "json"),
}
CONTROLLER = "system:serviceaccount:kube-system:job-controller"
PARTS: dict[str, tuple[dict[str, str], str, Any, bool]] = {
    "the kubelet asks for a worker's token": (
        {"Impersonate_User": "system:node:n", "Impersonate_Group": "system:nodes"},
        ACCOUNT_TOKEN,
        BOUND,
        True,
    ),
    "the Job controller runs a Job's pod": (
        {"Impersonate_User": CONTROLLER},
        f"{CORE}/pods",
        a_pod(names.WORKER_ACCOUNT, OWNER),
        True,
    ),
    "one controller for all runs a Job's pod": (
        {"Impersonate_User": "system:kube-controller-manager"},
        f"{CORE}/pods",
        a_pod(names.WORKER_ACCOUNT, OWNER),
        True,
    ),
    "one controller for all runs a ReplicaSet's pod": (
        {"Impersonate_User": "system:kube-controller-manager"},
        f"{CORE}/pods",
        a_pod(names.WORKER_ACCOUNT, OWNER | {"apiVersion": "apps/v1", "kind": "ReplicaSet"}),
        False,
    ),
    "the ReplicaSet controller runs a pod": (
        {"Impersonate_User": "system:serviceaccount:kube-system:replicaset-controller"},
        f"{CORE}/pods",
        a_pod(names.WORKER_ACCOUNT, OWNER),
        False,
    ),
    "the CronJob controller runs a Job": (
        {"Impersonate_User": "system:serviceaccount:kube-system:cronjob-controller"},
        BATCH,
        a_job(),
        False,
    ),
    "the operator runs a Job": (
        {"Impersonate_User": f"system:serviceaccount:{SYSTEM}:playerscore-operator"},
        BATCH,
        a_job(),
        True,
    ),
}


@pytest.fixture(scope="module")
def _worker_pod(server: Server) -> None:
    """A worker's pod, of the kind that the operator's Jobs have, and rights that a cluster may give."""
    pod = a_pod(names.WORKER_ACCOUNT, OWNER)
    pod["metadata"] = {"name": WORKER_POD}
    server.admin("POST", f"{CORE}/pods", pod)
    everyone = f"--group=system:serviceaccounts:{NAMESPACE}"
    grants = (
        ("role", "debug", "--verb=patch", "--resource=pods/ephemeralcontainers"),
        ("rolebinding", "debug", "--role=debug", everyone),
        ("rolebinding", "node", "--clusterrole=system:node", "--user=system:node:n"),
        ("rolebinding", "controllers", "--clusterrole=edit", "--user=system:kube-controller-manager"),
    )
    for grant in grants:
        server.plane.kubectl("-n", NAMESPACE, "create", *grant)


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 403 and "ValidatingAdmissionPolicy 'playerscore-worker-" in answer.text


@pytest.mark.usefixtures("_worker_pod")
@pytest.mark.parametrize("role", ["edit", "admin"])
@pytest.mark.parametrize("way", BECOMING)
def test_nobody_becomes_a_worker_who_may_not_write_a_status(server: Server, role: str, way: str) -> None:
    method, path, body, kind = BECOMING[way]
    answer = server.ask(method, path, body, kind=kind, **server.person(role))

    assert refused(answer), answer.text


@pytest.mark.usefixtures("_worker_pod")
@pytest.mark.parametrize("way", NOT_ABOUT_WORKERS)
def test_editors_keep_what_is_not_about_workers(server: Server, way: str) -> None:
    method, path, body, kind = NOT_ABOUT_WORKERS[way]
    answer = server.ask(method, path, body, kind=kind, **server.person("edit"))

    assert answer.is_success, answer.text


@pytest.mark.usefixtures("_worker_pod")
@pytest.mark.parametrize("part", PARTS)
def test_the_cluster_itself_still_makes_workers(server: Server, part: str) -> None:
    who, path, body, works = PARTS[part]
    answer = server.ask("POST", path, body, **who)

    assert answer.is_success if works else refused(answer), answer.text


WORKER = f"system:serviceaccount:{NAMESPACE}:{names.WORKER_ACCOUNT}"
RBAC = "rbac.authorization.k8s.io"
GIVING: dict[str, tuple[str, str, Any, str]] = {
    "bind the worker's role": (
        "POST",
        f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}/rolebindings",
        {
            "metadata": {"name": "mine"},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "playerscore-worker"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "mallory"}],
        },
        "json",
    ),
    "make a role with the status": (
        "POST",
        f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}/roles",
        {
            "metadata": {"name": "mine"},
            "rules": [{"apiGroups": [names.GROUP], "resources": [STATUS], "verbs": ["patch"]}],
        },
        "json",
    ),
}


@pytest.fixture(scope="module")
def _worker_who_administers(server: Server) -> Iterator[None]:
    """A namespace's admin may bind his own role to the worker's account, and be that account."""
    path = f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}/rolebindings"
    binding = {
        "metadata": {"name": "worker-administers"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": names.WORKER_ACCOUNT, "namespace": NAMESPACE}],
    }
    answer = server.ask("POST", path, binding, **server.person("admin"))
    assert answer.is_success, answer.text
    end = time.monotonic() + 10
    while not server.allowed(WORKER, "delete", JOB, NAMESPACE):
        assert time.monotonic() < end, "the binding never came into force"
        time.sleep(0.1)
    yield
    server.admin("DELETE", f"{path}/worker-administers")


@pytest.mark.usefixtures("_worker_pod", "_worker_who_administers")
@pytest.mark.parametrize("way", {**BECOMING, **GIVING})
def test_the_workers_account_makes_no_worker_and_gives_nobody_its_right(server: Server, way: str) -> None:
    method, path, body, kind = {**BECOMING, **GIVING}[way]
    answer = server.ask(method, path, body, kind=kind, Impersonate_User=WORKER, **server.person("admin"))

    assert refused(answer), answer.text


def test_a_borrowed_name_is_no_worker(server: Server) -> None:
    """Kubernetes' edit may impersonate the namespace's accounts, but not the pod that a token is bound to."""
    name = server.create_job()["metadata"]["name"]
    server.admin(
        "PATCH", f"{JOBS}/{name}/status", {"status": {"run": {"attempt": 1}}}, kind="merge-patch+json"
    )
    worker = {"Impersonate_User": WORKER}
    body = {"status": {"result": FORGED["result"]}}
    answer = server.ask(
        "PATCH", f"{JOBS}/{name}/status", body, kind="merge-patch+json", **server.person("edit"), **worker
    )

    assert refused(answer), answer.text
