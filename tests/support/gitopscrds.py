"""The definitions of Argo CD's and Flux' own kinds, from their published Go modules.

Nothing is built: each module's archive, checked against Go's checksum database, holds the CRDs that its release
installs.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from controlplane import ensure_tools

MODULES = {
    "github.com/argoproj/argo-cd/v3@v3.4.0": ("manifests/crds/application-crd.yaml",),
    "github.com/fluxcd/source-controller@v1.7.0": (
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    ),
    "github.com/fluxcd/kustomize-controller@v1.7.3": (
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    "github.com/fluxcd/helm-controller@v1.4.0": (
        "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",
    ),
}
"""Flux 2.7 and an Argo CD of the same time; 30 MB to download, once."""


def definitions() -> list[Path]:
    """The CRDs' files. Raises AssertionError with Go's words."""
    return [
        folder / name for module, names in MODULES.items() for folder in [_module(module)] for name in names
    ]


def _module(module: str) -> Path:
    """Where Go has unpacked a module."""
    go = ensure_tools("go") / "go"
    with tempfile.TemporaryDirectory() as outside:
        done = subprocess.run(
            [str(go), "mod", "download", "-json", module],
            cwd=outside,
            env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"},
            text=True,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(json.loads(done.stdout)["Dir"])
