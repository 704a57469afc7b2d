"""The doors of the REST API, each with its real process: a path prefix, TLS, IPv6, other origins, and the log."""

import contextlib
import json
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from apilab import SPEC, Lab, error, running_api
from clidesk import Desk
from controlplane import free_ports
from kueue import certificates
from playerscore_api.settings import OWN_PATHS

Json = dict[str, Any]
PAGES = "https://pages.example.com"


# --- behind a prefix ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prefixed(lab: Lab) -> Iterator[str]:
    """The origin of a replica below /teams/scoring."""
    with lab.another(ROOT_PATH="/teams/scoring") as url:
        yield url


@pytest.mark.parametrize(
    "seen",
    [pytest.param("/teams/scoring", id="the proxy leaves it"), pytest.param("", id="the proxy takes it off")],
)
def test_every_address_that_is_given_out_has_the_prefix(lab: Lab, prefixed: str, seen: str) -> None:
    client = lab.client(lab.editor_token, f"{prefixed}{seen}")
    name = f"below-{len(seen)}"
    created = client.post("/jobs", json={"id": name, **SPEC})
    upload = client.post("/uploads", json={"filename": "a.mp4", "bytes": 3}).json()
    parts = client.post("/uploads", json={"filename": "b.mp4", "bytes": 3, "multipart": True}).json()
    root = httpx.get(f"{prefixed}{seen}/")
    document = client.get("/openapi.json").json()

    assert created.headers["Location"] == f"/teams/scoring/jobs/{name}?namespace=default"
    assert httpx.get(prefixed + created.headers["Location"], headers=client.headers).json() == created.json()
    given = [upload["url"], upload["upload"]["url"], parts["url"], parts["multipart"]["missing"][0]["url"]]
    assert all(url.startswith("/teams/scoring/uploads/default/") for url in given), given
    assert (
        httpx.put(prefixed + upload["upload"]["url"], content=b"abc", headers=client.headers).status_code
        == 200
    )
    assert (root.status_code, root.headers["Location"]) == (307, "/teams/scoring/docs")
    assert document["servers"] == [{"url": "/teams/scoring"}]


@pytest.mark.parametrize("seen", ["/teams/scoring", ""])
def test_swagger_finds_its_files(prefixed: str, seen: str) -> None:
    page = httpx.get(f"{prefixed}{seen}/docs").text

    assert "url: 'openapi.json'" in page
    assert 'src="docs/files/swagger-ui-bundle.js"' in page
    assert httpx.get(f"{prefixed}{seen}/docs/files/swagger-ui-bundle.js").status_code == 200


def test_the_prefix_alone_leads_to_the_page_and_a_longer_word_does_not(prefixed: str) -> None:
    assert httpx.get(f"{prefixed}/teams/scoring").status_code == 307
    assert httpx.get(f"{prefixed}/teams/scoringx").status_code == 404


def test_probes_need_no_prefix(prefixed: str) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/teams/scoring/healthz"):
        assert httpx.get(prefixed + path).status_code == 200, path


def test_the_command_line_goes_through_a_prefix(lab: Lab, prefixed: str, tmp_path: Path) -> None:
    """Also in parts, whose addresses come from the API."""
    video = tmp_path / "match.mp4"
    video.write_bytes(os.urandom(17 << 20))
    where = ["--api", f"{prefixed}/teams/scoring", "--token", lab.editor_token]

    uri = Desk(lab.plane).ok("upload", str(video), *where).strip()

    assert (lab.folder / "data" / uri.removeprefix("s3://")).read_bytes() == video.read_bytes()


def test_no_address_of_the_api_can_be_taken_for_a_prefix(lab: Lab) -> None:
    paths = lab.editor.get("/openapi.json").json()["paths"]

    assert {path.split("/")[1] for path in paths} <= OWN_PATHS


# --- TLS ------------------------------------------------------------------------------------------------


class Tls:
    """A replica with a certificate, and what trusts it."""

    def __init__(self, folder: Path, plain: str, port: int) -> None:
        self.folder, self.plain, self.url = folder, plain, f"https://localhost:{port}"

    def renew(self) -> ssl.SSLContext:
        """Put another certificate, of another authority; what trusts it alone."""
        return trust(written(self.folder))


def written(folder: Path) -> Path:
    for name, content in certificates("localhost").items():
        (folder / f"{name}.new").write_bytes(content)
        (folder / f"{name}.new").rename(folder / name)
    return folder


def trust(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=(folder / "ca.crt").read_text())


