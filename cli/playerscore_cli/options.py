"""The options that several commands share, as decorators: spelt as kubectl spells them."""

import functools
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from playerscore.names import Step
from playerscore_cli import complete
from playerscore_cli.output import Format

Command = TypeVar("Command", bound=Callable[..., Any])

SECONDS_OF: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
MOMENT: Final = re.compile(r"(\d+:){0,2}\d+(\.\d+)?")


class DryRun(StrEnum):
    """How far a change goes."""

    NONE = "none"
    CLIENT = "client"
    SERVER = "server"

    @property
    def query(self) -> dict[str, str]:
        """What the API server is asked."""
        return {"dryRun": "All"} if self is DryRun.SERVER else {}

    @property
    def suffix(self) -> str:
        """What is said behind the outcome, in kubectl's words."""
        return {"none": "", "client": " (dry run)", "server": " (server dry run)"}[self.value]


class Duration(click.ParamType[float]):
    """Seconds, or a duration as Go spells it."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, 0 or more."""
        if isinstance(value, int | float):
            return float(value)
        parts = DURATION.findall(value)
        if parts and "".join(number + unit for number, unit in parts) == value:
            return sum(float(number) * SECONDS_OF[unit] for number, unit in parts)
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        return self.fail(f"{value!r} is no duration; for example 90, 30s, 1h30m", param, ctx)


class Moment(click.ParamType[float]):
    """A time of the video: seconds, or minutes and seconds as a player shows them."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds from the start of the video."""
        if isinstance(value, int | float):
            return float(value)
        if not MOMENT.fullmatch(value):
            return self.fail(f"{value!r} is no time; for example 3800, 63:20, 1:03:20.5", param, ctx)
        seconds = 0.0
        for part in value.split(":"):
            seconds = 60 * seconds + float(part)
        return seconds


class JobName(click.ParamType[str]):
    """A ScoringJob's name, also in the form that `-o name` prints."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name alone."""
        kind, slash, name = str(value).rpartition("/")
        if slash and kind not in ("sj", "scoringjob", "scoringjobs", "scoringjob.playerscore.dev"):
            return self.fail(f"{value!r} is no ScoringJob", param, ctx)
        if not name:
            return self.fail("a ScoringJob's name is needed", param, ctx)
        return name


def place_options(command: Command) -> Command:
    """-n, --context and --kubeconfig."""
    for decorate in (
        click.option(
            "--kubeconfig", metavar="FILE", type=click.Path(path_type=Path), help="Instead of KUBECONFIG."
        ),
        click.option(
            "--context",
            metavar="NAME",
            shell_complete=complete.contexts,
            help="The kubeconfig's current one by default.",
        ),
        click.option(
            "--namespace",
            "-n",
            metavar="NAME",
            shell_complete=complete.namespaces,
            help="The context's by default.",
        ),
    ):
        command = decorate(command)
    return command


def cluster_of(ctx: click.Context, everywhere: bool = False) -> Any:
    """The cluster that those three mean, before or behind the command's name."""
    from playerscore_cli.cluster import ALL, Cluster

    namespace, context, file = complete.place_of(ctx)
    return Cluster.open(ALL if everywhere else namespace, context, file)


def cluster_options(command: Command) -> Command:
    """Opens that cluster, as the first argument."""

    @place_options
    @click.pass_context
    def opened(ctx: click.Context, /, **given: Any) -> Any:
        rest = {key: value for key, value in given.items() if key not in complete.PLACES}
        return command(cluster_of(ctx, bool(given.get("all_namespaces"))), **rest)

    return functools.update_wrapper(opened, command)  # type: ignore[return-value]  # one argument less


def output_option(*forms: Format, default: Format | None = None) -> Callable[[Command], Command]:
    """-o with the formats that make sense there; text, the first, by default."""
    return click.option(
        "--output",
        "-o",
        "form",
        type=click.Choice([form.value for form in forms]),
        default=(default or forms[0]).value,
        show_default=True,
        callback=lambda ctx, param, value: Format(value),
        help="How it is printed.",
    )


