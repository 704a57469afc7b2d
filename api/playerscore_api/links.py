"""Addresses of artifacts that a browser can open by itself, such as a clip in a video element."""

from typing import Final

from fastapi import APIRouter, Request

from playerscore.errors import PlayerscoreError
from playerscore_api import answers, broker
from playerscore_api.deps import ArtifactName, Parts, TheJob
from playerscore_api.forms import Offer
from playerscore_api.strict import StrictRoute

router = APIRouter(route_class=StrictRoute)
_EXAMPLE: Final = {"url": "https://store.example/…?X-Amz-Signature=…", "expires_seconds": 3600}


@router.get(
    "/jobs/{job_id}/artifacts/{name}/link",
    operation_id="linkArtifact",
    tags=["jobs"],
    responses=answers.said("Where it is", _EXAMPLE)
    | answers.refused("JOB_NOT_FOUND", "NOT_FOUND", "ARTIFACT_LOST", "STORE_UNAVAILABLE"),
)
async def link_artifact(asked: TheJob, name: ArtifactName, parts: Parts, request: Request) -> Offer:
    """An address of an artifact for whoever may read the job: the store's own, where it is public, for a short time;
    else this API's, which wants the token."""
    key = broker.listed_artifact(await asked.read(), name)
    if await parts.broker.size(key) is None:
        raise PlayerscoreError("ARTIFACT_LOST", f"The store no longer has {name}")
    if parts.broker.public:
        url = await parts.broker.peoples_link(key)
        return Offer(url=url, expires_seconds=parts.settings.presigned_seconds)
    path = request.url_for("get_artifact", job_id=asked.id, name=name).path
    return Offer(url=f"{path}?namespace={asked.namespace}", expires_seconds=None)
