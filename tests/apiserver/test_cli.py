"""The command line's own process against a real API server: the flow, its refusals and its exit codes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import OTHER, PLAYER, VIDEO_URI, make_preview, make_result, manifest
from controlplane import ControlPlane
from playerscore import flow, names
from playerscore.resources import ScoringJob
from playerscore_cli.cluster import Cluster
from playerscore_cli.jobs import change

Json = dict[str, Any]
DONE, MACHINE, USAGE, REFUSED, NOT_FOUND, JOB_FAILED, TIMED_OUT, NOT_ALLOWED = range(8)


class Lab:
    """An API server with the CRD, and a kubeconfig; the test plays operator and worker."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def run(self, *arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"KUBECONFIG": str(kubeconfig or self.plane.kubeconfig), "COLUMNS": "120"}
        command = [sys.executable, "-c", "from playerscore_cli.app import main; main()", *arguments]
        return subprocess.run(
            command, env=environment, text=True, capture_output=True, timeout=60, check=False
        )

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == DONE, done.stderr
        return done.stdout

    def job(self, name: str) -> Json:
        found: Json = json.loads(self.plane.kubectl("get", "scoringjob", name, "-o", "json"))
        return found

    def writes(self, name: str, status: Json) -> None:
        patch = json.dumps({"status": status})
        self.plane.kubectl("patch", "scoringjob", name, "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with ControlPlane() as plane:
        plane.install_crds("scoringjobs")
        yield Lab(plane)


@pytest.fixture
def draft(lab: Lab, request: pytest.FixtureRequest) -> str:
    """A job with a preview."""
    name = request.node.name.replace("_", "-")[:60].strip("-")
    lab.ok("create", name, "--video", VIDEO_URI)
    lab.writes(name, {"preview": manifest(make_preview(name=name))})
    return name


def test_the_whole_flow(lab: Lab, draft: str) -> None:
    assert "WAITING_FOR_TARGET_CONFIRMATION" in lab.ok("pick", draft, "--frame", "1", "--track", str(PLAYER))
    assert "READY_TO_ENQUEUE" in lab.ok("confirm", draft)
    assert "QUEUED" in lab.ok("enqueue", draft)
    assert "QUEUED" in lab.ok("enqueue", draft), "again is not an error"

    spec = lab.job(draft)["spec"]
    assert spec["player_ref"]["track_id"] == PLAYER
    assert spec["target"]["confirmed"] is True
    assert spec["suspend"] is False
    assert "READY_TO_ENQUEUE" in lab.ok("pause", draft)


def test_watch_shows_the_score_at_the_end(lab: Lab, draft: str) -> None:
    result = manifest(make_result())
    timer = threading.Timer(2, lab.writes, (draft, {"result": result, "progress": {"step": "COMPLETED"}}))
    timer.start()

    shown = lab.ok("watch", draft, "--timeout", "30")

    timer.join()
    assert f"overallScore {result['overallScore']}" in shown
    assert all(axis in shown for axis in result["radar"])


def test_watch_tells_why_a_job_failed(lab: Lab, draft: str) -> None:
    condition = {
        "type": "Succeeded",
        "status": "False",
        "reason": "VIDEO_TRUNCATED",
        "message": "The file ends before its video does",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    lab.writes(draft, {"conditions": [condition], "progress": {"step": "FAILED"}})

    done = lab.run("watch", draft)

    assert done.returncode == JOB_FAILED
    assert "VIDEO_TRUNCATED: The file ends" in done.stderr


def test_show_lists_whom_to_pick(lab: Lab, draft: str) -> None:
    shown = lab.ok("show", draft)

    assert "WAITING_FOR_PLAYER" in shown
    assert all(str(track) in shown for track in (PLAYER, OTHER))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["enqueue", "{job}"], REFUSED, "NOT_READY: Missing required selections for enqueue"),
        (["pick", "{job}", "--frame", "9", "--track", "7"], NOT_FOUND, "FRAME_NOT_FOUND"),
        (["pick", "{job}", "--frame", "1", "--track", "99"], NOT_FOUND, "TRACK_NOT_FOUND"),
        (["confirm", "{job}", "--frame", "0", "--box", "0,0,1,1"], NOT_FOUND, "FRAME_NOT_FOUND"),
        (["confirm", "{job}", "--frame", "1", "--box", "nan,0,1,1"], REFUSED, "INVALID"),
        (["confirm", "{job}", "--frame", "1", "--box", "0,0,0,0"], REFUSED, "area"),
        (["confirm", "{job}", "--frame", "1", "--box", "one,two"], REFUSED, "x,y,w,h"),
        (["get", "nobody"], NOT_FOUND, "JOB_NOT_FOUND"),
        (["create", "{job}", "--video", VIDEO_URI], REFUSED, "ALREADY_EXISTS"),
        (["create", "bad", "--video", "not a uri"], REFUSED, "spec.video.uri"),
        (["create", "n" * 64, "--video", VIDEO_URI], REFUSED, "63 characters"),
        (["pick", "{job}"], USAGE, "--best"),
    ],
)
def test_what_cannot_be_has_a_code_and_an_exit_code(
    lab: Lab, arguments: list[str], code: int, said: str
) -> None:
    lab.run("create", "refusing", "--video", VIDEO_URI)
    lab.writes("refusing", {"preview": manifest(make_preview(name="refusing"))})

    done = lab.run(*[argument.format(job="refusing") for argument in arguments])

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_a_mismatch_says_its_numbers_and_force_waives_it(lab: Lab, draft: str) -> None:
    lab.ok("pick", draft, "--frame", "1", "--track", str(PLAYER))
    away = ["confirm", draft, "--frame", "1", "--box", "0,0.75,0.125,0.25"]

    done = lab.run(*away)
    forced = lab.run(*away, "--force")

    assert done.returncode == REFUSED
    assert "TARGET_MISMATCH" in done.stderr
    assert "iou: 0.0" in done.stderr
    assert "threshold: 0.2" in done.stderr
    assert forced.returncode == DONE
    assert "Forced" in forced.stderr


