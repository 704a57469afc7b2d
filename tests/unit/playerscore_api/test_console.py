"""How the console's files are served, and that its words know every word of the API."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from playerscore.errors import CATALOGUE
from playerscore.names import Reason, Step
from playerscore_api import console, faults

TEXTS = (Path(__file__).parents[3] / "console" / "src" / "texts.ts").read_text()


async def asked(path: str) -> httpx.Response:
    app = FastAPI()
    console.install(app, None)
    faults.install(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("store", "connect"),
    [
        (None, "connect-src 'self';"),
        ("https://s3.example.com/any", "connect-src 'self' https://s3.example.com;"),
    ],
)
def test_the_policy_lets_the_page_speak_to_the_api_and_to_a_public_store(
    store: str | None, connect: str
) -> None:
    policy = console.policy(store)

    assert connect in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy


async def test_an_api_without_the_pages_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(console, "FILES", tmp_path)
    answer = await asked("/console/")

    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "This API was installed without the console"


async def test_only_built_files_are_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "index.html").write_text("<p>here")
    (folder / ".sources").write_text("hidden")
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(console, "FILES", folder)

    assert (await asked("/console/")).text == "<p>here"
    assert [
        (await asked(f"/console/{path}")).status_code for path in (".sources", "../secret", "%2e%2e/secret")
    ] == [404] * 3


@pytest.mark.parametrize("step", Step)
def test_every_step_has_words(step: Step) -> None:
    assert f"    {step}: " in TEXTS


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in CATALOGUE])
def test_every_reason_has_words(reason: Reason) -> None:
    assert re.search(rf"^    {reason}: \"", TEXTS, re.MULTILINE)
