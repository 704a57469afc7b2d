"""review, refine: the moments of a result that are worth a look, and the analysis that goes on from the answers."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from playerscore import flow, names
from playerscore import review as answering
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.resources import Moment, Result
from playerscore.review import LETTERS, Answer
from playerscore_cli import console, options, output, picture, terminal
from playerscore_cli.cluster import Cluster
from playerscore_cli.commands.here import extras
from playerscore_cli.commands.objects import report
from playerscore_cli.commands.steps import box_of
from playerscore_cli.jobs import parsed
from playerscore_cli.options import DryRun
from playerscore_cli.output import Format
from playerscore_cli.rest import Api

HIM: Final = "him"
ABSENT: Final = "absent"

answers_option = click.option(
    "--answer",
    "-a",
    "answers",
    multiple=True,
    required=True,
    metavar="NUMBER=WHO",
    help="Who he is at that moment of the review: him (as it was), A to D, absent, or a box x,y,w,h.",
)


@click.command("review")
@click.argument("where", metavar="NAME|FOLDER")
@click.option("--moment", type=click.IntRange(1), metavar="NUMBER", help="Only this one.")
@options.picture_option
@options.api_options
@options.output_option(Format.TEXT, Format.JSON, Format.YAML)
@options.place_options
@click.pass_context
def review(
    ctx: click.Context,
    /,
    where: str,
    moment: int | None,
    picture: str,
    api: str | None,
    token: str | None,
    form: Format,
    **place: Any,
) -> None:
    """The moments of a result that are worth a look, the one first whose answer would change most.

    Of a job, or of the folder of `run`. The pictures of a job come from the REST API (--api).
    """
    folder = folder_of(where)
    if folder:
        from playerscore_cli import local

        with extras():
            found = local.read_result(folder)
        pictures: Pictures = Pictures(folder, None, "", "")
    else:
        cluster = options.cluster_of(ctx)
        found = _result_of(cluster, options.JobName()(where))
        reached = Api.reach(cluster, api, token) if api else None
        pictures = Pictures(None, reached, where, cluster.namespace)
    told = [one for one in found.review or [] if moment in (None, one.number)]
    if moment is not None and not told:
        raise FlowError("MOMENT_NOT_FOUND", f"the result has no moment {moment}", field="--moment")
    if form is not Format.TEXT:
        output.print_document([one.model_dump(mode="json") for one in told], form)
        return
    _print(told, pictures, picture)


class Pictures:
    """The pictures of the moments: in a folder, or behind the API."""

    def __init__(self, folder: Path | None, api: Api | None, name: str, namespace: str) -> None:
        self._folder, self._api, self._name, self._namespace = folder, api, name, namespace

    def jpeg(self, number: int) -> bytes | None:
        """Of one moment; None where it cannot be had."""
        file = names.review_picture(number)
        if self._folder:
            path = self._folder / file
            return path.read_bytes() if path.exists() else None
        if self._api is None:
            return None
        try:
            path_there = f"/jobs/{self._name}/artifacts/{file}"
            return b"".join(self._api.content(path_there, {"namespace": self._namespace}))
        except PlayerscoreError as error:
            output.warn(f"no picture of moment {number}: {error.code}: {error.message}")
            return None


def _print(told: list[Moment], pictures: Pictures, mode: str) -> None:
    if not told:
        console.out.print("nothing is worth a look: no answer would change much", markup=False)
        return
    drawn = terminal.chosen(terminal.Mode(mode), console.out) is not terminal.Mode.NONE
    for one in told:
        console.out.print(line_of(one), markup=False)
        if drawn and (jpeg := pictures.jpeg(one.number)):
            terminal.show(partial(picture.draw_jpeg, jpeg), mode, console.out)
        for letter, box in zip(LETTERS, one.candidates, strict=False):
            who = " (followed)" if one.taken and letter == "A" else ""
            x, y, w, h = box.box
            console.out.print(f"   {letter}  x {x:.3f} y {y:.3f} w {w:.3f} h {h:.3f}{who}", markup=False)


def line_of(one: Moment) -> str:
    """A moment in a line."""
    minutes, seconds = divmod(one.time_sec, 60)
    return (
        f"{one.number:>2}  {int(minutes)}:{seconds:05.2f}  {one.kind}, {one.doubt:.0%} in doubt, "
        f"{one.stake_sec:.1f} s rest on it"
    )


@click.command()
@click.argument("where", metavar="NAME|FOLDER")
@answers_option
@click.option("--as", "new_name", metavar="NAME", help="The new job's name; NAME-2 by default.")
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where a refined run in a folder goes; FOLDER-2 by default.",
)
@options.dry_run_option
@options.object_output
@options.place_options
@click.pass_context
def refine(
    ctx: click.Context,
    /,
    where: str,
    answers: tuple[str, ...],
    new_name: str | None,
    out: Path | None,
    dry_run: DryRun,
    form: Format,
    **place: Any,
) -> None:
    """Answer moments of a review, and analyse again what the answers touch, as a new job.

    The job, or the folder of `run`, stays as it is.
    """
    folder = folder_of(where)
    if folder:
        _refine_here(folder, answers, out or folder.with_name(f"{folder.name}-2"))
        return
    cluster = options.cluster_of(ctx)
    name = options.JobName()(where)
    job = parsed(cluster.get(name))
    moments = (job.status and job.status.result and job.status.result.review) or []
    spec = answering.refined(job.spec, job.status, name, [read(text, moments) for text in answers])
    body = flow.manifest(new_name or answering.next_name(name, job.spec), spec)
    made = body if dry_run is DryRun.CLIENT else cluster.create(body, dry_run.query)
    report(cluster, made, form, dry_run)


def _refine_here(folder: Path, answers: tuple[str, ...], out: Path) -> None:
    with extras():
        from playerscore_cli import local
    moments = local.read_result(folder).review or []
    given = [read(text, moments) for text in answers]
    with console.progress("analysis") as tell:
        result, files = local.refine(folder, given, out, tell)
    console.print_result(result)
    for path in files:
        console.out.print(f"{path.name}: {path}", markup=False)


def folder_of(where: str) -> Path | None:
    """The folder of a run, where that is one; otherwise it is a job's name."""
    path = Path(where)
    return path if (path / "result.json").is_file() else None


