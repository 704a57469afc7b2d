"""How much the console loads and how fast it answers, into benchmarks/results/console.json (`make bench-console`).

In a real browser on a real API, store and API server, on this machine; the times are the browser's own
(`performance.now()`), the median and the worst of the rounds. A page is usable when what a person came for can be
clicked. A click is answered when the frame with the answer is painted.
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import machine
import worker_speed

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from playwright.sync_api import Browser, Page, expect, sync_playwright

from apilab import running_lab  # tests/support is on the path only now
from consoledesk import Desk, crowd, violations

ROUNDS: Final = 10
FRAMES, PEOPLE = 16, 48
MORE_SEC: Final = [3800.0, 3812.5]
USABLE: Final = """selector => new Promise(done => {
    const look = () => document.querySelector(selector) ? done(performance.now()) : requestAnimationFrame(look);
    look();
})"""
CLICK: Final = """track => new Promise(done => {
    const button = document.querySelector(`[data-track="${track}"]`);
    const begin = performance.now();
    button.click();
    const look = () => document.querySelector(`[data-track="${track}"]`)?.getAttribute("aria-pressed") === "true"
        ? requestAnimationFrame(() => done(performance.now() - begin)) : requestAnimationFrame(look);
    requestAnimationFrame(look);
})"""


def main() -> None:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as folder, running_lab(Path(folder)) as lab, sync_playwright() as tool:
        desk = Desk(lab)
        desk.job("crowded", crowd("crowded", FRAMES, PEOPLE))
        browser = tool.chromium.launch(
            executable_path=os.environ["PLAYERSCORE_BROWSER"], args=["--no-sandbox"]
        )
        figures = measured(desk, browser) | {"preview_more_seconds": preview_more_seconds(Path(folder))}
    result = {
        "command": "make bench-console",
        "machine": machine.described(),
        "note": (
            f"{ROUNDS} rounds, an empty browser cache each, over loopback; a preview of {FRAMES} frames with "
            f"{PEOPLE} people each; kb_gzip is all that the first page loads, 1 KB = 1000 bytes; preview_more_seconds "
            f"is the worker's, for frames at {MORE_SEC} s of 90 minutes of 1080p, the worst of three"
        ),
        "browser": figures.pop("browser"),
        "figures": figures,
        "goals": {
            "kb_gzip": 150,
            "first_page_usable_ms": 1000,
            "click_answered_ms": 100,
            "axe_violations": 0,
            "clicks_to_enqueue": 4,
            "preview_more_seconds": 10,
        },
    }
    path = ROOT / "benchmarks" / "results" / "console.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path.read_text())


def measured(desk: Desk, browser: Browser) -> dict[str, Any]:
    """All figures."""
    first = [fresh(desk, browser, "", "#new-job") for _ in range(ROUNDS)]
    job = [fresh(desk, browser, "/crowded", "[data-track]") for _ in range(ROUNDS)]
    page, _, kilobytes = visited(desk, browser, "/crowded", "[data-track]")
    clicks = [page.evaluate(CLICK, track) for track in range(1, ROUNDS + 1)]
    found = violations(page)
    page.context.close()
    return {
        "browser": browser.version,
        "kb_gzip": kilobytes,
        **spread("first_page_usable_ms", first),
        **spread("job_page_usable_ms", job),
        **spread("click_answered_ms", clicks),
        "axe_violations": len(found) + len(axe_of_the_list(desk, browser)),
        "clicks_to_enqueue": clicks_to_enqueue(desk, browser),
    }


def preview_more_seconds(folder: Path) -> float:
    """How long a further run of the preview works for two moments of a match, s: the worst of three."""
    clip, _ = worker_speed.clip_of(1080, 10, folder)
    match = worker_speed.repeated(clip, 90)
    runs = [worker_speed.apart("extended", str(match), MORE_SEC)["seconds"] for _ in range(3)]
    return round(max(runs), 1)


def spread(name: str, values: list[float]) -> dict[str, float]:
    """Median and worst, ms."""
    return {name: round(statistics.median(values), 1), f"{name}_worst": round(max(values), 1)}


def visited(desk: Desk, browser: Browser, place: str, selector: str) -> tuple[Page, float, float]:
    """A page of a new profile; when it was usable, ms after its navigation began; KB of pages, scripts and styles."""
    context = browser.new_context(extra_http_headers={"Authorization": f"Bearer {desk.lab.editor_token}"})
    page = context.new_page()
    bodies: list[int] = []
    page.on(
        "requestfinished",
        lambda request: bodies.append(
            request.sizes()["responseBodySize"] if "/console/" in request.url else 0
        ),
    )
    page.goto(f"{desk.url}#/default{place}", wait_until="commit")
    usable = float(page.evaluate(USABLE, selector))
    page.wait_for_load_state("load")
    return page, usable, round(sum(bodies) / 1000, 1)


def fresh(desk: Desk, browser: Browser, place: str, selector: str) -> float:
    """When a page that nothing is kept of was usable, ms."""
    page, usable, _ = visited(desk, browser, place, selector)
    page.context.close()
    return usable


def axe_of_the_list(desk: Desk, browser: Browser) -> list[str]:
    page, _, _ = visited(desk, browser, "", "table.jobs")
    found = violations(page)
    page.context.close()
    return found


def clicks_to_enqueue(desk: Desk, browser: Browser) -> int:
    """From the page that an upload leads to, to a job that is enqueued; each click is a real one."""
    desk.job("clicked")
    page, _, _ = visited(desk, browser, "/clicked", "[data-track]")
    clicks = 0
    for button in (page.locator("[data-track]").first, page.get_by_role("button", name="Confirm and start")):
        button.click()
        clicks += 1
    expect(page.locator(".road .now")).to_have_text("Analysis")
    assert desk.lab.stored("clicked")["spec"]["suspend"] is False
    page.context.close()
    return clicks


if __name__ == "__main__":
    main()
