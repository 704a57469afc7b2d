"""What a request brings: the caller's view of the cluster, the namespace, the store.

The dependencies are coroutines, because FastAPI sends plain functions to a thread each.
"""

import re
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore.schema import Label
from playerscore_api import examples
from playerscore_api.broker import Broker
from playerscore_api.cluster import Cluster
from playerscore_api.feeds import Hub
from playerscore_api.own import Own
from playerscore_api.settings import Settings
from playerscore_api.stored import Document

TOKEN: Final = re.compile(r"[\x21-\x7e]+")
bearer = HTTPBearer(auto_error=False, description="A token that Kubernetes accepts; its RBAC decides.")


class State:
    """What lives as long as the process: connections and settings, nothing about jobs."""

    def __init__(self, settings: Settings, own: Own, broker: Broker) -> None:
        self.settings = settings
        self.own = own
        """The cluster with the API's own account: only for TokenReview and for pods' jobs."""
        self.broker = broker
        self.hub = Hub(settings.max_event_streams, settings.event_patience_seconds)
        """The event streams that are open now."""


async def state(request: Request) -> State:
    found: State = request.app.state.parts
    return found


Parts = Annotated[State, Depends(state)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def token(credentials: Credentials) -> str:
    """The caller's bearer token; there is no anonymous access. Raises UNAUTHENTICATED."""
    if credentials is None or not TOKEN.fullmatch(credentials.credentials):
        raise PlayerscoreError("UNAUTHENTICATED", "A bearer token is needed")
    return credentials.credentials


Token = Annotated[str, Depends(token)]


async def caller(parts: Parts, token: Token) -> Cluster:
    """The cluster as the caller sees it."""
    return parts.own.as_caller(token)


async def namespace(
    parts: Parts,
    namespace: Annotated[Label | None, Query(description="The deployment's default when absent.")] = None,
) -> str:
    return namespace or parts.settings.namespace


Caller = Annotated[Cluster, Depends(caller)]
Namespace = Annotated[str, Depends(namespace)]
JobId = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=names.NAME_MAX,
        openapi_examples={"a job": {"value": examples.NAME}},
    ),
]
ArtifactName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]


class Addressed(NamedTuple):
    """The job that a request is about, as its caller sees it."""

    caller: Cluster
    namespace: str
    id: str

    async def read(self, *frames: str) -> Document:
        """The stored job, as `stored.job` reads it. Raises JOB_NOT_FOUND, FORBIDDEN, ..."""
        return await self.caller.view_job(self.namespace, self.id, *frames)

    async def read_whole(self) -> Document:
        """The stored job with all frames of its preview. Raises as `read`."""
        return await self.caller.get_job(self.namespace, self.id)


async def addressed(job_id: JobId, caller: Caller, namespace: Namespace) -> Addressed:
    """Nothing is read yet: whatever else is wrong with the request is said first."""
    return Addressed(caller, namespace, job_id)


TheJob = Annotated[Addressed, Depends(addressed)]
