"""The only module of the operator that speaks to the API server.

`kubernetes.aio` gives credentials and TLS; requests go through aiohttp, its transport, with plain JSON, because
its typed models cost four times the CPU of a launch and the ScoringJob has models of its own.
"""

import contextlib
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self

import aiohttp
import orjson
from kubernetes.aio import client, config

from playerscore import names
from playerscore_operator.observe import owner_uid
from playerscore_operator.term import Term
from playerscore_operator.watched import Key, Ref

Json = dict[str, Any]
GROUPS = {
    names.JOB_PLURAL: f"/apis/{names.API_VERSION}",
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
}
MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
REQUEST_SECONDS = 30
CONNECTIONS = 64
PAGE = 500
CLOCKS_AGREE = timedelta(seconds=5)
"""An answer's date counts whole seconds, and is read a little later."""


class ApiError(Exception):
    """The API server refused, or could not be asked.

    `status` is the HTTP status, 0 when no answer came; `reason` is Kubernetes' word for it.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def namespace_ends(self) -> bool:
        """Whether the namespace is going: then nothing is to be done any more."""
        return self.status == 403 and "being terminated" in self.message


class Cluster:
    """The few requests that the operator makes."""

    def __init__(self, api: client.ApiClient) -> None:
        self.api = api
        self.term = Term()
        self._session: aiohttp.ClientSession | None = None
        self._date = ""
        self._skew = timedelta()

    def now(self) -> datetime:
        """The API server's time, as its last answer tells: this node's clock may be wrong by minutes, and every
        stamp that it is compared with is the cluster's."""
        return datetime.now(UTC) + self._skew

    def _learn_time(self, date: str) -> None:
        if not date or date == self._date:
            return
        self._date = date
        skew = parsedate_to_datetime(date) - datetime.now(UTC)
        self._skew = skew if abs(skew) > CLOCKS_AGREE else timedelta()

    @classmethod
    async def connect(cls) -> Self:
        """With the pod's account, or the kubeconfig outside of a cluster."""
        settings = client.Configuration()
        await _load(settings)
        return cls(client.ApiClient(configuration=settings))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        await self.api.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Json | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Json:
        """One request. Raises ApiError on every status from 400, and when no answer came."""
        content = await self.exchange(
            method, path, query=query, body=body, content_type=content_type, accept=accept
        )
        parsed: Json = orjson.loads(content) if content else {}
        return parsed

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Json | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """One request, its answer unparsed. Raises ApiError."""
        if method != "GET" and self.term.over:
            raise ApiError(0, "NotLeading", "the Lease was not renewed in time; another replica may lead")
        headers = {"Content-Type": content_type, "Accept": accept}
        # The client re-reads the pod's token when it is due.
        if token := await self.api.configuration.get_api_key_with_prefix("BearerToken", "authorization"):
            headers["Authorization"] = token
        data = None if body is None else orjson.dumps(body)
        url = self.api.configuration.host + path
        try:
            async with self._open().request(method, url, params=query, data=data, headers=headers) as answer:
                self._learn_time(answer.headers.get("Date", ""))
                content = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            # A connection closed in mid-answer is neither an OSError nor a TimeoutError.
            raise ApiError(0, "Unreachable", f"{type(error).__name__}: {error}") from error
        if answer.status == 401:
            # For the next try: what is read now may be good again.
            with contextlib.suppress(config.ConfigException, OSError):
                await _load(self.api.configuration)
        if answer.status >= 400:
            raise _error(answer.status, content)
        return content

    def _open(self) -> aiohttp.ClientSession:
        """The session, made within the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=self.api.rest_client.ssl_context)
            timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, proxy=proxy(self.api.configuration)
            )
        return self._session

    async def find(self, path: str) -> Json | None:
        """The object at that path, None when there is none."""
        try:
            return await self.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def scoringjob(self, namespace: str, name: str) -> Json | None:
        return await self.find(job_path(namespace, name))

    async def served(self) -> set[str]:
        """The plurals of our kinds that the API server serves; empty when it cannot say."""
        try:
            found = await self.find(f"/apis/{names.API_VERSION}")
        except ApiError:
            return set()
        return {item["name"] for item in (found or {}).get("resources", [])}

    async def runtimes(self) -> list[Json]:
        """All ScoringRuntimes; there are few."""
        path = f"/apis/{names.API_VERSION}/{names.RUNTIME_PLURAL}"
        items: list[Json] = (await self.request("GET", path))["items"]
        return items

    async def children(self, namespace: str, uid: str, kind: str) -> list[Json]:
        """The Jobs (`jobs`) or pods (`pods`) of one ScoringJob."""
        group = "/apis/batch/v1" if kind == "jobs" else "/api/v1"
        query = {"labelSelector": f"{names.UID_LABEL}={uid}"}
        found = await self.request("GET", f"{group}/namespaces/{namespace}/{kind}", query=query)
        items: list[Json] = found["items"]
        return items

    async def workload(self, namespace: str, job_uid: str) -> Json | None:
        """What Kueue says of a Job; None where it says nothing, or there is no Kueue of this version."""
        path = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{namespace}/workloads"
        query = {"labelSelector": f"{names.WORKLOAD_LABEL}={job_uid}"}
        try:
            items: list[Json] = (await self.request("GET", path, query=query))["items"]
        except ApiError as error:
            if error.status in (403, 404):
                return None
            raise
        return items[0] if items else None

    async def events(self, namespace: str, uid: str) -> list[Json]:
        """What was told of one object (`uid`, `reason`, `message`, `at`), the newest last; nothing where it may
        not be read."""
        query = {"fieldSelector": f"involvedObject.uid={uid}"}
        try:
            found = await self.request("GET", f"/api/v1/namespaces/{namespace}/events", query=query)
        except ApiError as error:
            if error.status == 403:
                return []
            raise
        return sorted((_lean_event(item, uid) for item in found["items"]), key=lambda item: str(item["at"]))

    async def prepared(self, namespace: str) -> bool:
        """Whether the worker's account is there."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{names.WORKER_ACCOUNT}"
        return await self.find(path) is not None

    async def patch_status(self, namespace: str, name: str, body: Json) -> Json:
        """Merge-patch the status; returns the object's new metadata, and not the preview once more."""
        path = f"{job_path(namespace, name)}/status"
        return await self.request("PATCH", path, body=body, content_type=MERGE_PATCH, accept=METADATA_ONLY)

    async def create_job(self, body: Json) -> None:
        """Create a child Job. AlreadyExists is success when it has the same owner and was made for the same spec.

        Raises ApiError: also 409 when the Job of that name belongs to somebody else (`ForeignJob`), or was made
        for another spec (`OtherSpec`).
        """
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        try:
            await self.exchange("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", body=body)
            return
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        found = await self.find(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")
        if found is None or owner_uid(found) != owner_uid(body):
            raise ApiError(409, "ForeignJob", f"Job {namespace}/{name} belongs to another owner")
        key = names.SPEC_HASH_ANNOTATION
        if (found["metadata"].get("annotations") or {}).get(key) != body["metadata"]["annotations"][key]:
            raise ApiError(409, "OtherSpec", f"Job {namespace}/{name} was made for another spec")

    async def delete_job(self, namespace: str, name: str) -> None:
        """Delete a child Job; it stays visible until its pods are gone. Gone already is success."""
        await self._delete(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}", "Foreground")

    async def delete_scoringjob(self, namespace: str, name: str, uid: str) -> None:
        await self._delete(job_path(namespace, name), "Background", {"preconditions": {"uid": uid}})

    async def _delete(self, path: str, policy: str, more: Json | None = None) -> None:
        body = {"propagationPolicy": policy, **(more or {})}
        try:
            await self.request("DELETE", path, body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def versions(self, kind: str, namespaces: list[str]) -> list[tuple[Ref, int, Key]]:
        """Every object of a kind (`scoringjobs`, or our `jobs` and `pods`) by lists of metadata alone:
        what it is, its version, and the ScoringJob that it is or belongs to."""
        found = []
        for namespace in namespaces or [""]:
            scope = f"/namespaces/{namespace}" if namespace else ""
            found += await self._versions(kind, f"{GROUPS[kind]}{scope}/{kind}")
        return found

    async def _versions(self, kind: str, path: str) -> list[tuple[Ref, int, Key]]:
        found: list[tuple[Ref, int, Key]] = []
        async for meta in self._metadata(kind, path):
            owner = meta["name"] if kind == names.JOB_PLURAL else meta["labels"][names.JOB_LABEL]
            ref = (kind, meta["namespace"], meta["name"])
            found.append((ref, int(meta["resourceVersion"]), (meta["namespace"], owner)))
        return found

    async def aged(self, namespaces: list[str], before: datetime) -> set[Key]:
        """The ScoringJobs with child Jobs that were created before that moment."""
        found = set()
        for namespace in namespaces or [""]:
            scope = f"/namespaces/{namespace}" if namespace else ""
            async for meta in self._metadata("jobs", f"{GROUPS['jobs']}{scope}/jobs"):
                if datetime.fromisoformat(meta["creationTimestamp"]) < before:
                    found.add((meta["namespace"], meta["labels"][names.JOB_LABEL]))
        return found

    async def _metadata(self, kind: str, path: str) -> AsyncIterator[Json]:
        """The metadata of every object of a kind, page by page."""
        selector = {} if kind == names.JOB_PLURAL else {"labelSelector": names.CHILDREN}
        token = ""
        while True:
            query = {"limit": PAGE, **selector, **({"continue": token} if token else {})}
            page = await self.request("GET", path, query=query, accept=METADATA_LIST)
            # Of no objects a server may make a list of metadata without a list in it.
            for item in page["items"] or ():
                yield item["metadata"]
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def event(self, body: Json) -> None:
        namespace = body["metadata"]["namespace"]
        await self.request("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body=body)


def _lean_event(body: Json, uid: str) -> Json:
    series = (body.get("series") or {}).get("lastObservedTime")
    at = series or body.get("lastTimestamp") or body.get("eventTime") or body["metadata"]["creationTimestamp"]
    return {"uid": uid, "reason": body.get("reason") or "", "message": body.get("message") or "", "at": at}


def proxy(settings: client.Configuration) -> str | None:
    """The kubeconfig's proxy, else the environment's, which aiohttp would look for before each request."""
    url = urllib.parse.urlsplit(settings.host)
    if settings.proxy or urllib.request.proxy_bypass(url.netloc):
        return settings.proxy or None
    return urllib.request.getproxies().get(url.scheme)


async def _load(settings: client.Configuration) -> None:
    """The pod's account, or the kubeconfig outside of a cluster, as they are now. Raises ConfigException."""
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=settings)


def job_path(namespace: str, name: str) -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.JOB_PLURAL}/{name}"


def _error(status: int, content: bytes) -> ApiError:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ApiError(status, "Unknown", content[:200].decode(errors="replace"))
    return ApiError(status, answer.get("reason", "Unknown"), answer.get("message", ""))