def read(text: str, moments: list[Moment]) -> Answer:
    """`1=him`, `2=B`, `3=absent` or `4=0.4,0.3,0.03,0.1`. Raises FlowError: INVALID, CANDIDATE_NOT_FOUND."""
    number, _, who = text.partition("=")
    try:
        given = Answer(moment=int(number), **_who(who, int(number), moments))
    except (ValidationError, ValueError) as error:
        why = f"an answer is NUMBER=WHO, like 1=him, 2=B, 3=absent or 4=0.4,0.3,0.03,0.1, not {text!r}"
        raise FlowError("INVALID", why, field="--answer") from error
    return given


def _who(who: str, number: int, moments: list[Moment]) -> dict[str, Any]:
    if who.lower() == ABSENT:
        return {"absent": True}
    if who.lower() == HIM:
        moment = next((one for one in moments if one.number == number), None)
        if moment is not None and not moment.taken:
            text = f"at moment {number} nobody was followed: name the candidate"
            raise FlowError("CANDIDATE_NOT_FOUND", text, field="--answer")
        return {"candidate": 1}
    if len(who) == 1 and who.upper() in LETTERS:
        return {"candidate": LETTERS.index(who.upper()) + 1}
    return {"bbox": box_of(who)}


def _result_of(cluster: Cluster, name: str) -> Result:
    job = parsed(cluster.get(name))
    if job.status is None or job.status.result is None:
        raise PlayerscoreError("NOT_FOUND", "The job has no result yet")
    return job.status.result
