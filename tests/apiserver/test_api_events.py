"""Server-sent events: what changed, resumed where they broke, and an error that has a code."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import httpx
import pytest

from apilab import Lab, error
from builders import PLAYER, make_preview, make_result, manifest
from playerscore import names

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
    lab.plane.kubectl(
        "patch", "crd", "scoringjobs.playerscore.dev", "--type=json",
        "-p", '[{"op": "add", "path": "/spec/names/categories/-", "value": "renewed"}]',
    )  # fmt: skip
    version = lab.stored("aged")["metadata"]["resourceVersion"]
    watch = f"/apis/playerscore.dev/v1alpha1/namespaces/default/scoringjobs?watch=1&timeoutSeconds=1&resourceVersion={version}"
    until_true(lambda: "Expired" in lab.plane.kubectl("get", "--raw", watch, check=False))
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
    with stream(reader, "watched") as answer:
        last = list(read(answer))[-1]
    assert (last.kind, last.data["error"]["code"]) == ("error", "FORBIDDEN")


class Proxy:
    """Between the API and Kubernetes; can be cut."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                inside, _ = self.listener.accept()
            except OSError:
                return
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
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def strained(lab: Lab) -> Iterator[tuple[str, Proxy]]:
    """Another replica, which reaches Kubernetes through a proxy and holds two streams."""
    proxy = Proxy(int(lab.plane.url.rsplit(":", 1)[1]))
    with lab.another(KUBE_URL=proxy.url, EVENT_PING_SECONDS="1", MAX_EVENT_STREAMS="2") as url:
        yield url, proxy


def test_a_stream_that_breaks_says_why_beats_until_then_and_goes_on_elsewhere(lab: Lab) -> None:
    lab.created("broken")
    with strained(lab) as (url, proxy):
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
