"""The ScoringJob and ScoringRuntime models: the only definition of the API.

The CRDs are generated from these models, the webhook, API, operator and command line read objects with
them. Words of the flow keep the flow's spelling (`player_ref`, `time_sec`); Kubernetes' own words keep
Kubernetes' spelling (`suspend`, `activeDeadlineSeconds`). Every list and string has a maximum, which also
bounds what a CEL rule can cost.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from playerscore.football import Metrics
from playerscore.geometry import Box
from playerscore.landmarks import LANDMARKS, Format
from playerscore.names import NAME_MAX, Step
from playerscore.podtemplate import PodTemplate, Resources, Strict, Toleration
from playerscore.rating import Radar, Score, StoredSignals
from playerscore.schema import FlowModel, KubeModel, Label, list_map, rules

MAX_FRAMES: Final = 16
MAX_PARTS: Final = 15
"""Beside the first file."""
MAX_TRACKS: Final = 48
MAX_ASKED: Final = 64
MAX_MOMENTS: Final = 16
MAX_ANCHORS: Final = 32
MAX_POINTS: Final = 32
MAX_REVIEW: Final = 16
MAX_ARTIFACTS: Final = 64
MAX_CANDIDATES: Final = 4
DAY: Final = 86_400

Unit = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=DAY)]
WholeSeconds = Annotated[int, Field(ge=1, le=30 * DAY)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", min_length=64, max_length=64)]
FrameKey = Annotated[
    str, Field(pattern=r"^jobs/[a-z0-9.-]{1,63}/frames/frame_[0-9]{4}\.jpg$", min_length=1, max_length=128)
]
TrackId = Annotated[int, Field(ge=0, le=2**31 - 1)]
Pixels = Annotated[int, Field(ge=1, le=65_535)]
Side = Annotated[int, Field(ge=16, le=4096)]
Offset = Annotated[float, Field(ge=-255, le=255)]
OutputName = Annotated[str, Field(min_length=1, max_length=128)]
SPACES = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
r"""All of Unicode's, written out: `\s` means these to pydantic, and a few of them to the API server."""
Uri = Annotated[str, Field(pattern=f"^[a-z][a-z0-9+.-]*://[^{SPACES}]+$", min_length=4, max_length=2048)]
Text = Annotated[str, Field(max_length=1024)]


# --- spec of a ScoringJob -----------------------------------------------------------------------------


class TrackBox(FlowModel):
    """A preview box: as the worker wrote it, so no CEL rule here (one on each would cost every write)."""

    x: Unit
    y: Unit
    w: Unit
    h: Unit

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, self.w, self.h)


class BBox(TrackBox):
    """A box in 0..1 of the picture's width and height; x and y are its top left corner."""

    model_config = TrackBox.model_config | ConfigDict(
        json_schema_extra=rules(
            ("self.w > 0.0 && self.h > 0.0", "the box must have an area: w and h above 0"),
            (
                "self.x + self.w <= 1.000001 && self.y + self.h <= 1.000001",
                "the box must lie inside the picture: x + w and y + h at most 1",
            ),
        )
    )


class PlayerRef(FlowModel):
    """The picked player: a track of a preview frame."""

    frame_key: FrameKey
    """The preview frame in which he was picked."""
    track_id: TrackId | None = None
    """His track there; without it the target is accepted unjudged."""
    time_sec: Seconds | None = None
    """When that frame was, seconds from the start of the video."""
    bbox: BBox | None = None
    """Where he was, as the preview had it."""
    frame_width: Pixels | None = None
    """Width of the preview frame, pixels."""
    frame_height: Pixels | None = None
    """Height of the preview frame, pixels."""


class Target(FlowModel):
    """Where the player is, as a person confirmed it."""

    frame_key: FrameKey
    """The preview frame on which he was confirmed."""
    time_sec: Seconds | None = None
    """When that frame was; the worker starts at the frame's stored time."""
    bbox: BBox
    """His box on that frame."""
    confirmed: bool = False
    """False while it is only a draft made from the pick."""
    force: bool | None = None
    """Waives the overlap with the picked track, for this box only."""


