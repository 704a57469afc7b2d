"""pitch: where the pitch is in the picture, point by point or from a file."""

from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import ValidationError

from playerscore import flow
from playerscore.errors import FlowError
from playerscore.landmarks import LANDMARKS, MARKINGS
from playerscore.resources import Pitch, PitchPoint, ScoringJob
from playerscore_cli import options
from playerscore_cli.cluster import Cluster
from playerscore_cli.commands.steps import step
from playerscore_cli.options import DryRun, frame_key_of
from playerscore_cli.output import Format


@click.command()
@options.name_argument
@options.frame_option
@click.option(
    "--time",
    "time_sec",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="A moment that is no preview frame's.",
)
@click.option(
    "--point",
    "points",
    multiple=True,
    metavar="PLACE=X,Y",
    shell_complete=lambda ctx, param, text: [f"{name}=" for name in LANDMARKS if name.startswith(text)],
    help="A landmark, or metres as X:Y, and where it is in the picture, 0..1; four or more.",
)
@click.option(
    "--format", "kind", type=click.Choice([*MARKINGS]), help="Which markings; 11-a-side by default."
)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="All of spec.pitch as YAML or JSON, in place of what the job has.",
)
@click.option("--clear", is_flag=True, help="Take it back: the score then rests on the picture alone.")
@options.dry_run_option
@options.object_output
@options.cluster_options
def pitch(
    cluster: Cluster,
    name: str,
    frame: str | None,
    time_sec: float | None,
    points: tuple[str, ...],
    kind: Any,
    file: Path | None,
    clear: bool,
    dry_run: DryRun,
    form: Format,
) -> None:
    """Say where the pitch is in the picture, so that the score rests on metres."""
    if (file is not None) + clear + bool(points) != 1:
        raise click.UsageError("one of --point, --file and --clear is needed")
    if points and (frame is None) == (time_sec is None):
        raise click.UsageError("the points need one moment: --frame or --time")
    found = [_point(text) for text in points]
    whole = read(file) if file else None
    key = None if frame is None else frame_key_of(name, frame)

    def judge(job: ScoringJob) -> flow.Change:
        if found:
            return flow.add_moment(job.spec, job.status, key, time_sec, found, kind)
        return flow.set_pitch(job.spec, job.status, whole)

    step(cluster, name, judge, form, dry_run)


def read(file: Path) -> Pitch:
    """A pitch from YAML or JSON, alone or as `pitch` of a spec. Raises FlowError INVALID, which names the field."""
    try:
        document = yaml.safe_load(file.read_text())
        if isinstance(document, dict):
            document = document.get("spec", document)
            document = document.get("pitch", document)
        return Pitch.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in ("spec.pitch", *first["loc"]))
        raise FlowError("INVALID", f"{file}: {where}: {first['msg']}", field=where) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FlowError("INVALID", f"{file} is neither YAML nor JSON", field="spec.pitch") from error


def _point(text: str) -> PitchPoint:
    """`centre-spot=0.51,0.44`, or with metres `52.5:34=0.51,0.44`."""
    try:
        place, _, picture = text.partition("=")
        x, y = (float(part) for part in picture.split(","))
        if ":" in place:
            across, down = (float(part) for part in place.split(":"))
            return PitchPoint(image_x=x, image_y=y, pitch_x=across, pitch_y=down)
        return PitchPoint(image_x=x, image_y=y, landmark=place)
    except ValueError as error:
        why = f"--point wants LANDMARK=X,Y or METRES:METRES=X,Y with X and Y in 0..1, not {text!r}"
        raise FlowError("INVALID", why, field="points") from error
