"""Valid objects of every kind, so that a test names only what it is about.

Each `make_…` returns a model; every argument has a value that makes the whole valid and coherent. `manifest`
turns a model into the dictionary that an API server takes.
"""

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel

from playerscore import names
from playerscore.football import Metrics
from playerscore.geometry import Box
from playerscore.names import ConditionType, Step
from playerscore.rating import Signals, rate
from playerscore.resources import (
    Artifact,
    BBox,
    Condition,
    Frame,
    Moment,
    Pitch,
    PlayerRef,
    PreviewStatus,
    Progress,
    Provenance,
    Result,
    Run,
    ScoringJob,
    ScoringJobSpec,
    ScoringJobStatus,
    ScoringRuntime,
    ScoringRuntimeSpec,
    Target,
    Track,
    TrackBox,
    Video,
    VideoInfo,
)
from playerscore.tasks import AnalysisTask

NAME = "match-1"
NAMESPACE = "default"
UID = "3f0c7a52-6f7e-4a1c-9d3b-6c1f0e7a9b11"
VIDEO_URI = "s3://playerscore/default/uploads/match.mp4"
VIDEO_SHA256 = "a" * 64
WEIGHTS_SHA256 = "b" * 64
IMAGE = "playerscore/worker:test"
PLAYER = 7
"""The track that is picked by default; he stands at `PLAYER_BOX` on frames 1 and 2."""
OTHER = 9
"""Another track, far from him; he is on frames 1 and 2 too."""
PLAYER_BOX = Box(0.25, 0.25, 0.125, 0.25)
OTHER_BOX = Box(0.75, 0.25, 0.125, 0.25)
ELSEWHERE = Box(0.0, 0.75, 0.125, 0.25)
"""A box that overlaps nobody."""


def manifest(model: BaseModel) -> dict[str, Any]:
    """The model as JSON data, keys spelt as the API server spells them, absent fields left out."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def make_box(x: float = 0.25, y: float = 0.25, w: float = 0.125, h: float = 0.25) -> Box:
    """A box of the geometry module."""
    return Box(x, y, w, h)


def make_bbox(box: Box = PLAYER_BOX) -> BBox:
    """A box of a spec."""
    return BBox(x=box.x, y=box.y, w=box.w, h=box.h)


def make_track(track_id: int = PLAYER, box: Box = PLAYER_BOX, score: float = 0.9) -> Track:
    """A person on a preview frame."""
    return Track(track_id=track_id, bbox=TrackBox(x=box.x, y=box.y, w=box.w, h=box.h), score=score)


def make_frame(
    number: int = 1,
    tracks: list[Track] | None = None,
    *,
    name: str = NAME,
    time_sec: float | None = None,
) -> Frame:
    """A preview frame with the player and the other; frames are two seconds apart."""
    return Frame(
        frame_key=names.frame_key(name, number),
        time_sec=2.0 * (number - 1) if time_sec is None else time_sec,
        width=1280,
        height=720,
        tracks=[make_track(), make_track(OTHER, OTHER_BOX)] if tracks is None else tracks,
    )


def make_video_info(**changes: Any) -> VideoInfo:
    """What a preview pins."""
    known: dict[str, Any] = {
        "bytes": 1_000_000,
        "duration_sec": 20.0,
        "fps": 25.0,
        "width": 1280,
        "height": 720,
    }
    return VideoInfo(**(known | {"sha256": VIDEO_SHA256} | changes))


def make_preview(frames: list[Frame] | None = None, *, name: str = NAME) -> PreviewStatus:
    """Three frames at 0, 2 and 4 s: two with the player and the other, the third with nobody."""
    if frames is None:
        frames = [make_frame(1, name=name), make_frame(2, name=name), make_frame(3, [], name=name)]
    return PreviewStatus(video=make_video_info(), frames=frames)


def make_player(
    track_id: int | None = PLAYER, number: int = 1, *, name: str = NAME, box: Box = PLAYER_BOX
) -> PlayerRef:
    """The picked player, complete, as the API writes it."""
    return PlayerRef(
        frame_key=names.frame_key(name, number),
        track_id=track_id,
        time_sec=2.0 * (number - 1),
        bbox=make_bbox(box),
        frame_width=1280,
        frame_height=720,
    )


def make_target(
    box: Box = PLAYER_BOX,
    number: int = 1,
    *,
    name: str = NAME,
    confirmed: bool = True,
    force: bool | None = None,
) -> Target:
    """A confirmed target on the player's box."""
    return Target(
        frame_key=names.frame_key(name, number),
        time_sec=2.0 * (number - 1),
        bbox=make_bbox(box),
        confirmed=confirmed,
        force=force,
    )


