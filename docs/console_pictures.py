"""The pictures of docs/console.md, of a rendered clip, its real preview and its real analysis (`make console-pictures`)."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from playwright.sync_api import Page, expect, sync_playwright

from apilab import running_lab  # tests/support is on the path only now
from builders import make_result, make_signals
from consoledesk import Desk
from playerscore.resources import Analysis, Detector, PreviewSettings, PreviewStatus, Result
from playerscore_cli import local

PICTURES: Final = ROOT / "docs" / "console"
WORK: Final = ROOT / "out" / "console"
JOB: Final = "final"


def main() -> None:
    """Analyse, show, take the pictures."""
    PICTURES.mkdir(exist_ok=True)
    expect.set_options(timeout=60_000)
    preview, pictures, result, files, moment, track = analysed()
    with tempfile.TemporaryDirectory() as folder, running_lab(Path(folder)) as lab, sync_playwright() as tool:
        desk = Desk(lab)
        browser = tool.chromium.launch(
            executable_path=os.environ["PLAYERSCORE_BROWSER"], args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.set_default_timeout(60_000)
        desk.job(JOB, preview, pictures)
        others(desk)
        page.goto(f"{desk.url}#token={lab.editor_token}&to=/default")
        expect(page.get_by_role("link", name=JOB, exact=True)).to_be_visible()
        take(page, "jobs")
        page.get_by_role("link", name=JOB, exact=True).click()
        page.locator(".moment").nth(moment).click()
        page.locator(f"[data-track='{track}']").click()
        expect(page.locator("meter")).to_be_visible()
        page.locator("#pick").scroll_into_view_if_needed()
        take(page, "pick")
        mismatched(page)
        take(page, "mismatch")
        desk.completed(JOB, files, result)
        expect(page.locator("video")).to_have_js_property("readyState", 4)
        expect(page.locator("figure img").first).to_be_visible()
        take(page, "result", full_page=True)


def analysed() -> tuple[PreviewStatus, dict[int, bytes], Result, dict[str, bytes], int, int]:
    """Preview, its pictures, result, artifacts, and whom to pick: the frame's place, from 0, and the track."""
    clip = WORK / "clip" / "clip.mp4"
    if not clip.exists():
        command = [sys.executable, "-m", "playerscore_cli", "clip", "--out", str(clip.parent)]
        subprocess.run(command, check=True)  # noqa: S603  # the project's own program

    def tell(share: float, message: str) -> None:
        print(f"{share:4.0%} {message}", flush=True)

    made = local.preview(clip, WORK, PreviewSettings(), tell, Detector())
    frame, track, _ = local.choose(made, None, None)
    result, written = local.analyse(made, frame, track, Analysis(), WORK, tell)
    text = made.status.model_dump_json(by_alias=True).replace("jobs/local/", f"jobs/{JOB}/")
    frames = {
        number: (WORK / "frames" / f"frame_{number:04d}.jpg").read_bytes()
        for number in range(1, len(made.status.frames) + 1)
    }
    files = {path.name: path.read_bytes() for path in written if path.name != "result.json"}
    return (
        PreviewStatus.model_validate_json(text),
        frames,
        result,
        files,
        made.status.frames.index(frame),
        track.track_id,
    )


def others(desk: Desk) -> None:
    """Jobs at other steps."""
    for name in ("cup-semifinal", "derby", "derby-no-10", "friendly", "season-opener"):
        desk.lab.created(name)
    desk.analyses("cup-semifinal", 64)
    desk.completed("derby")
    desk.completed("derby-no-10", result=make_result(make_signals(certain_sec=30.0, lost_sec=27.0)))
    desk.failed("friendly", "VIDEO_UNSUPPORTED", "codec prores")


def mismatched(page: Page) -> None:
    """The box is moved off him, and confirmed."""
    box: Any = page.get_by_label("The box around the player")
    for _ in range(25):
        box.press("ArrowRight")
    page.get_by_role("button", name="Only confirm").click()
    expect(page.get_by_role("alertdialog")).to_be_visible()
    page.get_by_role("alertdialog").scroll_into_view_if_needed()


def take(page: Page, name: str, *, full_page: bool = False) -> None:
    page.wait_for_timeout(700)  # what fades in is there by then
    page.screenshot(path=PICTURES / f"{name}.jpg", type="jpeg", quality=75, full_page=full_page)


if __name__ == "__main__":
    main()
