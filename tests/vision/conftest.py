"""Clips with truth for the tests of the worker, rendered once for each run."""

import pytest

from matches import Match, render
from playerscore_clips.match import load_truth
from playerscore_clips.scenes import render_scene
from playerscore_worker import detectors
from playerscore_worker.cpus import cpu_limit
from playerscore_worker.detectors import Detector


@pytest.fixture(scope="session")
def match(tmp_path_factory: pytest.TempPathFactory) -> Match:
    return render(tmp_path_factory.mktemp("match"), seed=311, seconds=8, person_px=36)


@pytest.fixture(scope="session")
def far_match(tmp_path_factory: pytest.TempPathFactory) -> Match:
    return render(tmp_path_factory.mktemp("far"), seed=313, seconds=6, person_px=28)


@pytest.fixture(scope="session")
def leaving_match(tmp_path_factory: pytest.TempPathFactory) -> Match:
    return render(tmp_path_factory.mktemp("leaving"), seed=317, seconds=8, person_px=36, leaves=True)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Match:
    """A mate comes on where a player walks off."""
    clip = render_scene("substitution", 2000, tmp_path_factory.mktemp("substitution"))
    return Match(clip.video, load_truth(clip.truth))


@pytest.fixture(scope="session")
def detector() -> Detector:
    return detectors.load("embedded", None, cpu_limit())
