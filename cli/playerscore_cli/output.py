"""What goes to standard output and standard error, without anything that is slow to import.

Objects and tables go to standard output, as kubectl prints them; warnings and errors to standard error, an error
in one readable line, or as the REST API's error body with `-o json` and `-o yaml`.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

import click

from playerscore import names
from playerscore.errors import PlayerscoreError

Json = dict[str, Any]

RESOURCE: Final = f"{names.JOB_KIND.lower()}.{names.GROUP}"
GAP: Final = "   "


class Format(StrEnum):
    """How an object is printed."""

    TEXT = "text"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def print_object(body: Json, form: Format) -> None:
    """One Kubernetes object as JSON, as YAML, or its name."""
    if form is Format.NAME:
        click.echo(full_name(body))
    else:
        print_document(shown(body), form)


def shown(body: Json) -> Json:
    """An object without what kubectl does not show either: who wrote which field."""
    metadata = {key: value for key, value in body.get("metadata", {}).items() if key != "managedFields"}
    return body | {"metadata": metadata}


def print_document(document: Any, form: Format) -> None:
    """Anything as JSON or YAML."""
    if form is Format.YAML:
        click.echo(_yaml(document), nl=False)
    else:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _yaml(document: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes `y` and `n`, which YAML 1.1, hence kubectl, reads as booleans."""

    Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))
    return str(yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def full_name(body: Json) -> str:
    """As kubectl's `-o name` says it."""
    return f"{RESOURCE}/{body['metadata']['name']}"


def as_list(items: Sequence[Json]) -> Json:
    """Several objects as one, as kubectl prints them."""
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [shown(item) for item in items],
        "metadata": {"resourceVersion": ""},
    }


def print_rows(rows: Iterable[Sequence[str]], widths: list[int] | None = None) -> list[int]:
    """Rows in columns, as kubectl prints them; returns the widths, for rows that come later."""
    rows = [[str(cell) for cell in row] for row in rows]
    if rows:
        found = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        widths = [max(pair) for pair in zip(found, widths or found, strict=True)]
        for row in rows:
            padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            click.echo(GAP.join(padded).rstrip())
    return widths or []


_said: set[str] = set()


def warn(text: str) -> None:
    """A warning, once: the rule and the webhook may say the same."""
    if text not in _said:
        _said.add(text)
        click.echo(_coloured("Warning:", "yellow") + f" {text}", err=True)


def note(text: str) -> None:
    """Something for a person, beside the output."""
    click.echo(text, err=True)


def print_error(error: PlayerscoreError, form: str | None) -> None:
    """One readable line with the code, or the error's body."""
    if form in (Format.JSON, Format.YAML):
        body = {"error": {key: value for key, value in error.body()["error"].items() if value is not None}}
        text = json.dumps(body, indent=2, ensure_ascii=False)
        if form == Format.YAML:
            text = _yaml(body).rstrip()
        click.echo(text, err=True)
        return
    details = [f"{key}: {_plain(value)}" for key, value in error.details.items() if value is not None]
    more = f" ({', '.join(details)})" if details else ""
    message = " ".join(error.message.split())
    click.echo(f"{_coloured(error.code, 'red')}: {message}{more}", err=True)


def wanted_format(arguments: Sequence[str]) -> str | None:
    """The `-o` of a command line that may not even be parsable."""
    for place, argument in enumerate(arguments):
        if argument in ("-o", "--output"):
            return arguments[place + 1] if place + 1 < len(arguments) else None
        for prefix in ("--output=", "-o"):
            if argument.startswith(prefix) and not argument.startswith("--output-"):
                return argument.removeprefix(prefix).removeprefix("=")
    return None


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _coloured(text: str, colour: str) -> str:
    """In colour on a terminal, unless NO_COLOR asks for none (no-color.org)."""
    if os.environ.get("NO_COLOR") or not sys.stderr.isatty():
        return text
    return click.style(text, fg=colour, bold=True)
