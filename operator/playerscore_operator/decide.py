"""What to do about one job: pure, from what was observed and the time.

Terminal state is read first, so a finished job never runs again. Then the preview, then the selection,
then the attempt. The outcome is at most one status write, a create, deletes, and when to look again.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from playerscore import coherence, names, readiness, steps
from playerscore.coherence import Coherence
from playerscore.names import FINISHED, ConditionType, Reason, Step
from playerscore.resources import Progress, Result, Run, ScoringJobStatus, ScoringRuntimeSpec
from playerscore_operator import children, manifests
from playerscore_operator.children import Blame, Ending, JobState
from playerscore_operator.observe import Observed

Json = dict[str, Any]
Claim = tuple[str, Reason | str, str]
"""(status, reason, message) of a condition."""

RUNTIME_RECHECK_SECONDS = 30.0
NAMESPACE_RECHECK_SECONDS = 15.0
GONE_RECHECK_SECONDS = 2.0
FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0
GITOPS_MARKS = (
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
)


@dataclass
class Decision:
    """What `act` carries out, in this order: the status write, creates, deletes."""

    status: Json | None = None
    """Merge patch of the status; None when nothing differs."""
    guarded: bool = False
    """Whether the write carries the judged resourceVersion (the start of an attempt)."""
    creates: list[Json] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    delete_self: bool = False
    requeue_seconds: float | None = None
    events: list[tuple[str, str, str]] = field(default_factory=list)
    """(type, reason, message) of transitions to tell."""


@dataclass
class Outcome:
    """A branch's contribution, before it is compared with the stored status."""

    claims: dict[ConditionType, Claim] = field(default_factory=dict)
    run: Json = field(default_factory=dict)
    result: Result | None = None
    ended: Step | None = None
    cleared: bool = False
    """Whether a worker's fields of an older attempt are cleared."""
    guarded: bool = False
    creates: list[Json] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    requeue_seconds: float | None = None


def decide(observed: Observed, now: datetime, api_url: str) -> Decision:
    """The decision about one job at one time."""
    if observed.spec.managed_by not in (None, names.MANAGED_BY):
        return Decision()
    progress = observed.status.progress
    if progress and progress.step in FINISHED:
        return _after_end(observed, now)
    outcome = _advance(observed, now, api_url)
    return _compare(observed, outcome, now)


# --- the branches ---------------------------------------------------------------------------------------


def _after_end(observed: Observed, now: datetime) -> Decision:
    """Nothing runs any more: children that linger are deleted, the job itself when its time is over."""
    lingering = [name for name, job in observed.jobs.items() if children.job_state(job) is JobState.ACTIVE]
    decision = Decision(deletes=lingering)
    if observed.status.observed_generation != observed.generation:
        # The ttl may still be edited; unanswered, the job would read as in progress for ever (kstatus).
        decision.status = {"observedGeneration": observed.generation}
    ttl, run = observed.spec.ttl_seconds_after_finished, observed.status.run
    marks = {**(observed.metadata.get("labels") or {}), **(observed.metadata.get("annotations") or {})}
    if (
        ttl is None
        or run is None
        or run.completion_time is None
        or any(mark in marks for mark in GITOPS_MARKS)
    ):
        return decision
    left = (run.completion_time + timedelta(seconds=ttl) - now).total_seconds()
    decision.delete_self = left <= 0
    decision.requeue_seconds = max(left, 1.0) if left > 0 else None
    return decision


def _advance(observed: Observed, now: datetime, api_url: str) -> Outcome:
    disabled = observed.spec.preview is not None and bool(observed.spec.preview.disabled)
    runtime, trouble = _usable_runtime(observed)
    if observed.status.preview is None and not disabled:
        if runtime is None or trouble:
            return _waiting(ConditionType.PREVIEW_READY, trouble)
        return _preview(observed, runtime, now, api_url)
    outcome = _selection(observed, runtime, trouble, now, api_url)
    ready = (
        ("False", Reason.PREVIEW_DISABLED, "spec.preview.disabled is set")
        if observed.status.preview is None
        else ("True", Reason.PREVIEW_READY, f"{len(observed.status.preview.frames)} frames to pick from")
    )
    outcome.claims[ConditionType.PREVIEW_READY] = ready
    return outcome


