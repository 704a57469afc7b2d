"""The built-in certificate: kept while it is good, renewed under the same authority."""

import base64
from datetime import UTC, datetime, timedelta

from cryptography import x509

from playerscore_operator.certificates import renewed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ["webhook.playerscore-system.svc", "webhook.playerscore-system.svc.cluster.local"]


def leaf(data: dict[str, str]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))


def test_a_good_certificate_is_kept() -> None:
    data = renewed({}, HOSTS, NOW)

    assert renewed(data, HOSTS, NOW + timedelta(days=30)) == data


def test_it_is_renewed_before_its_end_by_the_same_authority() -> None:
    data = renewed({}, HOSTS, NOW)
    later = renewed(data, HOSTS, NOW + timedelta(days=61))
    ca = x509.load_pem_x509_certificate(base64.b64decode(data["ca.crt"]))

    assert later["ca.crt"] == data["ca.crt"]
    assert leaf(later).not_valid_after_utc > leaf(data).not_valid_after_utc
    leaf(later).verify_directly_issued_by(ca)


def test_another_service_name_means_another_certificate() -> None:
    data = renewed({}, HOSTS, NOW)

    assert renewed(data, ["other.svc"], NOW)["tls.crt"] != data["tls.crt"]


def test_a_damaged_secret_is_made_anew() -> None:
    data = renewed({}, HOSTS, NOW) | {"tls.crt": "bm9uc2Vuc2U="}

    assert leaf(renewed(data, HOSTS, NOW)).not_valid_after_utc > NOW + timedelta(days=80)


def test_a_nodes_late_clock_is_allowed_for() -> None:
    assert leaf(renewed({}, HOSTS, NOW)).not_valid_before_utc < NOW - timedelta(minutes=5)
