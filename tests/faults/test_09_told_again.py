"""Watch events come twice, late, and in another order.

Promise: what counts is the newest version that was seen, so every job comes to the same end, and none of its
children is made twice.
"""

import asyncio
import contextlib
import json
import random
import threading
from collections.abc import Iterator
from typing import Any

from faultlab import PATHS, FaultLab, FaultProxy, invariants, session
from playerscore import names

Json = dict[str, Any]
PARTS = {"scoringjobs": "/scoringjobs", "jobs": "/batch/v1/jobs", "pods": "/api/v1/pods"}
MOST_OLD = 4
JOBS = 6
LONG_SECONDS = 600.0
"""So long runs a pod that is to be paused."""


class Replay:
    """Hears what the operator hears, and tells it again: each event once more, and after it some old ones."""

    def __init__(self, lab: FaultLab, proxy: FaultProxy, dice: random.Random) -> None:
        self._lab, self._proxy, self._dice = lab, proxy, dice
        self._lock = threading.Lock()
        self._silent = False
        self._told: list[tuple[str, Json]] = []
        self.again = 0
        """How many events were told again."""

    async def follow(self, kind: str) -> None:
        """Until cancelled."""
        path = PATHS[kind] + ("&" if "?" in PATHS[kind] else "?") + "watch=1"
        async with session(self._lab.plane) as http, http.get(path, read_bufsize=8 << 20) as answer:
            async for line in answer.content:
                self._told.append((PARTS[kind], json.loads(line)))
                await self._tell_again()

    async def _tell_again(self) -> None:
        old = [self._dice.choice(self._told) for _ in range(self._dice.randrange(MOST_OLD))]
        for part, event in [self._told[-1], *old]:
            await asyncio.to_thread(self._tell, part, event)

    def _tell(self, part: str, event: Json) -> None:
        with self._lock:
            if not self._silent:
                self.again += self._proxy.inject(part, event)

    def haunt(self, uid: str) -> None:
        """Tell of a job's children as if they were still there, as a server that lags behind would."""
        for part, event in list(self._told):
            labels = event["object"]["metadata"].get("labels") or {}
            if labels.get(names.UID_LABEL) == uid and event["type"] != "DELETED":
                self._tell(part, event)

    def silence(self) -> None:
        """Nothing is told after this."""
        with self._lock:
            self._silent = True


@contextlib.contextmanager
def replaying(lab: FaultLab, proxy: FaultProxy, dice: random.Random) -> Iterator[Replay]:
    """Everything is told again, until the end of the block."""
    replay = Replay(lab, proxy, dice)
    following = [lab.background.spawn(replay.follow(kind)) for kind in PARTS]
    try:
        yield replay
    finally:
        replay.silence()
        for task in following:
            task.cancel()


def test_old_news_starts_nothing_stops_nothing_and_ends_nothing(lab: FaultLab, dice: random.Random) -> None:
    with FaultProxy(lab.plane) as proxy:
        lab.start_operator(KUBECONFIG=str(proxy.kubeconfig))
        lab.until(lambda: all(proxy.watching(part) for part in PARTS.values()))
        with replaying(lab, proxy, dice) as replay, lab.kubelet(run_seconds=LONG_SECONDS) as kubelet:
            made = lab.create_many("plain", JOBS)
            made += lab.create_many("previewed", 2, lambda name: lab.selected(name) | {"suspend": False})
            paused = lab.create_many("paused", 2)
            lab.all_at("ANALYZING", paused)
            for name in paused:
                lab.patch(name, {"suspend": True})
                lab.until(lambda name=name: lab.condition(name, "Running") == ("False", "Suspended"))
                replay.haunt(lab.get("scoringjob", name)["metadata"]["uid"])
                lab.settle()
                assert lab.condition(name, "Running") == ("False", "Suspended")
                lab.patch(name, {"suspend": False})
            kubelet.run_seconds = 0.5
            lab.all_at("COMPLETED", made + paused)

    created = [call.what["metadata"]["name"] for call in proxy.writes("/jobs") if call.method == "POST"]
    assert len(created) == len(set(created)), "a child was asked for twice"
    attempts = {job["metadata"]["name"]: job["status"]["run"]["attempt"] for job in lab.jobs()}
    assert attempts == dict.fromkeys(made, 1) | dict.fromkeys(paused, 2)
    assert replay.again > 200
    invariants(lab)
