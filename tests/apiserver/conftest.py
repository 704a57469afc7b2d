"""What several modules of this level start once."""

import signal
from collections.abc import Iterator

import pytest

from apilab import Lab, running_lab
from tenants import Release, running_release

# A shell without job control starts its background with Ctrl-C ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The REST API on a real API server and a real S3 server."""
    with running_lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """An installed release with two tenants, its real API and store."""
    with running_release(tmp_path_factory.mktemp("release")) as started:
        yield started
