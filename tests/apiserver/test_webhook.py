"""The webhook's own process, over TLS, called by a real API server, seen through kubectl.

The registration is the chart's, the certificates are the operator's, and they are replaced every few
seconds while the tests run: whatever they do, no review may fail by it.
"""

import base64
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from builders import (
    ELSEWHERE,
    make_frame,
    make_preview,
    make_ready_spec,
    make_runtime,
    make_spec,
    make_target,
    make_track,
    manifest,
)
from controlplane import ControlPlane
from playerscore.geometry import Box
from playerscore.resources import Target
from webhooks import Keeper, WebhookProcess, register

Json = dict[str, Any]

LEAF_SECONDS = 15
AUTHORITY_SECONDS = 24
JOBS = "/apis/playerscore.dev/v1alpha1/namespaces/default/scoringjobs"
BODY = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob"}


class Lab:
    """An API server with the webhook registered; the test plays everybody else."""

    def __init__(self, plane: ControlPlane, webhook: WebhookProcess, keeper: Keeper) -> None:
        self.plane = plane
        self.webhook = webhook
        self.keeper = keeper
        trust = ssl.create_default_context(cafile=str(plane.ca))
        self.api = httpx.Client(base_url=plane.url, headers=plane.headers(), verify=trust, timeout=10)

    def create(self, name: str, spec: Json) -> str:
        body = {**BODY, "metadata": {"name": name}, "spec": spec}
        return self.plane.kubectl("create", "-f", "-", stdin=json.dumps(body), check=False)

    def patch(self, name: str, spec: Json, *more: str) -> str:
        patch = json.dumps({"spec": spec})
        return self.plane.kubectl("patch", "sj", name, "--type=merge", "-p", patch, *more, check=False)

    def status(self, name: str, status: Json) -> None:
        patch = json.dumps({"status": status})
        self.plane.kubectl("patch", "sj", name, "--subresource=status", "--type=merge", "-p", patch)

    def raw_patch(self, name: str, body: Json, **query: str) -> httpx.Response:
        headers = {"Content-Type": "application/merge-patch+json"}
        return self.api.patch(f"{JOBS}/{name}", content=json.dumps(body), headers=headers, params=query)

    def get(self, name: str) -> Json:
        found: Json = json.loads(self.plane.kubectl("get", "sj", name, "-o", "json"))
        return found

    def previewed(self, name: str) -> None:
        self.create(name, manifest(make_spec()))
        self.status(name, {"preview": manifest(make_preview(name=name))})

    def asked(self, kind: str = "ScoringJob") -> int:
        """How many reviews of that kind the webhook has answered."""
        lines = [line for line in self.webhook.metrics().splitlines() if "reviews_total{" in line]
        return sum(int(float(line.split()[-1])) for line in lines if f'kind="{kind}"' in line)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("certificates")
    lives = {"webhook_leaf_seconds": LEAF_SECONDS, "webhook_authority_seconds": AUTHORITY_SECONDS}
    lives |= {"webhook_settle_seconds": 1, "webhook_overlap_seconds": 3, "certificate_check_seconds": 0.3}
    with ControlPlane() as plane, WebhookProcess(folder) as webhook:
        plane.install_crds()
        register(plane, webhook.port)
        with Keeper(plane, folder, sync_seconds=0.3, **lives) as keeper:
            webhook.until_ready()
            found = Lab(plane, webhook, keeper)
            _until(lambda: "NOT_READY" in found.create("probe", manifest(make_spec(suspend=False))), 20)
            with found.api:
                yield found


def _until(seen: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.2)


def spec_of(name: str, **target: Any) -> Json:
    made: Target = make_target(name=name, **target)
    whole = manifest(make_ready_spec(target=made))
    whole["player_ref"]["frame_key"] = f"jobs/{name}/frames/frame_0001.jpg"
    return {"player_ref": whole["player_ref"], "target": whole["target"]}


