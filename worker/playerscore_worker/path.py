"""The way of the followed player: what is known of each frame, in columns.

A match has 135,000 frames. As objects they would take 200 MB, as columns a tenth of that, and whoever reads them
meets one object at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain, islice
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from playerscore.geometry import Box
from playerscore_worker.camera import STILL, CameraStep
from playerscore_worker.following.joint import State
from playerscore_worker.following.segment import Kind

Floats = NDArray[np.float64]

CHUNK: Final = 1024
STATES: Final = tuple(State)
UNKNOWN: Final = -1
"""In a column of yes and no: nothing was compared."""


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
    """Why he is lost: left-picture, occluded, not-seen, cut, ambiguous, absent."""
    camera: CameraStep
    """Motion of the camera from the sample before in time to this one, in pixels of a picture that is
    `FollowedPath.height` high."""

    def lost(self, reason: str) -> "PathSample":
        """The same frame without him."""
        return replace(
            self,
            state=State.LOST,
            box_xywh=None,
            confidence=0.0,
            similarity=None,
            agreement=None,
            overlapped_by=(),
            certainty=0.0,
            reason=reason,
        )


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
    backwards: bool | None = None
    """Whether it was met going back in time; None where it was if it lies before the confirmed frame."""


@dataclass(frozen=True, eq=False)
class Samples(Sequence[PathSample]):
    """Samples as columns, (n,) where nothing else is said; not a number stands for None."""

    frame: NDArray[np.int64]
    """The samples' `index`, which means something else of a sequence."""
    time_sec: Floats
    state: NDArray[np.uint8]
    """Places in `STATES`."""
    box_xywh: Floats
    """(n, 4)."""
    confidence: Floats
    similarity: Floats
    agreement: NDArray[np.int8]
    certainty: Floats
    reason: NDArray[np.bytes_]
    """Empty for None."""
    matrix: Floats
    """(n, 2, 3) of the camera's steps."""
    inlier_share: Floats
    overlapped_by: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Of the samples with neighbours, by their places."""

    @classmethod
    def of(cls, samples: Iterable[PathSample]) -> "Samples":
        """The columns of samples, which may come one by one."""
        coming, parts = iter(samples), []
        while chunk := list(islice(coming, CHUNK)):
            parts.append(cls._columns(chunk))
        return cls.joined(parts)

    @classmethod
    def _columns(cls, samples: list[PathSample]) -> "Samples":
        boxes = [(np.nan,) * 4 if s.box_xywh is None else s.box_xywh for s in samples]
        return cls(
            frame=np.array([s.index for s in samples], np.int64),
            time_sec=np.array([s.time_sec for s in samples], np.float64),
            state=np.array([STATES.index(s.state) for s in samples], np.uint8),
            box_xywh=np.array(boxes, np.float64).reshape(-1, 4),
            confidence=np.array([s.confidence for s in samples], np.float64),
            similarity=np.array([_or(s.similarity, np.nan) for s in samples], np.float64),
            agreement=np.array([_or(s.agreement, UNKNOWN) for s in samples], np.int8),
            certainty=np.array([s.certainty for s in samples], np.float64),
            reason=np.array([(s.reason or "").encode() for s in samples], "S"),
            matrix=np.array([s.camera.matrix for s in samples], np.float64).reshape(-1, 2, 3),
            inlier_share=np.array([s.camera.inlier_share for s in samples], np.float64),
            overlapped_by={k: s.overlapped_by for k, s in enumerate(samples) if s.overlapped_by},
        )

    @classmethod
    def joined(cls, parts: Sequence["Samples"]) -> "Samples":
        """One after the other."""
        parts = parts or [cls._columns([])]
        begins = np.cumsum([0, *map(len, parts)]).tolist()
        around = {
            begin + k: ids
            for begin, part in zip(begins, parts, strict=False)
            for k, ids in part.overlapped_by.items()
        }
        return cls(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS},
            overlapped_by=around,
        )

    def rows(self, places: NDArray[np.intp]) -> "Samples":
        """The samples at those places, in that order."""
        around = {
            k: self.overlapped_by[place]
            for k, place in enumerate(places.tolist())
            if place in self.overlapped_by
        }
        return type(self)(**{name: getattr(self, name)[places] for name in COLUMNS}, overlapped_by=around)

    def __len__(self) -> int:
        return len(self.frame)

    @overload
    def __getitem__(self, place: int) -> PathSample: ...
    @overload
    def __getitem__(self, place: slice) -> "Samples": ...
    def __getitem__(self, place: int | slice) -> "PathSample | Samples":
        if isinstance(place, slice):
            return self.rows(np.arange(len(self))[place])
        return next(self._from(range(len(self))[place], 1))

    def __iter__(self) -> Iterator[PathSample]:
        for begin in range(0, len(self), CHUNK):
            yield from self._from(begin, CHUNK)

    def _from(self, begin: int, count: int) -> Iterator[PathSample]:
        part = slice(begin, begin + count)
        columns = [getattr(self, name)[part] for name in COLUMNS if name != "matrix"]
        lists: list[list[Any]] = [column.tolist() for column in columns]
        rows = zip(*lists, self.matrix[part], strict=True)
        for place, (
            index,
            time_sec,
            state,
            box,
            sure,
            alike,
            agreed,
            certain,
            why,
            share,
            matrix,
        ) in enumerate(rows, begin):
            yield PathSample(
                index=index,
                time_sec=time_sec,
                state=STATES[state],
                box_xywh=None if np.isnan(box[0]) else Box(*box),
                confidence=sure,
                similarity=None if np.isnan(alike) else alike,
                agreement=None if agreed == UNKNOWN else bool(agreed),
                overlapped_by=self.overlapped_by.get(place, ()),
                certainty=certain,
                reason=why.decode() or None,
                camera=CameraStep(matrix, share),
            )


COLUMNS: Final = tuple(f.name for f in fields(Samples) if f.name != "overlapped_by")


@dataclass(frozen=True)
class FollowedPath:
    """The player's way through the video, in the order of time."""

    samples: Sequence[PathSample]
    decisions: list[PathDecision]
    """In the order of time."""
    start: Start
    fps: float
    """Nominal rate of the samples."""
    width: int
    height: int
    starts_sec: tuple[float, ...] = (0.0,)
    """When each of the video's files begins."""
    seams_sec: tuple[float, ...] = ()
    """When another recording begins: the picture was cut there, whatever it looks like."""
    unreached_sec: list[float] = field(default_factory=list)
    """Moments of a person's words to which no way leads, in order."""


@dataclass(frozen=True)
class Piece:
    """What one segment added to the path."""

    walk: int
    """Of which walk, by its place in the plan."""
    samples: Samples
    """In the order in which they were followed."""
    decisions: list[PathDecision]


def in_time_order(backwards: Samples, forwards: Samples) -> Samples:
    """Both walks as one, the confirmed frame once.

    The camera's step belongs to the later frame of each pair, but walking back it was met at the earlier one.
    """
    early = backwards[:0:-1]
    joined = Samples.joined([early, forwards])
    steps = chain([STILL], (sample.camera.inverse() for sample in early))
    for place, step in zip(range(len(joined)), steps, strict=False):
        joined.matrix[place], joined.inlier_share[place] = step.matrix, step.inlier_share
    return joined


def _or(value: float | None, instead: float) -> float:
    return instead if value is None else value