class Anchor(FlowModel):
    """A person's word about one moment of the video: where the player is, or that he is not in the picture."""

    model_config = FlowModel.model_config | ConfigDict(
        json_schema_extra=rules(
            ("has(self.bbox) != (has(self.absent) && self.absent)", "an anchor has a bbox, or absent: true"),
        )
    )

    time_sec: Seconds
    """When, seconds from the start of the video."""
    bbox: BBox | None = None
    """His box at that moment."""
    absent: bool | None = None
    """True: he is not in the picture at that moment."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.bbox is not None) == bool(self.absent):
            raise ValueError("an anchor has a bbox, or absent: true")
        return self


class VideoPart(KubeModel):
    """A file that goes on where the one before it ends."""

    uri: Uri
    """Where it is, as `spec.video.uri`."""
    sha256: Sha256 | None = None
    """Its digest, when known; other bytes are refused."""
    continues: bool | None = None
    """Whether the recording goes on in it without a gap, as in chapters of a camera. Otherwise, as between halves, it is
    a cut: nobody is taken for the player on the other side of it without evidence."""


class Video(KubeModel):
    """The match video."""

    uri: Uri
    """Where it is, for example `s3://playerscore/<namespace>/uploads/match.mp4`."""
    sha256: Sha256 | None = None
    """Its digest, when known; other bytes are refused."""
    track: Annotated[int, Field(ge=1, le=16)] | None = None
    """Which of its picture tracks, from 1 in the order of the file; the largest by default. The same of every part."""
    parts: (
        Annotated[
            list[VideoPart],
            Field(min_length=1, max_length=MAX_PARTS, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = None
    """The files that follow it, in their order, on one time line with it: the second half, chapters of a camera."""

    @property
    def files(self) -> list[VideoPart]:
        """Every file of it, in their order."""
        return [VideoPart(uri=self.uri, sha256=self.sha256), *(self.parts or [])]


class PreviewSettings(KubeModel):
    """Which frames are offered to pick from."""

    model_config = KubeModel.model_config | ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.startSec) || !has(self.endSec) || self.startSec < self.endSec",
                "endSec must be after startSec",
            ),
        )
    )

    frames: Annotated[int, Field(ge=1, le=MAX_FRAMES)] | None = None
    """How many frames; 8 by default."""
    start_sec: Seconds | None = None
    end_sec: Seconds | None = None
    disabled: bool | None = None
    """Whether no preview is made; then the target is accepted unjudged."""
    at_sec: (
        Annotated[
            list[Seconds], Field(max_length=MAX_FRAMES, json_schema_extra={"x-kubernetes-list-type": "set"})
        ]
        | None
    ) = None
    """Where else to look: at these times, seconds from the start of the video, frames are added to the preview."""

    @model_validator(mode="after")
    def _asks_once(self) -> Self:
        if len(set(self.at_sec or [])) != len(self.at_sec or []):
            raise ValueError("atSec has a time twice")
        return self


class Analysis(KubeModel):
    """Which part of the video is analysed."""

    model_config = PreviewSettings.model_config

    start_sec: Seconds | None = None
    end_sec: Seconds | None = None
    max_fps: Annotated[int, Field(ge=1, le=240)] | None = None
    """The most frames a second that are looked at; all of them by default."""


class PitchPoint(KubeModel):
    """One correspondence between the picture (0..1) and the pitch: a landmark's name, or metres."""

    model_config = KubeModel.model_config | ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.landmark) ? !has(self.pitchX) && !has(self.pitchY) : has(self.pitchX) && has(self.pitchY)",
                "a point has a landmark, or pitchX and pitchY",
            ),
        )
    )

    image_x: Unit
    """0 at the picture's left, 1 at its right."""
    image_y: Unit
    """0 at the picture's top, 1 at its bottom."""
    landmark: Annotated[str, Field(max_length=64, json_schema_extra={"enum": [*LANDMARKS]})] | None = None
    """A marking's name; docs/football.md draws them. left, right, top and bottom as the pitch is drawn."""
    pitch_x: Annotated[float, Field(ge=-20, le=140)] | None = None
    """Metres from the left goal line."""
    pitch_y: Annotated[float, Field(ge=-20, le=110)] | None = None
    """Metres from the far touchline, which is drawn at the top."""

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        metres = (self.pitch_x is not None) + (self.pitch_y is not None)
        if metres != (0 if self.landmark else 2):
            raise ValueError("a point has a landmark, or pitchX and pitchY")
        if self.landmark and self.landmark not in LANDMARKS:
            raise ValueError(f"no landmark is named {self.landmark}")
        return self


