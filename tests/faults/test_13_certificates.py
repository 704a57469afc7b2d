"""The webhook's certificate runs out, its authority is replaced under load, the bundle is a stranger's.

Promise: no admission fails while certificates and authorities are replaced at 20 writes a second; a certificate
that has run out is not ready first, and stops nothing but specs; when the operator is back, so are they.
"""

import base64
import datetime as dt
import json
import random
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from faultlab import FaultLab, invariants
from playerscore import names
from playerscore_operator.certificates import read_pair
from webhooks import NAMESPACE, SECRET, WebhookProcess, issued, mount, register, secret_data, served

Json = dict[str, Any]
JOBS = f"/apis/{names.API_VERSION}/namespaces/default/{names.JOB_PLURAL}"
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/playerscore"
WRITES_PER_SECOND = 20
TIMEOUT_SECONDS = 3.0
SLACK_SECONDS = 5.0
OBJECTS = 10
KEEPING = {
    "PLAYERSCORE_NAMESPACE": NAMESPACE,
    "PLAYERSCORE_WEBHOOK_CONFIGURATION": "playerscore",
    "PLAYERSCORE_WEBHOOK_SETTLE_SECONDS": "1",
    "PLAYERSCORE_WEBHOOK_OVERLAP_SECONDS": "4",
    "PLAYERSCORE_CERTIFICATE_CHECK_SECONDS": "0.3",
}
ROTATING = KEEPING | {
    "PLAYERSCORE_WEBHOOK_LEAF_SECONDS": "18",
    "PLAYERSCORE_WEBHOOK_AUTHORITY_SECONDS": "30",
}
SHORT_LIVED = KEEPING | {
    "PLAYERSCORE_WEBHOOK_LEAF_SECONDS": "12",
    "PLAYERSCORE_WEBHOOK_AUTHORITY_SECONDS": "600",
}


