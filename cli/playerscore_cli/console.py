"""What the terminal shows: tables, bars, progress with an estimate; and the exit codes.

Exit codes: 0 done; 1 the cluster, the store or the machine failed; 2 wrong usage; 3 the flow refuses
(NOT_READY, TARGET_MISMATCH, ...); 4 there is no such thing; 5 the job FAILED.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Protocol

import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from playerscore.errors import PlayerscoreError
from playerscore.resources import PreviewStatus, Result

EXIT_MACHINE = 1
EXIT_REFUSED = 3
EXIT_NOT_FOUND = 4
EXIT_JOB_FAILED = 5

out = Console()
err = Console(stderr=True)


class Format(StrEnum):
    """How an object is printed."""

    text = "text"
    json = "json"
    yaml = "yaml"
    name = "name"


class Tell(Protocol):
    """Takes a share of the work, 0..1, and what is going on."""

    def __call__(self, share: float, message: str) -> None: ...


@contextmanager
def progress(title: str) -> Iterator[Tell]:
    """A bar with an estimate of the time that is left; plain lines where there is no terminal."""
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(title, total=1.0, message="")

        def tell(share: float, message: str) -> None:
            bar.update(task, completed=min(1.0, share), message=message)

        yield tell
        bar.update(task, completed=1.0)


def print_object(body: dict[str, Any], form: Format) -> None:
    """Print a Kubernetes object as asked."""
    if form is Format.json:
        sys.stdout.write(json.dumps(body, indent=2) + "\n")
    elif form is Format.yaml:
        sys.stdout.write(yaml.safe_dump(body, sort_keys=False))
    elif form is Format.name:
        sys.stdout.write(body["metadata"]["name"] + "\n")
    else:
        step = (body.get("status") or {}).get("progress", {}).get("step", "-")
        out.print(f"scoringjob/{body['metadata']['name']}  {step}")


def print_preview(preview: PreviewStatus) -> None:
    """The frames and the people on them, the most usable first."""
    table = Table("frame", "time", "track", "score", "x", "y", "w", "h", title="Preview")
    for number, frame in enumerate(preview.frames, start=1):
        for track in sorted(frame.tracks, key=lambda item: -item.score):
            box = [f"{value:.3f}" for value in track.bbox.box]
            table.add_row(
                str(number), f"{frame.time_sec:.2f} s", str(track.track_id), f"{track.score:.2f}", *box
            )
        table.add_section()
    out.print(table)


def print_result(result: Result) -> None:
    """overallScore and the radar as bars."""
    table = Table("axis", "score", "", title=f"overallScore {result.overall_score}")
    for axis, score in result.radar.model_dump().items():
        table.add_row(axis, str(score), "█" * round(score / 4))
    out.print(table)
    seen = result.signals
    out.print(
        f"{result.method}: seen {seen.supported_share:.0%} of {seen.analysed_sec:.1f} s, "
        f"lost {seen.lost_segments} times" + (" (target forced)" if result.target_forced else "")
    )


def fail(error: PlayerscoreError) -> int:
    """Print code and message; returns the exit code."""
    shown = {key: value for key, value in error.details.items() if value is not None}
    err.print(f"[bold red]{error.code}[/]: {error.message}", highlight=False)
    for key, value in shown.items():
        err.print(f"  {key}: {value}", highlight=False)
    if error.http_status == 404:
        return EXIT_NOT_FOUND
    return EXIT_REFUSED if error.http_status in (409, 422) else EXIT_MACHINE
