"""Every file of values on the page of installing is one that the chart takes, and does what the page says of it."""

from typing import Any

import pytest

from chart import of_kind, one, render
from installing import snippets

Json = dict[str, Any]
SNIPPETS = snippets()
PLATFORMS = ("EKS", "GKE", "AKS", "OpenShift", "Bare metal")


def test_every_platform_has_a_file() -> None:
    assert {f"{platform} 1" for platform in PLATFORMS} <= SNIPPETS.keys()


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_file_is_taken_as_it_stands(name: str) -> None:
    parts = {item["metadata"]["name"] for item in of_kind(render(values=SNIPPETS[name]), "Deployment")}

    assert {"playerscore-operator", "playerscore-api"} <= parts


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platforms_parts_survive_the_loss_of_a_node(platform: str) -> None:
    objects = render(values=SNIPPETS[f"{platform} 1"])
    budgets = {item["metadata"]["name"] for item in of_kind(objects, "PodDisruptionBudget")}

    assert budgets == {"playerscore-operator", "playerscore-webhook", "playerscore-api"}


def test_the_file_without_cluster_roles_has_none_and_the_one_file_has_all() -> None:
    values = SNIPPETS["Without ClusterRoles 1"]
    with_them = render(values=values | {"rbac": {"clusterRoles": True, "aggregateRoles": True}})
    people = {
        "playerscore-viewer",
        "playerscore-editor",
        "playerscore-runtime-admin",
        "playerscore-runtime-viewer",
    }

    assert of_kind(render(values=values), "ClusterRole", "ClusterRoleBinding") == []
    given = {item["metadata"]["name"] for item in of_kind(with_them, "ClusterRole")} - people
    assert given == {"playerscore-operator", "playerscore-api", "playerscore-sweep"}


def test_openshifts_file_names_no_user() -> None:
    operator = one(render(values=SNIPPETS["OpenShift 1"]), "Deployment", "playerscore-operator")

    assert "runAsUser" not in operator["spec"]["template"]["spec"]["securityContext"]
