"""The broker's routes for worker pods: a pod-bound token of a current attempt, and nothing else, opens them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from playerscore import names
from playerscore.resources import ScoringJobStatus
from playerscore_api import broker, forms, pods, routes
from playerscore_api.deps import Parts, State, Token
from playerscore_api.forms import Document, Stored
from playerscore_api.pods import Purpose

router = APIRouter(prefix="/worker/jobs/{namespace}/{name}", tags=["worker"])

FRAME_BYTES = 2 * 2**20
ARTIFACT_BYTES = 64 * 2**20
Namespace = Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Name = Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=names.NAME_MAX)]


async def _job(parts: State, token: str, namespace: str, name: str, purpose: Purpose) -> Document:
    """The pod's own job. Raises UNAUTHENTICATED, FORBIDDEN, JOB_NOT_FOUND."""
    pod = pods.identify(await parts.own.review_token(token, names.API_AUDIENCE))
    job = await parts.own.get_job(namespace, name)
    pods.check_job(pod, namespace, job)
    status: ScoringJobStatus = forms.parts(job)[1]
    pods.check_current(pod, status, purpose)
    return job


@router.post("/source", operation_id="offerSource")
async def offer_source(namespace: Namespace, name: Name, parts: Parts, token: Token) -> Document:
    """A short-lived address of the job's video."""
    job = await _job(parts, token, namespace, name, Purpose.SOURCE)
    key = parts.broker.upload_key(namespace, str(job["spec"]["video"]["uri"]))
    return {
        "url": await parts.broker.presigned_source(key),
        "expires_seconds": parts.settings.presigned_seconds,
    }


@router.put("/frames/{number}", operation_id="putFrame")
async def put_frame(
    namespace: Namespace,
    name: Name,
    number: Annotated[int, Path(ge=1, le=9999)],
    parts: Parts,
    token: Token,
    request: Request,
) -> Stored:
    """Store a preview frame."""
    job = await _job(parts, token, namespace, name, Purpose.FRAMES)
    key = broker.frame_key(namespace, job["metadata"]["uid"], number)
    return await routes.stored(parts, request, key, FRAME_BYTES, "image/jpeg")


@router.put("/artifacts/{file}", operation_id="putArtifact")
async def put_artifact(
    namespace: Namespace,
    name: Name,
    file: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)],
    parts: Parts,
    token: Token,
    request: Request,
) -> Stored:
    """Store an artifact."""
    job = await _job(parts, token, namespace, name, Purpose.ARTIFACTS)
    key = broker.artifact_key(namespace, job["metadata"]["uid"], file)
    media_type = request.headers.get("content-type", "application/octet-stream")
    return await routes.stored(parts, request, key, ARTIFACT_BYTES, media_type)
