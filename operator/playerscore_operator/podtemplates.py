"""What a runtime's template makes of a worker's pod. Pure.

Everything that confines a worker is written by `manifests` and is not here: a template adds, and what both say is
the operator's.
"""

import math
from decimal import Decimal
from typing import Any, Final

from playerscore import names
from playerscore.podtemplate import ContainerTemplate, PodTemplate, WorkVolume
from playerscore.resources import Accelerator, ScoringRuntimeSpec
from playerscore.schema import KubeModel
from playerscore.tasks import TRUST_VARIABLE, AnalysisTask, PodTask

Json = dict[str, Any]

USER_ID: Final = 10001
TRUSTED: Final = "/etc/playerscore/trusted-ca"
SCRATCH_BYTES: Final = 2**30
"""Room beside the video, for what is made of it."""
TMP_BYTES: Final = 2**28
LOG_BYTES: Final = 2**28
DISK: Final = "ephemeral-storage"
SMALL: Final = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
MODERATE: Final = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}
UNITS: Final = {
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m"), -3)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
WORKERS: Final = {"matchLabels": {names.ROLE_LABEL: "worker"}}


def template_of(runtime: ScoringRuntimeSpec, task: PodTask) -> PodTemplate:
    """What the runtime says about the pod of this task."""
    if not isinstance(task, AnalysisTask) and runtime.preview and runtime.preview.template is not None:
        return runtime.preview.template
    return runtime.template or PodTemplate()


def metadata(template: PodTemplate, labels: Json) -> Json:
    """The pod's, with the operator's own labels."""
    annotations = {"annotations": template.annotations} if template.annotations else {}
    return {"labels": {**(template.labels or {}), **labels}, **annotations}


def placement(template: PodTemplate, accelerator: Accelerator | None, priority: str | None) -> Json:
    """Where the pod may run, and in whose turn; what the accelerator and the job say goes first."""
    tolerations = [*(template.tolerations or []), *((accelerator and accelerator.tolerations) or [])]
    placed = {
        "priorityClassName": priority or template.priority_class_name,
        "runtimeClassName": (accelerator and accelerator.runtime_class_name) or template.runtime_class_name,
        "schedulerName": template.scheduler_name,
        "nodeSelector": (template.node_selector or {}) | ((accelerator and accelerator.node_selector) or {}),
        "tolerations": [_plain(item) for item in tolerations],
        "affinity": _plain(template.affinity) if template.affinity else None,
        "topologySpreadConstraints": [
            {"labelSelector": WORKERS, **_plain(item)} for item in template.topology_spread_constraints or []
        ],
        "imagePullSecrets": [_plain(item) for item in template.image_pull_secrets or []],
    }
    return {key: value for key, value in placed.items() if value}


def user(template: PodTemplate) -> Json:
    """The ids of the pod's processes."""
    if template.security_context is not None:
        return _plain(template.security_context)
    return {"runAsUser": USER_ID, "runAsGroup": USER_ID, "fsGroup": USER_ID}


def environment(template: PodTemplate) -> list[Json]:
    """The runtime's variables. The worker's own come after them, and count."""
    return [_plain(item) for item in template.env or []]


def trust(template: PodTemplate) -> tuple[list[Json], list[Json], list[Json]]:
    """Volumes of the pod, and mounts and variables of its containers that speak to the outside."""
    chosen = template.trusted_ca
    if chosen is None:
        return [], [], []
    items = [{"key": chosen.key, "path": "ca.crt"}]
    return (
        [{"name": "trusted-ca", "configMap": {"name": chosen.config_map, "items": items}}],
        [{"name": "trusted-ca", "mountPath": TRUSTED, "readOnly": True}],
        [{"name": TRUST_VARIABLE, "value": f"{TRUSTED}/ca.crt"}],
    )


def resources(
    container: str, template: PodTemplate, runtime: ScoringRuntimeSpec, accelerator: Accelerator | None
) -> Json:
    """Of one container: the template's, else the runtime's, else the default ones; the disk by the video's limits."""
    said: ContainerTemplate | None = getattr(template.containers, container, None)
    main = container == "analyze"
    if said and said.resources is not None:
        chosen = _plain(said.resources)
    elif main and runtime.resources:
        chosen = _plain(runtime.resources)
    else:
        chosen = MODERATE if main else SMALL
    chosen = {kind: dict(amounts) for kind, amounts in chosen.items()}
    if not any(DISK in amounts for amounts in chosen.values()):
        for kind, amount in _disk(container, template, runtime).items():
            chosen.setdefault(kind, {})[DISK] = amount
    if accelerator and main:
        chosen.setdefault("limits", {})[accelerator.resource_name] = str(accelerator.count)
    return chosen


def volume(template: PodTemplate, runtime: ScoringRuntimeSpec) -> Json:
    """The source of the work volume."""
    work = template.work_volume or WorkVolume()
    size = _work_size(work, runtime)
    if work.type == "Memory":
        return {"emptyDir": {"medium": "Memory", "sizeLimit": size}}
    if work.type == "EmptyDir":
        return {"emptyDir": {"sizeLimit": size}}
    claim: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if work.storage_class_name:
        claim["storageClassName"] = work.storage_class_name
    return {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


def _disk(container: str, template: PodTemplate, runtime: ScoringRuntimeSpec) -> Json:
    """What a container may take of its node's disk; the work volume counts for those that fill it.

    The kubelet holds all that a pod writes against the sum of its containers' limits, hence one on each.
    """
    work = template.work_volume or WorkVolume()
    size = 0
    if container != "report" and work.type == "EmptyDir":
        size = byte_count(_work_size(work, runtime))
    return {"requests": str(size + TMP_BYTES), "limits": str(size + TMP_BYTES + LOG_BYTES)}


def byte_count(quantity: str) -> int:
    """Kubernetes' quantity as a whole number.

    >>> [byte_count(text) for text in ("12", "1.5Gi", "2k", "1e3")]
    [12, 1610612736, 2000, 1000]
    """
    number = quantity.rstrip("".join(UNITS))
    return math.ceil(Decimal(number) * UNITS.get(quantity[len(number) :], Decimal(1)))


def _work_size(work: WorkVolume, runtime: ScoringRuntimeSpec) -> str:
    """The size of the work volume, a quantity."""
    return work.size_limit or str(runtime.video_limits.bytes + SCRATCH_BYTES)


def _plain(model: KubeModel) -> Json:
    return model.model_dump(mode="json", exclude_none=True)