@pytest.fixture(scope="module")
def tls(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    folder, (port,) = written(tmp_path_factory.mktemp("tls")), free_ports(1)
    files = {"TLS_CERT_FILE": str(folder / "tls.crt"), "TLS_KEY_FILE": str(folder / "tls.key")}
    with lab.another(TLS_PORT=str(port), HOST="", **files) as plain:
        yield Tls(folder, plain, port)


def test_the_api_answers_over_tls_and_its_probes_without(lab: Lab, tls: Tls) -> None:
    with httpx.Client(verify=trust(tls.folder), headers=lab.editor.headers) as client:
        answer = client.get(f"{tls.url}/jobs")

    assert answer.status_code == 200
    assert httpx.get(f"{tls.plain}/readyz").status_code == 200


def test_the_command_line_trusts_a_private_authority(lab: Lab, tls: Tls, tmp_path: Path) -> None:
    video = tmp_path / "match.mp4"
    video.write_bytes(b"video")
    arguments = ["upload", str(video), "--api", tls.url, "--token", lab.editor_token]

    trusted = Desk(lab.plane).run(*arguments, SSL_CERT_FILE=str(tls.folder / "ca.crt"))
    untrusted = Desk(lab.plane).run(*arguments)

    assert trusted.returncode == 0, trusted.stderr
    assert "certificate verify failed" in untrusted.stderr


def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(tls: Tls) -> None:
    renewed = tls.renew()
    assert eventually(tls.url, renewed), "the new certificate was not taken up"

    (tls.folder / "tls.key").write_text("no key")
    time.sleep(11)
    assert answers(tls.url, renewed)


def eventually(url: str, context: ssl.SSLContext, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not answers(url, context):
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def answers(url: str, context: ssl.SSLContext) -> bool:
    with contextlib.suppress(httpx.ConnectError):
        return httpx.get(f"{url}/healthz", verify=context).status_code == 200
    return False


# --- IPv6 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_without_a_host_both_families_are_served(lab: Lab, tls: Tls, host: str) -> None:
    port = urlsplit(tls.plain).port

    assert lab.client(lab.editor_token, f"http://{host}:{port}").get("/jobs").status_code == 200


def test_an_address_of_ipv6_alone_can_be_named(lab: Lab) -> None:
    with running_api(lab.plane, lab.folder, lab.s3, HOST="::1") as (url, _):
        assert urlsplit(url).hostname == "::1"
        assert lab.client(lab.editor_token, url).get("/jobs").status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(url.replace("[::1]", "127.0.0.1"))


# --- pages of other origins -----------------------------------------------------------------------------


def preflight(url: str, origin: str) -> httpx.Response:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    return httpx.options(f"{url}/jobs/x/target", headers={"Origin": origin, **asked})


def test_no_other_origin_may_ask_by_default(lab: Lab) -> None:
    answer = lab.editor.get("/jobs", headers={"Origin": PAGES})

    assert "Access-Control-Allow-Origin" not in answer.headers
    assert preflight(lab.url, PAGES).status_code == 405


def test_an_allowed_origin_may_ask_and_sees_what_it_needs(lab: Lab) -> None:
    with lab.another(CORS_ORIGINS=json.dumps([PAGES])) as url:
        allowed, other = preflight(url, PAGES), preflight(url, "https://evil.example.com")
        answer = lab.client(lab.editor_token, url).get("/jobs/none", headers={"Origin": PAGES})

    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, PAGES)
    assert (other.status_code, "Access-Control-Allow-Origin" in other.headers) == (400, False)
    assert error(answer) == (404, "JOB_NOT_FOUND")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGES
    assert {"ETag", "Location", "X-Request-ID"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Credentials" not in answer.headers


# --- the log --------------------------------------------------------------------------------------------


def test_the_log_names_each_request_by_its_id_and_tells_no_secret(
    lab: Lab, capfd: pytest.CaptureFixture[str]
) -> None:
    with lab.another(LOG_LEVEL="info", ROOT_PATH="/p") as url:
        client = lab.client(lab.editor_token, f"{url}/p")
        given = client.get("/jobs/none?namespace=default", headers={"X-Request-ID": "from-the-proxy.1"})
        made = client.get("/jobs", headers={"X-Request-ID": "forged\tline"})
        httpx.get(f"{url}/healthz")
    text = capfd.readouterr().err
    lines = {
        line["request_id"]: line for line in map(json.loads, text.splitlines()) if line["event"] == "request"
    }

    assert given.headers["X-Request-ID"] == "from-the-proxy.1"
    line = lines["from-the-proxy.1"]
    assert {key: line[key] for key in ("method", "path", "status", "code", "peer")} == {
        "method": "GET",
        "path": "/p/jobs/none",
        "status": 404,
        "code": "JOB_NOT_FOUND",
        "peer": "127.0.0.1",
    }
    assert lines[made.headers["X-Request-ID"]]["status"] == 200
    assert "healthz" not in text
    assert lab.editor_token not in text


def test_the_log_of_requests_can_be_left_out(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    with lab.another(LOG_LEVEL="info", ACCESS_LOG="false") as url:
        lab.client(lab.editor_token, url).get("/jobs")

    assert '"event": "request"' not in capfd.readouterr().err


def test_an_idle_connection_is_kept_as_long_as_was_set(lab: Lab) -> None:
    with lab.another(KEEP_ALIVE_SECONDS="3") as url, httpx.Client(base_url=url) as client:
        ports = []
        for pause in (0.0, 0.2, 5.0):
            time.sleep(pause)
            answer = client.get("/healthz")
            ports.append(answer.extensions["network_stream"].get_extra_info("client_addr"))

    assert ports[0] == ports[1] != ports[2]
