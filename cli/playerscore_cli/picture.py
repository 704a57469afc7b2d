"""One picture of the preview: every frame with its people boxed and numbered, to pick from."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from playerscore.names import frame_number
from playerscore.resources import Frame, PreviewStatus

FRAME_WIDTH: Final = 960
COLUMNS: Final = 2
MARGIN: Final = 8
INK: Final = (255, 230, 0)
DARK: Final = (20, 20, 20)
LETTER_PX: Final = 16

JpegOf = Callable[[int], bytes]
"""The JPEG of frame `number`, from 1."""


def draw_preview(preview: PreviewStatus, jpeg_of: JpegOf, out: Path) -> Path:
    """Write a PNG of all frames, two in a row."""
    drawn = [_drawn(frame, jpeg_of(frame_number(frame.frame_key))) for frame in preview.frames]
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns) if columns else 0
    height = max((picture.height for picture in drawn), default=0)
    cell = (FRAME_WIDTH + MARGIN, height + MARGIN)
    sheet = Image.new("RGB", (columns * cell[0] + MARGIN, rows * cell[1] + MARGIN), DARK)
    for place, picture in enumerate(drawn):
        row, column = divmod(place, COLUMNS)
        sheet.paste(picture, (MARGIN + column * cell[0], MARGIN + row * cell[1]))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, "PNG")
    return out


def _drawn(frame: Frame, jpeg: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    width, height = FRAME_WIDTH, round(picture.height * FRAME_WIDTH / picture.width)
    picture = picture.resize((width, height))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTER_PX)
    for track in frame.tracks:
        box = track.bbox.box
        left, top = box.x * width, box.y * height
        draw.rectangle((left, top, left + box.w * width, top + box.h * height), outline=INK, width=2)
        _label(draw, font, (left, max(0.0, top - LETTER_PX - 4)), str(track.track_id))
    title = f" frame {frame_number(frame.frame_key)}   {frame.time_sec:.2f} s "
    _label(draw, font, (0.0, 0.0), title)
    return picture


def _label(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    at: tuple[float, float],
    text: str,
) -> None:
    draw.rectangle(draw.textbbox(at, text, font=font), fill=DARK)
    draw.text(at, text, fill=INK, font=font)
