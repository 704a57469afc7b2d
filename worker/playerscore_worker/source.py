"""Where a video may come from, and its download.

The runtime's prefixes are the allow-list. A source of the platform's own (https) may name any host the
prefix names; addresses inside the cluster or of the machine are refused unless the prefix itself names that
very host. Every redirect is judged again.
"""

import hashlib
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from playerscore.errors import SourceError, VideoError
from playerscore.tasks import AnalysisTask, PreviewTask

STORE_SCHEME: Final = "s3"
CHUNK: Final = 1 << 20
MAX_REDIRECTS: Final = 3
TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
RETRYABLE_FROM: Final = 500

Progress = Callable[[float], None]


def check_allowed(uri: str, prefixes: list[str]) -> str:
    """The prefix that allows this uri. Raises SourceError SOURCE_DENIED."""
    parts = urlsplit(uri)
    tricks = "@" in parts.netloc or ".." in parts.path.split("/") or "%2e" in uri.lower() or "\\" in uri
    if not tricks:
        for prefix in prefixes:
            if uri.startswith(prefix):
                return prefix
    raise SourceError(
        "SOURCE_DENIED",
        f"spec.video.uri {uri} is not under an allowed source: {', '.join(prefixes) or 'none'}",
        field="spec.video.uri",
    )


def check_host(url: str, prefix: str) -> None:
    """Refuse addresses that no public host has, unless the prefix names this very host. Raises SourceError."""
    host = urlsplit(url).hostname or ""
    if urlsplit(prefix).hostname == host:
        return
    for address in _addresses(host):
        if not address.is_global or address.is_multicast:
            raise SourceError(
                "SOURCE_DENIED",
                f"{host} has the address {address}, which is not public",
                field="spec.video.uri",
            )


def _addresses(host: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SourceError("SOURCE_UNAVAILABLE", f"{host} cannot be resolved: {error}") from error
    for *_, where in found:
        address = ipaddress.ip_address(str(where[0]).split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        yield mapped or address


def download(
    url: str,
    out: Path,
    *,
    max_bytes: int,
    max_seconds: float,
    judge: Callable[[str], None],
    on_progress: Progress,
) -> tuple[str, int]:
    """Stream a URL into a file; returns sha256 (hex) and bytes.

    `judge` is called with every address before it is asked. Raises SourceError and VideoError.
    """
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False) as client:
            return _download(client, url, out, max_bytes, time.monotonic() + max_seconds, judge, on_progress)
    except httpx.HTTPError as error:
        raise SourceError("SOURCE_UNAVAILABLE", f"The video's address failed: {error}") from error


def _download(
    client: httpx.Client,
    url: str,
    out: Path,
    max_bytes: int,
    deadline: float,
    judge: Callable[[str], None],
    on_progress: Progress,
) -> tuple[str, int]:
    for _ in range(MAX_REDIRECTS + 1):
        judge(url)
        with client.stream("GET", url) as answer:
            if answer.is_redirect:
                url = urljoin(url, answer.headers.get("location", ""))
                continue
            _check_answer(answer, max_bytes)
            return _store(answer, out, max_bytes, deadline, on_progress)
    raise SourceError("SOURCE_DENIED", f"More than {MAX_REDIRECTS} redirects", field="spec.video.uri")


def _check_answer(answer: httpx.Response, max_bytes: int) -> None:
    if answer.status_code == 404:
        raise SourceError("SOURCE_NOT_FOUND", "There is no video at spec.video.uri", field="spec.video.uri")
    if answer.status_code >= RETRYABLE_FROM or answer.status_code == 429:
        raise SourceError("SOURCE_UNAVAILABLE", f"The video's address answers {answer.status_code}")
    if not answer.is_success:
        raise SourceError(
            "SOURCE_DENIED", f"The video's address answers {answer.status_code}", field="spec.video.uri"
        )
    if int(answer.headers.get("content-length") or 0) > max_bytes:
        raise _too_large(max_bytes)


def _store(
    answer: httpx.Response, out: Path, max_bytes: int, deadline: float, on_progress: Progress
) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    total = int(answer.headers.get("content-length") or 0)
    with out.open("wb") as file:
        for chunk in answer.iter_bytes(CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            if time.monotonic() > deadline:
                raise SourceError("SOURCE_TOO_SLOW", f"Only {size} bytes came in the time allowed")
            digest.update(chunk)
            file.write(chunk)
            on_progress(size / total if total else 0.0)
    return digest.hexdigest(), size


def _too_large(max_bytes: int) -> VideoError:
    return VideoError("VIDEO_TOO_LARGE", f"The video has more than {max_bytes} bytes", field="spec.video.uri")


def check_digest(task: PreviewTask | AnalysisTask, sha256: str) -> None:
    """That the bytes are the pinned ones. Raises VideoError VIDEO_CHANGED."""
    for wanted, whose in (
        (task.video.sha256, "spec.video.sha256"),
        (task.video_sha256, "the preview's digest"),
    ):
        if wanted and wanted != sha256:
            raise VideoError("VIDEO_CHANGED", f"The video's sha256 is {sha256}, {whose} is {wanted}")


def digest_of(path: Path) -> str:
    """The sha256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
