"""Carries a decision out: the status write first, because it fences what comes after it."""

import secrets
from datetime import UTC, datetime

from playerscore import names
from playerscore_operator import metrics
from playerscore_operator.cluster import ApiError, Cluster
from playerscore_operator.decide import Decision
from playerscore_operator.observe import Observed

EVENT_MESSAGE = 1024


async def act(cluster: Cluster, observed: Observed, decision: Decision) -> None:
    """Raises ApiError; a conflict (409) on a guarded write means that the job must be judged again."""
    if decision.status is not None:
        metadata = {"metadata": {"resourceVersion": observed.resource_version}} if decision.guarded else {}
        await cluster.patch_status(observed.namespace, observed.name, metadata | {"status": decision.status})
    for body in decision.creates:
        try:
            await cluster.create_job(body)
        except ApiError as error:
            metrics.LAUNCH_FAILURES.labels(error.status).inc()
            raise
    for name in decision.deletes:
        await cluster.delete_job(observed.namespace, name)
    if decision.delete_self:
        await cluster.delete_scoringjob(observed.namespace, observed.name, observed.uid)
    for kind, reason, message in decision.events:
        await cluster.event(_event(observed, kind, reason, message))


def _event(observed: Observed, kind: str, reason: str, message: str) -> dict[str, object]:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{observed.name}.{secrets.token_hex(6)}",
            "namespace": observed.namespace,
        },
        "type": kind,
        "reason": reason,
        "note": message[:EVENT_MESSAGE],
        "action": "Reconcile",
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": names.MANAGED_BY,
        "reportingInstance": "playerscore-operator",
        "regarding": {
            "apiVersion": names.API_VERSION,
            "kind": names.JOB_KIND,
            "namespace": observed.namespace,
            "name": observed.name,
            "uid": observed.uid,
        },
    }
