"""`show` and `pick` on a terminal: real pixels, in every way that a terminal can draw them."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from apilab import Lab
from builders import OTHER, OTHER_BOX, PLAYER, PLAYER_BOX, make_preview, make_result, manifest
from clidesk import DONE, INTERRUPTED, NOT_FOUND, Desk, Terminal
from playerscore import names
from playerscore.geometry import Box
from playerscore_cli.picture import CHOSEN, DARK, FRAME_WIDTH, GRASS, INK

SKY = (40, 90, 200)
"""The colour of the stored frames, which nothing else has."""
COLUMNS = 100


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


@pytest.fixture(scope="module")
def pictured(lab: Lab, desk: Desk) -> str:
    """A job whose frames lie in the store, put there by its preview pod, and whose player is picked."""
    name = "pictured"
    uid = lab.created(name, preview=False)
    lab.status(name, {"run": {"previewAttempt": 1}})
    token = lab.pod_token(f"{names.preview_job_name(uid, 1)}-x1")
    content = io.BytesIO()
    Image.new("RGB", (1280, 720), SKY).save(content, "JPEG")
    with httpx.Client(base_url=lab.url, headers={"Authorization": f"Bearer {token}"}) as worker:
        for number in (1, 2, 3):
            path = f"/worker/jobs/default/{name}/frames/{number}"
            sent = worker.put(path, content=content.getvalue(), headers={"Content-Type": "image/jpeg"})
            assert sent.status_code == 200, sent.text
    lab.status(name, {"preview": manifest(make_preview(name=name))})
    desk.ok("pick", name, "--frame", "1", "--track", str(PLAYER))
    return name


@pytest.fixture(scope="module")
def scored(lab: Lab) -> str:
    """A job with a result."""
    lab.created("scored")
    lab.status("scored", {"result": manifest(make_result()), "progress": {"step": "COMPLETED"}})
    return "scored"


def edge(box: Box, size: tuple[int, int]) -> tuple[int, int]:
    """A pixel on the box's left side, at half its height."""
    return round(box.x * size[0]), round((box.y + box.h / 2) * size[1])


def near(seen: Any, wanted: tuple[int, int, int], within: int = 40) -> bool:
    return all(abs(int(one) - other) <= within for one, other in zip(seen[:3], wanted, strict=True))


# --- PNG ------------------------------------------------------------------------------------------------


