"""The preview: a few frames of the video with the people on each, to pick one from.

The moments are chosen where many people can be told apart (`previewing.moments`). Around each a short burst of
consecutive frames is looked at (`previewing.people`) and tracked, so that a box is there because a person was
seen for a while and not because the detector blinked. A track id means one person: within a burst the tracker
says so; bursts that touch are one run of the tracker; anything else gets new ids.

Frames may be added later, at moments that a person names: they are looked at alike, and their ids are new.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import supervision
from trackers import BoTSORTTracker

from playerscore.errors import VideoError
from playerscore.geometry import Box
from playerscore_worker import boxes, grass
from playerscore_worker.boxes import Floats
from playerscore_worker.detectors import Detector
from playerscore_worker.frames import Decoder, Frame, Image, Limits
from playerscore_worker.previewing import moments, people, pyramid, ranking, scenery
from playerscore_worker.previewing.moments import Glance, Look
from playerscore_worker.previewing.people import Ground
from playerscore_worker.previewing.pyramid import Sightings
from playerscore_worker.previewing.scenery import Scenery

Progress = Callable[[float, str], None]

DEFAULT_FRAMES: Final = 8
MAX_FRAMES: Final = 16
# A container's duration may end later than its last frame, by not more than this.
LAST_FRAME_SEC: Final = 2.0
MAX_TRACKS: Final = 48
# Two frames on each side of the sample: enough to see that a box stays, cheap enough for two CPUs.
BURST_SIDE: Final = 2
MIN_SUPPORT: Final = 3
# Time stamps are rounded by their container: bursts that are this far from touching touch.
SAME_INSTANT_SEC: Final = 0.002
# A zoom is of use down to people this much smaller than it expects; finer ones cost more than all others.
FINE_ENOUGH: Final = 1.3
# With fewer looks at a pitch than this, as a share, the video is not of football: see `Ground.expected`.
MIN_PITCH_SHARE: Final = 0.2
# Of one colour with its neighbours: far above any footage, below any drawing (`scenery.flat_share`).
MAX_FLAT_SHARE: Final = 0.6
# The mean over the burst, where he was not seen counting nothing, from which somebody is offered.
MIN_EVIDENCE: Final = 0.35
# So many other moments tell what stays the same in the video, where those to show are given: a seek each.
GLANCES: Final = 4
# The share of the work that choosing the moments is.
LOOKING: Final = 0.2
JPEG_QUALITY: Final = 88


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
    """What the preview says about the video; sizes and digests of its files are the caller's to add."""

    duration_sec: float
    fps: float
    width: int
    height: int
    starts_sec: tuple[float, ...]
    """When each of its files begins."""


@dataclass(frozen=True)
class PreviewResult:
    """The preview as the flow's status holds it, less `frame_key` and `sha256`."""

    video: PreviewVideo
    frames: list[PreviewFrame]


@dataclass
class _Seen:
    """One track within a burst."""

    boxes_xyxy: dict[int, Floats] = field(default_factory=dict)
    """By position in the burst."""
    evidence: dict[int, float] = field(default_factory=dict)


def make_preview(
    video: Path,
    settings: PreviewSettings,
    detector: Detector,
    out_dir: Path,
    on_progress: Progress,
    limits: Limits | None = None,
) -> PreviewResult:
    """Choose moments, detect, track, and write frame_0001.jpg... into `out_dir`.

    Raises:
        VideoError: The video cannot be decoded (VIDEO_*), the range holds no frame (VIDEO_RANGE_EMPTY), or no
            person was found on any frame (VIDEO_NO_PERSON).
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    with Decoder(video, limits) as decoder:
        info = decoder.info
        parts = sampled_parts(settings, info.duration_sec, info.fps)
        looks = _look_around(decoder, parts, detector, on_progress)
        everything = [look for part in looks for look in part]
        times = [moments.choose(part, everything).time_sec for part in looks]
        frames = _shown(_Bursts(decoder, times, everything, detector), len(looks), out_dir, on_progress)
    if not any(frame.tracks for frame in frames):
        raise VideoError("VIDEO_NO_PERSON", f"no person was found on any of {len(frames)} frames")
    header = PreviewVideo(round(info.duration_sec, 4), info.fps, info.width, info.height, info.starts_sec)
    return PreviewResult(header, frames)


def add_frames(
    video: Path,
    at_sec: Sequence[float],
    first_number: int,
    first_id: int,
    detector: Detector,
    out_dir: Path,
    on_progress: Progress,
    limits: Limits | None = None,
) -> list[PreviewFrame]:
    """Frames at the given times, seconds, in the order of time; their pictures go into `out_dir`.

    They are numbered from `first_number`, their track ids from `first_id`. Raises VideoError: the video cannot be
    decoded there (VIDEO_*), or it has no frame there (VIDEO_RANGE_EMPTY).
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    with Decoder(video, limits) as decoder:
        asked = {seen.time_sec: seen for seen in (_glance_at(decoder, time_sec) for time_sec in at_sec)}
        middles = [sum(part) / 2 for part in moments.parts(0.0, decoder.info.duration_sec, GLANCES)]
        elsewhere = [seen for time_sec in middles if (seen := moments.glance(decoder, time_sec)) is not None]
        times = sorted(asked)
        bursts = _Bursts(decoder, times, [*asked.values(), *elsewhere], detector, first_id)
        return _shown(bursts, len(times), out_dir, on_progress, first_number)


