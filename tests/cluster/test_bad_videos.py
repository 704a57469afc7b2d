"""Files that cannot be analysed: a stable reason, no retry, nothing left running."""

from collections.abc import Callable
from pathlib import Path

import av
import httpx
import numpy as np

from livecluster import JOBS_NAMESPACE, Cluster, condition, step
from playerscore_clips.match import Clip

Store = Callable[[bytes], str]


def test_a_file_that_is_no_video_fails_the_job(cluster: Cluster, name: str, store_file: Store) -> None:
    uri = store_file(b"This is a text about football.\n" * 100)
    cluster.create_job(name, {"video": {"uri": uri}})

    _fails(cluster, name, "VIDEO_NOT_A_VIDEO")


def test_an_empty_file_is_refused_at_the_door(api: httpx.Client) -> None:
    answer = api.post("/uploads", json={"filename": "empty.mp4", "bytes": 0})

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "bytes"


def test_a_video_without_a_person_fails_the_job(
    cluster: Cluster, name: str, store_file: Store, tmp_path: Path
) -> None:
    cluster.create_job(name, {"video": {"uri": store_file(_empty_pitch(tmp_path / "grass.mp4"))}})

    _fails(cluster, name, "VIDEO_NO_PERSON")


def test_a_truncated_upload_fails_the_job(cluster: Cluster, name: str, store_file: Store, clip: Clip) -> None:
    whole = clip.video.read_bytes()
    # A recorder writes the index last: what it was cut off from has none.
    cluster.create_job(name, {"video": {"uri": store_file(whole.replace(b"moov", b"free", 1))}})

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


def _empty_pitch(path: Path) -> bytes:
    """Two seconds of grass."""
    picture = np.full((360, 640, 3), (40, 120, 40), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _ in range(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()
