"""Server-sent events: what changed, resumed where they broke, and an error that has a code."""

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import httpx
import pytest

from apilab import SPEC, Lab, error, running_api
from builders import PLAYER, make_preview, make_result, manifest
from playerscore import names
from playerscore_api.feeds import OWN_WATCHES

Json = dict[str, Any]


class Event(NamedTuple):
    kind: str
    data: Any
    id: str


def read(answer: httpx.Response) -> Iterator[Event]:
    """The events of a stream, as a browser dispatches them; comments and bare ids are left out."""
    kind, data, last = "message", "", ""
    for line in answer.iter_lines():
        if not line:
            if data:
                yield Event(kind, json.loads(data), last)
            kind, data = "message", ""
        elif line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif line.startswith("id:"):
            last = line[3:].strip()


def until(events: Iterator[Event], kind: str) -> list[Event]:
    """Events up to one of that kind."""
    found = []
    for event in events:
        found.append(event)
        if event.kind == kind:
            return found
    raise AssertionError(f"no {kind} among {[event.kind for event in found]}")


def stream(client: httpx.Client, name: str, last: str | None = None, **query: Any) -> Any:
    headers = {"Last-Event-ID": last} if last else {}
    return client.stream("GET", f"/jobs/{name}/events", headers=headers, params=query)


def finish(lab: Lab, name: str) -> None:
    lab.status(name, {"result": manifest(make_result()), "progress": {"step": "COMPLETED"}})


def test_each_change_is_told_by_its_name_and_then_as_a_whole(lab: Lab) -> None:
    lab.created("followed", preview=False)
    with stream(lab.editor, "followed") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        events = read(answer)
        first = until(events, "job")
        lab.status("followed", {"preview": manifest(make_preview(name="followed"))})
        previewed = until(events, "job")
        lab.status("followed", {"progress": {"percent": 40}})
        progressed = until(events, "job")
        finish(lab, "followed")
        rest = list(events)

    assert [event.kind for event in first] == ["step", "job"]
    assert first[0].data["step"] == "EXTRACTING_PREVIEW"
    assert [(event.kind, event.data) for event in previewed[:-1]] == [
        ("step", {"step": "WAITING_FOR_PLAYER", "message": None})
    ]
    assert [(event.kind, event.data) for event in progressed[:-1]] == [("percent", {"percent": 40})]
    assert [event.kind for event in rest] == ["step", "result", "job", "end"]
    assert rest[1].data["overallScore"] == make_result().overall_score
    assert rest[2].data == lab.editor.get("/jobs/followed").json() == rest[3].data


def test_a_stream_resumes_where_it_broke_and_misses_nothing(lab: Lab) -> None:
    lab.created("resumed")
    with stream(lab.editor, "resumed") as answer:
        seen = until(read(answer), "job")[-1].id
    for percent in (10, 20, 30):
        lab.status("resumed", {"progress": {"percent": percent}})
    with stream(lab.editor, "resumed", seen) as answer:
        events = read(answer)
        missed = [
            event.data["percent"]
            for _ in range(3)
            for event in until(events, "job")
            if event.kind == "percent"
        ]

    assert missed == [10, 20, 30]


def test_a_version_that_kubernetes_does_not_know_gives_the_present_state(lab: Lab) -> None:
    lab.created("unknown-version")
    for version in ("1", "nonsense"):
        with stream(lab.editor, "unknown-version", version) as answer:
            assert until(read(answer), "job")[-1].data["id"] == "unknown-version"


def test_a_job_that_is_older_than_what_kubernetes_remembers_is_followed_all_the_same(lab: Lab) -> None:
    """A changed CRD makes the API server's cache of changes begin anew, younger than the job."""
    lab.created("aged")
    lab.created("younger")
    forget(lab, lab.stored("aged")["metadata"]["resourceVersion"])
    with stream(lab.editor, "aged", timeoutSeconds=20) as answer:
        events = read(answer)
        until(events, "job")
        time.sleep(1)
        asked = kubernetes_calls(lab)
        time.sleep(1)
        more = kubernetes_calls(lab) - asked
        lab.status("aged", {"progress": {"percent": 5}})
        told = [event.kind for event in until(events, "job")]

    assert told == ["percent", "job"]
    assert more < 5, "the stream asks Kubernetes over and over"


