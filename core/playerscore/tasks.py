"""What the operator tells a pod: the one contract between manifest and worker.

It travels as JSON in the environment variable `PLAYERSCORE_TASK` of all three containers. It holds no
credential and no URL that lives longer than the pod. Termination messages have at most 4,096 bytes.

Operator and worker may be one release apart, either way: a runtime may pin an older image, and a rollback of the
operator meets a newer one. So a field that is added is absent where it says nothing new, and what a worker does not
know it leaves out; the workers of 0.1.0 do not, and are given nothing new without need. What a worker must not
leave out raises `TASK_VERSION`, which travels beside the task, where the oldest workers do not look.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from playerscore import coherence, lenient
from playerscore.errors import WorkerError
from playerscore.names import Reason
from playerscore.resources import (
    Analysis,
    Anchor,
    Detector,
    Pitch,
    PreviewSettings,
    PreviewStatus,
    ScoringJobSpec,
    Target,
    Video,
    VideoLimits,
)

TASK_VARIABLE: Final = "PLAYERSCORE_TASK"
VERSION_VARIABLE: Final = "PLAYERSCORE_TASK_VERSION"
"""Absent before there were versions: then it is 1."""
TRUST_VARIABLE: Final = "PLAYERSCORE_TRUSTED_CA_FILE"
"""Names a PEM of authorities that are trusted beside the public ones; absent where there are none."""
TASK_VERSION: Final = 2
"""An image reads this one and the next."""
EXIT_DONE: Final = 0
EXIT_BAD_INPUT: Final = 42
EXIT_OUT_OF_MEMORY: Final = 43
TERMINATION_MESSAGE_BYTES: Final = 4096
MOST_CHECKPOINTS: Final = 1000
CHECKPOINT_BYTES: Final = 8 * 2**20
"""Of one checkpoint: what the store takes of an attempt on its way."""
GRACE_SECONDS: Final = 300
"""How long a pod lives after its work is done or it was told to stop: for so long the reporter carries outside what
is there, over outages of store and API server."""


class _Task(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True)


class PodTask(_Task):
    """What every pod knows about its job."""

    namespace: str
    name: str
    uid: str
    image: str
    video: Video
    video_sha256: str | None = None
    """What the bytes must hash to: the preview's digest, else that of the spec's only file; None before any is known."""
    sources: list[str]
    """Allowed prefixes of the video's uri, `{namespace}` already filled in."""
    video_limits: VideoLimits = VideoLimits()
    detector: Detector = Detector()

    @property
    def version(self) -> int:
        """With several files one that an image of the release before refuses: it would leave out all but the first."""
        return TASK_VERSION + bool(self.video.parts)


class PreviewTask(PodTask):
    """Sample frames, detect and track the people around each."""

    kind: Literal["preview"] = "preview"
    preview: PreviewSettings = PreviewSettings()


class FurtherTask(PodTask):
    """Add frames to a preview that is there. Of a kind of its own: a worker that does not know it must not make the
    whole preview anew."""

    kind: Literal["further-frames"] = "further-frames"
    at_sec: list[float]
    """The times to add frames at, seconds."""
    first_number: int
    """Of the first frame that is added; the others follow."""
    first_track_id: int
    """From here on, track ids are free."""
    asked_sec: list[float] = []
    """The times for which frames were added before."""


class AnalysisTask(PodTask):
    """Follow the confirmed player and rate him."""

    kind: Literal["analysis"] = "analysis"
    attempt: int
    generation: int
    target: Target
    start_time_sec: float
    """Stored time of the confirmed frame; the following starts there."""
    target_forced: bool
    target_iou: float | None = None
    memory_failures: int | None = None
    """How many attempts before this one ran out of memory: a smaller batch is due. Absent when none did."""
    analysis: Analysis = Analysis()
    pitch: Pitch | None = None
    """Absent where none is given; a worker that does not know it scores without metres."""
    anchors: list[Anchor] | None = None
    """Absent where none are given; a worker that does not know them follows from the target alone."""
    refines: str | None = None
    """The job that this one goes on from; a worker that does not know it follows all anew."""


def pinned_sha256(video: Video, preview: PreviewStatus | None) -> str | None:
    """What the video's bytes must hash to: see `PodTask.video_sha256`."""
    if preview is not None:
        return preview.video.sha256
    return None if video.parts else video.sha256


def further(common: dict[str, Any], preview: PreviewStatus, at_sec: list[float]) -> FurtherTask:
    """The task to add frames at those times; `common` is what every pod knows."""
    taken = [track.track_id for frame in preview.frames for track in frame.tracks]
    return FurtherTask(
        **common,
        at_sec=at_sec,
        first_number=len(preview.frames) + 1,
        first_track_id=max(taken, default=0) + 1,
        asked_sec=preview.asked_sec or [],
    )


def analysis(
    common: dict[str, Any],
    spec: ScoringJobSpec,
    preview: PreviewStatus | None,
    generation: int,
    attempt: int,
    memory_failures: int | None = None,
) -> AnalysisTask:
    """The task of attempt `attempt`. Only for a job that passed the checks. Raises ValueError without a target."""
    if spec.target is None:
        raise ValueError("an analysis needs a target")
    verdict = coherence.judge(spec.player_ref, spec.target, preview)
    # The stored time of the confirmed frame; without a preview the time that the spec gives.
    frame = coherence.find_frame(preview, spec.target.frame_key) if preview else None
    return AnalysisTask(
        **common,
        attempt=attempt,
        generation=generation,
        target=spec.target,
        start_time_sec=frame.time_sec if frame else (spec.target.time_sec or 0.0),
        target_forced=verdict.reason is Reason.FORCED,
        target_iou=verdict.iou,
        memory_failures=memory_failures or None,
        analysis=spec.analysis or Analysis(),
        pitch=spec.pitch,
        anchors=spec.anchors or None,
        refines=spec.refines,
    )


class _Kind(BaseModel):
    kind: Literal["preview", "further-frames", "analysis"]


KINDS: Final[dict[str, type[PreviewTask] | type[FurtherTask] | type[AnalysisTask]]] = {
    "preview": PreviewTask,
    "further-frames": FurtherTask,
    "analysis": AnalysisTask,
}


def read(text: str, version: str | None = None) -> PreviewTask | FurtherTask | AnalysisTask:
    """The task of an operator of this release or of one beside it. Raises WorkerError for any other."""
    if version is not None and not (version.isdecimal() and int(version) <= TASK_VERSION + 1):
        words = f"the operator's task has version {version}, this image reads up to {TASK_VERSION + 1}"
        raise WorkerError("TASK_UNREADABLE", words)
    try:
        return lenient.known_json(KINDS[_Kind.model_validate_json(text).kind], text)
    except ValidationError as error:
        raise WorkerError("TASK_UNREADABLE", f"the operator's task: {error}") from error


class Failure(_Task):
    """The termination message of a pod that could not do its task."""

    code: str
    message: Annotated[str, Field(max_length=2000)]