def test_pick_before_the_preview_is_refused(lab: Lab) -> None:
    lab.ok("create", "early", "--video", VIDEO_URI)

    done = lab.run("pick", "early", "--frame", "1", "--track", "1")

    assert (done.returncode, "PREVIEW_NOT_READY" in done.stderr) == (REFUSED, True)


def test_a_spec_of_ones_own_and_every_way_to_print_it(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("displayName: Final\nvideo: {uri: s3://elsewhere/x, sha256: " + "a" * 64 + "}\n")

    lab.ok("create", "printed", "--video", VIDEO_URI, "--file", str(file))

    spec = yaml.safe_load(lab.ok("get", "printed", "-o", "yaml"))["spec"]
    assert (spec["displayName"], spec["video"]) == ("Final", {"uri": VIDEO_URI, "sha256": "a" * 64})
    assert json.loads(lab.ok("get", "printed", "-o", "json"))["spec"] == spec
    assert lab.ok("get", "printed", "-o", "name") == "scoringjob.playerscore.dev/printed\n"


def test_a_wrong_field_is_named(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("suspendd: true\n")

    done = lab.run("create", "typo", "--video", VIDEO_URI, "--file", str(file))

    assert (done.returncode, "suspendd" in done.stderr) == (REFUSED, True)


@pytest.mark.parametrize("content", [None, "server"], ids=["no kubeconfig", "no server"])
def test_no_cluster_is_said_in_one_line(lab: Lab, tmp_path: Path, content: str | None) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    if content:
        config = yaml.safe_load(lab.plane.kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
        kubeconfig.write_text(yaml.safe_dump(config))

    done = lab.run("get", "x", kubeconfig=kubeconfig)

    assert done.returncode == MACHINE
    assert "CLUSTER_UNAVAILABLE" in done.stderr
    assert "Traceback" not in done.stderr


def test_who_may_not_is_told_so(lab: Lab) -> None:
    lab.plane.kubectl("create", "serviceaccount", "nobody")
    kubeconfig = lab.plane.kubeconfig_for(lab.plane.token("default", "nobody"), "nobody")

    done = lab.run("get", "x", kubeconfig=Path(kubeconfig))

    assert (done.returncode, "FORBIDDEN" in done.stderr) == (NOT_ALLOWED, True)


def test_an_edit_in_between_is_judged_again(lab: Lab, draft: str) -> None:
    """The write carries the version that was judged, so a concurrent edit is never lost."""
    edits = iter(["edited meanwhile"])

    def step(job: ScoringJob) -> flow.Change:
        for text in edits:
            patch = json.dumps({"spec": {"displayName": text}})
            lab.plane.kubectl("patch", "scoringjob", draft, "--type=merge", "-p", patch)
        return flow.pick(job.spec, job.status, names.frame_key(draft, 1), PLAYER)

    change(Cluster.open(file=lab.plane.kubeconfig), draft, step)

    spec = lab.job(draft)["spec"]
    assert (spec["displayName"], spec["player_ref"]["track_id"]) == ("edited meanwhile", PLAYER)
