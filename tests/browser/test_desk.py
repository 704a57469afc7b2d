"""The console over a folder, without a cluster: by clicks, with the real worker behind it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from playerscore_clips.match import ClipSettings, render_clip

WORK_MS = 180_000
"""How long a preview, and an analysis, of a few seconds may take on a busy machine."""


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_clip(
        ClipSettings(seed=11, seconds=2.0, person_px=40), tmp_path_factory.mktemp("clip")
    ).video


class Opened:
    """A console that a person has started."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "playerscore_cli", *arguments, "--no-browser"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()

    def close(self) -> int:
        """As Ctrl-C does: to the whole group."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        self._process.communicate(timeout=30)
        return self._process.returncode


@pytest.fixture
def opened(video: Path, tmp_path: Path) -> Iterator[Opened]:
    started = Opened("run", str(video), "--console", "--frames", "2", "--out", str(tmp_path / "desk"))
    yield started
    started.close()


def test_a_player_is_scored_without_a_cluster(opened: Opened, page: Page, tmp_path: Path) -> None:
    page.goto(opened.address)
    expect(page).not_to_have_url(opened.address)
    person = page.locator("[data-track]").first
    person.click(timeout=WORK_MS)
    page.get_by_role("button", name="Confirm and start").click()
    expect(page.locator(".road .now, .road .done").last).to_have_text("Result", timeout=WORK_MS)
    expect(page.get_by_role("img", name="The five axes")).to_be_visible()
    score = page.locator(".score").first.inner_text()
    assert opened.close() == 0

    again = Opened("console", str(tmp_path / "desk"))
    try:
        page.goto(again.address)
        row = page.get_by_role("row").filter(has_text="match-11")
        expect(row).to_contain_text(score.split()[0])
    finally:
        assert again.close() == 0
