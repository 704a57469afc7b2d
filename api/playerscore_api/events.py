"""Server-sent events of one job: an event for every change of what its flat form shows."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from playerscore.names import FINISHED
from playerscore_api import forms
from playerscore_api.cluster import Cluster
from playerscore_api.deps import Caller, Namespace
from playerscore_api.forms import Document, Job
from playerscore_api.routes import JobId

router = APIRouter()

PING_SECONDS = 15


@router.get(
    "/jobs/{job_id}/events", operation_id="watchJob", tags=["jobs"], response_class=EventSourceResponse
)
async def events(
    job_id: JobId, caller: Caller, namespace: Namespace, request: Request
) -> EventSourceResponse:
    """`job` events with the flat form, until the job has ended (`end`) or is deleted (`deleted`).

    The id of an event is the job's resourceVersion; a reconnect gets the present state first.
    """
    first = await caller.get_job(namespace, job_id)
    return EventSourceResponse(_stream(caller, namespace, job_id, first, request), ping=PING_SECONDS)


async def _stream(
    caller: Cluster, namespace: str, job_id: str, first: Document, request: Request
) -> AsyncIterator[ServerSentEvent]:
    job = forms.flat(first)
    yield _event("job", job)
    while job.progress.step not in FINISHED and not await request.is_disconnected():
        async for change in caller.watch_job(namespace, job_id, job.resourceVersion):
            if change["type"] == "DELETED":
                yield ServerSentEvent(event="deleted", data="{}")
                return
            if change["type"] == "ERROR":
                break
            job = forms.flat(change["object"])
            yield _event("job", job)
            if job.progress.step in FINISHED:
                break
        else:
            continue
        if job.progress.step not in FINISHED:
            job = forms.flat(await caller.get_job(namespace, job_id))
            yield _event("job", job)
    yield _event("end", job)


def _event(kind: str, job: Job) -> ServerSentEvent:
    return ServerSentEvent(event=kind, id=job.resourceVersion, data=job.model_dump_json(by_alias=True))
