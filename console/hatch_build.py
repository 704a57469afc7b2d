"""Builds the console into the wheel, where it was not built before; needs PyPI and npm's registry, and no Node."""

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Console(BuildHookInterface[Any]):
    """What `pip install` of a checkout or an sdist runs. An image's context brings the built pages without sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless the pages are there, or whoever develops builds them himself (`make console`)."""
        root = Path(self.root)
        build = root / "console" / "build.sh"
        built = root / "api" / "playerscore_api" / "console_files" / "index.html"
        if version != "editable" and build.exists() and not built.exists():
            subprocess.run([str(build)], check=True)  # noqa: S603  # the project's own script
