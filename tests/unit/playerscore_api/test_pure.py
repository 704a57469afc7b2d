"""The pure pieces: their examples, strict JSON, and what an event says."""

import contextlib
import doctest
import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_job, manifest
from playerscore.errors import PlayerscoreError
from playerscore_api import access, concurrency, events, forms, strict, warnings

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3, alphabet="abc"), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("module", [access, concurrency, warnings, strict])
def test_the_examples_in_the_docstrings_are_true(module: ModuleType) -> None:
    found = doctest.testmod(module)

    assert (found.failed, found.attempted > 0) == (0, True)


def test_a_job_whose_video_cannot_be_read_is_listed_with_all_the_rest() -> None:
    """One such job would else hide every other of its namespace."""
    body = manifest(make_job()) | {"spec": {"video": {"uri": "s3://a/b c"}, "displayName": "Number 9"}}
    body["metadata"] = {"name": "odd", "namespace": "default", "resourceVersion": "1"}
    found = forms.flat(body)

    assert (found.id, found.displayName) == ("odd", "Number 9")


@settings(deadline=None)
@given(VALUES)
def test_every_json_text_is_read_as_it_is(value: Any) -> None:
    assert strict.parse(json.dumps(value).encode()) == value


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(PlayerscoreError):
        strict.parse(body)


@settings(deadline=None)
@given(st.text())
def test_a_warning_is_one_header_line_and_reads_back(text: str) -> None:
    line = warnings.header(text)

    assert line.isprintable() or not line.isascii()
    assert "\n" not in line
    assert "\r" not in line
    assert len(warnings.told([line])) == 1


def stored(**changes: Any) -> dict[str, Any]:
    document = manifest(make_job())
    document["metadata"] |= {"resourceVersion": "7", "namespace": "default", "name": "match-1"}
    document.setdefault("status", {}).update(changes)
    return document


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"progress": {"percent": 5}}, ["percent", "job"]),
        ({"progress": {"message": "busy"}}, ["step", "job"]),
        ({"observedGeneration": 4}, []),
    ],
)
def test_a_change_is_told_by_what_it_changes(changes: dict[str, Any], kinds: list[str]) -> None:
    before, after = forms.flat(stored()), forms.flat(stored(**changes))
    told = events.differences(before, after)

    assert [event.event for event in told] == kinds
    assert [event.id for event in told[:-1]] == [None] * len(told[:-1])
