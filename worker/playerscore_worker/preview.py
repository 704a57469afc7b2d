"""The preview: a few frames of the video with the people on each, to pick one from.

Around each sampled frame a short burst of consecutive frames is detected and tracked, so that a box is there
because a person was seen for a while and not because the detector blinked. A track id means one person: within
a burst the tracker says so; bursts that touch are one run of the tracker; anything else gets new ids.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import supervision
from numpy.typing import NDArray
from trackers import BoTSORTTracker

from playerscore.errors import VideoError
from playerscore.geometry import Box
from playerscore_worker import boxes, grass
from playerscore_worker.detectors import Detections, Detector
from playerscore_worker.frames import Decoder, Frame, Image, Limits

Progress = Callable[[float, str], None]

DEFAULT_FRAMES: Final = 8
MAX_FRAMES: Final = 16
MAX_TRACKS: Final = 48
# Three frames on each side of the sample: enough to see that a box stays, cheap enough for two CPUs.
BURST_SIDE: Final = 3
MIN_SUPPORT: Final = 3
# Heights of people to look for, as shares of the picture's height: far across the pitch to close to the lens.
HEIGHT_SHARES: Final = (0.055, 0.11, 0.22)
# People on the far touchline reach this far above the pitch; what is higher up is not looked at.
HEADROOM_SHARE: Final = 0.15
# A scale at which the first frames of the burst showed nobody is not looked at again in this burst.
PROBE_FRAMES: Final = 1
JPEG_QUALITY: Final = 88
# A box may be this wide for its height before it is two people, a bag or a sleeping spectator.
MAX_ASPECT: Final = 1.1
GOOD_HEIGHT_PX: Final = 60.0


@dataclass(frozen=True)
class PreviewSettings:
    """What to sample: how many frames, 1..16, of which part of the video."""

    frames: int = DEFAULT_FRAMES
    start_sec: float = 0.0
    end_sec: float | None = None


@dataclass(frozen=True)
class PreviewTrack:
    """A person on a preview frame."""

    track_id: int
    bbox: Box
    """Normalised xywh, rounded to 4 places."""
    score: float
    """How usable as a pick, 0..1."""


@dataclass(frozen=True)
class PreviewFrame:
    """A preview frame; its picture is `frame_<number>.jpg`, four digits, from 1."""

    number: int
    time_sec: float
    width: int
    height: int
    tracks: list[PreviewTrack]


@dataclass(frozen=True)
class PreviewVideo:
    """What the preview says about the video; the digest is the caller's to add."""

    bytes: int
    duration_sec: float
    fps: float
    width: int
    height: int


@dataclass(frozen=True)
class PreviewResult:
    """The preview as the flow's status holds it, less `frame_key` and `sha256`."""

    video: PreviewVideo
    frames: list[PreviewFrame]


@dataclass
class _Seen:
    """One track within a burst."""

    boxes_xyxy: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """By position in the burst."""
    scores: list[float] = field(default_factory=list)


