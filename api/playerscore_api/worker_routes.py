"""The broker's routes for worker pods: a pod-bound token of a current attempt, and nothing else, opens them."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from playerscore import names, sources
from playerscore.errors import PlayerscoreError
from playerscore.resources import MAX_ARTIFACTS, MAX_FRAMES, MAX_PARTS, ScoringJobStatus, ScoringRuntimeSpec
from playerscore.tasks import CHECKPOINT_BYTES, MOST_CHECKPOINTS
from playerscore_api import answers, broker, content, examples, forms, pods, uploads
from playerscore_api.deps import Parts, State, Token
from playerscore_api.forms import Document, Offer, Stored
from playerscore_api.pods import Purpose
from playerscore_api.strict import StrictRoute

router = APIRouter(prefix="/worker/jobs/{namespace}/{name}", tags=["worker"], route_class=StrictRoute)

FRAME_BYTES: Final = 2 * 2**20
ARTIFACT_BYTES: Final = 64 * 2**20
LIMITS: Final = {
    Purpose.FRAMES: FRAME_BYTES,
    Purpose.ARTIFACTS: ARTIFACT_BYTES,
    Purpose.CHECKPOINTS: CHECKPOINT_BYTES,
}
Namespace = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        max_length=63,
        openapi_examples={"a namespace": {"value": examples.NAMESPACE}},
    ),
]
Name = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=names.NAME_MAX,
        openapi_examples={"a job": {"value": examples.NAME}},
    ),
]
OFFERED: Final = answers.said(
    "Where it is", {"url": "http://store/playerscore/…?X-Amz-Signature=…", "expires_seconds": 3600}
) | answers.refused("JOB_NOT_FOUND", "NOT_FOUND", "SOURCE_DENIED", "VIDEO_TRUNCATED", "STORE_UNAVAILABLE")
STORED: Final = answers.said("Stored", {"bytes": 48211, "sha256": "0" * 64}) | answers.refused(
    "JOB_NOT_FOUND", "TOO_LARGE", "STORE_UNAVAILABLE"
)

CHECKPOINT: Final = answers.binary("The checkpoint", "application/octet-stream") | answers.refused(
    "JOB_NOT_FOUND", "NOT_FOUND", "RANGE_INVALID", "STORE_UNAVAILABLE"
)
EARLIER: Final = answers.binary("The run", "application/octet-stream") | answers.refused(
    "JOB_NOT_FOUND", "NOT_FOUND", "ARTIFACT_LOST", "RANGE_INVALID", "STORE_UNAVAILABLE"
)
REMOVED: Final = answers.refused("JOB_NOT_FOUND", "STORE_UNAVAILABLE")


async def _job(parts: State, token: str, namespace: str, name: str, purpose: Purpose) -> Document:
    """The pod's own job. Raises UNAUTHENTICATED, FORBIDDEN, JOB_NOT_FOUND."""
    pod = pods.identify(await parts.own.review_token(token, names.API_AUDIENCE))
    job, found = await asyncio.gather(
        parts.own.get_job(namespace, name), _fenced(parts.own.get_pod(pod.namespace, pod.name))
    )
    pods.check_job(pod, namespace, job)
    pods.check_alive(pod, found, datetime.now(UTC))
    status: ScoringJobStatus = forms.parts(job)[1]
    pods.check_current(pod, status, purpose)
    return job


async def _fenced(pod: Awaitable[Document]) -> Document:
    """A pod that is gone, or that this program may not see, opens nothing."""
    try:
        return await pod
    except PlayerscoreError as error:
        if error.code in ("NOT_FOUND", "FORBIDDEN"):
            raise PlayerscoreError(
                "FORBIDDEN", f"The token's pod is not to be seen: {error.message}"
            ) from error
        raise


async def _runtime(parts: State, namespace: str, job: Document) -> ScoringRuntimeSpec:
    """The runtime of a job. Raises SOURCE_DENIED when it has none that its namespace may use."""
    runtimes = await parts.own.list_runtimes()
    runtime = sources.choose_runtime(runtimes, forms.parts(job)[0].runtime_name)
    allowed = runtime.spec.allowed_namespaces if runtime else []
    if runtime is None or (allowed is not None and namespace not in allowed):
        raise sources.denied("The job has no runtime that its namespace may use")
    return runtime.spec


@router.post("/source", operation_id="offerSource", responses=OFFERED)
async def offer_source(
    namespace: Namespace,
    name: Name,
    parts: Parts,
    token: Token,
    file: Annotated[int, Query(ge=0, le=MAX_PARTS, description="Which of the video's files, from 0.")] = 0,
) -> Offer:
    """A short-lived address of a file of the job's video."""
    job = await _job(parts, token, namespace, name, Purpose.SOURCE)
    files = forms.parts(job)[0].video.files
    if file >= len(files):
        raise PlayerscoreError("NOT_FOUND", f"The job's video has {len(files)} files", field="file")
    uri = files[file].uri
    place = sources.store_place(uri)
    if place.bucket != parts.broker.bucket:
        # Another bucket of the same store: only what the platform team has listed.
        runtime = await _runtime(parts, namespace, job)
        sources.check_allowed(uri, sources.filled_in(runtime.sources, namespace))
    elif not place.key.startswith(names.upload_prefix(namespace)):
        where = f"s3://{parts.broker.bucket}/{names.upload_prefix(namespace)}"
        raise sources.denied(f"Only videos under {where} come from the store")
    else:
        await _check_whole(parts, place)
    return await _offer(parts, place)


