"""explain: the log of decisions of a finished analysis, from the folder that its files are in."""

from pathlib import Path

import click

from playerscore import names
from playerscore.decisions import Decision, DecisionLog
from playerscore_cli import console, files
from playerscore_cli import explaining as words


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--at", type=click.FloatRange(min=0), metavar="SECONDS", help="Only the decision nearest to a moment."
)
def explain(out: Path, at: float | None) -> None:
    """Why the path goes where it goes: every encounter, loss and finding.

    OUT is the folder of `run`, or the one into which `artifacts --output-dir` wrote; or the file itself.
    """
    file = out / names.DECISIONS_FILE if out.is_dir() else out
    log = read(file)
    shown = log.decisions if at is None else _nearest(log, at)
    console.out.print(
        f"confirmed at {log.confirmed_sec:.2f} s; looked at {log.begin_sec:.2f} to {log.end_sec:.2f} s; "
        f"{len(log.decisions)} decisions",
        markup=False,
    )
    if shown:
        console.print_decisions(shown, log)
    if any(decision.pictured for decision in shown):
        console.out.print(f"pictures: {file.with_name(names.DECISIONS_SHEET)}", markup=False)


def _nearest(log: DecisionLog, time_sec: float) -> list[Decision]:
    found = words.nearest(log, time_sec)
    return [] if found is None else [found]


def read(file: Path) -> DecisionLog:
    """The log. Raises PlayerscoreError: NOT_FOUND, INVALID."""
    return files.read(file, DecisionLog, "log of decisions")
