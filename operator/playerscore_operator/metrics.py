"""Prometheus metrics of the operator: all are declared here, and what a transition tells is counted here.

A label's values are a closed set (an enum, an HTTP status, a known code) or the namespaces that hold jobs. A
job's or player's name is never one, nor is anything that a pod may write: an unknown code counts as OTHER.
"""

import platform
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from playerscore import names, steps
from playerscore.errors import CATALOGUE
from playerscore.names import FINISHED, ConditionType, Reason, Step
from playerscore_operator import children
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import Decision

Json = dict[str, Any]
Key = tuple[str, str]

MINUTES = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)
CODES: Final = frozenset(CATALOGUE) | frozenset(Reason)
OTHER: Final = "OTHER"
LAUNCHED: Final = frozenset({Step.QUEUED, Step.ANALYZING})

RECONCILES = Counter(
    "scoringjob_reconciles",
    "Reconciliations by `outcome`: changed, unchanged, conflict (judged again), refused (a child Job was not let in), gone, unreadable.",
    ["outcome"],
)
RECONCILE_ERRORS = Counter(
    "scoringjob_reconcile_errors",
    "Reconciliations that failed and are tried again, by the HTTP `code` of the API server; 0: no answer or a fault of ours.",
    ["code"],
)
RECONCILE_SECONDS = Histogram(
    "scoringjob_reconcile_duration_seconds",
    "Duration of one reconciliation.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
RESYNC_SECONDS = Histogram(
    "scoringjob_resync_duration_seconds",
    "Duration of one resync: the listings of metadata and their comparison.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RESYNC_ERRORS = Counter(
    "scoringjob_resync_errors",
    "Resyncs that failed, by the HTTP `code` of the API server; 0: no answer. 403 is a right that was taken away.",
    ["code"],
)
QUEUE_DEPTH = Gauge("scoringjob_workqueue_depth", "Jobs that wait to be reconciled.")
QUEUE_AGE = Gauge("scoringjob_workqueue_oldest_seconds", "How long the first of them has waited.")
LAUNCHES = Counter("scoringjob_launches", "Child Jobs created, by `kind`: preview, analysis.", ["kind"])
LAUNCH_FAILURES = Counter(
    "scoringjob_launch_failures",
    "Child Jobs that the API server refused to create, by HTTP `code`; 0: no answer.",
    ["code"],
)
EVICTIONS = Counter(
    "scoringjob_evictions", "Admitted jobs that their queue held back again: preemption, a closed queue."
)
RETRIES = Counter(
    "scoringjob_retries", "Attempts repeated after a failure, by its `reason` (an error code).", ["reason"]
)
FINISHED_JOBS = Counter(
    "scoringjob_finished",
    "Jobs that ended, by `result` (completed, failed) and `reason` (Completed, or an error code).",
    ["result", "reason"],
)
RESULTS = Counter(
    "scoringjob_result_writes",
    "Results sealed, by `source`: report (the reporter wrote it), termination-message (it could not).",
    ["source"],
)
QUEUE_WAIT_SECONDS = Histogram(
    "scoringjob_queue_wait_seconds",
    "From an attempt's Job to its admission by the queue; near 0 without a queue.",
    buckets=MINUTES,
)
START_SECONDS = Histogram(
    "scoringjob_start_latency_seconds",
    "From admission to a running worker: scheduling, image, download of the video.",
    buckets=MINUTES,
)
RUN_SECONDS = Histogram(
    "scoringjob_run_duration_seconds", "From a running worker to the job's end.", buckets=MINUTES
)
SCORE = Histogram(
    "scoringjob_overall_score",
    "Distribution of `overallScore`; a sudden shift is a change of detector, videos or cameras.",
    buckets=tuple(range(10, 101, 10)),
)
COVERAGE = Histogram(
    "scoringjob_supported_share",
    "Share of the sampled frames in which the player was seen, of each sealed result.",
    buckets=tuple(part / 10 for part in range(1, 11)),
)
FRAMES_PER_SECOND = Histogram(
    "scoringjob_frames_per_second",
    "Sampled frames for each second that the worker ran, of each sealed result.",
    buckets=(0.5, 1, 2.5, 5, 10, 25, 50, 100, 250),
)
LEADER = Gauge("scoringjob_operator_leader", "1 while this replica leads.")
RUNTIMES_UNAPPLIED = Gauge(
    "scoringjob_operator_runtimes_unapplied",
    "1 while the leader cannot apply the release's ScoringRuntimes, or cannot delete one that left the release.",
)
LOOP_LAG = Gauge("scoringjob_operator_loop_lag_seconds", "How late the event loop runs its timers.")
EVENT_AGE = Gauge(
    "scoringjob_operator_event_age_seconds",
    "Time since the last event or listing; it means something only where this replica leads.",
)
BUILD = Info("scoringjob_build", "The `version` of playerscore, and those of `kopf` and `python`.")
BUILD.info({"version": version("playerscore"), "kopf": version("kopf"), "python": platform.python_version()})
# A series that begins with its first event hides that event from `increase`: these begin at 0.
FINISHED_JOBS.labels("completed", Reason.COMPLETED)
for _reason in ("NO_RESULT", "WORKER_FAILED", "OUT_OF_MEMORY"):
    FINISHED_JOBS.labels("failed", _reason)
    RETRIES.labels(_reason)
for _code in (0, 403, 409, 422, 429, 500, 503):
    LAUNCH_FAILURES.labels(_code)
    RECONCILE_ERRORS.labels(_code)
for _source in ("report", "termination-message"):
    RESULTS.labels(_source)


class Standing(NamedTuple):
    """Where one job stands."""

    step: str
    stalled: bool
    waits_since: float | None
    """While it is enqueued and no worker runs: since when, seconds since the epoch."""


class Census(Collector):
    """Counts jobs by where they stand, at the scrape, so that no series outlives its jobs.

    Derived from what was observed: the first listing after a start fills it again.
    """

    def __init__(self) -> None:
        self._standings: dict[Key, Standing] = {}

    def note(self, key: Key, standing: Standing | None) -> None:
        """Where a job stands now; None: it is gone."""
        if standing is None:
            self._standings.pop(key, None)
        else:
            self._standings[key] = standing

    def keep(self, keys: Iterable[Key]) -> None:
        """Forget the jobs that a full listing did not name."""
        for key in set(self._standings).difference(keys):
            del self._standings[key]

    def describe(self) -> Iterator[Metric]:
        return iter(self._families())

    def collect(self) -> Iterator[Metric]:
        jobs, stalled, oldest = self._families()
        for (namespace, step), count in Tally(
            (key[0], standing.step) for key, standing in self._standings.items()
        ).items():
            jobs.add_metric([namespace, step], count)
        for namespace, count in Tally(
            key[0] for key, standing in self._standings.items() if standing.stalled
        ).items():
            stalled.add_metric([namespace], count)
        waits: dict[str, float] = {}
        for (namespace, _), standing in self._standings.items():
            if standing.waits_since is not None:
                waits[namespace] = min(standing.waits_since, waits.get(namespace, standing.waits_since))
        for namespace, since in waits.items():
            oldest.add_metric([namespace], max(0.0, time.time() - since))
        yield from (jobs, stalled, oldest)

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily(
                "scoringjob_jobs",
                "ScoringJobs by `namespace` and `step` of the flow.",
                labels=["namespace", "step"],
            ),
            GaugeMetricFamily(
                "scoringjob_stalled_jobs",
                "Unfinished ScoringJobs whose condition Stalled is True: an enqueued job that must not start.",
                labels=["namespace"],
            ),
            GaugeMetricFamily(
                "scoringjob_oldest_waiting_seconds",
                "How long the longest waiting enqueued ScoringJob of a `namespace` has had no running worker.",
                labels=["namespace"],
            ),
        )


