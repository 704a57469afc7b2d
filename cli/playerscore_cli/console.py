"""What a terminal shows in colour: progress with an estimate, tables, bars. Rich, because it knows what a
terminal can and falls back to plain lines where there is none.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from playerscore.decisions import Decision, DecisionLog
from playerscore.resources import Frame, PreviewStatus, Result
from playerscore_cli import explaining


class Screen(Console):
    """A console that leaves a broken pipe to `main`."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


out = Screen(highlight=False, soft_wrap=True)
err = Screen(stderr=True, highlight=False, soft_wrap=True)


class Tell(Protocol):
    """Takes a share of the work, 0..1, and what is going on."""

    def __call__(self, share: float, message: str) -> None: ...


@contextmanager
def progress(title: str) -> Iterator[Tell]:
    """A bar with an estimate of the time that is left; plain lines where there is no terminal."""
    if not err.is_terminal:
        yield _lines(title)
        return
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


def _lines(title: str) -> Tell:
    """A line for every new message, and for every tenth of the work."""
    last, said = "", 0.0

    def tell(share: float, message: str) -> None:
        nonlocal last, said
        words = re.sub(r"[\d.]+", "#", message)
        if words != last or share >= said + 0.1:
            last, said = words, share
            err.print(f"{title}  {share:.0%}  {message}", markup=False)

    return tell


def print_preview(preview: PreviewStatus) -> None:
    """The frames and the people on them, the most usable first."""
    table = _table("frame", "time", "track", "score", "x", "y", "w", "h", title="Preview")
    for number, frame in enumerate(preview.frames, start=1):
        add_people(table, frame, (str(number), f"{frame.time_sec:.2f} s"))
        table.add_section()
    out.print(table)


def print_people(frame: Frame) -> None:
    """The people on one frame, the most usable first."""
    table = _table("track", "score", "x", "y", "w", "h")
    add_people(table, frame)
    out.print(table)


def add_people(table: Table, frame: Frame, before: tuple[str, ...] = ()) -> None:
    """A row for each person."""
    for track in sorted(frame.tracks, key=lambda item: -item.score):
        box = [f"{value:.3f}" for value in track.bbox.box]
        table.add_row(*before, str(track.track_id), f"{track.score:.2f}", *box)


def print_result(result: Result) -> None:
    """overallScore and the radar as bars."""
    table = _table("axis", "score", "", title=f"overallScore {result.overall_score}")
    for axis, score in result.radar.model_dump().items():
        table.add_row(axis, str(score), "█" * round(score / 4))
    out.print(table)
    seen = result.signals
    out.print(
        f"{result.method}: of {seen.analysed_sec:.1f} s certain {_seconds(seen.certain_sec)}, "
        f"uncertain {_seconds(seen.uncertain_sec)}, lost {_seconds(seen.lost_sec)}; "
        f"{_count(seen.doubtful_encounters)} of {_count(seen.encounters)} encounters doubtful"
        + (" (target forced)" if result.target_forced else "")
    )
    if (moved := result.metrics) is not None:
        top = "" if moved.top_speed_kmh is None else f", top {moved.top_speed_kmh:.1f} km/h"
        out.print(
            f"in metres for {100 * moved.calibrated_share:.0f} % of the seen time, to {moved.position_error_m:.1f} m: "
            f"{moved.distance_m:.0f} m, {moved.distance_m_per_min:.0f} m/min{top}, "
            f"{moved.high_speed_distance_m:.0f} m above {moved.high_speed_kmh:g} km/h"
        )
    for warning in result.warnings or []:
        out.print(f"Warning: {warning.code}: {warning.message}", markup=False)


def _seconds(value: float | None) -> str:
    """What an older worker did not measure is a question mark."""
    return "?" if value is None else f"{value:.1f}"


def _count(value: int | None) -> str:
    return "?" if value is None else str(value)


def print_decisions(decisions: Sequence[Decision], log: DecisionLog) -> None:
    """What was decided, when, why, how sure it is and who else it could have been."""
    headers = ("#", "time", "what", "why", "how sure", "who else")
    table = Table(*headers, box=SIMPLE_HEAD, pad_edge=False)
    for decision in decisions:
        table.add_row(*explaining.cells(decision, log))
    out.print(table)


def _table(*headers: str, title: str | None = None) -> Table:
    return Table(*headers, title=title, title_justify="left")
