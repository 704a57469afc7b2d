"""Which connections network policies allow, as the API's reference says it: a small evaluator of rendered objects.

A pod that no policy of a direction selects is open in that direction; else one rule of one policy has to match both
the peer and the port. Of Cilium it knows what differs: an `ipBlock` never means a node or the API server, which are
entities there, and a CiliumNetworkPolicy adds to the others.

    Net(objects).allows(Pod("scoring", {"playerscore.dev/role": "worker"}), Host("10.0.0.1"), 6443)
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

Json = dict[str, Any]


class Pod(NamedTuple):
    """A pod by its labels."""

    namespace: str
    labels: dict[str, str]


class Host(NamedTuple):
    """Anything that is no pod."""

    address: str
    entity: str = "world"
    """What Cilium takes it for."""


class Net:
    """The policies of a cluster, and the plugin that enforces them."""

    def __init__(self, objects: Iterable[Json], *, cilium: bool = False) -> None:
        found = list(objects)
        self._standard = [item for item in found if item["kind"] == "NetworkPolicy"]
        self._cilium = [item for item in found if item["kind"] == "CiliumNetworkPolicy"] if cilium else []
        self._entities = cilium

    def allows(self, source: Pod | Host, target: Pod | Host, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection comes about: it must be let out, and in."""
        out = not isinstance(source, Pod) or self._open("Egress", source, target, port, protocol)
        return out and (not isinstance(target, Pod) or self._open("Ingress", target, source, port, protocol))

    def _open(self, direction: str, pod: Pod, peer: Pod | Host, port: int, protocol: str) -> bool:
        mine = [
            item
            for item in self._standard
            if direction in item["spec"]["policyTypes"] and _selects(item, pod)
        ]
        own = [item for item in self._cilium if _entitled(item, pod)] if direction == "Egress" else []
        if not mine and not own:
            return True
        key, side = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        standard = any(
            _port(rule, port, protocol) and self._peer(rule.get(side), item["metadata"]["namespace"], peer)
            for item in mine
            for rule in item["spec"].get(key) or []
        )
        entity = peer.entity if isinstance(peer, Host) else None
        return standard or any(
            entity in rule.get("toEntities", []) for item in own for rule in item["spec"].get("egress", [])
        )

    def _peer(self, peers: list[Json] | None, namespace: str, peer: Pod | Host) -> bool:
        if not peers:  # a rule that names nobody means everybody
            return True
        if isinstance(peer, Host):
            known = not self._entities or peer.entity == "world"
            return known and any(
                "ipBlock" in item and _inside(item["ipBlock"], peer.address) for item in peers
            )
        return any(_is(item, namespace, peer) for item in peers)


def _selects(policy: Json, pod: Pod) -> bool:
    same = policy["metadata"]["namespace"] == pod.namespace
    return same and matches(policy["spec"]["podSelector"], pod.labels)


def _entitled(policy: Json, pod: Pod) -> bool:
    same = policy["metadata"]["namespace"] == pod.namespace
    return same and matches(policy["spec"]["endpointSelector"], pod.labels)


def matches(selector: Json, labels: dict[str, str]) -> bool:
    """Whether a label selector (with `In` alone of the expressions) chooses these labels."""
    equal = set(selector.get("matchLabels", {}).items()) <= set(labels.items())
    for wanted in selector.get("matchExpressions", []):
        assert wanted["operator"] == "In", wanted
        equal = equal and labels.get(wanted["key"]) in wanted["values"]
    return equal


def _is(peer: Json, namespace: str, pod: Pod) -> bool:
    if "ipBlock" in peer:
        return False
    chosen = peer.get("namespaceSelector")
    there = pod.namespace == namespace
    if chosen is not None:
        there = matches(chosen, {"kubernetes.io/metadata.name": pod.namespace})
    return there and matches(peer.get("podSelector", {}), pod.labels)


def _inside(block: Json, address: str) -> bool:
    def within(cidr: str) -> bool:
        network = ip_network(cidr)
        return network.version == ip_address(address).version and ip_address(address) in network

    return within(block["cidr"]) and not any(within(cidr) for cidr in block.get("except", []))


def _port(rule: Json, port: int, protocol: str) -> bool:
    named = rule.get("ports")
    return not named or any((item["port"], item.get("protocol", "TCP")) == (port, protocol) for item in named)
