"""One analysis attempt: launched by a judged write, watched, stopped, repeated, ended. Pure.

A new attempt starts only when nothing of an older one is left, neither its Job nor a pod that may still work.
"""

from datetime import datetime, timedelta

from playerscore import football, names, steps
from playerscore.names import ConditionType, Reason, Step
from playerscore.resources import Result, ScoringRuntimeSpec
from playerscore_operator import children, manifests, queues, waits
from playerscore_operator.children import Blame, Ending, JobState
from playerscore_operator.conditions import REFUSED
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import GONE_RECHECK_SECONDS, Claim, Claims, Json, Outcome, stamp

STOPPED = frozenset({Reason.SUSPENDED, Reason.STOPPING})
"""Reasons of Running that say: whatever is left of this attempt is to go, and counts no more."""
UNSTARTED = frozenset({Reason.LAUNCHED, *REFUSED})
"""Reasons of Running that say: the attempt's Job was to be created."""
DELETED_RELAUNCH_SECONDS = 10.0
"""The least time between two attempts of which somebody deletes the Jobs."""


def advance(observed: Observed, runtime: ScoringRuntimeSpec, now: datetime, api_url: str) -> Outcome:
    """The job may run: start, watch or end its attempt."""
    if observed.attempt == 0:
        return launch(observed, runtime, now, api_url)
    job, pods = _current(observed)
    if _outdated(observed, job):
        return replaced(observed) or launch(observed, runtime, now, api_url)
    if observed.run.failed_attempt == observed.attempt:
        return _after_failure(observed, runtime, now, api_url)
    if job is None:
        return _without_child(observed, runtime, now, api_url)
    state = children.job_state(job)
    if state is JobState.DELETING:
        return _taken_away(observed)
    if state is JobState.ACTIVE:
        return _runs(observed, runtime, job, pods, now)
    if state is JobState.COMPLETE:
        end = children.unreported(pods, "The worker ended without a result")
    else:
        end = children.ending(job, pods, stored=observed.stored)
    return _count(observed, runtime, job, end, now)


def works(observed: Observed) -> bool:
    """Whether an attempt may still work, or has a result that is not sealed yet."""
    left = children.live_analyses(observed, deleting=True) or children.live_analysis_pods(observed)
    return bool(left) or sealed(observed) is not None


def sealed(observed: Observed) -> Outcome | None:
    """The end of an attempt whose Job is complete: the reported result, else the termination message's.

    It stands although the job was paused, or lost its runtime, a moment after.
    """
    job, pods = _current(observed)
    if job is None or children.job_state(job) is not JobState.COMPLETE or _outdated(observed, job):
        return None
    generation, reported = observed.run.generation, observed.status.result
    result = reported if reported and reported.generation == generation else children.result_of(pods)
    if result is None or result.generation != generation:
        return None
    claims = admitted(observed)
    claims[ConditionType.RUNNING] = ("False", Reason.COMPLETED, "The attempt is over")
    reason, text = Reason.COMPLETED, f"overallScore {result.overall_score}"
    if lost := children.lost(pods):
        reason, text = Reason.ARTIFACTS_LOST, f"{text}. {lost.message}"
    if observed.spec.anchors and result.anchors is None:
        text = f"{text}. The worker's image is older than spec.anchors: it followed from the target alone"
    claims[ConditionType.SUCCEEDED] = ("True", reason, text)
    if observed.spec.pitch is not None:
        claims[ConditionType.PITCH_CALIBRATED] = calibrated(result)
    return Outcome(claims=claims, result=result, ended=Step.COMPLETED)


def calibrated(result: Result) -> Claim:
    """What became of the job's pitch: the score rests on metres, or why not."""
    told = [f"{w.code}: {w.message}" for w in result.warnings or [] if w.code in names.PITCH_WARNINGS]
    if result.method == football.METHOD and result.metrics is not None:
        share, error = 100 * result.metrics.calibrated_share, result.metrics.position_error_m
        text = f"{share:.0f} % of the time in which he was seen is in metres, to {error:.1f} m"
        return ("True", Reason.CALIBRATED, ". ".join([text, *told]))
    if told:
        return ("False", told[0].split(":")[0], ". ".join(told))
    return (
        "False",
        Reason.PITCH_UNSUPPORTED,
        "The worker's image is older than spec.pitch: it scored without metres",
    )


