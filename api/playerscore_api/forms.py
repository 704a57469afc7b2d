"""What goes in and out of the API: the flat job form and the bodies of the flow's steps."""

from typing import Annotated, Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from playerscore import flow, lenient, names, steps
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.names import Step
from playerscore.resources import (
    MAX_ANCHORS,
    MAX_FRAMES,
    MAX_REVIEW,
    Anchor,
    Artifact,
    BBox,
    Condition,
    FrameKey,
    Moment,
    Pitch,
    PlayerRef,
    Result,
    ScoringJobSpec,
    ScoringJobStatus,
    Seconds,
    Target,
    TrackId,
)
from playerscore.review import Answer
from playerscore.schema import Label

Document = dict[str, Any]

FILE_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class NewJob(ScoringJobSpec):
    """A ScoringJob's spec, and optionally its id."""

    id: Label | None = None
    """metadata.name; made up when absent."""

    @classmethod
    def check_spelling(cls, document: Any) -> None:
        """Refuse keys as Python spells them (`runtime_name`), which no other gate knows. Raises RequestValidationError."""
        try:
            cls.model_validate(document, by_alias=True, by_name=False)
        except ValidationError as error:
            found = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
            raise RequestValidationError(found) from error


class Judged(_Form):
    """What a step is about."""

    resourceVersion: Annotated[str, Field(max_length=64)] | None = None  # noqa: N815  # Kubernetes' word
    """The version that the caller judged; 409 CONFLICT when the job has changed since."""


class Pick(Judged):
    """Which player: a track of a preview frame."""

    frame_key: FrameKey
    track_id: TrackId


class Confirmation(Judged):
    """Where the player is; without a box, as drafted."""

    frame_key: FrameKey | None = None
    time_sec: Seconds | None = None
    """Finds the nearest preview frame when no `frame_key` is given."""
    bbox: BBox | None = None
    force: bool = False
    """Waives the overlap with the picked track, for this box only."""


class Range(_Form):
    """A stretch of the video."""

    fromSec: Seconds  # noqa: N815
    toSec: Seconds  # noqa: N815
    frames: Annotated[int, Field(ge=1, le=MAX_FRAMES)] = 4
    """How many frames, evenly over it."""


class Elsewhere(Judged):
    """Where else in the video to look: at times, or in a range."""

    atSec: Annotated[list[Seconds], Field(min_length=1, max_length=MAX_FRAMES)] | None = None  # noqa: N815  # as in the spec
    """At these times, seconds from the start of the video, frames are added to the preview."""
    range: Range | None = None
    """Instead of times."""

    @property
    def times(self) -> list[float]:
        """The moments that are asked for. Raises FlowError INVALID."""
        if (self.atSec is None) == (self.range is None):
            raise FlowError("INVALID", "Either atSec or range is needed", field="atSec")
        if self.range is None:
            return self.atSec or []
        return flow.spread(self.range.fromSec, self.range.toSec, self.range.frames)


class AnchorsForm(Judged):
    """What is known of further moments: spec.anchors as it is to be."""

    anchors: Annotated[list[Anchor], Field(max_length=MAX_ANCHORS)]
    """None at all takes them back."""


class PitchForm(Pitch):
    """Where the pitch is in the picture: spec.pitch as it is to be."""

    resourceVersion: Annotated[str, Field(max_length=64)] | None = None  # noqa: N815  # Kubernetes' word
    """The version that the caller judged; 409 CONFLICT when the job has changed since."""

    @property
    def pitch(self) -> Pitch:
        """Without what is the form's own."""
        return Pitch(**{name: getattr(self, name) for name in Pitch.model_fields})


class Refinement(Judged):
    """What a person answers to moments of a result's review."""

    answers: Annotated[list[Answer], Field(min_length=1, max_length=MAX_REVIEW)]
    id: Label | None = None
    """The new job's name; of `match` it is `match-2` when absent."""


class ShownMoment(Moment):
    """A moment worth a look, and its picture."""

    picture: str | None
    """The artifact that shows it; null where it was not stored, or not yet."""


class Review(_Form):
    """The moments of a result that are worth a look."""

    items: list[ShownMoment]


