"""The serving certificate: loaded when it comes, replaced while serving, and known to be trusted.

A mounted Secret changes under the program, by cert-manager or by the operator's own renewal. The files are
polled, because a watch on a folder of symbolic links misses the swap on some file systems.
"""

import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509

FILES = ("tls.crt", "tls.key", "ca.crt")
ROUND_TRIPS = 4
"""A handshake in memory needs two."""


class Certificate(NamedTuple):
    """A certificate with its key, loaded, and the bundle that callers trust it by."""

    content: tuple[bytes, ...]
    """The three files, as they were read."""
    context: ssl.SSLContext
    not_before: datetime
    not_after: datetime
    distrust: str | None
    """Why the bundle's owner would refuse it; None when he would not."""

    def problem(self, now: datetime) -> str | None:
        """Why a caller would refuse it at that moment; None when none would."""
        if now < self.not_before:
            return "the certificate is not valid yet"
        if now >= self.not_after:
            return "the certificate has expired"
        return self.distrust


class Store:
    """The certificate of one folder, and the context that serves the newest.

    `server_name` is the name that the API server asks for; None leaves the names unchecked.
    """

    def __init__(self, folder: Path, server_name: str | None) -> None:
        self._folder = folder
        self._server_name = server_name
        self.current: Certificate | None = None

    def refresh(self, now: datetime) -> bool:
        """Read the files again; returns whether a new certificate is served from now on.

        A pair that does not load (a broken renewal) leaves the old one. So does one that the bundle does
        not trust, for as long as the old one is good.
        """
        try:
            loaded = self._read()
        except (OSError, ssl.SSLError, ValueError):
            return False
        if self.current and loaded.content == self.current.content:
            return False
        if self.current and loaded.problem(now) and not self.current.problem(now):
            return False
        self.current = loaded
        return True

    def problem(self, now: datetime) -> str | None:
        """Why no caller would get an answer now; None when all would."""
        return self.current.problem(now) if self.current else "no certificate is loaded"

    def serving(self) -> ssl.SSLContext:
        """A context that gives each handshake the newest certificate; TLS 1.2 or later."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

        def newest(connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
            if self.current:
                connection.context = self.current.context

        # Called at each handshake, also when the client names no server.
        context.sni_callback = newest
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _read(self) -> Certificate:
        """The files of one moment: a Secret's are links into a folder that is replaced as a whole."""
        folder = (self._folder / FILES[0]).resolve().parent
        content = _content(folder)
        if self.current and content == self.current.content:
            return self.current
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / FILES[0], folder / FILES[1])
        if _content(folder) != content:
            raise ValueError("the files changed while they were read")
        leaf = x509.load_pem_x509_certificates(content[0])[0]
        distrust = _distrust(context, content[2], self._server_name)
        return Certificate(content, context, leaf.not_valid_before_utc, leaf.not_valid_after_utc, distrust)


def _content(folder: Path) -> tuple[bytes, ...]:
    return tuple((folder / name).read_bytes() for name in FILES)


def _distrust(serving: ssl.SSLContext, bundle: bytes, server_name: str | None) -> str | None:
    """Why a client with that bundle refuses the context, found out by a handshake in memory."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = server_name is not None
    client.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # as the API server: whatever is in the bundle ends a chain
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client.load_verify_locations(cadata=bundle.decode("ascii"))
        ends = (
            client.wrap_bio(to_client, to_server, server_hostname=server_name),
            serving.wrap_bio(to_server, to_client, server_side=True),
        )
        for _ in range(ROUND_TRIPS):
            for end in ends:
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "verify_message", "") or str(error)
        return f"the bundle ca.crt does not trust the certificate: {reason}"
    return None


def utc_now() -> datetime:
    return datetime.now(UTC)
