"""The plugin as kubectl starts and completes it, and as krew installs it."""

import hashlib
import json
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from apilab import Lab
from builders import OTHER, PLAYER, VIDEO_URI, make_runtime, manifest
from clidesk import DONE, NOT_FOUND, REFUSED, Completed, Desk
from controlplane import ROOT, ensure_tools
from playerscore import names

PLATFORM = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()]


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    lab.plane.install_crds("scoringruntimes")
    runtime = {
        "apiVersion": names.API_VERSION,
        "kind": "ScoringRuntime",
        **manifest(make_runtime(name="cli-cpu")),
    }
    lab.plane.kubectl("apply", "-f", "-", stdin=json.dumps(runtime))
    return Desk(lab.plane)


@pytest.fixture(scope="module")
def job(lab: Lab) -> str:
    lab.created("plug-1")
    return "plug-1"


def test_kubectl_runs_the_plugin_and_hands_its_exit_code_on(desk: Desk, lab: Lab, job: str) -> None:
    shown = desk.kubectl("scoring", "pick", job, "--track", str(PLAYER))
    refused = desk.kubectl("scoring", "enqueue", job)
    absent = desk.kubectl("scoring", "get", "nobody", "-n", "kube-system")
    usage = desk.kubectl("scoring", "pick", "--help")

    assert shown.stdout == f"scoringjob/{job}  WAITING_FOR_TARGET_CONFIRMATION\n"
    assert (refused.returncode, "missing: target" in refused.stderr) == (REFUSED, True)
    assert absent.returncode == NOT_FOUND
    assert usage.stdout.startswith("Usage: kubectl scoring pick ")


# --- completion -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        (["get", "plug"], ["plug-1"]),
        (["pick", "plug-1", "--frame", ""], ["1", "2", "3"]),
        (["pick", "plug-1", "--frame", "jobs/"], [names.frame_key("plug-1", number) for number in (1, 2, 3)]),
        (["pick", "plug-1", "--frame", "1", "--track", ""], [str(PLAYER), str(OTHER)]),
        (["pick", "plug-1", "--frame", "3", "--track", ""], []),
        (["pick", "nobody", "--track", ""], []),
        (["create", "new", "--runtime", "cli"], ["cli-cpu"]),
        (["get", "-n", "kube-s"], ["kube-system"]),
        (["get", "--context", ""], ["admin"]),
        (["get", "-n", "kube-system", ""], []),
        (["enqueue", "plug-1", "plug"], []),
        (["get", "-o", "ya"], ["yaml"]),
        (["conf"], ["confirm"]),
        (["pick", "--tr"], ["--track"]),
    ],
)  # fmt: skip
def test_kubectl_completes_from_the_cluster(desk: Desk, job: str, line: list[str], offers: list[str]) -> None:
    """kubectl's own completion finds kubectl_complete-scoring on the PATH and asks it."""
    done = desk.kubectl("__complete", "scoring", *line)

    *found, directive = done.stdout.splitlines()
    assert [offer.split("\t")[0] for offer in found] == offers
    assert directive == ":4"


def test_completion_says_what_the_offers_are(desk: Desk, job: str) -> None:
    done = desk.kubectl("__complete", "scoring", "pick", job, "--frame", "")

    assert done.stdout.splitlines()[0] == f"1\t{names.frame_key(job, 1)}, 0.00 s, 2 people"


def test_files_are_left_to_the_shell(desk: Desk) -> None:
    assert desk.kubectl("__complete", "scoring", "upload", "").stdout == ":0\n"


def test_without_a_cluster_nothing_is_offered_and_nothing_said(desk: Desk, tmp_path: Path) -> None:
    done = desk.kubectl("__complete", "scoring", "get", "", KUBECONFIG=str(tmp_path / "none"))

    assert (done.stdout, "Traceback" in done.stderr) == (":4\n", False)


