"""The only module that speaks to the Kubernetes API: plain JSON, with the token of whoever asks.

The official client binds one credential to a client object and parses into typed models at about four
times the CPU; here every call has another caller's token and passes JSON through, so this is a thin layer
on aiohttp (which the S3 client brings anyway).
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import orjson

from playerscore import names, refusals
from playerscore.errors import PlayerscoreError
from playerscore_api import stored, warnings
from playerscore_api.metrics import KUBERNETES_SECONDS
from playerscore_api.stored import Change, Document, Page

JOBS: Final = f"/apis/{names.API_VERSION}/namespaces/{{}}/{names.JOB_PLURAL}"
EVERY_JOB: Final = f"/apis/{names.API_VERSION}/{names.JOB_PLURAL}"
ALL: Final = ""
"""The namespace that stands for all of them."""
STRICT: Final = {"fieldValidation": "Strict"}
DRY_RUN: Final = {"dryRun": "All"}
MERGE_PATCH: Final = "application/merge-patch+json"
TIMEOUT_SECONDS: Final = 15
WATCH_SECONDS: Final = 240
LINE_BYTES: Final = 4 * 2**20
"""A watch event is one line with a whole object, at most 3 MiB in etcd's default settings."""


class Answer(NamedTuple):
    """What Kubernetes sent, unread, and what it and our webhook had to say about it."""

    body: bytes
    warnings: list[str]


class Written(NamedTuple):
    """What a write made, and what Kubernetes and our webhook had to say about it."""

    job: Document
    warnings: list[str]


class Pools(NamedTuple):
    """Connections for all callers. Watches have their own, so that they never starve the calls."""

    calls: aiohttp.ClientSession
    watches: aiohttp.ClientSession


