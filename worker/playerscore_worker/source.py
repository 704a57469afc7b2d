"""The download of a video, and which hosts it may come from.

The allowed prefixes are the core's (`playerscore.sources`); one without a host (`https://`) allows every
public one. Addresses inside the cluster or of the machine are refused unless the prefix itself names that
very host; what was resolved and judged is what is connected to, so a name that changes its mind in between
gains nothing. Every redirect is judged again.
"""

import hashlib
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx

from playerscore.errors import SourceError, VideoError
from playerscore.sources import VIDEO_FIELD, denied, file_field
from playerscore.tasks import AnalysisTask, FurtherTask, PreviewTask
from playerscore_worker import trust

MAX_REDIRECTS: Final = 3
TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
GONE: Final = frozenset({404, 410})
BUSY: Final = frozenset({408, 425, 429})
# A match of an hour needs about 100 kB a second to be fetched in an hour's time; this is for stuck senders.
MIN_BYTES_PER_SEC: Final = 16 * 1024
WINDOW_SECONDS: Final = 30.0
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Progress = Callable[[float], None]
Judge = Callable[[str], str | None]
"""Raises SourceError for a URL that may not be asked; else the one address to connect to, or None for any."""


def check_host(url: str, prefix: str) -> str | None:
    """The public address to connect to; None when the prefix names this very host. Raises SourceError."""
    host = urlsplit(url).hostname or ""
    if urlsplit(prefix).hostname == host:
        return None
    found = sorted(_resolved(host), key=lambda address: address.version)
    for address in found:
        if not all(inner.is_global and not inner.is_multicast for inner in _meant(address)):
            raise denied(f"{host} has the address {address}, which is not public")
    return str(found[0])


def _resolved(host: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError("SOURCE_UNAVAILABLE", f"{host} cannot be resolved: {error}") from error
    return [ipaddress.ip_address(str(where[0]).split("%")[0]) for *_, where in found]


def _meant(address: Address) -> Iterator[Address]:
    """The address itself, and the IPv4 one that it stands for."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            yield ipaddress.IPv4Address(address.packed[-4:])
        yield from (inner for inner in (address.ipv4_mapped, address.sixtofour) if inner)


class _Pace:
    """Ends a download that takes too long, or that trickles."""

    def __init__(self, seconds: float, min_rate: float, window_seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.least = min_rate * window_seconds
        self.window = window_seconds
        self.since, self.size = time.monotonic(), 0

    def came(self, size: int) -> None:
        """Note `size` more bytes. Raises SourceError SOURCE_TOO_SLOW."""
        now, self.size = time.monotonic(), self.size + size
        if now > self.deadline:
            raise SourceError("SOURCE_TOO_SLOW", "The download took longer than allowed")
        if now - self.since < self.window:
            return
        if self.size < self.least:
            text = f"Only {self.size} bytes of the video came in {now - self.since:.0f} s"
            raise SourceError("SOURCE_TOO_SLOW", text)
        self.since, self.size = now, 0


def download(
    url: str,
    out: Path,
    *,
    max_bytes: int,
    max_seconds: float,
    judge: Judge,
    min_rate: float = MIN_BYTES_PER_SEC,
    window_seconds: float = WINDOW_SECONDS,
) -> tuple[str, int]:
    """Stream a URL into a file; returns sha256 (hex) and bytes.

    `judge` is called with every URL before it is asked; `min_rate` is in bytes a second, over windows of
    `window_seconds`. Raises SourceError and VideoError.
    """
    pace = _Pace(max_seconds, min_rate, window_seconds)
    try:
        verify = trust.context()
        with httpx.Client(verify=verify, timeout=TIMEOUT, trust_env=False, event_hooks=HOOKS) as client:
            return _download(client, url, out, max_bytes, pace, judge)
    except httpx.InvalidURL as error:
        raise denied(f"The video's address is none: {error}") from error
    except httpx.HTTPError as error:
        raise SourceError("SOURCE_UNAVAILABLE", f"The video's address failed: {error}") from error


def _download(
    client: httpx.Client, url: str, out: Path, max_bytes: int, pace: _Pace, judge: Judge
) -> tuple[str, int]:
    for _ in range(MAX_REDIRECTS + 1):
        request = _request(client, url, judge(url))
        answer = client.send(request, stream=True)
        try:
            if answer.has_redirect_location:
                url = urljoin(url, answer.headers["location"])
                continue
            _check_answer(answer, max_bytes)
            return _store(answer, out, max_bytes, pace)
        finally:
            answer.close()
    raise denied(f"More than {MAX_REDIRECTS} redirects")


def _check_location(answer: httpx.Response) -> None:
    """Before the client reads it, to whom an address that is none is a connection that failed. Raises SourceError."""
    if not answer.has_redirect_location:
        return
    try:
        httpx.URL(answer.headers["location"])
    except httpx.InvalidURL as error:
        raise denied(f"The video's address sends to what is no address: {error}") from error


HOOKS: Final = {"response": [_check_location]}


def _request(client: httpx.Client, url: str, address: str | None) -> httpx.Request:
    """A request that goes to `address` and still names the host, in its header and to TLS."""
    target = httpx.URL(url)
    # The bytes as stored, for the digest: no encoding on the way.
    headers = {"Accept-Encoding": "identity", "Host": target.netloc.decode("ascii")}
    if address is None:
        return client.build_request("GET", target, headers=headers)
    return client.build_request(
        "GET",
        target.copy_with(host=address),
        headers=headers,
        extensions={"sni_hostname": target.host},
    )


def _check_answer(answer: httpx.Response, max_bytes: int) -> None:
    status = answer.status_code
    if status in GONE:
        raise SourceError("SOURCE_NOT_FOUND", "There is no video at spec.video.uri", field=VIDEO_FIELD)
    if status in BUSY or status >= 500:
        raise SourceError("SOURCE_UNAVAILABLE", f"The video's address answers {status}")
    if status != 200:
        raise denied(f"The video's address answers {status}")
    if _announced(answer) > max_bytes:
        raise _too_large(max_bytes)


def _announced(answer: httpx.Response) -> int:
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _store(answer: httpx.Response, out: Path, max_bytes: int, pace: _Pace) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with out.open("wb") as file:
        # Pieces as they come: a piece of a fixed size would hide a sender that trickles.
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            pace.came(len(chunk))
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest(), size


def _too_large(max_bytes: int) -> VideoError:
    return VideoError("VIDEO_TOO_LARGE", f"The video has more than {max_bytes} bytes", field=VIDEO_FIELD)


class Footage(NamedTuple):
    """A video as it lies here: its files, in their order."""

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    """The sha256 of each, hex."""

    @property
    def sha256(self) -> str:
        """Of the one file; of several the sha256 of their digests, joined by newlines."""
        if len(self.digests) == 1:
            return self.digests[0]
        return hashlib.sha256("\n".join(self.digests).encode()).hexdigest()


def check_digest(task: PreviewTask | FurtherTask | AnalysisTask, footage: Footage) -> None:
    """That the bytes are the pinned ones. Raises VideoError VIDEO_CHANGED."""
    pinned = [(task.video_sha256, footage.sha256, "the preview's digest")]
    for number, (file, sha256) in enumerate(zip(task.video.files, footage.digests, strict=True)):
        pinned.insert(number, (file.sha256, sha256, file_field(number).removesuffix("uri") + "sha256"))
    for wanted, sha256, whose in pinned:
        if wanted and wanted != sha256:
            raise VideoError("VIDEO_CHANGED", f"The video's sha256 is {sha256}, {whose} is {wanted}")


def digest_of(path: Path) -> str:
    """The sha256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
