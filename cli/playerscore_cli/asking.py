"""`pick` without --track: shows the picture and asks, on a terminal."""

import sys
from typing import NamedTuple

import click

from playerscore.coherence import find_frame, find_track
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.names import frame_number
from playerscore.resources import Frame, PreviewStatus, ScoringJob
from playerscore_cli import console, output, terminal
from playerscore_cli.cluster import Cluster
from playerscore_cli.jobs import parsed, preview_of
from playerscore_cli.picture import draw_frame, marks_on
from playerscore_cli.rest import Frames

HELP = "track id, or n: next frame, p: previous frame, q: quit"


class Look(NamedTuple):
    """How pictures are drawn, and where their pixels come from."""

    picture: str
    api: str | None
    token: str | None


def ask(cluster: Cluster, name: str, frame_key: str | None, look: Look) -> tuple[str, int]:
    """The frame and the track that a person chooses. Raises click.UsageError without a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("give --track, or --best; on a terminal you are asked")
    job = parsed(cluster.get(name))
    preview = preview_of(job)
    if not preview.frames:
        raise FlowError("TRACK_NOT_FOUND", "The preview shows no person")
    frames = Frames(cluster, name, look.api, look.token)
    place = _first(preview, frame_key)
    while True:
        frame = preview.frames[place]
        _show(job, frame, frames, look.picture)
        answer = _answer(frame, len(preview.frames))
        if isinstance(answer, int):
            return frame.frame_key, answer
        place = (place + answer.step) % len(preview.frames)


class Turn(NamedTuple):
    """To another frame."""

    step: int


def _first(preview: PreviewStatus, frame_key: str | None) -> int:
    """The frame that was asked for, else the one with the most people."""
    if frame_key is None:
        return max(range(len(preview.frames)), key=lambda place: len(preview.frames[place].tracks))
    frame = find_frame(preview, frame_key)
    if frame is None:
        raise FlowError("FRAME_NOT_FOUND", f"The preview has no frame {frame_key}", field="frame_key")
    return preview.frames.index(frame)


def _show(job: ScoringJob, frame: Frame, frames: Frames, picture: str) -> None:
    jpeg = frames.jpeg(frame_number(frame.frame_key))
    marks = marks_on(job.spec, frame)
    terminal.show(lambda width: draw_frame(frame, jpeg, width, marks), picture, console.out)
    console.print_people(frame)


def _answer(frame: Frame, count: int) -> int | Turn:
    """A track of this frame, or a turn; asks until it is one of them. Raises click.Abort."""
    number = frame_number(frame.frame_key)
    while True:
        text = click.prompt(f"Frame {number} of {count} ({HELP})", prompt_suffix=": ").strip().lower()
        if text in ("n", "p"):
            return Turn(1 if text == "n" else -1)
        if text == "q":
            raise click.Abort
        if text.isdecimal() and find_track(frame, int(text)):
            return int(text)
        error = PlayerscoreError("TRACK_NOT_FOUND", f"frame {number} has no track {text!r}")
        output.print_error(error, None)