def forget(lab: Lab, version: str) -> None:
    """Make Kubernetes know no more what happened after that version."""
    category = f"renewed-{version}"
    patch = [{"op": "add", "path": "/spec/names/categories/-", "value": category}]
    lab.plane.kubectl("patch", "crd", "scoringjobs.playerscore.dev", "--type=json", "-p", json.dumps(patch))
    watch = f"/apis/playerscore.dev/v1alpha1/namespaces/default/scoringjobs?watch=1&timeoutSeconds=1&resourceVersion={version}"
    until_true(lambda: "Expired" in lab.plane.kubectl("get", "--raw", watch, check=False))


def until_true(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


def kubernetes_calls(lab: Lab) -> float:
    lines = httpx.get(f"{lab.url}/metrics").text.splitlines()
    counts = [line for line in lines if line.startswith("playerscore_api_kubernetes_duration_seconds_count")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counts)


def test_who_saw_the_end_is_not_to_come_again(lab: Lab) -> None:
    lab.created("ended")
    with stream(lab.editor, "ended") as answer:
        events = read(answer)
        before = until(events, "job")[-1].id
        finish(lab, "ended")
        end = until(events, "end")[-1].id
    with stream(lab.editor, "ended", end) as answer:
        assert answer.status_code == 204
    with stream(lab.editor, "ended", before) as answer:
        assert [event.kind for event in read(answer)][-2:] == ["job", "end"]


def test_a_deletion_is_told_even_if_the_name_is_used_again(lab: Lab) -> None:
    lab.created("gone")
    with stream(lab.editor, "gone") as answer:
        events = read(answer)
        seen = until(events, "job")[-1].id
        lab.editor.delete("/jobs/gone")
        assert [event.kind for event in events] == ["deleted"]
    lab.created("gone")
    with stream(lab.editor, "gone", seen) as answer:
        assert [event.kind for event in read(answer)] == ["deleted"]


def test_a_change_that_nobody_sees_is_not_told(lab: Lab) -> None:
    lab.created("labelled")
    with stream(lab.editor, "labelled") as answer:
        events = read(answer)
        until(events, "job")
        lab.plane.kubectl("label", "scoringjob", "labelled", "team=blue")
        lab.status("labelled", {"progress": {"percent": 1}})
        assert [event.kind for event in until(events, "job")] == ["percent", "job"]


def test_a_stream_ends_when_its_time_is_over(lab: Lab) -> None:
    lab.created("short")
    begin = time.monotonic()
    with stream(lab.editor, "short", timeoutSeconds=1) as answer:
        kinds = [event.kind for event in read(answer)]

    assert kinds == ["step", "job"]
    assert 0.5 < time.monotonic() - begin < 5


def test_kubernetes_decides_who_may_watch(lab: Lab) -> None:
    lab.created("watched")
    reader = lab.client(lab.person("reader", ["get"]))

    assert error(lab.stranger.get("/jobs/watched/events")) == (403, "FORBIDDEN")
    assert error(lab.editor.get("/jobs/nobody/events")) == (404, "JOB_NOT_FOUND")
    assert error(reader.get("/jobs/watched/events")) == (403, "FORBIDDEN")


def test_who_may_watch_only_named_jobs_follows_all_of_them(lab: Lab) -> None:
    """More than are watched one by one; Kubernetes refuses a watch of the namespace."""
    names_ = [f"named-{number}" for number in range(10)]
    make(lab, names_)
    lab.plane.kubectl("create", "serviceaccount", "narrow")
    chosen = [f"--resource-name={name}" for name in names_]
    kind = "--resource=scoringjobs.playerscore.dev"
    lab.plane.kubectl("create", "role", "narrow", "--verb=get,watch", kind, *chosen)
    lab.plane.kubectl("create", "rolebinding", "narrow", "--role=narrow", "--serviceaccount=default:narrow")
    client = lab.client(lab.plane.token("default", "narrow"))

    with ExitStack() as stack:
        streams = [read(stack.enter_context(stream(client, name))) for name in names_]
        for events in streams:
            until(events, "job")
        write(lab, names_, {"progress": {"percent": 3}})
        told = [until(events, "job")[0].data for events in streams]

    assert told == [{"percent": 3}] * len(names_)


def make(lab: Lab, found: list[str]) -> None:
    """Jobs of those names, at once."""
    kind = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "spec": SPEC}
    items = [{**kind, "metadata": {"name": name}} for name in found]
    body = {"apiVersion": "v1", "kind": "List", "items": items}
    lab.plane.kubectl("create", "-f", "-", stdin=json.dumps(body))


