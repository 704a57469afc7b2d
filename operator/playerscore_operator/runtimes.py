"""Keeps the release's ScoringRuntimes as its values say (decision 0009).

A chart cannot hold objects of a kind that it brings itself, but in hooks, which no tool tracks. So it brings them as
a list, and the leader applies it, server side: at its start, when one of them changes, and at each resync. What the
list says is put back, what people add beside it stays; what is on the list no more is deleted.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any, Final

import structlog

from playerscore import names
from playerscore_operator import metrics
from playerscore_operator.cluster import MERGE_PATCH, ApiError, Cluster

Json = dict[str, Any]

PATH: Final = f"/apis/{names.API_VERSION}/{names.RUNTIME_PLURAL}"
MANAGER: Final = "playerscore-operator"
APPLY: Final = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
APPLY_PATCH: Final = "application/apply-patch+yaml"
HOOK: Final = "helm.sh/hook"
LEFT_BY_HOOKS: Final = (
    HOOK,
    "helm.sh/hook-delete-policy",
    f"{names.GROUP}/definition",
    f"{names.GROUP}/release",
)
"""Annotations of runtimes that charts until 0.1.0 made by hooks."""
CALM_SECONDS: Final = 1.0
"""The least time between two rounds: somebody else may want it otherwise just as often."""
LONGEST_RETRY_SECONDS: Final = 15.0

log = structlog.get_logger("playerscore.operator")


class Runtimes:
    """The list of a release, and whether it has been applied."""

    def __init__(self, cluster: Cluster, file: Path | None, resync_seconds: float) -> None:
        self.cluster = cluster
        self.file = file
        self.trouble = "" if file is None else "the release's runtimes are not applied yet"
        """Why not all of the list has ever been applied; empty once it was."""
        self._resync_seconds = resync_seconds
        self._due = asyncio.Event()

    def changed(self) -> None:
        """A ScoringRuntime came, changed or went."""
        self._due.set()

    async def keep(self) -> None:
        """Apply the list again and again, until cancelled."""
        if self.file is None:
            return
        retry = CALM_SECONDS
        while True:
            self._due.clear()
            wait, retry = await self._round(retry)
            await asyncio.sleep(CALM_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), wait)

    async def _round(self, retry: float) -> tuple[float, float]:
        """Seconds until the next round, and until the one after that if it fails too."""
        try:
            await self.apply()
        except (ApiError, OSError, ValueError) as error:
            metrics.RUNTIMES_UNAPPLIED.set(1)
            log.warning("runtimes not applied", error=str(error)[:500], retry_in_seconds=retry)
            if self.trouble:
                self.trouble = f"the release's runtimes are not applied yet: {error}"
            return retry, min(2 * retry, LONGEST_RETRY_SECONDS)
        metrics.RUNTIMES_UNAPPLIED.set(0)
        self.trouble = ""
        return self._resync_seconds, CALM_SECONDS

    async def apply(self) -> None:
        """One round: each of the list as it should be, and none that was on it before.

        Raises the first ApiError, after all have been tried; OSError or ValueError for a list that cannot be read.
        """
        wanted = {item["metadata"]["name"]: item for item in self._listed()}
        await self.cluster.term.runs()
        found = {item["metadata"]["name"]: item for item in await self.cluster.runtimes()}
        work = [self._apply(name, body, found.get(name)) for name, body in wanted.items()]
        work += [
            self._delete(name, body) for name, body in found.items() if name not in wanted and _entries(body)
        ]
        done = await asyncio.gather(*work, return_exceptions=True)
        failed = [error for error in done if isinstance(error, BaseException)]
        if failed:
            raise failed[0]

    def _listed(self) -> list[Json]:
        """The list as it is now: a volume of a ConfigMap is renewed while the pod lives."""
        found: list[Json] = json.loads(self.file.read_bytes()) if self.file else []
        return found

    async def _apply(self, name: str, body: Json, live: Json | None) -> None:
        applied = await self.cluster.request(
            "PATCH", f"{PATH}/{name}", query=APPLY, body=body, content_type=APPLY_PATCH
        )
        annotations = ((live or {}).get("metadata") or {}).get("annotations") or {}
        if HOOK in annotations:
            # Helm owned these fields too; what the list drops later must go.
            metadata = {
                "annotations": dict.fromkeys(LEFT_BY_HOOKS),
                "managedFields": _entries(applied),
                "resourceVersion": applied["metadata"]["resourceVersion"],
            }
            query = {"fieldManager": MANAGER}
            await self.cluster.request(
                "PATCH", f"{PATH}/{name}", query=query, body={"metadata": metadata}, content_type=MERGE_PATCH
            )

    async def _delete(self, name: str, body: Json) -> None:
        preconditions = {"uid": body["metadata"]["uid"]}
        await self.cluster.request("DELETE", f"{PATH}/{name}", body={"preconditions": preconditions})
        log.info("runtime deleted", runtime=name)


def _entries(body: Json) -> list[Json]:
    """What of the object the operator has applied, as the API server keeps it; empty for objects of other people.

    A copy of a runtime has none, whatever labels it took along.
    """
    entries = body["metadata"].get("managedFields") or []
    return [item for item in entries if item["manager"] == MANAGER and item["operation"] == "Apply"]
