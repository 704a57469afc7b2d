"""`playerscore`, also `kubectl scoring`: every step of the flow, with the user's kubeconfig.

`playerscore run VIDEO` does the whole flow on this machine, without a cluster.
"""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from playerscore import flow, names, steps
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.names import FINISHED, Step
from playerscore.resources import Analysis, BBox, PreviewSettings, PreviewStatus, ScoringJob
from playerscore_cli import console, picture
from playerscore_cli.console import Format
from playerscore_cli.kube import Jobs, parsed
from playerscore_cli.rest import Api

app = typer.Typer(
    no_args_is_help=True, help="Score one football player from match video.", rich_markup_mode=None
)

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="The context's by default.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="How the object is printed.")]
Name = Annotated[str, typer.Argument(help="The ScoringJob.")]
ApiUrl = Annotated[str | None, typer.Option(envvar="PLAYERSCORE_API", help="Address of the REST API.")]
Token = Annotated[str | None, typer.Option(envvar="PLAYERSCORE_TOKEN", help="Bearer token for the REST API.")]

WATCH_SECONDS = 1.0


@app.command()
def create(
    name: Name,
    video: Annotated[str, typer.Option(help="Where the video is, for example s3://….")],
    file: Annotated[Path | None, typer.Option(help="YAML with more of the spec.")] = None,
    namespace: Namespace = None,
    output: Output = Format.text,
) -> None:
    """Create a draft; its preview is made at once."""
    spec: dict[str, Any] = yaml.safe_load(file.read_text()) if file else {}
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": name},
        "spec": {**spec, "video": {**(spec.get("video") or {}), "uri": video}},
    }
    console.print_object(Jobs(namespace).create(body), output)


@app.command("get")
def get_(
    name: Annotated[str | None, typer.Argument()] = None,
    namespace: Namespace = None,
    output: Output = Format.text,
) -> None:
    """One job, or all of the namespace."""
    jobs = Jobs(namespace)
    for body in [jobs.get(name)] if name else jobs.list():
        console.print_object(body, output)


@app.command()
def pick(
    name: Name,
    frame: Annotated[int | None, typer.Option(help="Number of the preview frame, from 1.")] = None,
    track: Annotated[int | None, typer.Option(help="The player's track on it.")] = None,
    best: Annotated[bool, typer.Option("--best", help="The most usable player of the preview.")] = False,
    namespace: Namespace = None,
    output: Output = Format.text,
) -> None:
    """Choose the player; drafts the target."""
    if not best and (frame is None or track is None):
        raise typer.BadParameter("give --frame and --track, or --best")

    def step(job: ScoringJob) -> flow.Change:
        key, track_id = _best(job) if best else (names.frame_key(name, frame or 0), track or 0)
        return flow.pick(job.spec, job.status, key, track_id)

    _change(namespace, name, step, output)


def _best(job: ScoringJob) -> tuple[str, int]:
    preview = _preview(job)
    found = [
        (track.score, frame.frame_key, track.track_id) for frame in preview.frames for track in frame.tracks
    ]
    if not found:
        raise FlowError("TRACK_NOT_FOUND", "The preview shows no person")
    _, key, track_id = max(found)
    return key, track_id


def _preview(job: ScoringJob) -> PreviewStatus:
    if job.status is None or job.status.preview is None:
        raise FlowError("PREVIEW_NOT_READY", "The preview is not there yet")
    return job.status.preview


@app.command()
def confirm(
    name: Name,
    frame: Annotated[int | None, typer.Option(help="Preview frame; the draft's by default.")] = None,
    box: Annotated[str | None, typer.Option(help="x,y,w,h in 0..1; the draft's by default.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although it does not overlap the picked track.")
    ] = False,
    namespace: Namespace = None,
    output: Output = Format.text,
) -> None:
    """Confirm where the player is."""
    bbox = _box(box) if box else None
    key = None if frame is None else names.frame_key(name, frame)
    _change(
        namespace,
        name,
        lambda job: flow.confirm(job.spec, job.status, bbox=bbox, frame_key=key, force=force),
        output,
    )


def _box(text: str) -> BBox:
    try:
        x, y, w, h = (float(part) for part in text.split(","))
        return BBox(x=x, y=y, w=w, h=h)
    except ValueError as error:
        raise FlowError("INVALID", f"--box wants x,y,w,h in 0..1, not {text!r}", field="bbox") from error


@app.command()
def enqueue(name: Name, namespace: Namespace = None, output: Output = Format.text) -> None:
    """Hand the job over to be analysed; resumes a paused one."""
    _change(namespace, name, lambda job: flow.enqueue(job.spec, job.status), output)


@app.command()
def pause(name: Name, namespace: Namespace = None, output: Output = Format.text) -> None:
    """Stop the attempt, or take the enqueue back."""
    _change(namespace, name, lambda job: flow.pause(job.spec, job.status), output)


def _change(namespace: str | None, name: str, step: Any, output: Format) -> None:
    body, change = Jobs(namespace).change(name, step)
    for warning in change.warnings:
        console.err.print(f"[yellow]warning[/]: {warning}", highlight=False)
    if output is Format.text:
        job = parsed(body)
        console.out.print(f"scoringjob/{name}  {steps.step(job.spec, job.status).value}", highlight=False)
    else:
        console.print_object(body, output)