Trouble = tuple[Reason, str, float] | None


def _usable_runtime(observed: Observed) -> tuple[ScoringRuntimeSpec | None, Trouble]:
    """The runtime's spec, or why it cannot be used: reason, message, seconds until the next look."""
    if observed.runtime is None:
        wanted = observed.spec.runtime_name
        text = f"There is no ScoringRuntime {wanted}" if wanted else "No ScoringRuntime is marked as default"
        return None, (Reason.RUNTIME_NOT_FOUND, text, RUNTIME_RECHECK_SECONDS)
    spec = observed.runtime.spec
    if spec.allowed_namespaces is not None and observed.namespace not in spec.allowed_namespaces:
        text = f"ScoringRuntime {observed.runtime.metadata['name']} is not allowed in {observed.namespace}"
        return None, (Reason.RUNTIME_FORBIDDEN, text, RUNTIME_RECHECK_SECONDS)
    if not observed.prepared:
        text = f"Namespace {observed.namespace} has no ServiceAccount {names.WORKER_ACCOUNT}"
        return None, (Reason.NAMESPACE_NOT_PREPARED, text, NAMESPACE_RECHECK_SECONDS)
    return spec, None


def _waiting(kind: ConditionType, trouble: Trouble) -> Outcome:
    reason, message, seconds = trouble or (Reason.WORKING, "", RUNTIME_RECHECK_SECONDS)
    return Outcome(claims={kind: ("False", reason, message)}, requeue_seconds=seconds)


def _preview(observed: Observed, runtime: ScoringRuntimeSpec, now: datetime, api_url: str) -> Outcome:
    number = observed.preview_attempt
    name = names.preview_job_name(observed.uid, number)
    job = observed.jobs.get(name)
    state = children.job_state(job)
    if number == 0:
        return _start_preview(observed, runtime, 1, api_url)
    if job is None:
        body = manifests.preview_job(observed, runtime, number, api_url)
        return Outcome(claims=_previewing("The preview is being started"), creates=[body])
    if state is JobState.ACTIVE:
        return _preview_runs(observed, runtime, name, job, now)
    if state is JobState.DELETING:
        return Outcome(
            claims=_previewing("The preview is being stopped"), requeue_seconds=GONE_RECHECK_SECONDS
        )
    end = _no_preview() if state is JobState.COMPLETE else children.ending(job, observed.pods_of(name))
    retry = observed.spec.retry or runtime.retry
    if end.blame in (Blame.MACHINE, Blame.MEMORY) and number <= retry.limit:
        if (left := _until_retry(job, number, now)) > 0:
            return Outcome(claims=_previewing(f"Tried again soon. {end.message}"), requeue_seconds=left)
        return _start_preview(observed, runtime, number + 1, api_url)
    outcome = _failed(end)
    outcome.claims[ConditionType.PREVIEW_READY] = ("False", end.code, end.message)
    return outcome


def _start_preview(observed: Observed, runtime: ScoringRuntimeSpec, number: int, api_url: str) -> Outcome:
    return Outcome(
        claims=_previewing("The preview is being started"),
        run={"previewAttempt": number},
        guarded=True,
        creates=[manifests.preview_job(observed, runtime, number, api_url)],
    )


def _preview_runs(
    observed: Observed, runtime: ScoringRuntimeSpec, name: str, job: Json, now: datetime
) -> Outcome:
    pods = observed.pods_of(name)
    if children.running_pod(pods):
        return Outcome(claims=_previewing("The preview is being made"))
    waiting = children.waiting_for(job, pods)
    late, left = _start_deadline(observed, runtime, job, pods, now)
    if late:
        outcome = _failed(Ending(Blame.DEADLINE, Reason.START_DEADLINE, waiting))
        outcome.claims[ConditionType.PREVIEW_READY] = ("False", Reason.START_DEADLINE, waiting)
        return outcome
    return Outcome(claims=_previewing(waiting), requeue_seconds=left)


