"""Two uvicorn servers in one loop: TLS for the API server, plain HTTP for probes and Prometheus."""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import Gauge

from playerscore_webhook.app import Metrics, metrics_app, review_app
from playerscore_webhook.certificates import Store
from playerscore_webhook.settings import Settings

log = structlog.get_logger(__name__)

KEEP_ALIVE_SECONDS = 120
"""Longer than the API server keeps an idle connection (90 s), so that it is never the one surprised."""
DRAIN_SECONDS = 20


class _Server(uvicorn.Server):
    """Leaves signals to the program, which has two of these."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Webhook:
    """The running webhook."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._certificates = Store(settings.certificate_dir)
        self._metrics = Metrics()
        self._expiry = Gauge(
            "playerscore_webhook_certificate_expiry_timestamp_seconds",
            "When the serving certificate ends, seconds since the epoch.",
            registry=self._metrics.registry,
        )
        self._plain = self._server(metrics_app(self._metrics, self.ready), settings.metrics_port)
        self._secure: _Server | None = None
        self._context: ssl.SSLContext | None = None
        self._stopping = asyncio.Event()

    def ready(self) -> bool:
        """Whether reviews are served with a certificate that is valid now."""
        return bool(self._secure and self._secure.started and self._certificates.ready())

    def stop(self) -> None:
        """Finish the requests under way, then return from `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`, or until a server ends by itself, which is an error."""
        tasks = [
            asyncio.create_task(self._plain.serve()),
            asyncio.create_task(self._serve_reviews()),
            asyncio.create_task(self._stopping.wait()),
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for server in filter(None, (self._secure, self._plain)):
            server.should_exit = True
        if self._secure is None:
            tasks[1].cancel()
        await asyncio.wait(tasks[:2], timeout=DRAIN_SECONDS)
        for task in done:
            task.result()

    async def _serve_reviews(self) -> None:
        """Wait for a certificate, then serve with it and keep it fresh."""
        while not self._refreshed():
            await asyncio.sleep(self._settings.certificate_poll_seconds)
        app = review_app(self._metrics, self.ready, self._settings.body_max_bytes)
        self._context = self._certificates.context()
        self._secure = self._server(
            app, self._settings.port, ssl_context_factory=lambda _config, _default: self._context
        )
        keeper = asyncio.create_task(self._keep_fresh())
        try:
            await self._secure.serve()
        finally:
            keeper.cancel()

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._settings.certificate_poll_seconds)
            self._refreshed()

    def _refreshed(self) -> bool:
        contexts = [self._context] if self._context else []
        changed = self._certificates.refresh(*contexts)
        if changed and self._certificates.current:
            expiry = self._certificates.current.not_after
            self._expiry.set(expiry.timestamp())
            log.info("certificate loaded", not_after=expiry.isoformat(), expired=expiry < datetime.now(UTC))
        return changed

    def _server(self, app: FastAPI, port: int, **tls: Any) -> _Server:
        config = uvicorn.Config(
            app,
            host=self._settings.host,
            port=port,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            access_log=False,
            log_config=None,
            lifespan="off",
            **tls,
        )
        return _Server(config)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    webhook = Webhook(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, webhook.stop)
    await webhook.run()
