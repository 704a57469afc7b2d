"""upload, artifacts: what lies in the store, through the REST API, which alone has its credentials."""

import hashlib
from pathlib import Path
from typing import Any

import click

from playerscore.errors import PlayerscoreError
from playerscore.resources import Artifact
from playerscore_cli import complete, console, options, output, uploading
from playerscore_cli.cluster import Cluster
from playerscore_cli.jobs import parsed
from playerscore_cli.output import Format
from playerscore_cli.rest import Api


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.api_options
@options.output_option(Format.NAME, Format.JSON, Format.YAML)
@options.place_options
@click.pass_context
def upload(
    ctx: click.Context, /, file: Path, api: str | None, token: str | None, form: Format, **place: Any
) -> None:
    """Put a video into the store; prints its uri for `create --video`.

    The same command again goes on where it was cut off. With --api and --token no kubeconfig is needed; the
    video then goes into the API's default namespace unless -n names another.
    """
    namespace, context, kubeconfig = complete.place_of(ctx)
    cluster = None
    try:
        cluster = Cluster.open(namespace, context, kubeconfig)
    except PlayerscoreError:
        if not token:
            raise
    uri = put(cluster, file, api, token, namespace)
    if form is Format.NAME:
        click.echo(uri)
    else:
        output.print_document({"uri": uri}, form)


def put(
    cluster: Cluster | None, file: Path, url: str | None, token: str | None, namespace: str | None = None
) -> str:
    """Upload with a bar; returns the uri. Raises PlayerscoreError."""
    api = Api.reach(cluster, url, token)
    with console.progress("upload") as tell:
        return uploading.upload(api, file, cluster.namespace if cluster else namespace, tell)


@click.command()
@options.name_argument
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--output-dir",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Download them (or the named ones) into this folder.",
)
@options.api_options
@options.output_option(Format.TEXT, Format.JSON, Format.YAML, Format.NAME)
@options.cluster_options
def artifacts(
    cluster: Cluster,
    name: str,
    files: tuple[str, ...],
    output_dir: Path | None,
    api: str | None,
    token: str | None,
    form: Format,
) -> None:
    """The files that an analysis made: lists them, or downloads them with --output-dir."""
    found = _chosen(cluster, name, files)
    if output_dir:
        reached = Api.reach(cluster, api, token)
        output_dir.mkdir(parents=True, exist_ok=True)
        for item in found:
            click.echo(_download(reached, cluster, name, item, output_dir))
    elif form is Format.TEXT:
        rows = [[item.name, item.media_type, str(item.bytes), item.sha256] for item in found]
        output.print_rows([["NAME", "TYPE", "BYTES", "SHA256"], *rows])
    elif form is Format.NAME:
        for item in found:
            click.echo(item.name)
    else:
        output.print_document([item.model_dump(mode="json", by_alias=True) for item in found], form)


def _chosen(cluster: Cluster, name: str, files: tuple[str, ...]) -> list[Artifact]:
    job = parsed(cluster.get(name))
    there = {item.name: item for item in (job.status and job.status.artifacts) or []}
    absent = [file for file in files if file not in there]
    if absent or not there:
        what = f"artifact {absent[0]}" if absent else "artifacts yet"
        raise PlayerscoreError("NOT_FOUND", f"The job has no {what}")
    return [there[file] for file in files] if files else list(there.values())


def _download(api: Api, cluster: Cluster, name: str, item: Artifact, folder: Path) -> Path:
    """Write a file under its name, once its digest is right. Raises PlayerscoreError."""
    target, part, digest = folder / item.name, folder / f".{item.name}.part", hashlib.sha256()
    try:
        with part.open("wb") as content:
            for piece in api.content(f"/jobs/{name}/artifacts/{item.name}", {"namespace": cluster.namespace}):
                digest.update(piece)
                content.write(piece)
        if digest.hexdigest() != item.sha256:
            raise PlayerscoreError(
                "STORE_UNAVAILABLE", f"{item.name} came with other bytes than the job's status says"
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target
