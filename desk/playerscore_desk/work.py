"""What operator and pods do on a cluster: the worker's own programs, each in a process that is
ended when a person pauses or deletes its job.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import orjson
import structlog

from playerscore import further, names, sources, tasks
from playerscore.errors import PlayerscoreError
from playerscore.names import Step
from playerscore.resources import (
    Artifact,
    Detector,
    Frame,
    PreviewSettings,
    PreviewStatus,
    Progress,
    Result,
    ScoringJobSpec,
    ScoringJobStatus,
    Video,
)
from playerscore.tasks import AnalysisTask, Failure, FurtherTask, PreviewTask
from playerscore_api.broker import artifact_prefix, frame_key
from playerscore_desk import states
from playerscore_desk.objects import Change, Document, Objects
from playerscore_desk.states import Due, Task
from playerscore_desk.store import FolderStore
from playerscore_worker import container, pod, source
from playerscore_worker.pod import Pod

IMAGE: Final = "desk"
LONG_SECONDS: Final = 3600.0
AGAIN_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.25
END_SECONDS: Final = 10.0
"""In so long a worker that is told to end writes its checkpoint."""

log = structlog.get_logger("playerscore.desk")

Writing = Callable[[ScoringJobStatus], ScoringJobStatus]


class Worker:
    """Does what the jobs of a folder need, the oldest first: one analysis, and beside it one preview."""

    def __init__(self, objects: Objects, store: FolderStore, folder: Path, namespace: str) -> None:
        self._objects, self._store, self._folder, self._namespace = objects, store, folder, namespace
        self._digests: dict[tuple[str, int, int], str] = {}

    async def run(self) -> None:
        """Until cancelled. A full disk is waited for."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._say())
                    group.create_task(self._work(AnalysisTask))
                    group.create_task(self._work(PreviewTask, FurtherTask))
            except* OSError as errors:
                log.error("the folder cannot be written", reason=str(errors.exceptions[0]))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _work(self, *kinds: type[Task]) -> None:
        while True:
            version = self._objects.version
            due = self._next(kinds)
            if due is not None:
                await self._do(due)
                continue
            await self._objects.changed(version)

    def _next(self, kinds: tuple[type[Task], ...]) -> Due | None:
        jobs = sorted(self._objects.all(), key=lambda job: str(job["metadata"]["creationTimestamp"]))
        return next((due for job in jobs if (due := states.due_of(job)) and due.kind in kinds), None)

    async def _say(self) -> None:
        """Say of every job what follows from its spec, and clear away what a deleted one leaves."""
        version: int | None = None
        while True:
            try:
                async for change in self._objects.watch(None, version, LONG_SECONDS):
                    version = max(version or 0, change.version)
                    await self._said(change)
            except PlayerscoreError:  # it has missed something
                version = None

    async def _said(self, change: Change) -> None:
        if change.kind == "DELETED":
            await asyncio.to_thread(self._clear, orjson.loads(change.body))
            return
        with contextlib.suppress(PlayerscoreError):  # gone meanwhile
            job = self._objects.get(change.name)
            spec = ScoringJobSpec.model_validate(job["spec"])
            uid = job["metadata"]["uid"]
            self._objects.write_status(change.name, uid, lambda status: states.settled(spec, status))

    def _clear(self, job: Document) -> None:
        uid = job["metadata"]["uid"]
        shutil.rmtree(
            self._store.path(names.store_prefix(self._namespace, uid).rstrip("/")), ignore_errors=True
        )
        shutil.rmtree(self._folder / uid, ignore_errors=True)
        left = [file.uri for other in self._objects.all() for file in _video(other).files]
        for file in _video(job).files:
            place = sources.upload_place(file.uri, self._store.bucket)
            if place is not None and file.uri not in left:
                self._store.path(place.key).unlink(missing_ok=True)

    async def _do(self, due: Due) -> None:
        files = Pod(self._folder / due.uid, self._folder / due.uid / "last-words")
        try:
            _fresh(files)
            self._write(due, lambda status: states.begun(due, status))
            footage = await asyncio.to_thread(self._laid_out, due, files)
            failure = await self._worked(due, files, self._task(due, footage))
        except PlayerscoreError as error:
            failure = Failure(code=error.code, message=error.message)
        except OSError as error:
            failure = Failure(code="WORKER_FAILED", message=f"{type(error).__name__}: {error}")
        if failure is not None:
            self._write(due, lambda status: states.failed(due, status, failure))

    def _write(self, due: Due, change: Writing) -> bool:
        return self._objects.write_status(due.name, due.uid, change)

    # --- before ---------------------------------------------------------------------------------------------

    def _laid_out(self, due: Due, files: Pod) -> source.Footage:
        """The video's files where the worker looks for them, checked. Raises PlayerscoreError."""
        found = tuple(self.file_of(file.uri, number) for number, file in enumerate(due.spec.video.files))
        for number, file in enumerate(found):
            container.check(file, container.OWN_LIMITS, sources.file_field(number))
            link = files.video(number)
            link.unlink(missing_ok=True)
            link.symlink_to(file.resolve())
        digests = tuple(map(self._digest, found))
        pod.write(files.fetched, {"sha256": digests, "bytes": sum(file.stat().st_size for file in found)})
        if due.spec.refines and due.kind is AnalysisTask:
            with contextlib.suppress(PlayerscoreError, OSError):
                shutil.copyfile(self._run_of(due.spec.refines), files.earlier)
        return source.Footage(found, digests)

    def _digest(self, file: Path) -> str:
        """Of a file that has not changed since it is known: a match of 8 GB is read once."""
        told = file.stat()
        key = (str(file), told.st_size, told.st_mtime_ns)
        if key not in self._digests:
            self._digests[key] = source.digest_of(file)
        return self._digests[key]

    def file_of(self, uri: str, number: int = 0) -> Path:
        """The file that a uri names: an upload, or any file of this machine. Raises SOURCE_DENIED, SOURCE_NOT_FOUND."""
        field = sources.file_field(number)
        place = sources.upload_place(uri, self._store.bucket)
        if place is not None:
            path = self._store.path(place.key)
        elif urlsplit(uri).scheme == "file":
            path = Path(unquote(urlsplit(uri).path))
        else:
            raise sources.denied(
                f"{field} {uri}: on a desk a video is uploaded, or a file of this machine", field
            )
        if not path.is_file():
            raise PlayerscoreError("SOURCE_NOT_FOUND", f"{field} {uri} is not there", field=field)
        return path

    def _run_of(self, name: str) -> Path:
        uid = self._objects.get(name)["metadata"]["uid"]
        return self._store.path(f"{artifact_prefix(self._namespace, uid)}{names.RUN_FILE}")

    def _task(self, due: Due, footage: source.Footage) -> Task:
        spec, status = due.spec, due.status
        common: dict[str, Any] = {
            "namespace": self._namespace,
            "name": due.name,
            "uid": due.uid,
            "image": IMAGE,
            "video": spec.video,
            "video_sha256": tasks.pinned_sha256(spec.video, status.preview),
            "sources": [],
            "video_limits": container.OWN_LIMITS,
            "detector": Detector(),
        }
        if due.kind is PreviewTask:
            task: Task = PreviewTask(**common, preview=spec.preview or PreviewSettings())
        elif due.kind is FurtherTask and status.preview is not None:
            task = tasks.further(common, status.preview, further.unanswered(spec, status.preview))
        else:
            attempt = states.attempts(status) + 1
            task = tasks.analysis(common, spec, status.preview, due.generation, attempt)
        source.check_digest(task, footage)
        return task

    # --- while ----------------------------------------------------------------------------------------------

    async def _worked(self, due: Due, files: Pod, task: Task) -> Failure | None:
        """Run the worker and write what it says; None when it did its task, or was ended on its way."""
        verb = "analyze" if due.kind is AnalysisTask else "preview"
        files.termination.unlink(missing_ok=True)
        environment = {
            tasks.TASK_VARIABLE: task.model_dump_json(exclude_none=True),
            tasks.VERSION_VARIABLE: str(task.version),
            "PLAYERSCORE_WORK": str(files.folder),
            "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
        }
        with (files.folder / "worker.log").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "playerscore_worker", verb),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | environment,
                # Ctrl-C is for the console, which then ends the worker in its own way.
                start_new_session=True,
            )
        try:
            while process.returncode is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), LOOK_SECONDS)
                if not self._still_wanted(due):
                    return None
                self._tell_progress(due, files)
            return await self._carried(due, files, process.returncode)
        finally:
            await _ended(process)

    def _still_wanted(self, due: Due) -> bool:
        try:
            job = self._objects.get(due.name)
        except PlayerscoreError:
            return False
        if job["metadata"]["uid"] != due.uid:
            return False
        spec = ScoringJobSpec.model_validate(job["spec"])
        return not spec.suspend if due.kind is AnalysisTask else spec.preview == due.spec.preview

    def _tell_progress(self, due: Due, files: Pod) -> None:
        try:
            told = pod.read(files.progress)
        except (OSError, ValueError):
            return
        step = Step.ANALYZING if due.kind is AnalysisTask else Step.EXTRACTING_PREVIEW

        def change(status: ScoringJobStatus) -> ScoringJobStatus:
            shown = Progress(step=step, percent=told["percent"], message=told["message"])
            return status.model_copy(update={"progress": shown})

        if due.kind is not FurtherTask:
            self._write(due, change)

    # --- after ----------------------------------------------------------------------------------------------

    async def _carried(self, due: Due, files: Pod, code: int) -> Failure | None:
        """Put what the worker made where the API reads it."""
        if code != tasks.EXIT_DONE:
            return _last_words(files, code)
        if due.kind is AnalysisTask:
            stored = await asyncio.to_thread(self._keep_artifacts, due, files)
            result = Result.model_validate_json(files.result.read_bytes())
            self._write(due, lambda status: states.completed(status, result, stored))
            shutil.rmtree(files.folder, ignore_errors=True)
            return None
        for path in sorted(files.frames.glob("*.jpg")):
            kept = self._store.path(frame_key(self._namespace, due.uid, names.frame_number(path.name)))
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, kept)
        made = pod.read(files.preview)
        if due.kind is PreviewTask:
            preview = PreviewStatus.model_validate(made)
            self._write(due, lambda status: states.previewed(due, status, preview))
        else:
            frames = [Frame.model_validate(one) for one in made]
            self._write(due, lambda status: states.extended(status, frames))
        return None

    def _keep_artifacts(self, due: Due, files: Pod) -> list[Artifact]:
        folder = self._store.path(artifact_prefix(self._namespace, due.uid).rstrip("/"))
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(files.artifacts, folder)
        return [artifact(path) for path in sorted(folder.glob("*"))]


def _fresh(files: Pod) -> None:
    """Of what an earlier task left only the checkpoints stay."""
    files.out.mkdir(parents=True, exist_ok=True)
    for path in files.out.iterdir():
        if path == files.checkpoints:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _video(job: Document) -> Video:
    return Video.model_validate(job["spec"]["video"])


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


def _last_words(files: Pod, code: int) -> Failure:
    try:
        return Failure.model_validate_json(files.termination.read_bytes())
    except (OSError, ValueError):
        text = f"The worker ended with {code} and left no word; see {files.folder / 'worker.log'}"
        return Failure(code="WORKER_FAILED", message=text)


def artifact(path: Path) -> Artifact:
    """A stored file, as a status lists it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(
        name=path.name, media_type=sources.media_type(path.name), bytes=path.stat().st_size, sha256=digest
    )
