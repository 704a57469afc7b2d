"""Which moments of a video to show: those on which most people can be told apart.

The range is cut into equal parts, so that the moments stay spread. The middle of a part is looked at first, in
a reduced picture; where hardly anybody could be picked there (a close-up, the stands, a replay's wipe, a blurred
pan, a knot of people) two other moments of the part are looked at as well, and the best one is shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from playerscore_worker import grass
from playerscore_worker.detectors import Detector
from playerscore_worker.frames import Decoder, Frame, Image
from playerscore_worker.previewing import people, pyramid, ranking, scenery

# The height of the reduced picture: at it the finest of these zooms looks at every pixel once.
LOOK_HEIGHT_PX: Final = 456
LOOK_SHARES: Final = pyramid.SHARES[2:]
# The other moments of a part, as shares of it. At a third of it apart, two moments are seldom of one close-up.
OTHER_PLACES: Final = (1 / 6, 5 / 6)
# Below this length the parts are about one moment, and the middles are as good as any.
MIN_PART_SEC: Final = 0.8
# So many people who can be followed well are a choice; more is not worth another look.
ENOUGH: Final = 8.0
# Moments must be this much better than the middle to be shown instead.
WORTH_LEAVING: Final = 1.1
FROZEN_FACTOR: Final = 0.5


@dataclass(frozen=True)
class Glance:
    """What one moment shows without anybody being looked for."""

    time_sec: float
    picture: Image
    """Reduced, for `scenery`."""
    pitch: bool


@dataclass(frozen=True)
class Look(Glance):
    """What one moment shows."""

    followable: float
    """How many people could be followed from here."""
    detail: float
    """How sharp they are."""


def parts(start_sec: float, end_sec: float, count: int) -> list[tuple[float, float]]:
    """Equal parts of a range, as (start, end) in seconds.

    >>> parts(0.0, 10.0, 2)
    [(0.0, 5.0), (5.0, 10.0)]
    """
    edges = [start_sec + (end_sec - start_sec) * k / count for k in range(count + 1)]
    return list(pairwise(edges))


def look_around(decoder: Decoder, part: tuple[float, float], detector: Detector) -> Iterator[Look]:
    """Look at a part's middle and, while that is not enough, elsewhere in it."""
    start, end = part
    places = (0.5, *OTHER_PLACES) if end - start >= MIN_PART_SEC else (0.5,)
    for place in places:
        look = _look(decoder, start + place * (end - start), detector)
        if look is not None:
            yield look
        if look is not None and look.followable >= ENOUGH:
            return


def choose(looks: Sequence[Look], others: Sequence[Look]) -> Look:
    """The look of a part that shows most; the first one unless another is clearly better.

    others: looks of the whole range, to tell what is sharp in this video and what is frozen.
    """
    usual = float(np.median([look.detail for look in others if look.detail > 0] or [1.0]))
    values = [_value(look, usual, others) for look in looks]
    best = int(np.argmax(values))
    return looks[best] if values[best] > WORTH_LEAVING * values[0] else looks[0]


def _value(look: Look, usual_detail: float, others: Sequence[Look]) -> float:
    frozen = any(other is not look and scenery.same_picture(look.picture, other.picture) for other in others)
    if not look.pitch and any(other.pitch for other in others):
        return 0.0  # The stands, a face: whoever is there is not on the pitch.
    sharp = min(1.0, look.detail / usual_detail)
    return look.followable * (0.5 + 0.5 * sharp) * (FROZEN_FACTOR if frozen else 1.0)


def glance(decoder: Decoder, time_sec: float) -> Glance | None:
    """The frame at a time; None where the video has none."""
    frame = _reduced(decoder, time_sec)
    if frame is None:
        return None
    return Glance(frame.time_sec, scenery.picture(frame.image), grass.pitch_mask(frame.image) is not None)


def _reduced(decoder: Decoder, time_sec: float) -> Frame | None:
    info = decoder.info
    return next(decoder.read(time_sec - 0.5 / info.fps, None, scale=LOOK_HEIGHT_PX / info.height), None)


def _look(decoder: Decoder, time_sec: float, detector: Detector) -> Look | None:
    """The frame at a time; None where the video has none."""
    info = decoder.info
    frame = _reduced(decoder, time_sec)
    if frame is None:
        return None
    mask = grass.pitch_mask(frame.image)
    found = people.find(detector, frame.image, people.Ground(mask, expected=False), LOOK_SHARES)
    # What can be told apart is a matter of the full picture's pixels.
    full = found.boxes_xyxy * (info.height / frame.image.shape[0])
    good = ranking.followable(full, found.evidence, (info.width, info.height))
    detail = ranking.sharpness(frame.image, found.boxes_xyxy)
    return Look(
        frame.time_sec,
        scenery.picture(frame.image),
        mask is not None,
        float(good.sum()),
        float(np.median(detail)) if len(detail) else 0.0,
    )
