"""The picture of the preview holds every frame, with a box around every person."""

import io
from pathlib import Path

import pytest
from PIL import Image

from builders import PLAYER_BOX, make_frame, make_preview
from playerscore_cli.picture import FRAME_WIDTH, INK, MARGIN, draw_preview


def grey_jpeg(number: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (640, 360), (90, 90, 90)).save(content, "JPEG")
    return content.getvalue()


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (16, 2, 8)])
def test_the_sheet_has_room_for_every_frame(tmp_path: Path, count: int, columns: int, rows: int) -> None:
    preview = make_preview([make_frame(number) for number in range(1, count + 1)])

    file = draw_preview(preview, grey_jpeg, tmp_path / "new" / "preview.png")

    height = FRAME_WIDTH * 360 // 640
    with Image.open(file) as sheet:
        size = sheet.size
    assert size == (columns * (FRAME_WIDTH + MARGIN) + MARGIN, rows * (height + MARGIN) + MARGIN)


def test_a_box_is_drawn_where_the_track_is(tmp_path: Path) -> None:
    file = draw_preview(make_preview([make_frame(1)]), grey_jpeg, tmp_path / "preview.png")

    left = MARGIN + PLAYER_BOX.x * FRAME_WIDTH
    middle = MARGIN + (PLAYER_BOX.y + PLAYER_BOX.h / 2) * FRAME_WIDTH * 360 / 640
    with Image.open(file) as sheet:
        assert sheet.convert("RGB").getpixel((round(left), round(middle))) == INK
