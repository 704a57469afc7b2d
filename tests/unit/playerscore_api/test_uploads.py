"""How an upload is cut into parts, for every length that S3 takes."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playerscore_api.broker import StoredPart
from playerscore_api.uploads import MIB, MOST_PARTS, PART_BYTES, Place, declared_bytes


def place(size: int) -> Place:
    parts: Any = SimpleNamespace(broker=SimpleNamespace(bucket="bucket"))
    return Place(parts, "tenant-a", f"0123456789abcdef-{size}-a.mp4")


@given(st.integers(1, 5 * 2**40))
def test_the_parts_make_the_whole(size: int) -> None:
    upload = place(size)

    assert (
        sum(upload.length(number) for number in range(1, upload.count)) + upload.length(upload.count) == size
    )
    assert 1 <= upload.count <= MOST_PARTS
    assert 1 <= upload.length(upload.count) <= upload.part_bytes
    assert upload.part_bytes % MIB == 0


@pytest.mark.parametrize(
    ("size", "count", "last"),
    [
        (1, 1, 1),
        (PART_BYTES, 1, PART_BYTES),
        (PART_BYTES + 1, 2, 1),
        (10_000 * PART_BYTES, 10_000, PART_BYTES),
    ],
)
def test_the_edges(size: int, count: int, last: int) -> None:
    assert (place(size).count, place(size).length(count)) == (count, last)


def test_a_part_that_is_short_is_missing() -> None:
    upload = place(PART_BYTES + 3)

    assert upload.missing({}) == [1, 2]
    assert upload.missing({1: StoredPart("e", PART_BYTES - 1), 2: StoredPart("e", 3)}) == [1]
    assert upload.missing({1: StoredPart("e", PART_BYTES), 2: StoredPart("e", 3)}) == []


@pytest.mark.parametrize(
    ("key", "declared"),
    [("t/uploads/0123456789abcdef-12-a.mp4", 12), ("t/uploads/match.mp4", None), ("t/uploads/a-12-b", None)],
)
def test_the_name_says_how_long_it_should_be(key: str, declared: int | None) -> None:
    assert declared_bytes(key) == declared
