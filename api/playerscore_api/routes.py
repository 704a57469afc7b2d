"""The flow's routes. The API keeps no state: it reads and patches ScoringJobs with the caller's own token."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from playerscore import flow, names
from playerscore.admission import judge_create
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.resources import ScoringJobSpec, ScoringJobStatus
from playerscore_api import broker, forms
from playerscore_api.cluster import Cluster
from playerscore_api.deps import Caller, Namespace, Parts
from playerscore_api.forms import (
    Confirmation,
    Document,
    Job,
    JobPage,
    NewJob,
    NewUpload,
    Pick,
    Stored,
    Upload,
    UploadAnswer,
)

router = APIRouter()

ATTEMPTS = 3
"""A patch that meets somebody else's change is judged again, this often."""
JobId = Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=names.NAME_MAX)]
Step = Callable[[ScoringJobSpec, ScoringJobStatus], flow.Change]


@router.post("/jobs", status_code=201, operation_id="createJob", tags=["jobs"])
async def create_job(
    new: NewJob,
    caller: Caller,
    namespace: Namespace,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Job:
    """Create a draft; its preview is made at once. The same Idempotency-Key creates one job."""
    spec = ScoringJobSpec(**{name: getattr(new, name) for name in ScoringJobSpec.model_fields})
    judgement = judge_create(spec)
    if not judgement.allowed:
        raise judgement.error()
    name = new.id or _made_up(namespace, idempotency_key)
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    try:
        return forms.flat(await caller.create_job(namespace, body))
    except PlayerscoreError as error:
        if error.code != "ALREADY_EXISTS" or idempotency_key is None or new.id:
            raise
        return forms.flat(await caller.get_job(namespace, name))


def _made_up(namespace: str, idempotency_key: str | None) -> str:
    """A name: of the key, so that asking twice creates once, else a random one."""
    if idempotency_key is None:
        return f"job-{secrets.token_hex(5)}"
    return f"job-{hashlib.sha256(f'{namespace}/{idempotency_key}'.encode()).hexdigest()[:20]}"


@router.get("/jobs", operation_id="listJobs", tags=["jobs"])
async def list_jobs(
    caller: Caller,
    namespace: Namespace,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    continue_: Annotated[str | None, Query(alias="continue", max_length=4096)] = None,
) -> JobPage:
    """A page of the namespace's jobs."""
    page = await caller.list_jobs(namespace, limit, continue_)
    return JobPage(
        items=[forms.flat(job) for job in page["items"]], next=page["metadata"].get("continue") or None
    )


@router.get("/jobs/{job_id}", operation_id="getJob", tags=["jobs"])
async def get_job(job_id: JobId, caller: Caller, namespace: Namespace, response: Response) -> Job:
    """One job; its step is computed from what is stored."""
    job = forms.flat(await caller.get_job(namespace, job_id))
    response.headers["ETag"] = f'"{job.resourceVersion}"'
    return job


@router.delete("/jobs/{job_id}", status_code=204, operation_id="deleteJob", tags=["jobs"])
async def delete_job(job_id: JobId, caller: Caller, namespace: Namespace) -> None:
    """Delete a job and everything that runs for it."""
    await caller.delete_job(namespace, job_id)


@router.get("/jobs/{job_id}/result", operation_id="getResult", tags=["jobs"])
async def get_result(job_id: JobId, caller: Caller, namespace: Namespace) -> Document:
    """The result alone."""
    result = forms.flat(await caller.get_job(namespace, job_id)).result
    if result is None:
        raise PlayerscoreError("NOT_FOUND", "The job has no result yet")
    return result


@router.get("/jobs/{job_id}/preview", operation_id="getPreview", tags=["flow"])
async def get_preview(job_id: JobId, caller: Caller, namespace: Namespace) -> Document:
    """The frames with the people on them, to pick from."""
    found = (await caller.get_job(namespace, job_id)).get("status", {}).get("preview")
    if found is None:
        raise FlowError("PREVIEW_NOT_READY", "The preview is not there yet")
    preview: Document = found
    return preview


# --- the steps ------------------------------------------------------------------------------------------


@router.post("/jobs/{job_id}/pick-player", operation_id="pickPlayer", tags=["flow"])
async def pick_player(job_id: JobId, body: Pick, caller: Caller, namespace: Namespace) -> Job:
    """Choose the player by a track of a preview frame; drafts the target."""
    return await _step(
        caller, namespace, job_id, lambda spec, status: flow.pick(spec, status, body.frame_key, body.track_id)
    )


@router.post("/jobs/{job_id}/target", operation_id="confirmTarget", tags=["flow"])
async def confirm_target(
    job_id: JobId,
    body: Confirmation,
    caller: Caller,
    namespace: Namespace,
    force: Annotated[bool, Query(description="Waives the overlap, for this box only.")] = False,
) -> Job:
    """Confirm where the player is; 409 TARGET_MISMATCH when the box is not his."""
    return await _step(
        caller,
        namespace,
        job_id,
        lambda spec, status: flow.confirm(
            spec,
            status,
            bbox=body.bbox,
            frame_key=body.frame_key,
            time_sec=body.time_sec,
            force=force or body.force,
        ),
    )


@router.post("/jobs/{job_id}/enqueue", operation_id="enqueueJob", tags=["flow"])
async def enqueue(job_id: JobId, caller: Caller, namespace: Namespace) -> Job:
    """Hand the job over; again changes nothing. 409 NOT_READY names what is missing."""
    return await _step(caller, namespace, job_id, flow.enqueue)


@router.post("/jobs/{job_id}/pause", operation_id="pauseJob", tags=["flow"])
async def pause(job_id: JobId, caller: Caller, namespace: Namespace) -> Job:
    """Stop the attempt, or take the enqueue back."""
    return await _step(caller, namespace, job_id, flow.pause)


async def _step(caller: Cluster, namespace: str, job_id: str, step: Step) -> Job:
    """Read, judge, and write with the resourceVersion that was judged."""
    for attempt in range(1, ATTEMPTS + 1):
        job = await caller.get_job(namespace, job_id)
        change = step(*forms.parts(job))
        if not change.patch:
            return forms.flat(job)
        try:
            body = change.body(job["metadata"]["resourceVersion"])
            return forms.flat(await caller.patch_job(namespace, job_id, body))
        except PlayerscoreError as error:
            if error.code != "CONFLICT" or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


# --- what lies in the store -----------------------------------------------------------------------------


@router.get(
    "/jobs/{job_id}/frames/{number}", operation_id="getFrame", tags=["flow"], response_class=StreamingResponse
)
async def get_frame(
    job_id: JobId,
    number: Annotated[int, Path(ge=1, le=9999)],
    caller: Caller,
    namespace: Namespace,
    parts: Parts,
) -> StreamingResponse:
    """A preview frame as JPEG, for whoever may read the job."""
    job = await caller.get_job(namespace, job_id)
    return await _content(parts.broker, broker.frame_key(namespace, job["metadata"]["uid"], number))


@router.get(
    "/jobs/{job_id}/artifacts/{name}",
    operation_id="getArtifact",
    tags=["jobs"],
    response_class=StreamingResponse,
)
async def get_artifact(
    job_id: JobId,
    name: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)],
    caller: Caller,
    namespace: Namespace,
    parts: Parts,
) -> StreamingResponse:
    """An artifact, for whoever may read the job."""
    job = await caller.get_job(namespace, job_id)
    return await _content(parts.broker, broker.artifact_key(namespace, job["metadata"]["uid"], name))