def test_a_png_of_one_frame_has_its_pixels_and_its_boxes(
    desk: Desk, lab: Lab, pictured: str, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "frame.png"

    shown = desk.ok(
        "show",
        pictured,
        "--frame",
        "1",
        "--output-file",
        str(file),
        "--api",
        lab.url,
        "--token",
        lab.editor_token,
    )

    with Image.open(file) as picture:
        assert picture.size == (FRAME_WIDTH, FRAME_WIDTH * 720 // 1280)
        assert near(picture.getpixel((FRAME_WIDTH // 2, 500)), SKY)
        assert picture.getpixel(edge(PLAYER_BOX, picture.size)) == CHOSEN
        assert picture.getpixel(edge(OTHER_BOX, picture.size)) == INK
    assert f"picture: {file}" in shown


def test_without_the_api_the_boxes_stand_on_grass(desk: Desk, pictured: str, tmp_path: Path) -> None:
    file = tmp_path / "sheet.png"

    desk.ok("show", pictured, "--png", str(file))

    with Image.open(file) as sheet:
        assert sheet.width > 2 * FRAME_WIDTH, "all frames, two in a row"
        assert sheet.getpixel((FRAME_WIDTH // 2, 500)) == GRASS


def test_a_png_of_the_result_has_the_player_and_the_radar(desk: Desk, scored: str, tmp_path: Path) -> None:
    file = tmp_path / "result.png"

    shown = desk.ok("show", scored, "--output-file", str(file))

    result = make_result()
    assert f"overallScore {result.overall_score}" in shown
    assert all(f"{axis} " in shown for axis in result.radar.model_dump())
    with Image.open(file) as picture:
        radar = picture.crop((picture.width - picture.height, 0, picture.width, picture.height))
        filled = sum(near(pixel, tuple(part // 3 for part in CHOSEN), 8) for pixel in _pixels(radar))
    assert filled > 0.05 * radar.width * radar.height


def _pixels(image: Image.Image) -> list[tuple[int, ...]]:
    raw = image.convert("RGB").tobytes()
    return list(zip(raw[::3], raw[1::3], raw[2::3], strict=True))


# --- in the terminal ------------------------------------------------------------------------------------


def test_half_blocks_have_the_frames_colours_and_readable_numbers(
    desk: Desk, lab: Lab, pictured: str
) -> None:
    api = {"PLAYERSCORE_API": lab.url, "PLAYERSCORE_TOKEN": lab.editor_token}
    with desk.terminal("show", pictured, "--frame", "1", columns=COLUMNS, **api) as terminal:
        assert terminal.end() == DONE

    top = next(row for row, line in enumerate(terminal.text.split("\n")) if " frame 1 " in line)
    size = (COLUMNS, COLUMNS * 720 // 1280)
    assert near(cell(terminal, top, (COLUMNS // 2, 44)), SKY), "the JPEG came through"
    assert near(cell(terminal, top, edge(PLAYER_BOX, size)), CHOSEN, 2)
    assert near(cell(terminal, top, edge(OTHER_BOX, size)), INK, 2)
    rows = "\n".join(terminal.text.split("\n")[top : top + size[1] // 2])
    assert re.search(rf"{PLAYER}▀", rows)
    assert re.search(rf"{OTHER}▀", rows)


def cell(terminal: Terminal, top: int, pixel: tuple[int, int]) -> tuple[int, int, int]:
    """The colour of a pixel that was drawn as half a character."""
    column, row = pixel
    drawn = terminal.screen.buffer[top + row // 2][column]
    assert drawn.data == "▀"
    colour = drawn.fg if row % 2 == 0 else drawn.bg
    return int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16)


def test_no_color_draws_outlines_without_a_colour(desk: Desk, pictured: str) -> None:
    with desk.terminal("show", pictured, "--frame", "1", columns=COLUMNS, NO_COLOR="1") as terminal:
        assert terminal.end() == DONE

    assert not re.search(rb"\x1b\[[0-9;]*[34]8;", terminal.raw)
    lines = terminal.text.split("\n")
    top = next(row for row, line in enumerate(lines) if " frame 1 " in line)
    column, row = edge(PLAYER_BOX, (COLUMNS, COLUMNS * 720 // 1280))
    assert lines[top + row // 2][column] == "·"
    assert any(line[column:].startswith(str(PLAYER)) for line in lines)


@pytest.mark.parametrize(
    ("protocol", "answers"),
    [
        ("kitty", {rb"\x1b_Gi=(\d+),[^;]*a=q": b"\x1b_Gi=\\1;OK\x1b\\\\"}),
        ("sixel", {rb"\x1b\[c": b"\x1b[?62;4c"}),
    ],
)
def test_a_terminal_that_can_is_given_pixels(
    desk: Desk, lab: Lab, pictured: str, protocol: str, answers: dict[bytes, bytes]
) -> None:
    """The terminal says itself what it can; the picture is decoded from what it was sent."""
    arguments = ["show", pictured, "--frame", "1", "--api", lab.url, "--token", lab.editor_token]
    with desk.terminal(*arguments, columns=COLUMNS) as terminal:
        terminal.answers = answers
        assert terminal.end() == DONE

    picture = from_kitty(terminal.raw) if protocol == "kitty" else from_sixels(terminal.raw)
    assert picture.width > 500
    assert near(picture.getpixel((picture.width // 2, picture.height - 40)), SKY)
    assert near(picture.getpixel(edge(PLAYER_BOX, picture.size)), CHOSEN, 60)
    assert near(picture.getpixel(edge(OTHER_BOX, picture.size)), INK, 60)


def from_kitty(raw: bytes) -> Image.Image:
    """The PNG in kitty's graphics messages."""
    parts = re.findall(rb"\x1b_G[^;]*f=100[^;]*;([A-Za-z0-9+/=]+)\x1b\\", raw)
    return Image.open(io.BytesIO(base64.b64decode(b"".join(parts)))).convert("RGB")


def from_sixels(raw: bytes) -> Image.Image:
    """The picture in a sixel string: colour registers, runs, and bands of six rows."""
    found = re.search(rb"\x1bP[0-9;]*q(.*?)\x1b\\", raw, re.DOTALL)
    assert found
    text = found[1].decode()
    size = re.match(r'"\d+;\d+;(\d+);(\d+)', text)
    assert size
    picture = Image.new("RGB", (int(size[1]), int(size[2])))
    registers: dict[str, tuple[int, ...]] = {}
    x = top = 0
    colour: tuple[int, ...] = (0, 0, 0)
    for token in re.finditer(
        r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)(.)|([$-])|([?-~])", text[size.end() :]
    ):
        if token[1]:
            colour = registers[token[1]] = tuple(round(int(token[part]) * 2.55) for part in (2, 3, 4))
        elif token[5]:
            colour = registers[token[5]]
        elif token[8]:
            x, top = 0, top + (6 if token[8] == "-" else 0)
        else:
            bits, count = ord(token[7] or token[9]) - 63, int(token[6] or 1)
            for row in range(6):
                if bits >> row & 1 and top + row < picture.height:
                    picture.paste(colour, (x, top + row, min(x + count, picture.width), top + row + 1))
            x += count
    return picture


def test_the_radar_in_the_terminal(desk: Desk, scored: str) -> None:
    with desk.terminal("show", scored, columns=COLUMNS) as terminal:
        assert terminal.end() == DONE

    result = make_result()
    assert f"overallScore {result.overall_score}" in terminal.text
    for axis, value in result.radar.model_dump().items():
        assert f"{axis.replace('_', ' ')} {value}" in terminal.text
    inked = [item for row in terminal.screen.buffer.values() for item in row.values() if item.data == "▀"]
    green = sum(item.fg == bytes(part // 3 for part in CHOSEN).hex() for item in inked)
    assert green > 100, "the shape is filled"
    assert any(item.fg == bytes(DARK).hex() for item in inked)


def test_without_a_terminal_there_is_a_table_and_no_escape(desk: Desk, pictured: str) -> None:
    shown = desk.ok("show", pictured)

    assert "\x1b" not in shown
    assert "▀" not in shown
    assert f"scoringjob/{pictured}  WAITING_FOR_TARGET_CONFIRMATION" in shown
    assert all(str(track) in shown for track in (PLAYER, OTHER))


def test_a_frame_that_is_not_there_is_refused(desk: Desk, pictured: str) -> None:
    done = desk.run("show", pictured, "--frame", "9")

    assert (done.returncode, "FRAME_NOT_FOUND" in done.stderr) == (NOT_FOUND, True)


def test_frames_that_cannot_be_had_are_told_and_boxes_shown(desk: Desk, lab: Lab, pictured: str) -> None:
    done = desk.run("show", pictured, "--picture", "blocks", "--api", lab.url, "--token", "wrong")

    assert done.returncode == DONE
    assert "Warning: no picture of the frames: UNAUTHENTICATED" in done.stderr
    assert "▀" in done.stdout


# --- asking ---------------------------------------------------------------------------------------------


def test_pick_shows_the_picture_and_asks(desk: Desk, lab: Lab) -> None:
    lab.created("asked")
    with desk.terminal("pick", "asked", columns=COLUMNS) as terminal:
        first = terminal.until(lambda text: "q: quit):" in text)
        assert "▀" in first
        assert "Frame 1 of 3" in first
        terminal.type("77\n")
        terminal.until(lambda text: "frame 1 has no track '77'" in text)
        terminal.type("n\n")
        terminal.until(lambda text: "Frame 2 of 3" in text)
        terminal.type(f"{OTHER}\n")
        assert terminal.end() == DONE
        assert "scoringjob/asked  WAITING_FOR_TARGET_CONFIRMATION" in terminal.text

    player = lab.stored("asked")["spec"]["player_ref"]
    assert (player["track_id"], player["frame_key"]) == (OTHER, names.frame_key("asked", 2))


@pytest.mark.parametrize("key", ["q\n", "\x03", "\x04"], ids=["q", "Ctrl-C", "Ctrl-D"])
def test_who_leaves_picks_nobody(desk: Desk, lab: Lab, key: str) -> None:
    if desk.run("get", "left").returncode == NOT_FOUND:
        lab.created("left")
    with desk.terminal("pick", "left", "--frame", "3", "--picture", "none") as terminal:
        terminal.until(lambda text: "Frame 3 of 3" in text)
        terminal.type(key)
        assert terminal.end() == INTERRUPTED
        assert "Traceback" not in terminal.text

    assert "player_ref" not in lab.stored("left")["spec"]
