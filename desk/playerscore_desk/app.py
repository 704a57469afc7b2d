"""The API's application over a folder, for one person on one machine, and the work behind it."""

import asyncio
import contextlib
import fcntl
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI

from playerscore import flow, names
from playerscore.errors import PlayerscoreError
from playerscore.listening import listening
from playerscore.resources import PlayerRef, PreviewSettings, Result, ScoringJobSpec, Video, VideoPart
from playerscore.tasks import AnalysisTask
from playerscore_api import app as api
from playerscore_api.broker import artifact_prefix
from playerscore_api.deps import State
from playerscore_api.settings import Settings
from playerscore_desk import states
from playerscore_desk.cluster import NAMESPACE, Desk
from playerscore_desk.objects import Objects
from playerscore_desk.store import FolderStore
from playerscore_desk.work import Worker, artifact

HOST: Final = "127.0.0.1"
LAST_SECONDS: Final = 2
"""So long open requests may take when the console is closed; event streams never end by themselves."""


class Console:
    """A folder's jobs behind the API, for whoever has the token."""

    def __init__(self, folder: Path, token: str) -> None:
        self.token = token
        self._settings = Settings(
            store_endpoint="",
            store_bucket=NAMESPACE,
            namespace=NAMESPACE,
            upload_max_bytes=2**50,
            access_log=False,
        )
        self.objects = Objects(folder / "jobs", NAMESPACE)
        self.store = FolderStore(self._settings, folder / "store")
        self._desk = Desk(self.objects, token)
        self._worker = Worker(self.objects, self.store, folder / "work", NAMESPACE)

    def app(self) -> FastAPI:
        """The application; the work goes on while it is served."""
        return api.build(self._settings, self._parts)

    @contextlib.asynccontextmanager
    async def _parts(self, settings: Settings) -> AsyncIterator[State]:
        state = State(settings, self._desk, self.store)
        work = asyncio.create_task(self._worker.run())
        try:
            yield state
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    def add(
        self, videos: Sequence[Path], track: int | None = None, continues: bool = False, **more: Any
    ) -> str:
        """A draft of a video of this machine, of several files one after another; its name.

        `more` are further fields of the spec. Raises FlowError for those that do not fit.
        """
        first, *rest = (video.resolve().as_uri() for video in videos)
        parts = [VideoPart(uri=uri, continues=continues or None) for uri in rest] or None
        spec = ScoringJobSpec(video=Video(uri=first, track=track, parts=parts), **more)
        name = free_name(self.objects, videos[0].stem)
        self.objects.create(flow.manifest(name, spec))
        return name

    def adopt(self, name: str, task: AnalysisTask, result: Result, files: Sequence[Path]) -> str:
        """Show what a run without a console made, as an ended job; its name. One that was adopted stays as it is."""
        taken = [job["metadata"]["name"] for job in self.objects.all()]
        if name in taken:
            return name
        spec = ScoringJobSpec(
            video=task.video,
            preview=PreviewSettings(disabled=True),
            player_ref=PlayerRef(frame_key=task.target.frame_key, time_sec=task.start_time_sec),
            target=task.target,
            analysis=task.analysis,
            pitch=task.pitch,
            anchors=task.anchors,
            suspend=False,
        )
        uid = self.objects.create(flow.manifest(name, spec))["metadata"]["uid"]
        folder = self.store.path(artifact_prefix(NAMESPACE, uid).rstrip("/"))
        folder.mkdir(parents=True)
        stored = [artifact(Path(shutil.copy(file, folder))) for file in files]
        self.objects.write_status(name, uid, lambda status: states.completed(status, result, stored))
        return name

    def address(self, url: str, name: str | None) -> str:
        """Where a browser is signed in, at one job or at the list."""
        page = "/".join(["", NAMESPACE, *([name] if name else [])])
        return f"{url}/console/#token={quote(self.token, safe='')}&to={quote(page, safe='')}"


def serve(console: Console, port: int, opened: Callable[[str], None]) -> None:
    """Serve on the loopback interface until told to stop; `opened` is told the address. Raises OSError."""
    found = listening(HOST, port)
    opened(f"http://{HOST}:{found.getsockname()[1]}")
    config = uvicorn.Config(
        console.app(), log_config=None, access_log=False, timeout_graceful_shutdown=LAST_SECONDS
    )
    # Event streams that are open are cut at the end, of which it would complain.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[found])


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else serves this folder meanwhile. Raises PlayerscoreError: CONFLICT."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PlayerscoreError("CONFLICT", f"Another console has {folder} open") from error
        yield


def free_name(objects: Objects, wanted: str) -> str:
    """A job's name like a file's, which no job has.

    >>> import tempfile; free_name(Objects(Path(tempfile.mkdtemp()), "desk"), "Final (2nd half)")
    'final-2nd-half'
    """
    letters = "".join(one if one.isascii() and one.isalnum() else "-" for one in wanted.lower())
    base = "-".join(filter(None, letters.split("-")))[: names.NAME_MAX - 4].strip("-") or "video"
    taken = {job["metadata"]["name"] for job in objects.all()}
    numbered = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)
