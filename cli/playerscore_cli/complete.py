"""What the shell offers at TAB: jobs, frames, tracks, runtimes, namespaces and contexts, from the cluster.

Nothing here may fail or hang: a person who presses TAB without a cluster gets no offers, quickly.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from playerscore import names
from playerscore.errors import PlayerscoreError

Json = dict[str, Any]
Offers = list[CompletionItem]
Completer = Callable[[click.Context, click.Parameter, str], Offers]

PLACES: Final = ("namespace", "context", "kubeconfig")
API_SECONDS: Final = 3.0
"""Nobody waits longer at a TAB."""


def _cluster(ctx: click.Context) -> Any:
    """The cluster that the line so far means."""
    from playerscore_cli.cluster import Cluster

    return Cluster.open(*place_of(ctx), seconds=API_SECONDS)


def place_of(ctx: click.Context) -> tuple[str | None, str | None, Path | None]:
    """Namespace, context and kubeconfig as they stand before or behind the command's name."""
    before, behind = ctx.find_root().params, ctx.params
    namespace, context, file = (behind.get(key) or before.get(key) for key in PLACES)
    return namespace, context, Path(file) if file else None


def _quietly(offer: Callable[[click.Context, str], Iterable[CompletionItem]]) -> Completer:
    def completer(ctx: click.Context, param: click.Parameter, incomplete: str) -> Offers:
        try:
            return [item for item in offer(ctx, incomplete) if item.value.startswith(incomplete)]
        except (PlayerscoreError, OSError, LookupError, TypeError, ValueError):
            return []

    return completer


@_quietly
def jobs(ctx: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """Names of jobs, with their step; not those that stand on the line already."""
    taken = ctx.params.get("names") or ()
    for job in _cluster(ctx).jobs():
        name = job["metadata"]["name"]
        if name not in taken:
            step = (job.get("status") or {}).get("progress", {}).get("step")
            yield CompletionItem(name, help=step)


@_quietly
def runtimes(ctx: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """Names of ScoringRuntimes."""
    path = f"/apis/{names.API_VERSION}/{names.RUNTIME_PLURAL}"
    return [CompletionItem(name) for name in _cluster(ctx).names_of(path)]


@_quietly
def namespaces(ctx: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """Names of namespaces."""
    return [CompletionItem(name) for name in _cluster(ctx).names_of("/api/v1/namespaces")]


@_quietly
def contexts(ctx: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """Names of contexts of the kubeconfig."""
    from playerscore_cli import kubeconfig

    return [CompletionItem(name) for name in kubeconfig.contexts(place_of(ctx)[2])]


@_quietly
def frames(ctx: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """Numbers of the preview's frames, or their keys once one is begun."""
    for number, frame in enumerate(_frames(ctx), start=1):
        key, people = frame["frame_key"], len(frame.get("tracks") or [])
        about = f"{frame['time_sec']:.2f} s, {people} people"
        if incomplete.startswith("j"):
            yield CompletionItem(key, help=about)
        else:
            yield CompletionItem(str(number), help=f"{key}, {about}")


@_quietly
def tracks(ctx: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """Track ids of the chosen frame, or of all; the most usable first."""
    chosen = ctx.params.get("frame")
    found: dict[int, float] = {}
    for number, frame in enumerate(_frames(ctx), start=1):
        if chosen in (None, str(number), frame["frame_key"]):
            for track in frame.get("tracks") or []:
                found[track["track_id"]] = max(track["score"], found.get(track["track_id"], 0))
    ranked = sorted(found.items(), key=lambda item: -item[1])
    return [CompletionItem(str(track), help=f"score {score:.2f}") for track, score in ranked]


def _frames(ctx: click.Context) -> list[Json]:
    # Where an option's value is being typed, click has not come to the arguments; they wait in ctx.args.
    name = ctx.params.get("name") or ctx.args[0].rpartition("/")[2]
    preview = (_cluster(ctx).get(name).get("status") or {}).get("preview") or {}
    found: list[Json] = preview.get("frames") or []
    return found