def write(lab: Lab, found: list[str], status: Json) -> None:
    """The same status for all of them."""
    how = ["--subresource=status", "--type=merge", "-p", json.dumps({"status": status})]
    lab.plane.kubectl("patch", "scoringjob", *found, *how)


class Proxy:
    """Between the API and Kubernetes; can break what is open, and refuse for a while or for ever."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets: list[socket.socket] = []
        self.away = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                inside, _ = self.listener.accept()
            except OSError:
                return
            if self.away:
                inside.close()
                continue
            outside = socket.create_connection(("127.0.0.1", self.port))
            self.sockets += [inside, outside]
            for source, sink in ((inside, outside), (outside, inside)):
                threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def cut(self) -> None:
        """Break every connection and take no more."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    def drop(self) -> None:
        """Break every connection."""
        broken, self.sockets = self.sockets, []
        for each in broken:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def strained(lab: Lab, **settings: str) -> Iterator[tuple[str, Proxy]]:
    """Another replica, which reaches Kubernetes through a proxy."""
    proxy = Proxy(int(lab.plane.url.rsplit(":", 1)[1]))
    with lab.another(KUBE_URL=proxy.url, EVENT_PING_SECONDS="1", **settings) as url:
        yield url, proxy


def test_a_stream_that_breaks_says_why_beats_until_then_and_goes_on_elsewhere(lab: Lab) -> None:
    lab.created("broken")
    limits = {"MAX_EVENT_STREAMS": "2", "EVENT_PATIENCE_SECONDS": "1"}
    with strained(lab, **limits) as (url, proxy):
        client = lab.client(lab.editor_token, url)
        with stream(client, "broken") as answer, stream(client, "broken"):
            lines = answer.iter_lines()
            heartbeat = next(line for line in lines if line.startswith(":"))
            refused = client.get("/jobs/broken/events")
            proxy.cut()
            data = next(line for line in lines if line.startswith("event: error")) and next(lines)
        asked = client.get("/jobs/broken")

    assert "ping" in heartbeat
    assert error(refused) == (429, "TOO_MANY_REQUESTS")
    assert refused.headers["Retry-After"]
    assert json.loads(data.removeprefix("data:"))["error"]["code"] == "CLUSTER_UNAVAILABLE"
    assert error(asked) == (503, "CLUSTER_UNAVAILABLE")
    assert asked.headers["Retry-After"]


