"""The console, by clicks and keys, on a real API; operator and worker are played by what they write."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from apilab import EDITOR, SPEC, Lab
from builders import OTHER, PLAYER, make_frame, make_preview, make_result, make_track, manifest
from consoledesk import ROOT, Desk, crowd, log, violations
from controlplane import free_ports
from playerscore.names import frame_key
from playerscore.resources import Moment, TrackBox

UNKNOWN_FILE = b"\x00" * 100_000
MIB = 2**20


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab)


@pytest.fixture
def console(page: Page, desk: Desk) -> Page:
    """The page of jobs, signed in."""
    return signed_in(page, desk.url, desk.lab.editor_token)


def signed_in(page: Page, url: str, token: str) -> Page:
    page.goto(url)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    return page


def opened(page: Page, name: str) -> Page:
    page.evaluate("name => location.hash = `#/-/${name}`", name)
    expect(page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
    return page


def person(page: Page, track: int) -> Any:
    return page.locator(f"[data-track='{track}']")


def overlap(page: Page) -> float:
    return float(page.locator("meter").get_attribute("value") or -1)


def overlaps(page: Page, wanted: float) -> None:
    """Wait until the page tells of that IoU."""
    told = "wanted => Math.abs(document.querySelector('meter')?.value - wanted) < 1e-6"
    page.wait_for_function(told, arg=wanted)


# --- what it is made of ------------------------------------------------------------------------------------------


def test_logic() -> None:
    """The unit tests of what is logic in the console, and its types."""
    done = subprocess.run(
        ["console/build.sh", "check"], check=False, cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout, done.stdout


def test_all_of_it_comes_from_the_api_and_nothing_inline_runs(page: Page, desk: Desk) -> None:
    asked: list[Request] = []
    said: list[ConsoleMessage] = []
    page.on("request", lambda request: asked.append(request))
    page.on("console", lambda message: said.append(message))
    page.goto(desk.url)
    expect(page.get_by_label("Token")).to_be_visible()
    refused = page.evaluate(
        """() => new Promise(done => {
            document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
            document.head.append(Object.assign(document.createElement("style"), {textContent: "p { color: red }"}));
        })"""
    )

    assert refused == "style-src-elem"
    assert [request.url for request in asked if not request.url.startswith(desk.lab.url)] == []
    names = [request.url.rsplit("/", 1)[-1] for request in asked if "/console/" in request.url]
    assert len(names) == 3, names
    assert [text for message in said if "401" not in (text := message.text) and "style" not in text] == []
    assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_the_files_are_kept_for_ever_and_the_page_is_not(desk: Desk) -> None:
    page = desk.lab.editor.get("/console/")
    script = next(part for part in page.text.split('"') if part.endswith(".js"))
    file = desk.lab.editor.get(f"/console/{script}")

    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in file.headers["cache-control"]
    assert file.headers["content-encoding"] == "gzip"
    assert (
        desk.lab.editor.get(f"/console/{script}", headers={"Accept-Encoding": "identity"}).text == file.text
    )
    assert "unsafe" not in page.headers["content-security-policy"]
    assert desk.lab.editor.get("/console").headers["location"] == "/console/"
    assert desk.lab.editor.get("/console/elsewhere.js").status_code == 404


# --- signing in --------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_told_and_the_next_one_works(page: Page, desk: Desk) -> None:
    page.goto(desk.url)
    page.get_by_label("Token").fill("mistyped")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_text("That token is not accepted")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Token").fill(desk.lab.editor_token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()


def test_the_token_of_the_address_is_taken_out_of_it(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}#token={desk.lab.editor_token}&to=/default")

    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert page.url == f"{desk.url}#/default"


def test_behind_a_proxy_that_signs_in_below_a_prefix(browser: Browser, desk: Desk) -> None:
    """The proxy puts the header; nobody is asked for a token."""
    with desk.lab.another(ROOT_PATH="/scoring") as url:
        header = {"Authorization": f"Bearer {desk.lab.editor_token}"}
        context = browser.new_context(extra_http_headers=header)
        page = context.new_page()
        page.goto(f"{url}/scoring/console")
        expect(page.get_by_text("signed in by the proxy")).to_be_visible()
        page.get_by_label("Choose a video").set_input_files(video("proxied.mp4"))
        expect(page.get_by_role("heading", name="proxied", level=1)).to_be_visible()
        context.close()


def test_who_may_do_nothing_is_told_so_in_the_catalogues_words(page: Page, desk: Desk) -> None:
    token = desk.lab.plane.token("default", "stranger")
    signed_in(page, desk.url, token)

    expect(page.get_by_role("alert")).to_contain_text("access rules do not allow this")
    page.get_by_label("Choose a video").set_input_files(video("mine.mp4"))
    expect(page.locator(".upload .problem")).to_contain_text("FORBIDDEN")


def test_a_token_that_expires_loses_nothing(page: Page, desk: Desk) -> None:
    lab = desk.lab
    desk.job("expires")
    token = lab.person("leaver", ["get", "list", "watch", "patch"])
    signed_in(page, desk.url, token)
    opened(page, "expires")
    person(page, PLAYER).click()
    expect(page.get_by_text(f"You picked person {PLAYER}")).to_be_visible()
    lab.plane.kubectl("delete", "serviceaccount", "leaver")
    until_refused(lab, token)
    page.get_by_role("button", name="Confirm and start").click()

    expect(page.get_by_role("heading", name="Your sign-in has run out")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Token").fill(lab.editor_token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Confirm and start").click()
    expect(page.locator(".road .now")).to_have_text("Analysis")


def until_refused(lab: Lab, token: str) -> None:
    """Kubernetes remembers a good token for some seconds."""
    client = lab.client(token)
    end = time.monotonic() + 60
    while client.get("/jobs/expires").status_code != 401:
        assert time.monotonic() < end, "the token is still taken"
        time.sleep(0.5)


# --- the flow ----------------------------------------------------------------------------------------------------


def video(name: str, size: int = len(UNKNOWN_FILE)) -> Any:
    return {"name": name, "mimeType": "video/mp4", "buffer": bytes(size)}


def test_the_whole_flow_by_clicks(console: Page, desk: Desk) -> None:
    page = console
    page.get_by_label("Choose a video").set_input_files(video("Cup Final.mp4"))
    expect(page.get_by_role("heading", name="cup-final", level=1)).to_be_visible()
    expect(page.get_by_role("heading", name="The preview is being made")).to_be_visible()
    uid = desk.lab.stored("cup-final")["metadata"]["uid"]
    desk.previewed("cup-final", uid, crowd("cup-final", 3, 12))

    person(page, 5).click()
    expect(page.get_by_text("You picked person 5")).to_be_visible()
    overlaps(page, 1)
    page.get_by_role("button", name="Only confirm").click()
    expect(page.get_by_text("Confirmed. Start when you like")).to_be_visible()
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.locator(".road .now")).to_have_text("Analysis")

    desk.waits("cup-final", "PodPending", "0/3 nodes are available")
    expect(page.get_by_text("It waits for a machine with enough room")).to_be_visible()
    desk.analyses("cup-final", 40)
    expect(page.get_by_text("40 % done")).to_be_visible()
    files = {"decisions.json": log(), "result.png": b"", "track.txt": b"1,1,2,3"}
    desk.completed("cup-final", files)
    expect(page.get_by_role("heading", name="The result")).to_be_visible()
    spec = desk.lab.stored("cup-final")["spec"]
    assert spec["player_ref"]["track_id"] == 5
    assert spec["target"]["confirmed"] is True
    assert spec["suspend"] is False


def test_a_mismatch_is_explained_and_may_be_forced(console: Page, desk: Desk) -> None:
    desk.job("mismatch")
    page = opened(console, "mismatch")
    person(page, PLAYER).click()
    box = page.get_by_label("The box around the player")
    box.focus()
    for _ in range(60):
        box.press("ArrowRight")
    overlaps(page, 0)
    expect(page.get_by_text("Too little: 0.2 is needed")).to_be_visible()
    page.get_by_role("button", name="Confirm and start").click()

    panel = page.get_by_role("alertdialog")
    expect(panel).to_contain_text("overlap by 0.00; 0.2 is needed")
    expect(panel.get_by_role("img", name="Both boxes on the picture")).to_be_visible()
    assert violations(page) == []
    assert desk.lab.stored("mismatch")["spec"]["target"]["confirmed"] is False
    panel.get_by_role("button", name="Insist").click()
    expect(page.get_by_text("Confirmed on your word")).to_be_visible()
    assert desk.lab.stored("mismatch")["spec"]["target"]["force"] is True
    page.get_by_role("button", name="Start the analysis").click()
    expect(page.locator(".road .now")).to_have_text("Analysis")


def test_after_a_mismatch_the_picked_players_box_is_one_click_away(console: Page, desk: Desk) -> None:
    desk.job("back")
    page = opened(console, "back")
    person(page, PLAYER).click()
    page.get_by_role("button", name="Draw the box anew").click()
    expect(page.locator(".surface.drawing")).to_be_visible()
    drag(page, (0.55, 0.5), (0.7, 0.8))
    overlaps(page, 0)
    page.get_by_role("button", name="Only confirm").click()
    page.get_by_role("button", name="Take the picked player's box").click()

    expect(page.get_by_role("alertdialog")).to_have_count(0)
    overlaps(page, 1)
    page.get_by_role("button", name="Only confirm").click()
    expect(page.get_by_text("Confirmed. Start when you like")).to_be_visible()


def drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    # A mouse does not reach what lies below the window.
    page.locator(".surface").scroll_into_view_if_needed()
    surface = page.locator(".surface").bounding_box()
    assert surface is not None
    points = [
        (surface["x"] + x * surface["width"], surface["y"] + y * surface["height"]) for x, y in (begin, end)
    ]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=4)
    page.mouse.up()


def test_by_the_keyboard_alone(console: Page, desk: Desk) -> None:
    desk.job("keys")
    page = opened(console, "keys")
    expect(person(page, PLAYER)).to_be_visible()
    person(page, PLAYER).focus()
    page.keyboard.press("ArrowRight")
    expect(person(page, OTHER)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"You picked person {OTHER}")).to_be_visible()
    page.get_by_label("The box around the player").focus()
    page.keyboard.press("Shift+ArrowDown")
    assert 0.9 < overlap(page) < 1
    page.get_by_role("button", name="Confirm and start").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".road .now")).to_have_text("Analysis")


def test_show_me_another_moment(console: Page, desk: Desk) -> None:
    desk.job("elsewhere")
    opened(console, "elsewhere")
    moments = console.get_by_role("list", name="Moments of the video").get_by_role("button")
    expect(moments).to_have_count(3)
    person(console, PLAYER).click()
    expect(person(console, PLAYER)).to_have_attribute("aria-pressed", "true")

    asking = console.get_by_label("Not here? Show me")
    for wrong, words in (("half past", "A time is written like 63:20"), ("63:20", "the video ends at 20 s")):
        asking.fill(wrong)
        asking.press("Enter")
        expect(console.get_by_text(words)).to_be_visible()
    asking.fill("0:03")
    console.get_by_role("button", name="Show", exact=True).click()
    expect(asking).to_have_value("")
    assert desk.lab.stored("elsewhere")["spec"]["preview"]["atSec"] == [3]
    desk.ready("elsewhere", "PreviewExtending", "3 frames to pick from. Further frames are being made")
    expect(console.get_by_text("That moment is being looked at")).to_be_visible()
    assert violations(console) == []

    desk.extends("elsewhere", 3.0, [make_track(40)])

    expect(moments).to_have_count(4)
    expect(moments.nth(2)).to_have_attribute("aria-pressed", "true")
    expect(moments.nth(2)).to_have_accessible_name("Moment 3, at 0:03, 1 person")
    expect(person(console, 40)).to_be_visible()
    expect(console.get_by_text("That moment is being looked at")).to_have_count(0)
    assert desk.lab.stored("elsewhere")["spec"]["player_ref"]["track_id"] == PLAYER

    asking.fill("2")
    asking.press("Enter")
    expect(moments.nth(1)).to_have_attribute("aria-pressed", "true")
    assert desk.lab.stored("elsewhere")["spec"]["preview"]["atSec"] == [3]
    desk.ready("elsewhere", "VIDEO_DECODE_FAILED", "4 frames to pick from. spec.preview.atSec: at 9 s")
    expect(
        console.get_by_text("That moment could not be shown. The video cannot be decoded.")
    ).to_be_visible()


def test_a_stretch_of_the_video_is_dragged_over(console: Page, desk: Desk) -> None:
    desk.job("stretch")
    opened(console, "stretch")
    axis = console.locator(".axis")
    axis.scroll_into_view_if_needed()
    place = axis.bounding_box()
    assert place is not None
    middle = place["y"] + place["height"] / 2
    console.mouse.move(place["x"] + place["width"] * 0.5, middle)
    console.mouse.down()
    console.mouse.move(place["x"] + place["width"] * 0.7, middle, steps=4)
    expect(console.locator(".axis .drag")).to_have_count(1)
    with console.expect_response("**/preview*") as asked:
        console.mouse.up()

    assert asked.value.request.post_data_json == {"range": {"fromSec": 10, "toSec": 14}}
    assert desk.lab.stored("stretch")["spec"]["preview"]["atSec"] == [10.5, 11.5, 12.5, 13.5]
    desk.extends("stretch", 10.5, [make_track(40)])
    expect(person(console, 40)).to_be_visible()

    asking = console.get_by_label("Not here? Show me")
    asking.fill("0:15-0:14")
    asking.press("Enter")
    expect(console.get_by_text("a range like 63:20-64:00")).to_be_visible()


def test_a_drawn_box_survives_a_reload(page: Page, desk: Desk) -> None:
    desk.job("reloaded")
    header = {"Authorization": f"Bearer {desk.lab.editor_token}"}
    page.context.set_extra_http_headers(header)
    page.goto(f"{desk.url}#/default/reloaded")
    person(page, PLAYER).click()
    box = page.get_by_label("The box around the player")
    for _ in range(10):
        box.press("ArrowRight")
    drawn = overlap(page)
    page.reload()

    expect(page.locator("meter")).to_be_visible()
    overlaps(page, drawn)
    assert 0 < drawn < 1


def test_pausing_and_deleting_ask_first(console: Page, desk: Desk) -> None:
    desk.job("ended")
    page = opened(console, "ended")
    person(page, PLAYER).click()
    page.get_by_role("button", name="Confirm and start").click()
    desk.analyses("ended")
    expect(page.get_by_text("40 % done")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    assert violations(page) == []
    page.get_by_role("button", name="Pause it").click()
    expect(page.get_by_role("button", name="Start the analysis")).to_be_visible()
    assert desk.lab.stored("ended")["spec"]["suspend"] is True

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert "ended" not in desk.lab.plane.kubectl("get", "scoringjobs", "-o", "name")


def test_a_pick_that_no_longer_holds_is_refused_in_the_catalogues_words(console: Page, desk: Desk) -> None:
    desk.job("changed")
    page = opened(console, "changed")
    expect(person(page, OTHER)).to_be_visible()
    alone = make_preview([make_frame(1, [make_track()], name="changed")], name="changed")
    desk.lab.status("changed", {"preview": manifest(alone)})
    person(page, OTHER).click()

    expect(page.get_by_text("The frame has no such track.")).to_be_visible()
    expect(page.locator(".problem code", has_text="TRACK_NOT_FOUND")).to_be_visible()
    assert person(page, OTHER).get_attribute("aria-pressed") == "false"


def test_a_failed_job_says_why_and_what_to_do(console: Page, desk: Desk) -> None:
    desk.job("broken")
    desk.failed("broken", "VIDEO_UNSUPPORTED", "codec prores is not allowed")
    page = opened(console, "broken")

    expect(page.get_by_text("The container or codec is not on the allow-list.")).to_be_visible()
    expect(page.get_by_text("codec prores is not allowed").first).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [("nobody", "There is no such ScoringJob")],
)
def test_an_address_of_nothing(console: Page, name: str, words: str) -> None:
    page = opened(console, name)

    expect(page.get_by_role("alert")).to_contain_text(words)


def test_an_address_that_is_no_video_is_refused(console: Page) -> None:
    console.get_by_text("Or the address of a video").click()
    console.get_by_label("as the cluster reaches it").fill("nowhere")
    console.get_by_role("button", name="Create the job").click()

    expect(console.get_by_role("alert")).to_contain_text("INVALID")


# --- the result --------------------------------------------------------------------------------------------------


def test_the_result_can_be_read_looked_at_and_compared(console: Page, desk: Desk, tmp_path: Path) -> None:
    for name in ("one", "two"):
        desk.job(name)
        desk.completed(name, {"decisions.json": log(), "track.txt": b"1,1,2,3"})
    page = opened(console, "one")
    expect(page.get_by_role("img", name="The five axes")).to_be_visible()
    expect(page.get_by_text("sure: 0:15.0")).to_be_visible()
    expect(page.get_by_text("lost: 0:03.0")).to_be_visible()
    page.get_by_label("Moment", exact=True).fill("10")
    expect(page.get_by_text("0:10.0 · he was lost: he left the picture")).to_be_visible()
    page.get_by_text("All that was decided").click()
    page.get_by_role("button", name="Look at 0:04.0").click()
    expect(page.get_by_label("Moment", exact=True)).to_have_value("4")
    page.get_by_text("What was measured").click()
    assert violations(page) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="Download track.txt").click()
    assert Path(download.value.path()).read_bytes() == b"1,1,2,3"

    page.get_by_role("link", name="playerscore").click()
    for name in ("one", "two"):
        page.get_by_label(f"Compare {name}").check()
    page.get_by_role("button", name="Compare the two chosen jobs").click()
    expect(page.get_by_role("rowheader", name="overall score")).to_be_visible()
    assert violations(page) == []


def test_answers_to_what_is_unsure_make_another_job(console: Page, desk: Desk) -> None:
    """Two of two moments are answered: by a letter, and that he is not there; the ended job stays as it is."""
    desk.job("unsure")
    for step, body in (
        ("pick-player", {"frame_key": frame_key("unsure", 1), "track_id": PLAYER}),
        ("target", {}),
        ("enqueue", None),
    ):
        answer = desk.lab.editor.post(f"/jobs/unsure/{step}", json=body)
        assert answer.is_success, answer.text
    here, there = (TrackBox(x=x, y=0.3, w=0.05, h=0.2) for x in (0.2, 0.6))
    known = {"kind": "crossing", "doubt": 0.31, "stake_sec": 6.0, "candidates": [here, there]}
    told = [
        Moment(number=1, time_sec=4.0, taken=True, **known),
        Moment(number=2, time_sec=9.0, taken=False, **known),
    ]
    picture = (ROOT / "docs" / "detector.jpg").read_bytes()
    desk.completed("unsure", {"review_01.jpg": picture}, make_result(review=told))
    before = desk.lab.stored("unsure")
    page = opened(console, "unsure")

    first = page.get_by_role("group", name="0:04.0, somebody crossed him")
    expect(first.get_by_role("img", name="The scene before, at and after 0:04.0")).to_be_visible()
    expect(first.get_by_text("31 % in doubt; 0:06.0 rest on it.")).to_be_visible()
    expect(page.get_by_role("button", name="Analyse again", exact=True)).to_be_disabled()
    first.get_by_label("B", exact=True).check()
    page.get_by_role("group", name="0:09.0").get_by_label("He is not in the picture").check()
    assert violations(page) == []
    page.get_by_role("button", name="Analyse again with 2 answers").click()

    expect(page.get_by_role("heading", name="unsure-2", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="unsure", exact=True)).to_be_visible()
    assert desk.lab.stored("unsure-2")["spec"]["anchors"] == [
        {"time_sec": 4, "bbox": there.model_dump()},
        {"time_sec": 9, "absent": True},
    ]
    assert desk.lab.stored("unsure") == before
    opened(page, "unsure").get_by_role("group", name="0:04.0").get_by_label("B", exact=True).check()
    page.get_by_role("button", name="Analyse again with 1 answer").click()
    expect(page.get_by_role("heading", name="unsure-3", level=1)).to_be_visible()


# --- uploads -----------------------------------------------------------------------------------------------------


def test_two_halves_are_one_match(console: Page, desk: Desk, tmp_path: Path) -> None:
    """In the order of their names, or a job each."""
    halves = [tmp_path / "half 2.mp4", tmp_path / "half 1.mp4"]
    for number, half in enumerate(halves):
        half.write_bytes(bytes([number]) * 2000)
    console.get_by_label("Choose a video").set_input_files(halves)
    asked = console.get_by_role("group", name="Are these 2 files one match, in this order?")
    expect(asked.get_by_role("listitem")).to_have_text(["half 1.mp4", "half 2.mp4"])
    assert violations(console) == []
    asked.get_by_role("button", name="One match").click()

    expect(console.get_by_role("heading", name="half-1", level=1)).to_be_visible()
    video = desk.lab.stored("half-1")["spec"]["video"]
    files = [video["uri"], *(part["uri"] for part in video["parts"])]
    assert [uri.rsplit("-", 1)[1] for uri in files] == ["half_1.mp4", "half_2.mp4"]

    console.go_back()
    console.get_by_label("Choose a video").set_input_files(halves)
    console.get_by_role("button", name="A job for each").click()
    expect(console.get_by_role("heading", level=1)).to_have_text(re.compile("half-"))
    end = time.monotonic() + 20
    while not desk.lab.editor.get("/jobs/half-2").is_success:
        assert time.monotonic() < end, "the second has no job"
        time.sleep(0.1)
    assert "parts" not in desk.lab.stored("half-2")["spec"]["video"]


def test_an_upload_that_breaks_goes_on_where_it_was(console: Page, desk: Desk, tmp_path: Path) -> None:
    """Once because the line breaks, once because the page is closed."""
    file = tmp_path / "long.mp4"
    file.write_bytes(bytes(18 * MIB))
    sent: list[str] = []
    console.on(
        "requestfinished", lambda request: sent.append(f"{request.method} {request.url.rsplit('/', 1)[-1]}")
    )
    console.route("**/parts/2", lambda route: route.abort())
    console.get_by_label("Choose a video").set_input_files(file)
    broken = console.get_by_text("Connection lost. It goes on by itself")
    expect(broken).to_be_visible(timeout=60_000)
    console.on("dialog", lambda dialog: dialog.accept())
    console.reload()
    signed_in(console, desk.url, desk.lab.editor_token)
    expect(console.get_by_text("long.mp4 was not uploaded to its end")).to_be_visible()
    assert violations(console) == []
    console.get_by_label("Choose a video").set_input_files(file)
    expect(broken).to_be_visible()
    console.unroute("**/parts/2")

    expect(console.get_by_role("heading", name="long", level=1)).to_be_visible()
    assert sent.count("PUT 1") == 1, "what had arrived was not sent again"
    assert sent.count("PUT 2") == 1


def test_a_name_that_is_taken_gets_a_number(console: Page, desk: Desk) -> None:
    desk.lab.created("taken")
    console.get_by_label("Choose a video").set_input_files(video("taken.mp4"))

    expect(console.get_by_role("heading", name="taken-2", level=1)).to_be_visible()


# --- live --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def season(lab: Lab) -> str:
    """The token of somebody in a namespace with two hundred jobs."""
    lab.plane.kubectl("create", "namespace", "season")
    token = lab.person("coach", EDITOR, "season")
    coach = lab.client(token)
    for number in range(200):
        answer = coach.post("/jobs?namespace=season", json={"id": f"match-{number}", **SPEC})
        assert answer.is_success, answer.text
    return token


def test_two_hundred_jobs_live_and_filtered_in_two_tabs(page: Page, desk: Desk, season: str) -> None:
    tabs = [page, page.context.new_page()]
    for tab in tabs:
        tab.goto(f"{desk.url}#token={season}&to=/season")
        expect(tab.get_by_role("link", name="match-199", exact=True)).to_be_visible()
    expect(page.locator("caption")).to_have_text("200 jobs")
    assert violations(page) == []
    failed = json.dumps({"status": {"progress": {"step": "FAILED"}}})
    patch = ["patch", "scoringjob", "match-42", "--subresource=status", "--type=merge", "-p", failed]
    desk.lab.plane.kubectl("-n", "season", *patch)
    for tab in tabs:
        expect(tab.locator("tr", has_text="match-42")).to_contain_text("failed")

    page.get_by_label("Step").select_option("failed")
    expect(page.locator("caption")).to_have_text("1 of 200 jobs")
    expect(page.get_by_role("link", name="match-42", exact=True)).to_be_visible()
    desk.lab.plane.kubectl("-n", "season", "delete", "scoringjob", "match-42")
    expect(page.get_by_text("No job matches the filters")).to_be_visible()
    page.get_by_label("Step").select_option("any step")
    expect(page.locator("caption")).to_have_text("199 jobs")


def test_a_stream_that_breaks_is_told_and_mended(browser: Browser, page: Page, desk: Desk) -> None:
    """The API's process goes, something happens meanwhile, another one comes to the same place."""
    desk.lab.created("meanwhile")
    (port,) = free_ports(1)
    with desk.lab.another(PORT=str(port)) as url:
        signed_in(page, f"{url}/console/", desk.lab.editor_token)
        expect(page.get_by_role("link", name="meanwhile", exact=True)).to_be_visible()
        expect(page.get_by_role("status").first).to_have_text("live")
    expect(page.get_by_text("Connection lost. Trying again")).to_be_visible()
    desk.lab.plane.kubectl("delete", "scoringjob", "meanwhile")
    desk.lab.created("afterwards")
    with desk.lab.another(PORT=str(port)):
        expect(page.get_by_role("link", name="afterwards", exact=True)).to_be_visible(timeout=40_000)
        expect(page.get_by_role("link", name="meanwhile", exact=True)).to_have_count(0)
        expect(page.get_by_text("Connected again")).to_be_visible()


# --- for everybody -----------------------------------------------------------------------------------------------


def test_on_a_phone_in_the_dark(browser: Browser, desk: Desk) -> None:
    """axe finds nothing, and no page is wider than the screen."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True, locale="en"
    )
    page = signed_in(context.new_page(), desk.url, desk.lab.editor_token)
    for name in ("small", "small-done"):
        desk.job(name)
    desk.completed("small-done", {"decisions.json": log()})
    found = {"jobs": narrow(page)}
    person(opened(page, "small"), PLAYER).tap()
    expect(page.get_by_text(f"You picked person {PLAYER}")).to_be_visible()
    found["pick"] = narrow(page)
    opened(page, "small-done")
    expect(page.get_by_text("sure: 0:15.0")).to_be_visible()
    found["result"] = narrow(page)
    context.close()

    assert found == {"jobs": [], "pick": [], "result": []}


def narrow(page: Page) -> list[str]:
    """What axe finds, and whether one has to scroll sideways."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    return violations(page) + ([f"{wide} pixels wide"] if wide > 390 else [])
