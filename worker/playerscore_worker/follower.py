"""Follow the confirmed player from his box, forwards to the end and backwards to the start.

The video is walked in segments that fit into memory. Each segment is followed, checked by following it back
(`following.check`), and its last second is followed again as the beginning of the next one, so that a swap
just before a seam still meets a way back that is long enough to notice it.

Frames are shrunk so that the player is about `WORKING_HEIGHT_PX` high: the detector sees no more than that
anyway, and a segment of a 4K match then costs no more memory than one of a small video.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from playerscore.errors import VideoError
from playerscore_worker import anchors, boxes
from playerscore_worker.ahead import ahead
from playerscore_worker.anchors import Said, Walk
from playerscore_worker.camera import STILL, CameraStep
from playerscore_worker.checkpoints import Checkpoints, Place
from playerscore_worker.detectors import Detector
from playerscore_worker.following.appearance import torso_colours
from playerscore_worker.following.joint import State
from playerscore_worker.following.scene import Scene, Still
from playerscore_worker.following.scene import stills as stills_of
from playerscore_worker.following.segment import Decision, Known, Passage, Reference, denied, follow_segment
from playerscore_worker.frames import Decoder, Frame, Limits
from playerscore_worker.path import (
    FollowedPath,
    PathDecision,
    PathSample,
    Piece,
    Samples,
    Start,
    in_time_order,
)
from playerscore_worker.stored_run import Run

__all__ = ["FollowedPath", "PathDecision", "PathSample", "Start", "State", "follow"]

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
NOTHING: Final = Said()
# Of a first segment that has fewer frames on his own side, the other side takes half.
SHORTEST_WAY: Final = 4


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
    checkpoints: Checkpoints | None = None,
    said: Said = NOTHING,
    earlier: Run | None = None,
) -> FollowedPath:
    """Follow one player through start_sec <= time < end_sec, from where the checkpoints end. Raises VideoError.

    What is `said` of further moments is walked from as well, and the ways are joined (`anchors`). Where an `earlier`
    run agrees with it, nothing is followed again.

    Each of the `memory_failures` that came before halves the segment that is held in memory.

    A confirmed frame outside the range is moved to the range's nearer end only by following there: the range
    is widened to contain it, and the samples outside are dropped at the end.
    """
    with Decoder(video, limits) as decoder:
        info = decoder.info
        end = min(end_sec if end_sec is not None else info.duration_sec + 1, info.duration_sec + 1)
        fps = min(max_fps or info.fps, info.fps)
        first = max(0.0, min(start_sec, start.time_sec))
        range_sec = (first, max(end, start.time_sec))
        walks = anchors.plan(start, said, *range_sec, 1 / fps)
        kept = _kept(walks, earlier, fps) if earlier else {}
        walks = anchors.shortened(walks, kept)
        walker = _Walker(decoder, detector, walks, fps, range_sec, memory_failures, on_progress, kept)
        walker.walk(checkpoints)
    samples, decisions, unreached = _whole(walks, walker.pieces, said, fps, info.width / info.height)
    inside = np.flatnonzero((samples.time_sec >= start_sec - 1e-3) & (samples.time_sec < end))
    if not len(inside):
        raise VideoError("VIDEO_RANGE_EMPTY", f"{start_sec} s to {end_sec} s holds no frame of the video")
    on_progress(1.0, f"{len(inside)} frames followed")
    told = [d for d in decisions if start_sec <= d.end_sec and d.begin_sec < end]
    return FollowedPath(
        samples.rows(inside),
        told,
        start,
        fps,
        info.width,
        info.height,
        info.starts_sec,
        decoder.seams_sec,
        unreached,
    )


def _whole(
    walks: list[Walk], pieces: list[Piece], said: Said, fps: float, aspect: float
) -> tuple[Samples, list[PathDecision], list[float]]:
    """(Samples; decisions, both in the order of time; moments that no way leads to)."""
    if said == NOTHING:
        back, on = (Samples.joined([p.samples for p in pieces if p.walk == walk]) for walk in (0, 1))
        decisions = [decision for piece in pieces for decision in piece.decisions]
        return in_time_order(back, on), sorted(decisions, key=lambda decision: decision.begin_sec), []
    whole = anchors.joined(walks, said, pieces, fps, aspect)
    return whole.samples, whole.decisions, whole.unreached_sec


def _kept(walks: list[Walk], earlier: Run, fps: float) -> dict[int, Piece]:
    return anchors.kept(walks, earlier.samples, earlier.decisions, earlier.fixed_sec, fps)


def segment_frames(frame_bytes: float, memory_failures: int) -> int:
    """How many frames are held in memory: never fewer than the way back of a segment needs."""
    fitting = min(SEGMENT_FRAMES, int(SEGMENT_BYTES / max(1.0, frame_bytes)))
    return max(MIN_SEGMENT_FRAMES, fitting >> memory_failures)


class _Walker:
    """Walks segments outwards from the confirmed frame, and from all else that is certain."""

    def __init__(
        self,
        decoder: Decoder,
        detector: Detector,
        walks: list[Walk],
        fps: float,
        range_sec: tuple[float, float],
        memory_failures: int,
        on_progress: Progress,
        kept: dict[int, Piece],
    ) -> None:
        """`kept`: the walks that are known already, by their places."""
        self._decoder, self._detector, self._walks, self._fps = decoder, detector, walks, fps
        self._begin_sec, self._end_sec = range_sec
        self._memory_failures = memory_failures
        self._on_progress = on_progress
        self.pieces: list[Piece] = list(kept.values())
        self._kept = set(kept)
        self._checkpoints: Checkpoints | None = None
        last_sec = decoder.info.duration_sec
        todo = [walk for number, walk in enumerate(walks) if number not in kept]
        spans = [abs(min(walk.end_sec, last_sec) - walk.start.time_sec) for walk in todo]
        self._duration_sec = max(1 / fps, sum(spans))

    def walk(self, checkpoints: Checkpoints | None = None) -> None:
        """Every walk of the plan; what the checkpoints hold is not followed again."""
        self._checkpoints = checkpoints
        done = checkpoints.resume() if checkpoints else None
        place = done.place if done else self._next_walk(0)
        if done:
            self.pieces = done.pieces
            self._report()
        while place is not None:
            self._walk(place)
            place = self._next_walk(place.walk + 1)
        if checkpoints and not (done and done.place is None):
            checkpoints.write(self.pieces, None)

    def _next_walk(self, number: int) -> Place | None:
        """Where the first walk from there on begins that is not known; None where all are."""
        todo = (k for k in range(number, len(self._walks)) if k not in self._kept)
        return next((self._first(k) for k in todo), None)

    def _first(self, number: int) -> Place:
        """Where a walk begins: a little to the other side of its certain frame."""
        walk, info = self._walks[number], self._decoder.info
        box = walk.start.box_xywh
        scale = self._scale_for(max(box.h * info.height, box.w * info.width))
        length, anchor_sec = self._length(scale), self._anchor_sec(walk)
        fits = LEAD_SEC * self._fps + SHORTEST_WAY < length
        lead_sec = LEAD_SEC if fits else length / 2 / self._fps
        if walk.backwards:
            return Place(number, scale, min(self._end_sec, anchor_sec + lead_sec))
        return Place(number, scale, max(0.0, anchor_sec - lead_sec))

    def _anchor_sec(self, walk: Walk) -> float:
        """Just before the certain frame's time stamp."""
        return max(0.0, walk.start.time_sec - self._half_frame_sec)

    @property
    def _half_frame_sec(self) -> float:
        return 0.5 / self._decoder.info.fps

    def _is_lead(self, frame: Frame, walk: Walk) -> bool:
        """Whether a frame lies on the other side of the certain one."""
        if walk.backwards:
            return frame.time_sec >= self._anchor_sec(walk) + 1 / self._fps
        return frame.time_sec < self._anchor_sec(walk)

    def _range(self, walk: Walk) -> tuple[float, float]:
        """What is read for a walk: it ends a little behind the next certain frame, so that who is there is plain."""
        if walk.until is None:
            return self._begin_sec, self._end_sec
        behind = LEAD_SEC / 2
        if walk.backwards:
            return max(self._begin_sec, walk.end_sec - behind), self._end_sec
        return self._begin_sec, min(self._end_sec, walk.end_sec + behind)

    def _stop(self, place: Place, stills: list[Still]) -> float | None:
        """The next moment at which he is known to be out of the picture."""
        walk, half = self._walks[place.walk], self._half_frame_sec
        way = -1 if walk.backwards else 1
        if place.known is None:
            at = walk.start.time_sec
        else:
            at = stills[place.anchor].frame.time_sec if place.kept else place.reel_sec + way * half
        return next((sec for sec in walk.absent_sec if (sec - at) * way > half), None)

    def _is_at(self, stop: float | None, stills: list[Still], walk: Walk) -> bool:
        """Whether the last still is that of the moment, or behind it."""
        if stop is None or not stills:
            return False
        off, half = stills[-1].frame.time_sec - stop, self._half_frame_sec
        return off < half if walk.backwards else off >= -half

    def _coming(self, place: Place) -> Generator[Still, None, None]:
        """The stills from a place on, made while others are followed; to be closed before the next ones begin."""
        backwards = self._walks[place.walk].backwards
        share = AHEAD_SHARE_BACK if backwards else AHEAD_SHARE
        frames = self._backwards(place) if backwards else self._onwards(place)
        return ahead(stills_of(frames), round(share * self._length(place.scale)))

    def _onwards(self, place: Place) -> Iterator[tuple[float, Frame]]:
        """Where the reading began, and the frames from a place on."""
        begin, first = place.reel_sec, place.index or 0
        _, end = self._range(self._walks[place.walk])
        for frame in self._decoder.read(begin, end, self._fps, place.scale, first):
            yield begin, frame

    def _backwards(self, place: Place) -> Iterator[tuple[float, Frame]]:
        """The same backwards, a bounded segment in memory at a time."""
        # Two lots of frames are held while walking back, the segment and this one: half the length suffices.
        part_sec = self._length(place.scale) / 2 / self._fps
        end_sec = place.reel_sec
        first_sec, _ = self._range(self._walks[place.walk])
        while end_sec > first_sec:
            begin = max(first_sec, end_sec - part_sec)
            frames = list(self._decoder.read(begin, end_sec, self._fps, place.scale))
            while frames:
                frame = frames.pop()
                if place.index is None or frame.index <= place.index:
                    yield end_sec, frame
            end_sec = begin

    def _length(self, scale: float) -> int:
        info = self._decoder.info
        return segment_frames(info.width * info.height * 3 * scale**2, self._memory_failures)

    def _scale_for(self, tall_px: float) -> float:
        """How much the video's frames are shrunk so that he is `WORKING_HEIGHT_PX` high; they are never enlarged."""
        return min(1.0, WORKING_HEIGHT_PX / max(1.0, tall_px))

    def _walk(self, place: Place) -> None:
        """From a place to the end of its direction."""
        walk, coming, stills = self._walks[place.walk], self._coming(place), list[Still]()
        for left, still in zip(place.kept, coming, strict=False):
            stills.append(replace(still, left=left))
        while True:
            length = self._length(place.scale)
            stop = self._stop(place, stills)
            self._fill(stills, coming, length, stop, walk)
            anchor = place.anchor
            if place.known is None:
                anchor = sum(self._is_lead(still.frame, walk) for still in stills)
            if anchor >= len(stills):
                return
            scene = Scene(stills, self._detector)
            known = place.known or self._confirmed(walk.start, scene, anchor)
            out = self._is_at(stop, stills, walk)
            last = len(stills) < length or out
            passage = follow_segment(scene, known, anchor, 0 if last else int(length * SEAM_SHARE))
            self._add(place, scene, passage, anchor if place.known is None else anchor + 1)
            if last and passage.commit == len(stills) - 1:
                if not out:
                    return
                passage = denied(scene, passage)
            del scene  # It holds the frames that were followed; the next ones need their memory.
            scale = place.scale
            place, stills = self._next(place, passage, stills)
            if place.scale != scale:
                coming.close()
                coming = self._coming(place)
            if self._checkpoints:
                self._checkpoints.offer(self.pieces, place)

    def _fill(
        self, stills: list[Still], coming: Iterator[Still], length: int, stop: float | None, walk: Walk
    ) -> None:
        """Take what comes, up to that length, or to the moment at which he is out of the picture."""
        if stop is None:
            stills += islice(coming, length - len(stills))
            return
        while len(stills) < length and not self._is_at(stop, stills, walk):
            if (still := next(coming, None)) is None:
                return
            stills.append(still)

    def _add(self, place: Place, scene: Scene, passage: Passage, first: int) -> None:
        """Add what a segment tells from a position on to the path."""
        fresh = range(first, passage.commit + 1)
        if not fresh:
            return
        told = [d for d in passage.decisions if fresh.start <= d.end <= passage.commit]
        piece = Piece(
            place.walk,
            Samples.of(self._sample(scene, passage, position) for position in fresh),
            [self._decision(scene, decision) for decision in told],
        )
        self.pieces.append(piece)
        self._report()

    def _next(self, place: Place, passage: Passage, stills: list[Still]) -> tuple[Place, list[Still]]:
        """Where the next segment begins, and the frames that it keeps: none where they need another scale."""
        known, commit = passage.known, passage.commit
        scale = self._next_scale(known, place.scale)
        if scale != place.scale:
            beside = self._half_frame_sec * (1 if self._walks[place.walk].backwards else -1)
            begin = stills[commit].frame.time_sec + beside
            return Place(place.walk, scale, begin, known=known.scaled(scale / place.scale)), []
        anchor = min(LEAD_FRAMES, commit) if known.box_xyxy is not None else 0
        kept = stills[commit - anchor :]
        first, left = kept[0], [still.left for still in kept]
        here = Place(place.walk, scale, first.reel_sec, first.frame.index, left, anchor, known)
        return here, kept

    def _next_scale(self, known: Known, scale: float) -> float:
        """The scale for the next segment: another one where his size has changed much, or is not known any more."""
        if known.box_xyxy is None and known.place_px is None:
            return min(1.0, SEARCH_HEIGHT_PX / self._decoder.info.height)
        box = known.box_xyxy
        tall = known.height_px if box is None else float(boxes.statures(box[None])[0])
        wanted = self._scale_for(tall / scale)
        return wanted if not SCALE_KEPT[0] < wanted / scale < SCALE_KEPT[1] else scale

    def _confirmed(self, start: Start, scene: Scene, anchor: int) -> Known:
        box = boxes.to_pixels(start.box_xywh, scene.width, scene.height)
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

    def _report(self) -> None:
        """How much of the time is followed: a count of frames says little where their rate varies."""
        fresh = [piece for piece in self.pieces if piece.walk not in self._kept]
        ends = {piece.walk: float(piece.samples.time_sec[-1]) for piece in fresh}
        done_sec = sum(abs(end - self._walks[walk].start.time_sec) for walk, end in ends.items())
        frames = sum(len(piece.samples) for piece in fresh)
        self._on_progress(min(0.99, done_sec / self._duration_sec), f"{frames} frames followed")


def _scaled(step: CameraStep, factor: float) -> CameraStep:
    matrix = step.matrix.copy()
    matrix[:, 2] *= factor
    return CameraStep(matrix, step.inlier_share)
