"""A finished run in a file, from which a refined one goes on: the path as it was followed, and of what.

What a person's further words do not touch is taken from it as it is; see `anchors.kept`. It is read again only for
the same video, player and settings, and when nothing that was said then is taken back.
"""

import hashlib
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from playerscore.resources import Anchor
from playerscore.tasks import AnalysisTask
from playerscore_worker.checkpoints import pack, unpack
from playerscore_worker.path import FollowedPath, PathDecision, Samples

log = structlog.get_logger("playerscore.worker")

MAGIC: Final = b"playerscore run 1\n"


@dataclass(frozen=True)
class Run:
    """What was followed."""

    key: str
    anchors: list[str]
    """What was said of further moments, as JSON."""
    fixed_sec: list[float]
    """When he was certain: on the confirmed frame, and in the boxes of those anchors."""
    samples: Samples
    decisions: list[PathDecision]
    digest: str = ""
    """Of the file that it was read from."""


def write(task: AnalysisTask, path: FollowedPath, video_sha256: str, weights_sha256: str, file: Path) -> Path:
    """Write the run of a task."""
    samples = path.samples if isinstance(path.samples, Samples) else Samples.of(path.samples)
    key = _key(task, video_sha256, weights_sha256)
    decisions = [_placed(path, decision) for decision in path.decisions]
    said = task.anchors or []
    fixed_sec = [task.start_time_sec, *(anchor.time_sec for anchor in said if anchor.bbox)]
    run = Run(key, [_said(anchor) for anchor in said], fixed_sec, samples, decisions)
    file.write_bytes(MAGIC + pack(run))
    return file


def read(file: Path, task: AnalysisTask, video_sha256: str, weights_sha256: str) -> Run | None:
    """The run, where this task can go on from it; otherwise all is followed anew, and why is logged."""
    try:
        content = file.read_bytes()
        if not content.startswith(MAGIC):
            raise ValueError("it is none of this version")
        run = unpack(content.removeprefix(MAGIC), Run)
        if run.key != _key(task, video_sha256, weights_sha256):
            raise ValueError("it is of another video, player or detector, or of another part of the video")
        if not set(run.anchors) <= {_said(anchor) for anchor in task.anchors or []}:
            raise ValueError("an anchor of it was taken back")
    except (OSError, ValueError, zlib.error, msgspec.MsgspecError) as error:
        log.warning("earlier run not used", reason=str(error))
        return None
    return replace(run, digest=hashlib.sha256(content).hexdigest())


def _key(task: AnalysisTask, video_sha256: str, weights_sha256: str) -> str:
    video = {"track": True, "parts": {"__all__": {"continues"}}}
    asked: dict[str, Any] = {"target": {"bbox"}, "start_time_sec": True, "analysis": True, "video": video}
    said = task.model_dump_json(include=asked, by_alias=True, exclude_none=True)
    return hashlib.sha256(f"{video_sha256}\n{weights_sha256}\n{said}".encode()).hexdigest()


def _said(anchor: Anchor) -> str:
    return anchor.model_dump_json(by_alias=True, exclude_none=True)


def _placed(path: FollowedPath, decision: PathDecision) -> PathDecision:
    """With the way on which it was met, which another confirmed frame no longer tells."""
    if decision.backwards is not None:
        return decision
    return replace(decision, backwards=decision.begin_sec < path.start.time_sec - 0.5 / path.fps)
