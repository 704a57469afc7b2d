"""Carries a decision out: the status write first, because it fences what comes after it."""

import secrets
from datetime import UTC, datetime

import structlog

from playerscore import names
from playerscore_operator import metrics
from playerscore_operator.cluster import ApiError, Cluster
from playerscore_operator.observe import Json, Observed
from playerscore_operator.outcome import Decision

NOTE_BYTES = 1024
"""Of an Event's note; a longer one is refused."""
REFUSALS = (400, 403, 409, 413, 422)
"""What says that this Job will not be had: forbidden, over a quota, denied by a policy, invalid, another's."""

log = structlog.get_logger("playerscore.operator")


class RefusedError(Exception):
    """A child Job was not let in, after the status write that announced it. `words` are the API server's."""

    def __init__(self, body: Json, words: str) -> None:
        super().__init__(words)
        self.body = body
        self.words = words


async def act(cluster: Cluster, observed: Observed, decision: Decision) -> Json | None:
    """Returns the job's metadata after the status write, None without one.

    Raises ApiError: a conflict (409) means that the job changed since it was judged, and nothing was done.
    Raises RefusedError.
    """
    stored = await write(cluster, observed, decision)
    for body in decision.creates:
        try:
            await cluster.create_job(body)
        except ApiError as error:
            metrics.LAUNCH_FAILURES.labels(error.status).inc()
            if error.status not in REFUSALS or error.namespace_ends:
                raise
            raise RefusedError(body, error.message) from error
    for name in decision.deletes:
        await cluster.delete_job(observed.namespace, name)
    if decision.delete_self:
        await cluster.delete_scoringjob(observed.namespace, observed.name, observed.uid)
    await tell(cluster, observed, decision)
    return stored


async def write(cluster: Cluster, observed: Observed, decision: Decision) -> Json | None:
    """The status write: a compare-and-swap against everything that the decision rests on in the job itself."""
    if decision.status is None:
        return None
    body = {"metadata": {"resourceVersion": observed.resource_version}, "status": decision.status}
    return await cluster.patch_status(observed.namespace, observed.name, body)


async def tell(cluster: Cluster, observed: Observed, decision: Decision) -> None:
    """Post the events; one that is lost is not worth another reconciliation."""
    for kind, reason, message in decision.events:
        try:
            await cluster.event(_event(observed, kind, reason, message))
        except ApiError as error:
            log.warning("event lost", error=str(error))


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
        "note": message.encode()[:NOTE_BYTES].decode(errors="ignore"),
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
