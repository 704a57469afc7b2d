"""``python -m playerscore_clips --seed 7 --seconds 20 --out DIR``: render one clip with its truth."""

import argparse
import sys
import time
from pathlib import Path

from playerscore_clips.match import ClipSettings, render_clip
from playerscore_clips.scenes import SCENES, render_scene


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.scene is not None:
        clip = render_scene(options.scene, options.seed, options.out, _Bar())
        print(f"{clip.video}\n{clip.truth}")
        return 0
    width, _, height = options.size.partition("x")
    try:
        settings = ClipSettings(
            seed=options.seed,
            seconds=options.seconds,
            fps=options.fps,
            width=int(width),
            height=int(height),
            person_px=options.person_px,
            leaves=options.leaves,
        )
    except ValueError as error:
        print(f"playerscore_clips: {error}", file=sys.stderr)
        return 2
    clip = render_clip(settings, options.out, _Bar())
    print(f"{clip.video}\n{clip.truth}")
    return 0


def _parser() -> argparse.ArgumentParser:
    default = ClipSettings()
    parser = argparse.ArgumentParser(prog="playerscore_clips", description="Render a match-like clip.")
    parser.add_argument("--seed", type=int, default=default.seed, help="which match (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="default %(default)s")
    parser.add_argument("--fps", type=int, default=default.fps, help="default %(default)s")
    parser.add_argument("--size", default=f"{default.width}x{default.height}", help="default %(default)s")
    parser.add_argument("--person-px", type=float, default=default.person_px,
                        help="height of a person in the middle of the pitch (default %(default)s)")  # fmt: skip
    parser.add_argument("--leaves", action="store_true", help="one player walks out of the picture for good")
    parser.add_argument("--scene", choices=SCENES, help="a hard scene instead; only --seed and --out matter")
    parser.add_argument("--out", type=Path, default=Path("out/clips"), help="folder (default %(default)s)")
    return parser


class _Bar:
    """A progress line with an estimate; quiet where nobody looks at a terminal."""

    def __init__(self) -> None:
        self._began, self._shown = time.monotonic(), 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or (done < total and now - self._shown < 0.2):
            return
        self._shown = now
        left = (now - self._began) / done * (total - done)
        filled = 30 * done // total
        bar = "#" * filled + "." * (30 - filled)
        end = "\n" if done == total else ""
        print(f"\rframe {done}/{total} [{bar}] {left:4.0f} s left", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