def _glance_at(decoder: Decoder, time_sec: float) -> Glance:
    """The frame at a time, or at the very end the last one before it. Raises VideoError."""
    for back in (0.0, 1 / decoder.info.fps, LAST_FRAME_SEC):
        seen = moments.glance(decoder, max(0.0, time_sec - back))
        if seen is not None:
            return seen
    raise VideoError("VIDEO_RANGE_EMPTY", f"the video has no frame at {time_sec} s")


def _shown(
    bursts: "_Bursts", count: int, out_dir: Path, on_progress: Progress, first_number: int = 1
) -> list[PreviewFrame]:
    """The frames of the bursts, numbered and written."""
    frames = []
    for done, (frame, tracks) in enumerate(bursts, start=1):
        frames.append(_write(first_number + done - 1, frame, tracks, out_dir))
        on_progress(LOOKING + (1 - LOOKING) * (done / count), f"frame {done} of {count}")
    return frames


def sampled_parts(settings: PreviewSettings, duration_sec: float, fps: float) -> list[tuple[float, float]]:
    """Equal parts of the range, of each of which one frame is shown. Raises VideoError.

    >>> sampled_parts(PreviewSettings(frames=2), 10.0, 25.0)
    [(0.0, 5.0), (5.0, 10.0)]
    """
    end = min(settings.end_sec or duration_sec, duration_sec)
    start = settings.start_sec
    if end <= start:
        raise VideoError("VIDEO_RANGE_EMPTY", f"{start} s to {end} s holds no frame of the video")
    wanted = max(1, min(settings.frames, MAX_FRAMES, int((end - start) * fps)))
    return moments.parts(start, end, wanted)


def runs(times: Sequence[float], reach_sec: float) -> list[list[float]]:
    """Sample times grouped into runs of the tracker: those whose bursts touch go together.

    >>> runs([1.0, 1.3, 5.0], reach_sec=0.2)
    [[1.0, 1.3], [5.0]]
    """
    grouped: list[list[float]] = []
    for time_sec in times:
        if grouped and time_sec - grouped[-1][-1] <= 2 * reach_sec + SAME_INSTANT_SEC:
            grouped[-1].append(time_sec)
        else:
            grouped.append([time_sec])
    return grouped


def _look_around(
    decoder: Decoder, parts: Sequence[tuple[float, float]], detector: Detector, on_progress: Progress
) -> list[list[Look]]:
    """What was seen in each part that holds a frame. Raises VideoError."""
    looks = []
    for number, part in enumerate(parts, start=1):
        looks.append(list(moments.look_around(decoder, part, detector)))
        on_progress(LOOKING * number / len(parts), f"looked at part {number} of {len(parts)}")
    if not any(looks):
        raise VideoError("VIDEO_RANGE_EMPTY", "the requested time range holds no frame of the video")
    _check_footage([look.picture for part in looks for look in part])
    return [part for part in looks if part]


def _check_footage(pictures: Sequence[Image]) -> None:
    """Refuse what no camera filmed. Raises VideoError."""
    if len(pictures) > 1 and all(scenery.same_picture(pictures[0], other) for other in pictures[1:]):
        raise VideoError("VIDEO_NO_PERSON", "the picture never changes: nobody in it could be followed")
    if np.median([scenery.flat_share(picture) for picture in pictures]) > MAX_FLAT_SHARE:
        raise VideoError("VIDEO_NO_PERSON", "the video is drawn: it shows nobody")


