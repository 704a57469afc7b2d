"""The webhook's own process, over TLS, called by a real API server, seen through kubectl."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from builders import ELSEWHERE, make_preview, make_ready_spec, make_result, make_spec, make_target, manifest
from controlplane import ControlPlane, free_ports
from playerscore.resources import Target
from playerscore_operator.certificates import renewed

Json = dict[str, Any]


class Lab:
    """An API server with the webhook registered; the test plays everybody else."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def create(self, name: str, spec: Json) -> str:
        body = {
            "apiVersion": "playerscore.dev/v1alpha1",
            "kind": "ScoringJob",
            "metadata": {"name": name},
            "spec": spec,
        }
        return self.plane.kubectl("create", "-f", "-", stdin=json.dumps(body), check=False)

    def patch(self, name: str, spec: Json, *more: str) -> str:
        patch = json.dumps({"spec": spec})
        return self.plane.kubectl("patch", "sj", name, "--type=merge", "-p", patch, *more, check=False)

    def status(self, name: str, status: Json) -> None:
        patch = json.dumps({"status": status})
        self.plane.kubectl("patch", "sj", name, "--subresource=status", "--type=merge", "-p", patch)

    def raw_patch(self, name: str, spec: Json) -> httpx.Response:
        path = f"{self.plane.url}/apis/playerscore.dev/v1alpha1/namespaces/default/scoringjobs/{name}"
        headers = {**self.plane.headers(), "Content-Type": "application/merge-patch+json"}
        return httpx.patch(path, json={"spec": spec}, headers=headers, verify=_trust(self.plane))

    def uid(self, name: str) -> str:
        return self.plane.kubectl("get", "sj", name, "-o", "jsonpath={.metadata.uid}")

    def previewed(self, name: str) -> None:
        self.create(name, manifest(make_spec()))
        self.status(name, {"preview": manifest(make_preview(name=name))})


def _trust(plane: ControlPlane) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(plane.ca))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("certificates")
    data = renewed({}, ["localhost"], datetime.now(UTC))
    for name in ("tls.crt", "tls.key"):
        (folder / name).write_bytes(base64.b64decode(data[name]))
    port, metrics = free_ports(2)
    settings = {"PORT": port, "METRICS_PORT": metrics, "HOST": "127.0.0.1", "CERTIFICATE_DIR": folder}
    environment = {f"PLAYERSCORE_WEBHOOK_{key}": str(value) for key, value in settings.items()}
    with ControlPlane() as plane:
        plane.install_crds("scoringjobs")
        process = subprocess.Popen(
            [sys.executable, "-m", "playerscore_webhook"], env={**os.environ, **environment}
        )
        try:
            _until_ready(f"http://127.0.0.1:{metrics}/readyz")
            plane.kubectl("apply", "-f", "-", stdin=json.dumps(_configuration(port, data["ca.crt"])))
            found = Lab(plane)
            _until_called(found)
            yield found
        finally:
            process.terminate()
            process.wait(40)


def _configuration(port: int, bundle: str) -> Json:
    rule = {
        "apiGroups": ["playerscore.dev"],
        "apiVersions": ["v1alpha1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["scoringjobs"],
    }
    changed = "request.operation == 'CREATE' || object.spec != oldObject.spec"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "playerscore"},
        "webhooks": [
            {
                "name": "scoring.playerscore.dev",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 3,
                "clientConfig": {"url": f"https://localhost:{port}/validate", "caBundle": bundle},
                "rules": [rule],
                "matchConditions": [{"name": "spec-is-new-or-changed", "expression": changed}],
            }
        ],
    }


