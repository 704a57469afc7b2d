"""Server-sent events of one job, or of a namespace's, from a Kubernetes watch that the caller's own token opens.

An event's id is a resourceVersion, so that a reconnect with `Last-Event-ID`, to any replica, is told what it missed;
where Kubernetes has forgotten that version, the present state comes instead. A stream begins only when all of this
is granted: until then it is refused with a code, and not broken.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any, Final, NamedTuple

import orjson
from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from playerscore.errors import PlayerscoreError
from playerscore.names import FINISHED
from playerscore_api import answers, forms, stored
from playerscore_api.deps import Addressed, Caller, Namespace, Parts, TheJob, Token
from playerscore_api.feeds import EVERY, FORGOTTEN, Feed, Hub, Told
from playerscore_api.forms import Job
from playerscore_api.strict import StrictRoute

router = APIRouter(route_class=StrictRoute)

SEND_SECONDS: Final = 30
"""Who does not read for so long is cut off, and resumes when he does."""
CATCH_UP_SECONDS: Final = 10
UNKNOWN: Final = FORGOTTEN | {"CLUSTER_UNAVAILABLE"}
"""How Kubernetes refuses a version that it no longer, or not yet, knows."""
Seconds = Annotated[
    int, Query(alias="timeoutSeconds", ge=1, le=86_400, description="Ends the stream after so long.")
]


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
    token: Token,
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="The id of the last event that was seen.")
    ] = None,
    seconds: Seconds = 86_400,
) -> Response:
    """Events until the job has ended, for whoever may get and watch it.

    Every change gives `step`, `percent`, `conditions` and `result`, as far as they differ, then `job` with the
    whole flat form and the id. `end` says that the job has ended, `deleted` that it is gone, `error` (with the
    one error body) that the stream broke: reconnect with its `Last-Event-ID`. A reconnect to a job whose end
    was seen is answered 204, at which an EventSource stops.
    """
    with contextlib.ExitStack() as opening:
        feed = parts.hub.admit()
        opening.callback(feed.close)
        end = asyncio.get_running_loop().time() + seconds
        async with parts.hub.turn():
            await feed.open(asked.caller, token, asked.namespace, asked.id)
            start = await _start(asked, feed, _version(last_event_id))
        if start.seen_to_the_end:
            return Response(status_code=204)
        told = _told(asked, parts.hub, feed, start, end)
        stream = EventStream(told, ping=parts.settings.event_ping_seconds, send_timeout=SEND_SECONDS)
        stream.closing = opening.pop_all().close
        return stream


@router.get(
    "/events",
    operation_id="watchJobs",
    tags=["jobs"],
    response_class=Response,
    responses=answers.EVERY_EVENT | answers.refused("TOO_MANY_REQUESTS"),
)
async def every_event(
    caller: Caller, namespace: Namespace, parts: Parts, token: Token, seconds: Seconds = 86_400
) -> Response:
    """What happens from now on to the jobs of a namespace, for whoever may watch them.

    A change gives `job` with the whole flat form, `deleted` the job as it was last. What is there already is not told:
    open the stream, then read the list, and keep of each job what has the higher resourceVersion. The stream ends
    where a change may have been missed, after `error` where Kubernetes refuses to go on: do both again.
    """
    with contextlib.ExitStack() as opening:
        feed = parts.hub.admit()
        opening.callback(feed.close)
        async with parts.hub.turn():
            await feed.open(caller, token, namespace, EVERY)
        told = _told_of_all(feed, asyncio.get_running_loop().time() + seconds)
        stream = EventStream(told, ping=parts.settings.event_ping_seconds, send_timeout=SEND_SECONDS)
        stream.closing = opening.pop_all().close
        return stream


async def _told_of_all(feed: Feed, end: float) -> AsyncGenerator[ServerSentEvent]:
    """The changes of all jobs, until one may have been missed."""
    yield ServerSentEvent(comment="watching")
    try:
        while (change := await feed.next(end)) is not None and change.kind != "GAP":
            if change.job is not None:
                name = "deleted" if change.kind == "DELETED" else "job"
                body = forms.flat(change.job).model_dump_json()
                yield ServerSentEvent(event=name, id=str(change.version), data=body)
    except PlayerscoreError as error:
        yield ServerSentEvent(event="error", data=_text(error.body()))


class EventStream(EventSourceResponse):
    """A response that gives its place back however it ends, also before its first event."""

    closing: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.closing()


class Start(NamedTuple):
    """What a stream begins with."""

    before: Job | None
    """What the reader has seen."""
    missed: list[Told]
    """What he is told first."""
    uid: str

    @property
    def seen_to_the_end(self) -> bool:
        return self.before is not None and not self.missed and _ended(self.before)


def _version(last_event_id: str | None) -> int | None:
    """What a browser kept from somewhere else is as good as nothing."""
    known = last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit()
    return int(last_event_id or "") if known else None


async def _start(asked: Addressed, feed: Feed, seen: int | None) -> Start:
    """Read the job, after the watch was opened so that nothing falls between, and find what the reader missed.

    Raises JOB_NOT_FOUND, FORBIDDEN, ...
    """
    job = await asked.read()
    uid, present = str(job["metadata"]["uid"]), _present(job)
    if seen is None or seen > max(present.version, feed.version):
        return Start(None, [present], uid)
    if seen >= present.version:
        return Start(forms.flat(job), [], uid)
    return Start(None, await _missed(asked, seen, present.version) or [present], uid)


def _present(job: forms.Document) -> Told:
    return Told("PRESENT", int(job["metadata"]["resourceVersion"]), job)


async def _missed(asked: Addressed, seen: int, present: int) -> list[Told]:
    """The job's changes after one version up to another; none when Kubernetes does not know the first."""
    missed: list[Told] = []
    watched = asked.caller.watch_jobs(asked.namespace, asked.id, seen, CATCH_UP_SECONDS)
    try:
        async with asyncio.timeout(CATCH_UP_SECONDS), watched as changes:
            async for change in changes:
                job = None if change.kind == "BOOKMARK" else stored.job(change.body)
                missed.append(Told(change.kind, change.version, job))
                if change.version >= present:
                    return missed
    except TimeoutError:
        pass
    except PlayerscoreError as error:
        if error.code not in UNKNOWN:
            raise
    return []


