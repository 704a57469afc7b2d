"""Pictures of a preview frame with its people boxed and numbered, of a sheet of all frames, and of a radar.

A drawing keeps its labels apart from its pixels: a file gets them as letters of pixels, a terminal that draws with
characters gets them as characters, which stay readable at 100 pixels across.
"""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image, ImageDraw, ImageFont

from playerscore.geometry import Box
from playerscore.names import frame_number
from playerscore.resources import Frame, PreviewStatus, Result, ScoringJobSpec

FRAME_WIDTH: Final = 960
COLUMNS: Final = 2
MARGIN: Final = 8
LETTER_PX: Final = 16
RADAR_PX: Final = 540
SMOOTH: Final = 4
"""A radar is drawn this much larger and then made smaller, which smooths its lines."""

Colour = tuple[int, int, int]
INK: Final[Colour] = (255, 230, 0)
"""People."""
CHOSEN: Final[Colour] = (64, 220, 96)
"""The picked player."""
AIM: Final[Colour] = (255, 80, 200)
"""The target's box, where it is another one."""
DARK: Final[Colour] = (20, 20, 20)
GRASS: Final[Colour] = (44, 84, 52)
"""Where the frame's picture is not at hand."""
GRID: Final[Colour] = (70, 70, 70)
PALE: Final[Colour] = (230, 230, 230)

JpegOf = Callable[[int], bytes]
"""The JPEG of frame `number`, from 1."""


class Label(NamedTuple):
    """A word on a drawing; x and y are where it begins (its middle, if `centred`), in 0..1."""

    x: float
    y: float
    text: str
    colour: Colour
    centred: bool = False


class Drawing(NamedTuple):
    """Pixels, and the words that belong on them."""

    image: Image.Image
    labels: list[Label]

    def burned(self) -> Image.Image:
        """The picture with its words in it."""
        picture = self.image.copy()
        draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTER_PX)
        for label in self.labels:
            _write(draw, font, label, picture.size)
        return picture


class Marks(NamedTuple):
    """What is marked among the people: the picked track, and the target's box."""

    track_id: int | None = None
    target: Box | None = None


