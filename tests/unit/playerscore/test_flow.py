"""A person's steps as changes of the spec: what they write, what they refuse, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    ELSEWHERE,
    NAME,
    OTHER,
    OTHER_BOX,
    PLAYER,
    PLAYER_BOX,
    make_bbox,
    make_condition,
    make_frame,
    make_preview,
    make_ready_spec,
    make_run,
    make_spec,
    make_status,
    make_target,
    make_track,
)
from mergepatch import patched
from playerscore import flow, further, names
from playerscore.errors import FlowError
from playerscore.geometry import Box
from playerscore.names import ConditionType, Step
from playerscore.resources import PreviewSettings, ScoringJobSpec, ScoringJobStatus

FRAME = names.frame_key(NAME, 1)
EMPTY_FRAME = names.frame_key(NAME, 3)
RUNNING = make_status(run=make_run(1))
ENDED = make_status(Step.COMPLETED, run=make_run(1))


def refused(step: object, *arguments: object, **more: object) -> FlowError:
    with pytest.raises(FlowError) as caught:
        step(*arguments, **more)  # type: ignore[operator]
    return caught.value


# --- pick ---------------------------------------------------------------------------------------------


def test_a_pick_saves_the_player_and_drafts_the_target() -> None:
    change = flow.pick(make_spec(), make_status(), FRAME, PLAYER)

    box = {"x": 0.25, "y": 0.25, "w": 0.125, "h": 0.25}
    assert change.patch == {
        "player_ref": {
            "frame_key": FRAME,
            "track_id": PLAYER,
            "time_sec": 0.0,
            "bbox": box,
            "frame_width": 1280,
            "frame_height": 720,
        },
        "target": {"frame_key": FRAME, "time_sec": 0.0, "bbox": box, "confirmed": False},
    }


def test_picking_again_redrafts_and_drops_force() -> None:
    forced = make_ready_spec(target=make_target(ELSEWHERE, force=True))

    change = flow.pick(forced, make_status(), FRAME, OTHER)

    assert change.patch["target"]["force"] is None
    assert change.patch["target"]["confirmed"] is False
    assert change.spec.target is not None
    assert change.spec.target.bbox == make_bbox(OTHER_BOX)


def test_picking_on_a_queued_job_takes_the_enqueue_back_in_the_same_patch() -> None:
    assert flow.pick(make_ready_spec(suspend=False), make_status(), FRAME, OTHER).patch["suspend"] is True


def test_a_box_that_rounding_carried_over_the_edge_is_drafted_inside() -> None:
    track = make_track(PLAYER, Box(0.9, 0.9, 0.1001, 0.1001))
    status = make_status(preview=make_preview([make_frame(1, [track])]))

    target = flow.pick(make_spec(), status, FRAME, PLAYER).spec.target

    assert target is not None
    assert target.bbox.x + target.bbox.w <= 1
    assert target.bbox.y + target.bbox.h <= 1


@pytest.mark.parametrize(
    ("spec", "status", "frame", "track", "code"),
    [
        (make_spec(), None, FRAME, PLAYER, "PREVIEW_NOT_READY"),
        (make_spec(), make_status(), names.frame_key(NAME, 9), PLAYER, "FRAME_NOT_FOUND"),
        (make_spec(), make_status(), FRAME, 99, "TRACK_NOT_FOUND"),
        (make_ready_spec(suspend=False), RUNNING, FRAME, OTHER, "JOB_RUNNING"),
        (make_ready_spec(suspend=False), ENDED, FRAME, OTHER, "JOB_FINISHED"),
    ],
    ids=["no preview", "no such frame", "no such track", "running", "ended"],
)
def test_a_pick_that_cannot_be_is_refused(
    spec: ScoringJobSpec, status: ScoringJobStatus | None, frame: str, track: int, code: str
) -> None:
    assert refused(flow.pick, spec, status, frame, track).code == code


# --- confirm ------------------------------------------------------------------------------------------


@pytest.fixture
def picked() -> ScoringJobSpec:
    return flow.pick(make_spec(), make_status(), FRAME, PLAYER).spec


def test_the_draft_is_confirmed_as_it_is(picked: ScoringJobSpec) -> None:
    change = flow.confirm(picked, make_status())

    assert change.patch == {"target": {"confirmed": True}}
    assert change.verdict is not None
    assert change.verdict.iou == 1.0


def test_a_box_elsewhere_is_a_mismatch_with_its_numbers(picked: ScoringJobSpec) -> None:
    error = refused(flow.confirm, picked, make_status(), bbox=make_bbox(ELSEWHERE), frame_key=FRAME)

    assert (error.code, error.details, error.http_status) == (
        "TARGET_MISMATCH",
        {"iou": 0.0, "threshold": 0.2},
        409,
    )


def test_force_waives_the_mismatch_for_this_box_only(picked: ScoringJobSpec) -> None:
    forced = flow.confirm(picked, make_status(), bbox=make_bbox(ELSEWHERE), frame_key=FRAME, force=True)
    plain = flow.confirm(forced.spec, make_status(), bbox=make_bbox(PLAYER_BOX), frame_key=FRAME)

    assert forced.patch["target"]["force"] is True
    assert plain.patch["target"]["force"] is None


def test_force_does_not_help_an_unknown_frame(picked: ScoringJobSpec) -> None:
    key = names.frame_key(NAME, 9)

    assert refused(flow.confirm, picked, make_status(), frame_key=key, force=True).code == "FRAME_NOT_FOUND"


@pytest.mark.parametrize(
    ("time_sec", "frame"), [(0.0, 1), (0.9, 1), (2.4, 2)], ids=["at it", "after it", "nearer the second"]
)
def test_without_a_frame_the_nearest_in_time_is_taken(
    picked: ScoringJobSpec, time_sec: float, frame: int
) -> None:
    target = flow.confirm(picked, make_status(), bbox=make_bbox(), time_sec=time_sec).spec.target

    assert target is not None
    assert (target.frame_key, target.time_sec) == (names.frame_key(NAME, frame), 2.0 * (frame - 1))


def test_a_time_far_from_every_frame_finds_none(picked: ScoringJobSpec) -> None:
    assert (
        refused(flow.confirm, picked, make_status(), bbox=make_bbox(), time_sec=5.5).code == "FRAME_NOT_FOUND"
    )


def test_another_time_than_the_frames_own_only_warns(picked: ScoringJobSpec) -> None:
    change = flow.confirm(picked, make_status(), bbox=make_bbox(), frame_key=FRAME, time_sec=0.4)

    assert change.spec.target is not None
    assert change.spec.target.time_sec == 0.0
    assert any("own time" in warning for warning in change.warnings)


def test_a_frame_with_nobody_is_accepted_with_a_warning(picked: ScoringJobSpec) -> None:
    change = flow.confirm(picked, make_status(), bbox=make_bbox(ELSEWHERE), frame_key=EMPTY_FRAME)

    assert [warning.split(":")[0] for warning in change.warnings] == ["NotApplicable"]


def test_without_a_preview_by_wish_the_callers_word_is_taken() -> None:
    spec = make_spec(preview=PreviewSettings(disabled=True))

    change = flow.confirm(spec, None, bbox=make_bbox(), frame_key=FRAME, time_sec=3.0)

    assert change.spec.target == make_target().model_copy(update={"time_sec": 3.0})


@pytest.mark.parametrize(
    ("box", "field"),
    [
        (Box(0.5, 0.5, 0, 0.1), "bbox"),
        (Box(0.5, 0.5, 0.1, 0), "bbox"),
        (Box(0.9, 0.5, 0.2, 0.1), "bbox"),
    ],
    ids=["no width", "no height", "over the edge"],
)
def test_an_impossible_box_names_its_field(picked: ScoringJobSpec, box: Box, field: str) -> None:
    error = refused(flow.confirm, picked, make_status(), bbox=make_bbox(box), frame_key=FRAME)

    assert (error.code, error.details["field"]) == ("INVALID", field)


def test_there_is_nothing_to_confirm_before_a_pick() -> None:
    assert refused(flow.confirm, make_spec(), make_status()).code == "INVALID"


# --- enqueue and pause --------------------------------------------------------------------------------


def test_enqueue_changes_one_field_and_again_changes_nothing() -> None:
    first = flow.enqueue(make_ready_spec(), make_status())

    assert first.patch == {"suspend": False}
    assert flow.enqueue(first.spec, make_status()).patch == {}


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        (make_spec(), ["player_ref", "target"]),
        (make_ready_spec(player_ref=None), ["player_ref"]),
        (make_ready_spec(target=None), ["target"]),
        (make_ready_spec(target=make_target(confirmed=False)), ["target"]),
    ],
    ids=["both", "player", "target", "a draft is missing"],
)
def test_enqueue_names_what_is_missing_and_only_that(spec: ScoringJobSpec, missing: list[str]) -> None:
    assert refused(flow.enqueue, spec, make_status()).body() == {
        "error": {
            "code": "NOT_READY",
            "missing": missing,
            "message": "Missing required selections for enqueue",
        }
    }


def test_an_incoherent_job_is_not_enqueued() -> None:
    spec = make_ready_spec(target=make_target(ELSEWHERE))

    assert refused(flow.enqueue, spec, make_status()).code == "TARGET_MISMATCH"


def test_a_running_job_is_paused_and_an_ended_one_is_not() -> None:
    assert flow.pause(make_ready_spec(suspend=False), RUNNING).patch == {"suspend": True}
    assert refused(flow.pause, make_ready_spec(suspend=False), ENDED).code == "JOB_FINISHED"


def test_a_patch_of_the_object_carries_the_version_that_was_judged() -> None:
    assert flow.enqueue(make_ready_spec(), make_status()).body("42") == {
        "metadata": {"resourceVersion": "42"},
        "spec": {"suspend": False},
    }


# --- the patch ----------------------------------------------------------------------------------------

VALUES = st.integers(0, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 1), max_size=2)
TREES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), VALUES | inner, max_size=3),
    max_leaves=8,
)


@given(TREES, TREES)
def test_the_patch_makes_the_new_of_the_old_and_is_empty_for_the_same(old: dict, new: dict) -> None:
    assert patched(old, flow.merge_patch(old, new)) == new
    assert flow.merge_patch(new, new) == {}


# --- look elsewhere -----------------------------------------------------------------------------------


def asked(*times: float, **settings: object) -> ScoringJobSpec:
    return make_spec(preview=PreviewSettings(at_sec=list(times), **settings))


def failed(*times: float, reason: str = "VIDEO_DECODE_FAILED") -> ScoringJobStatus:
    """A preview whose last run was to add frames at these times, and could not."""
    run = make_run(None, preview_attempt=2, preview_asked=list(times), preview_failed=2)
    told = make_condition(ConditionType.PREVIEW_READY, "True", reason, "spec.preview.atSec: it is damaged")
    return make_status(run=run, conditions=[told])


def test_a_look_elsewhere_adds_to_the_times_and_keeps_the_other_settings() -> None:
    change = flow.look_elsewhere(asked(7, frames=5), make_status(), [15.5, 9])

    assert change.patch == {"preview": {"atSec": [7.0, 15.5, 9.0]}}
    assert change.spec.preview == PreviewSettings(frames=5, at_sec=[7, 15.5, 9])


@pytest.mark.parametrize(
    ("spec", "times"),
    [
        pytest.param(make_spec(), [2.0], id="a frame shows it"),
        pytest.param(make_spec(), [2.02, 0], id="frames are near enough"),
        pytest.param(asked(7), [7.0], id="it is asked for"),
    ],
)
def test_what_is_there_or_asked_for_asks_for_nothing(spec: ScoringJobSpec, times: list[float]) -> None:
    assert flow.look_elsewhere(spec, make_status(), times).patch == {}


def test_what_was_answered_is_not_asked_for_again() -> None:
    preview = make_preview().model_copy(update={"asked_sec": [7.0]})

    assert flow.look_elsewhere(asked(7), make_status(preview=preview), [7]).patch == {}


ROOM = [9.0 + number / 4 for number in range(14)]
REFUSED_LOOKS: dict[str, tuple[ScoringJobSpec, ScoringJobStatus, list[float], str]] = {
    "before there is a preview": (make_spec(), ScoringJobStatus(), [7], "PREVIEW_NOT_READY"),
    "where none is wanted": (asked(disabled=True), make_status(), [7], "INVALID"),
    "behind the end": (make_spec(), make_status(), [7, 20], "PREVIEW_TIME_OUTSIDE"),
    "more than there is room for": (make_spec(), make_status(), ROOM, "PREVIEW_FULL"),
    "one more than there is room for": (asked(*ROOM[:13]), make_status(), [8.5], "PREVIEW_FULL"),
    "after the launch": (make_spec(), RUNNING, [7], "JOB_LAUNCHED"),
    "after the end": (make_spec(), ENDED, [7], "JOB_FINISHED"),
    "what failed before": (asked(7), failed(7), [7], "VIDEO_DECODE_FAILED"),
    "what failed before, in words of the cluster": (asked(7), failed(7, reason="Odd"), [7], "WORKER_FAILED"),
}


@pytest.mark.parametrize(("spec", "status", "times", "code"), REFUSED_LOOKS.values(), ids=REFUSED_LOOKS)
def test_a_look_that_cannot_be_is_refused(
    spec: ScoringJobSpec, status: ScoringJobStatus, times: list[float], code: str
) -> None:
    error = refused(flow.look_elsewhere, spec, status, times)

    assert error.code == code
    if code not in ("PREVIEW_NOT_READY", "INVALID"):
        assert error.details["field"] == "spec.preview.atSec"


def test_as_many_as_there_is_room_for_are_taken() -> None:
    assert flow.look_elsewhere(make_spec(), make_status(), ROOM[:13]).patch


def test_what_failed_or_never_can_be_is_forgotten_when_other_times_are_asked_for() -> None:
    change = flow.look_elsewhere(asked(7, 8, 99), failed(7), [9])

    assert change.spec.preview == PreviewSettings(at_sec=[8, 9])


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(make_status(), None, id="not begun"),
        pytest.param(
            make_status(run=make_run(None, preview_attempt=2, preview_asked=[7])), None, id="on its way"
        ),
        pytest.param(make_status(preview=make_preview([make_frame(1, time_sec=7.0)])), None, id="there"),
        pytest.param(failed(7), "VIDEO_DECODE_FAILED", id="given up"),
        pytest.param(failed(9), None, id="another was given up"),
        pytest.param(RUNNING, "JOB_LAUNCHED", id="launched before"),
    ],
)
def test_why_frames_do_not_come(status: ScoringJobStatus, code: str | None) -> None:
    found = further.failure(asked(7), status)

    assert (found.reason if found else None) == code
