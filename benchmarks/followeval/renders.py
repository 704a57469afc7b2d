"""Rendered scenes, kept outside the checkout: a clip is drawn again only when the code that draws it has changed.

`python -m followeval.renders NAME SEED FOLDER` draws one.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from playerscore_clips import scenes
from playerscore_clips.match import Clip


def rendered(name: str, seed: int, cache: Path) -> Clip:
    """The clip of a scene, drawn now or earlier."""
    folder = cache / "following" / "clips" / _code_digest()
    clip = Clip(folder / f"{name}-{seed}.mp4", folder / f"{name}-{seed}.truth.json.gz")
    if not clip.truth.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            command = [sys.executable, "-m", __name__, name, str(seed), unfinished]
            subprocess.run(command, check=True, cwd=Path(__file__).parents[1])
            for file in (clip.video, clip.truth):  # The truth last: where it is, the video is whole.
                (Path(unfinished) / file.name).rename(file)
    return clip


def _code_digest() -> str:
    """Of the modules that drawing a scene has imported, and of no others."""
    drawing = sorted(name for name in sys.modules if name.startswith(f"{scenes.__package__}."))
    code = [Path(str(sys.modules[name].__file__)).read_bytes() for name in drawing]
    return hashlib.sha256(b"".join(code)).hexdigest()[:16]


if __name__ == "__main__":
    scenes.render_scene(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
