"""Two uvicorn servers in one loop: TLS for the API server, plain HTTP for probes and Prometheus."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Iterator
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from playerscore.listening import listening
from playerscore_webhook.app import Leaving, Metrics, metrics_app, review_app
from playerscore_webhook.certificates import Store, utc_now
from playerscore_webhook.settings import Settings

log = structlog.get_logger(__name__)

KEEP_ALIVE_SECONDS = 120
"""Longer than the API server keeps an idle connection (90 s), so that it is never the one surprised."""
DRAIN_SECONDS = 10
GARBAGE_THRESHOLD = 20_000
"""Objects until a collection, instead of 700: a review leaves no cycles behind, only what is freed at once."""


class _Server(uvicorn.Server):
    """Leaves signals to the program, which has two of these."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Webhook:
    """The running webhook."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._certificates = Store(settings.certificate_dir, settings.server_name)
        self._metrics = Metrics()
        self.reviews = review_app(
            self._metrics, self.problem, settings.body_max_bytes, settings.deadline_seconds
        )
        """What is served over TLS."""
        self._leaving = Leaving(self.reviews)
        serving = self._certificates.serving()
        self._secure = self._server(self._leaving, ssl_context_factory=lambda *_: serving)
        self._plain = self._server(metrics_app(self._metrics, self.problem))
        self._stopping = asyncio.Event()

    def problem(self) -> str | None:
        """Why no review should be sent here; None when all is well."""
        if self._stopping.is_set():
            return "leaving"
        if not self._secure.started:
            return "starting"
        return self._certificates.problem(utc_now())

    def stop(self) -> None:
        """Answer a little longer, then finish the requests under way and return from `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`, or until a server ends by itself, which is an error."""
        servers = [
            asyncio.create_task(self._served(self._plain, self._settings.metrics_port)),
            asyncio.create_task(self._serve_reviews()),
        ]
        leave = asyncio.create_task(self._leave())
        done, _ = await asyncio.wait([*servers, leave], return_when=asyncio.FIRST_COMPLETED)
        for server in (self._secure, self._plain):
            server.should_exit = True
        if not self._secure.started:
            servers[1].cancel()
        await asyncio.wait(servers, timeout=DRAIN_SECONDS + 2)
        for task in done:
            task.result()

    async def _leave(self) -> None:
        await self._stopping.wait()
        self._leaving.told = True
        log.info("leaving", seconds=self._settings.leave_seconds)
        if self._secure.started:
            await asyncio.sleep(self._settings.leave_seconds)

    async def _serve_reviews(self) -> None:
        """Wait for a certificate, then serve with it and keep it fresh."""
        while not self._refreshed():
            await asyncio.sleep(self._settings.certificate_poll_seconds)
        keeper = asyncio.create_task(self._keep_fresh())
        # What was made so far lives as long as the process: no collection need look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE_THRESHOLD)
        try:
            await self._served(self._secure, self._settings.port)
        finally:
            keeper.cancel()

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._settings.certificate_poll_seconds)
            self._refreshed()

    def _refreshed(self) -> bool:
        changed = self._certificates.refresh(utc_now())
        if changed and self._certificates.current:
            expiry = self._certificates.current.not_after
            self._metrics.expiry.set(expiry.timestamp())
            problem = self._certificates.problem(utc_now())
            log.info("certificate loaded", not_after=expiry.isoformat(), problem=problem)
        return changed

    async def _served(self, server: _Server, port: int) -> None:
        await server.serve(sockets=[listening(self._settings.host, port)])

    def _server(self, app: ASGIApp, **tls: Any) -> _Server:
        config = uvicorn.Config(
            app,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            access_log=False,
            log_config=None,
            lifespan="off",
            # The API server comes itself, and neither looks at who asks.
            proxy_headers=False,
            ws="none",
            **tls,
        )
        return _Server(config)


async def serve(webhook: Webhook) -> None:
    """Run until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, webhook.stop)
    await webhook.run()
