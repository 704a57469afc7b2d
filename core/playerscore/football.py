"""The football metrics of one player: what the result says in metres, and what each figure means.

Figures rest on the time in which he was seen, is he with fair certainty, and the camera was calibrated; nothing is
extrapolated to the rest. The full set, with every figure's definition, is the artifact `metrics.json`.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from playerscore.rating import Positive, Share
from playerscore.schema import FlowModel

METHOD: Final = "football-metrics"
MIN_CALIBRATED_SHARE: Final = 0.5
"""Of the time in which he was seen; with less, the radar rests on the picture's signals alone."""
ZONES_KMH: Final = (0.0, 7.0, 15.0, 20.0, 25.0)
"""Lower limits of the speed zones: those of FIFA's post-match physical reports."""
HIGH_SPEED_KMH: Final = 19.8
SPRINT_KMH: Final = 25.2
"""Bradley et al. 2009 (J Sports Sci 27:159): high-speed running from 19.8 km/h, sprinting from 25.2 km/h."""
SPRINT_SEC: Final = 1.0
TOP_SPEED_SEC: Final = 0.5
TOP_SPEED_GATE_KMH: Final = 36.0
ACCELERATION_GATE: Final = 9.0
"""m/s2. Who is faster, or faster so, is an error of the tracking."""
ACCELERATION: Final = 3.0
ACCELERATION_SEC: Final = 0.5
"""Osgnach et al. 2010 (Med Sci Sports Exerc 42:170): high accelerations are those above 3 m/s2."""

Metres = Annotated[float, Field(ge=0, le=1e6)]
Place = Annotated[float, Field(ge=-60, le=200)]
Kmh = Annotated[float, Field(ge=0, le=TOP_SPEED_GATE_KMH)]
Count = Annotated[int, Field(ge=0, le=10**6)]


class Metrics(FlowModel):
    """What the player did, in metres; every figure rests on `calibrated_share` of the time in which he was seen."""

    seen_min: Positive
    """Minutes in which he was seen, and is he with fair certainty."""
    calibrated_min: Positive
    """Of those, minutes with a position in metres."""
    calibrated_share: Share
    """What share of the seen time that is."""
    position_error_m: Metres
    """Median of the told errors of his positions."""
    distance_m: Metres
    """Way in the calibrated time; never extrapolated to the rest."""
    distance_m_per_min: Metres
    """The same for each calibrated minute."""
    zone_distances_m: Annotated[list[Metres], Field(min_length=5, max_length=5)]
    """Way at 0-7, 7-15, 15-20, 20-25 and above 25 km/h."""
    high_speed_kmh: Annotated[float, Field(ge=10, le=30)] = HIGH_SPEED_KMH
    """From here on running counts as high-speed running."""
    high_speed_distance_m: Metres
    """Way above `high_speed_kmh`."""
    sprint_kmh: Annotated[float, Field(ge=15, le=36)] = SPRINT_KMH
    """From here on it counts as sprinting."""
    sprint_distance_m: Metres
    """Way above `sprint_kmh`."""
    sprints: Count
    """How often he kept above `sprint_kmh` for 1 s; less certain than the distances."""
    top_speed_kmh: Kmh | None = None
    """The highest speed held for 0.5 s; none is told above 36 km/h or at above 9 m/s2."""
    accelerations: Count
    """How often he gained 3 m/s2 for 0.5 s; of low confidence."""
    decelerations: Count
    """How often he lost so much; of low confidence."""
    best_1_min_m: Metres | None = None
    """Most metres in one minute that was calibrated whole."""
    best_3_min_m: Metres | None = None
    """Most metres in three such minutes on end."""
    best_5_min_m: Metres | None = None
    """Most metres in five."""
    average_x_m: Place
    """His mean place, metres from the left goal line."""
    average_y_m: Place
    """Metres from the far touchline, which is drawn at the top."""
    low_confidence: list[Literal["sprints", "accelerations", "decelerations"]] = Field(
        default=["sprints", "accelerations", "decelerations"], max_length=3
    )
    """Figures to be read as a hint."""