object_output = output_option(Format.TEXT, Format.WIDE, Format.JSON, Format.YAML, Format.NAME)

dry_run_option = click.option(
    "--dry-run",
    type=click.Choice([item.value for item in DryRun]),
    default=DryRun.NONE.value,
    callback=lambda ctx, param, value: DryRun(value),
    help="client: judge and print, send nothing; server: judged by the API server too, not stored.",
)


def wait_options(until: str) -> Callable[[Command], Command]:
    """--wait and --timeout."""

    def decorate(command: Command) -> Command:
        command = click.option("--wait", is_flag=True, help=f"Come back only {until}.")(command)
        return timeout_option(command)

    return decorate


def timeout_option(command: Command) -> Command:
    """--timeout."""
    return click.option(
        "--timeout",
        type=Duration(),
        default=3600.0,
        show_default="1h",
        help="How long to wait at most: seconds, or like 90s, 5m, 1h30m.",
    )(command)


name_argument = click.argument("name", type=JobName(), metavar="NAME", shell_complete=complete.jobs)
names_argument = click.argument(
    "names", nargs=-1, type=JobName(), metavar="[NAME]...", shell_complete=complete.jobs
)


def selector_options(command: Command) -> Command:
    """-l and --field-selector."""
    for decorate in (
        click.option("--field-selector", metavar="QUERY", help="For example status.progress.step=FAILED."),
        click.option(
            "--selector", "-l", metavar="QUERY", help="By labels, for example team=first,season!=2025."
        ),
    ):
        command = decorate(command)
    return command


def filter_options(command: Command) -> Command:
    """--step, --player, --min-score and --max-score: what Kubernetes cannot select by."""
    score = click.IntRange(0, 100)
    for decorate in (
        click.option("--max-score", type=score, help="Only jobs with at most this score."),
        click.option("--min-score", type=score, help="Only jobs with at least this score."),
        click.option(
            "--player",
            metavar="ID|TEXT",
            help="The picked track_id, or a part of the displayName in any case.",
        ),
        click.option(
            "--step",
            "steps",
            multiple=True,
            type=click.Choice([step.value for step in Step]),
            help="Only jobs at this step; may be repeated.",
        ),
    ):
        command = decorate(command)
    return command


def query_of(selector: str | None, field_selector: str | None) -> dict[str, str]:
    """The selectors as the API server takes them."""
    found = {"labelSelector": selector, "fieldSelector": field_selector}
    return {key: value for key, value in found.items() if value}


frame_option = click.option(
    "--frame",
    metavar="NUMBER|KEY",
    shell_complete=complete.frames,
    help="A preview frame: its number, from 1, or its frame_key.",
)


def api_options(command: Command) -> Command:
    """--api and --token, for what lies in the store."""
    for decorate in (
        click.option(
            "--token",
            envvar="PLAYERSCORE_TOKEN",
            show_envvar=True,
            help="Bearer token for the REST API; the kubeconfig's own where it has one.",
        ),
        click.option(
            "--api",
            metavar="URL",
            envvar="PLAYERSCORE_API",
            show_envvar=True,
            help="Address of the REST API.",
        ),
    ):
        command = decorate(command)
    return command


picture_option = click.option(
    "--picture",
    type=click.Choice(["auto", "kitty", "sixel", "blocks", "outline", "none"]),
    default="auto",
    show_default=True,
    envvar="PLAYERSCORE_PICTURE",
    show_envvar=True,
    help="How pictures are drawn; auto asks the terminal, and draws none where there is no terminal.",
)


def frame_key_of(name: str, frame: str) -> str:
    """The frame_key that a person means by a number or a key."""
    from playerscore.names import frame_key

    return frame_key(name, int(frame)) if frame.isdecimal() else frame
