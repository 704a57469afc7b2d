"""The README's three paths, run as they are written: what a stranger copies must work."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from livecluster import CACHE, JOBS_NAMESPACE, ROOT, Cluster, best_track, step, until
from playerscore_clips.match import Clip

Json = dict[str, object]
NAME = "final"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(heading: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block below a heading of the README."""
    section = (ROOT / "README.md").read_text().split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    found = [(match[1], match[2]) for match in BLOCK.finditer(section)]
    assert found, f"the README has no block below {heading}"
    return found


@pytest.fixture
def final(cluster: Cluster) -> str:
    """The README's name for its job, free to be used."""
    cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "scoringjob", NAME, "--ignore-not-found")
    return NAME


def run(script: str, cluster: Cluster, folder: Path, **variables: str) -> str:
    """A block in a shell that stops at the first failure; its output."""
    path = os.pathsep.join([str(Path(sys.executable).parent), str(CACHE / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "KUBECONFIG": str(cluster.kubeconfig), **variables},
        text=True,
        capture_output=True,
        timeout=420,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_path_of_a_frontend(cluster: Cluster, clip: Clip, final: str, tmp_path: Path) -> None:
    [(language, script)] = blocks("For a frontend: REST")
    assert language == "bash"
    token = cluster.token("playerscore-demo")
    run(script, cluster, tmp_path, API=cluster.api_url, TOKEN=token, VIDEO=str(clip.video))

    job = cluster.get("scoringjob", final)
    assert step(job) == "COMPLETED", job["status"]
    assert (tmp_path / "frame.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert (tmp_path / "result.png").read_bytes()[:4] == b"\x89PNG"


def test_the_path_of_a_platform_team(cluster: Cluster, video_uri: str, final: str, tmp_path: Path) -> None:
    """The chart is installed already, with the images of this checkout: its line is run dry."""
    (_, install), (_, flow) = blocks("For a platform team: kubectl and Helm")
    run(f"{install.rstrip()} --dry-run=server >/dev/null", cluster, ROOT)
    told = run(flow, cluster, tmp_path, VIDEO_URI=video_uri)

    assert step(cluster.get("scoringjob", final)) == "COMPLETED"
    header = next(line for line in told.splitlines() if "RUNTIME" in line)
    assert header.split() == ["NAME", "PLAYER", "STEP", "SCORE", "RUNTIME", "AGE"]


def test_the_path_of_gitops(cluster: Cluster, api: httpx.Client, video_uri: str, final: str) -> None:
    """Applied before any preview exists. Only what a preview decides is filled in: video, track and box."""
    [(language, text)] = blocks("For GitOps")
    assert language == "yaml"
    manifest = yaml.safe_load(text)
    key, track = chosen(api, cluster, video_uri)
    manifest["spec"]["video"]["uri"] = video_uri
    manifest["spec"]["player_ref"] |= {"frame_key": key, "track_id": track["track_id"]}
    manifest["spec"]["target"] |= {"frame_key": key, "bbox": track["bbox"]}
    cluster.apply(manifest)

    job = cluster.finished(final)
    assert step(job) == "COMPLETED", job["status"]
    cluster.apply(manifest)
    again = cluster.get("scoringjob", final)
    assert again["metadata"]["generation"] == job["metadata"]["generation"]
    assert json.dumps(again["status"]["result"]) == json.dumps(job["status"]["result"])


def chosen(api: httpx.Client, cluster: Cluster, uri: str) -> tuple[str, Json]:
    """Frame key, for the README's job, and track that a preview of the same video shows."""
    api.post("/jobs", json={"id": "look", "video": {"uri": uri}}).raise_for_status()
    ready = "WAITING_FOR_PLAYER"
    until(lambda: step(cluster.get("scoringjob", "look")), lambda seen: seen == ready, 180, "the preview")
    preview = api.get("/jobs/look/preview").raise_for_status().json()
    api.delete("/jobs/look").raise_for_status()
    frame, track = best_track(preview)
    return str(frame["frame_key"]).replace("/look/", f"/{NAME}/"), track


def test_what_the_demo_prints_lets_one_in(cluster: Cluster, tmp_path: Path) -> None:
    told = run(f"{ROOT}/demo/around.sh {cluster.api_url} {JOBS_NAMESPACE}", cluster, tmp_path)
    [command] = [line for line in told.splitlines() if "create token" in line]
    console, docs = re.findall(r"http\S+", told)
    token = run(command, cluster, tmp_path).strip()

    asked = {"namespace": JOBS_NAMESPACE}
    answer = httpx.get(f"{cluster.api_url}/jobs", params=asked, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    assert "<script" in httpx.get(console).raise_for_status().text
    assert httpx.get(docs).status_code == 200
    assert httpx.get(cluster.api_url, follow_redirects=True).status_code == 200
