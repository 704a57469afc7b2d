"""What goes into the store and comes out of it, through the real API: caps to the byte, ranges, resumed uploads, memory."""

import contextlib
import hashlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest

from apilab import error
from builders import make_artifacts, manifest
from playerscore import sources
from playerscore.resources import Detector, Video, Weights
from playerscore.tasks import TASK_VARIABLE, PreviewTask
from playerscore_api.broker import CONNECTIONS
from playerscore_worker import pod
from playerscore_worker.pod import Pod
from tenants import BUCKET, Release, Tenant, runtime
from videofiles import GOOD

Json = dict[str, Any]
MIB = 2**20
PART = 16 * MIB


class Uploader:
    """A tenant's editor, who uploads."""

    def __init__(self, release: Release) -> None:
        self.release = release
        release.plane.kubectl("create", "namespace", "uploads-of-c")
        self.tenant = Tenant(release, "uploads-of-c")
        self.client = self.tenant.editor

    def offered(self, size: int, **more: Any) -> Json:
        answer = self.client.post("/uploads", json={"filename": "a.mp4", "bytes": size, **more})
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def key(self, offer: Json) -> str:
        return str(offer["uri"]).removeprefix(f"s3://{BUCKET}/")

    def content(self, offer: Json) -> bytes:
        found: bytes = self.release.store.get_object(Bucket=BUCKET, Key=self.key(offer))["Body"].read()
        return found

    def nothing_is_left(self, offer: Json) -> bool:
        """Neither an object, nor parts, nor a file in the store's folder."""
        name = self.key(offer).rsplit("/", 1)[-1]
        files = [path for path in (self.release.folder / "store" / "objects").rglob("*") if path.is_file()]
        known = self.release.keys(self.key(offer)) + self.release.unfinished(self.key(offer))
        return not known and not [path for path in files if name in str(path)]


@pytest.fixture(scope="module")
def uploader(release: Release) -> Uploader:
    return Uploader(release)


# --- one request ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 65_536, 5 * MIB + 1], ids=["one byte", "a chunk", "some chunks"])
@pytest.mark.parametrize("chunked", [False, True], ids=["its length announced", "chunked"])
def test_a_video_is_stored_as_it_was_sent(uploader: Uploader, size: int, chunked: bool) -> None:
    content = os.urandom(size)
    offer = uploader.offered(size)
    body = _pieces(content, 50_000) if chunked else content
    stored = uploader.client.put(offer["upload"]["url"], content=body).json()

    assert stored == {"bytes": size, "sha256": hashlib.sha256(content).hexdigest()}
    assert uploader.content(offer) == content


@pytest.mark.parametrize("chunked", [False, True], ids=["its length announced", "chunked"])
@pytest.mark.parametrize(
    ("difference", "expected"),
    [(-1, (422, "INVALID")), (1, (413, "TOO_LARGE"))],
    ids=["one less", "one more"],
)
def test_a_video_of_another_length_leaves_nothing(
    uploader: Uploader, difference: int, expected: tuple[int, str], chunked: bool
) -> None:
    size = 300_000
    offer = uploader.offered(size)
    content = bytes(size + difference)
    body = _pieces(content, 64_000) if chunked else content

    assert error(uploader.client.put(offer["upload"]["url"], content=body)) == expected
    assert uploader.nothing_is_left(offer)
    assert uploader.client.put(offer["upload"]["url"], content=bytes(size)).is_success


def test_the_cap_on_a_video_holds_to_the_byte(uploader: Uploader) -> None:
    with uploader.release.running_api(UPLOAD_MAX_BYTES="1000") as (url, _):
        client = uploader.release.client(uploader.tenant.token, url)
        client.params = {"namespace": uploader.tenant.namespace}
        allowed = client.post("/uploads", json={"filename": "a.mp4", "bytes": 1000}).json()
        refused = client.post("/uploads", json={"filename": "a.mp4", "bytes": 1001})
        forged = allowed["url"].replace("-1000-", "-1001-")

        assert error(refused) == (413, "TOO_LARGE")
        assert error(client.put(forged, content=bytes(1001))) == (413, "TOO_LARGE")
        assert client.put(allowed["upload"]["url"], content=bytes(1000)).is_success


