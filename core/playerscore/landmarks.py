"""A pitch's markings by name and in metres, for eleven, nine and seven a side.

Metres count from the top left corner as the drawn pitch lies: x to the right along the touchlines, y down, from the
far touchline (top) to the near one (bottom), as the main camera sees it. `left`, `right`, `top` and `bottom` of every
name mean that drawing, whichever way a camera looks.
"""

from typing import Final, Literal, NamedTuple

Format = Literal["11-a-side", "9-a-side", "7-a-side"]
Point = tuple[float, float]
Segment = tuple[float, float, float, float]
"""x0, y0, x1, y1, metres."""
Arc = tuple[float, float, float, float, float]
"""Centre x and y, radius, and from where to where, radians from x towards y."""


class Markings(NamedTuple):
    """Sizes of what is painted, metres."""

    length: float
    width: float
    circle: float
    """Radius of the centre circle."""
    penalty_depth: float
    penalty_half: float
    """Half of the penalty area's width."""
    spot: float
    """Penalty mark to goal line."""
    post: float
    """Half of the goal's width."""
    goal_area: Point | None
    """Depth and half width of the goal area; None where there is none."""
    arc: float | None
    """Radius of the penalty arc; None where there is none."""


MARKINGS: Final[dict[Format, Markings]] = {
    # The Laws of the Game, law 1.
    "11-a-side": Markings(105.0, 68.0, 9.15, 16.5, 20.16, 11.0, 3.66, (5.5, 9.16), 9.15),
    # The FA's guide to pitch and goalpost dimensions: 80 x 50 yards, area 13 x 32, mark 9, circle 7, goal 16 feet.
    "9-a-side": Markings(73.15, 45.72, 6.40, 11.89, 14.63, 8.23, 2.44, None, None),
    # 60 x 40 yards, area 10 x 18, mark 8, circle 6, goal 12 feet.
    "7-a-side": Markings(54.86, 36.58, 5.49, 9.14, 8.23, 7.32, 1.83, None, None),
}


def markings(kind: Format, length_m: float | None = None, width_m: float | None = None) -> Markings:
    """The markings of a format on a pitch of that size, or of the format's usual one."""
    usual = MARKINGS[kind]
    return usual._replace(length=length_m or usual.length, width=width_m or usual.width)


def landmarks(marks: Markings) -> dict[str, Point]:
    """Every landmark that such a pitch has, by name, metres."""
    length, width, middle = marks.length, marks.width, marks.width / 2
    found = {
        "top-left-corner": (0.0, 0.0),
        "top-right-corner": (length, 0.0),
        "bottom-left-corner": (0.0, width),
        "bottom-right-corner": (length, width),
        "halfway-line-top": (length / 2, 0.0),
        "halfway-line-bottom": (length / 2, width),
        "centre-spot": (length / 2, middle),
        "centre-circle-left": (length / 2 - marks.circle, middle),
        "centre-circle-right": (length / 2 + marks.circle, middle),
        "centre-circle-top": (length / 2, middle - marks.circle),
        "centre-circle-bottom": (length / 2, middle + marks.circle),
    }
    for side in ("left", "right"):
        found |= _half(side, marks)
    return found


def _half(side: str, marks: Markings) -> dict[str, Point]:
    def at(depth: float, across: float) -> Point:
        return (depth if side == "left" else marks.length - depth, marks.width / 2 + across)

    found = {
        f"{side}-penalty-spot": at(marks.spot, 0.0),
        f"{side}-goal-top-post": at(0.0, -marks.post),
        f"{side}-goal-bottom-post": at(0.0, marks.post),
    }
    areas = {"penalty-area": (marks.penalty_depth, marks.penalty_half)}
    if marks.goal_area:
        areas["goal-area"] = marks.goal_area
    for name, (depth, half) in areas.items():
        near, far = (0.0, depth) if side == "left" else (depth, 0.0)
        found |= {
            f"{side}-{name}-top-left": at(near, -half),
            f"{side}-{name}-top-right": at(far, -half),
            f"{side}-{name}-bottom-left": at(near, half),
            f"{side}-{name}-bottom-right": at(far, half),
        }
    if marks.arc:
        across = (marks.arc**2 - (marks.penalty_depth - marks.spot) ** 2) ** 0.5
        found |= {
            f"{side}-penalty-arc-top": at(marks.penalty_depth, -across),
            f"{side}-penalty-arc-bottom": at(marks.penalty_depth, across),
        }
    return found


LANDMARKS: Final = tuple(landmarks(MARKINGS["11-a-side"]))
"""All names; the smaller formats lack goal areas and penalty arcs."""