def test_a_watch_that_breaks_is_taken_up_again_where_it_broke(lab: Lab) -> None:
    for name in ("taken-up", "lost", "replaced"):
        lab.created(name)
    with strained(lab, EVENT_PATIENCE_SECONDS="120") as (url, proxy), ExitStack() as stack:
        client = lab.client(lab.editor_token, url)
        kept, lost, replaced = (
            read(stack.enter_context(stream(client, name))) for name in ("taken-up", "lost", "replaced")
        )
        for events in (kept, lost, replaced):
            until(events, "job")
        proxy.away = True
        proxy.drop()
        for percent in (10, 20):
            write(lab, ["taken-up"], {"progress": {"percent": percent}})
        proxy.away = False
        resumed = [event.data for _ in range(2) for event in until(kept, "job") if event.kind == "percent"]

        version = lab.stored("taken-up")["metadata"]["resourceVersion"]
        proxy.away = True
        proxy.drop()
        write(lab, ["taken-up"], {"progress": {"percent": 30}})
        lab.editor.delete("/jobs/lost")
        lab.editor.delete("/jobs/replaced")
        lab.created("replaced")
        forget(lab, version)
        proxy.away = False
        again = [event.data for event in until(kept, "job") if event.kind == "percent"]
        gone = [[event.kind for event in events] for events in (lost, replaced)]

    assert resumed == [{"percent": 10}, {"percent": 20}]
    assert again == [{"percent": 30}]
    assert gone == [["deleted"], ["deleted"]]


def test_a_right_that_is_taken_away_ends_the_streams_of_that_token_and_no_others(lab: Lab) -> None:
    lab.created("shared")
    with strained(lab) as (url, proxy):
        former = lab.client(lab.person("former", ["get", "watch"]), url)
        client = lab.client(lab.editor_token, url)
        with stream(former, "shared") as his, stream(client, "shared") as ours:
            his_events, our_events = read(his), read(ours)
            until(his_events, "job")
            until(our_events, "job")
            lab.plane.kubectl("delete", "rolebinding", "former")
            proxy.drop()
            last = list(his_events)[-1]
            write(lab, ["shared"], {"progress": {"percent": 8}})
            told = until(our_events, "job")[0]

    assert (last.kind, last.data["error"]["code"]) == ("error", "FORBIDDEN")
    assert told.data == {"percent": 8}


class Reader:
    """One of many streams: the status of its answer, and how many events of each kind came."""

    def __init__(self) -> None:
        self.status = 0
        self.retry = ""
        self.told: Counter[str] = Counter()

    async def read(self, http: aiohttp.ClientSession, name: str) -> None:
        async with http.get(f"/jobs/{name}/events") as answer:
            self.status, self.retry = answer.status, answer.headers.get("Retry-After", "")
            async for line in answer.content:
                if line.startswith(b"event: "):
                    self.told[line[7:].strip().decode()] += 1


@asynccontextmanager
async def crowd(url: str, token: str, followed: list[str]) -> AsyncIterator[list[Reader]]:
    """A stream of each of these jobs, all opened at once."""
    headers = {"Authorization": f"Bearer {token}"}
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector, timeout=timeout) as http:
        readers = [Reader() for _ in followed]
        tasks = [
            asyncio.create_task(reader.read(http, name))
            for reader, name in zip(readers, followed, strict=True)
        ]
        try:
            yield readers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0.05)


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def gauge(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} "))


STREAMS = 200
FOLLOWED = 40
MOST_KB = 130
"""Of memory for a stream; with a TLS connection and a watch of its own each took 200."""


