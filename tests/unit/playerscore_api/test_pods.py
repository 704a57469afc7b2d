"""Which pod a TokenReview proves, and what it may: the pure rules, for answers that no well-kept API server gives too."""

from datetime import UTC, datetime
from typing import Any

import pytest

from builders import make_preview
from playerscore.errors import PlayerscoreError
from playerscore.resources import Artifact, Run, ScoringJobStatus
from playerscore_api import pods
from playerscore_api.pods import Pod, Purpose

UID = "3f0c7a52-6f7e-4a1c-9d3b-6c1f0e7a9b11"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def review(**changes: Any) -> dict[str, Any]:
    """A TokenReview's status for a worker's pod."""
    pod = changes.pop("pod", f"sj-{UID}-2-abcde")
    extra = {pods.POD_CLAIM: [pod], pods.POD_UID_CLAIM: ["u"]} | changes.pop("extra", {})
    user = {
        "username": changes.pop("username", "system:serviceaccount:tenant-a:playerscore-worker"),
        "extra": extra,
    }
    return {"authenticated": True, "audiences": ["playerscore-api"], "user": user} | changes


def refused(found: dict[str, Any]) -> str:
    with pytest.raises(PlayerscoreError) as error:
        pods.identify(found)
    return error.value.code


def test_a_workers_pod_is_known_by_its_name() -> None:
    assert pods.identify(review()) == Pod("tenant-a", f"sj-{UID}-2-abcde", "u", UID, False, 2)
    preview = pods.identify(review(pod=f"sj-{UID}-p13-abcde"))
    assert (preview.preview, preview.number) == (True, 13)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "it is not authenticated": ({"authenticated": False}, "UNAUTHENTICATED"),
    "nothing is said about it": ({"authenticated": None}, "UNAUTHENTICATED"),
    "the server names another audience": ({"audiences": ["https://kubernetes.default.svc"]}, "UNAUTHENTICATED"),
    "the server knows no audiences": ({"audiences": []}, "UNAUTHENTICATED"),
    "there is no user": ({"user": {}}, "FORBIDDEN"),
    "it is a person": ({"username": "jane"}, "FORBIDDEN"),
    "the account only begins alike": (
        {"username": "system:serviceaccount:tenant-a:playerscore-worker-2"},
        "FORBIDDEN",
    ),
    "the account is the middle of a longer name": (
        {"username": "x:system:serviceaccount:tenant-a:playerscore-worker"},
        "FORBIDDEN",
    ),
    "a colon in the namespace": ({"username": "system:serviceaccount:a:b:playerscore-worker"}, "FORBIDDEN"),
    "no pod": ({"extra": {pods.POD_CLAIM: []}}, "FORBIDDEN"),
    "no pod's uid": ({"extra": {pods.POD_UID_CLAIM: [""]}}, "FORBIDDEN"),
    "another pod": ({"pod": "shell"}, "FORBIDDEN"),
    "attempt zero": ({"pod": f"sj-{UID}-0-abcde"}, "FORBIDDEN"),
    "an attempt with a leading zero": ({"pod": f"sj-{UID}-02-abcde"}, "FORBIDDEN"),
    "no suffix": ({"pod": f"sj-{UID}-2"}, "FORBIDDEN"),
    "a uid in capitals": ({"pod": f"sj-{UID.upper()}-2-abcde"}, "FORBIDDEN"),
    "a longer name that ends alike": ({"pod": f"x-sj-{UID}-2-abcde"}, "FORBIDDEN"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "code"), WRONG.values(), ids=WRONG)
def test_no_other_token_is_a_workers(changes: dict[str, Any], code: str) -> None:
    assert refused(review(**changes)) == code


ARTIFACT = Artifact(name="radar.png", media_type="image/png", bytes=1, sha256="a" * 64)
RUN = Run(attempt=2, preview_attempt=1)
MORE = Run(preview_attempt=2, preview_asked=[7.0])
ANSWERED = make_preview().model_copy(update={"asked_sec": [7.0]})


