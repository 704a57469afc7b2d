"""Makes the archives that krew installs, and the manifest with their digests.

    python cli/krew/build.py [--out out/krew] [--platform linux/amd64]... [--python 3.11]...

An archive is a folder that runs where it lies: a launcher, LICENSE, and lib/ with the packages of `uv.lock`, those
that are the same for every Python once, the compiled ones for each. Wheels of other platforms are downloaded, never
built, so every archive can be made on one machine. The same sources give the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

UV: Final = os.environ.get("UV", "uv")
"""`uv run` says by this variable where it is itself, which need not be on the path."""
HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
PLATFORMS: Final = {
    "linux/amd64": "x86_64-manylinux_2_28",
    "linux/arm64": "aarch64-manylinux_2_28",
    "darwin/amd64": "x86_64-apple-darwin",
    "darwin/arm64": "aarch64-apple-darwin",
}
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
OURS: Final = ("playerscore", "playerscore_cli")
"""What of the distribution the plugin is made of; the other programs stay out."""
PROGRAMS: Final = ("kubectl-scoring", "kubectl_complete-scoring")


def main() -> None:
    """Build what was asked for and print the paths."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "krew")
    parser.add_argument("--platform", action="append", choices=list(PLATFORMS))
    parser.add_argument("--python", action="append", choices=list(PYTHONS))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    digests = {}
    for platform in asked.platform or PLATFORMS:
        print(f"building for {platform}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as work:
            folder = _folder(Path(work), platform, asked.python or PYTHONS)
            archive = asked.out / f"kubectl-scoring_{platform.replace('/', '_')}.tar.gz"
            archive.write_bytes(packed(folder))
        digests[platform] = hashlib.sha256(archive.read_bytes()).hexdigest()
        print(archive)
    manifest = asked.out / "scoring.yaml"
    manifest.write_text(filled((HERE / "scoring.yaml").read_text(), digests))
    print(manifest)


def filled(template: str, digests: dict[str, str]) -> str:
    """The manifest for the platforms that have a digest."""
    manifest: dict[str, Any] = yaml.safe_load(template)
    platforms = {_name(item): item for item in manifest["spec"]["platforms"]}
    manifest["spec"]["platforms"] = [
        platforms[platform] | {"sha256": digest} for platform, digest in digests.items()
    ]
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=110)


class _Dumper(yaml.SafeDumper):
    """Keeps paragraphs readable."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def packed(folder: Path) -> bytes:
    """The folder as .tar.gz: the same bytes for the same content, whoever packs it and when."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                item = tarfile.TarInfo(str(path.relative_to(folder)))
                item.size, item.mode = path.stat().st_size, 0o755 if path.parent == folder else 0o644
                with path.open("rb") as file:
                    archive.addfile(item, file)
    return gzip.compress(content.getvalue(), mtime=0)


def _name(item: dict[str, Any]) -> str:
    labels = item["selector"]["matchLabels"]
    return f"{labels['os']}/{labels['arch']}"


def _folder(work: Path, platform: str, pythons: list[str]) -> Path:
    """Everything that goes into one archive."""
    folder = work / "archive"
    lib = folder / "lib"
    for python in pythons:
        _install(work, lib / python, platform, python)
    _share([lib / python for python in pythons], lib / "common")
    shutil.copy(HERE / "start.py", lib)
    shutil.copy(ROOT / "LICENSE", folder)
    for program in PROGRAMS:
        shutil.copy(HERE / "launcher.sh", folder / program)
    return folder


def _install(work: Path, target: Path, platform: str, python: str) -> None:
    """The locked packages of the command line, and of our own what it needs."""
    wanted = work / "requirements.txt"
    if not wanted.exists():
        wanted.write_text(_output(UV, "export", "--frozen", "--no-dev", "--extra=cli", "--no-emit-project"))
        _output(UV, "build", "--wheel", f"--out-dir={work}")
    where = [f"--target={target}", f"--python-version={python}", f"--python-platform={PLATFORMS[platform]}"]
    install = [UV, "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", *where]
    _output(*install, "--require-hashes", "-r", str(wanted))
    _output(*install, str(next(work.glob("*.whl"))))
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
    for path in target.iterdir():
        if path.name.startswith("playerscore") and path.name not in OURS and path.suffix != ".dist-info":
            shutil.rmtree(path)
    for path in target.glob("*.dist-info/*"):
        if path.name not in ("METADATA", "licenses"):  # the rest says how it was installed, and differs
            path.unlink() if path.is_file() else shutil.rmtree(path)


def _output(*command: str) -> str:
    done = subprocess.run(  # noqa: S603  # uv, with the arguments above
        command, cwd=ROOT, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def _share(folders: list[Path], common: Path) -> None:
    """Move what is the same for every Python; a package moves as a whole or not at all."""
    common.mkdir()
    first, *others = folders
    for path in sorted(first.iterdir()):
        rest = [folder / path.name for folder in others]
        if _is_compiled(path) or any(_content(path) != _content(other) for other in rest):
            continue
        path.rename(common / path.name)
        for other in rest:
            shutil.rmtree(other) if other.is_dir() else other.unlink()


def _is_compiled(path: Path) -> bool:
    """Whether it holds libraries; those find each other by their places."""
    return any(".so" in file.suffixes or file.suffix == ".dylib" for file in path.rglob("*"))


def _content(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): _digest(file) for file in _files(path)}


def _files(path: Path) -> Iterator[Path]:
    return iter([path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file()))


def _digest(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()


if __name__ == "__main__":
    main()
