"""What the API's routes ask of Kubernetes, answered from a folder."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import unquote

import orjson

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore_api.cluster import ALL, Answer
from playerscore_api.own import Own
from playerscore_api.stored import Change, Document
from playerscore_desk.objects import Objects

NAMESPACE: Final = "desk"
"""The only one."""
REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Desk(Own):
    """The folder as a person with the one token sees it. Raises UNAUTHENTICATED for any other token."""

    def __init__(self, objects: Objects, token: str) -> None:
        self._objects, self._only = objects, token

    def as_caller(self, token: str) -> "Desk":
        if token != self._only:
            raise PlayerscoreError("UNAUTHENTICATED", "This is not the token of this console")
        return self

    @contextlib.asynccontextmanager
    async def watch_jobs(
        self, namespace: str, name: str | None, version: int | None, seconds: int
    ) -> AsyncIterator[AsyncIterator[Change]]:
        changes = self._objects.watch(name, version, seconds)
        yield (Change(one.kind, one.name, one.version, one.body) async for one in changes)

    async def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Document | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        return Answer(orjson.dumps(self._answer(method, path, query or {}, body or {})), [])

    def _answer(self, method: str, path: str, query: dict[str, str], body: Document) -> Document:
        if path == REVIEWS:
            return {"status": {"allowed": True}}
        namespace, name = _place(path)
        if namespace not in (NAMESPACE, ALL):
            raise PlayerscoreError("FORBIDDEN", f"On a desk there is only the namespace {NAMESPACE}")
        dry_run = "dryRun" in query or "dryRun" in body
        match method, name:
            case "GET", "":
                return {
                    "items": self._objects.all(),
                    "metadata": {"resourceVersion": str(self._objects.version)},
                }
            case "GET", _:
                return self._objects.get(name)
            case "POST", "":
                return self._objects.create(body, dry_run)
            case "PATCH", _:
                return self._objects.patch(name, body, dry_run)
            case "DELETE", _:
                wanted = (body.get("preconditions") or {}).get("resourceVersion")
                return self._objects.delete(name, wanted, dry_run)
        raise PlayerscoreError("NOT_FOUND", f"A desk has no {path}")


def _place(path: str) -> tuple[str, str]:
    """The namespace and the name in the path of ScoringJobs, each empty where it has none. Raises NOT_FOUND."""
    parts = path.removeprefix(f"/apis/{names.API_VERSION}/").split("/")
    if parts[0] == "namespaces" and len(parts) in (3, 4) and parts[2] == names.JOB_PLURAL:
        return parts[1], unquote(parts[3]) if len(parts) == 4 else ""
    if parts == [names.JOB_PLURAL]:
        return ALL, ""
    raise PlayerscoreError("NOT_FOUND", f"A desk has no {path}")
