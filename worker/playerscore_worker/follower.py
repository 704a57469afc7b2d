"""Follow the confirmed player from his box, forwards to the end and backwards to the start.

The video is walked in segments that fit into memory. Each segment is followed, checked by following it back
(`following.check`), and its last second is followed again as the beginning of the next one, so that a swap
just before a seam still meets a way back that is long enough to notice it.

Frames are shrunk so that the player is about `WORKING_HEIGHT_PX` high: the detector sees no more than that
anyway, and a segment of a 4K match then costs no more memory than one of a small video.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore.errors import VideoError
from playerscore.geometry import Box
from playerscore_worker import boxes
from playerscore_worker.ahead import ahead
from playerscore_worker.camera import STILL, CameraStep
from playerscore_worker.detectors import Detector
from playerscore_worker.following.appearance import torso_colours
from playerscore_worker.following.joint import State
from playerscore_worker.following.scene import Scene, Still
from playerscore_worker.following.scene import stills as stills_of
from playerscore_worker.following.segment import (
    Decision,
    Kind,
    Known,
    Passage,
    Reference,
    follow_segment,
)
from playerscore_worker.frames import Decoder, Frame, Limits

__all__ = ["FollowedPath", "PathSample", "Start", "State", "follow"]

Floats = NDArray[np.float64]
Progress = Callable[[float, str], None]

WORKING_HEIGHT_PX: Final = 56.0
# He may become so much smaller or larger before another scale is worth decoding anew.
SCALE_KEPT: Final = (0.6, 1.35)
# After a cut he may be of any size: pictures are looked at in this height.
SEARCH_HEIGHT_PX: Final = 720.0
SEGMENT_FRAMES: Final = 150
MIN_SEGMENT_FRAMES: Final = 24
SEGMENT_BYTES: Final = 192 << 20
SEAM_SHARE: Final = 1 / 6
# So much of the next segment is decoded, and its camera measured, while one is followed. Walking back, half of it
# is decoded at once anyway.
AHEAD_SHARE: Final = 2 / 3
AHEAD_SHARE_BACK: Final = 1 / 6
# The first segment also looks this far to the other side of the confirmed frame, so that his kit is known from
# clear sights when he is confirmed in a crowd; later ones look back so many frames, to know who moves how.
LEAD_SEC: Final = 1.5
LEAD_FRAMES: Final = 12


@dataclass(frozen=True)
class Start:
    """Where the player was confirmed."""

    time_sec: float
    box_xywh: Box
    """Normalised, 0..1."""


@dataclass(frozen=True)
class PathSample:
    """The player on one frame."""

    index: int
    time_sec: float
    state: State
    box_xywh: Box | None
    """Normalised to the picture; None when lost."""
    confidence: float
    """0..1."""
    similarity: float | None
    """Of the torso's colours with the confirmed box's, 0..1; None where he is overlapped or unsupported."""
    agreement: bool | None
    """Whether following back found the same place; None where nothing was compared."""
    overlapped_by: tuple[int, ...]
    """Neighbours whose boxes overlap his; the ids hold within one segment's length."""
    certainty: float
    """How likely he is the confirmed one, given every encounter since, 0..1; 0 when lost."""
    reason: str | None
    """Why he is lost: left-picture, occluded, not-seen, cut, ambiguous."""
    camera: CameraStep
    """Motion of the camera from the sample before in time to this one, in pixels of a picture that is
    `FollowedPath.height` high."""


@dataclass(frozen=True)
class PathDecision:
    """An encounter or a loss on his way, and how it was decided."""

    kind: Kind
    begin_sec: float
    """From here ..."""
    end_sec: float
    """... to here nobody can be told for certain; begin_sec <= end_sec."""
    margin: float
    """How much dearer the next best answer is, nats: certainty is 1 / (1 + exp(-margin))."""
    chosen_xywh: Box | None
    """Who was taken for him, at the end that is farther from the confirmed frame; normalised. None: nobody."""
    rival_xywh: Box | None
    """Who else it could have been, likewise."""


@dataclass(frozen=True)
class FollowedPath:
    """The player's way through the video, in the order of time."""

    samples: list[PathSample]
    decisions: list[PathDecision]
    """In the order of time."""
    start: Start
    fps: float
    """Nominal rate of the samples."""
    width: int
    height: int


