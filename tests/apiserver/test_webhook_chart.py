"""What the chart installs for the webhook, as Helm renders it."""

from typing import Any

import pytest

from chart import NAMESPACE, of_kind, one, render

Json = dict[str, Any]
CERT_MANAGER = "cert-manager.io/v1"


@pytest.fixture(scope="module")
def objects() -> list[Json]:
    return render()


@pytest.fixture(scope="module")
def issued() -> list[Json]:
    """With cert-manager in the cluster."""
    return render(capabilities=[CERT_MANAGER])


def webhooks_of(objects: list[Json]) -> list[Json]:
    found: list[Json] = one(objects, "ValidatingWebhookConfiguration", "playerscore")["webhooks"]
    return found


def pod_of(objects: list[Json]) -> Json:
    found: Json = one(objects, "Deployment", "playerscore-webhook")["spec"]["template"]["spec"]
    return found


def test_it_fails_closed_within_three_seconds_and_for_our_own_kinds_alone(objects: list[Json]) -> None:
    (webhook,) = webhooks_of(objects)
    resources = {resource for rule in webhook["rules"] for resource in rule["resources"]}

    assert webhook["failurePolicy"] == "Fail"
    assert webhook["timeoutSeconds"] == 3
    assert webhook["sideEffects"] == "None"
    assert {group for rule in webhook["rules"] for group in rule["apiGroups"]} == {"playerscore.dev"}
    assert resources == {"scoringjobs", "scoringruntimes"}
    for rule in webhook["rules"]:
        assert rule["operations"] == ["CREATE", "UPDATE"]


def test_there_is_no_mutating_webhook(objects: list[Json]) -> None:
    assert of_kind(objects, "MutatingWebhookConfiguration", "MutatingAdmissionPolicy") == []


def test_two_replicas_leave_one_at_a_time_and_spread(objects: list[Json]) -> None:
    deployment = one(objects, "Deployment", "playerscore-webhook")["spec"]
    budget = one(objects, "PodDisruptionBudget", "playerscore-webhook")["spec"]
    spread = pod_of(objects)["topologySpreadConstraints"]

    assert deployment["replicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    assert [item["topologyKey"] for item in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert all(item["labelSelector"] == deployment["selector"] for item in spread)


def test_leaving_fits_into_the_grace_period(objects: list[Json]) -> None:
    """preStop, then leaving (5 s) and draining (10 s by default) inside of the process."""
    pod = pod_of(objects)
    (container,) = pod["containers"]

    assert (
        container["lifecycle"]["preStop"]["sleep"]["seconds"] + 5 + 10 < pod["terminationGracePeriodSeconds"]
    )


def test_its_pods_reach_neither_the_api_server_nor_the_authoritys_key(objects: list[Json]) -> None:
    pod = pod_of(objects)
    secrets = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    (policy,) = [
        item
        for item in of_kind(objects, "NetworkPolicy")
        if item["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/component") == "webhook"
    ]

    assert pod["automountServiceAccountToken"] is False
    assert secrets == {"playerscore-webhook-tls"}
    assert "egress" not in policy["spec"]
    assert "Egress" in policy["spec"]["policyTypes"]
    bound = [
        subject["name"]
        for item in of_kind(objects, "RoleBinding", "ClusterRoleBinding")
        for subject in item.get("subjects", [])
    ]
    assert "playerscore-webhook" not in bound


def test_readiness_is_for_the_name_that_the_api_server_asks_for(objects: list[Json]) -> None:
    (container,) = pod_of(objects)["containers"]
    (named,) = [item["value"] for item in container["env"] if item["name"].endswith("SERVER_NAME")]
    service = webhooks_of(objects)[0]["clientConfig"]["service"]

    assert named == f"{service['name']}.{service['namespace']}.svc"


def test_the_operator_may_write_just_the_secrets_it_names(objects: list[Json]) -> None:
    rules = one(objects, "Role", "playerscore-operator")["rules"]
    env = one(objects, "Deployment", "playerscore-operator")["spec"]["template"]["spec"]["containers"][0][
        "env"
    ]
    named = {item["value"] for item in env if item["name"].endswith("_SECRET")}
    allowed = [
        set(rule["resourceNames"])
        for rule in rules
        if rule["resources"] == ["secrets"] and "get" in rule["verbs"]
    ]

    assert allowed == [named]
    assert named == {"playerscore-webhook-tls", "playerscore-webhook-ca"}


# --- with cert-manager --------------------------------------------------------------------------------------


def test_cert_managers_authority_keeps_its_key_and_signs_the_certificate(issued: list[Json]) -> None:
    authority = one(issued, "Certificate", "playerscore-webhook-ca")["spec"]
    leaf = one(issued, "Certificate", "playerscore-webhook")["spec"]
    signer = one(issued, "Issuer", leaf["issuerRef"]["name"])["spec"]

    assert authority["isCA"] is True
    assert authority["privateKey"]["rotationPolicy"] == "Never"
    assert signer == {"ca": {"secretName": authority["secretName"]}}
    assert leaf["privateKey"]["rotationPolicy"] == "Always"
    assert leaf["secretName"] == "playerscore-webhook-tls"
    assert leaf["dnsNames"][0] == f"playerscore-webhook.{NAMESPACE}.svc"


def test_cert_manager_puts_the_bundle_and_the_operator_stays_out(issued: list[Json]) -> None:
    configuration = one(issued, "ValidatingWebhookConfiguration", "playerscore")
    operator = one(issued, "Deployment", "playerscore-operator")["spec"]["template"]["spec"]["containers"][0]
    rules = [
        rule
        for item in of_kind(issued, "Role", "ClusterRole")
        if item["metadata"]["name"] == "playerscore-operator"
        for rule in item["rules"]
    ]

    assert configuration["metadata"]["annotations"] == {
        "cert-manager.io/inject-ca-from": f"{NAMESPACE}/playerscore-webhook"
    }
    assert not [item for item in operator["env"] if "WEBHOOK" in item["name"]]
    assert not [rule for rule in rules if "secrets" in rule["resources"]]
    assert not [rule for rule in rules if "validatingwebhookconfigurations" in rule["resources"]]


def test_the_issuer_can_be_chosen_against_what_is_there() -> None:
    own = render("admission.certificate.issuer=operator", capabilities=[CERT_MANAGER])
    forced = render("admission.certificate.issuer=cert-manager")

    assert of_kind(own, "Certificate", "Issuer") == []
    assert len(of_kind(forced, "Certificate")) == 2


def test_without_webhooks_nothing_of_it_is_installed() -> None:
    objects = render("admission.mode=policy")

    assert of_kind(objects, "ValidatingWebhookConfiguration") == []
    assert [item for item in objects if item["metadata"]["name"] == "playerscore-webhook"] == []
