"""The only module that speaks to the Kubernetes API: plain JSON, with the token of whoever asks.

The official client binds one credential to a client object and parses into typed models at about four
times the CPU; here every call has another caller's token and passes JSON through, so this is a thin layer
on aiohttp (which the S3 client brings anyway).
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from playerscore import names, refusals
from playerscore.errors import PlayerscoreError
from playerscore_api import warnings
from playerscore_api.metrics import KUBERNETES_SECONDS

Document = dict[str, Any]

JOBS: Final = f"/apis/{names.API_VERSION}/namespaces/{{}}/{names.JOB_PLURAL}"
STRICT: Final = {"fieldValidation": "Strict"}
DRY_RUN: Final = {"dryRun": "All"}
MERGE_PATCH: Final = "application/merge-patch+json"
TIMEOUT_SECONDS: Final = 15
WATCH_SECONDS: Final = 240
LINE_BYTES: Final = 4 * 2**20
"""A watch event is one line with a whole object, at most 3 MiB in etcd's default settings."""


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
        """One ScoringJob. Raises PlayerscoreError: JOB_NOT_FOUND, FORBIDDEN, UNAUTHENTICATED, ..."""
        return await self._call("GET", f"{JOBS.format(namespace)}/{name}")

    async def list_jobs(self, namespace: str, limit: int, token: str | None) -> Document:
        """A page of ScoringJobs, with the token of the next in `metadata.continue`."""
        page = {"limit": str(limit)} | ({"continue": token} if token else {})
        return await self._call("GET", JOBS.format(namespace), page)

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

    async def watch_job(
        self, namespace: str, name: str, version: str | None, seconds: int
    ) -> AsyncGenerator[Document]:
        """The watch events of one ScoringJob after that version, for so long at most. Raises EXPIRED, FORBIDDEN, ..."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": str(seconds),
        } | ({"resourceVersion": version} if version else {})
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS)
        try:
            async with self._http.watches.get(
                self._url + JOBS.format(namespace), params=query, headers=self._headers(), timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise await _refused(response)
                async for line in response.content:
                    yield orjson.loads(line)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error) from error

    async def _call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Document | None = None
    ) -> Document:
        return (await self._write(method, path, query or {}, body)).job

    async def _write(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: Document | None,
        content_type: str = "application/json",
    ) -> Written:
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
                return Written(await _document(response), told)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error) from error
        finally:
            KUBERNETES_SECONDS.labels(method, status).observe(time.perf_counter() - begin)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}


def own_token(file: Path) -> Callable[[], str]:
    """Reads the mounted token at every use, because the kubelet renews it."""
    return lambda: file.read_text().strip()


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