def follow(
    video: Path,
    start: Start,
    detector: Detector,
    start_sec: float = 0.0,
    end_sec: float | None = None,
    max_fps: float | None = None,
    on_progress: Progress = lambda share, message: None,
    limits: Limits | None = None,
    memory_failures: int = 0,
) -> FollowedPath:
    """Follow one player through start_sec <= time < end_sec. Raises VideoError.

    Each of the `memory_failures` that came before halves the segment that is held in memory.

    A confirmed frame outside the range is moved to the range's nearer end only by following there: the range
    is widened to contain it, and the samples outside are dropped at the end.
    """
    with Decoder(video, limits) as decoder:
        info = decoder.info
        end = min(end_sec if end_sec is not None else info.duration_sec + 1, info.duration_sec + 1)
        fps = min(max_fps or info.fps, info.fps)
        first = max(0.0, min(start_sec, start.time_sec))
        walker = _Walker(
            decoder, detector, start, fps, (first, max(end, start.time_sec)), memory_failures, on_progress
        )
        samples = in_time_order(walker.backwards(), walker.forwards())
    samples = [s for s in samples if start_sec - 1e-3 <= s.time_sec < end]
    if not samples:
        raise VideoError("VIDEO_RANGE_EMPTY", f"{start_sec} s to {end_sec} s holds no frame of the video")
    on_progress(1.0, f"{len(samples)} frames followed")
    told = [d for d in walker.decisions if start_sec <= d.end_sec and d.begin_sec < end]
    decisions = sorted(told, key=lambda decision: decision.begin_sec)
    return FollowedPath(samples, decisions, start, fps, info.width, info.height)


def segment_frames(frame_bytes: float, memory_failures: int) -> int:
    """How many frames are held in memory: never fewer than the way back of a segment needs."""
    fitting = min(SEGMENT_FRAMES, int(SEGMENT_BYTES / max(1.0, frame_bytes)))
    return max(MIN_SEGMENT_FRAMES, fitting >> memory_failures)