@contextlib.asynccontextmanager
async def pools(ca_file: Path | None) -> AsyncIterator[Pools]:
    """Open the connections' pools; TLS is checked against the cluster's CA."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    async with _session(context, 256) as calls, _session(context, 0) as watches:
        yield Pools(calls, watches)


def _session(context: ssl.SSLContext, limit: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=context),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=LINE_BYTES,
    )


class Cluster:
    """Kubernetes as one caller sees it."""

    def __init__(self, http: Pools, url: str, token: Callable[[], str]) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._token = token

    def as_caller(self, token: str) -> "Cluster":
        """The same cluster with another token."""
        return Cluster(self._http, self._url, lambda: token)

    async def get_job(self, namespace: str, name: str) -> Document:
        """One whole ScoringJob. Raises PlayerscoreError: JOB_NOT_FOUND, FORBIDDEN, UNAUTHENTICATED, ..."""
        return await self._call("GET", f"{JOBS.format(namespace)}/{name}")

    async def view_job(self, namespace: str, name: str, *frames: str) -> Document:
        """One ScoringJob as `stored.job` reads it, with those frames of its preview."""
        return stored.job((await self._ask("GET", f"{JOBS.format(namespace)}/{name}")).body, *frames)

    async def list_jobs(
        self, namespace: str, limit: int, token: str | None = None, labels: str | None = None
    ) -> Page:
        """A page of ScoringJobs as `stored.job` reads them, of all namespaces for `ALL`."""
        more = {"continue": token, "labelSelector": labels}
        query = {"limit": str(limit)} | {key: value for key, value in more.items() if value}
        path = EVERY_JOB if namespace == ALL else JOBS.format(namespace)
        return stored.page((await self._ask("GET", path, query)).body)

    async def create_job(self, namespace: str, manifest: Document, dry_run: bool = False) -> Written:
        """Create a ScoringJob; unknown fields are refused. Raises ALREADY_EXISTS."""
        query = STRICT | (DRY_RUN if dry_run else {})
        return await self._write("POST", JOBS.format(namespace), query, manifest)

    async def patch_job(self, namespace: str, name: str, patch: Document, dry_run: bool = False) -> Written:
        """Merge-patch a ScoringJob. Raises CONFLICT when the patch's resourceVersion is old."""
        query = STRICT | (DRY_RUN if dry_run else {})
        path = f"{JOBS.format(namespace)}/{name}"
        return await self._write("PATCH", path, query, patch, MERGE_PATCH)

    async def delete_job(
        self, namespace: str, name: str, version: str | None = None, dry_run: bool = False
    ) -> None:
        """Delete a ScoringJob; its children follow by their owner references.

        Raises CONFLICT when it is not at that resourceVersion.
        """
        # Options in the body, all of them: with a body Kubernetes does not look at the query.
        options: Document = {"preconditions": {"resourceVersion": version}} if version else {}
        options |= {"dryRun": ["All"]} if dry_run else {}
        await self._write("DELETE", f"{JOBS.format(namespace)}/{name}", {}, options)

    async def may_create_jobs(self, namespace: str) -> bool:
        """Whether this caller may create ScoringJobs there."""
        attributes = {
            "namespace": namespace,
            "verb": "create",
            "group": names.GROUP,
            "resource": names.JOB_PLURAL,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await self._call("POST", path, body=review)
        return bool(answer["status"].get("allowed"))

    async def review_token(self, token: str, audience: str) -> Document:
        """The status of a TokenReview of somebody's token."""
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
        answer = await self._call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body=review)
        status: Document = answer.get("status") or {}
        return status

    @contextlib.asynccontextmanager
    async def watch_jobs(
        self, namespace: str, name: str | None, version: int | None, seconds: int
    ) -> AsyncIterator[AsyncIterator[Change]]:
        """What changes after that version, in one job or in all of the namespace, for so long at most.

        Without a version, what is there comes first. Once entered, Kubernetes has granted the watch. Raises EXPIRED
        when it does not know the version, FORBIDDEN, CLUSTER_UNAVAILABLE, ...
        """
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        query |= {"fieldSelector": f"metadata.name={name}"} if name else {}
        query |= {"resourceVersion": str(version)} if version else {}
        # Kubernetes ends the watch; the limit is for a connection that died without a word.
        timeout = aiohttp.ClientTimeout(total=seconds + TIMEOUT_SECONDS)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                response = await self._http.watches.get(
                    self._url + JOBS.format(namespace), params=query, headers=self._headers(), timeout=timeout
                )
            async with response:
                if response.status >= 300:
                    raise await _refused(response)
                yield _changes(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error) from error

    async def _call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Document | None = None
    ) -> Document:
        return stored.whole((await self._ask(method, path, query, body)).body)

    async def _write(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: Document | None,
        content_type: str = "application/json",
    ) -> Written:
        answer = await self._ask(method, path, query, body, content_type)
        return Written(stored.job(answer.body), answer.warnings)

    async def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Document | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        data = None if body is None else orjson.dumps(body)
        headers = self._headers() | ({"Content-Type": content_type} if data is not None else {})
        begin, status = time.perf_counter(), "none"
        try:
            async with self._http.calls.request(
                method, self._url + path, params=query, data=data, headers=headers, allow_redirects=False
            ) as response:
                status = str(response.status)
                if response.status >= 300:
                    raise await _refused(response)
                told = warnings.told(response.headers.getall("Warning", []))
                return Answer(await response.read(), told)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error) from error
        finally:
            KUBERNETES_SECONDS.labels(method, status).observe(time.perf_counter() - begin)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}


def own_token(file: Path) -> Callable[[], str]:
    """Reads the mounted token at every use, because the kubelet renews it."""
    return lambda: file.read_text().strip()


async def _changes(response: aiohttp.ClientResponse) -> AsyncIterator[Change]:
    async for line in response.content:
        yield stored.change(line)


async def _refused(response: aiohttp.ClientResponse) -> PlayerscoreError:
    error = refusals.translated(response.status, await _document(response))
    later = response.headers.get("Retry-After", "")
    if later.isdigit():
        error.details.setdefault("retry_after_seconds", int(later))
    return error


async def _document(response: aiohttp.ClientResponse) -> Document:
    raw = await response.read()
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:  # a proxy's page, or the webhook's transport error
        return {"message": raw[:500].decode(errors="replace")}
    return document if isinstance(document, dict) else {}


def _unavailable(error: Exception) -> PlayerscoreError:
    why = "no answer in time" if isinstance(error, asyncio.TimeoutError) else type(error).__name__
    return PlayerscoreError("CLUSTER_UNAVAILABLE", f"Kubernetes does not answer ({why}); try again")
