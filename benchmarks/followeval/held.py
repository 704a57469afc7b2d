"""What a tracker would give whose id is held: the comparison for the follower, on the same detector and run."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import supervision
from numpy.typing import NDArray
from trackers import BoTSORTTracker, ByteTrackTracker

from followeval.reference import iou_xywh
from playerscore_worker import frames
from playerscore_worker.detectors import Detections, Detector
from playerscore_worker.frames import Image

Json = dict[str, Any]
Tracks = dict[int, dict[int, NDArray[np.float64]]]
"""By frame and id, boxes xywh of 0..1."""

WIDTH_PX: Final = 1280
# Heights of people as shares of the picture's, as the preview looks for them.
HEIGHT_SHARES: Final = (0.055, 0.11, 0.22)
PICK_IOU: Final = 0.3


def follow_all(video: Path, picks: Sequence[Json], detector: Detector) -> Json:
    """By tracker and pick, the boxes of the id that is on the pick when he is confirmed."""
    rate = frames.probe(video).fps
    # Small people score low with both detectors, and each tracker's defaults would drop them.
    limits = {"track_activation_threshold": 0.35, "high_conf_det_threshold": 0.3}
    trackers = {
        "bytetrack": ByteTrackTracker(frame_rate=rate, **limits),
        "botsort": BoTSORTTracker(frame_rate=rate, **limits),
    }
    seen: dict[str, Tracks] = {name: defaultdict(dict) for name in trackers}
    for frame in frames.read(video, 0.0, None):
        image = _at_width(frame.image)
        found = detector.detect_frame(image, [share * image.shape[0] for share in HEIGHT_SHARES])
        for name, tracker in trackers.items():
            # ByteTrack has no use for the picture and warns.
            seen_with = (image,) if name == "botsort" else ()
            tracked = tracker.update(_supervised(found), *seen_with)
            _note(seen[name][round(frame.time_sec * rate)], tracked, image)
    return {name: [_held(tracks, pick, rate) for pick in picks] for name, tracks in seen.items()}


def _supervised(found: Detections) -> supervision.Detections:
    return supervision.Detections(
        xyxy=found.boxes_xyxy.astype(np.float32),
        confidence=found.scores,
        class_id=np.zeros(len(found), int),
    )


def _note(place: dict[int, NDArray[np.float64]], tracked: supervision.Detections, image: Image) -> None:
    height, width = image.shape[:2]
    ids = [-1] * len(tracked) if tracked.tracker_id is None else tracked.tracker_id
    for key, (left, top, right, bottom) in zip(ids, tracked.xyxy.astype(float), strict=True):
        if key >= 0:
            xywh = [left / width, top / height, (right - left) / width, (bottom - top) / height]
            place[int(key)] = np.array(xywh)


def _at_width(image: Image) -> Image:
    height, width = image.shape[:2]
    if width == WIDTH_PX:
        return image
    resized = cv2.resize(image, (WIDTH_PX, round(height * WIDTH_PX / width)), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def _held(tracks: Tracks, pick: Json, fps: float) -> Json:
    """The samples of the id that fits the pick, on the first frame on which one does."""
    told = {"target": pick["target"], "start": pick["start"]}
    for k, truth in enumerate(pick["boxes"], pick["start"]):
        present = tracks.get(k, {})
        if truth is None or not present:
            continue
        overlap = {key: float(iou_xywh(np.array(truth), box)) for key, box in present.items()}
        best = max(overlap, key=overlap.__getitem__)
        if overlap[best] >= PICK_IOU:
            return told | {"samples": _samples(tracks, best, fps)}
    return told | {"samples": []}


def _samples(tracks: Tracks, key: int, fps: float) -> list[Json]:
    return [
        {"t": frame / fps, "box": there[key].round(5).tolist()}
        for frame, there in sorted(tracks.items())
        if key in there
    ]
