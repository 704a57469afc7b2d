"""The error catalogue holds every code that any program can say, and its page is up to date."""

import ast
import re
import runpy
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from playerscore.errors import CATALOGUE
from playerscore.names import Reason
from playerscore_cli.exits import OWN_CODES

ROOT = Path(__file__).parents[3]
PROGRAMS = ("api", "cli", "clips", "core", "operator", "webhook", "worker")
CODE = re.compile(r"^[A-Z][A-Z0-9]+(_[A-Z0-9]+)*$")
SOURCES = [path for program in PROGRAMS for path in sorted((ROOT / program).rglob("*.py"))]


def raised(tree: ast.AST) -> Iterator[str]:
    """Constant codes that are given to an error's constructor."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        first = node.args[0]
        if name.endswith("Error") and isinstance(first, ast.Constant) and CODE.match(str(first.value)):
            yield str(first.value)


def test_every_code_that_is_raised_is_in_the_catalogue() -> None:
    found = {(code, path.name) for path in SOURCES for code in raised(ast.parse(path.read_text()))}

    assert len(found) > 30, "the search finds no longer what it should"
    known = CATALOGUE.keys() | OWN_CODES.keys()  # the command line's own have their exit codes' page
    assert {(code, name) for code, name in found if code not in known} == set()


def test_every_refusing_reason_of_a_condition_is_in_the_catalogue() -> None:
    assert {reason for reason in Reason if CODE.match(reason)} <= set(CATALOGUE)


def test_every_code_of_the_catalogue_is_said_somewhere() -> None:
    text = "".join(path.read_text() for path in SOURCES)
    entries = "".join(f'"{code}": Entry(' for code in CATALOGUE)

    assert {code for code in CATALOGUE if (text + entries).count(f'"{code}"') < 3} == set()


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_an_entry_says_what_it_means_and_what_to_do(code: str) -> None:
    entry = CATALOGUE[code]

    assert CODE.match(code)
    assert HTTPStatus(entry.http_status) >= 400
    assert entry.meaning.endswith(".")
    assert entry.todo.endswith(".")


def test_the_page_is_made_of_the_catalogue() -> None:
    page = runpy.run_path(str(ROOT / "docs/generate_errors.py"))["page"]

    assert (ROOT / "docs/errors.md").read_text() == page(), "make docs"