class NewUpload(_Form):
    """A video that somebody wants to upload."""

    filename: Annotated[str, Field(pattern=FILE_NAME, min_length=1, max_length=128)]
    bytes: Annotated[int, Field(ge=1, le=2**50)]
    multipart: bool = False
    """In parts, so that it can be resumed."""


class Upload(_Form):
    """One request, which stores the whole video."""

    method: str
    url: str
    """Absolute, or a path of this API."""
    headers: dict[str, str]


class Part(Upload):
    """One request, which stores one part: exactly so many bytes from `(number - 1) * part_bytes` on."""

    number: int
    bytes: int


class UploadState(_Form):
    """How far an upload in parts is."""

    uri: str
    bytes: int
    finished: bool
    part_bytes: int
    """The length of all parts but the last."""
    parts: int
    missing: list[Part]
    """The next parts to send, at most 100."""


class UploadAnswer(_Form):
    """Where the video will be, and how to put it there: one request, or parts."""

    uri: str
    """For `spec.video.uri`."""
    url: str
    """The upload's own address: GET says what is missing, `…/complete` ends it, DELETE forgets it."""
    upload: Upload | None = None
    multipart: UploadState | None = None


class JobProgress(_Form):
    """Where the job stands."""

    step: Step
    percent: int | None
    message: str | None


class Job(_Form):
    """The flat form of a ScoringJob: every answer about a job."""

    id: str
    namespace: str
    displayName: str | None  # noqa: N815  # the flow's word
    player_ref: PlayerRef | None
    target: Target | None
    anchors: Annotated[list[Anchor] | None, Field(exclude_if=lambda anchors: anchors is None)] = None
    """Absent where there are none."""
    refines: Annotated[str | None, Field(exclude_if=lambda name: name is None)] = None
    """The job that this one goes on from; absent where there is none."""
    progress: JobProgress
    result: Result | None
    conditions: list[Condition]
    resourceVersion: str  # noqa: N815  # Kubernetes' word


class JobPage(_Form):
    """A page of jobs."""

    items: list[Job]
    next: str | None
    """Give it as `continue` to get the next page."""


class Artifacts(_Form):
    """The stored files of a job; each is at `…/artifacts/{name}`."""

    items: list[Artifact]


class Offer(_Form):
    """Where a file can be fetched, for a short time."""

    url: str
    """Absolute, or a path of this API."""
    expires_seconds: int | None
    """None for this API's own address, which wants the token."""


class Stored(_Form):
    """What was stored."""

    bytes: int
    sha256: str


def parts(job: Document) -> tuple[ScoringJobSpec, ScoringJobStatus]:
    """Spec and status of a stored job, as far as this version can read them.

    Raises PlayerscoreError INVALID when there is no spec.
    """
    spec = lenient.read_spec(job.get("spec")).model
    if spec is None:
        raise PlayerscoreError("INVALID", "The stored job has no readable spec", field="spec")
    return spec, lenient.read(ScoringJobStatus, job.get("status") or {}).model or ScoringJobStatus()


def flat(job: Document) -> Job:
    """The flat form of a stored job; the step is computed, so it never waits for the operator."""
    spec, status = parts(job)
    progress = status.progress
    return Job(
        id=job["metadata"]["name"],
        namespace=job["metadata"]["namespace"],
        displayName=spec.display_name,
        player_ref=spec.player_ref,
        target=spec.target,
        anchors=spec.anchors,
        refines=spec.refines,
        progress=JobProgress(
            step=steps.step(spec, status),
            percent=progress.percent if progress else None,
            message=progress.message if progress else None,
        ),
        result=status.result,
        conditions=status.conditions or [],
        resourceVersion=job["metadata"].get("resourceVersion", ""),  # a dry run's has none
    )


def reviewed(result: Result, artifacts: list[Artifact]) -> Review:
    """The review of a result, with the pictures that are stored."""
    stored = {artifact.name for artifact in artifacts}
    shown = []
    for moment in result.review or []:
        picture = names.review_picture(moment.number)
        shown.append(ShownMoment(**dict(moment), picture=picture if picture in stored else None))
    return Review(items=shown)
