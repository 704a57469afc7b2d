"""Liveness and readiness of the operator's own making.

Kopf's probe only proves that a socket answers. Here a lagging event loop, or a leader whose watch has been
silent for longer than a resync, is dead. The API server is never asked inside a probe.
"""

import asyncio
import time

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from playerscore.listening import listening
from playerscore_operator import metrics
from playerscore_operator.controller import Controller

LAG_LIMIT_SECONDS = 10.0
BEAT_SECONDS = 1.0


class Health:
    """What the probes answer."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.leading = False
        self.ready = asyncio.Event()
        """Set when this replica stands by, and again when the leader's watches have begun."""
        self._beat = time.monotonic()

    async def beat(self) -> None:
        """Measures how late the loop is; runs until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            self._beat = time.monotonic()
            metrics.LOOP_LAG.set(max(0.0, self._beat - before - BEAT_SECONDS))

    def troubles(self) -> list[str]:
        """Why the process should be restarted; empty when it is well."""
        found = []
        now = time.monotonic()
        if now - self._beat > LAG_LIMIT_SECONDS:
            found.append("the event loop lags")
        if self.leading and now - self.controller.last_event > 3 * self.controller.settings.resync_seconds:
            found.append("neither an event nor a listing for three resync periods")
        return found

    async def serve(self, host: str, port: int) -> web.AppRunner:
        """Start the HTTP server; the caller cleans the runner up."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", _metrics)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.SockSite(runner, listening(host, port)).start()
        return runner

    async def _healthz(self, _: web.Request) -> web.Response:
        troubles = self.troubles()
        return web.Response(status=503 if troubles else 200, text="; ".join(troubles) or "ok")

    async def _readyz(self, _: web.Request) -> web.Response:
        """A release is there when its runtimes are, hence the leader is not ready before."""
        trouble = self.controller.runtimes.trouble if self.leading else ""
        ready = self.ready.is_set() and not trouble
        role = "leader" if self.leading else "standby"
        return web.Response(status=200 if ready else 503, text=trouble or role)


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
