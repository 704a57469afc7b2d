"""The page of ScoringRuntimes: what a platform says with them, and every field of the CRD's schema."""

import json
from collections.abc import Iterator
from typing import Any, Final

from playerscore import crds, names

Schema = dict[str, Any]

HEAD: Final = """\
<!-- Generated from core/playerscore/resources.py and podtemplate.py by docs/generate_runtimes.py; do not edit. -->
# Runtimes: how and where jobs run

A ScoringRuntime is to ScoringJobs what a StorageClass is to volumes: the platform team says once with which image and
detector jobs run, on which nodes, with how much, and which videos they may read. It belongs to no namespace. A job
names one in `spec.runtimeName`, or gets the one annotated `playerscore.dev/is-default-runtime: "true"`.

```yaml
apiVersion: playerscore.dev/v1alpha1
kind: ScoringRuntime
metadata: {name: gpu}
spec:
  image: registry.example/playerscore/worker-gpu:0.1.0
  sources: ["s3://playerscore/{namespace}/uploads/"]
  detector:
    name: ultralytics
    weights: {uri: https://models.example/yolo.pt, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
  accelerator:                       # of analyses alone
    resourceName: nvidia.com/gpu
    nodeSelector: {pool: gpu}
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
  template:                          # of the pods of analyses and previews
    labels: {cost-center: video}
    tolerations: [{key: dedicated, operator: Equal, value: batch, effect: NoSchedule}]
    priorityClassName: batch
    imagePullSecrets: [{name: registry}]      # in each namespace of jobs
    containers:
      analyze: {resources: {requests: {cpu: "4", memory: 8Gi}, limits: {memory: 16Gi}}}
    workVolume: {type: Ephemeral, storageClassName: fast}
    trustedCa: {configMap: authorities}       # likewise; a private store's, or the API's with TLS of its own
    env: [{name: HTTPS_PROXY, value: "http://proxy.example:3128"}]
  preview:
    template:                        # of previews, in the place of the one above
      nodeSelector: {pool: small}
```

An edit changes nothing of an attempt or a preview that runs: its pod stays what it was made as. The next one is made
by what the runtime says then. What a result was made with is in its `provenance`.

## What a template may say, and what not

`template` is a list of what is allowed, and not a pod's spec. Which programs run, with which rights, account, tokens
and volumes, is never a runtime's to say: pods satisfy Pod Security `restricted` whatever a template has in it.

| in it | what happens |
| --- | --- |
| a field that is on no list: `privileged`, `hostPath`, `serviceAccountName`, `command`, a misspelt one | refused with `TEMPLATE_FORBIDDEN` and its path, by the webhook or, with `admission.mode: policy`, by the policy; whatever the client's `--validate` says, because the API server is told to keep such fields until then |
| a label of `playerscore.dev`, `app.kubernetes.io/name` or `managed-by`, the queue's or the Job controller's; an annotation of `playerscore.dev` or of a security profile | refused by the schema with `TEMPLATE_RESERVED` |
| a variable `PLAYERSCORE_*`, `PYTHON*`, `LD_*`, `KUBERNETES_*`, `HOME`, `PATH`, `MPLCONFIGDIR` | refused by the schema with `TEMPLATE_RESERVED` |
| `valueFrom` of a variable | refused: no Secret reaches a container that decodes strangers' videos |
| a user, group or fsGroup of 0 | refused by the schema |

A runtime that was stored before a gate was there can still be labelled; the operator reads only what is on the lists.
A field of a newer release is refused by a webhook of an older one: during an upgrade, apply it again after a moment.

## Which one counts

| both say | then |
| --- | --- |
| `template.nodeSelector`, `accelerator.nodeSelector` | an analysis has both; of the same key the accelerator's value |
| `template.tolerations`, `accelerator.tolerations` | an analysis has both |
| `template.runtimeClassName`, `accelerator.runtimeClassName` | an analysis has the accelerator's |
| `template.containers.analyze.resources`, `resources` | the template's |
| `template.priorityClassName`, the job's `spec.priorityClassName` | an analysis has the job's |
| `template`, `preview.template` | a preview has its own alone; `{}` is none |

The accelerator and all that belongs to it is never asked for by a preview.

## Disk

A video lies on the work volume while its pod lives. By default that is an `emptyDir` of `videoLimits.bytes` and 1 GiB,
and `fetch` and `analyze` request as much `ephemeral-storage` and 256 MiB more, so that the scheduler chooses a node
that has it; their limits are another 256 MiB higher, because the kubelet holds all volumes of a pod against the sum
of its containers' limits. With the default `videoLimits` that is 9.25 GiB a pod: lower `videoLimits.bytes` where videos
are small. A container whose `resources` name `ephemeral-storage` gets exactly that (`"0"` asks for none).
`type: Memory` counts as the containers' memory: raise their limits. `type: Ephemeral` is a claim of the storage class,
and takes nothing of the node's disk.

## OpenShift

`securityContext: {}` leaves user, group and fsGroup to the cluster: the SCC `restricted-v2` gives each namespace its
own. Without it pods run as 10001, which that SCC refuses. `runAsNonRoot` and the rest stay.

## Those of the chart

`runtimes` of the chart's values is a map of name to `enabled`, `default` and `spec`; more names are more runtimes. The
operator applies them as soon as it leads, and is ready when they are there. What the values say is put back within
seconds when somebody changes it; fields that they leave out are yours. One that is disabled or removed is deleted; a
job that runs on it goes on. To keep a runtime in Git yourself, disable it there and apply your own.
Removing the release leaves them: `kubectl delete scoringruntime --all`. Why so: [decision 0009](decisions/0009-the-operator-applies-the-runtimes.md).

`runtimes.gpu` runs `workerGpuImage` (which you build: it has ultralytics, under the AGPL) with the detector
`ultralytics`, and needs weights of your own:

```yaml
workerGpuImage: {repository: registry.example/playerscore/worker-gpu}
runtimes:
  gpu:
    enabled: true
    spec:
      detector:
        weights: {uri: https://models.example/yolo.pt, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
```

The detectors `embedded` and `onnx` use the CPU alone: an accelerator would stand idle beside them.

## Images of another release

The operator runs workers of its own release and of the one before and after it: what it tells a pod has a version, and
each side leaves out what it does not know. Further apart a pod ends with `TASK_UNREADABLE`. So an upgrade may come
before or after the images of your own runtimes, but not two upgrades.

## Every field

| field of `spec` | is | what it says |
| --- | --- | --- |
"""
WHOLE: Final = ("affinity", "topologySpreadConstraints", "tolerations", "preview.template")
"""Fields in a form that is known from a pod's spec, or from rows above: one row, not one for each part."""


def page() -> str:
    """docs/runtimes.md."""
    version = crds.definitions()[names.RUNTIME_PLURAL]["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rows = [f"| `{path}` | {_kind(schema)} | {_words(schema)} |" for path, schema in _fields(spec, "")]
    return HEAD + "\n".join(rows) + "\n"


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every field with its path; a list's items are `[]`."""
    for name, child in schema["properties"].items():
        own = f"{path}{name}"
        inner = child.get("items", child)
        yield own, child
        if "properties" in inner and not own.endswith(WHOLE):
            yield from _fields(inner, f"{own}[]." if inner is not child else f"{own}.")


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        said = " or ".join(f"`{value}`" for value in schema["enum"])
    elif schema["type"] == "array":
        said = "list"
    elif "additionalProperties" in schema:
        said = "map"
    else:
        said = str(schema["type"])
    if "minimum" in schema and "maximum" in schema:
        said += f", {schema['minimum']}..{schema['maximum']}"
    default = schema.get("default")
    return said if default is None or isinstance(default, dict) else f"{said}; {json.dumps(default)}"


def _words(schema: Schema) -> str:
    return " ".join(schema.get("description", "").split()).replace("|", "\\|")
