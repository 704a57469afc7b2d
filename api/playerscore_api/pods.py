"""Which pod asks, and whether it may: pure. A pod's word is its pod-bound token, nothing else.

The namespace is the boundary: whoever may create pods there can name one like a worker's, and reaches what the
workers of that namespace reach, and nothing beyond.

The pod's name starts with its Job's, `sj-<uid>-<attempt>` or `sj-<uid>-p<n>`, so a token of another job, of
a deleted namesake, or of an attempt that is no longer current is refused.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from playerscore import further, names
from playerscore.errors import PlayerscoreError
from playerscore.resources import ScoringJobStatus

Document = dict[str, Any]

POD_NAME: Final = re.compile(r"^sj-(?P<uid>[0-9a-f-]{36})-(?P<kind>p?)(?P<number>[1-9][0-9]*)-[a-z0-9-]+$")
ACCOUNT: Final = re.compile(rf"^system:serviceaccount:([a-z0-9-]+):{names.WORKER_ACCOUNT}$")
POD_CLAIM: Final = "authentication.kubernetes.io/pod-name"
POD_UID_CLAIM: Final = "authentication.kubernetes.io/pod-uid"


class Purpose(StrEnum):
    """What a pod wants."""

    SOURCE = "source"
    FRAMES = "frames"
    ARTIFACTS = "artifacts"
    CHECKPOINTS = "checkpoints"


OF_ANALYSIS: Final = frozenset({Purpose.ARTIFACTS, Purpose.CHECKPOINTS})


class Pod(NamedTuple):
    """A worker's pod, as its token proves it."""

    namespace: str
    name: str
    pod_uid: str
    uid: str
    """Of its ScoringJob."""
    preview: bool
    number: int
    """Of its attempt, or of its preview run."""


def identify(review: Document) -> Pod:
    """The pod of a TokenReview's status. Raises UNAUTHENTICATED or FORBIDDEN."""
    if not review.get("authenticated") or names.API_AUDIENCE not in review.get("audiences", []):
        raise PlayerscoreError("UNAUTHENTICATED", f"The token is not valid for {names.API_AUDIENCE}")
    user = review.get("user") or {}
    account = ACCOUNT.match(str(user.get("username")))
    name, pod_uid = _claim(user, POD_CLAIM), _claim(user, POD_UID_CLAIM)
    pod = POD_NAME.match(name)
    if account is None or pod is None or not pod_uid:
        raise PlayerscoreError("FORBIDDEN", "The token is not bound to a pod of a ScoringJob's worker")
    return Pod(account[1], name, pod_uid, pod["uid"], pod["kind"] == "p", int(pod["number"]))


def _claim(user: Document, name: str) -> str:
    return str(((user.get("extra") or {}).get(name) or [""])[0])


def check_alive(pod: Pod, found: Document, now: datetime) -> None:
    """That the token's pod is still there. Raises FORBIDDEN.

    A TokenReview alone says so only after a while, because its answers are kept for some seconds. A pod that is
    being deleted may say its last words until its grace is over.
    """
    end = found["metadata"].get("deletionTimestamp")
    ended = end is not None and datetime.fromisoformat(end) < now
    if found["metadata"]["uid"] != pod.pod_uid or ended:
        raise PlayerscoreError("FORBIDDEN", "The token's pod is gone")


def check_job(pod: Pod, namespace: str, job: Document) -> None:
    """That the pod belongs to this job. Raises FORBIDDEN."""
    if pod.namespace != namespace or pod.uid != job["metadata"]["uid"]:
        raise PlayerscoreError("FORBIDDEN", "The pod belongs to another ScoringJob")


def check_current(pod: Pod, status: ScoringJobStatus, purpose: Purpose) -> None:
    """That the pod's attempt is current and does such things. Raises FORBIDDEN."""
    if (pod.preview and purpose in OF_ANALYSIS) or (not pod.preview and purpose is Purpose.FRAMES):
        raise PlayerscoreError("FORBIDDEN", f"This kind of pod has no {purpose.value}")
    if purpose is Purpose.ARTIFACTS and status.artifacts:
        raise PlayerscoreError("FORBIDDEN", "The job's artifacts are listed and no longer change")
    run = status.run
    current = run and (run.preview_attempt if pod.preview else run.attempt)
    written = pod.preview and status.preview is not None and not further.open_for(status)
    if current != pod.number or written:
        raise PlayerscoreError("FORBIDDEN", "The pod's attempt is not the current one")


def check_frame(status: ScoringJobStatus, number: int) -> None:
    """That the picture is of no frame that is there: those never change. Raises FORBIDDEN."""
    if status.preview is not None and number <= len(status.preview.frames):
        raise PlayerscoreError("FORBIDDEN", f"Frame {number} is there and no longer changes")
