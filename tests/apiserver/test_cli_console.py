"""`playerscore console`: the browser gets an address with a token that is the person's own, and nobody else sees it."""

import re
import stat
from pathlib import Path
from urllib.parse import unquote

import pytest

from apilab import Lab
from clidesk import DONE, MACHINE, NOT_ALLOWED, Desk


@pytest.fixture(scope="module")
def desk(lab: Lab) -> Desk:
    return Desk(lab.plane)


def test_the_browser_gets_a_private_file_with_a_token_that_works(
    desk: Desk, lab: Lab, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nstat -c %a "${{1#file://}}" > {kept}.mode\ncp "${{1#file://}}" {kept}\n')
    browser.chmod(0o755)
    said = desk.ok("console", "final", "--api", lab.url, "--account", "editor", BROWSER=f"{browser} %s")
    page = kept.read_text()
    (address,) = re.findall(r"url=([^\"]+)", page)
    token, to = (unquote(part) for part in re.findall(r"#token=([^&]+)&amp;to=(.+)", address)[0])

    assert said == f"{lab.url}/console/#/default/final\n"
    assert address.startswith(f"{lab.url}/console/")
    assert to == "/default/final"
    assert lab.client(token).get("/jobs").status_code == 200
    assert stat.S_IMODE(int((tmp_path / "kept.mode").read_text(), 8)) == 0o600
    assert str(token) not in said


def test_an_account_that_is_not_there(desk: Desk, lab: Lab) -> None:
    done = desk.run("console", "--api", lab.url, "--account", "nobody", "--no-browser")

    assert done.returncode not in (DONE, MACHINE), done.stderr
    assert "nobody" in done.stderr


def test_a_certificate_is_no_token(desk: Desk, lab: Lab, tmp_path: Path) -> None:
    """Whose kubeconfig has none is told what to give."""
    file = tmp_path / "config"
    cluster = {"server": lab.plane.url, "certificate-authority": str(lab.plane.ca)}
    file.write_text(
        str(
            {
                "clusters": [{"name": "c", "cluster": cluster}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "namespace": "default"}}],
                "current-context": "c",
            }
        )
    )
    done = desk.run("console", "--api", lab.url, "--no-browser", KUBECONFIG=str(file))

    assert done.returncode == NOT_ALLOWED
    assert "--account or --token is needed" in done.stderr


def test_without_kubectl_there_is_no_port_to_forward(desk: Desk) -> None:
    done = desk.run("console", "--account", "editor", "--no-browser", PATH="/nonexistent")

    assert done.returncode == MACHINE
    assert "kubectl is needed" in done.stderr


def test_a_service_that_is_not_there_is_told_in_kubectls_words(desk: Desk) -> None:
    done = desk.run("console", "--account", "editor", "--no-browser", "--system-namespace", "default")

    assert done.returncode == MACHINE
    assert 'services "playerscore-api" not found' in done.stderr
