"""Warnings beside an answer, as Kubernetes gives them: a `Warning` header of code 299 each (RFC 7234, 5.5).

They stand in headers and not in the body, because the flat form of a job has the same keys in every answer.
"""

import re
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import MutableHeaders

HEADER: Final = re.compile(r'\b299 \S+ "((?:[^"\\]|\\.)*)"')
LONGEST: Final = 1000
MOST: Final = 16


def told(values: Iterable[str]) -> list[str]:
    """The texts of `Warning` headers.

    >>> told(['299 - "a \\\\"b\\\\""', '299 kube "c", 299 - "d"', "199 - x"])
    ['a "b"', 'c', 'd']
    """
    return [re.sub(r"\\(.)", r"\1", found[1]) for value in values for found in HEADER.finditer(value)]


def header(text: str) -> str:
    """A text as a `Warning` header: one line, Latin-1, quoted.

    >>> header('a "b"\\n\\u2713')
    '299 - "a \\\\"b\\\\" ?"'
    """
    line = re.sub(r"\s+", " ", text)[:LONGEST].encode("latin-1", "replace").decode("latin-1")
    quoted = re.sub(r"[\x00-\x1f\x7f]", "?", line).replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'


def put(headers: MutableHeaders, texts: Iterable[str]) -> None:
    """Add each different text once."""
    for text in list(dict.fromkeys(texts))[:MOST]:
        headers.append("Warning", header(text))
