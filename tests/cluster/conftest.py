"""A real node, real images, the real chart: brought up once, and used again when it is there."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from livecluster import JOBS_NAMESPACE, Cluster, upload
from playerscore_clips.match import Clip, ClipSettings, render_clip


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster.up()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Five seconds of a match that training never saw."""
    settings = ClipSettings(seed=90_210, seconds=5.0, width=960, height=540)
    return render_clip(settings, tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[httpx.Client]:
    with cluster.person() as client:
        yield client


@pytest.fixture(scope="session")
def video_uri(api: httpx.Client, clip: Clip) -> str:
    """The clip in the store, uploaded as a person does it."""
    return upload(api, clip.video, f"match-{secrets.token_hex(3)}.mp4")


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    """A name for a job, which is removed with all that belongs to it when the test ends."""
    yield from _named(cluster)


@pytest.fixture
def refined_name(cluster: Cluster) -> Iterator[str]:
    """Another one."""
    yield from _named(cluster)


def _named(cluster: Cluster) -> Iterator[str]:
    chosen = f"test-{secrets.token_hex(4)}"
    yield chosen
    cluster.kubectl(
        "-n", JOBS_NAMESPACE, "delete", "scoringjob", chosen, "--ignore-not-found", "--wait=false"
    )


@pytest.fixture
def store_file(api: httpx.Client, tmp_path: Path) -> Callable[[bytes], str]:
    """Puts bytes into the store, and says their uri."""

    def store(content: bytes) -> str:
        path = tmp_path / "file.mp4"
        path.write_bytes(content)
        return upload(api, path, f"file-{secrets.token_hex(3)}.mp4")

    return store
