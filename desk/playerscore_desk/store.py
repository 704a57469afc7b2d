"""The store, as files in a folder."""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from playerscore import sources
from playerscore.errors import PlayerscoreError
from playerscore_api.broker import CHUNK_BYTES, Broker, Content, StoredPart
from playerscore_api.forms import Stored
from playerscore_api.relay import Confirm
from playerscore_api.settings import Settings

UNFINISHED: Final = ".unfinished"
"""The folder of uploads in parts; a key has no component that begins with a dot."""
RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


class FolderStore(Broker):
    """The same words as of an S3 store, said of files. Keys are computed by the API, never taken from a request."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        super().__init__(settings)
        self._folder = folder
        self.ready = True

    def path(self, key: str) -> Path:
        """Where an object lies. Raises NOT_FOUND for a key that leaves the folder."""
        parts = key.split("/")
        if any(part in ("", ".", "..") or part.startswith(".") for part in parts):
            raise PlayerscoreError("NOT_FOUND", "There is no such object in the store")
        return self._folder.joinpath(*parts)

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        length: int,
        *,
        once: bool = False,
        confirm: Confirm | None = None,
    ) -> Stored:
        path = self.path(key)
        if once and path.exists():
            raise PlayerscoreError("ALREADY_EXISTS", "There is an upload of that name")
        return await _received(path, chunks, length, confirm)

    async def size(self, key: str) -> int | None:
        path = self.path(key)
        return path.stat().st_size if path.is_file() else None

    async def get(self, key: str, wanted: str | None = None) -> Content:
        path = self.path(key)
        if not path.is_file():
            raise PlayerscoreError("NOT_FOUND", "There is no such object in the store")
        told = path.stat()
        begin, end = byte_range(wanted, told.st_size)
        file = path.open("rb")
        file.seek(begin)
        etag = f'"{told.st_mtime_ns:x}-{told.st_size:x}"'
        said = f"bytes {begin}-{end - 1}/{told.st_size}" if wanted else None
        return Content(
            sources.media_type(key), etag, end - begin, said, _chunks(file, end - begin), file.close
        )

    async def start_parts(self, key: str) -> str:
        upload = secrets.token_hex(8)
        self._parts(key, upload).mkdir(parents=True)
        return upload

    async def find_parts(self, key: str) -> str | None:
        found = sorted(self._folder.joinpath(UNFINISHED).glob(f"{self.path(key).name}+*"))
        return found[0].name.rsplit("+", 1)[1] if found else None

    async def stored_parts(self, key: str, upload_id: str) -> dict[int, StoredPart]:
        folder = self._present(key, upload_id)
        return {int(file.name): StoredPart("", file.stat().st_size) for file in folder.glob("[0-9]*")}

    async def put_part(
        self, key: str, upload_id: str, number: int, chunks: AsyncIterator[bytes], length: int
    ) -> Stored:
        return await _received(self._present(key, upload_id) / str(number), chunks, length, None)

    async def finish_parts(self, key: str, upload_id: str, parts: dict[int, StoredPart]) -> None:
        folder = self._present(key, upload_id)
        await asyncio.to_thread(_joined, [folder / str(number) for number in sorted(parts)], self.path(key))
        shutil.rmtree(folder)

    async def drop_parts(self, key: str, upload_id: str) -> None:
        shutil.rmtree(self._present(key, upload_id))

    def _parts(self, key: str, upload_id: str) -> Path:
        # An upload's name begins with random digits: it says all.
        return self._folder / UNFINISHED / f"{self.path(key).name}+{upload_id}"

    def _present(self, key: str, upload_id: str) -> Path:
        folder = self._parts(key, upload_id)
        if not folder.is_dir():
            raise PlayerscoreError("NOT_FOUND", "There is no unfinished upload of that name")
        return folder


async def _received(path: Path, chunks: AsyncIterator[bytes], length: int, confirm: Confirm | None) -> Stored:
    """Write a stream of exactly `length` bytes, wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new, digest, count = path.with_name(f".{path.name}.{secrets.token_hex(4)}"), hashlib.sha256(), 0
    try:
        with new.open("wb") as file:
            async for chunk in chunks:
                count += len(chunk)
                if count > length:
                    raise PlayerscoreError("TOO_LARGE", f"The body has more than {length} bytes")
                digest.update(chunk)
                await asyncio.to_thread(file.write, chunk)
        if count < length:
            raise PlayerscoreError("INVALID", f"The body has {count} of {length} bytes")
        if confirm:
            await confirm()
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return Stored(bytes=count, sha256=digest.hexdigest())


def _joined(parts: list[Path], path: Path) -> None:
    """One file of the parts: the first becomes it, the others are appended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with parts[0].open("ab") as file:
        for part in parts[1:]:
            with part.open("rb") as more:
                shutil.copyfileobj(more, file, CHUNK_BYTES)
            part.unlink()
    os.replace(parts[0], path)


def byte_range(asked: str | None, size: int) -> tuple[int, int]:
    """First byte and the one behind the last. Raises RANGE_INVALID."""
    if asked is None:
        return 0, size
    found = RANGE.fullmatch(asked)
    first, last = found.groups() if found else ("", "")
    if first:
        begin, end = int(first), min(int(last) + 1, size) if last else size
    else:
        begin, end = max(0, size - int(last or 0)), size
    if not 0 <= begin < end:
        raise PlayerscoreError("RANGE_INVALID", "The object has no such range of bytes")
    return begin, end


async def _chunks(file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    while length > 0 and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, length))):
        length -= len(chunk)
        yield chunk
