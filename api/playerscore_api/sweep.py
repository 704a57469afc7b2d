"""`python -m playerscore_api.sweep`: removes from the store what no ScoringJob needs any more.

Pictures of people do not stay for ever. What is kept or goes as one is a job's folder or an upload. One that no
ScoringJob (and no runtime, for weights) names gets a mark, an empty object whose age says since when; a mark older
than the retention removes it, and is itself removed last. So a wrong sight of the cluster marks and removes
nothing at once, a job that comes back takes its mark away, and a sweep that is killed is finished by the next.
Checkpoints serve a job until it has ended: the first sweep after that removes what its last pod could not.

The store is listed before the cluster: what lies there belongs to something that existed before. When either
list fails or ends early, nothing is written. A bucket belongs to one cluster, whose mark it carries: another
cluster's sweep would take all of its jobs for deleted.
"""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

import structlog
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from playerscore import logs, names, sources
from playerscore.errors import PlayerscoreError
from playerscore_api import cluster, settings
from playerscore_api.broker import connection, delete, translated
from playerscore_api.own import Own
from playerscore_api.settings import Settings

log = structlog.get_logger("playerscore.sweep")

OURS: Final = "_sweeper/"
MARKS: Final = f"{OURS}unnamed/"
OWNER: Final = f"{OURS}cluster"
NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/")
JOB: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/")
CHECKPOINTS: Final = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/checkpoints/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/"
)
UPLOAD: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/uploads/[^/]+")
DAY: Final = 86_400


class Retention(BaseSettings):
    """How long what nobody names any more stays."""

    model_config = SettingsConfigDict(env_prefix="PLAYERSCORE_SWEEP_", frozen=True)

    deleted_jobs_seconds: Annotated[int, Field(ge=0)] = 7 * DAY
    """Frames and artifacts, from when the job was first seen to be gone."""
    unused_uploads_seconds: Annotated[int, Field(ge=0)] = 7 * DAY
    """Videos, from when no job was first seen to name them."""
    unfinished_uploads_seconds: Annotated[int, Field(ge=0)] = 2 * DAY
    """Uploads in parts, from their start."""
    namespaces: list[str] = []
    """Whose jobs are listed, and whose folders are swept; all when empty."""
    log_level: str = "info"
    """debug, info, warning or error."""

    def of(self, item: str) -> timedelta:
        """The retention of a job's folder, its checkpoints or an upload."""
        if CHECKPOINTS.fullmatch(item):
            return timedelta(0)
        return timedelta(seconds=self.deleted_jobs_seconds if is_job(item) else self.unused_uploads_seconds)


class Unfinished(NamedTuple):
    """An upload in parts that was never completed."""

    key: str
    id: str
    since: datetime


class Seen(NamedTuple):
    """What lies in the store."""

    items: set[str]
    """`<namespace>/<uid>/`, `<namespace>/checkpoints/<uid>/` and `<namespace>/uploads/<name>`."""
    marks: dict[str, datetime]
    """Since when an item is known to be unnamed."""
    unfinished: list[Unfinished]


class Plan(NamedTuple):
    """What a sweep does."""

    mark: list[str]
    unmark: list[str]
    remove: list[str]
    abort: list[Unfinished]


def is_folder(item: str) -> bool:
    """Whether that is all below it, not one object."""
    return item.endswith("/")


def is_job(item: str) -> bool:
    """Whether that is a job's folder."""
    return is_folder(item) and not CHECKPOINTS.fullmatch(item)


def decide(seen: Seen, named: set[str], now: datetime, retention: Retention) -> Plan:
    """What to do about it. Pure."""
    unnamed = sorted(seen.items - named)
    since = {item: seen.marks.get(item, now) for item in unnamed}
    remove = [item for item in unnamed if now - since[item] >= retention.of(item)]
    limit = timedelta(seconds=retention.unfinished_uploads_seconds)
    return Plan(
        mark=[item for item in unnamed if item not in seen.marks and item not in remove],
        unmark=sorted(seen.marks.keys() - set(unnamed)),
        remove=remove,
        abort=[upload for upload in seen.unfinished if now - upload.since >= limit],
    )