CENSUS = Census()
REGISTRY.register(CENSUS)


def known(code: str) -> str:
    """The code itself, or OTHER: what a pod makes up must not become a series."""
    return str(code) if code in CODES else OTHER


def record(observed: Observed, decision: Decision, now: datetime) -> None:
    """Count what a decision that was carried out changed, and where the job stands after it."""
    for body in decision.creates:
        preview = body["metadata"]["name"].startswith(names.preview_job_name(observed.uid, 0)[:-1])
        LAUNCHES.labels("preview" if preview else "analysis").inc()
    status = decision.status or {}
    if _evicted(observed, status):
        EVICTIONS.inc()
    if _turned_true(observed, status, ConditionType.RUNNING):
        _record_start(observed, now)
    run = status.get("run", {})
    if "attempt" in run and observed.run.failed_attempt == observed.attempt > 0:
        failure = steps.condition(observed.status, ConditionType.RUNNING)
        RETRIES.labels(known(failure.reason if failure else OTHER)).inc()
    step = status.get("progress", {}).get("step")
    if step in FINISHED:
        _record_end(observed, status, Step(step), now)
    CENSUS.note((observed.namespace, observed.name), _standing(observed, status, now))


def _claims(observed: Observed, status: Json, kind: ConditionType) -> tuple[str, str]:
    """(status, reason) of a condition after the write."""
    for item in status.get("conditions", []):
        if item["type"] == kind:
            return item["status"], item["reason"]
    old = steps.condition(observed.status, kind)
    return (old.status, old.reason) if old else ("Unknown", "")


