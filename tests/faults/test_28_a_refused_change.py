"""A change is refused, and Git's tools or a person try again by every way that they have.

Promise: each says the code and the field in words; none deletes and recreates the object; spec, status and
result are as they were.
"""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from builders import make_target, manifest
from faultlab import FaultLab, invariants
from gates import APPLY, GATE_LABEL, MODES, confined, rendered, running_webhook
from playerscore import names

Json = dict[str, Any]
JOBS = f"/apis/{names.API_VERSION}/namespaces/default/{names.JOB_PLURAL}"
CHANGES: dict[str, tuple[Json, str]] = {
    "another video": (
        {"video": {"uri": "s3://playerscore/default/uploads/other.mp4"}},
        "VIDEO_IMMUTABLE: spec.video never changes; create a new job instead",
    ),
    "another controller": (
        {"managedBy": "example.com/other"},
        "MANAGED_BY_IMMUTABLE: spec.managedBy never changes; create a new job instead",
    ),
    "another target": (
        {"target": manifest(make_target(name="done", number=2))},
        "JOB_FINISHED: spec.target cannot change, the job has ended: create a new job instead",
    ),
}
WAYS = {
    "apply": ["apply"],
    "apply --force": ["apply", "--force"],
    "apply --server-side": ["apply", "--server-side"],
    "apply --server-side --force-conflicts": ["apply", "--server-side", "--force-conflicts"],
    "replace": ["replace"],
    "Argo CD, client side, with Force=true": ["apply", "--force", "--field-manager=argocd-controller"],
    "Argo CD, server side": [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=argocd-controller",
    ],
    "Argo CD, its dry run before a sync": ["apply", "--dry-run=server", "--field-manager=argocd-controller"],
    "Flux, server side": [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=kustomize-controller",
    ],
}
BY_HAND = {
    "patch": ["patch", "sj", "done", "--type=merge", "--patch-file=/dev/stdin"],
    "edit": ["edit", "sj", "done"],
}
"""By a patch of the change, and by an editor that writes the whole object."""
MISLEADING = ("InternalError", "onflict", "deleted", "immutable")
"""What would send a reader, or a tool that reads the message, the wrong way."""


@contextmanager
def gate(lab: FaultLab, mode: str, folder: Path) -> Iterator[None]:
    """What the chart installs with that mode, for the lab's namespace; gone afterwards."""
    with running_webhook(lab.plane, folder) as webhook:
        items = [confined(item, mode, webhook) for item in rendered(mode)]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        lab.plane.kubectl("label", "namespace", "default", f"{GATE_LABEL}={mode}", "--overwrite")
        lab.plane.kubectl("apply", "-f", "-", stdin=listed)
        try:
            unready = body("unready", {"video": {"uri": "s3://a/b"}, "suspend": False})
            lab.until(lambda: "NOT_READY" in lab.http.post(f"{JOBS}?dryRun=All", json=unready).text)
            yield
        finally:
            lab.plane.kubectl("delete", "-f", "-", stdin=listed)
            lab.plane.kubectl("label", "namespace", "default", f"{GATE_LABEL}-")


def body(name: str, spec: Json) -> Json:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def stored(lab: FaultLab) -> Json:
    found: Json = lab.http.get(f"{JOBS}/done").raise_for_status().json()
    return found


def editor(folder: Path) -> str:
    """A program for KUBE_EDITOR: it saves what lies in `wanted`."""
    script = folder / "editor"
    script.write_text(f'#!/bin/sh\ncp "{folder / "wanted"}" "$1"\n')
    script.chmod(0o755)
    return str(script)


def told(lab: FaultLab, way: str, before: Json, spec: Json, folder: Path) -> str:
    """What kubectl says to a change by that way."""
    whole = body("done", before["spec"] | spec)
    if way in WAYS:
        return lab.plane.kubectl(*WAYS[way], "-f", "-", stdin=json.dumps(whole), check=False)
    edited = before | {"spec": whole["spec"]}
    (folder / "wanted").write_text(json.dumps(edited))
    return lab.plane.kubectl(*BY_HAND[way], stdin=json.dumps({"spec": spec}), check=False)


def as_flux_asks(lab: FaultLab, changed: Json) -> tuple[int, str]:
    """The dry run on whose answer Flux decides whether to recreate: it does on what is Invalid, 422."""
    query = "dryRun=All&force=true&fieldManager=kustomize-controller"
    headers = {"Content-Type": APPLY}
    answer = lab.http.patch(f"{JOBS}/done?{query}", content=json.dumps(changed), headers=headers)
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    "changes",
    [pytest.param(1, id="a change"), pytest.param(len(CHANGES), id="each change", marks=pytest.mark.long)],
)
@pytest.mark.parametrize(
    "mode", [mode if mode == "both" else pytest.param(mode, marks=pytest.mark.long) for mode in MODES]
)
def test_every_way_is_told_why_and_the_result_stays(
    lab: FaultLab,
    dice: random.Random,
    mode: str,
    changes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBE_EDITOR", editor(tmp_path))
    lab.start_operator()
    lab.create_job("done", lab.ready("done"))
    with lab.kubelet():
        lab.all_at("COMPLETED", ["done"])
    before = stored(lab)
    tries = [(way, change) for way in (*WAYS, *BY_HAND) for change in dice.sample(list(CHANGES), changes)]
    dice.shuffle(tries)
    with gate(lab, mode, tmp_path):
        for way, change in tries:
            spec, words = CHANGES[change]
            said = told(lab, way, before, spec, tmp_path)

            assert words in said, (way, change, said)
            assert not [word for word in MISLEADING if word in said], (way, change, said)
            assert stored(lab) == before, (way, change)
        for spec, words in CHANGES.values():
            status, said = as_flux_asks(lab, body("done", before["spec"] | spec))

            assert (status, words in said) == (403, True), said
    assert before["status"]["result"]["overallScore"] > 0
    invariants(lab)
