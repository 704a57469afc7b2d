"""Kopf's decorators and nothing else: every event puts a key into the queue.

No create, update or delete handlers, timers or daemons: those need annotations and finalizers, and a
finalizer blocks deletion while the operator is down.
"""

import asyncio
import dataclasses
import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from playerscore import names
from playerscore_operator.controller import Controller

LONGEST_BACKOFF_SECONDS = 15.0
CALM_SECONDS = 60.0
"""A token that was good for longer than this is not refused again and again."""
NEVER = timedelta(days=36_500)


class JitteredBackoffs:
    """Delays without an end: Kopf exits when they run out, and an exit means minutes of crash loop."""

    def __iter__(self) -> Iterator[float]:
        delay = 0.5
        while True:
            yield delay * random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries, guards nothing
            delay = min(LONGEST_BACKOFF_SECONDS, delay * 2)


class Credentials:
    """Reads the token again when it was refused, later each time: Kopf ends when it is given the same one twice."""

    def __init__(self) -> None:
        self._delays = iter(JitteredBackoffs())
        self._told = -math.inf

    async def read(self, settings: kopf.OperatorSettings) -> kopf.ConnectionInfo | None:
        """The pod's account or the kubeconfig, as it is now."""
        if time.monotonic() - self._told > CALM_SECONDS:
            self._delays = iter(JitteredBackoffs())
        else:
            await asyncio.sleep(next(self._delays))
        self._told = time.monotonic()
        inside = kopf.login_with_service_account(settings=settings)
        found = inside or kopf.login_with_kubeconfig(settings=settings)
        # By its end, which never comes, each is another one.
        return found and dataclasses.replace(found, expiration=datetime.now(UTC) + NEVER)


class NoDiffs(kopf.DiffBaseStorage):
    """For an operator that has no change-detecting handlers: no deep copy of every object of every event."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""


class NoProgress(kopf.ProgressStorage):
    """For the same reason: no handler here has a progress."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is kept."""

    def purge(self, **_: Any) -> None:
        """Nothing was kept."""

    def touch(self, **_: Any) -> None:
        """Nothing is kept."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def registry(controller: Controller) -> kopf.OperatorRegistry:
    """The handlers of one controller."""
    handlers = kopf.OperatorRegistry()
    credentials = Credentials()

    @kopf.on.login(registry=handlers)
    async def login(settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:
        return await credentials.read(settings)

    @kopf.on.event(names.GROUP, names.VERSION, names.JOB_PLURAL, registry=handlers)
    async def scoringjob(event: kopf.RawEvent, **_: Any) -> None:
        controller.job_event(dict(event["object"]), deleted=event["type"] == "DELETED")

    @kopf.on.event(names.GROUP, names.VERSION, names.RUNTIME_PLURAL, registry=handlers)
    async def runtime(event: kopf.RawEvent, **_: Any) -> None:
        controller.runtime_event(dict(event["object"]), deleted=event["type"] == "DELETED")

    @kopf.on.event("batch", "v1", "jobs", registry=handlers)
    async def child(event: kopf.RawEvent, **_: Any) -> None:
        controller.child_event("jobs", dict(event["object"]), deleted=event["type"] == "DELETED")

    @kopf.on.event("", "v1", "pods", registry=handlers)
    async def pod(event: kopf.RawEvent, **_: Any) -> None:
        controller.child_event("pods", dict(event["object"]), deleted=event["type"] == "DELETED")

    return handlers


def settings() -> kopf.OperatorSettings:
    """Kopf as this operator needs it; the reasons are in the names and in the module's docstring."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.posting.loggers = False
    chosen.networking.connect_timeout = 5
    chosen.networking.request_timeout = 30
    chosen.networking.error_backoffs = JitteredBackoffs()
    chosen.watching.server_timeout = 600
    chosen.watching.connect_timeout = 10
    chosen.watching.chunk_size = 100
    # Filtered at the server: other people's Jobs and pods never reach this process.
    chosen.watching.label_selectors["batch", "v1", "jobs"] = names.CHILDREN
    chosen.watching.label_selectors["", "v1", "pods"] = names.CHILDREN
    chosen.peering.standalone = True
    # Without it Kopf watches all namespaces and definitions of kinds, for which this operator has no use.
    chosen.scanning.disabled = True
    chosen.persistence.diffbase_storage = NoDiffs()
    chosen.persistence.progress_storage = NoProgress()
    # Kopf keeps a task and its last event for each object that lately had one: thousands after a listing.
    chosen.queueing.idle_timeout = 0.1
    chosen.persistence.finalizer = f"{names.GROUP}/operator"
    return chosen
