"""One server with up to two doors: plain HTTP for the cluster, and TLS with a certificate that may be renewed."""

import asyncio
import functools
import socket
import ssl
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
import uvicorn
from fastapi import FastAPI

from playerscore.listening import listening
from playerscore_api.settings import Settings

log = structlog.get_logger("playerscore.api")

DRAIN_SECONDS: Final = 20
LOOK_SECONDS: Final = 10.0
"""Between two looks at the certificate's files."""


class Files(NamedTuple):
    """A certificate and its key, as PEM."""

    cert: Path
    key: Path

    def version(self) -> tuple[int, ...]:
        """What changes when one of them is replaced. Raises OSError."""
        return tuple(part for file in self for part in (file.stat().st_mtime_ns, file.stat().st_ino))

    def load(self, context: ssl.SSLContext) -> None:
        """Use them for every connection from now on. Raises OSError (an SSLError is one) and changes nothing."""
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self)
        context.load_cert_chain(*self)


class Server(uvicorn.Server):
    """Uvicorn with a second socket, on which the same application answers over TLS."""

    def __init__(
        self, config: uvicorn.Config, files: Files | None = None, secure: socket.socket | None = None
    ) -> None:
        super().__init__(config)
        self._files = files
        self._secure = secure
        self._keeper: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._files is None or self._secure is None:
            return
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        version = self._files.version()
        self._files.load(context)
        made: Any = self.config.http_protocol_class  # a class, once the configuration is loaded
        protocol = functools.partial(
            made,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_server(protocol, sock=self._secure, ssl=context))
        self._keeper = asyncio.create_task(_keep_fresh(self._files, version, context))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._keeper:
            self._keeper.cancel()
        await super().shutdown(sockets)


async def _keep_fresh(files: Files, version: tuple[int, ...], context: ssl.SSLContext) -> None:
    """Load the certificate again whenever it changes; one that cannot be loaded leaves the last in use."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            found = files.version()
            if found != version:
                files.load(context)
                version = found
                log.info("certificate loaded", file=str(files.cert))
        except OSError as error:
            log.error("the new certificate cannot be used", file=str(files.cert), error=str(error))


def run(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError when a port is taken, or the certificate cannot be used."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        proxy_headers=False,
    )
    plain, files, secure = listening(settings.host, settings.port), None, None
    if settings.tls_cert_file and settings.tls_key_file:
        files = Files(settings.tls_cert_file, settings.tls_key_file)
        files.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        secure = listening(settings.host, settings.tls_port)
    Server(config, files, secure).run(sockets=[plain])