async def _told(
    asked: Addressed, hub: Hub, feed: Feed, start: Start, end: float
) -> AsyncGenerator[ServerSentEvent]:
    """The events of a job from what the reader has seen to its end."""
    before = start.before
    try:
        async with contextlib.aclosing(_changes(asked, hub, feed, start, end)) as changes:
            async for change in changes:
                after = forms.flat(change.job) if change.job and change.kind != "DELETED" else None
                for event in _events(change, before, after):
                    yield event
                if change.kind == "DELETED":
                    return
                before = after or before
                if _ended(before):
                    break
    except PlayerscoreError as error:
        yield ServerSentEvent(event="error", data=_text(error.body()))
        return
    if before is not None and _ended(before):
        yield ServerSentEvent(event="end", id=before.resourceVersion, data=before.model_dump_json())


async def _changes(asked: Addressed, hub: Hub, feed: Feed, start: Start, end: float) -> AsyncGenerator[Told]:
    """What was missed, then what the watch tells, each once. Raises PlayerscoreError when the watch is over."""
    floor = int(start.before.resourceVersion) if start.before else 0
    for change in start.missed:
        floor = change.version
        yield change
    while (found := await feed.next(end)) is not None:
        if found.kind == "GAP":
            async with hub.turn():
                found = await _again(asked, start.uid)
        if found.version > floor or not found.version:
            floor = found.version
            yield found


async def _again(asked: Addressed, uid: str) -> Told:
    """The job as it is now; DELETED when it is gone, or another has its name."""
    try:
        job = await asked.read()
    except PlayerscoreError as error:
        if error.code != "JOB_NOT_FOUND":
            raise
        return Told("DELETED", 0, None)
    return _present(job) if job["metadata"]["uid"] == uid else Told("DELETED", 0, None)


def _ended(job: Job | None) -> bool:
    return job is not None and job.progress.step in FINISHED


def _events(change: Told, before: Job | None, after: Job | None) -> list[ServerSentEvent]:
    version = str(change.version) if change.version else None
    if change.kind == "DELETED":
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
