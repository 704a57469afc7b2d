"""What the rendered chart grants and opens: table tests over every shape in which it can be installed."""

import json
import re
from typing import Any

import pytest

from chart import NAMESPACE, of_kind, one, render

Json = dict[str, Any]
TENANT = "jobNamespaces[0].name=scoring,jobNamespaces[0].create=true"
EXTERNAL = "store.embedded.enabled=false,store.external.endpoint=https://s3.example.com,store.external.existingSecret=s3"
WEIGHTS = "runtimes.gpu.spec.detector.weights"
GPU = f"runtimes.gpu.enabled=true,{WEIGHTS}.uri=https://models.example/yolo.pt,{WEIGHTS}.sha256={'a' * 64}"
SHAPES = {
    "default": (TENANT,),
    "everything": (
        TENANT,
        "operator.replicas=2,api.replicas=2,monitoring.enabled=true",
        GPU,
    ),
    "an own store": (TENANT, EXTERNAL),
    "cert-manager": (TENANT, "admission.certificate.issuer=cert-manager"),
    "policy instead of a webhook": (TENANT, "admission.mode=policy"),
    "some namespaces only": (TENANT, "operator.namespaces={scoring}"),
    "no cluster roles": (TENANT, "operator.namespaces={scoring},rbac.clusterRoles=false"),
    "Cilium": (TENANT, "networkPolicies.cilium=true"),
    "TLS and an Ingress": (
        TENANT,
        "api.tls.enabled=true,api.tls.existingSecret=tls,api.ingress.enabled=true,api.ingress.backend=https",
    ),
}
PARTS_WITH_TOKEN = {"operator", "api", "sweep", "store-secret"}
"""What asks the API server; everything else has no token at all."""
NAMED_SECRETS = {
    "playerscore-operator": {"playerscore-webhook-tls", "playerscore-webhook-ca"},
    "playerscore-store-secret": {"playerscore-store-credentials"},
}
"""The Secrets that a Role may name, by the Role."""
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


def shapes() -> Any:
    return pytest.mark.parametrize("sets", [pytest.param(sets, id=name) for name, sets in SHAPES.items()])


def pods(objects: list[Json]) -> dict[str, Json]:
    """The pod template of everything that runs, by its component label."""
    found = {}
    for item in of_kind(objects, *WORKLOADS):
        spec = item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]
        template = spec["template"]
        found[template["metadata"]["labels"]["app.kubernetes.io/component"]] = template
    return found


def containers(template: Json) -> list[Json]:
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


def rules(objects: list[Json]) -> list[tuple[str, str, Json]]:
    """(kind, name, rule) of everything that grants rights."""
    return [
        (item["kind"], item["metadata"]["name"], rule)
        for item in of_kind(objects, "Role", "ClusterRole")
        for rule in item.get("rules") or []
    ]


# --- rights ---------------------------------------------------------------------------------------------


@shapes()
def test_no_role_has_a_wildcard(sets: tuple[str, ...]) -> None:
    for kind, name, rule in rules(render(*sets)):
        words = [word for values in rule.values() for word in values]
        assert not [word for word in words if "*" in word], f"{kind} {name}: {rule}"
        assert "nonResourceURLs" not in rule, f"{kind} {name}: {rule}"


@shapes()
def test_secrets_are_read_by_name_and_never_cluster_wide(sets: tuple[str, ...]) -> None:
    for kind, name, rule in rules(render(*sets)):
        if "secrets" not in rule["resources"]:
            continue
        assert kind == "Role", f"{kind} {name}: {rule}"
        assert not {"list", "watch", "delete", "deletecollection"} & set(rule["verbs"]), f"{name}: {rule}"
        if rule["verbs"] == ["create"]:
            continue  # a create cannot be held to a name
        assert set(rule["resourceNames"]) <= NAMED_SECRETS[name], f"{name}: {rule}"


POWERS = {"escalate", "bind", "impersonate", "approve", "sign"}
DANGEROUS = {
    "pods/exec",
    "pods/attach",
    "pods/portforward",
    "pods/ephemeralcontainers",
    "nodes/proxy",
    "serviceaccounts/token",
}


