"""Reading what another version of the schema wrote."""

from typing import Any

import pytest
from pydantic import ValidationError

from builders import make_ready_spec, make_run, make_runtime, make_status, manifest
from playerscore import lenient
from playerscore.names import Step
from playerscore.resources import ScoringJob
from playerscore.sources import choose_runtime

Json = dict[str, Any]


def job() -> Json:
    return {
        "apiVersion": "playerscore.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": "match-1"},
        "spec": manifest(make_ready_spec()),
        "status": manifest(make_status(Step.ANALYZING, run=make_run())),
    }


def test_what_a_newer_version_has_added_is_left_out_wherever_it_stands() -> None:
    newer = job()
    newer["spec"] |= {"experiment": {"level": 3}}
    newer["spec"]["target"]["bbox"]["depth"] = 1
    newer["status"]["preview"]["frames"][0]["tracks"][0]["pose"] = [1, 2]
    newer["status"]["run"]["insight"] = "x"

    assert lenient.known(ScoringJob, newer) == ScoringJob.model_validate(job())
    assert newer["status"]["run"]["insight"] == "x", "what came in stays as it was"


def test_a_runtime_of_a_newer_version_is_chosen_too() -> None:
    newer = manifest(make_runtime(name="gpu"))
    newer["spec"]["experiment"] = True

    assert choose_runtime([newer], "gpu") == make_runtime(name="gpu")


@pytest.mark.parametrize("part", ["spec", "status"])
def test_who_acts_on_an_object_takes_no_unreadable_value_for_an_absent_one(part: str) -> None:
    """An unreadable attempt would be started again."""
    newer = job()
    newer[part] |= {"experiment": 1}
    newer[part] |= {"spec": {"suspend": "perhaps"}, "status": {"run": {"attempt": "two"}}}[part]

    with pytest.raises(ValidationError):
        lenient.known(ScoringJob, newer)