def test_an_upload_is_never_overwritten(uploader: Uploader) -> None:
    offer = uploader.offered(5)

    assert uploader.client.put(offer["upload"]["url"], content=b"first").is_success
    assert error(uploader.client.put(offer["upload"]["url"], content=b"other")) == (409, "ALREADY_EXISTS")
    assert uploader.content(offer) == b"first"


def test_of_two_uploads_at_the_same_time_one_is_stored(uploader: Uploader) -> None:
    """Both are asked for before either is there; the store itself decides."""
    offer, size = uploader.offered(400_000), 400_000
    both = threading.Barrier(2)
    answers: list[httpx.Response] = []

    def send(letter: bytes) -> None:
        def body() -> Iterator[bytes]:
            yield letter * (size // 2)
            both.wait(10)
            yield letter * (size // 2)

        answers.append(uploader.client.put(offer["upload"]["url"], content=body()))

    threads = [threading.Thread(target=send, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status_code for answer in answers) == [200, 409], [item.text for item in answers]
    won = next(answer for answer in answers if answer.status_code == 200).json()
    assert hashlib.sha256(uploader.content(offer)).hexdigest() == won["sha256"]


def test_a_sender_who_goes_away_leaves_nothing(uploader: Uploader) -> None:
    offer = uploader.offered(3 * MIB)
    with _connected(uploader, "PUT", offer["upload"]["url"], 3 * MIB) as connection:
        connection.sendall(bytes(2 * MIB))
        time.sleep(0.3)

    assert _soon(lambda: uploader.nothing_is_left(offer))
    assert uploader.client.put(offer["upload"]["url"], content=bytes(3 * MIB)).is_success


def test_a_store_that_goes_away_is_told_and_leaves_nothing(uploader: Uploader) -> None:
    """The store's side breaks in the middle: the API's own connection to it is cut by a relay."""
    release = uploader.release
    with (
        _Cut(release.store_port, after=200_000) as cut,
        release.running_api(STORE_ENDPOINT=f"http://127.0.0.1:{cut.port}") as (url, _),
    ):
        client = release.client(uploader.tenant.token, url)
        client.params = {"namespace": uploader.tenant.namespace}
        offer = client.post("/uploads", json={"filename": "a.mp4", "bytes": MIB}).json()
        answer = client.put(offer["upload"]["url"], content=bytes(MIB))

        assert error(answer) == (503, "STORE_UNAVAILABLE")
        assert client.get("/healthz").is_success
    assert uploader.nothing_is_left(offer)


# --- parts ----------------------------------------------------------------------------------------------


def test_an_upload_in_parts_is_resumed_after_an_interruption(uploader: Uploader) -> None:
    """80 MB and 5 bytes: the sender dies in its third part, another one asks what is missing and sends that."""
    size = 5 * PART + 5
    content = os.urandom(size)
    offer = uploader.offered(size, multipart=True)
    state = offer["multipart"]
    assert (state["part_bytes"], state["parts"], offer["upload"]) == (PART, 6, None)
    assert [part["bytes"] for part in state["missing"]] == [PART] * 5 + [5]

    for part in state["missing"][:2]:
        _send_part(uploader, part, content)
    with _connected(uploader, "PUT", state["missing"][2]["url"], PART) as connection:
        connection.sendall(content[2 * PART : 2 * PART + MIB])
        time.sleep(0.3)

    incomplete = uploader.client.post(f"{offer['url']}/complete")
    assert error(incomplete) == (409, "UPLOAD_INCOMPLETE")
    assert incomplete.json()["error"]["missing"] == [3, 4, 5, 6]
    resumed = uploader.client.get(offer["url"]).json()
    assert (resumed["finished"], [part["number"] for part in resumed["missing"]]) == (False, [3, 4, 5, 6])
    for part in reversed(resumed["missing"]):
        _send_part(uploader, part, content)

    done = uploader.client.post(f"{offer['url']}/complete").json()
    again = uploader.client.post(f"{offer['url']}/complete").json()
    assert (done["finished"], done["missing"], again) == (True, [], done)
    assert uploader.client.get(offer["url"]).json()["finished"] is True
    assert hashlib.sha256(uploader.content(offer)).digest() == hashlib.sha256(content).digest()
    assert uploader.release.unfinished(uploader.key(offer)) == []


def test_a_part_has_exactly_its_length(uploader: Uploader) -> None:
    offer = uploader.offered(PART + 3, multipart=True)
    last = offer["multipart"]["missing"][1]["url"]

    assert error(uploader.client.put(last, content=b"en")) == (422, "INVALID")
    assert error(uploader.client.put(last, content=b"ends")) == (413, "TOO_LARGE")
    assert error(uploader.client.put(last, content=_pieces(b"ends", 2))) == (413, "TOO_LARGE")
    assert error(uploader.client.put(last, content=_pieces(b"en", 1))) == (422, "INVALID")
    assert error(uploader.client.put(last.replace("parts/2", "parts/3"), content=b"end")) == (422, "INVALID")
    assert [part["number"] for part in uploader.client.get(offer["url"]).json()["missing"]] == [1, 2]


def test_a_part_is_replaced_until_the_end(uploader: Uploader) -> None:
    offer = uploader.offered(PART + 3, multipart=True)
    first, last = (part["url"] for part in offer["multipart"]["missing"])
    for url, body in ((first, bytes(PART)), (last, b"one"), (last, b"two")):
        assert uploader.client.put(url, content=body).is_success
    uploader.client.post(f"{offer['url']}/complete")

    assert uploader.content(offer)[-3:] == b"two"
    assert error(uploader.client.put(last, content=b"3rd")) == (404, "NOT_FOUND")
    assert error(uploader.client.delete(offer["url"])) == (409, "ALREADY_EXISTS")
    assert error(uploader.client.put(offer["url"], content=bytes(PART + 3))) == (409, "ALREADY_EXISTS")


def test_an_aborted_upload_leaves_nothing(uploader: Uploader) -> None:
    offer = uploader.offered(PART + 3, multipart=True)
    assert uploader.client.put(offer["multipart"]["missing"][1]["url"], content=b"end").is_success

    assert uploader.client.delete(offer["url"]).status_code == 204
    assert uploader.nothing_is_left(offer)
    assert error(uploader.client.get(offer["url"])) == (404, "NOT_FOUND")
    assert error(uploader.client.post(f"{offer['url']}/complete")) == (404, "NOT_FOUND")
    assert uploader.client.delete(offer["url"]).status_code == 204


def test_parts_get_longer_where_there_would_be_too_many(uploader: Uploader) -> None:
    """S3 takes ten thousand parts; and one answer shows a hundred of them."""
    size = 10_000 * PART + 1
    with uploader.release.running_api(UPLOAD_MAX_BYTES=str(size)) as (url, _):
        client = uploader.release.client(uploader.tenant.token, url)
        client.params = {"namespace": uploader.tenant.namespace}
        offer = client.post("/uploads", json={"filename": "a.mp4", "bytes": size}).json()
        state = offer["multipart"]

        assert offer["upload"] is None, "one request takes 5 GiB at most"
        assert (state["part_bytes"], state["parts"], len(state["missing"])) == (17 * MIB, 9412, 100)
        assert client.delete(offer["url"]).status_code == 204


def test_the_way_back_is_found_with_any_replica(uploader: Uploader) -> None:
    """Nothing is kept in a process: another one resumes what this one began."""
    offer = uploader.offered(PART + 3, multipart=True)
    uploader.client.put(offer["multipart"]["missing"][0]["url"], content=bytes(PART))
    with uploader.release.running_api() as (url, _):
        other = uploader.release.client(uploader.tenant.token, url)
        [part] = other.get(offer["url"]).json()["missing"]
        assert other.put(part["url"], content=b"end").is_success
        assert other.post(f"{offer['url']}/complete").json()["finished"] is True

    assert len(uploader.content(offer)) == PART + 3


# --- memory ---------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_what_passes_through(uploader: Uploader) -> None:
    """96 MB in one upload, then eight uploads of 16 MB at once, then eight readers who are slow."""
    with uploader.release.running_api() as (url, process):
        client = uploader.release.client(uploader.tenant.token, url)
        client.params = {"namespace": uploader.tenant.namespace}
        _upload(client, MIB)
        before = _rss(process)
        with _peak(process) as peak:
            _upload(client, 96 * MIB)
            threads = [threading.Thread(target=_upload, args=(client, 16 * MIB)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        grown = peak() - before
    print(f"RSS {before / MIB:.0f} MiB, +{grown / MIB:.1f} MiB at most")

    assert grown < 24 * MIB


def test_a_slow_reader_slows_the_store_down(uploader: Uploader) -> None:
    """The API takes from the store what the reader takes from the API: 48 MB wait in the store, not here."""
    release, tenant = uploader.release, uploader.tenant
    uid = release.create_job(tenant.namespace, "clip")
    release.status(tenant.namespace, "clip", {"artifacts": [manifest(*make_artifacts("clip.webm"))]})
    key = f"{tenant.namespace}/{uid}/artifacts/clip.webm"
    release.store.put_object(Bucket=BUCKET, Key=key, Body=bytes(48 * MIB))
    with release.running_api() as (url, process):
        client = release.client(tenant.token, url)
        path = f"/jobs/clip/artifacts/clip.webm?namespace={tenant.namespace}"
        assert client.get(path, headers={"Range": "bytes=0-9"}).status_code == 206
        before = _rss(process)
        with _peak(process) as peak, client.stream("GET", path) as answer:
            pieces = answer.iter_raw(1000)
            next(pieces)
            time.sleep(1.5)
            held = peak() - before
            assert sum(map(len, pieces)) == 48 * MIB - 1000

    assert held < 12 * MIB


# --- ranges ---------------------------------------------------------------------------------------------

CLIP = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def clip(uploader: Uploader) -> Callable[..., httpx.Response]:
    """Asks for a clip of 1,024 bytes."""
    uid = uploader.release.create_job(uploader.tenant.namespace, "ranged")
    uploader.release.status(
        uploader.tenant.namespace, "ranged", {"artifacts": [manifest(*make_artifacts("clip.webm"))]}
    )
    key = f"{uploader.tenant.namespace}/{uid}/artifacts/clip.webm"
    uploader.release.store.put_object(Bucket=BUCKET, Key=key, Body=CLIP, ContentType="text/html")

    def ask(**headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return uploader.client.get("/jobs/ranged/artifacts/clip.webm", headers=named)

    return ask


def test_a_whole_clip_says_that_ranges_are_possible(clip: Callable[..., httpx.Response]) -> None:
    answer = clip()

    assert (answer.status_code, answer.content) == (200, CLIP)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "video/webm", "by its name, not by what somebody stored it as"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "expected", "content_range"),
    [
        ("bytes=0-0", CLIP[:1], "bytes 0-0/1024"),
        ("bytes=100-199", CLIP[100:200], "bytes 100-199/1024"),
        ("bytes=1000-", CLIP[1000:], "bytes 1000-1023/1024"),
        ("bytes=-24", CLIP[-24:], "bytes 1000-1023/1024"),
        ("bytes=1000-99999", CLIP[1000:], "bytes 1000-1023/1024"),
    ],
)
def test_a_range_is_what_comes(
    clip: Callable[..., httpx.Response], asked: str, expected: bytes, content_range: str
) -> None:
    answer = clip(Range=asked)

    assert (answer.status_code, answer.content) == (206, expected)
    assert answer.headers["Content-Range"] == content_range
    assert answer.headers["Content-Length"] == str(len(expected))


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "items=0-1", "bytes=", "bytes=a-b", "bytes=5-2", "0-1"])
def test_a_range_of_another_kind_is_ignored(clip: Callable[..., httpx.Response], asked: str) -> None:
    answer = clip(Range=asked)

    assert (answer.status_code, answer.content) == (200, CLIP)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=99999999999999-"])
def test_a_range_beyond_the_end_is_refused(clip: Callable[..., httpx.Response], asked: str) -> None:
    assert error(clip(Range=asked)) == (416, "RANGE_INVALID")


def test_a_range_of_a_version_that_has_changed_is_not_mixed(clip: Callable[..., httpx.Response]) -> None:
    tag = clip().headers["ETag"]

    assert clip(Range="bytes=0-9", If_Range=tag).status_code == 206
    assert clip(Range="bytes=0-9", If_Range='"another"').content == CLIP
    assert clip(If_None_Match=tag).status_code == 304


def test_any_number_of_unchanged_answers_leaves_the_store_reachable(uploader: Uploader) -> None:
    """More of them than the store's client has connections, of an object that no buffer holds."""
    uid = uploader.release.create_job(uploader.tenant.namespace, "kept-clip")
    uploader.release.status(
        uploader.tenant.namespace, "kept-clip", {"artifacts": [manifest(*make_artifacts("clip.webm"))]}
    )
    key = f"{uploader.tenant.namespace}/{uid}/artifacts/clip.webm"
    uploader.release.store.put_object(Bucket=BUCKET, Key=key, Body=bytes(4 * 2**20))
    path = "/jobs/kept-clip/artifacts/clip.webm"
    tag = uploader.client.get(path).headers["ETag"]

    for _ in range(CONNECTIONS + 6):
        assert uploader.client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert len(uploader.client.get(path).content) == 4 * 2**20


# --- from the store into a pod --------------------------------------------------------------------------


def test_a_pod_fetches_video_and_weights_from_the_store(uploader: Uploader, tmp_path: Path) -> None:
    """The real reporter and the real fetch: tokens, broker, presigned addresses, digests."""
    release, tenant = uploader.release, Tenant(uploader.release, "tenant-b")
    model = os.urandom(100_000)
    key = f"{sources.WEIGHTS_PREFIX}net.onnx"
    release.store.put_object(Bucket=BUCKET, Key=key, Body=model)
    weights = Weights(uri=f"s3://{BUCKET}/{key}", sha256=hashlib.sha256(model).hexdigest())
    detector = Detector(name="ultralytics", weights=weights)
    runtime(release, "modelled", detector=detector.model_dump(by_alias=True))
    uri = tenant.upload(GOOD)
    uid = release.create_job("tenant-b", "fetched", uri, runtimeName="modelled")
    release.attempt("tenant-b", "fetched", preview=1)
    worker = release.pod("tenant-b", f"sj-{uid}-p1-abcde")
    task = PreviewTask(
        namespace="tenant-b",
        name="fetched",
        uid=uid,
        image="none",
        video=Video(uri=uri, sha256=hashlib.sha256(GOOD).hexdigest()),
        sources=[f"s3://{BUCKET}/tenant-b/uploads/"],
        detector=detector,
    )

    files = _in_a_pod(release, tmp_path, task, worker.token)

    assert pod.read(files.fetched)["bytes"] == len(GOOD)
    assert files.video().read_bytes() == GOOD
    assert files.weights(weights.uri).read_bytes() == model


def _in_a_pod(release: Release, folder: Path, task: PreviewTask, token: str) -> Pod:
    """Run `report` and `fetch` side by side, as the pod's containers; what they leave."""
    files = Pod(folder / "work", folder / "termination-log")
    files.out.mkdir(parents=True)
    (folder / "token").write_text(token)
    settings = {
        TASK_VARIABLE: task.model_dump_json(by_alias=True, exclude_none=True),
        "PLAYERSCORE_WORK": str(files.folder),
        "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
        "PLAYERSCORE_API_URL": release.url,
        "PLAYERSCORE_KUBE_URL": release.plane.url,
        "PLAYERSCORE_KUBE_CA_FILE": str(release.plane.ca),
        "PLAYERSCORE_KUBE_TOKEN_FILE": str(folder / "token"),
        "PLAYERSCORE_API_TOKEN_FILE": str(folder / "token"),
    }
    command = [sys.executable, "-m", "playerscore_worker"]
    reporter = subprocess.Popen([*command, "report"], env={**os.environ, **settings})
    try:
        done = subprocess.run([*command, "fetch"], env={**os.environ, **settings}, timeout=30, check=False)
        assert done.returncode == 0, files.termination.read_text()
    finally:
        reporter.terminate()
        reporter.wait(20)
    return files


# --- helpers --------------------------------------------------------------------------------------------


def _pieces(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def _send_part(uploader: Uploader, part: Json, content: bytes) -> None:
    start = (part["number"] - 1) * PART
    answer = uploader.client.request(
        part["method"], part["url"], content=content[start : start + part["bytes"]]
    )
    assert answer.is_success, answer.text


def _upload(client: httpx.Client, size: int) -> None:
    offer = client.post("/uploads", json={"filename": "a.mp4", "bytes": size}).json()
    answer = client.put(offer["upload"]["url"], content=_pieces(bytes(size), MIB), timeout=120)
    assert answer.is_success, answer.text


@contextlib.contextmanager
def _connected(uploader: Uploader, method: str, path: str, length: int) -> Iterator[socket.socket]:
    """A connection that has sent the head of a request, and will be dropped."""
    where = urlsplit(uploader.release.url)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {length}\r\n"
        f"Authorization: Bearer {uploader.tenant.token}\r\n\r\n"
    )
    with socket.create_connection((str(where.hostname), int(where.port or 0))) as connection:
        connection.sendall(head.encode())
        yield connection


class _Cut:
    """Passes bytes on to the store, and breaks a connection that has sent more than `after` of them."""

    def __init__(self, store_port: int, after: int) -> None:
        self._after = after
        self._store = store_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._run(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(20)

    def _run(self, what: Callable[..., None], *arguments: Any) -> None:
        self._threads.append(threading.Thread(target=what, args=arguments, daemon=True))
        self._threads[-1].start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                store = socket.create_connection(("127.0.0.1", self._store))
                self._run(self._forward, client, store)

    def _forward(self, client: socket.socket, store: socket.socket) -> None:
        with client, store, contextlib.suppress(OSError):
            back = threading.Thread(target=_pump, args=(store, client, 2**60), daemon=True)
            back.start()
            _pump(client, store, self._after)
            for end in (client, store):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)
            back.join(20)


def _pump(source: socket.socket, target: socket.socket, most: int) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while passed <= most and (piece := source.recv(65_536)):
            target.sendall(piece)
            passed += len(piece)


def _soon(what: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return what()


def _rss(process: subprocess.Popen[bytes]) -> int:
    """Resident bytes of a process, now."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def _peak(process: subprocess.Popen[bytes]) -> Iterator[Callable[[], int]]:
    """Watch a process' resident bytes; says the most that was seen."""
    seen, done = [_rss(process)], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            seen.append(_rss(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: max(seen)
    finally:
        done.set()
        watcher.join()
