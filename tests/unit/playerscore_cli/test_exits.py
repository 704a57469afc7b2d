"""One exit code for each error code, the same for ever; and whatever can be typed is documented."""

import subprocess
import sys

import click
import generate_cli
import pytest

from controlplane import ROOT
from playerscore.errors import CATALOGUE, PlayerscoreError
from playerscore_cli import exits, output
from playerscore_cli.app import COMMANDS, app


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("CLUSTER_UNAVAILABLE", exits.MACHINE),
        ("STORE_UNAVAILABLE", exits.MACHINE),
        ("TOO_MANY_REQUESTS", exits.MACHINE),
        ("INTERNAL", exits.MACHINE),
        ("NEVER_HEARD_OF", exits.MACHINE),
        ("USAGE", exits.USAGE),
        ("NOT_READY", exits.REFUSED),
        ("TARGET_MISMATCH", exits.REFUSED),
        ("PREVIEW_NOT_READY", exits.REFUSED),
        ("JOB_RUNNING", exits.REFUSED),
        ("JOB_FINISHED", exits.REFUSED),
        ("INVALID", exits.REFUSED),
        ("CONFLICT", exits.REFUSED),
        ("JOB_NOT_FOUND", exits.NOT_FOUND),
        ("FRAME_NOT_FOUND", exits.NOT_FOUND),
        ("TRACK_NOT_FOUND", exits.NOT_FOUND),
        ("TIMED_OUT", exits.TIMED_OUT),
        ("FORBIDDEN", exits.NOT_ALLOWED),
        ("UNAUTHENTICATED", exits.NOT_ALLOWED),
    ],
)
def test_codes_that_scripts_rely_on(code: str, wanted: int) -> None:
    assert exits.exit_code(PlayerscoreError(code, "")) == wanted


def test_a_failed_job_is_told_from_a_refusal() -> None:
    assert exits.exit_code(exits.JobFailedError("VIDEO_TRUNCATED", "")) == exits.JOB_FAILED
    assert exits.exit_code(PlayerscoreError("VIDEO_TRUNCATED", "")) == exits.REFUSED


def test_the_reference_is_what_the_code_says() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs" / "cli.md").read_text() == generate_cli.page()


def test_every_command_option_and_exit_code_is_documented() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    for name in COMMANDS:
        section = text.split(f"### {name}\n")[1].split("\n### ")[0]
        for parameter in command(name).params:
            for spelling in [*parameter.opts, *parameter.secondary_opts]:
                assert spelling in section or isinstance(parameter, click.Argument), (name, spelling)
    for code in exits.MEANINGS:
        assert f"| {code} |" in text
    for error in [*CATALOGUE, *exits.OWN_CODES]:
        assert f"| `{error}` | {exits.of_code(error)} |" in text


def command(name: str) -> click.Command:
    found = app.get_command(click.Context(app), name)  # type: ignore[attr-defined]  # it is a group
    assert found
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_says_what_the_list_says(name: str) -> None:
    """The list of commands stands apart, so that --help imports none of them."""
    assert (command(name).help or "").split("\n\n")[0].replace("\n", " ") == COMMANDS[name].line
    assert all(
        getattr(option, "help", "") or isinstance(option, click.Argument) for option in command(name).params
    )


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        (["get", "-o", "json"], "json"),
        (["get", "-ojson"], "json"),
        (["get", "-o=json"], "json"),
        (["get", "--output=yaml", "x"], "yaml"),
        (["show", "x", "--output-file", "json"], None),
        (["artifacts", "x", "--output-dir=json"], None),
        (["get", "-o"], None),
        ([], None),
    ],
)
def test_the_wanted_format_is_known_even_of_a_wrong_line(arguments: list[str], form: str | None) -> None:
    assert output.wanted_format(arguments) == form


def test_columns_stand_under_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    widths = output.print_rows([["NAME", "AGE"], ["final", "5m"]])
    output.print_rows([["x", "1s"]], widths)

    assert capsys.readouterr().out == "NAME    AGE\nfinal   5m\nx       1s\n"


def test_nothing_slow_is_imported_for_help_and_get() -> None:
    """What `--help` and `get` need: neither models nor pictures."""
    code = (
        "import sys, playerscore_cli.app, playerscore_cli.commands.objects\n"
        "print([name for name in ('pydantic', 'PIL', 'rich', 'textual_image', 'numpy', 'kubernetes') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)

    assert done.stdout == "[]\n"
