"""The rule in Python over the table that every gate is judged by."""

import pytest

from admissioncases import CASES, Case
from mergepatch import patched
from playerscore import refusals
from playerscore.admission import Judgement, judge_create, judge_update
from playerscore.names import IOU_THRESHOLD
from playerscore.resources import ScoringJobSpec, ScoringJobStatus

HELD = 250


def judged(case: Case) -> Judgement:
    new = ScoringJobSpec.model_validate(case.after)
    if case.before is None:
        return judge_create(new)
    old = ScoringJobSpec.model_validate(case.before["spec"])
    return judge_update(old, new, ScoringJobStatus.model_validate(case.before["status"]))


def test_the_table_is_as_large_as_it_was_promised_and_its_names_differ() -> None:
    assert len(CASES) >= HELD
    assert len({case.slug for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_rule_says_what_the_table_says(case: Case) -> None:
    judgement = judged(case)

    assert judgement.violations == case.deny
    assert judgement.warnings == ([case.warn] if case.warn else [])


@pytest.mark.parametrize("case", [case for case in CASES if case.iou is not None], ids=lambda case: case.name)
def test_the_overlap_is_the_tables(case: Case) -> None:
    verdict = judged(case).verdict

    assert verdict is not None
    assert verdict.iou == pytest.approx(case.iou, abs=1e-12)


@pytest.mark.parametrize("case", [case for case in CASES if case.deny], ids=lambda case: case.name)
def test_code_field_and_words_are_found_again_in_the_words_alone(case: Case) -> None:
    assert refusals.read(refusals.words(case.deny)) == case.deny


@pytest.mark.parametrize("case", [case for case in CASES if case.deny], ids=lambda case: case.name)
def test_a_denial_is_an_error_with_its_details(case: Case) -> None:
    error = judged(case).error()

    assert error.code == case.deny[0].reason
    if error.code == "NOT_READY":
        assert error.details == {
            "missing": [item.field.removeprefix("spec.") for item in case.deny if item.reason == "NOT_READY"]
        }
    elif error.code == "TARGET_MISMATCH":
        assert error.details == {"iou": pytest.approx(case.iou or 0.0, abs=1e-12), "threshold": IOU_THRESHOLD}
    else:
        assert error.details == {"field": case.deny[0].field}


def test_a_case_is_expanded_as_its_page_says() -> None:
    """The loader itself: a patch removes, and shorthand is written out."""
    case = next(case for case in CASES if case.name == "force: force is dropped and the box stays")

    assert case.before is not None
    assert case.before["spec"]["target"]["force"] is True
    assert case.sent == {"spec": {"target": {"force": None}}}
    assert "force" not in case.after["target"]
    assert case.after["target"]["bbox"] == {"x": 0, "y": 0.75, "w": 0.125, "h": 0.25}
    assert patched({"a": {"b": 1}}, {"a": {"b": None}}) == {"a": {}}
