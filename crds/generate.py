"""Writes the CRDs from the models into crds/ and the chart, and there the policy on runtimes' templates.

`--check` fails when a file is stale.
"""

import difflib
import re
import sys
from pathlib import Path

import runtime_policy
import yaml

from playerscore import crds, names

ROOT = Path(__file__).parent.parent
HEADER = "# Generated from core/playerscore/resources.py by crds/generate.py; do not edit.\n"
CHART_HEAD = "{{- if .Values.crds.enabled }}\n"
CHART_TAIL = "{{- end }}\n"
POLICY_TEMPLATE = """{{{{- if ne .Values.admission.mode "webhook" }}}}
{{{{- $name := printf "%s-runtimes" (include "playerscore.name" .) }}}}
{{{{- $labels := dict "root" . "part" "policy" }}}}
{header}# The webhook's rule on ScoringRuntimes for clusters that allow no webhooks: what is no field of a pod's template is
# refused with its path, and not dropped.
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{{{ $name }}}}
  labels:
    {{{{- include "playerscore.labels" $labels | nindent 4 }}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [playerscore.dev]
        apiVersions: [v1alpha1]
        operations: [CREATE, UPDATE]
        resources: [scoringruntimes]
        scope: Cluster
  matchConditions:
    - name: spec-is-new-or-changed
      expression: "request.operation == 'CREATE' || object.spec != oldObject.spec"
  variables:
{variables}    - name: unknown
      expression: "{sum}"
  validations:
    - expression: "variables.unknown.size() == 0"
      messageExpression: >-
        variables.unknown.map(path, '{code}: ' + path + ' is not a template\\'s to set').join('; ')
      reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{{{ $name }}}}
  labels:
    {{{{- include "playerscore.labels" $labels | nindent 4 }}}}
spec:
  policyName: {{{{ $name }}}}
  validationActions: [Deny]
{{{{- end }}}}
"""


class Dumper(yaml.SafeDumper):
    """Without anchors: two copies of an inlined list are two lists."""

    def ignore_aliases(self, data: object) -> bool:
        return True


# YAML 1.1, which Kubernetes reads, takes a bare y for true; PyYAML alone does not. So the box's y is quoted.
Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    written = {}
    for plural, definition in crds.definitions().items():
        text = HEADER + yaml.dump(definition, Dumper=Dumper, sort_keys=False, width=110)
        written[ROOT / "crds" / f"{plural}.yaml"] = text
        definition["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
        kept = HEADER + yaml.dump(definition, Dumper=Dumper, sort_keys=False, width=110)
        chart = ROOT / "charts/playerscore/templates/crds"
        # No template syntax may hide in a description: Helm would run it.
        written[chart / f"{plural}.yaml"] = CHART_HEAD + kept.replace("{{", "{{ `{{` }}") + CHART_TAIL
    written[ROOT / "charts/playerscore/templates/policy/runtimes.yaml"] = policy()
    return written


def policy() -> str:
    """The policy, as the chart has it."""
    found = runtime_policy.expressions()
    variables = "".join(
        f"    - name: {root}\n      expression: >-\n        {text}\n" for root, text in found.items()
    )
    total = " + ".join(f"variables.{root}" for root in found)
    return POLICY_TEMPLATE.format(
        header=HEADER, variables=variables, sum=total, code=names.TEMPLATE_FORBIDDEN
    )


def stale(path: Path, text: str) -> str:
    """The difference between a file and what it should be."""
    old = path.read_text() if path.exists() else ""
    diff = difflib.unified_diff(old.splitlines(), text.splitlines(), str(path), "generated", lineterm="")
    return "\n".join(diff)


def main(arguments: list[str]) -> int:
    differences = {path: stale(path, text) for path, text in files().items()}
    if "--check" in arguments:
        print("\n".join(filter(None, differences.values())))
        return int(any(differences.values()))
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
