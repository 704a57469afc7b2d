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