def draw_jpeg(jpeg: bytes, width: int) -> Drawing:
    """A picture that is drawn already, at that width in pixels."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    return Drawing(picture.resize((width, max(1, round(picture.height * width / picture.width)))), [])


def marks_on(spec: ScoringJobSpec, frame: Frame) -> Marks:
    """What of the spec belongs on that frame."""
    player, target = spec.player_ref, spec.target
    aim = target.bbox.box if target and target.frame_key == frame.frame_key else None
    track_id = player.track_id if player else None
    boxes = [track.bbox.box for track in frame.tracks if track.track_id == track_id]
    return Marks(track_id, None if aim in boxes else aim)


# --- frames ---------------------------------------------------------------------------------------------


def draw_frame(frame: Frame, jpeg: bytes | None, width: int, marks: Marks = Marks()) -> Drawing:  # noqa: B008  # a tuple
    """One frame, `width` pixels wide; on plain grass where its JPEG is not at hand."""
    size = (width, max(1, round(frame.height * width / frame.width)))
    picture = _pixels(jpeg).resize(size) if jpeg else Image.new("RGB", size, GRASS)
    draw = ImageDraw.Draw(picture)
    line = 2 if width > 400 else 1
    labels = [Label(0.0, 0.0, f" frame {frame_number(frame.frame_key)}   {frame.time_sec:.2f} s ", PALE)]
    for track in frame.tracks:
        colour = CHOSEN if track.track_id == marks.track_id else INK
        labels.append(_boxed(draw, size, track.bbox.box, str(track.track_id), colour, line))
    if marks.target:
        labels.append(_boxed(draw, size, marks.target, "target", AIM, line))
    return Drawing(picture, labels)


def _pixels(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def _boxed(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], box: Box, text: str, colour: Colour, line: int
) -> Label:
    width, height = size
    left, top = box.x * width, box.y * height
    draw.rectangle((left, top, left + box.w * width, top + box.h * height), outline=colour, width=line)
    above = (LETTER_PX + 4) / height if line > 1 else 1.0 / height
    return Label(box.x, max(0.0, box.y - above), text, colour)


def draw_sheet(
    preview: PreviewStatus, jpeg_of: Callable[[int], bytes | None], marks: Callable[[Frame], Marks]
) -> Image.Image:
    """All frames, two in a row."""
    drawn = [
        draw_frame(frame, jpeg_of(frame_number(frame.frame_key)), FRAME_WIDTH, marks(frame)).burned()
        for frame in preview.frames
    ]
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns) if columns else 0
    height = max((picture.height for picture in drawn), default=0)
    cell = (FRAME_WIDTH + MARGIN, height + MARGIN)
    sheet = Image.new("RGB", (columns * cell[0] + MARGIN, rows * cell[1] + MARGIN), DARK)
    for place, picture in enumerate(drawn):
        row, column = divmod(place, COLUMNS)
        sheet.paste(picture, (MARGIN + column * cell[0], MARGIN + row * cell[1]))
    return sheet


def draw_preview(preview: PreviewStatus, jpeg_of: JpegOf, out: Path) -> Path:
    """Write a PNG of all frames."""
    return save(draw_sheet(preview, jpeg_of, lambda frame: Marks()), out)


# --- radar ----------------------------------------------------------------------------------------------


def draw_radar(result: Result, width: int, height: int | None = None) -> Drawing:
    """The five axes, 0 in the middle and 100 at the rim, and the score."""
    height = height or width
    axes = result.radar.model_dump()
    angles = [2 * math.pi * number / len(axes) - math.pi / 2 for number in range(len(axes))]
    large = Image.new("RGB", (width * SMOOTH, height * SMOOTH), DARK)
    draw = ImageDraw.Draw(large)
    line = max(1, round(SMOOTH * width / 300))
    for ring in (0.25, 0.5, 0.75, 1.0):
        draw.polygon(_corners(large.size, angles, [ring] * len(axes)), outline=GRID, width=line)
    for corner in _corners(large.size, angles, [1.0] * len(axes)):
        draw.line((*_middle(large.size), *corner), fill=GRID, width=line)
    shape = _corners(large.size, angles, [value / 100 for value in axes.values()])
    draw.polygon(shape, fill=tuple(part // 3 for part in CHOSEN), outline=CHOSEN, width=2 * line)
    labels = [
        Label(
            0.5 + 0.42 * math.cos(angle),
            0.54 + 0.44 * math.sin(angle),
            f"{name.replace('_', ' ')} {value}",
            PALE,
            True,
        )
        for angle, (name, value) in zip(angles, axes.items(), strict=True)
    ]
    labels.append(Label(0.5, 0.02, f"overallScore {result.overall_score}", CHOSEN, True))
    return Drawing(large.resize((width, height), Image.Resampling.LANCZOS), labels)


def _middle(size: tuple[int, int]) -> tuple[float, float]:
    return 0.5 * size[0], 0.54 * size[1]


def _corners(
    size: tuple[int, int], angles: Sequence[float], shares: Sequence[float]
) -> list[tuple[float, float]]:
    radius = 0.34 * min(size)
    x, y = _middle(size)
    # A picture that is wider than it is high in pixels may be so because of the terminal's cells.
    return [
        (x + radius * share * math.cos(angle), y + radius * share * math.sin(angle))
        for angle, share in zip(angles, shares, strict=True)
    ]


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures in a row, the left one as high as the right one."""
    width = round(left.width * right.height / left.height)
    sheet = Image.new("RGB", (width + right.width, right.height), DARK)
    sheet.paste(left.resize((width, right.height)), (0, 0))
    sheet.paste(right, (width, 0))
    return sheet


def save(picture: Image.Image, out: Path) -> Path:
    """Write a PNG."""
    out.parent.mkdir(parents=True, exist_ok=True)
    picture.save(out, "PNG")
    return out


def _write(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    label: Label,
    size: tuple[int, int],
) -> None:
    x, y = label.x * size[0], label.y * size[1]
    left, top, right, bottom = draw.textbbox((x, y), label.text, font=font)
    if label.centred:
        x -= (right - left) / 2
    x = min(max(0.0, x), max(0.0, size[0] - (right - left)))
    y = min(max(0.0, y), max(0.0, size[1] - (bottom - top)))
    draw.rectangle(draw.textbbox((x, y), label.text, font=font), fill=DARK)
    draw.text((x, y), label.text, fill=label.colour, font=font)
