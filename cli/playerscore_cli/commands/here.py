"""run, clip: on this machine, without a cluster; needs the extras `worker` and `clips`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import ValidationError

from playerscore import names
from playerscore.resources import (
    MAX_PARTS,
    Analysis,
    Detector,
    PreviewSettings,
    ScoringJobSpec,
    ScoringJobStatus,
    ScoringRuntime,
)
from playerscore_cli import console, options
from playerscore_cli.commands import anchoring, pitching
from playerscore_cli.commands.steps import box_of


@contextmanager
def extras(wanted: str = "cli, worker and clips") -> Iterator[None]:
    """Says how to get what an installation of the command line alone does not have."""
    try:
        yield
    except ImportError as error:
        text = f"this needs {error.name}; install playerscore with the extras {wanted}"
        raise click.UsageError(text) from error


@click.command()
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    default="clip",
    show_default=True,
    help="Folder for clip.mp4 and its ground truth.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another number, another match.")
@click.option("--seconds", type=click.FloatRange(min=1), default=12.0, show_default=True, help="Its length.")
@click.option(
    "--scene", metavar="NAME", help="A hard scene of its own length, such as duel-mates, cuts or falls."
)
def clip(out: Path, seed: int, seconds: float, scene: str | None) -> None:
    """Render a match-like clip to try things with."""
    with extras():
        from playerscore_clips.match import ClipSettings, render_clip
        from playerscore_clips.scenes import SCENES, render_scene
    if scene is not None and scene not in SCENES:
        raise click.UsageError(f"no scene is named {scene}; there are {', '.join(SCENES)}")

    with console.progress("rendering") as tell:

        def on_progress(done: int, total: int) -> None:
            tell(done / total, f"frame {done}")

        if scene is None:
            made = render_clip(ClipSettings(seed=seed, seconds=seconds), out, on_progress)
        else:
            made = render_scene(scene, seed, out, on_progress)
    target = out / "clip.mp4"
    made.video.replace(target)
    console.out.print(f"video: {target}\ntruth: {made.truth}", markup=False)


def _detector_of(runtime: Path) -> Detector:
    """The detector of a ScoringRuntime's file. Raises click.UsageError."""
    try:
        return ScoringRuntime.model_validate(yaml.safe_load(runtime.read_text())).spec.detector
    except (ValidationError, ValueError, yaml.YAMLError) as error:
        raise click.UsageError(f"--runtime {runtime}: {error}") from error


