"""The webhook's certificate where cert-manager is not there.

The leader keeps the webhook's Secret filled and its ValidatingWebhookConfiguration trusting it. No review
fails while anything is replaced, because what is new is trusted before it is used, and what is old stays
trusted until nothing uses it:

1. a new authority is made when two thirds of the old one's life are over, and its key is stored;
2. the configuration's bundle gets it beside the old one;
3. when every API server had the time to learn of it (`settle`), it signs the webhook's certificate;
4. when every pod had the time to load that (`overlap`), the old authority leaves the bundle.

The authority's key lies in a Secret of its own, which is mounted nowhere. `plan` decides all of that from
what is stored, so that a restart loses nothing and another leader goes on where the last one stopped.
"""

import asyncio
import base64
import binascii
import datetime as dt
from typing import NamedTuple

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from playerscore import names
from playerscore_operator.cluster import MERGE_PATCH, ApiError, Cluster, Json
from playerscore_operator.settings import Settings

BACKDATED = dt.timedelta(minutes=10)
"""A node's clock may be behind."""
AGED = 2 / 3
"""The share of its life after which something is replaced."""
RETRY_SECONDS = 5
TRUSTED_SINCE = f"{names.GROUP}/trusted-since"
"""Annotation of the configuration: since when its bundle has the newest authority."""
TLS = "kubernetes.io/tls"

log = structlog.get_logger("playerscore.certificates")


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def issued(self) -> dt.datetime:
        return self.certificate.not_valid_before_utc + BACKDATED

    @property
    def ends(self) -> dt.datetime:
        return self.certificate.not_valid_after_utc

    def aged(self, now: dt.datetime) -> bool:
        return now >= self.issued + (self.ends - self.issued) * AGED

    def issued_by(self, other: "Pair") -> bool:
        try:
            self.certificate.verify_directly_issued_by(other.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


class Lifetimes(NamedTuple):
    """How long things live, and how long they overlap."""

    leaf: dt.timedelta
    authority: dt.timedelta
    settle: dt.timedelta
    overlap: dt.timedelta


class State(NamedTuple):
    """What is stored, or is to be."""

    authorities: tuple[Pair, ...]
    """At most two, the newest first."""
    trusted: tuple[x509.Certificate, ...]
    """The configuration's bundle."""
    trusted_since: dt.datetime | None
    """Since when it has the newest authority."""
    leaf: Pair | None
    """What the webhook serves."""


def plan(state: State, hosts: list[str], lifetimes: Lifetimes, now: dt.datetime) -> State:
    """What is to be stored next: the same while all is good."""
    authorities = tuple(pair for pair in state.authorities if pair.ends > now)[:2]
    if not authorities or authorities[0].aged(now):
        authorities = (_authority(now, lifetimes.authority), *authorities[:1])
    newest = authorities[0]
    known = newest.certificate in state.trusted
    since = state.trusted_since if known and state.trusted_since else now
    settled = known and now - since >= lifetimes.settle
    leaf = _leaf(state.leaf, authorities, hosts, lifetimes.leaf, now, settled=settled)
    if leaf is state.leaf and leaf.issued_by(newest) and now - leaf.issued >= lifetimes.overlap:
        return State((newest,), (newest.certificate,), since, leaf)
    own = tuple(pair.certificate for pair in authorities)
    # Others are there when the authorities' Secret was lost, or somebody else issued before.
    others = tuple(item for item in state.trusted if item not in own and item.not_valid_after_utc > now)
    return State(authorities, own + others, since, leaf)


def _leaf(
    leaf: Pair | None,
    authorities: tuple[Pair, ...],
    hosts: list[str],
    life: dt.timedelta,
    now: dt.datetime,
    *,
    settled: bool,
) -> Pair:
    """The certificate to serve: by the newest authority once that is trusted everywhere, else by the last."""
    if leaf is None or leaf.ends <= now or _hosts(leaf) != hosts:
        return _issue(authorities[0], hosts, life, now)
    issuer = next((pair for pair in authorities if leaf.issued_by(pair)), None)
    if settled and issuer is not authorities[0]:
        return _issue(authorities[0], hosts, life, now)
    return _issue(issuer, hosts, life, now) if issuer and leaf.aged(now) else leaf


def _hosts(leaf: Pair) -> list[str]:
    try:
        found = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)