@app.command()
def watch(
    name: Name,
    namespace: Namespace = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 3600.0,
) -> None:
    """Follow a job to its end; exit code 5 when it failed."""
    jobs, end = Jobs(namespace), time.monotonic() + timeout
    with console.progress(name) as tell:
        while True:
            job = parsed(jobs.get(name))
            step = steps.step(job.spec, job.status)
            progress = job.status.progress if job.status else None
            tell(((progress and progress.percent) or 0) / 100, step.value)
            if step in FINISHED or time.monotonic() > end:
                break
            time.sleep(WATCH_SECONDS)
    _ended(job, step)


def _ended(job: ScoringJob, step: Step) -> None:
    if step is Step.COMPLETED and job.status and job.status.result:
        console.print_result(job.status.result)
        return
    succeeded = steps.condition(job.status, names.ConditionType.SUCCEEDED)
    reason = f"{succeeded.reason}: {succeeded.message}" if succeeded else "no condition"
    console.err.print(f"{step.value}: {reason}", highlight=False)
    raise typer.Exit(console.EXIT_JOB_FAILED if step is Step.FAILED else console.EXIT_MACHINE)


@app.command()
def show(
    name: Name,
    namespace: Namespace = None,
    png: Annotated[
        Path | None, typer.Option(help="Write a picture of it here (needs --api and --token).")
    ] = None,
    api: ApiUrl = None,
    token: Token = None,
) -> None:
    """The preview to pick from, or the result."""
    jobs = Jobs(namespace)
    job = parsed(jobs.get(name))
    console.out.print(f"scoringjob/{name}  {steps.step(job.spec, job.status).value}", highlight=False)
    if job.status and job.status.result:
        console.print_result(job.status.result)
    else:
        console.print_preview(_preview(job))
    if png:
        _picture(job, _api(api, token), name, jobs.namespace, png)
        console.out.print(f"picture: {png}", highlight=False)


def _picture(job: ScoringJob, api: Api, name: str, namespace: str, png: Path) -> None:
    if job.status and job.status.result:
        png.write_bytes(api.artifact(name, namespace, "result.png"))
        return
    picture.draw_preview(_preview(job), lambda number: api.frame(name, namespace, number), png)


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The video.")],
    namespace: Namespace = None,
    api: ApiUrl = None,
    token: Token = None,
    output: Output = Format.name,
) -> None:
    """Put a video into the store, through the REST API; prints its uri."""
    with console.progress("upload") as tell:
        uri = _api(api, token).upload(file, namespace, tell)
    sys.stdout.write(uri + "\n" if output is Format.name else f'{{"uri": "{uri}"}}\n')


def _api(url: str | None, token: str | None) -> Api:
    if not url or not token:
        raise typer.BadParameter("--api and --token (or PLAYERSCORE_API and PLAYERSCORE_TOKEN) are needed")
    return Api(url, token)


@app.command()
def clip(
    out: Annotated[Path, typer.Option(help="Folder for clip.mp4 and its ground truth.")] = Path("clip"),
    seed: int = 7,
    seconds: float = 12.0,
) -> None:
    """Render a match-like clip to try things with."""
    from playerscore_clips.match import ClipSettings, render_clip

    with console.progress("rendering") as tell:
        made = render_clip(
            ClipSettings(seed=seed, seconds=seconds),
            out,
            lambda done, total: tell(done / total, f"frame {done}"),
        )
    target = out / "clip.mp4"
    made.video.replace(target)
    console.out.print(f"video: {target}\ntruth: {made.truth}", highlight=False)


@app.command()
def run(
    video: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    frame: Annotated[int | None, typer.Option(help="Preview frame to pick on.")] = None,
    player: Annotated[
        int | None, typer.Option(help="Track of the player; the most usable by default.")
    ] = None,
    frames: Annotated[int, typer.Option(help="Preview frames, 1 to 16.", min=1, max=16)] = 8,
    max_fps: Annotated[int | None, typer.Option(help="The most frames a second to look at.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for everything that is made.")] = Path("out"),
) -> None:
    """The whole flow on this machine, without a cluster."""
    from playerscore_cli import local

    with console.progress("preview") as tell:
        made = local.preview(video, out, PreviewSettings(frames=frames), tell)
    console.out.print(f"preview: {made.picture}", highlight=False, soft_wrap=True)
    chosen, track, ours = local.choose(made, frame, player)
    number = names.frame_number(chosen.frame_key)
    why = "the most usable player; --frame and --player choose another" if ours else "as asked"
    console.out.print(
        f"picked track {track.track_id} on frame {number}: {why}", highlight=False, soft_wrap=True
    )
    with console.progress("analysis") as tell:
        result, files = local.analyse(made, chosen, track, Analysis(max_fps=max_fps), out, tell)
    console.print_result(result)
    for path in files:
        console.out.print(f"{path.name}: {path}", highlight=False, soft_wrap=True)


def main() -> None:
    """The entry point: errors become a code, a message and an exit code."""
    try:
        app()
    except PlayerscoreError as error:
        sys.exit(console.fail(error))
