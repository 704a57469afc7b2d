"""What the selection's policy costs an API server, in its own units, at the largest preview.

An API server refuses what costs over 1,000,000 an expression or 10,000,000 a policy. The policy that the chart
renders is evaluated by the API server's own library, as a new policy of the oldest Kubernetes that is supported.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("tests/support", "core", "operator")]

from celcost import costs, largest
from gates import rendered

RESULT = ROOT / "benchmarks" / "results" / "policy.json"


def measured() -> dict[str, Any]:
    """The result's figures."""
    policy = next(item for item in rendered("policy") if item["metadata"]["name"].endswith("-selection"))
    found = costs(policy, [largest(coherent=True), largest(coherent=False)])
    allowed, denied = found["verdicts"]
    assert (allowed["allowed"], denied["allowed"]) == (True, False), found
    whole = max(item["validation_cost"] + item["message_cost"] for item in (allowed, denied))
    return {
        "command": "make bench-policy",
        "figures": {
            "frames": 16,
            "tracks_per_frame": 48,
            "cost_allowed": allowed["validation_cost"],
            "cost_denied": denied["validation_cost"],
            "cost_denied_message": denied["message_cost"],
            "cost_match_conditions": denied["match_cost"],
            "budget_per_policy": found["per_binding_budget"],
            "limit_per_expression": found["per_expression_limit"],
        },
        "ratios": {"of_budget": round(whole / found["per_binding_budget"], 6)},
    }


if __name__ == "__main__":
    result = measured()
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["figures"] | result["ratios"], indent=1))
