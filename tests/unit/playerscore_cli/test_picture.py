"""The picture of the preview holds every frame, with a box around every person."""

import io
from pathlib import Path

import pytest
from PIL import Image

from builders import (
    ELSEWHERE,
    OTHER_BOX,
    PLAYER_BOX,
    make_frame,
    make_player,
    make_preview,
    make_result,
    make_signals,
    make_spec,
    make_target,
)
from playerscore.geometry import Box
from playerscore.resources import Result, ScoringJobSpec
from playerscore_cli.picture import (
    AIM,
    CHOSEN,
    FRAME_WIDTH,
    INK,
    MARGIN,
    Colour,
    draw_frame,
    draw_preview,
    draw_radar,
    marks_on,
)


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


@pytest.mark.parametrize(
    ("spec", "colours"),
    [
        (make_spec(), {PLAYER_BOX: INK, OTHER_BOX: INK}),
        (make_spec(player_ref=make_player()), {PLAYER_BOX: CHOSEN, OTHER_BOX: INK}),
        (make_spec(player_ref=make_player(), target=make_target()), {PLAYER_BOX: CHOSEN, OTHER_BOX: INK}),
        (
            make_spec(player_ref=make_player(), target=make_target(ELSEWHERE)),
            {PLAYER_BOX: CHOSEN, ELSEWHERE: AIM},
        ),
        (make_spec(player_ref=make_player(), target=make_target(ELSEWHERE, 2)), {PLAYER_BOX: CHOSEN}),
    ],
    ids=["nobody picked", "picked", "confirmed", "confirmed elsewhere", "confirmed on another frame"],
)
def test_the_player_and_his_target_are_told_apart(spec: ScoringJobSpec, colours: dict[Box, Colour]) -> None:
    frame = make_frame(1)
    drawing = draw_frame(frame, None, FRAME_WIDTH, marks_on(spec, frame))

    width, height = drawing.image.size
    for box, colour in colours.items():
        bottom = round((box.x + box.w / 2) * width), min(height - 1, round((box.y + box.h) * height))
        assert colour in {drawing.image.getpixel((bottom[0], bottom[1] - up)) for up in (0, 1, 2)}
    assert [label.text for label in drawing.labels].count("target") == (AIM in colours.values())


def test_a_better_radar_fills_more() -> None:
    poor = make_result(make_signals(supported_share=0.2, lost_segments_per_min=6.0, height_jitter=0.3))

    assert inked(poor) < inked(make_result())


def inked(result: Result) -> int:
    picture = draw_radar(result, 200).image
    raw = picture.tobytes()
    return sum(green > 60 > red for red, green in zip(raw[::3], raw[1::3], strict=True))


def test_the_radar_says_every_axis_and_the_score() -> None:
    result = make_result()
    words = [label.text for label in draw_radar(result, 100).labels]

    assert f"overallScore {result.overall_score}" in words
    for axis, value in result.radar.model_dump().items():
        assert f"{axis.replace('_', ' ')} {value}" in words
