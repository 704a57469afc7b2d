"""Writes the pages of docs/ that are made of the code; `--check` fails when one of them is stale.

python docs/generate.py [--check]
"""

import difflib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import generate_cli
import generate_console
import generate_errors
import generate_faults
import generate_following
import generate_metrics
import generate_runtimes
import generate_settings
import generate_troubles

HERE = Path(__file__).parent
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "../console/src/catalogue.json": generate_console.page,
    "cli.md": generate_cli.page,
    "errors.md": generate_errors.page,
    "faults.md": generate_faults.page,
    "following.md": generate_following.page,
    "metrics.md": generate_metrics.page,
    "runtimes.md": generate_runtimes.page,
    "settings.md": generate_settings.page,
    "troubles.md": generate_troubles.page,
}


def main(arguments: list[str]) -> int:
    """Write every page, or with `--check` print how they differ and return 1 when one does."""
    stale = False
    for name, page in PAGES.items():
        path, text = HERE / name, page()
        if "--check" not in arguments:
            path.write_text(text)
            continue
        old = path.read_text() if path.exists() else ""
        stale |= old != text
        for line in difflib.unified_diff(old.splitlines(), text.splitlines(), name, "generated", lineterm=""):
            print(line)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
