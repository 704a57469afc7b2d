"""What the operator sees of a job, as a value, for tests of what it decides."""

from datetime import UTC, datetime
from typing import Any

from builders import UID, make_condition, make_runtime, make_spec
from playerscore.names import ConditionType
from playerscore.resources import ScoringJobStatus
from playerscore_operator.observe import Observed

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
API = "http://api.example"
LAUNCHED = make_condition(ConditionType.RUNNING, "False", "Launched")
RUNS = make_condition(ConditionType.RUNNING, "True", "PodRunning")
PAUSED = make_condition(ConditionType.RUNNING, "False", "Suspended")


def world(spec: Any = None, status: Any = None, **changes: Any) -> Observed:
    """A job, by default a draft, with a usable runtime in a prepared namespace."""
    known: dict[str, Any] = {
        "namespace": "default",
        "name": "match-1",
        "uid": UID,
        "generation": 3,
        "resource_version": "101",
        "spec": spec or make_spec(),
        "status": status or ScoringJobStatus(),
        "runtime": make_runtime(),
    }
    return Observed(**(known | changes))