@pytest.mark.parametrize(
    ("pod", "purpose", "status", "allowed"),
    [
        ("2", Purpose.ARTIFACTS, {"run": RUN}, True),
        ("2", Purpose.SOURCE, {"run": RUN}, True),
        ("2", Purpose.CHECKPOINTS, {"run": RUN}, True),
        ("1", Purpose.CHECKPOINTS, {"run": RUN}, False),
        ("p1", Purpose.CHECKPOINTS, {"run": RUN}, False),
        ("p1", Purpose.FRAMES, {"run": RUN}, True),
        ("p1", Purpose.SOURCE, {"run": RUN}, True),
        ("1", Purpose.ARTIFACTS, {"run": RUN}, False),
        ("3", Purpose.SOURCE, {"run": RUN}, False),
        ("p2", Purpose.FRAMES, {"run": RUN}, False),
        ("1", Purpose.SOURCE, {"run": Run(preview_attempt=1)}, False),
        ("p1", Purpose.FRAMES, {"run": Run(attempt=1)}, False),
        ("2", Purpose.ARTIFACTS, {}, False),
        ("2", Purpose.FRAMES, {"run": RUN}, False),
        ("p1", Purpose.ARTIFACTS, {"run": RUN}, False),
        ("p1", Purpose.FRAMES, {"run": RUN, "preview": make_preview()}, False),
        ("p1", Purpose.SOURCE, {"run": RUN, "preview": make_preview()}, False),
        ("p2", Purpose.FRAMES, {"run": MORE, "preview": make_preview()}, True),
        ("p2", Purpose.SOURCE, {"run": MORE, "preview": make_preview()}, True),
        ("p1", Purpose.FRAMES, {"run": MORE, "preview": make_preview()}, False),
        ("p2", Purpose.FRAMES, {"run": MORE, "preview": ANSWERED}, False),
        (
            "p2",
            Purpose.FRAMES,
            {"run": MORE.model_copy(update={"attempt": 1}), "preview": make_preview()},
            False,
        ),
        ("p2", Purpose.ARTIFACTS, {"run": MORE, "preview": make_preview()}, False),
        ("2", Purpose.ARTIFACTS, {"run": RUN, "artifacts": [ARTIFACT]}, False),
        ("2", Purpose.SOURCE, {"run": RUN, "artifacts": [ARTIFACT]}, True),
    ],
)
def test_an_attempt_may_what_is_its_own_while_it_is_current(
    pod: str, purpose: Purpose, status: dict[str, Any], allowed: bool
) -> None:
    known = pods.identify(review(pod=f"sj-{UID}-{pod}-abcde"))
    if allowed:
        pods.check_current(known, ScoringJobStatus(**status), purpose)
        return
    with pytest.raises(PlayerscoreError) as refusal:
        pods.check_current(known, ScoringJobStatus(**status), purpose)

    assert refusal.value.code == "FORBIDDEN"


@pytest.mark.parametrize(
    ("metadata", "alive"),
    [
        ({"uid": "u"}, True),
        ({"uid": "u", "deletionTimestamp": "2026-06-01T00:00:30Z"}, True),
        ({"uid": "u", "deletionTimestamp": "2026-05-31T23:59:59Z"}, False),
        ({"uid": "another"}, False),
    ],
    ids=["it is there", "its grace has begun", "its grace is over", "another of its name"],
)
def test_a_pod_is_believed_while_it_is_there(metadata: dict[str, str], alive: bool) -> None:
    known = pods.identify(review())
    if alive:
        pods.check_alive(known, {"metadata": metadata}, NOW)
        return
    with pytest.raises(PlayerscoreError, match="gone"):
        pods.check_alive(known, {"metadata": metadata}, NOW)


@pytest.mark.parametrize(
    ("namespace", "uid"),
    [("tenant-b", UID), ("tenant-a", "0" * 36)],
    ids=["another namespace", "another job"],
)
def test_a_pod_has_one_job(namespace: str, uid: str) -> None:
    known = pods.identify(review())
    pods.check_job(known, "tenant-a", {"metadata": {"uid": UID}})
    with pytest.raises(PlayerscoreError, match="another ScoringJob"):
        pods.check_job(known, namespace, {"metadata": {"uid": uid}})


@pytest.mark.parametrize(("number", "allowed"), [(1, False), (3, False), (4, True)])
def test_the_picture_of_a_frame_that_is_there_never_changes(number: int, allowed: bool) -> None:
    status = ScoringJobStatus(run=MORE, preview=make_preview())
    if allowed:
        pods.check_frame(status, number)
        return
    with pytest.raises(PlayerscoreError, match="no longer changes"):
        pods.check_frame(status, number)
