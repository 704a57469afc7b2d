"""What a platform team can set: each value is where Kubernetes looks for it, and a wrong one is named."""

import re
from typing import Any

import pytest

from chart import NAMESPACE, of_kind, one, render

Json = dict[str, Any]
TENANT: Json = {"jobNamespaces": [{"name": "scoring", "create": True}]}
DEPLOYMENTS = {
    "operator": ["operator"],
    "webhook": ["webhook"],
    "api": ["api"],
    "store": ["store", "embedded"],
}


def rendered(**values: Any) -> list[Json]:
    return render(values=TENANT | values)


def at(path: list[str], value: Json) -> Json:
    """Values with that at a path."""
    for key in reversed(path):
        value = {key: value}
    return value


def pod(objects: list[Json], part: str) -> Json:
    found: Json = one(objects, "Deployment", f"playerscore-{part}")["spec"]["template"]
    return found


def sweep(objects: list[Json]) -> Json:
    job = one(objects, "CronJob", "playerscore-sweep")["spec"]["jobTemplate"]["spec"]
    found: Json = job["template"]
    return found


def variables(template: Json) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in template["spec"]["containers"][0]["env"]}


# --- pods -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", DEPLOYMENTS)
def test_a_part_is_labelled_and_placed_as_was_said(part: str) -> None:
    toleration = {"key": "infra", "operator": "Exists"}
    chosen = {
        "podLabels": {"team": "video"},
        "podAnnotations": {"sidecar.istio.io/inject": "false"},
        "priorityClassName": "platform",
        "nodeSelector": {"pool": "infra"},
        "tolerations": [toleration],
        "affinity": {"nodeAffinity": {}},
    }
    template = pod(rendered(**at(DEPLOYMENTS[part], chosen)), part)

    assert template["metadata"]["labels"]["team"] == "video"
    assert template["metadata"]["labels"]["app.kubernetes.io/component"] == part
    assert chosen["podAnnotations"].items() <= template["metadata"]["annotations"].items()
    assert template["spec"]["priorityClassName"] == "platform"
    assert template["spec"]["nodeSelector"] == {"pool": "infra"}
    assert template["spec"]["tolerations"] == [toleration]
    assert template["spec"]["affinity"] == {"nodeAffinity": {}}


@pytest.mark.parametrize("part", ["operator", "webhook", "api"])
def test_a_part_has_further_volumes(part: str) -> None:
    volume, mount = {"name": "more", "emptyDir": {}}, {"name": "more", "mountPath": "/more"}
    values = {part: {"extraVolumes": [volume], "extraVolumeMounts": [mount]}}
    spec = pod(rendered(**values), part)["spec"]

    assert volume in spec["volumes"]
    assert mount in spec["containers"][0]["volumeMounts"]


