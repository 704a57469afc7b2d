"""What is missing before a job may be enqueued. Needs only the spec, so CREATE can be judged too."""

from playerscore.resources import ScoringJobSpec


def missing(spec: ScoringJobSpec) -> list[str]:
    """The selections that are missing, in the flow's order; empty when the job is ready."""
    absent = []
    if spec.player_ref is None:
        absent.append("player_ref")
    if spec.target is None or not spec.target.confirmed:
        absent.append("target")
    return absent
