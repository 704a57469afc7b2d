"""What a look at one job comes to: a branch's outcome, and the decision that is made of it. Values only."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from playerscore.names import ConditionType, Reason, Step
from playerscore.resources import Result

Json = dict[str, Any]
Claim = tuple[str, Reason | str, str]
"""(status, reason, message) of a condition."""
Claims = dict[ConditionType, Claim]

PLATFORM_RECHECK_SECONDS = 15.0
GONE_RECHECK_SECONDS = 5.0
"""How often a stopping child is looked at, besides its events."""


@dataclass
class Decision:
    """What `act` carries out, in this order: the status write, creates, deletes."""

    status: Json | None = None
    """Merge patch of the status; None when nothing differs."""
    creates: list[Json] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    delete_self: bool = False
    requeue_seconds: float | None = None
    events: list[tuple[str, str, str]] = field(default_factory=list)
    """(type, reason, message) of transitions to tell."""
    unproven: bool = False
    """Whether it rests on which children there are: to be decided again on what the API server says now."""
    waits_for_platform: bool = False
    """Whether a change of a runtime may free the job."""


@dataclass
class Outcome:
    """A branch's contribution, before it is compared with the stored status."""

    claims: Claims = field(default_factory=dict)
    run: Json = field(default_factory=dict)
    result: Result | None = None
    ended: Step | None = None
    cleared: bool = False
    """Whether a worker's fields of an older attempt are cleared."""
    first: bool = False
    """Whether it starts a child where none of its kind ever was: then nothing can be overlooked."""
    creates: list[Json] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    requeue_seconds: float | None = None

    def add(self, other: "Outcome") -> None:
        """Take in what another branch found besides."""
        self.claims |= other.claims
        self.run |= other.run
        self.creates = self.creates + other.creates
        self.deletes = self.deletes + other.deletes
        looks = [seconds for seconds in (self.requeue_seconds, other.requeue_seconds) if seconds is not None]
        self.requeue_seconds = min(looks, default=None)


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