class _Bursts:
    """Iterates over (chosen frame, its tracks), in the order of time."""

    def __init__(
        self,
        decoder: Decoder,
        times: Sequence[float],
        glances: Sequence[Glance],
        detector: Detector,
        first_id: int = 1,
    ) -> None:
        """times: of the frames to show, in order. glances: what is known of the video as a whole."""
        self._decoder, self._detector = decoder, detector
        self._fps = decoder.info.fps
        self._next_id = first_id
        self._times = times
        self._scenery = Scenery.of([seen.picture for seen in glances], [seen.time_sec for seen in glances])
        self._football = np.mean([seen.pitch for seen in glances]) >= MIN_PITCH_SHARE

    def __iter__(self) -> Iterator[tuple[Frame, list[PreviewTrack]]]:
        reach_sec = (BURST_SIDE + 0.5) / self._fps
        for run in runs(self._times, reach_sec):
            frames, wanted = self._decoder.read(max(0.0, run[0] - reach_sec), run[-1] + reach_sec), list(run)
            for _, recorded in groupby(frames, key=lambda frame: frame.recording):
                yield from self._track(recorded, wanted)

    def _track(
        self, frames: Iterable[Frame], wanted: list[float]
    ) -> Iterator[tuple[Frame, list[PreviewTrack]]]:
        """The frames at the first of the wanted times, which are taken from the list."""
        seen: dict[int, _Seen] = defaultdict(_Seen)
        held = []
        tracker = _tracker(self._fps)
        eye = _Eye(self._detector, bool(self._football))
        count = 0
        for count, frame in enumerate(frames, start=1):
            _note(seen, count, tracker.update(_supervised(eye.look(frame.image)), frame.image))
            if wanted and frame.time_sec >= wanted[0] - 0.5 / self._fps:
                wanted.pop(0)
                held.append((count, frame))
        numbers = self._number(seen)
        for position, frame in held:
            yield frame, _tracks(frame, position, count, seen, numbers, self._scenery)

    def _number(self, seen: dict[int, _Seen]) -> dict[int, int]:
        """Global ids of the tracks that were seen long enough."""
        lasting = [key for key, track in sorted(seen.items()) if len(track.boxes_xyxy) >= MIN_SUPPORT]
        numbers = {key: self._next_id + k for k, key in enumerate(lasting)}
        self._next_id += len(lasting)
        return numbers


class _Eye:
    """Looks at the frames of a burst, no closer than the smallest people on the first one ask for."""

    def __init__(self, detector: Detector, football: bool) -> None:
        self._detector, self._football = detector, football
        self._shares: Sequence[float] = pyramid.SHARES
        self._ground: Ground | None = None

    def look(self, image: Image) -> Sightings:
        """People on the pitch."""
        if self._ground is not None:
            return people.find(self._detector, image, self._ground, self._shares)
        self._ground = Ground(grass.pitch_mask(image), self._football)
        # The finest zoom costs more than the others together, and few videos have people so small.
        found = people.find(self._detector, image, self._ground, pyramid.SHARES[1:])
        if not len(found) or min(found.heights_px) < FINE_ENOUGH * pyramid.SHARES[0] * image.shape[0]:
            found = people.find(self._detector, image, self._ground)
        least = min(found.heights_px, default=0) / image.shape[0] / FINE_ENOUGH
        self._shares = [share for share in pyramid.SHARES[1:] if share >= least]
        if least and least < pyramid.SHARES[0]:
            self._shares = pyramid.SHARES
        return found


def _tracker(fps: float) -> BoTSORTTracker:
    # Thresholds fit the embedded network's scores: small people score low, and a burst has no time to wait.
    return BoTSORTTracker(
        frame_rate=fps,
        track_activation_threshold=0.35,
        high_conf_det_threshold=0.3,
        minimum_consecutive_frames=2,
        minimum_iou_threshold_first_assoc=0.1,
    )


def _supervised(found: Sightings) -> supervision.Detections:
    return supervision.Detections(
        xyxy=found.boxes_xyxy.astype(np.float32),
        confidence=found.evidence.astype(np.float32),
        class_id=np.zeros(len(found), int),
    )


def _note(seen: dict[int, _Seen], position: int, tracked: supervision.Detections) -> None:
    if tracked.tracker_id is None:
        return
    for key, box, evidence in zip(tracked.tracker_id, tracked.xyxy, tracked.confidence, strict=True):
        if key >= 0:
            seen[int(key)].boxes_xyxy[position] = np.asarray(box, np.float64)
            seen[int(key)].evidence[position] = float(evidence)


def _tracks(
    frame: Frame, position: int, count: int, seen: dict[int, _Seen], numbers: dict[int, int], still: Scenery
) -> list[PreviewTrack]:
    """The people on a frame of a burst, best pick first."""
    present = [key for key in numbers if position in seen[key].boxes_xyxy]
    if not present:
        return []
    boxes_xyxy = np.array([seen[key].boxes_xyxy[position] for key in present])
    near = range(max(1, position - BURST_SIDE), min(count, position + BURST_SIDE) + 1)
    evidence = np.array([np.mean([seen[key].evidence.get(k, 0.0) for k in near]) for key in present])
    evidence *= still.moving(frame.image, boxes_xyxy)
    height, width = frame.image.shape[:2]
    scores = ranking.followable(boxes_xyxy, evidence, (width, height))
    tracks = [
        PreviewTrack(numbers[key], _rounded(boxes.to_normalised(box, width, height)), round(float(score), 4))
        for key, box, score, sure in zip(present, boxes_xyxy, scores, evidence, strict=True)
        if sure >= MIN_EVIDENCE
    ]
    usable = [track for track in tracks if track.bbox.w > 0 and track.bbox.h > 0]
    return sorted(usable, key=lambda track: -track.score)[:MAX_TRACKS]


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
