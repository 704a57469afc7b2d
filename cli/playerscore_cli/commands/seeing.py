"""show, result: a job's preview and result as pictures, tables and documents."""

from pathlib import Path
from typing import Any

import click

from playerscore import steps
from playerscore.coherence import find_frame
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.names import frame_number
from playerscore.resources import Frame, PreviewStatus, Result, ScoringJob
from playerscore_cli import console, options, output, picture, terminal
from playerscore_cli.cluster import Cluster
from playerscore_cli.jobs import parsed, preview_of
from playerscore_cli.options import frame_key_of
from playerscore_cli.output import Format
from playerscore_cli.rest import Frames

Json = dict[str, Any]


@click.command()
@options.name_argument
@options.frame_option
@options.picture_option
@click.option(
    "--output-file",
    "--png",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a PNG too: every frame, or the one of --frame; with a result the player and the radar.",
)
@options.api_options
@options.cluster_options
def show(
    cluster: Cluster,
    name: str,
    frame: str | None,
    picture: str,
    output_file: Path | None,
    api: str | None,
    token: str | None,
) -> None:
    """The preview to pick from, or the result, as a picture.

    The frames' pixels come from the REST API (--api); without it the boxes are drawn on plain grass.
    """
    job = parsed(cluster.get(name))
    frames = Frames(cluster, name, api, token)
    click.echo(f"scoringjob/{name}  {steps.step(job.spec, job.status).value}")
    result = job.status.result if job.status else None
    key = None if frame is None else frame_key_of(name, frame)
    if result and key is None:
        _show_result(result, picture)
    else:
        _show_preview(job, key, frames, picture)
    if output_file:
        _write(job, key, frames, output_file)
        click.echo(f"picture: {output_file}")


def _show_result(result: Result, mode: str) -> None:
    terminal.show(lambda width: picture.draw_radar(result, width, _radar_height(width)), mode, console.out)
    console.print_result(result)


def _radar_height(width: int) -> int:
    """A radar that leaves room for the words at its sides, and is not higher than a screen."""
    return min(round(width * 0.62), 60) if width < 400 else round(width * 0.62)


def _show_preview(job: ScoringJob, key: str | None, frames: Frames, mode: str) -> None:
    preview = preview_of(job)
    shown = _frame_to_show(job, preview, key)
    if shown is None:
        return
    if terminal.chosen(terminal.Mode(mode), console.out) is not terminal.Mode.NONE:
        jpeg = frames.jpeg(frame_number(shown.frame_key))
        marks = picture.marks_on(job.spec, shown)
        terminal.show(lambda width: picture.draw_frame(shown, jpeg, width, marks), mode, console.out)
    console.print_preview(preview if key is None else preview.model_copy(update={"frames": [shown]}))


def _frame_to_show(job: ScoringJob, preview: PreviewStatus, key: str | None) -> Frame | None:
    """The frame that was asked for, else the target's or the player's, else the one with the most people."""
    if key is not None:
        if found := find_frame(preview, key):
            return found
        raise FlowError("FRAME_NOT_FOUND", f"The preview has no frame {key}", field="frame_key")
    for chosen in (job.spec.target, job.spec.player_ref):
        if chosen and (found := find_frame(preview, chosen.frame_key)):
            return found
    return max(preview.frames, key=lambda frame: len(frame.tracks), default=None)


def _write(job: ScoringJob, key: str | None, frames: Frames, out: Path) -> None:
    result = job.status.result if job.status else None
    preview = job.status.preview if job.status else None
    shown = _frame_to_show(job, preview, key) if preview else None
    single = _burned(job, shown, frames) if shown else None
    if result and key is None:
        radar = picture.draw_radar(result, picture.RADAR_PX).burned()
        picture.save(picture.beside(single, radar) if single else radar, out)
    elif single and key is not None:
        picture.save(single, out)
    else:
        sheet = picture.draw_sheet(
            preview_of(job), frames.jpeg, lambda frame: picture.marks_on(job.spec, frame)
        )
        picture.save(sheet, out)


def _burned(job: ScoringJob, frame: Frame, frames: Frames) -> Any:
    jpeg = frames.jpeg(frame_number(frame.frame_key))
    return picture.draw_frame(frame, jpeg, picture.FRAME_WIDTH, picture.marks_on(job.spec, frame)).burned()


@click.command()
@options.name_argument
@options.output_option(Format.TEXT, Format.JSON, Format.YAML)
@options.cluster_options
def result(cluster: Cluster, name: str, form: Format) -> None:
    """The result alone."""
    body = cluster.get(name)
    found = (body.get("status") or {}).get("result")
    if found is None:
        raise PlayerscoreError("NOT_FOUND", "The job has no result yet")
    if form is not Format.TEXT:
        output.print_document(found, form)
        return
    job = parsed(body)
    if job.status is None or job.status.result is None:
        raise PlayerscoreError("INVALID", "The result cannot be read by this version; use -o json")
    console.print_result(job.status.result)
