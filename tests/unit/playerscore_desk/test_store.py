"""The store in a folder: whole or not at all, ranges, uploads in parts, nothing outside the folder."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playerscore.errors import PlayerscoreError
from playerscore_api.settings import Settings
from playerscore_desk.store import FolderStore, byte_range

KEY = "desk/uploads/0f3a5b6c7d8e9f01-10-match.mp4"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(Settings(store_endpoint=""), tmp_path)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(store: FolderStore, key: str, byte_range: str | None = None) -> tuple[bytes, str | None]:
    found = await store.get(key, byte_range)
    try:
        return b"".join([chunk async for chunk in found.chunks]), found.range
    finally:
        found.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_an_object_and_a_range_of_it(store: FolderStore) -> None:
    told = await store.put(KEY, chunks(b"01234", b"56789"), 10)

    assert told.sha256 == hashlib.sha256(b"0123456789").hexdigest()
    assert await read(store, KEY) == (b"0123456789", None)
    assert await read(store, KEY, "bytes=2-4") == (b"234", "bytes 2-4/10")
    assert await read(store, KEY, "bytes=-3") == (b"789", "bytes 7-9/10")
    found = await store.get(KEY)
    found.close()
    assert found.media_type == "video/mp4"


@given(st.integers(1, 40), st.integers(0, 60), st.integers(0, 60) | st.none())
def test_a_range_is_a_part_of_what_there_is(size: int, first: int, last: int | None) -> None:
    content, asked = bytes(range(size)), f"bytes={first}-{'' if last is None else last}"
    if first >= size or (last is not None and last < first):
        with pytest.raises(PlayerscoreError, match="no such range"):
            byte_range(asked, size)
        return
    begin, end = byte_range(asked, size)

    assert content[begin:end] == content[first : None if last is None else last + 1]


@pytest.mark.parametrize(("body", "code"), [(b"012345678", "INVALID"), (b"0123456789a", "TOO_LARGE")])
async def test_another_length_leaves_nothing(
    store: FolderStore, tmp_path: Path, body: bytes, code: str
) -> None:
    with pytest.raises(PlayerscoreError) as error:
        await store.put(KEY, chunks(body), 10)

    assert error.value.code == code
    assert files(tmp_path) == []


async def test_once_is_once(store: FolderStore) -> None:
    await store.put(KEY, chunks(b"0123456789"), 10, once=True)
    with pytest.raises(PlayerscoreError) as error:
        await store.put(KEY, chunks(b"x" * 10), 10, once=True)

    assert error.value.code == "ALREADY_EXISTS"
    assert (await read(store, KEY))[0] == b"0123456789"


async def test_parts_become_one_file(store: FolderStore, tmp_path: Path) -> None:
    upload = await store.start_parts(KEY)
    await store.put_part(KEY, upload, 2, chunks(b"789"), 3)
    await store.put_part(KEY, upload, 1, chunks(b"xxxxxxx"), 7)
    await store.put_part(KEY, upload, 1, chunks(b"0123456"), 7)
    assert await store.find_parts(KEY) == upload
    stored = await store.stored_parts(KEY, upload)
    assert {number: part.bytes for number, part in stored.items()} == {1: 7, 2: 3}
    await store.finish_parts(KEY, upload, stored)

    assert await read(store, KEY) == (b"0123456789", None)
    assert await store.find_parts(KEY) is None
    assert files(tmp_path) == [KEY.rsplit("/", 1)[1]]


async def test_parts_of_nothing(store: FolderStore, tmp_path: Path) -> None:
    upload = await store.start_parts(KEY)
    await store.drop_parts(KEY, upload)
    for asked in (store.stored_parts(KEY, upload), store.drop_parts(KEY, upload)):
        with pytest.raises(PlayerscoreError) as error:
            await asked
        assert error.value.code == "NOT_FOUND"

    assert files(tmp_path) == []


@pytest.mark.parametrize("key", ["../outside", "desk/../../outside", "/outside", "desk//x", "desk/.lock", ""])
async def test_no_key_leads_elsewhere(store: FolderStore, tmp_path: Path, key: str) -> None:
    (tmp_path.parent / "outside").write_bytes(b"secret")
    with pytest.raises(PlayerscoreError) as error:
        await store.get(key)

    assert error.value.code == "NOT_FOUND"
