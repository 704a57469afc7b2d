"""Where a video may come from: the allow-list, private addresses, caps, and a real server on loopback."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from playerscore.errors import PlayerscoreError
from playerscore_worker import source

PREFIXES = ["s3://playerscore/team-a/uploads/", "https://video.example.com/"]


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("s3://playerscore/team-a/uploads/match.mp4", True),
        ("https://video.example.com/a/b.mp4", True),
        ("s3://playerscore/team-b/uploads/match.mp4", False),  # another tenant
        ("s3://playerscore/team-a/uploads/../../team-b/uploads/x", False),  # climbs out
        ("s3://playerscore/team-a/uploads/%2e%2e/x", False),  # climbs out, encoded
        ("https://video.example.com@evil.example/x.mp4", False),  # another host
        ("https://video.example.com.evil.example/x.mp4", False),  # a longer host
        ("http://video.example.com/x.mp4", False),  # another scheme
        ("file:///etc/passwd", False),
    ],
)
def test_only_allowed_prefixes_pass(uri: str, allowed: bool) -> None:
    if allowed:
        assert uri.startswith(source.check_allowed(uri, PREFIXES))
        return
    with pytest.raises(PlayerscoreError) as refused:
        source.check_allowed(uri, PREFIXES)

    assert refused.value.code == "SOURCE_DENIED"
    assert refused.value.details["field"] == "spec.video.uri"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "0.0.0.0", "169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:10.0.0.1]"]
)
def test_addresses_of_the_inside_are_refused(host: str) -> None:
    with pytest.raises(PlayerscoreError) as refused:
        source.check_host(f"http://{host}/x.mp4", "http://")

    assert refused.value.code == "SOURCE_DENIED"


class Videos(http.server.BaseHTTPRequestHandler):
    """A kilobyte, a redirect, nothing, or trouble."""

    asked: list[str] = []  # noqa: RUF012 - one list for the server's life

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://elsewhere.invalid/secret")
            self.end_headers()
            return
        status = {"/gone": 404, "/ill": 503}.get(self.path, 200)
        self.send_response(status)
        self.end_headers()
        if status == 200:
            self.wfile.write(b"x" * 1024)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Videos) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def fetch(url: str, out: Path, max_bytes: int = 4096, base: str = "http://127.0.0.1") -> tuple[str, int]:
    def judge(address: str) -> None:
        source.check_allowed(address, [base])

    return source.download(
        url, out, max_bytes=max_bytes, max_seconds=10, judge=judge, on_progress=lambda share: None
    )


def test_a_download_gives_digest_and_size(server: str, tmp_path: Path) -> None:
    assert fetch(f"{server}/video", tmp_path / "v") == (hashlib.sha256(b"x" * 1024).hexdigest(), 1024)


@pytest.mark.parametrize(
    ("path", "max_bytes", "code"),
    [
        ("/video", 1000, "VIDEO_TOO_LARGE"),  # no length was announced, so it is counted
        ("/gone", 4096, "SOURCE_NOT_FOUND"),
        ("/ill", 4096, "SOURCE_UNAVAILABLE"),
        ("/away", 4096, "SOURCE_DENIED"),  # a redirect is judged before it is followed
    ],
)
def test_what_is_wrong_with_a_download_has_a_code(
    server: str, tmp_path: Path, path: str, max_bytes: int, code: str
) -> None:
    with pytest.raises(PlayerscoreError) as refused:
        fetch(server + path, tmp_path / "v", max_bytes)

    assert refused.value.code == code


def test_no_packet_is_sent_to_a_denied_address(server: str, tmp_path: Path) -> None:
    Videos.asked.clear()
    with pytest.raises(PlayerscoreError):
        fetch(f"{server}/video", tmp_path / "v", base="https://only.example.com/")

    assert Videos.asked == []
