"""Who may reach what lies in the store: every wrong way that is known, one row each, against real parts.

The rows run against the chart's own roles, a real API server that issues and reviews the tokens, and the embedded
S3 server. What is allowed is shown first, so that no row is refused for another reason than its own.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from apilab import error
from builders import make_artifacts, make_preview, make_result, manifest
from playerscore import names
from playerscore.resources import MAX_ARTIFACTS
from tenants import BUCKET, JPEG, PodToken, Release, Tenant, runtime

Json = dict[str, Any]
VIDEO = b"a video of tenant "


class World:
    """Two tenants, each with a job of the same name that has everything, and tokens of every wrong kind."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.a, self.b = (Tenant(release, namespace) for namespace in ("tenant-a", "tenant-b"))
        self.uid_a, self.pod_a = self.a.analysed("match")
        self.uid_b, self.pod_b = self.b.analysed("match")
        self.uid_next, self.pod_next = self.a.analysed("next")
        self.video_a, self.video_b = (
            tenant.upload(VIDEO + tenant.namespace.encode()) for tenant in (self.a, self.b)
        )
        self.uid_gone, self.pod_gone = self.a.analysed("again")
        release.delete_job("tenant-a", "again")
        self.uid_again = release.create_job("tenant-a", "again")
        release.attempt("tenant-a", "again", preview=1, analysis=2)
        release.status("tenant-a", "again", {"artifacts": [manifest(*make_artifacts("radar.png"))]})

    def worker(self, token: PodToken | str, name: str = "match", namespace: str = "tenant-a") -> httpx.Client:
        return self.a.worker(name, token, namespace)

    def pod(self, suffix: str, **request: Any) -> PodToken:
        """A pod of tenant a's job `match`."""
        return self.release.pod("tenant-a", f"sj-{self.uid_a}-{suffix}", **request)

    def source(self, name: str, uri: str) -> httpx.Response:
        """Ask for the video of a new job of tenant a whose spec names that uri."""
        uid = self.release.create_job("tenant-a", name, uri)
        self.release.attempt("tenant-a", name, preview=1)
        pod = self.release.pod("tenant-a", f"sj-{uid}-p1-abcde")
        return self.worker(pod, name).post("source")


@pytest.fixture(scope="module")
def world(release: Release) -> World:
    return World(release)


Call = Callable[[World], httpx.Response]


class Row(NamedTuple):
    """A wrong way, and how it is refused."""

    call: Call
    expected: tuple[int, str]


def refused(world: World, row: Row) -> None:
    """That the row is refused as it says, and that nothing in the store has changed."""
    before = world.release.keys()
    answer = row.call(world)

    assert error(answer) == row.expected, answer.text
    assert world.release.keys() == before


# --- what is allowed ------------------------------------------------------------------------------------


def test_people_and_pods_reach_what_is_theirs(world: World) -> None:
    a = world.a.editor

    assert a.get("/jobs/match/frames/1").content == JPEG + b"matchtenant-a"
    assert error(a.get("/jobs/match/artifacts/radar.png")) == (404, "NOT_FOUND"), "the attempt still runs"
    with world.a.listed("match"), world.b.listed("match"):
        assert a.get("/jobs/match/artifacts/radar.png").content == b"tenant-a match"
        assert world.b.editor.get("/jobs/match/artifacts/radar.png").content == b"tenant-b match"
    assert world.worker(world.pod_a).put("artifacts/notes.txt", content=b"x").is_success
    offer = world.source("allowed", world.video_a).json()
    assert httpx.get(offer["url"]).content == VIDEO + b"tenant-a"


def test_every_object_lies_below_its_namespace_and_uid(world: World) -> None:
    uid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    upload = r"uploads/[0-9a-f]{16}-[0-9]+-[A-Za-z0-9._-]+"
    key = re.compile(rf"tenant-[ab]/({uid}/(frames|artifacts)/[a-z0-9._-]+|{upload})")

    assert [one for one in world.release.keys("tenant-") if not key.fullmatch(one)] == []


# --- people ---------------------------------------------------------------------------------------------


def _other(method: str, path: str, **more: Any) -> Call:
    """Tenant a's editor asks for something of tenant b's."""
    query = {"namespace": "tenant-b"}
    return lambda world: world.a.editor.request(
        method, path.format(upload=_upload(world)), params=query, **more
    )


