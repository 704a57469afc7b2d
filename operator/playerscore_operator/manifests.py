"""The Jobs that the operator creates, as plain dicts. Pure.

One pod: `report`, a native sidecar that alone holds tokens; `fetch`, which downloads the video; `analyze`,
which decodes it and needs neither network nor token.
"""

import hashlib
import json
from typing import Any, Final

from playerscore import names, tasks
from playerscore.podtemplate import PodTemplate
from playerscore.resources import Accelerator, PreviewSettings, ScoringRuntimeSpec
from playerscore.tasks import (
    EXIT_BAD_INPUT,
    GRACE_SECONDS,
    TASK_VARIABLE,
    VERSION_VARIABLE,
    AnalysisTask,
    FurtherTask,
    PodTask,
    PreviewTask,
)
from playerscore_operator import podtemplates, probe
from playerscore_operator.children import MAIN_CONTAINER
from playerscore_operator.observe import Observed

Json = dict[str, Any]

WORK: Final = "/work"
TOKEN_SECONDS: Final = 3600
TOKENS: Final = "/var/run/secrets/playerscore"
FIRST_PROCESS: Final = (
    "trap 'kill -TERM \"$!\" 2>/dev/null || exit 143' TERM; "
    'python -m playerscore_worker "$0" & '
    'while :; do wait "$!"; code=$?; kill -0 "$!" 2>/dev/null || exit "$code"; done'
)
"""Of every container: hands SIGTERM on, and ends with the worker's exit code.

The first process of a container does not notice a signal that it has said nothing about. An interpreter that starts on
a busy node needs a second or more for its first line; a pod that is deleted in that time would stay for all of its
grace, and keep its CPU or GPU. A shell is ready at once, and the worker is not the first process.
"""
FAILURE_RULES: Final = [
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [EXIT_BAD_INPUT]}},
]
"""A pod that the cluster takes away is replaced; bad input is bad input at once."""
RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def spec_hash(observed: Observed) -> str:
    """A digest of what an attempt depends on; another digest means another attempt.

    Absent fields are left out, so that a field that a later version adds stops no running attempt.
    """
    spec = observed.spec
    parts = [spec.player_ref, spec.target, spec.analysis, spec.pitch]
    dumped = [part.model_dump(mode="json", exclude_none=True) if part else None for part in parts]
    told: list[Any] = [*dumped, spec.runtime_name]
    if spec.anchors:  # came later: no part of it where none are given
        told.append([anchor.model_dump(mode="json", exclude_none=True) for anchor in spec.anchors])
    if spec.refines:
        told.append(spec.refines)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def hash_of(job: Json) -> str | None:
    """The digest that a child Job was made with."""
    annotations = job["metadata"].get("annotations") or {}
    found: str | None = annotations.get(names.SPEC_HASH_ANNOTATION)
    return found


def preview_job(
    observed: Observed,
    runtime: ScoringRuntimeSpec,
    number: int,
    api_url: str,
    at_sec: list[float] | None = None,
) -> Json:
    """The Job of preview run `number`; never asks for an accelerator. With times it adds frames to what is there."""
    task = _preview_task(observed, runtime) if at_sec is None else _further_task(observed, runtime, at_sec)
    name = names.preview_job_name(observed.uid, number)
    return _job(observed, runtime, name, task, api_url, accelerator=None)


def _preview_task(observed: Observed, runtime: ScoringRuntimeSpec) -> PreviewTask:
    settings = observed.spec.preview or PreviewSettings()
    return PreviewTask(**_task(observed, runtime), preview=settings.model_copy(update={"at_sec": None}))


def _further_task(observed: Observed, runtime: ScoringRuntimeSpec, at_sec: list[float]) -> FurtherTask:
    if observed.status.preview is None:
        raise ValueError("further frames need a preview")
    return tasks.further(_task(observed, runtime), observed.status.preview, at_sec)


def analysis_job(
    observed: Observed,
    runtime: ScoringRuntimeSpec,
    attempt: int,
    api_url: str,
    *,
    memory_failures: int | None = None,
) -> Json:
    """The Job of analysis attempt `attempt`. Only for a job that passed the checks."""
    task = tasks.analysis(
        _task(observed, runtime),
        observed.spec,
        observed.status.preview,
        observed.generation,
        attempt,
        memory_failures,
    )
    name = names.analysis_job_name(observed.uid, attempt)
    return _job(observed, runtime, name, task, api_url, accelerator=runtime.accelerator)


def _task(observed: Observed, runtime: ScoringRuntimeSpec) -> Json:
    video = observed.spec.video
    return {
        "namespace": observed.namespace,
        "name": observed.name,
        "uid": observed.uid,
        "image": runtime.image,
        "video": video,
        "video_sha256": tasks.pinned_sha256(video, observed.status.preview),
        "sources": [prefix.replace("{namespace}", observed.namespace) for prefix in runtime.sources],
        "video_limits": runtime.video_limits,
        "detector": runtime.detector,
    }


