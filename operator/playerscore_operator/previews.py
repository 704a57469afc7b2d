"""The preview of one job: started at once, watched, repeated after a failure of the machine. Pure."""

from datetime import datetime

from playerscore import names
from playerscore.names import ConditionType, Reason
from playerscore.resources import ScoringRuntimeSpec
from playerscore_operator import children, manifests, waits
from playerscore_operator.children import Blame, Ending, JobState
from playerscore_operator.conditions import REFUSED
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import GONE_RECHECK_SECONDS, Claim, Claims, Json, Outcome

STARTING = "The preview is being started"
STOPPING = "The preview is being stopped"


def advance(observed: Observed, runtime: ScoringRuntimeSpec, now: datetime, api_url: str) -> Outcome:
    """The preview's next move. Only while none is stored."""
    number = observed.preview_attempt
    if number == 0:
        return _start(observed, runtime, 1, api_url)
    job, pods = children.child(observed, names.preview_job_name(observed.uid, number))
    if job is None:
        if children.live_previews(observed, deleting=True) or children.live_preview_pods(observed):
            return Outcome(claims=_claim(STOPPING), requeue_seconds=GONE_RECHECK_SECONDS)
        # Until a refused Job is let in, the refusal's words stay.
        refused = observed.condition_reason(ConditionType.PREVIEW_READY) in REFUSED
        body = manifests.preview_job(observed, runtime, number, api_url)
        return Outcome(claims={} if refused else _claim(STARTING), creates=[body])
    state = children.job_state(job)
    if state is JobState.ACTIVE:
        return _runs(observed, runtime, job, pods, now)
    if state is JobState.DELETING:
        return Outcome(claims=_claim(STOPPING), requeue_seconds=GONE_RECHECK_SECONDS)
    if state is JobState.COMPLETE:
        end = children.unreported(pods, "The preview's pod ended without writing status.preview")
    else:
        end = children.ending(job, pods, stored=observed.stored)
    return _again_or_failed(observed, runtime, job, end, now, api_url)


def stop(observed: Observed) -> Outcome | None:
    """Delete what is left of a preview that is not wanted any more; None when nothing is."""
    if not children.live_previews(observed, deleting=True) and not children.live_preview_pods(observed):
        return None
    deletes = children.live_previews(observed)
    return Outcome(claims=_claim(STOPPING), deletes=deletes, requeue_seconds=GONE_RECHECK_SECONDS)


def claim(status: str, reason: Reason | str, message: str) -> Claims:
    return {ConditionType.PREVIEW_READY: (status, reason, message)}


def ready(observed: Observed) -> Claim:
    """The claim once no preview is to be made any more."""
    if observed.status.preview is None:
        disabled = observed.spec.preview is not None and observed.spec.preview.disabled
        text = (
            "spec.preview.disabled is set"
            if disabled
            else "spec.preview.disabled was set when the attempt began"
        )
        return ("False", Reason.PREVIEW_DISABLED, text)
    return ("True", Reason.PREVIEW_READY, f"{len(observed.status.preview.frames)} frames to pick from")


def _claim(message: str) -> Claims:
    return claim("False", Reason.PREVIEW_RUNNING, message)


def _start(observed: Observed, runtime: ScoringRuntimeSpec, number: int, api_url: str) -> Outcome:
    return Outcome(
        claims=_claim(STARTING),
        run={
            "previewAttempt": number,
            "runtime": observed.runtime.metadata["name"] if observed.runtime else None,
            "trouble": None,
            "troubleTime": None,
        },
        first=number == 1,
        creates=[manifests.preview_job(observed, runtime, number, api_url)],
    )


def _runs(
    observed: Observed, runtime: ScoringRuntimeSpec, job: Json, pods: list[Json], now: datetime
) -> Outcome:
    if children.running_pod(pods):
        return Outcome(claims=_claim("The preview is being made"), run={"trouble": None, "troubleTime": None})
    waiting = waits.look(observed, runtime, job, pods, now)
    if waiting.over is not None:
        return _given_up(observed, waiting.over)
    reason = waiting.reason if waiting.reason in REFUSED else Reason.PREVIEW_RUNNING
    return Outcome(
        claims=claim("False", reason, waiting.words or STARTING),
        run=waiting.run or {},
        requeue_seconds=waiting.next_seconds,
    )


def _given_up(observed: Observed, end: Ending) -> Outcome:
    """A start that is waited for no longer: the job's end, or another run where the cluster failed."""
    times = (observed.run.preview_disruptions or 0) + 1
    if end.blame is not Blame.CLUSTER:
        return _failed(end)
    if times > waits.MOST_DISRUPTIONS:
        return _failed(waits.too_often(times, end.message))
    return Outcome(
        claims=_claim(f"Tried again. {end.message}"),
        run={"previewAttempt": observed.preview_attempt + 1, "previewDisruptions": times},
        deletes=children.live_previews(observed),
        requeue_seconds=GONE_RECHECK_SECONDS,
    )


def _again_or_failed(
    observed: Observed, runtime: ScoringRuntimeSpec, job: Json, end: Ending, now: datetime, api_url: str
) -> Outcome:
    number, limit = observed.preview_attempt, (observed.spec.retry or runtime.retry).limit
    disruptions = (observed.run.preview_disruptions or 0) + (end.blame is Blame.CLUSTER)
    allowed = {
        Blame.MACHINE: limit,
        Blame.MEMORY: min(limit, 1),
        Blame.CLUSTER: number,
    }.get(end.blame, 0)
    if disruptions > waits.MOST_DISRUPTIONS:
        return _failed(waits.too_often(disruptions, end.message))
    if number - disruptions > allowed:
        return _failed(end)
    due = waits.retry_due(job, disruptions if end.blame is Blame.CLUSTER else number - disruptions)
    if due is not None and due > now:
        words = f"Tried again soon. {end.message}"
        return Outcome(claims=_claim(words), requeue_seconds=(due - now).total_seconds())
    outcome = _start(observed, runtime, number + 1, api_url)
    outcome.run["previewDisruptions"] = disruptions or None
    return outcome


def _failed(end: Ending) -> Outcome:
    outcome = waits.failed(end)
    outcome.claims |= claim("False", end.code, end.message)
    return outcome
