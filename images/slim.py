"""Takes out of an image's environment what no program of it can reach; run once, while it is built.

Only whole kinds of files are removed (tests, type stubs, bytecode) and a short list of folders, each with
its reason, so that an upgrade of a library cannot silently lose a part that is needed.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

# Pattern below site-packages, and why nothing misses it.
COMMON = {
    "**/__pycache__": "bytecode.py makes it, of what is imported alone",
    "**/tests": "libraries' own tests",
    "**/*.pyi": "for type checkers",
    "**/*.c": "sources of compiled modules",
    "**/*.cpp": "sources of compiled modules",
    "**/*.pyx": "sources of compiled modules",
    "**/*.pxd": "declarations for compiling against",
    "**/*.h": "headers for compiling against",
}
CONTROL_PLANE = {
    "kubernetes/client/models/v[0-9]*": "the blocking client's types; the programs use the asynchronous client",
    "botocore/data/*": "descriptions of every AWS service; the store is S3 alone",
}
KEEP = {
    "botocore/data": (
        "s3",
        "sts",
        "endpoints.json",
        "partitions.json",
        "sdk-default-configuration.json",
        "_retry.json",
    ),
}
WORKER = {
    "onnxruntime/capi/libonnxruntime.so*": "for programs in C; the Python module has it linked in",
    "matplotlib/mpl-data/sample_data": "pictures of the documentation",
}


def patterns(image: str) -> dict[str, str]:
    """What goes from the image called `image`."""
    return COMMON | (CONTROL_PLANE if image == "control-plane" else WORKER)


def doomed(packages: Path, image: str) -> Iterator[Path]:
    """The paths below `packages` to remove, parents before children."""
    for pattern in patterns(image):
        kept = KEEP.get(pattern.removesuffix("/*"), ())
        yield from (path for path in packages.glob(pattern) if path.name not in kept)


def remove(path: Path) -> None:
    """Removes a file or a folder; one that went with its parent is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size_mb(folder: Path) -> float:
    """What the files below `folder` take, in megabytes (10^6 bytes)."""
    return sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6


def main(environment: Path, image: str) -> None:
    before = size_mb(environment)
    for packages in environment.glob("lib/python3*/site-packages"):
        for path in list(doomed(packages, image)):
            remove(path)
    print(f"{image}: {before:.0f} MB of libraries, {size_mb(environment):.0f} MB after slimming")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
