"""`playerscore run`, as a person types it, on a rendered clip: the whole flow without a cluster."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from matches import Match
from playerscore.resources import Result
from smallvideos import Kind, write

REFUSED, NOT_FOUND = 3, 4


def command_of(video: Path, out: Path, *more: str) -> list[str]:
    program = [sys.executable, "-c", "from playerscore_cli.app import main; main()"]
    part = ("--frames", "2", "--max-fps", "5", "--start", "1", "--end", "6")
    return [*program, "run", str(video), "--out", str(out), *part, *more]


def run(video: Path, out: Path, *more: str, content: bytes = b"") -> subprocess.CompletedProcess[str]:
    command = command_of(video, out, *more)
    done = subprocess.run(command, input=content, capture_output=True, timeout=300, check=False)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def made(match: Match, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of one run, and what it printed."""
    out = tmp_path_factory.mktemp("run")
    done = run(match.video, out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_it_says_whom_it_picked_and_why(made: tuple[Path, str]) -> None:
    assert "the most usable player; --frame and --player choose another" in made[1]


def test_the_result_is_the_one_that_a_job_would_have(made: tuple[Path, str]) -> None:
    out, shown = made
    result = Result.model_validate_json((out / "result.json").read_text())

    assert f"overallScore {result.overall_score}" in shown
    assert result.signals.sampled_frames >= 8
    assert result.radar.visibility > 50
    assert result.target_iou == pytest.approx(1)


def test_every_path_that_it_prints_is_there(made: tuple[Path, str]) -> None:
    out, shown = made
    for name in (
        "preview.png",
        "result.png",
        "radar.png",
        "clip.mp4",
        "clip.webm",
        "clip.jpg",
        "heatmap.png",
        "timeline.png",
        "timeline.json",
        "track.txt",
        "track.csv",
        "decisions.json",
        "result.json",
    ):
        assert str(out / name) in shown
        assert (out / name).stat().st_size > 0
    for name in ("preview.png", "result.png", "radar.png", "clip.jpg", "heatmap.png", "timeline.png"):
        with Image.open(out / name) as picture:
            picture.verify()


def test_another_player_is_chosen_by_his_number(match: Match, made: tuple[Path, str], tmp_path: Path) -> None:
    ours = json.loads((made[0] / "result.json").read_text())

    done = run(match.video, tmp_path, "--frame", "1", "--player", "1")

    assert done.returncode == 0, done.stderr
    assert "picked track 1 on frame 1: as asked" in done.stdout
    theirs = json.loads((tmp_path / "result.json").read_text())
    assert theirs["signals"] != ours["signals"], "the score comes from the pixels of the chosen player"


def test_a_player_is_pointed_at_without_a_preview(
    match: Match, made: tuple[Path, str], tmp_path: Path
) -> None:
    """The box that the preview would have offered; only the asked-for part is analysed."""
    task = json.loads(json.loads((made[0] / "task.json").read_text())["task"])
    at, box = task["start_time_sec"], ",".join(str(task["target"]["bbox"][key]) for key in "xywh")
    part = ("--start", f"{at - 0.5:.2f}", "--end", f"{at + 0.5:.2f}")

    done = run(match.video, tmp_path, "--at", f"0:{at:06.3f}", "--box", box, *part)

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "preview.png").exists()
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["signals"]["analysed_sec"] == pytest.approx(1, abs=0.3)
    assert "target_iou" not in result, "there is no pick to compare with"
    alone = run(match.video, tmp_path, "--at", "1")
    assert (alone.returncode, "--at and --box belong together" in alone.stderr) == (2, True)