def _previewing(message: str) -> dict[ConditionType, Claim]:
    return {ConditionType.PREVIEW_READY: ("False", Reason.PREVIEW_RUNNING, message)}


def _no_preview() -> Ending:
    return Ending(Blame.MACHINE, Reason.NO_RESULT, "The preview's pod ended without writing status.preview")


def _selection(
    observed: Observed, runtime: ScoringRuntimeSpec | None, trouble: Trouble, now: datetime, api_url: str
) -> Outcome:
    """A preview is there (or none is wanted): the verdict, and the attempt if the job may have one."""
    verdict = coherence.judge(observed.spec.player_ref, observed.spec.target, observed.status.preview)
    coherent = _coherence_claim(verdict)
    if sealed := _sealed(observed):
        outcome = sealed
    elif observed.spec.suspend:
        outcome = _suspended(observed)
    elif refusal := _refusal(observed, verdict):
        outcome = _stop(observed, ("False", *refusal))
    elif runtime is None or trouble:
        outcome = _without_runtime(observed, trouble)
    else:
        outcome = _attempt(observed, runtime, now, api_url)
    outcome.claims[ConditionType.TARGET_COHERENT] = coherent
    return outcome


def _coherence_claim(verdict: Coherence) -> Claim:
    if verdict.reason is Reason.NOT_SELECTED:
        return ("Unknown", verdict.reason, verdict.message)
    return ("True" if verdict.accepted else "False", verdict.reason, verdict.message)


def _refusal(observed: Observed, verdict: Coherence) -> tuple[Reason, str] | None:
    """Why an enqueued job must not start; the same checks and words as at the other gates."""
    if missing := readiness.missing(observed.spec):
        return Reason.NOT_READY, f"{names.NOT_READY_MESSAGE}: {', '.join(missing)}"
    if not verdict.accepted:
        return verdict.reason, verdict.message
    return None


def _suspended(observed: Observed) -> Outcome:
    launched = observed.attempt > 0
    text = "Paused" if launched else "A draft: set spec.suspend to false to enqueue it"
    return _stop(observed, ("False", Reason.SUSPENDED, text))


def _stop(observed: Observed, admitted: Claim) -> Outcome:
    """No attempt may run: the current one, if any, is deleted."""
    outcome = Outcome(claims={ConditionType.ADMITTED: admitted})
    if observed.attempt:
        outcome.claims[ConditionType.RUNNING] = ("False", Reason.SUSPENDED, admitted[2])
        outcome.deletes = _live_analyses(observed)
    return outcome


def _live_analyses(observed: Observed) -> list[str]:
    prefix = names.preview_job_name(observed.uid, 0)[:-1]
    return [
        name
        for name, job in observed.jobs.items()
        if not name.startswith(prefix) and children.job_state(job) is not JobState.DELETING
    ]


def _current_child(observed: Observed) -> tuple[Json | None, list[Json]]:
    """The current attempt's Job and its pods."""
    name = names.analysis_job_name(observed.uid, observed.attempt)
    return observed.jobs.get(name), observed.pods_of(name)


def _without_runtime(observed: Observed, trouble: Trouble) -> Outcome:
    """Nothing new may start, but a change of the runtime does not touch an attempt that runs."""
    outcome = _waiting(ConditionType.ADMITTED, trouble)
    job, pods = _current_child(observed)
    if job is not None and children.job_state(job) is JobState.ACTIVE and not _stale(observed, job):
        outcome.claims = _admitted(observed.attempt)
        if pod := children.running_pod(pods):
            outcome.claims[ConditionType.RUNNING] = _pod_runs(pod)
    return outcome


