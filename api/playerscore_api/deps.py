"""What a request brings: the caller's view of the cluster, the namespace, the store."""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from playerscore.errors import PlayerscoreError
from playerscore.resources import Label
from playerscore_api.broker import Broker
from playerscore_api.cluster import Cluster
from playerscore_api.settings import Settings

bearer = HTTPBearer(auto_error=False, description="A token that Kubernetes accepts; its RBAC decides.")


class State:
    """What lives as long as the process: connections and settings, nothing about jobs."""

    def __init__(self, settings: Settings, cluster: Cluster, broker: Broker) -> None:
        self.settings = settings
        self.own = cluster
        """The cluster with the API's own account: only for TokenReview and for pods' jobs."""
        self.broker = broker


def state(request: Request) -> State:
    found: State = request.app.state.parts
    return found


Parts = Annotated[State, Depends(state)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def token(credentials: Credentials) -> str:
    """The caller's bearer token; there is no anonymous access. Raises UNAUTHENTICATED."""
    if credentials is None or not credentials.credentials:
        raise PlayerscoreError("UNAUTHENTICATED", "A bearer token is needed")
    return credentials.credentials


Token = Annotated[str, Depends(token)]


def caller(parts: Parts, token: Token) -> Cluster:
    """The cluster as the caller sees it."""
    return parts.own.as_caller(token)


def namespace(
    parts: Parts,
    namespace: Annotated[Label | None, Query(description="The deployment's default when absent.")] = None,
) -> str:
    return namespace or parts.settings.namespace


Caller = Annotated[Cluster, Depends(caller)]
Namespace = Annotated[str, Depends(namespace)]
