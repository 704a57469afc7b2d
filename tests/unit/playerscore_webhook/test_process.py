"""The webhook's own process over TLS: readiness, hot reload, caps, deadline, leaving, metrics."""

import datetime as dt
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from builders import make_spec, manifest
from playerscore_operator.certificates import State, write_bundle
from webhooks import HOST, WebhookProcess, issued, mount, reviewer, secret_data, served, trusting

Json = dict[str, Any]
MEBI = 2**20
CAP = 7 * MEBI


def body_of(size: int = 0, **spec: Any) -> bytes:
    """A create's review of that many bytes, as the API server writes it."""
    job = {
        "metadata": {"name": "match-1", "annotations": {"padding": ""}},
        "spec": manifest(make_spec()) | spec,
    }
    request = {"uid": "u-1", "kind": {"kind": "ScoringJob"}, "operation": "CREATE", "object": job}
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    job["metadata"]["annotations"]["padding"] = "x" * max(0, size - len(json.dumps(review)))
    return json.dumps(review).encode()


@pytest.fixture(scope="module")
def state() -> State:
    return issued()


@pytest.fixture(scope="module")
def bundle(state: State) -> str:
    return secret_data(state)["ca.crt"]


@pytest.fixture(scope="module")
def webhook(state: State, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookProcess]:
    folder = tmp_path_factory.mktemp("certificates")
    mount(folder, secret_data(state))
    with WebhookProcess(folder, deadline_seconds=1.0) as found:
        found.until_ready()
        yield found


@pytest.fixture(scope="module")
def client(webhook: WebhookProcess, bundle: str) -> Iterator[httpx.Client]:
    with reviewer(webhook, bundle) as found:
        yield found


def connection(webhook: WebhookProcess, bundle: str) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", webhook.port), timeout=10)
    return trusting(bundle).wrap_socket(raw, server_hostname=HOST)


