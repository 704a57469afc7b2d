"""The table of faults has all its rows, and what is no row is found."""

from pathlib import Path

import generate_faults
import pytest
from generate_faults import rows

PROMISE = '"""It breaks.\n\nPromise: it mends."""\n'


def test_there_are_thirty_rows() -> None:
    assert [row.number for row in rows()] == [f"{number:02}" for number in range(1, 31)]


def test_every_row_says_its_fault_and_its_promise_in_a_sentence() -> None:
    for row in rows():
        assert row.fault.endswith("."), row.path.name
        assert row.promise.endswith("."), row.path.name


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param({"test_outage.py": PROMISE}, "no row's number", id="without a number"),
        pytest.param({"test_01_outage.py": '"""It breaks."""\n'}, "Promise: ", id="without a promise"),
        pytest.param(
            {"test_01_outage.py": PROMISE, "test_01_other.py": PROMISE}, "row 01 is", id="a number twice"
        ),
    ],
)
def test_what_is_no_row_ends_it(
    files: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(generate_faults, "TESTS", tmp_path)
    with pytest.raises(SystemExit, match=words):
        rows()
