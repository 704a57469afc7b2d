"""One leader at a time, by a Lease; Kopf's peering would freeze two equals.

The election is the official client's. What it lacks is added here: giving the Lease back on a clean stop, so
that the next replica need not wait for it to run out.
"""

import contextlib
from collections.abc import Awaitable, Callable

from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from playerscore_operator.cluster import MERGE_PATCH, ApiError, Cluster
from playerscore_operator.settings import Settings


async def lead(
    cluster: Cluster,
    settings: Settings,
    started: Callable[[], Awaitable[None]],
    lost: Callable[[], Awaitable[None]],
) -> None:
    """Wait for the Lease, run `started` while it is held, `lost` when it could not be renewed."""
    lock = LeaseLock(settings.lease_name, settings.namespace, settings.identity, cluster.api)
    election = LeaderElection(
        Config(
            lock,
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
    path = f"/apis/coordination.k8s.io/v1/namespaces/{settings.namespace}/leases/{settings.lease_name}"
    with contextlib.suppress(ApiError, OSError, TimeoutError):
        lease = await cluster.find(path)
        if lease is None or lease["spec"].get("holderIdentity") != settings.identity:
            return
        version = lease["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": None}}
        await cluster.request("PATCH", path, body=body, content_type=MERGE_PATCH)
