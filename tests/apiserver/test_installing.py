"""What the files of docs/installing.md make, judged by a real API server: nothing unknown, nothing invalid.

Kinds that other projects define (cert-manager, Gateway API, Cilium, Prometheus) are left out: they are not served here.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chart import NAMESPACE, of_kind, render
from controlplane import ControlPlane
from installing import snippets

Json = dict[str, Any]
SNIPPETS = snippets()
FOREIGN = ("cert-manager.io/", "gateway.networking.k8s.io/", "cilium.io/", "monitoring.coreos.com/")


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as started:
        started.install_crds()
        for namespace in (NAMESPACE, "scoring"):
            started.kubectl("create", "namespace", namespace)
        yield started


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_real_api_server_takes_all_of_it(plane: ControlPlane, name: str) -> None:
    objects = [item for item in render(values=SNIPPETS[name]) if not item["apiVersion"].startswith(FOREIGN)]
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    said = plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=body)

    assert said.count("(server dry run)") == len(objects)


RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
OPERATOR, API, SWEEP = (
    f"system:serviceaccount:{NAMESPACE}:playerscore-{part}" for part in ("operator", "api", "sweep")
)
WANTED = [
    (OPERATOR, "watch", "scoringjobs.playerscore.dev", "scoring", True),
    (OPERATOR, "patch", "scoringjobs.playerscore.dev/status", "scoring", True),
    (OPERATOR, "create", "jobs.batch", "scoring", True),
    (OPERATOR, "list", "pods", "scoring", True),
    (OPERATOR, "create", "events.events.k8s.io", "scoring", True),
    (OPERATOR, "watch", "scoringruntimes.playerscore.dev", None, True),
    (
        OPERATOR,
        "patch",
        "validatingwebhookconfigurations.admissionregistration.k8s.io/playerscore",
        None,
        True,
    ),
    (OPERATOR, "watch", "scoringjobs.playerscore.dev", "default", False),
    (OPERATOR, "list", "pods", "default", False),
    (API, "get", "scoringjobs.playerscore.dev", "scoring", True),
    (API, "create", "tokenreviews.authentication.k8s.io", None, True),
    (API, "get", "scoringjobs.playerscore.dev", "default", False),
    (SWEEP, "list", "scoringjobs.playerscore.dev", "scoring", True),
    (SWEEP, "get", "namespaces/kube-system", None, True),
    (SWEEP, "list", "scoringjobs.playerscore.dev", "default", False),
]


@pytest.fixture(scope="module")
def few_rights(plane: ControlPlane) -> ControlPlane:
    """What the page says of an installation without ClusterRoles: the release's own, and the one file."""
    values = SNIPPETS["Without ClusterRoles 1"]
    own = of_kind(render(values=values), *RIGHTS)
    given = render("rbac.clusterRoles=true", values=values, show_only=["templates/cluster-rights.yaml"])
    body = {"apiVersion": "v1", "kind": "List", "items": [*own, *given]}
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    return plane


@pytest.mark.parametrize(("who", "verb", "what", "namespace", "expected"), WANTED)
def test_rights_without_cluster_roles(
    few_rights: ControlPlane, who: str, verb: str, what: str, namespace: str | None, expected: bool
) -> None:
    resource, _, rest = what.partition("/")
    sub = [f"--subresource={rest}"] if rest == "status" else []
    name = [f"{resource}/{rest}"] if rest and not sub else [resource]
    where = ["-n", namespace] if namespace else []
    said = few_rights.kubectl("auth", "can-i", verb, *name, *sub, *where, f"--as={who}", check=False)

    assert ("yes" in said.splitlines()) is expected
