"""The only module that speaks to the Kubernetes API: plain JSON, with the token of whoever asks.

The official client binds one credential to a client object and parses into typed models at about four
times the CPU; here every call has another caller's token and passes JSON through, so this is a thin layer
on aiohttp (which the S3 client brings anyway).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore_api.refusals import refusal

Document = dict[str, Any]

JOBS: Final = f"/apis/{names.API_VERSION}/namespaces/{{}}/{names.JOB_PLURAL}"
MERGE_PATCH: Final = "application/merge-patch+json"
TIMEOUT_SECONDS: Final = 15
WATCH_SECONDS: Final = 240
LINE_BYTES: Final = 4 * 2**20
"""A watch event is one line with a whole object, at most 3 MiB in etcd's default settings."""


def session(ca_file: Path | None) -> aiohttp.ClientSession:
    """One pool of connections for all callers; TLS is checked against the cluster's CA."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=256, ssl=context),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=LINE_BYTES,
    )


class Cluster:
    """Kubernetes as one caller sees it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: Callable[[], str]) -> None:
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

    async def create_job(self, namespace: str, manifest: Document) -> Document:
        """Create a ScoringJob; unknown fields are refused."""
        strict = {"fieldValidation": "Strict"}
        return await self._call("POST", JOBS.format(namespace), strict, manifest)

    async def patch_job(self, namespace: str, name: str, patch: Document) -> Document:
        """Merge-patch a ScoringJob. Raises CONFLICT when the patch's resourceVersion is old."""
        path = f"{JOBS.format(namespace)}/{name}"
        return await self._call("PATCH", path, {"fieldValidation": "Strict"}, patch, MERGE_PATCH)

    async def delete_job(self, namespace: str, name: str) -> None:
        """Delete a ScoringJob; its children follow by their owner references."""
        await self._call("DELETE", f"{JOBS.format(namespace)}/{name}")

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

    async def watch_job(self, namespace: str, name: str, resource_version: str) -> AsyncIterator[Document]:
        """The watch events of one ScoringJob after that version; ends when the server ends the watch."""
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS)
        try:
            async with self._http.get(
                self._url + JOBS.format(namespace), params=query, headers=self._headers(), timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise refusal(response.status, await _document(response))
                async for line in response.content:
                    yield orjson.loads(line)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error) from error

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Document | None = None,
        content_type: str = "application/json",
    ) -> Document:
        data = None if body is None else orjson.dumps(body)
        headers = self._headers() | ({"Content-Type": content_type} if data is not None else {})
        try:
            async with self._http.request(
                method, self._url + path, params=query, data=data, headers=headers, allow_redirects=False
            ) as response:
                document = await _document(response)
                if response.status >= 300:
                    raise refusal(response.status, document)
                return document
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error) from error

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}


def own_token(file: Path) -> Callable[[], str]:
    """Reads the mounted token at every use, because the kubelet renews it."""
    return lambda: file.read_text().strip()


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
