"""The preview of one job: started at once, watched, repeated after a failure of the machine. Pure.

Before the first launch, times that are asked for bring further runs, which only add frames. The preview stays ready
meanwhile, nothing waits for them, and what becomes of them is told in the condition's reason and words.
"""

from datetime import datetime

from playerscore import further, names, steps
from playerscore.names import ConditionType, Reason
from playerscore.resources import PreviewStatus, ScoringRuntimeSpec
from playerscore_operator import children, manifests, waits
from playerscore_operator.children import Blame, Ending, JobState
from playerscore_operator.conditions import REFUSED
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import (
    GONE_RECHECK_SECONDS,
    PLATFORM_RECHECK_SECONDS,
    Claim,
    Claims,
    Json,
    Outcome,
)

STARTING = "The preview is being started"
STOPPING = "The preview is being stopped"


def advance(observed: Observed, runtime: ScoringRuntimeSpec, now: datetime, api_url: str) -> Outcome:
    """The next move of the preview's run, the first one or one that adds frames."""
    number = observed.preview_attempt
    if number == 0:
        return _start(observed, runtime, 1, api_url)
    job, pods = children.child(observed, names.preview_job_name(observed.uid, number))
    if job is None:
        if children.live_previews(observed, deleting=True) or children.live_preview_pods(observed):
            return Outcome(claims=_claim(observed, STOPPING), requeue_seconds=GONE_RECHECK_SECONDS)
        # Until a refused Job is let in, the refusal's words stay.
        refused = observed.condition_reason(ConditionType.PREVIEW_READY) in REFUSED
        body = manifests.preview_job(observed, runtime, number, api_url, observed.run.preview_asked)
        return Outcome(claims=_kept(observed) if refused else _claim(observed, STARTING), creates=[body])
    state = children.job_state(job)
    if state is JobState.ACTIVE:
        return _runs(observed, runtime, job, pods, now)
    if state is JobState.DELETING:
        return Outcome(claims=_claim(observed, STOPPING), requeue_seconds=GONE_RECHECK_SECONDS)
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
    return Outcome(claims=_claim(observed, STOPPING), deletes=deletes, requeue_seconds=GONE_RECHECK_SECONDS)


def extend(
    observed: Observed,
    preview: PreviewStatus,
    runtime: ScoringRuntimeSpec | None,
    trouble: tuple[Reason, str] | None,
    now: datetime,
    api_url: str,
) -> Outcome:
    """What is to be done for the times that are asked for. Only before the first launch."""
    run, wanted = observed.run, further.unanswered(observed.spec, preview)
    found = further.refusal(observed.spec, preview)
    if not wanted or found:
        outcome = dropped(observed)
        outcome.claims = claim(observed, found.reason, found.message) if found else {}
        return outcome
    if trouble or runtime is None:
        reason, text = trouble or (Reason.WORKING, "")
        return Outcome(claims=claim(observed, reason, text), requeue_seconds=PLATFORM_RECHECK_SECONDS)
    asked, failed = run.preview_asked or [], run.preview_failed is not None
    if asked and not failed and set(asked) <= set(wanted):
        return advance(observed, runtime, now, api_url)
    if failed and set(asked) == set(wanted):
        return Outcome(claims=_kept(observed))
    if stopping := stop(observed):
        return stopping
    outcome = _start(observed, runtime, observed.preview_attempt + 1, api_url, wanted)
    outcome.run |= {"previewFirst": observed.preview_attempt + 1, "previewFailed": None}
    outcome.run |= {"previewAsked": wanted, "previewDisruptions": None}
    return outcome


def dropped(observed: Observed) -> Outcome:
    """No frames are to be added, or not any more: an attempt is launched, the times were taken back or answered."""
    preview, asked = observed.status.preview, observed.run.preview_asked
    if asked is None:
        # The write that launched came through, and what was to follow it perhaps not.
        late = observed.attempt and further.asked(observed.spec)
        return Outcome(deletes=children.live_previews(observed) if late else [])
    fields = ("previewAsked", "previewFirst", "previewFailed", "previewDisruptions", "trouble", "troubleTime")
    written = preview is not None and all(further.is_answered(preview, time_sec) for time_sec in asked)
    return Outcome(
        run=dict.fromkeys(fields),
        # A run that has written its frames ends by itself.
        deletes=[] if written else children.live_previews(observed),
    )


def claim(observed: Observed, reason: Reason | str, message: str) -> Claims:
    """Not ready; with a preview ready all the same, and what becomes of further frames."""
    preview = observed.status.preview
    if preview is None:
        return {ConditionType.PREVIEW_READY: ("False", reason, message)}
    words = f"{_frames(preview)}. {message}"
    return {ConditionType.PREVIEW_READY: ("True", reason, words)}


