"""An Event's note is held to the API server's limit, which counts bytes."""

import asyncio
from typing import Any, cast

import pytest

from builders import UID, make_ready_spec, make_status
from playerscore_operator.act import NOTE_BYTES, tell
from playerscore_operator.cluster import Cluster
from playerscore_operator.observe import Observed
from playerscore_operator.outcome import Decision

JOB = Observed(
    namespace="scoring",
    name="final",
    uid=UID,
    generation=1,
    resource_version="1",
    spec=make_ready_spec(),
    status=make_status(),
)


class Told:
    """A cluster that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    async def event(self, body: Any) -> None:
        self.notes.append(body["note"])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("short", "short", id="as it is"),
        pytest.param("a" * 2000, "a" * NOTE_BYTES, id="cut"),
        pytest.param("ü" * 2000, "ü" * (NOTE_BYTES // 2), id="two bytes a letter"),
        pytest.param("a" + "字" * 2000, "a" + "字" * 341, id="no letter is cut in its middle"),
    ],
)
def test_a_note_is_cut_by_bytes(message: str, expected: str) -> None:
    cluster, decision = Told(), Decision(events=[("Normal", "Completed", message)])
    asyncio.run(tell(cast("Cluster", cluster), JOB, decision))

    assert cluster.notes == [expected]
    assert len(cluster.notes[0].encode()) <= NOTE_BYTES
