"""Which jobs of a list somebody wants to see: the one rule of the REST API and the command line."""

from typing import NamedTuple

from playerscore import steps
from playerscore.names import Step
from playerscore.resources import ScoringJobSpec, ScoringJobStatus


class Wanted(NamedTuple):
    """All of these have to hold; what is empty or None holds for every job."""

    steps: frozenset[Step] = frozenset()
    player: str | None = None
    """The picked player's track_id, or a part of the displayName, in whatever case."""
    min_score: int | None = None
    max_score: int | None = None

    def takes(self, spec: ScoringJobSpec, status: ScoringJobStatus) -> bool:
        """Whether that job is wanted."""
        if self.steps and steps.step(spec, status) not in self.steps:
            return False
        return self._player(spec) and self._score(status)

    def _player(self, spec: ScoringJobSpec) -> bool:
        if self.player is None:
            return True
        picked = spec.player_ref is not None and str(spec.player_ref.track_id) == self.player
        return picked or self.player.casefold() in (spec.display_name or "").casefold()

    def _score(self, status: ScoringJobStatus) -> bool:
        """A job without a result has no score, whatever the range."""
        if self.min_score is None and self.max_score is None:
            return True
        score = status.result.overall_score if status.result else None
        return score is not None and (self.min_score or 0) <= score <= (
            100 if self.max_score is None else self.max_score
        )
