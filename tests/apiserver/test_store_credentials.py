"""The store's keys: rotated under a running API, or given by the cloud to the pod's account (EKS Pod Identity, IRSA).

The API is its own process and the store the embedded one. The cloud's side is played: a server that answers as the
Pod Identity agent and as STS do, with the keys of the store.
"""

import asyncio
import contextlib
import http.server
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from apilab import Lab, error, running_api
from controlplane import ensure_tools, free_ports
from playerscore.sources import store_place
from playerscore_api.broker import Broker
from playerscore_api.credentials import FILES
from playerscore_api.settings import Settings

FIRST, SECOND = ("key-of-the-store", "its-first-secret"), ("key-of-the-store", "its-second-secret")
TOKEN = "token-of-the-pod"


@contextlib.contextmanager
def store(folder: Path, port: int, keys: tuple[str, str]) -> Iterator[None]:
    """The embedded store with those keys."""
    program = ensure_tools("versitygw") / "versitygw"
    (folder / "objects").mkdir(exist_ok=True)
    environment = {"ROOT_ACCESS_KEY": keys[0], "ROOT_SECRET_KEY": keys[1], "PATH": os.environ["PATH"]}
    command = [str(program), "--port", f"127.0.0.1:{port}", "posix", str(folder / "objects")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(25)


def stored(client: httpx.Client) -> httpx.Response:
    """Put three bytes into the store through the API; the last answer."""
    offer = client.post("/uploads", json={"filename": "a.mp4", "bytes": 3}).json()
    return client.put(offer["upload"]["url"], content=b"abc")


def until_stored(client: httpx.Client, seconds: float = 30) -> httpx.Response:
    end = time.monotonic() + seconds
    while (answer := stored(client)).status_code != 200 and time.monotonic() < end:
        time.sleep(0.5)
    return answer


def test_rotated_keys_are_taken_up_without_a_restart(lab: Lab, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    def mount(keys: tuple[str, str]) -> None:
        for name, value in zip(FILES, keys, strict=True):
            (mounted / name).write_text(f"{value}\n")

    mount(FIRST)
    settings = {
        "SECRETS_DIR": str(mounted),
        "STORE_ACCESS_KEY": "",
        "STORE_SECRET_KEY": "",
    }
    with contextlib.ExitStack() as old:
        old.enter_context(store(tmp_path, port, FIRST))
        with running_api(lab.plane, lab.folder, port, **settings) as (url, process):
            client = lab.client(lab.editor_token, url)
            before = stored(client)
            old.close()
            with store(tmp_path, port, SECOND):
                with_old_keys = stored(client)
                mount(SECOND)
                after = until_stored(client)

            assert before.status_code == 200
            assert error(with_old_keys) == (503, "STORE_UNAVAILABLE")
            assert after.status_code == 200
            assert process.poll() is None


class Cloud(http.server.ThreadingHTTPServer):
    """Pod Identity's agent at /agent, and STS at every other address."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[str] = []
        self.session = True
        """Whether the keys come with a session token, of which the embedded store knows nothing."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(http.server.BaseHTTPRequestHandler):
    server: Cloud

    def do_GET(self) -> None:
        allowed = self.path == "/agent" and self.headers["Authorization"] == TOKEN
        self.server.asked.append("agent")
        keys = {
            "AccessKeyId": FIRST[0],
            "SecretAccessKey": FIRST[1],
            "Token": "session" if self.server.session else None,
        }
        self._answer(200 if allowed else 403, json.dumps({**keys, "Expiration": _soon()}), "application/json")

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        allowed = "Action=AssumeRoleWithWebIdentity" in text and f"WebIdentityToken={TOKEN}" in text
        self.server.asked.append("sts")
        given = (
            f"<AccessKeyId>{FIRST[0]}</AccessKeyId><SecretAccessKey>{FIRST[1]}</SecretAccessKey>"
            f"<SessionToken>session</SessionToken><Expiration>{_soon()}</Expiration>"
        )
        result = f"<AssumeRoleWithWebIdentityResult><Credentials>{given}</Credentials></AssumeRoleWithWebIdentityResult>"
        body = f"<AssumeRoleWithWebIdentityResponse>{result}</AssumeRoleWithWebIdentityResponse>"
        self._answer(200 if allowed else 403, body, "text/xml")

    def _answer(self, status: int, body: str, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def identity(
    cloud: Cloud, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """What the cloud's admission webhook puts into a pod; which of the two."""
    (tmp_path / "token").write_text(TOKEN)
    given = {
        "agent": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.url}/agent",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
        },
        "sts": {
            "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/playerscore",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ENDPOINT_URL_STS": cloud.url,
        },
    }
    for name, value in given[request.param].items():
        monkeypatch.setenv(name, value)
    return str(request.param)


@pytest.mark.parametrize("identity", ["agent", "sts"], indirect=True)
def test_addresses_are_signed_with_the_clouds_keys(cloud: Cloud, identity: str) -> None:
    async def signed() -> str:
        broker = Broker(Settings(store_endpoint="https://s3.eu-west-1.amazonaws.com"))
        await broker.start()
        try:
            return await broker.pods_link(store_place("s3://playerscore/scoring/uploads/a.mp4"))
        finally:
            await broker.close()

    query = parse_qs(urlsplit(asyncio.run(signed())).query)

    assert query["X-Amz-Credential"][0].startswith(f"{FIRST[0]}/")
    assert query["X-Amz-Security-Token"] == ["session"]
    assert cloud.asked == [identity]


@pytest.mark.parametrize("identity", ["agent"], indirect=True)
def test_the_clouds_identity_opens_the_store(lab: Lab, tmp_path: Path, cloud: Cloud, identity: str) -> None:
    cloud.session = False
    (port,) = free_ports(1)
    without = {"STORE_ACCESS_KEY": "", "STORE_SECRET_KEY": ""}
    with store(tmp_path, port, FIRST), running_api(lab.plane, lab.folder, port, **without) as (url, _):
        answer = stored(lab.client(lab.editor_token, url))

    assert answer.status_code == 200, answer.text
    assert set(cloud.asked) == {identity}