@click.command()
@click.argument(
    "videos",
    metavar="VIDEO...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--continues",
    is_flag=True,
    help="Of several files each goes on where the one before ends, without a gap: chapters of a camera, not halves.",
)
@click.option(
    "--at",
    "at_sec",
    type=options.Moment(),
    metavar="TIME",
    help="Follow whoever is in --box at this time, as 63:20 or seconds; then there is no preview.",
)
@click.option("--box", metavar="X,Y,W,H", help="Where he is then, in 0..1, x and y at the top left.")
@click.option("--start", "start_sec", type=options.Moment(), metavar="TIME", help="Analyse from here on.")
@click.option("--end", "end_sec", type=options.Moment(), metavar="TIME", help="Analyse up to here.")
@click.option("--frame", type=int, metavar="NUMBER", help="Preview frame to pick on.")
@click.option("--player", type=int, metavar="ID", help="Track of the player; the most usable by default.")
@click.option(
    "--frames", type=click.IntRange(1, 16), default=8, show_default=True, help="How many preview frames."
)
@click.option(
    "--track",
    "--video-track",
    "track",
    type=click.IntRange(1, 16),
    metavar="NUMBER",
    help="Picture track of the file, from 1; the largest by default.",
)
@click.option("--max-fps", type=click.IntRange(1, 240), help="The most frames a second to look at.")
@click.option(
    "--runtime",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A ScoringRuntime whose detector is used instead of the embedded one.",
)
@click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The weights of that detector, instead of fetching them.",
)
@click.option(
    "--pitch",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="spec.pitch as YAML or JSON: the score then rests on metres.",
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="TIME=X,Y,W,H",
    help="Where he is at another moment (63:20=0.4,0.3,0.03,0.1), or that he is not in the picture (63:20=absent).",
)
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    default="out",
    show_default=True,
    help="Folder for everything that is made.",
)
@click.option(
    "--console",
    "in_console",
    is_flag=True,
    help="Pick and confirm on pages in the browser instead, over --out, until Ctrl-C.",
)
@click.option("--no-browser", is_flag=True, help="With --console: print the address, and open nothing.")
def run(
    videos: tuple[Path, ...],
    continues: bool,
    at_sec: float | None,
    box: str | None,
    start_sec: float | None,
    end_sec: float | None,
    frame: int | None,
    player: int | None,
    frames: int,
    track: int | None,
    max_fps: int | None,
    runtime: Path | None,
    weights: Path | None,
    pitch: Path | None,
    anchors: tuple[str, ...],
    out: Path,
    in_console: bool,
    no_browser: bool,
) -> None:
    """The whole flow on this machine, without a cluster.

    Several files are one video, in their order.

    A run that was ended on its way goes on where it was, when the same player is followed into the same folder.
    """
    if len(videos) > MAX_PARTS + 1:
        raise click.UsageError(f"a video has at most {MAX_PARTS + 1} files")
    if (at_sec is None) != (box is None):
        raise click.UsageError("--at and --box belong together")
    if at_sec is not None and (frame is not None or player is not None):
        raise click.UsageError("--at and --box say who it is; leave --frame and --player out")
    if start_sec is not None and end_sec is not None and start_sec >= end_sec:
        raise click.UsageError("--end must be after --start")
    where = pitching.read(pitch) if pitch else None
    asked = Analysis(max_fps=max_fps, start_sec=start_sec, end_sec=end_sec)
    if in_console:
        from playerscore_cli.commands import opening

        said_there = {"at": at_sec, "frame": frame, "player": player, "anchor": anchors}
        only_here = {"runtime": runtime, "weights": weights}
        if found := [name for name, value in (said_there | only_here).items() if value not in (None, ())]:
            raise click.UsageError(f"with --console leave out --{found[0]}")
        preview = PreviewSettings(frames=frames)
        more = {"preview": preview, "analysis": asked, "pitch": where}
        opening.desk(out, videos, 0, no_browser, track=track, continues=continues, **more)
        return
    detector = _detector_of(runtime) if runtime else Detector()
    said = [anchoring.read(text) for text in anchors]
    with extras():
        from playerscore_cli import local

    video = local.given(videos, out, detector, weights, track, continues)
    if at_sec is not None and box is not None:
        spec, status = local.pointed(video, at_sec, box_of(box))
    else:
        spec, status = _picked(video, out, PreviewSettings(frames=frames), frame, player)
    spec = spec.model_copy(update={"analysis": asked})
    with console.progress("analysis") as tell:
        result, files = local.analyse(video, spec, status, out, tell, where, said)
    console.print_result(result)
    for path in files:
        console.out.print(f"{path.name}: {path}", markup=False)


def _picked(
    video: Any, out: Path, settings: PreviewSettings, frame: int | None, player: int | None
) -> tuple[ScoringJobSpec, ScoringJobStatus]:
    """Make the preview, and choose on it as asked, or the most usable player."""
    from playerscore_cli import local

    with console.progress("preview") as tell:
        made = local.preview(video, out, settings, tell)
    console.out.print(f"preview: {made.picture}", markup=False)
    chosen, person, ours = local.choose(made, frame, player)
    number = names.frame_number(chosen.frame_key)
    why = "the most usable player; --frame and --player choose another" if ours else "as asked"
    console.out.print(f"picked track {person.track_id} on frame {number}: {why}", markup=False)
    return local.picked(video, made, chosen, person)
