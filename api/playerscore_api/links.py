"""Addresses of artifacts that a browser can open by itself, such as a clip in a video element."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request

from playerscore.errors import PlayerscoreError
from playerscore_api import answers, broker
from playerscore_api.deps import Caller, Namespace, Parts
from playerscore_api.forms import Offer
from playerscore_api.routes import JobId
from playerscore_api.strict import StrictRoute

router = APIRouter(route_class=StrictRoute)
_EXAMPLE: Final = {"url": "https://store.example/…?X-Amz-Signature=…", "expires_seconds": 3600}


@router.get(
    "/jobs/{job_id}/artifacts/{name}/link",
    operation_id="linkArtifact",
    tags=["jobs"],
    responses=answers.said("Where it is", _EXAMPLE)
    | answers.refused("JOB_NOT_FOUND", "NOT_FOUND", "STORE_UNAVAILABLE"),
)
async def link_artifact(
    job_id: JobId,
    name: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)],
    caller: Caller,
    namespace: Namespace,
    parts: Parts,
    request: Request,
) -> Offer:
    """An address of an artifact for whoever may read the job: the store's own, where it is public, for a short time;
    else this API's, which wants the token."""
    job = await caller.get_job(namespace, job_id)
    key = broker.artifact_key(namespace, job["metadata"]["uid"], name)
    if await parts.broker.size(key) is None:
        raise PlayerscoreError("NOT_FOUND", "There is no such artifact")
    if parts.broker.public:
        url = await parts.broker.peoples_link(key)
        return Offer(url=url, expires_seconds=parts.settings.presigned_seconds)
    path = request.url_for("get_artifact", job_id=job_id, name=name).path
    return Offer(url=f"{path}?namespace={namespace}", expires_seconds=None)
