"""Every word that two places must spell alike: group, labels, steps, condition types, reasons, keys.

A name is written here once. Reasons carry their message, so that a person reads the same words in a
denial of the webhook, an answer of the API and a condition of the operator.
"""

from enum import StrEnum
from typing import Final

GROUP: Final = "playerscore.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
JOB_KIND: Final = "ScoringJob"
JOB_PLURAL: Final = "scoringjobs"
RUNTIME_KIND: Final = "ScoringRuntime"
RUNTIME_PLURAL: Final = "scoringruntimes"

DEFAULT_RUNTIME_ANNOTATION: Final = f"{GROUP}/is-default-runtime"
JOB_LABEL: Final = f"{GROUP}/job"
UID_LABEL: Final = f"{GROUP}/uid"
CHILDREN: Final = f"{UID_LABEL},{JOB_LABEL}"
"""Selects what has both labels, whatever they say."""
ATTEMPT_LABEL: Final = f"{GROUP}/attempt"
ROLE_LABEL: Final = f"{GROUP}/role"
SPEC_HASH_ANNOTATION: Final = f"{GROUP}/spec-hash"
IDEMPOTENCY_ANNOTATION: Final = f"{GROUP}/idempotency"
GENERATION_ANNOTATION: Final = f"{GROUP}/generation"
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
WORKLOAD_LABEL: Final = "kueue.x-k8s.io/job-uid"
"""Kueue's own, on the Workload that stands for a Job."""

MANAGED_BY: Final = f"{GROUP}/operator"
WORKER_ACCOUNT: Final = "playerscore-worker"
API_AUDIENCE: Final = "playerscore-api"

DECISIONS_FILE: Final = "decisions.json"
DECISIONS_SHEET: Final = "decisions.jpg"
"""The artifacts that tell why the player is where he is said to be."""
RUN_FILE: Final = "run.bin"
"""The artifact that a refined job goes on from: the path as it was followed."""

NAME_MAX: Final = 63
IOU_THRESHOLD: Final = 0.2
SAME_TIME_SEC: Final = 0.001
"""Two times of one frame may differ by the rounding of its timestamp, seconds."""


class Step(StrEnum):
    """Where a job stands in the flow; `status.progress.step`."""

    EXTRACTING_PREVIEW = "EXTRACTING_PREVIEW"
    WAITING_FOR_PLAYER = "WAITING_FOR_PLAYER"
    WAITING_FOR_TARGET_CONFIRMATION = "WAITING_FOR_TARGET_CONFIRMATION"
    READY_TO_ENQUEUE = "READY_TO_ENQUEUE"
    QUEUED = "QUEUED"
    ANALYZING = "ANALYZING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


FINISHED: Final = frozenset({Step.COMPLETED, Step.FAILED})


