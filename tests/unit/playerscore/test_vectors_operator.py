"""The operator's own check before a launch, over the table: whatever got past the gates starts no GPU.

Every case is taken as if it had been written in spite of the gates, and enqueued.
"""

from datetime import UTC, datetime

import pytest

from admissioncases import CASES, Case
from builders import UID, make_runtime
from playerscore.resources import ScoringJobSpec, ScoringJobStatus
from playerscore_operator.decide import Decision, decide
from playerscore_operator.observe import Observed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
API_URL = "http://api"
JUDGED = [case for case in CASES if case.launch is not None]


def decided(case: Case) -> Decision:
    status = case.before["status"] if case.before else {}
    observed = Observed(
        namespace="default",
        name="match-1",
        uid=UID,
        generation=2,
        resource_version="7",
        spec=ScoringJobSpec.model_validate(case.after | {"suspend": False}),
        status=ScoringJobStatus.model_validate(status),
        runtime=make_runtime(),
    )
    return decide(observed, NOW, API_URL)


def expected(case: Case) -> list[list[str]]:
    """The refusals that the operator may answer with; empty for a launch."""
    if case.launch == "as judged":
        gates = (
            *("NOT_READY", "FRAME_NOT_FOUND", "TARGET_MISMATCH"),
            *("ANCHOR_CONFLICT", "ANCHOR_OUTSIDE", "ANCHOR_MISMATCH"),
        )
        return [[item.reason, item.message] for gate in gates for item in case.deny if item.reason == gate]
    assert isinstance(case.launch, list)
    return case.launch


@pytest.mark.parametrize(
    "case", [case for case in JUDGED if case.launch != "waits"], ids=lambda case: case.name
)
def test_the_operator_launches_what_the_table_allows_and_nothing_else(case: Case) -> None:
    decision = decided(case)
    assert decision.status is not None
    admitted = next(item for item in decision.status["conditions"] if item["type"] == "Admitted")

    refused = expected(case)
    if refused:
        assert (admitted["status"], decision.creates) == ("False", [])
        assert [admitted["reason"], admitted["message"]] == refused[0]
    else:  # a job with a queue is not admitted yet, but its Job stands in the queue
        assert admitted["reason"] in ("Launched", "Queued")
        assert [body["metadata"]["name"].rpartition("-")[0] for body in decision.creates] == [f"sj-{UID}"]


@pytest.mark.parametrize(
    "case", [case for case in JUDGED if case.launch == "waits"], ids=lambda case: case.name
)
def test_nothing_is_judged_before_the_preview(case: Case) -> None:
    names = [body["metadata"]["name"] for body in decided(case).creates]

    assert names == [f"sj-{UID}-p1"]
