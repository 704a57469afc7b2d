"""Pictures in a terminal, as well as it can: kitty's protocol, sixels, half blocks, or outlines of characters.

textual-image speaks the two protocols and asks the terminal which it knows. Half blocks are drawn here, because
the track ids must be characters on top of the pixels, or nobody could read them.
"""

import os
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from playerscore_cli.picture import DARK, Colour, Drawing

CELL_PX: Final = 10
"""The width of a character in pixels, about, where a terminal is given a picture."""
MAX_COLUMNS: Final = 120
HALF: Final = "▀"
TEXT_ONLY: Final = ("Apple_Terminal", "linux")
"""Terminals that would print the question what they can."""

Draw = Callable[[int], Drawing]
"""The drawing at a width in pixels."""


class Mode(StrEnum):
    """How pictures are drawn."""

    AUTO = "auto"
    KITTY = "kitty"
    SIXEL = "sixel"
    BLOCKS = "blocks"
    OUTLINE = "outline"
    NONE = "none"


def show(draw: Draw, asked: str, console: Console) -> None:
    """Draw it as asked, as wide as the terminal lets."""
    mode = chosen(Mode(asked), console)
    columns = min(MAX_COLUMNS, console.width)
    if mode in (Mode.KITTY, Mode.SIXEL):
        console.print(_protocol(mode)(draw(columns * CELL_PX).burned(), width=columns))
    elif mode in (Mode.BLOCKS, Mode.OUTLINE):
        drawing = draw(columns)
        cells = _blocks(drawing) if mode is Mode.BLOCKS else _outline(drawing)
        console.print(Segments(cells), soft_wrap=True, end="")


def chosen(asked: Mode, console: Console) -> Mode:
    """The way that is taken for `auto`: what the terminal says it can, and no colour where none is wanted."""
    if asked is not Mode.AUTO:
        return asked
    if not console.is_terminal:
        return Mode.NONE
    if os.environ.get("NO_COLOR") or console.color_system is None:
        return Mode.OUTLINE
    if os.environ.get("TERM_PROGRAM") in TEXT_ONLY or os.environ.get("TERM") in TEXT_ONLY:
        return Mode.BLOCKS
    from textual_image import renderable  # asks the terminal as it is imported

    found = {renderable.TGPImage: Mode.KITTY, renderable.SixelImage: Mode.SIXEL}
    return found.get(renderable.Image, Mode.BLOCKS)


def _protocol(mode: Mode) -> Any:
    from textual_image import renderable

    return renderable.TGPImage if mode is Mode.KITTY else renderable.SixelImage


def _blocks(drawing: Drawing) -> list[Segment]:
    """Two pixels in each character: the upper one its colour, the lower one its background."""
    image = drawing.image.convert("RGB")
    words = _words(drawing)
    cells = []
    for row in range(-(-image.height // 2)):
        for column in range(image.width):
            if (row, column) in words:
                letter, colour = words[row, column]
                cells.append(Segment(letter, _style(colour, DARK)))
            else:
                upper = image.getpixel((column, 2 * row))
                lower = image.getpixel((column, min(2 * row + 1, image.height - 1)))
                cells.append(Segment(HALF, _style(upper, lower)))
        cells.append(Segment.line())
    return cells


def _outline(drawing: Drawing) -> list[Segment]:
    """What is drawn in a label's colour as characters: boxes and shapes without any colour."""
    image = drawing.image.convert("RGB")
    words = _words(drawing)
    inks = {label.colour for label in drawing.labels}
    lines = []
    for row in range(-(-image.height // 2)):
        letters = []
        for column in range(image.width):
            pixels = [image.getpixel((column, y)) for y in (2 * row, 2 * row + 1) if y < image.height]
            drawn = any(pixel in inks for pixel in pixels)
            letters.append(words[row, column][0] if (row, column) in words else "·" if drawn else " ")
        lines.append(Segment("".join(letters).rstrip() + "\n"))
    return lines


def _words(drawing: Drawing) -> dict[tuple[int, int], tuple[str, Colour]]:
    """The letters of the labels by (row, column)."""
    columns, rows = drawing.image.width, -(-drawing.image.height // 2)
    found = {}
    for label in drawing.labels:
        text = label.text
        start = round(label.x * columns) - (len(text) // 2 if label.centred else 0)
        start = min(max(0, start), max(0, columns - len(text)))
        row = min(max(0, int(label.y * rows)), rows - 1)
        for place, letter in enumerate(text[: columns - start]):
            found[row, start + place] = (letter, label.colour)
    return found


def _style(front: Any, back: Any) -> Style:
    return Style.parse(f"rgb({front[0]},{front[1]},{front[2]}) on rgb({back[0]},{back[1]},{back[2]})")
