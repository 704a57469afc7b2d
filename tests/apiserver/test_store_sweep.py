"""The sweep's own process on a real API server and the embedded S3 server: what goes, what stays, and when nothing may go.

Each test has a bucket of its own. Time passes by the files' dates in the store's folder.
"""

import asyncio
import concurrent.futures
import contextlib
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import SecretStr

from chart import NAMESPACE as SYSTEM
from controlplane import ensure_tools, free_ports
from playerscore import names
from playerscore_api.settings import Settings
from playerscore_api.sweep import Retention, sweep
from tenants import KEYS, Release, runtime

Json = dict[str, Any]
DAY = 86_400
GONE = "11111111-2222-4333-8444-555555555555"
NOW = Retention(deleted_jobs_seconds=0, unused_uploads_seconds=0, unfinished_uploads_seconds=0)
"""A retention of nothing, so that only the check under test keeps anything."""


class Swept(NamedTuple):
    """How a sweep ended: its numbers, or why there are none."""

    done: dict[str, int]
    failure: Exception | None = None


class Bucket:
    """A bucket, and the sweep over it."""

    def __init__(self, release: Release, name: str, token: Path) -> None:
        self.release = release
        self.name = name
        self.token = token
        release.store.create_bucket(Bucket=name)

    def put(self, key: str, content: bytes = b"x") -> str:
        self.release.store.put_object(Bucket=self.name, Key=key, Body=content)
        return key

    def start(self, key: str) -> str:
        """Begin an upload in parts, with one part; its id."""
        client = self.release.store
        started: str = client.create_multipart_upload(Bucket=self.name, Key=key)["UploadId"]
        client.upload_part(Bucket=self.name, Key=key, UploadId=started, PartNumber=1, Body=b"part")
        return started

    def there(self, prefix: str = "") -> list[str]:
        pages = self.release.store.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def unfinished(self) -> list[str]:
        found = self.release.store.list_multipart_uploads(Bucket=self.name)
        return [item["Key"] for item in found.get("Uploads", [])]

    def age(self, days: float, below: str = "") -> None:
        """Let everything below that prefix be so many days older."""
        for path in sorted((self.release.folder / "store" / "objects" / self.name / below).rglob("*")):
            seen = path.stat().st_mtime - days * DAY
            os.utime(path, (seen, seen))

    def job(self, name: str, namespace: str = "tenant-a", uri: str | None = None) -> str:
        """The folder of a new job, with a frame and an artifact in it."""
        uid = self.release.create_job(namespace, name, uri)
        return self.folder(namespace, uid)

    def folder(self, namespace: str, uid: str) -> str:
        for file in ("frames/frame_0001.jpg", "artifacts/radar.png"):
            self.put(f"{namespace}/{uid}/{file}", b"12345")
        return f"{namespace}/{uid}/"

    def settings(self, **changes: Any) -> Settings:
        known: Json = {
            "kube_url": self.release.plane.url,
            "kube_ca_file": self.release.plane.ca,
            "kube_token_file": self.token,
            "store_endpoint": self.release.store_url,
            "store_bucket": self.name,
            "store_access_key": KEYS[0],
            "store_secret_key": KEYS[1],
        }
        return Settings(**known | changes)

    def sweep(self, retention: Retention | None = None, dry_run: bool = False, **changes: Any) -> Swept:
        """The sweep within this process; what it raises, the program ends with."""
        chosen = retention or Retention()
        try:
            return Swept(asyncio.run(sweep(self.settings(**changes), chosen, dry_run)))
        except Exception as error:  # noqa: BLE001 - as the interpreter's edge: every failure counts
            return Swept({}, error)

    def process(self, *arguments: str, **changes: Any) -> subprocess.Popen[str]:
        """The program."""
        chosen = self.settings(**changes)
        environment = {f"PLAYERSCORE_API_{name.upper()}": _plain(value) for name, value in chosen}
        return subprocess.Popen(
            [sys.executable, "-m", "playerscore_api.sweep", *arguments],
            env={**os.environ, **{name: value for name, value in environment.items() if value}},
            stderr=subprocess.PIPE,
            text=True,
        )


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