@shapes()
def test_nobody_can_raise_rights_or_enter_pods(sets: tuple[str, ...]) -> None:
    for kind, name, rule in rules(render(*sets)):
        assert not POWERS & set(rule["verbs"]), f"{kind} {name}: {rule}"
        assert not DANGEROUS & set(rule["resources"]), f"{kind} {name}: {rule}"
        granting = {"roles", "rolebindings", "clusterroles", "clusterrolebindings"} & set(rule["resources"])
        assert not granting, f"{kind} {name}: {rule}"
        if "pods" in rule["resources"]:
            assert set(rule["verbs"]) <= {"get", "list", "watch"}, f"{kind} {name}: {rule}"


@shapes()
def test_only_people_and_the_operators_ttl_write_scoringjobs(sets: tuple[str, ...]) -> None:
    writers: dict[str, set[str]] = {}
    for _, name, rule in rules(render(*sets)):
        if "scoringjobs" in rule["resources"] and "playerscore.dev" in rule["apiGroups"]:
            writers.setdefault(name, set()).update(set(rule["verbs"]) - {"get", "list", "watch"})

    people = {"create", "update", "patch", "delete", "deletecollection"}
    assert writers.pop("playerscore-editor", people) == people
    for name in ("playerscore-operator", "playerscore-operator-jobs"):
        assert writers.pop(name, set()) <= {"delete"}
    assert {name for name, verbs in writers.items() if verbs} == set()


@shapes()
def test_the_status_is_written_by_operator_and_worker_alone(sets: tuple[str, ...]) -> None:
    writers = {
        name
        for _, name, rule in rules(render(*sets))
        if "scoringjobs/status" in rule["resources"] and set(rule["verbs"]) - {"get", "list", "watch"}
    }

    everywhere, in_some = (
        {name, "playerscore-worker"} for name in ("playerscore-operator", "playerscore-operator-jobs")
    )
    assert writers in (everywhere, in_some)


@shapes()
def test_a_worker_may_patch_a_status_and_nothing_else(sets: tuple[str, ...]) -> None:
    worker = one(render(*sets), "Role", "playerscore-worker")

    assert worker["rules"] == [
        {"apiGroups": ["playerscore.dev"], "resources": ["scoringjobs/status"], "verbs": ["patch"]}
    ]


@shapes()
def test_every_binding_is_to_a_role_and_an_account_of_the_chart(sets: tuple[str, ...]) -> None:
    objects = render(*sets)
    roles = {(item["kind"], item["metadata"]["name"]) for item in of_kind(objects, "Role", "ClusterRole")}
    accounts = {
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in of_kind(objects, "ServiceAccount")
    }
    for binding in of_kind(objects, "RoleBinding", "ClusterRoleBinding"):
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles, binding["metadata"]["name"]
        for subject in binding["subjects"]:
            assert subject["kind"] == "ServiceAccount", binding["metadata"]["name"]
            assert (subject["namespace"], subject["name"]) in accounts, binding["metadata"]["name"]


# --- pods -----------------------------------------------------------------------------------------------


@shapes()
def test_tokens_are_only_where_the_api_server_is_asked(sets: tuple[str, ...]) -> None:
    objects = render(*sets)
    accounts = {item["metadata"]["name"]: item for item in of_kind(objects, "ServiceAccount")}
    for part, template in pods(objects).items():
        account = accounts.get(template["spec"].get("serviceAccountName", ""), {})
        mounted = template["spec"].get(
            "automountServiceAccountToken", account.get("automountServiceAccountToken", True)
        )
        assert mounted == (part in PARTS_WITH_TOKEN), part
        if mounted:
            assert account, f"{part} has the namespace's default account"
    assert accounts["playerscore-worker"]["automountServiceAccountToken"] is False


@shapes()
def test_no_container_is_root_or_writes_into_its_image(sets: tuple[str, ...]) -> None:
    for part, template in pods(render(*sets)).items():
        pod = template["spec"]["securityContext"]
        assert pod["runAsNonRoot"] is True, part
        assert pod["runAsUser"] > 0, part
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, part
        for container in containers(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, part
            assert "memory" in container["resources"]["limits"], part


@shapes()
def test_no_pod_touches_the_node(sets: tuple[str, ...]) -> None:
    for part, template in pods(render(*sets)).items():
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), part
        assert not [volume for volume in spec.get("volumes", []) if "hostPath" in volume], part
        assert not [
            port for item in containers(template) for port in item.get("ports", []) if "hostPort" in port
        ]
        assert spec["enableServiceLinks"] is False, part


@shapes()
def test_scratch_space_is_limited(sets: tuple[str, ...]) -> None:
    for part, template in pods(render(*sets)).items():
        for volume in template["spec"].get("volumes", []):
            if "emptyDir" in volume:
                assert volume["emptyDir"].get("sizeLimit"), f"{part}: {volume}"


