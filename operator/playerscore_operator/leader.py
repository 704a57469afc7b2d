"""One leader at a time, by a Lease; Kopf's peering would freeze two equals.

The election is the official client's. Its lock is not used: in version 37 it cannot create a Lease (it passes
a bool where its own models want a string). What the client lacks is added: giving the Lease back on a clean
stop, so that the next replica need not wait for it to run out; and patience. While the API server is away
nobody else can lead, so a leader that cannot renew falls silent, and goes on when it has renewed. It ends only
when another leads.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import structlog
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from playerscore_operator.cluster import MERGE_PATCH, ApiError, Cluster, Json
from playerscore_operator.settings import Settings
from playerscore_operator.term import Term

NETWORK = (ApiError, OSError, TimeoutError)

log = structlog.get_logger("playerscore.operator")


class Lease(BaseLock):  # type: ignore[misc] # the client ships no types
    """A coordination.k8s.io Lease as the lock; every update carries the resourceVersion that was read."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        super().__init__(settings.lease_name, settings.namespace, settings.identity)
        self.cluster = cluster
        self._version = ""
        self.answered = True
        """Whether the API server said anything when it was last asked."""

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """(True, record) or (False, the client's exception): the form that the election reads."""
        self.answered = False
        try:
            lease = await self.cluster.request("GET", _path(name, namespace))
        except ApiError as error:
            answer = ApiException(status=error.status, reason=error.reason)
            answer.body = f'{{"code": {error.status}}}'
            self.answered = 0 < error.status < 500
            return False, answer
        except (OSError, TimeoutError) as error:
            return False, ApiException(status=0, reason=str(error))
        self.answered = True
        self._version = lease["metadata"]["resourceVersion"]
        return True, _record(lease.get("spec") or {})

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        body = {"metadata": {"name": name}, "spec": self._spec(election_record)}
        return await self._write("POST", _path(name, namespace).rsplit("/", 1)[0], body, "application/json")

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        body = {"metadata": {"resourceVersion": self._version}, "spec": self._spec(updated_record)}
        return await self._write("PATCH", _path(name, namespace), body, MERGE_PATCH)

    async def _write(self, method: str, path: str, body: Json, content_type: str) -> bool:
        try:
            await self.cluster.request(method, path, body=body, content_type=content_type)
        except ApiError as error:
            self.answered = 0 < error.status < 500
            return False
        except (OSError, TimeoutError):
            self.answered = False
            return False
        return True

    def _spec(self, record: LeaderElectionRecord) -> Json:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": record.holder_identity,
            "leaseDurationSeconds": int(float(record.lease_duration)),
            "renewTime": now,
        }
        taken = record.acquire_time == record.renew_time
        return spec | ({"acquireTime": now} if taken else {})


def _path(name: str, namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"


def _record(spec: Json) -> LeaderElectionRecord | None:
    """None for a Lease that was given back: anybody may take it at once."""
    if not spec.get("holderIdentity"):
        return None
    duration, acquired, renewed = (
        spec.get(key) for key in ("leaseDurationSeconds", "acquireTime", "renewTime")
    )
    return LeaderElectionRecord(spec["holderIdentity"], str(duration), str(acquired), str(renewed))


class Election(LeaderElection):  # type: ignore[misc] # the client ships no types
    """The client's, which gives up when it cannot renew in time; this one waits. `term` is extended with each renewal."""

    def __init__(self, settings: Config, term: Term) -> None:
        super().__init__(settings)
        self._term = term

    async def try_acquire_or_renew(self) -> bool:
        """Whether this replica holds the Lease now; in doubt it does not."""
        began, held = time.monotonic(), False
        with contextlib.suppress(TimeoutError):
            # A connection that is open at this end only would take its time to say so.
            async with asyncio.timeout(self.election_config.renew_deadline / 2):
                held = await super().try_acquire_or_renew()
        if held:
            self._term.extend(began + self.election_config.renew_deadline)
        elif not self.election_config.lock.answered:
            # The holder could not renew either: its time begins anew, so that an outage changes no leader.
            self.observed_record = None
        return held

    async def renew_loop(self) -> None:
        """Until another leads."""
        silent = False
        while True:
            await asyncio.sleep(self.election_config.retry_period)
            held = await self.try_acquire_or_renew()
            record = self.observed_record
            if not held and record and record.holder_identity != self.election_config.lock.identity:
                return
            if silent != self._term.over:
                silent = not silent
                log.warning("silent until the Lease is renewed" if silent else "the Lease is renewed again")


async def lead(
    cluster: Cluster,
    settings: Settings,
    term: Term,
    started: Callable[[], Coroutine[Any, Any, None]],
    lost: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Wait for the Lease, run `started` while it is held, `lost` when another holds it.

    `term` is over while the Lease could not be renewed for the renew deadline.
    """
    election = Election(
        Config(
            Lease(cluster, settings),
            lease_duration=settings.lease_seconds,
            renew_deadline=settings.renew_deadline_seconds,
            retry_period=settings.retry_seconds,
            onstarted_leading=started,
            onstopped_leading=lost,
        ),
        term,
    )
    await election.run()


async def release(cluster: Cluster, settings: Settings) -> None:
    """Give the Lease back if this replica holds it."""
    path = _path(settings.lease_name, settings.namespace)
    with contextlib.suppress(*NETWORK):
        lease = await cluster.find(path)
        if lease is None or lease["spec"].get("holderIdentity") != settings.identity:
            return
        version = lease["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": None}}
        await cluster.request("PATCH", path, body=body, content_type=MERGE_PATCH)
