"""wait, watch, events: how a job goes on."""

import json
from typing import Any

import click

from playerscore.errors import PlayerscoreError
from playerscore_cli import console, options, output, waiting
from playerscore_cli.cluster import Cluster
from playerscore_cli.commands.objects import chosen, each, report
from playerscore_cli.jobs import parsed
from playerscore_cli.output import Format

Json = dict[str, Any]


@click.command()
@options.names_argument
@options.selector_options
@click.option(
    "--for",
    "what",
    metavar="WHAT",
    default="end",
    show_default=True,
    help="end, preview, stop, delete, step=STEP, or condition=TYPE[=STATUS].",
)
@options.timeout_option
@options.object_output
@options.cluster_options
def wait(cluster: Cluster, what: str, timeout: float, form: Format, **which: Any) -> None:
    """Wait for jobs; the exit code tells how it ended."""
    waiting.goal_of(what)

    def act(name: str) -> None:
        try:
            report(cluster, waiting.wait_for(cluster, name, what, timeout), form)
        except PlayerscoreError as error:
            if what != "delete" or error.code != "JOB_NOT_FOUND":
                raise
            click.echo(f"{output.RESOURCE}/{name} deleted")

    each(chosen(cluster, **which), act, form)


@click.command()
@options.name_argument
@options.timeout_option
@options.output_option(Format.TEXT, Format.JSON)
@options.cluster_options
def watch(cluster: Cluster, name: str, timeout: float, form: Format) -> None:
    """Follow a job to its end, and show the result; with -o json, a line for each of its states."""
    if form is Format.JSON:
        waiting.until(
            cluster, name, waiting.END, timeout, lambda job: click.echo(json.dumps(output.shown(job)))
        )
        return
    job = parsed(waiting.wait_for(cluster, name, "end", timeout))
    if job.status and job.status.result:
        console.print_result(job.status.result)


@click.command()
@options.name_argument
@click.option("--watch", "-w", is_flag=True, help="Go on with every new one.")
@options.output_option(Format.TEXT, Format.JSON)
@options.cluster_options
def events(cluster: Cluster, name: str, watch: bool, form: Format) -> None:
    """What happened to a job: its conditions and its Kubernetes Events, oldest first."""
    job = cluster.get(name)
    query = {"fieldSelector": f"involvedObject.uid={job['metadata']['uid']}"}
    page = next(cluster.pages(cluster.events_path(), query))
    conditions = [_of_condition(item) for item in (job.get("status") or {}).get("conditions") or []]
    found = sorted([*conditions, *map(_of_event, page["items"])], key=lambda item: str(item["time"]))
    if form is Format.JSON and not watch:
        output.print_document(found, form)
        return
    widths = None
    if form is Format.TEXT:
        widths = output.print_rows([["TIME", "KIND", "REASON", "MESSAGE"], *map(_row, found)])
    else:
        for item in found:
            click.echo(json.dumps(item))
    if not watch:
        return
    for event in cluster.follow(cluster.events_path(), query, page["metadata"]["resourceVersion"]):
        if form is Format.TEXT:
            widths = output.print_rows([_row(_of_event(event["object"]))], widths)
        else:
            click.echo(json.dumps(_of_event(event["object"])))


def _of_condition(item: Json) -> Json:
    return {
        "time": item["lastTransitionTime"],
        "kind": f"{item['type']}={item['status']}",
        "reason": item["reason"],
        "message": item["message"],
    }


def _of_event(item: Json) -> Json:
    time = item.get("lastTimestamp") or item.get("eventTime") or item["metadata"].get("creationTimestamp")
    return {
        "time": time,
        "kind": item.get("type"),
        "reason": item.get("reason"),
        "message": item.get("message"),
    }


def _row(item: Json) -> list[str]:
    return [str(item[key] or "").replace("\n", " ") for key in ("time", "kind", "reason", "message")]