def until(seen: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_review_is_answered(client: httpx.Client) -> None:
    denied = client.post("/validate?timeout=3s", content=body_of(suspend=False)).json()

    assert client.post("/validate", content=body_of()).json()["response"] == {"uid": "u-1", "allowed": True}
    assert denied["response"]["status"]["reason"] == "NOT_READY"
    assert denied["kind"] == "AdmissionReview"


def test_a_review_of_seven_mebibytes_is_answered_within_a_second(client: httpx.Client) -> None:
    body = body_of(CAP)
    assert len(body) == CAP

    def seconds() -> float:
        begin = time.monotonic()
        assert client.post("/validate", content=body).json()["response"]["allowed"] is True
        return time.monotonic() - begin

    # Another program may have had the machine: it must be slow each time.
    assert any(seconds() < 1 for _ in range(5))


@pytest.mark.parametrize("mebibytes", [8, 10, 40])
def test_a_larger_review_is_denied_in_words(client: httpx.Client, mebibytes: int) -> None:
    answer = client.post("/validate", content=body_of(mebibytes * MEBI))
    response = answer.json()["response"]

    assert answer.status_code == 200
    assert response["uid"] == "u-1"
    assert response["status"]["code"] == 403
    assert f"TOO_LARGE: the review exceeds {CAP} bytes" in response["status"]["message"]


def test_a_body_over_the_cap_that_is_no_review_is_a_413(client: httpx.Client) -> None:
    answer = client.post("/validate", content=b"[" + b"1," * (5 * MEBI) + b"1]")

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "TOO_LARGE"


def test_a_chunked_body_is_held_to_the_same_cap(client: httpx.Client) -> None:
    body = body_of(9 * MEBI)
    pieces = (body[start : start + 100_000] for start in range(0, len(body), 100_000))

    assert "TOO_LARGE" in client.post("/validate", content=pieces).text


def test_a_body_that_comes_too_slowly_is_refused_in_words(webhook: WebhookProcess, bundle: str) -> None:
    with connection(webhook, bundle) as line:
        line.sendall(
            b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        begin = time.monotonic()
        said = b""
        while piece := line.recv(65_536):
            said += piece

    assert 0.9 < time.monotonic() - begin < 5
    assert said.startswith(b"HTTP/1.1 408")
    assert b'"TOO_SLOW"' in said


def test_a_caller_that_leaves_in_the_middle_is_counted_and_nothing_breaks(
    webhook: WebhookProcess, client: httpx.Client, bundle: str
) -> None:
    before = refused_as_slow(webhook)
    with connection(webhook, bundle) as line:
        line.sendall(
            b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )

    until(lambda: refused_as_slow(webhook) == before + 1, "it is not counted")
    assert client.post("/validate", content=body_of()).is_success


def refused_as_slow(webhook: WebhookProcess) -> float:
    found = re.search(r'refused_requests_total{code="TOO_SLOW"} (\S+)', webhook.metrics())
    return float(found[1]) if found else 0.0


REFUSED: dict[str, tuple[bytes, str, int]] = {
    "no JSON": (b"{", "application/json", 422),
    "nothing": (b"", "application/json", 422),
    "NaN": (b'{"request": NaN}', "application/json", 422),
    "a number beyond all doubles": (b'{"request": 1e400}', "application/json", 422),
    "bad UTF-8": (b'{"request": "\xff"}', "application/json", 422),
    "a lone surrogate": (b'{"request": {"uid": "\\ud800"}}', "application/json", 422),
    "deep nesting": (b"[" * 100_000, "application/json", 422),
    "no review": (b"{}", "application/json", 422),
    "YAML": (b"request: {}", "application/yaml", 415),
    "a form": (b"a=b", "application/x-www-form-urlencoded", 415),
}


@pytest.mark.parametrize(("content", "kind", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_review_gets_the_one_error_body(
    client: httpx.Client, content: bytes, kind: str, status: int
) -> None:
    answer = client.post("/validate", content=content, headers={"Content-Type": kind})

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == "INVALID"
    assert answer.json()["error"]["message"]


def test_a_key_that_stands_twice_counts_as_it_last_stands(client: httpx.Client) -> None:
    """As in the API server's own parser, which never sends one."""
    content = b'{"request": {"uid": "first", "uid": "second"}}'

    assert client.post("/validate", content=content).json()["response"]["uid"] == "second"


def test_a_connection_is_kept_between_reviews(webhook: WebhookProcess, bundle: str) -> None:
    with connection(webhook, bundle) as line:
        for _ in range(3):
            body = body_of()
            line.sendall(
                b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            said = line.recv(65_536)
            while not said.endswith(b"}"):
                said += line.recv(65_536)
            assert said.startswith(b"HTTP/1.1 200")


def test_metrics_count_by_verdict_and_code_with_labels_from_a_fixed_set(
    webhook: WebhookProcess, client: httpx.Client
) -> None:
    for number in range(20):
        request = {"uid": "u", "kind": {"kind": f"Kind{number}"}, "operation": f"DO{number}"}
        client.post("/validate", content=json.dumps({"request": request}))
    client.post("/validate", content=body_of(suspend=False))
    text = webhook.metrics()

    denied = 'kind="ScoringJob",operation="CREATE",verdict="denied"'
    assert f'playerscore_webhook_reviews_total{{code="NOT_READY",{denied}}}' in text
    assert 'kind="other",operation="other",verdict="allowed"' in text
    assert "Kind1" not in text
    assert 'playerscore_webhook_refused_requests_total{code="INVALID"}' in text
    assert "playerscore_webhook_review_seconds_bucket" in text


# --- readiness, reload, leaving: each with a process of its own -----------------------------------------


def test_it_is_ready_only_with_a_certificate_that_the_bundle_trusts(tmp_path: Path) -> None:
    good = secret_data(issued())
    with WebhookProcess(tmp_path) as webhook:
        assert webhook.until_ready(503) == "starting"
        assert httpx.get(f"{webhook.plain}/healthz").status_code == 200

        mount(tmp_path, good | {"ca.crt": write_bundle(issued().trusted)})
        until(lambda: "does not trust" in webhook.readiness()[1], "the wrong bundle is not noticed")
        assert webhook.readiness()[0] == 503

        mount(tmp_path, good)
        webhook.until_ready()


def test_it_stops_being_ready_when_the_certificate_ends(tmp_path: Path) -> None:
    mount(tmp_path, secret_data(issued()))
    with WebhookProcess(tmp_path) as webhook:
        webhook.until_ready()
        mount(tmp_path, secret_data(issued(leaf=dt.timedelta(seconds=3))))

        assert webhook.until_ready(503) == "the certificate has expired"


def test_a_new_certificate_is_served_without_a_dropped_connection(tmp_path: Path) -> None:
    first, second = issued(), issued()
    both = write_bundle([*first.trusted, *second.trusted])
    mount(tmp_path, secret_data(first) | {"ca.crt": both})
    with WebhookProcess(tmp_path) as webhook, reviewer(webhook, both) as client:
        webhook.until_ready()
        assert x509.load_der_x509_certificate(served(webhook, both)) == first.leaf.certificate  # type: ignore[union-attr]
        client.post("/validate", content=body_of()).raise_for_status()

        mount(tmp_path, secret_data(second) | {"ca.crt": both})
        until(
            lambda: x509.load_der_x509_certificate(served(webhook, both)) == second.leaf.certificate,  # type: ignore[union-attr]
            "the new certificate is not served",
        )
        client.post("/validate", content=body_of()).raise_for_status()
        assert "certificate_expiry_timestamp_seconds" in webhook.metrics()


def test_on_sigterm_it_answers_on_and_asks_each_caller_to_go(tmp_path: Path) -> None:
    state = issued()
    mount(tmp_path, secret_data(state))
    bundle = secret_data(state)["ca.crt"]
    with WebhookProcess(tmp_path, leave_seconds=2) as webhook, reviewer(webhook, bundle) as client:
        webhook.until_ready()
        staying = client.post("/validate", content=body_of())
        webhook.terminate()
        assert webhook.until_ready(503) == "leaving"
        leaving = client.post("/validate", content=body_of())
        new = client.post("/validate", content=body_of(suspend=False))

        assert "connection" not in staying.headers
        assert leaving.headers["connection"] == "close"
        assert new.json()["response"]["status"]["reason"] == "NOT_READY"
        assert webhook.process.wait(10) == 0