def _job(
    observed: Observed,
    runtime: ScoringRuntimeSpec,
    name: str,
    task: PodTask,
    api_url: str,
    accelerator: Accelerator | None,
) -> Json:
    labels = _labels(observed, task)
    # A preview too: where Kueue manages every Job, one without a queue would never start.
    queued = {names.QUEUE_LABEL: observed.spec.queue_name} if observed.spec.queue_name else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": observed.namespace,
            "labels": labels | queued,
            "annotations": {
                names.SPEC_HASH_ANNOTATION: spec_hash(observed),
                names.GENERATION_ANNOTATION: str(observed.generation),
            },
            "ownerReferences": [_owner(observed)],
        },
        "spec": {
            # An attempt that fails is repeated by the operator, which judges again; disruption is not counted.
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": FAILURE_RULES},
            "activeDeadlineSeconds": observed.spec.active_deadline_seconds or runtime.active_deadline_seconds,
            "template": {
                "metadata": podtemplates.metadata(podtemplates.template_of(runtime, task), labels),
                "spec": _pod(observed, runtime, task, api_url, accelerator),
            },
        },
    }


def _labels(observed: Observed, task: PodTask) -> Json:
    attempt = str(task.attempt) if isinstance(task, AnalysisTask) else "preview"
    return {
        "app.kubernetes.io/name": "playerscore",
        "app.kubernetes.io/managed-by": "playerscore-operator",
        names.JOB_LABEL: observed.name,
        names.UID_LABEL: observed.uid,
        names.ATTEMPT_LABEL: attempt,
        names.ROLE_LABEL: "worker",
    }


def _owner(observed: Observed) -> Json:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "name": observed.name,
        "uid": observed.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _pod(
    observed: Observed,
    runtime: ScoringRuntimeSpec,
    task: PodTask,
    api_url: str,
    accelerator: Accelerator | None,
) -> Json:
    verb = "analyze" if isinstance(task, AnalysisTask) else "preview"
    priority = observed.spec.priority_class_name if isinstance(task, AnalysisTask) else None
    template = podtemplates.template_of(runtime, task)
    return podtemplates.placement(template, accelerator, priority) | {
        "serviceAccountName": names.WORKER_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        # The working containers end at once; what is left is the reporter's, which waits for store and API server.
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            **podtemplates.user(template),
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [
            _reporter(runtime, task, api_url),
            _container("fetch", "fetch", runtime, task),
        ],
        "containers": [_worker(verb, runtime, task, accelerator)],
        "volumes": _volumes(runtime, template),
    }


def _container(
    name: str, verb: str, runtime: ScoringRuntimeSpec, task: PodTask, accelerator: Accelerator | None = None
) -> Json:
    template = podtemplates.template_of(runtime, task)
    # What decodes a stranger's video speaks to nobody.
    _, mounts, variables = podtemplates.trust(template if name != MAIN_CONTAINER else PodTemplate())
    return {
        "name": name,
        "image": runtime.image,
        "command": ["sh", "-c", FIRST_PROCESS, verb],
        "env": [
            *podtemplates.environment(template),
            {"name": TASK_VARIABLE, "value": task.model_dump_json(by_alias=True, exclude_none=True)},
            {"name": VERSION_VARIABLE, "value": str(task.version)},
            *variables,
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 - an emptyDir of the pod's own
            {"name": "MPLCONFIGDIR", "value": "/tmp"},  # noqa: S108 - the same
        ],
        "resources": podtemplates.resources(name, template, runtime, accelerator),
        "securityContext": RESTRICTED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "work", "mountPath": WORK},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod's own
            *mounts,
        ],
    }


def _worker(verb: str, runtime: ScoringRuntimeSpec, task: PodTask, accelerator: Accelerator | None) -> Json:
    """The container that works; the kubelet ends it when nothing moves any more."""
    container = _container(MAIN_CONTAINER, verb, runtime, task, accelerator)
    container["livenessProbe"] = {
        "exec": {"command": probe.COMMAND},
        "periodSeconds": 60,
        "timeoutSeconds": 30,
        "failureThreshold": 3,
        "terminationGracePeriodSeconds": 30,
    }
    return container


def _reporter(runtime: ScoringRuntimeSpec, task: PodTask, api_url: str) -> Json:
    """The native sidecar; the only one that is given tokens."""
    container = _container("report", "report", runtime, task)
    container["restartPolicy"] = "Always"
    container["env"].append({"name": "PLAYERSCORE_API_URL", "value": api_url})
    container["volumeMounts"] += [
        {"name": "kube-token", "mountPath": f"{TOKENS}/kube", "readOnly": True},
        {"name": "api-token", "mountPath": f"{TOKENS}/api", "readOnly": True},
    ]
    return container


def _volumes(runtime: ScoringRuntimeSpec, template: PodTemplate) -> list[Json]:
    token = {"path": "token", "expirationSeconds": TOKEN_SECONDS}
    kube = [
        {"serviceAccountToken": token},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    return [
        {"name": "work", **podtemplates.volume(template, runtime)},
        {"name": "tmp", "emptyDir": {"sizeLimit": str(podtemplates.TMP_BYTES)}},
        {"name": "kube-token", "projected": {"sources": kube}},
        {
            "name": "api-token",
            "projected": {"sources": [{"serviceAccountToken": token | {"audience": names.API_AUDIENCE}}]},
        },
        *podtemplates.trust(template)[0],
    ]
