"""What a person can do to a job, as pure functions from spec and status to a change of the spec.

The API and the command line both write what these return, with the resourceVersion that they read, so
that one step means the same through every door. They judge with `admission`, hence in the same words.
"""

from typing import Any, NamedTuple

from playerscore import admission, anchors, coherence, edits, further, names
from playerscore.errors import FlowError
from playerscore.geometry import Box
from playerscore.landmarks import Format
from playerscore.names import SAME_TIME_SEC
from playerscore.resources import (
    MAX_ANCHORS,
    MAX_FRAMES,
    MAX_MOMENTS,
    MAX_POINTS,
    Anchor,
    BBox,
    Frame,
    Pitch,
    PitchMoment,
    PitchPoint,
    PlayerRef,
    PreviewSettings,
    PreviewStatus,
    ScoringJobSpec,
    ScoringJobStatus,
    Target,
    Track,
)


class Change(NamedTuple):
    """A judged and allowed change of the spec."""

    spec: ScoringJobSpec
    """The spec after it."""
    patch: dict[str, Any]
    """The RFC 7386 merge patch of `spec`; empty when nothing changes."""
    warnings: list[str]
    verdict: coherence.Coherence | None = None
    """The verdict on player and target, where one was asked for."""

    def body(self, resource_version: str | None) -> dict[str, Any]:
        """The merge patch of the whole object, which fails with a conflict if it changed meanwhile."""
        metadata = {"metadata": {"resourceVersion": resource_version}} if resource_version else {}
        return {**metadata, "spec": self.patch}


def look_elsewhere(spec: ScoringJobSpec, status: ScoringJobStatus | None, at_sec: list[float]) -> Change:
    """Ask for preview frames at further times, seconds; a time that a frame shows already asks for nothing.

    What could not be made before is forgotten, unless it is asked for again: then its failure is the answer.
    Raises FlowError: PREVIEW_NOT_READY, PREVIEW_TIME_OUTSIDE, PREVIEW_FULL, INVALID, JOB_LAUNCHED, JOB_FINISHED, and
    the code of that failure.
    """
    preview, settings = _preview(status), spec.preview or PreviewSettings()
    if settings.disabled:
        raise FlowError("INVALID", "spec.preview.disabled is set", field="atSec")
    failed = further.given_up(status)
    why = further.failure(spec, status) if status else None
    if why and any(time_sec in failed for time_sec in at_sec):
        raise FlowError(why.reason, why.message, field=why.field)
    given_up = [t for t in settings.at_sec or [] if t in failed or t >= preview.video.duration_sec]
    kept = [time_sec for time_sec in settings.at_sec or [] if time_sec not in given_up]
    new = [t for t in dict.fromkeys(at_sec) if t not in kept and not further.is_answered(preview, t)]
    if not new:
        return Change(spec, {}, [])
    wanted = kept + new
    if len(wanted) > MAX_FRAMES:
        raise FlowError("PREVIEW_FULL", f"at most {MAX_FRAMES} times can be asked for", field=further.FIELD)
    changed = settings.model_copy(update={"at_sec": wanted})
    return _judged(spec, spec.model_copy(update={"preview": changed}), status)


def spread(from_sec: float, to_sec: float, frames: int) -> list[float]:
    """So many moments of a range, seconds, each in the middle of its share. Raises FlowError INVALID.

    >>> spread(10, 20, 2)
    [12.5, 17.5]
    """
    if not from_sec < to_sec:
        raise FlowError("INVALID", "The range must end after it begins", field="range.toSec")
    share = (to_sec - from_sec) / frames
    return [round(from_sec + (number + 0.5) * share, 3) for number in range(frames)]


def pick(spec: ScoringJobSpec, status: ScoringJobStatus | None, frame_key: str, track_id: int) -> Change:
    """Choose a player by his track; drafts the target, and takes back an enqueue that was not launched.

    Raises FlowError: PREVIEW_NOT_READY, FRAME_NOT_FOUND, TRACK_NOT_FOUND, JOB_RUNNING, JOB_FINISHED.
    """
    frame = _frame(_preview(status), frame_key)
    track = coherence.find_track(frame, track_id)
    if track is None:
        text = f"{frame_key} has no track {track_id}"
        raise FlowError("TRACK_NOT_FOUND", text, field="track_id")
    withdrawn = edits.state(spec, status) is edits.State.NEVER_LAUNCHED
    update = {
        "player_ref": _player(frame, track),
        "target": _draft(frame, track),
        "suspend": spec.suspend or withdrawn,
    }
    return _judged(spec, spec.model_copy(update=update), status)