def _turned_true(observed: Observed, status: Json, kind: ConditionType) -> bool:
    old = steps.condition(observed.status, kind)
    return _claims(observed, status, kind)[0] == "True" and (old is None or old.status != "True")


def _evicted(observed: Observed, status: Json) -> bool:
    old = steps.condition(observed.status, ConditionType.ADMITTED)
    now = _claims(observed, status, ConditionType.ADMITTED)
    return old is not None and old.status == "True" and now == ("False", Reason.QUEUED)


def _child(observed: Observed) -> Json | None:
    return observed.jobs.get(names.analysis_job_name(observed.uid, observed.attempt))


def _record_start(observed: Observed, now: datetime) -> None:
    job = _child(observed)
    admitted = children.waits_since(job) if job else None
    if job is None or admitted is None:
        return
    created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    QUEUE_WAIT_SECONDS.observe(max(0.0, (admitted - created).total_seconds()))
    START_SECONDS.observe(max(0.0, (now - admitted).total_seconds()))


def _record_end(observed: Observed, status: Json, step: Step, now: datetime) -> None:
    _, reason = _claims(observed, status, ConditionType.SUCCEEDED)
    FINISHED_JOBS.labels(step.lower(), known(reason)).inc()
    started = observed.status.run.start_time if observed.status.run else None
    seconds = max(0.0, (now - started).total_seconds()) if started else 0.0
    if seconds:
        RUN_SECONDS.observe(seconds)
    if step is not Step.COMPLETED:
        return
    fallback = status.get("result")
    RESULTS.labels("termination-message" if fallback else "report").inc()
    result = fallback or (
        observed.status.result.model_dump(mode="json", by_alias=True) if observed.status.result else None
    )
    if result:
        SCORE.observe(result["overallScore"])
        COVERAGE.observe(result["signals"]["supported_share"])
        if seconds:
            FRAMES_PER_SECOND.observe(result["signals"]["sampled_frames"] / seconds)


def _standing(observed: Observed, status: Json, now: datetime) -> Standing:
    progress = observed.status.progress
    step = status.get("progress", {}).get("step") or (progress.step if progress else None)
    stalled = step not in FINISHED and _claims(observed, status, ConditionType.STALLED)[0] == "True"
    waits = step in LAUNCHED and _claims(observed, status, ConditionType.RUNNING)[0] != "True"
    since = _waits_since(observed, now).timestamp() if waits else None
    return Standing(str(step or Step.EXTRACTING_PREVIEW), stalled, since)


def _waits_since(observed: Observed, now: datetime) -> datetime:
    """Since when an enqueued job has no running worker."""
    running, admitted = (
        steps.condition(observed.status, kind) for kind in (ConditionType.RUNNING, ConditionType.ADMITTED)
    )
    if observed.run.start_time and running:
        return now if running.status == "True" else running.last_transition_time
    if job := _child(observed):
        return datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    return admitted.last_transition_time if admitted else now
