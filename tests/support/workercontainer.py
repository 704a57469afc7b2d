"""The container that works, as a process of its own: in a module that such a process can import."""

import os
import sys

from playerscore_worker import verbs


def analyze(settings: dict[str, str]) -> None:
    """What `python -m playerscore_worker analyze` does with these environment variables."""
    os.environ.update(settings)
    sys.exit(verbs.main(["analyze"]))