class PitchMoment(KubeModel):
    """Where markings are seen at one moment of the video."""

    time_sec: Seconds = 0.0
    """When, seconds from the start of the video."""
    points: Annotated[list[PitchPoint], Field(min_length=4, max_length=MAX_POINTS)]


class Pitch(KubeModel):
    """How the picture maps to the pitch: what makes `football-metrics` of a job."""

    model_config = KubeModel.model_config | ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.highSpeedKmh) || !has(self.sprintKmh) || self.highSpeedKmh < self.sprintKmh",
                "sprintKmh must be above highSpeedKmh",
            ),
        )
    )

    format: Format = "11-a-side"
    """Which markings are painted."""
    length_m: Annotated[float, Field(ge=30, le=120)] | None = None
    """Of the touchlines; 105, 73.15 or 54.86 by default, as the format has it."""
    width_m: Annotated[float, Field(ge=20, le=90)] | None = None
    """Of the goal lines; 68, 45.72 or 36.58 by default."""
    moments: Annotated[list[PitchMoment], Field(min_length=1, max_length=MAX_MOMENTS)]
    """The camera is followed from moment to moment; each shot needs one of its own."""
    high_speed_kmh: Annotated[float, Field(ge=10, le=30)] | None = None
    """From here on running is high-speed running; 19.8 by default."""
    sprint_kmh: Annotated[float, Field(ge=15, le=36)] | None = None
    """From here on it is sprinting; 25.2 by default."""

    @model_validator(mode="after")
    def _sprints_are_faster(self) -> Self:
        if self.high_speed_kmh and self.sprint_kmh and self.high_speed_kmh >= self.sprint_kmh:
            raise ValueError("sprintKmh must be above highSpeedKmh")
        return self


class Retry(KubeModel):
    """How often an attempt is repeated after a failure of the machine."""

    limit: Annotated[int, Field(ge=0, le=20)]


class ScoringJobSpec(KubeModel):
    """What to score. A job starts as a draft (`suspend: true`)."""

    display_name: Annotated[str, Field(max_length=200)] | None = None
    """A name for people."""
    video: Video
    preview: PreviewSettings | None = None
    player_ref: PlayerRef | None = None
    target: Target | None = None
    anchors: Annotated[list[Anchor], Field(max_length=MAX_ANCHORS)] | None = None
    """What is known of further moments; the following must agree with each."""
    refines: (
        Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=NAME_MAX)] | None
    ) = None
    """The ended job, in this namespace, that this one goes on from: what the anchors do not touch is not followed
    again."""
    suspend: bool = True
    """True: a draft, or paused. False: enqueued."""
    runtime_name: Label | None = None
    """The ScoringRuntime; the default one when absent."""
    analysis: Analysis | None = None
    pitch: Pitch | None = None
    queue_name: Label | None = None
    """The Kueue LocalQueue."""
    priority_class_name: Label | None = None
    active_deadline_seconds: WholeSeconds | None = None
    """The longest that an attempt may run."""
    start_deadline_seconds: WholeSeconds | None = None
    """The longest that an attempt may wait for its pod to run."""
    retry: Retry | None = None
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=3650 * DAY)] | None = None
    """When the ended job is deleted; never by default (under GitOps it would come back)."""
    managed_by: Annotated[str, Field(max_length=63)] | None = None
    """Another controller that owns this job; the operator then leaves it alone."""


