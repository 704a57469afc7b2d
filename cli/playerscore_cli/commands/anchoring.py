"""anchor: a person's word about further moments of the video."""

import re
from typing import Final

import click
from pydantic import ValidationError

from playerscore import anchors, flow
from playerscore.errors import FlowError
from playerscore.resources import Anchor, ScoringJob
from playerscore_cli import options
from playerscore_cli.cluster import Cluster
from playerscore_cli.commands.steps import box_of, step
from playerscore_cli.options import DryRun
from playerscore_cli.output import Format

TIME: Final = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


@click.command()
@options.name_argument
@click.option("--at", metavar="TIME", help="The moment, as 1:03:20.5, 63:20.5 or seconds.")
@click.option("--box", metavar="X,Y,W,H", help="Where he is then, in 0..1, x and y at the top left.")
@click.option("--absent", is_flag=True, help="He is not in the picture then.")
@click.option("--clear", is_flag=True, help="Take all anchors back.")
@options.dry_run_option
@options.object_output
@options.cluster_options
def anchor(
    cluster: Cluster,
    name: str,
    at: str | None,
    box: str | None,
    absent: bool,
    clear: bool,
    dry_run: DryRun,
    form: Format,
) -> None:
    """Say where the player is at another moment, or that he is not in the picture.

    What was said of the same time is replaced.
    """
    if clear + absent + (box is not None) != 1 or clear == (at is not None):
        raise click.UsageError("--at with --box or --absent is needed, or --clear")
    given = [] if clear else [_made(at or "", box)]

    def judge(job: ScoringJob) -> flow.Change:
        add = flow.set_anchors if clear else flow.add_anchors
        return add(job.spec, job.status, given)

    step(cluster, name, judge, form, dry_run)


def read(text: str) -> Anchor:
    """`63:20=0.4,0.3,0.03,0.1` or `63:20=absent`. Raises FlowError INVALID."""
    time, _, where = text.partition("=")
    return _made(time, None if where == "absent" else where)


def _made(time: str, box: str | None) -> Anchor:
    """An anchor; without a box he is absent."""
    try:
        return Anchor(
            time_sec=seconds(time), bbox=box_of(box) if box is not None else None, absent=box is None or None
        )
    except ValidationError as error:
        why = f"{time} is not within a day"
        raise FlowError("INVALID", why, field=f"{anchors.FIELD}.time_sec") from error


def seconds(text: str) -> float:
    """Seconds of `1:03:20.5`, `63:20.5` or `3800.5`. Raises FlowError INVALID.

    >>> seconds("63:20")
    3800.0
    """
    found = TIME.fullmatch(text)
    if not found:
        why = f"a time is 1:03:20.5, 63:20.5 or seconds, not {text!r}"
        raise FlowError("INVALID", why, field=f"{anchors.FIELD}.time_sec")
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + rest
