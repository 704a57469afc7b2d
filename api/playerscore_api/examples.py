"""One job through the flow, as examples of answers: made by the rule itself, so that none can drift from it."""

from typing import Final

from playerscore import flow, names, review
from playerscore.errors import CATALOGUE, NotReadyError, PlayerscoreError, TargetMismatchError
from playerscore.names import IOU_THRESHOLD, NOT_READY_MESSAGE
from playerscore.rating import Signals, rate
from playerscore.resources import (
    Anchor,
    Artifact,
    BBox,
    Moment,
    PreviewStatus,
    Provenance,
    Result,
    ScoringJobSpec,
    ScoringJobStatus,
    TrackBox,
)
from playerscore_api import forms
from playerscore_api.forms import Document

NAME: Final = "match-1"
NAMESPACE: Final = "default"
VIDEO: Final = f"s3://playerscore/{NAMESPACE}/uploads/0f1e2d3c4b5a6978-match.mp4"
SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
FRAME: Final = names.frame_key(NAME, 1)
BOX: Final = {"x": 0.25, "y": 0.25, "w": 0.125, "h": 0.25}
TRACK: Final = 7
NEW: Final[Document] = {"id": NAME, "displayName": "Number 7, second half", "video": {"uri": VIDEO}}

_VIDEO: Final = {"sha256": SHA256, "bytes": 48_211_034, "duration_sec": 20.0, "fps": 25.0}
_SIZE: Final = {"width": 1280, "height": 720}
_TRACK: Final = {"track_id": TRACK, "bbox": BOX, "score": 0.92}
PREVIEW: Final = PreviewStatus.model_validate(
    {
        "video": _VIDEO | _SIZE,
        "frames": [{"frame_key": FRAME, "time_sec": 1.2, "tracks": [_TRACK]} | _SIZE],
    }
)
_SIGNALS: Final = Signals(
    analysed_sec=20.0,
    sampled_frames=500,
    supported_share=0.97,
    certain_sec=19.3,
    uncertain_sec=0.4,
    lost_sec=0.3,
    away_sec=0.0,
    certainty=0.99,
    encounters=3,
    doubtful_encounters=0,
    lost_segments=1,
    lost_segments_per_min=3.0,
    jersey_similarity=0.95,
    path_agreement=0.98,
    implausible_motion_share=0.0,
    speed_mean_h_per_sec=1.4,
    acceleration_p95_h_per_sec2=3.0,
    height_jitter=0.02,
)
_RATING: Final = rate(_SIGNALS)
RESULT: Final = Result(
    overall_score=_RATING.overall_score,
    radar=_RATING.radar,
    method="vision-mvp",
    signals=_SIGNALS,
    target_forced=False,
    target_iou=1.0,
    generation=4,
    provenance=Provenance(image="playerscore/worker:0.1.0", weights_sha256=SHA256, video_sha256=SHA256),
)
MOMENT: Final = Moment(
    number=1,
    time_sec=8.4,
    kind="crossing",
    doubt=0.31,
    stake_sec=11.6,
    taken=True,
    candidates=[TrackBox(**BOX), TrackBox(**BOX | {"x": 0.375})],
)
REVIEW: Final[Document] = {"items": [MOMENT.model_dump(mode="json") | {"picture": names.review_picture(1)}]}
REFINEMENT: Final[Document] = {"answers": [{"moment": 1, "candidate": 2}, {"moment": 2, "absent": True}]}
ARTIFACT: Final = Artifact(name="radar.png", media_type="image/png", bytes=48_913, sha256=SHA256)


def _condition(kind: str, status: str, reason: str, message: str) -> Document:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-05-04T10:00:00Z",
        "observedGeneration": 4,
    }


_PREVIEWED: Final = ScoringJobStatus.model_validate(
    {
        "preview": PREVIEW.model_dump(),
        "conditions": [_condition("PreviewReady", "True", "PreviewStored", "1 frame to pick from")],
    }
)
_ENDED: Final = _PREVIEWED.model_copy(
    update=dict(
        ScoringJobStatus.model_validate(
            {
                "progress": {"step": "COMPLETED", "percent": 100},
                "result": RESULT.model_dump(by_alias=True),
                "conditions": [_condition("Succeeded", "True", "Completed", "overallScore 84")],
            }
        )
    )
    | {"preview": PREVIEW}
)


def _flat(spec: ScoringJobSpec, status: ScoringJobStatus | None, version: int) -> Document:
    stored = {
        "metadata": {"name": NAME, "namespace": NAMESPACE, "resourceVersion": str(version)},
        "spec": spec.model_dump(mode="json", exclude_none=True),
        "status": status.model_dump(mode="json", exclude_none=True) if status else {},
    }
    return forms.flat(stored).model_dump(mode="json")


