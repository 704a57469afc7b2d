"""What a ScoringRuntime may say about pods: an allow-list, and not a PodTemplateSpec.

Whatever is not named here is refused, and not dropped: the server is told to keep unknown fields of these objects
(`Strict`), so that webhook and policy see them. Rules of reserved names are CEL of the schema itself, so they hold
without either. Nothing here weakens a worker's confinement: the operator writes its own part over it.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from playerscore import names
from playerscore.schema import KubeModel, Label, Quantity, list_map, rules

KEEP_UNKNOWN: Final[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}
ROOTS: Final = ("template", "preview")
"""The fields of a runtime's spec of which every unknown one beneath is refused."""
MOST: Final = 32
"""Entries of a map or list."""
DOMAIN: Final = r"([a-z0-9.-]+[.])?playerscore[.]dev(/|$)"
OWN_LABELS: Final = (
    rf"^({DOMAIN}|batch[.]kubernetes[.]io/|(app[.]kubernetes[.]io/(name|managed-by)|kueue[.]x-k8s[.]io/queue-name"
    r"|job-name|controller-uid)$)"
)
"""What the operator, the Job controller and the queue set."""
OWN_ANNOTATIONS: Final = rf"^({DOMAIN}|(container[.]apparmor[.]security[.]beta|(container[.])?seccomp[.]security[.]alpha)[.]kubernetes[.]io/)"
"""The operator's, and the old spelling of profiles that Pod Security judges."""
OWN_VARIABLES: Final = "^(PLAYERSCORE_.*|PYTHON.*|LD_.*|KUBERNETES_.*|HOME|MPLCONFIGDIR|PATH)$"
"""The worker's own, and those that decide which program runs."""


def forbidden(path: str) -> str:
    """Why a field is refused, with its path."""
    return f"{path} is not a template's to set"


def _reserved(what: str, pattern: str) -> dict[str, Any]:
    """The rule that no key of a map is one of the system's own; the message names the first that is."""
    mine = f"self.filter(k, k.matches('{pattern}'))"
    code = names.TEMPLATE_RESERVED
    return {
        "x-kubernetes-validations": [
            {
                "rule": f"{mine}.size() == 0",
                "message": f"{code}: {what}s of the system are not a template's to set",
                "messageExpression": f"'{code}: the {what} ' + {mine}[0] + ' is not a template\\'s to set'",
            }
        ]
    }


VARIABLE: Final = rules(
    (
        f"!self.matches('{OWN_VARIABLES}')",
        f"{names.TEMPLATE_RESERVED}: a variable of the worker's own is not a template's to set",
    )
)

Key = Annotated[str, Field(min_length=1, max_length=316)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]
LabelMap = Annotated[dict[str, LabelValue], Field(max_length=MOST)]
Values = Annotated[list[LabelValue], Field(max_length=64)]
Weight = Annotated[int, Field(ge=1, le=100)]
Namespaces = Annotated[list[Label], Field(max_length=64)]
LabelKeys = Annotated[list[Key], Field(max_length=8)]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
VariableName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", min_length=1, max_length=128, json_schema_extra=VARIABLE)
]


class Toleration(KubeModel):
    """As in a pod's spec."""

    key: Annotated[str, Field(max_length=316)] | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: Annotated[str, Field(max_length=63)] | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None


class Resources(KubeModel):
    """Requests and limits of a container."""

    requests: Annotated[dict[str, Quantity], Field(max_length=8)] | None = None
    limits: Annotated[dict[str, Quantity], Field(max_length=8)] | None = None


class Strict(KubeModel):
    """An object of which unknown fields are refused by admission, with their path."""

    model_config = KubeModel.model_config | ConfigDict(json_schema_extra=KEEP_UNKNOWN)


class StrictToleration(Toleration):
    """As in a pod's spec."""

    model_config = Strict.model_config


class StrictResources(Resources):
    """Requests and limits of a container."""

    model_config = Strict.model_config


class LabelRequirement(Strict):
    """As in a label selector."""

    key: Key
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Values | None = None


class LabelSelector(Strict):
    """As Kubernetes' own."""

    match_labels: LabelMap | None = None
    match_expressions: Annotated[list[LabelRequirement], Field(max_length=16)] | None = None


class NodeRequirement(Strict):
    """As in a node selector term."""

    key: Key
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: Values | None = None


class NodeSelectorTerm(Strict):
    """As in a node affinity."""

    match_expressions: Annotated[list[NodeRequirement], Field(max_length=16)] | None = None
    match_fields: Annotated[list[NodeRequirement], Field(max_length=16)] | None = None


class NodeSelector(Strict):
    """Terms of which one must match."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], Field(min_length=1, max_length=16)]


class PreferredNodes(Strict):
    """A term that counts for so much."""

    weight: Weight
    preference: NodeSelectorTerm


class NodeAffinity(Strict):
    """As in a pod's spec."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[list[PreferredNodes], Field(max_length=16)] | None
    ) = None


class PodTerm(Strict):
    """As in a pod affinity."""

    topology_key: Key
    label_selector: LabelSelector | None = None
    namespaces: Namespaces | None = None
    namespace_selector: LabelSelector | None = None
    match_label_keys: LabelKeys | None = None
    mismatch_label_keys: LabelKeys | None = None