def _attempt(observed: Observed, runtime: ScoringRuntimeSpec, now: datetime, api_url: str) -> Outcome:
    """The job may run: start, watch or end its attempt."""
    job, pods = _current_child(observed)
    if observed.attempt == 0:
        return _launch(observed, runtime, api_url)
    if job is None:
        return _without_child(observed, runtime, api_url)
    if _stale(observed, job):
        claims: dict[ConditionType, Claim] = {
            ConditionType.RUNNING: ("False", Reason.STOPPING, "The attempt of an older selection is stopped")
        }
        return Outcome(claims=claims, deletes=_live_analyses(observed), requeue_seconds=GONE_RECHECK_SECONDS)
    state = children.job_state(job)
    if state is JobState.ACTIVE:
        return _attempt_runs(observed, runtime, job, pods, now)
    end = _no_result() if state is JobState.COMPLETE else children.ending(job, pods)
    return _retry_or_fail(observed, runtime, job, end, now, api_url)


def _stale(observed: Observed, job: Json) -> bool:
    """Whether a child was started for another selection, or is being stopped."""
    annotations = job["metadata"].get("annotations") or {}
    other = annotations.get(names.SPEC_HASH_ANNOTATION) != manifests.spec_hash(observed)
    return (
        other or children.job_state(job) is JobState.DELETING or _running_reason(observed) == Reason.SUSPENDED
    )


def _without_child(observed: Observed, runtime: ScoringRuntimeSpec, api_url: str) -> Outcome:
    """The attempt's Job is missing: it was never created, or it was stopped or deleted."""
    if any(children.job_state(job) is JobState.DELETING for job in observed.jobs.values()):
        return Outcome(requeue_seconds=GONE_RECHECK_SECONDS)
    if _running_reason(observed) == Reason.LAUNCHED:
        body = manifests.analysis_job(observed, runtime, observed.attempt, api_url)
        return Outcome(claims=_admitted(observed.attempt), creates=[body])
    return _launch(observed, runtime, api_url)


def _running_reason(observed: Observed) -> str | None:
    running = steps.condition(observed.status, ConditionType.RUNNING)
    return running.reason if running else None


def _admitted(attempt: int) -> dict[ConditionType, Claim]:
    return {ConditionType.ADMITTED: ("True", Reason.LAUNCHED, f"Attempt {attempt}")}


def _launch(observed: Observed, runtime: ScoringRuntimeSpec, api_url: str, failures: int = 0) -> Outcome:
    """The start of an attempt: a guarded status write, then the Job."""
    attempt = observed.attempt + 1
    claims = _admitted(attempt)
    claims[ConditionType.RUNNING] = ("False", Reason.LAUNCHED, "The Job is being created")
    return Outcome(
        claims=claims,
        run={
            "attempt": attempt,
            "failures": failures,
            "generation": observed.generation,
            "jobName": names.analysis_job_name(observed.uid, attempt),
            "runtime": observed.runtime.metadata["name"] if observed.runtime else None,
            "startTime": None,
            "completionTime": None,
            "node": None,
        },
        cleared=True,
        guarded=True,
        creates=[manifests.analysis_job(observed, runtime, attempt, api_url)],
    )


def _pod_runs(pod: Json) -> Claim:
    return ("True", Reason.POD_RUNNING, f"Pod {pod['metadata']['name']}")


def _attempt_runs(
    observed: Observed, runtime: ScoringRuntimeSpec, job: Json, pods: list[Json], now: datetime
) -> Outcome:
    claims = _admitted(observed.attempt)
    if pod := children.running_pod(pods):
        claims[ConditionType.RUNNING] = _pod_runs(pod)
        started = observed.status.run.start_time if observed.status.run else None
        run: Json = {"node": children.node_of(pod), "startTime": _stamp(started or now)}
        return Outcome(claims=claims, run=run)
    waiting = children.waiting_for(job, pods)
    claims[ConditionType.RUNNING] = ("False", Reason.POD_PENDING, waiting)
    late, left = _start_deadline(observed, runtime, job, pods, now)
    if late:
        return _failed(Ending(Blame.DEADLINE, Reason.START_DEADLINE, waiting))
    return Outcome(claims=claims, requeue_seconds=left)


