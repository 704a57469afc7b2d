"""Where the three containers of a worker pod meet: files in one shared folder.

`report` puts the video's address there, `fetch` the video, `preview` or `analyze` what it found; `report`
carries that outside. A file appears whole or not at all (written beside, then renamed).
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playerscore import tasks
from playerscore.errors import PlayerscoreError
from playerscore.tasks import (
    EXIT_BAD_INPUT,
    EXIT_OUT_OF_MEMORY,
    TASK_VARIABLE,
    TERMINATION_MESSAGE_BYTES,
    VERSION_VARIABLE,
    AnalysisTask,
    Failure,
    FurtherTask,
    PreviewTask,
)

EXIT_MACHINE: Final = 1
CHECKPOINT_SUFFIX: Final = ".checkpoint"
# JSON escapes may double a message; twice this and the frame around it stay below the limit.
FAILURE_BYTES: Final = 1900
# Other failures of a GPU (an illegal access, an uncorrectable error, a lost device) are the machine's.
MEMORY_WORDS: Final = (
    "failed to allocate",
    "cuda out of memory",
    "cuda error: out of memory",
    "status_alloc_failed",
)
# What the detector may be read by, which the library tells from the file's name.
WEIGHTS_SUFFIXES: Final = frozenset({".pt", ".onnx", ".engine"})


@dataclass(frozen=True)
class Pod:
    """The shared folder's files, and where the termination message goes."""

    folder: Path
    termination: Path

    @classmethod
    def here(cls) -> "Pod":
        """As the manifest lays it out; the environment may say otherwise."""
        folder = os.environ.get("PLAYERSCORE_WORK", "/work")
        termination = os.environ.get("PLAYERSCORE_TERMINATION_LOG", "/dev/termination-log")
        return cls(Path(folder), Path(termination))

    @property
    def source(self) -> Path:
        """{"files": [{"url", "store"}...], "weights"?}: where to download from."""
        return self.folder / "source.json"

    def video(self, number: int = 0) -> Path:
        """A file of the video by its place, from 0."""
        return self.folder / ("video" if number == 0 else f"video-{number + 1}")

    @property
    def fetched(self) -> Path:
        """{"sha256": [...], "bytes"} of the video's files."""
        return self.folder / "fetched.json"

    def weights(self, uri: str) -> Path:
        """The detector's weights, fetched from `uri`; only the known ending of the name is taken from it."""
        suffix = Path(urlsplit(uri).path).suffix
        return self.folder / f"weights{suffix if suffix in WEIGHTS_SUFFIXES else ''}"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def progress(self) -> Path:
        """{"percent", "message"}."""
        return self.out / "progress.json"

    @property
    def preview(self) -> Path:
        """The core's PreviewStatus; of further frames the list of them."""
        return self.out / "preview.json"

    @property
    def result(self) -> Path:
        """The core's Result."""
        return self.out / "result.json"

    @property
    def done(self) -> Path:
        """Appears last: nothing follows."""
        return self.out / "done.json"

    @property
    def frames(self) -> Path:
        return self.out / "frames"

    @property
    def artifacts(self) -> Path:
        return self.out / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """What was followed so far, by this attempt and by earlier ones."""
        return self.out / "checkpoints"

    @property
    def earlier(self) -> Path:
        """The run that this one refines."""
        return self.folder / "earlier.bin"

    @property
    def fetching_checkpoints(self) -> Path:
        """There while `report` fetches what earlier attempts left."""
        return self.folder / "fetching-checkpoints"

    def silent_seconds(self, now: float) -> float:
        """How long nothing has moved since the video was there; 0 before that, and when the work is done."""
        moved = [path.stat().st_mtime for path in (self.fetched, self.progress, self.result) if path.exists()]
        return 0.0 if self.done.exists() or not moved else max(0.0, now - max(moved))

    def say(self, message: str) -> None:
        """Write the container's last words, cut to what Kubernetes keeps."""
        content = message.encode()[:TERMINATION_MESSAGE_BYTES]
        self.termination.write_bytes(content)


def task() -> PreviewTask | FurtherTask | AnalysisTask:
    """This pod's task. Raises WorkerError for one that this image cannot read."""
    return tasks.read(os.environ[TASK_VARIABLE], os.environ.get(VERSION_VARIABLE))


def write(path: Path, data: Any) -> None:
    """Write JSON so that a reader sees the whole file or none."""
    write_bytes(path, (data if isinstance(data, str) else json.dumps(data)).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """The same of any content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(content)
    beside.rename(path)


def checkpoint_file(folder: Path, number: int) -> Path:
    """The file of checkpoint `number`, from 1."""
    return folder / f"{number:05d}{CHECKPOINT_SUFFIX}"


def read(path: Path) -> Any:
    """The JSON of a file that is there."""
    return json.loads(path.read_text())


def failure(error: BaseException) -> tuple[int, Failure]:
    """Exit code and termination message for what ended a container."""
    if isinstance(error, PlayerscoreError):
        permanent = error.http_status == 422
        return EXIT_BAD_INPUT if permanent else EXIT_MACHINE, _words(error.code, error.message)
    text = f"{type(error).__name__}: {error}"
    if _out_of_memory(error):
        return EXIT_OUT_OF_MEMORY, _words("OUT_OF_MEMORY", text)
    return EXIT_MACHINE, _words("WORKER_FAILED", text)


def _out_of_memory(error: BaseException) -> bool:
    """Of the machine or of its GPU; torch, CUDA, OpenCV and onnxruntime have words of their own for it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = str(error).lower()
    return any(words in said for words in MEMORY_WORDS)


def _words(code: str, message: str) -> Failure:
    """A failure that fits a termination message, whatever alphabet the message is in."""
    return Failure(code=code, message=message.encode()[:FAILURE_BYTES].decode(errors="ignore"))
