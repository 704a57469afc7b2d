"""Further preview frames, asked for by `spec.preview.atSec`: which are to be made, and what may be asked for.

Frames are added before the first launch; one that exists is never changed, renumbered or removed. A time is
answered when frames were added for it, or when a frame shows that very moment.
"""

from typing import Final

from playerscore import edits, steps
from playerscore.edits import State, Violation
from playerscore.errors import CATALOGUE
from playerscore.names import SAME_TIME_SEC, ConditionType, Reason
from playerscore.resources import MAX_FRAMES, PreviewStatus, ScoringJobSpec, ScoringJobStatus

FIELD: Final = "spec.preview.atSec"


def asked(spec: ScoringJobSpec) -> list[float]:
    """The times that are asked for, seconds; none while no preview is wanted."""
    settings = spec.preview
    return [] if settings is None or settings.disabled else settings.at_sec or []


def unanswered(spec: ScoringJobSpec, preview: PreviewStatus) -> list[float]:
    """The asked-for times that no frame answers yet, seconds, in their order."""
    return [time_sec for time_sec in asked(spec) if not is_answered(preview, time_sec)]


def is_answered(preview: PreviewStatus, time_sec: float) -> bool:
    """Whether frames were added for a time, or a frame is not more than half a frame's duration away."""
    near = 0.5 / preview.video.fps + SAME_TIME_SEC
    shown = any(abs(frame.time_sec - time_sec) <= near for frame in preview.frames)
    return shown or time_sec in (preview.asked_sec or [])


def refusal(spec: ScoringJobSpec, preview: PreviewStatus) -> Violation | None:
    """Why the asked-for frames cannot be added; None when they can."""
    times, video, there = unanswered(spec, preview), preview.video, len(preview.frames)
    outside = next((time_sec for time_sec in times if time_sec >= video.duration_sec), None)
    if outside is not None:
        text = f"{FIELD} {said(outside)}: the video ends at {said(video.duration_sec)} s"
        return Violation(Reason.PREVIEW_TIME_OUTSIDE, FIELD, text)
    if there + len(times) > MAX_FRAMES:
        text = f"{FIELD} asks for {len(times)} more frames; there are {there} of at most {MAX_FRAMES}"
        return Violation(Reason.PREVIEW_FULL, FIELD, text)
    return None


def open_for(status: ScoringJobStatus) -> bool:
    """Whether the current run of the preview may add frames to it: asked to by the operator, not launched, not done."""
    run, preview = status.run, status.preview
    if run is None or preview is None or run.attempt or not run.preview_asked:
        return False
    return not any(time_sec in (preview.asked_sec or []) for time_sec in run.preview_asked)


def judge(old: ScoringJobSpec, new: ScoringJobSpec, status: ScoringJobStatus | None) -> list[Violation]:
    """What forbids a change that asks for more; to take a time back is always allowed."""
    before = asked(old)
    if all(time_sec in before for time_sec in asked(new)):
        return []
    row = edits.state(old, status)
    if row is State.FINISHED:
        why = f"{FIELD} cannot grow, the job has ended: create a new job instead"
        return [Violation(Reason.JOB_FINISHED, FIELD, why)]
    if row is not State.NEVER_LAUNCHED:
        why = f"{FIELD} cannot grow, an attempt was launched: create a new job instead"
        return [Violation(Reason.JOB_LAUNCHED, FIELD, why)]
    found = refusal(new, status.preview) if status is not None and status.preview is not None else None
    return [found] if found else []


def given_up(status: ScoringJobStatus | None) -> list[float]:
    """The times for which the last run of the preview was to add frames and could not, seconds."""
    run = status.run if status else None
    return (run.preview_asked or []) if run is not None and run.preview_failed is not None else []


def failure(spec: ScoringJobSpec, status: ScoringJobStatus) -> Violation | None:
    """Why frames that are asked for do not come; None while they may, or when they are there."""
    times = unanswered(spec, status.preview) if status.preview else []
    if not times or status.preview is None:
        return None
    if edits.state(spec, status) is not State.NEVER_LAUNCHED:
        return Violation(
            Reason.JOB_LAUNCHED, FIELD, f"{FIELD}: an attempt was launched before the frames were there"
        )
    told = steps.condition(status, ConditionType.PREVIEW_READY)
    if told is not None and set(given_up(status)) >= set(times):
        return Violation(told.reason if told.reason in CATALOGUE else "WORKER_FAILED", FIELD, told.message)
    return refusal(spec, status.preview)


def said(seconds: float) -> str:
    """A number as CEL's `string(double)` writes it, which the policy does.

    >>> said(3800.0), said(63.25)
    ('3800', '63.25')
    """
    return repr(float(seconds)).removesuffix(".0")