def test_answers_to_a_runs_review_make_another_run(made: tuple[Path, str], tmp_path: Path) -> None:
    """The one moment is put there by hand: where he stands anyway, so that nothing may change."""
    out = tmp_path / "run"
    shutil.copytree(made[0], out)
    with (out / "track.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["state"] == "found"]
    info = json.loads((out / "decisions.json").read_text())
    size = {"left_px": "width", "top_px": "height", "width_px": "width", "height_px": "height"}
    row = rows[-1]
    box = dict(zip("xywh", [round(float(row[key]) / info[of], 4) for key, of in size.items()], strict=True))
    about = {"kind": "crossing", "doubt": 0.4, "stake_sec": 2.0, "taken": True, "candidates": [box]}
    result = json.loads((out / "result.json").read_text())
    result["review"] = [{"number": 1, "time_sec": float(row["time_sec"]), **about}]
    (out / "result.json").write_text(json.dumps(result))

    shown = scoring("review", str(out))
    assert "crossing, 40% in doubt, 2.0 s rest on it" in shown.stdout
    for answer, code in (("2=absent", "MOMENT_NOT_FOUND"), ("1=B", "CANDIDATE_NOT_FOUND")):
        refused = scoring("refine", str(out), "-a", answer)
        assert (refused.returncode, code in refused.stderr) == (REFUSED, True), refused.stderr
    done = scoring("refine", str(out), "-a", "1=him")

    assert done.returncode == 0, done.stderr
    again = json.loads((tmp_path / "run-2" / "result.json").read_text())
    assert again["anchors"] == 1
    assert again["signals"]["certainty"] >= result["signals"]["certainty"]
    assert (tmp_path / "run-2" / "track.txt").read_text() == (out / "track.txt").read_text()
    assert scoring("refine", str(out), "-a", "1=him", "--out", str(out)).returncode == REFUSED


def scoring(*words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from playerscore_cli.app import main; main()", *words]
    return subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)


def test_a_run_that_was_ended_goes_on_in_the_same_folder(
    match: Match, made: tuple[Path, str], tmp_path: Path
) -> None:
    checkpoints, artifact = tmp_path / "checkpoints", tmp_path / "track.txt"
    process = subprocess.Popen(command_of(match.video, tmp_path), stdout=subprocess.DEVNULL)
    end = time.monotonic() + 300
    while not list(checkpoints.glob("*.checkpoint")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
    assert not (tmp_path / "result.json").exists()

    done = run(match.video, tmp_path)

    assert done.returncode == 0, done.stderr
    assert not checkpoints.exists()
    assert (tmp_path / "result.json").read_bytes() == (made[0] / "result.json").read_bytes()
    assert artifact.read_bytes() == (made[0] / "track.txt").read_bytes()


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--player", "9999"], "TRACK_NOT_FOUND"), (["--frame", "16"], "FRAME_NOT_FOUND")],
)
def test_nobody_is_scored_instead_of_an_unknown_player(
    match: Match, tmp_path: Path, options: list[str], code: str
) -> None:
    done = run(match.video, tmp_path, *options)

    assert (done.returncode, code in done.stderr) == (NOT_FOUND, True), done.stderr


def test_a_cut_file_is_refused_before_any_work(match: Match, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    # A recorder writes the index last: what it was cut off from has none.
    cut.write_bytes(match.video.read_bytes().replace(b"moov", b"free", 1))

    done = run(cut, tmp_path / "out")

    assert (done.returncode, "VIDEO_TRUNCATED" in done.stderr) == (REFUSED, True), done.stderr


def test_a_video_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    odd = tmp_path / b"m\xe4tch.mkv".decode(errors="surrogateescape")
    write(Kind("a.mkv"), tmp_path).rename(odd)

    done = run(odd, tmp_path / "out")

    assert (done.returncode, "VIDEO_NO_PERSON" in done.stderr) == (REFUSED, True), done.stderr


def test_a_picture_track_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run(write(Kind("a.mkv"), tmp_path), tmp_path / "out", "--track", "3")

    assert (done.returncode, "VIDEO_TRACK_NOT_FOUND" in done.stderr) == (REFUSED, True), done.stderr
    assert "track 3 (spec.video.track): the file has 1" in " ".join(done.stderr.split())


def test_two_files_are_one_video(match: Match, far_match: Match, tmp_path: Path) -> None:
    done = run(match.video, tmp_path, "--frame", "1", "--start", "6", "--end", "10", str(far_match.video))
    assert done.returncode == 0, done.stderr

    result = json.loads((tmp_path / "result.json").read_text())
    parts = result["provenance"]["video_parts"]
    assert [part["start_sec"] for part in parts] == [0, 8]
    assert len({part["sha256"] for part in parts} | {result["provenance"]["video_sha256"]}) == 3
    timeline = json.loads((tmp_path / "timeline.json").read_text())
    lost = [span for span in timeline["spans"] if span["begin_sec"] >= 8]
    assert lost, timeline
    assert {span["state"] for span in lost} == {"lost"}, "nobody is taken for him in another recording"


def test_a_video_is_read_from_a_pipe(tmp_path: Path) -> None:
    content = write(Kind("a.mkv"), tmp_path).read_bytes()

    done = run(Path("/dev/stdin"), tmp_path / "out", content=content)

    assert (done.returncode, "VIDEO_NO_PERSON" in done.stderr) == (REFUSED, True), done.stderr
