"""What the store or the API server did not take, by the last words of the pod's reporter."""

from dataclasses import replace

import pytest

from builders import UID, make_condition, make_ready_spec, make_result, make_run, make_spec, make_status
from kubeletwords import looks, told
from playerscore.names import ConditionType, Step
from playerscore.resources import ScoringJobStatus
from playerscore.tasks import Failure
from playerscore_operator.manifests import analysis_job, preview_job
from playerscore_operator.observe import Observed
from worlds import API, RUNS, world


def ended_well(observed: Observed, code: str, message: str) -> Observed:
    """Its child is complete; of the reporter these words are left."""
    assert observed.runtime is not None
    make = analysis_job if observed.attempt else preview_job
    body = make(observed, observed.runtime.spec, 1, API)
    stamp = "2026-01-01T11:59:00Z"
    body["metadata"] |= {"creationTimestamp": stamp}
    body["status"] = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": stamp}]}
    name = body["metadata"]["name"]
    words = Failure(code=code, message=message).model_dump_json()
    statuses = [
        {"name": "report", "state": {"terminated": {"exitCode": 0, "message": words}}},
        {"name": "analyze", "state": {"terminated": {"exitCode": 0, "message": ""}}},
    ]
    pod = {
        "metadata": {"name": "p", "labels": {"job-name": name}},
        "spec": {},
        "status": {"phase": "Succeeded", "containerStatuses": statuses},
    }
    return replace(observed, jobs={name: body}, pods=[pod])


@pytest.mark.parametrize(
    ("code", "disruptions"),
    [
        pytest.param("STORE_UNAVAILABLE", 1, id="the store was away"),
        pytest.param("WORKER_FAILED", None, id="a picture was refused"),
    ],
)
def test_a_preview_whose_pictures_are_not_stored_is_made_again(code: str, disruptions: int | None) -> None:
    running = make_condition(ConditionType.PREVIEW_READY, "False", "PreviewRunning")
    observed = world(
        make_spec(), ScoringJobStatus(run=make_run(None, preview_attempt=1), conditions=[running])
    )
    text = "The preview's pictures are not stored. frame_0002.jpg: The broker answers 503"
    again, decisions = looks(ended_well(observed, code, text), 0)

    assert [body["metadata"]["name"] for body in decisions[-1].creates] == [f"sj-{UID}-p2"]
    assert again.run.preview_disruptions == disruptions


def test_a_result_whose_artifacts_are_lost_stands_and_says_so() -> None:
    status = make_status(run=make_run(1, generation=3), conditions=[RUNS], result=make_result(generation=3))
    observed = world(make_ready_spec(suspend=False), status)
    text = "Artifacts are not stored: radar.png. The broker answers 503: no space"
    sealed, _ = looks(ended_well(observed, "STORE_UNAVAILABLE", text), 0)

    assert sealed.status.progress is not None
    assert sealed.status.progress.step is Step.COMPLETED
    assert told(sealed, ConditionType.SUCCEEDED)[:2] == ("True", "ArtifactsLost")
    assert text in told(sealed, ConditionType.SUCCEEDED)[2]
