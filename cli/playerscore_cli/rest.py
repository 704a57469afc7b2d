"""The little that the command line needs the REST API for: what lies in the store (uploads, frames, artifacts)."""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3

from playerscore.errors import PlayerscoreError
from playerscore_cli import output
from playerscore_cli.cluster import Cluster

Json = dict[str, Any]
CHUNK: Final = 1 << 20
TIMEOUT: Final = urllib3.Timeout(connect=10, read=300)
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class Api:
    """The REST API with the caller's token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = urllib3.PoolManager(retries=False)

    @classmethod
    def reach(cls, cluster: Cluster | None, url: str | None, token: str | None) -> "Api":
        """The API at that address, with that token or the kubeconfig's. Raises PlayerscoreError."""
        if not url:
            text = "The REST API's address is needed: --api or PLAYERSCORE_API"
            raise PlayerscoreError("INVALID", text, field="--api")
        if not token and cluster and _is_private(url):
            token = cluster.access.bearer
        if not token:
            how = "--token or PLAYERSCORE_TOKEN, for example from `kubectl create token`"
            raise PlayerscoreError("UNAUTHENTICATED", f"The REST API wants a bearer token: {how}")
        return cls(url, token)

    def json(self, method: str, path: str, query: dict[str, str], body: Json | None = None) -> Json:
        """One request. Raises PlayerscoreError."""
        headers = self._headers | {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        answer: Json = json.loads(self._checked(method, self._at(path, query), data, headers).data)
        return answer

    def again(self, method: str, url: str) -> Json:
        """One request to an address that the API gave before. Raises PlayerscoreError."""
        answer: Json = json.loads(self._checked(method, self.given(url), None, self._headers).data)
        return answer

    def content(self, path: str, query: dict[str, str]) -> Iterator[bytes]:
        """What lies there, in pieces. Raises PlayerscoreError."""
        answer = self._checked("GET", self._at(path, query), None, self._headers, stream=True)
        try:
            yield from answer.stream(CHUNK)
        except urllib3.exceptions.HTTPError as error:
            raise _silent(error) from error
        finally:
            answer.close()

    def send(self, method: str, url: str, content: Any, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """Send content to an address that the API gave: its own, or the store's, which gets no token."""
        absolute = self.given(url)
        own = urlsplit(absolute).netloc == urlsplit(self.url).netloc
        return self._checked(method, absolute, content, (self._headers if own else {}) | headers)

    def _at(self, path: str, query: dict[str, str]) -> str:
        return f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")

    def given(self, url: str) -> str:
        """An address that the API gave, whole: its own are paths, with the prefix that it is below."""
        return urljoin(self.url + "/", url)

    def _checked(
        self, method: str, url: str, body: Any, headers: dict[str, str], *, stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._http.request(
                method,
                url,
                body=body,
                headers=headers,
                timeout=TIMEOUT,
                preload_content=not stream,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _silent(error) from error
        if answer.status >= 300:
            raise _refused(answer)
        return answer


class Frames:
    """The pictures of one job's preview, where the API is known; None for each where it is not."""

    def __init__(self, cluster: Cluster, name: str, url: str | None, token: str | None) -> None:
        self._api = Api.reach(cluster, url, token) if url else None
        self._where = (name, cluster.namespace)
        self._kept: dict[int, bytes] = {}

    def jpeg(self, number: int) -> bytes | None:
        """Frame `number`, from 1. A frame that cannot be had is told once and not drawn."""
        if self._api is None:
            return None
        if number not in self._kept:
            name, namespace = self._where
            try:
                pieces = self._api.content(f"/jobs/{name}/frames/{number}", {"namespace": namespace})
                self._kept[number] = b"".join(pieces)
            except PlayerscoreError as error:
                output.warn(f"no picture of the frames: {error.code}: {error.message}")
                self._api = None
                return None
        return self._kept[number]


def _is_private(url: str) -> bool:
    """Whether a token may be sent there unasked."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def _silent(error: Exception) -> PlayerscoreError:
    return PlayerscoreError("STORE_UNAVAILABLE", f"The REST API does not answer: {error}")


def _refused(answer: urllib3.BaseHTTPResponse) -> PlayerscoreError:
    content = answer.data or answer.read()
    try:
        error = json.loads(content)["error"]
        details = {key: value for key, value in error.items() if key not in ("code", "message")}
        return PlayerscoreError(error["code"], error["message"], **details)
    except (ValueError, KeyError, TypeError):
        text = f"{answer.status}: {content[:200].decode(errors='replace')}"
        return PlayerscoreError("STORE_UNAVAILABLE", text)