def make_preview(
    video: Path,
    settings: PreviewSettings,
    detector: Detector,
    out_dir: Path,
    on_progress: Progress,
    limits: Limits | None = None,
) -> PreviewResult:
    """Sample, detect, track, and write frame_0001.jpg... into `out_dir`.

    Raises:
        VideoError: The video cannot be decoded (VIDEO_*), the range holds no frame (VIDEO_RANGE_EMPTY), or no
            person was found on any frame (VIDEO_NO_PERSON).
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    with Decoder(video, limits) as decoder:
        info = decoder.info
        times = sample_times(settings, info.duration_sec, info.fps)
        bursts = _Bursts(decoder, times, detector)
        frames = []
        for number, (frame, tracks) in enumerate(bursts, start=1):
            frames.append(_write(number, frame, tracks, out_dir))
            on_progress(number / len(times), f"frame {number} of {len(times)}")
    if not frames:
        raise VideoError("VIDEO_RANGE_EMPTY", "the requested time range holds no frame of the video")
    if not any(frame.tracks for frame in frames):
        raise VideoError("VIDEO_NO_PERSON", f"no person was found on any of {len(frames)} frames")
    header = PreviewVideo(
        video.stat().st_size, round(info.duration_sec, 4), info.fps, info.width, info.height
    )
    return PreviewResult(header, frames)


def sample_times(settings: PreviewSettings, duration_sec: float, fps: float) -> list[float]:
    """Times of the sampled frames: the middles of equal parts of the range. Raises VideoError.

    >>> sample_times(PreviewSettings(frames=2), 10.0, 25.0)
    [2.5, 7.5]
    """
    end = min(settings.end_sec or duration_sec, duration_sec)
    start = settings.start_sec
    if end <= start:
        raise VideoError("VIDEO_RANGE_EMPTY", f"{start} s to {end} s holds no frame of the video")
    wanted = max(1, min(settings.frames, MAX_FRAMES, int((end - start) * fps)))
    part = (end - start) / wanted
    return [start + part * (k + 0.5) for k in range(wanted)]


def runs(times: Sequence[float], reach_sec: float) -> list[list[float]]:
    """Sample times grouped into runs of the tracker: those whose bursts touch go together.

    >>> runs([1.0, 1.3, 5.0], reach_sec=0.2)
    [[1.0, 1.3], [5.0]]
    """
    grouped: list[list[float]] = []
    for time_sec in times:
        if grouped and time_sec - grouped[-1][-1] <= 2 * reach_sec:
            grouped[-1].append(time_sec)
        else:
            grouped.append([time_sec])
    return grouped


class _Bursts:
    """Iterates over (sampled frame, its tracks), in the order of time."""

    def __init__(self, decoder: Decoder, times: Sequence[float], detector: Detector) -> None:
        self._decoder, self._times, self._detector = decoder, times, detector
        self._fps = decoder.info.fps
        self._next_id = 1

    def __iter__(self) -> Iterator[tuple[Frame, list[PreviewTrack]]]:
        reach_sec = (BURST_SIDE + 0.5) / self._fps
        for run in runs(self._times, reach_sec):
            frames = self._decoder.read(max(0.0, run[0] - reach_sec), run[-1] + reach_sec)
            yield from self._track(frames, run)

    def _track(
        self, frames: Iterable[Frame], times: Sequence[float]
    ) -> Iterator[tuple[Frame, list[PreviewTrack]]]:
        seen: dict[int, _Seen] = defaultdict(_Seen)
        wanted, held = list(times), []
        tracker = _tracker(self._fps)
        eye = _Eye(self._detector)
        count = 0
        for count, frame in enumerate(frames, start=1):
            _note(seen, count, tracker.update(_supervised(eye.look(frame.image)), frame.image))
            if wanted and frame.time_sec >= wanted[0] - 0.5 / self._fps:
                wanted.pop(0)
                held.append((count, frame))
        numbers = self._number(seen)
        for position, frame in held:
            yield frame, _tracks(frame, position, count, seen, numbers)

    def _number(self, seen: dict[int, _Seen]) -> dict[int, int]:
        """Global ids of the tracks that were seen long enough."""
        lasting = [key for key, track in sorted(seen.items()) if len(track.boxes_xyxy) >= MIN_SUPPORT]
        numbers = {key: self._next_id + k for k, key in enumerate(lasting)}
        self._next_id += len(lasting)
        return numbers


class _Eye:
    """Looks at the frames of a burst, only at the scales at which somebody was found."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._shares: Sequence[float] = HEIGHT_SHARES
        self._mask: NDArray[np.uint8] | None = None
        self._looked = 0

    def look(self, image: Image) -> Detections:
        """People on the pitch."""
        height, width = image.shape[:2]
        if self._looked == 0:
            self._mask = grass.pitch_mask(image)
        top = grass.top_row(self._mask, height, HEADROOM_SHARE)
        found = self._detector.detect_frame(image[top:], [share * height for share in self._shares])
        found = Detections(found.boxes_xyxy + np.array([0, top, 0, top], np.float32), found.scores)
        self._looked += 1
        sizes = found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]
        person = sizes[:, 0] <= MAX_ASPECT * sizes[:, 1]
        found = found.pick(person & grass.standing_on(self._mask, found.boxes_xyxy, width, height))
        if self._looked == PROBE_FRAMES and len(found):
            self._narrow((found.boxes_xyxy[:, 3] - found.boxes_xyxy[:, 1]) / height)
        return found

    def _narrow(self, found_shares: NDArray[np.float32]) -> None:
        nearest = np.abs(np.log(found_shares[:, None] / np.array(HEIGHT_SHARES))).argmin(axis=1)
        self._shares = [HEIGHT_SHARES[k] for k in sorted(set(nearest.tolist()))]


