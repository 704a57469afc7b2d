"""A real API server that enforces Pod Security `restricted`, and the chart's rights as its authorizer sees them."""

import copy
import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from builders import TEMPLATE, UID, make_ready_spec, make_runtime, make_status, manifest
from chart import NAMESPACE, of_kind, render
from controlplane import ControlPlane
from playerscore.resources import Accelerator, ScoringRuntimeSpec
from playerscore_operator.manifests import analysis_job, preview_job
from playerscore_operator.observe import Observed

Json = dict[str, Any]
SETS = (
    "jobNamespaces[0].name=scoring",
    "jobNamespaces[0].create=true",
    "monitoring.enabled=true",
)
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")
RIGHTS = ("Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


class Cluster:
    """The API server with the chart's namespaces, accounts and rights."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        trusted = ssl.create_default_context(cafile=str(plane.ca))
        self.http = httpx.Client(base_url=plane.url, headers=plane.headers(), verify=trusted)

    def create(self, body: Json) -> httpx.Response:
        """Create a pod."""
        return self.http.post(f"/api/v1/namespaces/{body['metadata']['namespace']}/pods", json=body)

    def may(self, who: str, verb: str, what: str, namespace: str | None, name: str | None) -> bool:
        """Whether an account (`namespace/name`) may do that; `what` is `group/resource[/subresource]`."""
        group, _, resource = what.partition("/")
        resource, _, subresource = resource.partition("/")
        asked = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        asked |= {"namespace": namespace or "", "name": name or ""}
        user = f"system:serviceaccount:{who.replace('/', ':')}"
        groups = [
            "system:serviceaccounts",
            f"system:serviceaccounts:{who.split('/')[0]}",
            "system:authenticated",
        ]
        review = {"spec": {"user": user, "groups": groups, "resourceAttributes": asked}}
        answer = self.http.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review)
        return bool(answer.json()["status"]["allowed"])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ControlPlane() as plane:
        found = Cluster(plane)
        own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        own["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}  # type: ignore[index]
        objects = [own, *of_kind(render(*SETS), *RIGHTS)]
        plane.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )
        yield found
        found.http.close()


# --- Pod Security ---------------------------------------------------------------------------------------


def chart_pods() -> dict[str, Json]:
    """The pods of everything that the chart runs, by part."""
    found = {}
    for item in of_kind(render(*SETS), *WORKLOADS):
        spec = item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]
        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
        found[name] = pod_of(spec["template"], name, namespace)
    return found


def pod_of(template: Json, name: str, namespace: str) -> Json:
    metadata = {"name": name, "namespace": namespace, "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def worker_pods() -> dict[str, Json]:
    """The pods that the operator's Jobs make: preview, analysis, analysis on a GPU, and with all that a template says."""
    accelerator = Accelerator.model_validate(
        {
            "resourceName": "nvidia.com/gpu",
            "count": 1,
            "nodeSelector": {"gpu": "yes"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        }
    )
    plain = make_runtime().spec
    gpu = plain.model_copy(update={"accelerator": accelerator})
    job = observed()
    jobs = {
        "preview": preview_job(job, plain, 1, "http://api:8080"),
        "analysis": analysis_job(job, plain, 1, "http://api:8080"),
        "analysis-gpu": analysis_job(job, gpu, 1, "http://api:8080"),
        "preview-templated": preview_job(job, templated(), 1, "http://api:8080"),
        "analysis-templated": analysis_job(job, templated(), 1, "http://api:8080"),
        "analysis-openshift": analysis_job(job, templated(securityContext={}), 1, "http://api:8080"),
    }
    return {name: pod_of(body["spec"]["template"], name, "scoring") for name, body in jobs.items()}


def templated(**changes: Any) -> ScoringRuntimeSpec:
    """A runtime whose template says all that it may."""
    return ScoringRuntimeSpec.model_validate(
        manifest(make_runtime())["spec"] | {"template": TEMPLATE | changes}
    )


def observed() -> Observed:
    return Observed(
        namespace="scoring",
        name="final",
        uid=UID,
        generation=1,
        resource_version="1",
        spec=make_ready_spec(),
        status=make_status(),
    )


PODS = {**chart_pods(), **worker_pods()}


@pytest.mark.parametrize("name", PODS)
def test_pods_pass_pod_security_restricted(cluster: Cluster, name: str) -> None:
    answer = cluster.create(PODS[name])

    assert answer.status_code == 201, answer.json()["message"]


def test_every_part_was_tried() -> None:
    assert {"playerscore-operator", "playerscore-webhook", "playerscore-api", "playerscore-store"} < set(PODS)
    assert {"preview", "analysis", "analysis-gpu"} < set(PODS)


@pytest.mark.parametrize("namespace", [NAMESPACE, "scoring"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("runAsNonRoot", False, id="root"),
        pytest.param("seccompProfile", {"type": "Unconfined"}, id="any system call"),
    ],
)
def test_the_namespaces_do_enforce_it(cluster: Cluster, namespace: str, field: str, value: object) -> None:
    bad = copy.deepcopy(PODS["analysis"])
    bad["metadata"] |= {"name": "bad", "namespace": namespace}
    bad["spec"]["securityContext"][field] = value

    answer = cluster.create(bad)

    assert answer.status_code == 403
    assert "violates PodSecurity" in answer.json()["message"]


def test_only_the_reporter_of_a_worker_holds_tokens() -> None:
    for name, pod in worker_pods().items():
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]:
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            expected = {"kube-token", "api-token"} if container["name"] == "report" else set()
            assert {mount for mount in mounts if "token" in mount} == expected, (name, container["name"])


# --- rights, as the authorizer sees them ----------------------------------------------------------------

OPERATOR = f"{NAMESPACE}/playerscore-operator"
API = f"{NAMESPACE}/playerscore-api"
WEBHOOK = f"{NAMESPACE}/playerscore-webhook"
WORKER = "scoring/playerscore-worker"
DEFAULT = "scoring/default"


@pytest.mark.parametrize(
    ("who", "verb", "what", "namespace", "name", "expected"),
    [
        pytest.param(OPERATOR, "list", "playerscore.dev/scoringjobs", None, None, True, id="operator lists jobs"),
        pytest.param(OPERATOR, "patch", "playerscore.dev/scoringjobs/status", "scoring", "x", True, id="operator writes status"),
        pytest.param(OPERATOR, "patch", "playerscore.dev/scoringjobs", "scoring", "x", False, id="operator never writes a spec"),
        pytest.param(OPERATOR, "create", "batch/jobs", "scoring", None, True, id="operator starts pods where it may"),
        pytest.param(OPERATOR, "create", "batch/jobs", "default", None, False, id="operator starts no pods elsewhere"),
        pytest.param(OPERATOR, "create", "batch/jobs", NAMESPACE, None, False, id="operator starts none beside itself"),
        pytest.param(OPERATOR, "create", "/pods", "scoring", None, False, id="operator makes no pods itself"),
        pytest.param(OPERATOR, "create", "/pods/exec", "scoring", "x", False, id="operator enters no pod"),
        pytest.param(OPERATOR, "get", "/secrets", NAMESPACE, "playerscore-webhook-tls", True, id="operator reads its certificate"),
        pytest.param(OPERATOR, "get", "/secrets", NAMESPACE, "playerscore-store-credentials", False, id="operator reads not the store's keys"),
        pytest.param(OPERATOR, "list", "/secrets", NAMESPACE, None, False, id="operator lists no secrets"),
        pytest.param(OPERATOR, "get", "/secrets", "scoring", "x", False, id="operator reads no tenant's secret"),
        pytest.param(OPERATOR, "patch", "coordination.k8s.io/leases", NAMESPACE, "playerscore-operator", True, id="operator renews its Lease"),
        pytest.param(OPERATOR, "patch", "coordination.k8s.io/leases", "kube-system", "kube-scheduler", False, id="operator takes no other Lease"),
        pytest.param(OPERATOR, "patch", "admissionregistration.k8s.io/validatingwebhookconfigurations", None, "playerscore", True, id="operator keeps its webhook's bundle"),
        pytest.param(OPERATOR, "patch", "admissionregistration.k8s.io/validatingwebhookconfigurations", None, "other", False, id="operator touches no other webhook"),
        pytest.param(OPERATOR, "create", "rbac.authorization.k8s.io/rolebindings", "scoring", None, False, id="operator grants nothing"),
        pytest.param(API, "get", "playerscore.dev/scoringjobs", "scoring", "x", True, id="api reads a job for its pod"),
        pytest.param(API, "list", "playerscore.dev/scoringjobs", "scoring", None, False, id="api lists only with people's tokens"),
        pytest.param(API, "patch", "playerscore.dev/scoringjobs", "scoring", "x", False, id="api writes only with people's tokens"),
        pytest.param(API, "create", "authentication.k8s.io/tokenreviews", None, None, True, id="api checks pods' tokens"),
        pytest.param(API, "get", "/secrets", NAMESPACE, "playerscore-store-credentials", False, id="api gets its keys mounted, not read"),
        pytest.param(API, "impersonate", "/users", None, "admin", False, id="api impersonates nobody"),
        pytest.param(WEBHOOK, "get", "playerscore.dev/scoringjobs", "scoring", "x", False, id="webhook asks nothing"),
        pytest.param(WORKER, "patch", "playerscore.dev/scoringjobs/status", "scoring", "x", True, id="worker reports"),
        pytest.param(WORKER, "patch", "playerscore.dev/scoringjobs/status", "default", "x", False, id="worker reports not elsewhere"),
        pytest.param(WORKER, "get", "playerscore.dev/scoringjobs", "scoring", "x", False, id="worker reads no job"),
        pytest.param(WORKER, "patch", "playerscore.dev/scoringjobs", "scoring", "x", False, id="worker writes no spec"),
        pytest.param(WORKER, "get", "/secrets", "scoring", "x", False, id="worker reads no secret"),
        pytest.param(WORKER, "create", "/pods", "scoring", None, False, id="worker makes no pods"),
        pytest.param(DEFAULT, "patch", "playerscore.dev/scoringjobs/status", "scoring", "x", False, id="a namespace's default account"),
    ],
)  # fmt: skip
def test_rights(
    cluster: Cluster, who: str, verb: str, what: str, namespace: str | None, name: str | None, expected: bool
) -> None:
    assert cluster.may(who, verb, what, namespace, name) is expected
