"""Where a video may come from: the allow-list, private addresses, caps, and a real server on loopback."""

import contextlib
import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playerscore import sources
from playerscore.errors import PlayerscoreError
from playerscore_worker import source

PREFIXES = ["s3://playerscore/team-a/uploads/", "https://video.example.com/"]
BARE = ["s3://playerscore/team-a", "https://video.example.com"]
"""The same without their last slash, which must not open more."""


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
        ("s3://playerscore/team-a/uploads/a%252e%252e/x", True),  # an odd name, and no more
        ("s3://playerscore/team-a/uploads/%252e%252e/x", False),  # climbs out, encoded twice
        ("s3://playerscore/team-a/uploads/..%2fx", False),  # the slash encoded
        ("s3://playerscore/team-a/uploads/..%5cx", False),
        ("s3://playerscore/team-a/uploads-of-b/x", False),  # a neighbour with a longer name
        ("s3://playerscore2/team-a/uploads/x", False),  # a longer bucket
        ("https://video.example.com/my%20match.mp4", True),
        ("https://video.example.com:8443/x.mp4", False),  # another port
        ("https://video.example.com%2f@evil.example/x", False),
        ("https:///x.mp4", False),  # no host at all
    ],
)
def test_only_allowed_prefixes_pass(uri: str, allowed: bool) -> None:
    if allowed:
        assert uri.startswith(sources.check_allowed(uri, PREFIXES))
        return
    with pytest.raises(PlayerscoreError) as refused:
        sources.check_allowed(uri, PREFIXES)

    assert refused.value.code == "SOURCE_DENIED"
    assert refused.value.details["field"] == "spec.video.uri"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://playerscore/team-a-and-more/x",
        "https://video.example.com.evil.example/x.mp4",
        "https://video.example.community/x.mp4",
    ],
)
def test_a_prefix_ends_where_a_word_ends(uri: str) -> None:
    with pytest.raises(PlayerscoreError, match="not under an allowed source"):
        sources.check_allowed(uri, BARE)


def test_a_prefix_without_a_host_allows_every_public_one() -> None:
    assert sources.check_allowed("https://anyone.example/x.mp4", ["https://"]) == "https://"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
        "224.0.0.1",
        "2130706433",  # 127.0.0.1 as one number
        "localhost",
        "[::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",  # 169.254.169.254 behind NAT64
        "[2002:7f00:1::1]",  # 127.0.0.1 behind 6to4
    ],
)
def test_addresses_of_the_inside_are_refused(host: str) -> None:
    with pytest.raises(PlayerscoreError) as refused:
        source.check_host(f"http://{host}/x.mp4", "http://")

    assert refused.value.code == "SOURCE_DENIED"


def test_a_host_that_the_prefix_names_may_be_inside() -> None:
    assert source.check_host("http://127.0.0.1/x.mp4", "http://127.0.0.1/") is None


class Videos(http.server.BaseHTTPRequestHandler):
    """A kilobyte, a redirect, nothing, or trouble."""

    asked: list[str] = []  # noqa: RUF012 - one list for the server's life
    hosts: list[str] = []  # noqa: RUF012 - the same

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.hosts.append(self.headers["Host"])
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://elsewhere.invalid/secret")
            self.end_headers()
            return
        if self.path == "/nowhere":
            self.send_response(302)
            self.send_header("Location", "http://0177.0.0.1/secret")
            self.end_headers()
            return
        if self.path == "/trickle":
            self._trickle()
            return
        status = {"/gone": 404, "/ill": 503}.get(self.path, 200)
        self.send_response(status)
        self.end_headers()
        if status == 200:
            self.wfile.write(b"x" * 1024)

    def _trickle(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):  # the client goes away
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Videos) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def fetch(url: str, out: Path, max_bytes: int = 4096, base: str | None = None) -> tuple[str, int]:
    def judge(address: str) -> str | None:
        return source.check_host(address, sources.check_allowed(address, [base or url[: url.rindex("/")]]))

    return source.download(
        url, out, max_bytes=max_bytes, max_seconds=10, judge=judge, min_rate=100, window_seconds=0.3
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
        ("/nowhere", 4096, "SOURCE_DENIED"),  # to what the client cannot read: again is no better
        ("/trickle", 4096, "SOURCE_TOO_SLOW"),
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


def test_no_connection_is_made_to_an_address_of_the_inside(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        with pytest.raises(PlayerscoreError) as refused:
            fetch(f"http://localhost:{listener.getsockname()[1]}/x", tmp_path / "v", base="http://")
        with pytest.raises(TimeoutError):
            listener.accept()

    assert refused.value.code == "SOURCE_DENIED"


def test_the_judged_address_is_connected_to_and_the_host_still_named(server: str, tmp_path: Path) -> None:
    port = server.rsplit(":", 1)[1]
    Videos.hosts.clear()

    source.download(
        f"http://video.example.com:{port}/video",
        tmp_path / "v",
        max_bytes=4096,
        max_seconds=10,
        judge=lambda url: "127.0.0.1",
    )

    assert Videos.hosts == [f"video.example.com:{port}"]


def test_the_whole_download_has_a_time_limit(server: str, tmp_path: Path) -> None:
    with pytest.raises(PlayerscoreError, match="longer than allowed"):
        source.download(
            f"{server}/trickle",
            tmp_path / "v",
            max_bytes=4096,
            max_seconds=0.2,
            judge=lambda url: None,
            min_rate=0,
        )