class WeightedPodTerm(Strict):
    """A term that counts for so much."""

    weight: Weight
    pod_affinity_term: PodTerm


class PodAffinity(Strict):
    """As in a pod's spec."""

    required_during_scheduling_ignored_during_execution: (
        Annotated[list[PodTerm], Field(max_length=8)] | None
    ) = None
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[list[WeightedPodTerm], Field(max_length=8)] | None
    ) = None


class Affinity(Strict):
    """As in a pod's spec."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class TopologySpreadConstraint(Strict):
    """As in a pod's spec."""

    max_skew: Annotated[int, Field(ge=1, le=1000)]
    topology_key: Key
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: LabelSelector | None = None
    """All worker pods of the namespace when absent."""
    min_domains: Annotated[int, Field(ge=1, le=1000)] | None = None
    node_affinity_policy: Literal["Honor", "Ignore"] | None = None
    node_taints_policy: Literal["Honor", "Ignore"] | None = None
    match_label_keys: LabelKeys | None = None


class PullSecret(Strict):
    """A Secret in the namespace of the job."""

    name: Name


class Variable(Strict):
    """One variable of the environment, with its value; a Secret never reaches a worker."""

    name: VariableName
    value: Annotated[str, Field(max_length=4096)]


class ContainerTemplate(Strict):
    """One container of the pod."""

    resources: StrictResources | None = None
    """In the place of the default ones; without `ephemeral-storage` in it, that is sized from `videoLimits`."""


class ContainerTemplates(Strict):
    """The pod's containers by their names."""

    fetch: ContainerTemplate | None = None
    """Downloads the video."""
    analyze: ContainerTemplate | None = None
    """Decodes, detects, analyses; also in a preview."""
    report: ContainerTemplate | None = None
    """Carries the results outside."""


class WorkVolume(Strict):
    """Where the video and what is made of it lie while the pod lives."""

    model_config = Strict.model_config | ConfigDict(
        json_schema_extra=KEEP_UNKNOWN
        | rules(
            (
                "!has(self.storageClassName) || self.type == 'Ephemeral'",
                "storageClassName is of the type Ephemeral alone",
            ),
        )
    )

    type: Literal["EmptyDir", "Memory", "Ephemeral"] = "EmptyDir"
    """The node's disk, its memory (which counts as the containers'), or a claim that lives as long as the pod."""
    size_limit: Quantity | None = None
    """`videoLimits.bytes` and a gibibyte when absent."""
    storage_class_name: Name | None = None
    """Of the claim; the cluster's default when absent."""


class TrustedCa(Strict):
    """Private authorities, which no image knows: of a store, of the API with TLS of its own, of a proxy."""

    config_map: Name
    """A ConfigMap in the namespace of the job; cert-manager's trust-manager puts such a one into each."""
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", min_length=1, max_length=253)] = "ca.crt"
    """The key that holds the PEM."""


class UserIds(Strict):
    """Who the pod's processes are; an id that is absent here is the cluster's to choose (OpenShift)."""

    run_as_user: Id | None = None
    run_as_group: Id | None = None
    fs_group: Id | None = None


class PodTemplate(Strict):
    """What a platform says about pods; every field that is not listed here is refused."""

    labels: Annotated[LabelMap, Field(json_schema_extra=_reserved("label", OWN_LABELS))] | None = None
    """Of the pods, beside the operator's own."""
    annotations: (
        Annotated[
            dict[str, Annotated[str, Field(max_length=4096)]],
            Field(max_length=MOST, json_schema_extra=_reserved("annotation", OWN_ANNOTATIONS)),
        ]
        | None
    ) = None
    """Of the pods."""
    node_selector: LabelMap | None = None
    """For an analysis, `accelerator.nodeSelector` is added; of the same key, that one's value counts."""
    tolerations: Annotated[list[StrictToleration], Field(max_length=MOST)] | None = None
    """For an analysis, `accelerator.tolerations` are added."""
    affinity: Affinity | None = None
    topology_spread_constraints: Annotated[list[TopologySpreadConstraint], Field(max_length=8)] | None = None
    """As in a pod's spec; a constraint without `labelSelector` counts all worker pods of the namespace."""
    priority_class_name: Name | None = None
    """For an analysis, the job's own `priorityClassName` goes before it."""
    scheduler_name: Name | None = None
    """Who places the pods; the cluster's own scheduler when absent."""
    runtime_class_name: Name | None = None
    """For an analysis, `accelerator.runtimeClassName` goes before it."""
    image_pull_secrets: (
        Annotated[list[PullSecret], Field(max_length=8, json_schema_extra=list_map("name"))] | None
    ) = None
    """Secrets of the jobs' namespaces, by name."""
    containers: ContainerTemplates | None = None
    """What each container of a worker's pod asks for."""
    work_volume: WorkVolume | None = None
    trusted_ca: TrustedCa | None = None
    """What connections to store, API and sources trust, beside the public authorities."""
    env: Annotated[list[Variable], Field(max_length=MOST, json_schema_extra=list_map("name"))] | None = None
    """Further variables of all three containers. Whoever may read the runtime reads them."""
    security_context: UserIds | None = None
    """User and group ids; 10001 for all of them when absent. `{}` leaves them to the cluster."""
