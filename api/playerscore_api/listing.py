"""Lists of jobs: which namespaces, which jobs, and page by page.

Kubernetes chooses by labels. By step, player and score it cannot, so its pages are gone through here: a page of
ours may then hold fewer jobs than were asked for, or none, and still have a `next`.
"""

from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Query

from playerscore.errors import PlayerscoreError
from playerscore.names import Step
from playerscore.schema import Label
from playerscore.wanted import Wanted
from playerscore_api import forms
from playerscore_api.cluster import ALL, Cluster
from playerscore_api.deps import Caller, Parts
from playerscore_api.forms import Job, JobPage
from playerscore_api.stored import Page

PAGE: Final = 1000
BATCH: Final = 250
"""Jobs of one call to Kubernetes: a stored job with its preview has up to 64 KB, its flat form one."""
MOST_SEEN: Final = 5000
"""So many jobs are gone through for one page."""
WITHIN: Final = "~"
"""Between how many jobs of a page of Kubernetes were seen and that page's own token, which holds no such sign."""


class Asked(NamedTuple):
    """Whose jobs, and which of them."""

    caller: Cluster
    namespace: str
    labels: str | None
    wanted: Wanted

    async def page(self, limit: int, token: str | None) -> JobPage:
        """At most `limit` jobs from there on. Raises EXPIRED, and INVALID that names the parameter."""
        items: list[Job] = []
        seen, skip, token = 0, *_resumed(token)
        while True:
            found = await self._fetch(self._batch(limit - len(items), token, skip), token)
            for place, job in enumerate(found.items[skip:], skip + 1):
                if self.wanted.takes(*forms.parts(job)):
                    items.append(forms.flat(job))
                if len(items) == limit and place < len(found.items):
                    return JobPage(items=items, next=f"{place}{WITHIN}{token}")
            seen, skip, token = seen + len(found.items), 0, found.next
            if token is None or len(items) == limit or seen >= MOST_SEEN:
                return JobPage(items=items, next=token)

    def _batch(self, rest: int, token: str | None, skip: int) -> int:
        """How many to fetch: as many as are wanted, or more where few of them will be and a page can be taken up
        again in its middle, for which it needs a token."""
        exactly = token is None or (self.wanted == Wanted() and not skip)
        return min(BATCH, rest) if exactly else BATCH

    async def _fetch(self, limit: int, token: str | None) -> Page:
        try:
            return await self.caller.list_jobs(self.namespace, limit, token, self.labels)
        except PlayerscoreError as error:
            if error.code != "INVALID" or not (token or self.labels):
                raise
            field = "continue" if token and "continue" in error.message else "labelSelector"
            raise PlayerscoreError(error.code, error.message, field=field) from error


def _resumed(token: str | None) -> tuple[int, str | None]:
    """How many jobs of a page to leave out, and the page. Raises INVALID."""
    if token is None or WITHIN not in token:
        return 0, token
    skip, _, rest = token.partition(WITHIN)
    if not (skip.isascii() and skip.isdecimal() and int(skip[:9]) <= BATCH and rest):
        raise PlayerscoreError("INVALID", "That is no `next` of a page", field="continue")
    return int(skip), rest


async def _asked(
    caller: Caller,
    parts: Parts,
    namespace: Annotated[Label | None, Query(description="The deployment's default when absent.")] = None,
    all_namespaces: Annotated[
        bool, Query(alias="allNamespaces", description="Of all namespaces, for who may list there.")
    ] = False,
    labels: Annotated[
        str | None,
        Query(
            alias="labelSelector",
            max_length=2000,
            description="As Kubernetes writes it: `team=a,season!=2025`.",
        ),
    ] = None,
    step: Annotated[list[Step], Query(max_length=len(Step), description="One of these steps.")] = [],  # noqa: B006  # FastAPI copies it
    player: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=253,
            description="The picked player's track_id, or a part of the displayName in any case.",
        ),
    ] = None,
    min_score: Annotated[
        int | None, Query(alias="minScore", ge=0, le=100, description="Of the overallScore.")
    ] = None,
    max_score: Annotated[
        int | None, Query(alias="maxScore", ge=0, le=100, description="Of the overallScore.")
    ] = None,
) -> Asked:
    """Raises INVALID."""
    if all_namespaces and namespace is not None:
        raise PlayerscoreError("INVALID", "One namespace or all of them, not both", field="allNamespaces")
    if min_score is not None and max_score is not None and min_score > max_score:
        raise PlayerscoreError(
            "INVALID", "No score is in that range: minScore is above maxScore", field="minScore"
        )
    where = ALL if all_namespaces else namespace or parts.settings.namespace
    return Asked(caller, where, labels, Wanted(frozenset(step), player, min_score, max_score))


Listing = Annotated[Asked, Depends(_asked)]
