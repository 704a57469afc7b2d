"""console: the pages in a browser, signed in as oneself."""

import contextlib
import html
import os
import re
import secrets
import subprocess
import tempfile
import threading
import time
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from playerscore.errors import PlayerscoreError
from playerscore_cli import complete, options
from playerscore_cli.cluster import Cluster
from playerscore_cli.commands.here import extras
from playerscore_cli.commands.reviewing import folder_of

TOKEN_SECONDS: Final = 3600
FORWARDED: Final = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")
READ_SECONDS: Final = 10.0
"""How long a browser may take to read the file that it is given."""
PAGE: Final = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={}">'


@click.command()
@click.argument("name", required=False, metavar="[NAME|FOLDER]", shell_complete=complete.jobs)
@options.api_options
@click.option(
    "--account", metavar="NAME", help="A ServiceAccount of the namespace that you may make tokens for."
)
@click.option(
    "--system-namespace",
    metavar="NAME",
    default="playerscore-system",
    show_default=True,
    help="Where the API is, for the port-forward; without --api.",
)
@click.option("--service", metavar="NAME", default="playerscore-api", show_default=True, help="Its Service.")
@click.option("--no-browser", is_flag=True, help="Print the address, with the token, and open nothing.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="NUMBER",
    help="With FOLDER: a free one by default.",
)
@options.place_options
@click.pass_context
def console(
    ctx: click.Context,
    /,
    name: str | None,
    api: str | None,
    token: str | None,
    account: str | None,
    system_namespace: str,
    service: str,
    no_browser: bool,
    port: int,
    **place: Any,
) -> None:
    """Open the console in a browser, signed in; stays until Ctrl-C while it forwards a port.

    With a FOLDER (one that is there, or a new one as ./NAME) it needs no cluster: jobs, videos and results lie there,
    and this machine does the work, until Ctrl-C; later it goes on where it was. The folder of `run` is shown too.

    The token is your kubeconfig's where it has one, else one of --account for an hour. The page takes it out of its
    address at once and keeps it in memory only.
    """
    if name is not None and (Path(name).is_dir() or os.sep in name):
        desk(Path(name), [], port, no_browser)
        return
    namespace, context, kubeconfig = complete.place_of(ctx)
    cluster = Cluster.open(namespace, context, kubeconfig)
    bearer = token or _token(cluster, account)
    with _reached(api, [system_namespace, service], context, kubeconfig) as url:
        page = "/".join(["", cluster.namespace, *([name] if name else [])])
        address = f"{url.rstrip('/')}/console/"
        signed = f"{address}#token={quote(bearer, safe='')}&to={quote(page, safe='')}"
        if no_browser:
            click.echo(signed)
        else:
            click.echo(f"{address}#{page}")
            _open(signed)
        while not api:
            time.sleep(1)


def desk(folder: Path, videos: Sequence[Path], port: int, no_browser: bool, **asked: Any) -> None:
    """Serve the console over a folder, with a draft of the video where one is given, of which `asked` tells more.

    Raises PlayerscoreError.
    """
    with extras("cli, worker, clips and api"):
        from playerscore_desk import app
    with app.alone(folder):
        served = app.Console(folder, secrets.token_urlsafe(32))
        shown = served.add(videos, **asked) if videos else _adopted(served, folder)

        def opened(url: str) -> None:
            address = served.address(url, shown)
            click.echo(address if no_browser else f"{url}/console/")
            if not no_browser:
                threading.Thread(target=_opened_or_told, args=[address], daemon=True).start()

        app.serve(served, port, opened)


def _opened_or_told(address: str) -> None:
    try:
        _open(address)
    except PlayerscoreError:  # a machine without a browser
        click.echo(address)


def _adopted(served: Any, folder: Path) -> str | None:
    """The job as which a run in the folder is shown; None where there is no run."""
    if folder_of(str(folder)) is None:
        return None
    with extras():
        from playerscore_cli import local
    task, _ = local.kept(folder)
    name: str = served.adopt(local.RUN_NAME, task, local.read_result(folder), local.artifacts(folder))
    return name


def _token(cluster: Cluster, account: str | None) -> str:
    """A bearer token of the person's own. Raises PlayerscoreError."""
    if account is None:
        if bearer := cluster.access.bearer:
            return bearer
        text = (
            "Your kubeconfig has a certificate, which a browser cannot show: --account or --token is needed"
        )
        raise PlayerscoreError("UNAUTHENTICATED", text)
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    path = f"/api/v1/namespaces/{cluster.namespace}/serviceaccounts/{account}/token"
    return str(cluster.call("POST", path, body=request)["status"]["token"])


@contextlib.contextmanager
def _reached(api: str | None, place: list[str], context: str | None, file: Path | None) -> Iterator[str]:
    """The API's address: as given, else a port of this machine that kubectl forwards. Raises PlayerscoreError."""
    if api:
        yield api
        return
    namespace, service = place
    command = ["kubectl", "port-forward", "--namespace", namespace, f"service/{service}", ":http"]
    command += ["--address", "127.0.0.1", *(["--context", context] if context else [])]
    command += ["--kubeconfig", str(file)] if file else []
    try:
        forward = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603  # kubectl, from the PATH
    except OSError as error:
        raise PlayerscoreError(
            "CLUSTER_UNAVAILABLE", f"kubectl is needed to forward a port: {error}"
        ) from error
    try:
        yield f"http://{_forwarded(forward)}"
    finally:
        forward.terminate()
        forward.wait()


def _forwarded(forward: "subprocess.Popen[str]") -> str:
    assert forward.stdout is not None and forward.stderr is not None  # noqa: PT018  # both are pipes
    for line in forward.stdout:
        if found := FORWARDED.search(line):
            return found[1]
    raise PlayerscoreError(
        "CLUSTER_UNAVAILABLE", f"No port could be forwarded: {forward.stderr.read().strip()}"
    )


def _open(address: str) -> None:
    """By a file that nobody else can read: a browser's arguments stand in the list of processes."""
    handle, file = tempfile.mkstemp(prefix="playerscore-", suffix=".html")
    with os.fdopen(handle, "w") as written:
        written.write(PAGE.format(html.escape(address)))
    try:
        if not webbrowser.open(Path(file).as_uri()):
            text = "No browser could be opened; --no-browser prints the address"
            raise PlayerscoreError("INVALID", text, field="BROWSER")
        time.sleep(READ_SECONDS)
    finally:
        Path(file).unlink()
