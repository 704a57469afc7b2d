"""What the operator tells a pod: the one contract between manifest and worker.

It travels as JSON in the environment variable `PLAYERSCORE_TASK` of all three containers. It holds no
credential and no URL that lives longer than the pod. Termination messages have at most 4,096 bytes.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from playerscore.resources import Analysis, Detector, PreviewSettings, Target, Video, VideoLimits

TASK_VARIABLE: Final = "PLAYERSCORE_TASK"
EXIT_DONE: Final = 0
EXIT_BAD_INPUT: Final = 42
EXIT_OUT_OF_MEMORY: Final = 43
TERMINATION_MESSAGE_BYTES: Final = 4096
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
    """What the bytes must hash to: the preview's digest, else spec's; None before either is known."""
    sources: list[str]
    """Allowed prefixes of the video's uri, `{namespace}` already filled in."""
    video_limits: VideoLimits = VideoLimits()
    detector: Detector = Detector()


class PreviewTask(PodTask):
    """Sample frames, detect and track the people around each."""

    kind: Literal["preview"] = "preview"
    preview: PreviewSettings = PreviewSettings()


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


Task = Annotated[PreviewTask | AnalysisTask, Field(discriminator="kind")]


class Failure(_Task):
    """The termination message of a pod that could not do its task."""

    code: str
    message: Annotated[str, Field(max_length=2000)]
