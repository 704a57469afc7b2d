"""Whom the pod's connections trust, over real TLS with a private authority."""

import hashlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kueue import certificates
from playerscore.errors import PlayerscoreError, WorkerError
from playerscore.tasks import TRUST_VARIABLE
from playerscore_worker import source, trust

CONTENT = b"video" * 1000


class Store(http.server.BaseHTTPRequestHandler):
    """Gives the video out."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate, and the authority that signed it."""
    made = tmp_path_factory.mktemp("tls")
    for name, content in certificates("localhost").items():
        (made / name).write_bytes(content)
    return made


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}/match.mp4"
    server.shutdown()
    server.server_close()


def fetch(url: str, out: Path) -> tuple[str, int]:
    return source.download(url, out, max_bytes=10**6, max_seconds=30, judge=lambda _: None)


def test_a_private_authority_is_trusted_where_the_runtime_names_it(
    url: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlayerscoreError, match="certificate verify failed"):
        fetch(url, tmp_path / "video")

    monkeypatch.setenv(TRUST_VARIABLE, str(folder / "ca.crt"))
    assert fetch(url, tmp_path / "video") == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_public_authorities_stay_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = {item["serialNumber"] for item in trust.context().get_ca_certs()}
    monkeypatch.setenv(TRUST_VARIABLE, str(folder / "ca.crt"))

    assert public < {item["serialNumber"] for item in trust.context().get_ca_certs()}


def test_authorities_that_cannot_be_read_are_said_to_be_the_runtimes_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    monkeypatch.setenv(TRUST_VARIABLE, str(tmp_path / "ca.crt"))

    with pytest.raises(WorkerError) as told:
        trust.context()
    assert told.value.details["field"] == "spec.template.trustedCa"
