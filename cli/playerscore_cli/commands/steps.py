"""pick, confirm, enqueue, pause: the steps of the flow, judged by the rule that every gate has."""

from typing import Any

import click

from playerscore import flow
from playerscore.errors import FlowError
from playerscore.resources import MAX_FRAMES, BBox, ScoringJob
from playerscore_cli import complete, options, output
from playerscore_cli.cluster import Cluster
from playerscore_cli.commands.objects import chosen, each, report
from playerscore_cli.jobs import Judge, change, parsed, preview_of
from playerscore_cli.options import DryRun, frame_key_of
from playerscore_cli.output import Format

Json = dict[str, Any]


@click.command()
@options.name_argument
@options.frame_option
@click.option(
    "--track",
    type=click.IntRange(min=0),
    metavar="ID",
    shell_complete=complete.tracks,
    help="The player's track id. Without it, on a terminal, you are shown the picture and asked.",
)
@click.option("--best", is_flag=True, help="The most usable player of the preview.")
@options.picture_option
@options.api_options
@options.dry_run_option
@options.object_output
@options.cluster_options
def pick(
    cluster: Cluster,
    name: str,
    frame: str | None,
    track: int | None,
    best: bool,
    picture: str,
    api: str | None,
    token: str | None,
    dry_run: DryRun,
    form: Format,
) -> None:
    """Choose the player; drafts the target."""
    if best and (frame is not None or track is not None):
        raise click.UsageError("--best chooses by itself; leave --frame and --track out")
    key = None if frame is None else frame_key_of(name, frame)
    if track is None and not best:
        from playerscore_cli import asking

        key, track = asking.ask(cluster, name, key, asking.Look(picture, api, token))

    def judge(job: ScoringJob) -> flow.Change:
        at, whom = _best(job) if best else (key or _frame_of(job, track or 0), track or 0)
        return flow.pick(job.spec, job.status, at, whom)

    step(cluster, name, judge, form, dry_run)


def _best(job: ScoringJob) -> tuple[str, int]:
    preview = preview_of(job)
    found = [
        (track.score, frame.frame_key, track.track_id) for frame in preview.frames for track in frame.tracks
    ]
    if not found:
        raise FlowError("TRACK_NOT_FOUND", "The preview shows no person")
    _, key, track_id = max(found)
    return key, track_id


def _frame_of(job: ScoringJob, track_id: int) -> str:
    """The frame that shows this player best."""
    found = [
        (track.score, frame.frame_key)
        for frame in preview_of(job).frames
        for track in frame.tracks
        if track.track_id == track_id
    ]
    if not found:
        raise FlowError("TRACK_NOT_FOUND", f"No frame of the preview has track {track_id}", field="track_id")
    return max(found)[1]


@click.command()
@options.name_argument
@click.option(
    "--at",
    "at_sec",
    multiple=True,
    type=options.Moment(),
    metavar="TIME",
    help="Seconds, or like 63:20 or 1:03:20.5; may be repeated.",
)
@click.option(
    "--from", "from_sec", type=options.Moment(), metavar="TIME", help="In a range instead, from here ..."
)
@click.option("--to", "to_sec", type=options.Moment(), metavar="TIME", help="... to here.")
@click.option(
    "--frames",
    type=click.IntRange(1, MAX_FRAMES),
    default=4,
    show_default=True,
    help="How many frames in the range.",
)
@options.wait_options("when the frames are there")
@options.dry_run_option
@options.object_output
@options.cluster_options
def preview(
    cluster: Cluster,
    name: str,
    at_sec: tuple[float, ...],
    from_sec: float | None,
    to_sec: float | None,
    frames: int,
    wait: bool,
    timeout: float,
    dry_run: DryRun,
    form: Format,
) -> None:
    """Look elsewhere: add preview frames at other times of the video."""
    times = list(at_sec)
    if (from_sec is None) != (to_sec is None):
        raise click.UsageError("--from and --to belong together")
    if from_sec is not None and to_sec is not None:
        times += flow.spread(from_sec, to_sec, frames)
    if not times:
        raise click.UsageError("--at, or --from and --to, is needed")

    def judge(job: ScoringJob) -> flow.Change:
        return flow.look_elsewhere(job.spec, job.status, times)

    body, _ = change(cluster, name, judge, dry_run)
    if wait and dry_run is DryRun.NONE:
        from playerscore_cli.waiting import wait_for_frames

        body = wait_for_frames(cluster, name, times, timeout)
    report(cluster, body, form, dry_run)