def named_by(jobs: Iterable[dict[str, Any]], uris: Iterable[str], bucket: str) -> set[str]:
    """The items that belong to these jobs, or that one of these uris names."""
    places = [sources.upload_place(uri, bucket) for uri in uris]
    named = {place.key for place in places if place}
    for job in jobs:
        where = job["metadata"]["namespace"], job["metadata"]["uid"]
        named.add(names.store_prefix(*where))
        if ((job.get("status") or {}).get("progress") or {}).get("step") not in names.FINISHED:
            named.add(names.checkpoint_prefix(*where))
    return named


# --- the edges ------------------------------------------------------------------------------------------


class Store:
    """The store, for a sweep."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    async def check_owner(self, owner: str) -> None:
        """That nobody else has claimed the bucket. Raises CONFLICT."""
        if not await self._keys(OWNER):
            return
        answer = await self._client.get_object(Bucket=self.bucket, Key=OWNER)
        found = (await answer["Body"].read()).decode(errors="replace")
        if found != owner:
            text = (
                f"The bucket belongs to the cluster {found}, this is {owner}; remove {OWNER} if that is wrong"
            )
            raise PlayerscoreError("CONFLICT", text)

    async def claim(self, owner: str) -> None:
        """Write down that the bucket is this cluster's. Raises CONFLICT when it is another's."""
        if not await self._keys(OWNER):
            await self._client.put_object(Bucket=self.bucket, Key=OWNER, Body=owner.encode())
        await self.check_owner(owner)

    async def look(self, namespaces: Collection[str] = ()) -> Seen:
        """Everything that a sweep may touch, of those namespaces or of all; other objects are not seen at all."""
        marks = {item["Key"].removeprefix(MARKS): item["LastModified"] for item in await self._keys(MARKS)}
        items: set[str] = set()
        for namespace in filter(NAMESPACE.fullmatch, await self._folders("")):
            if not _ours(namespace, namespaces):
                continue
            items.update(filter(JOB.fullmatch, await self._folders(namespace)))
            items.update(filter(CHECKPOINTS.fullmatch, await self._folders(f"{namespace}checkpoints/")))
            uploads = await self._keys(names.upload_prefix(namespace.rstrip("/")))
            items.update(filter(UPLOAD.fullmatch, (item["Key"] for item in uploads)))
        known = {item.rstrip("/"): item for item in items}
        mine = {mark: since for mark, since in marks.items() if _ours(mark, namespaces)}
        return Seen(
            items,
            {known.get(mark, mark): since for mark, since in mine.items()},
            [upload for upload in await self._unfinished() if _ours(upload.key, namespaces)],
        )

    async def mark(self, item: str) -> None:
        await self._client.put_object(Bucket=self.bucket, Key=_mark(item), Body=b"")

    async def unmark(self, item: str) -> None:
        await self._client.delete_object(Bucket=self.bucket, Key=_mark(item))

    async def abort(self, upload: Unfinished) -> None:
        try:
            async with translated():
                await self._client.abort_multipart_upload(
                    Bucket=self.bucket, Key=upload.key, UploadId=upload.id
                )
        except PlayerscoreError as error:
            if error.code != "NOT_FOUND":  # it was completed meanwhile
                raise

    async def remove(self, item: str) -> tuple[int, int]:
        """Remove an item; how many objects and bytes that were."""
        objects = size = 0
        async for page in self._pages(item):
            await delete(self._client, self.bucket, page)
            objects += len(page)
            size += sum(found["Size"] for found in page)
        return objects, size

    async def _pages(self, item: str) -> AsyncIterator[list[dict[str, Any]]]:
        """The objects of one item, some at a time, as they are before anything is removed."""
        pages = self._client.get_paginator("list_objects_v2")
        async for page in pages.paginate(Bucket=self.bucket, Prefix=item):
            found = [one for one in page.get("Contents", []) if is_folder(item) or one["Key"] == item]
            if found:
                yield found

    async def _keys(self, prefix: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item async for page in pages for item in page.get("Contents", [])]

    async def _folders(self, prefix: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, Delimiter="/"
        )
        return [item["Prefix"] async for page in pages for item in page.get("CommonPrefixes", [])]

    async def _unfinished(self) -> list[Unfinished]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket)
        found = [item async for page in pages for item in page.get("Uploads", [])]
        mine = [item for item in found if UPLOAD.fullmatch(item["Key"])]
        return [Unfinished(item["Key"], item["UploadId"], item["Initiated"]) for item in mine]


def _mark(item: str) -> str:
    return f"{MARKS}{item.rstrip('/')}"


def _ours(key: str, namespaces: Collection[str]) -> bool:
    return not namespaces or key.split("/")[0] in namespaces


async def named(own: Own, bucket: str, namespaces: Collection[str] = ()) -> set[str]:
    """What the cluster names. Raises when it does not list everything to the end."""
    weights = [
        (item.get("spec") or {}).get("detector", {}).get("weights") for item in await own.list_runtimes()
    ]
    found = named_by([], [str(item["uri"]) for item in weights if item], bucket)
    async for job in own.every_job(namespaces):
        video = job["spec"]["video"]
        files = [video, *(video.get("parts") or [])]
        found |= named_by([job], [str(file["uri"]) for file in files], bucket)
    return found


async def carry_out(store: Store, plan: Plan, owner: str) -> dict[str, int]:
    """Do what was decided; the numbers of what was done. What needs room comes last: the volume may be full."""
    done = {"jobs": 0, "uploads": 0, "checkpoints": 0, "objects": 0, "bytes": 0}
    for upload in plan.abort:
        await store.abort(upload)
    for item in plan.unmark:
        await store.unmark(item)
    for item in plan.remove:
        objects, size = await store.remove(item)
        await store.unmark(item)
        done[_kind(item)] += 1
        done["objects"] += objects
        done["bytes"] += size
        log.info("removed", item=item, objects=objects, bytes=size)
    await store.claim(owner)
    for item in plan.mark:
        await store.mark(item)
    return done


def _told(plan: Plan) -> dict[str, int]:
    """Say what would be done; the numbers of it."""
    for item in plan.remove:
        log.info("would be removed", item=item)
    kinds = [_kind(item) for item in plan.remove]
    return {kind: kinds.count(kind) for kind in ("jobs", "uploads", "checkpoints")}


def _kind(item: str) -> str:
    if is_job(item):
        return "jobs"
    return "checkpoints" if is_folder(item) else "uploads"


async def sweep(where: Settings, retention: Retention, dry_run: bool) -> dict[str, int]:
    """One sweep; the numbers of it. Raises PlayerscoreError; what was removed by then stays removed."""
    async with (
        cluster.pools(where.kube_ca_file) as http,
        connection(where, where.store_endpoint) as client,
        translated(),
    ):
        own = Own(http, where.kube_url, cluster.own_token(where.kube_token_file))
        store = Store(client, where.store_bucket)
        owner = await own.cluster_uid()
        await store.check_owner(owner)
        seen = await store.look(retention.namespaces)
        wanted = await named(own, store.bucket, retention.namespaces)
        plan = decide(seen, wanted, datetime.now(UTC), retention)
        done = _told(plan) if dry_run else await carry_out(store, plan, owner)
        return done | {
            "unfinished": len(plan.abort),
            "marked": len(plan.mark),
            "unmarked": len(plan.unmark),
            "kept": len(seen.items) - len(plan.remove),
        }


def main(arguments: list[str]) -> int:
    """The exit code: 0 swept, 1 not (to the end)."""
    parser = argparse.ArgumentParser(prog="python -m playerscore_api.sweep", description="Sweep the store.")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and write nothing")
    chosen = parser.parse_args(arguments)
    retention = Retention()
    logs.configure(retention.log_level)
    begin = time.monotonic()
    try:
        done = asyncio.run(sweep(settings.load(), retention, chosen.dry_run))
    except PlayerscoreError as error:
        log.error("not swept", code=error.code, message=error.message)
        return 1
    seconds = round(time.monotonic() - begin, 3)
    log.info("would sweep" if chosen.dry_run else "swept", **done, seconds=seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
