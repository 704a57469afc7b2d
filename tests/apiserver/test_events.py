"""What an operator's people see of a job's life: Events once for each transition, log lines that name the job,
metrics that count it. The real operator against a real API server; the test plays kubelet and worker."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from builders import ELSEWHERE
from chart import NAMESPACE as SYSTEM
from controlplane import free_ports
from flowlab import JOBS, NAMESPACE, FlowLab, Program

Json = dict[str, Any]
EVENTS = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"


class Lab(FlowLab):
    """An installed release whose operator can be restarted and scraped."""

    def _start_operator(self) -> None:
        self.health = f"http://127.0.0.1:{free_ports(1)[0]}"
        settings = {
            "KUBECONFIG": str(
                self.plane.kubeconfig_for(self.plane.token(SYSTEM, "playerscore-operator"), "op")
            ),
            "PLAYERSCORE_HEALTH_PORT": self.health.rsplit(":", 1)[1],
            "PLAYERSCORE_NAMESPACE": SYSTEM,
            "PLAYERSCORE_RUNTIMES_FILE": str(self.plane.folder / "runtimes.json"),
            "PLAYERSCORE_RESYNC_SECONDS": "1",
            "PLAYERSCORE_RETRY_SECONDS": "1",
        }
        log = (self.plane.folder / "operator.log").open("ab")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "playerscore_operator"],
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
            )
        self.programs.append(Program("operator", process))

    def restart_operator(self) -> None:
        operator = next(item for item in self.programs if item.name == "operator")
        operator.process.send_signal(signal.SIGKILL)
        operator.process.wait(10)
        self.programs.remove(operator)
        self._start_operator()
        self.until(lambda: self.metric("scoringjob_operator_leader") == 1)

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of one series of the operator; None while it is not there."""
        try:
            text = httpx.get(f"{self.health}/metrics").text
        except httpx.HTTPError:
            return None
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def events(self, name: str) -> list[Json]:
        """The Events about one job, oldest first."""
        uid = self.job(name)["metadata"]["uid"]
        items = self._ok(self.http.get(EVENTS))["items"]
        mine = [item for item in items if item["regarding"].get("uid") == uid]
        return sorted(mine, key=lambda item: str(item["eventTime"]))

    def told(self, name: str) -> list[tuple[str, str]]:
        return [(item["type"], item["reason"]) for item in self.events(name)]

    def lines(self, event: str) -> list[Json]:
        """The operator's log lines of one kind."""
        found = [json.loads(line) for line in self.said("operator").splitlines() if line.startswith("{")]
        return [line for line in found if line.get("event") == event]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as found:
        yield found


@pytest.fixture(scope="module")
def finished(lab: Lab) -> str:
    """A whole life: preview, pick, confirm, enqueue, an attempt, its result."""
    lab.create("whole")
    lab.preview_done("whole")
    lab.patch("whole", lab.selected("whole"))
    lab.until(lambda: lab.step("whole") == "READY_TO_ENQUEUE")
    lab.patch("whole", {"suspend": False})
    lab.pod_runs("whole", "1")
    lab.until(lambda: lab.condition("whole", "Running") == ("True", "PodRunning"))
    lab.analysis_done("whole")
    return "whole"


LIFE = [("Normal", "PreviewStored"), ("Normal", "PodRunning"), ("Normal", "Completed")]


def test_a_life_is_told_in_events_once_each(lab: Lab, finished: str) -> None:
    lab.until(lambda: len(lab.told(finished)) >= len(LIFE))

    assert lab.told(finished) == LIFE


def test_an_event_says_who_tells_it_and_about_what(lab: Lab, finished: str) -> None:
    event = lab.until(lambda: lab.events(finished)[-1:])[0]

    assert event["reportingController"] == "playerscore.dev/operator"
    assert event["regarding"]["kind"] == "ScoringJob"
    assert event["note"].startswith("overallScore ")


def test_kubectl_describe_shows_them(lab: Lab, finished: str) -> None:
    lab.until(lambda: lab.told(finished) == LIFE)
    described = lab.plane.kubectl("describe", "scoringjob", finished, "-n", NAMESPACE)

    for _, reason in LIFE:
        assert reason in described.split("Events:")[1]


def test_a_restart_and_changes_that_mean_nothing_tell_nothing_again(lab: Lab, finished: str) -> None:
    lab.until(lambda: lab.told(finished) == LIFE)
    before = len(lab.lines("leading"))

    lab.restart_operator()
    for number in range(5):
        lab.merge(f"{JOBS}/{finished}", {"metadata": {"labels": {"touched": str(number)}}})
    lab.until(lambda: len(lab.lines("leading")) > before)
    time.sleep(2.5)  # two resyncs

    assert lab.told(finished) == LIFE


