"""ScoringJobs in a folder: one file each, judged as admission judges, versioned and watched as Kubernetes does."""

import asyncio
import copy
import os
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from playerscore import admission, flow
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.resources import ScoringJobSpec, ScoringJobStatus

Document = dict[str, Any]
REMEMBERED: Final = 1000
"""So many changes are told to who watches from an old version; before that, the version is forgotten."""


class Change:
    """What became of a job, at that version."""

    def __init__(self, kind: str, job: Document, version: int) -> None:
        self.kind = kind
        self.name: str = job["metadata"]["name"]
        self.version = version
        self.body = orjson.dumps(job)


class Objects:
    """The jobs of a folder. One process writes it, on one event loop."""

    def __init__(self, folder: Path, namespace: str) -> None:
        """Read what is there. Raises PlayerscoreError: INVALID."""
        self._folder, self._namespace = folder, namespace
        folder.mkdir(parents=True, exist_ok=True)
        found = map(_read, sorted(folder.glob("*.json")))
        self._jobs: dict[str, Document] = {job["metadata"]["name"]: job for job in found}
        self.version = max((version_of(job) for job in self._jobs.values()), default=0) + 1
        self._changes: deque[Change] = deque(maxlen=REMEMBERED)
        self._forgotten = self.version
        self._happened = asyncio.Event()

    def get(self, name: str) -> Document:
        """A job. Raises PlayerscoreError: JOB_NOT_FOUND."""
        if name not in self._jobs:
            raise PlayerscoreError("JOB_NOT_FOUND", f"There is no job {name}")
        return self._jobs[name]

    def all(self) -> list[Document]:
        """Every job, by name."""
        return [self._jobs[name] for name in sorted(self._jobs)]

    def create(self, manifest: Document, dry_run: bool = False) -> Document:
        """A new job. Raises PlayerscoreError: ALREADY_EXISTS, INVALID and what admission refuses."""
        name = manifest["metadata"]["name"]
        if name in self._jobs:
            raise PlayerscoreError("ALREADY_EXISTS", f"There is a job {name} already")
        spec = _spec(manifest)
        _allow(admission.judge_create(spec))
        metadata: Document = {
            "namespace": self._namespace,
            "uid": secrets.token_hex(16),
            "generation": 1,
            "creationTimestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        }
        job = {
            **manifest,
            "metadata": manifest["metadata"] | metadata,
            "spec": flow.stored(spec),
            "status": {},
        }
        return self._keep("ADDED", job, dry_run)

    def patch(self, name: str, patch: Document, dry_run: bool = False) -> Document:
        """Merge a patch of the spec. Raises PlayerscoreError: JOB_NOT_FOUND, CONFLICT and what admission refuses."""
        old = self.get(name)
        wanted = (patch.get("metadata") or {}).get("resourceVersion")
        self._check(old, wanted)
        job = flow.merged(old, {"spec": patch.get("spec") or {}})
        before, after = _spec(old), _spec(job)
        _allow(admission.judge_update(before, after, status_of(old)))
        job["spec"] = flow.stored(after)
        if job["spec"] == old["spec"]:
            return old
        job["metadata"]["generation"] = old["metadata"]["generation"] + 1
        return self._keep("MODIFIED", job, dry_run)

    def write_status(
        self, name: str, uid: str, change: Callable[[ScoringJobStatus], ScoringJobStatus]
    ) -> bool:
        """Change what was observed of a job; False where it is gone, or another has its name."""
        old = self._jobs.get(name)
        if old is None or old["metadata"]["uid"] != uid:
            return False
        status = change(status_of(old)).model_dump(mode="json", by_alias=True, exclude_none=True)
        if status != old["status"]:
            self._keep("MODIFIED", copy.deepcopy(old) | {"status": status}, False)
        return True

    def delete(self, name: str, version: str | None = None, dry_run: bool = False) -> Document:
        """Take a job away. Raises PlayerscoreError: JOB_NOT_FOUND, CONFLICT."""
        job = self.get(name)
        self._check(job, version)
        if not dry_run:
            del self._jobs[name]
            self._file(name).unlink(missing_ok=True)
            self._tell("DELETED", copy.deepcopy(job))
        return job

    async def watch(self, name: str | None, version: int | None, seconds: float) -> AsyncIterator[Change]:
        """What changes after that version; without one, what is there comes first. Raises EXPIRED."""
        end = asyncio.get_running_loop().time() + seconds
        if version is None:
            version = self.version
            for job in self.all():
                if name in (None, job["metadata"]["name"]):
                    yield Change("ADDED", job, version_of(job))
        while True:
            happened = self._happened
            self._check_known(version)
            for change in [one for one in self._changes if one.version > version]:
                version = change.version
                if name in (None, change.name):
                    yield change
            try:
                async with asyncio.timeout_at(end):
                    await happened.wait()
            except TimeoutError:
                return

    async def changed(self, version: int) -> None:
        """Returns as soon as there is a later version."""
        while self.version <= version:
            await self._happened.wait()

    def _check_known(self, version: int) -> None:
        if not self._forgotten <= version <= self.version:
            raise PlayerscoreError("EXPIRED", f"The version {version} is forgotten")

    def _keep(self, kind: str, job: Document, dry_run: bool) -> Document:
        if dry_run:
            return job
        self._tell(kind, job)
        name = job["metadata"]["name"]
        self._jobs[name] = job
        file = self._file(name)
        new = file.with_suffix(".new")
        new.write_bytes(orjson.dumps(job, option=orjson.OPT_INDENT_2))
        os.replace(new, file)
        return job

    def _tell(self, kind: str, job: Document) -> None:
        self.version += 1
        job["metadata"] = job["metadata"] | {"resourceVersion": str(self.version)}
        if len(self._changes) == REMEMBERED:
            self._forgotten = self._changes[0].version
        self._changes.append(Change(kind, job, self.version))
        self._happened.set()
        self._happened = asyncio.Event()

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    @staticmethod
    def _check(job: Document, version: str | None) -> None:
        if version is not None and version != job["metadata"]["resourceVersion"]:
            raise PlayerscoreError("CONFLICT", "Somebody has changed the job meanwhile")


def _read(file: Path) -> Document:
    try:
        job: Document = orjson.loads(file.read_bytes())
        version_of(job), job["metadata"]["uid"], job["metadata"]["name"], _spec(job), status_of(job)
    except (ValueError, KeyError, TypeError, FlowError) as error:
        raise PlayerscoreError("INVALID", f"{file} is no job that this version reads: {error}") from error
    return job


def version_of(job: Document) -> int:
    """Its resourceVersion."""
    return int(job["metadata"]["resourceVersion"])


def status_of(job: Document) -> ScoringJobStatus:
    """What was observed of it."""
    return ScoringJobStatus.model_validate(job.get("status") or {})


def _spec(job: Document) -> ScoringJobSpec:
    try:
        return ScoringJobSpec.model_validate(job.get("spec") or {})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["spec", *map(str, first["loc"])])
        raise FlowError("INVALID", first["msg"], field=field) from error


def _allow(judgement: admission.Judgement) -> None:
    if not judgement.allowed:
        raise judgement.error()
