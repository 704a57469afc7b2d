"""The two protocols of completion: click's own scripts, and kubectl's for its plugins.

kubectl runs `kubectl_complete-scoring` with the words of the line, the last one unfinished, and wants the offers
one a line, a tab before the description, and a directive of cobra's behind a colon on the last line.
"""

import sys
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

NO_FILES: Final = 4
FILES: Final = 0
"""cobra's directives: offer no files, or let the shell offer them."""


def script_for(command: click.Command, shell: str, program: str) -> str:
    """The script that a shell sources."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"{shell} is not known")
    return kind(command, {}, program, variable_of(program)).source()


def variable_of(program: str) -> str:
    """The environment variable by which those scripts ask."""
    return f"_{program.replace('-', '_').upper()}_COMPLETE"


class Kubectl(ShellComplete):
    """kubectl's protocol."""

    name = "kubectl"
    source_template = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The finished words and the unfinished one."""
        words = sys.argv[1:] or [""]
        return words[:-1], words[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """One offer."""
        about = " ".join((item.help or "").split())
        return f"{item.value}\t{about}" if about else str(item.value)

    def complete(self) -> str:
        """All offers and the directive."""
        offers = self.get_completions(*self.get_completion_args())
        files = any(item.type in ("file", "dir") for item in offers)
        lines = [self.format_completion(item) for item in offers if item.type == "plain"]
        return "\n".join([*lines, f":{FILES if files else NO_FILES}"])