DIGESTS = {"image": "a" * 64, "workerImage": "b" * 64, "store.image": "c" * 64, "workerGpuImage": "d" * 64}


@shapes()
def test_every_image_can_be_pinned_by_digest(sets: tuple[str, ...]) -> None:
    pins = ",".join(f"{path}.digest=sha256:{digest}" for path, digest in DIGESTS.items())
    objects = render(*sets, pins)
    images = [container["image"] for template in pods(objects).values() for container in containers(template)]
    images += [item["spec"]["image"] for item in runtimes(objects).values()]

    assert images
    assert [image for image in images if not re.fullmatch(r"[a-z0-9./-]+@sha256:([abcd])\1{63}", image)] == []


def runtimes(objects: list[Json]) -> dict[str, Json]:
    """The ScoringRuntimes that the operator applies, by name."""
    listed = json.loads(one(objects, "ConfigMap", "playerscore-runtimes")["data"]["runtimes.json"])
    return {item["metadata"]["name"]: item for item in listed}


def test_the_gpu_runtime_has_the_gpu_image_and_a_detector_that_uses_a_gpu() -> None:
    found = runtimes(render(GPU))

    assert set(found) == {"cpu", "gpu"}
    assert found["gpu"]["spec"]["image"] == "playerscore/worker-gpu:0.1.0"
    assert found["gpu"]["spec"]["detector"]["name"] == "ultralytics"
    assert found["gpu"]["spec"]["accelerator"]["resourceName"] == "nvidia.com/gpu"
    assert found["cpu"]["spec"]["image"] == "playerscore/worker:0.1.0"


@pytest.mark.parametrize("detector", ["ultralytics", "onnx"])
def test_a_detector_without_the_weights_that_it_needs_is_refused(detector: str) -> None:
    with pytest.raises(AssertionError, match=r"runtimes\.gpu: the detector .* needs weights"):
        render(f"runtimes.gpu.enabled=true,runtimes.gpu.spec.detector.name={detector}")


def test_only_one_runtime_is_the_default_and_a_removed_one_is_none() -> None:
    with pytest.raises(AssertionError, match="only one enabled runtime may be the default"):
        render(GPU, "runtimes.gpu.default=true")

    assert set(runtimes(render(values={"runtimes": {"cpu": None}}))) == set()


def test_another_list_of_runtimes_is_another_operator_pod() -> None:
    def mark(*sets: str) -> str:
        template = one(render(*sets), "Deployment", "playerscore-operator")["spec"]["template"]
        return str(template["metadata"]["annotations"]["playerscore.dev/runtimes"])

    assert mark() == mark() != mark(GPU)


def test_a_digest_that_is_none_is_refused() -> None:
    with pytest.raises(AssertionError, match="digest"):
        render("image.digest=sha256:short")


