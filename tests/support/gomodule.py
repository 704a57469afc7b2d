"""Where a pinned Go module's files lie: its definitions and charts, of the very version that is tested against."""

import subprocess
from pathlib import Path

from controlplane import ROOT, ensure_tools


def folder(group: str, module: str) -> Path:
    """The folder of a module that `cluster/gomod/<group>` requires; downloaded when it is not there."""
    go, own = str(ensure_tools("go") / "go"), ROOT / "cluster" / "gomod" / group
    subprocess.run([go, "mod", "download", module], cwd=own, check=True)
    listed = [go, "list", "-m", "-f", "{{.Dir}}", module]
    return Path(subprocess.run(listed, cwd=own, check=True, capture_output=True, text=True).stdout.strip())