def withheld(observed: Observed, refusal: Claim) -> Outcome:
    """No attempt may run: what is left of the current one goes, and then the job rests."""
    claims: Claims = {ConditionType.ADMITTED: refusal}
    if not observed.attempt:
        return Outcome(claims=claims)
    outcome = stop(observed, f"The attempt is stopped. {refusal[2]}") or Outcome(
        claims={ConditionType.RUNNING: ("False", Reason.SUSPENDED, refusal[2])},
        # What its worker wrote while it was stopped is of no selection that may still come.
        cleared=observed.status.result is not None,
    )
    outcome.claims |= claims
    return outcome


def undisturbed(observed: Observed) -> Outcome | None:
    """An attempt that runs goes on, whatever became of its runtime; None when none runs."""
    job, pods = _current(observed)
    if job is None or children.job_state(job) is not JobState.ACTIVE or _outdated(observed, job):
        return None
    claims = _admission(observed, job)
    if pod := children.running_pod(pods):
        claims[ConditionType.RUNNING] = _pod_runs(pod)
    return Outcome(claims=claims)


def replaced(observed: Observed) -> Outcome | None:
    """The stop of an attempt of an older selection; None when it is none, or nothing of it is left."""
    if not _outdated(observed, _current(observed)[0]):
        return None
    return stop(observed, "The attempt of an older selection is stopped")


def stop(observed: Observed, message: str) -> Outcome | None:
    """Delete what is left of the older attempts; None when nothing is."""
    jobs, pods = children.live_analyses(observed, deleting=True), children.live_analysis_pods(observed)
    if not jobs and not pods:
        return None
    left = ", ".join(sorted(pod["metadata"]["name"] for pod in pods) or sorted(jobs))
    return Outcome(
        claims={ConditionType.RUNNING: ("False", Reason.STOPPING, f"{message}; still there: {left}")},
        deletes=children.live_analyses(observed),
        requeue_seconds=GONE_RECHECK_SECONDS,
    )


def launch(
    observed: Observed, runtime: ScoringRuntimeSpec, now: datetime, api_url: str, *, again: bool = False
) -> Outcome:
    """The start of an attempt: a guarded status write, then the Job. `again` keeps the counts of failures."""
    attempt, run = observed.attempt + 1, observed.run
    claims: Claims = {
        **_admission(observed, None, attempt),
        ConditionType.RUNNING: _starting(attempt),
    }
    return Outcome(
        claims=claims,
        run={
            "attempt": attempt,
            "failures": (run.failures or 0) if again else 0,
            "memoryFailures": run.memory_failures if again else None,
            "disruptions": run.disruptions if again else None,
            "disruptedPod": None,
            "retryTime": None,
            "generation": observed.generation,
            "jobName": names.analysis_job_name(observed.uid, attempt),
            "runtime": observed.runtime.metadata["name"] if observed.runtime else None,
            "launchTime": stamp(now),
            "startTime": None,
            "firstStartTime": stamp(run.first_start_time) if again and run.first_start_time else None,
            "completionTime": None,
            "node": None,
            "trouble": None,
            "troubleTime": None,
        },
        cleared=True,
        first=attempt == 1,
        creates=[_body(observed, runtime, attempt, api_url, again=again)],
    )


def admitted(observed: Observed, attempt: int | None = None) -> Claims:
    return {ConditionType.ADMITTED: ("True", Reason.LAUNCHED, f"Attempt {attempt or observed.attempt}")}


def _admission(observed: Observed, job: Json | None, attempt: int | None = None) -> Claims:
    """Admitted, unless a queue holds the Job back, or will judge the one that is not there yet."""
    queue = observed.spec.queue_name
    if queues.held(job) and queue is None:
        said = queues.words(None, observed.workload)
        return {ConditionType.ADMITTED: ("False", Reason.SUSPENDED_ELSEWHERE, said)}
    if queues.held(job) or (job is None and queue is not None):
        return {ConditionType.ADMITTED: ("False", Reason.QUEUED, queues.words(queue, observed.workload))}
    return admitted(observed, attempt)