def test_credentials_of_the_store_reach_only_what_speaks_to_it() -> None:
    holders = {
        part
        for part, template in pods(render(TENANT)).items()
        for container in containers(template)
        for variable in container.get("env", [])
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    mounting = {
        part
        for part, template in pods(render(TENANT)).items()
        for volume in template["spec"].get("volumes", [])
        if volume.get("secret", {}).get("secretName") == "playerscore-store-credentials"
    }

    assert (holders, mounting) == ({"store"}, {"api", "sweep"})


def test_a_created_namespace_enforces_restricted() -> None:
    labels = one(render(TENANT), "Namespace", "scoring")["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


# --- network --------------------------------------------------------------------------------------------


def selects(policy: Json, labels: dict[str, str]) -> bool:
    wanted = policy["spec"]["podSelector"].get("matchLabels", {})
    return set(wanted.items()) <= set(labels.items())


@shapes()
def test_every_pod_is_behind_a_policy_for_both_directions(sets: tuple[str, ...]) -> None:
    objects = render(*sets)
    policies = of_kind(objects, "NetworkPolicy")
    for part, template in pods(objects).items():
        mine = [item for item in policies if selects(item, template["metadata"]["labels"])]
        if part == "store-secret":
            continue  # runs before the release's objects are there, and once
        assert {kind for item in mine for kind in item["spec"]["policyTypes"]} == {"Ingress", "Egress"}, part


def test_a_worker_is_behind_a_policy_in_its_namespace() -> None:
    (policy,) = [
        item
        for item in of_kind(render(TENANT), "NetworkPolicy")
        if item["metadata"]["namespace"] == "scoring"
    ]

    assert policy["spec"]["podSelector"] == {"matchLabels": {"playerscore.dev/role": "worker"}}
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy["spec"], "nobody reaches a worker"


def peers(rule: Json, direction: str) -> set[str]:
    """Whom a rule opens to, in words."""
    if direction not in rule:
        return {"anybody"}
    found = set()
    for peer in rule[direction]:
        if "ipBlock" in peer:
            found.add("addresses")
        else:
            labels = peer.get("podSelector", {}).get("matchLabels", {})
            found.add(
                labels.get("app.kubernetes.io/component") or labels.get("playerscore.dev/role") or "every pod"
            )
    return found


def ports(rule: Json) -> set[int]:
    return {item["port"] for item in rule["ports"]}


def opened(objects: list[Json], name: str, namespace: str, direction: str) -> set[tuple[str, int]]:
    """(peer, port) that a policy opens in one direction."""
    (policy,) = [
        item
        for item in of_kind(objects, "NetworkPolicy")
        if (item["metadata"]["name"], item["metadata"]["namespace"]) == (name, namespace)
    ]
    key, side = ("ingress", "from") if direction == "in" else ("egress", "to")
    return {
        (peer, port)
        for rule in policy["spec"].get(key, [])
        for peer in peers(rule, side)
        for port in ports(rule)
    }


DNS = {("anybody", 53)}
API_SERVER = {("addresses", 443), ("addresses", 6443)}


@pytest.mark.parametrize(
    ("name", "namespace", "direction", "expected"),
    [
        pytest.param("playerscore-operator", NAMESPACE, "in", {("anybody", 8080)}, id="operator, in"),
        pytest.param("playerscore-operator", NAMESPACE, "out", DNS | API_SERVER, id="operator, out"),
        pytest.param(
            "playerscore-webhook", NAMESPACE, "in", {("anybody", 8443), ("anybody", 8080)}, id="webhook, in"
        ),
        pytest.param("playerscore-webhook", NAMESPACE, "out", set(), id="webhook, out: asks nobody"),
        pytest.param("playerscore-api", NAMESPACE, "in", {("anybody", 8080)}, id="api, in"),
        pytest.param(
            "playerscore-api", NAMESPACE, "out", DNS | API_SERVER | {("store", 7070)}, id="api, out"
        ),
        pytest.param("playerscore-store", NAMESPACE, "out", set(), id="store, out: asks nobody"),
        pytest.param("playerscore-worker", "scoring", "in", set(), id="worker, in: nobody"),
        pytest.param(
            "playerscore-worker",
            "scoring",
            "out",
            DNS | API_SERVER | {("api", 8080), ("store", 7070)},
            id="worker, out",
        ),
    ],
)
def test_what_the_policies_open(
    name: str, namespace: str, direction: str, expected: set[tuple[str, int]]
) -> None:
    assert opened(render(TENANT), name, namespace, direction) == expected


def test_the_store_is_reached_by_those_who_need_it() -> None:
    found = opened(render(TENANT), "playerscore-store", NAMESPACE, "in")

    assert {("api", 7070), ("worker", 7070)} <= found <= {("api", 7070), ("worker", 7070), ("sweep", 7070)}


def test_no_policy_opens_the_clouds_metadata_service() -> None:
    for policy in of_kind(render(TENANT), "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for peer in rule.get("to", []):
                if "ipBlock" in peer and peer["ipBlock"]["cidr"] == "0.0.0.0/0":
                    assert "169.254.0.0/16" in peer["ipBlock"]["except"], policy["metadata"]["name"]


def test_the_api_servers_addresses_narrow_the_policies() -> None:
    sets = "networkPolicies.apiServerCidrs={10.0.0.1/32,10.0.0.2/32}"
    for policy in of_kind(render(TENANT, sets), "NetworkPolicy"):
        blocks = [
            peer["ipBlock"]["cidr"]
            for rule in policy["spec"].get("egress", [])
            for peer in rule.get("to", [])
            if "ipBlock" in peer
        ]
        assert set(blocks) <= {"10.0.0.1/32", "10.0.0.2/32"}, policy["metadata"]["name"]


def test_policies_can_be_left_out() -> None:
    assert of_kind(render(TENANT, "networkPolicies.enabled=false"), "NetworkPolicy") == []