async def _content(store: broker.Broker, key: str) -> StreamingResponse:
    found = await store.get(key)
    headers = {"Content-Length": str(found.length), "Cache-Control": "private, max-age=3600", **SAFE}
    return StreamingResponse(found.chunks, media_type=found.media_type, headers=headers)


SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
"""What comes from a worker is shown as what it says it is, and runs nothing in a browser."""


@router.post("/uploads", operation_id="createUpload", tags=["uploads"])
async def create_upload(
    body: NewUpload, caller: Caller, namespace: Namespace, parts: Parts, request: Request
) -> UploadAnswer:
    """Where a video goes, and its uri for `spec.video`."""
    await _may_upload(caller, namespace)
    if body.bytes > parts.settings.upload_max_bytes:
        raise PlayerscoreError("TOO_LARGE", f"At most {parts.settings.upload_max_bytes} bytes", field="bytes")
    name = f"{secrets.token_hex(8)}-{body.filename}"
    key = f"{names.upload_prefix(namespace)}{name}"
    presigned = await parts.broker.presigned_upload(key, body.bytes)
    url = presigned or str(request.url_for("put_upload", namespace=namespace, name=name).path)
    return UploadAnswer(
        uri=parts.broker.upload_uri(namespace, name), upload=Upload(method="PUT", url=url, headers={})
    )


@router.put("/uploads/{namespace}/{name}", operation_id="putUpload", tags=["uploads"])
async def put_upload(
    namespace: Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)],
    name: Annotated[str, Path(pattern=forms.FILE_NAME, max_length=160)],
    caller: Caller,
    parts: Parts,
    request: Request,
) -> Stored:
    """Store a video through this API, where the store has no public address. Never overwrites."""
    await _may_upload(caller, namespace)
    key = f"{names.upload_prefix(namespace)}{name}"
    if await parts.broker.exists(key):
        raise PlayerscoreError("ALREADY_EXISTS", "There is an upload of that name")
    return await stored(parts, request, key, parts.settings.upload_max_bytes, "video/mp4")


async def stored(parts: Any, request: Request, key: str, limit: int, media_type: str) -> Stored:
    """Stream a request's body into the store. Raises TOO_LARGE before anything is stored."""
    if int(request.headers.get("content-length") or 0) > limit:
        raise PlayerscoreError("TOO_LARGE", f"At most {limit} bytes are taken here")
    try:
        found: Stored = await parts.broker.put(key, request.stream(), media_type, limit)
    except ClientDisconnect as error:
        raise PlayerscoreError("INVALID", "The body ended early") from error
    return found


async def _may_upload(caller: Cluster, namespace: str) -> None:
    if not await caller.may_create_jobs(namespace):
        raise PlayerscoreError("FORBIDDEN", f"You may not create ScoringJobs in {namespace}")