def _start_deadline(
    observed: Observed, runtime: ScoringRuntimeSpec, job: Json, pods: list[Json], now: datetime
) -> tuple[bool, float | None]:
    """Whether a pod that never began is overdue, and else the seconds that are left, if they count."""
    since = children.waits_since(job)
    if since is None or children.has_begun(pods):
        return False, None
    allowed = observed.spec.start_deadline_seconds or runtime.start_deadline_seconds
    left = allowed - (now - since).total_seconds()
    started = observed.status.run.start_time if observed.status.run else None
    return left <= 0 and started is None, max(left, 1.0)


def _sealed(observed: Observed) -> Outcome | None:
    """The end of an attempt whose Job is complete: the reported result, else the termination message's.

    It stands although the job was paused, or lost its runtime, a moment after.
    """
    job, pods = _current_child(observed)
    if job is None or children.job_state(job) is not JobState.COMPLETE or _stale(observed, job):
        return None
    generation = observed.status.run.generation if observed.status.run else None
    reported = observed.status.result
    result = reported if reported and reported.generation == generation else children.result_of(pods)
    if result is None:
        return None
    claims = _admitted(observed.attempt)
    claims[ConditionType.RUNNING] = ("False", Reason.COMPLETED, "The attempt is over")
    claims[ConditionType.SUCCEEDED] = ("True", Reason.COMPLETED, f"overallScore {result.overall_score}")
    return Outcome(claims=claims, result=result, ended=Step.COMPLETED)


def _no_result() -> Ending:
    return Ending(Blame.MACHINE, Reason.NO_RESULT, "The worker ended without a result")


def _until_retry(job: Json, failures: int, now: datetime) -> float:
    """Seconds until the next try: an outage of some minutes must not use up all of them."""
    failed_at = children.failed_at(job)
    if failed_at is None:
        return 0.0
    pause = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 4.0 ** min(failures - 1, 10))
    return pause - (now - failed_at).total_seconds()


def _retry_or_fail(
    observed: Observed, runtime: ScoringRuntimeSpec, job: Json, end: Ending, now: datetime, api_url: str
) -> Outcome:
    failures = ((observed.status.run and observed.status.run.failures) or 0) + 1
    limit = (observed.spec.retry or runtime.retry).limit
    allowed = {Blame.MACHINE: limit, Blame.MEMORY: min(limit, 1)}.get(end.blame, 0)
    if failures <= allowed:
        if (left := _until_retry(job, failures, now)) > 0:
            claims: dict[ConditionType, Claim] = {ConditionType.RUNNING: ("False", end.code, end.message)}
            return Outcome(claims=claims, requeue_seconds=left)
        return _launch(observed, runtime, api_url, failures)
    outcome = _failed(end)
    outcome.run["failures"] = failures
    return outcome


def _failed(end: Ending) -> Outcome:
    claims: dict[ConditionType, Claim] = {
        ConditionType.RUNNING: ("False", end.code, end.message),
        ConditionType.SUCCEEDED: ("False", end.code, end.message),
    }
    return Outcome(claims=claims, ended=Step.FAILED)


# --- from an outcome to one status write ----------------------------------------------------------------


def _compare(observed: Observed, outcome: Outcome, now: datetime) -> Decision:
    """The write that the outcome needs, if the stored status differs from it."""
    stored = observed.status.model_dump(mode="json", exclude_none=True)
    wanted = _wanted(observed, outcome, now)
    patch = _difference(stored, wanted)
    decision = Decision(
        status=patch or None,
        guarded=outcome.guarded,
        creates=outcome.creates,
        deletes=outcome.deletes,
        requeue_seconds=outcome.requeue_seconds,
    )
    if patch:
        # A default does not come back once something was written, so it is always sent.
        patch["observedGeneration"] = observed.generation
        decision.events = _events(observed, outcome)
    if outcome.ended:
        decision.deletes = _live_analyses(observed) if outcome.ended is Step.FAILED else []
    return decision


