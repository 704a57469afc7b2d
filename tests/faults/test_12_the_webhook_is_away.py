"""The webhook is down, frozen, slow, or something else answers in its place: wrong bytes, 413, another's answer.

Promise: a write of a spec fails within the webhook's timeout, and where the policy stands beside it, that still
denies in its own words; labels, finalizers, deletes, the operator's status writes and every other kind go on;
when it is back, so are the writes.
"""

import json
import random
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from faultlab import FaultLab, invariants
from gates import rendered
from playerscore import names
from webhooks import WebhookProcess, issued, mount, register, registration, secret_data

Json = dict[str, Any]
JOBS = f"/apis/{names.API_VERSION}/namespaces/default/{names.JOB_PLURAL}"
TIMEOUT_SECONDS = float(registration(443)["webhooks"][0]["timeoutSeconds"])
SLACK_SECONDS = 5.0
"""For a machine that does other things as well."""
CALLING = 'failed calling webhook "scoring.playerscore.dev"'


class Gate:
    """The webhook's process behind its registration, and the policy of `admission.mode: both` beside it."""

    def __init__(self, lab: FaultLab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.webhook = WebhookProcess(folder)

    def install(self) -> None:
        state = issued()
        mount(self.folder, secret_data(state))
        self.webhook.__enter__()
        self.webhook.until_ready()
        register(self.lab.plane, self.webhook.port)
        bundle = {"op": "add", "path": "/webhooks/0/clientConfig/caBundle"}
        patch = json.dumps([bundle | {"value": secret_data(state)["ca.crt"]}])
        where = ("validatingwebhookconfiguration", "playerscore")
        self.lab.plane.kubectl("patch", *where, "--type=json", "-p", patch)
        self.lab.plane.kubectl("apply", "-f", "-", stdin=self._policy())
        self.lab.until(lambda: "denied request: NOT_READY" in self._unready().text)
        self.lab.until(lambda: self.write("probe", {"displayName": "x"}).status_code == 404)

    def remove(self) -> None:
        self.webhook.process.kill()
        self.webhook.process.wait()
        self.lab.plane.kubectl("delete", "-f", "-", stdin=self._policy())
        self.lab.plane.kubectl("delete", "validatingwebhookconfiguration", "playerscore")
        self.lab.until(lambda: self._unready().status_code == 201)

    def _policy(self) -> str:
        items = [item for item in rendered("both") if item["kind"].startswith("ValidatingAdmissionPolicy")]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    def _unready(self) -> httpx.Response:
        body = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": {"name": "unready"}}
        spec = {"video": {"uri": "s3://a/b"}, "suspend": False}
        return self.lab.http.post(f"{JOBS}?dryRun=All", json={**body, "spec": spec})

    def write(self, name: str, spec: Json) -> httpx.Response:
        return self.merge(f"{JOBS}/{name}", {"spec": spec})

    def merge(self, path: str, patch: Json) -> httpx.Response:
        kind = {"Content-Type": "application/merge-patch+json"}
        return self.lab.http.patch(path, content=json.dumps(patch), headers=kind)

    # --- what is promised ---------------------------------------------------------------------------------

    def refuses_specs(self) -> None:
        """A spec that only the webhook could admit is refused in time, whatever it is; in words that say by whom."""
        began = time.monotonic()
        refused = self.write("draft", {"displayName": f"written at {began}"})

        assert refused.status_code in (500, 502, 503, 504), refused.text
        assert CALLING in refused.json()["message"]
        assert time.monotonic() - began < TIMEOUT_SECONDS + SLACK_SECONDS

    def policy_denies(self) -> None:
        denied = self.write("draft", {"suspend": False})

        assert denied.status_code == 403
        assert "denied request: NOT_READY: Missing required selections for enqueue" in denied.text

    def everything_else_goes_on(self, name: str) -> None:
        """All but specs: of our kinds, of others, and the operator's whole way from a pod to a sealed result."""
        self.merge(f"{JOBS}/draft", {"metadata": {"labels": {"team": name}}}).raise_for_status()
        for finalizers in (["example.com/a"], []):
            self.merge(f"{JOBS}/draft", {"metadata": {"finalizers": finalizers}}).raise_for_status()
        note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}
        notes = "/api/v1/namespaces/default/configmaps"
        self.lab.http.post(notes, json=note).raise_for_status()
        self.merge(f"{notes}/{name}", {"data": {"a": "c"}}).raise_for_status()
        self.lab.http.delete(f"{notes}/{name}").raise_for_status()
        with self.lab.kubelet():
            self.lab.all_at("COMPLETED", ["running"])
        self.lab.http.delete(f"{JOBS}/leaving").raise_for_status()
        self.lab.until(lambda: self.lab.http.get(f"{JOBS}/leaving").status_code == 404)

    def is_back(self) -> None:
        self.lab.until(lambda: self.write("draft", {"displayName": "again"}).is_success)

    # --- what happens to it -------------------------------------------------------------------------------

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Nothing listens any more."""
        self.webhook.process.kill()
        self.webhook.process.wait()
        yield
        self.webhook.__enter__()
        self.webhook.until_ready()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and says nothing."""
        self.webhook.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.webhook.process.send_signal(signal.SIGCONT)

    @contextmanager
    def replaced(self, answer: "Answer") -> Iterator[None]:
        """Something with the webhook's certificate listens at its place."""
        with self.gone():
            server = Impostor(("127.0.0.1", self.webhook.port), Asked)
            server.answer = answer
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self.folder / "tls.crt", self.folder / "tls.key")
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield
                assert server.asked > 0, "the API server never called"
            finally:
                server.over.set()
                server.shutdown()
                thread.join()
                server.server_close()


