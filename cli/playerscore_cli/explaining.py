"""The words of `playerscore explain`: a decision of the log as a person reads it."""

from typing import Final

from playerscore.decisions import Decision, DecisionLog, Kind
from playerscore.geometry import Box

WHAT: Final = {
    Kind.CROSSING: "encounter",
    Kind.LOST: "lost",
    Kind.FOUND_AGAIN: "found again",
    Kind.DECLINED: "refused",
}
WHY: Final = {
    Kind.CROSSING: "others were near enough to be exchanged with him",
    Kind.FOUND_AGAIN: "taken for him by place, motion, size and kit",
    Kind.DECLINED: "two were nearly as likely",
}
LOST: Final = {
    "left-picture": "he left the picture",
    "occluded": "hidden by somebody",
    "not-seen": "not detected",
    "cut": "a cut to another shot",
    "ambiguous": "several could be he",
    "absent": "said to be out of the picture",
    "target-empty": "no person in the confirmed box",
}
NEAR_H: Final = 0.25
"""Nearer than this, in his heights, is the same place to the eye."""


def cells(decision: Decision, log: DecisionLog) -> tuple[str, str, str, str, str, str]:
    """Number, time, what, why, how sure, who else."""
    return (
        str(decision.number),
        _time(decision),
        WHAT[decision.kind],
        why(decision),
        how_sure(decision),
        who_else(decision, log),
    )


def nearest(log: DecisionLog, time_sec: float) -> Decision | None:
    """The decision that a moment lies in, the shortest of several, else the one nearest to it."""
    length = {d.number: d.end_sec - d.begin_sec for d in log.decisions}
    return min(log.decisions, key=lambda d: (d.away_sec(time_sec), length[d.number]), default=None)


def _time(decision: Decision) -> str:
    begin, end = f"{decision.begin_sec:.2f}", f"{decision.end_sec:.2f}"
    return f"{begin} s" if begin == end else f"{begin} to {end} s"


def why(decision: Decision) -> str:
    """Why it came to this."""
    if decision.kind is Kind.LOST:
        return ", then ".join(LOST.get(part, part) for part in (decision.reason or "not-seen").split(", "))
    if decision.kind is Kind.FOUND_AGAIN and decision.margin is None:
        return "seen again where he was followed on"
    return WHY[decision.kind]


def how_sure(decision: Decision) -> str:
    """The likelihood of this answer, and what it does to his certainty, going away from the confirmed frame."""
    parts = []
    if decision.likelihood is not None:
        parts.append(f"{decision.likelihood:.0%} ({decision.margin:.1f} nats)")
    passed = [decision.certainty_before, decision.certainty_after]
    near, far = reversed(passed) if decision.backwards else passed
    if near is not None or far is not None:
        parts.append(f"he {_share(near)} > {_share(far)}")
    return ", ".join(parts)


def _share(value: float | None) -> str:
    return "lost" if value is None else f"{value:.0%}"


def who_else(decision: Decision, log: DecisionLog) -> str:
    """Where the next best answer stood."""
    if decision.rival is None:
        return "" if decision.margin is None else "nobody"
    rival = decision.rival.box
    if decision.chosen is None:
        return f"the man at {_place(rival)}"
    return f"the man {_beside(decision.chosen.box, rival, log)}, at {_place(rival)}"


def _place(box: Box) -> str:
    return f"x {box.x + box.w / 2:.2f}, y {box.y + box.h / 2:.2f}"


def _beside(his: Box, other: Box, log: DecisionLog) -> str:
    """How far another stands from him, in his heights."""
    tall = max(1e-6, his.h)
    right = (other.x + other.w / 2 - his.x - his.w / 2) * log.width / log.height / tall
    down = (other.y + other.h - his.y - his.h) / tall
    parts = [
        f"{abs(off):.1f} heights {words[off > 0]}"
        for off, words in ((right, ("left", "right")), (down, ("up", "down")))
        if abs(off) >= NEAR_H
    ]
    return " and ".join(parts) or "at the same place"
