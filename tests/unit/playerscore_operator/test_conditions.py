"""The conditions that kstatus reads, state by state, and their documentation."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from builders import (
    ELSEWHERE,
    UID,
    make_condition,
    make_ready_spec,
    make_run,
    make_runtime,
    make_spec,
    make_status,
    make_target,
)
from playerscore.errors import CATALOGUE
from playerscore.names import ConditionType, Reason
from playerscore.resources import ScoringJobStatus
from playerscore_operator.decide import Decision, decide, refused
from playerscore_operator.manifests import analysis_job
from playerscore_operator.observe import Observed
from worlds import API, NOW, world

ROOT = Path(__file__).parents[3]
QUOTA = (
    'jobs.batch "x" is forbidden: exceeded quota: gpus, requested: count/jobs.batch=1, used: 5, limited: 5'
)


def of(decision: Decision, kind: ConditionType) -> tuple[str, str]:
    assert decision.status is not None
    found = {item["type"]: item for item in decision.status["conditions"]}
    return found[kind]["status"], found[kind]["reason"]


ENQUEUED = make_ready_spec(suspend=False)
PREVIEWED = make_status()
LAUNCHED = make_status(
    run=make_run(1, generation=3), conditions=[make_condition(ConditionType.RUNNING, "False", "Launched")]
)


@pytest.mark.parametrize(
    ("observed", "reconciling", "stalled"),
    [
        pytest.param(world(make_spec()), "Settled", None, id="the preview starts"),
        pytest.param(
            world(make_spec(), runtime=None), "RUNTIME_NOT_FOUND", None, id="a draft without runtime"
        ),
        pytest.param(
            world(make_spec(), prepared=False), "NamespaceNotPrepared", None, id="a namespace not prepared"
        ),
        pytest.param(world(make_spec(), PREVIEWED), "Settled", None, id="waits for a person"),
        pytest.param(
            world(make_spec(), PREVIEWED, runtime=None),
            "Settled",
            None,
            id="a person's turn needs no runtime",
        ),
        pytest.param(
            world(make_ready_spec(target=make_target(ELSEWHERE)), PREVIEWED),
            "Settled",
            None,
            id="a draft on nobody",
        ),
        pytest.param(
            world(make_ready_spec(target=make_target(ELSEWHERE), suspend=False), PREVIEWED),
            "Settled",
            "TARGET_MISMATCH",
            id="enqueued on nobody",
        ),
        pytest.param(
            world(make_ready_spec(target=make_target(number=9), suspend=False), PREVIEWED),
            "Settled",
            "FRAME_NOT_FOUND",
            id="enqueued on no frame",
        ),
        pytest.param(
            world(make_spec(suspend=False), PREVIEWED), "Settled", "NOT_READY", id="enqueued with nothing"
        ),
        pytest.param(world(ENQUEUED, PREVIEWED), "Settled", None, id="launched"),
        pytest.param(
            world(ENQUEUED, PREVIEWED, runtime=None), "RUNTIME_NOT_FOUND", None, id="enqueued without runtime"
        ),
        pytest.param(
            world(ENQUEUED, PREVIEWED, runtime=make_runtime(allowed_namespaces=["other"])),
            "RUNTIME_FORBIDDEN",
            None,
            id="a forbidden runtime",
        ),
    ],
)
def test_what_kstatus_reads(observed: Observed, reconciling: str, stalled: str | None) -> None:
    decision = decide(observed, NOW, API)
    acting = reconciling != "Settled"

    assert of(decision, ConditionType.RECONCILING) == ("True" if acting else "False", reconciling)
    assert of(decision, ConditionType.STALLED) == ("True" if stalled else "False", stalled or "Settled")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("jobs.batch is forbidden: User operator cannot create resource jobs", "CREATE_REFUSED"),
        (QUOTA, "QUOTA_EXCEEDED"),
    ],
)
def test_a_refused_job_is_told_with_the_servers_words_and_once_as_an_event(words: str, reason: str) -> None:
    observed = world(ENQUEUED, LAUNCHED)
    body = analysis_job(observed, make_runtime().spec, 1, API)
    first = refused(observed, body, words, NOW)

    assert of(first, ConditionType.RUNNING) == ("False", reason)
    assert of(first, ConditionType.RECONCILING) == ("True", reason)
    assert of(first, ConditionType.STALLED) == ("False", "Settled")
    assert first.status is not None
    assert any(words in item["message"] for item in first.status["conditions"])
    assert [event[:2] for event in first.events if event[0] == "Warning"] == [("Warning", reason)]

    stored = ScoringJobStatus.model_validate(
        LAUNCHED.model_dump(mode="json", exclude_none=True) | {"conditions": first.status["conditions"]}
    )
    again = refused(replace(observed, status=stored), body, words + " still", NOW)

    assert [event for event in again.events if event[0] == "Warning"] == []


def test_the_job_is_tried_again_and_the_refusal_stands_until_it_is_there() -> None:
    status = make_status(
        run=make_run(1, generation=3),
        conditions=[make_condition(ConditionType.RUNNING, "False", "CREATE_REFUSED", "no")],
    )
    observed = world(ENQUEUED, status)
    again = decide(observed, NOW, API)

    assert [body["metadata"]["name"] for body in again.creates] == [f"sj-{UID}-1"]
    assert of(again, ConditionType.RUNNING) == ("False", "CREATE_REFUSED")

    body = {**again.creates[0], "status": {}}
    body["metadata"] = {**body["metadata"], "creationTimestamp": "2026-01-01T12:00:00Z"}
    there = decide(replace(observed, jobs={body["metadata"]["name"]: body}), NOW, API)

    assert of(there, ConditionType.RUNNING) == ("False", "Launched")
    assert of(there, ConditionType.RECONCILING) == ("False", "Settled")


def test_every_condition_and_every_reason_is_documented() -> None:
    page = (ROOT / "docs" / "conditions.md").read_text()
    rows = set(re.findall(r"^\| `([A-Za-z_]+)` \|", page, re.MULTILINE))

    assert {str(reason) for reason in Reason} - rows == set()
    assert {str(kind) for kind in ConditionType} - rows == set()


def test_every_code_of_a_worker_is_documented() -> None:
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("conditions.md", "errors.md"))

    codes = {code for code in CATALOGUE if code.startswith(("VIDEO_", "SOURCE_"))}
    assert {code for code in codes if f"`{code}`" not in pages} == set()


def test_nothing_is_documented_that_no_code_says() -> None:
    page = (ROOT / "docs" / "conditions.md").read_text().split("## Every reason")[1]
    rows = set(re.findall(r"^\| `([A-Za-z_]+)` \|", page, re.MULTILINE))

    assert rows - {str(reason) for reason in Reason} == set()


def test_the_operator_names_a_reason_only_where_names_are_written() -> None:
    folder = ROOT / "operator" / "playerscore_operator"
    literal = re.compile(r"\(\s*\"(?:True|False|Unknown)\",\s*\"[A-Za-z]")

    assert [path.name for path in folder.glob("*.py") if literal.search(path.read_text())] == []
