"""What is missing before a job may be enqueued. Needs only the spec, so CREATE can be judged too."""

from collections.abc import Sequence

from playerscore.names import NOT_READY_MESSAGE
from playerscore.resources import ScoringJobSpec


def missing(spec: ScoringJobSpec) -> list[str]:
    """The selections that are missing, in the flow's order; empty when the job is ready."""
    absent = []
    if spec.player_ref is None:
        absent.append("player_ref")
    if spec.target is None or not spec.target.confirmed:
        absent.append("target")
    return absent


def message(absent: Sequence[str]) -> str:
    """What is said of missing selections, at every gate."""
    return f"{NOT_READY_MESSAGE}: {', '.join(absent)}"
