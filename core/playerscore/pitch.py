"""Whether a job's pitch can be one: its points against its own markings, each other, and the video's time.

What needs no picture is judged here, by every gate that runs this code. A plane seen by a camera is a homography, bent
by the lens; both are fitted in plain Python, because the core imports no numbers library and the points are few.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final, NamedTuple

from playerscore.edits import Violation
from playerscore.landmarks import landmarks, markings
from playerscore.names import Reason
from playerscore.resources import Pitch, PitchMoment, ScoringJobSpec, ScoringJobStatus

CONTRADICTION_M: Final = 3.0
"""Points that are farther off than this contradict each other ..."""
CLICK_SHARE: Final = 0.006
"""... if no click is so inexact, of the picture's width: far away a pixel is metres."""
ON_LINE_M: Final = 0.6
"""Nearer to a line through two others, a point is on it."""
FLAT_M, FLAT_SHARE = 2.0, 0.03
"""A triangle less high than this, metres and halves of the picture's width, may be turned by a click or a lens."""
LENSES: Final = (0.0, -0.4, -0.3, -0.2, -0.15, -0.1, -0.05, 0.05, 0.1)
"""Radial terms that are tried, in halves of the picture's width; with fewer than 6 points only none."""
USUAL_ASPECT: Final = 16 / 9
FIELD: Final = "spec.pitch"

Point = tuple[float, float]
Matrix = list[list[float]]


class _Pair(NamedTuple):
    """One correspondence."""

    name: str
    image: Point
    """From the picture's middle, in halves of its width, y down."""
    metres: Point
    """From the drawn top left corner."""


def judge(spec: ScoringJobSpec, status: ScoringJobStatus | None = None) -> list[Violation]:
    """What is wrong with a spec's pitch, the first thing for each moment; empty without a pitch. Total."""
    if spec.pitch is None:
        return []
    video = status.preview.video if status and status.preview else None
    aspect = video.width / video.height if video else USUAL_ASPECT
    found: list[Violation] = []
    times = [moment.time_sec for moment in spec.pitch.moments]
    if len(set(times)) < len(times):
        found.append(_said(Reason.PITCH_INCOHERENT, "two moments have the same time_sec"))
    begin = (spec.analysis.start_sec if spec.analysis else None) or 0.0
    end = spec.analysis.end_sec if spec.analysis else None
    last = min((t for t in (end, video.duration_sec if video else None) if t is not None), default=None)
    for moment in spec.pitch.moments:
        at = f"at {moment.time_sec:g} s"
        if moment.time_sec < begin or (last is not None and moment.time_sec > last):
            until = "" if last is None else f" to {last:g} s"
            text = f"the moment {at} is outside what is analysed, {begin:g} s{until}"
            found.append(_said(Reason.PITCH_MOMENT_OUTSIDE, text))
        elif why := _wrong(moment, spec.pitch, aspect):
            found.append(_said(why[0], f"{at} {why[1]}"))
    return found


def _said(reason: Reason, text: str) -> Violation:
    return Violation(reason, FIELD, f"{FIELD}: {text}")


def _wrong(moment: PitchMoment, pitch: Pitch, aspect: float) -> tuple[Reason, str] | None:
    """The code and the words of what is wrong with a moment's points; None where nothing is."""
    known = landmarks(markings(pitch.format, pitch.length_m, pitch.width_m))
    for point in moment.points:
        if point.landmark and point.landmark not in known:
            return Reason.PITCH_LANDMARK, f"a {pitch.format} pitch has no {point.landmark}"
    pairs = [
        _Pair(
            point.landmark or f"({point.pitch_x:g}, {point.pitch_y:g})",
            (2 * point.image_x - 1, (2 * point.image_y - 1) / aspect),
            known[point.landmark] if point.landmark else (point.pitch_x or 0.0, point.pitch_y or 0.0),
        )
        for point in moment.points
    ]
    text = _twice(pairs) or _on_a_line(pairs) or _mirrored(pairs) or _contradicting(pairs)
    return (Reason.PITCH_INCOHERENT, text) if text else None


def _twice(pairs: Sequence[_Pair]) -> str | None:
    for a, b in combinations(pairs, 2):
        if _distance(a.metres, b.metres) < 0.3:
            return f"{a.name} and {b.name} are the same place"
        if _distance(a.image, b.image) < 0.001:
            return f"{a.name} and {b.name} are at the same place of the picture"
    return None


def _on_a_line(pairs: Sequence[_Pair]) -> str | None:
    """All but one on a line leave the picture free to turn about it."""
    for a, b in combinations(pairs, 2):
        way = _distance(a.metres, b.metres)
        off = [p for p in pairs if abs(_cross(a.metres, b.metres, p.metres)) / way > ON_LINE_M]
        if len(off) <= 1:
            on = ", ".join(p.name for p in pairs if p not in off)
            return f"{on} are on one line: four points are needed of which no three are"
    return None


def _mirrored(pairs: Sequence[_Pair]) -> str | None:
    """Seen from above, three points are turned alike in the picture and on the pitch."""
    wrong: dict[str, int] = {pair.name: 0 for pair in pairs}
    alike = other = 0
    for three in combinations(pairs, 3):
        metres, image = _height([p.metres for p in three]), _height([p.image for p in three])
        if abs(metres) < FLAT_M or abs(image) < FLAT_SHARE:
            continue
        if metres * image > 0:
            alike += 1
        else:
            other += 1
            for pair in three:
                wrong[pair.name] += 1
    if not other:
        return None
    if not alike:
        return "the pitch is mirrored: left and right, or top and bottom, are exchanged"
    return f"the points contradict each other, {max(wrong, key=lambda name: wrong[name])} most"