def test_bash_completes_playerscore_itself(desk: Desk, job: str) -> None:
    """In a real bash, with the script sourced, as at a TAB."""
    script = """
        source <(playerscore completion bash)
        COMP_WORDS=(playerscore get plug) COMP_CWORD=2
        _playerscore_completion playerscore
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = desk.execute(["bash", "-c", script], None, {})

    assert done.stdout == f"{job}\n", done.stderr


@pytest.mark.parametrize(("shell", "word"), [("zsh", "#compdef playerscore"), ("fish", "complete --no-files --command playerscore")])  # fmt: skip
def test_scripts_for_the_other_shells(desk: Desk, shell: str, word: str) -> None:
    shown = desk.ok("completion", shell)

    assert word in shown
    assert "kubectl-scoring" in shown


# --- krew -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive for this machine and its Python, and the manifest."""
    out = tmp_path_factory.mktemp("krew")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    command = [
        sys.executable,
        "cli/krew/build.py",
        f"--out={out}",
        f"--platform={PLATFORM}",
        f"--python={version}",
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return out


def archive_in(folder: Path) -> Path:
    return next(folder.glob("*.tar.gz"))


def bare(desk: Desk, folder: Path, *arguments: str) -> Completed:
    """`kubectl …` where only that folder, kubectl and Debian's Python are to be found."""
    return desk.kubectl(*arguments, PATH=f"{folder}:{desk.kubectl_program.parent}:{Path(sys.executable).resolve().parent}:/usr/bin:/bin")  # fmt: skip


def test_the_archive_runs_from_an_empty_folder(
    desk: Desk, lab: Lab, built: Path, job: str, tmp_path: Path
) -> None:
    with tarfile.open(archive_in(built)) as archive:
        archive.extractall(tmp_path, filter="data")
    assert (tmp_path / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()

    created = bare(desk, tmp_path, "scoring", "create", "from-archive", "--video", VIDEO_URI)
    picked = bare(desk, tmp_path, "scoring", "pick", job, "--track", str(PLAYER))
    drawn = bare(
        desk, tmp_path, "scoring", "show", job, "--picture", "blocks", "--png", str(tmp_path / "a.png")
    )
    completed = bare(desk, tmp_path, "__complete", "scoring", "get", "plug")
    absent = bare(desk, tmp_path, "scoring", "run", str(ROOT / "LICENSE"))

    assert created.stdout == "scoringjob/from-archive  EXTRACTING_PREVIEW\n", created.stderr
    assert picked.returncode == drawn.returncode == DONE, drawn.stderr
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert completed.stdout == f"{job}\n:4\n"
    assert "install playerscore with the extras" in absent.stderr


def test_krew_takes_manifest_and_archive(desk: Desk, built: Path, job: str, tmp_path: Path) -> None:
    programs = ensure_tools("krew", "validate-krew-manifest")
    place = {"KREW_ROOT": str(tmp_path / "krew"), "HOME": str(tmp_path)}
    filled = built / "scoring.yaml"
    for each in (filled, ROOT / "cli" / "krew" / "scoring.yaml"):
        checked = desk.execute([str(programs / "validate-krew-manifest"), "-skip-install", "-manifest", str(each)], None, place)  # fmt: skip
        assert checked.returncode == DONE, checked.stderr

    install = [str(programs / "krew"), "install", f"--manifest={filled}", f"--archive={archive_in(built)}"]
    installed = desk.execute(install, None, place)
    shown = bare(desk, tmp_path / "krew" / "bin", "scoring", "get", job)

    assert installed.returncode == DONE, installed.stderr
    assert job in shown.stdout


def test_the_manifest_holds_the_digest_of_the_archive_and_the_packages_version(built: Path) -> None:
    spec = yaml.safe_load((built / "scoring.yaml").read_text())["spec"]
    project = (ROOT / "pyproject.toml").read_text()

    digest = hashlib.sha256(archive_in(built).read_bytes()).hexdigest()
    assert [item["sha256"] for item in spec["platforms"]] == [digest]
    assert f'version = "{spec["version"].removeprefix("v")}"' in project
    assert all(spec["version"] in item["uri"] for item in spec["platforms"])