def make_spec(**changes: Any) -> ScoringJobSpec:
    """A draft: a video and nothing else."""
    return ScoringJobSpec(**({"video": Video(uri=VIDEO_URI)} | changes))


def make_ready_spec(**changes: Any) -> ScoringJobSpec:
    """A suspended job with a player and a confirmed target on him."""
    return make_spec(**({"player_ref": make_player(), "target": make_target()} | changes))


def make_condition(
    kind: ConditionType,
    status: str = "True",
    reason: str = "Tested",
    message: str = "",
    *,
    since: datetime = datetime(2026, 1, 1, tzinfo=UTC),
) -> Condition:
    """One condition."""
    return Condition.model_validate(
        {
            "type": kind.value,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
        }
    )


def make_signals(**changes: Any) -> Signals:
    """A player who was followed well."""
    known: dict[str, Any] = {
        "analysed_sec": 60.0,
        "sampled_frames": 1500,
        "supported_share": 0.9,
        "certain_sec": 53.0,
        "uncertain_sec": 3.0,
        "lost_sec": 4.0,
        "away_sec": 1.0,
        "certainty": 0.98,
        "encounters": 9,
        "doubtful_encounters": 1,
        "lost_segments": 1,
        "lost_segments_per_min": 1.0,
        "jersey_similarity": 0.9,
        "path_agreement": 0.95,
        "implausible_motion_share": 0.01,
        "speed_mean_h_per_sec": 1.2,
        "acceleration_p95_h_per_sec2": 3.0,
        "height_jitter": 0.03,
    }
    return Signals(**(known | changes))


def make_result(signals: Signals | None = None, **changes: Any) -> Result:
    """A result that follows from its signals."""
    signals = signals or make_signals()
    rating = rate(signals)
    provenance = Provenance(image=IMAGE, weights_sha256=WEIGHTS_SHA256, video_sha256=VIDEO_SHA256)
    known: dict[str, Any] = {
        "overall_score": rating.overall_score,
        "radar": rating.radar,
        "method": "vision-mvp",
        "signals": signals,
        "target_forced": False,
        "target_iou": 1.0,
        "generation": 1,
        "provenance": provenance,
    }
    return Result(**(known | changes))


def make_moment(*candidates: TrackBox, **changes: Any) -> Moment:
    """A crossing after which the first candidate was followed."""
    known: dict[str, Any] = {"number": 1, "time_sec": 1.0, "kind": "crossing", "doubt": 0.3, "stake_sec": 4.0}
    return Moment(**(known | {"taken": True, "candidates": list(candidates)} | changes))


def make_pitch(**changes: Any) -> Pitch:
    """The four corners, as a camera above the middle would see them."""
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    points = [{"imageX": x, "imageY": y, "pitchX": 105 * x, "pitchY": 68 * y} for x, y in corners]
    return Pitch.model_validate({"moments": [{"time_sec": 1.0, "points": points}]} | changes)


def make_metrics(**changes: Any) -> Metrics:
    """A minute of a player in metres."""
    known: dict[str, Any] = {
        "seen_min": 1.0,
        "calibrated_min": 0.9,
        "calibrated_share": 0.9,
        "position_error_m": 0.4,
        "distance_m": 110.0,
        "distance_m_per_min": 122.2,
        "zone_distances_m": [30.0, 50.0, 20.0, 6.0, 4.0],
        "high_speed_distance_m": 10.0,
        "sprint_distance_m": 3.0,
        "sprints": 1,
        "top_speed_kmh": 26.0,
        "accelerations": 2,
        "decelerations": 1,
        "average_x_m": 50.0,
        "average_y_m": 30.0,
    }
    return Metrics(**(known | changes))


