"""What operator and pod tell each other, between releases: written as the oldest workers read it, read by what is known.

`tests/support/tasks-0.1.0.json` holds tasks as the operator of commit e9015b9 wrote them, before they had a version.
Its workers refuse a task with any field that is not there. `reports-0.1.0.json` holds what those workers report.
"""

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError

from builders import make_ready_spec, make_result, make_runtime, make_spec, make_status, manifest
from controlplane import ROOT
from playerscore import lenient
from playerscore.errors import WorkerError
from playerscore.resources import Result, ScoringJobStatus, VideoPart
from playerscore.tasks import TASK_VARIABLE, TASK_VERSION, VERSION_VARIABLE, PreviewTask, read
from playerscore_operator.children import result_of
from playerscore_operator.manifests import analysis_job, preview_job
from worlds import API, world

Json = dict[str, Any]
OLD: Json = json.loads((ROOT / "tests/support/tasks-0.1.0.json").read_text())
REPORTS: Json = json.loads((ROOT / "tests/support/reports-0.1.0.json").read_text())
WEIGHTS = {"uri": "https://models.example/yolo.pt", "sha256": "a" * 64}


def environments() -> dict[str, list[dict[str, str]]]:
    """The variables of all containers for the same tasks, as this operator writes them."""
    plain = make_runtime().spec
    gpu = make_runtime(detector={"name": "ultralytics", "weights": WEIGHTS}).spec
    picked = world(make_ready_spec(), make_status())
    bodies = {
        "preview": preview_job(world(make_spec()), plain, 1, API),
        "analysis": analysis_job(picked, gpu, 1, API),
        "analysis again": analysis_job(picked, plain, 2, API, memory_failures=1),
    }
    return {
        name: [
            {item["name"]: item["value"] for item in container["env"]}
            for part in ("initContainers", "containers")
            for container in body["spec"]["template"]["spec"][part]
        ]
        for name, body in bodies.items()
    }


@pytest.mark.parametrize("name", OLD)
def test_the_oldest_workers_are_told_what_they_know_and_nothing_more(name: str) -> None:
    found = environments()[name]

    assert [json.loads(item[TASK_VARIABLE]) for item in found] == [OLD[name]] * 3
    assert [item[VERSION_VARIABLE] for item in found] == [str(TASK_VERSION)] * 3


def test_a_worker_that_would_leave_files_out_refuses_them() -> None:
    task = PreviewTask.model_validate(OLD["preview"])
    halves = task.model_copy(
        update={"video": task.video.model_copy(update={"parts": [VideoPart(uri="s3://a/b")]})}
    )

    assert (task.version, halves.version) == (TASK_VERSION, TASK_VERSION + 1)
    assert read(halves.model_dump_json(exclude_none=True), str(halves.version)) == halves


def test_what_the_oldest_workers_report_is_taken_as_it_is() -> None:
    status = ScoringJobStatus.model_validate(REPORTS)
    assert status.model_dump(mode="json", by_alias=True, exclude_none=True) == REPORTS

    end = {"name": "analyze", "state": {"terminated": {"message": json.dumps(REPORTS["result"])}}}
    assert result_of([{"status": {"containerStatuses": [end]}}]) == status.result


@pytest.mark.parametrize("name", OLD)
@pytest.mark.parametrize("version", [None, "1", str(TASK_VERSION + 1)])
def test_a_neighbours_task_is_read_without_what_is_not_known(name: str, version: str | None) -> None:
    newer = copy.deepcopy(OLD[name])
    newer["shard"] = {"number": 1}
    newer["video"]["mirror"] = "s3://a/b"
    newer["detector"]["tiles"] = 4
    newer.setdefault("preview", newer.get("analysis", {}))["zoom"] = True

    assert read(json.dumps(newer), version) == read(json.dumps(OLD[name]))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param(json.dumps(OLD["preview"]), str(TASK_VERSION + 2), id="two releases newer"),
        pytest.param(json.dumps(OLD["preview"]), "beta", id="no number"),
        pytest.param(json.dumps(OLD["preview"] | {"kind": "shard"}), "1", id="another kind of work"),
        pytest.param(json.dumps(OLD["preview"] | {"video_limits": {"bytes": "many"}}), "1", id="another meaning"),
        pytest.param("{", "1", id="no JSON"),
        pytest.param("[" * 5000, "1", id="an abyss"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_to_be_the_releases_fault(text: str, version: str) -> None:
    with pytest.raises(WorkerError) as told:
        read(text, version)

    assert told.value.code == "TASK_UNREADABLE"


def test_a_newer_workers_result_is_read_without_what_is_not_known() -> None:
    result = manifest(make_result())
    newer = copy.deepcopy(result) | {"confidence": 7}
    newer["signals"]["shirts"] = 2

    assert lenient.known_json(Result, json.dumps(newer)) == Result.model_validate(result)
    with pytest.raises(ValidationError):
        lenient.known_json(Result, json.dumps(newer | {"overallScore": "good"}))
