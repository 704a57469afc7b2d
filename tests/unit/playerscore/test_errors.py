"""Every code that a verdict can carry is in the catalogue."""

import pytest

from playerscore.errors import CATALOGUE, PlayerscoreError
from playerscore.names import Reason

OPERATOR_ONLY = {
    Reason.RUNTIME_NOT_FOUND,
    Reason.RUNTIME_FORBIDDEN,
    Reason.START_DEADLINE,
    Reason.ACTIVE_DEADLINE,
}


@pytest.mark.parametrize(
    "reason", [item for item in Reason if item.value.isupper() and item not in OPERATOR_ONLY]
)
def test_a_refusing_reason_has_a_status_and_a_meaning(reason: Reason) -> None:
    assert reason.value in CATALOGUE


def test_the_body_is_the_same_everywhere() -> None:
    error = PlayerscoreError("FRAME_NOT_FOUND", "no such frame", field="frame_key")

    assert error.body() == {
        "error": {"code": "FRAME_NOT_FOUND", "field": "frame_key", "message": "no such frame"}
    }
    assert error.http_status == 404