async def _check_whole(parts: State, place: sources.StorePlace) -> None:
    """That an upload has the bytes that its name says: a store may keep what came before the sender went away.

    Raises NOT_FOUND, VIDEO_TRUNCATED.
    """
    declared, size = uploads.declared_bytes(place.key), await parts.broker.size(place.key)
    if size is None:
        raise PlayerscoreError("NOT_FOUND", "There is no such upload")
    if declared is not None and size != declared:
        raise PlayerscoreError("VIDEO_TRUNCATED", f"The upload has {size} of {declared} bytes")


@router.post("/weights", operation_id="offerWeights", responses=OFFERED)
async def offer_weights(namespace: Namespace, name: Name, parts: Parts, token: Token) -> Offer:
    """A short-lived address of the weights that the job's runtime names."""
    job = await _job(parts, token, namespace, name, Purpose.SOURCE)
    weights = (await _runtime(parts, namespace, job)).detector.weights
    if weights is None:
        raise PlayerscoreError("NOT_FOUND", "The job's runtime names no weights")
    place = sources.store_place(weights.uri)
    own = place.bucket == parts.broker.bucket
    ours = place.key.startswith(sources.WEIGHTS_PREFIX) or sources.upload_place(weights.uri, place.bucket)
    if own and not ours:
        # A slip of the pen in a runtime must not hand one tenant's pictures to all.
        raise sources.denied(f"Weights lie under {sources.WEIGHTS_PREFIX} or in a namespace's uploads")
    return await _offer(parts, place)


async def _offer(parts: State, place: sources.StorePlace) -> Offer:
    url = await parts.broker.pods_link(place)
    return Offer(url=url, expires_seconds=parts.settings.presigned_seconds)


@router.put("/frames/{number}", operation_id="putFrame", openapi_extra=answers.BYTES, responses=STORED)
async def put_frame(
    namespace: Namespace,
    name: Name,
    number: Annotated[int, Path(ge=1, le=MAX_FRAMES)],
    parts: Parts,
    token: Token,
    request: Request,
) -> Stored:
    """Store a preview frame."""
    job = await _job(parts, token, namespace, name, Purpose.FRAMES)
    pods.check_frame(forms.parts(job)[1], number)
    key = broker.frame_key(namespace, job["metadata"]["uid"], number)
    return await _receive(parts, token, job, Purpose.FRAMES, request, key)


@router.put("/artifacts/{file}", operation_id="putArtifact", openapi_extra=answers.BYTES, responses=STORED)
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
    uid = job["metadata"]["uid"]
    key = broker.artifact_key(namespace, uid, file)
    there = await parts.broker.count(broker.artifact_prefix(namespace, uid), MAX_ARTIFACTS, besides=key)
    if there >= MAX_ARTIFACTS:
        raise PlayerscoreError("TOO_LARGE", f"A job has at most {MAX_ARTIFACTS} artifacts")
    return await _receive(parts, token, job, Purpose.ARTIFACTS, request, key)


Number = Annotated[int, Path(ge=1, le=MOST_CHECKPOINTS)]


@router.put(
    "/checkpoints/{number}", operation_id="putCheckpoint", openapi_extra=answers.BYTES, responses=STORED
)
async def put_checkpoint(
    namespace: Namespace, name: Name, number: Number, parts: Parts, token: Token, request: Request
) -> Stored:
    """Store how far an attempt has come; the next attempt goes on from there."""
    job = await _job(parts, token, namespace, name, Purpose.CHECKPOINTS)
    key = broker.checkpoint_key(namespace, job["metadata"]["uid"], number)
    return await _receive(parts, token, job, Purpose.CHECKPOINTS, request, key)


@router.get(
    "/checkpoints/{number}", operation_id="getCheckpoint", response_class=Response, responses=CHECKPOINT
)
async def get_checkpoint(
    namespace: Namespace, name: Name, number: Number, parts: Parts, token: Token, request: Request
) -> Response:
    """What an earlier attempt stored."""
    job = await _job(parts, token, namespace, name, Purpose.CHECKPOINTS)
    key = broker.checkpoint_key(namespace, job["metadata"]["uid"], number)
    return await content.send(parts.broker, key, request)


@router.get("/earlier", operation_id="getEarlierRun", response_class=Response, responses=EARLIER)
async def get_earlier_run(
    namespace: Namespace, name: Name, parts: Parts, token: Token, request: Request
) -> Response:
    """The run of the job that the pod's job refines, of the same namespace."""
    job = await _job(parts, token, namespace, name, Purpose.CHECKPOINTS)
    refines = forms.parts(job)[0].refines
    if refines is None:
        raise PlayerscoreError("NOT_FOUND", "The job refines no other")
    try:
        earlier = await parts.own.get_job(namespace, refines)
    except PlayerscoreError as error:
        if error.code != "JOB_NOT_FOUND":
            raise
        raise PlayerscoreError("NOT_FOUND", f"There is no ScoringJob {refines} any more") from error
    return await content.send(parts.broker, broker.listed_artifact(earlier, names.RUN_FILE), request)


@router.delete("/checkpoints", operation_id="deleteCheckpoints", status_code=204, responses=REMOVED)
async def delete_checkpoints(namespace: Namespace, name: Name, parts: Parts, token: Token) -> None:
    """Forget them: the result is there."""
    job = await _job(parts, token, namespace, name, Purpose.CHECKPOINTS)
    await parts.broker.remove(names.checkpoint_prefix(namespace, job["metadata"]["uid"]))


async def _receive(
    parts: State, token: str, job: Document, purpose: Purpose, request: Request, key: str
) -> Stored:
    """Store what a pod sends, if it still may when all of it has come: a slow pod may have been replaced."""
    where = job["metadata"]

    async def confirm() -> None:
        await _job(parts, token, where["namespace"], where["name"], purpose)

    length = content.announced(request, LIMITS[purpose])
    return await content.receive(parts.broker, request, key, length, confirm=confirm)
