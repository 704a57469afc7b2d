"""What to do about one job: pure, from what was observed and the time.

Terminal state is read first, so a finished job never runs again. Then the preview (`previews`), then the
selection, then the attempt (`attempts`). `compare` makes one status write of what a branch claims.
"""

from datetime import datetime, timedelta

from playerscore import anchors, coherence, names, readiness
from playerscore.coherence import Coherence
from playerscore.names import ConditionType, Reason
from playerscore.resources import ScoringRuntimeSpec
from playerscore_operator import attempts, children, conditions, previews, troubles
from playerscore_operator.compare import compare
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import PLATFORM_RECHECK_SECONDS, Claim, Claims, Decision, Json, Outcome
from playerscore_operator.troubles import Place

GITOPS_MARKS = (
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "app.kubernetes.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
)
"""Labels and annotations of Argo CD and Flux: what they brought comes back when it is deleted."""

Trouble = tuple[Reason, str] | None


def decide(observed: Observed, now: datetime, api_url: str) -> Decision:
    """The decision about one job at one time."""
    if observed.spec.managed_by not in (None, names.MANAGED_BY):
        return Decision()
    if observed.finished:
        return _after_end(observed, now)
    return compare(observed, _advance(observed, now, api_url), now)


def refused(observed: Observed, body: Json, words: str, now: datetime) -> Decision:
    """The API server did not let the Job of an attempt that was just written be created."""
    row = troubles.find(Place.JOB, children.NOT_CREATED, words)
    reason = row.code if row else Reason.CREATE_REFUSED
    text = f"Job {body['metadata']['name']} cannot be created: {words}"
    preview = body["metadata"]["name"].startswith(names.preview_job_name(observed.uid, 0)[:-1])
    claims: Claims = {ConditionType.RUNNING: ("False", reason, text)}
    if preview:
        claims = previews.claim(observed, reason, text)
    return compare(observed, Outcome(claims=claims), now)


def _after_end(observed: Observed, now: datetime) -> Decision:
    """Nothing runs any more: children that linger are deleted, the job itself when its time is over."""
    decision = Decision(deletes=children.live_analyses(observed) + children.live_previews(observed))
    # A watch that lags still calls a Job active whose end the seal has read.
    decision.unproven = bool(decision.deletes)
    if observed.status.observed_generation != observed.generation:
        # The ttl may still be edited; unanswered, the job would read as in progress for ever (kstatus), and
        # `kubectl wait` takes no condition of an older spec for an answer.
        decision.status = {
            "observedGeneration": observed.generation,
            "conditions": conditions.acknowledged(observed),
        }
    ttl, ended = observed.spec.ttl_seconds_after_finished, observed.run.completion_time
    marks = {**(observed.metadata.get("labels") or {}), **(observed.metadata.get("annotations") or {})}
    if ttl is None or ended is None or any(mark in marks for mark in GITOPS_MARKS):
        return decision
    left = (ended + timedelta(seconds=ttl) - now).total_seconds()
    decision.delete_self = left <= 0
    decision.unproven |= decision.delete_self
    decision.requeue_seconds = max(left, 1.0) if left > 0 else None
    return decision


def _advance(observed: Observed, now: datetime, api_url: str) -> Outcome:
    disabled = observed.spec.preview is not None and bool(observed.spec.preview.disabled)
    runtime, trouble = _usable_runtime(observed)
    # Whether a preview is wanted may change at any time; an attempt that works is never lost sight of.
    if observed.status.preview is None and not attempts.works(observed):
        if disabled:
            if stopping := previews.stop(observed):
                return stopping
        elif runtime is None:
            return _lacking(ConditionType.PREVIEW_READY, trouble)
        else:
            return previews.advance(observed, runtime, now, api_url)
    outcome = _selection(observed, runtime, trouble, now, api_url)
    outcome.claims[ConditionType.PREVIEW_READY] = previews.ready(observed)
    if observed.status.preview is None:
        outcome.deletes = outcome.deletes + children.live_previews(observed)
        return outcome
    # A launch waits for no further frames: what is not there by then is not added any more.
    if observed.attempt or "attempt" in outcome.run:
        more = previews.dropped(observed)
    else:
        more = previews.extend(observed, observed.status.preview, runtime, trouble, now, api_url)
    outcome.add(more)
    return outcome


def _usable_runtime(observed: Observed) -> tuple[ScoringRuntimeSpec | None, Trouble]:
    """The runtime's spec, or why it cannot be used."""
    if observed.runtime is None:
        wanted = observed.spec.runtime_name
        text = f"There is no ScoringRuntime {wanted}" if wanted else "No ScoringRuntime is marked as default"
        return None, (Reason.RUNTIME_NOT_FOUND, observed.runtime_trouble or text)
    spec = observed.runtime.spec
    if spec.allowed_namespaces is not None and observed.namespace not in spec.allowed_namespaces:
        text = f"ScoringRuntime {observed.runtime.metadata['name']} is not allowed in {observed.namespace}"
        return None, (Reason.RUNTIME_FORBIDDEN, text)
    if not observed.prepared:
        text = f"Namespace {observed.namespace} has no ServiceAccount {names.WORKER_ACCOUNT}"
        return None, (Reason.NAMESPACE_NOT_PREPARED, text)
    return spec, None


def _lacking(kind: ConditionType, trouble: Trouble) -> Outcome:
    """Nothing new may start until the platform provides what is missing."""
    reason, message = trouble or (Reason.WORKING, "")
    return Outcome(claims={kind: ("False", reason, message)}, requeue_seconds=PLATFORM_RECHECK_SECONDS)


def _selection(
    observed: Observed, runtime: ScoringRuntimeSpec | None, trouble: Trouble, now: datetime, api_url: str
) -> Outcome:
    """A preview is there (or none is wanted): the verdict, and the attempt if the job may have one."""
    verdict = coherence.judge(observed.spec.player_ref, observed.spec.target, observed.status.preview)
    if verdict.accepted and (sealed := attempts.sealed(observed)):
        outcome = sealed
    elif refusal := _refusal(observed, verdict):
        outcome = attempts.withheld(observed, refusal)
    elif runtime is None:
        goes_on = attempts.undisturbed(observed) or attempts.replaced(observed)
        outcome = goes_on or _lacking(ConditionType.ADMITTED, trouble)
    else:
        outcome = attempts.advance(observed, runtime, now, api_url)
    outcome.claims |= _coherence_claim(verdict)
    return outcome


def _coherence_claim(verdict: Coherence) -> Claims:
    if verdict.reason is Reason.NOT_SELECTED:
        return {ConditionType.TARGET_COHERENT: ("Unknown", verdict.reason, verdict.message)}
    status = "True" if verdict.accepted else "False"
    return {ConditionType.TARGET_COHERENT: (status, verdict.reason, verdict.message)}


def _refusal(observed: Observed, verdict: Coherence) -> Claim | None:
    """Why a job must not start: a person's will, else the same checks and words as at the other gates."""
    if observed.spec.suspend:
        draft = "A draft: set spec.suspend to false to enqueue it"
        return ("False", Reason.SUSPENDED, "Paused" if observed.attempt else draft)
    if missing := readiness.missing(observed.spec):
        return ("False", Reason.NOT_READY, readiness.message(missing))
    if not verdict.accepted:
        return ("False", verdict.reason, verdict.message)
    if found := anchors.judge(observed.spec, observed.status).violations:
        return ("False", found[0].reason, found[0].message)
    return None