def _upload(world: World) -> str:
    return "/uploads/" + world.video_b.removeprefix(f"s3://{BUCKET}/").replace("/uploads/", "/")


FORBIDDEN = (403, "FORBIDDEN")
PEOPLE = {
    "reads the other tenant's frame": Row(_other("GET", "/jobs/match/frames/1"), FORBIDDEN),
    "reads the other tenant's artifact": Row(_other("GET", "/jobs/match/artifacts/radar.png"), FORBIDDEN),
    "asks for a link to the other tenant's artifact": Row(
        _other("GET", "/jobs/match/artifacts/radar.png/link"), FORBIDDEN
    ),
    "lists the other tenant's artifacts": Row(_other("GET", "/jobs/match/artifacts"), FORBIDDEN),
    "lists the other tenant's jobs": Row(_other("GET", "/jobs"), FORBIDDEN),
    "starts an upload into the other tenant": Row(
        _other("POST", "/uploads", json={"filename": "a.mp4", "bytes": 3}), FORBIDDEN
    ),
    "asks about the other tenant's upload": Row(_other("GET", "{upload}"), FORBIDDEN),
    "overwrites the other tenant's upload": Row(_other("PUT", "{upload}", content=b"x"), FORBIDDEN),
    "sends a part of the other tenant's upload": Row(
        _other("PUT", "{upload}/parts/1", content=b"x"), FORBIDDEN
    ),
    "completes the other tenant's upload": Row(_other("POST", "{upload}/complete"), FORBIDDEN),
    "aborts the other tenant's upload": Row(_other("DELETE", "{upload}"), FORBIDDEN),
    "reads the artifact of a job that was deleted and created again": Row(
        lambda world: world.a.editor.get("/jobs/again/artifacts/radar.png"), (410, "ARTIFACT_LOST")
    ),
    "reads the frame of a job that was deleted and created again": Row(
        lambda world: world.a.editor.get("/jobs/again/frames/1"), (404, "NOT_FOUND")
    ),
    "asks for a link into a job that was deleted and created again": Row(
        lambda world: world.a.editor.get("/jobs/again/artifacts/radar.png/link"), (410, "ARTIFACT_LOST")
    ),
    "uses the routes of pods": Row(
        lambda world: world.worker(world.a.token).put("artifacts/x.png", content=b"x"), (401, "UNAUTHENTICATED")
    ),
    "shows no token": Row(
        lambda world: httpx.get(f"{world.release.url}/jobs/match/frames/1?namespace=tenant-a"),
        (401, "UNAUTHENTICATED"),
    ),
    "shows a pod's token": Row(
        lambda world: world.release.client(world.pod_a.token).get("/jobs/match/frames/1?namespace=tenant-a"),
        (401, "UNAUTHENTICATED"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", PEOPLE.values(), ids=PEOPLE)
def test_a_person_is_refused_who(world: World, row: Row) -> None:
    refused(world, row)


def test_who_may_get_one_job_reads_that_job_alone(world: World) -> None:
    rule = {
        "apiGroups": [names.GROUP],
        "resources": [names.JOB_PLURAL],
        "resourceNames": ["match"],
        "verbs": ["get"],
    }
    narrow = world.release.client(world.release.person("tenant-a", "narrow", [rule]))
    narrow.params = {"namespace": "tenant-a"}

    with world.a.listed("match"):
        assert narrow.get("/jobs/match/artifacts/radar.png").content == b"tenant-a match"
    assert error(narrow.get("/jobs/next/artifacts/radar.png")) == FORBIDDEN
    assert error(narrow.get("/jobs/next/frames/1")) == FORBIDDEN
    assert error(narrow.get("/jobs/next/artifacts/radar.png/link")) == FORBIDDEN
    assert error(narrow.post("/uploads", json={"filename": "a.mp4", "bytes": 3})) == FORBIDDEN


# --- forged keys ----------------------------------------------------------------------------------------

ARTIFACT_NAMES = {
    "climbs": "../frames/frame_0001.jpg",
    "climbs, the slash encoded": "..%2fframes%2fframe_0001.jpg",
    "climbs, all of it encoded": "%2e%2e%2fframes%2fframe_0001.jpg",
    "climbs, encoded twice": "%252e%252e%252fframes%252fframe_0001.jpg",
    "climbs by a backslash": "..%5cframes%5cframe_0001.jpg",
    "climbs into the neighbour": "..%2f..%2f..%2ftenant-b%2fuploads%2fx",
    "only dots": "%2e%2e",
    "absolute": "%2fetc%2fpasswd",
    "absolute, to the bucket": "%2f%2ftenant-b",
    "empty": "",
    "a space": "%20",
    "a NUL": "radar.png%00",
    "a line break": "radar.png%0a",
    "a capital": "RADAR.PNG",
    "a letter that looks alike": "rаdar.png",
    "a full-width letter": "ｒadar.png",
    "a dot that looks alike": "radar․png",
    "a slash that looks alike": "radar∕png",
    "bytes that are no UTF-8": "%ff%fe",
    "too long": "a" * 65,
    "a slash behind": "radar.png%2f",
    "a query in the name": "radar.png%3fx",
}  # fmt: skip
FRAME_NUMBERS = {
    "none": "0",
    "negative": "-1",
    "beyond a preview's": "10000",
    "an exponent": "1e0",
    "a name": "frame_0001.jpg",
    "a path": "..%2fartifacts%2fradar.png",
    "digits of another alphabet": "%D9%A1",
    "empty": "",
}
KEY_REFUSALS = {(404, "NOT_FOUND"), (422, "INVALID")}


@pytest.mark.parametrize("key", ARTIFACT_NAMES.values(), ids=ARTIFACT_NAMES)
def test_a_forged_artifact_name_opens_nothing(world: World, key: str) -> None:
    assert error(world.a.editor.get(f"/jobs/match/artifacts/{key}")) in KEY_REFUSALS
    before = world.release.keys()
    stored = world.worker(world.pod_a).put(f"artifacts/{key}", content=b"forged")

    assert error(stored) in KEY_REFUSALS
    assert world.release.keys() == before


@pytest.mark.parametrize("number", FRAME_NUMBERS.values(), ids=FRAME_NUMBERS)
def test_a_forged_frame_number_opens_nothing(world: World, number: str) -> None:
    uid = world.uid_a
    before = world.release.keys()
    stored = world.worker(world.pod_a).put(f"frames/{number}", content=JPEG)

    assert error(world.a.editor.get(f"/jobs/match/frames/{number}")) in KEY_REFUSALS
    assert error(stored) in KEY_REFUSALS
    assert world.release.keys(f"tenant-a/{uid}/") == [
        key for key in before if key.startswith(f"tenant-a/{uid}/")
    ]


def test_a_preview_pod_stores_no_more_frames_than_a_preview_has(world: World) -> None:
    uid = world.release.create_job("tenant-a", "frames")
    world.release.attempt("tenant-a", "frames", preview=1)
    worker = world.worker(world.release.pod("tenant-a", f"sj-{uid}-p1-abcde"), "frames")

    assert worker.put("frames/16", content=JPEG).is_success
    assert error(worker.put("frames/17", content=JPEG)) == (422, "INVALID")


UPLOAD_NAMES = {
    "climbs": "..%2ftenant-b%2fuploads%2f0123456789abcdef-1-a.mp4",
    "climbs within its name": "0123456789abcdef-1-..%2fa.mp4",
    "the other tenant's folder": "0123456789abcdef-1-a%2ftenant-b",
    "no length": "0123456789abcdef-a.mp4",
    "length zero": "0123456789abcdef-0-a.mp4",
    "a negative length": "0123456789abcdef--1-a.mp4",
    "a length beyond the cap": "0123456789abcdef-9999999999999-a.mp4",
    "a short number": "abc-1-a.mp4",
    "unicode": "0123456789abcdef-1-vidéo.mp4",
    "a hidden file": "0123456789abcdef-1-.profile",
    "empty": "",
}


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
@pytest.mark.parametrize("name", UPLOAD_NAMES.values(), ids=UPLOAD_NAMES)
def test_a_forged_upload_name_opens_nothing(world: World, name: str, method: str) -> None:
    before = world.release.keys()
    content = {"content": b"x"} if method == "PUT" else {}
    answer = world.a.editor.request(method, f"/uploads/tenant-a/{name}", **content)

    assert error(answer) in KEY_REFUSALS | {(413, "TOO_LARGE"), (405, "METHOD_NOT_ALLOWED")}
    assert world.release.keys() == before


# --- a forged spec and status ---------------------------------------------------------------------------

URIS = {
    "the other tenant's upload": "{video_b}",
    "the other tenant's frames": "s3://playerscore/tenant-b/{uid_b}/frames/frame_0001.jpg",
    "its own frames": "s3://playerscore/tenant-a/{uid_a}/frames/frame_0001.jpg",
    "a folder that begins alike": "s3://playerscore/tenant-a/uploads-of-b/x.mp4",
    "a path that climbs": "s3://playerscore/tenant-a/uploads/../../{key_b}",
    "a path that climbs, encoded": "s3://playerscore/tenant-a/uploads/%2e%2e/%2e%2e/{key_b}",
    "an empty part": "s3://playerscore/tenant-a/uploads//x.mp4",
    "the folder itself": "s3://playerscore/tenant-a/uploads/",
    "the bucket": "s3://playerscore",
    "the sweeper's own objects": "s3://playerscore/_sweeper/cluster",
    "another bucket that no runtime lists": "s3://elsewhere/tenant-a/uploads/x.mp4",
    "another scheme": "https://playerscore/tenant-a/uploads/x.mp4",
    "a user in the address": "s3://tenant-a@playerscore/tenant-a/uploads/x.mp4",
    "a backslash": "s3://playerscore/tenant-a/uploads/..\\..\\x.mp4",
}


@pytest.mark.parametrize("uri", URIS.values(), ids=URIS)
def test_a_video_elsewhere_has_no_address(world: World, uri: str, request: pytest.FixtureRequest) -> None:
    name = "uri-" + re.sub("[^a-z0-9]+", "-", request.node.callspec.id)[:50].strip("-")
    known = {"video_b": world.video_b, "uid_a": world.uid_a, "uid_b": world.uid_b}
    filled = uri.format(**known, key_b=world.video_b.removeprefix(f"s3://{BUCKET}/"))

    assert error(world.source(name, filled)) == (422, "SOURCE_DENIED")


def test_a_forged_status_opens_nothing(world: World) -> None:
    """Frames that name another job's, artifacts that lie in another's folder: keys never come from a status."""
    world.release.create_job("tenant-a", "forged")
    preview = manifest(make_preview(name="match"))
    listed = {"name": "radar.png", "mediaType": "image/png", "bytes": 3, "sha256": "a" * 64}
    world.release.status(
        "tenant-a",
        "forged",
        {"preview": preview, "artifacts": [listed], "result": manifest(make_result()), "run": {"attempt": 2}},
    )

    assert preview["frames"][0]["frame_key"] == "jobs/match/frames/frame_0001.jpg"
    assert error(world.a.editor.get("/jobs/forged/frames/1")) == (404, "NOT_FOUND")
    # It is looked for where the job's own would lie.
    assert error(world.a.editor.get("/jobs/forged/artifacts/radar.png")) == (410, "ARTIFACT_LOST")


@pytest.mark.parametrize(
    "forged",
    [
        {"artifacts": [{"name": "../x", "mediaType": "image/png", "bytes": 3, "sha256": "a" * 64}]},
        {"artifacts": [{"name": "a/b", "mediaType": "image/png", "bytes": 3, "sha256": "a" * 64}]},
        {"artifacts": [{"name": "", "mediaType": "image/png", "bytes": 3, "sha256": "a" * 64}]},
        {"preview": {"frames": [{"frame_key": "../../tenant-b/x.jpg"}]}},
    ],
    ids=[
        "an artifact that climbs",
        "an artifact in a folder",
        "an artifact without a name",
        "a frame elsewhere",
    ],
)
def test_a_status_with_a_path_is_not_even_stored(world: World, forged: Json) -> None:
    path = f"{world.release.jobs_path('tenant-a')}/match/status"
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = world.release.kube.patch(path, content=json.dumps({"status": forged}), headers=headers)

    assert answer.status_code == 422


# --- pods -----------------------------------------------------------------------------------------------


def _put(
    world: World, token: PodToken | str, name: str = "match", namespace: str = "tenant-a"
) -> httpx.Response:
    return world.worker(token, name, namespace).put("artifacts/x.png", content=b"x")


def _deleted(world: World) -> httpx.Response:
    """The pod has just been used, so that the API server still remembers its token as good."""
    gone = world.pod("2-gone1")
    assert world.worker(gone).post("source").status_code != 401
    world.release.delete_pod("tenant-a", gone.pod)
    return _put(world, gone)


def _replaced(world: World) -> httpx.Response:
    """Another pod of the same name."""
    first = world.pod("2-gone2")
    assert world.worker(first).post("source").status_code != 401
    world.release.delete_pod("tenant-a", first.pod)
    world.pod("2-gone2")
    return _put(world, first)


def _overdue(world: World) -> httpx.Response:
    """A pod whose grace is over, but which its lost node never removed."""
    late = world.pod("2-late1")
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": late.pod},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "lost"},
    }
    world.release.ask("POST", f"/api/v1/namespaces/tenant-a/pods/{late.pod}/binding", binding)
    world.release.delete_pod("tenant-a", late.pod, gracePeriodSeconds=1)
    until = datetime.now(UTC) + timedelta(seconds=3)
    threading.Event().wait((until - datetime.now(UTC)).total_seconds())
    return _put(world, late)


def _previewed(world: World) -> httpx.Response:
    """The preview's pod comes again after the preview has been written."""
    return world.worker(world.release.pod("tenant-a", f"sj-{world.uid_a}-p1-again")).put(
        "frames/1", content=JPEG
    )


def _listed(world: World) -> httpx.Response:
    """The artifacts have been listed, with their digests."""
    _, pod = world.a.analysed("listed")
    item = {"name": "radar.png", "mediaType": "image/png", "bytes": 15, "sha256": "a" * 64}
    world.release.status("tenant-a", "listed", {"artifacts": [item]})
    return _put(world, pod, "listed")


def _many(world: World) -> httpx.Response:
    """One artifact more than a status can list."""
    _, pod = world.a.analysed("many")
    worker = world.worker(pod, "many")
    for number in range(MAX_ARTIFACTS - 1):
        assert worker.put(f"artifacts/{number}.txt", content=b"x").is_success
    assert worker.put("artifacts/0.txt", content=b"again").is_success
    return worker.put("artifacts/one-more.txt", content=b"x")


UNAUTHENTICATED = (401, "UNAUTHENTICATED")
PODS: dict[str, Row] = {
    "of the other tenant's job of the same name": Row(lambda w: _put(w, w.pod_b), FORBIDDEN),
    "that asks for the other tenant's job": Row(lambda w: _put(w, w.pod_a, namespace="tenant-b"), FORBIDDEN),
    "of the other tenant, named after this tenant's job": Row(
        lambda w: _put(w, w.release.pod("tenant-b", f"sj-{w.uid_a}-2-evil1")), FORBIDDEN
    ),
    "of another job": Row(lambda w: _put(w, w.pod_a, "next"), FORBIDDEN),
    "of a deleted job of the same name": Row(lambda w: _put(w, w.pod_gone, "again"), FORBIDDEN),
    "of a job that is gone": Row(lambda w: _put(w, w.pod_a, "nobody"), (404, "JOB_NOT_FOUND")),
    "of an old attempt": Row(lambda w: _put(w, w.pod("1-abcde")), FORBIDDEN),
    "of an attempt that is to come": Row(lambda w: _put(w, w.pod("3-abcde")), FORBIDDEN),
    "of an attempt whose number begins alike": Row(lambda w: _put(w, w.pod("22-abcde")), FORBIDDEN),
    "that was deleted": Row(_deleted, FORBIDDEN),
    "that was deleted and made again": Row(_replaced, FORBIDDEN),
    "whose grace is over": Row(_overdue, FORBIDDEN),
    "of the preview, with an artifact": Row(
        lambda w: w.worker(w.release.pod("tenant-a", f"sj-{w.uid_a}-p1-art")).put("artifacts/x.png", content=b"x"),
        FORBIDDEN,
    ),
    "of an analysis, with a frame": Row(
        lambda w: w.worker(w.pod_a).put("frames/2", content=JPEG), FORBIDDEN
    ),
    "of the preview, when there is one": Row(_previewed, FORBIDDEN),
    "with an artifact after they were listed": Row(_listed, FORBIDDEN),
    "with more artifacts than a status can list": Row(_many, (413, "TOO_LARGE")),
    "with a token for the API server": Row(
        lambda w: _put(w, w.pod("2-aud1", audiences=None)), UNAUTHENTICATED
    ),
    "with a token for somebody else": Row(
        lambda w: _put(w, w.pod("2-aud2", audiences=["vault"])), UNAUTHENTICATED
    ),
    "with a token that no pod is bound to": Row(
        lambda w: _put(
            w, w.release.account("tenant-a", names.WORKER_ACCOUNT, audiences=[names.API_AUDIENCE])
        ),
        FORBIDDEN,
    ),
    "of another account": Row(lambda w: _put(w, w.pod("2-acc1", account=w.a.account)), FORBIDDEN),
    "of a worker's account, by another name": Row(
        lambda w: _put(w, w.release.pod("tenant-a", "shell")), FORBIDDEN
    ),
    "whose name only contains a worker's": Row(
        lambda w: _put(w, w.release.pod("tenant-a", f"x-sj-{w.uid_a}-2-abcde")), FORBIDDEN
    ),
    "with nonsense for a token": Row(lambda w: _put(w, "nonsense"), UNAUTHENTICATED),
    "with a token that was tampered with": Row(lambda w: _put(w, _tampered(w.pod_a.token)), UNAUTHENTICATED),
}  # fmt: skip


def _tampered(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{signature[:-8]}{'A' * 8}"


@pytest.mark.parametrize("row", PODS.values(), ids=PODS)
def test_a_pod_is_refused(world: World, row: Row) -> None:
    folder = f"tenant-a/{world.uid_a}/"
    before = world.release.keys(folder)
    answer = row.call(world)

    assert error(answer) == row.expected, answer.text
    assert world.release.keys(folder) == before


def test_a_deleted_pod_may_say_its_last_words(world: World) -> None:
    """Its grace has begun: what an evicted pod has ready still counts."""
    last = world.pod("2-last1")
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": last.pod},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "n"},
    }
    world.release.ask("POST", f"/api/v1/namespaces/tenant-a/pods/{last.pod}/binding", binding)
    world.release.delete_pod("tenant-a", last.pod, gracePeriodSeconds=30)

    assert world.worker(last).put("artifacts/last.png", content=b"x").is_success


def test_a_pod_that_is_replaced_while_it_sends_stores_nothing(world: World) -> None:
    """More passes than lies in the connection's buffers, so it had been admitted when it was replaced."""
    _, pod = world.a.analysed("overtaken")
    pieces = [b"x" * 2**20] * 24

    def slowly() -> Iterator[bytes]:
        yield from pieces
        world.release.attempt("tenant-a", "overtaken", preview=1, analysis=3)
        yield b"the end"

    length = str(len(b"".join(pieces)) + len(b"the end"))
    worker = world.worker(pod, "overtaken")
    answer = worker.put("artifacts/radar.png", content=slowly(), headers={"Content-Length": length})

    assert error(answer) == FORBIDDEN
    with world.a.listed("overtaken"):
        assert world.a.editor.get("/jobs/overtaken/artifacts/radar.png").content == b"tenant-a overtaken"


def test_pods_of_a_namespace_that_is_not_prepared_are_not_believed(world: World) -> None:
    """There the API may not look for pods, so it believes none."""
    release = world.release
    release.plane.kubectl("create", "namespace", "unprepared")
    release.plane.kubectl("-n", "unprepared", "create", "serviceaccount", names.WORKER_ACCOUNT)
    uid = release.create_job("unprepared", "match")
    release.attempt("unprepared", "match", preview=1, analysis=1)
    pod = release.pod("unprepared", f"sj-{uid}-1-abcde")

    assert error(_put(world, pod, namespace="unprepared")) == FORBIDDEN


# --- the store itself, and URLs that were given out -----------------------------------------------------


@pytest.fixture(scope="module")
def public(world: World) -> Iterator[httpx.Client]:
    """A replica that gives people URLs of the store, for a moment."""
    settings = {"PUBLIC_STORE_ENDPOINT": world.release.public_url, "PRESIGNED_SECONDS": "60"}
    with world.release.running_api(**settings) as (url, _):
        client = world.release.client(world.a.token, url)
        client.params = {"namespace": "tenant-a"}
        yield client


def _tried(method: str, url: str, **more: Any) -> int:
    return httpx.request(method, url, **more).status_code


def test_a_link_opens_one_object_to_read(world: World, public: httpx.Client) -> None:
    with world.a.listed("match"):
        url = public.get("/jobs/match/artifacts/radar.png/link").json()["url"]
    store = f"{world.release.public_url}/{BUCKET}"
    query = urlsplit(url).query
    other = f"{store}/tenant-b/{world.uid_b}/artifacts/radar.png"
    wrong = {
        "the other tenant's object": ("GET", f"{other}?{query}"),
        "a neighbour by a climbing path": ("GET", url.replace("radar.png", "../artifacts/notes.txt")),
        "another job's object": ("GET", url.replace(world.uid_a, world.uid_next)),
        "the list of the bucket": ("GET", f"{store}?list-type=2&{query}"),
        "the list of all buckets": ("GET", f"{world.release.public_url}/?{query}"),
        "writing": ("PUT", url),
        "removing": ("DELETE", url),
        "a longer life": ("GET", url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")),
        "another name of the store": ("GET", url.replace("localhost", "127.0.0.1")),
        "another type of the content": ("GET", url.replace("image%2Fpng", "text%2Fhtml")),
        "no signature": ("GET", url.split("?")[0]),
        "nobody's list": ("GET", store),
        "nobody's write": ("PUT", f"{store}/tenant-a/uploads/x"),
    }

    assert httpx.get(url).content == b"tenant-a match"
    assert urlsplit(url).hostname == "localhost"
    assert {what: _tried(*how) for what, how in wrong.items()} == dict.fromkeys(wrong, 403)


def test_an_upload_url_takes_exactly_its_bytes_and_only_once(world: World, public: httpx.Client) -> None:
    offer = public.post("/uploads", json={"filename": "a.mp4", "bytes": 5}).json()
    url, headers = offer["upload"]["url"], offer["upload"]["headers"]
    key = offer["uri"].removeprefix(f"s3://{BUCKET}/")

    assert _tried("PUT", url, content=b"four", headers=headers) == 403
    assert _tried("PUT", url, content=b"sixsix", headers=headers) == 403
    assert _tried("PUT", url, content=b"five5") == 403, "without the header that keeps it from overwriting"
    assert _tried("PUT", url.replace("tenant-a", "tenant-b"), content=b"five5", headers=headers) == 403
    assert _tried("GET", url) == 403
    assert world.release.keys(key) == []
    assert _tried("PUT", url, content=b"five5", headers=headers) == 200
    assert _tried("PUT", url, content=b"FIVE5", headers=headers) == 412, "replayed"
    assert world.release.store.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"five5"


def test_a_part_url_takes_its_part_until_the_upload_ends(world: World, public: httpx.Client) -> None:
    size = 16 * 2**20 + 3
    offer = public.post("/uploads", json={"filename": "a.mp4", "bytes": size, "multipart": True}).json()
    first, last = offer["multipart"]["missing"]
    other = public.post("/uploads", json={"filename": "b.mp4", "bytes": size, "multipart": True}).json()

    assert (first["bytes"], last["bytes"]) == (16 * 2**20, 3)
    assert _tried("PUT", last["url"], content=b"en") == 403
    assert _tried("PUT", last["url"], content=b"ends") == 403
    assert _tried("PUT", last["url"].replace("partNumber=2", "partNumber=1"), content=b"end") == 403
    swapped = last["url"].replace(
        urlsplit(last["url"]).path, urlsplit(other["multipart"]["missing"][1]["url"]).path
    )
    assert _tried("PUT", swapped, content=b"end") == 403
    assert _tried("PUT", last["url"], content=b"end") == 200
    assert _tried("PUT", first["url"], content=bytes(first["bytes"])) == 200
    assert public.post(f"{offer['url']}/complete").json()["finished"] is True
    assert _tried("PUT", last["url"], content=b"END") == 404, "replayed"
    assert public.delete(other["url"]).status_code == 204
    assert _tried("PUT", other["multipart"]["missing"][1]["url"], content=b"end") == 404, "aborted"


def test_a_url_expires(world: World) -> None:
    settings = {"PUBLIC_STORE_ENDPOINT": world.release.public_url, "PRESIGNED_SECONDS": "1"}
    with world.release.running_api(**settings) as (address, _):
        client = world.release.client(world.a.token, address)
        client.params = {"namespace": "tenant-a"}
        with world.a.listed("match"):
            read = client.get("/jobs/match/artifacts/radar.png/link").json()
        write = client.post("/uploads", json={"filename": "a.mp4", "bytes": 1}).json()
        worker = world.release.client(world.pod_a.token, f"{address}/worker/jobs/tenant-a/sourced/")
        uid = world.release.create_job("tenant-a", "sourced", world.video_a)
        world.release.attempt("tenant-a", "sourced", preview=1)
        pod = world.release.pod("tenant-a", f"sj-{uid}-p1-abcde")
        worker.headers["Authorization"] = f"Bearer {pod.token}"
        source = worker.post("source").json()
    threading.Event().wait(2.5)

    assert read["expires_seconds"] == source["expires_seconds"] == 1
    assert _tried("GET", read["url"]) == 403
    assert _tried("GET", source["url"]) == 403
    assert _tried("PUT", write["upload"]["url"], content=b"x", headers=write["upload"]["headers"]) == 403


def test_pods_get_the_stores_inner_address_and_people_the_public_one(
    world: World, public: httpx.Client
) -> None:
    uid = world.release.create_job("tenant-a", "inner", world.video_a)
    world.release.attempt("tenant-a", "inner", preview=1)
    pod = world.release.pod("tenant-a", f"sj-{uid}-p1-abcde")
    worker = world.release.client(pod.token, f"{public.base_url}/worker/jobs/tenant-a/inner/")
    source = worker.post("source").json()["url"]
    upload = public.post("/uploads", json={"filename": "a.mp4", "bytes": 5}).json()["upload"]["url"]

    assert source.startswith(f"{world.release.store_url}/")
    assert upload.startswith(f"{world.release.public_url}/")
    assert httpx.get(source).content == VIDEO + b"tenant-a"
    assert _tried("GET", source.replace("127.0.0.1", "localhost")) == 403


# --- buckets and weights that the platform team names ---------------------------------------------------


def test_another_bucket_opens_as_far_as_the_runtime_lists_it(world: World) -> None:
    world.release.store.create_bucket(Bucket="club-videos")
    for namespace in ("tenant-a", "tenant-b"):
        world.release.store.put_object(
            Bucket="club-videos", Key=f"{namespace}/x.mp4", Body=namespace.encode()
        )
    runtime(world.release, "club", sources=["s3://club-videos/{namespace}/"])
    runtime(world.release, "club-b", sources=["s3://club-videos/"], allowed_namespaces=["tenant-b"])

    def asked(name: str, uri: str, runtime_name: str) -> httpx.Response:
        uid = world.release.create_job("tenant-a", name, uri, runtimeName=runtime_name)
        world.release.attempt("tenant-a", name, preview=1)
        return world.worker(world.release.pod("tenant-a", f"sj-{uid}-p1-abcde"), name).post("source")

    listed = asked("club-1", "s3://club-videos/tenant-a/x.mp4", "club").json()
    assert httpx.get(listed["url"]).content == b"tenant-a"
    assert error(asked("club-2", "s3://club-videos/tenant-b/x.mp4", "club")) == (422, "SOURCE_DENIED")
    assert error(asked("club-3", "s3://club-videos/tenant-a/../tenant-b/x.mp4", "club")) == (
        422,
        "SOURCE_DENIED",
    )
    assert error(asked("club-4", "s3://club-videos/tenant-a/x.mp4", "club-b")) == (422, "SOURCE_DENIED")
    assert error(asked("club-5", "s3://club-videos/tenant-a/x.mp4", "absent")) == (422, "SOURCE_DENIED")


def test_weights_come_from_where_the_runtime_says_and_never_from_a_jobs_folder(world: World) -> None:
    world.release.store.put_object(Bucket=BUCKET, Key="_weights/net.onnx", Body=b"a model")

    def asked(name: str, uri: str | None) -> httpx.Response:
        weights = {"weights": {"uri": uri, "sha256": "c" * 64}} if uri else {}
        runtime(world.release, name, detector={"name": "ultralytics", **weights})
        uid = world.release.create_job("tenant-a", name, runtimeName=name)
        world.release.attempt("tenant-a", name, preview=1, analysis=1)
        return world.worker(world.release.pod("tenant-a", f"sj-{uid}-1-abcde"), name).post("weights")

    assert httpx.get(asked("net-1", "s3://playerscore/_weights/net.onnx").json()["url"]).content == b"a model"
    uploaded = asked("net-2", world.video_b).json()
    assert httpx.get(uploaded["url"]).content == VIDEO + b"tenant-b"
    picture = f"s3://playerscore/tenant-b/{world.uid_b}/frames/frame_0001.jpg"
    assert error(asked("net-3", picture)) == (422, "SOURCE_DENIED")
    assert error(asked("net-4", "s3://playerscore/_weights/../tenant-b/x")) == (422, "SOURCE_DENIED")
    assert error(asked("net-5", None)) == (404, "NOT_FOUND")
