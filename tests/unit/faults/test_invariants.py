"""What the faults' invariants must find in a record: each violation once, and nothing in a good life."""

from typing import Any

import pytest

from faultlab import Look, violations

Json = dict[str, Any]
SUCCEEDED = {"type": "Succeeded", "status": "False", "reason": "NO_RESULT", "message": "It ended without one"}


def job(step: str, generation: int = 1, *, attempt: int = 1, **status: Any) -> Look:
    body: Json = {
        "metadata": {"uid": "u", "name": "match"},
        "status": {
            "observedGeneration": generation,
            "progress": {"step": step},
            "run": {"attempt": attempt},
            **status,
        },
    }
    return Look("scoringjobs", False, body)


def child(kind: str, own: str, attempt: str, *, gone: bool = False, **more: Any) -> Look:
    labels = {"playerscore.dev/uid": "u", "playerscore.dev/attempt": attempt}
    deleted = {"deletionTimestamp": "now"} if more.pop("deleted", False) else {}
    return Look(
        kind,
        gone,
        {"metadata": {"uid": own, "name": f"sj-u-{attempt}", "labels": labels, **deleted}, "status": more},
    )


DONE = {"conditions": [{"type": "Complete", "status": "True"}]}
RESULT = {"overallScore": 70}


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param(
            [
                job("EXTRACTING_PREVIEW"),
                child("jobs", "a", "p1"),
                child("jobs", "a", "p1", **DONE),
                job("QUEUED", 2),
                child("jobs", "b", "1"),
                child("pods", "c", "1", phase="Running"),
                job("ANALYZING", 2),
                child("pods", "c", "1", phase="Succeeded"),
                child("jobs", "b", "1", **DONE),
                job("COMPLETED", 2, result=RESULT),
                job("COMPLETED", 3, result=RESULT),
            ],
            id="a whole life",
        ),
        pytest.param([job("ANALYZING"), job("READY_TO_ENQUEUE", 2)], id="paused by a person"),
        pytest.param(
            [
                child("jobs", "a", "1"),
                child("jobs", "a", "1", conditions=[{"type": "Failed", "status": "True"}]),
                child("jobs", "b", "2"),
            ],
            id="a retry",
        ),
        pytest.param(
            [child("jobs", "a", "1"), child("jobs", "a", "1", gone=True), child("jobs", "b", "1")],
            id="deleted and made again",
        ),
        pytest.param(
            [
                child("pods", "a", "1", phase="Running"),
                child("pods", "a", "1", phase="Running", deleted=True),
                child("pods", "b", "1", phase="Pending"),
            ],
            id="a pod that is replaced",
        ),
        pytest.param([job("FAILED", conditions=[SUCCEEDED])], id="a failure with a reason"),
    ],
)
def test_a_good_life_violates_nothing(looks: list[Look]) -> None:
    assert violations(looks) == []


@pytest.mark.parametrize(
    ("looks", "words"),
    [
        pytest.param([job("ANALYZING"), job("QUEUED")], "from ANALYZING back to QUEUED", id="backwards"),
        pytest.param(
            [job("COMPLETED", result=RESULT), job("QUEUED", 2, result=RESULT)],
            "from COMPLETED back",
            id="out of its end",
        ),
        pytest.param(
            [job("COMPLETED", result=RESULT), job("COMPLETED", result={"overallScore": 71})],
            "changed after its end",
            id="a second result",
        ),
        pytest.param(
            [job("COMPLETED", result=RESULT), job("COMPLETED", attempt=2, result=RESULT)],
            "changed after its end",
            id="an attempt after the end",
        ),
        pytest.param([job("COMPLETED")], "COMPLETED without a result", id="no result"),
        pytest.param([job("FAILED")], "FAILED without a reason", id="no reason"),
        pytest.param(
            [child("jobs", "a", "1"), child("jobs", "b", "2")], "alive at the same time", id="two attempts"
        ),
        pytest.param(
            [child("pods", "a", "1", phase="Running"), child("pods", "b", "1", phase="Pending")],
            "alive at the same time",
            id="two pods of an attempt",
        ),
    ],
)
def test_each_violation_is_found(looks: list[Look], words: str) -> None:
    found = violations(looks)

    assert len(found) == 1
    assert words in found[0]


def test_a_stray_of_another_attempt_may_be_allowed_and_never_one_of_the_same() -> None:
    assert violations([child("jobs", "a", "1"), child("jobs", "b", "2")], strays=True) == []
    assert violations([child("jobs", "a", "1"), child("jobs", "b", "1")], strays=True) != []
