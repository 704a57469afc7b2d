"""Answers to a result's review as anchors, and the spec of the job that goes on from it."""

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from builders import PLAYER_BOX, make_moment, make_preview, make_ready_spec, make_result, make_status
from playerscore import admission, review
from playerscore.errors import FlowError
from playerscore.names import NAME_MAX, Step
from playerscore.resources import Anchor, BBox, ScoringJobSpec, ScoringJobStatus, TrackBox
from playerscore.review import Answer

HIM = TrackBox(x=0.2, y=0.3, w=0.05, h=0.2)
OTHER = TrackBox(x=0.9, y=0.3, w=0.1001, h=0.2)


MOMENTS = [make_moment(HIM, OTHER), make_moment(number=2, time_sec=2.0, taken=False)]


def ended(**changes: object) -> ScoringJobStatus:
    result = make_result(review=MOMENTS)
    return make_status(Step.COMPLETED, preview=make_preview(), result=result, **changes)


def refined(
    *answers: Answer, spec: ScoringJobSpec | None = None, status: ScoringJobStatus | None = None
) -> ScoringJobSpec:
    return review.refined(spec or make_ready_spec(suspend=False), status or ended(), "match", answers)


def test_a_candidate_a_box_and_an_absence_become_anchors() -> None:
    box = BBox(x=0.4, y=0.4, w=0.1, h=0.2)
    said = review.anchors_of(MOMENTS, [Answer(moment=1, candidate=1), Answer(moment=2, bbox=box)])
    gone = review.anchors_of(MOMENTS, [Answer(moment=2, absent=True)])

    assert said == [Anchor(time_sec=1, bbox=BBox(**HIM.model_dump())), Anchor(time_sec=2, bbox=box)]
    assert gone == [Anchor(time_sec=2, absent=True)]


def test_a_candidate_that_leaves_the_picture_by_a_rounding_is_taken() -> None:
    (anchor,) = review.anchors_of(MOMENTS, [Answer(moment=1, candidate=2)])

    assert anchor.bbox is not None
    assert anchor.bbox.x + anchor.bbox.w <= 1


WRONG: dict[str, tuple[Sequence[Answer], str]] = {
    "no answer": ([], "INVALID"),
    "a moment twice": ([Answer(moment=1, candidate=1), Answer(moment=1, absent=True)], "INVALID"),
    "a moment that is not asked": ([Answer(moment=3, absent=True)], "MOMENT_NOT_FOUND"),
    "a candidate that there is not": ([Answer(moment=1, candidate=3)], "CANDIDATE_NOT_FOUND"),
}


@pytest.mark.parametrize(("answers", "code"), WRONG.values(), ids=WRONG)
def test_what_was_not_asked_is_refused(answers: Sequence[Answer], code: str) -> None:
    with pytest.raises(FlowError) as refusal:
        refined(*answers)

    assert (refusal.value.code, refusal.value.details["field"]) == (code, "answers")


@pytest.mark.parametrize("said", [{}, {"candidate": 1, "absent": True}, {"absent": False}])
def test_an_answer_says_one_thing(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="an answer has a candidate, a bbox, or absent: true"):
        Answer.model_validate({"moment": 1, **said})


def test_the_refined_job_is_the_same_with_what_was_said_and_needs_no_preview() -> None:
    before = Anchor(time_sec=9.0, absent=True)
    spec = make_ready_spec(suspend=False, display_name="7", anchors=[before], queue_name="gpu")
    new = refined(Answer(moment=1, candidate=1), spec=spec)

    assert new.anchors == [Anchor(time_sec=1, bbox=BBox(**HIM.model_dump())), before]
    assert new.refines == "match"
    assert new.preview is not None
    assert (new.preview.disabled, new.suspend) == (True, False)
    assert new.video.sha256 == ended().result.provenance.video_sha256  # type: ignore[union-attr]
    assert new.target is not None
    assert new.target.time_sec == make_preview().frames[0].time_sec, "the following begins where it began"
    assert new.target.bbox.box == PLAYER_BOX
    same = {"player_ref", "display_name", "queue_name", "analysis", "pitch"}
    assert new.model_dump(include=same) == spec.model_dump(include=same)
    assert admission.judge_create(new).allowed


NOT_ENDED = {
    "no status": None,
    "it runs": make_status(Step.ANALYZING, preview=make_preview()),
    "it failed": make_status(Step.FAILED, preview=make_preview()),
}


@pytest.mark.parametrize("status", NOT_ENDED.values(), ids=NOT_ENDED)
def test_only_a_result_is_gone_on_from(status: ScoringJobStatus | None) -> None:
    with pytest.raises(FlowError) as refusal:
        review.refined(make_ready_spec(), status, "match", [Answer(moment=1, absent=True)])

    assert refusal.value.code == "NOT_COMPLETED"


def test_more_anchors_than_a_job_may_have_are_refused() -> None:
    full = [Anchor(time_sec=20 + k / 10, absent=True) for k in range(32)]
    with pytest.raises(FlowError) as refusal:
        refined(Answer(moment=1, absent=True), spec=make_ready_spec(anchors=full))

    assert refusal.value.code == "INVALID"


def test_names_count_on() -> None:
    first, later = make_ready_spec(), make_ready_spec(refines="match")

    assert review.next_name("match", first) == "match-2"
    assert review.next_name("match-7", first) == "match-7-2", (
        "of a job that refines none, 7 is a part of its name"
    )
    assert review.next_name("match-2", later) == "match-3"
    assert len(review.next_name("m" * NAME_MAX, first)) == NAME_MAX
