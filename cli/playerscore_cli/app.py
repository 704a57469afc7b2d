"""`playerscore`, also `kubectl scoring`: every step of the flow, with the user's kubeconfig.

click, because its options are decorators that many commands share, its commands can be imported one by one, and
its completion can be asked in kubectl's protocol; typer, which is made of it, adds to the start and hides these.
The commands' first lines stand here, so that `--help` imports none of them; a test compares.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn

import click
from click.shell_completion import CompletionItem, shell_complete

from playerscore.errors import PlayerscoreError
from playerscore_cli import completion, exits, options, output


class Entry(NamedTuple):
    """A command: where it is, and the first line of its help."""

    module: str
    line: str


SECTIONS: Final[dict[str, dict[str, Entry]]] = {
    "The flow": {
        "create": Entry("objects", "Create a draft; its preview is made at once."),
        "preview": Entry("steps", "Look elsewhere: add preview frames at other times of the video."),
        "pick": Entry("steps", "Choose the player; drafts the target."),
        "confirm": Entry("steps", "Confirm where the player is."),
        "anchor": Entry(
            "anchoring", "Say where the player is at another moment, or that he is not in the picture."
        ),
        "pitch": Entry(
            "pitching", "Say where the pitch is in the picture, so that the score rests on metres."
        ),
        "enqueue": Entry("steps", "Hand jobs over to be analysed; resumes paused ones."),
        "pause": Entry("steps", "Stop the attempt, or take the enqueue back."),
        "delete": Entry("objects", "Delete jobs and everything that runs for them."),
    },
    "Look and wait": {
        "get": Entry(
            "objects", "One job, several, or all of the namespace, in the columns that kubectl shows."
        ),
        "show": Entry("seeing", "The preview to pick from, or the result, as a picture."),
        "result": Entry("seeing", "The result alone."),
        "review": Entry(
            "reviewing",
            "The moments of a result that are worth a look, the one first whose answer would change most.",
        ),
        "refine": Entry(
            "reviewing",
            "Answer moments of a review, and analyse again what the answers touch, as a new job.",
        ),
        "wait": Entry("following", "Wait for jobs; the exit code tells how it ended."),
        "watch": Entry(
            "following",
            "Follow a job to its end, and show the result; with -o json, a line for each of its states.",
        ),
        "events": Entry(
            "following", "What happened to a job: its conditions and its Kubernetes Events, oldest first."
        ),
    },
    "Files, through the REST API": {
        "upload": Entry("storing", "Put a video into the store; prints its uri for `create --video`."),
        "artifacts": Entry(
            "storing", "The files that an analysis made: lists them, or downloads them with --output-dir."
        ),
    },
    "In a browser": {
        "console": Entry(
            "opening",
            "Open the console in a browser, signed in; stays until Ctrl-C while it forwards a port.",
        ),
    },
    "Without a cluster": {
        "run": Entry("here", "The whole flow on this machine, without a cluster."),
        "explain": Entry("explaining", "Why the path goes where it goes: every encounter, loss and finding."),
        "clip": Entry("here", "Render a match-like clip to try things with."),
        "completion": Entry("shell", "Print the script that completes `playerscore` in bash, zsh or fish."),
    },
}
COMMANDS: Final = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class Commands(click.Group):
    """The commands, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return it."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"playerscore_cli.commands.{COMMANDS[cmd_name].module}")
        found: click.Command = getattr(module, cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The names and first lines, by section, and the exit codes."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.line) for name, entry in section.items()])
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in exits.MEANINGS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Names of commands without importing them."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=entry.line)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]


SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=Commands, context_settings=SETTINGS)
@click.version_option(package_name="playerscore", prog_name="playerscore")
@options.place_options
def app(**place: Any) -> None:
    """Score one football player from match video.

    Every step of the flow, with your own kubeconfig; `kubectl scoring` is the same program. Each command says
    more with --help.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point: errors become a line, or a body, and an exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    program = os.path.basename(sys.argv[0])
    program = program if program in ("playerscore", "kubectl-scoring") else "playerscore"
    try:
        code = _run(arguments, program)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads is gone; Python would complain once more as it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exits.BROKEN_PIPE
    except KeyboardInterrupt:
        code = exits.INTERRUPTED
    sys.exit(code)


def complete_for_kubectl() -> None:
    """The entry point `kubectl_complete-scoring`."""
    click.echo(completion.Kubectl(app, {}, "kubectl scoring", "").complete())


def _run(arguments: list[str], program: str) -> int:
    """As click's own `main`, which would end a broken pipe with 1."""
    form = output.wanted_format(arguments)
    variable = completion.variable_of(program)
    if asked := os.environ.get(variable):
        return shell_complete(app, {}, program, variable, asked)
    try:
        with app.make_context(
            "kubectl scoring" if program == "kubectl-scoring" else program, arguments
        ) as ctx:
            app.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.Abort:
        return exits.INTERRUPTED
    except click.ClickException as error:
        return _misused(error, form)
    except PlayerscoreError as error:
        output.print_error(error, form)
        return exits.exit_code(error)
    return exits.DONE


def _misused(error: click.ClickException, form: str | None) -> int:
    if form in (output.Format.JSON, output.Format.YAML):
        output.print_error(PlayerscoreError("USAGE", error.format_message()), form)
    else:
        error.show()
    return exits.USAGE