class _Walker:
    """Walks segments outwards from the confirmed frame."""

    def __init__(
        self,
        decoder: Decoder,
        detector: Detector,
        start: Start,
        fps: float,
        range_sec: tuple[float, float],
        memory_failures: int,
        on_progress: Progress,
    ) -> None:
        self._decoder, self._detector, self._start, self._fps = decoder, detector, start, fps
        self._begin_sec, self._end_sec = range_sec
        self._memory_failures = memory_failures
        self._on_progress, self._done = on_progress, 0
        self.decisions: list[PathDecision] = []
        info = decoder.info
        self._scale = self._scale_for(max(start.box_xywh.h * info.height, start.box_xywh.w * info.width))
        self._expected = max(1.0, (min(self._end_sec, info.duration_sec) - self._begin_sec) * fps)

    def forwards(self) -> list[PathSample]:
        """The confirmed frame and what follows, in the order of time."""
        return self._walk(self._onwards, max(0.0, self._anchor_sec - LEAD_SEC), self._is_before)

    def backwards(self) -> list[PathSample]:
        """The confirmed frame and what comes before it, from late to early."""
        return self._walk(self._backwards, min(self._end_sec, self._anchor_sec + LEAD_SEC), self._is_after)

    @property
    def _anchor_sec(self) -> float:
        """Just before the confirmed frame's time stamp."""
        return max(0.0, self._start.time_sec - self._half_frame_sec)

    @property
    def _half_frame_sec(self) -> float:
        return 0.5 / self._decoder.info.fps

    def _is_before(self, frame: Frame) -> bool:
        return frame.time_sec < self._anchor_sec

    def _is_after(self, frame: Frame) -> bool:
        return frame.time_sec >= self._anchor_sec + 1 / self._fps

    def _onwards(self, begin_sec: float, scale: float) -> Iterator[Frame]:
        """Frames from a time onwards."""
        return self._decoder.read(begin_sec, self._end_sec, self._fps, scale)

    def _backwards(self, end_sec: float, scale: float) -> Iterator[Frame]:
        """Frames before a time, backwards, a bounded segment in memory at a time."""
        # Two lots of frames are held while walking back, the segment and this one: half the length suffices.
        part_sec = self._length(scale) / 2 / self._fps
        while end_sec > self._begin_sec:
            begin = max(self._begin_sec, end_sec - part_sec)
            yield from reversed(list(self._decoder.read(begin, end_sec, self._fps, scale)))
            end_sec = begin

    def _length(self, scale: float) -> int:
        info = self._decoder.info
        return segment_frames(info.width * info.height * 3 * scale**2, self._memory_failures)

    def _scale_for(self, tall_px: float) -> float:
        """How much the video's frames are shrunk so that he is `WORKING_HEIGHT_PX` high; they are never enlarged."""
        return min(1.0, WORKING_HEIGHT_PX / max(1.0, tall_px))

    def _walk(
        self,
        source: Callable[[float, float], Iterator[Frame]],
        from_sec: float,
        is_lead: Callable[[Frame], bool],
    ) -> list[PathSample]:
        scale = self._scale
        coming = self._coming(source, from_sec, scale)
        stills = list(islice(coming, self._length(scale)))
        anchor = sum(is_lead(still.frame) for still in stills)
        if anchor >= len(stills):
            return []
        samples: list[PathSample] = []
        known: Known | None = None
        while True:
            length = self._length(scale)
            scene = Scene(stills, self._detector)
            known = known or self._confirmed(scene, anchor)
            last = len(stills) < length
            passage = follow_segment(scene, known, anchor, 0 if last else int(length * SEAM_SHARE))
            commit = passage.commit
            fresh = range(anchor + 1 if samples else anchor, commit + 1)
            samples += [self._sample(scene, passage, position) for position in fresh]
            self.decisions += [
                self._decision(scene, decision)
                for decision in passage.decisions
                if fresh.start <= decision.end <= commit
            ]
            self._report(len(fresh))
            if commit == len(stills) - 1:
                return samples
            known, wanted = passage.known, self._next_scale(passage.known, scale)
            at_sec = stills[commit].frame.time_sec
            del scene  # It holds the frames that were followed; the next ones need their memory.
            if wanted != scale:
                known, scale, anchor = known.scaled(wanted / scale), wanted, 0
                coming.close()
                side = 1 if source == self._backwards else -1
                coming = self._coming(source, at_sec + side * self._half_frame_sec, scale)
                stills = []
            else:
                anchor = min(LEAD_FRAMES, commit) if known.box_xyxy is not None else 0
                stills = stills[commit - anchor :]
            stills += islice(coming, self._length(scale) - len(stills))

    def _coming(
        self, source: Callable[[float, float], Iterator[Frame]], from_sec: float, scale: float
    ) -> Generator[Still, None, None]:
        """The stills from a time on, while others are followed; to be closed before the next ones begin."""
        share = AHEAD_SHARE_BACK if source == self._backwards else AHEAD_SHARE
        return ahead(stills_of(source(from_sec, scale)), round(share * self._length(scale)))

    def _next_scale(self, known: Known, scale: float) -> float:
        """The scale for the next segment: another one where his size has changed much, or is not known any more."""
        if known.box_xyxy is None and known.place_px is None:
            return min(1.0, SEARCH_HEIGHT_PX / self._decoder.info.height)
        box = known.box_xyxy
        tall = known.height_px if box is None else float(boxes.statures(box[None])[0])
        wanted = self._scale_for(tall / scale)
        return wanted if not SCALE_KEPT[0] < wanted / scale < SCALE_KEPT[1] else scale

    def _confirmed(self, scene: Scene, anchor: int) -> Known:
        box = boxes.to_pixels(self._start.box_xywh, scene.width, scene.height)
        colours = torso_colours(scene.stills[anchor].frame.image, box[None])[0]
        return Known(box, Reference(colours, 1))

    def _sample(self, scene: Scene, passage: Passage, position: int) -> PathSample:
        frame, sight = scene.stills[position].frame, passage.sights[position]
        box = sight.box_xyxy
        step = scene.step(position - 1, position) if position else STILL
        return PathSample(
            index=frame.index,
            time_sec=frame.time_sec,
            state=sight.state,
            box_xywh=None if box is None else boxes.to_normalised(box, scene.width, scene.height),
            confidence=round(sight.confidence, 4),
            similarity=passage.similarity[position],
            agreement=passage.agreement[position],
            overlapped_by=sight.overlapped_by,
            certainty=round(passage.certainty[position], 4),
            reason=sight.reason,
            camera=_scaled(step, self._decoder.info.height / scene.height),
        )

    def _decision(self, scene: Scene, decision: Decision) -> PathDecision:
        times = sorted(scene.stills[p].frame.time_sec for p in (decision.begin, decision.end))
        chosen, rival = (
            None if box is None else boxes.to_normalised(box, scene.width, scene.height)
            for box in (decision.box_xyxy, decision.rival_xyxy)
        )
        return PathDecision(decision.kind, times[0], times[1], round(decision.margin, 3), chosen, rival)

    def _report(self, new: int) -> None:
        self._done += new
        self._on_progress(min(0.99, self._done / self._expected), f"{self._done} frames followed")


def in_time_order(backwards: list[PathSample], forwards: list[PathSample]) -> list[PathSample]:
    """Both walks as one, the confirmed frame once.

    The camera's step belongs to the later frame of each pair, but walking back it was met at the earlier one.
    """
    early = backwards[:0:-1]
    joined = [*early, *forwards]
    steps = [STILL, *(sample.camera.inverse() for sample in early)]
    corrected = [replace(sample, camera=step) for sample, step in zip(joined, steps, strict=False)]
    return corrected + joined[len(steps) :]


def _scaled(step: CameraStep, factor: float) -> CameraStep:
    matrix = step.matrix.copy()
    matrix[:, 2] *= factor
    return CameraStep(matrix, step.inlier_share)
