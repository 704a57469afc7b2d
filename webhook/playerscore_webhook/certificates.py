"""The serving certificate: loaded when it comes, replaced while serving, and known to be valid.

A mounted Secret changes under the program, by cert-manager or by the chart's own renewal. The files are
polled, because a watch on a folder of symbolic links misses the swap on some file systems.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509


class Certificate(NamedTuple):
    """A certificate and key that belong together."""

    chain_pem: bytes
    key_pem: bytes
    not_before: datetime
    not_after: datetime

    def valid(self, now: datetime) -> bool:
        """Whether the API server would accept it at that moment, as far as its dates say."""
        return self.not_before <= now < self.not_after


class Store:
    """The certificate of one folder, and the contexts that serve it."""

    def __init__(self, folder: Path) -> None:
        self._chain = folder / "tls.crt"
        self._key = folder / "tls.key"
        self.current: Certificate | None = None

    def refresh(self, *serving: ssl.SSLContext) -> bool:
        """Read the files again; returns whether a new certificate was loaded, into `serving` too.

        A pair that does not load (a swap seen between its two files, a broken renewal) leaves the old one.
        """
        try:
            chain, key = self._chain.read_bytes(), self._key.read_bytes()
            if self.current and (chain, key) == (self.current.chain_pem, self.current.key_pem):
                return False
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            leaf = x509.load_pem_x509_certificates(chain)[0]
        except (OSError, ssl.SSLError, ValueError):
            return False
        for context in serving:
            self._load(context)
        self.current = Certificate(chain, key, leaf.not_valid_before_utc, leaf.not_valid_after_utc)
        return True

    def ready(self) -> bool:
        """Whether a certificate is loaded that is valid now."""
        return self.current is not None and self.current.valid(datetime.now(UTC))

    def context(self) -> ssl.SSLContext:
        """A serving context with the current certificate; TLS 1.2 or later."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self._chain, self._key)
