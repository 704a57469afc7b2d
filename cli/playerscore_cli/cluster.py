"""ScoringJobs through the Kubernetes API, as the user's kubeconfig reaches it: plain JSON, no typed client.

urllib3, because it pools, streams, times out and goes through proxies, and starts in a tenth of the time of the
official client that is built on it (kubeconfig.py says why not that).
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import urllib3

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore_cli import kubeconfig, output

Json = dict[str, Any]
Query = dict[str, str]

ALL: Final = ""
"""The namespace that stands for all of them."""
PAGE: Final = 500
MERGE_PATCH: Final = "application/merge-patch+json"
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 60.0
WATCH_SECONDS: Final = 240
SILENCE_SECONDS: Final = 90.0
"""A watch that says nothing for longer is dead: the server sends a bookmark every minute."""
RECONNECT_SECONDS: Final = 1.0
FORGOTTEN: Final = frozenset({"CONFLICT", "EXPIRED"})
PASSING: Final = FORGOTTEN | {"CLUSTER_UNAVAILABLE", "TOO_MANY_REQUESTS"}
"""What trying again may help against."""
WARNING: Final = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class Cluster:
    """The API server, and the namespace that is meant when none is named."""

    def __init__(
        self, access: kubeconfig.Access, namespace: str | None = None, seconds: float = READ_SECONDS
    ) -> None:
        self.access = access
        self._timeout = urllib3.Timeout(connect=min(seconds, CONNECT_SECONDS), read=seconds)
        self.namespace = access.namespace if namespace is None else namespace
        self._http = _pool(access)

    @classmethod
    def open(
        cls,
        namespace: str | None = None,
        context: str | None = None,
        file: Path | None = None,
        *,
        seconds: float = READ_SECONDS,
    ) -> "Cluster":
        """By kubeconfig; each answer may take so long. Raises PlayerscoreError CLUSTER_UNAVAILABLE."""
        return cls(kubeconfig.read(file, context), namespace, seconds)

    # --- jobs -----------------------------------------------------------------------------------------

    def get(self, name: str) -> Json:
        """Raises PlayerscoreError JOB_NOT_FOUND and the like."""
        return self.call("GET", self._job(name))

    def jobs(self, query: Query | None = None) -> list[Json]:
        """All jobs of the namespace, or those that the selectors in `query` choose."""
        return [item for page in self.pages(self.jobs_path(), query) for item in page["items"]]

    def pages(
        self, path: str, query: Query | None = None, accept: str = "application/json"
    ) -> Iterator[Json]:
        """A list, page by page."""
        more: Query = {"limit": str(PAGE)}
        while True:
            page = self.call("GET", path, (query or {}) | more, accept=accept)
            yield page
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            more["continue"] = token

    def tables(self, query: Query | None = None, name: str | None = None) -> Iterator[Json]:
        """One job or all, as the server prints them: metav1.Tables."""
        if name:
            yield self.call("GET", self._job(name), query, accept=TABLE)
        else:
            yield from self.pages(self.jobs_path(), query, TABLE)

    def create(self, body: Json, dry_run: Query | None = None) -> Json:
        """Unknown fields are refused."""
        return self.call("POST", self.jobs_path(), {"fieldValidation": "Strict"} | (dry_run or {}), body)

    def patch(self, name: str, patch: Json, dry_run: Query | None = None) -> Json:
        """Merge-patch. Raises PlayerscoreError CONFLICT when the patch's resourceVersion is old."""
        query = {"fieldValidation": "Strict"} | (dry_run or {})
        return self.call("PATCH", self._job(name), query, patch, content_type=MERGE_PATCH)

    def delete(self, name: str, options: Json) -> Json:
        """By metav1.DeleteOptions; its children follow by their owner references."""
        return self.call("DELETE", self._job(name), body=options)

    def watch(
        self,
        query: Query,
        resource_version: str,
        *,
        path: str | None = None,
        seconds: float = WATCH_SECONDS,
        accept: str = "application/json",
    ) -> Iterator[Json]:
        """Changes after that version, for so long at most; ends early when the server or the network does.

        Raises PlayerscoreError when the server refuses, CONFLICT or EXPIRED when it has forgotten that version.
        """
        asked = query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=min(SILENCE_SECONDS, max(1.0, seconds)))
        answer = self._send(
            "GET", path or self.jobs_path(), asked, accept=accept, timeout=timeout, stream=True
        )
        try:
            for line in _lines(answer):
                event: Json = json.loads(line)
                if event["type"] == "ERROR":
                    raise _translated(int(event["object"].get("code", 500)), event["object"])
                yield event
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return
        finally:
            answer.close()

    def follow(
        self, path: str, query: Query, version: str, accept: str = "application/json"
    ) -> Iterator[Json]:
        """Every change from that version on, for ever: a lost connection is taken up where it broke.

        Raises PlayerscoreError when the server refuses.
        """
        while True:
            try:
                for event in self.watch(query, version, path=path, accept=accept):
                    version = _version_of(event["object"]) or version
                    if event["type"] != "BOOKMARK":
                        yield event
            except PlayerscoreError as error:
                if error.code not in PASSING:
                    raise
                if error.code in FORGOTTEN:
                    version = self.version_of(path, query)
            time.sleep(RECONNECT_SECONDS)

    def version_of(self, path: str, query: Query) -> str:
        """The version of a list as it is now."""
        page = self.call("GET", path, query | {"limit": "1"})
        return str(page["metadata"]["resourceVersion"])

    # --- others ---------------------------------------------------------------------------------------

    def names_of(self, path: str) -> list[str]:
        """The names of whatever lies there."""
        accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
        return [
            item["metadata"]["name"] for page in self.pages(path, accept=accept) for item in page["items"]
        ]

    def events_path(self) -> str:
        """Where the Kubernetes Events of the namespace lie."""
        return f"/api/v1/namespaces/{self.namespace}/events"

    # --- transport ------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Json | None = None,
        *,
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> Json:
        """One request and its JSON. Raises PlayerscoreError."""
        answer = self._send(
            method, path, query, body, accept=accept, content_type=content_type, timeout=self._timeout
        )
        document: Json = json.loads(answer.data)
        return document

    def _send(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Json | None = None,
        *,
        accept: str,
        timeout: urllib3.Timeout,
        content_type: str = "application/json",
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        headers = self.access.headers | {"Accept": accept, "User-Agent": "playerscore"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), content_type
        url = f"{self.access.server}{path}{_query(query)}"
        try:
            answer = self._http.request(
                method,
                url,
                body=data,
                headers=headers,
                timeout=timeout,
                preload_content=not stream,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise PlayerscoreError("CLUSTER_UNAVAILABLE", _why(self.access.server, error)) from error
        if answer.status >= 300:
            raise _refused(answer)
        for text in WARNING.findall(answer.headers.get("Warning", "")):
            output.warn(text.replace('\\"', '"'))
        return answer

    def jobs_path(self) -> str:
        """Where the jobs of the namespace lie."""
        scope = f"/namespaces/{self.namespace}" if self.namespace != ALL else ""
        return f"/apis/{names.API_VERSION}{scope}/{names.JOB_PLURAL}"

    def _job(self, name: str) -> str:
        return f"{self.jobs_path()}/{quote(name, safe='')}"


def _pool(access: kubeconfig.Access) -> urllib3.PoolManager:
    named = access.server_name
    settings: dict[str, Any] = {"ssl_context": access.tls, "retries": False}
    if named:
        settings |= {"server_hostname": named, "assert_hostname": named}
    if access.proxy:
        return urllib3.ProxyManager(access.proxy, **settings)
    return urllib3.PoolManager(**settings)


def _version_of(found: Json) -> str | None:
    rows = found.get("rows")
    holder = rows[-1]["object"] if rows else found
    version: str | None = (holder.get("metadata") or {}).get("resourceVersion")
    return version


def _query(query: Query | None) -> str:
    return f"?{urlencode(query)}" if query else ""


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    while chunk := answer.read1(1 << 20):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _why(server: str, error: Exception) -> str:
    cause: BaseException = error
    while inner := getattr(cause, "reason", None) or cause.__cause__:
        if not isinstance(inner, BaseException):
            break
        cause = inner
    text = str(cause).rsplit(": ", 1)[-1]
    return f"Kubernetes does not answer at {server}: {text}"


def _refused(answer: urllib3.BaseHTTPResponse) -> PlayerscoreError:
    """The API server's refusal with our code."""
    content = answer.data or answer.read()
    try:
        status = json.loads(content)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        if answer.status == 404:
            text = f"This cluster does not serve {names.JOB_PLURAL}.{names.GROUP}; is the chart installed?"
            return PlayerscoreError("NOT_FOUND", text)
        status = {"message": f"{answer.status}: {content[:200].decode(errors='replace').strip()}"}
    return _translated(answer.status, status)


def _translated(http_status: int, status: Json) -> PlayerscoreError:
    from playerscore import refusals  # it brings the models, a tenth of a second that most calls do not need

    return refusals.translated(http_status, status)