@pytest.fixture(scope="module")
def token(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the account that the chart gives the sweep, with its rights and no others."""
    path = tmp_path_factory.mktemp("sweep") / "token"
    path.write_text(release.account(SYSTEM, "playerscore-sweep"))
    return path


@pytest.fixture
def bucket(release: Release, token: Path, request: pytest.FixtureRequest) -> Bucket:
    name = f"sweep-{abs(hash(request.node.nodeid)) % 10**12}"
    return Bucket(release, name, token)


# --- what goes, and when --------------------------------------------------------------------------------


def test_a_deleted_jobs_pictures_go_after_the_retention(bucket: Bucket) -> None:
    kept, doomed = bucket.job("swept-kept"), bucket.job("swept-doomed")
    bucket.age(400)

    assert bucket.sweep().done["marked"] == 0, "however old: their jobs exist"
    bucket.release.delete_job("tenant-a", "swept-doomed")
    first = bucket.sweep()
    assert (first.done["marked"], first.done["objects"]) == (1, 0)
    bucket.age(6.9, below="_sweeper")
    assert bucket.sweep().done["objects"] == 0
    assert len(bucket.there(doomed)) == 2
    bucket.age(0.2, below="_sweeper")

    assert bucket.sweep().done == {
        "jobs": 1,
        "uploads": 0,
        "checkpoints": 0,
        "objects": 2,
        "bytes": 10,
        "unfinished": 0,
        "marked": 0,
        "unmarked": 0,
        "kept": 1,
    }
    assert bucket.there() == sorted(["_sweeper/cluster", *bucket.there(kept)])
    assert len(bucket.there(kept)) == 2
    assert bucket.sweep().done["objects"] == 0


def test_checkpoints_go_with_the_end_of_their_job(bucket: Bucket) -> None:
    uids = [bucket.job(f"swept-{step}").split("/")[1] for step in ("runs", "ended")]
    kept, doomed = (bucket.put(f"tenant-a/checkpoints/{uid}/00001") for uid in uids)
    status = {"progress": {"step": "FAILED"}}
    bucket.release.status("tenant-a", "swept-ended", status)

    done = bucket.sweep().done

    assert (done["checkpoints"], done["objects"], done["marked"]) == (1, 1, 0)
    assert bucket.there("tenant-a/checkpoints/") == [kept]
    assert doomed not in bucket.there()
    assert len(bucket.there(f"tenant-a/{uids[1]}/")) == 2, "the pictures stay"


def test_a_job_of_every_namespace_counts(bucket: Bucket) -> None:
    """Also of one that the chart has not prepared."""
    bucket.release.plane.kubectl("create", "namespace", "sweep-elsewhere")
    kept = [
        bucket.job("swept-b", "tenant-b"),
        bucket.job("swept-c", "sweep-elsewhere"),
    ]

    assert bucket.sweep(NOW).failure is None
    assert [len(bucket.there(folder)) for folder in kept] == [2, 2]


def test_the_same_name_with_another_uid_is_another_job(bucket: Bucket) -> None:
    before = bucket.job("swept-again")
    bucket.release.delete_job("tenant-a", "swept-again")
    after = bucket.job("swept-again")

    assert bucket.sweep(NOW).done["jobs"] == 1
    assert (bucket.there(before), len(bucket.there(after))) == ([], 2)


def test_the_same_uid_in_another_namespace_is_another_folder(bucket: Bucket) -> None:
    kept = bucket.job("swept-here")
    uid = kept.split("/")[1]
    bucket.folder("tenant-b", uid)

    bucket.sweep(NOW)

    assert bucket.there("tenant-b/") == []
    assert len(bucket.there(kept)) == 2


def test_an_upload_goes_when_nobody_has_named_it_for_a_while(bucket: Bucket) -> None:
    named, weights, alone = (
        bucket.put(f"tenant-a/uploads/0123456789abcdef-1-{name}.mp4")
        for name in ("named", "weights", "alone")
    )
    longer = bucket.put(f"{alone}.more")
    for name, key in (("swept-named", named), ("swept-longer", longer)):
        bucket.release.create_job("tenant-a", name, f"s3://{bucket.name}/{key}")
    model = {"uri": f"s3://{bucket.name}/{weights}", "sha256": "c" * 64}
    runtime(bucket.release, "swept", detector={"name": "ultralytics", "weights": model})
    bucket.age(400)

    assert bucket.sweep().done["marked"] == 1, "old, but only now seen to be unnamed"
    bucket.age(8, below="_sweeper")
    assert bucket.sweep().done["objects"] == 1
    assert bucket.there("tenant-a/") == sorted([named, weights, longer])


def test_an_upload_that_is_named_in_time_stays(bucket: Bucket) -> None:
    key = bucket.put("tenant-a/uploads/0123456789abcdef-1-late.mp4")
    bucket.sweep()
    bucket.age(6, below="_sweeper")
    bucket.release.create_job("tenant-a", "swept-late", f"s3://{bucket.name}/{key}")
    assert bucket.sweep().done["unmarked"] == 1
    bucket.release.delete_job("tenant-a", "swept-late")
    bucket.sweep()
    bucket.age(6, below="_sweeper")
    bucket.sweep()

    assert bucket.there("tenant-a/") == [key], "its time began anew"


def test_every_file_of_a_video_stays(bucket: Bucket) -> None:
    keys = [bucket.put(f"tenant-a/uploads/0123456789abcdef-1-half-{number}.mp4") for number in (1, 2, 3)]
    first, *others = (f"s3://{bucket.name}/{key}" for key in keys)
    video = {"uri": first, "parts": [{"uri": uri} for uri in others]}
    bucket.release.create_job("tenant-a", "swept-halves", video=video)
    bucket.age(400)

    assert bucket.sweep().done["marked"] == 0
    assert bucket.there("tenant-a/") == keys


def test_an_unfinished_upload_goes_after_its_own_time(bucket: Bucket) -> None:
    foreign = "backups/database"
    for key in ("tenant-a/uploads/0123456789abcdef-9-old.mp4", foreign):
        bucket.start(key)
    bucket.age(3, below=".sgwtmp")
    bucket.start("tenant-a/uploads/0123456789abcdef-9-young.mp4")

    assert bucket.sweep().done["unfinished"] == 1
    assert bucket.unfinished() == [foreign, "tenant-a/uploads/0123456789abcdef-9-young.mp4"]


def test_many_objects_go_page_by_page(bucket: Bucket) -> None:
    """More than one page of S3 has, and the pages are not confused by what goes meanwhile."""
    folder = f"tenant-a/{GONE}/"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(bucket.put, (f"{folder}artifacts/{number:04d}.txt" for number in range(1050))))

    assert bucket.sweep(NOW).done["objects"] == 1050
    assert bucket.there(folder) == []


def test_what_is_not_ours_stays(bucket: Bucket) -> None:
    others = [
        "_weights/net.onnx",
        "backups/2026/dump.sql",
        "readme.txt",
        f"Tenant/{GONE}/frames/frame_0001.jpg",
        f"tenant-a/{GONE.upper()}X/frames/frame_0001.jpg",
        "tenant-a/notes/x.txt",
        "tenant-a/uploads-of-b/x.mp4",
        "tenant-a/uploads/folder/x.mp4",
        f"tenant-a/{GONE}.txt",
    ]
    for key in others:
        bucket.put(key)
    bucket.folder("tenant-a", GONE)

    assert bucket.sweep(NOW).done["objects"] == 2
    assert bucket.there() == sorted([*others, "_sweeper/cluster"])


def test_a_dry_run_says_what_would_go_and_writes_nothing(bucket: Bucket) -> None:
    """The program itself: its lines are what a person has of it."""
    doomed = bucket.folder("tenant-a", GONE)
    bucket.sweep()
    bucket.age(8)
    bucket.put("tenant-a/uploads/0123456789abcdef-1-alone.mp4")
    before = bucket.there()

    said = _said(bucket.process("--dry-run"))

    assert [line["item"] for line in said if "item" in line] == [doomed]
    assert {name: said[-1][name] for name in ("event", "jobs", "marked")} == {
        "event": "would sweep",
        "jobs": 1,
        "marked": 1,
    }
    assert bucket.there() == before
    assert [line["item"] for line in _said(bucket.process()) if line["event"] == "removed"] == [doomed]


def _said(process: subprocess.Popen[str]) -> list[Json]:
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return [json.loads(line) for line in said.splitlines()]


# --- when nothing may go --------------------------------------------------------------------------------

Fault = Callable[[str, dict[str, list[str]]], tuple[int, bytes] | None]
"""What to answer a request for that path and query with; None passes it on."""


class Between(http.server.ThreadingHTTPServer):
    """Stands between the sweep and the API server: lists come in pages of two, and sometimes wrong."""

    def __init__(self, release: Release, fault: Fault) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = release.plane.url
        self.trust = ssl.create_default_context(cafile=str(release.plane.ca))
        self.fault = fault
        self.pages = 0


class _Passing(http.server.BaseHTTPRequestHandler):
    server: Between

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        query = parse_qs(where.query)
        self.server.pages += "scoringjobs" in where.path
        answer = self.server.fault(where.path, query) or self._passed(
            self.path.replace("limit=500", "limit=2")
        )
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    def _passed(self, path: str) -> tuple[int, bytes]:
        headers = {"Authorization": self.headers["Authorization"], "Accept": "application/json"}
        request = urllib.request.Request(self.server.target + path, headers=headers)
        try:
            with urllib.request.urlopen(request, context=self.server.trust) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _between(release: Release, fault: Fault) -> Iterator[Between]:
    with Between(release, fault) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _jobs(answer: tuple[int, bytes], *, later: bool = False, kind: str = "scoringjobs") -> Fault:
    """Answer a list of that kind so, or only its second page."""
    return lambda path, query: answer if path.endswith(kind) and ("continue" in query or not later) else None


EXPIRED = json.dumps({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}).encode()
EMPTY = json.dumps({"kind": "ScoringJobList", "metadata": {}, "items": []}).encode()
FAULTS: dict[str, Fault] = {
    "the list of jobs fails": _jobs((500, b"{}")),
    "its second page fails": _jobs((500, b"{}"), later=True),
    "its second page has expired": _jobs((410, EXPIRED), later=True),
    "its second page is a proxy's page": _jobs((200, b"<html>hello</html>"), later=True),
    "its second page has no items": _jobs((200, b'{"metadata": {}}'), later=True),
    "its second page has null for items": _jobs((200, b'{"metadata": {}, "items": null}'), later=True),
    "its second page is cut off": _jobs((200, EMPTY[:-10]), later=True),
    "its second page has no metadata": _jobs((200, b'{"items": []}'), later=True),
    "a job on it has no uid": _jobs((200, b'{"metadata": {}, "items": [{"metadata": {}}]}'), later=True),
    "the list of jobs is forbidden": _jobs((403, b"{}")),
    "the definition is gone": _jobs((404, b"{}")),
    "the list of runtimes fails": _jobs((500, b"{}"), kind="scoringruntimes"),
    "the cluster does not say which it is": lambda path, _: (500, b"{}") if "kube-system" in path else None,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_nothing_goes_when(bucket: Bucket, fault: Fault, jobs: list[str]) -> None:
    bucket.folder("tenant-a", GONE)
    upload = "tenant-a/uploads/0123456789abcdef-9-old.mp4"
    bucket.start(upload)
    before = bucket.there()
    for between in _between(bucket.release, fault):
        said = bucket.sweep(NOW, kube_url=f"http://127.0.0.1:{between.server_port}")

    assert said.failure is not None, said.done
    assert [key for key in bucket.there() if key != "_sweeper/cluster"] == before
    assert bucket.unfinished() == [upload]


@pytest.fixture(scope="module")
def jobs(release: Release) -> list[str]:
    """Enough jobs for several pages of two."""
    return [release.create_job("tenant-b", f"paged-{number}") for number in range(5)]


def test_a_job_on_the_last_page_is_seen(bucket: Bucket, jobs: list[str]) -> None:
    kept = [bucket.folder("tenant-b", uid) for uid in jobs]
    bucket.folder("tenant-a", GONE)
    for between in _between(bucket.release, lambda path, query: None):
        said = bucket.sweep(NOW, kube_url=f"http://127.0.0.1:{between.server_port}")
        assert between.pages > 2

    assert said.done["jobs"] == 1
    assert [len(bucket.there(folder)) for folder in kept] == [2] * 5


def test_nothing_goes_without_an_api_server(bucket: Bucket) -> None:
    folder = bucket.folder("tenant-a", GONE)

    assert bucket.sweep(NOW, kube_url="https://127.0.0.1:1").failure is not None
    assert len(bucket.there(folder)) == 2


def test_nothing_goes_from_another_clusters_bucket(bucket: Bucket) -> None:
    folder = bucket.folder("tenant-a", GONE)
    bucket.put("_sweeper/cluster", b"99999999-aaaa-4bbb-8ccc-dddddddddddd")

    process = bucket.process()
    assert "belongs to the cluster 99999999" in process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert len(bucket.there(folder)) == 2


def test_a_sweep_that_is_killed_is_finished_by_the_next(bucket: Bucket) -> None:
    """It dies at the second item that it removes; what lives is never touched."""
    kept = bucket.job("swept-alive")
    doomed = [bucket.folder("tenant-a", f"{number}{GONE[1:]}") for number in range(4)]
    bucket.sweep()
    bucket.age(8, below="_sweeper")
    removals: list[int] = []

    class Killing(_Store):
        def before(self) -> None:
            if self.command == "POST" and "delete" in self.path:
                removals.append(1)
                if len(removals) == 2:
                    process.send_signal(signal.SIGKILL)
                    process.wait(10)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Killing) as between:
        Killing.port = bucket.release.store_port
        threading.Thread(target=between.serve_forever, daemon=True).start()
        process = bucket.process(store_endpoint=f"http://127.0.0.1:{between.server_port}")
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        time.sleep(0.3)
        between.shutdown()

    left = [folder for folder in doomed if bucket.there(folder)]
    assert 0 < len(left) < 4
    assert len(bucket.there("_sweeper/unnamed/")) == len(left) + len(_half(bucket, doomed))
    assert bucket.sweep().failure is None
    assert [bucket.there(folder) for folder in doomed] == [[]] * 4
    assert bucket.there("_sweeper/unnamed/") == []
    assert len(bucket.there(kept)) == 2


def _half(bucket: Bucket, doomed: list[str]) -> list[str]:
    """Folders that are gone, but whose mark is still there: the sweep was killed in between."""
    marks = set(bucket.there("_sweeper/unnamed/"))
    return [item for item in doomed if not bucket.there(item) and f"_sweeper/unnamed/{item[:-1]}" in marks]


class _Store(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the store as they are; the signature is of what the sweep has sent."""

    port = 0

    def before(self) -> None:
        """What happens first."""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.before()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{self.path}", data=body or None, method=self.command
        )
        for name, value in self.headers.items():
            request.add_unredirected_header(name, value)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            content = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "ETag", "Last-Modified"):
                if answer.headers.get(name):
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


