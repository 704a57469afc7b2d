"""Optimistic concurrency by HTTP's own means: ETag, If-Match, If-None-Match; and the dry run. Pure but for the inputs.

A job's ETag is its resourceVersion. `If-Match` fails with 412 PRECONDITION_FAILED, a `resourceVersion` in the
body with 409 CONFLICT, whichever the caller finds easier to send.
"""

import re
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Depends, Header, Query

from playerscore.errors import PlayerscoreError

Document = dict[str, Any]

TAG: Final = re.compile(r'(W/)?"([^"]*)"')
PRIVATE: Final = "private, no-cache"
"""Kept by the caller's own browser at most, and asked for again each time: names of jobs are reused."""


def etag(version: str) -> str:
    """A resourceVersion as an ETag."""
    return f'"{version}"'


def unchanged(if_none_match: str | None, tag: str) -> bool:
    """Whether a cached copy is still good (weak comparison).

    >>> unchanged('"1", W/"2"', '"2"'), unchanged("*", '"2"'), unchanged('"1"', '"2"'), unchanged(None, '"2"')
    (True, True, False, False)
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or _opaque(tag) in [found[2] for found in TAG.finditer(if_none_match)]


def satisfied(if_match: str | None, tag: str) -> bool:
    """Whether the present version is one of those that were asked for (strong comparison).

    >>> satisfied(None, '"2"'), satisfied("*", '"2"'), satisfied('"1", "2"', '"2"'), satisfied('W/"2"', '"2"')
    (True, True, True, False)
    """
    if if_match is None or if_match.strip() == "*":
        return True
    return _opaque(tag) in [found[2] for found in TAG.finditer(if_match) if not found[1]]


def _opaque(tag: str) -> str:
    found = TAG.fullmatch(tag)
    return found[2] if found else tag


class Write(NamedTuple):
    """How a write is meant: which version it is about, and whether it is only tried."""

    if_match: str | None
    dry_run: bool

    def check(self, job: Document, version: str | None = None) -> None:
        """That the stored job is the version that the caller judged.

        Raises PRECONDITION_FAILED for the header, CONFLICT for the body's `resourceVersion`.
        """
        present = job["metadata"]["resourceVersion"]
        if not satisfied(self.if_match, etag(present)):
            text = f"The job is at version {present}, not at {str(self.if_match)[:100]}"
            raise PlayerscoreError("PRECONDITION_FAILED", text, field="If-Match")
        if version is not None and version != present:
            text = f"The job is at version {present}, not at {version}"
            raise PlayerscoreError("CONFLICT", text, field="resourceVersion")


Trying = Annotated[bool, Query(alias="dryRun", description="Judge and answer as usual, but store nothing.")]


async def _write(
    if_match: Annotated[
        str | None, Header(max_length=1024, description="The ETag of the job that was judged.")
    ] = None,
    dry_run: Trying = False,
) -> Write:
    return Write(if_match, dry_run)


Writing = Annotated[Write, Depends(_write)]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=1024, description="ETags of copies that are kept.")
]
