"""The page of settings: the chart's values with their comments, the programs' variables with their docstrings.

Raises SystemExit naming the first setting that nothing explains.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from playerscore_api.settings import Settings as ApiSettings
from playerscore_api.sweep import Retention
from playerscore_operator.settings import Settings as OperatorSettings
from playerscore_webhook.settings import Settings as WebhookSettings
from playerscore_worker.settings import ArtifactSettings, ReportSettings

ROOT = Path(__file__).parents[1]
VALUES = ROOT / "charts/playerscore/values.yaml"
PROGRAMS: Final[dict[str, tuple[type[BaseSettings], str]]] = {
    "The operator": (OperatorSettings, "`operator.extraEnv`"),
    "The webhook": (WebhookSettings, "`webhook.extraEnv`"),
    "The REST API": (ApiSettings, "`api.extraEnv`"),
    "The sweep": (Retention, "`store.retention`; the store's and Kubernetes' as for the REST API"),
    "The worker's reporter": (ReportSettings, "the operator, in the pod that it makes"),
    "The files beside a result": (
        ArtifactSettings,
        "`spec.template.containers.analyze.env` of a ScoringRuntime; on a desk by your shell",
    ),
}
COMMON: Final = {
    "repository": "The image's name without tag.",
    "tag": "The image's tag; the chart's version when empty.",
    "digest": "The image's digest (`sha256:…`); wins over `tag`.",
    "pullPolicy": "Kubernetes' `imagePullPolicy`.",
    "logLevel": "`debug`, `info`, `warning` or `error`.",
    "replicas": "How many pods.",
    "resources": "Kubernetes' requests and limits of the container.",
    "extraEnv": "Further environment variables: the program's settings below.",
    "nodeSelector": "Kubernetes' own field of the pod.",
    "tolerations": "Kubernetes' own field of the pod.",
    "affinity": "Kubernetes' own field of the pod.",
    "priorityClassName": "Kubernetes' own field of the pod.",
    "extraVolumes": "Further volumes of the pod.",
    "extraVolumeMounts": "Where the container has them.",
    "podLabels": "Further labels of the pod.",
    "podAnnotations": "Annotations of the pod.",
    "annotations": "Of the object.",
}
WHOLE: Final = {
    *("resources", "extraEnv", "nodeSelector", "tolerations", "affinity", "spec", "labels", "annotations"),
    *("podLabels", "podAnnotations", "commonLabels", "issuerRef", "serviceAccountAnnotations"),
}
"""Keys whose value is Kubernetes' or the runtime's own form: one row, not one for each part."""
HEAD = """\
<!-- Generated from values.yaml and the programs' settings by docs/generate.py; do not edit. -->
# Settings

A misspelt value of the chart is refused by `values.schema.json`. What a program reads is an environment
variable, checked when it starts; the chart sets most of them.

## The chart's values

| value | default | what it does |
| --- | --- | --- |
"""


def page() -> str:
    """The page's text."""
    lines = VALUES.read_text().splitlines()
    rows = [_row(f"`{path}`", default, text) for path, default, text in chart_values(lines)]
    parts = [HEAD + "\n".join(rows) + "\n"]
    for title, (settings, where) in PROGRAMS.items():
        head = (
            f"## {title}\n\nSet by {where}.\n\n| variable | default | what it does |\n| --- | --- | --- |\n"
        )
        rows = [_row(f"`{name}`", default, text) for name, default, text in variables(settings)]
        parts.append(head + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(name: str, default: str, text: str) -> str:
    shown = f"`{default}`" if default else ""
    return f"| {name} | {shown} | {text.replace('|', chr(92) + '|')} |"


# --- the chart ------------------------------------------------------------------------------------------


def chart_values(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """(path, default as YAML, text) of every value, in the file's order."""
    root = yaml.compose("\n".join(lines), Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    yield from _walk(root, "", lines)


def _walk(
    node: yaml.MappingNode, prefix: str, lines: list[str], parent: str = ""
) -> Iterator[tuple[str, str, str]]:
    """`parent` is the comment of the key that holds this node: it also tells what its `enabled` does."""
    for key, value in node.value:
        name, path = key.value, f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode) and value.value and name not in WHOLE:
            yield from _walk(value, f"{path}.", lines, _comment(lines, key.start_mark.line))
            continue
        text = _comment(lines, key.start_mark.line) or COMMON.get(name) or (name == "enabled" and parent)
        if not text:
            raise SystemExit(f"{VALUES.name}: no comment says what {path} does")
        yield path, _default(value), text


def _default(node: yaml.Node) -> str:
    value = yaml.safe_load(yaml.serialize(node))
    if isinstance(value, dict) and value:
        return ""
    return "" if value in ("", None) else yaml.safe_dump(value, default_flow_style=True).splitlines()[0]


def _comment(lines: list[str], line: int) -> str:
    """The comment above a key, and the one beside it."""
    above: list[str] = []
    number = line - 1
    while number >= 0 and lines[number].strip().startswith("#"):
        above.insert(0, lines[number].strip().lstrip("#").strip().removeprefix("-- "))
        number -= 1
    _, mark, beside = lines[line].partition(" # ")
    return _sentence(" ".join([*above, *([beside.strip()] if mark else [])]))


def _sentence(text: str) -> str:
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "`")) else ".")


# --- the programs ---------------------------------------------------------------------------------------


def variables(settings: type[BaseSettings]) -> Iterator[tuple[str, str, str]]:
    """(environment variable, default, text) of a program's settings."""
    texts = _docstrings(settings)
    prefix = settings.model_config["env_prefix"]
    for name, field in settings.model_fields.items():
        text = texts.get(name)
        if text is None:
            raise SystemExit(f"{settings.__module__}: no docstring says what {name} does")
        yield f"{prefix}{name.upper()}", _shown(field.default, bool(field.default_factory)), text


def _shown(default: Any, computed: bool) -> str:
    if computed or default in (PydanticUndefined, None, ""):
        return ""
    return str(default)


def _docstrings(settings: type[BaseSettings]) -> dict[str, str]:
    """The string below each attribute: what pydantic calls attribute docstrings."""
    found: dict[str, str] = {}
    for owner in settings.__mro__:
        if issubclass(owner, BaseSettings) and owner is not BaseSettings:
            found = _own_docstrings(owner) | found
    return found


def _own_docstrings(settings: type[BaseSettings]) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(settings))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[statement.target.id] = " ".join(str(after.value.value).split())
    return found
