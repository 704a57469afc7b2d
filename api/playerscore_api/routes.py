"""The flow's routes. The API keeps no state: it reads and patches ScoringJobs with the caller's own token."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Annotated, Final, NamedTuple

import orjson
from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response

from playerscore import flow, names, review
from playerscore.admission import judge_create
from playerscore.errors import FlowError, PlayerscoreError
from playerscore.resources import PreviewStatus, Result, ScoringJobSpec, ScoringJobStatus
from playerscore_api import answers, broker, concurrency, content, examples, forms, warnings
from playerscore_api.cluster import Written
from playerscore_api.concurrency import IfNoneMatch, Trying, Write, Writing
from playerscore_api.deps import Addressed, ArtifactName, Caller, Namespace, Parts, TheJob
from playerscore_api.forms import (
    AnchorsForm,
    Artifacts,
    Confirmation,
    Document,
    Elsewhere,
    Job,
    JobPage,
    Judged,
    NewJob,
    Pick,
    PitchForm,
    Refinement,
    Review,
)
from playerscore_api.listing import PAGE, Listing
from playerscore_api.strict import StrictRoute

router = APIRouter(route_class=StrictRoute)

ATTEMPTS: Final = 3
"""A patch that meets somebody else's change is judged again, this often."""
NAMES: Final = 20
"""Of a refined job so many names are tried, each the next number."""
Step = Callable[[ScoringJobSpec, ScoringJobStatus], flow.Change]


@router.post(
    "/jobs",
    status_code=201,
    operation_id="createJob",
    tags=["jobs"],
    response_model=Job,
    responses=answers.job("Created, as a draft", examples.CREATED, status=201, **answers.LOCATION)
    | answers.job("The same request with the same Idempotency-Key created it before", examples.PICKED)
    | answers.refused("ALREADY_EXISTS", "NOT_READY", "IDEMPOTENCY_MISMATCH", "NOT_FOUND", *answers.FORM),
)
async def create_job(
    new: Annotated[NewJob, Body(openapi_examples={"a draft": {"value": examples.NEW}})],
    caller: Caller,
    namespace: Namespace,
    request: Request,
    response: Response,
    dry_run: Trying = False,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=200, description="Makes a repeated request create one job."),
    ] = None,
) -> Job:
    """Create a draft; its preview is made at once."""
    NewJob.check_spelling(await request.json())
    spec = ScoringJobSpec(**{name: getattr(new, name) for name in ScoringJobSpec.model_fields})
    judgement = judge_create(spec)
    if not judgement.allowed:
        raise judgement.error()
    mark = _mark(new, idempotency_key)
    name = new.id or _made_up(namespace, idempotency_key)
    try:
        written = await caller.create_job(namespace, _manifest(namespace, name, spec, mark), dry_run)
    except PlayerscoreError as error:
        if error.code != "ALREADY_EXISTS" or mark is None:
            raise
        response.status_code = 200
        return _shown(response, Written(_same(await caller.get_job(namespace, name), mark, error), []))
    if not dry_run:
        _locate(request, response, namespace, name)
    return _shown(response, written, judgement.warnings, dry_run)


def _locate(request: Request, response: Response, namespace: str, name: str) -> None:
    """Say where the created job is."""
    path = request.url_for("get_job", job_id=name).path
    response.headers["Location"] = f"{path}?namespace={namespace}"


def _manifest(namespace: str, name: str, spec: ScoringJobSpec, mark: str | None) -> Document:
    annotations = {"annotations": {names.IDEMPOTENCY_ANNOTATION: mark}} if mark else {}
    made = flow.manifest(name, spec)
    return made | {"metadata": {**made["metadata"], "namespace": namespace, **annotations}}


def _made_up(namespace: str, idempotency_key: str | None) -> str:
    """A name: of the key, so that asking twice creates once, else a random one."""
    if idempotency_key is None:
        return f"job-{secrets.token_hex(5)}"
    return f"job-{hashlib.sha256(f'{namespace}/{idempotency_key}'.encode()).hexdigest()[:20]}"


