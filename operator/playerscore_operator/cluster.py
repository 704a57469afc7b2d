"""The only module of the operator that speaks to the API server.

`kubernetes.aio` gives credentials, TLS and connections; bodies are plain JSON, because its typed models cost
four times the CPU of a launch and the ScoringJob has models of its own.
"""

from typing import Any, Self

import aiohttp
import orjson
from kubernetes.aio import client, config

from playerscore import names

Json = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
REQUEST_SECONDS = 30
PAGE = 500


class ApiError(Exception):
    """The API server refused, or could not be asked.

    `status` is the HTTP status, 0 when no answer came; `reason` is Kubernetes' word for it.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Cluster:
    """The few requests that the operator makes."""

    def __init__(self, api: client.ApiClient) -> None:
        self.api = api

    @classmethod
    async def connect(cls) -> Self:
        """With the pod's account, or the kubeconfig outside of a cluster."""
        settings = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=settings)
        except config.ConfigException:
            await config.load_kube_config(client_configuration=settings)
        return cls(client.ApiClient(configuration=settings))

    async def close(self) -> None:
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
        arguments = await self.api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Content-Type": content_type, "Accept": accept},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self.api.call_api(
                *arguments, _request_timeout=REQUEST_SECONDS, _preload_content=False
            )
            content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            # A connection closed in mid-answer is neither an OSError nor a TimeoutError.
            raise ApiError(0, "Unreachable", f"{type(error).__name__}: {error}") from error
        if answer.status >= 400:
            raise _error(answer.status, content)
        parsed: Json = orjson.loads(content) if content else {}
        return parsed

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

    async def prepared(self, namespace: str) -> bool:
        """Whether the worker's account is there."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{names.WORKER_ACCOUNT}"
        return await self.find(path) is not None

    async def patch_status(self, namespace: str, name: str, body: Json) -> Json:
        return await self.request(
            "PATCH", f"{job_path(namespace, name)}/status", body=body, content_type=MERGE_PATCH
        )

    async def create_job(self, body: Json) -> Json:
        """Create a child Job. AlreadyExists is success when it has the same owner.

        Raises ApiError: also 409 when the Job of that name belongs to somebody else.
        """
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        try:
            return await self.request("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", body=body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        found = await self.find(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")
        if found and owner_uid(found) == owner_uid(body):
            return found
        raise ApiError(409, "ForeignJob", f"Job {namespace}/{name} belongs to another owner")

    async def delete_job(self, namespace: str, name: str) -> None:
        """Delete a child Job and its pods; gone already is success."""
        await self._delete(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")

    async def delete_scoringjob(self, namespace: str, name: str, uid: str) -> None:
        await self._delete(job_path(namespace, name), {"preconditions": {"uid": uid}})

    async def _delete(self, path: str, more: Json | None = None) -> None:
        body = {"propagationPolicy": "Background", **(more or {})}
        try:
            await self.request("DELETE", path, body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def keys(self, namespaces: list[str]) -> list[tuple[str, str, str]]:
        """(namespace, name, resourceVersion) of every ScoringJob, by lists of metadata alone."""
        found = []
        for namespace in namespaces or [""]:
            scope = f"/namespaces/{namespace}" if namespace else ""
            found += await self._keys(f"/apis/{names.API_VERSION}{scope}/{names.JOB_PLURAL}")
        return found

    async def _keys(self, path: str) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = []
        token = ""
        while True:
            query = {"limit": PAGE, **({"continue": token} if token else {})}
            page = await self.request("GET", path, query=query, accept=METADATA_LIST)
            for item in page["items"]:
                meta = item["metadata"]
                found.append((meta["namespace"], meta["name"], meta["resourceVersion"]))
            token = page["metadata"].get("continue", "")
            if not token:
                return found

    async def event(self, body: Json) -> None:
        namespace = body["metadata"]["namespace"]
        await self.request("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body=body)


def job_path(namespace: str, name: str) -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.JOB_PLURAL}/{name}"


def owner_uid(child: Json) -> str | None:
    """The uid of the ScoringJob that controls a child."""
    owners = child["metadata"].get("ownerReferences", [])
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _error(status: int, content: bytes) -> ApiError:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ApiError(status, "Unknown", content[:200].decode(errors="replace"))
    return ApiError(status, answer.get("reason", "Unknown"), answer.get("message", ""))
