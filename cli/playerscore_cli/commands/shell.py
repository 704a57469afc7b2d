"""completion: what a shell needs to complete at TAB."""

from typing import Final

import click

from playerscore_cli.completion import script_for

PROGRAMS: Final = ("playerscore", "kubectl-scoring")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes `playerscore` in bash, zsh or fish.

    For bash: source <(playerscore completion bash). `kubectl scoring` needs none of it: kubectl's own completion
    calls kubectl_complete-scoring, which is installed beside kubectl-scoring.
    """
    for program in PROGRAMS:
        click.echo(script_for(ctx.find_root().command, shell, program))
