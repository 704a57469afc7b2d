"""`python -m playerscore_operator`: waits for the Lease, then watches and reconciles until it is stopped."""

import asyncio
import os
import signal

import kopf
import structlog
import uvloop

from playerscore import names
from playerscore_operator import certificates, handlers, leader, logs, metrics
from playerscore_operator.cluster import Cluster
from playerscore_operator.controller import Controller
from playerscore_operator.health import Health
from playerscore_operator.settings import Settings

STOP_SECONDS = 8.0
KINDS_RECHECK_SECONDS = 5.0

log = structlog.get_logger("playerscore.operator")


class Operator:
    """The process: health from the start, everything else while it leads."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.cluster = cluster
        self.settings = settings
        # Its own connections: a renewal waits behind no other request.
        self._electing = Cluster(cluster.api)
        self.controller = Controller(cluster, settings)
        self.health = Health(self.controller)
        self.stop = asyncio.Event()
        self._leading: asyncio.Task[object] | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; raises what ended a part of it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop.set)
        runner = await self.health.serve(self.settings.host, self.settings.health_port)
        self.health.ready.set()
        beat = asyncio.create_task(self.health.beat())
        election = asyncio.create_task(
            leader.lead(self._electing, self.settings, self.cluster.term, self.lead, _lost)
        )
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({stopping, election}, return_when=asyncio.FIRST_COMPLETED)
            if election.done():
                election.result()
        finally:
            # First everything that writes ends, then another replica may begin.
            await _cancelled(election, beat, stopping, *([self._leading] if self._leading else []))
            await leader.release(self._electing, self.settings)
            await self._electing.close()
            await runner.cleanup()

    async def lead(self) -> None:
        """What only the leader does. A part that ends ends the process: it is restarted clean."""
        log.info("leading", identity=self.settings.identity)
        metrics.LEADER.set_function(lambda: not self.cluster.term.over)
        self.health.leading = True
        self._leading = asyncio.current_task()
        parts = [self._watch(), self.controller.run()]
        if self.settings.webhook_configuration:
            parts.append(certificates.keep(self.cluster, self.settings))
        try:
            await asyncio.gather(*parts)
        except Exception:
            log.exception("the leader failed")
            os._exit(1)

    async def _watch(self) -> None:
        # Kopf looks once for the kinds it watches; a chart may bring the operator before them.
        while missing := {names.JOB_PLURAL, names.RUNTIME_PLURAL} - await self.cluster.served():
            log.warning("the API server does not serve our kinds yet", missing=sorted(missing))
            await asyncio.sleep(KINDS_RECHECK_SECONDS)
        chosen = self.settings.namespaces
        # Kopf takes over the signals while it runs; it returns when one came, and raises when it is unwell.
        await kopf.operator(
            registry=handlers.registry(self.controller),
            settings=handlers.settings(),
            clusterwide=not chosen,
            namespaces=chosen,
            standalone=True,
            identity=self.settings.identity,  # type: ignore[arg-type] # a NewType that is not exported
            stop_flag=self.stop,
        )
        self.stop.set()


async def _lost() -> None:
    """Another replica may lead already: nothing may be written any more."""
    log.error("the Lease was lost")
    os._exit(1)


async def _cancelled(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=STOP_SECONDS)


async def main() -> None:
    settings = Settings()
    logs.configure(settings.log_level)
    cluster = await Cluster.connect()
    try:
        await Operator(cluster, settings).run()
    finally:
        await cluster.close()


if __name__ == "__main__":
    uvloop.run(main())