def _mark(new: NewJob, idempotency_key: str | None) -> str | None:
    """The key's digest and the request's, for the job's annotation: the API keeps no state, so the job does."""
    if idempotency_key is None:
        return None
    body = orjson.dumps(new.model_dump(mode="json", exclude_unset=True), option=orjson.OPT_SORT_KEYS)
    digests = (hashlib.sha256(part).hexdigest()[:32] for part in (idempotency_key.encode(), body))
    return ".".join(digests)


def _same(job: Document, mark: str, exists: PlayerscoreError) -> Document:
    """The job, if the same request made it. Raises IDEMPOTENCY_MISMATCH, or ALREADY_EXISTS for another key's job."""
    present = job["metadata"].get("annotations", {}).get(names.IDEMPOTENCY_ANNOTATION, "")
    if present == mark:
        return job
    if present.split(".")[0] != mark.split(".")[0]:
        raise exists
    text = f"The Idempotency-Key made {job['metadata']['name']} of another request"
    raise PlayerscoreError("IDEMPOTENCY_MISMATCH", text, field="Idempotency-Key")


def _shown(response: Response, written: Written, own: list[str] | None = None, dry_run: bool = False) -> Job:
    """The flat form of what was written, with its ETag and with everybody's warnings."""
    job = forms.flat(written.job)
    if not dry_run:
        response.headers["ETag"] = concurrency.etag(job.resourceVersion)
    warnings.put(response.headers, [*(own or []), *written.warnings])
    return job


@router.get(
    "/jobs",
    operation_id="listJobs",
    tags=["jobs"],
    responses=answers.said("A page of jobs", examples.PAGE) | answers.refused("EXPIRED"),
)
async def list_jobs(
    asked: Listing,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
    continue_: Annotated[
        str | None, Query(alias="continue", max_length=4096, description="The `next` of the page before.")
    ] = None,
) -> JobPage:
    """A page of the namespace's jobs, or of all namespaces', in the order of their ids; pages show the state of one
    moment. With `step`, `player`, `minScore` or `maxScore` a page may be shorter than `limit` and still have a
    `next`."""
    return await asked.page(limit, continue_)


