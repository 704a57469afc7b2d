"""The object store behind computed keys: streams in, streams out, short-lived presigned URLs.

aiobotocore, because it is asynchronous botocore: signing, retries and multipart as AWS ships them, for
any S3 server. Nobody else has the store's credentials.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple

import aiobotocore.session
import botocore.exceptions
from aiobotocore.config import AioConfig

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore_api.forms import Stored
from playerscore_api.settings import Settings

PART_BYTES: Final = 8 * 2**20
"""S3 wants at least 5 MiB; this is also the most that one request holds in memory."""
CHUNK_BYTES: Final = 256 * 2**10
SCHEME: Final = "s3://"


class Content(NamedTuple):
    """An object that is being read."""

    media_type: str
    length: int
    """Bytes."""
    chunks: AsyncIterator[bytes]


def frame_key(namespace: str, uid: str, number: int) -> str:
    """Where a preview frame is stored."""
    return f"{names.store_prefix(namespace, uid)}frames/frame_{number:04d}.jpg"


def artifact_key(namespace: str, uid: str, name: str) -> str:
    """Where an artifact is stored."""
    return f"{names.store_prefix(namespace, uid)}artifacts/{name}"


class Broker:
    """The store."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = settings.store_bucket
        self._open = AsyncExitStack()
        self._client: Any = None
        self._public: Any = None
        self.ready = False

    async def start(self) -> None:
        """Make the clients; needs no store yet."""
        self._client = await self._connected(self._settings.store_endpoint)
        public = self._settings.public_store_endpoint
        self._public = await self._connected(public) if public else None

    async def close(self) -> None:
        """Close the connections."""
        await self._open.aclose()

    async def ensure_bucket(self) -> None:
        """Create the bucket when it is missing. Raises STORE_UNAVAILABLE."""
        async with _translated():
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except botocore.exceptions.ClientError as error:
                if _http_status(error) != 404:
                    raise
                await self._client.create_bucket(Bucket=self._bucket)
            self.ready = True

    async def put(self, key: str, chunks: AsyncIterator[bytes], media_type: str, limit: int) -> Stored:
        """Store a stream of at most `limit` bytes. Raises TOO_LARGE (nothing is stored then)."""
        async with _translated():
            upload = _Upload(self._client, {"Bucket": self._bucket, "Key": key}, media_type, limit)
            return await upload.run(chunks)

    async def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        async with _translated():
            try:
                await self._client.head_object(Bucket=self._bucket, Key=key)
            except botocore.exceptions.ClientError as error:
                if _http_status(error) != 404:
                    raise
                return False
            return True

    async def get(self, key: str) -> Content:
        """Open an object. Raises NOT_FOUND."""
        async with _translated():
            answer = await self._client.get_object(Bucket=self._bucket, Key=key)
            return Content(answer["ContentType"], answer["ContentLength"], _chunks(answer["Body"]))

    def upload_uri(self, namespace: str, name: str) -> str:
        """The uri of an uploaded video, for `spec.video`."""
        return f"{SCHEME}{self._bucket}/{names.upload_prefix(namespace)}{name}"

    def upload_key(self, namespace: str, uri: str) -> str:
        """The key of a video that was uploaded into that namespace. Raises SOURCE_DENIED."""
        prefix = f"{SCHEME}{self._bucket}/"
        key = uri.removeprefix(prefix)
        inside = uri.startswith(prefix) and key.startswith(names.upload_prefix(namespace))
        if not inside or any(part in ("", ".", "..") for part in key.split("/")):
            where = self.upload_uri(namespace, "")
            raise PlayerscoreError("SOURCE_DENIED", f"Only videos under {where} come from the store")
        return key

    async def presigned_source(self, key: str) -> str:
        """A URL that pods can read the object by, for a short time."""
        url: str = await self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key},
            ExpiresIn=self._settings.presigned_seconds,
        )
        return url

    async def presigned_upload(self, key: str, length: int) -> str | None:
        """A URL that people can write exactly `length` bytes to; None when the store is not public."""
        if self._public is None:
            return None
        url: str = await self._public.generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket, "Key": key, "ContentLength": length},
            ExpiresIn=self._settings.presigned_seconds,
        )
        return url

    async def _connected(self, endpoint: str) -> Any:
        client = aiobotocore.session.get_session().create_client(
            "s3",
            endpoint_url=endpoint,
            region_name=self._settings.store_region,
            aws_access_key_id=self._settings.store_access_key.get_secret_value(),
            aws_secret_access_key=self._settings.store_secret_key.get_secret_value(),
            config=AioConfig(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                connect_timeout=5,
                read_timeout=60,
                max_pool_connections=64,
                retries={"max_attempts": 3, "mode": "standard"},
                # Small S3 servers do not all know the newer trailing checksums; sha256 is in our answer.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        return await self._open.enter_async_context(client)


class _Upload:
    """One object on its way into the store: a plain put when it is small, else multipart."""

    def __init__(self, client: Any, where: dict[str, str], media_type: str, limit: int) -> None:
        self._client = client
        self._where = where
        self._media_type = media_type
        self._limit = limit
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._parts: list[dict[str, Any]] = []
        self._id: str | None = None

    async def run(self, chunks: AsyncIterator[bytes]) -> Stored:
        try:
            rest = await self._take(chunks)
            await self._finish(rest)
        except BaseException:
            await self._abort()
            raise
        return Stored(bytes=self._bytes, sha256=self._digest.hexdigest())

    async def _take(self, chunks: AsyncIterator[bytes]) -> bytes:
        """Send full parts as they come; returns what is left."""
        buffer = bytearray()
        async for chunk in chunks:
            self._bytes += len(chunk)
            if self._bytes > self._limit:
                raise PlayerscoreError("TOO_LARGE", f"At most {self._limit} bytes are taken here")
            self._digest.update(chunk)
            buffer += chunk
            while len(buffer) >= PART_BYTES:
                await self._send(bytes(buffer[:PART_BYTES]))
                del buffer[:PART_BYTES]
        return bytes(buffer)

    async def _send(self, part: bytes) -> None:
        if self._id is None:
            started = await self._client.create_multipart_upload(**self._where, ContentType=self._media_type)
            self._id = started["UploadId"]
        number = len(self._parts) + 1
        answer = await self._client.upload_part(
            **self._where, UploadId=self._id, PartNumber=number, Body=part
        )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    async def _finish(self, rest: bytes) -> None:
        if self._id is None:
            await self._client.put_object(**self._where, Body=rest, ContentType=self._media_type)
            return
        if rest:
            await self._send(rest)
        await self._client.complete_multipart_upload(
            **self._where, UploadId=self._id, MultipartUpload={"Parts": self._parts}
        )

    async def _abort(self) -> None:
        if self._id is not None:
            await self._client.abort_multipart_upload(**self._where, UploadId=self._id)


async def _chunks(body: Any) -> AsyncIterator[bytes]:
    async with body:
        async for chunk in body.iter_chunks(CHUNK_BYTES):
            yield chunk


def _http_status(error: botocore.exceptions.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """The store's errors as this project's."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        if _http_status(error) == 404:
            raise PlayerscoreError("NOT_FOUND", "There is no such object in the store") from error
        raise PlayerscoreError("STORE_UNAVAILABLE", "The object store refused; try again") from error
    except (botocore.exceptions.BotoCoreError, OSError) as error:
        raise PlayerscoreError("STORE_UNAVAILABLE", "The object store does not answer") from error
