"""Writes clients/openapi.json, what the API says about itself; `--check` fails when it is stale."""

import difflib
import json
import sys
from pathlib import Path

from playerscore_api.app import build
from playerscore_api.settings import Settings

FILE = Path(__file__).parent / "openapi.json"


def text() -> str:
    """The document of an API with default settings; it opens no connection."""
    settings = Settings(store_endpoint="http://store", store_access_key="-", store_secret_key="-")  # noqa: S106  # none
    return json.dumps(build(settings).openapi(), indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` print how it differs and return 1."""
    new = text()
    if "--check" not in arguments:
        FILE.write_text(new)
        return 0
    old = FILE.read_text() if FILE.exists() else ""
    difference = difflib.unified_diff(old.splitlines(), new.splitlines(), str(FILE), "generated", lineterm="")
    print("\n".join(difference), end="")
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
