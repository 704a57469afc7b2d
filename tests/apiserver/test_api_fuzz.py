"""No request that a schema can describe, or break, makes the API fail or answer other than it says.

`make fuzz-api` does the same with thousands of examples an operation.
"""

import pytest

import fuzzing
from apilab import Lab

EXAMPLES = 3


@pytest.mark.parametrize(("who", "operations", "cases"), [("as_person", 25, 800), ("as_pod", 4, 60)])
def test_every_operation_answers_as_documented(lab: Lab, who: str, operations: int, cases: int) -> None:
    found = getattr(fuzzing, who)(lab, EXAMPLES, seed=1)

    assert found.clean, found.output
    assert found.operations >= operations
    assert found.cases >= cases
