"""One leader at a time, by a Lease; Kopf's peering would freeze two equals.

The election is the official client's. Its lock is not used: in version 37 it cannot create a Lease (it passes
a bool where its own models want a string). What the client lacks is added: giving the Lease back on a clean
stop, so that the next replica need not wait for it to run out.
"""

import contextlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from playerscore_operator.cluster import MERGE_PATCH, ApiError, Cluster, Json
from playerscore_operator.settings import Settings

NETWORK = (ApiError, OSError, TimeoutError)


class Lease(BaseLock):  # type: ignore[misc] # the client ships no types
    """A coordination.k8s.io Lease as the lock; every update carries the resourceVersion that was read."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        super().__init__(settings.lease_name, settings.namespace, settings.identity)
        self.cluster = cluster
        self._version = ""

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """(True, record) or (False, the client's exception): the form that the election reads."""
        try:
            lease = await self.cluster.request("GET", _path(name, namespace))
        except ApiError as error:
            answer = ApiException(status=error.status, reason=error.reason)
            answer.body = f'{{"code": {error.status}}}'
            return False, answer
        except (OSError, TimeoutError) as error:
            return False, ApiException(status=0, reason=str(error))
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
        except NETWORK:
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


async def lead(
    cluster: Cluster,
    settings: Settings,
    started: Callable[[], Coroutine[Any, Any, None]],
    lost: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Wait for the Lease, run `started` while it is held, `lost` when it could not be renewed."""
    election = LeaderElection(
        Config(
            Lease(cluster, settings),
            lease_duration=settings.lease_seconds,
            renew_deadline=settings.renew_deadline_seconds,
            retry_period=settings.retry_seconds,
            onstarted_leading=started,
            onstopped_leading=lost,
        )
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