_NEW: Final = ScoringJobSpec.model_validate({key: NEW[key] for key in ("displayName", "video")})
_PICKED: Final = flow.pick(_NEW, _PREVIEWED, FRAME, TRACK).spec
_CONFIRMED: Final = flow.confirm(_PICKED, _PREVIEWED, bbox=BBox(**BOX)).spec
_SAID: Final = [Anchor(time_sec=1.2, bbox=BBox(**BOX)), Anchor(time_sec=9.5, absent=True)]
_ANCHORED: Final = flow.set_anchors(_CONFIRMED, _PREVIEWED, _SAID).spec
_QUEUED: Final = flow.enqueue(_CONFIRMED, _PREVIEWED).spec

_EXTENDING: Final = _condition(
    "PreviewReady", "True", "PreviewExtending", "1 frames to pick from. Further frames are being made"
)
ASKED: Final = _flat(
    _NEW, ScoringJobStatus.model_validate({"preview": PREVIEW.model_dump(), "conditions": [_EXTENDING]}), 1052
)
CREATED: Final = _flat(_NEW, None, 1041)
PICKED: Final = _flat(_PICKED, _PREVIEWED, 1057)
CONFIRMED: Final = _flat(_CONFIRMED, _PREVIEWED, 1063)
QUEUED: Final = _flat(_QUEUED, _PREVIEWED, 1068)
ANCHORED: Final = _flat(_ANCHORED, _PREVIEWED, 1064)
PITCHED: Final = _flat(_CONFIRMED, _PREVIEWED, 1065)
PAUSED: Final = _flat(_CONFIRMED, _PREVIEWED, 1071)
COMPLETED: Final = _flat(_QUEUED, _ENDED, 1188)
_ASKING: Final = _ENDED.model_copy(update={"result": RESULT.model_copy(update={"review": [MOMENT]})})
_REFINED: Final = review.refined(_QUEUED, _ASKING, NAME, [review.Answer(moment=1, candidate=2)])
REFINED: Final = _flat(_REFINED, None, 1204) | {"id": review.next_name(NAME, _QUEUED)}
PAGE: Final[Document] = {"items": [COMPLETED], "next": None}
ELSEWHERE: Final[Document] = {"atSec": [3800, 3812.5]}
RANGE: Final[Document] = {"range": {"fromSec": 3790, "toSec": 3820, "frames": 4}}
PICK: Final[Document] = {"frame_key": FRAME, "track_id": TRACK}
TARGET: Final[Document] = {"frame_key": FRAME, "time_sec": 1.2, "bbox": BOX}
ANCHORS: Final[Document] = {"anchors": [{"time_sec": 1.2, "bbox": BOX}, {"time_sec": 9.5, "absent": True}]}
PITCH: Final[Document] = {
    "moments": [
        {
            "time_sec": 1.2,
            "points": [
                {"imageX": 0.5, "imageY": 0.44, "landmark": "centre-spot"},
                {"imageX": 0.31, "imageY": 0.44, "landmark": "centre-circle-left"},
                {"imageX": 0.5, "imageY": 0.25, "landmark": "halfway-line-top"},
                {"imageX": 0.69, "imageY": 0.44, "landmark": "centre-circle-right"},
                {"imageX": 0.5, "imageY": 0.51, "landmark": "centre-circle-bottom"},
            ],
        }
    ]
}
EVENTS: Final = (
    'event: step\r\ndata: {"step":"ANALYZING","message":null}\r\n\r\n'
    'event: percent\r\ndata: {"percent":42}\r\n\r\n'
    'id: 1103\r\nevent: job\r\ndata: {"id":"match-1"}\r\n\r\n'
)
EVERY_EVENT: Final = 'event: job\r\nid: 1103\r\ndata: {"id":"match-1"}\r\n\r\n'


def refusal(code: str) -> Document:
    """The body of an answer with that code."""
    meaning = CATALOGUE[code].meaning
    known: dict[str, PlayerscoreError] = {
        "NOT_READY": NotReadyError(["player_ref", "target"], NOT_READY_MESSAGE),
        "TARGET_MISMATCH": TargetMismatchError("IoU 0.000 is below 0.2", 0.0, IOU_THRESHOLD),
        "INVALID": PlayerscoreError(
            "INVALID",
            "track_id: Input should be a valid integer",
            field="track_id",
            problems=[{"field": "track_id", "message": "Input should be a valid integer"}],
        ),
        "TOO_MANY_REQUESTS": PlayerscoreError("TOO_MANY_REQUESTS", meaning, retry_after_seconds=1),
    }
    return known.get(code, PlayerscoreError(code, meaning)).body()
