"""Which pod asks, and whether it may: pure. A pod's word is its pod-bound token, nothing else.

The pod's name starts with its Job's, `sj-<uid>-<attempt>` or `sj-<uid>-p<n>`, so a token of another job, of
a deleted namesake, or of an attempt that is no longer current is refused.
"""

import re
from enum import StrEnum
from typing import Any, Final, NamedTuple

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore.resources import ScoringJobStatus

Document = dict[str, Any]

POD_NAME: Final = re.compile(r"^sj-(?P<uid>[0-9a-f-]{36})-(?P<kind>p?)(?P<number>[1-9][0-9]*)-[a-z0-9-]+$")
ACCOUNT: Final = re.compile(rf"^system:serviceaccount:([a-z0-9-]+):{names.WORKER_ACCOUNT}$")
POD_CLAIM: Final = "authentication.kubernetes.io/pod-name"


class Purpose(StrEnum):
    """What a pod wants."""

    SOURCE = "source"
    FRAMES = "frames"
    ARTIFACTS = "artifacts"


class Pod(NamedTuple):
    """A worker's pod, as its token proves it."""

    namespace: str
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
    claims = (user.get("extra") or {}).get(POD_CLAIM) or [""]
    pod = POD_NAME.match(claims[0])
    if account is None or pod is None:
        raise PlayerscoreError("FORBIDDEN", "The token is not bound to a pod of a ScoringJob's worker")
    return Pod(account[1], pod["uid"], pod["kind"] == "p", int(pod["number"]))


def check_job(pod: Pod, namespace: str, job: Document) -> None:
    """That the pod belongs to this job. Raises FORBIDDEN."""
    if pod.namespace != namespace or pod.uid != job["metadata"]["uid"]:
        raise PlayerscoreError("FORBIDDEN", "The pod belongs to another ScoringJob")


def check_current(pod: Pod, status: ScoringJobStatus, purpose: Purpose) -> None:
    """That the pod's attempt is current and does such things. Raises FORBIDDEN."""
    if (pod.preview and purpose is Purpose.ARTIFACTS) or (not pod.preview and purpose is Purpose.FRAMES):
        raise PlayerscoreError("FORBIDDEN", f"This kind of pod has no {purpose.value}")
    run = status.run
    current = run and (run.preview_attempt if pod.preview else run.attempt)
    if current != pod.number or (pod.preview and status.preview is not None):
        raise PlayerscoreError("FORBIDDEN", "The pod's attempt is not the current one")
