"""Videos on their way into a namespace: in one request, or in parts that can be resumed.

Nothing is kept here. An upload's name says how many bytes it has, so that every request can be held to the byte;
its parts lie in the store, which is asked what has arrived. Whoever may create ScoringJobs in the namespace may
upload into it.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Path, Request

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore_api import answers, content
from playerscore_api.broker import Link, StoredPart
from playerscore_api.cluster import Cluster
from playerscore_api.deps import Caller, Namespace, Parts, State
from playerscore_api.forms import NewUpload, Part, Stored, Upload, UploadAnswer, UploadState
from playerscore_api.strict import StrictRoute

router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=StrictRoute)

MIB: Final = 2**20
PART_BYTES: Final = 16 * MIB
"""What an interruption loses at most; S3 wants at least 5 MiB."""
MOST_PARTS: Final = 10_000
SINGLE_BYTES: Final = 5 * 2**30
"""S3 takes no more in one request."""
SHOWN_PARTS: Final = 100
"""Missing parts of one answer; ask again for the next."""
NAME: Final = r"^[0-9a-f]{16}-[1-9][0-9]{0,15}-[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


_NAME: Final = "0f3a5b6c7d8e9f01-41943040-match.mp4"
_PATH: Final = f"/uploads/scoring/{_NAME}"
_STATE: Final = {
    "uri": f"s3://playerscore/scoring/uploads/{_NAME}",
    "bytes": 41943040,
    "finished": False,
    "part_bytes": PART_BYTES,
    "parts": 3,
    "missing": [{"number": 3, "bytes": 8388608, "method": "PUT", "url": f"{_PATH}/parts/3", "headers": {}}],
}
_WHOLE: Final = _STATE | {"finished": True, "missing": []}
_NEW: Final = {"filename": "match.mp4", "bytes": 48_211_034}
_ANSWER: Final = {
    "uri": _STATE["uri"],
    "url": _PATH,
    "upload": {"method": "PUT", "url": _PATH, "headers": {}},
    "multipart": None,
}
_STORED: Final = {"bytes": 41943040, "sha256": "0" * 64}


@dataclass(frozen=True)
class Place:
    """Where one upload goes."""

    parts: State
    namespace: str
    name: str

    @property
    def key(self) -> str:
        return f"{names.upload_prefix(self.namespace)}{self.name}"

    @property
    def uri(self) -> str:
        return f"s3://{self.parts.broker.bucket}/{self.key}"

    @property
    def bytes(self) -> int:
        return int(self.name.split("-")[1])

    @property
    def part_bytes(self) -> int:
        """The length of all parts but the last; follows from the upload's length alone."""
        least = -(-self.bytes // MOST_PARTS)
        return max(PART_BYTES, -(-least // MIB) * MIB)

    @property
    def count(self) -> int:
        return -(-self.bytes // self.part_bytes)

    def length(self, number: int) -> int:
        """The length of one part, from 1."""
        return min(self.part_bytes, self.bytes - (number - 1) * self.part_bytes)

    def missing(self, stored: dict[int, StoredPart]) -> list[int]:
        """The parts that are not there in their full length."""
        wanted = range(1, self.count + 1)
        return [
            number for number in wanted if number not in stored or stored[number].bytes != self.length(number)
        ]


def declared_bytes(key: str) -> int | None:
    """How long the upload of that key was said to be; None where somebody else named it."""
    name = key.rsplit("/", 1)[-1]
    return int(name.split("-")[1]) if re.match(NAME, name) else None


async def _place(
    namespace: Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)],
    name: Annotated[str, Path(pattern=NAME)],
    caller: Caller,
    parts: Parts,
) -> Place:
    """The upload that a request is about. Raises FORBIDDEN, TOO_LARGE."""
    place = Place(parts, namespace, name)
    await _check(caller, place)
    return place


Placed = Annotated[Place, Depends(_place)]


async def _check(caller: Cluster, place: Place) -> None:
    if not await caller.may_create_jobs(place.namespace):
        raise PlayerscoreError("FORBIDDEN", f"You may not create ScoringJobs in {place.namespace}")
    most = place.parts.settings.upload_max_bytes
    if place.bytes > most:
        raise PlayerscoreError("TOO_LARGE", f"A video has at most {most} bytes here", field="bytes")


@router.post(
    "",
    operation_id="createUpload",
    responses=answers.said("Where it goes", _ANSWER) | answers.refused("STORE_UNAVAILABLE", *answers.FORM),
)
async def create_upload(
    body: Annotated[NewUpload, Body(openapi_examples={"a video": {"value": _NEW}})],
    caller: Caller,
    namespace: Namespace,
    parts: Parts,
    request: Request,
) -> UploadAnswer:
    """Where a video goes, and its uri for `spec.video`: in one request, or in parts when asked (or above 5 GiB)."""
    place = Place(parts, namespace, f"{secrets.token_hex(8)}-{body.bytes}-{body.filename}")
    await _check(caller, place)
    address = _address(request, place)
    if body.multipart or body.bytes > SINGLE_BYTES:
        upload_id = await parts.broker.start_parts(place.key)
        return UploadAnswer(uri=place.uri, url=address, multipart=await _state(request, place, upload_id, {}))
    link = await parts.broker.upload_link(place.key, place.bytes) if parts.broker.public else None
    link = link or Link(address, {})
    upload = Upload(method="PUT", url=link.url, headers=link.headers)
    return UploadAnswer(uri=place.uri, url=address, upload=upload)


@router.put(
    "/{namespace}/{name}",
    operation_id="putUpload",
    openapi_extra=answers.BYTES,
    responses=answers.said("Stored", _STORED)
    | answers.refused("ALREADY_EXISTS", "TOO_LARGE", "STORE_UNAVAILABLE"),
)
async def put_upload(place: Placed, request: Request) -> Stored:
    """Store a video through this API, where the store has no public address. Never overwrites."""
    if await place.parts.broker.size(place.key) is not None:
        raise PlayerscoreError("ALREADY_EXISTS", "There is an upload of that name")
    _check_length(request, place.bytes)
    return await content.receive(place.parts.broker, request, place.key, place.bytes, once=True)


@router.get(
    "/{namespace}/{name}",
    operation_id="getUpload",
    responses=answers.said("How far it is", _STATE)
    | answers.refused("NOT_FOUND", "TOO_LARGE", "STORE_UNAVAILABLE"),
)
async def get_upload(place: Placed, request: Request) -> UploadState:
    """What has arrived of an upload in parts, and how to send what is missing. To resume, ask this first."""
    upload_id = await place.parts.broker.find_parts(place.key)
    if upload_id is None:
        return await _finished(place)
    return await _state(
        request, place, upload_id, await place.parts.broker.stored_parts(place.key, upload_id)
    )


@router.put(
    "/{namespace}/{name}/parts/{number}",
    operation_id="putUploadPart",
    openapi_extra=answers.BYTES,
    responses=answers.said("Stored", _STORED)
    | answers.refused("NOT_FOUND", "TOO_LARGE", "STORE_UNAVAILABLE"),
)
async def put_part(
    place: Placed, number: Annotated[int, Path(ge=1, le=MOST_PARTS)], request: Request
) -> Stored:
    """Store one part through this API, where the store has no public address. Again replaces it."""
    if number > place.count:
        raise PlayerscoreError("INVALID", f"The upload has {place.count} parts", field="number")
    _check_length(request, place.length(number))
    upload_id = await _unfinished(place)
    return await place.parts.broker.put_part(
        place.key, upload_id, number, request.stream(), place.length(number)
    )


@router.post(
    "/{namespace}/{name}/complete",
    operation_id="completeUpload",
    responses=answers.said("Whole", _WHOLE)
    | answers.refused("NOT_FOUND", "ALREADY_EXISTS", "UPLOAD_INCOMPLETE", "TOO_LARGE", "STORE_UNAVAILABLE"),
)
async def complete(place: Placed) -> UploadState:
    """Make the video of its parts; again changes nothing. 409 UPLOAD_INCOMPLETE names the parts that are missing."""
    upload_id = await place.parts.broker.find_parts(place.key)
    if upload_id is None:
        return await _finished(place)
    stored = await place.parts.broker.stored_parts(place.key, upload_id)
    if missing := place.missing(stored):
        text = f"{len(missing)} of {place.count} parts are missing"
        raise PlayerscoreError("UPLOAD_INCOMPLETE", text, missing=missing[:SHOWN_PARTS])
    try:
        await place.parts.broker.finish_parts(place.key, upload_id, stored)
    except PlayerscoreError as error:
        if error.code != "NOT_FOUND":  # the same request, sent twice, may have been faster
            raise
    return await _finished(place)


@router.delete(
    "/{namespace}/{name}",
    status_code=204,
    operation_id="abortUpload",
    responses=answers.refused("ALREADY_EXISTS", "NOT_FOUND", "TOO_LARGE", "STORE_UNAVAILABLE"),
)
async def abort(place: Placed) -> None:
    """Forget an unfinished upload and its parts. A finished one stays until no job names it: 409."""
    upload_id = await place.parts.broker.find_parts(place.key)
    if upload_id is not None:
        await place.parts.broker.drop_parts(place.key, upload_id)
    elif await place.parts.broker.size(place.key) is not None:
        text = "The upload is finished; it goes when no ScoringJob has named it for a while"
        raise PlayerscoreError("ALREADY_EXISTS", text)


def _check_length(request: Request, length: int) -> None:
    """That the announced length, if any, is the declared one; the body itself is counted too."""
    said = request.headers.get("content-length")
    if said is not None and (not said.isdecimal() or int(said) != length):
        code = "TOO_LARGE" if said.isdecimal() and int(said) > length else "INVALID"
        raise PlayerscoreError(code, f"The body must have {length} bytes", field="Content-Length")


async def _unfinished(place: Place) -> str:
    upload_id = await place.parts.broker.find_parts(place.key)
    if upload_id is None:
        raise PlayerscoreError("NOT_FOUND", "There is no unfinished upload of that name")
    return upload_id


async def _finished(place: Place) -> UploadState:
    """The state of an upload that is whole. Raises NOT_FOUND."""
    if await place.parts.broker.size(place.key) != place.bytes:
        raise PlayerscoreError("NOT_FOUND", "There is no upload of that name")
    return UploadState(
        uri=place.uri,
        bytes=place.bytes,
        finished=True,
        part_bytes=place.part_bytes,
        parts=place.count,
        missing=[],
    )


async def _state(
    request: Request, place: Place, upload_id: str, stored: dict[int, StoredPart]
) -> UploadState:
    missing = [
        await _part(request, place, upload_id, number) for number in place.missing(stored)[:SHOWN_PARTS]
    ]
    return UploadState(
        uri=place.uri,
        bytes=place.bytes,
        finished=False,
        part_bytes=place.part_bytes,
        parts=place.count,
        missing=missing,
    )


async def _part(request: Request, place: Place, upload_id: str, number: int) -> Part:
    length, broker = place.length(number), place.parts.broker
    link = await broker.part_link(place.key, upload_id, number, length) if broker.public else None
    link = link or Link(f"{_address(request, place)}/parts/{number}", {})
    return Part(number=number, bytes=length, method="PUT", url=link.url, headers=link.headers)


def _address(request: Request, place: Place) -> str:
    """The upload's own address, below whatever this API is mounted."""
    return str(request.url_for("put_upload", namespace=place.namespace, name=place.name).path)