def _tracker(fps: float) -> BoTSORTTracker:
    # Thresholds fit the embedded network's scores: small people score low, and a burst has no time to wait.
    return BoTSORTTracker(
        frame_rate=fps,
        track_activation_threshold=0.35,
        high_conf_det_threshold=0.3,
        minimum_consecutive_frames=2,
        minimum_iou_threshold_first_assoc=0.1,
    )


def _supervised(found: Detections) -> supervision.Detections:
    return supervision.Detections(
        xyxy=found.boxes_xyxy.astype(np.float32),
        confidence=found.scores,
        class_id=np.zeros(len(found), int),
    )


def _note(seen: dict[int, _Seen], position: int, tracked: supervision.Detections) -> None:
    if tracked.tracker_id is None:
        return
    for key, box, score in zip(tracked.tracker_id, tracked.xyxy, tracked.confidence, strict=True):
        if key >= 0:
            seen[int(key)].boxes_xyxy[position] = box
            seen[int(key)].scores.append(float(score))


def _tracks(
    frame: Frame, position: int, count: int, seen: dict[int, _Seen], numbers: dict[int, int]
) -> list[PreviewTrack]:
    present = [key for key in numbers if position in seen[key].boxes_xyxy]
    if not present:
        return []
    boxes_xyxy = np.array([seen[key].boxes_xyxy[position] for key in present])
    near = [range(max(1, position - BURST_SIDE), min(count, position + BURST_SIDE) + 1)] * len(present)
    persistence = np.array(
        [np.mean([k in seen[key].boxes_xyxy for k in span]) for key, span in zip(present, near, strict=True)]
    )
    scores = usability(frame.image, boxes_xyxy, persistence)
    height, width = frame.image.shape[:2]
    tracks = [
        PreviewTrack(numbers[key], _rounded(boxes.to_normalised(box, width, height)), round(float(score), 4))
        for key, box, score in zip(present, boxes_xyxy, scores, strict=True)
    ]
    usable = [track for track in tracks if track.bbox.w > 0 and track.bbox.h > 0]
    return sorted(usable, key=lambda track: -track.score)[:MAX_TRACKS]


def usability(
    image: Image, boxes_xyxy: NDArray[np.float32], persistence: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How usable each person is as a pick, shape (n,), range [0, 1].

    Persistence (share of the burst in which he was seen) times what can be seen of him: height up to
    `GOOD_HEIGHT_PX`, sharpness against the sharpest on this frame, and nobody in front of him.
    """
    height = np.clip((boxes_xyxy[:, 3] - boxes_xyxy[:, 1]) / GOOD_HEIGHT_PX, 0, 1)
    sharpness = np.array([_sharpness(image, box) for box in boxes_xyxy])
    sharpness = sharpness / max(1e-9, sharpness.max())
    covered = boxes.cover_matrix(boxes_xyxy, boxes_xyxy)
    np.fill_diagonal(covered, 0)
    alone = 1 - np.clip(covered.max(axis=1), 0, 1)
    return np.asarray(persistence * (0.5 * height + 0.25 * sharpness + 0.25 * alone), np.float64)


def _sharpness(image: Image, box_xyxy: NDArray[np.float32]) -> float:
    left, top = np.maximum(np.floor(box_xyxy[:2]), 0).astype(int)
    right, bottom = np.ceil(box_xyxy[2:]).astype(int)
    part = image[top:bottom, left:right]
    if part.size == 0:
        return 0.0
    grey = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    return float(np.sqrt(cv2.Laplacian(grey, cv2.CV_32F).var()))


def _rounded(box: Box) -> Box:
    """To 4 places, rounding so that the box stays inside 0..1."""
    x, y = round(box.x, 4), round(box.y, 4)
    return Box(x, y, min(round(box.w, 4), round(1 - x, 4)), min(round(box.h, 4), round(1 - y, 4)))


def _write(number: int, frame: Frame, tracks: list[PreviewTrack], out_dir: Path) -> PreviewFrame:
    height, width = frame.image.shape[:2]
    file = out_dir / f"frame_{number:04d}.jpg"
    ok, encoded = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not ok:
        raise VideoError("VIDEO_DECODE_FAILED", f"frame {number} cannot be encoded as JPEG")
    file.write_bytes(encoded.tobytes())
    return PreviewFrame(number, round(frame.time_sec, 4), width, height, tracks)
