"""The webhook's certificate where cert-manager is not there.

The leader keeps one named Secret filled and one named ValidatingWebhookConfiguration trusting it. A renewal
keeps the certificate authority, so that a webhook pod with the older leaf is still trusted.
"""

import asyncio
import base64
import datetime as dt

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from playerscore_operator.cluster import MERGE_PATCH, ApiError, Cluster, Json
from playerscore_operator.settings import Settings

CA_DAYS = 3650
LEAF_DAYS = 90
RENEW_DAYS = 30
BACKDATED = dt.timedelta(minutes=10)
"""A node's clock may be behind."""
RETRY_SECONDS = 5

log = structlog.get_logger("playerscore.certificates")


async def keep(cluster: Cluster, settings: Settings) -> None:
    """Look now and every hour; tries again soon after a failure. Runs until cancelled."""
    while True:
        try:
            await ensure(cluster, settings, dt.datetime.now(dt.UTC))
            await asyncio.sleep(settings.certificate_check_seconds)
        except (ApiError, OSError, TimeoutError) as error:
            log.warning("certificate not settled", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)


async def ensure(cluster: Cluster, settings: Settings, now: dt.datetime) -> None:
    """Make the Secret current, then the configuration's caBundle. Raises ApiError."""
    path = f"/api/v1/namespaces/{settings.namespace}/secrets/{settings.webhook_secret}"
    stored = await cluster.find(path)
    data = renewed(stored.get("data") or {} if stored else {}, dns_names(settings), now)
    if stored is None:
        await cluster.request("POST", path.rsplit("/", 1)[0], body=_secret(settings, data))
    elif stored.get("data") != data:
        await cluster.request("PATCH", path, body={"data": data}, content_type=MERGE_PATCH)
    await _trust(cluster, settings, data["ca.crt"])


def dns_names(settings: Settings) -> list[str]:
    service = f"{settings.webhook_service}.{settings.namespace}.svc"
    return [service, f"{service}.cluster.local"]


def renewed(data: dict[str, str], hosts: list[str], now: dt.datetime) -> dict[str, str]:
    """The Secret's data (base64 PEM by key): the same while it is good, else with a new leaf."""
    try:
        ca = x509.load_pem_x509_certificate(base64.b64decode(data["ca.crt"]))
        leaf = x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))
        ca_key = serialization.load_pem_private_key(base64.b64decode(data["ca.key"]), None)
    except (KeyError, ValueError):
        return _issued(*authority(now), hosts, now)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey) or _ends_soon(ca, now):
        return _issued(*authority(now), hosts, now)
    return data if _serves(leaf, hosts, now) else _issued(ca, ca_key, hosts, now)


def _ends_soon(certificate: x509.Certificate, now: dt.datetime) -> bool:
    return certificate.not_valid_after_utc - now < dt.timedelta(days=RENEW_DAYS)


def _serves(leaf: x509.Certificate, hosts: list[str], now: dt.datetime) -> bool:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName) == hosts and not _ends_soon(leaf, now)


def authority(now: dt.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "playerscore webhook CA")])
    builder = _builder(name, name, key.public_key(), now, CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key


def _issued(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, hosts: list[str], now: dt.datetime
) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    builder = _builder(name, ca.subject, key.public_key(), now, LEAF_DAYS)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
    )
    leaf = builder.sign(ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    return {
        "ca.crt": _text(ca.public_bytes(pem)),
        "ca.key": _text(_private(ca_key)),
        "tls.crt": _text(leaf.public_bytes(pem)),
        "tls.key": _text(_private(key)),
    }


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - BACKDATED,
        not_valid_after=now + dt.timedelta(days=days),
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _secret(settings: Settings, data: dict[str, str]) -> Json:
    metadata = {"name": settings.webhook_secret, "namespace": settings.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/tls",
        "data": data,
    }


async def _trust(cluster: Cluster, settings: Settings, bundle: str) -> None:
    """Put the bundle into every webhook of the configuration."""
    if settings.webhook_configuration is None:
        return
    path = (
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/"
        + settings.webhook_configuration
    )
    found = await cluster.request("GET", path)
    webhooks = found["webhooks"]
    if all(item["clientConfig"].get("caBundle") == bundle for item in webhooks):
        return
    for item in webhooks:
        item["clientConfig"]["caBundle"] = bundle
    version = found["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version}, "webhooks": webhooks}
    await cluster.request("PATCH", path, body=body, content_type=MERGE_PATCH)
