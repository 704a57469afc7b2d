"""create, get, delete: ScoringJobs as objects."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore_cli import complete, exits, options, output
from playerscore_cli.cluster import ALL, TABLE, Cluster
from playerscore_cli.options import DryRun
from playerscore_cli.output import Format

Json = dict[str, Any]
CASCADES: Final = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


# --- create ---------------------------------------------------------------------------------------------


@click.command()
@options.name_argument
@click.option(
    "--video",
    "videos",
    metavar="URI",
    multiple=True,
    help="Where the video is, for example s3://…; of several files each in its turn.",
)
@click.option(
    "--upload",
    "uploads",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Upload this video first, through the REST API; of several files each in its turn.",
)
@click.option(
    "--continues",
    is_flag=True,
    help="Each file goes on where the one before ends, without a gap: chapters of a camera, not halves.",
)
@click.option(
    "--file",
    "-f",
    metavar="FILE",
    type=click.File(),
    help="YAML: the spec or a manifest; - is standard input.",
)
@click.option(
    "--video-track",
    type=click.IntRange(1, 16),
    metavar="NUMBER",
    help="Picture track of the file, from 1; the largest by default.",
)
@click.option("--display-name", metavar="TEXT", help="A name for people.")
@click.option("--runtime", metavar="NAME", shell_complete=complete.runtimes, help="The ScoringRuntime.")
@click.option("--queue", metavar="NAME", help="The Kueue LocalQueue.")
@click.option("--frames", type=click.IntRange(1, 16), help="How many preview frames.")
@click.option("--max-fps", type=click.IntRange(1, 240), help="The most frames a second that are looked at.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label; may be repeated.")
@options.api_options
@options.wait_options("when the preview is there (when it has ended, if it is enqueued already)")
@options.dry_run_option
@options.object_output
@options.cluster_options
def create(
    cluster: Cluster, name: str, form: Format, dry_run: DryRun, wait: bool, timeout: float, **given: Any
) -> None:
    """Create a draft; its preview is made at once."""
    if given["videos"] and given["uploads"]:
        raise click.UsageError("--video and --upload cannot be given together")
    if given["continues"] and len(given["videos"] + given["uploads"]) < 2:
        raise click.UsageError("--continues needs several files")
    body = _manifest(name, given)
    files = [*given["videos"], *(_uploaded(cluster, dry_run, file, given) for file in given["uploads"])]
    if files:
        body["spec"]["video"] = {**body["spec"].get("video", {}), **_files(files, given["continues"])}
    if not (body["spec"].get("video") or {}).get("uri"):
        raise click.UsageError("a video is needed: --video, --upload, or spec.video.uri in --file")
    made = _judged(body) if dry_run is DryRun.CLIENT else cluster.create(body, dry_run.query)
    if wait and dry_run is DryRun.NONE:
        from playerscore_cli.waiting import wait_for

        made = wait_for(cluster, name, "preview" if made["spec"].get("suspend", True) else "end", timeout)
    report(cluster, made, form, dry_run)


def _manifest(name: str, given: Json) -> Json:
    """The object: what the file says, and over it what the options say."""
    body = _from_file(given["file"]) if given["file"] else {}
    metadata = {**(body.get("metadata") or {}), "name": name}
    if given["labels"]:
        metadata["labels"] = metadata.get("labels", {}) | dict(_label(text) for text in given["labels"])
    chosen = {
        "displayName": given["display_name"],
        "runtimeName": given["runtime"],
        "queueName": given["queue"],
        "video": given["video_track"] and {"track": given["video_track"]},
        "preview": given["frames"] and {"frames": given["frames"]},
        "analysis": given["max_fps"] and {"maxFps": given["max_fps"]},
    }
    spec = body.get("spec") or {}
    for key, value in chosen.items():
        if isinstance(value, dict):
            spec[key] = {**(spec.get(key) or {}), **value}
        elif value is not None:
            spec[key] = value
    return {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": metadata, "spec": spec}


def _from_file(file: Any) -> Json:
    import yaml

    try:
        content = yaml.safe_load(file) or {}
        json.dumps(content)  # YAML has dates, JSON has none
    except yaml.YAMLError as error:
        raise PlayerscoreError("INVALID", f"{file.name} is no YAML: {error}", field="--file") from error
    except (TypeError, ValueError) as error:
        text = f"{file.name} holds what JSON cannot hold; quote it: {error}"
        raise PlayerscoreError("INVALID", text, field="--file") from error
    if not isinstance(content, dict):
        raise PlayerscoreError("INVALID", f"{file.name} holds no object", field="--file")
    if content.get("kind") not in (None, names.JOB_KIND):
        raise PlayerscoreError("INVALID", f"{file.name} holds a {content['kind']}", field="kind")
    body: Json = content if "kind" in content else {"spec": content}
    for part in ("metadata", "spec"):
        if not isinstance(body.get(part) or {}, dict):
            raise PlayerscoreError("INVALID", f"{part} of {file.name} is no object", field=part)
    return body


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--label")
    return key, value


def _files(uris: list[str], continues: bool) -> Json:
    """What of `spec.video` names its files."""
    parts = [{"uri": uri, "continues": True} if continues else {"uri": uri} for uri in uris[1:]]
    return {"uri": uris[0], "parts": parts} if parts else {"uri": uris[0]}


def _uploaded(cluster: Cluster, dry_run: DryRun, file: Path, given: Json) -> str:
    from playerscore_cli.commands.storing import put

    if dry_run is not DryRun.NONE:
        return f"s3://uploads/{file.name}"
    return put(cluster, file, given["api"], given["token"])


def _judged(body: Json) -> Json:
    """What would be sent, if the rules that need no cluster allow it. Raises PlayerscoreError."""
    from pydantic import ValidationError

    from playerscore.admission import judge_create
    from playerscore.resources import ScoringJob

    try:
        job = ScoringJob.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise PlayerscoreError("INVALID", first["msg"], field=field) from error
    judgement = judge_create(job.spec)
    if not judgement.allowed:
        raise judgement.error()
    for text in judgement.warnings:
        output.warn(text)
    return job.model_dump(mode="json", by_alias=True, exclude_none=True)


def report(cluster: Cluster, body: Json, form: Format, dry_run: DryRun = DryRun.NONE) -> None:
    """A job after something was done to it: where it stands now, or the object."""
    if form is Format.TEXT:
        from playerscore_cli.jobs import step_of

        click.echo(f"scoringjob/{body['metadata']['name']}  {step_of(body).value}{dry_run.suffix}")
    elif form is Format.WIDE and dry_run is DryRun.NONE:
        _print_tables(cluster.tables(name=body["metadata"]["name"]), wide=True, headers=True)
    else:
        output.print_object(body, Format.YAML if form is Format.WIDE else form)


# --- get ------------------------------------------------------------------------------------------------


@click.command()
@options.names_argument
@click.option("--all-namespaces", "-A", is_flag=True, help="Jobs of every namespace.")
@click.option("--watch", "-w", is_flag=True, help="Go on with every change.")
@click.option("--no-headers", is_flag=True, help="No first line with the columns' names.")
@options.selector_options
@options.filter_options
@options.object_output
@options.cluster_options
def get(
    cluster: Cluster,
    names: tuple[str, ...],
    selector: str | None,
    field_selector: str | None,
    form: Format,
    no_headers: bool,
    watch: bool,
    all_namespaces: bool,
    **filters: Any,
) -> None:
    """One job, several, or all of the namespace, in the columns that kubectl shows."""
    query, takes = options.query_of(selector, field_selector), _filter(**filters)
    if names and (query or all_namespaces or takes):
        raise click.UsageError("names cannot be given together with a selector, a filter or --all-namespaces")
    if watch and takes:
        raise click.UsageError("--watch takes selectors, but no --step, --player or score")
    if watch:
        _watch(cluster, names, query, form, headers=not no_headers)
    elif form in (Format.TEXT, Format.WIDE):
        whole = {"includeObject": "Object"} if takes else {}
        tables = [page for name in names or (None,) for page in cluster.tables(query | whole, name)]
        if takes:
            for page in tables:
                page["rows"] = [row for row in page.get("rows") or [] if takes(row["object"])]
        if not _print_tables(
            tables, wide=form is Format.WIDE, headers=not no_headers, everywhere=all_namespaces
        ):
            where = "" if all_namespaces else f" in {cluster.namespace} namespace"
            output.note(f"No resources found{where}.")
    else:
        items = [cluster.get(name) for name in names] if names else cluster.jobs(query)
        _print_objects([item for item in items if takes is None or takes(item)], len(names) == 1, form)


def _filter(
    steps: tuple[str, ...], player: str | None, min_score: int | None, max_score: int | None
) -> Callable[[Json], bool] | None:
    """Whether a job is wanted; None when all are."""
    if not steps and player is None and min_score is None and max_score is None:
        return None
    if min_score is not None and max_score is not None and min_score > max_score:
        raise click.UsageError("--min-score is above --max-score")
    from playerscore.names import Step
    from playerscore.resources import ScoringJobStatus
    from playerscore.wanted import Wanted
    from playerscore_cli.jobs import parsed

    wanted = Wanted(frozenset(map(Step, steps)), player, min_score, max_score)

    def takes(body: Json) -> bool:
        job = parsed(body)
        return wanted.takes(job.spec, job.status or ScoringJobStatus())

    return takes


def _print_objects(items: list[Json], single: bool, form: Format) -> None:
    if form is Format.NAME:
        for item in items:
            output.print_object(item, form)
    else:
        output.print_document(items[0] if single else output.as_list(items), form)


def _print_tables(tables: Any, *, wide: bool, headers: bool, everywhere: bool = False) -> int:
    """metav1.Tables as kubectl prints them; returns how many rows."""
    rows: list[list[str]] = []
    columns: list[Json] = []
    for page in tables:
        columns = columns or page.get("columnDefinitions") or []
        rows += _rows(page, columns, wide=wide, everywhere=everywhere)
    if rows:
        output.print_rows(([_headers(columns, wide=wide, everywhere=everywhere)] if headers else []) + rows)
    return len(rows)


def _headers(columns: list[Json], *, wide: bool, everywhere: bool) -> list[str]:
    shown = [column["name"].upper() for column in columns if wide or not column.get("priority")]
    return ["NAMESPACE", *shown] if everywhere else shown


def _rows(page: Json, columns: list[Json], *, wide: bool, everywhere: bool) -> list[list[str]]:
    rows = []
    for row in page.get("rows") or []:
        cells = [
            "" if cell is None else str(cell)
            for cell, column in zip(row["cells"], columns, strict=True)
            if wide or not column.get("priority")
        ]
        rows.append([row["object"]["metadata"]["namespace"], *cells] if everywhere else cells)
    return rows


def _watch(
    cluster: Cluster, names: tuple[str, ...], query: dict[str, str], form: Format, *, headers: bool
) -> None:
    """What is there, then every change, until Ctrl-C; a lost connection is taken up where it broke."""
    if len(names) > 1:
        raise click.UsageError("one job or all can be watched, not several")
    query = query | ({"fieldSelector": f"metadata.name={names[0]}"} if names else {})
    table = form in (Format.TEXT, Format.WIDE)
    watcher = _TableWatch(form is Format.WIDE, cluster.namespace == ALL, headers) if table else None
    pages = list(cluster.tables(query)) if table else [output.as_list(cluster.jobs(query))]
    if names:
        cluster.get(names[0])
    for page in pages:
        _show(page if watcher else None, page.get("items") or [], watcher, form)
    path = cluster.jobs_path()
    version = pages[-1]["metadata"].get("resourceVersion") or cluster.version_of(path, query)
    for event in cluster.follow(path, query, version, TABLE if table else "application/json"):
        _show(event["object"] if watcher else None, [event["object"]] if not watcher else [], watcher, form)


class _TableWatch:
    """The columns of a watch: their names come once, their widths only grow."""

    def __init__(self, wide: bool, everywhere: bool, headers: bool) -> None:
        self._look = {"wide": wide, "everywhere": everywhere}
        self._headers = headers
        self._columns: list[Json] = []
        self._widths: list[int] | None = None

    def show(self, table: Json) -> None:
        self._columns = self._columns or table.get("columnDefinitions") or []
        rows = _rows(table, self._columns, **self._look)
        if self._headers and rows:
            rows.insert(0, _headers(self._columns, **self._look))
            self._headers = False
        self._widths = output.print_rows(rows, self._widths)


def _show(table: Json | None, items: list[Json], watcher: _TableWatch | None, form: Format) -> None:
    if watcher and table:
        watcher.show(table)
    for item in items:
        output.print_object(item, form)


# --- delete ---------------------------------------------------------------------------------------------


@click.command()
@options.names_argument
@options.selector_options
@click.option("--all", "everything", is_flag=True, help="All jobs of the namespace.")
@click.option("--ignore-not-found", is_flag=True, help="A job that is not there is no error.")
@click.option(
    "--cascade",
    type=click.Choice(list(CASCADES)),
    default="background",
    show_default=True,
    help="What becomes of the job's pods: they go later, first, or stay.",
)
@options.dry_run_option
@options.output_option(Format.TEXT, Format.NAME)
@options.cluster_options
def delete(
    cluster: Cluster,
    everything: bool,
    ignore_not_found: bool,
    cascade: str,
    dry_run: DryRun,
    form: Format,
    **which: Any,
) -> None:
    """Delete jobs and everything that runs for them."""

    def remove(name: str) -> None:
        settings: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": CASCADES[cascade]}
        if dry_run is DryRun.SERVER:  # a query beside a body would be ignored, and the job deleted
            settings["dryRun"] = ["All"]
        try:
            if dry_run is DryRun.CLIENT:
                cluster.get(name)
            else:
                cluster.delete(name, settings)
        except PlayerscoreError as error:
            if ignore_not_found and error.code == "JOB_NOT_FOUND":
                return
            raise
        if form is Format.NAME:
            click.echo(f"{output.RESOURCE}/{name}")
        else:
            click.echo(f'{output.RESOURCE} "{name}" deleted{dry_run.suffix}')

    each(chosen(cluster, everything=everything, **which), remove, form)


def chosen(
    cluster: Cluster,
    *,
    names: tuple[str, ...],
    selector: str | None,
    field_selector: str | None,
    everything: bool = False,
) -> list[str]:
    """The names that a command is about: those that are named, or those that the selectors choose."""
    query = options.query_of(selector, field_selector)
    if sum([bool(names), bool(query), everything]) != 1:
        raise click.UsageError("name the jobs, or choose them with --selector or --field-selector")
    found = list(names) if names else [item["metadata"]["name"] for item in cluster.jobs(query)]
    if not found:
        output.note(f"No resources found in {cluster.namespace} namespace.")
    return found


def each(found: list[str], act: Any, form: Format) -> None:
    """Do it to every one, and end as the first that failed: one bad job does not hold up the others."""
    failed: PlayerscoreError | None = None
    for name in found:
        try:
            act(name)
        except PlayerscoreError as error:
            if len(found) == 1:
                raise
            output.print_error(_about(name, error), form)
            failed = failed or error
    if failed:
        raise click.exceptions.Exit(exits.exit_code(failed))


def _about(name: str, error: PlayerscoreError) -> PlayerscoreError:
    error.details = {"job": name, **error.details}
    return error