@click.command()
@options.name_argument
@options.frame_option
@click.option(
    "--time",
    "time_sec",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="The preview frame nearest to it.",
)
@click.option("--box", metavar="X,Y,W,H", help="In 0..1, x and y at the top left; the draft's by default.")
@click.option("--force", is_flag=True, help="Although the box does not overlap the picked track.")
@options.dry_run_option
@options.object_output
@options.cluster_options
def confirm(
    cluster: Cluster,
    name: str,
    frame: str | None,
    time_sec: float | None,
    box: str | None,
    force: bool,
    dry_run: DryRun,
    form: Format,
) -> None:
    """Confirm where the player is."""
    bbox = box_of(box) if box else None
    key = None if frame is None else frame_key_of(name, frame)

    def judge(job: ScoringJob) -> flow.Change:
        return flow.confirm(job.spec, job.status, bbox=bbox, frame_key=key, time_sec=time_sec, force=force)

    step(cluster, name, judge, form, dry_run)


def box_of(text: str) -> BBox:
    """A box of an option. Raises FlowError INVALID."""
    try:
        x, y, w, h = (float(part) for part in text.split(","))
        return BBox(x=x, y=y, w=w, h=h)
    except ValueError as error:
        raise FlowError("INVALID", f"a box is x,y,w,h in 0..1, not {text!r}", field="bbox") from error


@click.command()
@options.names_argument
@options.selector_options
@options.wait_options("when the jobs have ended; shows the scores")
@options.dry_run_option
@options.object_output
@options.cluster_options
def enqueue(
    cluster: Cluster, wait: bool, timeout: float, dry_run: DryRun, form: Format, **which: Any
) -> None:
    """Hand jobs over to be analysed; resumes paused ones."""

    def act(name: str) -> None:
        step(
            cluster,
            name,
            lambda job: flow.enqueue(job.spec, job.status),
            form,
            dry_run,
            "end" if wait else None,
            timeout,
        )

    each(chosen(cluster, **which), act, form)


@click.command()
@options.names_argument
@options.selector_options
@options.wait_options("when no attempt runs any more")
@options.dry_run_option
@options.object_output
@options.cluster_options
def pause(cluster: Cluster, wait: bool, timeout: float, dry_run: DryRun, form: Format, **which: Any) -> None:
    """Stop the attempt, or take the enqueue back."""

    def act(name: str) -> None:
        step(
            cluster,
            name,
            lambda job: flow.pause(job.spec, job.status),
            form,
            dry_run,
            "stop" if wait else None,
            timeout,
        )

    each(chosen(cluster, **which), act, form)


def step(
    cluster: Cluster,
    name: str,
    judge: Judge,
    form: Format,
    dry_run: DryRun,
    wait: str | None = None,
    timeout: float = 0.0,
) -> None:
    """Take a step, tell its warnings, wait if asked to, and print the job."""
    body, judged = change(cluster, name, judge, dry_run)
    for text in judged.warnings:
        output.warn(text)
    if wait and dry_run is DryRun.NONE:
        from playerscore_cli.waiting import wait_for

        body = wait_for(cluster, name, wait, timeout)
    report(cluster, body, form, dry_run)
    status = parsed(body).status
    if wait == "end" and form is Format.TEXT and status and status.result:
        from playerscore_cli import console

        console.print_result(status.result)