def _wanted(observed: Observed, outcome: Outcome, now: datetime) -> Json:
    """The operator's own fields of the status as they should be; None clears."""
    run = dict(outcome.run)
    if outcome.ended:
        run["completionTime"] = _stamp(now)
    conditions = _conditions(observed, outcome, now)
    step = outcome.ended or _step(observed, outcome, conditions)
    progress: Json = {"step": step.value}
    if outcome.cleared:
        progress |= {"percent": None, "message": None}
    if outcome.ended is Step.COMPLETED:
        progress |= {"percent": 100, "message": None}
    wanted: Json = {
        "observedGeneration": observed.generation,
        "progress": progress,
        "conditions": conditions,
        "run": run,
    }
    if outcome.cleared:
        wanted |= {"result": None, "artifacts": None}
    if outcome.result is not None and observed.status.result != outcome.result:
        wanted["result"] = outcome.result.model_dump(mode="json", exclude_none=True)
    return wanted


def _step(observed: Observed, outcome: Outcome, conditions: list[Json]) -> Step:
    """The flow's step, of the status as it will be."""
    run = (observed.status.run or Run()).model_dump(mode="json", exclude_none=True) | outcome.run
    status = ScoringJobStatus.model_validate(
        {
            "conditions": conditions,
            "run": {key: value for key, value in run.items() if value is not None},
            "progress": Progress(step=None),
            "preview": observed.status.preview,
        }
    )
    return steps.step(observed.spec, status)


def _conditions(observed: Observed, outcome: Outcome, now: datetime) -> list[Json]:
    """All conditions, in the order of their types; a time changes only with a status."""
    claims: dict[ConditionType, Claim] = {
        kind: ("Unknown", Reason.WORKING, "Not known yet")
        for kind in ConditionType
        if kind not in (ConditionType.RECONCILING, ConditionType.STALLED)
    }
    for item in observed.status.conditions or []:
        if item.type in claims:
            claims[ConditionType(item.type)] = (item.status, item.reason, item.message)
    claims |= outcome.claims
    claims[ConditionType.RECONCILING] = ("False", Reason.SETTLED, "The latest spec has been acted on")
    claims[ConditionType.STALLED] = _stalled(observed, claims)
    return [_condition(observed, kind, claims[kind], now) for kind in ConditionType]


def _stalled(observed: Observed, claims: dict[ConditionType, Claim]) -> Claim:
    """Stalled is what a person must look at: a failure, or an enqueued job that must not start."""
    succeeded, coherent = claims[ConditionType.SUCCEEDED], claims[ConditionType.TARGET_COHERENT]
    if succeeded[0] == "False":
        return ("True", succeeded[1], succeeded[2])
    if coherent[0] == "False" and not observed.spec.suspend:
        return ("True", coherent[1], coherent[2])
    return ("False", Reason.SETTLED, "Nothing blocks the job")


def _condition(observed: Observed, kind: ConditionType, claim: Claim, now: datetime) -> Json:
    status, reason, message = claim
    old = steps.condition(observed.status, kind)
    since = old.last_transition_time if old and old.status == status else now
    return {
        "type": kind.value,
        "status": status,
        "reason": str(reason),
        "message": message[:4096],
        "lastTransitionTime": _stamp(since),
        "observedGeneration": observed.generation,
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _difference(stored: Json, wanted: Json) -> Json:
    """The merge patch that brings `wanted` about; keys that `wanted` does not name are left alone."""
    patch: Json = {}
    for key, value in wanted.items():
        before = stored.get(key)
        if isinstance(value, dict):
            inner = _difference(before if isinstance(before, dict) else {}, value)
            patch |= {key: inner} if inner else {}
        elif before != value:
            patch[key] = value
    return patch


def _events(observed: Observed, outcome: Outcome) -> list[tuple[str, str, str]]:
    """Kubernetes Events, on transitions that a person waits for."""
    told = []
    for kind in (ConditionType.PREVIEW_READY, ConditionType.RUNNING, ConditionType.SUCCEEDED):
        claim, old = outcome.claims.get(kind), steps.condition(observed.status, kind)
        if claim and (old is None or old.status != claim[0]) and claim[0] == "True":
            told.append(("Normal", str(claim[1]), claim[2]))
    if outcome.ended is Step.FAILED:
        _, reason, message = outcome.claims[ConditionType.SUCCEEDED]
        told.append(("Warning", str(reason), message))
    return told
