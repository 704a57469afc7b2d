"""A ScoringJob is deleted while it runs and created again under its name, while the old pod still works.

Promise: the new one is another job, with a Job of its own; the old pod's writes are refused, and no result of the
old one ever stands on the new one.
"""

import workerlab
from builders import make_result, manifest
from faultlab import FaultLab, invariants


def test_the_old_pods_word_counts_nothing_for_the_new_job(lab: FaultLab) -> None:
    lab.start_operator()
    with workerlab.confined(lab):
        old = lab.create_job("match", lab.ready("match"))
        zombie = lab.pod_runs(f"sj-{old}-1")
        bearer = workerlab.token(lab, zombie)
        assert workerlab.write(lab, "match", bearer, {"progress": {"percent": 7}}).status_code == 200

        lab.plane.kubectl("delete", "scoringjob", "match", "--timeout=10s")
        new = lab.create_job("match", lab.ready("match"))
        lab.until(lambda: lab.get("job", f"sj-{new}-1"))
        running = lab.pod_runs(f"sj-{new}-1")
        lab.until(lambda: lab.step("match") == "ANALYZING")

        forged = {"result": manifest(make_result(generation=1))}
        assert lab.get("pod", zombie), "the old pod is still there"
        for status in (forged, {"progress": {"percent": 99}}, {"artifacts": []}):
            answer = workerlab.write(lab, "match", bearer, status)
            assert answer.status_code == 403
            assert "only into its own ScoringJob" in answer.text
        assert "result" not in lab.get("scoringjob", "match")["status"]

        lab.pod_goes(zombie)
        own = workerlab.token(lab, running)
        result = manifest(make_result(generation=1))
        assert workerlab.write(lab, "match", own, {"result": result}).status_code == 200
        lab.pod_ends(f"sj-{new}-1")
        lab.until(lambda: lab.step("match") == "COMPLETED")

    assert old != new
    assert {item["metadata"]["name"] for item in lab.children()} == {f"sj-{new}-1"}
    invariants(lab)
