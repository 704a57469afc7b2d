"""The TypeScript client, generated from the committed document, compiled, and run through the whole flow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apilab import Lab
from builders import PLAYER, make_result
from fuzzing import Life

CLIENTS = Path(__file__).parents[2] / "clients"
URI = "s3://playerscore/default/uploads/match.mp4"


@pytest.fixture(scope="module")
def program() -> Path:
    built = subprocess.run([CLIENTS / "build.sh"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return CLIENTS / "typescript" / "dist" / "flow.js"


def test_the_document_is_what_the_api_says() -> None:
    done = subprocess.run(
        [sys.executable, CLIENTS / "generate.py", "--check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[:3000]


def test_the_client_goes_through_the_flow(lab: Lab, program: Path) -> None:
    environment = {**os.environ, "TOKEN": lab.editor_token}
    with Life(lab):
        done = subprocess.run(
            ["node", program, lab.url, URI],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    result = make_result()

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "repeated true",
        "early 409 NOT_READY",
        f"picked {PLAYER} WAITING_FOR_TARGET_CONFIRMATION",
        "elsewhere 409 TARGET_MISMATCH",
        "confirmed true READY_TO_ENQUEUE",
        "stale 412 PRECONDITION_FAILED",
        "percent 100",
        f"COMPLETED {result.overall_score} {result.radar.visibility}",
        "artifacts radar.png",
    ]


def test_a_refusal_is_an_exception_with_its_code(lab: Lab, program: Path) -> None:
    done = subprocess.run(
        ["node", program, lab.url, "not a uri"],
        env={**os.environ, "TOKEN": lab.editor_token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "ApiError: INVALID: video.uri" in done.stderr


def test_without_node_the_build_says_what_to_install(tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(Path("/usr/bin") / tool)
    done = subprocess.run(
        [CLIENTS / "build.sh"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.endswith("apt-get install nodejs npm\n")
