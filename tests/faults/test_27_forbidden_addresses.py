"""A video's address leads inside: loopback, 0.0.0.0, IPv4 in IPv6, a redirect, a name that changes its mind.

Promise: SOURCE_DENIED and the exit code for bad input, no packet is sent there, and the job fails without a
second try.
"""

import http.server
import json
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders import IMAGE
from faultlab import FaultLab, invariants
from playerscore.resources import Video
from playerscore.tasks import TASK_VARIABLE, Failure, PreviewTask
from playerscore_worker import pod
from playerscore_worker.pod import Pod

Json = dict[str, Any]
EXIT_BAD_INPUT = 42
PUBLIC = "93.184.215.14"
"""Never reached: the worker's environment here has no way out of the machine."""
WATCHED = '''
"""Loaded by Python itself at start: scripts the names of the test, writes down and confines every connection."""
import errno, json, os, socket, sys

NAMES = {name: list(turns) for name, turns in json.loads(os.environ["TEST_NAMES"]).items()}
real = socket.getaddrinfo

def resolve(host, port, *rest, **more):
    turns = NAMES.get(host)
    if turns is None:
        return real(host, port, *rest, **more)
    now = turns.pop(0) if len(turns) > 1 else turns[0]
    return [found for address in now for found in real(address, port, *rest, **more)]

def connects(event, arguments):
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    host = arguments[1][0]
    with open(os.environ["TEST_CONNECTIONS"], "a") as file:
        file.write(json.dumps(arguments[1][:2]) + "\\n")
    if host not in ("127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"):
        raise OSError(errno.ENETUNREACH, "there is no way out of here")

socket.getaddrinfo = resolve
sys.addaudithook(connects)
'''
NAMES = {
    "inside.example": [["127.0.0.1"]],
    "both.example": [[PUBLIC, "127.0.0.1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "rebinding.example": [[PUBLIC], ["127.0.0.1"]],
}
INSIDE = {
    "loopback": "http://127.0.0.1:{port}/x",
    "loopback, shortened": "http://127.1:{port}/x",
    "loopback as one number": "http://2130706433:{port}/x",
    "loopback in hexadecimal": "http://0x7f000001:{port}/x",
    "loopback in octal": "http://0177.0.0.1:{port}/x",
    "loopback by its name": "http://localhost:{port}/x",
    "any address": "http://0.0.0.0:{port}/x",
    "IPv6 loopback": "http://[::1]:{port}/x",
    "any address of IPv6": "http://[::]:{port}/x",
    "IPv4 in IPv6": "http://[::ffff:127.0.0.1]:{port}/x",
    "IPv4 in IPv6, in hexadecimal": "http://[::ffff:7f00:1]:{port}/x",
    "behind NAT64": "http://[64:ff9b::7f00:1]:{port}/x",
    "behind 6to4": "http://[2002:7f00:1::]:{port}/x",
    "the cloud's metadata": "http://169.254.169.254/latest/meta-data",
    "a name that is inside": "http://inside.example:{port}/x",
    "a name that is outside and inside": "http://both.example:{port}/x",
    "a name of IPv4 in IPv6": "http://mapped.example:{port}/x",
    "a file": "file:///etc/hostname",
    "another protocol": "gopher://127.0.0.1:{port}/x",
    "a host before the at": "http://video.example@127.0.0.1:{port}/x",
}


class Listener:
    """Takes connections on loopback, of both families on one port, and counts them."""

    def __init__(self) -> None:
        self.came = 0
        first = socket.create_server(("127.0.0.1", 0))
        self.port = first.getsockname()[1]
        self._sockets = [first]
        if socket.has_ipv6:
            self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for each in self._sockets:
            threading.Thread(target=self._serve, args=(each,), daemon=True).start()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.came += 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
            connection.close()

    def close(self) -> None:
        for each in self._sockets:
            each.close()


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Sends whoever asks for `/<number>` to that one of the addresses; `/round` back to itself."""

    server: "Redirector"

    def do_GET(self) -> None:
        place = self.path.strip("/")
        self.send_response(302)
        self.send_header("Location", self.server.targets[int(place)] if place.isdecimal() else "/round")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Redirector(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, targets: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Redirecting)
        self.targets = targets


@dataclass(frozen=True)
class Place:
    """Where abusive addresses lead to, and a server of an allowed host that sends there."""

    listener: Listener
    redirector: Redirector
    folder: Path

    @property
    def allowed(self) -> str:
        return f"http://localhost:{self.redirector.server_port}/"

    def fetch(self, number: int, uri: str, sources: list[str]) -> tuple[int, Failure | None, list[Json]]:
        """Run the worker's `fetch`: its exit code, its last words, and every connection that it tried."""
        folder = self.folder / str(number)
        files = Pod(folder, folder / "termination-log")
        files.out.mkdir(parents=True)
        pod.write(files.source, {"files": [{"url": uri, "store": False}]})
        made = folder / "connections"
        common: Json = {"namespace": "default", "name": "x", "uid": "u", "image": IMAGE}
        task = PreviewTask(**common, video=Video.model_construct(uri=uri), sources=sources)
        settings = {
            TASK_VARIABLE: task.model_dump_json(by_alias=True, exclude_none=True),
            "PLAYERSCORE_WORK": str(folder),
            "PLAYERSCORE_TERMINATION_LOG": str(files.termination),
            "PYTHONPATH": str(self.folder),
            "TEST_NAMES": json.dumps(NAMES),
            "TEST_CONNECTIONS": str(made),
        }
        command = [sys.executable, "-m", "playerscore_worker", "fetch"]
        done = subprocess.run(command, env=os.environ | settings, timeout=120, check=False)
        words = (
            Failure.model_validate_json(files.termination.read_text()) if files.termination.exists() else None
        )
        lines = made.read_text().splitlines() if made.exists() else []
        return done.returncode, words, [json.loads(line) for line in lines]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "sitecustomize.py").write_text(WATCHED)
    listener = Listener()
    targets = [uri.format(port=listener.port) for uri in INSIDE.values()]
    with Redirector(targets) as redirector:
        thread = threading.Thread(target=redirector.serve_forever, args=(0.05,))
        thread.start()
        yield Place(listener, redirector, tmp_path)
        redirector.shutdown()
        thread.join()
    listener.close()


@pytest.mark.parametrize(
    "count", [pytest.param(8, id="some"), pytest.param(99, id="all", marks=pytest.mark.long)]
)
def test_no_packet_goes_inside_by_the_address_itself_or_by_a_redirect(
    place: Place, dice: random.Random, count: int
) -> None:
    everywhere = ["http://", "https://"]
    tries = [
        (f"{name}, {how}", uri, sources, how == "by a redirect")
        for number, (name, address) in enumerate(INSIDE.items())
        for how, uri, sources in (
            ("itself", address.format(port=place.listener.port), everywhere),
            ("by a redirect", f"{place.allowed}{number}", [place.allowed, *everywhere]),
        )
    ]
    dice.shuffle(tries)
    tries = tries[:count]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda item: place.fetch(item[0], *item[1][1:3]), enumerate(tries)))
    told = {
        name: (code, words and words.code) for (name, *_), (code, words, _) in zip(tries, ended, strict=True)
    }
    asked = {name: [port for _, port in made] for (name, *_), (_, _, made) in zip(tries, ended, strict=True)}
    assert told == dict.fromkeys(told, (EXIT_BAD_INPUT, "SOURCE_DENIED"))
    assert asked == {
        name: [place.redirector.server_port] if redirected else [] for name, _, _, redirected in tries
    }
    assert place.listener.came == 0