# --- verdicts -------------------------------------------------------------------------------------------


def test_a_create_that_is_not_ready_is_denied_with_everything_that_is_missing(lab: Lab) -> None:
    said = lab.create("early", manifest(make_spec(suspend=False)))

    assert "NOT_READY" in said
    assert "player_ref" in said
    assert "target" in said


def test_a_manifest_with_everything_is_admitted_with_a_warning_before_any_preview_exists(lab: Lab) -> None:
    said = lab.create("gitops", {**manifest(make_spec(suspend=False)), **spec_of("gitops")})

    assert "created" in said
    assert "Warning: PreviewPending" in said


def test_a_mismatch_is_a_403_with_its_cause_and_the_object_stays(lab: Lab) -> None:
    lab.previewed("mismatch")
    before = lab.get("mismatch")
    answer = lab.raw_patch("mismatch", {"spec": spec_of("mismatch", box=ELSEWHERE)})
    status = answer.json()

    assert answer.status_code == 403
    assert [cause["reason"] for cause in status["details"]["causes"]] == ["TARGET_MISMATCH"]
    assert status["details"]["causes"][0]["field"] == "spec.target.bbox"
    assert "denied the request: TARGET_MISMATCH: IoU 0.000" in status["message"]
    assert lab.get("mismatch") == before


def test_all_violations_come_in_one_answer(lab: Lab) -> None:
    lab.previewed("many")
    lab.patch("many", {**spec_of("many"), "suspend": False})
    lab.status("many", {"run": {"attempt": 1}})

    body = {"spec": {**spec_of("many", box=ELSEWHERE), "runtimeName": "other"}}
    causes = lab.raw_patch("many", body).json()["details"]["causes"]

    assert [f"{cause['reason']} {cause['field']}" for cause in causes] == [
        "JOB_RUNNING spec.target",
        "JOB_RUNNING spec.runtimeName",
        "TARGET_MISMATCH spec.target.bbox",
    ]


def test_force_is_accepted_with_a_warning(lab: Lab) -> None:
    said = lab.patch("mismatch", spec_of("mismatch", box=ELSEWHERE, force=True))

    assert "patched" in said
    assert "Warning: Forced" in said


def test_a_forged_status_does_not_help(lab: Lab) -> None:
    lab.previewed("forged")
    forged = manifest(make_preview(name="forged"))
    for frame in forged["frames"]:
        for track in frame["tracks"]:
            track["bbox"] = {"x": ELSEWHERE.x, "y": ELSEWHERE.y, "w": ELSEWHERE.w, "h": ELSEWHERE.h}
    body = {"spec": spec_of("forged", box=ELSEWHERE), "status": {"preview": forged}}

    assert "TARGET_MISMATCH" in lab.raw_patch("forged", body).text


def test_a_dry_run_is_judged_too_and_stores_nothing(lab: Lab) -> None:
    before = lab.get("forged")

    assert "TARGET_MISMATCH" in lab.patch("forged", spec_of("forged", box=ELSEWHERE), "--dry-run=server")
    assert "patched" in lab.patch("forged", spec_of("forged"), "--dry-run=server")
    assert lab.get("forged") == before


# --- who is asked, and when ----------------------------------------------------------------------------


def test_only_creates_and_changed_specs_are_asked_about(lab: Lab) -> None:
    lab.previewed("quiet")
    before = lab.asked()

    lab.status("quiet", {"run": {"attempt": 1}})
    lab.plane.kubectl("label", "sj", "quiet", "team=a")
    lab.plane.kubectl("annotate", "sj", "quiet", "note=b")
    lab.raw_patch("quiet", {"metadata": {"finalizers": ["example.com/a"]}}).raise_for_status()
    lab.raw_patch("quiet", {"metadata": {"finalizers": []}}).raise_for_status()
    lab.raw_patch("quiet", {"spec": {"suspend": True}}).raise_for_status()
    assert lab.asked() == before

    lab.raw_patch("quiet", {"spec": {"displayName": "final"}}).raise_for_status()
    assert lab.asked() == before + 1
    lab.plane.kubectl("delete", "sj", "quiet")
    assert lab.asked() == before + 1