def make_artifacts(*files: str) -> list[Artifact]:
    """What a status lists of files of one byte."""
    known = {"media_type": "application/octet-stream", "bytes": 1, "sha256": "0" * 64}
    return [Artifact(name=name, **known) for name in files]


def make_run(attempt: int | None = 1, **changes: Any) -> Run:
    """A launched attempt; None and `preview_attempt=1` for a preview run."""
    known: dict[str, Any] = {"attempt": attempt}
    return Run(**(known | changes))


def make_status(step: Step | None = None, **changes: Any) -> ScoringJobStatus:
    """A status with a preview, and that step if one is given."""
    progress = Progress(step=step) if step else None
    return ScoringJobStatus(**({"preview": make_preview(), "progress": progress} | changes))


def make_job(
    spec: ScoringJobSpec | None = None,
    status: ScoringJobStatus | None = None,
    *,
    name: str = NAME,
    namespace: str = NAMESPACE,
    **metadata: Any,
) -> ScoringJob:
    """A ScoringJob; a draft without a status by default."""
    return ScoringJob(
        metadata={"name": name, "namespace": namespace, **metadata}, spec=spec or make_spec(), status=status
    )


def make_stored_job(
    spec: ScoringJobSpec | None = None, status: ScoringJobStatus | None = None, **metadata: Any
) -> ScoringJob:
    """A ScoringJob as an API server returns it: with uid, generation and resourceVersion."""
    known: dict[str, Any] = {
        "uid": UID,
        "generation": 1,
        "resourceVersion": "101",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return make_job(spec, status, **(known | metadata))


def make_runtime(*, name: str = "cpu", **changes: Any) -> ScoringRuntime:
    """A runtime on the CPU that allows the namespace's uploads."""
    known: dict[str, Any] = {"image": IMAGE, "sources": ["s3://playerscore/{namespace}/uploads/"]}
    return ScoringRuntime(metadata={"name": name}, spec=ScoringRuntimeSpec(**(known | changes)))


TEMPLATE: Final[dict[str, Any]] = {
    "labels": {"team": "video", "sidecar.istio.io/inject": "false"},
    "annotations": {"karpenter.sh/do-not-disrupt": "true"},
    "nodeSelector": {"pool": "cpu"},
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "video", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "arch", "operator": "In", "values": ["amd64"]}]}
                ]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "preference": {"matchExpressions": [{"key": "spot", "operator": "DoesNotExist"}]},
                }
            ],
        },
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"playerscore.dev/role": "worker"}},
                    },
                }
            ]
        },
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "schedulerName": "default-scheduler",
    "imagePullSecrets": [{"name": "registry"}],
    "containers": {
        "fetch": {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}},
        "analyze": {"resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "8Gi"}}},
        "report": {"resources": {"requests": {"cpu": "10m", "ephemeral-storage": "1Gi"}}},
    },
    "workVolume": {"type": "Ephemeral", "storageClassName": "fast", "sizeLimit": "20Gi"},
    "trustedCa": {"configMap": "authorities", "key": "bundle.pem"},
    "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
    "securityContext": {"runAsUser": 1000650000, "runAsGroup": 1000650000, "fsGroup": 1000650000},
}
"""All that a runtime may say about pods, but for what a cluster must have (a priority class, a runtime class)."""


def make_task(box: Box, start_time_sec: float, **changes: Any) -> AnalysisTask:
    """The first analysis of whoever is in that box then."""
    known: dict[str, Any] = {
        "namespace": "default",
        "name": "match-1",
        "uid": "u",
        "image": IMAGE,
        "video": Video(uri="s3://playerscore/default/uploads/x"),
        "sources": [],
        "attempt": 1,
        "generation": 1,
        "target": make_target(box),
        "start_time_sec": start_time_sec,
        "target_forced": False,
    }
    return AnalysisTask(**(known | changes))