class Impostor(ThreadingHTTPServer):
    """Answers every review in one wrong way."""

    daemon_threads = True
    answer: "Answer"

    def __init__(self, *where: Any) -> None:
        super().__init__(*where)
        self.asked = 0
        self.over = threading.Event()

    def handle_error(self, *_: Any) -> None:
        """A caller that has given up."""


class Asked(BaseHTTPRequestHandler):
    """One connection of the API server."""

    server: Impostor

    def do_POST(self) -> None:
        self.server.asked += 1
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.answer(self, review)

    def say(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing to tell."""


Answer = Callable[[Asked, Json], None]


def allowed(uid: str) -> bytes:
    return json.dumps(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": uid, "allowed": True},
        }
    ).encode()


def _noise(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(1, 4000))


def _trickle(asked: Asked, review: Json) -> None:
    """The right answer, a byte a second."""
    whole = allowed(review["request"]["uid"])
    asked.say(200, whole[:1], len(whole))
    for byte in whole[1:]:
        if asked.server.over.wait(1):
            return
        asked.wfile.write(bytes([byte]))


WRONG: dict[str, Callable[[random.Random], Answer]] = {
    "noise": lambda dice: lambda asked, _: asked.say(200, _noise(dice)),
    "nothing": lambda _: lambda asked, _: asked.say(200, b""),
    "a page": lambda _: lambda asked, _: asked.say(200, b"<html>Sign in</html>"),
    "another document": lambda _: lambda asked, _: asked.say(200, b'{"kind": "Status", "apiVersion": "v1"}'),
    "the answer to another review": lambda _: lambda asked, _: asked.say(200, allowed("another")),
    "half an answer": lambda _: (
        lambda asked, review: asked.say(200, allowed(review["request"]["uid"])[:40], 9_000)
    ),
    "413": lambda _: lambda asked, _: asked.say(413, b"too large"),
    "500": lambda _: lambda asked, _: asked.say(500, b"{}"),
    "a redirect": lambda _: lambda asked, _: asked.say(302, b""),
    "a byte a second": lambda _: _trickle,
}


@pytest.fixture
def gate(own_lab: FaultLab, tmp_path: Path) -> Iterator[Gate]:
    """With an operator, a job that runs, a draft, and one that is about to be deleted."""
    found = Gate(own_lab, tmp_path)
    own_lab.start_operator()
    own_lab.create_job("running", own_lab.ready("running"))
    for name in ("draft", "leaving"):
        own_lab.create_job(name, {"preview": {"disabled": True}})
    own_lab.all_at("WAITING_FOR_PLAYER", ["draft", "leaving"])
    own_lab.all_at("QUEUED", ["running"])
    found.install()
    yield found
    found.remove()


@pytest.mark.parametrize("how", ["gone", "frozen"])
def test_a_webhook_that_is_away_stops_specs_and_nothing_else(gate: Gate, how: str) -> None:
    with getattr(gate, how)():
        gate.refuses_specs()
        gate.policy_denies()
        gate.everything_else_goes_on(how)
    gate.is_back()
    invariants(gate.lab)


def test_a_wrong_answer_admits_nothing(gate: Gate, dice: random.Random) -> None:
    for answer in WRONG.values():
        with gate.replaced(answer(dice)):
            gate.refuses_specs()
            gate.policy_denies()
    with gate.replaced(WRONG["413"](dice)):
        gate.refuses_specs()
        gate.everything_else_goes_on("wrong")
    gate.is_back()
    invariants(gate.lab)


def test_a_review_that_is_larger_than_it_reads_is_denied_in_words(gate: Gate) -> None:
    """No 413, of which a client learns nothing."""
    note = {"metadata": {"annotations": {"note": "x" * 200_000}}}
    gate.merge(f"{JOBS}/draft", note).raise_for_status()
    with gate.gone():
        small = WebhookProcess(gate.folder, body_max_bytes=100_000, port=gate.webhook.port)
        with small:
            small.until_ready()
            denied = gate.write("draft", {"displayName": "x"})
            gate.policy_denies()
            gate.everything_else_goes_on("large")

    assert denied.status_code == 403, denied.text
    assert "denied the request: TOO_LARGE: the review exceeds 100000 bytes" in denied.text
    gate.is_back()
    invariants(gate.lab)
