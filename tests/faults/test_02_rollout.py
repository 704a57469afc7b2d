"""The operator is told to stop (SIGTERM), as in a rollout, while jobs keep coming.

Promise: it gives its Lease back and is gone within 10 s; the other replica goes on at once; every job runs
once and completes.
"""

import itertools
import random
import signal
import time

from faultlab import FaultLab, invariants

EXIT_SECONDS = 10.0
JOBS_A_REPLICA = 8
REPLICAS = ("first", "second", "third")


def test_replicas_follow_one_another_under_load_and_each_job_runs_once(
    lab: FaultLab, dice: random.Random
) -> None:
    lab.start_operator(REPLICAS[0])
    lab.leads(REPLICAS[0])
    made: list[str] = []
    with lab.kubelet() as kubelet:
        for old, new in itertools.pairwise(REPLICAS):
            lab.start_operator(new)
            lab.until(lambda new=new: lab.probe(new, "readyz") == (200, "standby"))
            made += lab.create_many(f"under-{old}", JOBS_A_REPLICA)
            time.sleep(dice.uniform(0, 1.5))
            began = time.monotonic()
            lab.signal(old, signal.SIGTERM)
            made += lab.create_many(f"after-{old}", 2)

            assert lab.ended(old) == 0
            assert time.monotonic() - began < EXIT_SECONDS

            lab.leads(new)
        lab.all_at("COMPLETED", made)

    assert {job["status"]["run"]["attempt"] for job in lab.jobs()} == {1}
    assert len(lab.children()) == len(made) == len(kubelet.ran)
    invariants(lab)


def test_the_lease_is_given_back_and_needs_not_run_out(lab: FaultLab) -> None:
    slow = {"PLAYERSCORE_LEASE_SECONDS": "600", "PLAYERSCORE_RENEW_DEADLINE_SECONDS": "300"}
    lab.start_operator("old", **slow)
    lab.leads("old")
    lab.start_operator("new", **slow)
    lab.until(lambda: lab.probe("new", "readyz") == (200, "standby"))
    lab.signal("old", signal.SIGTERM)

    assert lab.ended("old") == 0

    lab.leads("new")

    assert lab.holder() == "new"
    invariants(lab)