def confirm(
    spec: ScoringJobSpec,
    status: ScoringJobStatus | None,
    *,
    bbox: BBox | None = None,
    frame_key: str | None = None,
    time_sec: float | None = None,
    force: bool = False,
) -> Change:
    """Confirm where the player is; without a box, as drafted.

    Without `frame_key` the frame is the preview's nearest to `time_sec`, or the draft's. Raises FlowError:
    TARGET_MISMATCH, FRAME_NOT_FOUND, PREVIEW_NOT_READY, INVALID, JOB_RUNNING, JOB_FINISHED.
    """
    box = checked(bbox or _drafted(spec).bbox)
    key, stored, warnings = _moment(spec, status, frame_key, time_sec)
    target = Target(frame_key=key, time_sec=stored, bbox=box, confirmed=True, force=force or None)
    change = _judged(spec, spec.model_copy(update={"target": target}), status)
    return change._replace(warnings=warnings + change.warnings)


def set_pitch(spec: ScoringJobSpec, status: ScoringJobStatus | None, pitch: Pitch | None) -> Change:
    """Say where the pitch is in the picture, all of it, or with None take it back.

    Raises FlowError: PITCH_INCOHERENT, PITCH_LANDMARK, PITCH_MOMENT_OUTSIDE, JOB_RUNNING, JOB_FINISHED.
    """
    return _judged(spec, spec.model_copy(update={"pitch": pitch}), status)


def add_moment(
    spec: ScoringJobSpec,
    status: ScoringJobStatus | None,
    frame_key: str | None,
    time_sec: float | None,
    points: list[PitchPoint],
    format: Format | None = None,
) -> Change:
    """Say where the pitch is at one moment, a preview frame's or any other; a moment of that time is replaced.

    Raises FlowError as `set_pitch`, and PREVIEW_NOT_READY, FRAME_NOT_FOUND, INVALID.
    """
    if time_sec is None:
        if frame_key is None:
            raise FlowError("INVALID", "a frame or a time is needed", field="time_sec")
        time_sec = _frame(_preview(status), frame_key).time_sec
    if not 4 <= len(points) <= MAX_POINTS:
        raise FlowError("INVALID", f"a moment needs 4 to {MAX_POINTS} points", field="points")
    kept = spec.pitch.moments if spec.pitch else []
    others = [item for item in kept if abs(item.time_sec - time_sec) > SAME_TIME_SEC]
    if len(others) >= MAX_MOMENTS:
        raise FlowError("INVALID", f"a pitch has at most {MAX_MOMENTS} moments", field="moments")
    moments = sorted([*others, PitchMoment(time_sec=time_sec, points=points)], key=lambda item: item.time_sec)
    settings = spec.pitch.model_dump(exclude={"moments"}, exclude_none=True) if spec.pitch else {}
    settings |= {"format": format} if format else {}
    return set_pitch(spec, status, Pitch(**settings, moments=moments))


def set_anchors(spec: ScoringJobSpec, status: ScoringJobStatus | None, given: list[Anchor]) -> Change:
    """Say what is known of further moments, all of them; with none, take it back.

    Raises FlowError: ANCHOR_CONFLICT, ANCHOR_OUTSIDE, ANCHOR_MISMATCH, INVALID, JOB_RUNNING, JOB_FINISHED.
    """
    for anchor in given:
        if anchor.bbox:
            checked(anchor.bbox, f"{anchors.FIELD}.bbox")
    kept = sorted(given, key=lambda anchor: anchor.time_sec) or None
    return _judged(spec, spec.model_copy(update={"anchors": kept}), status)


def add_anchors(spec: ScoringJobSpec, status: ScoringJobStatus | None, given: list[Anchor]) -> Change:
    """Say something about further moments; an anchor of the same time is replaced.

    Raises FlowError as `set_anchors`.
    """
    kept = [
        old
        for old in spec.anchors or []
        if not any(anchors.is_same_time(old.time_sec, new.time_sec) for new in given)
    ]
    if len(kept) + len(given) > MAX_ANCHORS:
        raise FlowError("INVALID", f"a job has at most {MAX_ANCHORS} anchors", field=anchors.FIELD)
    return set_anchors(spec, status, [*kept, *given])


def enqueue(spec: ScoringJobSpec, status: ScoringJobStatus | None) -> Change:
    """Hand the job over; again changes nothing. Raises FlowError: NOT_READY, TARGET_MISMATCH, JOB_FINISHED."""
    return _judged(spec, spec.model_copy(update={"suspend": False}), status)


def pause(spec: ScoringJobSpec, status: ScoringJobStatus | None) -> Change:
    """Stop the attempt, or take the enqueue back. Raises FlowError: JOB_FINISHED."""
    return _judged(spec, spec.model_copy(update={"suspend": True}), status)


def merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The RFC 7386 patch that makes `new` of `old`.

    >>> merge_patch({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 1, "d": 3}})
    {'a': None, 'b': {'d': 3}}
    """
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            patch |= {key: inner} if (inner := merge_patch(before, value)) else {}
        elif key not in old or before != value:
            patch[key] = value
    return patch


def merged(old: Any, patch: Any) -> Any:
    """An RFC 7386 merge, as the API server applies it.

    >>> merged({"a": 1, "b": {"c": 1}}, {"a": None, "b": {"d": 2}})
    {'b': {'c': 1, 'd': 2}}
    """
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = merged(new.get(key), value)
    return new


def _judged(old: ScoringJobSpec, new: ScoringJobSpec, status: ScoringJobStatus | None) -> Change:
    judgement = admission.judge_update(old, new, status)
    if not judgement.allowed:
        raise judgement.error()
    patch = merge_patch(stored(old), stored(new))
    return Change(new, patch, list(judgement.warnings), judgement.verdict)


def manifest(name: str, spec: ScoringJobSpec) -> dict[str, Any]:
    """A ScoringJob, as somebody would apply it."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": name},
        "spec": stored(spec),
    }


def stored(spec: ScoringJobSpec) -> dict[str, Any]:
    """A spec as Kubernetes keeps it."""
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True)


def _preview(status: ScoringJobStatus | None) -> PreviewStatus:
    if status is None or status.preview is None:
        raise FlowError("PREVIEW_NOT_READY", "The preview is not there yet")
    return status.preview


def _frame(preview: PreviewStatus, key: str) -> Frame:
    frame = coherence.find_frame(preview, key)
    if frame is None:
        raise FlowError("FRAME_NOT_FOUND", f"The preview has no frame {key}", field="frame_key")
    return frame


def _player(frame: Frame, track: Track) -> PlayerRef:
    return PlayerRef(
        frame_key=frame.frame_key,
        track_id=track.track_id,
        time_sec=frame.time_sec,
        bbox=inside(track.bbox.box),
        frame_width=frame.width,
        frame_height=frame.height,
    )


def _draft(frame: Frame, track: Track) -> Target:
    return Target(frame_key=frame.frame_key, time_sec=frame.time_sec, bbox=inside(track.bbox.box))


def inside(box: Box) -> BBox:
    """A worker's rounded box may leave the picture by half a step of the rounding; a spec's may not."""
    return BBox(x=box.x, y=box.y, w=min(box.w, 1 - box.x), h=min(box.h, 1 - box.y))


def _drafted(spec: ScoringJobSpec) -> Target:
    if spec.target is None:
        raise FlowError("INVALID", "There is no draft to confirm: pick a player first", field="bbox")
    return spec.target


def checked(bbox: BBox, field: str = "bbox") -> BBox:
    """A box that a person gave. Raises FlowError INVALID."""
    if bbox.w <= 0 or bbox.h <= 0:
        raise FlowError("INVALID", "The box must have an area: w and h above 0", field=field)
    if bbox.x + bbox.w > 1.000001 or bbox.y + bbox.h > 1.000001:
        raise FlowError("INVALID", "The box must lie inside the picture", field=field)
    return bbox


def _moment(
    spec: ScoringJobSpec, status: ScoringJobStatus | None, key: str | None, time_sec: float | None
) -> tuple[str, float | None, list[str]]:
    """The confirmed frame's key, its stored time, and a warning when another time was asked for."""
    if spec.preview is not None and spec.preview.disabled and (status is None or status.preview is None):
        return _unseen(key, time_sec)
    preview = _preview(status)
    if key is None and time_sec is not None:
        frame = coherence.nearest_frame(preview, time_sec)
        if frame is None:
            raise FlowError("FRAME_NOT_FOUND", f"No preview frame is near {time_sec} s", field="time_sec")
        return frame.frame_key, frame.time_sec, []
    frame = _frame(preview, key or _drafted(spec).frame_key)
    other = time_sec is not None and abs(frame.time_sec - time_sec) > SAME_TIME_SEC
    warning = f"The analysis starts at the frame's own time, {frame.time_sec} s, not at {time_sec} s"
    return frame.frame_key, frame.time_sec, [warning] if other else []


def _unseen(key: str | None, time_sec: float | None) -> tuple[str, float | None, list[str]]:
    """Without a preview the caller's word is taken; the verdict warns about it."""
    if key is None:
        raise FlowError("INVALID", "frame_key is needed when the preview is disabled", field="frame_key")
    return key, time_sec, []