def test_an_object_that_the_rule_would_refuse_today_can_still_be_labelled(lab: Lab) -> None:
    lab.patch("mismatch", {"suspend": False})
    lab.status("mismatch", {"run": {"attempt": 1}})

    assert "labeled" in lab.plane.kubectl("label", "sj", "mismatch", "team=a")


def test_runtimes_are_asked_about_when_their_spec_is_new_or_changed(lab: Lab) -> None:
    runtime = manifest(make_runtime(name="fast"))
    before = lab.asked("ScoringRuntime")

    lab.plane.kubectl("create", "-f", "-", stdin=json.dumps(runtime))
    lab.plane.kubectl("patch", "srt", "fast", "--type=merge", "-p", '{"spec": {"image": "worker:2"}}')
    lab.plane.kubectl("label", "srt", "fast", "team=a")

    assert lab.asked("ScoringRuntime") == before + 2


def test_a_review_as_large_as_the_api_server_makes_them_is_judged(lab: Lab) -> None:
    """etcd takes 1.5 MiB; `<` is six bytes there and in a review, which has the object twice."""
    frames = [
        make_frame(number, [make_track(track, Box(0.01, 0.2, 0.1, 0.3)) for track in range(48)], name="large")
        for number in range(1, 17)
    ]
    body = {**BODY, "metadata": {"name": "large"}, "spec": manifest(make_spec())}
    body["metadata"] = {"name": "large", "annotations": {"note": "<" * 235_000}}
    lab.api.post(JOBS, json=body).raise_for_status()
    lab.status("large", {"preview": manifest(make_preview(frames, name="large"))})
    before = _read_bytes(lab)

    denied = lab.raw_patch("large", {"spec": spec_of("large", box=ELSEWHERE)})
    lab.raw_patch("large", {"spec": spec_of("large", box=Box(0.01, 0.2, 0.1, 0.3))}).raise_for_status()

    assert denied.status_code == 403
    assert "TARGET_MISMATCH" in denied.json()["message"]
    assert _read_bytes(lab) - before > 2 * 2_900_000


def _read_bytes(lab: Lab) -> float:
    found = re.search(r"playerscore_webhook_review_bytes_sum (\S+)", lab.webhook.metrics())
    assert found
    return float(found[1])


# --- its certificates -------------------------------------------------------------------------------------


def test_the_authoritys_key_is_in_a_secret_that_no_pod_mounts(lab: Lab) -> None:
    def data(name: str) -> Json:
        found = lab.plane.kubectl("-n", "playerscore-system", "get", "secret", name, "-o", "json")
        content: Json = json.loads(found)["data"]
        return content

    serving, authority = data("playerscore-webhook-tls"), data("playerscore-webhook-ca")

    assert set(serving) == {"tls.crt", "tls.key", "ca.crt"}
    assert authority["tls.crt"] in _pem_list(serving["ca.crt"])
    assert authority["tls.key"] not in serving.values()


def _pem_list(bundle: str) -> list[str]:
    end = b"-----END CERTIFICATE-----\n"
    parts = base64.b64decode(bundle).split(end)[:-1]
    return [base64.b64encode(part + end).decode() for part in parts]


def test_a_bundle_that_somebody_removed_is_put_back(lab: Lab) -> None:
    lab.previewed("steady")
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/playerscore"
    patch = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    headers = {"Content-Type": "application/json-patch+json"}
    lab.api.patch(path, content=json.dumps(patch), headers=headers).raise_for_status()

    _until(lambda: "caBundle" in lab.api.get(path).json()["webhooks"][0]["clientConfig"], 10)
    _until(lambda: lab.raw_patch("steady", {"spec": {"displayName": "again"}}).is_success, 10)
