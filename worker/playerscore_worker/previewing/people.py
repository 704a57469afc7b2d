"""Who in a picture is a person on the pitch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from playerscore_worker import grass
from playerscore_worker.detectors import Detector
from playerscore_worker.frames import Image
from playerscore_worker.previewing import perspective, pyramid
from playerscore_worker.previewing.pyramid import Sightings

# People on the far touchline reach this far above the pitch; what is higher up is not looked at.
HEADROOM_SHARE: Final = 0.15
# A box may be this wide for its height; wider ones lie on the ground, and only where people's size is known.
MAX_ASPECT: Final = 1.3
MAX_LYING_ASPECT: Final = 2.6
# From this evidence on it is a person: where the sizes of people there agree, and where there is no such witness.
MIN_EVIDENCE: Final = 0.3
MIN_ALONE_EVIDENCE: Final = 0.4
# Where there is no pitch at all it is no football; then only what is beyond doubt is offered.
MIN_OFF_PITCH_EVIDENCE: Final = 0.65


@dataclass(frozen=True)
class Ground:
    """Where people may stand in a shot."""

    mask: NDArray[np.uint8] | None
    """The pitch, as `grass.pitch_mask` gives it; None when none is seen."""
    expected: bool
    """Whether the video shows a pitch elsewhere: then nobody is offered where none is seen."""


def find(
    detector: Detector, image: Image, ground: Ground, shares: Sequence[float] = pyramid.SHARES
) -> Sightings:
    """People on the pitch, best first, looked for at these shares of the picture's height."""
    height, width = image.shape[:2]
    if ground.mask is None and ground.expected:
        return Sightings.none()
    top = grass.top_row(ground.mask, height, HEADROOM_SHARE)
    found = pyramid.look(detector, image, top, [share * height for share in shares])
    standing = grass.standing_on(ground.mask, found.boxes_xyxy, width, height)
    return judge(found.pick(standing), ground, height)


def judge(found: Sightings, ground: Ground, picture_height: int) -> Sightings:
    """Those of the boxes on the pitch that are people, each once."""
    upright = found.widths_px < MAX_ASPECT * found.heights_px
    people = pyramid.once(found.pick(upright))
    line = perspective.height_line(people, picture_height)
    if line is not None:
        possible = found.pick(found.widths_px < MAX_LYING_ASPECT * found.heights_px)
        people = pyramid.once(possible.weighed(line.believed(possible, picture_height)))
    return people.pick(people.evidence > _least(ground, line is not None))


def _least(ground: Ground, sizes_known: bool) -> float:
    if ground.mask is None:
        return MIN_OFF_PITCH_EVIDENCE
    return MIN_EVIDENCE if sizes_known else MIN_ALONE_EVIDENCE
