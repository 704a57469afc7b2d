"""The command line's own process on a real API server: the flow, its refusals, its exit codes, its output."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from apilab import Lab
from builders import OTHER, PLAYER, VIDEO_URI, make_preview, manifest
from clidesk import (
    BROKEN_PIPE,
    DONE,
    INTERRUPTED,
    MACHINE,
    NOT_ALLOWED,
    NOT_FOUND,
    REFUSED,
    USAGE,
    Desk,
)
from playerscore import flow, names
from playerscore.resources import ScoringJob
from playerscore_cli.cluster import Cluster
from playerscore_cli.jobs import change

Json = dict[str, Any]
AWAY = "0,0.75,0.125,0.25"
"""A box that overlaps nobody."""


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


@pytest.fixture(scope="module")
def still(lab: Lab) -> str:
    """A job with a preview that no test changes."""
    lab.created("cli-still")
    lab.plane.kubectl("label", "scoringjob", "cli-still", "team=first")
    return "cli-still"


@pytest.fixture
def draft(lab: Lab, request: pytest.FixtureRequest) -> str:
    """A job with a preview."""
    name = f"cli-{request.node.originalname[5:]}".replace("_", "-")[:60].strip("-")
    lab.created(name)
    return name


def test_the_whole_flow(desk: Desk, lab: Lab, draft: str) -> None:
    picked = desk.ok("pick", draft, "--frame", "1", "--track", str(PLAYER))
    confirmed = desk.ok("confirm", f"sj/{draft}")
    queued, again = desk.ok("enqueue", draft), desk.ok("enqueue", draft)

    assert picked == f"scoringjob/{draft}  WAITING_FOR_TARGET_CONFIRMATION\n"
    assert confirmed == f"scoringjob/{draft}  READY_TO_ENQUEUE\n"
    assert queued == again == f"scoringjob/{draft}  QUEUED\n"
    spec = lab.stored(draft)["spec"]
    assert (spec["player_ref"]["track_id"], spec["target"]["confirmed"], spec["suspend"]) == (
        PLAYER,
        True,
        False,
    )
    assert "READY_TO_ENQUEUE" in desk.ok("pause", draft)


def test_a_track_alone_is_picked_where_he_shows_best(desk: Desk, lab: Lab, draft: str) -> None:
    desk.ok("pick", draft, "--track", str(OTHER))

    player = lab.stored(draft)["spec"]["player_ref"]
    assert player["track_id"] == OTHER
    assert player["frame_key"] == names.frame_key(draft, 2)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["enqueue", "{job}"], REFUSED, "NOT_READY: Missing required selections for enqueue (missing: player_ref, target)"),
        (["pick", "{job}", "--frame", "9", "--track", "7"], NOT_FOUND, "FRAME_NOT_FOUND"),
        (["pick", "{job}", "--frame", "1", "--track", "99"], NOT_FOUND, "TRACK_NOT_FOUND"),
        (["pick", "{job}", "--track", "99"], NOT_FOUND, "TRACK_NOT_FOUND"),
        (["confirm", "{job}", "--frame", "0", "--box", "0,0,1,1"], NOT_FOUND, "FRAME_NOT_FOUND"),
        (["confirm", "{job}", "--frame", "1", "--box", "nan,0,1,1"], REFUSED, "INVALID"),
        (["confirm", "{job}", "--frame", "1", "--box", "0,0,0,0"], REFUSED, "area"),
        (["confirm", "{job}", "--frame", "1", "--box", "one,two"], REFUSED, "x,y,w,h"),
        (["get", "nobody"], NOT_FOUND, 'JOB_NOT_FOUND: scoringjobs.playerscore.dev "nobody" not found'),
        (["result", "{job}"], NOT_FOUND, "NOT_FOUND: The job has no result yet"),
        (["artifacts", "{job}"], NOT_FOUND, "NOT_FOUND: The job has no artifacts yet"),
        (["create", "{job}", "--video", VIDEO_URI], REFUSED, "ALREADY_EXISTS"),
        (["create", "bad", "--video", "not a uri"], REFUSED, "field: spec.video.uri"),
        (["create", "n" * 64, "--video", VIDEO_URI], REFUSED, "63 characters"),
        (["create", "bad"], USAGE, "a video is needed"),
        (["pick", "{job}"], USAGE, "give --track, or --best"),
        (["pick", "{job}", "--best", "--track", "7"], USAGE, "--best chooses by itself"),
        (["get", "pod/x"], USAGE, "is no ScoringJob"),
        (["enqueue"], USAGE, "name the jobs"),
        (["wait", "{job}", "--for", "christmas"], USAGE, "nothing to wait for"),
        (["wait", "{job}", "--timeout", "soon"], USAGE, "no duration"),
        (["fly"], USAGE, "No such command"),
        (["upload", __file__], REFUSED, "--api or PLAYERSCORE_API"),
        (["get", "{job}", "--context", "nowhere"], MACHINE, 'context "nowhere" does not exist'),
    ],
)  # fmt: skip
def test_what_cannot_be_has_a_code_and_an_exit_code(
    desk: Desk, lab: Lab, still: str, arguments: list[str], code: int, said: str
) -> None:
    before = lab.stored(still)

    done = desk.run(*[argument.format(job=still) for argument in arguments])

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""
    if code != USAGE:
        assert done.stderr.count("\n") == 1, "an error is one line"
    assert lab.stored(still) == before


def test_an_error_is_a_body_where_json_is_asked_for(desk: Desk, still: str) -> None:
    as_json = desk.run("enqueue", still, "-o", "json")
    as_yaml = desk.run("enqueue", still, "-oyaml")
    misused = desk.run("enqueue", still, "--fly", "--output=json")

    error = {
        "code": "NOT_READY",
        "missing": ["player_ref", "target"],
        "message": "Missing required selections for enqueue",
    }
    assert json.loads(as_json.stderr) == yaml.safe_load(as_yaml.stderr) == {"error": error}
    assert (as_json.returncode, as_json.stdout) == (REFUSED, "")
    assert json.loads(misused.stderr)["error"]["code"] == "USAGE"


def test_a_mismatch_says_its_numbers_and_force_waives_it(desk: Desk, draft: str) -> None:
    desk.ok("pick", draft, "--frame", "1", "--track", str(PLAYER))
    away = ["confirm", draft, "--frame", "1", "--box", AWAY]

    done = desk.run(*away)
    forced = desk.run(*away, "--force")

    assert done.returncode == REFUSED
    assert all(word in done.stderr for word in ("TARGET_MISMATCH: ", "iou: 0.0", "threshold: 0.2"))
    assert forced.returncode == DONE
    assert forced.stderr.startswith("Warning: Forced: ")


def test_pick_before_the_preview_is_refused(desk: Desk) -> None:
    assert (
        desk.ok("create", "cli-early", "--video", VIDEO_URI) == "scoringjob/cli-early  EXTRACTING_PREVIEW\n"
    )

    done = desk.run("pick", "cli-early", "--frame", "1", "--track", "1")

    assert (done.returncode, "PREVIEW_NOT_READY" in done.stderr) == (REFUSED, True)


# --- objects --------------------------------------------------------------------------------------------


def test_a_spec_of_ones_own_and_every_way_to_print_it(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("displayName: Final\nvideo: {uri: s3://elsewhere/x, sha256: " + "a" * 64 + "}\n")
    options = ["--runtime", "gpu", "--frames", "4", "--label", "team=second", "--label", "cup=yes"]

    desk.ok("create", "cli-printed", "--video", VIDEO_URI, "--file", str(file), *options)

    whole = yaml.safe_load(desk.ok("get", "cli-printed", "-o", "yaml"))
    spec = whole["spec"]
    assert (spec["displayName"], spec["video"]) == ("Final", {"uri": VIDEO_URI, "sha256": "a" * 64})
    assert (spec["runtimeName"], spec["preview"]) == ("gpu", {"frames": 4})
    assert whole["metadata"]["labels"] == {"team": "second", "cup": "yes"}
    assert json.loads(desk.ok("get", "cli-printed", "-o", "json")) == whole
    assert desk.ok("get", "cli-printed", "-o", "name") == "scoringjob.playerscore.dev/cli-printed\n"


def test_a_manifest_from_standard_input(desk: Desk, lab: Lab) -> None:
    body = {"kind": "ScoringJob", "metadata": {"labels": {"a": "b"}}, "spec": {"video": {"uri": VIDEO_URI}}}

    done = desk.run("create", "cli-piped", "-f", "-", "-o", "name", stdin=json.dumps(body))

    assert done.stdout == "scoringjob.playerscore.dev/cli-piped\n", done.stderr
    assert lab.stored("cli-piped")["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("suspendd: true\n", "suspendd"),
        ("- 1\n", "holds no object"),
        ("kind: Pod\n", "holds a Pod"),
        ("a: [", "is no YAML"),
        ("displayName: 2026-01-01\n", "quote it"),
        ("kind: ScoringJob\nspec: [1]\n", "spec of"),
        ("kind: ScoringJob\nmetadata: x\n", "metadata of"),
    ],
)
def test_a_wrong_file_is_refused_by_its_field(desk: Desk, content: str, said: str) -> None:
    done = desk.run("create", "cli-typo", "--video", VIDEO_URI, "-f", "-", stdin=content)

    assert (done.returncode, said in done.stderr) == (REFUSED, True), done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["{job}"],
        [],
        ["-A"],
        ["{job}", "-o", "wide"],
        ["-l", "team=first"],
        ["--field-selector", "spec.suspend=true", "-l", "team"],
        ["-l", "team=nobody"],
        ["--no-headers", "{job}"],
        ["{job}", "-o", "name"],
        ["-n", "kube-system"],
    ],
    ids=" ".join,
)
def test_get_prints_what_kubectl_prints(desk: Desk, still: str, arguments: list[str]) -> None:
    """The ages may differ by a second, so numbers are not compared."""
    wanted = [argument.format(job=still) for argument in arguments]
    theirs = desk.kubectl("get", "scoringjobs", *wanted)

    ours = desk.kubectl("scoring", "get", *wanted)

    def words(text: str) -> list[str]:
        return ["#" if word[0].isdigit() else word for word in text.split()]

    assert words(ours.stdout) == words(theirs.stdout)
    assert ours.stderr == theirs.stderr
    assert ours.returncode == theirs.returncode == DONE


def test_a_list_as_json_is_what_kubectl_prints(desk: Desk, still: str) -> None:
    selected = ["-l", "team=first", "-o", "json"]

    assert json.loads(desk.ok("get", *selected)) == json.loads(desk.kubectl("get", "sj", *selected).stdout)


def test_delete_by_name_by_selector_and_not_by_accident(desk: Desk, lab: Lab) -> None:
    for name in ("cli-gone-1", "cli-gone-2", "cli-gone-3"):
        desk.ok("create", name, "--video", VIDEO_URI, "--label", "cli-gone=yes")

    tried = desk.ok("delete", "cli-gone-1", "--dry-run", "server")
    one = desk.run("delete", "cli-gone-1", "nobody", "cli-gone-2")
    rest = desk.ok("delete", "-l", "cli-gone=yes")
    nothing = desk.run("delete", "cli-gone-1", "--ignore-not-found")
    bare = desk.run("delete")

    kind = "scoringjob.playerscore.dev"
    assert tried == f'{kind} "cli-gone-1" deleted (server dry run)\n'
    assert one.stdout == f'{kind} "cli-gone-1" deleted\n{kind} "cli-gone-2" deleted\n'
    assert (one.returncode, "job: nobody" in one.stderr) == (NOT_FOUND, True)
    assert rest == f'{kind} "cli-gone-3" deleted\n'
    assert (nothing.returncode, nothing.stdout) == (DONE, "")
    assert bare.returncode == USAGE


def test_a_step_for_several_jobs_ends_as_the_first_that_failed(desk: Desk, lab: Lab, draft: str) -> None:
    desk.ok("pick", draft, "--best")
    desk.ok("confirm", draft)

    done = desk.run("enqueue", "nobody", draft)

    assert (done.returncode, done.stdout) == (NOT_FOUND, f"scoringjob/{draft}  QUEUED\n")
    assert lab.stored(draft)["spec"]["suspend"] is False


# --- dry run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "suffix"), [("client", " (dry run)"), ("server", " (server dry run)")])
def test_a_dry_run_judges_and_stores_nothing(desk: Desk, lab: Lab, still: str, how: str, suffix: str) -> None:
    before = lab.stored(still)

    picked = desk.ok("pick", still, "--frame", "1", "--track", str(PLAYER), "--dry-run", how)
    printed = json.loads(desk.ok("pick", still, "--best", "--dry-run", how, "-o", "json"))
    refused = desk.run("enqueue", still, "--dry-run", how)
    created = desk.ok("create", "cli-never", "--video", VIDEO_URI, "--dry-run", how)
    angle = ("--video", VIDEO_URI, "--video-track", "2", "--dry-run", how, "-o", "json")
    second = json.loads(desk.ok("create", "cli-never", *angle))
    wrong = desk.run("create", "cli-never", "--video", "no uri", "--dry-run", how)

    assert picked == f"scoringjob/{still}  WAITING_FOR_TARGET_CONFIRMATION{suffix}\n"
    assert printed["spec"]["target"]["confirmed"] is False
    assert (refused.returncode, "NOT_READY" in refused.stderr) == (REFUSED, True)
    assert created == f"scoringjob/cli-never  EXTRACTING_PREVIEW{suffix}\n"
    assert second["spec"]["video"] == {"uri": VIDEO_URI, "track": 2}
    assert (wrong.returncode, "video.uri" in wrong.stderr) == (REFUSED, True)
    assert desk.run("get", "cli-never").returncode == NOT_FOUND
    assert lab.stored(still) == before


# --- how it ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, "server", "yaml"], ids=["no kubeconfig", "no server", "no yaml"])
def test_no_cluster_is_said_in_one_line(desk: Desk, tmp_path: Path, content: str | None) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    if content == "server":
        config = yaml.safe_load(desk.plane.kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
        kubeconfig.write_text(yaml.safe_dump(config))
    elif content:
        kubeconfig.write_text("a: [")

    done = desk.run("get", "x", KUBECONFIG=str(kubeconfig))

    assert done.returncode == MACHINE
    assert done.stderr.startswith("CLUSTER_UNAVAILABLE: ")
    assert done.stderr.count("\n") == 1


def test_who_may_not_is_told_so(desk: Desk) -> None:
    desk.plane.kubectl("create", "serviceaccount", "cli-nobody")
    kubeconfig = desk.plane.kubeconfig_for(desk.plane.token("default", "cli-nobody"), "cli-nobody")
    wrong = desk.plane.kubeconfig_for("no-token", "cli-wrong")

    may_not = desk.run("get", "x", "--kubeconfig", str(kubeconfig))
    unknown = desk.run("--kubeconfig", str(wrong), "get", "x")

    assert (may_not.returncode, may_not.stderr[:10]) == (NOT_ALLOWED, "FORBIDDEN:")
    assert (unknown.returncode, unknown.stderr[:16]) == (NOT_ALLOWED, "UNAUTHENTICATED:")


def test_a_reader_that_goes_away_is_no_error(desk: Desk, still: str) -> None:
    """The list is longer than a pipe's buffer, so the writer meets the closed end."""
    command = [desk.environment()["PATH"].split(":")[0] + "/playerscore", "get", *[still] * 40, "-o", "json"]
    first = subprocess.Popen(command, env=desk.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert first.stdout
    assert first.stderr
    first.stdout.close()
    said = first.stderr.read()
    first.stderr.close()

    assert (first.wait(60), said) == (BROKEN_PIPE, b"")


@pytest.mark.parametrize("arguments", [["watch", "{job}"], ["get", "-w", "{job}"], ["events", "-w", "{job}"]])
def test_ctrl_c_leaves_no_traceback(desk: Desk, still: str, arguments: list[str]) -> None:
    going = desk.start(*[argument.format(job=still) for argument in arguments])
    source = going.stderr if arguments[0] == "watch" else going.stdout
    assert source
    source.readline()

    going.send_signal(signal.SIGINT)
    _, said = going.communicate(timeout=30)

    assert going.returncode == INTERRUPTED
    assert "Traceback" not in said


def test_an_edit_in_between_is_judged_again(desk: Desk, lab: Lab, draft: str) -> None:
    """The write carries the version that was judged, so a concurrent edit is never lost."""
    edits = iter(["edited meanwhile"])

    def step(job: ScoringJob) -> flow.Change:
        for text in edits:
            patch = json.dumps({"spec": {"displayName": text}})
            lab.plane.kubectl("patch", "scoringjob", draft, "--type=merge", "-p", patch)
        return flow.pick(job.spec, job.status, names.frame_key(draft, 1), PLAYER)

    change(Cluster.open(file=lab.plane.kubeconfig), draft, step)

    spec = lab.stored(draft)["spec"]
    assert (spec["displayName"], spec["player_ref"]["track_id"]) == ("edited meanwhile", PLAYER)


def test_conditions_and_events_in_the_order_of_time(desk: Desk, lab: Lab, draft: str) -> None:
    uid = lab.stored(draft)["metadata"]["uid"]
    condition = {
        "type": "PreviewReady",
        "status": "True",
        "reason": "PreviewStored",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    lab.status(draft, {"conditions": [condition]})
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{draft}.1", "namespace": "default"},
        "involvedObject": {"kind": "ScoringJob", "name": draft, "namespace": "default", "uid": uid},
        "type": "Normal",
        "reason": "Launched",
        "message": "Attempt 1",
        "lastTimestamp": "2026-01-02T00:00:00Z",
    }
    lab.plane.kubectl("create", "-f", "-", stdin=json.dumps(event))

    lines = desk.ok("events", draft).splitlines()
    found = json.loads(desk.ok("events", draft, "-o", "json"))

    assert [line.split()[0] for line in lines] == ["TIME", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]
    assert [item["reason"] for item in found] == ["PreviewStored", "Launched"]
    assert [item["kind"] for item in found] == ["PreviewReady=True", "Normal"]


def test_previews_of_every_job_stay_as_they_were_made(lab: Lab, still: str) -> None:
    assert lab.stored(still)["status"]["preview"] == manifest(make_preview(name=still))
