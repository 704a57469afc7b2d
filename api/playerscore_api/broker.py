"""The object store behind computed keys: streams in, streams out, short-lived presigned URLs.

aiobotocore, because it is asynchronous botocore: signing, retries and paging as AWS ships them, for any S3
server. Nobody else has the store's credentials. A URL is signed for the host that its reader uses: the
internal endpoint for pods, the public one for people.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple

import aiohttp
import botocore.exceptions
from aiobotocore.config import AioConfig

from playerscore import names, sources
from playerscore.errors import PlayerscoreError
from playerscore.names import Reason
from playerscore.sources import StorePlace
from playerscore_api import credentials, forms
from playerscore_api.forms import Document, Stored
from playerscore_api.relay import Confirm, Relay, connector
from playerscore_api.settings import Settings

CHUNK_BYTES: Final = 256 * 2**10
CONNECTIONS: Final = 64
ONCE: Final = {"If-None-Match": "*"}
"""A header that is signed with an upload's URL: the store takes one object of that key, and never a second."""


class Content(NamedTuple):
    """An object, or a range of it, that is being read."""

    media_type: str
    etag: str
    length: int
    """Bytes that come."""
    range: str | None
    """As in the header Content-Range; None for the whole object."""
    chunks: AsyncIterator[bytes]
    close: Callable[[], None]
    """Gives its connection back, however much was read; to be called by whoever opened it."""


class Link(NamedTuple):
    """One request that whoever has it may send, for a short time."""

    url: str
    headers: dict[str, str]


class StoredPart(NamedTuple):
    """A part of an unfinished upload."""

    etag: str
    bytes: int


def frame_key(namespace: str, uid: str, number: int) -> str:
    """Where a preview frame is stored."""
    return f"{names.store_prefix(namespace, uid)}frames/frame_{number:04d}.jpg"


def artifact_prefix(namespace: str, uid: str) -> str:
    """Where a job's artifacts are stored."""
    return f"{names.store_prefix(namespace, uid)}artifacts/"


def artifact_key(namespace: str, uid: str, name: str) -> str:
    """Where an artifact is stored."""
    return f"{artifact_prefix(namespace, uid)}{name}"


def checkpoint_key(namespace: str, uid: str, number: int) -> str:
    """Where a checkpoint is stored, for all attempts of a job."""
    return f"{names.checkpoint_prefix(namespace, uid)}{number:05d}"


def listed_artifact(job: Document, name: str) -> str:
    """Where an artifact that the job's status lists is stored. Raises ARTIFACT_LOST for one that could not be stored,
    NOT_FOUND for any other.

    What is stored besides may be an older attempt's, of another player.
    """
    status = forms.parts(job)[1]
    if name in (item.name for item in status.artifacts or []):
        return artifact_key(job["metadata"]["namespace"], job["metadata"]["uid"], name)
    for condition in status.conditions or []:
        words = {word.strip(".,:;") for word in (condition.message or "").split()}
        if condition.reason == Reason.ARTIFACTS_LOST and name in words:
            raise PlayerscoreError("ARTIFACT_LOST", condition.message or name)
    raise PlayerscoreError("NOT_FOUND", f"The job has no artifact {name}")


@asynccontextmanager
async def promised(name: str) -> AsyncIterator[None]:
    """An artifact that the status lists and the store does not have is lost. Raises ARTIFACT_LOST."""
    try:
        yield
    except PlayerscoreError as error:
        if error.code != "NOT_FOUND":
            raise
        raise PlayerscoreError("ARTIFACT_LOST", f"The store no longer has {name}") from error


