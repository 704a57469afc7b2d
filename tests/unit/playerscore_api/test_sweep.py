"""What a sweep decides, for stores and clusters of every kind."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playerscore_api.sweep import Retention, Seen, Unfinished, decide, named_by

NOW = datetime(2026, 6, 1, tzinfo=UTC)
JOB = "tenant-a/3f0c7a52-6f7e-4a1c-9d3b-6c1f0e7a9b11/"
CHECKPOINTS = "tenant-a/checkpoints/3f0c7a52-6f7e-4a1c-9d3b-6c1f0e7a9b11/"
UPLOAD = "tenant-a/uploads/0123456789abcdef-1-a.mp4"
WEEK = Retention()


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize("item", [JOB, UPLOAD], ids=["a job's folder", "an upload"])
@pytest.mark.parametrize(
    ("named", "marked", "expected"),
    [
        (True, None, ""),
        (True, ago(100), "unmark"),
        (False, None, "mark"),
        (False, ago(6.99), ""),
        (False, ago(7), "remove"),
        (False, NOW + timedelta(days=1), ""),
    ],
    ids=[
        "named",
        "named again",
        "first seen to be unnamed",
        "not long enough",
        "long enough",
        "by a clock ahead",
    ],
)
def test_one_item(item: str, named: bool, marked: datetime | None, expected: str) -> None:
    seen = Seen({item}, {item: marked} if marked else {}, [])
    plan = decide(seen, {item} if named else set(), NOW, WEEK)._asdict()

    assert {what for what, found in plan.items() if found} == ({expected} if expected else set())


def test_a_mark_whose_item_is_gone_goes_too() -> None:
    """The sweep was killed between the two."""
    assert decide(Seen(set(), {JOB: ago(8)}, []), set(), NOW, WEEK).unmark == [JOB]


def test_the_retentions_are_their_own() -> None:
    retention = Retention(deleted_jobs_seconds=10, unused_uploads_seconds=20, unfinished_uploads_seconds=30)
    unfinished = [Unfinished("k", str(age), NOW - timedelta(seconds=age)) for age in (29, 30)]
    marks = {JOB: NOW - timedelta(seconds=15), UPLOAD: NOW - timedelta(seconds=15)}
    plan = decide(Seen({JOB, UPLOAD}, marks, unfinished), set(), NOW, retention)

    assert plan.remove == [JOB]
    assert [upload.id for upload in plan.abort] == ["30"]


def test_no_retention_removes_at_first_sight() -> None:
    plan = decide(Seen({JOB}, {}, []), set(), NOW, Retention(deleted_jobs_seconds=0))

    assert (plan.mark, plan.remove) == ([], [JOB])


ITEMS = st.sets(
    st.sampled_from([f"t/{number}/" for number in range(4)] + [f"t/uploads/{number}" for number in range(4)])
)


@given(
    items=ITEMS,
    named=ITEMS,
    marks=st.dictionaries(
        st.sampled_from([f"t/{number}/" for number in range(6)]), st.datetimes(timezones=st.just(UTC))
    ),
    days=st.integers(0, 30),
)
def test_what_is_named_never_goes_and_every_item_has_one_fate(
    items: set[str], named: set[str], marks: dict[str, datetime], days: int
) -> None:
    retention = Retention(deleted_jobs_seconds=days * 86_400, unused_uploads_seconds=days * 86_400)
    plan = decide(Seen(items, marks, []), named, NOW, retention)

    assert named.isdisjoint([*plan.remove, *plan.mark])
    assert set(plan.remove) <= items
    assert set(plan.mark).isdisjoint(plan.remove)
    assert set(plan.unmark) == marks.keys() - (items - named)


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        (f"s3://bucket/{UPLOAD}", {UPLOAD}),
        (f"s3://elsewhere/{UPLOAD}", set()),
        (f"https://bucket/{UPLOAD}", set()),
        (f"s3://bucket/{JOB}frames/frame_0001.jpg", set()),
        ("s3://bucket/tenant-a/uploads/../x", set()),
        ("s3://bucket/_weights/net.onnx", set()),
        ("nonsense", set()),
    ],
    ids=[
        "an upload",
        "another bucket",
        "another scheme",
        "a frame",
        "a climbing path",
        "weights",
        "nonsense",
    ],
)
def test_only_an_upload_of_this_bucket_is_named_by_a_uri(uri: str, named: set[str]) -> None:
    assert named_by([], [uri], "bucket") == named


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (None, {JOB, CHECKPOINTS}),
        ({}, {JOB, CHECKPOINTS}),
        ({"progress": {"step": "ANALYZING"}}, {JOB, CHECKPOINTS}),
        ({"progress": {"step": "COMPLETED"}}, {JOB}),
        ({"progress": {"step": "FAILED"}}, {JOB}),
    ],
)
def test_a_job_names_its_folder_and_its_checkpoints_until_it_has_ended(
    status: dict[str, Any] | None, named: set[str]
) -> None:
    namespace, uid, _ = JOB.split("/")
    job = {"metadata": {"namespace": namespace, "uid": uid}} | ({} if status is None else {"status": status})

    assert named_by([job], [], "bucket") == named


def test_checkpoints_that_nobody_needs_go_at_once() -> None:
    plan = decide(Seen({JOB, CHECKPOINTS}, {}, []), {JOB}, NOW, WEEK)

    assert (plan.mark, plan.remove) == ([], [CHECKPOINTS])