def _contradicting(pairs: Sequence[_Pair]) -> str | None:
    if len(pairs) < 5:
        return None  # four points always fit
    off = _off(pairs)
    if off is None or max(off) <= CONTRADICTION_M:
        return None
    # The worst point is the one without which the rest agrees best.
    rest = {i: _off([*pairs[:i], *pairs[i + 1 :]]) for i in range(len(pairs))} if len(pairs) > 5 else {}
    worst = min(rest, key=lambda i: max(rest[i] or [1e9])) if rest else off.index(max(off))
    return (
        f"the points contradict each other, {pairs[worst].name} most: "
        f"no camera sees them nearer than {max(off):.1f} m to where they are said to be"
    )


def _off(pairs: Sequence[_Pair]) -> list[float] | None:
    """How far each point is off, metres, under the lens that suits best; 0 for what a click's inexactness explains."""
    lenses = LENSES if len(pairs) >= 6 else LENSES[:1]
    found = [off for off in (_off_through(pairs, k1) for k1 in lenses) if off is not None]
    return min(found, key=max, default=None)


def _off_through(pairs: Sequence[_Pair], k1: float) -> list[float] | None:
    plane = [_straightened(pair.image, k1) for pair in pairs]
    to_image = _homography([pair.metres for pair in pairs], plane)
    to_metres = _homography(plane, [pair.metres for pair in pairs])
    if to_image is None or to_metres is None:
        return None
    off = []
    for pair, at in zip(pairs, plane, strict=True):
        seen = _distance(_mapped(to_image, pair.metres), at)
        metres = _distance(_mapped(to_metres, at), pair.metres)
        off.append(metres if seen > 2 * CLICK_SHARE else 0.0)
    return off


def _straightened(point: Point, k1: float) -> Point:
    x, y = point
    for _ in range(6 if k1 else 0):
        bend = max(0.3, 1 + k1 * (x * x + y * y))
        x, y = point[0] / bend, point[1] / bend
    return x, y


def _homography(source: Sequence[Point], goal: Sequence[Point]) -> Matrix | None:
    """The 3 x 3 matrix, by least squares, whose errors are as long in the goal's units as they look there."""
    moved, back = _normalised(source)
    found: list[float] | None = None
    for _ in range(4):
        rows, values = [], []
        for (x, y), (u, v) in zip(moved, goal, strict=True):
            depth = found[6] * x + found[7] * y + 1 if found else 1.0
            weight = 1 / depth if abs(depth) > 1e-3 else 1e3
            rows += [
                [weight * e for e in (x, y, 1, 0, 0, 0, -u * x, -u * y)],
                [weight * e for e in (0, 0, 0, x, y, 1, -v * x, -v * y)],
            ]
            values += [weight * u, weight * v]
        found = _least_squares(rows, values)
        if found is None:
            return None
    assert found is not None
    matrix = [found[0:3], found[3:6], [*found[6:8], 1.0]]
    return [[sum(matrix[i][k] * back[k][j] for k in range(3)) for j in range(3)] for i in range(3)]


def _normalised(points: Sequence[Point]) -> tuple[list[Point], Matrix]:
    """The points about their mean in units of their spread, and the matrix that brings them there."""
    mx, my = (sum(p[axis] for p in points) / len(points) for axis in (0, 1))
    spread = sum(_distance(p, (mx, my)) for p in points) / len(points) or 1.0
    matrix = [[1 / spread, 0.0, -mx / spread], [0.0, 1 / spread, -my / spread], [0.0, 0.0, 1.0]]
    return [((x - mx) / spread, (y - my) / spread) for x, y in points], matrix


def _least_squares(rows: Matrix, values: Sequence[float]) -> list[float] | None:
    """Solve by the normal equations and elimination; None where they are singular."""
    size = len(rows[0])
    table = [
        [*(sum(r[i] * r[j] for r in rows) for j in range(size)), sum(r[i] * v for r, v in zip(rows, values, strict=True))]
        for i in range(size)
    ]  # fmt: skip
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(table[row][column]))
        if abs(table[pivot][column]) < 1e-12:
            return None
        table[column], table[pivot] = table[pivot], table[column]
        for row in range(size):
            if row != column:
                factor = table[row][column] / table[column][column]
                table[row] = [a - factor * b for a, b in zip(table[row], table[column], strict=True)]
    return [table[i][size] / table[i][i] for i in range(size)]


def _mapped(matrix: Matrix, point: Point) -> Point:
    x, y, depth = (row[0] * point[0] + row[1] * point[1] + row[2] for row in matrix)
    return (x / depth, y / depth) if abs(depth) > 1e-9 else (1e6, 1e6)


def _distance(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _height(corners: Sequence[Point]) -> float:
    """Of the triangle, over its longest side, with its turning as sign."""
    return _cross(*corners) / max(_distance(a, b) for a, b in combinations(corners, 2))


def _cross(a: Point, b: Point, c: Point) -> float:
    """Twice the area of the triangle, with its turning as sign."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