def test_a_job_that_stalls_warns_once_until_the_reason_changes(lab: Lab) -> None:
    lab.create("stalls")
    lab.preview_done("stalls")
    lab.patch("stalls", lab.selected("stalls", box=ELSEWHERE) | {"suspend": False})
    lab.until(lambda: lab.condition("stalls", "Stalled")[0] == "True")
    for number in range(3):
        lab.merge(f"{JOBS}/stalls", {"metadata": {"labels": {"touched": str(number)}}})
    time.sleep(2)

    assert lab.told("stalls") == [("Normal", "PreviewStored"), ("Warning", "TARGET_MISMATCH")]

    lab.patch("stalls", lab.selected("stalls"))
    lab.pod_runs("stalls", "1")
    lab.until(lambda: ("Normal", "PodRunning") in lab.told("stalls"))

    assert Counter(lab.told("stalls"))[("Warning", "TARGET_MISMATCH")] == 1


def test_a_failure_warns_with_the_pods_words(lab: Lab) -> None:
    lab.create("broken")
    words = json.dumps({"code": "VIDEO_TRUNCATED", "message": "the file ends at 12 of 90 s"})
    lab.pod_ends("broken", "p1", 42, words)
    lab.until(lambda: lab.step("broken") == "FAILED")
    event = lab.until(lambda: lab.events("broken"))[-1]

    assert (event["type"], event["reason"]) == ("Warning", "VIDEO_TRUNCATED")
    assert "12 of 90 s" in event["note"]
    assert len(lab.told("broken")) == 1


def test_every_line_about_a_job_names_it(lab: Lab, finished: str) -> None:
    uid = lab.job(finished)["metadata"]["uid"]
    lines = [line for line in lab.lines("reconciled") if line["name"] == finished]

    assert lines
    for line in lines:
        assert line["namespace"] == NAMESPACE
        assert line["uid"] == uid
        assert line["level"] == "info"
        assert line["timestamp"]
    assert {line["attempt"] for line in lines} == {0, 1}


def test_one_jobs_words_never_stand_in_anothers_line(lab: Lab, finished: str) -> None:
    uids = {name: lab.job(name)["metadata"]["uid"] for name in (finished, "stalls", "broken")}

    for line in lab.lines("reconciled"):
        if line["name"] in uids:
            assert line["uid"] == uids[line["name"]]


def test_the_life_is_counted(lab: Lab) -> None:
    """In the process that saw it: after the restart above, the two later jobs."""
    lab.until(lambda: lab.metric("scoringjob_jobs", namespace=NAMESPACE, step="ANALYZING") == 1)

    assert lab.metric("scoringjob_jobs", namespace=NAMESPACE, step="COMPLETED") == 1
    assert lab.metric("scoringjob_jobs", namespace=NAMESPACE, step="FAILED") == 1
    assert lab.metric("scoringjob_finished_total", result="failed", reason="VIDEO_TRUNCATED") == 1
    assert lab.metric("scoringjob_launches_total", kind="preview") == 2
    assert lab.metric("scoringjob_launches_total", kind="analysis") == 1
    assert lab.metric("scoringjob_start_latency_seconds_count") == 1
    assert lab.metric("scoringjob_stalled_jobs", namespace=NAMESPACE) is None
    assert lab.metric("scoringjob_operator_leader") == 1


def test_a_deleted_job_leaves_no_series(lab: Lab) -> None:
    lab.until(lambda: lab.metric("scoringjob_jobs", namespace=NAMESPACE, step="FAILED") == 1)

    lab.plane.kubectl("delete", "scoringjob", "broken", "-n", NAMESPACE)

    lab.until(lambda: lab.metric("scoringjob_jobs", namespace=NAMESPACE, step="FAILED") is None)


WEBHOOK_FAILURE = ('name="scoring.playerscore.dev"', 'error_type="calling_webhook_error"')


def test_the_api_server_counts_a_webhook_that_it_cannot_ask(lab: Lab) -> None:
    """The series that PlayerscoreWebhookFailing asks for is the API server's own: this is its real form."""
    lab.admit()
    webhook = next(item for item in lab.programs if item.name == "webhook")
    webhook.process.kill()
    webhook.process.wait(10)

    answer = lab.http.post(f"{JOBS}?dryRun=All", json=lab.body("nobody-answers"))

    assert answer.status_code == 500
    counted = re.findall(
        r"^apiserver_admission_webhook_rejection_count\{(.*)\} 1$",
        lab.http.get("/metrics").text,
        re.MULTILINE,
    )
    assert [line for line in counted if all(part in line for part in WEBHOOK_FAILURE)], counted