@pytest.mark.parametrize("part", ["operator", "webhook", "api"])
def test_several_pods_are_spread_and_have_a_budget(part: str) -> None:
    several, single = rendered(**{part: {"replicas": 3}}), rendered(**{part: {"replicas": 1}})
    budget = one(several, "PodDisruptionBudget", f"playerscore-{part}")
    spread = pod(several, part)["spec"]["topologySpreadConstraints"]

    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == one(several, "Deployment", f"playerscore-{part}")["spec"]["selector"]
    assert [item["topologyKey"] for item in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert all(item["labelSelector"] == budget["spec"]["selector"] for item in spread)
    assert "topologySpreadConstraints" not in pod(single, part)["spec"]
    assert f"playerscore-{part}" not in {
        item["metadata"]["name"] for item in of_kind(single, "PodDisruptionBudget")
    }


def test_own_spreading_replaces_the_charts() -> None:
    own = {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    objects = rendered(api={"replicas": 2, "topologySpreadConstraints": [own]})

    assert pod(objects, "api")["spec"]["topologySpreadConstraints"] == [own]
    assert "topologySpreadConstraints" not in sweep(objects)["spec"]


def test_common_labels_are_on_every_object_of_the_release_and_select_nothing() -> None:
    objects = [
        item
        for item in rendered(commonLabels={"cost-centre": "42"})
        if item["kind"] != "CustomResourceDefinition"
    ]

    assert [item for item in objects if item["metadata"]["labels"].get("cost-centre") != "42"] == []
    for item in of_kind(objects, "Deployment"):
        assert "cost-centre" not in item["spec"]["selector"]["matchLabels"]
        assert item["spec"]["template"]["metadata"]["labels"]["cost-centre"] == "42"


def test_openshift_chooses_the_user() -> None:
    objects = rendered(podSecurity={"runAsUser": None})
    for template in [*(pod(objects, part) for part in DEPLOYMENTS), sweep(objects)]:
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(template["spec"]["securityContext"])
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True


# --- services and doors ---------------------------------------------------------------------------------


def test_every_service_has_the_families_and_its_annotations() -> None:
    mark = {"service": {"annotations": {"who": "me"}}}
    objects = rendered(
        services={"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"]},
        api=mark,
        webhook=mark,
        store={"embedded": mark},
    )
    services = of_kind(objects, "Service")

    assert len(services) == 3
    for item in services:
        assert item["spec"]["ipFamilyPolicy"] == "PreferDualStack"
        assert item["spec"]["ipFamilies"] == ["IPv6", "IPv4"]
        assert item["metadata"]["annotations"] == {"who": "me"}
    assert "ipFamilyPolicy" not in of_kind(rendered(), "Service")[0]["spec"]


def test_the_apis_settings_reach_its_pod() -> None:
    api = {
        "rootPath": "/scoring",
        "keepAliveSeconds": 400,
        "accessLog": False,
        "corsOrigins": ["https://pages.example.com"],
    }
    found = variables(pod(rendered(api=api), "api"))

    assert found["PLAYERSCORE_API_ROOT_PATH"] == "/scoring"
    assert found["PLAYERSCORE_API_KEEP_ALIVE_SECONDS"] == "400"
    assert found["PLAYERSCORE_API_ACCESS_LOG"] == "false"
    assert found["PLAYERSCORE_API_CORS_ORIGINS"] == '["https://pages.example.com"]'


def test_the_apis_certificate_comes_from_a_secret_or_an_issuer() -> None:
    issuer = {"name": "corporate", "kind": "ClusterIssuer"}
    own = rendered(api={"tls": {"enabled": True, "existingSecret": "mine"}})
    issued = rendered(api={"tls": {"enabled": True, "issuerRef": issuer, "hosts": ["scoring.example.com"]}})
    certificate = one(issued, "Certificate", "playerscore-api")["spec"]

    assert [
        item["secret"]["secretName"] for item in pod(own, "api")["spec"]["volumes"] if item["name"] == "tls"
    ] == ["mine"]
    assert of_kind(own, "Certificate") == []
    assert certificate["issuerRef"] == issuer
    assert "scoring.example.com" in certificate["dnsNames"]
    assert f"playerscore-api.{NAMESPACE}.svc" in certificate["dnsNames"]
    assert {"name": "https", "port": 443, "targetPort": "https"} in one(issued, "Service", "playerscore-api")[
        "spec"
    ]["ports"]


@pytest.mark.parametrize(
    ("workers", "url"),
    [
        (False, f"http://playerscore-api.{NAMESPACE}.svc:8080"),
        (True, f"https://playerscore-api.{NAMESPACE}.svc:443"),
    ],
)
def test_worker_pods_use_the_apis_tls_where_that_is_said(workers: bool, url: str) -> None:
    found = rendered(api={"tls": {"enabled": True, "existingSecret": "mine", "workers": workers}})
    (container,) = pod(found, "operator")["spec"]["containers"]

    assert {"name": "PLAYERSCORE_API_URL", "value": url} in container["env"]


def test_an_ingress_takes_the_prefix_over() -> None:
    ingress = {"enabled": True, "className": "nginx", "hosts": ["a.example.com"], "annotations": {"x": "y"}}
    found = one(rendered(api={"rootPath": "/scoring", "ingress": ingress}), "Ingress", "playerscore-api")
    (rule,) = found["spec"]["rules"]
    (path,) = rule["http"]["paths"]

    assert (rule["host"], path["path"], path["pathType"]) == ("a.example.com", "/scoring", "Prefix")
    assert path["backend"]["service"] == {"name": "playerscore-api", "port": {"name": "http"}}
    assert found["metadata"]["annotations"] == {"x": "y"}
    assert found["spec"]["ingressClassName"] == "nginx"


def test_an_ingress_for_every_host() -> None:
    (rule,) = one(rendered(api={"ingress": {"enabled": True}}), "Ingress", "playerscore-api")["spec"]["rules"]

    assert "host" not in rule
    assert rule["http"]["paths"][0]["path"] == "/"


def test_a_route_joins_a_gateway() -> None:
    gateway = {
        "enabled": True,
        "parentRefs": [{"name": "public", "namespace": "gateways"}],
        "backend": "https",
    }
    tls = {"enabled": True, "existingSecret": "mine"}
    found = one(rendered(api={"tls": tls, "gateway": gateway}), "HTTPRoute", "playerscore-api")

    assert found["spec"]["parentRefs"] == gateway["parentRefs"]
    assert found["spec"]["rules"][0]["backendRefs"] == [{"name": "playerscore-api", "port": 443}]


# --- webhook --------------------------------------------------------------------------------------------


def test_the_webhook_can_live_in_the_nodes_network() -> None:
    objects = rendered(webhook={"hostNetwork": True, "port": 10260, "metricsPort": 10261})
    template = pod(objects, "webhook")
    ports = {item["name"]: item["containerPort"] for item in template["spec"]["containers"][0]["ports"]}
    strategy = one(objects, "Deployment", "playerscore-webhook")["spec"]["strategy"]["rollingUpdate"]

    assert template["spec"]["hostNetwork"] is True
    assert ports == {"https": 10260, "metrics": 10261}
    assert variables(template)["PLAYERSCORE_WEBHOOK_PORT"] == "10260"
    assert variables(template)["PLAYERSCORE_WEBHOOK_METRICS_PORT"] == "10261"
    assert strategy == {"maxUnavailable": 1, "maxSurge": 0}


def test_an_own_issuer_replaces_the_charts_authority() -> None:
    issuer = {"name": "corporate", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    objects = rendered(admission={"certificate": {"issuer": "cert-manager", "issuerRef": issuer}})

    assert of_kind(objects, "Issuer") == []
    assert [item["spec"]["issuerRef"] for item in of_kind(objects, "Certificate")] == [issuer]


# --- the store ------------------------------------------------------------------------------------------

EXTERNAL: Json = {"endpoint": "https://s3.eu-west-1.amazonaws.com"}


def test_the_stores_keys_are_mounted_where_they_are_read_at_every_use() -> None:
    external = {"embedded": {"enabled": False}, "external": EXTERNAL | {"existingSecret": "keys"}}
    for template in (pod(rendered(store=external), "api"), sweep(rendered(store=external))):
        (volume,) = [item for item in template["spec"]["volumes"] if item["name"] == "store-credentials"]
        assert volume["secret"]["secretName"] == "keys"
        assert variables(template)["PLAYERSCORE_API_SECRETS_DIR"] == "/etc/playerscore/store"
        assert "PLAYERSCORE_API_STORE_ACCESS_KEY" not in variables(template)


def test_with_a_workload_identity_there_is_no_secret() -> None:
    arn = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/playerscore"}
    external = EXTERNAL | {"workloadIdentity": True, "serviceAccountAnnotations": arn}
    objects = rendered(store={"embedded": {"enabled": False}, "external": external})
    for template in (pod(objects, "api"), sweep(objects)):
        assert "store-credentials" not in {item["name"] for item in template["spec"]["volumes"]}
        assert "PLAYERSCORE_API_SECRETS_DIR" not in variables(template)
    for name in ("playerscore-api", "playerscore-sweep"):
        assert one(objects, "ServiceAccount", name)["metadata"]["annotations"] == arn
    assert "annotations" not in one(objects, "ServiceAccount", "playerscore-operator")["metadata"]


@pytest.mark.parametrize("source", ["configMap", "secret"])
def test_a_private_authority_is_trusted_by_what_speaks_to_the_store(source: str) -> None:
    objects = rendered(trustedCa={source: "corporate", "key": "bundle.pem"})
    for template in (pod(objects, "api"), sweep(objects)):
        (volume,) = [item for item in template["spec"]["volumes"] if item["name"] == "trusted-ca"]
        assert volume[source]["items"] == [{"key": "bundle.pem", "path": "ca.crt"}]
        found = variables(template)
        assert found["SSL_CERT_FILE"] == found["AWS_CA_BUNDLE"] == "/etc/playerscore/trusted-ca/ca.crt"


# --- rights ---------------------------------------------------------------------------------------------


def test_people_need_not_get_the_roles_by_aggregation() -> None:
    roles = of_kind(rendered(rbac={"aggregateRoles": False}), "ClusterRole")

    assert "playerscore-editor" in {item["metadata"]["name"] for item in roles}
    assert [key for item in roles for key in item["metadata"]["labels"] if "aggregate-to" in key] == []


def test_with_namespaces_nothing_of_jobs_is_granted_for_the_whole_cluster() -> None:
    objects = rendered(operator={"namespaces": ["scoring", "second"]})
    cluster_wide = {
        (item["metadata"]["name"], resource)
        for item in of_kind(objects, "ClusterRole")
        if item["metadata"]["name"] in {"playerscore-operator", "playerscore-api", "playerscore-sweep"}
        for rule in item["rules"]
        for resource in rule["resources"]
    }
    roles = {(item["metadata"]["name"], item["metadata"]["namespace"]) for item in of_kind(objects, "Role")}

    assert cluster_wide == {
        ("playerscore-operator", "scoringruntimes"),
        ("playerscore-operator", "validatingwebhookconfigurations"),
        ("playerscore-api", "scoringruntimes"),
        ("playerscore-api", "tokenreviews"),
        ("playerscore-sweep", "scoringruntimes"),
        ("playerscore-sweep", "namespaces"),
    }
    for namespace in ("scoring", "second"):
        assert {("playerscore-operator-jobs", namespace), ("playerscore-api-jobs", namespace)} < roles
        assert ("playerscore-sweep", namespace) in roles


def test_the_chart_can_make_no_cluster_role_at_all() -> None:
    objects = rendered(rbac={"clusterRoles": False}, operator={"namespaces": ["scoring"]})

    assert of_kind(objects, "ClusterRole", "ClusterRoleBinding") == []


# --- what is wrong is named -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param({"api": {"rootPath": "scoring"}}, "rootPath", id="a prefix without a slash"),
        pytest.param({"api": {"corsOrigins": ["example.com"]}}, "corsOrigins", id="an origin without a scheme"),
        pytest.param({"api": {"tls": {"enabled": True}}}, "existingSecret or issuerRef", id="TLS without a certificate"),
        pytest.param({"api": {"gateway": {"enabled": True}}}, "parentRefs", id="a route without a Gateway"),
        pytest.param({"api": {"ingress": {"enabled": True, "backend": "https"}}}, "api.tls.enabled", id="a door to TLS without TLS"),
        pytest.param({"services": {"ipFamilyPolicy": "Dual"}}, "ipFamilyPolicy", id="a family policy"),
        pytest.param({"commonLabels": {"app.kubernetes.io/name": "mine"}}, "commonLabels", id="a label of the chart's own"),
        pytest.param({"operator": {"podLabels": {"playerscore.dev/role": "worker"}}}, "podLabels", id="a label that means a worker"),
        pytest.param({"networkPolicies": {"dnsPorts": []}}, "dnsPorts", id="no port of DNS"),
        pytest.param({"rbac": {"clusterRoles": False}}, "operator.namespaces", id="no cluster roles, and no namespaces"),
        pytest.param({"webhook": {"hostNetwork": True, "port": 8080}}, "webhook.port", id="one port twice"),
        pytest.param({"store": {"embedded": {"enabled": False}, "external": EXTERNAL}}, "workloadIdentity", id="no keys"),
        pytest.param({"trustedCa": {"configMap": "a", "secret": "b"}}, "trustedCa", id="two places for one thing"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(values: Json, named: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(named)):
        rendered(**values)
