"""Who reaches whom under the rendered policies: plain Kubernetes, Cilium and OpenShift, IPv4 and IPv6."""

from typing import Any

import pytest

from chart import NAMESPACE, of_kind, render
from netpolicy import Host, Net, Pod

Json = dict[str, Any]
TENANT: Json = {"jobNamespaces": [{"name": "scoring", "create": True}]}
CILIUM: Json = {"networkPolicies": {"cilium": True}}


def part(name: str) -> Pod:
    """A pod of the control plane."""
    labels = {"app.kubernetes.io/name": "playerscore", "app.kubernetes.io/instance": "playerscore"}
    return Pod(NAMESPACE, labels | {"app.kubernetes.io/component": name})


OPERATOR, WEBHOOK, API, STORE, SWEEP = map(part, ("operator", "webhook", "api", "store", "sweep"))
WORKER = Pod("scoring", {"playerscore.dev/role": "worker"})
STRANGER = Pod("default", {"app": "stranger"})
DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
PROMETHEUS = Pod("monitoring", {"app.kubernetes.io/name": "prometheus"})
APISERVER = Host("172.18.0.2", "kube-apiserver")
APISERVER_6 = Host("fd00::2", "kube-apiserver")
NODE = Host("172.18.0.3", "remote-node")
METADATA, METADATA_6 = Host("169.254.169.254"), Host("fe80::1")
INTERNET = Host("203.0.113.9")


def net(values: Json | None = None, *, cilium: bool = False) -> Net:
    return Net(render(values=TENANT | (values or {})), cilium=cilium)


ALWAYS = [
    (OPERATOR, DNS, 53, True),
    (WORKER, API, 8080, True),
    (WORKER, STORE, 7070, True),
    (API, STORE, 7070, True),
    (SWEEP, STORE, 7070, True),
    (STRANGER, STORE, 7070, False),
    (OPERATOR, STORE, 7070, False),
    (STRANGER, API, 8080, True),
    (APISERVER, WEBHOOK, 8443, True),
    (PROMETHEUS, OPERATOR, 8080, True),
    (STRANGER, WORKER, 8080, False),
    (WORKER, STRANGER, 8080, False),
    (WORKER, WORKER, 8080, False),
    (WEBHOOK, DNS, 53, False),
    (STORE, INTERNET, 443, False),
    *((pod, METADATA, 80, False) for pod in (OPERATOR, API, SWEEP, WORKER)),
    *((pod, METADATA, 443, False) for pod in (OPERATOR, API, SWEEP, WORKER)),
    (WORKER, METADATA_6, 443, False),
]
ASKING = (OPERATOR, API, SWEEP, WORKER)


@pytest.mark.parametrize("plugin", ["standard", "cilium"])
@pytest.mark.parametrize(("source", "target", "port", "allowed"), ALWAYS)
def test_what_holds_with_every_plugin(
    plugin: str, source: Any, target: Any, port: int, allowed: bool
) -> None:
    with_cilium = plugin == "cilium"

    assert net(CILIUM if with_cilium else None, cilium=with_cilium).allows(source, target, port) is allowed


@pytest.mark.parametrize("source", ASKING)
@pytest.mark.parametrize("server", [APISERVER, APISERVER_6])
def test_the_api_server_is_reached_by_its_address(source: Pod, server: Host) -> None:
    assert net().allows(source, server, 6443)
    assert net().allows(source, server, 443)
    assert not net().allows(source, server, 10250)


@pytest.mark.parametrize("source", ASKING)
def test_cilium_needs_the_entity_and_opens_nothing_else(source: Pod) -> None:
    assert not net(cilium=True).allows(source, APISERVER, 6443), "an address means no node to Cilium"
    assert net(CILIUM, cilium=True).allows(source, APISERVER, 6443)
    assert not net(CILIUM, cilium=True).allows(source, NODE, 6443)
    assert not net(CILIUM, cilium=True).allows(source, INTERNET, 443)


def test_cilium_opens_the_api_server_to_nobody_else() -> None:
    for source in (WEBHOOK, STORE):
        assert not net(CILIUM, cilium=True).allows(source, APISERVER, 6443)


@pytest.mark.parametrize("source", ASKING)
def test_named_addresses_close_all_others(source: Pod) -> None:
    named = net({"networkPolicies": {"apiServerCidrs": ["172.18.0.2/32", "fd00::2/128"]}})

    assert named.allows(source, APISERVER, 6443)
    assert named.allows(source, APISERVER_6, 6443)
    assert not named.allows(source, INTERNET, 443)


def test_openshifts_dns_answers_at_another_port() -> None:
    dns = Pod("openshift-dns", {"dns.operator.openshift.io/daemonset-dns": "default"})

    assert not net().allows(WORKER, dns, 5353, "UDP")
    assert net({"networkPolicies": {"dnsPorts": [5353]}}).allows(WORKER, dns, 5353, "UDP")


def test_the_operators_way_out_can_be_widened() -> None:
    way = {"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": [{"protocol": "TCP", "port": 3128}]}
    found = net({"networkPolicies": {"operatorExtraEgress": [way]}})

    assert found.allows(OPERATOR, Host("192.0.2.1"), 3128)
    assert not found.allows(API, Host("192.0.2.1"), 3128)


def test_metrics_can_be_closed_to_all_but_one() -> None:
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    found = net({"networkPolicies": {"metricsFrom": [only]}})

    for pod in (OPERATOR, WEBHOOK):
        assert found.allows(PROMETHEUS, pod, 8080)
        assert not found.allows(STRANGER, pod, 8080)
    assert found.allows(APISERVER, WEBHOOK, 8443)


def test_with_tls_the_plain_port_can_be_for_workers_alone() -> None:
    tls = {"api": {"tls": {"enabled": True, "existingSecret": "api-tls"}}}
    only = {"networkPolicies": {"metricsFrom": [{"podSelector": {"matchLabels": {"none": "none"}}}]}}
    found = net(tls | only)

    assert found.allows(WORKER, API, 8080)
    assert found.allows(STRANGER, API, 8443)
    assert not found.allows(STRANGER, API, 8080)


def test_workers_with_tls_reach_no_plain_port() -> None:
    tls = {"api": {"tls": {"enabled": True, "existingSecret": "api-tls", "workers": True}}}
    found = net(
        tls | {"networkPolicies": {"metricsFrom": [{"podSelector": {"matchLabels": {"none": "none"}}}]}}
    )

    assert found.allows(WORKER, API, 8443)
    assert not found.allows(WORKER, API, 8080)


def test_an_own_port_of_the_webhook_is_opened() -> None:
    found = net({"webhook": {"port": 10260}})

    assert found.allows(APISERVER, WEBHOOK, 10260)
    assert not found.allows(APISERVER, WEBHOOK, 8443)


def test_without_cilium_there_is_no_object_of_it() -> None:
    assert of_kind(render(values=TENANT), "CiliumNetworkPolicy") == []
