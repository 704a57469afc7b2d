"""The log of decisions, `decisions.json`: why the followed player is where he is said to be.

The worker writes it beside the result, and the command line prints it. Whoever reads it needs no video: times,
places and likelihoods stand in it, and `decisions.jpg` shows them.
"""

import math
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from playerscore.resources import Pixels, Seconds, TrackBox, Unit
from playerscore.schema import FlowModel

VERSION: Final = 1


class Kind(StrEnum):
    """What was decided."""

    CROSSING = "crossing"
    """Others were so near that he could have been exchanged."""
    LOST = "lost"
    """He has no box for a while; `reason` says why."""
    FOUND_AGAIN = "found-again"
    """After a while somebody is taken for him."""
    DECLINED = "declined"
    """Nobody is taken for him: two are nearly as likely."""


class Decision(FlowModel):
    """One encounter, loss, finding or refusal."""

    number: Annotated[int, Field(ge=1)]
    """In the order of time; the pictures bear it."""
    kind: Kind
    begin_sec: Seconds
    end_sec: Seconds
    """Between these nobody can be told for certain, or he is lost."""
    backwards: bool
    """Whether it was met going back in time: all that lies before the confirmed frame."""
    reason: Annotated[str, Field(max_length=128)] | None = None
    """Why he is lost, as the path says it; several are separated by commas, in the order in which they were met."""
    certainty_before: Unit | None = None
    """How likely the last box before `begin_sec` is his; absent where he is lost."""
    certainty_after: Unit | None = None
    """How likely the first box after `end_sec` is his; absent where he is lost."""
    margin: float | None = None
    """How much dearer the next best answer was, nats; absent where nothing was weighed."""
    chosen: TrackBox | None = None
    """Who was taken for him, or was refused, where it was decided (`settled_sec`)."""
    rival: TrackBox | None = None
    """Who else it could have been."""
    pictured: bool = False
    """Whether `decisions.jpg` shows it."""

    @property
    def time_sec(self) -> float:
        """When it happens on the way through the video: a loss where it begins, a finding where it ends."""
        found = self.kind is Kind.FOUND_AGAIN
        return self.end_sec if found != self.backwards else self.begin_sec

    @property
    def settled_sec(self) -> float:
        """The end that is farther from the confirmed frame: where the boxes stand."""
        return self.begin_sec if self.backwards else self.end_sec

    @property
    def likelihood(self) -> float | None:
        """How likely this answer is against the next best, 0..1."""
        return None if self.margin is None else 1 / (1 + math.exp(-self.margin))

    def away_sec(self, time_sec: float) -> float:
        """How far a moment is from it; 0 within."""
        return max(self.begin_sec - time_sec, time_sec - self.end_sec, 0.0)


class DecisionLog(FlowModel):
    """All decisions of one analysis."""

    version: Literal[1] = VERSION
    width: Pixels
    height: Pixels
    """Of the video's picture."""
    begin_sec: Seconds
    end_sec: Seconds
    """First and last analysed frame."""
    confirmed_sec: Seconds
    confirmed: TrackBox
    decisions: list[Decision]
    """In the order of time."""