# --- status of a ScoringJob ---------------------------------------------------------------------------


class Track(FlowModel):
    """A person on a preview frame."""

    track_id: TrackId
    bbox: TrackBox
    score: Unit
    """How usable he is as a pick: size, sharpness, how long he stays visible."""


class Frame(FlowModel):
    """A preview frame."""

    frame_key: FrameKey
    time_sec: Seconds
    width: Pixels
    height: Pixels
    tracks: Annotated[
        list[Track],
        Field(max_length=MAX_TRACKS, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ]


class PartInfo(FlowModel):
    """One file of a video of several."""

    sha256: Sha256
    start_sec: Seconds
    """When it begins on the video's time line."""


Parts = Annotated[
    list[PartInfo], Field(max_length=MAX_PARTS + 1, json_schema_extra={"x-kubernetes-list-type": "atomic"})
]


class VideoInfo(FlowModel):
    """What the preview pinned; no analysis runs on other bytes."""

    sha256: Sha256
    """Of several files: the sha256 of their digests, in hex, joined by newlines."""
    bytes: Annotated[int, Field(ge=0, le=2**50)]
    duration_sec: Seconds
    fps: Annotated[float, Field(gt=0, le=1000)]
    width: Pixels
    height: Pixels
    parts: Parts | None = None
    """Its files, where it is of several."""


class PreviewStatus(FlowModel):
    """The frames and people to pick from; what is there never changes, further frames come behind it."""

    video: VideoInfo
    frames: Annotated[
        list[Frame],
        Field(max_length=MAX_FRAMES, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ]
    asked_sec: (
        Annotated[
            list[Seconds], Field(max_length=MAX_ASKED, json_schema_extra={"x-kubernetes-list-type": "atomic"})
        ]
        | None
    ) = None
    """The times of `spec.preview.atSec` for which frames were added."""


class Progress(KubeModel):
    """Where the job stands."""

    step: Step | None = None
    percent: Annotated[int, Field(ge=0, le=100)] | None = None
    message: Text | None = None


class Condition(KubeModel):
    """A metav1.Condition."""

    type: Annotated[str, Field(min_length=1, max_length=64)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Field(pattern=r"^[A-Za-z]([A-Za-z0-9_]*)$", min_length=1, max_length=128)]
    message: Annotated[str, Field(max_length=4096)]
    last_transition_time: datetime
    observed_generation: Annotated[int, Field(ge=0)] | None = None


class Run(KubeModel):
    """The current attempt."""

    attempt: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Counts from 1; also counts a start after a pause."""
    failures: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """How many attempts the machine failed since a person last started the job."""
    memory_failures: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """How many attempts ran out of memory since then; counted apart."""
    disruptions: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """How many pods the cluster took away, refused or could not start since then; counted apart too."""
    disrupted_pod: Annotated[str, Field(max_length=253)] | None = None
    """The last pod that is in that count."""
    failed_attempt: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """The last attempt whose failure is in those counts."""
    retry_time: datetime | None = None
    """When the attempt after a failed one may start."""
    launch_time: datetime | None = None
    """When the current attempt was launched."""
    generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that was judged for this attempt."""
    preview_attempt: Annotated[int, Field(ge=0, le=10_000)] | None = None
    preview_disruptions: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """How many of those runs the cluster refused or could not start."""
    preview_asked: (
        Annotated[
            list[Seconds],
            Field(max_length=MAX_FRAMES, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = None
    """The asked-for times that the current run of the preview adds frames for; absent when it adds none."""
    preview_first: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """The first run of the preview for those times."""
    preview_failed: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """The run of the preview with which they were given up."""
    trouble: Annotated[str, Field(max_length=63)] | None = None
    """What keeps the pod from running, by its name in docs/troubles.md, if it must stay for a while to matter."""
    trouble_time: datetime | None = None
    """Since when that was seen."""
    job_name: Annotated[str, Field(max_length=63)] | None = None
    start_time: datetime | None = None
    first_start_time: datetime | None = None
    """When a worker first ran since a person last started the job, in whichever attempt."""
    completion_time: datetime | None = None
    node: Annotated[str, Field(max_length=253)] | None = None
    runtime: Annotated[str, Field(max_length=63)] | None = None
    """The ScoringRuntime of the last preview or attempt, which may be the default one."""


class Provenance(FlowModel):
    """What made the result."""

    image: Annotated[str, Field(max_length=512)]
    weights_sha256: Sha256
    video_sha256: Sha256
    """As the preview's `video.sha256`."""
    video_parts: Parts | None = None
    """The video's files, where it is of several."""


class ResultWarning(FlowModel):
    """Why a result deserves less belief; the analysis was done all the same."""

    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z_]*$", min_length=1, max_length=64)]
    """Stable; docs/errors.md explains it."""
    message: Annotated[str, Field(max_length=512)]


MomentKind = Literal["crossing", "found-again", "declined", "cut", "end"]


class Moment(FlowModel):
    """A moment worth a look: a person's word about it may change the path, and so the score."""

    number: Annotated[int, Field(ge=1, le=MAX_REVIEW)]
    """From 1, the one first whose answer would change most; its picture is `review_01.jpg` and so on."""
    time_sec: Seconds
    """The frame on which the candidates stand, seconds from the start of the video."""
    kind: MomentKind
    """`crossing`: others were near enough to be exchanged with him. `found-again`: somebody was taken for him after a
    while. `declined`: nobody was taken for him. `cut`: another shot begins there. `end`: where his way ends; an exchange
    that nobody noticed shows there."""
    doubt: Unit
    """How likely the path is wrong there; of a loss, how likely he is in the picture all the same. An estimate."""
    stake_sec: Seconds
    """How many seconds of the path rest on it."""
    taken: bool
    """Whether the first candidate is who was followed; otherwise nobody was."""
    candidates: Annotated[
        list[TrackBox],
        Field(max_length=MAX_CANDIDATES, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ]
    """Who he may be, the likeliest first."""


class Result(FlowModel):
    """The scores, 0..100, and what they rest on."""

    overall_score: Score
    radar: Radar
    method: Annotated[str, Field(min_length=1, max_length=64)]
    """`vision-mvp` from tracking signals alone, `football-metrics` with a calibrated pitch."""
    signals: StoredSignals
    metrics: Metrics | None = None
    """What was measured in metres; absent without a calibrated pitch."""
    target_forced: bool
    target_iou: Unit | None = None
    """IoU of the confirmed box with the picked track; absent where it could not be judged."""
    anchors: Annotated[int, Field(ge=0, le=MAX_ANCHORS)] | None = None
    """How many anchors the following heard of; absent where none were given."""
    review: (
        Annotated[list[Moment], Field(max_length=MAX_REVIEW, json_schema_extra=list_map("number"))] | None
    ) = None
    """Where a person's word would change most, the first the most; absent where nothing is worth a look."""
    generation: Annotated[int, Field(ge=0)]
    """The generation of the spec that was scored."""
    provenance: Provenance
    warnings: (
        Annotated[list[ResultWarning], Field(max_length=8, json_schema_extra=list_map("code"))] | None
    ) = None
    """What is doubtful about the confirmed box or the video; absent where nothing is."""


class Artifact(KubeModel):
    """A stored file of this job; its content is at the API's `…/artifacts/{name}`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", min_length=1, max_length=64)]
    media_type: Annotated[str, Field(min_length=1, max_length=128)]
    bytes: Annotated[int, Field(ge=0, le=2**50)]
    sha256: Sha256


class ScoringJobStatus(KubeModel):
    """What was observed. Worker and operator write disjoint fields."""

    observed_generation: Annotated[int, Field(ge=-1)] | None = None
    progress: Progress | None = None
    conditions: (
        Annotated[list[Condition], Field(max_length=16, json_schema_extra=list_map("type"))] | None
    ) = None
    preview: PreviewStatus | None = None
    run: Run | None = None
    result: Result | None = None
    artifacts: (
        Annotated[list[Artifact], Field(max_length=MAX_ARTIFACTS, json_schema_extra=list_map("name"))] | None
    ) = None


class ScoringJob(KubeModel):
    """Scores one football player from match video."""

    model_config = KubeModel.model_config | ConfigDict(
        json_schema_extra=rules(
            (
                f"self.metadata.name.size() <= {NAME_MAX}",
                f"metadata.name must have at most {NAME_MAX} characters",
            ),
            (
                (
                    "!has(self.status) || !has(self.status.progress) || !has(self.status.progress.step) || "
                    "self.status.progress.step != 'COMPLETED' || has(self.status.result)"
                ),
                "a COMPLETED job must have a result with overallScore and all five radar axes",
            ),
        )
    )

    api_version: Literal["playerscore.dev/v1alpha1"] = "playerscore.dev/v1alpha1"
    kind: Literal["ScoringJob"] = "ScoringJob"
    metadata: dict[str, Any]
    spec: ScoringJobSpec
    status: ScoringJobStatus | None = None


# --- ScoringRuntime -----------------------------------------------------------------------------------


class Weights(KubeModel):
    """A model file that the worker fetches and verifies."""

    uri: Uri
    sha256: Sha256


class OnnxInput(KubeModel):
    """How a picture becomes the graph's input (1, 3, height, width)."""

    model_config = KubeModel.model_config | ConfigDict(
        json_schema_extra=rules(
            ("has(self.width) == has(self.height)", "width and height belong together: both or none"),
        )
    )

    width: Side | None = None
    """Fixed width, px; absent where the graph takes any size."""
    height: Side | None = None
    stride: Annotated[int, Field(ge=1, le=256)] = 32
    """Where the graph takes any size, each side is a multiple of this."""
    channels: Literal["RGB", "BGR"] = "RGB"
    scale: Annotated[float, Field(gt=0, le=255)] = 1.0
    """What a channel's 255 becomes: 1 for values of 0..1, 255 for pixels as they are."""
    mean: Annotated[list[Offset], Field(min_length=3, max_length=3)] = Field(default=[0.0, 0.0, 0.0])
    """Taken off each channel, in the order of `channels` and after `scale`."""
    std: Annotated[list[Annotated[float, Field(gt=0, le=255)]], Field(min_length=3, max_length=3)] = Field(
        default=[1.0, 1.0, 1.0]
    )
    """What each channel is then divided by."""
    fit: Literal["letterbox", "corner", "stretch"] = "letterbox"
    """How a window fills the input: in its middle, in its top left corner, or stretched."""
    pad: Annotated[int, Field(ge=0, le=255)] = 114
    """The grey around a window that does not fill the input."""


class OnnxOutputs(KubeModel):
    """The graph's names of its outputs; read by the layouts `detr` and `detr-deploy`."""

    boxes: OutputName = "boxes"
    scores: OutputName = "scores"
    """For `detr` those of the logits."""
    labels: OutputName = "labels"
    """Read by `detr-deploy` alone."""


class Onnx(KubeModel):
    """What an exported graph takes and answers: the manifest of one's own weights (docs/detectors.md)."""

    layout: Literal["yolo", "yolo-nms", "yolov5", "yolox", "detr", "detr-deploy"]
    """What the graph answers, n boxes of c classes, cxcywh or xyxy in pixels of its input.

    `yolo`: (1, 4 + c, n), cxcywh and class scores. `yolo-nms`: (1, n, 6), xyxy, score, class.
    `yolov5`: (1, n, 5 + c), cxcywh, objectness, class scores. `yolox`: the same, undecoded on its grids.
    `detr`: boxes (1, n, 4), cxcywh in 0..1, and logits (1, n, c).
    `detr-deploy`: labels (1, n), boxes (1, n, 4), xyxy, and scores (1, n), given the size to answer in.
    """
    input: OnnxInput = OnnxInput()
    outputs: OnnxOutputs = OnnxOutputs()
    grid_strides: Annotated[list[Annotated[int, Field(ge=1, le=256)]], Field(min_length=1, max_length=8)] = (
        Field([8, 16, 32])
    )
    """The strides of the grids of `yolox`, in the order of its rows."""
    person_classes: Annotated[
        list[Annotated[int, Field(ge=0, le=9999)]], Field(min_length=1, max_length=16)
    ] = Field(default=[0])
    """The classes that are people; a model of football may have players, keepers and referees."""
    min_score: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Boxes that score lower are dropped; the follower weighs the others by their scores."""
    nms_iou: Unit = 0.45
    """Of boxes that overlap more than this, the best stays; 1 keeps all, for graphs that settle it themselves."""
    person_height_px: Annotated[int, Field(ge=8, le=1024)] = 64
    """The height at which the model finds people best; windows are resized until people are that high."""


class Detector(KubeModel):
    """What finds people."""

    model_config = KubeModel.model_config | ConfigDict(
        json_schema_extra=rules(
            (
                "self.name != 'onnx' || (has(self.weights) && has(self.onnx))",
                "the detector onnx needs weights and its manifest: both `weights` and `onnx`",
            ),
            ("self.name == 'onnx' || !has(self.onnx)", "`onnx` describes weights of the detector onnx alone"),
        )
    )

    name: Literal["embedded", "ultralytics", "onnx"] = "embedded"
    """`embedded` needs no download; `onnx` runs any exported graph that `onnx` describes."""
    weights: Weights | None = None
    onnx: Onnx | None = None


class Accelerator(KubeModel):
    """The device that an analysis asks for."""

    resource_name: Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$", max_length=316)]
    """For example `nvidia.com/gpu`, or a MIG profile's name."""
    count: Annotated[int, Field(ge=1, le=16)] = 1
    runtime_class_name: Label | None = None
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=16)] | None = (
        None
    )
    tolerations: Annotated[list[Toleration], Field(max_length=16)] | None = None


class VideoLimits(KubeModel):
    """What a video may be at most."""

    bytes: Annotated[int, Field(ge=1, le=2**50)] = 8 * 2**30
    pixels: Annotated[int, Field(ge=1, le=2**28)] = 4096 * 2304
    duration_seconds: Annotated[int, Field(ge=1, le=DAY)] = 4 * 3600
    download_seconds: Annotated[int, Field(ge=1, le=DAY)] = 3600


class PreviewPods(Strict):
    """Previews' pods."""

    template: PodTemplate | None = None
    """In the place of `spec.template`, all of it; `{}` for none of it."""


class ScoringRuntimeSpec(KubeModel):
    """How a job runs; owned by the platform team."""

    image: Annotated[str, Field(min_length=1, max_length=512)]
    """The worker image."""
    detector: Detector = Detector()
    accelerator: Accelerator | None = None
    resources: Resources | None = None
    """Of the container that decodes and analyses; what `template.containers.analyze` says goes before it."""
    template: PodTemplate | None = None
    """What pods of analyses and previews are given besides: where they run, and with how much."""
    preview: PreviewPods | None = None
    """What is different for pods of previews, which never ask for the accelerator."""
    sources: Annotated[list[Annotated[str, Field(min_length=1, max_length=512)]], Field(max_length=32)]
    """Prefixes that a video's uri must start with; `{namespace}` stands for the job's namespace."""
    allowed_namespaces: Annotated[list[Label], Field(max_length=256)] | None = None
    """Namespaces that may use it; all when absent."""
    video_limits: VideoLimits = VideoLimits()
    active_deadline_seconds: WholeSeconds = 4 * 3600
    start_deadline_seconds: WholeSeconds = 1800
    retry: Retry = Retry(limit=2)


class ScoringRuntime(KubeModel):
    """How ScoringJobs run, like a StorageClass for volumes."""

    api_version: Literal["playerscore.dev/v1alpha1"] = "playerscore.dev/v1alpha1"
    kind: Literal["ScoringRuntime"] = "ScoringRuntime"
    metadata: dict[str, Any]
    spec: ScoringRuntimeSpec
