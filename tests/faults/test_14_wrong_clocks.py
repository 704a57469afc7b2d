"""One replica's clock is ten minutes ahead, or ten minutes behind.

Promise: nobody loses the Lease by it, or keeps it after an end; deadlines and retries come when they are due;
the webhook's certificate is valid at once.
"""

import datetime as dt
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faultlab import FaultLab, invariants
from playerscore_operator.certificates import read_pair

Json = dict[str, Any]
CLOCK = """
import datetime as dt
import os

import time_machine

wrong = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=float(os.environ["CLOCK_SECONDS"]))
time_machine.travel(wrong, tick=True).start()
"""
LEASE = {"PLAYERSCORE_LEASE_SECONDS": "6", "PLAYERSCORE_RENEW_DEADLINE_SECONDS": "4"}
CONFIGURATION = "faults-clock"
SECRETS = ("playerscore-webhook-tls", "playerscore-webhook-ca")
TOLERATED = dt.timedelta(minutes=9)
"""By so much a node's clock may be behind and still trust a new certificate."""


@pytest.fixture
def clock(tmp_path: Path) -> dict[str, str]:
    """Starts a process of Python under the clock that `CLOCK_SECONDS` names."""
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    return {"PYTHONPATH": str(tmp_path)}


def configuration() -> Json:
    """A webhook's registration that the operator is to fill with a certificate; it concerns nothing."""
    rule = {
        "apiGroups": ["example.com"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["nothings"],
    }
    hook = {
        "name": "clock.playerscore.dev",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "clientConfig": {"url": "https://localhost:9/"},
        "rules": [rule],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [hook],
    }


@pytest.fixture
def registered(lab: FaultLab) -> Iterator[None]:
    """The registration is there; it and what comes of it goes afterwards."""
    lab.apply(configuration())
    yield
    lab.stop()
    lab.plane.kubectl("delete", "validatingwebhookconfiguration", CONFIGURATION)
    lab.plane.kubectl("delete", "secret", "--ignore-not-found", *SECRETS)


def validity(lab: FaultLab) -> tuple[dt.datetime, dt.datetime]:
    """From when to when the webhook's certificate is valid."""
    data = lab.until(lambda: lab.get("secret", SECRETS[0]).get("data"))
    pair = read_pair(data)
    assert pair is not None
    return pair.certificate.not_valid_before_utc, pair.certificate.not_valid_after_utc


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("seconds", [pytest.param(600, id="ahead"), pytest.param(-600, id="behind")])
def test_a_wrong_clock_changes_nothing(lab: FaultLab, clock: dict[str, str], seconds: int) -> None:
    settings = LEASE | {"PLAYERSCORE_WEBHOOK_CONFIGURATION": CONFIGURATION}
    lab.start_operator("wrong", **clock, **settings, CLOCK_SECONDS=str(seconds))
    lab.leads("wrong")
    lab.start_operator("right", **settings)
    lab.until(lambda: lab.probe("right", "readyz") == (200, "standby"))

    waiting = lab.create_job("waiting", lab.ready("waiting") | {"startDeadlineSeconds": 300})
    failing = lab.create_job("failing", lab.ready("failing") | {"retry": {"limit": 1}})
    lab.until(lambda: lab.get("job", f"sj-{waiting}-1"))
    lab.pod_runs(f"sj-{failing}-1")
    lab.pod_ends(f"sj-{failing}-1", 1, "no route to the store")
    lab.until(lambda: lab.get("job", f"sj-{failing}-2"))
    run = lab.get("scoringjob", "failing")["status"]["run"]
    begins, ends = validity(lab)
    now = dt.datetime.now(dt.UTC)

    assert abs(dt.datetime.fromisoformat(run["launchTime"]) - now) < dt.timedelta(minutes=2)
    assert lab.step("waiting") == "QUEUED"
    assert begins < now - TOLERATED
    assert ends > now + dt.timedelta(days=30)
    assert lab.holder() == "wrong", "it leads, and is left alone"
    assert lab.probe("right", "readyz") == (200, "standby")

    lab.signal("wrong", signal.SIGKILL)
    lab.leads("right")

    lab.pod_runs(f"sj-{waiting}-1")
    lab.attempt_done("waiting", waiting)
    lab.pod_runs(f"sj-{failing}-2")
    lab.attempt_done("failing", failing, 2)
    lab.all_at("COMPLETED", ["waiting", "failing"])
    assert validity(lab) == (begins, ends), "the other replica has nothing to mend"
    invariants(lab)