def _authority(now: dt.datetime, life: dt.timedelta) -> Pair:
    """A new certificate authority; its name is its own, so that a chain finds the right one of two."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"playerscore webhook CA {now:%Y-%m-%dT%H:%M:%SZ}")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        _builder(name, name, key.public_key(), now, now + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def _issue(issuer: Pair, hosts: list[str], life: dt.timedelta, now: dt.datetime) -> Pair:
    """A new serving certificate; it does not outlive its issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    names_ = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    ends = min(now + life, issuer.ends)
    subject = _name(hosts[0][:64])
    certificate = (
        _builder(subject, issuer.certificate.subject, key.public_key(), now, ends)
        .add_extension(names_, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority, critical=False)
        .sign(issuer.key, hashes.SHA256())
    )
    return Pair(certificate, key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    ends: dt.datetime,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - BACKDATED,
        not_valid_after=ends,
    )


# --- how it is stored ---------------------------------------------------------------------------------


def read_pair(data: dict[str, str], name: str = "tls") -> Pair | None:
    """The pair `<name>.crt`, `<name>.key` of a Secret; None when it is absent or damaged."""
    try:
        certificate = x509.load_pem_x509_certificate(base64.b64decode(data[f"{name}.crt"]))
        key = serialization.load_pem_private_key(base64.b64decode(data[f"{name}.key"]), None)
    except (KeyError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return Pair(certificate, key)


def write_pair(pair: Pair, name: str = "tls") -> dict[str, str]:
    """A pair as a Secret's data."""
    private = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {f"{name}.crt": write_bundle([pair.certificate]), f"{name}.key": _text(private)}


def read_bundle(text: str) -> list[x509.Certificate]:
    """The certificates of a caBundle; none when it is absent or damaged."""
    try:
        return x509.load_pem_x509_certificates(base64.b64decode(text))
    except (ValueError, binascii.Error):
        return []


def write_bundle(certificates: list[x509.Certificate] | tuple[x509.Certificate, ...]) -> str:
    return _text(b"".join(item.public_bytes(serialization.Encoding.PEM) for item in certificates))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


# --- the edge: reads, plans, writes ---------------------------------------------------------------------


async def keep(cluster: Cluster, settings: Settings) -> None:
    """Look again and again; tries soon after a failure. Runs until cancelled."""
    while True:
        try:
            await ensure(cluster, settings)
            await asyncio.sleep(settings.certificate_check_seconds)
        except (ApiError, OSError, TimeoutError) as error:
            log.warning("certificate not settled", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)


async def ensure(cluster: Cluster, settings: Settings, now: dt.datetime | None = None) -> None:
    """Bring authorities, bundle and certificate one step on. Raises ApiError.

    The order of the writes matters: a key is kept before its certificate is trusted, and that before it
    is used. So the Secret's ca.crt is never ahead of the configuration, and a pod may trust it.
    """
    authorities = await _Secret.read(cluster, settings.namespace, settings.webhook_authority_secret)
    serving = await _Secret.read(cluster, settings.namespace, settings.webhook_secret)
    configuration = await cluster.request("GET", _configuration_path(settings))
    state = State(
        tuple(filter(None, (read_pair(authorities.data), read_pair(authorities.data, "previous")))),
        _trusted(configuration),
        _since(configuration),
        read_pair(serving.data),
    )
    # The time is the API server's, which has answered by now.
    new = plan(state, dns_names(settings), _lifetimes(settings), now or cluster.now())
    await authorities.write(_authorities_data(new.authorities))
    await _trust(cluster, settings, configuration, new)
    assert new.leaf is not None
    await serving.write(write_pair(new.leaf) | {"ca.crt": write_bundle(new.trusted)})


def dns_names(settings: Settings) -> list[str]:
    service = f"{settings.webhook_service}.{settings.namespace}.svc"
    return [service, f"{service}.cluster.local"]


def _lifetimes(settings: Settings) -> Lifetimes:
    return Lifetimes(
        leaf=dt.timedelta(seconds=settings.webhook_leaf_seconds),
        authority=dt.timedelta(seconds=settings.webhook_authority_seconds),
        settle=dt.timedelta(seconds=settings.webhook_settle_seconds),
        overlap=dt.timedelta(seconds=settings.webhook_overlap_seconds),
    )


def _authorities_data(pairs: tuple[Pair, ...]) -> dict[str, str]:
    data = write_pair(pairs[0])
    return data | write_pair(pairs[1], "previous") if len(pairs) > 1 else data


class _Secret:
    """One Secret of the operator's namespace, read once and written only when it differs."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, found: Json | None) -> None:
        self._cluster = cluster
        self._metadata = {"name": name, "namespace": namespace}
        self._path = f"/api/v1/namespaces/{namespace}/secrets"
        self._found = found
        self.data: dict[str, str] = (found or {}).get("data") or {}

    @classmethod
    async def read(cls, cluster: Cluster, namespace: str, name: str) -> "_Secret":
        found = await cluster.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        return cls(cluster, namespace, name, found)

    async def write(self, data: dict[str, str]) -> None:
        """Make that its data. Raises ApiError, also 409 when another leader wrote meanwhile."""
        if self._found is None:
            body = {"apiVersion": "v1", "kind": "Secret", "type": TLS, "metadata": self._metadata}
            await self._cluster.request("POST", self._path, body={**body, "data": data})
        elif self.data != data:
            gone = {key: None for key in self.data if key not in data}
            version = {"resourceVersion": self._found["metadata"]["resourceVersion"]}
            path = f"{self._path}/{self._metadata['name']}"
            patch = {"metadata": version, "data": {**data, **gone}}
            await self._cluster.request("PATCH", path, body=patch, content_type=MERGE_PATCH)


def _configuration_path(settings: Settings) -> str:
    group = "/apis/admissionregistration.k8s.io/v1"
    return f"{group}/validatingwebhookconfigurations/{settings.webhook_configuration}"


def _trusted(configuration: Json) -> tuple[x509.Certificate, ...]:
    """What every webhook of the configuration trusts."""
    bundles = [read_bundle(item["clientConfig"].get("caBundle", "")) for item in configuration["webhooks"]]
    return tuple(item for item in bundles[0] if all(item in other for other in bundles))


def _since(configuration: Json) -> dt.datetime | None:
    written = configuration["metadata"].get("annotations", {}).get(TRUSTED_SINCE, "")
    try:
        since = dt.datetime.fromisoformat(written)
    except ValueError:
        return None
    return since if since.tzinfo else None


async def _trust(cluster: Cluster, settings: Settings, configuration: Json, new: State) -> None:
    """Put the bundle into every webhook of the configuration, and since when it has the newest."""
    bundle = write_bundle(new.trusted)
    webhooks = configuration["webhooks"]
    same = all(item["clientConfig"].get("caBundle") == bundle for item in webhooks)
    if same and _since(configuration) == new.trusted_since:
        return
    for item in webhooks:
        item["clientConfig"]["caBundle"] = bundle
    since = new.trusted_since.isoformat() if new.trusted_since else None
    metadata = {
        "resourceVersion": configuration["metadata"]["resourceVersion"],
        "annotations": {TRUSTED_SINCE: since},
    }
    body = {"metadata": metadata, "webhooks": webhooks}
    await cluster.request("PATCH", _configuration_path(settings), body=body, content_type=MERGE_PATCH)
    log.info("bundle published", authorities=len(new.trusted), trusted_since=since)
