"""Compiles what an image's programs import, while it is built: half of a container's start is that, otherwise.

    python bytecode.py FOLDER PACKAGE...

A pod's root is read-only and keeps no bytecode, and each of its containers, and each of the kubelet's probes in
them, would compile everything again. FOLDER gets the bytecode where it belongs below the root, to be laid over it:
of the standard library, the libraries and the programs, just of the modules that importing the packages brings. It
holds no times, so that the same sources give the same layer.
"""

import contextlib
import importlib
import pkgutil
import py_compile
import sys
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path


def load(package: str) -> None:
    """Imports all modules of a package; one whose library the image lacks is none of its programs'."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)


def sources() -> Iterator[Path]:
    """The Python files of all that is imported now."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if path and path.endswith(".py"):
            yield Path(path).resolve()


def main(folder: Path, packages: list[str]) -> None:
    for package in packages:
        load(package)
    for source in sorted(set(sources())):
        target = folder / Path(cache_from_source(str(source))).relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        py_compile.compile(
            str(source),
            cfile=str(target),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    size = sum(path.stat().st_size for path in folder.rglob("*.pyc"))
    print(f"bytecode of {', '.join(packages)}: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
