"""What all models of the API share: their two spellings, and what of Kubernetes' schemas pydantic has no word for."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Label = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=63)]
Quantity = Annotated[
    str, Field(pattern=r"^[0-9.]+([numkMGTPE]|[KMGTPE]i|[eE][0-9]+)?$", min_length=1, max_length=32)
]


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules for `json_schema_extra`."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def list_map(*keys: str) -> dict[str, Any]:
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


_CONFIG = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


def _flow_key(name: str) -> str:
    """The flow's words are spelt as in Python, but for this one."""
    return "overallScore" if name == "overall_score" else name


def _kube_key(name: str) -> str:
    """Camel case, but for the flow's words that stand among Kubernetes' own."""
    return name if name in ("player_ref", "time_sec") else to_camel(name)


_ALIASED = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class FlowModel(BaseModel):
    """An object whose keys are the flow's own words."""

    model_config = _CONFIG | _ALIASED | ConfigDict(alias_generator=_flow_key)


class KubeModel(BaseModel):
    """An object whose keys are spelt as Kubernetes spells its own."""

    model_config = _CONFIG | _ALIASED | ConfigDict(alias_generator=_kube_key)
