"""The little that the command line needs the REST API for: uploads and pictures, which live in the store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from playerscore.errors import PlayerscoreError
from playerscore_cli.console import Tell

CHUNK = 1 << 20


class Api:
    """The REST API with the caller's token."""

    def __init__(self, url: str, token: str) -> None:
        self.client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(60, write=300)
        )

    def upload(self, file: Path, namespace: str | None, tell: Tell) -> str:
        """Put a video into the store; returns the uri for `spec.video`. Raises PlayerscoreError.

        Without a namespace the deployment's default is meant, as in every request.
        """
        wanted = {"filename": file.name, "bytes": file.stat().st_size}
        offer = self._json(
            "POST", "/uploads", params={"namespace": namespace} if namespace else {}, json=wanted
        )
        target = offer["upload"]
        url = httpx.URL(str(self.client.base_url)).join(target["url"])
        own = url.host == self.client.base_url.host and url.port == self.client.base_url.port
        headers = {**target.get("headers", {}), "Content-Length": str(wanted["bytes"])}
        sender = self.client if own else httpx.Client(timeout=httpx.Timeout(60, write=300))
        answer = sender.request(target["method"], url, content=_chunks(file, tell), headers=headers)
        _check(answer)
        return str(offer["uri"])

    def frame(self, job: str, namespace: str, number: int) -> bytes:
        """A preview frame as JPEG. Raises PlayerscoreError."""
        return self._get(f"/jobs/{job}/frames/{number}", namespace)

    def artifact(self, job: str, namespace: str, name: str) -> bytes:
        """An artifact's content. Raises PlayerscoreError."""
        return self._get(f"/jobs/{job}/artifacts/{name}", namespace)

    def _get(self, path: str, namespace: str) -> bytes:
        return self._send("GET", path, params={"namespace": namespace}).content

    def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._send(method, path, **more).json()
        return answer

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self.client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise PlayerscoreError("CLUSTER_UNAVAILABLE", f"The REST API does not answer: {error}") from error
        return _check(answer)


def _check(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = {"code": "STORE_UNAVAILABLE", "message": f"{answer.status_code}: {answer.text[:200]}"}
    details = {key: value for key, value in error.items() if key not in ("code", "message")}
    raise PlayerscoreError(error["code"], error["message"], **details)


def _chunks(file: Path, tell: Tell) -> Iterator[bytes]:
    total, sent = max(1, file.stat().st_size), 0
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            yield chunk
            sent += len(chunk)
            tell(sent / total, f"{sent / 1e6:.1f} MB")