class Broker:
    """The store."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.bucket = settings.store_bucket
        self._open = AsyncExitStack()
        self._client: Any = None
        self._public: Any = None
        self._http: aiohttp.ClientSession = None  # type: ignore[assignment]  # from start() on
        self.ready = False

    async def start(self) -> None:
        """Make the clients; needs no store yet."""
        self._client = await self._connected(self._settings.store_endpoint)
        public = self._settings.public_store_endpoint
        self._public = await self._connected(public) if public else None
        self._http = await self._open.enter_async_context(
            aiohttp.ClientSession(
                connector=connector(CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._open.aclose()

    async def ensure_bucket(self) -> None:
        """Create the bucket when it is missing. Raises STORE_UNAVAILABLE."""
        async with translated():
            try:
                await self._client.head_bucket(Bucket=self.bucket)
            except botocore.exceptions.ClientError as error:
                if _http_status(error) != 404:
                    raise
                await self._client.create_bucket(Bucket=self.bucket)
            self.ready = True

    # --- objects ----------------------------------------------------------------------------------------

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        length: int,
        *,
        once: bool = False,
        confirm: Confirm | None = None,
    ) -> Stored:
        """Store a stream of exactly `length` bytes: wholly, or not at all.

        `once` refuses to replace an object. Raises ALREADY_EXISTS, TOO_LARGE, INVALID, STORE_UNAVAILABLE.
        """
        media_type = sources.media_type(key)
        link = await self._signed_put(self._client, key, length, once=once, ContentType=media_type)
        try:
            return await self._relayed(link, chunks, length, confirm)
        except PlayerscoreError as error:
            # A store that refuses before it has read the body may reset the connection, and its answer is lost.
            if once and error.code == "STORE_UNAVAILABLE" and await self.size(key) is not None:
                raise _refusal(412) from error
            raise

    async def size(self, key: str) -> int | None:
        """How many bytes the object has; None when there is none."""
        async with translated():
            try:
                return int((await self._client.head_object(Bucket=self.bucket, Key=key))["ContentLength"])
            except botocore.exceptions.ClientError as error:
                if _http_status(error) != 404:
                    raise
                return None

    async def count(self, prefix: str, most: int, besides: str) -> int:
        """How many objects there are below that prefix besides one; stops counting at `most`."""
        async with translated():
            page = await self._client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=most + 1)
            return sum(item["Key"] != besides for item in page.get("Contents", []))

    async def remove(self, prefix: str) -> None:
        """Remove every object below that prefix. Raises STORE_UNAVAILABLE."""
        async with translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            async for page in pages:
                await delete(self._client, self.bucket, page.get("Contents", []))

    async def get(self, key: str, byte_range: str | None = None) -> Content:
        """Open an object, or a range of it (`bytes=a-b`). Raises NOT_FOUND, RANGE_INVALID."""
        wanted = {"Range": byte_range} if byte_range else {}
        async with translated():
            answer = await self._client.get_object(Bucket=self.bucket, Key=key, **wanted)
            body = answer["Body"]
            return Content(
                sources.media_type(key),
                answer["ETag"],
                answer["ContentLength"],
                answer.get("ContentRange"),
                body.iter_chunks(CHUNK_BYTES),
                body.close,
            )

    # --- URLs -------------------------------------------------------------------------------------------

    @property
    def public(self) -> bool:
        """Whether people reach the store themselves."""
        return self._public is not None

    async def pods_link(self, place: StorePlace) -> str:
        """A URL that pods can read the object by."""
        return await self._signed(self._client, "get_object", Bucket=place.bucket, Key=place.key)

    async def peoples_link(self, key: str) -> str:
        """A URL that people can read the object by; only where the store is public."""
        return await self._signed(
            self._public,
            "get_object",
            Bucket=self.bucket,
            Key=key,
            ResponseContentType=sources.media_type(key),
        )

    async def upload_link(self, key: str, length: int) -> Link:
        """How people write exactly `length` bytes, once; only where the store is public."""
        return await self._signed_put(self._public, key, length, once=True)

    async def part_link(self, key: str, upload_id: str, number: int, length: int) -> Link:
        """How people write a part of exactly that length; only where the store is public."""
        return await self._signed_part(self._public, key, upload_id, number, length)

    # --- uploads in parts -------------------------------------------------------------------------------

    async def start_parts(self, key: str) -> str:
        """Begin an upload in parts; returns its id."""
        async with translated():
            answer = await self._client.create_multipart_upload(
                Bucket=self.bucket, Key=key, ContentType=sources.media_type(key)
            )
            return str(answer["UploadId"])

    async def find_parts(self, key: str) -> str | None:
        """The id of the unfinished upload of that key, which nobody needs to keep."""
        async with translated():
            page = await self._client.list_multipart_uploads(Bucket=self.bucket, Prefix=key)
            found = [item["UploadId"] for item in page.get("Uploads", []) if item["Key"] == key]
            return str(found[0]) if found else None

    async def stored_parts(self, key: str, upload_id: str) -> dict[int, StoredPart]:
        """What has arrived, by the part's number. Raises NOT_FOUND when the upload has ended meanwhile."""
        found: dict[int, StoredPart] = {}
        async with translated():
            pages = self._client.get_paginator("list_parts")
            async for page in pages.paginate(Bucket=self.bucket, Key=key, UploadId=upload_id):
                for item in page.get("Parts", []):
                    found[item["PartNumber"]] = StoredPart(item["ETag"], item["Size"])
        return found

    async def put_part(
        self, key: str, upload_id: str, number: int, chunks: AsyncIterator[bytes], length: int
    ) -> Stored:
        """Store a part of exactly that length; again replaces it. Raises as `put`."""
        link = await self._signed_part(self._client, key, upload_id, number, length)
        return await self._relayed(link, chunks, length, None)

    async def finish_parts(self, key: str, upload_id: str, parts: dict[int, StoredPart]) -> None:
        """Make one object of the parts. Raises NOT_FOUND when somebody else did, ALREADY_EXISTS."""
        listed = [{"PartNumber": number, "ETag": part.etag} for number, part in sorted(parts.items())]
        async with translated():
            await self._client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": listed},
                IfNoneMatch="*",
            )

    async def drop_parts(self, key: str, upload_id: str) -> None:
        """Forget an unfinished upload and its parts. Raises NOT_FOUND."""
        async with translated():
            await self._client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)

    # --- the wire ---------------------------------------------------------------------------------------

    async def _relayed(
        self, link: Link, chunks: AsyncIterator[bytes], length: int, confirm: Confirm | None
    ) -> Stored:
        relay = Relay(chunks, length, confirm)
        status = await relay.put(self._http, link.url, link.headers)
        if status >= 300:
            raise _refusal(status)
        return Stored(bytes=relay.bytes, sha256=relay.sha256)

    async def _signed_put(self, client: Any, key: str, length: int, once: bool, **more: Any) -> Link:
        what = {"Bucket": self.bucket, "Key": key, "ContentLength": length, **more}
        headers = {"Content-Type": str(more["ContentType"])} if "ContentType" in more else {}
        if once:
            what["IfNoneMatch"] = ONCE["If-None-Match"]
            headers |= ONCE
        return Link(await self._signed(client, "put_object", **what), headers)

    async def _signed_part(self, client: Any, key: str, upload_id: str, number: int, length: int) -> Link:
        url = await self._signed(
            client,
            "upload_part",
            Bucket=self.bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            ContentLength=length,
        )
        return Link(url, {})

    async def _signed(self, client: Any, method: str, **what: Any) -> str:
        url: str = await client.generate_presigned_url(
            method, Params=what, ExpiresIn=self._settings.presigned_seconds
        )
        return url

    async def _connected(self, endpoint: str) -> Any:
        return await self._open.enter_async_context(connection(self._settings, endpoint))