class Node:
    """The kubelet of the webhook's node: mounts the Secret into the webhook's folder when it has changed."""

    def __init__(self, lab: FaultLab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.serials: list[int] = []
        """Of the certificates that were mounted, in their order."""
        self.bundles: list[str] = []
        """That were mounted, in their order."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            answer = self._lab.http.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}")
            if answer.is_success:
                self._mount(answer.json()["data"])

    def _mount(self, data: Json) -> None:
        pair = read_pair(data)
        assert pair is not None
        serial, bundle = pair.certificate.serial_number, data["ca.crt"]
        if (self.serials[-1:], self.bundles[-1:]) == ([serial], [bundle]):
            return
        mount(self._folder, data)
        if self.serials[-1:] != [serial]:
            self.serials.append(serial)
        if self.bundles[-1:] != [bundle]:
            self.bundles.append(bundle)


class Guarded:
    """A registered webhook whose certificate the lab's operator keeps."""

    def __init__(self, lab: FaultLab, folder: Path) -> None:
        self.lab = lab
        self.webhook = WebhookProcess(folder)
        self.node = Node(lab, folder)

    def begin(self, settings: dict[str, str]) -> None:
        """Start the operator with these settings, and wait until writes are admitted."""
        self.lab.start_operator(**settings)
        self.webhook.until_ready()
        for number in range(OBJECTS):
            self.lab.until(lambda number=number: self._create(f"steady-{number}"))

    def _create(self, name: str) -> bool:
        body = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": {"name": name}}
        spec = {"video": {"uri": "s3://a/b"}, "preview": {"disabled": True}}
        return self.lab.http.post(JOBS, json={**body, "spec": spec}).status_code in (201, 409)

    def write(self, number: int) -> httpx.Response:
        path = f"{JOBS}/steady-{number % OBJECTS}"
        return self.merge(path, {"spec": {"displayName": f"write {number} of {time.monotonic()}"}})

    def merge(self, path: str, patch: Any, kind: str = "merge-patch") -> httpx.Response:
        headers = {"Content-Type": f"application/{kind}+json"}
        return self.lab.http.patch(path, content=json.dumps(patch), headers=headers)

    def bundle(self) -> str:
        """What the API server trusts."""
        found = self.lab.http.get(CONFIGURATION).json()["webhooks"][0]["clientConfig"]
        return str(found.get("caBundle", ""))

    def refuses_specs_alone(self) -> None:
        began = time.monotonic()
        refused = self.write(0)

        assert refused.status_code == 500, refused.text
        assert "failed to call webhook" in refused.json()["message"]
        assert "certificate" in refused.json()["message"]
        assert time.monotonic() - began < TIMEOUT_SECONDS + SLACK_SECONDS
        self.merge(f"{JOBS}/steady-0", {"metadata": {"labels": {"team": "a"}}}).raise_for_status()
        status = {"status": {"artifacts": []}}
        self.merge(f"{JOBS}/steady-0/status", status).raise_for_status()


@pytest.fixture
def guarded(own_lab: FaultLab, tmp_path: Path) -> Iterator[Guarded]:
    """Nothing has a certificate yet."""
    found = Guarded(own_lab, tmp_path)
    with found.webhook:
        register(own_lab.plane, found.webhook.port)
        found.node.start()
        try:
            yield found
        finally:
            found.node.stop()
            own_lab.plane.kubectl("delete", "validatingwebhookconfiguration", "playerscore")
            own_lab.plane.kubectl("delete", "secret", "-n", NAMESPACE, "--all")
            own_lab.plane.kubectl("delete", "lease", "-n", NAMESPACE, "--all")


def pems(bundle: str) -> list[bytes]:
    end = b"-----END CERTIFICATE-----\n"
    return [each + end for each in base64.b64decode(bundle).split(end)[:-1]]


@pytest.mark.long
def test_no_write_fails_while_certificates_and_authorities_are_replaced(guarded: Guarded) -> None:
    """Beside the writes, new connections that trust exactly what the API server trusts."""
    guarded.begin(ROTATING)
    node = guarded.node
    certificates, bundles = len(node.serials), len(node.bundles)
    failures: list[str] = []
    seen: set[bytes] = set()
    sent, begin = 0, time.monotonic()

    def write(number: int) -> None:
        answer = guarded.write(number)
        if not answer.is_success:
            failures.append(answer.text)

    with ThreadPoolExecutor(8) as pool:
        while len(node.serials) < certificates + 3 or len(node.bundles) < bundles + 4:
            assert time.monotonic() - begin < 180, (node.serials, len(node.bundles))
            pool.submit(write, sent)
            sent += 1
            if sent % WRITES_PER_SECOND == 0:
                try:
                    seen.add(served(guarded.webhook, guarded.bundle()))
                except (OSError, ssl.SSLError) as error:
                    failures.append(f"new connection: {error!r}")
            time.sleep(max(0.0, begin + sent / WRITES_PER_SECOND - time.monotonic()))

    assert failures == []
    assert len(seen) >= 3
    assert {len(pems(bundle)) for bundle in node.bundles} == {1, 2}, "old and new authority overlap"
    assert guarded.webhook.process.poll() is None
    invariants(guarded.lab, restart=False)


def test_a_certificate_that_runs_out_is_not_ready_first_and_is_renewed_when_the_operator_is_back(
    guarded: Guarded, dice: random.Random
) -> None:
    guarded.begin(SHORT_LIVED)
    guarded.lab.stop_operator(dice.choice([signal.SIGTERM, signal.SIGKILL]))

    assert guarded.webhook.readiness()[0] == 200

    ready = True
    while ready:
        # Asked after the write: as long as it is ready, what was sent before was admitted.
        answer = guarded.write(1)
        ready = guarded.webhook.readiness()[0] == 200
        assert answer.is_success or not ready, answer.text
        time.sleep(0.1)

    assert guarded.webhook.until_ready(503) == "the certificate has expired"
    _new_connections(guarded)
    guarded.refuses_specs_alone()

    guarded.lab.start_operator(**SHORT_LIVED)
    guarded.webhook.until_ready()
    guarded.lab.until(lambda: guarded.write(2).is_success)
    invariants(guarded.lab, restart=False)


def _new_connections(guarded: Guarded) -> None:
    """A kept connection outlives its certificate: the API server makes new ones when its configuration changes."""
    patch = {"op": "replace", "path": "/webhooks/0/clientConfig/caBundle"}
    bundle = base64.b64encode(base64.b64decode(guarded.bundle()) + b"\n").decode()
    guarded.merge(CONFIGURATION, [patch | {"value": bundle}], "json-patch").raise_for_status()
    guarded.lab.until(lambda: not guarded.write(3).is_success)


def test_a_strangers_bundle_stops_specs_until_the_operator_puts_its_own_back(guarded: Guarded) -> None:
    guarded.begin(KEEPING)
    own = guarded.bundle()
    strangers = secret_data(issued(now=dt.datetime.now(dt.UTC)))["ca.crt"]
    guarded.lab.signal("one", signal.SIGSTOP)
    patch = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": strangers}]
    guarded.merge(CONFIGURATION, patch, "json-patch").raise_for_status()
    guarded.lab.until(lambda: not guarded.write(0).is_success)
    guarded.refuses_specs_alone()
    guarded.lab.signal("one", signal.SIGCONT)

    guarded.lab.until(lambda: guarded.bundle() == own)
    guarded.lab.until(lambda: guarded.write(1).is_success)
    invariants(guarded.lab, restart=False)
