"""Jobs in a folder behave as those of an API server: versions, conflicts, dry runs, watches, admission."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_preview, make_ready_spec, make_spec
from mergepatch import patched
from playerscore import flow
from playerscore.errors import PlayerscoreError
from playerscore.resources import ScoringJobSpec
from playerscore_desk.app import free_name
from playerscore_desk.objects import REMEMBERED, Objects, status_of, version_of


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path, "desk")


def made(objects: Objects, name: str = "a", spec: ScoringJobSpec | None = None) -> dict[str, Any]:
    return objects.create(flow.manifest(name, spec or make_spec()))


def code_of(error: pytest.ExceptionInfo[PlayerscoreError]) -> str:
    return error.value.code


def test_a_job_is_there_after_the_folder_is_opened_anew(objects: Objects, tmp_path: Path) -> None:
    made(objects)
    patched = objects.patch("a", {"spec": {"displayName": "final"}})
    again = Objects(tmp_path, "desk")

    assert again.get("a") == patched
    assert patched["metadata"]["generation"] == 2
    assert again.version > version_of(patched)


def test_a_second_of_that_name_is_refused(objects: Objects) -> None:
    first = made(objects)
    with pytest.raises(PlayerscoreError) as error:
        made(objects, spec=make_spec(display_name="other"))

    assert code_of(error) == "ALREADY_EXISTS"
    assert objects.get("a") == first


def test_who_read_an_older_version_is_refused(objects: Objects) -> None:
    old = version_of(made(objects))
    new = objects.patch("a", {"metadata": {"resourceVersion": str(old)}, "spec": {"displayName": "x"}})
    for change in (
        lambda: objects.patch("a", {"metadata": {"resourceVersion": str(old)}, "spec": {"displayName": "y"}}),
        lambda: objects.delete("a", str(old)),
    ):
        with pytest.raises(PlayerscoreError) as error:
            change()
        assert code_of(error) == "CONFLICT"

    assert objects.get("a") == new


def test_what_admission_refuses_changes_nothing(objects: Objects) -> None:
    before = made(objects)
    with pytest.raises(PlayerscoreError) as enqueued:
        objects.patch("a", {"spec": {"suspend": False}})
    with pytest.raises(PlayerscoreError) as other_video:
        objects.patch("a", {"spec": {"video": {"uri": "https://elsewhere.example/b.mp4"}}})
    with pytest.raises(PlayerscoreError) as unfit:
        objects.patch("a", {"spec": {"video": {"uri": 7}}})
    with pytest.raises(PlayerscoreError) as created:
        made(objects, "b", make_spec(suspend=False))

    assert code_of(enqueued) == code_of(created) == "NOT_READY"
    assert code_of(other_video) == "VIDEO_IMMUTABLE"
    assert code_of(unfit) == "INVALID"
    assert objects.all() == [before]


def test_a_dry_run_keeps_nothing(objects: Objects) -> None:
    before, version = made(objects), objects.version
    objects.create(flow.manifest("b", make_spec()), dry_run=True)
    assert objects.patch("a", {"spec": {"displayName": "x"}}, dry_run=True)["spec"]["displayName"] == "x"
    objects.delete("a", dry_run=True)

    assert (objects.all(), objects.version) == ([before], version)


def test_a_status_is_not_written_to_another_of_the_same_name(objects: Objects) -> None:
    uid = made(objects)["metadata"]["uid"]
    assert objects.write_status("a", uid, lambda old: old.model_copy(update={"preview": make_preview()}))
    assert status_of(objects.get("a")).preview == make_preview()
    objects.delete("a")
    again = made(objects)

    assert not objects.write_status("a", uid, lambda old: old.model_copy(update={"preview": make_preview()}))
    assert objects.get("a") == again


async def test_a_watch_tells_what_is_there_and_what_comes(objects: Objects) -> None:
    made(objects)
    seen = []

    async def watching() -> None:
        async for change in objects.watch(None, None, 30):
            seen.append((change.kind, change.name))
            if change.kind == "DELETED":
                return

    task = asyncio.create_task(watching())
    await asyncio.sleep(0)
    made(objects, "b", make_ready_spec(suspend=True))
    await asyncio.sleep(0)
    objects.patch("b", {"spec": {"displayName": "x"}})
    objects.delete("a")
    await asyncio.wait_for(task, 10)

    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "a")]


async def test_a_watch_of_one_job_goes_on_from_a_version_and_ends_in_time(objects: Objects) -> None:
    version = version_of(made(objects))
    made(objects, "b")
    last = objects.patch("a", {"spec": {"displayName": "x"}})
    told = [change async for change in objects.watch("a", version, 0.05)]

    assert [(one.kind, one.version) for one in told] == [("MODIFIED", version_of(last))]


async def test_a_forgotten_version_and_one_to_come_are_refused(objects: Objects) -> None:
    version = version_of(made(objects))
    for number in range(REMEMBERED + 1):
        objects.patch("a", {"spec": {"displayName": f"{number}"}})
    for asked in (version, objects.version + 1):
        with pytest.raises(PlayerscoreError) as error:
            await anext(objects.watch(None, asked, 1))
        assert code_of(error) == "EXPIRED"
    newest = [change.version async for change in objects.watch(None, objects.version - 1, 0.01)]

    assert newest == [objects.version]


async def test_who_reads_too_slowly_is_told_that_he_missed_something(objects: Objects) -> None:
    made(objects)
    watching = objects.watch(None, objects.version, 30)
    objects.patch("a", {"spec": {"displayName": "first"}})
    await anext(watching)
    for number in range(REMEMBERED + 2):
        objects.patch("a", {"spec": {"displayName": f"{number}"}})
    with pytest.raises(PlayerscoreError) as error:
        await anext(watching)

    assert code_of(error) == "EXPIRED"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"metadata": {"name": "a", "uid": "u", "resourceVersion": "x"}}']
)
def test_a_file_that_is_no_job_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(PlayerscoreError, match=r"a\.json is no job") as error:
        Objects(tmp_path, "desk")

    assert code_of(error) == "INVALID"


JSON = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from(["x", "y"]),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_patch_is_merged_as_an_api_server_does(old: Any, patch: Any) -> None:
    assert flow.merged(old, patch) == patched(old, patch)


@pytest.mark.parametrize(
    ("file", "name"),
    [("Final (2nd half)", "final-2nd-half"), ("ÄÖ", "video"), ("a" * 90, "a" * 59), ("a", "a-2")],
)
def test_a_job_is_named_like_its_file(objects: Objects, file: str, name: str) -> None:
    made(objects)
    assert free_name(objects, file) == name