def test_a_name_that_changes_its_mind_is_asked_once(place: Place) -> None:
    """What was judged is what is connected to: the second answer is never asked for."""
    uri = f"http://rebinding.example:{place.listener.port}/x"
    code, words, connections = place.fetch(0, uri, ["http://"])

    assert words is not None
    assert (code, words.code) == (1, "SOURCE_UNAVAILABLE"), "there is no way to the public address from here"
    assert connections == [[PUBLIC, place.listener.port]]
    assert place.listener.came == 0


def test_a_ring_of_redirects_ends(place: Place) -> None:
    code, words, connections = place.fetch(0, f"{place.allowed}round", [place.allowed])

    assert words is not None
    assert (code, words.code) == (EXIT_BAD_INPUT, "SOURCE_DENIED")
    assert 1 <= len(connections) <= 4


def test_the_listener_would_have_noticed(place: Place) -> None:
    """The same worker goes inside where the runtime names that very host."""
    inside = f"http://127.0.0.1:{place.listener.port}/"
    place.fetch(0, f"{inside}x", [inside])

    assert place.listener.came == 1


def test_the_job_fails_for_good_and_says_so(lab: FaultLab, place: Place) -> None:
    code, words, _ = place.fetch(0, f"http://localhost:{place.listener.port}/x", ["http://"])
    assert words is not None
    lab.start_operator()
    uid = lab.create_job("denied", {"video": {"uri": "https://localhost/x.mp4"}})
    lab.pod_runs(f"sj-{uid}-p1")
    lab.pod_ends(f"sj-{uid}-p1", code, words.model_dump_json(), "fetch")
    lab.all_at("FAILED", ["denied"])

    assert lab.condition("denied", "Succeeded") == ("False", "SOURCE_DENIED")
    assert words.message in lab.conditions("denied")["Succeeded"]["message"]
    assert lab.get("job", f"sj-{uid}-p2") == {}
    invariants(lab)