def _body(
    observed: Observed, runtime: ScoringRuntimeSpec, attempt: int, api_url: str, *, again: bool = True
) -> Json:
    memory = observed.run.memory_failures if again else None
    return manifests.analysis_job(observed, runtime, attempt, api_url, memory_failures=memory)


def _current(observed: Observed) -> tuple[Json | None, list[Json]]:
    return children.child(observed, names.analysis_job_name(observed.uid, observed.attempt))


def _outdated(observed: Observed, job: Json | None) -> bool:
    """Whether the attempt was stopped, or its Job is of another selection."""
    if observed.condition_reason(ConditionType.RUNNING) in STOPPED:
        return True
    return job is not None and manifests.hash_of(job) != manifests.spec_hash(observed)


def _starting(attempt: int) -> Claim:
    return ("False", Reason.LAUNCHED, f"Attempt {attempt} is starting")


def _without_child(observed: Observed, runtime: ScoringRuntimeSpec, now: datetime, api_url: str) -> Outcome:
    """The attempt's Job is missing: it was not created yet, or somebody deleted it."""
    reason, run = observed.condition_reason(ConditionType.RUNNING), observed.run
    if children.live_analyses(observed, deleting=True) or children.live_analysis_pods(observed):
        return _taken_away(observed)
    if reason in UNSTARTED and run.generation == observed.generation:
        # A refusal stands on the job until the Job is there.
        claims = _admission(observed, None)
        return Outcome(claims=claims, creates=[_body(observed, runtime, observed.attempt, api_url)])
    launched = run.launch_time
    if launched is not None and reason not in UNSTARTED:
        left = (launched + timedelta(seconds=DELETED_RELAUNCH_SECONDS) - now).total_seconds()
        if left > 0:
            return _taken_away(observed, left)
    return launch(observed, runtime, now, api_url, again=True)


def _taken_away(observed: Observed, seconds: float = GONE_RECHECK_SECONDS) -> Outcome:
    claims = admitted(observed)
    text = (
        "The attempt's Job was deleted, not by the operator; another attempt follows when all of it is gone"
    )
    claims[ConditionType.RUNNING] = ("False", Reason.JOB_DELETED, text)
    return Outcome(claims=claims, requeue_seconds=seconds)


def _pod_runs(pod: Json) -> Claim:
    name, node = pod["metadata"]["name"], children.node_of(pod)
    if children.node_is_lost(pod):
        return ("Unknown", Reason.NODE_LOST, f"Node {node} of pod {name} does not answer")
    if words := children.disruption(pod):
        return ("True", Reason.DISRUPTED, f"Pod {name} is being taken away: {words}; another follows")
    return ("True", Reason.POD_RUNNING, f"Pod {name}")


def _runs(
    observed: Observed, runtime: ScoringRuntimeSpec, job: Json, pods: list[Json], now: datetime
) -> Outcome:
    disrupted = _disruptions(observed, pods)
    if disrupted.get("disruptions", 0) > waits.MOST_DISRUPTIONS:
        return _too_often(disrupted, pods)
    claims = _admission(observed, job)
    orphans = [name for name in children.live_analyses(observed) if name != job["metadata"]["name"]]
    if pod := children.running_pod(pods):
        claims[ConditionType.RUNNING] = _pod_runs(pod)
        started = observed.run.start_time or now
        run = disrupted | {
            "node": children.node_of(pod),
            "startTime": stamp(started),
            "firstStartTime": stamp(observed.run.first_start_time or started),
            "trouble": None,
            "troubleTime": None,
        }
        return Outcome(claims=claims, run=run, deletes=orphans)
    if children.has_ended(pods):
        return Outcome(claims=claims, run=disrupted, deletes=orphans)
    waiting = waits.look(observed, runtime, job, pods, now)
    if waiting.over is not None:
        return _given_up(observed, job, waiting.over, now)
    claims[ConditionType.RUNNING] = _pending(observed, waiting)
    run = disrupted | (waiting.run or {})
    return Outcome(claims=claims, run=run, deletes=orphans, requeue_seconds=waiting.next_seconds)