def connection(settings: Settings, endpoint: str) -> Any:
    """An S3 client for that endpoint, as an asynchronous context manager."""
    return credentials.session(settings).create_client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.store_region,
        config=AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=CONNECTIONS,
            retries={"max_attempts": 3, "mode": "standard"},
            # Small S3 servers do not all know the newer trailing checksums; sha256 is in our answer.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _http_status(error: botocore.exceptions.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refusal(status: int) -> PlayerscoreError:
    """The store's refusal as this project's."""
    if status == 404:
        return PlayerscoreError("NOT_FOUND", "There is no such object in the store")
    if status == 412:
        return PlayerscoreError("ALREADY_EXISTS", "There is an upload of that name")
    if status == 416:
        return PlayerscoreError("RANGE_INVALID", "The object has no such range of bytes")
    return PlayerscoreError("STORE_UNAVAILABLE", f"The object store refused ({status}); try again")


async def delete(client: Any, bucket: str, objects: Sequence[dict[str, Any]]) -> None:
    """Delete listed objects, at most 1000. Raises STORE_UNAVAILABLE where the store keeps one."""
    if not objects:
        return
    keys = [{"Key": one["Key"]} for one in objects]
    answer = await client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    if answer.get("Errors"):
        raise PlayerscoreError("STORE_UNAVAILABLE", f"The store keeps {answer['Errors'][0]['Key']}")


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """The store's errors as this project's."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise _refusal(_http_status(error)) from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.CredentialRetrievalError) as error:
        text = "There are no credentials for the object store: neither keys nor an identity of the cloud"
        raise PlayerscoreError("STORE_UNAVAILABLE", text) from error
    except (botocore.exceptions.BotoCoreError, aiohttp.ClientError, OSError) as error:
        raise PlayerscoreError("STORE_UNAVAILABLE", "The object store does not answer") from error
