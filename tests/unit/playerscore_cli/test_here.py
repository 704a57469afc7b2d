"""`playerscore run` reads the detector of a ScoringRuntime's file, or says what is wrong with the file."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from playerscore_cli.commands.here import run


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "expected"),
        ("kind: ScoringJob", "Input should be 'ScoringRuntime'"),
        ("", "Input should be a valid dictionary"),
    ],
    ids=["no YAML", "another kind", "nothing"],
)
def test_a_file_that_is_no_runtime_is_a_wrong_use(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "runtime.yaml").write_text(text)
    (tmp_path / "match.mp4").write_bytes(b"")

    done = CliRunner().invoke(run, [str(tmp_path / "match.mp4"), "--runtime", str(tmp_path / "runtime.yaml")])

    assert (done.exit_code, words in done.output) == (2, True), done.output


@pytest.mark.parametrize(
    "given", [["--player", "3"], ["--anchor", "1=absent"], ["--at", "5", "--box", "0,0,0.1,0.1"]]
)
def test_what_is_said_on_the_pages_is_not_said_before(tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "match.mp4").write_bytes(b"")
    out = tmp_path / "out"
    done = CliRunner().invoke(run, [str(tmp_path / "match.mp4"), "--console", "--out", str(out), *given])

    assert done.exit_code == 2
    assert f"with --console leave out {given[0]}" in done.output
    assert not out.exists()
