"""Server-sent events of one job, from a Kubernetes watch that the caller's own token opens.

An event's id is a resourceVersion, so that a reconnect with `Last-Event-ID`, to any replica, goes on with the
watch where the last one ended and misses nothing; where Kubernetes has forgotten that version, the present
state comes instead.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from playerscore.errors import PlayerscoreError
from playerscore.names import FINISHED
from playerscore_api import answers, forms, metrics
from playerscore_api.cluster import WATCH_SECONDS, Cluster
from playerscore_api.deps import Parts, State, TheJob
from playerscore_api.forms import Document, Job
from playerscore_api.strict import StrictRoute

router = APIRouter(route_class=StrictRoute)

SEND_SECONDS: Final = 30
"""Who does not read for so long is cut off, and resumes when he does."""
FORGOTTEN: Final = frozenset({"EXPIRED", "CLUSTER_UNAVAILABLE", "INVALID"})
"""How Kubernetes refuses a version that it no longer, or not yet, knows."""
SHOWN: Final = frozenset({"ADDED", "MODIFIED", "PRESENT"})


@router.get(
    "/jobs/{job_id}/events",
    operation_id="watchJob",
    tags=["jobs"],
    response_class=Response,
    responses=answers.EVENTS | answers.refused("JOB_NOT_FOUND", "TOO_MANY_REQUESTS"),
)
async def events(
    asked: TheJob,
    parts: Parts,
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="The id of the last event that was seen.")
    ] = None,
    seconds: Annotated[
        int, Query(alias="timeoutSeconds", ge=1, le=86_400, description="Ends the stream after so long.")
    ] = 86_400,
) -> Response:
    """Events until the job has ended, for whoever may get and watch it.

    Every change gives `step`, `percent`, `conditions` and `result`, as far as they differ, then `job` with the
    whole flat form and the id. `end` says that the job has ended, `deleted` that it is gone, `error` (with the
    one error body) that the stream broke: reconnect with its `Last-Event-ID`. A reconnect to a job whose end
    was seen is answered 204, at which an EventSource stops.
    """
    if parts.streams >= parts.settings.max_event_streams:
        text = f"This replica has {parts.streams} open event streams; try again, or another replica"
        raise PlayerscoreError("TOO_MANY_REQUESTS", text)
    job = forms.flat(await asked.read())
    seen = _version(last_event_id)
    if seen == job.resourceVersion and job.progress.step in FINISHED:
        return Response(status_code=204)
    watched = Watched(*asked, asyncio.get_running_loop().time() + seconds)
    stream = _counted(parts, _told(watched, job, seen))
    return EventSourceResponse(stream, ping=parts.settings.event_ping_seconds, send_timeout=SEND_SECONDS)


def _version(last_event_id: str | None) -> str | None:
    """What a browser kept from somewhere else is as good as nothing."""
    known = last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit()
    return last_event_id if known else None


async def _counted(parts: State, stream: AsyncGenerator[ServerSentEvent]) -> AsyncGenerator[ServerSentEvent]:
    parts.streams += 1
    metrics.STREAMS.inc()
    try:
        async with contextlib.aclosing(stream) as told:
            async for event in told:
                yield event
    except PlayerscoreError as error:
        yield ServerSentEvent(event="error", data=_text(error.body()))
    finally:
        parts.streams -= 1
        metrics.STREAMS.dec()


class Watched:
    """One job, watched by one caller until a time of the event loop's clock."""

    def __init__(self, caller: Cluster, namespace: str, name: str, end: float) -> None:
        self._caller = caller
        self._namespace = namespace
        self._name = name
        self._end = end

    def seconds(self) -> int:
        """How long the next watch may last; 0 when the time is over."""
        left = self._end - asyncio.get_running_loop().time()
        return max(0, min(WATCH_SECONDS, math.ceil(left)))

    async def changes(self, version: str | None) -> AsyncGenerator[tuple[str, Document]]:
        """Kind and object of what the watch tells after that version; without one, first of the present state.

        A version that is forgotten gives the present state as `PRESENT`: the next watch must have no version,
        since the job's own can be as old, when only others have changed.
        """
        stream = self._caller.watch_job(self._namespace, self._name, version, self.seconds())
        try:
            async with contextlib.aclosing(stream) as found:
                async for change in found:
                    if change["type"] == "ERROR":
                        raise PlayerscoreError("EXPIRED", str(change["object"].get("message")))
                    yield change["type"], change["object"]
        except PlayerscoreError as error:
            if version is None or error.code not in FORGOTTEN:
                raise
            yield "PRESENT", await self._caller.get_job(self._namespace, self._name)


async def _told(watched: Watched, present: Job, seen: str | None) -> AsyncGenerator[ServerSentEvent]:
    """The events of a job from the version that was seen, or from its present state, to its end."""
    for event in differences(None, present) if seen is None else []:
        yield event
    before = present if seen is None else None
    version = seen
    while not _ended(before) and watched.seconds():
        quiet = True
        async with contextlib.aclosing(watched.changes(version)) as changes:
            async for kind, document in changes:
                quiet = False
                after = forms.flat(document) if kind in SHOWN else None
                for event in _events(kind, document, before, after):
                    yield event
                if kind == "DELETED":
                    return
                version = None if kind == "PRESENT" else document["metadata"]["resourceVersion"]
                before = after or before
                if _ended(before):
                    break
        if (
            quiet and version is None and watched.seconds()
        ):  # a watch without a version tells of what is there
            yield ServerSentEvent(event="deleted", data="{}")
            return
    if before is not None and _ended(before):
        yield ServerSentEvent(event="end", id=before.resourceVersion, data=before.model_dump_json())


def _ended(job: Job | None) -> bool:
    return job is not None and job.progress.step in FINISHED


def _events(kind: str, document: Document, before: Job | None, after: Job | None) -> list[ServerSentEvent]:
    version = document["metadata"]["resourceVersion"]
    if kind == "DELETED":
        return [ServerSentEvent(event="deleted", id=version, data="{}")]
    # A bookmark's id alone keeps the reader's young, so that a late reconnect can resume.
    return [ServerSentEvent(id=version)] if after is None else differences(before, after)


def differences(before: Job | None, after: Job) -> list[ServerSentEvent]:
    """What changed, each part by its name, then the whole; only the last carries the id.

    A connection that breaks between them thus resumes before all of them.
    """
    old = _parts(before) if before else {}
    found = [
        ServerSentEvent(event=name, data=_text(value))
        for name, value in _parts(after).items()
        if value is not None and old.get(name) != value
    ]
    if before is not None and before.model_copy(update={"resourceVersion": after.resourceVersion}) == after:
        return []
    return [*found, ServerSentEvent(event="job", id=after.resourceVersion, data=after.model_dump_json())]


def _parts(job: Job) -> dict[str, Any]:
    """What has an event of its own; None where there is nothing to tell."""
    document = job.model_dump(mode="json")
    progress = document["progress"]
    percent = progress["percent"]
    return {
        "step": {"step": progress["step"], "message": progress["message"]},
        "percent": None if percent is None else {"percent": percent},
        "conditions": document["conditions"] or None,
        "result": document["result"],
    }


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
