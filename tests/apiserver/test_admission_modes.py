"""What the chart installs for each admission.mode."""

import json
import subprocess
from typing import Any

import pytest
import yaml

from controlplane import ROOT, ensure_tools

Json = dict[str, Any]

RELEASE = "playerscore"
WEBHOOK = {
    ("ValidatingWebhookConfiguration", RELEASE),
    ("Deployment", f"{RELEASE}-webhook"),
    ("Service", f"{RELEASE}-webhook"),
    ("ServiceAccount", f"{RELEASE}-webhook"),
    ("PodDisruptionBudget", f"{RELEASE}-webhook"),
    ("NetworkPolicy", f"{RELEASE}-webhook"),
}
POLICY = {
    ("ValidatingAdmissionPolicy", f"{RELEASE}-selection"),
    ("ValidatingAdmissionPolicyBinding", f"{RELEASE}-selection"),
    ("ValidatingAdmissionPolicy", f"{RELEASE}-runtimes"),
    ("ValidatingAdmissionPolicyBinding", f"{RELEASE}-runtimes"),
}
ADVICE = {(kind, f"{name}-advice") for kind, name in POLICY if name.endswith("selection")}
MODES = {"webhook": WEBHOOK, "policy": POLICY | ADVICE, "both": WEBHOOK | POLICY}


def rendered(mode: str, *more: str) -> list[Json]:
    helm = ensure_tools("helm") / "helm"
    command = [
        str(helm),
        "template",
        RELEASE,
        str(ROOT / "charts/playerscore"),
        "--set",
        f"admission.mode={mode}",
    ]
    done = subprocess.run([*command, *more], text=True, capture_output=True, check=True)
    return [item for item in yaml.safe_load_all(done.stdout) if item]


@pytest.mark.parametrize(("mode", "installed"), MODES.items(), ids=MODES)
def test_a_mode_installs_its_gates_and_no_other(mode: str, installed: set[tuple[str, str]]) -> None:
    there = {(item["kind"], item["metadata"]["name"]) for item in rendered(mode)}

    assert there & (WEBHOOK | POLICY | ADVICE) == installed


def test_without_a_webhook_the_operator_makes_no_certificate_and_may_not() -> None:
    text = json.dumps(rendered("policy"))

    assert "PLAYERSCORE_WEBHOOK" not in text
    assert "validatingwebhookconfigurations" not in text
    assert "webhook-tls" not in text


def test_cert_manager_is_not_asked_for_a_certificate_that_nobody_serves() -> None:
    there = {item["kind"] for item in rendered("policy", "--api-versions", "cert-manager.io/v1")}

    assert not there & {"Certificate", "Issuer"}


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        rendered("audit")

    assert "admission/mode" in refused.value.stderr or "admission.mode" in refused.value.stderr