@router.get(
    "/jobs/{job_id}",
    operation_id="getJob",
    tags=["jobs"],
    response_model=Job,
    responses=answers.job("The job", examples.COMPLETED)
    | answers.NOT_MODIFIED
    | answers.refused("JOB_NOT_FOUND"),
)
async def get_job(asked: TheJob, response: Response, kept: IfNoneMatch = None) -> Job | Response:
    """One job; its step is computed from what is stored."""
    job = await asked.read()
    headers = {
        "ETag": concurrency.etag(job["metadata"]["resourceVersion"]),
        "Cache-Control": concurrency.PRIVATE,
    }
    if concurrency.unchanged(kept, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return forms.flat(job)


@router.delete(
    "/jobs/{job_id}",
    status_code=204,
    operation_id="deleteJob",
    tags=["jobs"],
    responses=answers.refused("JOB_NOT_FOUND", "CONFLICT", "PRECONDITION_FAILED"),
)
async def delete_job(asked: TheJob, write: Writing) -> None:
    """Delete a job and everything that runs for it."""
    version = None
    if write.if_match is not None:
        job = await asked.read()
        write.check(job)
        version = job["metadata"]["resourceVersion"]
    await asked.caller.delete_job(asked.namespace, asked.id, version, write.dry_run)


@router.get(
    "/jobs/{job_id}/result",
    operation_id="getResult",
    tags=["jobs"],
    responses=answers.said("The result", examples.RESULT.model_dump(mode="json"))
    | answers.refused("JOB_NOT_FOUND", "NOT_FOUND"),
)
async def get_result(asked: TheJob) -> Result:
    """The result alone."""
    result = forms.parts(await asked.read())[1].result
    if result is None:
        raise PlayerscoreError("NOT_FOUND", "The job has no result yet")
    return result


@router.get(
    "/jobs/{job_id}/review",
    operation_id="getReview",
    tags=["jobs"],
    responses=answers.said("The moments, the one first whose answer would change most", examples.REVIEW)
    | answers.refused("JOB_NOT_FOUND", "NOT_FOUND"),
)
async def get_review(asked: TheJob) -> Review:
    """The moments of the result where a person's word may change the path; none where nothing is worth a look."""
    status = forms.parts(await asked.read())[1]
    if status.result is None:
        raise PlayerscoreError("NOT_FOUND", "The job has no result yet")
    return forms.reviewed(status.result, status.artifacts or [])


@router.post(
    "/jobs/{job_id}/refine",
    status_code=201,
    operation_id="refineJob",
    tags=["jobs"],
    response_model=Job,
    responses=answers.job("Created, and enqueued", examples.REFINED, status=201, **answers.LOCATION)
    | answers.refused(
        *("NOT_COMPLETED", "MOMENT_NOT_FOUND", "CANDIDATE_NOT_FOUND", "ANCHOR_CONFLICT", "ALREADY_EXISTS"),
        *answers.STEP,
    ),
)
async def refine_job(
    body: Annotated[Refinement, Body(openapi_examples={"two answers": {"value": examples.REFINEMENT}})],
    asked: TheJob,
    write: Writing,
    request: Request,
    response: Response,
) -> Job:
    """Go on from an ended job with answers to its review, as a new job, which is enqueued at once.

    The ended job stays as it is. Video, player and target are the same; answers become anchors; what they do not
    touch is not followed again.
    """
    job = await asked.read_whole()
    write.check(job, body.resourceVersion)
    spec, status = forms.parts(job)
    refined = review.refined(spec, status, asked.id, body.answers)
    name, written = await _created(
        asked, body.id or review.next_name(asked.id, spec), refined, write, body.id
    )
    if not write.dry_run:
        _locate(request, response, asked.namespace, name)
    return _shown(response, written, judge_create(refined).warnings, write.dry_run)


async def _created(
    asked: Addressed, name: str, spec: ScoringJobSpec, write: Write, wanted: str | None
) -> tuple[str, Written]:
    """Create the job, under the next free name where none was wanted. Raises ALREADY_EXISTS."""
    for left in range(NAMES - 1, -1, -1):
        try:
            manifest = _manifest(asked.namespace, name, spec, None)
            return name, await asked.caller.create_job(asked.namespace, manifest, write.dry_run)
        except PlayerscoreError as error:
            if error.code != "ALREADY_EXISTS" or wanted or not left:
                raise
            name = review.next_name(name, spec)
    raise AssertionError("unreachable")


@router.get(
    "/jobs/{job_id}/preview",
    operation_id="getPreview",
    tags=["flow"],
    responses=answers.said("The preview", examples.PREVIEW.model_dump(mode="json"))
    | answers.refused("JOB_NOT_FOUND", "PREVIEW_NOT_READY"),
)
async def get_preview(asked: TheJob) -> PreviewStatus:
    """The frames with the people on them, to pick from."""
    preview = forms.parts(await asked.read_whole())[1].preview
    if preview is None:
        raise FlowError("PREVIEW_NOT_READY", "The preview is not there yet")
    return preview


# --- the steps ------------------------------------------------------------------------------------------


class Stepper(NamedTuple):
    """What every step needs of its request."""

    asked: Addressed
    write: Write
    response: Response

    async def take(
        self, step: Step, judged: Judged | PitchForm | None, frames: Sequence[str] | None = ()
    ) -> Job:
        """Read, with those frames besides the target's or with all, judge, and write with what version was judged."""
        for attempt in range(1, ATTEMPTS + 1):
            job = await (self.asked.read_whole() if frames is None else self.asked.read(*frames))
            if frames is not None and (job.get("spec") or {}).get("anchors"):
                job = await self.asked.read_whole()  # they may be of any frame
            self.write.check(job, judged.resourceVersion if judged else None)
            change = step(*forms.parts(job))
            if not change.patch:
                return _shown(self.response, Written(job, change.warnings))
            try:
                return await self._written(change, job["metadata"]["resourceVersion"])
            except PlayerscoreError as error:
                if error.code != "CONFLICT" or attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _written(self, change: flow.Change, version: str) -> Job:
        asked, dry_run = self.asked, self.write.dry_run
        written = await asked.caller.patch_job(asked.namespace, asked.id, change.body(version), dry_run)
        return _shown(self.response, written, change.warnings, dry_run)


async def _stepper(asked: TheJob, write: Writing, response: Response) -> Stepper:
    return Stepper(asked, write, response)


Stepping = Annotated[Stepper, Depends(_stepper)]


@router.post(
    "/jobs/{job_id}/preview",
    operation_id="lookElsewhere",
    tags=["flow"],
    responses=answers.job("Asked for", examples.ASKED)
    | answers.refused(
        "PREVIEW_NOT_READY", "PREVIEW_TIME_OUTSIDE", "PREVIEW_FULL", "JOB_LAUNCHED", *answers.STEP
    ),
)
async def look_elsewhere(
    body: Annotated[
        Elsewhere,
        Body(
            openapi_examples={
                "two moments": {"value": examples.ELSEWHERE},
                "a range": {"value": examples.RANGE},
            }
        ),
    ],
    stepping: Stepping,
) -> Job:
    """Ask for further preview frames, before the first launch: they are added behind those that are there.

    A time that a frame shows already asks for nothing. Condition PreviewReady stays True; its reason is
    PreviewExtending while the frames are made, or tells why they cannot be.
    """

    times = body.times

    def step(spec: ScoringJobSpec, status: ScoringJobStatus) -> flow.Change:
        return flow.look_elsewhere(spec, status, times)

    return await stepping.take(step, body, None)


@router.post(
    "/jobs/{job_id}/pick-player",
    operation_id="pickPlayer",
    tags=["flow"],
    responses=answers.job("Picked, with a drafted target", examples.PICKED)
    | answers.refused(
        "PREVIEW_NOT_READY", "FRAME_NOT_FOUND", "TRACK_NOT_FOUND", "JOB_RUNNING", *answers.STEP
    ),
)
async def pick_player(
    body: Annotated[Pick, Body(openapi_examples={"a track": {"value": examples.PICK}})],
    stepping: Stepping,
) -> Job:
    """Choose the player by a track of a preview frame; drafts the target."""

    def step(spec: ScoringJobSpec, status: ScoringJobStatus) -> flow.Change:
        return flow.pick(spec, status, body.frame_key, body.track_id)

    return await stepping.take(step, body, [body.frame_key])


@router.post(
    "/jobs/{job_id}/target",
    operation_id="confirmTarget",
    tags=["flow"],
    responses=answers.job("Confirmed", examples.CONFIRMED)
    | answers.refused(
        "TARGET_MISMATCH", "PREVIEW_NOT_READY", "FRAME_NOT_FOUND", "JOB_RUNNING", *answers.STEP
    ),
)
async def confirm_target(
    body: Annotated[Confirmation, Body(openapi_examples={"a box": {"value": examples.TARGET}})],
    stepping: Stepping,
    force: Annotated[bool, Query(description="Waives the overlap, for this box only.")] = False,
) -> Job:
    """Confirm where the player is; 409 TARGET_MISMATCH when the box is not his."""

    def step(spec: ScoringJobSpec, status: ScoringJobStatus) -> flow.Change:
        return flow.confirm(
            spec,
            status,
            bbox=body.bbox,
            frame_key=body.frame_key,
            time_sec=body.time_sec,
            force=force or body.force,
        )

    if body.frame_key:
        return await stepping.take(step, body, [body.frame_key])
    # The nearest frame is found among all; without a time it is the draft's.
    return await stepping.take(step, body, () if body.time_sec is None else None)


@router.post(
    "/jobs/{job_id}/anchors",
    operation_id="setAnchors",
    tags=["flow"],
    responses=answers.job("Taken over", examples.ANCHORED)
    | answers.refused(
        *("ANCHOR_CONFLICT", "ANCHOR_OUTSIDE", "ANCHOR_MISMATCH", "JOB_RUNNING"),
        *answers.STEP,
    ),
)
async def set_anchors(
    body: Annotated[AnchorsForm, Body(openapi_examples={"two moments": {"value": examples.ANCHORS}})],
    stepping: Stepping,
) -> Job:
    """Say where the player is at further moments, or is not, in place of what was said before."""

    def step(spec: ScoringJobSpec, status: ScoringJobStatus) -> flow.Change:
        return flow.set_anchors(spec, status, body.anchors)

    return await stepping.take(step, body, None)


@router.post(
    "/jobs/{job_id}/pitch",
    operation_id="setPitch",
    tags=["flow"],
    responses=answers.job("Taken over", examples.PITCHED)
    | answers.refused(
        "PITCH_INCOHERENT", "PITCH_LANDMARK", "PITCH_MOMENT_OUTSIDE", "JOB_RUNNING", *answers.STEP
    ),
)
async def set_pitch(
    body: Annotated[PitchForm, Body(openapi_examples={"one moment": {"value": examples.PITCH}})],
    stepping: Stepping,
) -> Job:
    """Say where the pitch is in the picture, in place of what was said before: the score then rests on metres."""

    def step(spec: ScoringJobSpec, status: ScoringJobStatus) -> flow.Change:
        return flow.set_pitch(spec, status, body.pitch)

    return await stepping.take(step, body)


@router.post(
    "/jobs/{job_id}/enqueue",
    operation_id="enqueueJob",
    tags=["flow"],
    responses=answers.job("Enqueued", examples.QUEUED)
    | answers.refused("NOT_READY", "TARGET_MISMATCH", "FRAME_NOT_FOUND", *answers.STEP),
)
async def enqueue(stepping: Stepping, body: Judged | None = None) -> Job:
    """Hand the job over; again changes nothing. 409 NOT_READY names what is missing."""
    return await stepping.take(flow.enqueue, body)


@router.post(
    "/jobs/{job_id}/pause",
    operation_id="pauseJob",
    tags=["flow"],
    responses=answers.job("Paused", examples.PAUSED) | answers.refused(*answers.STEP),
)
async def pause(stepping: Stepping, body: Judged | None = None) -> Job:
    """Stop the attempt, or take the enqueue back."""
    return await stepping.take(flow.pause, body)


# --- what lies in the store -----------------------------------------------------------------------------


@router.get(
    "/jobs/{job_id}/frames/{number}",
    operation_id="getFrame",
    tags=["flow"],
    response_class=Response,
    responses=answers.binary("The picture", "image/jpeg")
    | answers.refused("JOB_NOT_FOUND", "NOT_FOUND", "RANGE_INVALID", "STORE_UNAVAILABLE"),
)
async def get_frame(
    asked: TheJob,
    number: Annotated[int, Path(ge=1, le=9999)],
    parts: Parts,
    request: Request,
    kept: IfNoneMatch = None,
) -> Response:
    """A preview frame as JPEG, for whoever may read the job."""
    job = await asked.read()
    key = broker.frame_key(asked.namespace, job["metadata"]["uid"], number)
    return await content.send(parts.broker, key, request, kept)


@router.get(
    "/jobs/{job_id}/artifacts",
    operation_id="listArtifacts",
    tags=["jobs"],
    responses=answers.said("The files", {"items": [examples.ARTIFACT.model_dump(mode="json")]})
    | answers.refused("JOB_NOT_FOUND"),
)
async def list_artifacts(asked: TheJob) -> Artifacts:
    """The stored files of a job: pictures, tracks, clips. None before it has ended."""
    return Artifacts(items=forms.parts(await asked.read())[1].artifacts or [])


@router.get(
    "/jobs/{job_id}/artifacts/{name}",
    operation_id="getArtifact",
    tags=["jobs"],
    response_class=Response,
    responses=answers.binary("The file, of the media type that the list says", "*/*")
    | answers.refused("JOB_NOT_FOUND", "NOT_FOUND", "ARTIFACT_LOST", "RANGE_INVALID", "STORE_UNAVAILABLE"),
)
async def get_artifact(
    asked: TheJob,
    name: ArtifactName,
    parts: Parts,
    request: Request,
    kept: IfNoneMatch = None,
) -> Response:
    """An artifact, for whoever may read the job."""
    key = broker.listed_artifact(await asked.read(), name)
    async with broker.promised(name):
        return await content.send(parts.broker, key, request, kept)