class ConditionType(StrEnum):
    """The types of `status.conditions`; the last two are kstatus' own, PitchCalibrated is of jobs with a pitch."""

    PREVIEW_READY = "PreviewReady"
    TARGET_COHERENT = "TargetCoherent"
    PITCH_CALIBRATED = "PitchCalibrated"
    ADMITTED = "Admitted"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """Stable codes of verdicts and conditions. SCREAMING ones refuse; CamelCase ones inform."""

    # coherence
    COHERENT = "Coherent"
    FORCED = "Forced"
    NOT_APPLICABLE = "NotApplicable"
    NOT_SELECTED = "NotSelected"
    PREVIEW_PENDING = "PreviewPending"
    TARGET_MISMATCH = "TARGET_MISMATCH"
    FRAME_NOT_FOUND = "FRAME_NOT_FOUND"
    TRACK_NOT_FOUND = "TRACK_NOT_FOUND"
    # readiness and edits
    NOT_READY = "NOT_READY"
    PREVIEW_NOT_READY = "PREVIEW_NOT_READY"
    JOB_RUNNING = "JOB_RUNNING"
    JOB_LAUNCHED = "JOB_LAUNCHED"
    JOB_FINISHED = "JOB_FINISHED"
    VIDEO_IMMUTABLE = "VIDEO_IMMUTABLE"
    MANAGED_BY_IMMUTABLE = "MANAGED_BY_IMMUTABLE"
    # further frames
    PREVIEW_TIME_OUTSIDE = "PREVIEW_TIME_OUTSIDE"
    PREVIEW_FULL = "PREVIEW_FULL"
    # the anchors
    ANCHOR_CONFLICT = "ANCHOR_CONFLICT"
    ANCHOR_OUTSIDE = "ANCHOR_OUTSIDE"
    ANCHOR_MISMATCH = "ANCHOR_MISMATCH"
    ANCHORS_UNJUDGED = "AnchorsUnjudged"
    # the pitch
    PITCH_INCOHERENT = "PITCH_INCOHERENT"
    PITCH_LANDMARK = "PITCH_LANDMARK"
    PITCH_MOMENT_OUTSIDE = "PITCH_MOMENT_OUTSIDE"
    PITCH_CUT = "PITCH_CUT"
    PITCH_UNSUPPORTED = "PITCH_UNSUPPORTED"
    CALIBRATED = "Calibrated"
    # the life of a job
    PREVIEW_READY = "PreviewStored"
    PREVIEW_RUNNING = "PreviewRunning"
    PREVIEW_DISABLED = "PreviewDisabled"
    PREVIEW_EXTENDING = "PreviewExtending"
    SUSPENDED = "Suspended"
    QUEUED = "Queued"
    LAUNCHED = "Launched"
    POD_PENDING = "PodPending"
    POD_RUNNING = "PodRunning"
    STOPPING = "StoppingOldAttempt"
    COMPLETED = "Completed"
    ARTIFACTS_LOST = "ArtifactsLost"
    SETTLED = "Settled"
    WORKING = "Working"
    RUNTIME_NOT_FOUND = "RUNTIME_NOT_FOUND"
    RUNTIME_FORBIDDEN = "RUNTIME_FORBIDDEN"
    NAMESPACE_NOT_PREPARED = "NamespaceNotPrepared"
    START_DEADLINE = "START_DEADLINE_EXCEEDED"
    ACTIVE_DEADLINE = "ACTIVE_DEADLINE_EXCEEDED"
    NO_RESULT = "NO_RESULT"
    WORKER_FAILED = "WORKER_FAILED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    IMAGE_PULL = "IMAGE_PULL_FAILED"
    POD_CONFIG = "POD_CONFIG_INVALID"
    CREATE_REFUSED = "CREATE_REFUSED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    JOB_DELETED = "JobDeleted"
    DISRUPTED = "Disrupted"
    DISRUPTED_TOO_OFTEN = "DISRUPTED_TOO_OFTEN"
    POD_REFUSED = "PodRefused"
    SERVICE_AWAY = "ServiceAway"
    SUSPENDED_ELSEWHERE = "SuspendedElsewhere"
    NODE_LOST = "NodeLost"


PITCH_WARNINGS: Final = frozenset(
    {Reason.PITCH_INCOHERENT, Reason.PITCH_MOMENT_OUTSIDE, Reason.PITCH_CUT, Reason.PITCH_UNSUPPORTED}
)
"""Codes of a result's warnings that say why there are no metres, or not of everything."""
TEMPLATE_FORBIDDEN: Final = "TEMPLATE_FORBIDDEN"
"""Refuses a field of a runtime's pod template that is not on the list."""
TEMPLATE_RESERVED: Final = "TEMPLATE_RESERVED"
"""Refuses a name in it that is the operator's or the worker's own."""

NOT_READY_MESSAGE: Final = "Missing required selections for enqueue"


def frame_key(job_name: str, number: int) -> str:
    """The key of preview frame `number` (from 1), as the flow spells it."""
    return f"jobs/{job_name}/frames/frame_{number:04d}.jpg"


def frame_number(key: str) -> int:
    """The number in a frame key. Raises ValueError when the key is not one."""
    stem = key.rsplit("/", 1)[-1].removeprefix("frame_").removesuffix(".jpg")
    return int(stem)


def preview_job_name(uid: str, number: int) -> str:
    """The batch/v1 Job of preview run `number`."""
    return f"sj-{uid}-p{number}"


def analysis_job_name(uid: str, attempt: int) -> str:
    """The batch/v1 Job of analysis attempt `attempt`."""
    return f"sj-{uid}-{attempt}"


def store_prefix(namespace: str, uid: str) -> str:
    """Where every stored object of one job lives; computed, never taken from a request or from status."""
    return f"{namespace}/{uid}/"


def checkpoint_prefix(namespace: str, uid: str) -> str:
    """Where the checkpoints of a job's attempts live: apart, because they go when the job has ended."""
    return f"{namespace}/checkpoints/{uid}/"


def upload_prefix(namespace: str) -> str:
    """Where the videos that people upload into a namespace live."""
    return f"{namespace}/uploads/"


def review_picture(number: int) -> str:
    """The artifact that shows a moment worth a look."""
    return f"review_{number:02d}.jpg"
