"""The operator is killed (SIGKILL, exit 137) before and after every kind of write of a whole job.

Promise: started again with nothing, it brings every job to the same end as an undisturbed life: the same step,
attempt, score, conditions and Jobs.
"""

import random
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from faultlab import Call, Fault, FaultLab, FaultProxy, invariants, kill
from operatorlab import end_of
from playerscore import names

Json = dict[str, Any]
POINTS = (
    "create p1",
    "attempt 1",
    "create 1",
    "step ANALYZING",
    "step READY_TO_ENQUEUE",
    "delete 1",
    "attempt 2",
    "create 2",
    "step COMPLETED",
)
"""Every life of these jobs makes these writes: previewed, run, paused while it runs, resumed, completed."""
MOMENTS = ("before", "after")
SAMPLE = 3
"""Points of the short row; the long one has them all."""


@dataclass(frozen=True)
class Point:
    """A crash: of the operator, at a write about the job of that name."""

    write: str
    moment: str

    @property
    def job(self) -> str:
        return f"{self.moment}-{self.write}".replace(" ", "-").replace("_", "-").lower()


class Executioner:
    """Kills the operator at each point once, and starts it again as a kubelet does, with the same name."""

    def __init__(self, lab: FaultLab, proxy: FaultProxy, points: list[Point]) -> None:
        self.met: set[Point] = set()
        self.seen: list[str] = []
        """Kinds of writes about the undisturbed job, in their order."""
        self.deaths = 0
        self._lab = lab
        self._proxy = proxy
        self._points = {(point.job, point.write): point for point in points}
        self._names: dict[str, str] = {}
        self._turn = threading.Lock()
        proxy.rule = self._rule
        self.start()

    def start(self) -> None:
        self._lab.start_operator("one", KUBECONFIG=str(self._proxy.kubeconfig))

    def _rule(self, call: Call) -> Fault | None:
        job, write = self._read(call)
        if job == "undisturbed":
            self.seen.append(write)
        point = self._points.get((job, write))
        if point is None or point in self.met:
            return None
        self.met.add(point)
        victim = self._lab.by_identity["one"]
        if point.moment == "before":
            return Fault(before=lambda: self._kill(victim), drop_before=True)
        return Fault(after=lambda: self._kill(victim), drop_after=True)

    def _kill(self, victim: Any) -> None:
        """Two points may meet in one death."""
        with self._turn:
            if victim is not self._lab.by_identity["one"]:
                return
            kill(victim)
            self.deaths += 1
            self._lab.operators.remove(victim)
            self.start()

    def _read(self, call: Call) -> tuple[str, str]:
        """The job that a write is about, and what kind of write it is; empty for all else."""
        if not call.writes or "/leases" in call.path or "/events" in call.path:
            return "", ""
        if call.method == "PATCH":
            status = call.what["status"]
            attempt, step = status.get("run", {}).get("attempt"), status.get("progress", {}).get("step", "")
            kind = f"attempt {attempt}" if attempt else f"step {step}"
            return call.path.split("/")[-2], kind
        name = call.what["metadata"]["name"] if call.method == "POST" else call.path.split("/")[-1]
        uid, suffix = name.removeprefix("sj-").rsplit("-", 1)
        if call.method == "POST":
            self._names[uid] = call.what["metadata"]["labels"][names.JOB_LABEL]
        return self._names.get(uid, ""), f"{'create' if call.method == 'POST' else 'delete'} {suffix}"


def _lives(lab: FaultLab, lived: list[str]) -> None:
    """A person and a kubelet take all jobs through their lives, together."""
    with lab.kubelet() as kubelet:
        kubelet.holds = True
        for name in lived:
            lab.post_job(name, lab.selected(name) | {"suspend": False})
        lab.all_at("ANALYZING", lived)
        for name in lived:
            lab.patch(name, {"suspend": True})
        lab.all_at("READY_TO_ENQUEUE", lived)
        lab.until(lambda: not _analyses(lab, lived))
        for name in lived:
            lab.patch(name, {"suspend": False})
        lab.all_at("ANALYZING", lived)
        kubelet.holds = False
        lab.all_at("COMPLETED", lived)


def _analyses(lab: FaultLab, lived: list[str]) -> list[str]:
    """The analyses of these jobs that are still there."""
    labels = [item["metadata"]["labels"] for item in lab.children()]
    found = [item for item in labels if item[names.JOB_LABEL] in lived]
    return [item[names.ATTEMPT_LABEL] for item in found if not item[names.ATTEMPT_LABEL].startswith("p")]


def _end(job: Json, children: list[Json]) -> Json:
    """What an observer finds at the end, but for names and times."""
    uid = job["metadata"]["uid"]
    return end_of(job, [item for item in children if item["metadata"]["labels"][names.UID_LABEL] == uid])


@pytest.mark.parametrize(
    "count", [pytest.param(SAMPLE, id="a few"), pytest.param(None, id="all", marks=pytest.mark.long)]
)
def test_killed_at_any_write_a_job_comes_to_the_same_end(
    lab: FaultLab, dice: random.Random, count: int | None
) -> None:
    every = [Point(write, moment) for write in POINTS for moment in MOMENTS]
    points = every if count is None else dice.sample(every, count)
    with FaultProxy(lab.plane) as proxy:
        executioner = Executioner(lab, proxy, [])
        _lives(lab, ["undisturbed"])

        assert set(executioner.seen) >= set(POINTS)

        lab.stop()
        executioner = Executioner(lab, proxy, points)
        _lives(lab, [point.job for point in points])

        assert executioner.met == set(points)
        assert 0 < executioner.deaths <= len(points)

        children = lab.children()
        ends = {job["metadata"]["name"]: _end(job, children) for job in lab.jobs()}
        expected = ends["undisturbed"]

        assert (expected["step"], expected["attempt"], expected["jobs"]) == ("COMPLETED", 2, ["-2", "-p1"])
        assert {name: end for name, end in ends.items() if end != expected} == {}
        proxy.rule = None
        invariants(lab)
