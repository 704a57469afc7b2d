"""The target is changed while the analysis runs.

Promise: it is refused until the job is paused; resumed with another target, the old attempt's pod is gone before
the new one's begins, its late word is refused, and the result says which generation it scored.
"""

from pathlib import Path

import workerlab
from builders import OTHER, OTHER_BOX, make_player, make_result, make_target, manifest
from faultlab import FaultLab, invariants


def test_a_new_target_is_scored_by_a_new_attempt_alone(lab: FaultLab, tmp_path: Path) -> None:
    lab.start_operator()
    other = {
        "player_ref": manifest(make_player(OTHER, name="match", box=OTHER_BOX)),
        "target": manifest(make_target(name="match", box=OTHER_BOX)),
    }
    with workerlab.confined(lab), workerlab.gated(lab, tmp_path):
        uid = lab.create_job("match", lab.ready("match"))
        zombie = lab.pod_runs(f"sj-{uid}-1")
        bearer = workerlab.token(lab, zombie)
        lab.until(lambda: lab.step("match") == "ANALYZING")
        answer = lab.http.patch(
            f"{workerlab.jobs_path()}/match",
            json={"spec": other},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.status_code == 403
        assert {cause["reason"] for cause in answer.json()["details"]["causes"]} == {"JOB_RUNNING"}
        first = lab.get("scoringjob", "match")["metadata"]["generation"]

        lab.patch("match", {"suspend": True})
        lab.patch("match", other)
        lab.patch("match", {"suspend": False})
        lab.until(lambda: lab.condition("match", "Reconciling") == ("True", "StoppingOldAttempt"))
        lab.settle()
        assert lab.get("job", f"sj-{uid}-2") == {}, "the old pod is still there"
        assert zombie in lab.conditions("match")["Running"]["message"]

        late = {"result": manifest(make_result(generation=first))}
        while_it_stops = workerlab.write(lab, "match", bearer, late).status_code
        lab.pod_goes(zombie)
        running = lab.pod_runs(f"sj-{uid}-2")
        lab.until(lambda: lab.step("match") == "ANALYZING")
        assert workerlab.write(lab, "match", bearer, late).status_code in (401, 403)
        assert "result" not in lab.get("scoringjob", "match")["status"], while_it_stops

        status = lab.get("scoringjob", "match")["status"]
        result = manifest(make_result(generation=status["run"]["generation"]))
        own = workerlab.token(lab, running)
        assert workerlab.write(lab, "match", own, {"result": result}).status_code == 200
        lab.pod_ends(f"sj-{uid}-2")
        lab.until(lambda: lab.step("match") == "COMPLETED")

    job = lab.get("scoringjob", "match")
    assert job["status"]["result"]["generation"] == job["metadata"]["generation"] > first
    assert job["status"]["run"]["attempt"] == 2
    invariants(lab)
