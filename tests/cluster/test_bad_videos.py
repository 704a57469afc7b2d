"""Files that cannot be analysed: a stable reason, no retry, nothing left running."""

from collections.abc import Callable

import pytest

from livecluster import JOBS_NAMESPACE, Cluster, condition, step
from playerscore_clips.match import Clip

Store = Callable[[bytes], str]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"This is a text about football.\n" * 100, "VIDEO_NOT_A_VIDEO", id="not a video"),
        pytest.param(b"", "VIDEO_EMPTY", id="an empty file"),
    ],
)
def test_a_file_that_is_no_video_fails_the_job(
    cluster: Cluster, name: str, store_file: Store, content: bytes, reason: str
) -> None:
    cluster.create_job(name, {"video": {"uri": store_file(content)}})

    _fails(cluster, name, reason)


def test_a_truncated_upload_fails_the_job(cluster: Cluster, name: str, store_file: Store, clip: Clip) -> None:
    whole = clip.video.read_bytes()
    cluster.create_job(name, {"video": {"uri": store_file(whole[: len(whole) // 2])}})

    _fails(cluster, name, "VIDEO_TRUNCATED")


def test_a_source_that_the_runtime_does_not_allow_fails_the_job(cluster: Cluster, name: str) -> None:
    cluster.create_job(name, {"video": {"uri": "https://192.0.2.1/match.mp4"}})

    _fails(cluster, name, "SOURCE_DENIED")


def test_another_namespaces_upload_is_not_allowed(cluster: Cluster, name: str, video_uri: str) -> None:
    foreign = video_uri.replace(f"/{JOBS_NAMESPACE}/", "/other/")
    cluster.create_job(name, {"video": {"uri": foreign}})

    _fails(cluster, name, "SOURCE_DENIED")


def _fails(cluster: Cluster, name: str, reason: str) -> None:
    job = cluster.finished(name, 120)
    assert step(job) == "FAILED"
    succeeded = condition(job, "Succeeded")
    assert (succeeded["status"], succeeded["reason"]) == ("False", reason)
    assert succeeded["message"]
    assert condition(job, "Stalled")["status"] == "True"
    # Bad input is not tried again.
    assert len(cluster.children(job)) <= 1
    assert all(pod["status"]["phase"] not in ("Running", "Pending") for pod in cluster.children(job, "pods"))