async def test_200_streams_at_once_share_a_few_watches_and_none_breaks(lab: Lab) -> None:
    found = [f"burst-{number}" for number in range(FOLLOWED)]
    make(lab, found)
    with running_api(lab.plane, lab.folder, lab.s3) as (url, process):
        async with crowd(url, lab.editor_token, found[:10]) as first:  # what is made once, for any number
            await eventually(lambda: all(reader.told["job"] for reader in first))
        idle = resident(process.pid)
        async with crowd(url, lab.editor_token, found * (STREAMS // FOLLOWED)) as readers:
            await eventually(lambda: all(reader.told["job"] or reader.status >= 400 for reader in readers))
            watches, held = gauge(url, "playerscore_api_watches"), resident(process.pid) - idle
            write(lab, found, {"progress": {"percent": 9}})
            await eventually(lambda: all(reader.told["percent"] for reader in readers))
            kinds = {frozenset(reader.told.items()) for reader in readers}
        await eventually(lambda: gauge(url, "playerscore_api_event_streams") == 0)
        left = gauge(url, "playerscore_api_watches")

    assert {reader.status for reader in readers} == {200}
    assert kinds == {frozenset({("step", 1), ("percent", 1), ("job", 2)})}
    assert (watches <= OWN_WATCHES + 1, left) == (True, 0)
    assert held / STREAMS / 1024 < MOST_KB


async def test_a_burst_beyond_the_limit_is_refused_before_it_begins_and_the_rest_is_served(lab: Lab) -> None:
    make(lab, ["crowded"])
    with lab.another(MAX_EVENT_STREAMS="5") as url:
        async with crowd(url, lab.editor_token, ["crowded"] * 20) as readers:
            await eventually(lambda: all(reader.told["job"] or reader.status >= 400 for reader in readers))

    assert Counter(reader.status for reader in readers) == {200: 5, 429: 15}
    assert all(int(reader.retry) > 0 for reader in readers if reader.status == 429)


def test_a_step_through_the_api_is_told(lab: Lab) -> None:
    lab.created("stepped")
    with stream(lab.editor, "stepped") as answer:
        events = read(answer)
        until(events, "job")
        pick = {"frame_key": names.frame_key("stepped", 1), "track_id": PLAYER}
        lab.editor.post("/jobs/stepped/pick-player", json=pick)
        told = until(events, "job")

    assert told[0].data["step"] == "WAITING_FOR_TARGET_CONFIRMATION"
    assert told[-1].data["player_ref"]["track_id"] == PLAYER


@pytest.mark.parametrize("last", ["0", "-1", "99999999999999999999999", "x" * 64])
def test_a_strange_last_event_id_breaks_nothing(lab: Lab, last: str) -> None:
    if lab.editor.get("/jobs/strange").status_code == 404:
        lab.created("strange")
    with stream(lab.editor, "strange", last, timeoutSeconds=2) as answer:
        assert [event.kind for event in read(answer)][-1] == "job"


# --- all jobs of a namespace -----------------------------------------------------------------------------


def test_all_jobs_are_followed_from_now_on_and_a_deletion_names_its_job(lab: Lab) -> None:
    lab.created("before", preview=False)
    with lab.editor.stream("GET", "/events", params={"timeoutSeconds": 60}) as answer:
        events = read(answer)
        lab.created("all-1", preview=False)
        created = next(events)
        with stream(lab.editor, "all-1") as single:
            alone = until(read(single), "job")[-1]
        lab.status("before", {"progress": {"percent": 40}})
        changed = next(events)
        lab.editor.delete("/jobs/all-1")
        deleted = next(events)

    assert (created.kind, created.data["id"]) == ("job", "all-1")
    assert created.data == alone.data, "the same flat form as the job's own stream"
    assert created.id == created.data["resourceVersion"]
    assert (changed.data["id"], changed.data["progress"]["percent"]) == ("before", 40)
    assert (deleted.kind, deleted.data["id"]) == ("deleted", "all-1")
    assert int(deleted.id) > int(changed.id) > int(created.id)


def test_who_may_not_watch_all_jobs_is_refused_before_the_stream_begins(lab: Lab) -> None:
    assert error(lab.stranger.get("/events")) == (403, "FORBIDDEN")
    assert error(lab.editor.get("/events", params={"namespace": "kube-system"})) == (403, "FORBIDDEN")
    assert error(lab.client("nonsense").get("/events")) == (401, "UNAUTHENTICATED")


def test_a_stream_of_all_jobs_ends_when_it_was_asked_to(lab: Lab) -> None:
    begin = time.monotonic()
    with lab.editor.stream("GET", "/events", params={"timeoutSeconds": 1}) as answer:
        assert list(read(answer)) == []

    assert 1 <= time.monotonic() - begin < 15