def _kept(observed: Observed) -> Claims:
    """As it stands."""
    stored = steps.condition(observed.status, ConditionType.PREVIEW_READY)
    return {ConditionType.PREVIEW_READY: (stored.status, stored.reason, stored.message)} if stored else {}


def _frames(preview: PreviewStatus) -> str:
    return f"{len(preview.frames)} frames to pick from"


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
    return ("True", Reason.PREVIEW_READY, _frames(observed.status.preview))


def _claim(observed: Observed, message: str) -> Claims:
    more = observed.status.preview is not None
    return claim(observed, Reason.PREVIEW_EXTENDING if more else Reason.PREVIEW_RUNNING, message)


def _start(
    observed: Observed,
    runtime: ScoringRuntimeSpec,
    number: int,
    api_url: str,
    at_sec: list[float] | None = None,
) -> Outcome:
    return Outcome(
        claims=_claim(observed, STARTING),
        run={
            "previewAttempt": number,
            "runtime": observed.runtime.metadata["name"] if observed.runtime else None,
            "trouble": None,
            "troubleTime": None,
        },
        first=number == 1,
        creates=[manifests.preview_job(observed, runtime, number, api_url, at_sec)],
    )


def _runs(
    observed: Observed, runtime: ScoringRuntimeSpec, job: Json, pods: list[Json], now: datetime
) -> Outcome:
    if children.running_pod(pods):
        what = "The preview is" if observed.status.preview is None else "Further frames are"
        claims = _claim(observed, f"{what} being made")
        return Outcome(claims=claims, run={"trouble": None, "troubleTime": None})
    waiting = waits.look(observed, runtime, job, pods, now)
    if waiting.over is not None:
        return _given_up(observed, waiting.over)
    refused = waiting.reason in REFUSED
    words = waiting.words or STARTING
    return Outcome(
        claims=claim(observed, waiting.reason, words) if refused else _claim(observed, words),
        run=waiting.run or {},
        requeue_seconds=waiting.next_seconds,
    )


def _given_up(observed: Observed, end: Ending) -> Outcome:
    """A start that is waited for no longer: the job's end, or another run where the cluster failed."""
    times = (observed.run.preview_disruptions or 0) + 1
    if end.blame is not Blame.CLUSTER:
        return _failed(observed, end)
    if times > waits.MOST_DISRUPTIONS:
        return _failed(observed, waits.too_often(times, end.message))
    return Outcome(
        claims=_claim(observed, f"Tried again. {end.message}"),
        run={"previewAttempt": observed.preview_attempt + 1, "previewDisruptions": times},
        deletes=children.live_previews(observed),
        requeue_seconds=GONE_RECHECK_SECONDS,
    )


def _again_or_failed(
    observed: Observed, runtime: ScoringRuntimeSpec, job: Json, end: Ending, now: datetime, api_url: str
) -> Outcome:
    limit = (observed.spec.retry or runtime.retry).limit
    number = observed.preview_attempt + 1 - (observed.run.preview_first or 1)
    disruptions = (observed.run.preview_disruptions or 0) + (end.blame is Blame.CLUSTER)
    allowed = {
        Blame.MACHINE: limit,
        Blame.MEMORY: min(limit, 1),
        Blame.CLUSTER: number,
    }.get(end.blame, 0)
    if disruptions > waits.MOST_DISRUPTIONS:
        return _failed(observed, waits.too_often(disruptions, end.message))
    if number - disruptions > allowed:
        return _failed(observed, end)
    due = waits.retry_due(job, disruptions if end.blame is Blame.CLUSTER else number - disruptions)
    if due is not None and due > now:
        words = f"Tried again soon. {end.message}"
        return Outcome(claims=_claim(observed, words), requeue_seconds=(due - now).total_seconds())
    again = observed.preview_attempt + 1
    outcome = _start(observed, runtime, again, api_url, observed.run.preview_asked)
    outcome.run["previewDisruptions"] = disruptions or None
    return outcome


def _failed(observed: Observed, end: Ending) -> Outcome:
    """The end of the whole job; where only frames were to be added, of nothing but these."""
    if observed.status.preview is not None:
        return Outcome(
            claims=claim(observed, end.code, f"{further.FIELD}: {end.message}"),
            run={"previewFailed": observed.preview_attempt, "trouble": None, "troubleTime": None},
            deletes=children.live_previews(observed),
        )
    outcome = waits.failed(end)
    outcome.claims |= claim(observed, end.code, end.message)
    return outcome
