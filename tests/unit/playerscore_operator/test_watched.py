"""What is remembered of what the watches said: the newest of everything, once, and no more than is of use."""

from typing import Any

import pytest

from builders import make_preview, make_ready_spec, manifest
from playerscore_operator.observe import rests
from playerscore_operator.watched import Watched

Json = dict[str, Any]
KEY = ("default", "match-1")


def job(version: int, **status: Any) -> Json:
    metadata = {
        "name": KEY[1],
        "namespace": KEY[0],
        "uid": "u",
        "resourceVersion": str(version),
        "managedFields": [{"manager": "kubectl"}],
    }
    return {"metadata": metadata, "spec": manifest(make_ready_spec()), "status": status}


def child(version: int, name: str = "sj-u-1", **status: Any) -> Json:
    labels = {"playerscore.dev/job": KEY[1], "playerscore.dev/uid": "u", "job-name": name}
    metadata = {"name": name, "namespace": KEY[0], "uid": name, "labels": labels}
    return {"metadata": metadata | {"resourceVersion": str(version)}, "spec": {}, "status": status}


def test_an_event_that_is_older_or_known_says_nothing() -> None:
    watched = Watched()

    assert watched.job_event(job(5), deleted=False)
    assert not watched.job_event(job(5), deleted=False)
    assert not watched.job_event(job(4), deleted=False)
    assert watched.job_event(job(6), deleted=False)


def test_the_boxes_that_no_decision_reads_are_not_kept() -> None:
    watched = Watched()
    watched.job_event(job(5, preview=manifest(make_preview())), deleted=False)
    body = watched.body(KEY)

    assert body is not None
    assert [len(frame["tracks"]) for frame in body["status"]["preview"]["frames"]] == [1, 0, 0]
    assert "managedFields" not in body["metadata"]


def test_our_own_write_is_in_what_is_remembered_and_its_event_says_nothing() -> None:
    watched = Watched()
    watched.job_event(job(5, run={"attempt": 1, "node": "a"}), deleted=False)
    watched.written(job(8), {"run": {"attempt": 2, "node": None}}, keep=True)
    body = watched.body(KEY)

    assert body is not None
    assert body["status"] == {"run": {"attempt": 2}}
    assert body["metadata"]["resourceVersion"] == "8"
    assert not watched.job_event(job(8), deleted=False)


def test_what_came_after_our_write_and_before_its_answer_stays() -> None:
    watched = Watched()
    watched.job_event(job(5), deleted=False)
    watched.job_event(job(9, progress={"percent": 7}), deleted=False)
    watched.written(job(8), {"progress": {"percent": None}}, keep=True)
    body = watched.body(KEY)

    assert body is not None
    assert (body["metadata"]["resourceVersion"], body["status"]["progress"]) == ("9", {"percent": 7})


def test_an_answer_that_a_watch_has_overtaken_is_not_the_newest() -> None:
    """A pause came while the job was read: judged by the older answer, it would be lost."""
    watched = Watched()
    watched.job_event(job(11, progress={"percent": 7}), deleted=False)

    assert watched.read(job(10))["metadata"]["resourceVersion"] == "11"
    assert watched.read(job(12))["metadata"]["resourceVersion"] == "12"
    newest = watched.body(KEY)
    assert newest is not None
    assert newest["metadata"]["resourceVersion"] == "12"


def test_a_job_that_rests_is_not_remembered() -> None:
    watched = Watched()
    watched.job_event(job(5), deleted=False)
    watched.written(job(8), {}, keep=False)

    assert watched.body(KEY) is None


def test_children_are_known_until_they_are_deleted_or_their_job_has_ended() -> None:
    watched = Watched()

    assert watched.child_event("jobs", child(3), deleted=False) == KEY
    assert watched.child_event("jobs", child(3), deleted=False) is None
    assert [item["metadata"]["name"] for item in watched.children("u")[0]] == ["sj-u-1"]

    assert watched.child_event("jobs", child(4), deleted=True) == KEY
    assert watched.children("u") == ([], [])

    watched.child_event("pods", child(6, "sj-u-1-x"), deleted=False)
    watched.release("u")
    assert watched.children("u") == ([], [])


def test_a_listing_finds_new_changed_and_deleted_children_once() -> None:
    watched = Watched()
    watched.child_event("jobs", child(3, "sj-u-1"), deleted=False)
    watched.child_event("jobs", child(4, "sj-u-p1"), deleted=False)
    listed = [(("jobs", "default", "sj-u-1"), 9, KEY)]

    assert watched.missed("jobs", listed) == {KEY}
    assert watched.missed("jobs", listed) == set()
    assert [item["metadata"]["name"] for item in watched.children("u")[0]] == ["sj-u-1"]