for verb in ("GET", "PUT", "POST", "DELETE", "HEAD"):
    setattr(_Store, f"do_{verb}", _Store._pass)


def test_the_sweeps_account_may_list_and_nothing_else(release: Release, token: Path) -> None:
    """As the chart has it."""
    rules = json.loads(release.plane.kubectl("get", "clusterrole", "playerscore-sweep", "-o", "json"))[
        "rules"
    ]

    assert {
        (verb, resource) for rule in rules for verb in rule["verbs"] for resource in rule["resources"]
    } == {
        ("list", names.JOB_PLURAL),
        ("list", names.RUNTIME_PLURAL),
        ("get", "namespaces"),
    }


# --- a full volume, and a part of a cluster -------------------------------------------------------------


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A volume of 4 MiB, as the chart's is laid out."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], check=True)
    for name in ("objects", "metadata"):
        (tmp_path / name).mkdir()
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.fixture
def full(release: Release, token: Path, small_volume: Path) -> Iterator[Bucket]:
    """A bucket in a store of its own on that volume."""
    (port,) = free_ports(1)
    program = ensure_tools("versitygw") / "versitygw"
    layout = ["posix", "--sidecar", str(small_volume / "metadata"), str(small_volume / "objects")]
    keys = {"ROOT_ACCESS_KEY": KEYS[0], "ROOT_SECRET_KEY": KEYS[1], "PATH": os.environ["PATH"]}
    command = [str(program), "--port", f"127.0.0.1:{port}", *layout]
    process = subprocess.Popen(command, env=keys, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    client = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    try:
        yield Bucket(
            cast("Release", SimpleNamespace(store=client, store_url=url, plane=release.plane)), "full", token
        )
    finally:
        process.terminate()
        process.wait(25)


def until_open(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("the store does not listen")


def fill(bucket: Bucket) -> None:
    """Until not a byte more is taken."""
    number, size = 0, 2**18
    while size:
        try:
            bucket.release.store.put_object(Bucket=bucket.name, Key=f"filler/{number}", Body=os.urandom(size))
            number += 1
        except ClientError:
            size //= 2
    with pytest.raises(ClientError):
        bucket.put("filler/last")


def test_a_full_volume_is_swept(full: Bucket) -> None:
    """What makes room is done first, so that there is room for the marks."""
    for number in range(3):
        full.put(f"tenant-a/{GONE}/frames/frame_{number + 1:04d}.jpg", os.urandom(2**19))
    first = full.sweep()
    assert (first.failure, first.done.get("marked")) == (None, 1)
    full.start("tenant-a/uploads/0123456789abcdef-9-a.mp4")
    late = full.put("tenant-a/uploads/0123456789abcdef-1-late.mp4")
    fill(full)

    found = full.sweep(Retention(deleted_jobs_seconds=0, unfinished_uploads_seconds=0))

    assert found.failure is None
    assert (found.done["jobs"], found.done["unfinished"], found.done["marked"]) == (1, 1, 1)
    assert full.there(f"tenant-a/{GONE}/") == []
    assert full.there("_sweeper/unnamed/") == [f"_sweeper/unnamed/{late}"]


def test_a_sweep_of_some_namespaces_touches_no_others(
    bucket: Bucket, release: Release, tmp_path: Path
) -> None:
    """With rights in those alone: the jobs of others are not to be seen, so nothing of theirs may go."""
    account = "sweep-of-one"
    rule = {"apiGroups": ["playerscore.dev"], "resources": ["scoringjobs"], "verbs": ["list"]}
    release.plane.kubectl("-n", SYSTEM, "create", "serviceaccount", account)
    for namespace, role, what in (
        ("tenant-a", "sweep-jobs", rule),
        ("kube-system", "sweep-uid", {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}),
    ):
        metadata = {"name": role, "namespace": namespace}
        kinds = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": metadata}
        subject = {"kind": "ServiceAccount", "name": account, "namespace": SYSTEM}
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
        items = [
            {**kinds, "kind": "Role", "rules": [what]},
            {**kinds, "kind": "RoleBinding", "roleRef": ref, "subjects": [subject]},
        ]
        release.plane.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        )
    bind_runtimes(release, account)
    bucket.token = tmp_path / "token"
    bucket.token.write_text(release.account(SYSTEM, account))
    theirs = bucket.folder("tenant-b", GONE)
    ours = bucket.folder("tenant-a", GONE)
    some = NOW.model_copy(update={"namespaces": ["tenant-a"]})

    everywhere, here = bucket.sweep(NOW), bucket.sweep(some)

    assert getattr(everywhere.failure, "code", None) == "FORBIDDEN"
    assert here.failure is None
    assert bucket.there(ours) == []
    assert len(bucket.there(theirs)) == 2


def bind_runtimes(release: Release, account: str) -> None:
    """What Kubernetes keeps in no namespace; the chart's role of people who may see it."""
    release.plane.kubectl(
        *("create", "clusterrolebinding", account, "--clusterrole=playerscore-runtime-viewer"),
        f"--serviceaccount={SYSTEM}:{account}",
    )