def _given_up(observed: Observed, job: Json, end: Ending, now: datetime) -> Outcome:
    """A start that is waited for no longer: the job's end, or another attempt where the cluster failed."""
    if end.blame is not Blame.CLUSTER:
        return waits.failed(end)
    outcome = _set_back(observed, job, end, now)
    outcome.deletes = children.live_analyses(observed)
    return outcome


def _disruptions(observed: Observed, pods: list[Json]) -> Json:
    """The count of the pods that were taken away, each once; empty when there is no new one."""
    taken = [pod["metadata"]["name"] for pod in pods if children.disruption(pod)]
    known = observed.run.disrupted_pod
    fresh = taken[taken.index(known) + 1 :] if known in taken else taken
    if not fresh:
        return {}
    return {"disruptions": (observed.run.disruptions or 0) + len(fresh), "disruptedPod": fresh[-1]}


def _too_often(disrupted: Json, pods: list[Json]) -> Outcome:
    last = next(words for pod in reversed(pods) if (words := children.disruption(pod)))
    outcome = waits.failed(waits.too_often(disrupted["disruptions"], last))
    outcome.run = disrupted
    return outcome


def _pending(observed: Observed, waiting: waits.Wait) -> Claim:
    if waiting.words is not None:
        return ("False", waiting.reason, waiting.words)
    told = steps.condition(observed.status, ConditionType.RUNNING)
    if told and told.reason == Reason.POD_PENDING:
        # The time since when a Job waits may begin anew (its start is counted from its first pod).
        return ("False", told.reason, told.message)
    return _starting(observed.attempt)


def _count(observed: Observed, runtime: ScoringRuntimeSpec, job: Json, end: Ending, now: datetime) -> Outcome:
    """A failed attempt is counted once; then another follows after a pause, or the job has failed."""
    if end.blame is Blame.CLUSTER:
        return _set_back(observed, job, end, now)
    run, limit = observed.run, (observed.spec.retry or runtime.retry).limit
    memory = end.blame is Blame.MEMORY
    failures = (run.failures or 0) + (end.blame not in (Blame.MEMORY, Blame.PLATFORM))
    memory_failures = (run.memory_failures or 0) + memory
    left = {Blame.MACHINE: failures <= limit, Blame.MEMORY: memory_failures <= min(limit, 1)}
    counted: Json = {
        "failures": failures,
        "memoryFailures": memory_failures or None,
        "failedAttempt": observed.attempt,
    }
    if not left.get(end.blame, False):
        outcome = waits.failed(end)
        outcome.run = counted
        return outcome
    due = (children.failed_at(job) or now) + waits.pause(failures + memory_failures)
    return Outcome(
        claims={ConditionType.RUNNING: ("False", end.code, end.message)},
        run=counted | {"retryTime": stamp(due)},
        requeue_seconds=max(0.0, (due - now).total_seconds()),
    )


def _set_back(observed: Observed, job: Json, end: Ending, now: datetime) -> Outcome:
    """The cluster failed an attempt: no try is counted, another follows after a pause that grows."""
    disruptions = (observed.run.disruptions or 0) + 1
    counted: Json = {"disruptions": disruptions, "failedAttempt": observed.attempt}
    if disruptions > waits.MOST_DISRUPTIONS:
        outcome = waits.failed(waits.too_often(disruptions, end.message))
        outcome.run = counted
        return outcome
    due = (children.failed_at(job) or now) + waits.pause(disruptions)
    return Outcome(
        claims={ConditionType.RUNNING: ("False", end.code, end.message)},
        run=counted | {"retryTime": stamp(due)},
        requeue_seconds=max(0.0, (due - now).total_seconds()),
    )


def _after_failure(observed: Observed, runtime: ScoringRuntimeSpec, now: datetime, api_url: str) -> Outcome:
    """The failure is counted: the next attempt starts when its time has come."""
    due = observed.run.retry_time
    if due is not None and due > now:
        return Outcome(requeue_seconds=(due - now).total_seconds())
    return stop(observed, "A failed attempt is cleared away") or launch(
        observed, runtime, now, api_url, again=True
    )
