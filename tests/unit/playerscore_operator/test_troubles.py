"""What follows from every word that a cluster has for a pod that does not run: the table, driven by real messages."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from kubeletwords import DEADLINE_SECONDS, Message, corpus, job_world, looks, preview_world, told
from playerscore.names import ConditionType, Step
from playerscore_operator import troubles
from playerscore_operator.observe import Observed

MESSAGES = corpus()
GRACE = {row.slug: row.grace_sec for row in troubles.ROWS}


def those(*then: str) -> pytest.MarkDecorator:
    """The messages after which that must follow."""
    chosen = [message for message in MESSAGES if message.then in then]
    ids = [f"{message.row}: {message.reason} {' '.join(message.message.split())[:60]}" for message in chosen]
    return pytest.mark.parametrize("message", chosen, ids=ids)


def failed(observed: Observed) -> bool:
    return observed.status.progress is not None and observed.status.progress.step is Step.FAILED


def counts(observed: Observed) -> tuple[int, int, int]:
    """Failures, those of memory, and what the cluster did."""
    run = observed.run
    return run.failures or 0, run.memory_failures or 0, run.disruptions or 0


def blamed_on_the_input(observed: Observed) -> bool:
    reasons = {item.reason for item in observed.status.conditions or []}
    return any(reason.startswith(("VIDEO_", "SOURCE_")) for reason in reasons)


def test_the_corpus_is_large_and_says_where_each_message_is_from() -> None:
    assert len(MESSAGES) >= 80
    assert [message for message in MESSAGES if not message.source] == []


def test_every_row_of_the_table_is_met_by_a_message() -> None:
    assert {row.slug for row in troubles.ROWS} == {message.row for message in MESSAGES}


def test_no_two_rows_have_one_name() -> None:
    assert len(GRACE) == len(troubles.ROWS)


@those("wait", "hold", "retry", "counted", "fatal", "memory")
def test_the_row_of_a_message(message: Message) -> None:
    row = troubles.find(message.place, *message.told)

    assert message.then == "memory" or (row is not None and row.slug == message.row)


@those("wait")
def test_what_may_pass_is_told_and_waited_for_until_the_start_deadline(message: Message) -> None:
    begun, decisions = looks(job_world(message), 0)

    assert message.message in told(begun, ConditionType.RUNNING)[2]
    assert decisions[-1].requeue_seconds is not None

    waiting, _ = looks(job_world(message), DEADLINE_SECONDS - 120)

    assert not failed(waiting)
    assert counts(waiting) == (0, 0, 0)

    over, _ = looks(job_world(message), DEADLINE_SECONDS + 120)

    assert told(over, ConditionType.SUCCEEDED)[:2] == ("False", "START_DEADLINE_EXCEEDED")
    assert message.message in told(over, ConditionType.SUCCEEDED)[2]


@those("hold")
def test_a_full_quota_is_told_and_stops_the_start_deadline(message: Message) -> None:
    observed, _ = looks(job_world(message), 4 * DEADLINE_SECONDS, every=600)

    assert not failed(observed)
    assert told(observed, ConditionType.RUNNING)[1] == "QUOTA_EXCEEDED"
    assert told(observed, ConditionType.RECONCILING)[:2] == ("True", "QUOTA_EXCEEDED")
    assert message.message in told(observed, ConditionType.RECONCILING)[2]


@those("retry")
def test_what_the_cluster_did_is_repeated_and_not_counted(message: Message) -> None:
    observed, decisions = looks(job_world(message), GRACE[message.row])

    assert not failed(observed)
    assert counts(observed) == (0, 0, 1)
    assert not blamed_on_the_input(observed)
    assert message.row == "taken" or observed.run.retry_time is not None
    assert decisions[-1].creates == []


@those("retry")
def test_and_it_is_told(message: Message) -> None:
    observed, _ = looks(job_world(message), GRACE[message.row])
    _, _, text = told(observed, ConditionType.RUNNING)

    assert message.told[1].strip() in text


@those("counted")
def test_what_the_worker_did_is_counted(message: Message) -> None:
    observed, _ = looks(job_world(message), 0)

    assert not failed(observed)
    assert counts(observed) == (1, 0, 0)


@those("memory")
def test_memory_is_counted_apart(message: Message) -> None:
    observed, _ = looks(job_world(message), 0)

    assert counts(observed) == (0, 1, 0)


@those("fatal")
def test_what_waiting_does_not_mend_ends_the_job_once_it_was_seen_for_long_enough(message: Message) -> None:
    grace = GRACE[message.row]
    early, _ = looks(job_world(message), grace - 10)
    late, _ = looks(job_world(message), grace)

    assert not grace or not failed(early)
    assert failed(late)
    assert told(late, ConditionType.SUCCEEDED)[1] in ("IMAGE_PULL_FAILED", "POD_CONFIG_INVALID")
    assert counts(late) == (0, 0, 0)
    assert not blamed_on_the_input(late)


@those("wait", "hold")
def test_a_preview_waits_with_the_same_words(message: Message) -> None:
    observed, _ = looks(preview_world(message), DEADLINE_SECONDS - 120)

    assert not failed(observed)
    assert observed.run.preview_attempt == 1
    assert message.message in told(observed, ConditionType.PREVIEW_READY)[2]


@those("retry")
def test_a_preview_is_made_again_and_that_is_not_counted(message: Message) -> None:
    observed, _ = looks(preview_world(message), GRACE[message.row] + 10)

    assert not failed(observed)
    again = (1, None) if message.row == "taken" else (2, 1)
    assert (observed.run.preview_attempt, observed.run.preview_disruptions) == again


@those("fatal")
def test_a_preview_fails_by_what_waiting_does_not_mend(message: Message) -> None:
    observed, _ = looks(preview_world(message), GRACE[message.row])

    assert failed(observed)
    assert not blamed_on_the_input(observed)


@those("counted")
def test_of_a_preview_the_tries_are_counted(message: Message) -> None:
    observed, _ = looks(preview_world(message), 10)

    assert (observed.run.preview_attempt, observed.run.preview_disruptions) == (2, None)


@pytest.mark.parametrize("make", [job_world, preview_world], ids=["job", "preview"])
def test_what_the_cluster_does_again_and_again_has_an_end(make: Callable[[Message], Observed]) -> None:
    device = next(message for message in MESSAGES if message.row == "device")
    observed = make(device)
    run = {"disruptions": 20, "preview_disruptions": 20}
    status = observed.status.model_copy(update={"run": observed.run.model_copy(update=run)})
    over, _ = looks(replace(observed, status=status), 0)

    assert failed(over)
    assert told(over, ConditionType.SUCCEEDED)[1] == "DISRUPTED_TOO_OFTEN"
    assert device.message in told(over, ConditionType.SUCCEEDED)[2]


def test_a_trouble_that_went_meanwhile_begins_anew() -> None:
    missing = next(message for message in MESSAGES if message.row == "image-missing")
    away = next(message for message in MESSAGES if message.row == "registry")
    seen, _ = looks(job_world(missing), GRACE["image-missing"] - 10)

    assert seen.run.trouble == "image-missing"

    other = job_world(away)
    between, _ = looks(job_at(seen, other), 0)

    assert between.run.trouble is None

    again, _ = looks(job_at(between, job_world(missing)), 0)

    assert not failed(again)


def test_a_pause_between_two_pulls_is_no_other_trouble() -> None:
    missing = next(message for message in MESSAGES if message.row == "image-missing")
    pause = next(message for message in MESSAGES if message.row == "image-backoff")
    seen, _ = looks(job_world(missing), 0)
    paused, _ = looks(job_at(seen, job_world(pause)), GRACE["image-missing"] + 60)

    assert not failed(paused)
    assert paused.run.trouble == "image-missing"


def job_at(known: Observed, other: Observed) -> Observed:
    """The job as it is now, in another world."""
    return replace(other, status=known.status)