def test_a_listing_without_a_job_forgets_it() -> None:
    watched = Watched()
    watched.job_event(job(5), deleted=False)

    assert watched.missed("scoringjobs", []) == set()
    assert watched.body(KEY) is None


def test_a_change_of_a_child_that_no_decision_reads_says_nothing() -> None:
    watched = Watched()

    assert watched.child_event("jobs", child(5, active=1), deleted=False) == KEY
    assert watched.child_event("jobs", child(6, active=1, ready=0), deleted=False) is None
    started = child(7, active=1, startTime="2026-05-01T12:00:00Z")
    assert watched.child_event("jobs", started, deleted=False) == KEY
    assert not watched.missed("jobs", [(("jobs", KEY[0], "sj-u-1"), 7, KEY)])


def test_a_child_that_only_a_listing_told_of_is_doubted_until_its_event_brings_it() -> None:
    """A watch that was away brings it late, and the version that the listing told is still news then."""
    watched = Watched()
    watched.child_event("jobs", child(3), deleted=False)
    watched.missed("jobs", [(("jobs", "default", "sj-u-1"), 9, KEY)])

    assert watched.doubted(KEY)
    assert watched.child_event("jobs", child(5, startTime="x"), deleted=False) == KEY
    assert watched.doubted(KEY), "it is not the one that was told"

    ended = child(9, conditions=[{"type": "Complete", "status": "True"}])
    assert watched.child_event("jobs", ended, deleted=False) == KEY
    assert not watched.doubted(KEY)
    assert watched.children("u")[0][0]["status"] == ended["status"]


def test_a_doubt_ends_with_the_child_or_its_job() -> None:
    watched = Watched()
    told = [(("pods", "default", "sj-u-1-x"), 9, KEY)]

    watched.missed("pods", told)
    assert watched.missed("jobs", []) == set()
    assert watched.missed("pods", []) == {KEY}, "gone before any event"
    assert not watched.doubted(KEY)

    watched.missed("pods", told)
    watched.child_event("pods", child(12, "sj-u-1-x"), deleted=True)
    assert not watched.doubted(KEY)

    watched.missed("pods", told)
    watched.job_event(job(13), deleted=True)
    assert not watched.doubted(KEY)


def test_a_child_that_went_does_not_come_back_by_old_news() -> None:
    watched = Watched()
    watched.child_event("pods", child(3, "sj-u-1-x"), deleted=False)
    watched.child_event("pods", child(9, "sj-u-1-x"), deleted=True)

    assert watched.child_event("pods", child(3, "sj-u-1-x"), deleted=False) is None
    assert watched.child_event("pods", child(7, "sj-u-1-x"), deleted=False) is None
    assert watched.children("u") == ([], [])
    assert watched.missed("pods", []) == set()


def test_only_the_last_thousand_that_went_are_remembered() -> None:
    watched = Watched()
    for number in range(1001):
        watched.child_event("pods", child(number + 10, f"sj-u-1-{number}"), deleted=True)

    assert watched.child_event("pods", child(5, "sj-u-1-0"), deleted=False) == KEY
    assert watched.child_event("pods", child(5, "sj-u-1-1"), deleted=False) is None


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {"preview": {}, "run": {"previewAttempt": 1}}, True),
        ({"preview": {"disabled": True}}, {}, True),
        ({}, {}, False),
        ({"suspend": False}, {"preview": {}}, False),
        ({"suspend": True}, {"preview": {}, "run": {"attempt": 1}}, False),
        ({"suspend": False}, {"progress": {"step": "COMPLETED"}}, True),
    ],
    ids=["a draft", "a draft without a preview to come", "its preview comes", "enqueued", "paused", "ended"],
)
def test_a_job_rests_when_nobody_waits_for_what_a_change_of_it_brings(
    spec: Json, status: Json, expected: bool
) -> None:
    assert rests({"spec": spec, "status": status}) is expected


def test_the_reason_and_the_words_of_a_pod_that_a_kubelet_refused_are_kept() -> None:
    watched = Watched()
    refused = {"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected: no cpu"}
    watched.child_event("pods", child(5, "p", **refused), deleted=False)
    _, [pod] = watched.children("u")

    assert pod["status"] == refused