def _until_ready(url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("the webhook did not become ready")


def _until_called(lab: Lab) -> None:
    """The API server learns of a configuration a moment after it was created."""
    end = time.monotonic() + 20
    while "NOT_READY" not in lab.create("probe", manifest(make_spec(suspend=False))):
        lab.plane.kubectl("delete", "sj", "probe", "--ignore-not-found")
        assert time.monotonic() < end, "the webhook is not called"
        time.sleep(0.2)


def spec_of(name: str, **target: Any) -> Json:
    made: Target = make_target(name=name, **target)
    whole = manifest(make_ready_spec(target=made))
    whole["player_ref"]["frame_key"] = f"jobs/{name}/frames/frame_0001.jpg"
    return {"player_ref": whole["player_ref"], "target": whole["target"]}


def test_a_create_that_is_not_ready_is_denied_with_everything_that_is_missing(lab: Lab) -> None:
    said = lab.create("early", manifest(make_spec(suspend=False)))

    assert "NOT_READY" in said
    assert "player_ref" in said
    assert "target" in said


def test_a_manifest_with_everything_is_admitted_before_any_preview_exists(lab: Lab) -> None:
    said = lab.create("gitops", {**manifest(make_spec(suspend=False)), **spec_of("gitops")})

    assert "created" in said
    assert "PreviewPending" in said


def test_a_mismatch_is_a_403_with_its_cause_and_the_object_stays(lab: Lab) -> None:
    lab.previewed("mismatch")
    before = lab.plane.kubectl("get", "sj", "mismatch", "-o", "yaml")
    answer = lab.raw_patch("mismatch", spec_of("mismatch", box=ELSEWHERE))
    status = answer.json()

    assert answer.status_code == 403
    assert [cause["reason"] for cause in status["details"]["causes"]] == ["TARGET_MISMATCH"]
    assert status["details"]["causes"][0]["field"] == "spec.target.bbox"
    assert "denied the request: TARGET_MISMATCH: IoU 0.000" in status["message"]
    assert lab.plane.kubectl("get", "sj", "mismatch", "-o", "yaml") == before


def test_force_is_accepted_with_a_warning(lab: Lab) -> None:
    said = lab.patch("mismatch", spec_of("mismatch", box=ELSEWHERE, force=True))

    assert "patched" in said
    assert "Forced" in said


def test_a_forged_status_does_not_help(lab: Lab) -> None:
    lab.previewed("forged")
    forged = manifest(make_preview(name="forged"))
    for frame in forged["frames"]:
        for track in frame["tracks"]:
            track["bbox"] = {"x": ELSEWHERE.x, "y": ELSEWHERE.y, "w": ELSEWHERE.w, "h": ELSEWHERE.h}
    patch = json.dumps({"spec": spec_of("forged", box=ELSEWHERE), "status": {"preview": forged}})
    said = lab.plane.kubectl("patch", "sj", "forged", "--type=merge", "-p", patch, check=False)

    assert "TARGET_MISMATCH" in said


def test_a_finished_jobs_result_survives_every_way_of_being_refused(lab: Lab) -> None:
    lab.previewed("done")
    lab.patch("done", {**spec_of("done"), "suspend": False})
    lab.status(
        "done", {"run": {"attempt": 1}, "result": manifest(make_result()), "progress": {"step": "COMPLETED"}}
    )
    uid = lab.uid("done")
    body = json.loads(lab.plane.kubectl("get", "sj", "done", "-o", "json"))
    changed = {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {"name": "done"},
        "spec": {**body["spec"], **spec_of("done", number=2)},
    }
    for way in (
        ["apply"],
        ["apply", "--force"],
        ["apply", "--server-side", "--force-conflicts"],
        ["replace"],
    ):
        said = lab.plane.kubectl(*way, "-f", "-", stdin=json.dumps(changed), check=False)

        assert "JOB_FINISHED" in said, way
        assert lab.uid("done") == uid, way

    score = lab.plane.kubectl("get", "sj", "done", "-o", "jsonpath={.status.result.overallScore}")
    assert score == str(make_result().overall_score)


def test_a_dry_run_is_judged_too(lab: Lab) -> None:
    said = lab.patch("forged", spec_of("forged", box=ELSEWHERE), "--dry-run=server")

    assert "TARGET_MISMATCH" in said


def test_writes_that_leave_the_spec_alone_never_ask(lab: Lab) -> None:
    """An object that the rule would refuse today can still be labelled and get a status."""
    lab.patch("mismatch", {"suspend": False})
    lab.status("mismatch", {"run": {"attempt": 1}})

    assert "labeled" in lab.plane.kubectl("label", "sj", "mismatch", "team=a")
