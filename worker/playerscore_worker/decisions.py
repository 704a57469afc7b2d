"""Why the path goes where it goes: the follower's decisions and its losses as one log, in the order of time."""

from bisect import bisect_left, bisect_right
from itertools import groupby
from typing import Final

from playerscore.decisions import Decision, DecisionLog, Kind
from playerscore.geometry import Box
from playerscore.resources import TrackBox
from playerscore_worker.follower import FollowedPath, PathDecision, PathSample, State

# A finding is told once: the follower's own account ends within a frame or two of the loss.
SAME_FRAMES: Final = 2.5
# Times are told to this.
TIME_STEP_SEC: Final = 0.001


def log_of(path: FollowedPath) -> DecisionLog:
    """All that was decided along the path."""
    told = [_weighed(path, decision) for decision in path.decisions]
    told += _losses(path)
    told += [found for loss in _losses(path) if (found := _found(path, loss, told)) is not None]
    told.sort(key=lambda decision: (decision.time_sec, decision.end_sec))
    return DecisionLog(
        width=path.width,
        height=path.height,
        begin_sec=_rounded(path.samples[0].time_sec),
        end_sec=_rounded(path.samples[-1].time_sec),
        confirmed_sec=_rounded(path.start.time_sec),
        confirmed=_track_box(path.start.box_xywh),
        decisions=[d.model_copy(update={"number": k}) for k, d in enumerate(told, start=1)],
    )


def _weighed(path: FollowedPath, decision: PathDecision) -> Decision:
    kind = Kind(decision.kind.value)
    return _decision(
        path,
        kind,
        decision.begin_sec,
        decision.end_sec,
        reason="ambiguous" if kind is Kind.DECLINED else None,
        margin=decision.margin,
        chosen=_shown(decision.chosen_xywh),
        rival=_shown(decision.rival_xywh),
        backwards=decision.backwards,
    )


def _losses(path: FollowedPath) -> list[Decision]:
    """A decision for each run of samples without him."""
    runs = (list(run) for lost, run in groupby(path.samples, lambda s: s.state == State.LOST) if lost)
    return [
        _decision(path, Kind.LOST, run[0].time_sec, run[-1].time_sec, reason=_reasons(path, run))
        for run in runs
    ]


def _reasons(path: FollowedPath, run: list[PathSample]) -> str:
    """Each reason once, in the order in which they were met."""
    met = reversed(run) if _is_backwards(path, run[0].time_sec) else run
    return ", ".join(dict.fromkeys(sample.reason or "not-seen" for sample in met))


def _found(path: FollowedPath, loss: Decision, told: list[Decision]) -> Decision | None:
    """The end of a loss, where the video has one and no other decision tells it."""
    end = _before(path, loss.begin_sec) if loss.backwards else _after(path, loss.end_sec)
    if end is None:
        return None
    near = SAME_FRAMES / path.fps
    if any(d.kind != Kind.LOST and abs(d.settled_sec - end.time_sec) <= near for d in told):
        return None
    times = sorted((loss.settled_sec, end.time_sec))
    return _decision(path, Kind.FOUND_AGAIN, times[0], times[1], chosen=_shown(end.box_xywh))


def _decision(
    path: FollowedPath,
    kind: Kind,
    begin_sec: float,
    end_sec: float,
    reason: str | None = None,
    margin: float | None = None,
    chosen: TrackBox | None = None,
    rival: TrackBox | None = None,
    backwards: bool | None = None,
) -> Decision:
    # Of anything but a loss, the ends are sights of him.
    own = 0.0 if kind is Kind.LOST else TIME_STEP_SEC
    return Decision(
        number=1,
        kind=kind,
        begin_sec=_rounded(begin_sec),
        end_sec=_rounded(end_sec),
        backwards=_is_backwards(path, begin_sec) if backwards is None else backwards,
        reason=reason,
        certainty_before=_certainty(_before(path, begin_sec + own)),
        certainty_after=_certainty(_after(path, end_sec - own)),
        margin=margin,
        chosen=chosen,
        rival=rival,
    )


def _before(path: FollowedPath, time_sec: float) -> PathSample | None:
    """The last sample before a moment."""
    place = bisect_left(path.samples, time_sec - TIME_STEP_SEC / 2, key=_time_sec)
    return path.samples[place - 1] if place else None


def _after(path: FollowedPath, time_sec: float) -> PathSample | None:
    """The first sample after a moment."""
    place = bisect_right(path.samples, time_sec + TIME_STEP_SEC / 2, key=_time_sec)
    return path.samples[place] if place < len(path.samples) else None


def _time_sec(sample: PathSample) -> float:
    return sample.time_sec


def _certainty(sample: PathSample | None) -> float | None:
    return None if sample is None or sample.state == State.LOST else sample.certainty


def _is_backwards(path: FollowedPath, begin_sec: float) -> bool:
    return begin_sec < path.start.time_sec - 0.5 / path.fps


def _shown(box: Box | None) -> TrackBox | None:
    return None if box is None else _track_box(box)


def _track_box(box: Box) -> TrackBox:
    x, y, w, h = (round(min(1.0, max(0.0, value)), 4) for value in box)
    return TrackBox(x=x, y=y, w=w, h=h)


def _rounded(seconds: float) -> float:
    return round(max(0.0, seconds), 3)
