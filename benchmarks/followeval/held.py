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
from playerscore_worker.detectors import Detector

Json = dict[str, Any]

WIDTH_PX: Final = 1280
# Heights of people as shares of the picture's, as the preview looks for them.
HEIGHT_SHARES: Final = (0.055, 0.11, 0.22)
PICK_IOU: Final = 0.3
# A tracker needs some frames to make a track of a person.
PICK_FRAMES: Final = 10


def follow_all(video: Path, picks: Sequence[Json], detector: Detector) -> Json:
    """By tracker and pick, the boxes of the id that is on the pick when he is confirmed."""
    seen: dict[str, dict[int, dict[int, NDArray[np.float64]]]] = {}
    rate = frames.probe(video).fps
    # Small people score low with both detectors, and each tracker's defaults would drop them.
    limits = {"track_activation_threshold": 0.35, "high_conf_det_threshold": 0.3}
    trackers = {
        "bytetrack": ByteTrackTracker(frame_rate=rate, **limits),
        "botsort": BoTSORTTracker(frame_rate=rate, **limits),
    }
    seen = {name: defaultdict(dict) for name in trackers}
    for frame in frames.read(video, 0.0, None):
        image = _at_width(frame.image)
        height, width = image.shape[:2]
        found = detector.detect_frame(image, [share * height for share in HEIGHT_SHARES])
        for name, tracker in trackers.items():
            people = supervision.Detections(
                xyxy=found.boxes_xyxy.astype(np.float32),
                confidence=found.scores,
                class_id=np.zeros(len(found), int),
            )
            # ByteTrack has no use for the picture and warns.
            tracked = tracker.update(people, image) if name == "botsort" else tracker.update(people)
            for key, box in zip(_ids(tracked), tracked.xyxy, strict=True):
                if key >= 0:
                    xywh = [box[0] / width, box[1] / height, (box[2] - box[0]) / width, (box[3] - box[1]) / height]
                    seen[name][round(frame.time_sec * rate)][int(key)] = np.array(xywh, float)
    return {
        name: [{"target": pick["target"], "start": pick["start"], "samples": _held(tracks, pick, rate)} for pick in picks]
        for name, tracks in seen.items()
    }


def _ids(tracked: supervision.Detections) -> Sequence[int]:
    return [-1] * len(tracked) if tracked.tracker_id is None else tracked.tracker_id


def _at_width(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if width == WIDTH_PX:
        return image
    resized = cv2.resize(image, (WIDTH_PX, round(height * WIDTH_PX / width)), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def _held(tracks: dict[int, dict[int, NDArray[np.float64]]], pick: Json, fps: float) -> list[Json]:
    """The samples of the id that fits the pick best, on the first frame on which one does."""
    for k in range(pick["start"], pick["start"] + PICK_FRAMES):
        truth = pick["boxes"][k - pick["start"]] if k - pick["start"] < len(pick["boxes"]) else None
        present = tracks.get(k, {})
        if truth is None or not present:
            continue
        overlap = {key: float(iou_xywh(np.array(truth), box)) for key, box in present.items()}
        best = max(overlap, key=overlap.__getitem__)
        if overlap[best] >= PICK_IOU:
            return [
                {"t": frame / fps, "box": there[best].round(5).tolist()}
                for frame, there in sorted(tracks.items())
                if best in there
            ]
    return []
