"""What this program asks Kubernetes with its own account: about pods that ask it, and about what exists."""

from collections.abc import AsyncIterator, Collection
from typing import Final

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore_api.cluster import Cluster
from playerscore_api.stored import Document

GROUP: Final = f"/apis/{names.API_VERSION}"
PAGE: Final = 500


class Own(Cluster):
    """Kubernetes as this program's account sees it."""

    async def get_pod(self, namespace: str, name: str) -> Document:
        """One pod. Raises NOT_FOUND, FORBIDDEN where the namespace is not prepared."""
        return await self._call("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")

    async def list_runtimes(self) -> list[Document]:
        """All ScoringRuntimes."""
        return [item async for item in self._all(f"{GROUP}/{names.RUNTIME_PLURAL}")]

    async def every_job(self, namespaces: Collection[str] = ()) -> AsyncIterator[Document]:
        """All ScoringJobs of those namespaces, or of all. Raises when it cannot list them to the end."""
        scopes = [f"/namespaces/{namespace}" for namespace in namespaces] or [""]
        for scope in scopes:
            async for job in self._all(f"{GROUP}{scope}/{names.JOB_PLURAL}"):
                yield job

    async def cluster_uid(self) -> str:
        """What tells this cluster from others."""
        return str((await self._call("GET", "/api/v1/namespaces/kube-system"))["metadata"]["uid"])

    async def create_secret(self, namespace: str, body: Document) -> None:
        """Create a Secret. Raises ALREADY_EXISTS."""
        await self._call("POST", f"/api/v1/namespaces/{namespace}/secrets", body=body)

    async def _all(self, path: str) -> AsyncIterator[Document]:
        query = {"limit": str(PAGE)}
        while True:
            page = await self._call("GET", path, query)
            items, metadata = page.get("items"), page.get("metadata")
            if not isinstance(items, list) or not isinstance(metadata, dict):
                raise PlayerscoreError("CLUSTER_UNAVAILABLE", "What came is not a list")
            for item in items:
                yield item
            if not metadata.get("continue"):
                return
            query = {"limit": str(PAGE), "continue": metadata["continue"]}
